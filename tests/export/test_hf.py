"""The transformers folder: GPT-2 where that is the same function, our code beside the weights for the rest."""

import ast
import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sevenepochs.cli.main import main
from sevenepochs.errors import UserError
from sevenepochs.export import custom, gpt2, hf, modeling_sevenepochs
from sevenepochs.export.probe import TOLERANCE, check_logits
from sevenepochs.model.attention.causal import Causal
from sevenepochs.model.mlp.gelu import Gelu
from sevenepochs.model.norm import NormConfig
from sevenepochs.model.norm.layer_norm import LayerNorm
from sevenepochs.model.norm.rms_norm import RMSNorm
from sevenepochs.model.position.none import NoPosition
from sevenepochs.model.position.rope import Rope
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.catalog import list_recipes, load_recipe
from sevenepochs.run_folder import Run, RunWriter
from sevenepochs.trained import load_trained

TEXTS = ["Show HN: A thing", "<eos>Ask HN: why?<eos>", " x  y ", "Ünï 漢"]
# each changes what GPT-2 cannot express
SHAPES = {
    "rope": {"model.attention.rotary": Rope(base=500.0), "model.norm": RMSNorm(), "model.mlp.expansion": 8},
    "rope alone": {"model.attention.rotary": Rope(), "model.position": NoPosition()},
    "no positions": {"model.position": NoPosition(), "model.norm": LayerNorm(eps=1e-3)},
    "no biases": {"model.attention": Causal(bias=False), "model.mlp": Gelu(bias=False, expansion=2)},
}


def load(folder: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval(), tokenizer


def check_folder(folder: Path, trained) -> None:
    """A fresh load gives our logits and our ids; the weights are safetensors; nothing tells about this machine."""
    model, tokenizer = load(folder)
    assert (
        check_logits(trained.model, trained.tokenizer.eos_id, lambda x_BT: model(input_ids=x_BT).logits, "it")
        <= TOLERANCE
    )
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id) == (trained.tokenizer.eos_id,) * 2
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == trained.tokenizer.encode(text)
    assert (folder / "tokenizer.json").read_bytes() == trained.tokenizer.json.encode()
    assert {p.suffix for p in folder.iterdir()} <= {".json", ".safetensors", ".md", ".py"}
    content = b"".join(p.read_bytes() for p in folder.iterdir())
    assert str(folder.parent).encode() not in content and str(Path(hf.__file__).parent).encode() not in content


def test_a_finished_run_from_the_command_line(
    finished_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(finished_run.path), "--to", "hf", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "GPT-2" in printed.out and "logits as the run's own to" in printed.out and printed.err == ""
    check_folder(out, load_trained(finished_run))
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["activation_function"], config["n_positions"]) == ("gpt2", "gelu", 128)
    assert not list(out.glob("*.py"))
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
def test_other_shapes_bring_their_code(name: str, drawn, tiny, tmp_path: Path) -> None:
    trained = drawn(tiny.replace_all(SHAPES[name]))
    assert not gpt2.is_gpt2(trained.experiment.model)
    exported = hf.export_hf(trained, tmp_path / "out")
    assert exported.target.endswith("custom code") and exported.logit_difference <= TOLERANCE
    check_folder(tmp_path / "out", trained)


def test_custom_code_generates_and_knows_padding(drawn, tiny, tmp_path: Path) -> None:
    trained = drawn(tiny.replace_all(SHAPES["rope"]))
    hf.export_hf(trained, tmp_path / "out")
    model, tokenizer = load(tmp_path / "out")
    alone = tokenizer("<eos>Show", return_tensors="pt")
    row = model.generate(**alone, do_sample=False, max_length=12)
    assert row.shape[1] <= 12
    assert int(row[0, alone["input_ids"].shape[1]]) == int(model(**alone).logits[0, -1].argmax())
    for side in ("left", "right"):
        tokenizer.padding_side = side
        both = tokenizer(["<eos>Show", "<eos>A longer one than that"], return_tensors="pt", padding=True)
        n = alone["input_ids"].shape[1]
        real = slice(-n, None) if side == "left" else slice(0, n)
        with torch.no_grad():
            torch.testing.assert_close(model(**both).logits[0, real], model(**alone).logits[0], atol=1e-5, rtol=0)
    loss = model(input_ids=row, labels=row).loss
    expected = nn.functional.cross_entropy(model(input_ids=row).logits[0, :-1], row[0, 1:])
    torch.testing.assert_close(loss, expected)
    with pytest.raises(ValueError, match="at most 128"):
        model(input_ids=torch.zeros(1, 129, dtype=torch.int64))


def test_the_code_is_self_contained() -> None:
    tree = ast.parse(Path(modeling_sevenepochs.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert outside == {"torch", "transformers"}


def test_a_model_that_is_not_repeated_is_refused(drawn, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = drawn(tiny)
    right = gpt2.to_gpt2

    def wrong(trained):
        model = right(trained)
        model.config.activation_function = "gelu_new"
        return model

    monkeypatch.setattr(gpt2, "to_gpt2", wrong)
    with pytest.raises(UserError, match=r"does not repeat the model: .* nothing was written"):
        hf.export_hf(trained, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(drawn, tiny, tmp_path: Path) -> None:
    trained = drawn(tiny)
    trained.model.norm.weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match="nan"):
        hf.export_hf(trained, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@dataclasses.dataclass(frozen=True)
class Odd(NormConfig):
    def build(self, d_model: int) -> nn.Module:
        return nn.Identity()


def test_a_slot_of_the_users_own_is_refused_by_name(drawn, tiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"knows .*Odd in slot model\.norm; --to onnx takes every model"):
        hf.export_hf(drawn(tiny.replace("model.norm", Odd())), tmp_path / "out")
    with pytest.raises(UserError, match=r"knows model\.titles; --to onnx takes every model"):
        hf.export_hf(drawn(tiny.replace("model.titles", Titles(eos="opens"))), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_which_recipes_need_no_code() -> None:
    models = {recipe.name: load_recipe(recipe.name).model for recipe in list_recipes()}
    plain = {name for name, model in models.items() if gpt2.is_gpt2(model)}
    assert {"baseline", "adamw", "demo_sgd", "demo_adamw"} <= plain
    assert "rope" not in plain
    custom._check_known(models["rope"])


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
