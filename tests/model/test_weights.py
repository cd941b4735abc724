import numpy as np
import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.model.attention import Causal
from sevenepochs.model.gpt import GPT
from sevenepochs.model.position import Rope
from sevenepochs.model.weights import load_model_tensors, model_tensors

SMALL = GPT(n_layer=1, n_head=2, d_model=16, attention=Causal(rotary=Rope()))


def test_weights_go_out_and_come_back():
    one, two = SMALL.build(30, 8, seed=1), SMALL.build(30, 8, seed=2)
    tensors = model_tensors(one)
    load_model_tensors(two, tensors, "x")
    for (name, left), (_, right) in zip(one.state_dict().items(), two.state_dict().items(), strict=True):
        assert torch.equal(left, right), name
    assert two.head.embedding is two.embedding


def test_parameters_once_and_no_keys_or_tables():
    model = SMALL.build(30, 8, seed=1)
    assert set(model_tensors(model)) == {name for name, _ in model.named_parameters()}


def test_the_arrays_are_copies():
    model = SMALL.build(30, 8, seed=1)
    tensors = model_tensors(model)
    before = tensors["embedding.weight"].copy()
    with torch.no_grad():
        model.embedding.weight.zero_()
    np.testing.assert_array_equal(tensors["embedding.weight"], before)


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    model = SMALL.build(30, 8, seed=1)
    before = model_tensors(model)
    other = model_tensors(SMALL.build(30, 8, seed=2))
    missing = {name: array for name, array in other.items() if name != "norm.bias"}
    with pytest.raises(UserError, match=r"the file does not fit.*norm\.bias"):
        load_model_tensors(model, missing, "the file")
    with pytest.raises(UserError, match=r"embedding\.weight has shape \(31, 16\).*\(30, 16\)"):
        load_model_tensors(model, model_tensors(SMALL.build(31, 8, seed=2)), "the file")
    for name, array in model_tensors(model).items():
        np.testing.assert_array_equal(array, before[name])
