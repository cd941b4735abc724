import dataclasses
import json

import pytest

from sevenepochs.protocol.certificate import Facts, certificate

GOOD = Facts(
    track="single",
    epochs=7,
    seed=1337,
    corpus={"name": "x", "recognised": "2023"},
    split={"n_train": 90},
    train_tokens=1000,
    tokens_used=6720,
    passes_per_token=1,
    parameters=5,
    tokenizer_sha256="aa",
    tokenizer_trained_on="train",
    tokenizer_fidelity={"reversible": True, "n_changed": 0, "n_titles": 100, "n_unknown_tokens": 0},
    ids_sha256="bb",
    expected_ids_sha256="bb",
    validation_ids_sha256="dd",
    expected_validation_ids_sha256="dd",
    rows="stock",
    causality_violation_nats=1e-6,
    environment={"source": {"commit": "c", "dirty": True, "diff_sha256": "d", "diff": "text"}},
)


def test_a_good_run_is_clean():
    result = certificate(GOOD)
    assert result["clean"] is True and result["broken"] == []
    assert result["training"]["token_budget"] == 7000
    assert result["source"] == {"commit": "c", "dirty": True, "diff_sha256": "d"}
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"epochs": 6}, "seven epochs"),
        ({"tokens_used": 7001}, "token budget"),
        ({"expected_ids_sha256": "cc"}, "training ids are the training split"),
        ({"validation_ids_sha256": "ee"}, "validation ids are the validation split"),
        ({"tokenizer_fidelity": {**GOOD.tokenizer_fidelity, "reversible": False}}, "tokenizer loses nothing"),
        ({"causality_violation_nats": 2e-4}, "causal"),
        ({"causality_violation_nats": float("nan")}, "causal"),
    ],
)
def test_each_rule_by_itself(change, broken):
    result = certificate(dataclasses.replace(GOOD, **change))
    assert result["clean"] is False and result["broken"] == [broken]


def test_the_whole_budget_may_be_used():
    assert certificate(dataclasses.replace(GOOD, tokens_used=7000))["clean"]


def test_another_seed_is_allowed_and_named():
    result = certificate(dataclasses.replace(GOOD, seed=1338))
    assert result["clean"] and result["seeds"] == {"data_seed": 1337, "seed": 1338, "official": False}


def test_a_source_tree_without_git_is_said_to_be_unknown():
    result = certificate(dataclasses.replace(GOOD, environment={"source": None}))
    assert result["source"] == {"commit": None, "dirty": None, "diff_sha256": None}


def test_input_dropout_is_stated():
    assert "input_dropout" not in certificate(GOOD)["training"]
    assert certificate(dataclasses.replace(GOOD, input_dropout=0.1))["training"]["input_dropout"] == 0.1
