"""Words as sums of their letter sequences: which sequences a word has, what words share, where they begin."""

import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.learning.objective import CrossEntropy
from sevenepochs.model.embedding.letter_parts import LetterParts, OthersLetterParts, SumOfLetters, sequences
from sevenepochs.model.embedding.word_parts import WordParts
from sevenepochs.model.gpt import GPT

TEXTS = ["<eos>", "paper", " Paper", " papers", " newspaper", "a", " 2019", " 2018", ": ", "\\xe2"]


def parts(texts: list[str] = TEXTS, d_model: int = 4) -> SumOfLetters:
    found = LetterParts().build(len(texts), d_model, texts)
    assert isinstance(found, SumOfLetters)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", ["<ca", "cat", "at>", "<cat", "cat>"]),
        ("a", []),  # "<a>" is the whole word, which has a vector of its own
        ("aaa", ["<aa", "aaa", "aa>", "<aaa", "aaa>"]),
        ("<eos>", []),
        ("c++", []),
        ("", []),
    ],
)
def test_the_sequences_of_a_word(text: str, expected: list[str]) -> None:
    assert sequences(text, 3, 4) == expected


def test_only_what_two_words_have_is_a_part() -> None:
    embedding = parts()
    # paper has <pa pap ape per er> <pap pape aper per>; papers not the two that end it, newspaper not the two that
    # begin it, and the sequences of theirs alone (ers, spa) do not count; the years have <20 201 <201
    assert len(embedding.letters.weight) == 9 + 3
    assert embedding.first_W.tolist() == [0, 0, 9, 16, 23, 23, 26, 29, 29]


def test_the_control_hands_the_same_sequences_to_other_words() -> None:
    own, others = parts(), OthersLetterParts().build(len(TEXTS), 4, TEXTS)
    assert isinstance(others, SumOfLetters)
    assert sorted(others.letters_N.bincount().tolist()) == sorted(own.letters_N.bincount().tolist())
    assert others.first_W.tolist() != own.first_W.tolist()
    again = OthersLetterParts().build(len(TEXTS), 4, TEXTS)
    assert isinstance(again, SumOfLetters) and torch.equal(again.letters_N, others.letters_N)


def test_a_words_vector_is_the_sum_of_its_own_and_its_sequences() -> None:
    embedding = parts()
    of_each = embedding.letters_N.tensor_split(embedding.first_W[1:])
    for index, letters in enumerate(of_each):
        expected = embedding.word.weight[index] + embedding.letters.weight[letters].sum(0) / max(1, len(letters)) ** 0.5
        torch.testing.assert_close(embedding.of_words()[index], expected)
    token = (embedding.own.weight[2] + embedding.of_words()[1] + embedding.form.weight[embedding.form_V[2]]) / 2
    torch.testing.assert_close(embedding(torch.tensor([2]))[0], token)


def test_both_ways_to_add_up_give_the_same_and_so_do_their_gradients() -> None:
    embedding = parts(d_model=8).double()
    weighting_WD = torch.randn(embedding.word.weight.shape, dtype=torch.float64)
    in_bags, added_up = embedding.letters_in_bags(), embedding.letters_added_up()
    torch.testing.assert_close(added_up, in_bags)
    found = [torch.autograd.grad((way * weighting_WD).sum(), embedding.letters.weight) for way in (in_bags, added_up)]
    torch.testing.assert_close(*found)


def test_what_one_word_learns_serves_those_spelt_like_it() -> None:
    embedding = parts()
    before_VD = embedding.weight.detach().clone()
    embedding(torch.tensor([3])).sum().backward()  # " papers"
    with torch.no_grad():
        embedding.letters.weight -= embedding.letters.weight.grad
    moved = (embedding.weight.detach() - before_VD).abs().sum(-1) > 1e-6
    assert moved.tolist() == [False, True, True, True, True, False, False, False, False, False]


def test_it_begins_with_the_variance_of_a_table_whatever_the_words_length() -> None:
    texts = [f"{'ab' * n}{i}" for n in (1, 3, 6) for i in range(100, 400)]
    model = GPT(n_layer=1, n_head=1, d_model=64, embedding=LetterParts()).build(len(texts), 8, seed=1, texts=texts)
    for some in model.embedding.weight.detach().split(300):
        assert some.std() == pytest.approx(0.02, rel=0.06)


def test_words_without_letters_in_common_are_as_with_word_parts() -> None:
    texts = ["<eos>", "ab", " AB", ":"]
    letters, words = parts(texts), WordParts().build(len(texts), 4, texts)
    words.load_state_dict(letters.state_dict(), strict=False)
    torch.testing.assert_close(letters.weight * 2, words.weight * 3**0.5)
    letters(torch.tensor([1])).sum().backward()


def test_gradients_through_the_tied_head_are_those_of_the_loss_over_all_logits() -> None:
    model = GPT(n_layer=1, n_head=1, d_model=8, embedding=LetterParts()).build(len(TEXTS), 8, seed=0, texts=TEXTS)
    model = model.double().eval()
    x_BT, y_BT = torch.arange(8).view(2, 4), torch.arange(1, 9).view(2, 4)
    ours = torch.autograd.grad(CrossEntropy().loss(model, x_BT, y_BT), [*model.parameters()])
    whole = torch.nn.functional.cross_entropy(model.logits(model(x_BT)).flatten(0, 1), y_BT.flatten())
    for a, b in zip(ours, torch.autograd.grad(whole, [*model.parameters()]), strict=True):
        torch.testing.assert_close(a, b)


def test_bad_lengths_and_missing_texts_are_named() -> None:
    with pytest.raises(UserError, match=r"embedding\.shortest = 4 .*embedding\.longest = 3"):
        LetterParts(shortest=4, longest=3)
    with pytest.raises(ValueError, match="texts of all 10 tokens"):
        LetterParts().build(10, 4, None)
