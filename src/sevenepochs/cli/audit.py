"""`audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Column, Corpus, Positional
from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.audit.target import TargetAudit

_File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Targets = Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="LOG|RUN|REPO ...")]]
Reference = Annotated[Path | None, tyro.conf.arg(metavar="LOG|RUN")]


def audit(
    targets: Targets = (),
    reference: Reference = None,
    tokenizer: _File = None,
    corpus: Corpus = None,
    column: Column = None,
    json: bool = False,
    markdown: _File = None,
    html: _File = None,
) -> None:
    """Say what a reported number is worth: the corrected loss of anybody's run, and the reasons.

    Args:
        targets: Logs in the challenge's format (.gz too), run folders, or repositories; source is never executed.
        reference: A log or run of ours on the same data, where the data is not the challenge's.
        tokenizer: Instead of a run, a tokenizer.json: does it give the titles of --corpus back?
        corpus: The titles for --tokenizer.
        column: The column that holds them.
        json: Print JSON.
        markdown: Also write the report to this file.
        html: Also write the report to this file.
    """
    from sevenepochs.audit.render import as_html, as_markdown, as_text

    if tokenizer is not None or corpus is not None or column is not None:
        beside = {"--reference": reference, "--markdown": markdown, "--html": html}
        unused = next((option for option, value in beside.items() if value is not None), None)
        if unused is not None:
            raise UserError(f"{unused} is for logs and runs; leave it out where a tokenizer is audited")
        _tokenizer(targets, tokenizer, corpus, column, json)
        return
    audits = audits_of(targets, reference)
    if markdown is not None:
        _write(markdown, as_markdown(audits))
    if html is not None:
        _write(html, as_html(audits))
    if not json:
        print(as_text(audits), end="")
        return
    plain = [
        {
            "path": target.path,
            "runs": [run.to_dict() for run in target.runs],
            "source": None if target.source is None else [finding.to_dict() for finding in target.source],
            "unread": list(target.unread),
        }
        for target in audits
    ]
    print_json(plain)


def audits_of(targets: tuple[Path, ...], reference: Path | None) -> list[TargetAudit]:
    """The audits of what the command line names.

    Raises:
        UserError: nothing was named, or something that cannot be audited.
    """
    from sevenepochs.audit.reference import read_reference
    from sevenepochs.audit.target import audit_targets

    if not targets:
        raise UserError("name at least one log, run folder or repository")
    return audit_targets(targets, read_reference(reference) if reference is not None else None)


def _tokenizer(
    targets: tuple[Path, ...], tokenizer: Path | None, corpus: str | None, column: str | None, as_json: bool
) -> None:
    from sevenepochs.audit.tokenizer_fidelity import audit_tokenizer, render
    from sevenepochs.data.corpus.parse import parse_corpus

    if targets or tokenizer is None or corpus is None:
        raise UserError("auditing a tokenizer takes --tokenizer FILE and --corpus, and no log or run beside them")
    facts = audit_tokenizer(tokenizer, parse_corpus(corpus, column=column))
    if as_json:
        print_json(facts)
    else:
        print("\n".join(render(facts)))


def _write(file: Path, text: str) -> None:
    from sevenepochs.store.run.storage import disk_errors

    with disk_errors(str(file), "name another file"):
        file.write_text(text, encoding="utf-8", newline="\n")
