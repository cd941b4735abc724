"""Facts beside titles: read from every format, following their titles, numbered, and worth what Bayes' rule says."""

import dataclasses
import gzip
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.sample import OWN_SITE, SampleCorpus, floor, load_grammar, site
from sevenepochs.data.facts import Column, FactTable, TitleFacts, domain, month, opened, read_values
from sevenepochs.errors import UserError

TITLES = [f"title {n}" for n in range(60)]
LINKS = ["" if n % 7 == 0 else f"https://www.site{n % 4}.co.uk/{n}" for n in range(60)]
TIMES = [1_400_000_000 + 3_000_000 * n for n in range(60)]


def write(folder: Path, kind: str) -> FileCorpus:
    """The same titles and facts in one of the formats."""
    path = folder / f"titles.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"title": TITLES, "url": LINKS, "time": TIMES, "tags": [["a"]] * 60}), path)
    elif kind == "csv":
        rows = (f"{time},{title},{link}" for title, link, time in zip(TITLES, LINKS, TIMES, strict=True))
        path.write_text("\n".join(["time,title,url", *rows]))
    else:
        rows = zip(TITLES, LINKS, TIMES, strict=True)
        objects = [{"title": t, "time": time, "tags": [1]} | ({"url": link} if link else {}) for t, link, time in rows]
        text = "\n\n".join(map(json.dumps, objects))  # blank lines hold no title and no fact
        path = path.with_suffix(".jsonl.gz")
        path.write_bytes(gzip.compress(text.encode()))
    return FileCorpus(str(path))


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("is_proxy", [False, True])
def test_facts_follow_their_titles(kind: str, is_proxy: bool, tmp_path: Path) -> None:
    config = write(tmp_path, kind)
    corpus = (Development(config) if is_proxy else config).load()
    split = corpus.split()
    links, times = (read_values(corpus, Column.parse(name)) for name in ("url", "time"))
    for titles, of_links, of_times in zip(
        (split.train, split.validation), (links.train, links.validation), (times.train, times.validation), strict=True
    ):
        assert list(of_links) == [domain(LINKS[TITLES.index(title)]) for title in titles]
        assert list(of_times) == [month(str(TIMES[TITLES.index(title)])) for title in titles]
    assert "site1.co.uk" in links.train and "" in links.train and len(set(times.train)) > 3


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://www.bbc.co.uk/news?a=1", "bbc.co.uk"),
        ("http://Blog.Example.COM:8080/x", "example.com"),
        ("arxiv.org", "arxiv.org"),
        ("https://someone.github.io/post", "github.io"),
        *((bad, "") for bad in ("", "not a link", "http://", "http://[::1", "http://10.0.0.1/a", "co.uk", "localhost")),
    ],
)
def test_a_link_is_its_registrable_domain(link: str, expected: str) -> None:
    assert domain(link) == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1454122784", "2016-01"),
        ("1454122784000", "2016-01"),
        ("1454122784.0", "2016-01"),
        ("2016-05-07T10:00:00Z", "2016-05"),
        ("2016-05", "2016-05"),
        *((bad, "") for bad in ("", "yesterday", "2016-13", "17", "nan", "inf", "1e300", "-1454122784")),
    ],
)
def test_a_time_is_its_month(time: str, expected: str) -> None:
    assert month(time) == expected


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_bad_column_is_one_line(kind: str, tmp_path: Path) -> None:
    corpus = write(tmp_path, kind).load()
    for column, parts in {
        "ulr": ["'ulr'", "nothing" if kind == "jsonl" else "url", "--facts"],
        "title:link": ["'title'", "no link", "title:value"],
        "url:time": ["'url'", "no time", "site"],
        "tags": ["'tags'"],
        "url:domain": ["'domain'", "link"],
    }.items():
        if (kind, column) == ("csv", "tags"):
            continue
        with pytest.raises(UserError) as caught:
            read_values(corpus, Column.parse(column))
        message = str(caught.value)
        assert "\n" not in message and all(part in message for part in parts), message


def test_a_corpus_of_titles_alone_has_no_facts(tmp_path: Path) -> None:
    (tmp_path / "titles.txt").write_text("\n".join(TITLES))
    for corpus in (
        FileCorpus(str(tmp_path / "titles.txt")).load(),
        Corpus("mine", TITLES, {}),
        SampleCorpus(20).load(),
    ):
        with pytest.raises(UserError, match="'views'"):
            corpus.facts("views")


def test_frequent_values_have_numbers_and_the_rest_is_other() -> None:
    values = [["b", "a", "", "a", "c", "b", "a"], ["x"] * 7]
    table = FactTable.count(("url:value", "n"), 5, values)
    assert table.known == (("a", "b"), ("x",))
    assert FactTable.from_json(json.loads(json.dumps(dataclasses.asdict(table)))) == table
    codes = table.codes(values)
    assert table.numbers(codes, 0).tolist() == [4, 3, 1, 3, 2, 4, 3] and table.numbers(codes, 1).tolist() == [3] * 7
    assert table.codes([None, ["x", "y", ""]]).tolist() == [15, 10, 5]
    assert table.code({}) == 0 and table.code({"url": "a", "n": ""}) == 3 + 5 and table.code({"n": "z"}) == 10
    with pytest.raises(UserError, match="'url'"):
        table.code({"ulr": "a"})
    with pytest.raises(UserError, match=r"arxiv\.org"):
        FactTable(("url",), 5, ((),)).code({"url": "no link"})


def test_codes_travel_in_the_eos_before_the_title() -> None:
    ids = np.array([5, 6, 1, 7, 1, 1, 8, 1], dtype=np.int32)  # "5 6", "7<eos>", "8": the second holds the literal text
    told, first = opened(ids, 1, 10, np.array([3, 4, 0]), ["a", "b<eos>", "c"])
    assert first == 31 and told.tolist() == [5, 6, 41, 7, 41, 1, 8, 1]
    assert np.array_equal(told % 10, ids)


@pytest.mark.parametrize("grammar", ["tiny", "sample"])
def test_the_samples_fact_is_worth_the_information_about_the_kind(grammar: str) -> None:
    corpus = SampleCorpus(4_000, grammar=grammar).load()  # type: ignore[arg-type]
    split, links = corpus.split(), corpus.facts("url")
    floors = [corpus.floor(split.train), corpus.floor(split.train, links.train)]
    chars = sum(len(title) + 5 for title in split.train)
    worth = (floors[0].value_nats_per_char - floors[1].value_nats_per_char) * chars / len(split.train)  # type: ignore[union-attr]
    rules = load_grammar(grammar)
    kinds = np.array([a.probability for a in rules.rules[rules.start]])
    joint = kinds[:, None] * (OWN_SITE * np.eye(len(kinds)) + (1 - OWN_SITE) / len(kinds))
    information = float((joint * np.log(joint / joint.sum(0) / kinds[:, None])).sum())
    assert worth == pytest.approx(information, abs=4 * 1.2 / math.sqrt(len(split.train)))


def test_titles_given_a_site_have_probabilities_that_sum_to_one(tiny_titles: dict[str, float]) -> None:
    grammar = load_grammar("tiny")
    for kind in range(len(grammar.kinds)):
        link = f"https://{site(kind)}/"
        nats = [floor(grammar, [title], [link]).value_nats_per_char * (len(title) + 5) for title in tiny_titles]
        assert sum(map(math.exp, [-one for one in nats])) == pytest.approx(1)


def test_facts_are_read_with_the_runs_own_table(tmp_path: Path) -> None:
    corpus = write(tmp_path, "csv").load()
    facts = TitleFacts.read(corpus, ["url"], 5)
    again = TitleFacts.read(corpus, ["url"], 5, facts.table)
    other = TitleFacts.read(corpus, ["url"], 5, FactTable(("url",), 5, (("site3.co.uk",),)))
    assert again.sha256 == facts.sha256 != other.sha256
