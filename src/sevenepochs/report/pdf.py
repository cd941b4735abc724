"""report.pdf: the site's one-page edition, printed by a headless Chromium.

Chosen over MyST's typst export, which needs a template from the network and a second set of rules for how things look:
the print is the site, with the same text, figures (SVG stays vector) and numbers. It is printed twice: the first print
says on which page each chapter begins, the second carries these numbers in its contents.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from sevenepochs.errors import UserError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_MAC_PROGRAMS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_TIMEOUT_SECONDS = 300
_PLACE = re.compile(r'<span class="toc-page" data-chapter="([^"]+)"></span>')
# Skia writes the time into the file; replaced by something of the same length, since the file's index counts bytes.
_DATE = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}")
_NO_DATE = b"(D:20000101000000"


def find_chromium() -> Path:
    """A program that prints.

    Raises:
        UserError: none is there.
    """
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found:
            return Path(found)
    for path in _MAC_PROGRAMS:
        if Path(path).is_file():
            return Path(path)
    raise UserError("the PDF needs Chromium or Chrome on PATH (Debian: apt install chromium)")


def print_pdf(site: Path, target: Path) -> None:
    """Print the site's print.html to `target`, which appears only when it is complete.

    Raises:
        UserError: no Chromium, or it failed.
    """
    chromium = find_chromium()
    with tempfile.TemporaryDirectory(prefix="sevenepochs-pdf-") as name:
        scratch = Path(name)
        # print.html needs its neighbours, so the copy with page numbers stands in a copy of the site.
        shutil.copytree(site, scratch / "site")
        page = scratch / "site" / "print.html"
        first = _print(chromium, page, scratch)
        pages = chapter_pages(first)
        html = page.read_text(encoding="utf-8")
        page.write_text(_PLACE.sub(lambda match: _number(match, pages), html), encoding="utf-8")
        content = _DATE.sub(lambda match: b"/" + match.group(1) + b" " + _NO_DATE, _print(chromium, page, scratch))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(content)
        part.replace(target)


def chapter_pages(pdf: bytes) -> dict[str, int]:
    """Destination -> the number of its page, from 1, out of what Skia writes: plain objects, one /Dests."""
    objects = {int(n): body for n, body in re.findall(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    root = next((body for body in objects.values() if b"/Type /Catalog" in body), b"")
    order: list[int] = []

    def visit(number: int) -> None:
        body = objects[number]
        kids = re.search(rb"/Kids \[([^\]]*)\]", body)
        if b"/Type /Pages" in body and kids:
            for kid in re.findall(rb"(\d+) 0 R", kids.group(1)):
                visit(int(kid))
        else:
            order.append(number)

    pages, dests = re.search(rb"/Pages (\d+) 0 R", root), re.search(rb"/Dests (\d+) 0 R", root)
    if pages is None or dests is None:
        return {}
    visit(int(pages.group(1)))
    place = {number: index for index, number in enumerate(order, 1)}
    found = re.findall(rb"/(\S+) \[(\d+) 0 R", objects[int(dests.group(1))])
    return {name.decode("utf-8", "replace"): place[int(number)] for name, number in found if int(number) in place}


def _number(match: re.Match[str], pages: dict[str, int]) -> str:
    number = pages.get(match.group(1))
    return match.group() if number is None else match.group().replace("></span>", f">{number}</span>")


def _print(chromium: Path, page: Path, scratch: Path) -> bytes:
    out = scratch / "out.pdf"
    out.unlink(missing_ok=True)
    command = [
        str(chromium),
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # no request leaves, whatever the browser would like to ask
        f"--user-data-dir={scratch / 'profile'}",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--print-to-pdf={out}",
        page.as_uri(),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium refuses to run as root with its sandbox; the page is our own
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{chromium.name} did not print within {_TIMEOUT_SECONDS} s") from error
    if not out.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"{chromium.name} did not print the report: {lines[-1]}")
    return out.read_bytes()
