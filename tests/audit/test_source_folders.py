"""The source audit on folders: several files, notebooks, settings files, commands, other programs, what is unread."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from pathlib import Path

import pytest

from sevenepochs.audit.source.audit import SourceAudit
from sevenepochs.audit.source.program import MAX_FILE_BYTES
from sevenepochs.errors import UserError

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
audit_source = program.audit_source


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def rules(audit: SourceAudit) -> set[str]:
    return {finding.rule for finding in audit.findings if finding.severity != "note"}


def in_files() -> dict[str, str]:
    imports = (
        "from data import Codec, get_titles, learn_vocabulary\nfrom lib.windows import get_batch, iter_full_split\n"
    )
    return {
        "mainrun/train.py": program.IMPORTS + imports + "from lib.model import Gpt\n" + program.SETTINGS + program.MAIN,
        "mainrun/data.py": program.IMPORTS + program.DATA,
        "mainrun/lib/__init__.py": "",
        "mainrun/lib/windows.py": program.IMPORTS + program.WINDOWS,
        "mainrun/lib/model.py": program.IMPORTS + program.MODEL,
    }


def audited(folder: Path, files: dict[str, str]) -> SourceAudit:
    template = write(folder / "template", {"train.py": program.BASE})
    return audit_source(write(folder / "repository", files), template)


def notebook(*cells: str | list[str]) -> str:
    code = [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# epochs: int = 100\n"]}, *code], "nbformat": 4})


def test_a_program_in_several_files_is_followed(tmp_path: Path) -> None:
    audit = audited(tmp_path, in_files())
    assert audit.headline.startswith("10 of 10 places") and rules(audit) == set()
    where = {place.name: place.where[0].split(":")[0] for place in audit.places}
    assert (where["windows"], where["tokenizer"]) == ("mainrun/lib/windows.py", "mainrun/data.py")


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("mainrun/lib/windows.py", "need + 1, need)", "need + 1, need // 4)", "windows"),
        ("mainrun/data.py", ".strip()", ".strip().casefold()", "title selection"),
        ("mainrun/lib/model.py", "self.drop(self.table(inputs))", "F.dropout(self.table(inputs))", "dropout-at-eval"),
        ("mainrun/train.py", "len(val_text)", "len(val_ids)", "evaluate"),
    ],
)
def test_a_change_in_any_of_the_files_is_caught(file: str, old: str, new: str, place: str, tmp_path: Path) -> None:
    files = in_files()
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    audit = audited(tmp_path, files)
    lines = [line for one in audit.places for line in one.changed if one.name == place]
    lines += [str(finding.evidence) for finding in audit.findings if finding.rule == place]
    assert lines and all(line.startswith(file) for line in lines)


def test_files_that_the_program_does_not_import_are_left_alone(tmp_path: Path) -> None:
    files = in_files() | {"eda.py": "titles = [t.lower() for t in titles]\nnormalizers.Lowercase()\nepochs = 3\n"}
    assert rules(audit_source(write(tmp_path, files))) == set()


def test_seeds_and_epochs_of_others_are_none_of_the_programs(tmp_path: Path) -> None:
    """Seen in public repositories: a kernel's and an optimizer's seed, expected values, another trainer."""
    files = {
        "train.py": program.edited(
            ("class Gpt", "def kernel(x, seed=0):\n    seed = 0\n    return x\n\n\nclass Gpt"),
            ("torch.optim.SGD(", "Noisy(seed=3).wrap("),
        ),
        "check_rules.py": 'EXPECTED = {"seed": 42, "epochs": 3}\n',
        "rules.json": '{"seed": 42, "epochs": 3}',
        "diffusion/train.py": "epochs = 600\nfor e in range(epochs):\n    loss.backward()\n    validate(model)\n",
    }
    audit = audit_source(write(tmp_path, files))
    assert audit.program == "train.py" and rules(audit) == set()
    assert not any("600" in finding.message for finding in audit.findings)
    alone = audit_source(write(tmp_path / "alone", {"train.py": files["diffusion/train.py"]}))
    assert alone.program is None and [one.rule for one in alone.findings] == ["no-training-program"]


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path) -> None:
    head, tail = program.edited(("epochs: int = 7", "epochs: int = 9")).split("class Gpt")
    cells = ["%pip install torch\n!ls\n", head.splitlines(keepends=True), "this does not parse (", "%%bash\nls -l |\n"]
    audit = audited(tmp_path, {"run.ipynb": notebook(*cells, "class Gpt" + tail)})
    assert rules(audit) == {"fixed-epochs"} and "9 of 10 places" in audit.headline
    (finding,) = [one for one in audit.findings if one.rule == "fixed-epochs"]
    line = head.split("\n").index("    epochs: int = 9") + 1
    assert finding.evidence == f"run.ipynb:cell 2:{line}"
    assert any("cell 3:1" in one.message for one in audit.findings if one.rule == "unread-file")


@pytest.mark.parametrize(
    "text", ["train:\n  epochs: 12  # more\n", '{"train": {"epochs": 12}}', "[train]\nepochs = 12\n"]
)
def test_settings_files_count_when_the_program_names_them(text: str, tmp_path: Path) -> None:
    name = {"t": "run.yaml", "{": "run.json", "[": "run.toml"}[text[0]]
    named = program.edited(("    settings = Settings()\n", f'    settings = load("{name}")\n'))
    used = audit_source(write(tmp_path / "used", {"train.py": named, name: text}))
    unused = audit_source(write(tmp_path / "unused", {"train.py": program.BASE, name: text}))
    (finding,) = [one for one in used.findings if one.rule == "fixed-epochs"]
    # the file may override the code: both are shown, and neither is called certain
    assert (finding.severity, finding.confidence) == ("warning", "possible")
    assert f"{name}:" in finding.message and "train.py:" in finding.message and "12" in finding.message
    assert rules(unused) == set() and not any(one.rule == "fixed-epochs" for one in unused.findings)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("Taskfile.yml", "      - cd mainrun && python3 train.py --config conf/big.yaml\n"),
        ("run.sh", "python train.py \\\n  --config=conf/big.yaml\n"),
        ("Makefile", "train:\n\tpython train.py --epochs 12 --batch_size 256\n"),
        ("go.sh", "python train.py trainer.epochs=12 data.batch_size=256\n"),
    ],
)
def test_a_command_is_followed_to_what_a_run_would_use(script: str, line: str, tmp_path: Path) -> None:
    files = {"train.py": program.BASE, script: line, "conf/big.yaml": "epochs: 12\nbatch_size: 256\n"}
    audit = audit_source(write(tmp_path, files))
    found = {(one.role, one.value) for one in audit.settings if one.layer != "code"}
    assert {("epochs", 12), ("batch", 256)} <= found
    (finding,) = [one for one in audit.findings if one.rule == "fixed-epochs"]
    assert "12" in finding.message and finding.severity in ("warning", "error")


def test_what_our_runs_left_is_no_setting_of_a_program_and_is_said(tmp_path: Path) -> None:
    data = '{"n_titles": 200, "epochs": 12}'
    named = program.edited(("    settings = Settings()\n", '    settings = load("losses.json")\n'))
    left = {"out/result.json": "{}", "out/certificate.json": "{}", "out/analysis/losses.json": data}
    found = audit_source(write(tmp_path / "left", {"train.py": named, **left})).findings
    assert [(f.rule, f.severity) for f in found if "out" in str(f.evidence)] == [("unread-file", "note")]
    del left["out/certificate.json"]  # a name alone hides nothing
    assert "fixed-epochs" in rules(audit_source(write(tmp_path / "hidden", {"train.py": named, **left})))


def test_an_option_that_nothing_decides_is_a_warning(tmp_path: Path) -> None:
    option = program.edited(
        ("def learn_vocabulary(titles, size):\n", "def learn_vocabulary(titles, size, kind='bytes'):\n"),
        (
            "    tokenizer.decoder",
            "    if kind == 'words':\n        tokenizer.normalizer = normalizers.Lowercase()\n    tokenizer.decoder",
        ),
    )
    found = audit_source(write(tmp_path, {"train.py": option})).findings
    (one,) = [finding for finding in found if finding.rule == "lossy-tokenizer"]
    assert (one.severity, one.confidence) == ("warning", "possible") and "option" in one.message


def test_a_settings_file_that_names_a_lossy_tokenizer(tmp_path: Path) -> None:
    files = {
        "train.py": program.edited(("    settings = Settings()\n", "    settings = Settings(**load('run.yaml'))\n")),
        "run.yaml": "normalizer: lowercase\n",
        "other.yaml": "lowercase: true\n",
    }
    found = audit_source(write(tmp_path, files)).findings
    assert {str(f.evidence): f.severity for f in found if "loses text" in f.message} == {"run.yaml:1": "error"}


LOADS = "\n\ndef load(folder):\n    model = GPT2LMHeadModel.from_pretrained(folder)\n    return model.eval()\n"


@pytest.mark.parametrize("by", ["training", "module", "import", "export"])
def test_weights_count_unless_they_are_only_looked_at(by: str, tmp_path: Path) -> None:
    """A program that also exports loads what it wrote, to look at it; that is no start for training."""
    start = {"training": "start", "module": "weights.start"}.get(by)
    train = program.edited(("import json\n", "import json\nimport weights\nfrom weights import start\nimport export\n"))
    files = {
        "train.py": train.replace("    optimizer =", f'    model = {start}("gpt2")\n    optimizer =')
        if start
        else train,
        "export.py": "from weights import load\n\n\ndef check(folder):\n    return load(folder)\n",
        "weights.py": "import transformers\n" + LOADS + "\n\ndef start(name):\n    return load(name)\n",
    }
    if by == "import":
        files["weights.py"] = 'MODEL = GPT2LMHeadModel.from_pretrained("gpt2")\n' + LOADS
    found = [one.evidence for one in audit_source(write(tmp_path, files)).findings if one.rule == "pretrained-weights"]
    assert found == {"import": ["weights.py:1"], "export": []}.get(by, ["weights.py:5"])


ARGUMENTS = """    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1337)
    settings = parser.parse_args()
"""
SETTINGS_ELSEWHERE = {
    "arguments beside a loop": [
        (program.SETTINGS, "\n"), ("import json\n", "import argparse\nimport json\n"),
        ("    settings = Settings()\n", ARGUMENTS)],
    "a dictionary with another in it": [
        (program.SETTINGS, '\nDEFAULTS = {}\nSETTINGS = {**DEFAULTS, "epochs": 9, "seed": 1337, "block_size": 128}\n')],
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS_ELSEWHERE)
def test_settings_are_read_wherever_they_stand(name: str, tmp_path: Path) -> None:
    text = program.edited(*SETTINGS_ELSEWHERE[name])
    assert "fixed-epochs" in rules(audit_source(write(tmp_path, {"train.py": text})))


def test_a_second_program_is_a_note(tmp_path: Path) -> None:
    old = program.edited(("pre_tokenizers.ByteLevel()", "pre_tokenizers.Whitespace()"))
    audit = audit_source(write(tmp_path, {"train.py": program.BASE, "old/first_try.py": old}))
    assert rules(audit) == set()
    (other,) = [finding for finding in audit.findings if finding.rule == "other-program"]
    assert other.evidence == "old/first_try.py:1" and "lossy-tokenizer" in other.message


def test_unreadable_files_of_the_program_are_notes(tmp_path: Path) -> None:
    imports = "import two\nimport nul\n"
    write(tmp_path, {"train.py": imports + program.BASE, "two.py": "print 'old'\n", "nul.py": "a = '\0'\n"})
    write(tmp_path, {"bad.ipynb": "{"})
    (tmp_path / "latin.py").write_bytes(b"name = '\xe9'\n")
    (tmp_path / "huge.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    audit = audit_source(tmp_path)
    unread = {str(finding.evidence).split(":")[0] for finding in audit.findings if finding.rule == "unread-file"}
    assert unread == {"two.py", "nul.py", "bad.ipynb", "latin.py", "huge.py"}
    assert rules(audit) == set()


def test_links_and_foreign_packages_are_not_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.py": "epochs = 3\n", "train.py": program.BASE})
    folder = write(tmp_path / "repo", {"train.py": program.BASE, "site-packages/torch/train.py": "print 'two'"})
    os.symlink(outside, folder / "linked")
    os.symlink(outside / "secret.py", folder / "secret.py")
    assert audit_source(folder).findings == ()


def test_a_single_file_may_be_given(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": program.BASE})
    assert audit_source(tmp_path / "train.py").program == "train.py"


def test_a_folder_without_a_program_says_so(tmp_path: Path) -> None:
    audit = audit_source(write(tmp_path, {"readme.py": "x = 1\n"}))
    assert [finding.rule for finding in audit.findings] == ["no-training-program"] and audit.program is None


@pytest.mark.parametrize("which", ["folder", "template"])
def test_a_missing_folder_or_an_empty_template_is_the_users_error(which: str, tmp_path: Path) -> None:
    write(tmp_path, {"train.py": program.BASE, "empty/readme.py": "x = 1\n"})
    with pytest.raises(UserError, match="no such folder" if which == "folder" else "no training program"):
        audit_source(*((tmp_path / "nowhere",) if which == "folder" else (tmp_path, tmp_path / "empty")))


def test_nothing_is_executed_or_written(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    text = (
        f'from pathlib import Path\nPath({str(trap)!r}).write_text("ran")\n'
        + program.BASE
        + f"\nopen({str(trap)!r}, 'w')\n"
    )
    before = sorted(write(tmp_path / "repo", {"train.py": text, "data.py": text}).rglob("*"))
    audit_source(tmp_path / "repo")
    assert not trap.exists() and sorted((tmp_path / "repo").rglob("*")) == before


def test_five_thousand_files_take_seconds(tmp_path: Path) -> None:
    for number in range(5_000):
        folder = tmp_path / f"part_{number % 50:02}"
        folder.mkdir(exist_ok=True)
        text = f"from part_{(number + 1) % 50:02}.m_{number + 1} import x\ny = [{number}]\n\n\ndef f():\n    return y\n"
        (folder / f"m_{number}.py").write_text(text * 5)
    write(tmp_path, in_files())
    started = time.process_time()
    assert audit_source(tmp_path).program == "mainrun/train.py"
    assert time.process_time() - started < 10
