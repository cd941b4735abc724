"""Token vectors as sums of parts: which tokens are one word, what they share, and what a run keeps of it."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import CrossEntropy
from sevenepochs.model.embedding import Table
from sevenepochs.model.embedding.word_parts import SumOfParts, WordParts, form, word
from sevenepochs.model.gpt import GPT, n_matmul_parameters
from sevenepochs.model.head import SoftCap
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.weights import load_model_tensors, reading_tensors
from sevenepochs.protocol.scoring import exact_log_probs
from sevenepochs.recipes.ladder import laptop_letters, laptop_words
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Progress, Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import resume_training, run_training

TEXTS = ["<eos>", "the", " the", " The", " THE", "a", " a", "A", ":", " ", "\\xe2", " iPhone"]


class StopAtOnce(Watcher):
    def stepped(self, progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def parts(d_model: int = 4, texts: list[str] | None = TEXTS) -> SumOfParts:
    found = WordParts().build(len(TEXTS), d_model, texts)
    assert isinstance(found, SumOfParts)
    return found


def test_tokens_that_differ_by_case_and_space_are_one_word() -> None:
    assert parts().word_V.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5, 6]
    assert word(" STRASSE") == word("straße")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the", (False, "lower")),
        (" The", (True, "title")),
        (" THE", (True, "upper")),
        (" I", (True, "title")),
        (" iPhone", (True, "mixed")),
        (" 42", (True, "none")),
        (" ", (True, "none")),
        ("", (False, "none")),
        (" É", (True, "title")),
    ],
)
def test_the_form_of_a_token(text: str, expected: tuple[bool, str]) -> None:
    assert form(text) == expected


def test_a_vector_is_the_sum_of_its_three_parts() -> None:
    embedding = parts()
    x_BT = torch.tensor([[2, 3], [11, 0]])
    plain = [
        (embedding.own.weight[i] + embedding.word.weight[embedding.word_V[i]] + embedding.form.weight[f]) / 3**0.5
        for i, f in ((i, int(embedding.form_V[i])) for i in x_BT.flatten().tolist())
    ]
    torch.testing.assert_close(embedding(x_BT).flatten(0, 1), torch.stack(plain))


def test_it_begins_with_the_variance_of_a_table_and_relatives_have_a_third_in_common() -> None:
    texts = [f"{space}{case(f'w{n}x')}" for n in range(500) for space in ("", " ") for case in (str.lower, str.upper)]
    model = GPT(n_layer=1, n_head=1, d_model=64, embedding=WordParts()).build(2000, 8, seed=1, texts=texts)
    vectors_VD = model.embedding.weight.detach()
    assert vectors_VD.std() == pytest.approx(0.02, rel=0.02)
    lower, upper = vectors_VD[0::4].flatten(), vectors_VD[3::4].flatten()  # neither case nor space in common
    assert torch.corrcoef(torch.stack((lower, upper)))[0, 1] == pytest.approx(1 / 3, abs=0.02)


def test_what_one_token_learns_serves_its_relatives() -> None:
    embedding = parts()
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0)
    before_VD = embedding.weight.detach().clone()
    embedding(torch.tensor([1])).sum().backward()  # "the"
    optimizer.step()
    moved = (embedding.weight.detach() - before_VD).abs().sum(-1) > 1e-6
    same_word = embedding.word_V == embedding.word_V[1]
    same_form = embedding.form_V == embedding.form_V[1]
    assert moved.tolist() == (same_word | same_form).tolist()


@pytest.mark.parametrize("head", [None, SoftCap()], ids=["tied", "capped"])
def test_through_the_tied_head_gradients_are_those_of_the_loss_over_all_logits(head: SoftCap | None) -> None:
    config = GPT(n_layer=1, n_head=1, d_model=8, embedding=WordParts(), **({"head": head} if head else {}))
    model = config.build(len(TEXTS), 8, seed=0, texts=TEXTS).double()
    x_BT, y_BT = torch.arange(10).view(2, 5), torch.arange(1, 11).view(2, 5)
    model.eval()
    ours = torch.autograd.grad(CrossEntropy().loss(model, x_BT, y_BT), [*model.parameters()])
    whole = torch.nn.functional.cross_entropy(model.logits(model(x_BT)).flatten(0, 1), y_BT.flatten())
    for a, b in zip(ours, torch.autograd.grad(whole, [*model.parameters()]), strict=True):
        torch.testing.assert_close(a, b)


def test_read_back_it_is_a_table_and_the_same_model() -> None:
    config = GPT(n_layer=1, n_head=1, d_model=8, embedding=WordParts(), head=SoftCap())
    model = config.build(len(TEXTS), 8, seed=0, texts=TEXTS).eval()
    kept = replace(config, embedding=Table()).build(len(TEXTS), 8, seed=1).eval()
    load_model_tensors(kept, reading_tensors(model), "the model")
    x_BT = torch.arange(8)[None]
    torch.testing.assert_close(kept.logits(kept(x_BT)), model.logits(model(x_BT)))
    assert n_matmul_parameters(kept) == n_matmul_parameters(model)


def test_the_texts_of_all_tokens_are_needed() -> None:
    with pytest.raises(ValueError, match="texts of all 12 tokens"):
        parts(texts=None)


@pytest.mark.parametrize("recipe", [laptop_words, laptop_letters])
def test_a_run_is_read_back_and_goes_on_to_the_same_bits(
    recipe: Callable[[], Experiment], shrink: Callable[[Experiment], Experiment], tmp_path: Path
) -> None:
    experiment = shrink(recipe()).replace_all({"training.epochs": 2, "training.snapshots": True})
    run = run_training(experiment, "words", tmp_path / "whole")
    trained = Model.load(run)
    data = trained.load_data()
    log_probs_N = exact_log_probs(
        TorchScorer(trained.network), data.validation.ids_N, data.tokenizer.eos_id, experiment.scoring_rows(data)
    )
    assert run.summary is not None
    exact = -log_probs_N.sum() / data.validation.n_chars
    assert exact == pytest.approx(run.summary["figures"]["exact_val_loss"], abs=1e-6)
    tensors = run.load_model_tensors()
    assert "embedding.weight" in tensors and not any("word" in name or "letters" in name for name in tensors)
    Model.load(run, run.snapshot_steps()[-1])

    with pytest.raises(Interrupted) as stopped:
        run_training(experiment, "words", tmp_path / "parts", StopAtOnce())
    resumed = resume_training(Run(stopped.value.run_path), experiment)
    for name, array in resumed.load_model_tensors().items():
        np.testing.assert_array_equal(array, tensors[name])
