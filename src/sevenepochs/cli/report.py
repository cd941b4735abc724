"""`report`."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from sevenepochs.cli.console import console
from sevenepochs.cli.options import Folder, OptionalFolder, Positional, RunsFolder
from sevenepochs.report.build import build_site, find_mystmd, find_node, refuse_foreign
from sevenepochs.report.inputs import collect
from sevenepochs.report.pages import write_sources
from sevenepochs.report.pdf import find_chromium
from sevenepochs.store.run import find_run


def report(
    inputs: Positional[Annotated[tuple[Path, ...], arg(metavar="RUN|RESULT ...")]] = (),
    out: Folder = Path("build/report"),
    open: bool = False,
    pdf: bool = False,
    base_url: Annotated[str | None, arg(metavar="URL")] = None,
    notebooks: OptionalFolder = None,
    sources: OptionalFolder = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Build the site that tells the story of runs: pages, figures, notebooks, every number from the runs themselves.

    Args:
        inputs: Run folders (or how their names begin or end), results, or folders of results; none for results/.
        out: Where the site goes; an earlier report there is replaced.
        open: Show it in the browser.
        pdf: Print it to report.pdf as well, inside the site.
        base_url: The address the site will be published at.
        notebooks: Executed notebooks to use instead of the project's own.
        sources: Leave the site's MyST sources here, a new folder: for another theme, or for pages of your own.
    """
    # What is missing is said before any work.
    find_node()
    find_mystmd()
    refuse_foreign(out.absolute())
    if pdf:
        find_chromium()
    with tempfile.TemporaryDirectory(prefix="sevenepochs-report-") as name:
        scratch = Path(name)
        # a folder as given, or the run of that name
        folders = [path if path.exists() else find_run(str(path), runs).path for path in inputs or (Path("results"),)]
        results = collect(folders, scratch / "results")
        project = sources or scratch / "sources"
        write_sources(results, project, notebooks=notebooks)
        build_site(project, out, base_url=base_url, pdf=pdf)
    index = out.absolute() / "index.html"
    console.print(f"{len(results)} result{'s' * (len(results) != 1)}: {index}", soft_wrap=True)
    if pdf:
        console.print(str(out.absolute() / "report.pdf"), soft_wrap=True)
    if open:
        webbrowser.open(index.as_uri())
