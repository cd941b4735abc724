"""Small models for the embedded corpus: a first look in minutes, not a result."""

from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.optim.muon import Muon
from sevenepochs.learning.schedule import WarmupStableDecay
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.story import baseline


def demo_sgd() -> Experiment:
    """The stock program made small: 2x128, BPE 1,000, no dropout, SGD 6e-3, on the embedded corpus."""
    return baseline().replace_all(
        {
            "corpus": SampleCorpus(n_titles=6_000),
            "tokenizer.vocab_size": 1_000,
            "batches": Stream(batch_size=16, block_size=64),
            "model.n_layer": 2,
            "model.n_head": 4,
            "model.d_model": 128,
            "model.embedding_dropout": 0.0,
            "model.residual.dropout": 0.0,
            "model.attention.dropout": 0.0,
        }
    )


def demo_adamw() -> Experiment:
    """demo_sgd with AdamW 3e-3: the optimizer alone takes most of the way to the grammar's floor."""
    return demo_sgd().replace("optimizer", AdamW(lr=3e-3, beta1=0.9, beta2=0.99))


def demo_record() -> Experiment:
    """demo_sgd with the record's techniques that pay at this size: RoPE, Muon, rows of whole titles, a plateau.

    Pieces of Unigram, words and letters brought nothing here (docs/log).
    """
    return demo_sgd().replace_all(
        {
            "batches": TitleRows(batch_size=16, block_size=64),
            "model.position": NoPosition(),
            "model.attention.rotary": Rope(base=10_000.0),
            "model.titles": Titles(),
            "optimizer": Muon(lr=0.02, rest=AdamW(lr=3e-3, beta1=0.9, beta2=0.99, weight_decay=0.01)),
            "schedule": WarmupStableDecay(warmup=0.05, decay=0.3, shape="sqrt"),
        }
    )
