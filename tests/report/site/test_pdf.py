"""The PDF: chapters where the contents say, figures as vectors, fonts inside, no date."""

import re
from pathlib import Path

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report.pdf import chapter_pages, find_chromium, print_pdf


def test_no_chromium_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sevenepochs.report.pdf._ON_A_MAC", [str(tmp_path / "Chromium")])
    with pytest.raises(UserError, match="the PDF needs Chromium or Chrome on PATH"):
        find_chromium()


def test_print(built: Path, chromium: Path, tmp_path: Path) -> None:
    print_pdf(built, tmp_path / "report.pdf")
    pdf = (tmp_path / "report.pdf").read_bytes()
    pages = chapter_pages(pdf)
    assert pages["index"] == 3 and pages["index"] < pages["steps"] < pages["apart"]  # behind cover and contents
    assert len(pdf) < 5_000_000
    assert b"/Subtype /Image" not in pdf  # every picture of the project is an SVG
    fonts = re.findall(rb"/BaseFont /[A-Z]{6}\+(\S+)", pdf)  # the prefix marks an embedded subset
    assert any(font.startswith(b"Inter") for font in fonts)
    assert len(re.findall(rb"/BaseFont /", pdf)) == len(fonts)
    assert set(re.findall(rb"/(?:CreationDate|ModDate) \((.{16})", pdf)) == {b"D:20000101000000"}
    assert b"file://" not in pdf and str(tmp_path).encode() not in pdf
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]
