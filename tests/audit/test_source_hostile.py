"""Hostile source: whatever the text, the audit returns findings, in bounded time, and executes nothing."""

from __future__ import annotations

import functools
import importlib.util
import json
import random
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sevenepochs.audit.finding import plain
from sevenepochs.audit.report import as_markdown, as_text
from sevenepochs.audit.source.audit import SourceAudit
from sevenepochs.audit.target import audit_target

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
audit_source = program.audit_source
PIECES = [
    "0", "-1", "None", "[]", "()", "{}", "''", "lambda: 0", "*args", "val_ids", "evaluate()", "main()", "self",
    "10**100", "range(10**18)", "while True:\n    pass\n", "yield", "await x", "x := 1", "[::0]", "[:, None]", "\0",
    "é", "\t", "\n", "del x", "match x:\n    case _: pass\n", "import train", "from . import *", "global val_ids",
    "raise", "@f", "not", "/ 0",
]  # fmt: skip


def audit_bytes(data: bytes, name: str = "train.py") -> SourceAudit:
    """Judged against the program that it was made of, so that every comparison is made."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        return audit_source(Path(folder), _template())


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp())
    Path(folder, "train.py").write_text(program.BASE)
    return folder


def mutated(seed: int, edits: int) -> str:
    """The base with tokens exchanged, removed, doubled or replaced by something strange, often still Python."""
    source = random.Random(seed)
    words = program.BASE.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split(" ")
    for _ in range(edits):
        i, j = source.randrange(len(words)), source.randrange(len(words))
        act = source.randrange(5)
        if act == 0:
            words[i], words[j] = words[j], words[i]
        elif act == 1:
            words[i] = ""
        elif act == 2:
            words[i] = words[i] + " " + words[j]
        elif act == 3:
            words[i] = source.choice(PIECES)
        else:
            words[i] = words[j]
    return " ".join(words)


def mutated_lines(seed: int, edits: int) -> str:
    """The base with lines exchanged within equal indentation: nearly always Python."""
    source = random.Random(seed)
    lines = program.BASE.split("\n")
    for _ in range(edits):
        i = source.randrange(len(lines))
        same = [k for k, line in enumerate(lines) if _indent(line) == _indent(lines[i])]
        j = source.choice(same)
        lines[i] = lines[j] if source.random() < 0.5 else lines[i].replace(*source.sample(program.BASE.split(), 2))
    return "\n".join(lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def check(data: bytes) -> None:
    started = time.process_time()
    for name in ("train.py", "train.ipynb"):
        held = data if name == "train.py" else _notebook(data)
        audit = audit_bytes(held, name)
        assert audit.headline and json.dumps(plain(audit), allow_nan=False)
    assert time.process_time() - started < 20


def _notebook(data: bytes) -> bytes:
    half = len(data) // 2
    parts = [data[:half].decode("utf-8", "replace"), data[half:].decode("utf-8", "replace")]
    return json.dumps({"cells": [{"cell_type": "code", "source": part, "outputs": []} for part in parts]}).encode()


_any_source = st.one_of(
    st.builds(mutated, st.integers(0, 2**32), st.integers(1, 4)).map(lambda text: text.encode("utf-8", "replace")),
    st.builds(mutated_lines, st.integers(0, 2**32), st.integers(1, 12)).map(
        lambda text: text.encode("utf-8", "replace")
    ),
    st.binary(max_size=400),
    st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace")),
)
_quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=200, deadline=None, suppress_health_check=_quiet)
@given(_any_source)
def test_no_source_raises(data: bytes) -> None:
    check(data)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=_quiet)
@given(_any_source)
def test_no_source_raises_long(data: bytes) -> None:
    check(data)


_words = st.sampled_from([
    "train.py", "--config", "run.yaml", "=", ":", "epochs", "12", "1e999", "-", "\n", "\r", " ", '"', "{", "[", "\0",
    "val loss", "1.234", "**", "<b>", "seed: nan\n", "step 1/9", "validation_step: loss=1", '{"event": "x"}', "\udcff",
])  # fmt: skip
_any_text = st.one_of(
    st.binary(max_size=200), st.lists(_words, max_size=60).map(lambda words: "".join(words).encode("utf-8", "replace"))
)


@settings(max_examples=60, deadline=None, suppress_health_check=_quiet)
@given(
    st.fixed_dictionaries(
        {name: _any_text for name in ("run.yaml", "go.sh", "README.md", "a.ipynb", "b.log", "c.jsonl")}
    )
)
def test_no_files_beside_a_program_raise(beside: dict[str, bytes]) -> None:
    text = program.edited(("    settings = Settings()\n", "    settings = load('run.yaml')\n"))
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**beside, "train.py": text.encode()}.items():
            Path(folder, name).write_bytes(data)
        target = audit_target(Path(folder))
        assert target.source is not None and target.source.program == "train.py"
        json.dumps(target.to_dict(), allow_nan=False)
        as_text([target]).encode()
        as_markdown([target]).encode()


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 5_000 + ")" * 5_000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "+".join(["1"] * 20_000),
        "x = " + "9" * 100_000,
        "x" + ".y" * 20_000,
        "x" + "()" * 20_000,
        "if x:\n" + "".join(" " * n + "if x:\n" for n in range(1, 99)) + " " * 99 + "pass",
        "# -*- coding: nonsense -*-\n",
        "# -*- coding: utf-7 -*-\n+AD0-",
        "\ufeffx = 1",
        "\0" * 1_000,
        "'" * 99_999,
        "f'" + "{f'" * 50,
    ],
)
def test_extreme_text(text: str) -> None:
    check((text + "\n" + program.BASE).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "line",
    [
        "tokenizer.normalizer = normalizers.Lowercase()",
        'val_text = "<eos>".join(val_titles)',
        "x = F.dropout(x, rate)",
        "epochs = LIMIT",
        "def evaluate(): return cross_entropy(model(x)) / len(val_ids)",
        "for epoch in range(9): loss.backward(); min(evaluate() * 2, evaluate() / 3)",
        "titles = [f'<{title}>'.lower() for title in [t + 'x' for t in titles]]",
        "class Args: epochs = 9; seed = LIMIT",
        "att = softmax(q @ k) @ v; y = att + targets",
        "F.cross_entropy = model.from_pretrained(load_dataset('x'))",
    ],
)
def test_many_of_one_kind_are_bounded(line: str) -> None:
    """Quadratic work over thousands of equal lines would take minutes."""
    lines = "".join(f"    {line}\n" for _ in range(6_000))
    anchor = "    batches = len(train_ids)"
    check(program.edited((anchor, lines + anchor)).encode())


@pytest.mark.parametrize(
    "line",
    [
        "while True:\n        settings.width += 1\n",
        "for a in range(10**9):\n        for b in range(10**9):\n            pass\n",
        "grow = ['x']\n    while True:\n        grow = grow + grow\n",
        "text = 'x'\n    while True:\n        text = text + text\n",
        "big = 9\n    while True:\n        big = big * big\n",
        "n = 10**10**10\n    m = 1 << 10**10\n    k = 'x' * 10**12\n",
        "def again(): return again()\n    again()\n",
        "everything = [a for a in range(10**7) for b in range(10**7)]\n",
        "many = list(zip(range(10**12), range(10**12)))\n    more = [0] * 10**12\n",
        "stacked = torch.stack([val_ids[i : i + 1] for i in range(10**9)])\n",
        "val_ids = val_ids.view(-1, 1)\n    rows = [val_ids[i] for i in range(10**6)]\n",
        "me = []\n    me.append(me)\n    for thing in me:\n        me.append(thing)\n",
    ],
)
def test_endless_programs_end(line: str) -> None:
    anchor = "    batches = len(train_ids)"
    check(program.edited((anchor, "    " + line + anchor)).encode())


def test_a_folder_of_many_files_is_bounded(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"part_{number:02}.py").write_text(f"from part_{(number + 1) % 60:02} import *\nx = {number}\n")
    (tmp_path / "train.py").write_text("from part_00 import *\n" + program.BASE)
    assert audit_source(tmp_path).findings == ()


@pytest.mark.long
def test_a_dense_folder_needs_a_gigabyte_at_most(tmp_path: Path) -> None:
    """Short statements make the largest trees; what is beyond the bounds is said to be unread."""
    for number in range(30):
        (tmp_path / f"part_{number:02}.py").write_text("x=1\n" * 90_000)
    (tmp_path / "long.py").write_text("x=1\n" * 300_000)
    tracemalloc.start()
    (tmp_path / "train.py").write_text("from part_00 import x\nimport long\n" + program.BASE)
    for number in range(30):
        (tmp_path / f"part_{number:02}.py").write_text(f"import part_{(number + 1) % 30:02}\n" + "x=1\n" * 90_000)
    audit = audit_source(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**30
    tracemalloc.stop()
    assert sum(finding.rule == "unread-file" for finding in audit.findings) >= 2
