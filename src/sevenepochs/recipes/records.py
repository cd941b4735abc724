"""The record recipe and the best public one, each written out as one Experiment: `sevenepochs show RECIPE` prints the
same. Tests hold them equal to the rungs that lead there.
"""

from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.tokenizer.trained import Unigram
from sevenepochs.experiment import Experiment
from sevenepochs.learning.averaging import LastWeights
from sevenepochs.learning.objective import RDrop
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.optim.muon import Muon
from sevenepochs.learning.schedule import WarmupStableDecay
from sevenepochs.learning.settings import Training
from sevenepochs.model.attention import Causal, HeadGate
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.gpt import GPT
from sevenepochs.model.init import ScaledResidual
from sevenepochs.model.mlp import Gelu
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.residual import LayerScale
from sevenepochs.model.titles import Titles


def letters() -> Experiment:
    """The record recipe, the ladder's last rung."""
    return Experiment(
        corpus=HubCorpus(),
        tokenizer=Unigram(vocab_size=16_000, trained_on="train+validation"),
        batches=TitleRows(batch_size=16, block_size=256),
        model=GPT(
            n_layer=12,
            embedding_dropout=0.2,
            embedding=LetterParts(shortest=3, longest=4),
            attention=Causal(dropout=0.0, bias=False, rotary=Rope(base=10_000.0), gate=HeadGate()),
            position=NoPosition(),
            norm=RMSNorm(eps=1e-06),
            mlp=Gelu(bias=False),
            residual=LayerScale(dropout=0.2, initial=0.1),
            init=ScaledResidual(std=0.02),
            titles=Titles(eos_id=1),
        ),
        objective=RDrop(weight=2.0),
        optimizer=Muon(
            lr=0.01,
            momentum=0.95,
            nesterov=True,
            weight_decay=0.1,
            n_iterations=5,
            precision="auto",
            rest=AdamW(lr=0.0003, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01),
        ),
        schedule=WarmupStableDecay(warmup=0.05, decay=0.1, shape="sqrt", floor=0.0),
        averaging=LastWeights(),
        training=Training(),
    )


def public_best() -> Experiment:
    """The best honest public recipe, as published: muon_decay, R-Drop of weight 2, 12 layers of 512, dropout 0.2.

    Published as 1.1416 by the stock rule on the 2023 titles; 1.175 with the dropped tail counted.
    """
    return Experiment(
        corpus=HubCorpus(),
        tokenizer=Unigram(vocab_size=16_000, trained_on="train+validation"),
        batches=Stream(batch_size=16, block_size=256),
        model=GPT(
            n_layer=12,
            embedding_dropout=0.2,
            attention=Causal(dropout=0.0, bias=False, rotary=Rope(base=10_000.0), gate=HeadGate()),
            position=NoPosition(),
            norm=RMSNorm(eps=1e-06),
            mlp=Gelu(bias=False),
            residual=LayerScale(dropout=0.2, initial=0.1),
            titles=Titles(eos_id=1),
        ),
        objective=RDrop(weight=2.0),
        optimizer=Muon(
            lr=0.01,
            momentum=0.95,
            nesterov=True,
            weight_decay=0.1,
            n_iterations=5,
            precision="auto",
            rest=AdamW(lr=0.0003, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01),
        ),
        schedule=WarmupStableDecay(warmup=0.05, decay=0.1, shape="sqrt", floor=0.0),
        averaging=LastWeights(),
        training=Training(),
    )
