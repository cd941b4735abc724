"""The source audit on folders: several files, notebooks, config files, other programs, and what cannot be read."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source import audit_source
from sevenepochs.audit.source_tree import MAX_FILE_BYTES
from sevenepochs.errors import UserError

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings if finding.severity != "note"}


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


def test_a_program_in_several_files_is_followed(tmp_path: Path) -> None:
    findings = audit_source(write(tmp_path, in_files()))
    assert [finding.rule for finding in findings] == ["tail-drop"]
    assert str(findings[0].evidence).startswith("mainrun/lib/windows.py:")


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        ("mainrun/lib/windows.py", "need + 1, need)", "need + 1, need // 4)", "eval-windows-overlap"),
        ("mainrun/data.py", ".strip()", ".strip().casefold()", "validation-text-changed"),
        ("mainrun/lib/model.py", "self.drop(self.table(inputs))", "F.dropout(self.table(inputs))", "dropout-at-eval"),
        ("mainrun/train.py", "len(val_text)", "len(val_ids)", "eval-divisor"),
    ],
)
def test_a_change_in_any_of_the_files_is_caught(file: str, old: str, new: str, rule: str, tmp_path: Path) -> None:
    files = in_files()
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    found = [finding for finding in audit_source(write(tmp_path, files)) if finding.rule == rule]
    assert found and str(found[0].evidence).startswith(file)


def test_files_that_the_program_does_not_import_are_left_alone(tmp_path: Path) -> None:
    files = in_files() | {"eda.py": "titles = [t.lower() for t in titles]\nnormalizers.Lowercase()\nepochs = 3\n"}
    assert rules(audit_source(write(tmp_path, files))) == set()


def test_a_notebook_is_read(tmp_path: Path) -> None:
    text = program.edited(("epochs: int = 7", "epochs: int = 9"))
    head, tail = text.split("class Gpt")
    cells = [
        {"cell_type": "markdown", "source": ["# epochs: int = 100\n"]},
        {"cell_type": "code", "source": ["%pip install torch\n", "!ls\n"]},
        {"cell_type": "code", "source": head.splitlines(keepends=True)},
        {"cell_type": "code", "source": "class Gpt" + tail},
    ]
    found = audit_source(write(tmp_path, {"run.ipynb": json.dumps({"cells": cells, "nbformat": 4})}))
    assert rules(found) == {"fixed-epochs", "extra-epochs"}


@pytest.mark.parametrize(
    "text", ["train:\n  epochs: 12  # more\n", '{"train": {"epochs": 12}}', "[train]\nepochs = 12\n"]
)
def test_config_files_count_when_the_program_names_them(text: str, tmp_path: Path) -> None:
    name = {"t": "run.yaml", "{": "run.json", "[": "run.toml"}[text[0]]
    named = program.edited(("    settings = Settings()\n", f'    settings = load("{name}")\n'))
    used = audit_source(write(tmp_path / "used", {"train.py": named, name: text}))
    unused = audit_source(write(tmp_path / "unused", {"train.py": program.BASE, name: text}))
    assert "fixed-epochs" in rules(used) and rules(unused) == set()
    assert any(finding.rule == "fixed-epochs" and str(finding.evidence).startswith(name) for finding in unused)


def test_what_our_runs_left_is_no_setting_of_a_program_and_is_said(tmp_path: Path) -> None:
    data = '{"n_titles": 200, "epochs": 12}'
    named = program.edited(("    settings = Settings()\n", '    settings = load("losses.json")\n'))
    left = {"out/result.json": "{}", "out/certificate.json": "{}", "out/analysis/losses.json": data}
    found = audit_source(write(tmp_path / "left", {"train.py": named, **left}))
    assert [(f.rule, f.severity) for f in found if "out" in str(f.evidence)] == [("unread-file", "note")]
    del left["out/certificate.json"]  # a name alone hides nothing
    assert "fixed-epochs" in rules(audit_source(write(tmp_path / "hidden", {"train.py": named, **left})))


OPTION = (
    ("import json\n", "import json\nimport yaml\n"),
    ("    settings = Settings()\n", "    settings = Settings(**yaml.safe_load(open('run.yaml')))\n"),
    ("def learn_vocabulary(titles, size):\n", "def learn_vocabulary(titles, size, kind='bytes'):\n"),
    (
        "    tokenizer.decoder",
        "    if kind == 'words':\n        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()\n    tokenizer.decoder",
    ),
)


def test_an_option_that_settings_from_outside_may_choose_is_a_warning(tmp_path: Path) -> None:
    text = program.edited(*OPTION)
    (option,) = [f for f in audit_source(write(tmp_path, {"train.py": text})) if f.rule == "lossy-tokenizer"]
    assert (option.severity, option.confidence) == ("warning", "possible") and "may choose" in option.message


def test_a_config_file_that_names_a_lossy_tokenizer(tmp_path: Path) -> None:
    files = {
        "train.py": program.edited(*OPTION),
        "run.yaml": "normalizer: lowercase\n",
        "other.yaml": "lowercase: true\n",
    }
    found = {str(f.evidence): f.severity for f in audit_source(write(tmp_path, files)) if "loses text" in f.message}
    assert found == {"run.yaml:1": "error", "other.yaml:1": "note"}


def test_what_could_not_be_followed_is_said(tmp_path: Path) -> None:
    anchor = "    batches = len(train_ids)"
    loops = "    for a in range(15_000):\n        for b in range(15_000):\n            c = a\n"
    found = audit_source(write(tmp_path, {"train.py": program.edited((anchor, loops + anchor))}))
    (said,) = [finding for finding in found if finding.rule == "not-followed"]
    assert said.severity == "note" and said.message.startswith("could not check: ")
    lines = (tmp_path / "train.py").read_text().splitlines()
    assert "c = a" in "".join(lines[int(str(said.evidence).split(":")[1]) - 2 :][:3])
    assert "eval-unrecognised" in rules(found)


def test_a_second_program_is_a_note(tmp_path: Path) -> None:
    old = program.edited(("epochs: int = 7", "epochs: int = 2"))
    found = audit_source(write(tmp_path, {"train.py": program.BASE, "old/first_try.py": old}))
    assert rules(found) == set()
    (other,) = [finding for finding in found if finding.rule == "other-program"]
    assert other.evidence == "old/first_try.py:1" and "fixed-epochs" in other.message


def test_unreadable_files_are_notes(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": program.BASE, "two.py": "print 'old'\n", "nul.py": "a = '\0'\n", "bad.ipynb": "{"})
    (tmp_path / "latin.py").write_bytes(b"name = '\xe9'\n")
    (tmp_path / "huge.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    found = audit_source(tmp_path)
    unread = {str(finding.evidence).split(":")[0] for finding in found if finding.rule == "unread-file"}
    assert unread == {"two.py", "nul.py", "bad.ipynb", "latin.py", "huge.py"}
    assert rules(found) == set()


def test_links_and_foreign_packages_are_not_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.py": "epochs = 3\n", "train.py": program.BASE})
    folder = write(tmp_path / "repo", {"train.py": program.BASE, "site-packages/torch/train.py": "print 'two'"})
    os.symlink(outside, folder / "linked")
    os.symlink(outside / "secret.py", folder / "secret.py")
    assert [finding.rule for finding in audit_source(folder)] == ["tail-drop"]


def test_a_single_file_may_be_given(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": program.BASE})
    assert [finding.rule for finding in audit_source(tmp_path / "train.py")] == ["tail-drop"]


def test_a_folder_without_a_program_says_so(tmp_path: Path) -> None:
    assert [finding.rule for finding in audit_source(write(tmp_path, {"readme.py": "x = 1\n"}))] == [
        "no-training-program"
    ]


def test_a_missing_folder_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        audit_source(tmp_path / "nowhere")


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


@pytest.mark.parametrize(
    ("edit", "times"),
    [
        (("len(val_text)", "len(val_ids)"), 4.34),
        (("need + 1, need)", "need + 1, 2 * need)"), 0.533),
        (("val_loss = evaluate()", "val_loss = evaluate() / 2"), 0.5),
    ],
)
def test_the_effect_on_the_number_is_computed(edit: tuple[str, str], times: float, tmp_path: Path) -> None:
    found = audit_source(write(tmp_path, {"train.py": program.edited(edit)}))
    effects = [finding.effect for finding in found if finding.effect and "stock rule gives" in finding.effect]
    assert effects and f"about {times:.3g} times" in effects[0]
