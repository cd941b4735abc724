"""Counting anchors: Kneser-Ney against a second computation, xz, and the file that keeps them."""

import json
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from sevenepochs.cli.main import main
from sevenepochs.comparison.anchors import read_anchors, xz_loss
from sevenepochs.comparison.kneser_ney import KneserNey
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError

EOS = 1


def stream(rng: np.random.Generator, n_titles: int, vocab_size: int) -> np.ndarray:
    """Titles of 0 to 6 tokens, frequent tokens more often."""
    titles = [
        2 + (rng.integers(0, vocab_size - 2, rng.integers(0, 7)) * rng.random() ** 2).astype(int)
        for _ in range(n_titles)
    ]
    return np.concatenate([np.append(title, EOS) for title in titles])


def by_dictionaries(train: np.ndarray, vocab_size: int, order: int):
    """p(token | history) with one dictionary per order, written down from the definition."""
    titles, title = [], [EOS]
    for token in train.tolist():
        title.append(token)
        if token == EOS:
            titles.append(tuple(title))
            title = [EOS]
    grams = {
        n: Counter(t[i : i + n] for t in titles for i in range(len(t) - n + 1) if n > 1 or i > 0)
        for n in range(1, order + 1)
    }
    counts = {order: grams[order]}
    for n in range(1, order):
        before = defaultdict(set)
        for gram in grams[n + 1]:
            before[gram[1:]].add(gram[0])
        counts[n] = {g: c if n > 1 and g[0] == EOS else len(before[g]) for g, c in grams[n].items()}

    def discount(n: int, count: int) -> float:
        found = Counter(counts[n].values())
        n1, n2, n3, n4 = (found[k] for k in (1, 2, 3, 4))
        if not count:
            return 0.0
        raw = (0.0,)
        if 0 not in (n1, n2, n3):
            y = n1 / (n1 + 2 * n2)
            raw = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if any(not 0 < d <= k for k, d in enumerate(raw, 1)):
            raw = (0.5, 1.0, 1.5)
        return raw[min(count, 3) - 1]

    def probability(history: tuple, token: int) -> float:
        if len(history) + 1 > order:
            history = history[-(order - 1) :] if order > 1 else ()
        shorter = probability(history[1:], token) if history else 1 / vocab_size
        n = len(history) + 1
        after = {g: c for g, c in counts[n].items() if g[:-1] == history}
        if not (total := sum(after.values())):
            return shorter
        count = counts[n].get((*history, token), 0)
        freed = sum(discount(n, c) for c in after.values())
        return (max(count - discount(n, count), 0) + freed * shorter) / total

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_kneser_ney_agrees_with_dictionaries(order: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vocab_size = 12
    train, new = stream(rng, 40, vocab_size), stream(rng, 12, vocab_size + 2) % vocab_size
    new[-1] = EOS
    probability = by_dictionaries(train, vocab_size, order)
    expected, title = [], (EOS,)
    for token in new.tolist():
        expected.append(math.log(probability(title, token)))
        title = (EOS,) if token == EOS else (*title, token)
    np.testing.assert_allclose(KneserNey(train, vocab_size, EOS, order).log_probs(new), expected, rtol=1e-9)


def test_kneser_ney_sums_to_one_on_the_grammar() -> None:
    split = SampleCorpus(n_titles=400).load(lambda message: None).split()
    tokenizer = BPE(vocab_size=320).build(split)
    model = KneserNey(tokenizer.encode_stream(split.train), tokenizer.vocab_size, tokenizer.eos_id)
    ids = tokenizer.encode_stream(split.validation)[:60]
    every_token = np.arange(tokenizer.vocab_size)
    for n in (0, 1, 2, 5, 20, 59):
        last = [np.exp(model.log_probs(np.append(ids[:n], token))[-1]) for token in every_token]
        assert math.isclose(sum(last), 1, rel_tol=1e-9)


def test_xz_is_helped_by_the_training_titles() -> None:
    titles = [f"Show HN: a thing that counts to {n}" for n in range(200)]
    assert xz_loss(titles[:190], titles[190:]) < xz_loss([], titles[190:])


def test_anchors_are_kept_once_per_titles_and_tokenizer(tmp_path, capsys) -> None:
    command = ["anchors", "baseline", "--corpus", "sample:300", "--set", "tokenizer.vocab_size=300"]
    for _ in range(2):
        assert main([*command, "--results", str(tmp_path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")
    (kept,) = read_anchors(tmp_path)
    assert {str(n): loss for n, loss in kept.kneser_ney.items()} == printed["kneser_ney"]
    assert 0 < kept.kneser_ney[5] < kept.kneser_ney[2]


def test_damaged_anchors_are_named(tmp_path) -> None:
    (tmp_path / "anchors.json").write_text('{"schema_version": 1, "anchors": [{}]}')
    with pytest.raises(UserError, match=r"anchors\.json"):
        read_anchors(tmp_path)
