"""report.pdf: the site's one-page edition, printed by a headless Chromium.

MyST's own export (typst) would need a template from the network and a second set of rules for how things look. The
print is the site, with the same text, figures (SVG stays vector) and numbers. It is printed twice: the first print says
on which page each chapter begins, the second carries these numbers in its contents.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from sevenepochs.errors import UserError

_ON_A_MAC = [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Chromium")]
_ELSEWHERE = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"]
_TIMEOUT_SECONDS = 300
_PLACE = re.compile(r'(<span class="toc-page" data-chapter="([^"]+)">)(?=</span>)')
# Skia writes the time into the file; replaced by something of the same length, since the file's index counts bytes.
_DATE = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}")


def find_chromium() -> Path:
    """Return a program that prints. Raises UserError: none is there."""
    found = next(filter(None, map(shutil.which, _ELSEWHERE + _ON_A_MAC)), None)
    if found is None:
        raise UserError("the PDF needs Chromium or Chrome on PATH (Debian: apt install chromium)")
    return Path(found)


def print_pdf(site: Path, target: Path) -> None:
    """Print the site's print.html to `target`. Raises UserError: no Chromium, or it failed."""
    chromium = find_chromium()
    with tempfile.TemporaryDirectory(prefix="sevenepochs-pdf-") as scratch:
        # print.html needs its neighbours, so the copy with page numbers stands in a copy of the site.
        page = Path(shutil.copytree(site, Path(scratch, "site")), "print.html")
        numbers = chapter_pages(_print(chromium, page, Path(scratch)))
        html = page.read_text(encoding="utf-8")
        page.write_text(_PLACE.sub(lambda place: f"{place[1]}{numbers.get(place[2], '')}", html), encoding="utf-8")
        target.write_bytes(_DATE.sub(rb"/\1 (D:20000101000000", _print(chromium, page, Path(scratch))))


def chapter_pages(pdf: bytes) -> dict[str, int]:
    """Return the page number of each destination, from 1. Reads what Skia writes: plain objects, one /Dests."""
    objects = dict(re.findall(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL))

    def pages_below(number: bytes) -> list[bytes]:
        kids = re.search(rb"/Kids \[([^\]]*)\]", objects[number])
        return [page for kid in re.findall(rb"(\d+) 0 R", kids[1]) for page in pages_below(kid)] if kids else [number]

    root = next((body for body in objects.values() if b"/Type /Catalog" in body), b"")
    pages, dests = re.search(rb"/Pages (\d+) 0 R", root), re.search(rb"/Dests (\d+) 0 R", root)
    if pages is None or dests is None:
        return {}
    place = {number: index for index, number in enumerate(pages_below(pages[1]), 1)}
    found = re.findall(rb"/(\S+) \[(\d+) 0 R", objects[dests[1]])
    return {name.decode("utf-8", "replace"): place[number] for name, number in found if number in place}


def _print(chromium: Path, page: Path, scratch: Path) -> bytes:
    out = scratch / "out.pdf"
    out.unlink(missing_ok=True)
    command = [
        str(chromium),
        *["--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions"],
        *["--disable-background-networking", "--disable-sync"],
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
