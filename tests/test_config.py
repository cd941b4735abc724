import dataclasses
import importlib.util
import json
import math
import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevenepochs.config import Config, check_range, kind_of
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import SGD, AdamW
from sevenepochs.learning.settings import Training
from sevenepochs.model.attention import Causal
from sevenepochs.model.gpt import GPT
from sevenepochs.model.position import Learned, NoPosition, Rope

_OPTIMIZERS = "adamw, muon, muon_firm_embedding, sgd"


@dataclass(frozen=True)
class Leaf(Config):
    rate: float = 0.5
    count: int = 3
    is_on: bool = False
    name: str = "x"
    sizes: tuple[int, ...] = (1, 2)
    mode: Literal["a", "b"] = "a"
    limit: float | None = None


@dataclass(frozen=True)
class Tree(Config):
    leaf: Leaf = dataclasses.field(default_factory=Leaf)
    other: Leaf | None = None


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def experiments():
    base = Experiment()
    return [
        base,
        base.replace("optimizer", AdamW(lr=1e-3)).replace("model.attention.rotary", Rope(base=500.0)),
        base.replace("corpus", FileCorpus("titles.txt")).replace("training.grad_clip", None),
        base.replace("model.position", NoPosition()).replace("tokenizer.trained_on", "train"),
    ]


@pytest.mark.parametrize("experiment", experiments(), ids=range(len(experiments())))
def test_json_round_trip(experiment):
    text = json.dumps(experiment.to_dict(), allow_nan=False)
    again = Experiment.from_dict(json.loads(text))
    assert again == experiment
    assert again.fingerprint() == experiment.fingerprint()


@given(
    st.builds(
        Leaf,
        rate=st.floats(allow_nan=False, allow_infinity=False),
        count=st.integers(),
        is_on=st.booleans(),
        name=st.text(),
        sizes=st.lists(st.integers()).map(tuple),
        mode=st.sampled_from(["a", "b"]),
        limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_every_value_survives_json(leaf):
    tree = Tree(leaf, leaf)
    assert Tree.from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


def test_the_kind_names_the_class():
    assert kind_of(AdamW) == "adamw" and kind_of(Leaf) == f"{__name__}:Leaf"
    assert Experiment().to_dict()["optimizer"]["kind"] == "sgd"


@pytest.mark.parametrize(
    ("path", "nearest_key"),
    [
        ("optimizer.learning_rat", "lr"),
        ("model.n_lyaer", "n_layer"),
        ("modle.n_layer", "model"),
        ("trainin", "training"),
    ],
)
def test_an_unknown_key_names_the_nearest(path, nearest_key):
    refused(lambda: Experiment().replace(path, 1), "unknown key", repr(path), nearest_key)


def test_an_unknown_key_in_a_file_names_the_nearest():
    data = Experiment().to_dict()
    data["model"]["n_hed"] = 8
    refused(lambda: Experiment.from_dict(data), "config.model", "'n_hed'", "did you mean 'n_head'")


def test_a_key_below_a_value_or_an_empty_slot():
    refused(lambda: Experiment().replace("optimizer.lr.x", 1), "'lr' has no fields")
    refused(lambda: Experiment().replace("model.attention.rotary.base", 1), "model.attention.rotary.base", "None")


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("leaf.rate", "3e-3", 3e-3),
        ("leaf.rate", 2, 2.0),
        ("leaf.rate", np.float32(0.5), 0.5),
        ("leaf.count", "1e3", 1000),
        ("leaf.count", 1e3, 1000),
        ("leaf.count", np.int64(4), 4),
        ("leaf.count", "9007199254740993", 2**53 + 1),
        ("leaf.count", 2**53 + 1, 2**53 + 1),
        ("leaf.is_on", "true", True),
        ("leaf.is_on", "False", False),
        ("leaf.sizes", "3,4", (3, 4)),
        ("leaf.sizes", [5], (5,)),
        ("leaf.mode", "b", "b"),
        ("leaf.limit", "none", None),
        ("leaf.limit", "2", 2.0),
        ("leaf.name", "none", "none"),
        ("other", "none", None),
    ],
)
def test_text_becomes_the_fields_type(path, text, value):
    tree = Tree().replace(path, text)
    for key in path.split("."):
        tree = getattr(tree, key)
    assert tree == value and type(tree) is type(value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("leaf.count", "1.5", "a whole number"),
        ("leaf.count", 1.5, "a whole number"),
        ("leaf.count", True, "a whole number"),
        ("leaf.count", "nan", "a whole number"),
        ("leaf.count", "inf", "a whole number"),
        ("leaf.count", None, "a whole number"),
        ("leaf.rate", "fast", "a number"),
        ("leaf.rate", "nan", "a number"),
        ("leaf.rate", "inf", "a number"),  # JSON has no infinity: it would come back as null
        ("leaf.rate", 10**400, "a number"),
        ("leaf.rate", False, "a number"),
        ("leaf.rate", [], "a number"),
        ("leaf.is_on", "yes", "true or false"),
        ("leaf.is_on", 1, "true or false"),
        ("leaf.name", 3, "text"),
        ("leaf.sizes", 5, "a list"),
        ("leaf.sizes", "1,x", "a whole number"),
        ("leaf.mode", "c", "known: a, b"),
        ("leaf.limit", "x", "a number"),
        ("leaf", 3, "'kind'"),
    ],
)
def test_a_wrong_type_is_refused(path, value, says):
    refused(lambda: Tree().replace(path, value), path, says)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("optimizer.lr", -1.0),
        ("optimizer.lr", "1e30"),
        ("model.n_layer", 0),
        ("model.n_head", 0),
        ("model.n_head", 3),
        ("model.embedding_dropout", 1.0),
        ("model.attention.dropout", -0.1),
        ("model.residual.dropout", 1.5),
        ("model.norm.eps", 0.0),
        ("model.mlp.expansion", 0),
        ("model.init.std", -1.0),
        ("batches.batch_size", 0),
        ("batches.block_size", -128),
        ("tokenizer.vocab_size", 258),
        ("training.seed", -1),
        ("training.seed", 2**32),
        ("training.epochs", 0),
        ("training.grad_clip", 0.0),
    ],
)
def test_a_number_out_of_range_is_refused(path, value):
    refused(lambda: Experiment().replace(path, value), path.split(".")[-1], str(value if value != "1e30" else 1e30))


def test_nan_and_infinity_are_in_no_range():
    for value in (math.nan, math.inf, -math.inf):
        refused(lambda value=value: check_range("x", value, 0.0), "x")
    check_range("x", 10**400, 0)  # a whole number that no float can hold


def test_choices_are_checked_from_python_too():
    refused(lambda: Training(precision="fp16"), "training.precision", "fp16", "bf16")
    refused(lambda: Training(device="tpu"), "training.device", "cpu")
    refused(lambda: BPE(trained_on="validation"), "tokenizer.trained_on", "train+validation")


def test_a_slot_is_replaced_by_its_kind():
    experiment = Experiment().replace("optimizer", "adamw").replace("optimizer.beta2", "0.99")
    assert experiment.optimizer == AdamW(beta2=0.99)
    assert Experiment().replace("optimizer", {"kind": "sgd", "momentum": 0.9}).optimizer == SGD(momentum=0.9)
    rotary = Experiment().replace("model.attention.rotary", "rope").model.attention
    assert rotary == Causal(rotary=Rope())


def test_a_kind_must_fit_its_slot():
    optim = "sevenepochs.learning.optim"
    for kind in (
        f"{optim}:SDG",
        f"{optim}:OptimizerConfig",
        "sevenepochs.learning.schedule:Cosine",
        f"{__name__}:Leaf",
    ):
        refused(
            lambda kind=kind: Experiment().replace("optimizer", kind),
            "no OptimizerConfig",
            _OPTIMIZERS,
        )
    for kind in ("SGD", "cosine", "optim.sgd:", ":SGD", "../evil:SGD", "optim sgd:SGD", "optim.sgd:SDG", ":", ""):
        refused(
            lambda kind=kind: Experiment().replace("optimizer", kind),
            "optimizer",
            _OPTIMIZERS,
        )


def test_changes_together_need_no_valid_half_way():
    model = Experiment().replace_all({"model.d_model": "100", "model.n_head": "10"}).model
    assert (model.d_model, model.n_head) == (100, 10)
    refused(lambda: Experiment().replace("model.d_model", 100), "not a multiple")
    experiment = Experiment().replace_all({"optimizer.beta2": "0.99", "optimizer": "adamw"})
    assert experiment.optimizer == AdamW(beta2=0.99)
    refused(lambda: Experiment().replace_all({"seed": 1}), "unknown key 'seed'")


def test_replace_leaves_the_original_alone():
    before = Experiment()
    before.replace("model.n_layer", 2)
    assert before == Experiment()
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.model.n_layer = 3


def test_a_foreign_kind_is_never_imported(tmp_path, monkeypatch):
    """A config.json from somebody else names a module that lies beside it: its code must not run."""
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\nclass Evil: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    refused(lambda: Experiment().replace("optimizer", "evil:Evil"), "'evil:Evil'", "--load")
    assert not (tmp_path / "ran").exists() and importlib.util.find_spec("evil") is not None


def test_a_loaded_foreign_kind_is_found_and_never_shadows_ours(monkeypatch):
    import types

    foreign = types.ModuleType("settings")  # a user's file may well have the name of one of our modules
    foreign.Training = type("Training", (), {})
    monkeypatch.setitem(sys.modules, "settings", foreign)
    assert Experiment.from_dict(Experiment().to_dict()) == Experiment()
    mine = types.ModuleType("my_recipe")
    exec("from sevenepochs.learning.optim import SGD\nclass Mine(SGD): pass", mine.__dict__)
    mine.Mine.__module__ = "my_recipe"
    monkeypatch.setitem(sys.modules, "my_recipe", mine)
    assert type(Experiment().replace("optimizer", "my_recipe:Mine").optimizer) is mine.Mine


def test_the_fingerprint_follows_every_value():
    experiment = Experiment()
    assert experiment.fingerprint() == Experiment().fingerprint()
    assert len(experiment.fingerprint()) == 12
    changed = [
        experiment.replace("optimizer.lr", 6.1e-3),
        experiment.replace("training.seed", 1),
        experiment.replace("model.position", NoPosition()),
        experiment.replace("model.attention.rotary", Rope()),
    ]
    assert len({e.fingerprint() for e in [experiment, *changed]}) == 5


def test_the_fingerprint_of_the_stock_model_stays():
    """Caches go by it. Update it when a field was added on purpose, and config/old_configs.py with it."""
    assert GPT(position=Learned()).fingerprint() == GPT().fingerprint() == "44e455e94cb6"
