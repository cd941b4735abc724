"""From the text of `--corpus` to the config that loads it."""

from __future__ import annotations

import re

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError

_SAMPLE_EXAMPLE = "sample:20000"


def parse_corpus(
    text: str, *, column: str | None = None, revision: str | None = None, encoding: str | None = None
) -> CorpusConfig:
    """What `--corpus TEXT` means: "hub", "sample", "sample:20000" (number of titles), or the path of a file.

    Raises:
        UserError: an option that this kind of corpus does not have, or a malformed number of titles.
    """
    if not text:
        raise UserError('--corpus is empty; give "hub", "sample" or the path of a file')
    is_sample = text == "sample" or text.startswith("sample:")
    if column is not None and (is_sample or text == "hub"):
        raise UserError(f"--column is for files; --corpus {text} has one kind of title, so leave --column out")
    if encoding is not None and (is_sample or text == "hub"):
        raise UserError(f"--encoding is for text files; --corpus {text} is none, so leave --encoding out")
    if revision is not None and text != "hub":
        raise UserError(f"--revision is for --corpus hub; --corpus {text} has no revisions, so leave --revision out")
    if text == "hub":
        return HubCorpus() if revision is None else HubCorpus(revision)
    if is_sample:
        _, colon, count = text.partition(":")
        if not colon:
            return SampleCorpus()
        if not re.fullmatch(r"[0-9]{1,12}", count):
            raise UserError(f"--corpus {text}: {count!r} is not a number of titles; write e.g. {_SAMPLE_EXAMPLE}")
        return SampleCorpus(n_titles=int(count))
    return FileCorpus(text, column, encoding)
