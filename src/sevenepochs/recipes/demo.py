"""Small models for the embedded corpus: a first look in minutes, not a result."""

from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.recipes.story import baseline


def demo_sgd() -> Experiment:
    """The stock program made small: 4x128, BPE 1,000, no dropout, SGD 6e-3, on the embedded corpus."""
    return baseline().replace_all(
        {
            "corpus": SampleCorpus(n_titles=12_000),
            "tokenizer.vocab_size": 1_000,
            "batches.batch_size": 16,
            "model.n_layer": 4,
            "model.n_head": 4,
            "model.d_model": 128,
            "model.embedding_dropout": 0.0,
            "model.residual.dropout": 0.0,
            "model.attention.dropout": 0.0,
        }
    )


def demo_adamw() -> Experiment:
    """demo_sgd with AdamW 2e-3: the optimizer alone takes most of the way to the grammar's floor."""
    return demo_sgd().replace("optimizer", AdamW(lr=2e-3, beta1=0.9, beta2=0.99))
