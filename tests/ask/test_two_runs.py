"""Two runs on one title: bits are shared out over common stretches of text and none is lost, for any vocabularies."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import on_one_title
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.budget import Split
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


@pytest.fixture(scope="module")
def other(finished_run: Run, tiny: Experiment) -> Model:
    """An untrained model with a vocabulary of its own: every byte, and other words."""
    words = ("Show HN: compilers", "Ask HN: Who is hiring?", "naïve “naïve” 漢字 漢字")
    tokenizer = BPE(vocab_size=320, trained_on="train").build(Split(words * 3, ()))
    experiment = tiny.replace("tokenizer.vocab_size", 320)
    return Model(
        finished_run, experiment, tokenizer, experiment.build_model(tokenizer.vocab_size, tokenizer.texts()).eval()
    )


def nats(model: Model, text: str) -> float:
    (row,) = model.log_probs_of([[*model.encode(text), model.eos_id]])
    return float(-row.sum())


@settings(max_examples=30)
@given(text=st.text(st.sampled_from("Show HN: Ask ï漢“”🚀 <eos>\n"), max_size=30))
def test_nothing_is_lost_between_the_cuts(model: Model, other: Model, text: str) -> None:
    found = on_one_title(model, other, text)
    text = text.strip()
    assert found["text"] == text
    segments = found["segments"]
    assert "".join(segment["text"] for segment in segments[:-1]) == text
    assert [segment["start"] for segment in segments[1:]] == [segment["stop"] for segment in segments[:-1]] or not text
    assert segments[-1]["text"] == "<eos>" and segments[-1]["tokens"] == [["<eos>"], ["<eos>"]]
    for side, one in enumerate((model, other)):
        bits = math.fsum(segment["bits"][side] for segment in segments)
        assert bits == pytest.approx(found["runs"][side]["surprisal_bits"], abs=1e-9)
        assert bits == pytest.approx(nats(one, text) / math.log(2), abs=1e-3)
        assert found["runs"][side]["nats_per_char"] == pytest.approx(nats(one, text) / (len(text) + 5), abs=1e-4)
        assert sum(len(segment["tokens"][side]) for segment in segments) == found["runs"][side]["n_tokens"]


def test_a_run_against_itself_gains_nothing_token_by_token(model: Model) -> None:
    found = on_one_title(model, model, "Ask HN: what do you use?")
    assert len(found["segments"]) == len(model.encode("Ask HN: what do you use?"))
    assert {segment["gained_bits"] for segment in found["segments"]} == {0.0}


def test_segments_are_the_shortest_that_both_cut(model: Model, other: Model) -> None:
    found = on_one_title(model, other, "Show HN: 漢 compilers")
    for segment in found["segments"][:-1]:
        if "漢" not in segment["text"]:  # shown as bytes
            ends = [set(itertools.accumulate(map(len, tokens))) for tokens in segment["tokens"]]
            assert ends[0] & ends[1] == {max(ends[0])} == {max(ends[1])}
    by_text = {segment["text"]: segment for segment in found["segments"]}
    compilers = by_text[" compilers"]
    assert compilers["tokens"][1] == [" compilers"] and len(compilers["tokens"][0]) > 1
    assert compilers["gained_bits"] == pytest.approx(compilers["bits"][0] - compilers["bits"][1])
