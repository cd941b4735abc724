"""An output folder appears whole or not at all."""

from pathlib import Path

import pytest

from sevenepochs.errors import UserError
from sevenepochs.export.folder import new_folder, require


def test_it_appears_when_it_is_done(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "out"
    with new_folder(out) as folder:
        (folder / "a.txt").write_text("a")
        assert not out.exists()
    assert [p.name for p in out.iterdir()] == ["a.txt"]
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
def test_a_failure_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error), new_folder(tmp_path / "deep" / "out") as folder:
        (folder / "a.txt").write_text("a")
        raise error("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="disk full"), new_folder(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_used_a_filled_one_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with new_folder(out) as folder:
        (folder / "a.txt").write_text("first")
    with pytest.raises(UserError, match="not empty"), new_folder(out):
        raise AssertionError("not reached")
    assert (out / "a.txt").read_text() == "first"


def test_one_that_is_filled_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError), new_folder(out):
        out.mkdir()
        (out / "other.txt").write_text("somebody else's")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (out / "other.txt").read_text() == "somebody else's"


def test_files_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for out in (file, file / "out"):
        with pytest.raises(UserError), new_folder(out):
            raise AssertionError("not reached")
    assert file.read_text() == "x"


def test_a_missing_package_names_the_command() -> None:
    require("json")
    with pytest.raises(UserError, match=r'no_such_package: pip install -e "\.\[export\]"'):
        require("json", "no_such_package")
