"""Names, creation, and the files of a run."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, RunWriter, layout, list_runs
from tests.store.run.conftest import NOON, TENSORS, assert_same, flip, no_space


def test_names_sort_by_time_and_are_never_used_twice(root):
    names = [RunWriter.create(root, "adamw", 1337, now=NOON).name for _ in range(11)]
    assert names[:3] == [
        "20260102T120000Z_adamw_s1337",
        "20260102T120000Z_adamw_s1337-2",
        "20260102T120000Z_adamw_s1337-3",
    ]
    assert [run.name for run in list_runs(root)] == names  # -10 after -2


def test_a_recipe_from_a_file_leaves_no_folder_names_behind(root):
    writer = RunWriter.create(root, "/elsewhere/somebody/my recipes.py:fast", 1, now=NOON)
    assert writer.name == "20260102T120000Z_my-recipes.py-fast_s1"
    assert "somebody" not in "".join(path.read_text() for path in writer.path.iterdir())
    assert Run(writer.path).recipe == "my recipes.py:fast"


def test_settings_are_kept_but_for_folders_and_what_the_run_tells_anyway(root):
    settings = [
        "optimizer.lr=3e-3",
        "corpus.words=/elsewhere/words.txt",
        "training.seed=5",
        "corpus.path=a",
        "corpus.seed=3",
    ]
    writer = RunWriter.create(root, "adamw", 5, settings, now=NOON)
    assert Run(writer.path).info["settings"] == ["optimizer.lr=3e-3", "corpus.seed=3"]
    assert "settings" not in Run(RunWriter.create(root, "adamw", 5).path).info  # not known: not an empty list


def test_facts_known_from_the_start(writer):
    run = Run(writer.path)
    assert (run.recipe, run.seed, run.state) == ("adamw", 1337, "running")
    assert run.info["created_utc"] == "2026-01-02T12:00:00+00:00"
    assert run.age_seconds == pytest.approx(time.time() - NOON.timestamp(), abs=60)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_output_folder_that_is_a_file(tmp_path, below):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="not a folder"):
        RunWriter.create(tmp_path / "runs" / below, "adamw", 1)


@pytest.mark.parametrize(("code", "says"), [(errno.ENOSPC, "disk full"), (errno.EROFS, "no permission")])
def test_output_folder_that_cannot_be_written(root, monkeypatch, code, says):
    def refuse(*_, **__):
        raise OSError(code, "refused")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=says):
        RunWriter.create(root, "adamw", 1)


def test_disk_full_at_creation_leaves_no_folder(root, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match="disk full"):
        RunWriter.create(root, "adamw", 1)
    assert list(root.iterdir()) == []


# Files


def test_json_is_strict_and_readable(writer):
    writer.write_json(
        "config.json", {"kind": "x", "title": "naïve “quotes”", "n": np.int64(3), "bad": [np.float32("nan")]}
    )
    assert "naïve “quotes”" in (writer.path / "config.json").read_text(encoding="utf-8")
    assert Run(writer.path).config == {"kind": "x", "title": "naïve “quotes”", "n": 3, "bad": [None]}
    with pytest.raises(TypeError, match="ndarray"):
        writer.write_json("config.json", {"x": np.zeros(2)})
    assert Run(writer.path).config["n"] == 3


def test_a_failed_write_keeps_the_old_file_and_no_leftover(writer, monkeypatch):
    writer.write_json("config.json", {"old": 1})
    before = sorted(path.name for path in writer.path.iterdir())
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match=r"disk full: .*config.json"):
        writer.write_json("config.json", {"new": 1})
    assert Run(writer.path).config == {"old": 1}
    assert sorted(path.name for path in writer.path.iterdir()) == before


def test_nothing_is_written_outside_or_after_closing(writer):
    for name in ("../x.json", "/x.json"):
        with pytest.raises(AssertionError, match="inside"):
            writer.write_json(name, {})
    writer.close()
    with pytest.raises(AssertionError, match="closed"):
        writer.write_json("config.json", {})


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_every_file_has_the_mode_that_the_umask_says(root, umask, mode):
    before = os.umask(umask)
    try:
        with RunWriter.create(root, "adamw", 1337, now=NOON) as writer:
            writer.write_json("config.json", {})
            writer.append_metric({"step": 1})
            writer.save_model(TENSORS)
            writer.save_snapshot(3, TENSORS)
            writer.save_checkpoint(TENSORS, {"step": 3})
            writer.save_model(TENSORS)  # over the one that is there
            files = [path for path in writer.path.rglob("*") if path.is_file()]
    finally:
        os.umask(before)
    assert {layout.LOCK, Path(layout.MODEL).name, layout.CHECKPOINT_TENSORS} <= {path.name for path in files}
    modes = {str(path.relative_to(root)): oct(path.stat().st_mode & 0o777) for path in files}
    assert modes == dict.fromkeys(modes, oct(mode))


def test_model_tensors_in_any_memory_order(writer):
    tensors = {**TENSORS, "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T, "strided": np.arange(9)[::2]}
    writer.save_model(tensors)
    assert_same(Run(writer.path).load_model_tensors(), tensors)
    assert_same(safetensors.numpy.load_file(writer.path / layout.MODEL), tensors)  # others read it too
    with pytest.raises(TypeError, match="float16"):
        writer.save_model({"w": np.zeros(2, dtype=np.float16)})


def test_every_flipped_byte_of_the_model_is_noticed(writer):
    writer.save_model(TENSORS)
    path = writer.path / layout.MODEL
    whole = path.read_bytes()
    for at in range(len(whole)):
        flip(path, at)
        try:
            tensors = Run(writer.path).load_model_tensors()
        except UserError as error:
            assert "model.safetensors" in str(error)
        else:
            assert_same(tensors, TENSORS)  # padding in the header may change
            assert whole[at : at + 1] == b" "
        path.write_bytes(whole)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model.safetensors of run .* is corrupt"):
        Run(writer.path).load_model_tensors()
    path.unlink()
    with pytest.raises(UserError, match=r"model.safetensors of run .* is missing"):
        Run(writer.path).load_model_tensors()
