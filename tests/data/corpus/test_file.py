"""Every format gives the same titles; every bad file gives one message that says what, where and how to mend it."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import split_titles

TITLES = [f"Title {i}: “quoted”, a comma, {'x' * (i % 7)}\u2028 and – a dash" for i in range(30)]


def quiet(message: str) -> None:
    pass


def load(path: Path, column: str | None = None, encoding: str | None = None) -> Corpus:
    return FileCorpus(str(path), column, encoding).load(quiet)


def write_parquet(path: Path, column: str = "title", values: object = None) -> None:
    titles = TITLES if values is None else values
    pq.write_table(pa.table({"id": list(range(len(titles))), column: titles}), path)  # type: ignore[arg-type]


def write_csv(path: Path, column: str = "title") -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", column])
        writer.writerows(enumerate(TITLES))


def write_jsonl(path: Path, column: str = "title") -> None:
    path.write_text("".join(json.dumps({"id": 1, column: t}) + "\n" for t in TITLES), encoding="utf-8")


def write_txt(path: Path, column: str = "title") -> None:
    path.write_text("".join(t + "\n" for t in TITLES), encoding="utf-8")


WRITERS: dict[str, Callable[..., None]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "txt": write_txt,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_titles(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"my titles.{kind}"
    WRITERS[kind](path)
    corpus = load(path)
    assert list(corpus.rows) == TITLES
    assert corpus.name == "my-titles"
    assert corpus.source["file"] == path.name
    assert corpus.source["n_rows"] == 30
    assert corpus.source["warnings"] == []
    assert corpus.floor(TITLES) is None
    assert str(tmp_path) not in json.dumps(corpus.source)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "txt"])
def test_gzipped_text(kind: str, tmp_path: Path) -> None:
    plain = tmp_path / f"a.{kind}"
    WRITERS[kind](plain)
    packed = tmp_path / f"a.{kind}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(load(packed).rows) == TITLES
    assert load(packed).name == "a"


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_another_column(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    WRITERS[kind](path, "headline")
    assert list(load(path, "headline").rows) == TITLES
    with pytest.raises(UserError, match=r"'title'.*headline.*--column"):
        load(path)
    with pytest.raises(UserError, match="did you mean 'headline'"):
        load(path, "headlin")


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfOne\r\nTwo\r\n")
    assert list(load(path).rows) == ["One", "Two"]


def test_newline_in_a_quoted_csv_field(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('title,id\n"two\nlines",1\n"a ""quote""",2\n', encoding="utf-8")
    assert list(load(path).rows) == ["two\nlines", 'a "quote"']


def test_lines_without_a_record_are_left_out_and_said(tmp_path: Path) -> None:
    for name, content in (
        ("a.jsonl", '{"title": "One"}\n\n{"title": "Two"}\n \n'),
        ("a.csv", "id,title\n1,One\n\n2,Two\n\n"),
    ):
        path = tmp_path / name
        path.write_text(content)
        said: list[str] = []
        corpus = FileCorpus(str(path)).load(said.append)
        assert list(corpus.rows) == ["One", "Two"]
        assert said == corpus.source["warnings"] == [f"{name}: 2 blank lines were left out"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv of one column", "tsv", "jsonl", "json", "txt"])
def test_empty_titles_are_titles_in_every_format(kind: str, tmp_path: Path) -> None:
    titles = ["One", "", "Two", *["", "Three"] * 10, ""]
    path = tmp_path / f"a.{kind.split()[0]}"
    if kind == "parquet":
        write_parquet(path, values=[title or None for title in titles])
    elif kind == "csv of one column":
        path.write_text("title\n" + "".join(title + "\n" for title in titles))
    elif kind in ("csv", "tsv"):
        cut = "," if kind == "csv" else "\t"
        path.write_text(f"id{cut}title\n" + "".join(f"1{cut}{title}\n" for title in titles))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"title": title or None}) + "\n" for title in titles))
    elif kind == "json":
        path.write_text(json.dumps([{"title": title or None} for title in titles]))
    else:
        path.write_text("".join(title + "\n" for title in titles))
    corpus = load(path)
    assert list(corpus.rows) == titles
    assert split_titles(corpus.rows) == split_titles(titles)
    warnings = corpus.source["warnings"]
    assert len(warnings) == (kind == "txt") and all("12 blank" in warning for warning in warnings)


def test_null_titles_are_empty_titles(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", values=["One", None, "Two"])
    (tmp_path / "a.jsonl").write_text('{"title": "One"}\n{"title": null}\n{"title": "Two"}\n')
    assert list(load(tmp_path / "a.parquet").rows) == list(load(tmp_path / "a.jsonl").rows) == ["One", "", "Two"]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_arrow_string_types(kind: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = pa.array(["b", "a", None, "b"])
    pq.write_table(pa.table({"title": values.dictionary_encode() if "dict" in str(kind) else values.cast(kind)}), path)
    assert list(load(path).rows) == ["b", "a", "", "b"]


def test_arrow_rows_behave_like_a_list(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"title": TITLES}), path, row_group_size=7)
    rows = load(path).rows
    assert len(rows) == 30
    assert rows[-1] == TITLES[-1]
    assert rows[3:9:2] == TITLES[3:9:2]
    assert split_titles(rows) == split_titles(TITLES)


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.txt", b"", "is empty"),
    "only blank lines": ("a.txt", b"\n\n", "no titles"),
    "unknown extension": ("a.docx", b"x", r"\.parquet, \.csv, \.jsonl"),
    "parquet.gz": ("a.parquet.gz", b"x", "no extension that we know"),
    "no extension": ("titles", b"x", "no extension that we know"),
    "latin1 txt": ("a.txt", b"ok\ncaf\xe9\n", r"line 2, byte 4: not UTF-8 \(0xe9\).*iconv"),
    "latin1 csv": ("a.csv", b"title\nok\ncaf\xe9\n", "line 3.*not UTF-8"),
    "utf-16": ("a.txt", "One\nTwo\n".encode("utf-16"), "line 1: contains a NUL byte.*UTF-8"),
    "NUL": ("a.txt", b"ok\nok 2\na\0b\n", "line 3: contains a NUL byte"),
    "NUL in JSON": ("a.jsonl", b'{"title": "ok"}\n{"title": "a\\u0000b"}\n', "line 2.*NUL"),
    "half a surrogate": ("a.jsonl", b'{"title": "\\ud800"}\n', "line 1.*surrogate"),
    "10 MB line": ("a.txt", b"ok\n" + b"x" * 10_000_000, "line 2: longer than 1,000,000 bytes"),
    "10 MB csv field": ("a.csv", b'title\nok\n"' + b"x" * 10_000_000, "line 3: longer"),
    "10 MB JSON line": ("a.jsonl", b'{"title": "' + b"x" * 10_000_000 + b'"}\n', "line 1: longer"),
    "long title": ("a.txt", b"ok\n" + b"x" * 10_001 + b"\n", "line 2: the title has 10,001 characters"),
    "long csv title": ("a.csv", b"title\n" + b"x" * 10_001 + b"\n", "line 2: the title has 10,001"),
    "all equal": ("a.txt", b"same\n same\nsame \n", "all 3 titles are 'same'"),
    "not JSON": ("a.jsonl", b'{"title": "ok"}\n{"title": }\n', "line 2: not JSON"),
    "huge JSON number": ("a.jsonl", b'{"title": ' + b"9" * 5000 + b"}\n", "line 1: not JSON"),
    "deep JSON": ("a.jsonl", b"[" * 100_000 + b"\n", "line 1: not JSON"),
    "JSON list": ("a.jsonl", b'["x"]\n', "line 1.*not a JSON object"),
    "number as title": ("a.jsonl", b'{"title": "ok"}\n{"title": 5}\n', "line 2: 'title' is '5', not text"),
    "title missing in one line": ("a.jsonl", b'{"title": "ok"}\n{"titel": "x"}\n', "line 2: no 'title'; did you mean"),
    "open csv quote": ("a.csv", b'title\n"ok"\n"open\n', "bad csv.*quote"),
    "csv with too many fields": ("a.csv", b"id,title\n1,ok\n2,a, b\n", "line 3: 3 fields.*header has 2"),
    "damaged gzip": ("a.txt.gz", gzip.compress(b"x\n" * 99)[:-9], "line 1.*gzip data is damaged"),
    "not gzip": ("a.txt.gz", b"plain text\n", "gzip data is damaged"),
    "not parquet": ("a.parquet", b"PAR1 not really", "not a readable parquet file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(case: str, tmp_path: Path) -> None:
    name, content, message = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 400


def test_bitflip_in_gzip(tmp_path: Path) -> None:
    content = bytearray(gzip.compress("".join(f"title {i * i}\n" for i in range(5000)).encode()))
    content[len(content) // 2] ^= 255
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    with pytest.raises(UserError):
        load(path)


@pytest.mark.parametrize("keep", [4, 100, -1, -5, -40])
def test_truncated_parquet(keep: int, tmp_path: Path) -> None:
    write_parquet(tmp_path / "whole.parquet")
    path = tmp_path / "a.parquet"
    path.write_bytes((tmp_path / "whole.parquet").read_bytes()[:keep])
    with pytest.raises(UserError, match="not a readable parquet file"):
        load(path)


def test_parquet_with_bad_titles(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, values=["ok", "a\0b"])
    with pytest.raises(UserError, match="row 2: the title contains a NUL"):
        load(path)
    write_parquet(path, values=["ok", "ok2", "x" * 10_001])
    with pytest.raises(UserError, match="row 3: the title has 10,001 characters"):
        load(path)
    write_parquet(path, values=["same", "same"])
    with pytest.raises(UserError, match="all 2 titles"):
        load(path)
    write_parquet(path, values=[1, 2])
    with pytest.raises(UserError, match="holds int64, not text"):
        load(path)
    write_parquet(path, values=pa.array([], pa.string()))
    with pytest.raises(UserError, match="no titles"):
        load(path)
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"title": broken}), path)
    with pytest.raises(UserError, match="not UTF-8"):
        load(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "titles.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"does not exist; did you mean 'titles\.txt'"):
        load(tmp_path / "title.txt")
    with pytest.raises(UserError, match="the folder does not exist either"):
        load(tmp_path / "no" / "title.txt")
    with pytest.raises(UserError, match=r"is a folder; give one file in it, e\.g\. titles\.txt"):
        load(tmp_path)
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        load(tmp_path / "dir.csv")
    with pytest.raises(UserError, match=r"neither a file nor a known name; .*hub, sample, or"):
        FileCorpus("sampel").load(quiet)


WESTERN = ["A dash \u2013 here", "caf\u00e9", "\u201cquoted\u201d", *(f"Title {i}" for i in range(20))]


def write_lines(path: Path, titles: list[str], encoding: str) -> None:
    path.write_bytes("".join(f"{title}\n" for title in titles).encode(encoding))


@pytest.mark.parametrize(
    ("encoding", "advice"),
    [
        ("cp1252", "--encoding cp1252"),  # 0x96 of a dash, that latin1 would make U+0096 of
        ("utf-16", "--encoding utf-16"),  # ff fe
        ("utf-16-le", "--encoding utf-16-le"),  # without a mark
        ("utf-16-be", "--encoding utf-16-be"),
        ("utf-32", "--encoding utf-32"),
    ],
)
@pytest.mark.parametrize("kind", ["txt", "csv", "json", "txt.gz"])
def test_another_encoding_is_named_and_the_advice_works_to_its_end(
    encoding: str, advice: str, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind}"
    content = {
        "txt": "".join(f"{title}\n" for title in WESTERN),
        "csv": "id,title\n" + "".join(f"1,{title}\n" for title in WESTERN),
        "json": json.dumps([{"title": title} for title in WESTERN], ensure_ascii=False, indent=1),
    }[kind.removesuffix(".gz")].encode(encoding)
    path.write_bytes(gzip.compress(content) if kind.endswith(".gz") else content)
    with pytest.raises(UserError, match=f"{advice}($|[ ,;])"):
        load(path)
    corpus = load(path, encoding=advice.split()[1])
    assert list(corpus.rows) == WESTERN
    assert corpus.source["warnings"] == []


def test_utf_16_of_the_other_end_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xfe\xff" + "".join(f"{title}\r\n" for title in WESTERN).encode("utf-16-be"))
    with pytest.raises(UserError, match=r"fe ff, so it is UTF-16.*--encoding utf-16$"):
        load(path)
    assert list(load(path, encoding="utf-16").rows) == WESTERN


def test_gzip_without_its_extension_is_named_and_the_advice_works_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "my titles.txt"
    path.write_bytes(gzip.compress("".join(f"{title}\n" for title in TITLES).encode()))
    for encoding in (None, "cp1252"):
        with pytest.raises(UserError, match=r"gzip data.*mv 'my titles\.txt' 'my titles\.txt'\.gz"):
            load(path, encoding=encoding)
    subprocess.run("mv 'my titles.txt' 'my titles.txt'.gz", shell=True, check=True, cwd=tmp_path)
    assert list(load(tmp_path / "my titles.txt.gz").rows) == TITLES


@pytest.mark.parametrize(
    ("head", "named"),
    [(b"PK\x03\x04", "zip"), (b"PAR1", r"\.parquet"), (b"\xfd7zXZ", "unxz"), (b"\x28\xb5\x2f\xfd", "zstd")],
)
def test_other_formats_are_named(head: bytes, named: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(head + bytes(range(256)))
    with pytest.raises(UserError, match=named):
        load(path)


def test_no_encoding_is_advised_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_lines(path, ["\u041f\u0440\u0438\u0432\u0435\u0442", "\u043c\u0438\u0440"], "cp1251")  # not Western
    with pytest.raises(UserError, match="cp1251, shift_jis") as caught:
        load(path)
    assert "cp1252" not in str(caught.value)
    path.write_bytes("caf\u00e9\n".encode() + b"a dash \x96 here\n")  # one damaged line of a UTF-8 file
    with pytest.raises(UserError, match=r"line 2, byte 8: not UTF-8.*damaged") as caught:
        load(path)
    assert "--encoding" not in str(caught.value)
    damaged = tmp_path / "a.json"
    damaged.write_bytes('[{"title": "caf\u00e9"},\n'.encode() + b'{"title": "a dash \x96 here"}]')
    with pytest.raises(UserError, match=r"line 2, byte 19: not UTF-8.*damaged") as caught:
        load(damaged)
    assert "--encoding" not in str(caught.value)
    path.write_bytes(b"a dash \x81 here\n")  # not in cp1252 either
    with pytest.raises(UserError, match="name its encoding") as caught:
        load(path)
    for encoding in ("cp1252", "utf-16"):
        with pytest.raises(UserError, match=f"not {encoding}.*own encoding"):
            load(path, encoding=encoding)
    for encoding in ("latin-99", "rot13", "", "\0"):
        with pytest.raises(UserError, match=r"no text encoding of that name|UTF-8"):
            load(path, encoding=encoding)


def test_controls_of_a_wrong_conversion_are_said(tmp_path: Path) -> None:
    wrong = [title.encode("cp1252").decode("latin1") for title in WESTERN]  # as iconv -f latin1 makes them
    write_lines(tmp_path / "a.txt", wrong, "utf-8")
    write_parquet(tmp_path / "a.parquet", values=wrong)
    for path in (tmp_path / "a.txt", tmp_path / "a.parquet"):
        said: list[str] = []
        corpus = FileCorpus(str(path)).load(said.append)
        assert said == corpus.source["warnings"] and len(said) == 1
        assert "2 titles hold C1 control characters" in said[0] and "--encoding cp1252" in said[0]


def test_an_encoding_of_parquet_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match="leave --encoding cp1252 out"):
        load(tmp_path / "a.parquet", encoding="cp1252")


RAW = ['"Hello" and more', 'it is 5" long', '"all of it"', *TITLES]
RECORDS = [{"id": i, "title": title} for i, title in enumerate(TITLES)]
UNAMBIGUOUS: dict[str, tuple[str, str]] = {
    "array of objects": ("a.json", json.dumps(RECORDS)),
    "array of objects, indented": ("a.json", "\ufeff\n" + json.dumps(RECORDS, indent=2)),
    "array of objects, on one long line": ("a.json", json.dumps([{**r, "text": "x" * 50_000} for r in RECORDS])),
    "array in a jsonl": ("a.jsonl", json.dumps(RECORDS)),
    "JSON lines named json": ("a.json", "".join(json.dumps(record) + "\n" for record in RECORDS)),
    "JSON lines named ndjson": ("a.ndjson", "".join(json.dumps(record) + "\n" for record in RECORDS)),
    "tsv": ("a.tsv", "id\ttitle\n" + "".join(f'{i}\t"{t}"\n' for i, t in enumerate(TITLES))),
    "tsv that quotes nothing": (
        "a.tsv",
        "id\ttitle\n" + "".join(f"{i}\t{t}\n" for i, t in enumerate(RAW)),
    ),
    "tab in a csv": ("a.csv", "id\ttitle\n" + "".join(f'{i}\t"{t}"\n' for i, t in enumerate(TITLES))),
    "semicolons": (
        "a.csv",
        "id;title;url\r\n" + "".join(f"{i};{t};http://a/?b;c\r\n".replace("b;c", "b") for i, t in enumerate(TITLES)),
    ),
    "semicolons and quotes": ("a.csv", '"id";"title"\n' + "".join(f'"{i}";"{t}"\n' for i, t in enumerate(TITLES))),
}


@pytest.mark.parametrize("case", UNAMBIGUOUS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_what_is_unambiguous_is_read(case: str, packed: bool, tmp_path: Path) -> None:
    name, text = UNAMBIGUOUS[case]
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    corpus = load(path)
    assert list(corpus.rows) == (RAW if "quotes nothing" in case else TITLES)
    assert corpus.name == "a"
    assert corpus.source["column"] == "title"


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())]
)
def test_text_in_a_binary_column(kind: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = pa.array([None if i == 3 else title.encode() for i, title in enumerate(TITLES)], pa.binary())
    table = pa.table({"title": values.dictionary_encode() if "dict" in str(kind) else values.cast(kind)})
    pq.write_table(table, path)
    assert list(load(path).rows) == [*TITLES[:3], "", *TITLES[4:]]
    pq.write_table(pa.table({"title": pa.array([b"ok", b"\xff"], pa.binary())}), path)
    with pytest.raises(UserError, match="not UTF-8"):
        load(path)


AMBIGUOUS: dict[str, tuple[str, str, str]] = {
    "two titles in a csv": ("a.csv", "title,title\na,b\n", "2 columns are called 'title'"),
    "tsv with one bad quote": ("a.tsv", 'id\ttitle\n1\t"a ""b"" c"\n2\t"d" e\n', "line 3: bad csv"),
    "semicolons and another name": ("a.csv", "id;titel;url\n1;a;b\n", "did you mean 'titel'"),
    "semicolons and a field too many": ("a.csv", "id;title\n1;a;b\n", "around text that contains semicolons"),
    "one object over lines": ("a.json", json.dumps({"title": TITLES}, indent=1), "one JSON object over several lines"),
    "columns as pandas writes them": (
        "a.json",
        json.dumps({"title": {"0": "a", "1": "b"}}),
        "holds several values.*records",
    ),
    "an object around the records": ("a.json", json.dumps({"hits": RECORDS[:2]}), "no 'title'; known: hits"),
    "array of strings": ("a.json", json.dumps(["a", "b"]), "not a JSON object"),
    "array cut short": ("a.json", json.dumps(RECORDS)[:-1], "not JSON"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_is_ambiguous_is_refused_with_its_cause(case: str, tmp_path: Path) -> None:
    name, text, message = AMBIGUOUS[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_url_is_told_how_to_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"curl -L -o titles\.csv 'https://a\.example/x/titles\.csv\?raw=1'.*--corpus titles\.csv"
    ):
        FileCorpus("https://a.example/x/titles.csv?raw=1").load(quiet)
    with pytest.raises(UserError, match=r"fetch it first, then --corpus titles\.parquet$"):
        FileCorpus("hf://datasets/somebody/titles.parquet").load(quiet)
    write_txt(tmp_path / "a.txt")
    with pytest.raises(UserError, match=f"--corpus {tmp_path}/a.txt$"):
        FileCorpus(f"file://{tmp_path}/a.txt").load(quiet)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\nb\n")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"a\.txt cannot be read: Permission denied"):
        load(path)


def test_column_with_txt_is_refused(tmp_path: Path) -> None:
    write_txt(tmp_path / "a.txt")
    with pytest.raises(UserError, match="txt file has no columns"):
        load(tmp_path / "a.txt", "title")


def test_three_titles_load_but_cannot_be_split(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\nb\nc\n")
    with pytest.raises(UserError, match="3 titles; at least 10"):
        split_titles(load(tmp_path / "a.txt").rows)
