"""The pipeline against the truth: a scorer that knows the grammar's exact next-token probabilities gets the floor.

Titles, split, tokenizer, rows, exact metric and the corpus's floor have to agree to 1e-9, or one of them is wrong.
"""

import math

import numpy as np
import pytest

from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.protocol.budget import Split, char_count, split_titles
from sevenepochs.protocol.rows import Rows
from sevenepochs.protocol.scoring import exact_log_probs, exact_val_bpc, exact_val_loss, title_losses


class TrieScorer:
    """Exact next-token probabilities within a title, from the trie of all encoded titles; starts afresh at `<eos>`."""

    def __init__(self, probabilities, tokenizer):
        self.eos_id = tokenizer.eos_id
        self.children = [{}]
        self.mass = [0.0]
        for title, probability in probabilities.items():
            node = 0
            self.mass[0] += probability
            for token in [*tokenizer.encode(title), self.eos_id]:
                if token not in self.children[node]:
                    self.children[node][token] = len(self.mass)
                    self.children.append({})
                    self.mass.append(0.0)
                node = self.children[node][token]
                self.mass[node] += probability

    def log_probs(self, x_RT, y_RT):
        out = np.zeros(x_RT.shape)
        for r, (inputs, targets) in enumerate(zip(x_RT.tolist(), y_RT.tolist(), strict=True)):
            node = 0
            for t, (token, target) in enumerate(zip(inputs, targets, strict=True)):
                node = 0 if token == self.eos_id else self.children[node][token]
                child = self.children[node].get(target)
                # padding after a title's end asks for <eos> from the root, which no title begins with: never read
                out[r, t] = math.log(self.mass[child] / self.mass[node]) if child is not None else -math.inf
        return out


@pytest.fixture(scope="module")
def oracle(tiny_titles):
    corpus = SampleCorpus(n_titles=3000, grammar="tiny").load()
    probabilities = tiny_titles
    assert math.fsum(probabilities.values()) == pytest.approx(1.0, abs=1e-12)
    titles = tuple(probabilities)
    tokenizer = BPE(vocab_size=290).build(Split(titles, titles))
    return corpus, split_titles(corpus.rows), probabilities, tokenizer


def title_rows(ids_N, eos_id):
    stop = np.flatnonzero(ids_N == eos_id) + 1
    start = np.concatenate(([0], stop[:-1]))
    return Rows(start, start.copy(), stop)


def score(oracle, scorer):
    _, split, _, tokenizer = oracle
    ids_N = tokenizer.encode_stream(split.validation)
    return ids_N, exact_log_probs(scorer, ids_N, tokenizer.eos_id, title_rows(ids_N, tokenizer.eos_id))


def test_the_true_distribution_gets_the_floor(oracle):
    corpus, split, probabilities, tokenizer = oracle
    ids_N, log_probs_N = score(oracle, TrieScorer(probabilities, tokenizer))
    n_chars = char_count(split.validation)
    floor = corpus.floor(split.validation).value_nats_per_char
    assert exact_val_loss(log_probs_N, n_chars) == pytest.approx(floor, abs=1e-9)
    per_title = title_losses(log_probs_N, ids_N, tokenizer.eos_id)
    np.testing.assert_allclose(per_title, [-math.log(probabilities[title]) for title in split.validation], atol=1e-9)
    bits = exact_val_bpc(log_probs_N, n_chars, len(split.validation))
    assert bits == pytest.approx(floor / math.log(2) * n_chars / (n_chars - 5 * len(split.validation)), abs=1e-9)


def test_titles_are_several_tokens_so_that_the_trie_has_something_to_say(oracle):
    _, split, _, tokenizer = oracle
    ids_N = tokenizer.encode_stream(split.validation)
    assert len(ids_N) > 5 * len(split.validation)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_distribution_gets_more(oracle, seed):
    corpus, split, probabilities, tokenizer = oracle
    rng = np.random.default_rng(seed)
    wrong = {title: p * math.exp(rng.normal(0, 0.3)) for title, p in probabilities.items()}
    total = math.fsum(wrong.values())
    _, log_probs_N = score(oracle, TrieScorer({title: p / total for title, p in wrong.items()}, tokenizer))
    floor = corpus.floor(split.validation)
    # on average it is the divergence that is added: about 0.3**2 / 2 nats a title
    assert exact_val_loss(log_probs_N, char_count(split.validation)) > floor.value_nats_per_char + 1e-4
