"""The names of configuration classes on disk: the table of config/kinds.py and what the classes declare are one."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import sevenepochs
from sevenepochs.ask.rebuild import Unset
from sevenepochs.config import Config, kind_of
from sevenepochs.config.kinds import KINDS
from sevenepochs.config.old_configs import OLD_KINDS
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.optim.muon import Muon
from sevenepochs.model.skip import SkipConfig


def _subclasses(cls: type) -> Iterator[type[Config]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


@pytest.fixture(scope="module")
def classes() -> set[type[Config]]:
    """Every class of the package that can stand in a configuration."""
    files = pkgutil.walk_packages(sevenepochs.__path__, "sevenepochs.", onerror=lambda name: None)
    for name in [file.name for file in files if not file.name.endswith("__main__")]:
        importlib.import_module(name)
    ours = {cls for cls in _subclasses(Config) if cls.__module__.startswith("sevenepochs.")}
    return {cls for cls in ours if not inspect.isabstract(cls)} - {Unset}  # which is never written


def test_every_class_declares_a_kind_that_no_other_has(classes: set[type[Config]]) -> None:
    kinds = [kind_of(cls) for cls in classes]
    assert all(kind.isidentifier() for kind in kinds), kinds
    assert len(set(kinds)) == len(kinds)  # more than unique in its slot: exported code and old_configs go by kind alone


def test_the_table_is_what_the_classes_declare(classes: set[type[Config]]) -> None:
    declared: dict[str, dict[str, type[Config]]] = {}
    for cls in classes:
        slot = cls.__mro__[cls.__mro__.index(Config) - 1]
        if inspect.isabstract(slot):
            declared.setdefault(slot.__name__, {})[kind_of(cls)] = cls
    found = {
        slot: {
            kind: getattr(importlib.import_module(f"sevenepochs.{place.partition(':')[0]}"), place.partition(":")[2])
            for kind, place in kinds.items()
        }
        for slot, kinds in KINDS.items()
    }
    assert found == declared


def test_an_old_kind_has_a_present_one(classes: set[type[Config]]) -> None:
    assert set(OLD_KINDS.values()) <= {kind_of(cls) for cls in classes}
    assert len(set(OLD_KINDS.values())) == len(OLD_KINDS)


def test_a_slot_is_chosen_by_its_short_kind() -> None:
    assert Experiment().replace("tokenizer", "bpe").tokenizer == BPE()
    assert Experiment().replace("optimizer", "muon").replace(
        "optimizer.rest", {"kind": "adamw", "lr": 1.0}
    ).optimizer == (Muon(rest=AdamW(lr=1.0)))


@pytest.mark.parametrize(
    ("key", "kind", "parts"),
    [
        ("tokenizer", "bpee", ["tokenizer = 'bpee'", "did you mean 'bpe'", "unigram"]),
        ("tokenizer", "bpe:BPE", ["'bpe:BPE'", "bpe, unigram", "--load"]),
        ("optimizer", "cosine", ["'cosine'", "adamw, muon", "sgd"]),
        ("optimizer", "schedule.cosine:Cosine", ["'cosine'", "adamw, muon", "sgd"]),
        ("model.attention.rotary", "learned", ["'learned'", "known: rope"]),
        ("training", "gpt", ["'gpt'", "known: training"]),
    ],
)
def test_an_unknown_kind_is_answered_with_the_slots(key: str, kind: str, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        Experiment().replace(key, kind)
    assert all(part in str(caught.value) for part in parts) and "\n" not in str(caught.value), str(caught.value)


def test_a_kind_is_not_inherited_and_not_for_users() -> None:
    class Mine(AdamW):
        pass

    assert kind_of(Mine) == f"{__name__}:{Mine.__qualname__}"
    with pytest.raises(UserError, match="leave it out"):

        class Skip(SkipConfig, kind="smear"):
            pass
