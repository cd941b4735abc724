"""The pages' prose: measured values come from fragments, code from the source, citations from the references."""

import re
from pathlib import Path

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report.bibliography import bibliography
from sevenepochs.report.config_diff import config_diff, n_changes
from sevenepochs.report.excerpt import excerpt
from sevenepochs.report.negatives import log_months, negatives

SITE = Path(__file__).parents[2] / "site"
TEMPLATES = sorted(SITE.glob("*.md"))
_NOT_PROSE = (
    re.compile(r"\A---\n.*?\n---\n", re.DOTALL),  # front matter
    re.compile(r"\{[{%].*?[%}]\}", re.DOTALL),  # fragments
    re.compile(r"(?<!`)`[^`\n]+`(?!`)"),
    re.compile(r"\]\([^)]*\)"),
)
_MEASURED = re.compile(r"\d+\.\d+|\d+,(?!000\b)\d{3}\b|\d+ ?%|\d+ percent")


def decimals(text: str) -> list[str]:
    """Decimal numbers, percentages and counts that are not round, in a template's prose."""
    for pattern in _NOT_PROSE:
        text = pattern.sub(" ", text)
    return _MEASURED.findall(_without_listings(text))


def _without_listings(text: str) -> str:
    """Fenced code goes; the text of directives (notes, glossary), whose fences look alike, stays."""
    kept, in_code, in_directive = [], False, False
    for line in text.splitlines():
        if not line.startswith("```"):
            kept += [] if in_code else [line]
        elif in_code or in_directive:
            in_code = in_directive = False
        else:
            in_directive = line.startswith("```{")
            in_code = not in_directive
    return "\n".join(kept)


def test_every_page_has_its_place_in_the_contents() -> None:
    listed = re.findall(r"- file: ([a-z-]+)\.md", (SITE / "myst.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(t.stem for t in TEMPLATES if not t.stem.startswith("_"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.stem)
def test_no_measured_value_is_typed(template: Path) -> None:
    assert decimals(template.read_text(encoding="utf-8")) == []


def test_typed_values_would_be_found() -> None:
    assert decimals("It fell to 1.7533, by 37 %.") == ["1.7533", "37 %"]
    assert decimals("```{note}\nIt took 12.5 minutes.\n```") == ["12.5"]
    assert decimals("```text\n1.5\n```\nThen 27,172,864 of them.") == ["27,172"]
    assert decimals("{{ first.exact }} and `lr=0.5` for 100,000 titles, see [a](v1.5.md)\n```text\n1.5\n```\n") == []


def test_citations_and_references_agree() -> None:
    cited = set()
    for template in TEMPLATES:
        for keys in re.findall(r"\{cite:[pt]\}`([^`]*)`", template.read_text(encoding="utf-8")):
            cited |= {key.strip() for key in keys.split(",")}
    text = (SITE / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)
    assert cited == set(keys) and len(keys) == len(set(keys))
    assert bibliography(text).count("\n- ") == len(keys) - 1
    with pytest.raises(UserError, match="x2020 has no year"):
        bibliography("@misc{x2020,\n  author = {A},\n  title = {B}\n}\n")


def test_an_excerpt_is_the_source_without_its_docstring() -> None:
    text = excerpt("recipes/story.py:adamw")
    assert text.startswith("def adamw() -> Experiment:\n") and "AdamW(" in text and '"""' not in text
    for marker in ("recipes/gone.py:x", "recipes/story.py:gone", "model/position.py:Rotation.gone"):
        with pytest.raises(UserError, match="a page quotes"):
            excerpt(marker)


def test_a_config_diff_holds_what_changed_and_nothing_about_the_machine() -> None:
    old = {"kind": "e:E", "lr": 1.0, "slot": {"kind": "a:A", "x": 1}, "training": {"seed": 1, "clip": 1}}
    new = {"kind": "e:E", "lr": 2.0, "slot": {"kind": "b:B", "y": 2}, "training": {"seed": 9, "clip": 1}}
    old["training"]["micro_batches"], new["training"]["micro_batches"] = None, 4
    assert config_diff(old, new).splitlines() == [
        "- lr = 1.0",
        "+ lr = 2.0",
        "- slot = A",
        "+ slot = B",
        "- slot.x = 1",
        "+ slot.y = 2",
    ]
    assert n_changes(old, new) == 4 and config_diff(old, old) == ""


def test_negative_results_are_read_from_the_log() -> None:
    head = "### {0}        2026-11-01, r{2}"
    entry = "\n\n".join([head, "Asked: is\nit {0}?", "Expected: up.", "Saw: 1.", "So: `no`.", "Verdict: {1}\n"])
    entries = [
        ("A", "loss", ", proxy, seed 1"),
        ("B", "gain", ""),
        ("C", "none", ""),
        ("D", "not run", ", full"),
        ("E", "level", ", proxy size"),
    ]
    found = negatives(["\n## Day\n\n".join(entry.format(*told) for told in entries)])
    assert found["runs"] == ["**A** (2026-11-01, r, proxy, seed 1). Is it A? *Expected:* up. *Measured:* 1. `no`."]
    assert [paragraph[:5] for paragraph in found["rest"]] == ["**E**"]


def test_every_entry_of_the_log_has_its_parts() -> None:
    order = ["Asked", "Expected", "Ran", "Saw", "So", "Verdict"]
    for month, text in log_months().items():
        for entry in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
            head, *paragraphs = entry.partition("\n## ")[0].strip().split("\n\n")
            assert re.fullmatch(rf"\S.*\S {{8}}{month}-\d\d(, .+)?", head), head
            labels = [paragraph.partition(":")[0] for paragraph in paragraphs]
            assert labels == [label for label in order if label in labels], head
            assert {"Asked", "Saw", "So"} < set(labels), head
            assert re.fullmatch("Verdict: (gain|level|loss|not run|none)", paragraphs[-1]), head
    told = negatives(log_months().values())
    assert all(told.values()) and "](" not in str(told), "a link of docs/ leads nowhere on the site"
