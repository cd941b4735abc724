"""The challenge's own dataset from the Hugging Face hub, at a pinned revision.

`hf_hub_download` honours the revision online and offline; `datasets.load_dataset` ignores it offline without a word.
The licence, CC BY-NC-SA 4.0, forbids commercial use and asks to share derived work alike.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import shlex
from pathlib import Path

from sevenepochs.data.corpus.base import DEFAULT_COLUMN, Announce, Corpus, CorpusConfig, refuse_constant, to_stderr
from sevenepochs.data.corpus.fingerprint import HUB_LICENCE, KNOWN_VERSIONS, file_sha256, mismatches, recognise
from sevenepochs.data.corpus.parquet import read_facts, read_parquet
from sevenepochs.errors import UserError, nearest
from sevenepochs.protocol.budget import split_titles
from sevenepochs.store.cache import cache_dir as own_cache_dir

DATASET = "julien040/hacker-news-posts"
MAIN_FILE = "story.parquet"
_KNOWN_BYTES = {KNOWN_VERSIONS[0].revision: 426_000_000}  # published; the hub is asked for other revisions' sizes
_REASONS = {
    "LocalEntryNotFoundError": "the hub cannot be reached",
    **dict.fromkeys(("ConnectError", "ConnectTimeout", "ProxyError"), "the hub cannot be reached"),
    "RevisionNotFoundError": "the hub does not have this revision any more",
    "RepositoryNotFoundError": "the hub does not have this dataset any more",
    "RemoteEntryNotFoundError": "this revision does not have that file",
}
_SHARD = re.compile(r"-\d+-of-(\d+)\.parquet$")


@dataclasses.dataclass(frozen=True)
class HubCorpus(CorpusConfig, kind="hub"):
    """`julien040/hacker-news-posts`.

    Attributes:
        revision: "2023" (the challenge's own), "2026", or the 40 hex digits of a commit. Branch names move, so they
            are refused.
    """

    revision: str = "2023"

    def __post_init__(self) -> None:
        names = [known.name for known in KNOWN_VERSIONS]
        if self.revision not in names and not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise UserError(
                f"--revision {self.revision!r} is neither a known version nor 40 hex digits in small letters"
                f"{nearest(self.revision, names)}"
            )

    @property
    def sha(self) -> str:
        """The commit."""
        return next((known.revision for known in KNOWN_VERSIONS if known.name == self.revision), self.revision)

    def is_cached(self) -> bool:
        """Return whether `load` would need no network."""
        return _cached(self.sha)[1]

    def to_fetch(self) -> str | None:
        return None if self.is_cached() else f"hub --revision {shlex.quote(self.revision)}"

    def load(self, announce: Announce = to_stderr) -> Corpus:
        """Read the titles from the hub's cache (HF_HOME, HF_HUB_CACHE), downloading what is not there yet.

        Raises:
            UserError: the hub cannot be reached, or no longer has this revision; the alternatives are named.
        """
        known = next((known for known in KNOWN_VERSIONS if known.revision == self.sha), None)
        version = known.name if known else self.sha[:8]
        paths, certain = _cached(self.sha)
        warnings = []
        if not certain:
            try:
                paths = _download(self.sha, version, announce)
            except UserError:
                if not paths:
                    raise
                warnings.append("the hub could not be asked whether the cached parquet files are all of this revision")
        try:
            rows = read_parquet(paths, DEFAULT_COLUMN)
        except UserError as error:
            raise UserError(f"{error}; to fetch it again, first delete {paths[0].parent}") from None
        refuse_constant(rows, paths[0].name)
        unexpected = mismatches(known, rows) if known else []
        warnings += [f"revision {self.sha} is not what was expected: {mismatch}" for mismatch in unexpected]
        for warning in warnings:
            announce(f"{DATASET}: {warning}")
        sha256 = file_sha256(paths)
        source = {
            "kind": "hub",
            "dataset": DATASET,
            "file": ", ".join(path.name for path in paths),
            "file_sha256": sha256,
            "column": DEFAULT_COLUMN,
            "n_rows": len(rows),
            "revision": self.sha,
            "licence": HUB_LICENCE,
            "recognised": recognise(rows, sha256),
            "warnings": warnings,
        }
        name = f"hub{version}" if known else f"hub-{version}"
        return Corpus(name, rows, source, facts_of=lambda column: split_titles(read_facts(paths, column)))


def _cached(sha: str) -> tuple[list[Path], bool]:
    """The revision's cached files, and whether those are all for certain, so that the network need not be asked."""
    snapshot = _cache() / f"datasets--{DATASET.replace('/', '--')}" / "snapshots" / sha
    if (snapshot / MAIN_FILE).is_file():
        return [snapshot / MAIN_FILE], True
    found = sorted(path for path in snapshot.rglob("*.parquet") if path.is_file())
    # Some of several shards would be another corpus. Their names mostly tell how many there are.
    counts = {int(match[1]) for path in found if (match := _SHARD.search(path.name))}
    if counts and counts != {len(found)}:
        return [], False
    return found, bool(counts)


def _cache() -> Path:
    """The hub's folder, or ours for a user without a home: the hub's client would make one called `~`."""
    from huggingface_hub import constants

    return own_cache_dir() / "hub" if constants.HF_HUB_CACHE.startswith("~") else Path(constants.HF_HUB_CACHE)


def _download(sha: str, version: str, announce: Announce) -> list[Path]:
    """Fetch what is missing. Any failure becomes one UserError: whatever went wrong, the alternatives are the same."""
    from huggingface_hub import constants, hf_hub_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # five retries are not the user's business
    try:
        if constants.HF_HUB_OFFLINE:
            raise ConnectionError("HF_HUB_OFFLINE is set")
        sizes = {MAIN_FILE: _KNOWN_BYTES[sha]} if sha in _KNOWN_BYTES else _parquet_sizes(sha)
        total = sum(sizes.values())
        announce(
            f"downloading {', '.join(sizes)} ({total / 1e6:,.0f} MB) of {DATASET}, version {version} ({sha[:8]}), "
            f"licence {HUB_LICENCE}; it is kept in the cache for the next time"
        )
        return [
            Path(hf_hub_download(DATASET, name, repo_type="dataset", revision=sha, cache_dir=str(_cache())))
            for name in sizes
        ]
    except Exception as error:  # the hub's client raises from several libraries, which differ between its versions
        reason = _reason(error)
        another = ", or another --revision (2023, 2026, a commit)" if "revision" in reason else ""
        raise UserError(
            f"{DATASET} at revision {version} ({sha[:8]}) is not cached and cannot be fetched: "
            f"{reason}; alternatives: --corpus PATH (a parquet, csv, jsonl or txt of titles), --corpus sample{another}"
        ) from error


def _parquet_sizes(sha: str) -> dict[str, int]:
    """Bytes of the parquet files of a revision, sorted by path; `story.parquet` alone where there is one."""
    from huggingface_hub import HfApi

    tree = HfApi().list_repo_tree(DATASET, recursive=True, revision=sha, repo_type="dataset")
    sizes = {entry.path: int(getattr(entry, "size", 0)) for entry in tree if entry.path.endswith(".parquet")}
    if not sizes:
        raise FileNotFoundError("this revision has no parquet file")
    return {MAIN_FILE: sizes[MAIN_FILE]} if MAIN_FILE in sizes else dict(sorted(sizes.items()))


def _reason(error: Exception) -> str:
    """The error in a few words, without the addresses and folders that the hub's client puts there."""
    if type(error).__name__ in _REASONS:
        return _REASONS[type(error).__name__]
    line = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {re.sub(r'https?://[^ ]+|(?<![^ (])/[^ ]+', '...', line)[:160]}".rstrip(": ")
