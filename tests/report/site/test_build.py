"""Building for real: mystmd and the theme on a small project with the story's six labels."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report import build
from sevenepochs.report.build import MARKER, build_site
from sevenepochs.report.links import check_site
from tests.report.site.conftest import LABELS, Write


def _files(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_six_figures_and_every_reference_resolve(built: Path) -> None:
    html = (built / "steps.html").read_text()
    for number, (label, notebook) in enumerate(LABELS.items(), 1):
        name = label.replace("_", "-")
        page = notebook.replace("_", "-")
        assert f'<a href="{page}.html#{name}">{notebook.replace("_", " ").capitalize()}</a></p>' in html
        assert f'id="{name}"' in (built / f"{page}.html").read_text()
        assert f'<a href="#fig-{name}" class="reference">Figure\u00a0{number}</a>' in html
        assert f'alt="Curve of {name}"' in html and f'alt="Curve of {name}"' in (built / f"{page}.html").read_text()
    assert '<a href="index.html#sec-task" class="reference">The task</a>' in html
    assert '<a href="index.html#term-epoch" class="reference">epoch</a>' in html
    assert "drawing" not in html  # what the cell printed stays on the notebook's page
    assert check_site(built) == []


def test_address_gives_canonical_links_and_a_sitemap(built: Path) -> None:
    html = (built / "steps.html").read_text()
    assert '<link rel="canonical" href="https://someone.github.io/headlines/steps.html">' in html
    assert "<loc>https://someone.github.io/headlines/</loc>" in (built / "sitemap.xml").read_text()
    own = re.findall(r'(?:src|href)="([^"]+)"', html.replace("https://someone.github.io/headlines", ""))
    assert not [target for target in own if target.startswith("/") and target != "/steps.html"]


def test_a_reexecuted_notebook_changes_what_depends_on_it_alone(
    built: Path, write_project: Write, tmp_path: Path
) -> None:
    again = write_project(tmp_path / "elsewhere" / "project", colour="#aa0000")
    build_site(again, tmp_path / "site", base_url="https://someone.github.io/headlines/")
    before, after = _files(built), _files(tmp_path / "site")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    pages = {name for name in changed if not name.startswith("assets/")}
    assert pages == {"steps.html", "step-one.html", "print.html"}
    assert len([name for name in changed if name.startswith("assets/")]) == 4  # picture and notebook, old and new


def test_a_broken_page_is_named_and_nothing_is_replaced(needs_myst: None, write_project: Write, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / MARKER).write_text("")
    (site / "index.html").write_text("the earlier site")
    project = write_project(tmp_path / "project", index="\nSee [](#no-such-thing).\n")
    with pytest.raises(UserError, match=r"index\.(md|html).*no-such-thing"):
        build_site(project, site)
    assert (site / "index.html").read_text() == "the earlier site"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "site"]
    assert not (project / "_build").exists()


@pytest.mark.long
def test_same_sources_give_the_same_bytes(built: Path, write_project: Write, tmp_path: Path) -> None:
    build_site(write_project(tmp_path / "project"), tmp_path / "site", base_url="https://someone.github.io/headlines/")
    build_site(tmp_path / "project", tmp_path / "site", base_url="https://someone.github.io/headlines/")  # replaces
    assert _files(built) == _files(tmp_path / "site")


def test_a_folder_that_is_no_report_is_not_replaced(write_project: Write, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="is no earlier report"):
        build_site(write_project(tmp_path / "project"), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "x"


def test_no_project_and_half_an_address_are_refused(write_project: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no myst\.yml"):
        build_site(tmp_path, tmp_path / "site")
    with pytest.raises(UserError, match="write it in full"):
        build_site(write_project(tmp_path / "project"), tmp_path / "site", base_url="someone.github.io")


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name != "posix", reason="stands in for node with a shell script")
def test_node_missing_or_old_is_one_line_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'needs node 20 or newer; install it with: pip install -e "\.\[node\]"'):
        build.find_node()
    _program(tmp_path / "node", "#!/bin/sh\necho v18.20.1\n")
    with pytest.raises(UserError, match=r"is version 18\.20\.1"):
        build.find_node()
    with pytest.raises(UserError, match=r'pip install -e "\.\[report\]"'):
        build.find_mystmd()
    _program(tmp_path / "node", "#!/bin/sh\necho v22.1.0\n")
    assert build.find_node() == tmp_path / "node"
