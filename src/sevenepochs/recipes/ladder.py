"""The ladder from the stock program to the best recipe: story.py's `baseline` and `adamw`, then these in order. Each is
the one before it with one change; the order of definition is the order of the rungs (`listing.LADDER`).

Up to `muon_decay` the techniques are those of the best honest public recipe (records.py:public_best), in 6 layers so
that a laptop's CPU can try each step. After `laptop`, only R-Drop and the size were tried in public.
"""

from typing import Any

from sevenepochs.data.batches.stream import ShuffledStream, Stream
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.tokenizer.trained import Unigram
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
    """adamw with Muon 1e-2 on the hidden matrices, AdamW 3e-4 on the rest: updates use every direction of a matrix."""
    return adamw().replace("optimizer", Muon(lr=0.01))


def small_steps() -> Experiment:
    """muon with 4,096 tokens per step, 32 rows of 128: more and noisier updates suit seven passes over little data."""
    return muon().replace("batches.batch_size", 32)


def plateau() -> Experiment:
    """small_steps with 5 % warm-up, a plateau and a 1 - sqrt decay over the last 10 %: explore long, anneal briefly."""
    return small_steps().replace("schedule", WarmupStableDecay(warmup=0.05, decay=0.1, shape="sqrt"))


def rotary() -> Experiment:
    """plateau with rotary positions, not learned ones: in a short title distance says more than place."""
    return plateau().replace_all({"model.position": NoPosition(), "model.attention.rotary": Rope(base=10_000.0)})


def rms_norm() -> Experiment:
    """rotary with RMSNorm in place of LayerNorm, a part of the public recipe; no gain expected."""
    return rotary().replace("model.norm", RMSNorm(eps=1e-6))


def unigram() -> Experiment:
    """rms_norm with Unigram 16,000 in place of BPE: pieces chosen by likelihood follow words better than merges."""
    return rms_norm().replace("tokenizer", Unigram(vocab_size=16_000, trained_on="train+validation"))


def narrow() -> Experiment:
    """unigram with 6 heads and d 384 in place of 8 and 512: without R-Drop, width is not worth its time."""
    return unigram().replace_all({"model.n_head": 6, "model.d_model": 384})


def no_attention_dropout() -> Experiment:
    """narrow without dropout on attention weights: in a title, losing one of few tokens is no mild disturbance."""
    return narrow().replace("model.attention.dropout", 0.0)


def title_mask() -> Experiment:
    """no_attention_dropout with attention inside the title: the titles before it have nothing to say about it."""
    return no_attention_dropout().replace("model.titles", Titles())


def long_rows() -> Experiment:
    """title_mask with 16 rows of 256, not 32 of 128: as many tokens per step, half as many titles cut."""
    return title_mask().replace("batches", Stream(batch_size=16, block_size=256))


def head_gate() -> Experiment:
    """long_rows with a sigmoid gate per head: a head that found nothing can be silent."""
    return long_rows().replace("model.attention.gate", HeadGate())


def layer_scale() -> Experiment:
    """head_gate with a learned scale of 0.1 on every branch: layers begin near the identity."""
    return head_gate().replace("model.residual", LayerScale(dropout=0.1, initial=0.1))


def no_bias() -> Experiment:
    """layer_scale without biases in attention and MLP: fewer parameters that Muon does not reach."""
    return layer_scale().replace_all({"model.attention.bias": False, "model.mlp.bias": False})


def muon_decay() -> Experiment:
    """no_bias with decoupled decay 0.1 on Muon's matrices: small weights keep Muon's fixed-size updates effective."""
    return no_bias().replace("optimizer.weight_decay", 0.1)


def scaled_init() -> Experiment:
    """muon_decay with GPT-2's residual scaling: the stream starts with one variance at every depth."""
    return muon_decay().replace("model.init", ScaledResidual(std=0.02))


def reshuffled() -> Experiment:
    """scaled_init with the titles in another order every epoch: other cuts and batches are less easily memorised."""
    return scaled_init().replace("batches", ShuffledStream(batch_size=16, block_size=256))


def laptop() -> Experiment:
    """reshuffled with rows of whole titles: no title is cut, and each is trained on in every epoch."""
    return reshuffled().replace("batches", TitleRows(batch_size=16, block_size=256))


def laptop_words() -> Experiment:
    """laptop with token vectors that are sums: of the word's, its case and space's, and the token's own.

    Two thirds of the tokens differ from another one by case or space only; what one learns serves all of them.
    """
    return laptop().replace("model.embedding", WordParts())


def laptop_words_r_drop() -> Experiment:
    """laptop_words with R-Drop of weight 2: what depends on the units that are dropped does not generalise."""
    return laptop_words().replace("objective", RDrop(weight=2.0))


def laptop_letters() -> Experiment:
    """laptop_words_r_drop with words that are sums too: of their own vector and those of their letter sequences.

    A rare word begins with what words spelt like it have learnt.
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
    """The best so far: laptop_letters at the public recipe's size, 12 layers x 8 heads, d 512, dropout 0.2."""
    return laptop_letters().replace_all(PUBLIC_SIZE)
