"""The ladder from the stock program to the best recipe: story.py's `baseline` and `adamw`, then these in order. Each is
the one before it with one change, and the order of definition is the order of the rungs (`listing.LADDER`).

Up to `muon_decay` the techniques and most of their order are those of the best honest public recipe
(records.py:public_best). They are measured with 6 layers, of 384 in the end, so that each step can be tried on a
laptop's CPU. From `laptop_words` on, only R-Drop and the size were tried in public.
"""

from typing import Any

from sevenepochs.data.batches.shuffled_stream import ShuffledStream
from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.tokenizer.unigram import Unigram
from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import RDrop
from sevenepochs.learning.optim.muon import Muon
from sevenepochs.learning.schedule import WarmupStableDecay
from sevenepochs.model.attention import HeadGate
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.embedding.word_parts import WordParts
from sevenepochs.model.init import ScaledResidual
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.residual import LayerScale
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.story import adamw


def muon() -> Experiment:
    """adamw with Muon 1e-2 on the hidden matrices; the rest has AdamW 3e-4 with beta2 .999, decay .01.

    Hypothesis: orthogonal updates use every direction of a matrix, and a slow embedding does not over-fit.
    Reference: Jordan et al. 2024 (Muon); -0.067 over a lightly tuned AdamW in the public runs.
    Time: as the baseline, and about a fifth more for Newton-Schulz on large models.
    Command: sevenepochs train muon
    """
    return adamw().replace("optimizer", Muon(lr=0.01))


def small_steps() -> Experiment:
    """muon with 4,096 tokens a step: 32 rows of 128.

    Hypothesis: with seven passes over little data, more and noisier updates find flatter places.
    Reference: public runs, corrected for the dropped tail: 8,192 to 4,096 is -0.015 to -0.018.
    Time: as muon, with twice as many Newton-Schulz iterations.
    Command: sevenepochs train small_steps
    """
    return muon().replace("batches.batch_size", 32)


def plateau() -> Experiment:
    """small_steps with 5 % warm-up, a plateau, and a decay as 1 - sqrt over the last 10 %.

    Hypothesis: a high rate for most of training explores, and a short anneal takes the noise out at the end.
    Reference: Hu et al. 2024, arXiv:2404.06395; -0.034 against a cosine in the public runs.
    Time: as small_steps.
    Command: sevenepochs train plateau
    """
    return small_steps().replace("schedule", WarmupStableDecay(warmup=0.05, decay=0.1, shape="sqrt"))


def rotary() -> Experiment:
    """plateau with rotary positions instead of learned ones.

    Hypothesis: in short titles the distance of two words says more than their places.
    Reference: Su et al. 2021, arXiv:2104.09864; -0.018 to -0.027 in five public runs.
    Time: as plateau.
    Command: sevenepochs train rotary
    """
    return plateau().replace_all({"model.position": NoPosition(), "model.attention.rotary": Rope(base=10_000.0)})


def rms_norm() -> Experiment:
    """rotary with RMSNorm instead of LayerNorm.

    Hypothesis: none for the loss; it is part of the public recipe.
    Reference: Zhang & Sennrich 2019, arXiv:1910.07467; -0.0003 to +0.0036 in the public runs.
    Time: as rotary.
    Command: sevenepochs train rms_norm
    """
    return rotary().replace("model.norm", RMSNorm(eps=1e-6))


def unigram() -> Experiment:
    """rms_norm with a byte-level Unigram tokenizer of 16,000 pieces instead of BPE.

    Hypothesis: pieces chosen by likelihood follow words and their endings better than greedy merges.
    Reference: Kudo 2018, arXiv:1804.10959; about -0.02 in the public runs, corrected for the dropped tail.
    Time: 1.1 x rms_norm: some 11 % more tokens.
    Command: sevenepochs train unigram
    """
    return rms_norm().replace("tokenizer", Unigram(vocab_size=16_000, trained_on="train+validation"))


def narrow() -> Experiment:
    """unigram with 6 heads and d 384 instead of 8 and 512.

    Hypothesis: where R-Drop does not hold over-fitting back, width is not worth its time.
    Reference: 12 layers of 384 are as good as 12 of 512 without R-Drop in the public runs.
    Time: 0.7 x unigram.
    Command: sevenepochs train narrow
    """
    return unigram().replace_all({"model.n_head": 6, "model.d_model": 384})


def no_attention_dropout() -> Experiment:
    """narrow without dropout on the attention weights; that on the embedding and the branches stays at 0.1.

    Hypothesis: titles are short, and a token has few others to look at: losing one of them is no mild disturbance.
    Reference: the best public recipe drops no attention weights; it was never told apart there.
    Time: a little less than narrow: no masks on attention.
    Command: sevenepochs train no_attention_dropout
    """
    return narrow().replace("model.attention.dropout", 0.0)


def title_mask() -> Experiment:
    """no_attention_dropout with attention inside the title; `<eos>` opens the next one.

    Hypothesis: the titles before have nothing to do with this one, and not seeing them is one thing less to learn.
    Reference: -0.001 to -0.022 in four public runs.
    Time: as no_attention_dropout.
    Command: sevenepochs train title_mask
    """
    return no_attention_dropout().replace("model.titles", Titles(eos="opens"))


def long_rows() -> Experiment:
    """title_mask with 16 rows of 256 instead of 32 of 128: as many tokens a step, half as many titles cut.

    Hypothesis: a title cut by the row's border is predicted without its beginning.
    Reference: 128 to 256 is -0.0037 in the public runs.
    Time: as title_mask.
    Command: sevenepochs train long_rows
    """
    return title_mask().replace("batches", Stream(batch_size=16, block_size=256))


def head_gate() -> Experiment:
    """long_rows with a sigmoid gate on each head's output.

    Hypothesis: a head that found nothing can be silent instead of attending to `<eos>`.
    Reference: Qiu et al. 2025, arXiv:2505.06708; -0.0056 in the public runs.
    Time: as long_rows.
    Command: sevenepochs train head_gate
    """
    return long_rows().replace("model.attention.gate", HeadGate())


def layer_scale() -> Experiment:
    """head_gate with a learned scale of 0.1 on every branch.

    Hypothesis: the layers begin near the identity and grow as they are needed.
    Reference: Touvron et al. 2021, arXiv:2103.17239; -0.0033 in the public runs.
    Time: as head_gate.
    Command: sevenepochs train layer_scale
    """
    return head_gate().replace("model.residual", LayerScale(dropout=0.1, initial=0.1))


def no_bias() -> Experiment:
    """layer_scale without biases in attention and MLP.

    Hypothesis: none of weight; fewer parameters that escape Muon.
    Reference: -0.0009 in the public runs at this point.
    Time: as layer_scale.
    Command: sevenepochs train no_bias
    """
    return layer_scale().replace_all({"model.attention.bias": False, "model.mlp.bias": False})


def muon_decay() -> Experiment:
    """no_bias with decoupled decay 0.1 on Muon's matrices.

    Hypothesis: decay keeps Muon's steps large beside the weights; it does nothing on the AdamW group.
    Reference: Loshchilov & Hutter 2019, arXiv:1711.05101; -0.0048 in the public runs, with R-Drop.
    Time: as no_bias.
    Command: sevenepochs train muon_decay
    """
    return no_bias().replace("optimizer.weight_decay", 0.1)


def scaled_init() -> Experiment:
    """muon_decay with the matrices that write to the stream drawn smaller by sqrt(2 n_layer).

    Hypothesis: the stream starts with the variance of the embedding at every depth, as LayerScale wants too.
    Reference: Radford et al. 2019; -0.013 to -0.059 with AdamW in four public runs, never tried with Muon.
    Time: as muon_decay.
    Command: sevenepochs train scaled_init
    """
    return muon_decay().replace("model.init", ScaledResidual(std=0.02))


def reshuffled() -> Experiment:
    """scaled_init with the titles in another order every epoch.

    Hypothesis: other cuts and other batch-mates each time are noise that does not repeat, so less is learnt by heart.
    Reference: -0.023 for packing anew each epoch in one public run, neutral in another.
    Time: as scaled_init.
    Command: sevenepochs train reshuffled
    """
    return scaled_init().replace("batches", ShuffledStream(batch_size=16, block_size=256))


def laptop() -> Experiment:
    """reshuffled with rows of whole titles: none is cut, and each one is trained on in every epoch.

    Hypothesis: what is left of the row's border effect goes, in training and in scoring.
    Reference: rows of 256 to 512 gave -0.0014 in the public runs, by cutting fewer titles.
    Time: 83 minutes on 2 cores with AVX512-BF16; 16,784,256 parameters.
    Command: sevenepochs train laptop
    """
    return reshuffled().replace("batches", TitleRows(batch_size=16, block_size=256))


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


# The public recipe's: 12 layers of 512, with twice the dropout.
PUBLIC_SIZE: dict[str, Any] = {
    "model.n_layer": 12,
    "model.n_head": 8,
    "model.d_model": 512,
    "model.embedding_dropout": 0.2,
    "model.residual.dropout": 0.2,
}


def letters() -> Experiment:
    """The best so far: laptop_letters at the public recipe's size: 12 layers x 8 heads, d 512, dropout 0.2.

    Hypothesis: as words, which is 0.014 below laptop_words_r_drop (docs/log), and spelling helps at this size too.
    Reference: in the public runs, with R-Drop, 12 layers of 512 are 0.007 below 12 of 384.
    Time: two minutes on an H100, six to seven hours (estimated) on 2 cores with AVX512-BF16.
    Command: sevenepochs train letters
    """
    return laptop_letters().replace_all(PUBLIC_SIZE)
