"""Tokenizers that keep the text, and those that lose it in each of the known ways."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from sevenepochs.audit.tokenizer import audit_tokenizer, render
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import char_count, split_titles

TITLES = [f"Show HN: Example {i} – A Better Way to Ship (v{i % 7}.0)" for i in range(80)]
SPECIAL = ["<pad>", "<eos>", "<unk>"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> FileCorpus:
    path = tmp_path_factory.mktemp("corpus") / "titles.txt"
    path.write_text("\n".join(TITLES), encoding="utf-8")
    return FileCorpus(str(path))


def bpe(special: list[str] = SPECIAL, decoder: bool = True, pre=None, normaliser=None, vocab_size: int = 400):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>" if "<unk>" in special else None))
    if normaliser is not None:
        tokenizer.normalizer = normaliser
    tokenizer.pre_tokenizer = pre or pre_tokenizers.ByteLevel()
    if decoder:
        tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TITLES, trainer)
    return tokenizer


def audit(tokenizer: Tokenizer, corpus: FileCorpus, tmp_path: Path) -> dict:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    facts = audit_tokenizer(path, corpus)
    json.dumps(facts, allow_nan=False)
    assert all("\n" not in line for line in render(facts))
    assert str(tmp_path) not in json.dumps(facts)
    return facts


def test_stock_tokenizer_keeps_everything(corpus: FileCorpus, tmp_path: Path) -> None:
    tokenizer = bpe()
    facts = audit(tokenizer, corpus, tmp_path)
    validation = split_titles(TITLES).validation
    assert facts["reversible"] and facts["findings"] == [] and facts["causes"] == []
    assert facts["validation"]["text_chars"] == facts["validation"]["kept_chars"] == char_count(validation)
    assert facts["validation"]["n_tokens"] == len(tokenizer.encode("<eos>".join(validation) + "<eos>").ids)
    assert "none" in facts["sentence"] and "reversible" in render(facts)[0]


def test_lower_casing_loses_the_capitals(corpus: FileCorpus, tmp_path: Path) -> None:
    facts = audit(bpe(normaliser=normalizers.Lowercase()), corpus, tmp_path)
    validation = split_titles(TITLES).validation
    capitals = sum(char != char.lower() for title in validation for char in title)
    assert not facts["reversible"] and facts["validation"]["share_changed"] == 1.0
    assert facts["validation"]["text_chars"] - facts["validation"]["kept_chars"] == capitals
    assert facts["validation"]["predicted_chars"] == facts["validation"]["text_chars"]  # shorter it is not
    assert "Lowercase" in facts["causes"][0]
    assert facts["counterexamples"][0]["becomes"].strip() == facts["counterexamples"][0]["title"].lower()
    assert [f["rule"] for f in facts["findings"]] == ["lossy-tokenizer"]
    ratio = facts["validation"]["text_chars"] / facts["validation"]["kept_chars"]
    assert f"{ratio:.3f} times" in facts["sentence"]


def test_whitespace_pre_tokenizer_loses_spaces(corpus: FileCorpus, tmp_path: Path) -> None:
    facts = audit(bpe(pre=pre_tokenizers.Whitespace(), decoder=False), corpus, tmp_path)
    assert not facts["reversible"] and facts["validation"]["n_unknown_tokens"] == 0
    assert "Whitespace" in facts["causes"][0]


def test_unknown_pieces_count(corpus: FileCorpus, tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "Show": 1, "HN": 2, ":": 3}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    facts = audit(tokenizer, corpus, tmp_path)
    assert facts["validation"]["n_unknown_tokens"] > 8 and facts["validation"]["kept_share"] < 0.6
    assert facts["validation"]["predicted_chars"] < facts["validation"]["text_chars"]


def test_no_unknown_token_means_silently_dropped(corpus: FileCorpus, tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE(vocab={"S": 0, "h": 1}, merges=[]))
    facts = audit(tokenizer, corpus, tmp_path)
    assert not facts["reversible"] and facts["validation"]["n_unknown_tokens"] == 0
    assert not facts["has_eos"]


@pytest.mark.parametrize("pre", [None, pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
def test_a_missing_decoder_is_no_loss(pre, corpus: FileCorpus, tmp_path: Path) -> None:
    facts = audit(bpe(pre=pre, decoder=False), corpus, tmp_path)
    assert facts["reversible"], facts["counterexamples"]
    assert facts["decoder_assumed"] in ("ByteLevel", "Metaspace", "Fuse")


def test_without_eos_the_end_is_spelt(corpus: FileCorpus, tmp_path: Path) -> None:
    facts = audit(bpe(special=["</s>"]), corpus, tmp_path)
    assert facts["reversible"] and not facts["has_eos"]
    assert [f["rule"] for f in facts["findings"]] == ["no-eos-token"]
    assert "no-eos" not in "".join(render(facts)) and "no <eos>" in "".join(render(facts))


def test_special_text_in_titles_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "titles.txt"
    path.write_text("\n".join(f"{title} <eos> <unk>" for title in TITLES), encoding="utf-8")
    facts = audit(bpe(), FileCorpus(str(path)), tmp_path)
    assert facts["reversible"] and facts["validation"]["n_unknown_tokens"] == 0
    assert facts["validation"]["n_with_special_text"] == 8
    assert [f["rule"] for f in facts["findings"]] == ["special-text"]


def test_padding_and_truncation_in_the_file(corpus: FileCorpus, tmp_path: Path) -> None:
    tokenizer = bpe()
    tokenizer.enable_padding(length=1_000_000)
    assert audit(tokenizer, corpus, tmp_path)["reversible"]
    tokenizer.enable_truncation(max_length=3)
    facts = audit(tokenizer, corpus, tmp_path)
    assert not facts["reversible"] and "after 3 tokens" in facts["causes"][0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"model": {"type": "BPE"}}',
        b'{"version": "1.0", "model": 3}',
        b"[" * 9999,
    ],
)
def test_no_tokenizer_is_one_line(content: bytes, corpus: FileCorpus, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        audit_tokenizer(path, corpus)
    assert "\n" not in str(caught.value) and "tokenizer.json" in str(caught.value)


def test_missing_file_and_folder(corpus: FileCorpus, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(UserError):
            audit_tokenizer(path, corpus)
