"""The ladder is one change per rung, and the recipes that are written out are the ones that it leads to."""

import inspect
from itertools import pairwise

import pytest
import torch

from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.tokenizer.trained import Unigram
from sevenepochs.learning.objective import RDrop
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.optim.muon import Muon
from sevenepochs.learning.schedule import WarmupStableDecay
from sevenepochs.model.attention import Causal, HeadGate
from sevenepochs.model.gpt import GPT, GPTModel, n_parameters
from sevenepochs.model.init import Normal
from sevenepochs.model.mlp import Gelu
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.residual import LayerScale
from sevenepochs.model.titles import Titles
from sevenepochs.recipes import RECORD_RECIPE, ladder, records
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import BEST, LADDER, PUBLIC_BEST, chain, list_recipes
from sevenepochs.recipes.source import as_python


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(LADDER)))
def test_each_step_changes_one_slot(lower, upper):
    before, after = load_recipe(lower).to_dict(), load_recipe(upper).to_dict()
    changed = [slot for slot in after if after[slot] != before[slot]]
    assert len(changed) == 1, changed
    docstring = next(recipe.docstring for recipe in list_recipes() if recipe.name == upper)
    assert lower in docstring.lower(), "a step says what it is a change of"


def test_the_order_of_definition_is_the_way_to_the_last_rung():
    assert chain(BEST) == list(LADDER) and LADDER[0] == "baseline"
    assert len(set(LADDER)) == len(LADDER) <= len(list_recipes())


def test_what_is_written_out_is_what_the_rungs_lead_to():
    assert records.letters() == ladder.letters()
    on_public_size = ladder.muon_decay().replace_all({**ladder.PUBLIC_SIZE, "objective": RDrop(weight=2.0)})
    assert records.public_best() == on_public_size


@pytest.mark.parametrize("name", [RECORD_RECIPE, PUBLIC_BEST])
def test_a_record_is_the_text_that_show_prints(name):
    written = inspect.getsource(getattr(records, name))
    docstring = f'    """{getattr(records, name).__doc__}"""\n'
    assert docstring in written
    assert as_python(load_recipe(name), name).endswith(written.replace(docstring, ""))


@pytest.mark.parametrize("name", [BEST, RECORD_RECIPE])
def test_the_record_and_the_best_have_the_public_recipes_layers(name):
    """What they gain over it is not bought with size; parts that words share are added up to one vector a token."""
    ours, public = load_recipe(name).model, load_recipe(PUBLIC_BEST).model
    assert (ours.n_layer, ours.n_head, ours.d_model, ours.mlp) == (
        public.n_layer,
        public.n_head,
        public.d_model,
        public.mlp,
    )


def test_the_public_recipe_as_published():
    """Written down a second time, from its description and not from the steps that lead to it."""
    got = load_recipe(PUBLIC_BEST)
    assert got.tokenizer == Unigram(vocab_size=16_000, trained_on="train+validation")
    assert got.batches == Stream(batch_size=16, block_size=256)
    assert got.model == GPT(
        n_layer=12, n_head=8, d_model=512, embedding_dropout=0.2,
        attention=Causal(dropout=0.0, bias=False, rotary=Rope(base=10_000.0), gate=HeadGate()),
        position=NoPosition(), norm=RMSNorm(eps=1e-6), mlp=Gelu(expansion=4, bias=False),
        residual=LayerScale(dropout=0.2, initial=0.1), init=Normal(std=0.02), titles=Titles(),
    )  # fmt: skip
    assert got.objective == RDrop(weight=2.0)
    rest = AdamW(lr=3e-4, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01)
    assert got.optimizer == Muon(lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.1, n_iterations=5, rest=rest)
    assert got.schedule == WarmupStableDecay(warmup=0.05, decay=0.1, shape="sqrt", floor=0.0)
    assert got.training.grad_clip == 1.0
    with torch.device("meta"):
        assert n_parameters(GPTModel(got.model, 16_000, 256)) == 46_014_976
