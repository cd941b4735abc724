import getpass
import hashlib
import json
import platform
import subprocess

import pytest

from sevenepochs.protocol import environment
from sevenepochs.protocol.environment import environment_facts, source_facts


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / ".gitignore").write_text("ignored/\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_facts_are_json_and_tell_nothing_about_person_or_place(checkout):
    facts = environment_facts(checkout / "src")
    text = json.dumps(facts)
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["numpy"] and facts["cpu_count"] >= 1
    assert set(facts["cpu_flags"]) <= set(environment.CPU_FLAGS)
    assert str(checkout) not in text and str(checkout.parent) not in text
    user, host = getpass.getuser(), platform.node()
    assert host not in text or len(host) < 4  # a host called "x86" would be found in the processor's name
    assert f"/{user}/" not in text


def test_clean_checkout(checkout):
    source = source_facts(checkout / "src")
    assert len(source["commit"]) == 40
    assert (source["dirty"], source["diff"], source["diff_sha256"]) == (False, "", None)


def test_edits_staged_and_not_are_in_the_diff_with_paths_relative_to_the_checkout(checkout):
    (checkout / "src" / "a.py").write_text("a = 2\n")
    (checkout / "b.py").write_text("b = 1\n")
    git(checkout, "add", "b.py")
    source = source_facts(checkout / "src")
    assert source["dirty"] and not source["diff_cut"]
    assert "+a = 2" in source["diff"] and "+b = 1" in source["diff"] and "src/a.py" in source["diff"]
    assert source["diff_sha256"] == hashlib.sha256(source["diff"].encode()).hexdigest()


def test_an_untracked_file_makes_the_tree_dirty(checkout):
    (checkout / "ignored").mkdir()
    (checkout / "ignored" / "c.py").write_text("c = 1\n")
    assert not source_facts(checkout / "src")["dirty"]
    (checkout / "new.py").write_text("new\n")
    source = source_facts(checkout / "src")
    assert source["dirty"]
    assert source["untracked_sha256"] == {"new.py": hashlib.sha256(b"new\n").hexdigest()}


def test_a_long_diff_is_cut_but_hashed_whole(checkout):
    (checkout / "src" / "a.py").write_text("x = 'long line'\n" * 30_000)
    source = source_facts(checkout)
    assert source["diff_cut"] and len(source["diff"]) == environment.MAX_DIFF_BYTES
    assert source["diff_sha256"] != hashlib.sha256(source["diff"].encode()).hexdigest()


def test_before_the_first_commit(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    source = source_facts(tmp_path)
    assert source["commit"] is None and source["dirty"] and "+a = 1" in source["diff"]


def test_no_checkout_and_a_package_installed_into_another_projects_checkout(tmp_path, checkout):
    (tmp_path / "plain").mkdir()
    assert source_facts(tmp_path / "plain") is None
    (checkout / "ignored").mkdir()
    (checkout / "ignored" / "package.py").write_text("")
    assert source_facts(checkout / "ignored") is None


def test_without_git(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert source_facts(checkout) is None
    assert environment_facts(checkout)["source"] is None
