"""The transformers folder: GPT-2 where that is the same function, refused for the rest."""

import dataclasses
import json
from pathlib import Path

import pytest
from torch import nn

from sevenepochs.ask.model import Model
from sevenepochs.cli.main import main
from sevenepochs.errors import UserError
from sevenepochs.export import hf
from sevenepochs.export.probe import TOLERANCE, check_logits
from sevenepochs.model.attention import Causal
from sevenepochs.model.mlp import Gelu
from sevenepochs.model.norm import NormConfig, RMSNorm
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.run import Run, RunWriter

TEXTS = ["Show HN: A thing", "<eos>Ask HN: why?<eos>", " x  y ", "Ünï 漢"]
# Each changes what GPT-2 cannot express, in the slots named.
SHAPES = {
    "rope": ({"model.attention.rotary": Rope(base=500.0), "model.norm": RMSNorm()}, "attention, norm"),
    "no positions": ({"model.position": NoPosition()}, "position"),
    "no biases": ({"model.attention": Causal(bias=False), "model.mlp": Gelu(bias=False)}, "attention, mlp"),
    "titles": ({"model.titles": Titles()}, "titles"),
}


def load(folder: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer


def check_folder(folder: Path, trained) -> None:
    """A fresh load gives our logits and our ids; the weights are safetensors; nothing tells about this machine."""
    model, tokenizer = load(folder)
    assert (
        check_logits(trained.network, trained.tokenizer.eos_id, lambda x_BT: model(input_ids=x_BT).logits, "it")
        <= TOLERANCE
    )
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id) == (trained.tokenizer.eos_id,) * 2
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == trained.tokenizer.encode(text)
    assert (folder / "tokenizer.json").read_bytes() == trained.tokenizer.json.encode()
    assert {p.suffix for p in folder.iterdir()} <= {".json", ".safetensors", ".md"}
    content = b"".join(p.read_bytes() for p in folder.iterdir())
    assert str(folder.parent).encode() not in content and str(Path(hf.__file__).parent).encode() not in content


def test_a_finished_run_from_the_command_line(
    finished_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(finished_run.path), "--to", "hf", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "GPT-2" in printed.out and "logits as the run's own to" in printed.out and printed.err == ""
    check_folder(out, Model.load(finished_run))
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["activation_function"], config["n_positions"]) == ("gpt2", "gelu", 128)
    generation = json.loads((out / "generation_config.json").read_text())
    assert generation["eos_token_id"] == 1 and generation["pad_token_id"] == 0
    card = (out / "README.md").read_text()
    assert "license: mit" in card and "exact" in card and "AutoModelForCausalLM" in card
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_stock_shapes_are_gpt2(drawn, tiny, tmp_path: Path) -> None:
    trained = drawn(tiny.replace_all({"model.mlp.expansion": 3, "model.norm.eps": 1e-3, "model.n_layer": 1}))
    assert hf.export_hf(trained, tmp_path / "out").target.endswith("GPT-2")
    check_folder(tmp_path / "out", trained)


@pytest.mark.parametrize("name", SHAPES)
def test_other_shapes_are_sent_to_onnx(name: str, drawn, tiny, tmp_path: Path) -> None:
    changes, slots = SHAPES[name]
    with pytest.raises(UserError, match=rf"{slots} .*--to onnx") as refused:
        hf.export_hf(drawn(tiny.replace_all(changes)), tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_repeated_is_refused(drawn, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = drawn(tiny)
    right = hf.to_gpt2

    def wrong(trained):
        model = right(trained)
        model.config.activation_function = "gelu_new"
        return model

    monkeypatch.setattr(hf, "to_gpt2", wrong)
    with pytest.raises(UserError, match="logit differs by"):
        hf.export_hf(trained, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(drawn, tiny, tmp_path: Path) -> None:
    trained = drawn(tiny)
    trained.network.norm.weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match="nan"):
        hf.export_hf(trained, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@dataclasses.dataclass(frozen=True)
class Odd(NormConfig):
    def build(self, d_model: int) -> nn.Module:
        return nn.Identity()


def test_a_slot_of_the_users_own_is_refused_by_name(drawn, tiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"norm .*--to onnx"):
        hf.export_hf(drawn(tiny.replace("model.norm", Odd())), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_which_recipes_are_gpt2() -> None:
    plain = {recipe.name for recipe in list_recipes() if not hf.not_gpt2(load_recipe(recipe.name).model)}
    assert {"baseline", "adamw", "muon", "demo_sgd", "demo_adamw"} <= plain
    assert not {"rope", "letters"} & plain


MISTAKES = {
    "unknown format": (["--to", "gguf", "--out", "new"], "'gguf'"),
    "not empty": (["--to", "hf", "--out", "full"], "not empty"),
    "a file": (["--to", "onnx", "--out", "full/file"], "is a file"),
    "below a file": (["--to", "hf", "--out", "full/file/new"], "cannot write"),
    "no such run": (["--to", "hf", "--out", "new", "--runs", "nowhere"], "no run"),
    "incomplete": (["--to", "hf", "--out", "new"], "no weights yet"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(
    name: str,
    finished_run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    run = str(finished_run.path)
    if name == "incomplete":
        with RunWriter.create(tmp_path / "runs", "x", 1) as writer:
            run = str(writer.path)
    if name == "no such run":
        run = "nothing"
    before = sorted(tmp_path.rglob("*"))
    arguments, expected = MISTAKES[name]
    assert main(["export", run, *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and expected in error and "\n" not in error
    assert sorted(tmp_path.rglob("*")) == before
