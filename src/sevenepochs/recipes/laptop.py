"""The techniques of the ladder together, at a size that a laptop's CPU trains in one to three hours."""

from sevenepochs.batches.shuffled_stream import ShuffledStream
from sevenepochs.experiment import Experiment
from sevenepochs.model.embedding.letter_parts import LetterParts, OthersLetterParts
from sevenepochs.model.embedding.word_parts import WordParts
from sevenepochs.objective.cross_entropy import CrossEntropy
from sevenepochs.recipes.to_best import title_rows, words

_SMALL = {
    "model.n_layer": 6,
    "model.n_head": 6,
    "model.d_model": 384,
    "model.embedding_dropout": 0.1,
    "model.residual.dropout": 0.1,
}


def laptop() -> Experiment:
    """title_rows made small: 6 layers x 6 heads, d 384, dropout 0.1 instead of 0.2, one pass instead of R-Drop's two.

    Hypothesis: Muon, the plateau, Unigram and whole titles are worth more than size; less than the stock
    model's work passes `rope` by far. Less dropout, since a third of the parameters learns less by heart.
    Reference: public runs: 12 layers of 384 are as good as 12 of 512 without R-Drop, 6 of 512 0.005 worse.
    Time: 83 minutes on 2 cores with AVX512-BF16; 16,784,256 parameters.
    Command: sevenepochs train laptop
    """
    return title_rows().replace_all({**_SMALL, "objective": CrossEntropy()})


def laptop_words() -> Experiment:
    """laptop whose token vectors are sums, as in words.

    Hypothesis: as words.
    Reference: as words.
    Time: as laptop.
    Command: sevenepochs train laptop_words
    """
    return laptop().replace("model.embedding", WordParts())


def laptop_words_r_drop() -> Experiment:
    """The best for a CPU: words made small as laptop is, with R-Drop left on; that is laptop_words with R-Drop 2.

    Hypothesis: laptop_words' training loss, dropout included, ends some 0.5 nats per token below its validation loss:
    there is over-fitting to hold back at this size, too, and of it a small model has less.
    Reference: Liang et al. 2021, arXiv:2106.14448; -0.024 for 12 layers of 384 in the public runs.
    Time: 1.7 x laptop.
    Command: sevenepochs train laptop_words_r_drop
    """
    return words().replace_all(_SMALL)


def laptop_letters() -> Experiment:
    """laptop_words_r_drop whose words are sums, too: of a vector of their own and of their letter sequences.

    Hypothesis: two thirds of the loss is on tokens met fewer than 1,000 times; a rare word begins with what words that
    are spelt like it have learnt. 0.014 to 0.017 better after a tenth of a proxy run of a first draft.
    Reference: never tried in public; Bojanowski et al. 2017, arXiv:1607.04606.
    Time: 1.03 x laptop_words_r_drop.
    Command: sevenepochs train laptop_letters
    """
    return laptop_words_r_drop().replace("model.embedding", LetterParts())


def laptop_others_letters() -> Experiment:
    """laptop_letters with each word's letter sequences given to another word: the control.

    Hypothesis: no better than laptop_words_r_drop; if it is, more parameters or larger steps are what laptop_letters
    gains by, and not spelling.
    Reference: none.
    Time: as laptop_letters.
    Command: sevenepochs train laptop_others_letters
    """
    return laptop_letters().replace("model.embedding", OthersLetterParts())


def laptop_cut_titles() -> Experiment:
    """laptop_words_r_drop trained on cut titles too: the reshuffled stream in rows of 256, scored in whole titles.

    Hypothesis: trained on whole titles only, the model is lost where a stock row begins inside one: 0.017 between its
    own rows and stock rows, 0.003 for public_best. One title in twenty that lost its beginning teaches it that, and
    costs little elsewhere.
    Reference: never tried in public.
    Time: as laptop_words_r_drop.
    Command: sevenepochs train laptop_cut_titles
    """
    batches = ShuffledStream(batch_size=16, block_size=256, scored_by="titles")
    return laptop_words_r_drop().replace("batches", batches)


def laptop_long_decay() -> Experiment:
    """laptop_words_r_drop with a decay over the last 30 % instead of 10 %.

    Hypothesis: the plateau gains 0.007 between 70 and 90 % of the steps and the decay 0.025 after them: most of what
    the last epochs learn is hidden by the rate's noise, and a rate that falls earlier uses them better.
    Reference: Haegele et al. 2024, arXiv:2405.18392: 10 to 20 % in one pass over much data; never tried here.
    Time: as laptop_words_r_drop.
    Command: sevenepochs train laptop_long_decay
    """
    return laptop_words_r_drop().replace("schedule.decay", 0.3)


def laptop_output_dropout() -> Experiment:
    """laptop_words with dropout 0.1 on what the head reads, too.

    Hypothesis: two thirds of the loss is on tokens met fewer than 1,000 times; their vectors as targets are learnt by
    heart last of all, and nothing but the branches' dropout disturbs what is multiplied with them.
    Reference: Merity et al. 2018, arXiv:1708.02182, at 0.4 in a smaller corpus; never tried in public here.
    Time: as laptop_words.
    Command: sevenepochs train laptop_output_dropout
    """
    return laptop_words().replace("model.output_dropout", 0.1)
