"""What the certificate says of runs that keep and that break the protocol. A run that breaks a rule still finishes."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokenizers
import torch.nn.functional as F
from tokenizers import normalizers

from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.experiment import Experiment
from sevenepochs.model.attention import AttentionConfig, Causal, CausalAttention
from sevenepochs.protocol.certificate import scoring_sha256
from sevenepochs.recipes.story import baseline
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trainer import run_training


@pytest.fixture(scope="module")
def small(tiny):
    return tiny.replace_all({"corpus": SampleCorpus(n_titles=40), "model.n_layer": 1})


def certificate_of(experiment, root):
    run = run_training(experiment, "x", root)
    assert run.state == "complete"
    return run.certificate


def test_the_stock_recipe_is_clean(shrink, tmp_path):
    certificate = certificate_of(shrink(baseline()), tmp_path)
    assert certificate["clean"] is True and certificate["broken"] == []
    assert [rule["rule"] for rule in certificate["rules"]] == [
        "seven epochs",
        "token budget",
        "training ids are the training split",
        "validation ids are the validation split",
        "tokenizer loses nothing",
        "causal",
    ]
    assert certificate["track"] == "single"
    assert certificate["seeds"] == {"data_seed": 1337, "seed": 1337, "official": True}
    assert certificate["scoring"] == {"sha256": scoring_sha256(), "rows": "Stream 32"}
    training = certificate["training"]
    assert training["epochs"] == 7 and training["forward_passes_per_token_per_epoch"] == 1
    steps_per_epoch = training["train_tokens"] // 256
    assert (
        training["tokens_used"] == 7 * steps_per_epoch * 256 <= training["token_budget"] == 7 * training["train_tokens"]
    )
    tokenizer = certificate["tokenizer"]
    assert tokenizer["trained_on"] == "train+validation" and tokenizer["reversible"] is True
    assert tokenizer["n_titles"] == 100 and tokenizer["n_with_special_text"] == 0
    assert certificate["split"]["n_validation"] == 10
    assert certificate["split"]["n_empty_titles"] == 0
    assert certificate["source"].keys() == {"commit", "dirty", "diff_sha256"} and certificate["earlier_sources"] == []


@pytest.mark.parametrize(("epochs", "broken"), [(3, ["seven epochs"]), (10, ["seven epochs", "token budget"])])
def test_other_epochs_are_named_when_the_run_begins_and_when_it_ends(small, tmp_path, monkeypatch, epochs, broken):
    said = []
    watcher = Watcher()
    monkeypatch.setattr(watcher, "message", said.append)
    certificate = run_training(small.replace("training.epochs", epochs), "x", tmp_path, watcher).certificate
    assert any(f"training.epochs is {epochs}" in text and "not 7" in text for text in said)
    assert certificate["clean"] is False and certificate["broken"] == broken
    assert certificate["rules"][0]["detail"] == f"{epochs} epochs"


@dataclass(frozen=True)
class LowerCase(TokenizerConfig):
    """A tokenizer that makes the task easier by changing the titles."""

    def build(self, split):
        hf = tokenizers.Tokenizer.from_str(BPE(vocab_size=300).build(split).json)
        hf.normalizer = normalizers.Lowercase()
        return Tokenizer(hf.to_str())


def test_a_lossy_tokenizer_is_named(small, tmp_path):
    certificate = certificate_of(small.replace("tokenizer", LowerCase()), tmp_path)
    assert certificate["broken"] == ["tokenizer loses nothing"]
    assert certificate["tokenizer"]["n_changed"] > 0 and certificate["tokenizer"]["first_changed"]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda ids: np.concatenate([ids[1:], ids[:1]]),  # the same tokens in another order
        lambda ids: np.where(np.arange(len(ids)) == 100, (ids + 1) % 300, ids).astype(np.int32),  # one token changed
        lambda ids: np.concatenate([ids, ids[:50]]),  # some more of it
    ],
    ids=["order", "one token", "more"],
)
def test_tampered_training_ids_are_named(small, tmp_path, tamper, monkeypatch):
    load_data = Experiment.load_data

    def tampered(self, *arguments):
        data = load_data(self, *arguments)
        return data._replace(train_ids=tamper(data.train_ids))

    monkeypatch.setattr(Experiment, "load_data", tampered)
    certificate = certificate_of(small, tmp_path)
    assert certificate["broken"] == ["training ids are the training split"]


def test_tampered_validation_ids_are_named(small, tmp_path, monkeypatch):
    load_data = Experiment.load_data

    def tampered(self, *arguments):
        data = load_data(self, *arguments)
        easy = np.roll(data.validation.ids_N, 1)
        return data._replace(validation=data.validation._replace(ids_N=easy))

    monkeypatch.setattr(Experiment, "load_data", tampered)
    certificate = certificate_of(small, tmp_path)
    assert certificate["broken"] == ["validation ids are the validation split"]


def test_rows_of_128_are_the_stock_rows_and_others_are_scored_under_them_too(small, tmp_path):
    # some titles more: the fewer rows of 128 there are, the more passes the check of causality takes
    small = small.replace_all({"corpus.n_titles": 300, "training.epochs": 1})
    stock = run_training(small.replace_all({"batches.block_size": 128, "batches.batch_size": 2}), "x", tmp_path)
    assert stock.certificate["scoring"]["rows"] == "stock"
    assert "exact_val_loss_stock_rows" not in stock.summary["figures"]
    other = run_training(small, "x", tmp_path)
    figures = other.summary["figures"]
    assert figures["exact_val_loss_stock_rows"] != figures["exact_val_loss"]


@dataclass(frozen=True)
class LooksAhead(AttentionConfig):
    def build(self, d_model, n_head, block_size):
        class Attention(CausalAttention):
            def _attend_written_out(self, q_BHTK, k_BHSK, v_BHSK, context):
                return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK)

            def forward(self, x_BTD, context):
                self.training = True
                return super().forward(x_BTD, context)

        return Attention(Causal(dropout=0.0), d_model, n_head, block_size)


def test_a_model_that_looks_ahead_is_named(small, tmp_path):
    certificate = certificate_of(small.replace_all({"model.attention": LooksAhead(), "model.init.std": 0.3}), tmp_path)
    assert certificate["broken"] == ["causal"]


class Messages(Watcher):
    def __init__(self):
        self.texts = []

    def message(self, text):
        self.texts.append(text)


@pytest.mark.parametrize(
    ("titles", "n_empty", "n_seen", "said"),
    [
        ([None if i % 5 else f"Title {i % 2}" for i in range(100)], 80, 10, 2),
        ([f"Title {i % 9}" for i in range(100)], 0, 10, 1),  # each again and again
        ([f"Title {i}" for i in range(100)], 0, 0, 0),
    ],
    ids=["80 % null", "all validation titles in training", "each once"],
)
def test_empty_and_known_titles_are_said_and_certified(small, tmp_path, titles, n_empty, n_seen, said):
    """Facts that only `corpus` told: training says them in a line each, and the certificate keeps both."""
    path = tmp_path / "titles.parquet"
    pq.write_table(pa.table({"title": pa.array(titles, pa.string())}), path)
    watcher = Messages()
    changes = {"corpus": FileCorpus(str(path)), "batches.batch_size": 2, "batches.block_size": 16}
    run = run_training(small.replace_all(changes), "x", tmp_path, watcher)
    split = run.certificate["split"]
    assert (split["n_empty_titles"], split["n_validation_titles_in_train"]) == (n_empty, n_seen)
    doubtful = [text for text in watcher.texts if "empty" in text or "word for word" in text]
    assert len(doubtful) == said and all("\n" not in text for text in doubtful)
    assert any(f"{n_empty} of 100 titles" in text and "80.0%" in text for text in doubtful) is (n_empty > 0)
    assert any(f"{n_seen} of 10 validation" in text and "100.0%" in text for text in doubtful) is (n_seen > 0)
