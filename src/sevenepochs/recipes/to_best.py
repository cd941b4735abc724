"""The ladder's upper part: from public_best to our best, one change a step. Publicly none of these was tried on top of
that recipe. Which of the steps were measured in full: README, "Results"."""

from sevenepochs.batches.shuffled_stream import ShuffledStream
from sevenepochs.batches.title_rows import TitleRows
from sevenepochs.experiment import Experiment
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.embedding.word_parts import WordParts
from sevenepochs.model.init.scaled import ScaledResidual
from sevenepochs.recipes.to_public_best import public_best


def scaled_init() -> Experiment:
    """public_best with the matrices that write to the stream drawn smaller by sqrt(2 n_layer).

    Hypothesis: the stream starts with the variance of the embedding at every depth, as LayerScale wants too.
    Reference: Radford et al. 2019; -0.013 to -0.059 with AdamW in four public runs, never tried with Muon.
    Time: as public_best.
    Command: sevenepochs train scaled_init
    """
    return public_best().replace("model.init", ScaledResidual(std=0.02))


def reshuffled() -> Experiment:
    """scaled_init with the titles in another order every epoch.

    Hypothesis: other cuts and other batch-mates each time are noise that does not repeat, so less is learnt by heart.
    Reference: -0.023 for packing anew each epoch in one public run, neutral in another.
    Time: as scaled_init.
    Command: sevenepochs train reshuffled
    """
    return scaled_init().replace("batches", ShuffledStream(batch_size=16, block_size=256))


def title_rows() -> Experiment:
    """reshuffled with rows of whole titles: none is cut, and each one is trained on in every epoch.

    Hypothesis: what is left of the row's border effect goes, in training and in scoring.
    Reference: rows of 256 to 512 gave -0.0014 in the public runs, by cutting fewer titles.
    Time: as reshuffled.
    Command: sevenepochs train title_rows
    """
    return reshuffled().replace("batches", TitleRows(batch_size=16, block_size=256))


def words() -> Experiment:
    """The best so far: title_rows whose token vectors are sums: of the word's, its case and space's, and its own.

    Hypothesis: two thirds of the tokens have relatives that differ by case or space only, and most are rare; what one
    learns serves all of them, as input and as target.
    Reference: never tried in public; factored language models, Bilmes & Kirchhoff 2003.
    Time: as title_rows.
    Command: sevenepochs train words
    """
    return title_rows().replace("model.embedding", WordParts())


def letters() -> Experiment:
    """words whose words are sums, too: of a vector of their own and of the letter sequences that they share.

    Hypothesis: two thirds of the loss is on tokens met fewer than 1,000 times; a rare word begins with what words that
    are spelt like it have learnt.
    Reference: never tried in public; Bojanowski et al. 2017, arXiv:1607.04606.
    Time: as words.
    Command: sevenepochs train letters
    """
    return words().replace("model.embedding", LetterParts())


def train_tokenizer() -> Experiment:
    """words with the tokenizer trained on the training titles only.

    Hypothesis: at most 0.003 worse; the stock program lets the tokenizer see validation text, and need not.
    Reference: -0.005 (better) in one public run; 0.006 worse here (docs/log.md).
    Time: as words.
    Command: sevenepochs train train_tokenizer
    """
    return words().replace("tokenizer.trained_on", "train")
