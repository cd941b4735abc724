"""Vectors of facts at the <eos> that opens a title: where they act, where they do not, and when they are dropped."""

import dataclasses

import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import RDrop
from sevenepochs.model.dropout import begin_at, reseed, share_rows
from sevenepochs.model.facts import Facts
from sevenepochs.model.gpt import GPT, GPTModel, n_parameters
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.titles import Titles

V, EOS = 12, 1
PLAIN = GPT(n_layer=2, n_head=2, d_model=8, embedding_dropout=0.0, titles=Titles(), position=NoPosition())
PLAIN = PLAIN.replace_all({"attention.dropout": 0.0, "residual.dropout": 0.0, "attention.rotary": Rope()})
FACTS = Facts(columns=("url", "time"), n_values=4, dropout=0.4)
ROW = torch.tensor([[EOS, 5, 6, EOS, 7, 8, EOS, 9]])


def built(config: GPT) -> GPTModel:
    model = config.build(V, 16, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GPTModel:
    return built(dataclasses.replace(PLAIN, facts=FACTS))


def told(row_BT: torch.Tensor, place: int, code: int) -> torch.Tensor:
    row_BT = row_BT.clone()
    row_BT[0, place] += V * code
    return row_BT


def test_none_told_is_the_model_without_the_slot(model: GPTModel) -> None:
    plain = PLAIN.build(V, 16, seed=0)
    fresh = dataclasses.replace(PLAIN, facts=FACTS).build(V, 16, seed=0)
    assert all(torch.equal(one, fresh.state_dict()[name]) for name, one in plain.state_dict().items())
    assert n_parameters(fresh) - n_parameters(plain) == 2 * (4 + 3) * 8
    with torch.no_grad():
        assert torch.equal(plain.eval()(ROW), fresh.eval()(ROW))


def test_a_fact_moves_its_own_title_and_no_other(model: GPTModel) -> None:
    with torch.no_grad():
        before, after = model(ROW), model(told(ROW, 3, 2 + 7 * 5))
    moved = (before - after).abs().amax(-1)[0] > 1e-4
    assert moved.tolist() == [False, False, False, True, True, True, False, False]


def test_each_fact_adds_the_vector_of_its_number(model: GPTModel) -> None:
    assert model.facts is not None
    ids, vectors = model.facts(told(told(ROW, 3, 2 + 7 * 5), 6, 7 * 3))
    table = model.facts.vectors
    assert torch.equal(ids, ROW) and torch.equal(vectors[0, 3], table[2] + table[7 + 5])
    assert torch.equal(vectors[0, 6], table[7 + 3]) and not vectors[0, [0, 1, 2, 4, 5, 7]].any()


def test_a_row_in_pieces_is_the_row(model: GPTModel) -> None:
    row = told(ROW, 0, 3)
    cache = model.new_cache(1)
    with torch.no_grad():
        pieces = torch.cat([model(row[:, :4], cache), model(row[:, 4:], cache)], dim=1)
        assert torch.allclose(model(row), pieces, atol=1e-5)


def kept(model: GPTModel, rows: torch.Tensor, step: int, first_row: int = 0) -> torch.Tensor:
    """Which facts a training step tells, (B, T, 2), all of them given at every place."""
    assert model.facts is not None
    reseed(model, 1, step)
    begin_at(model, first_row)
    numbers = model.facts.train()._kept(rows)
    model.eval()
    return numbers


def test_facts_are_dropped_together_and_each_alone(model: GPTModel) -> None:
    rows = torch.randint(V * 49, (50, 16), generator=torch.Generator().manual_seed(0))
    told_BTF = torch.cat([kept(model, rows, step) for step in range(20)]).flatten(0, 1).float()
    both, neither = told_BTF.prod(-1).mean(), (1 - told_BTF).prod(-1).mean()
    assert both == pytest.approx(0.6 * 0.36, abs=0.02) and neither == pytest.approx(0.4 + 0.6 * 0.16, abs=0.02)


def test_both_passes_of_r_drop_and_every_part_of_a_batch_agree(model: GPTModel) -> None:
    rows = torch.randint(V * 49, (8, 16), generator=torch.Generator().manual_seed(0))
    whole = kept(model, rows, 3)
    assert torch.equal(kept(model, torch.cat((rows, rows)), 3), torch.cat((whole, whole)))
    share_rows(model, 4, 8)
    assert torch.equal(kept(model, rows[4:], 3, first_row=4), whole[4:])
    share_rows(model, 8, 8)
    assert not torch.equal(kept(model, rows, 4), whole)


def test_it_is_trained(model: GPTModel) -> None:
    y = torch.tensor([[5, 6, EOS, 7, 8, EOS, 9, -100]])
    model.zero_grad()
    reseed(model.train(), 1, 5)
    RDrop().loss(model, told(ROW, 0, 3), y).backward()
    assert model.facts is not None and model.facts.vectors.grad is not None
    assert model.facts.vectors.grad[3].abs().sum() > 0
    model.eval()


@pytest.mark.parametrize("columns", [(), ("url", "url"), ("",)])
def test_columns_are_named_and_differ(columns: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="columns"):
        Facts(columns=columns)


def test_more_facts_than_an_id_can_carry_are_refused() -> None:
    with pytest.raises(UserError, match="too many"):
        Facts(columns=tuple("abcdefg"), n_values=1_000_000).build(16_000, 8)


def test_the_slot_is_chosen_by_text() -> None:
    changes = {"model.facts": "facts", "model.facts.columns": "url,posted:time"}
    assert Experiment().replace_all(changes).model.facts == Facts(columns=("url", "posted:time"))
