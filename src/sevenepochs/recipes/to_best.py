"""The ladder's upper part: from `laptop` to our best, one change a step. Publicly none of these but R-Drop and
the size was tried. What steps gave: README, "Results"."""

from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective.r_drop import RDrop
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.embedding.word_parts import WordParts
from sevenepochs.recipes.public_best import PUBLIC_SIZE
from sevenepochs.recipes.to_laptop import laptop


def laptop_words() -> Experiment:
    """laptop whose token vectors are sums: of the word's, its case and space's, and its own.

    Hypothesis: two thirds of the tokens have relatives that differ by case or space only, and most are rare; what one
    learns serves all of them, as input and as target.
    Reference: never tried in public; factored language models, Bilmes & Kirchhoff 2003.
    Time: as laptop.
    Command: sevenepochs train laptop_words
    """
    return laptop().replace("model.embedding", WordParts())


def laptop_words_r_drop() -> Experiment:
    """laptop_words with R-Drop of weight 2.

    Hypothesis: predictions that do not depend on which units are dropped are those that hold on new titles;
    laptop_words' training loss, dropout included, ends some 0.5 nats per token below its validation loss.
    Reference: Liang et al. 2021, arXiv:2106.14448; -0.024 to -0.031, the largest late gain of the public runs.
    Time: 1.7 x laptop: each batch passes twice.
    Command: sevenepochs train laptop_words_r_drop
    """
    return laptop_words().replace("objective", RDrop(weight=2.0))


def laptop_letters() -> Experiment:
    """laptop_words_r_drop whose words are sums, too: of a vector of their own and of their letter sequences.

    Hypothesis: two thirds of the loss is on tokens met fewer than 1,000 times; a rare word begins with what words that
    are spelt like it have learnt. At proxy scale that is half of the gain, other words' sequences give the other half.
    Reference: never tried in public; Bojanowski et al. 2017, arXiv:1607.04606.
    Time: 1.03 x laptop_words_r_drop.
    Command: sevenepochs train laptop_letters
    """
    return laptop_words_r_drop().replace("model.embedding", LetterParts())


def letters() -> Experiment:
    """The best so far: laptop_letters at the public recipe's size: 12 layers x 8 heads, d 512, dropout 0.2.

    Hypothesis: as words, which is 0.014 below laptop_words_r_drop (docs/log), and spelling helps at this size too.
    Reference: in the public runs, with R-Drop, 12 layers of 512 are 0.007 below 12 of 384.
    Time: two minutes on an H100, six to seven hours (estimated) on 2 cores with AVX512-BF16.
    Command: sevenepochs train letters
    """
    return laptop_letters().replace_all(PUBLIC_SIZE)
