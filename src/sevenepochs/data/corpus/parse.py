"""From the text of `--corpus` to the config that loads it."""

from __future__ import annotations

import re

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.corpus.sample import N_TITLES_RANGE, SampleCorpus
from sevenepochs.errors import UserError


def parse_corpus(
    text: str, *, column: str | None = None, revision: str | None = None, encoding: str | None = None
) -> CorpusConfig:
    """Return what `--corpus TEXT` means: "hub", "sample", "sample:20000" (number of titles), or the path of a file.

    Raises:
        UserError: an option that this kind of corpus does not have, or a malformed number of titles.
    """
    if not text:
        raise UserError('--corpus is empty; give "hub", "sample" or the path of a file')
    name, colon, count = text.partition(":")
    is_file = name != "sample" and text != "hub"
    if column is not None and not is_file:
        raise UserError(f"--column is for files; --corpus {text} has one kind of title, so leave --column out")
    if encoding is not None and not is_file:
        raise UserError(f"--encoding is for text files; --corpus {text} is none, so leave --encoding out")
    if revision is not None and text != "hub":
        raise UserError(f"--revision is for --corpus hub; --corpus {text} has no revisions, so leave --revision out")
    if is_file:
        return FileCorpus(text, column, encoding)
    if text == "hub":
        return HubCorpus() if revision is None else HubCorpus(revision)
    low, high = N_TITLES_RANGE
    if colon and not (re.fullmatch(r"[0-9]{1,12}", count) and low <= int(count) <= high):
        raise UserError(f"--corpus {text}: {count!r} is not a number of titles from {low} to {high:,}")
    return SampleCorpus(n_titles=int(count)) if colon else SampleCorpus()
