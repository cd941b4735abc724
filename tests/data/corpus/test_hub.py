"""The hub corpus against a cache laid out by hand as the hub's client does it; the network is never asked."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import hf_hub_download

from sevenepochs.data.corpus import fingerprint, hub
from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.fingerprint import KNOWN_VERSIONS, KnownVersion
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.facts import Column, read_values
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import char_count, split_titles

SHA_2023, SHA_2026 = (known.revision for known in KNOWN_VERSIONS)
OTHER_SHA = "0123456789abcdef0123456789abcdef01234567"
TITLES = [f"Title number {i}" for i in range(60)]


def put(cache: Path, sha: str, name: str, titles: list[str | None]) -> Path:
    """A file in a hub-shaped cache: the snapshot's name is a link to a blob."""
    root = cache / "datasets--julien040--hacker-news-posts"
    blob = root / "blobs" / f"{len(list(root.glob('blobs/*'))):064x}"
    link = root / "snapshots" / sha / name
    blob.parent.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    columns = {"id": pa.array(range(len(titles))), "title": pa.array(titles, pa.string()), "author": [""] * len(titles)}
    links = [f"https://www.site{str(title)[-2:].strip()}.co.uk/" for title in titles]
    columns |= {"url": links, "time": [1454122784] * len(titles)}
    pq.write_table(pa.table(columns), blob)
    link.symlink_to(blob)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / "main").write_text(OTHER_SHA)
    return link


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Any attempt to reach the hub fails at once, and is noted. Its cache is the test's folder."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    tried: list[str] = []

    def unreachable(*args: Any, **kwargs: Any) -> Any:
        tried.append(str(args))
        raise LocalEntryNotFoundError("Cannot reach https://hub.example/secret: connection refused\nmore lines")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", unreachable)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return tried


def load(revision: str, cache: Path, said: list[str] | None = None) -> Corpus:
    huggingface_hub.constants.HF_HUB_CACHE = str(cache)  # the fixture above puts it back
    return HubCorpus(revision).load((said if said is not None else []).append)


def known_as(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Make the 60 titles a known version 2023, but for the changes."""
    validation = split_titles(TITLES).validation
    n_chars = char_count(validation)
    facts: dict[str, Any] = {
        "name": "2023",
        "revision": SHA_2023,
        "n_rows": (60, 60),
        "first_validation": validation[:4],
        "validation_chars": (n_chars, n_chars),
    }
    versions = (KnownVersion(**{**facts, **changes}), KNOWN_VERSIONS[1])
    monkeypatch.setattr(fingerprint, "KNOWN_VERSIONS", versions)
    monkeypatch.setattr(hub, "KNOWN_VERSIONS", versions)


def test_cached_file_is_read_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    known_as(monkeypatch)
    put(tmp_path, SHA_2023, "story.parquet", [*TITLES])
    said: list[str] = []
    corpus = load("2023", tmp_path, said)
    assert list(corpus.rows) == TITLES
    assert corpus.name == "hub2023"
    assert corpus.source["revision"] == SHA_2023
    assert corpus.source["recognised"] == "2023"
    assert corpus.source["licence"] == "CC BY-NC-SA 4.0"
    assert corpus.source["file"] == "story.parquet"
    assert said == corpus.source["warnings"] == []
    assert no_network == []
    assert str(tmp_path) not in json.dumps(corpus.source)


def test_the_hub_s_own_client_finds_the_same_file(tmp_path: Path) -> None:
    """Our reading of the cache's layout, and this test's, is the client's."""
    link = put(tmp_path, SHA_2023, "story.parquet", [*TITLES])
    found = hf_hub_download(
        hub.DATASET,
        "story.parquet",
        repo_type="dataset",
        revision=SHA_2023,
        cache_dir=str(tmp_path),
        local_files_only=True,
    )
    assert Path(found) == link
    assert HubCorpus().is_cached()


def test_links_and_times_follow_their_titles_through_shards(tmp_path: Path) -> None:
    for shard in (0, 1):
        put(tmp_path, OTHER_SHA, f"data/train-0000{shard}-of-00002.parquet", TITLES[30 * shard : 30 * shard + 30])
    corpus = load(OTHER_SHA, tmp_path)
    titles, links = corpus.split(), read_values(corpus, Column.parse("url"))
    assert links.train == tuple(f"site{TITLES.index(title)}.co.uk" for title in titles.train)
    assert set(read_values(corpus, Column.parse("time")).validation) == {"2016-01"}


def test_the_environment_chooses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, OTHER_SHA, "story.parquet", [*TITLES])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert list(HubCorpus(OTHER_SHA).load().rows) == TITLES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_rows": (61, 70)}, "version 2023 has 61 to 70 rows, this corpus 60"),
        ({"first_validation": ("Something else",)}, "begin 'Something else', this corpus's begin 'Title number"),
        ({"validation_chars": (1, 2)}, "has 1 to 2 validation characters, this corpus"),
    ],
)
def test_a_mismatch_is_said_and_not_fatal(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, **changes)
    put(tmp_path, SHA_2023, "story.parquet", [*TITLES])
    said: list[str] = []
    corpus = load("2023", tmp_path, said)
    assert corpus.source["recognised"] is None
    assert len(said) == len(corpus.source["warnings"]) == 1
    assert message in said[0]
    assert message in corpus.source["warnings"][0]


def test_the_sha_is_honoured(tmp_path: Path) -> None:
    """Two revisions are cached, and `main` points at the wrong one."""
    put(tmp_path, OTHER_SHA, "story.parquet", [*TITLES])
    put(tmp_path, SHA_2023, "story.parquet", [t.upper() for t in TITLES])
    assert load("2023", tmp_path).rows[0] == "TITLE NUMBER 0"
    assert load(OTHER_SHA, tmp_path).rows[0] == "Title number 0"
    assert load(OTHER_SHA, tmp_path).name == "hub-01234567"
    with pytest.raises(UserError, match="not cached"):
        load("2026", tmp_path)


def test_null_titles_are_empty(tmp_path: Path) -> None:
    put(tmp_path, OTHER_SHA, "story.parquet", ["a", None, "b"])
    assert list(load(OTHER_SHA, tmp_path).rows) == ["a", "", "b"]


def test_shards_are_joined_in_sorted_order(tmp_path: Path, no_network: list[str]) -> None:
    put(tmp_path, OTHER_SHA, "data/train-00001-of-00002.parquet", [*TITLES[30:]])
    put(tmp_path, OTHER_SHA, "data/train-00000-of-00002.parquet", [*TITLES[:30]])
    assert list(load(OTHER_SHA, tmp_path).rows) == TITLES
    assert HubCorpus(OTHER_SHA).is_cached()
    assert no_network == []


def test_some_of_several_shards_are_not_taken_for_all(tmp_path: Path) -> None:
    put(tmp_path, OTHER_SHA, "data/train-00000-of-00002.parquet", [*TITLES])
    assert not HubCorpus(OTHER_SHA).is_cached()
    with pytest.raises(UserError, match="cannot be fetched"):
        load(OTHER_SHA, tmp_path)


def test_titles_that_are_not_here_name_what_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    corpora = [HubCorpus(OTHER_SHA), Development(HubCorpus(OTHER_SHA))]
    assert [corpus.to_fetch() for corpus in corpora] == [f"hub --revision {OTHER_SHA}"] * 2
    assert HubCorpus("2026").to_fetch() == "hub --revision 2026"
    assert SampleCorpus().to_fetch() is None
    put(tmp_path, OTHER_SHA, "story.parquet", [*TITLES])
    assert [corpus.to_fetch() for corpus in corpora] == [None, None]


def test_unnumbered_cached_files_are_used_with_a_warning(tmp_path: Path) -> None:
    put(tmp_path, OTHER_SHA, "b.parquet", [*TITLES[30:]])
    put(tmp_path, OTHER_SHA, "a.parquet", [*TITLES[:30]])
    said: list[str] = []
    corpus = load(OTHER_SHA, tmp_path, said)
    assert list(corpus.rows) == TITLES
    assert corpus.source["file"] == "a.parquet, b.parquet"
    assert "could not be asked" in corpus.source["warnings"][0]
    assert len(said) == 1


@pytest.mark.parametrize("revision", ["2023", "2026", OTHER_SHA])
def test_unreachable_hub_is_one_error_that_names_the_alternatives(revision: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(revision, tmp_path)
    message = str(caught.value)
    for part in ("julien040/hacker-news-posts", "--corpus PATH", "--corpus sample", "cannot be reached"):
        assert part in message
    assert "--revision" not in message  # another one is as far away
    assert "\n" not in message
    assert "secret" not in message


def test_offline_is_said_without_pretending_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    said: list[str] = []
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        load("2023", tmp_path, said)
    assert said == []
    assert no_network == []


def test_vanished_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **kwargs: Any) -> Any:
        response: Any = SimpleNamespace(headers={}, request=None)
        raise huggingface_hub.errors.RevisionNotFoundError("404: Invalid rev id", response=response)

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", gone)
    with pytest.raises(UserError, match=r"does not have this revision.*--corpus sample.*--revision"):
        load(OTHER_SHA, tmp_path)


def test_a_download_is_announced_with_its_size_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Any]] = []
    said: list[str] = []

    def download(repo: str, name: str, *, repo_type: str, revision: str, cache_dir: Any) -> str:
        assert said, "the announcement comes first"
        assert (repo, repo_type) == ("julien040/hacker-news-posts", "dataset")
        asked.append((name, revision, cache_dir))
        return str(put(tmp_path, revision, name, [*TITLES]))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    load("2023", tmp_path, said)
    assert asked == [("story.parquet", SHA_2023, str(tmp_path))]
    assert "426 MB" in said[0]
    assert "CC BY-NC-SA 4.0" in said[0]
    before = len(said)
    load("2023", tmp_path, said)
    assert len(asked) == 1, "the second time it comes from the cache"
    assert not any("downloading" in message for message in said[before:])


def test_files_of_an_unknown_revision_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [("README.md", 5), ("z.parquet", 2_000_000), ("a.parquet", 3_000_000), ("story.csv", 9)]

    def tree(self: Any, repo: str, **kwargs: Any) -> Any:
        assert kwargs == {"recursive": True, "revision": OTHER_SHA, "repo_type": "dataset"}
        return [SimpleNamespace(path=path, size=size) for path, size in listed]

    halves = {"a.parquet": TITLES[:30], "z.parquet": TITLES[30:], "story.parquet": TITLES}
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", tree)
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda repo, name, revision, **_: str(put(tmp_path, revision, name, [*halves[name]])),
    )
    said: list[str] = []
    assert list(load(OTHER_SHA, tmp_path, said).rows) == TITLES
    assert "a.parquet, z.parquet (5 MB)" in said[0]
    listed.append(("story.parquet", 4_000_000))
    other = tmp_path / "other"
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda repo, name, revision, **_: str(put(other, revision, name, [*halves[name]])),
    )
    assert load(OTHER_SHA, other).source["file"] == "story.parquet"
    listed.clear()
    with pytest.raises(UserError, match="no parquet file"):
        load(OTHER_SHA, tmp_path / "third")


def test_damaged_cached_file_says_what_to_delete(tmp_path: Path) -> None:
    link = put(tmp_path, OTHER_SHA, "story.parquet", [*TITLES])
    link.resolve().write_bytes(b"PAR1")
    with pytest.raises(UserError, match=f"first delete .*{OTHER_SHA}"):
        load(OTHER_SHA, tmp_path)


@pytest.mark.parametrize("revision", ["main", "2024", "0123456", OTHER_SHA.upper(), "", "../../etc"])
def test_bad_revision(revision: str) -> None:
    with pytest.raises(UserError, match="40 hex digits"):
        HubCorpus(revision)


def test_config_round_trip() -> None:
    assert HubCorpus().sha == SHA_2023
    assert HubCorpus.from_dict(HubCorpus("2026").to_dict()) == HubCorpus("2026")
