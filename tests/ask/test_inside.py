"""Attention, lens and neighbours show what the forward pass computed: recomputed by hand from the recorded parts."""

import numpy as np
import pytest
import torch

from sevenepochs.ask.inside import attention_maps, logit_lens, neighbours, token_id
from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import predict
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run

TEXT = "Ask HN: what do you use?"


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def test_attention_rows_sum_to_one_and_look_back_only(model: Model) -> None:
    found = attention_maps(model, TEXT)
    weights_LHTS = np.array(found["weights"])
    T = len(found["tokens"])
    assert found["tokens"] == model.tokens(model.encode(TEXT))
    assert weights_LHTS.shape == (2, 2, T, T)
    np.testing.assert_allclose(weights_LHTS.sum(-1), 1.0, atol=T * 1e-5)
    assert (np.triu(weights_LHTS, 1) == 0).all() and (weights_LHTS >= 0).all()


@torch.no_grad()
def test_the_blocks_output_follows_from_the_recorded_weights(model: Model) -> None:
    """x + out(weights . values) and then the MLP, written out here, is the next recorded hidden state."""
    (trace,) = model.activations([model.encode(TEXT)])
    for layer, block in enumerate(model.network.blocks):
        h_TD = torch.from_numpy(trace.hidden_LTD[layer])
        v_THK = block.attention.qkv(block.attention_norm(h_TD)).chunk(3, dim=-1)[2].unflatten(-1, (2, -1))
        mixed_THK = torch.einsum("hts,shk->thk", torch.from_numpy(trace.attention_LHTS[layer]), v_THK)
        h_TD = h_TD + block.attention.out(mixed_THK.flatten(1))
        h_TD = h_TD + block.mlp(block.mlp_norm(h_TD))
        np.testing.assert_allclose(h_TD, trace.hidden_LTD[layer + 1], atol=1e-4)


def test_habits_of_heads(model: Model) -> None:
    found = attention_maps(model, TEXT)
    weights_LHTS = np.array(found["weights"])
    T = weights_LHTS.shape[-1]
    for row in found["heads"]:
        weights_TS = weights_LHTS[row["layer"] - 1, row["head"] - 1]
        back = [sum(weights_TS[t, s] * (t - s) for s in range(t + 1)) for t in range(1, T)]
        assert row["mean_distance"] == pytest.approx(np.mean(back), abs=1e-2)
        assert row["previous_share"] == pytest.approx(np.mean([weights_TS[t, t - 1] for t in range(1, T)]), abs=1e-4)
        assert row["self_share"] == pytest.approx(np.mean([weights_TS[t, t] for t in range(1, T)]), abs=1e-4)
        assert row["first_share"] == pytest.approx(np.mean([weights_TS[t, 0] for t in range(1, T)]), abs=1e-4)
    assert found["even"]["share"] == pytest.approx(np.mean([1 / (t + 1) for t in range(1, T)]))
    assert found["even"]["mean_distance"] == pytest.approx(np.mean([t / 2 for t in range(1, T)]))
    nothing = attention_maps(model, "")
    assert nothing["heads"][0]["mean_distance"] is None and nothing["even"]["share"] is None


def test_the_last_layers_answer_is_the_models(model: Model) -> None:
    found = logit_lens(model, TEXT, k=5)
    assert [layer["name"] for layer in found["layers"]] == ["embedding", "block 1", "block 2"]
    context = model.encode(TEXT)
    for t, position in enumerate(found["layers"][-1]["positions"]):
        own = predict(model, context[: t + 1], 5, truth=None if t + 1 == len(context) else int(context[t + 1]))
        assert [row["id"] for row in position["top"]] == [row["id"] for row in own["top"]]
        np.testing.assert_allclose(
            [row["probability"] for row in position["top"]], [row["probability"] for row in own["top"]], atol=1e-5
        )
        assert ("truth" in position) == (t + 1 < len(context))
        if "truth" in position:
            assert position["truth"]["surprisal_bits"] == pytest.approx(own["truth"]["surprisal_bits"], abs=1e-3)


@torch.no_grad()
def test_the_first_layers_answer_reads_the_embedding(model: Model) -> None:
    found = logit_lens(model, TEXT, k=1)
    network = model.network
    x_BT = torch.from_numpy(model.encode(TEXT))[None]
    h_BTD = network.norm(network.embedding(x_BT) + network.position.weight_TD[: x_BT.shape[1]])
    highest_T = network.logits(h_BTD)[0].softmax(-1).max(-1)
    answers = [position["top"][0] for position in found["layers"][0]["positions"]]
    assert [answer["id"] for answer in answers] == highest_T.indices.tolist()
    np.testing.assert_allclose([answer["probability"] for answer in answers], highest_T.values, rtol=1e-4)


def test_neighbours_of_a_planted_embedding(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    planted_VD = np.zeros((model.vocab_size, 16), dtype=np.float32)
    planted_VD[:, 1:] = generator.normal(size=(model.vocab_size, 15)) * 10
    planted_VD[20], planted_VD[21], planted_VD[22] = np.eye(16)[0], 7 * np.eye(16)[0], -np.eye(16)[0]
    planted_VD[23] = 0.1 * (np.eye(16)[0] + 0.5 * np.eye(16)[1])
    planted_VD[24] = 0.0
    monkeypatch.setattr(Model, "embeddings", lambda self: planted_VD)
    found = neighbours(model, 20, k=model.vocab_size)["neighbours"]
    assert [row["id"] for row in found[:2]] == [21, 23] and found[-1]["id"] == 22
    assert [row["cosine"] for row in found[:2]] == pytest.approx([1.0, 1 / np.sqrt(1.25)], abs=1e-6)
    assert found[-1]["cosine"] == pytest.approx(-1.0) and len(found) == model.vocab_size - 1
    assert neighbours(model, 24, k=1)["neighbours"][0]["cosine"] == 0.0


def test_a_word_that_is_one_token(model: Model) -> None:
    shown = model.tokens(range(model.vocab_size))
    one = next(id for id, text in enumerate(shown) if text.startswith(" ") and len(text) > 2)
    assert token_id(model, model.tokenizer.show(one).strip()) == one
    with pytest.raises(UserError, match="tokens in this vocabulary"):
        token_id(model, "compilers of compilers")
    with pytest.raises(UserError, match="0 tokens"):
        token_id(model, "  ")
