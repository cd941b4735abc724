"""`audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.console import print_json
from sevenepochs.cli.options import File, Json, OptionalFolder, Positional, RunsFolder, Titles
from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.audit.target import TargetAudit

Targets = Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="LOG|RUN|REPO ...")]]
Reference = Annotated[Path | None, tyro.conf.arg(metavar="LOG|RUN")]


def audit(
    targets: Targets = (),
    reference: Reference = None,
    template: OptionalFolder = None,
    tokenizer: File = None,
    markdown: File = None,
    runs: RunsFolder = Path("runs"),
    *,
    titles: Titles,
    json: Json = False,
) -> None:
    """Say what a reported number is worth: the corrected loss of anybody's run, and the reasons.

    Args:
        targets: Logs in the challenge's format (.gz too), notebooks, run folders (`last`) or repositories.
        reference: A log or run of ours on the same data, where the data is not the challenge's.
        template: Your own copy of the challenge; what a source changes is shown as a diff against it.
        tokenizer: Instead of a run, a tokenizer.json: does it give the titles of --corpus back?
        markdown: Also write the report to this file.
    """
    from sevenepochs.audit.report import as_markdown, as_text

    if tokenizer is not None or titles.words():
        beside = {"--reference": reference, "--template": template, "--markdown": markdown}
        unused = next((option for option, value in beside.items() if value is not None), None)
        if unused is not None:
            raise UserError(f"{unused} is for logs and runs; leave it out where a tokenizer is audited")
        _tokenizer(targets, tokenizer, titles, json)
        return
    audits = audits_of(targets, reference, runs, template)
    if markdown is not None:
        _write(markdown, as_markdown(audits))
    if json:
        print_json([target.to_dict() for target in audits])
    else:
        print(as_text(audits), end="")


def audits_of(
    targets: tuple[Path, ...], reference: Path | None, runs: Path, template: Path | None = None
) -> list[TargetAudit]:
    """The audits of what the command line names; a word that is no path is a run's name, as elsewhere.

    Raises:
        UserError: nothing was named, or something that cannot be audited.
    """
    from sevenepochs.audit.target import audit_target
    from sevenepochs.audit.verdict import read_reference

    if not targets:
        raise UserError("name at least one log, run folder or repository")
    taught = read_reference(_meant(reference, runs)) if reference is not None else None
    return [audit_target(_meant(path, runs), taught, template) for path in targets]


def _meant(path: Path, runs: Path) -> Path:
    """The run folder where a word is a run's name rather than a path: `last`, or what does not exist."""
    from sevenepochs.store.run import find_run

    if str(path) == "last" or not path.exists():
        try:
            return find_run(str(path), runs).path
        except UserError:
            if str(path) == "last":
                raise
    return path


def _tokenizer(targets: tuple[Path, ...], tokenizer: Path | None, titles: Titles, as_json: bool) -> None:
    from sevenepochs.audit.tokenizer import audit_tokenizer, render

    corpus = titles.config()
    if targets or tokenizer is None or corpus is None:
        raise UserError("auditing a tokenizer takes --tokenizer FILE and --corpus, and no log or run beside them")
    facts = audit_tokenizer(tokenizer, corpus)
    if as_json:
        print_json(facts)
    else:
        print("\n".join(render(facts)))


def _write(file: Path, text: str) -> None:
    from sevenepochs.store.run.storage import disk_errors

    with disk_errors(str(file), "name another file"):
        file.write_text(text, encoding="utf-8", newline="\n")
