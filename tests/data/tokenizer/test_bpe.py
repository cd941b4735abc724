import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers

from sevenepochs.data.tokenizer import trained
from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, joined_text

TRAIN = ("Show HN: A tiny compiler", "Ask HN: Who is hiring? (May 2020)", "Résumé – “quoted” naïve café", "Why Rust?")
VALIDATION = ("Launch HN: 日本語 compiler", "A tiny, tiny compiler 🚀")
SPLIT = Split(TRAIN, VALIDATION)
# what the corpus lets through: any text but NUL and half surrogates, stripped
TITLES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(str.strip), max_size=8)


@pytest.fixture(scope="module", params=["train", "train+validation"])
def tokenizer(request):
    return BPE(vocab_size=320, trained_on=request.param).build(SPLIT)


@pytest.fixture(scope="module")
def train_only():
    return BPE(vocab_size=320, trained_on="train").build(SPLIT)


def normalising(step):
    """A tokenizer that changes what it is given, as a careless recipe might."""
    hf = tokenizers.Tokenizer.from_str(BPE(vocab_size=320, trained_on="train").build(SPLIT).json)
    hf.normalizer = step
    return Tokenizer(hf.to_str())


# ---- tokens as people read them ----


def test_tokens_are_shown_one_by_one_and_parts_of_a_character_as_bytes(train_only):
    ids, spans = train_only.encode_with_spans("a 漢 b")
    assert ids == train_only.encode("a 漢 b")
    assert "".join(map(train_only.show, ids)) == " a \\xe6\\xbc\\xa2 b"
    whole = [train_only.is_text(id) for id in ids]
    assert whole == [train_only.show(id) == train_only.decode([id]) for id in ids] and not all(whole)
    assert spans[0] == (0, 1) and spans[-1] == (4, 5) and spans.count((2, 3)) == 3
    assert [train_only.show(id) for id in range(3)] == list(SPECIAL_TOKENS)


# ---- titles one by one are the joined text ----


@given(titles=TITLES.filter(bool))
def test_one_by_one_is_the_joined_text(tokenizer, titles):
    stream = tokenizer.encode_stream(titles)
    assert stream.dtype == np.int32
    assert stream.tolist() == tokenizer.encode(joined_text(titles))


@given(titles=st.lists(st.sampled_from(["", "a", "<", "<eos", "eos>", "<eos>", "a<pad>b", "<unk>", "x <eos> y", ">"])))
def test_titles_that_look_like_special_tokens(tokenizer, titles):
    titles = [title.strip() for title in [*titles, "z"]]
    assert tokenizer.encode_stream(titles).tolist() == tokenizer.encode(joined_text(titles))


def test_every_title_ends_in_eos(tokenizer):
    stream = tokenizer.encode_stream(["", "Why Rust?", ""])
    assert stream[0] == stream[-1] == stream[-2] == tokenizer.eos_id
    assert (stream == tokenizer.eos_id).sum() == 3


# ---- nothing is lost ----


@given(titles=TITLES)
def test_train_only_never_yields_unk_and_gives_every_title_back(train_only, titles):
    fidelity = train_only.fidelity(titles)
    assert fidelity.n_unknown_tokens == 0
    assert fidelity.reversible, fidelity.first_changed
    assert all(train_only.unk_id not in train_only.encode(t) for t in titles if "<unk>" not in t)


def test_the_stock_tokenizer_gives_its_own_titles_back(tokenizer):
    fidelity = tokenizer.fidelity(TRAIN)
    assert (fidelity.n_titles, fidelity.n_changed, fidelity.n_unknown_tokens) == (4, 0, 0)
    assert fidelity.reversible


def test_bytes_never_seen_become_unk_in_the_stock_tokenizer_only(train_only):
    """The stock vocabulary starts from the bytes that occur in both splits, so text from elsewhere can lose."""
    stock = BPE(vocab_size=320).build(Split(("aaa",) * 9, ("aaa",)))
    fidelity = stock.fidelity(["zzz", "aaa"])
    assert fidelity.n_unknown_tokens > 0 and not fidelity.reversible
    assert train_only.fidelity(["zzz \u2603"]).reversible


def test_a_title_that_says_unk_itself_is_no_loss(train_only):
    assert train_only.fidelity(["what does <unk> mean", "<eos>"]).reversible


def test_a_tokenizer_is_trained_anew_where_the_code_that_trains_it_has_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("SEVENEPOCHS_CACHE", str(tmp_path))
    config = BPE(vocab_size=320)
    for _ in range(2):
        config.build(Split(("aaa",) * 9, ("aaa",)))
    assert len(list(tmp_path.rglob("*.tok"))) == 1
    monkeypatch.setattr(trained, "_source", lambda config: "another version")
    config.build(Split(("aaa",) * 9, ("aaa",)))
    assert len(list(tmp_path.rglob("*.tok"))) == 2


@pytest.mark.parametrize(
    ("step", "n_changed"),
    [
        (normalizers.Lowercase(), 4),
        (normalizers.Replace(" ", ""), 4),
        (normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), 1),
        (normalizers.Prepend("Title: "), 4),
    ],
    ids=["lower case", "spaces", "accents", "marker text"],
)
def test_a_lossy_tokenizer_is_found(step, n_changed):
    fidelity = normalising(step).fidelity(TRAIN)
    assert fidelity.n_changed == n_changed and not fidelity.reversible
    title, text = fidelity.first_changed[0]
    assert title in TRAIN and text != title


def test_one_leading_space_of_the_pre_tokenizer_is_forgiven_and_no_more():
    hf = tokenizers.Tokenizer(models.BPE({"Ġ": 0, "a": 1, "<eos>": 2}, []))
    hf.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    hf.decoder = decoders.ByteLevel()
    assert Tokenizer(hf.to_str()).fidelity(["a a"]).n_changed == 0
    hf.normalizer = normalizers.Prepend(" ")
    hf.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert Tokenizer(hf.to_str()).fidelity(["a a"]).n_changed == 0
    hf.normalizer = normalizers.Prepend("  ")
    assert Tokenizer(hf.to_str()).fidelity(["a a"]).n_changed == 1


def test_titles_with_a_special_tokens_text_are_counted(tokenizer):
    assert tokenizer.fidelity(["a <eos> b", "<pad>", "plain"]).n_with_special_text == 2


# ---- what it is ----


def test_special_tokens_come_first(tokenizer):
    vocabulary = json.loads(tokenizer.json)["model"]["vocab"]
    assert SPECIAL_TOKENS == ("<pad>", "<eos>", "<unk>")
    assert [vocabulary[token] for token in SPECIAL_TOKENS] == [0, 1, 2]
    assert (tokenizer.eos_id, tokenizer.unk_id) == (1, 2)


def test_the_vocabulary_has_the_size_asked_for_while_there_are_pairs():
    titles = tuple(f"title number {i} of {i * i}" for i in range(500))
    assert BPE(vocab_size=400).build(Split(titles, ())).vocab_size == 400
    assert BPE(vocab_size=5000).build(Split(("ab",), ())).vocab_size < 10


def test_validation_text_has_no_say_in_train_only():
    one, two = (BPE(vocab_size=320, trained_on="train").build(Split(TRAIN, v)).sha256 for v in (VALIDATION, ("x",)))
    assert one == two
    one, two = (BPE(vocab_size=320).build(Split(TRAIN, v)).sha256 for v in (VALIDATION, ("zzzz zzzz",)))
    assert one != two


def test_decode_shows_special_tokens(tokenizer):
    assert tokenizer.decode(tokenizer.encode("Why Rust?<eos>")).strip() == "Why Rust?<eos>"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "not json", '{"model": 3}'])
def test_a_damaged_tokenizer_file_is_named(text):
    with pytest.raises(UserError, match=r"tokenizer\.json"):
        Tokenizer(text)


def test_a_tokenizer_without_eos_is_refused():
    hf = tokenizers.Tokenizer(models.BPE({"a": 0}, []))
    with pytest.raises(UserError, match="<eos>"):
        Tokenizer(hf.to_str())


# ---- the cache ----


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEVENEPOCHS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


def count_trainings(monkeypatch):
    calls = []
    train = BPE._train
    monkeypatch.setattr(BPE, "_train", lambda self, titles: calls.append(1) or train(self, titles))
    return calls


def test_a_hit_equals_a_miss(cache, monkeypatch):
    calls = count_trainings(monkeypatch)
    miss, hit = BPE(vocab_size=300).build(SPLIT), BPE(vocab_size=300).build(SPLIT)
    assert len(calls) == 1
    assert miss.json == hit.json and miss.sha256 == hit.sha256 and miss.vocab_size == hit.vocab_size
    assert [path.suffix for path in cache.iterdir()] == [".tok"]  # no partial file stays


def test_every_setting_and_title_has_a_place_of_its_own(cache, monkeypatch):
    calls = count_trainings(monkeypatch)
    for config, split in [
        (BPE(vocab_size=300), SPLIT),
        (BPE(vocab_size=301), SPLIT),
        (BPE(vocab_size=300, trained_on="train"), SPLIT),
        (BPE(vocab_size=300), Split(TRAIN[::-1], VALIDATION)),
        (BPE(vocab_size=300), Split(("ab", "c"), ())),
        (BPE(vocab_size=300), Split(("a", "bc"), ())),
    ]:
        config.build(split)
    assert len(calls) == len(list(cache.iterdir())) == 6


def cut(data):
    return data[: len(data) // 2]


def two_ids_swapped(data):
    """Still a tokenizer, and a wrong one."""
    header, _, text = data.partition(b"\n")
    definition = json.loads(text)
    vocabulary = definition["model"]["vocab"]
    vocabulary["R"], vocabulary["W"] = vocabulary["W"], vocabulary["R"]
    swapped = json.dumps(definition)
    assert Tokenizer(swapped).encode("oR") != Tokenizer(text.decode()).encode("oR")
    return header + b"\n" + swapped.encode()


@pytest.mark.parametrize(
    "damage",
    [cut, two_ids_swapped, lambda _: b"", lambda _: b"\xff\xfe", lambda _: b"{}"],
    ids=["cut", "swapped", "", "x", "{}"],
)
def test_a_damaged_cache_file_is_trained_again(cache, monkeypatch, damage):
    right = BPE(vocab_size=300).build(SPLIT)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    assert damage(whole) != whole
    file.write_bytes(damage(whole))
    calls = count_trainings(monkeypatch)
    assert BPE(vocab_size=300).build(SPLIT).json == right.json
    assert len(calls) == 1
    assert file.read_bytes() == whole  # mended


def test_a_cache_that_cannot_be_written_is_no_matter(tmp_path, monkeypatch):
    blocked = tmp_path / "a file, not a folder"
    blocked.touch()
    monkeypatch.setenv("SEVENEPOCHS_CACHE", str(blocked))
    assert BPE(vocab_size=300).build(SPLIT).decode([1]) == "<eos>"


def test_a_full_disk_leaves_no_half_file(cache, monkeypatch):
    def no_space(self, data):
        self.open("wb").write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    assert BPE(vocab_size=300).build(SPLIT).decode([1]) == "<eos>"
    assert not list(cache.glob("*.tok"))


@pytest.mark.parametrize("parallel", ["true", "false"])
def test_another_process_trains_the_same_tokenizer(tmp_path, parallel):
    titles = [f"Title {i % 97} about {i * 7919 % 1009} things – {chr(0x3B1 + i % 20)}" for i in range(2000)]
    here = BPE(vocab_size=600).build(Split(tuple(titles), ("x",)))
    code = (
        "import json, sys\n"
        "from sevenepochs.protocol.budget import Split\nfrom sevenepochs.data.tokenizer.trained import BPE\n"
        "t = BPE(vocab_size=600).build(Split(tuple(json.load(sys.stdin)), ('x',)))\n"
        "import hashlib\n"
        'print(t.sha256, hashlib.sha256(t.encode_stream(json.loads(\'["Title 3", ""]\')).tobytes()).hexdigest())'
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(trained.__file__).parents[3]),
        "SEVENEPOCHS_CACHE": str(tmp_path),
        "TOKENIZERS_PARALLELISM": parallel,
        "RAYON_NUM_THREADS": "4" if parallel == "true" else "1",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(titles), capture_output=True, text=True, env=environment
    )
    assert done.stdout.split()[:1] == [here.sha256], done.stderr
