"""The ladder's lower part: from adamw to the best honest public recipe, one change a step, in the order in which its
author found them. `public_best` is that recipe as published, whole."""

from sevenepochs.batches.stream import Stream
from sevenepochs.experiment import Experiment
from sevenepochs.model.attention.output_gate import HeadGate
from sevenepochs.model.norm.rms_norm import RMSNorm
from sevenepochs.model.position.none import NoPosition
from sevenepochs.model.position.rope import Rope
from sevenepochs.model.residual.layer_scale import LayerScale
from sevenepochs.model.titles import Titles
from sevenepochs.objective.r_drop import RDrop
from sevenepochs.optim.muon import Muon
from sevenepochs.recipes.adamw import adamw
from sevenepochs.schedule.warmup_stable_decay import WarmupStableDecay
from sevenepochs.tokenizer.unigram import Unigram


def muon() -> Experiment:
    """adamw with Muon 1e-2 on the hidden matrices and AdamW 3e-4 on the rest.

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


def deep() -> Experiment:
    """unigram with 12 layers instead of 6.

    Hypothesis: depth is worth more than width at this size, once dropout and later R-Drop hold it.
    Reference: -0.007 (12 layers of 384) and -0.007 more (of 512, with R-Drop) in the public runs.
    Time: 1.7 x unigram; 46 million parameters.
    Command: sevenepochs train deep
    """
    return unigram().replace("model.n_layer", 12)


def dropout() -> Experiment:
    """deep with dropout 0.2 on the embedding and the branches, and none on the attention weights.

    Hypothesis: the deep model over-fits by the fourth epoch, and dropout is the cheapest hold.
    Reference: 0 / 0.1 / 0.2 gave 1.2385 / 1.1886 / 1.1871 in the public runs.
    Time: a little less than deep: no masks on attention.
    Command: sevenepochs train dropout
    """
    return deep().replace_all(
        {"model.embedding_dropout": 0.2, "model.residual.dropout": 0.2, "model.attention.dropout": 0.0}
    )


def title_mask() -> Experiment:
    """dropout with attention inside the title; `<eos>` opens the next one.

    Hypothesis: the titles before have nothing to do with this one, and not seeing them is one thing less to learn.
    Reference: -0.001 to -0.022 in four public runs.
    Time: as dropout.
    Command: sevenepochs train title_mask
    """
    return dropout().replace("model.titles", Titles(eos="opens"))


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

    Hypothesis: twelve layers begin near the identity and grow as they are needed.
    Reference: Touvron et al. 2021, arXiv:2103.17239; -0.0033 in the public runs.
    Time: as head_gate.
    Command: sevenepochs train layer_scale
    """
    return head_gate().replace("model.residual", LayerScale(dropout=0.2, initial=0.1))


def r_drop() -> Experiment:
    """layer_scale with R-Drop of weight 2.

    Hypothesis: predictions that do not depend on which units are dropped are those that hold on new titles.
    Reference: Liang et al. 2021, arXiv:2106.14448; -0.024 to -0.031, the largest late gain of the public runs.
    Time: 2 x layer_scale: each batch passes twice.
    Command: sevenepochs train r_drop
    """
    return layer_scale().replace("objective", RDrop(weight=2.0))


def no_bias() -> Experiment:
    """r_drop without biases in attention and MLP.

    Hypothesis: none of weight; fewer parameters that escape Muon.
    Reference: -0.0009 in the public runs at this point.
    Time: as r_drop.
    Command: sevenepochs train no_bias
    """
    return r_drop().replace_all({"model.attention.bias": False, "model.mlp.bias": False})


def public_best() -> Experiment:
    """The best honest public recipe, as published: no_bias with decoupled decay 0.1 on Muon's matrices.

    Hypothesis: decay keeps Muon's steps large beside the weights; it does nothing on the AdamW group.
    Reference: a public repository's last recipe; by the stock rule 1.1416 on the 2023 data and 1.1327 on the 2026
    data, 1.175 and 1.138 when the dropped tail is counted. 46,014,976 parameters.
    Time: 5 PFLOP: an hour and a half where 1 TFLOP/s is reached, some minutes on a large GPU.
    Command: sevenepochs train public_best
    """
    return no_bias().replace("optimizer.weight_decay", 0.1)
