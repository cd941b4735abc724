"""Beside the ladder: controls, and techniques that did not make it; docs/log has their results.

A technique that is one value of a slot needs no recipe: `train laptop_letters --proxy --set model.skip=x0` measures it.
Such values without a result are `model.skip` x0, u_net and input_dropout, `model.mlp` relu_squared, `model.head`
soft_cap and tempered, `model.attention.value_residual` value_residual, `averaging` ema and tail, `objective`
late_r_drop, and with what laptop_letters has `model.residual` stochastic_depth (`--set model.residual.of=layer_scale`)
and `optimizer` muon_firm_embedding (`--set optimizer.weight_decay=0.1`). With a recipe of its settings, the run is
published as that.
"""

from sevenepochs.data.batches.stream import ShuffledStream
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import CrossEntropy, RDrop
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.schedule import WarmupCosine
from sevenepochs.model.embedding.letter_parts import OthersLetterParts
from sevenepochs.model.facts import Facts
from sevenepochs.recipes.ladder import PUBLIC_SIZE, laptop, laptop_letters, laptop_words, laptop_words_r_drop
from sevenepochs.recipes.story import adamw


def words() -> Experiment:
    """laptop_words_r_drop at the public recipe's size: with R-Drop and more dropout, size pays."""
    return laptop_words_r_drop().replace_all(PUBLIC_SIZE)


def train_tokenizer() -> Experiment:
    """words with the tokenizer trained on the training titles only; stock trains it on validation titles as well."""
    return words().replace("tokenizer.trained_on", "train")


def laptop_others_letters() -> Experiment:
    """laptop_letters with each word given another word's letters: the control, where spelling says nothing."""
    return laptop_letters().replace("model.embedding", OthersLetterParts())


def laptop_faster_tokens() -> Experiment:
    """laptop with AdamW's group at 6e-4 in place of 3e-4: a control of laptop_words.

    A sum of three parts moves up to sqrt(3) times as far as a row of a table; a faster table should then gain as well.
    """
    return laptop().replace("optimizer.rest.lr", 6e-4)


def laptop_faster_letters() -> Experiment:
    """laptop_letters with AdamW's group at 6e-4 in place of 3e-4.

    The public rate was chosen for a plain table, and shared parts see more gradients.
    """
    return laptop_letters().replace("optimizer.rest.lr", 6e-4)


def laptop_firm_letters() -> Experiment:
    """laptop_faster_letters with R-Drop of weight 4 in place of 2.

    laptop_faster_letters leads laptop_letters for half of its run, then over-fits; held firmly it may keep the lead.
    """
    return laptop_faster_letters().replace("objective", RDrop(weight=4.0))


def laptop_cut_titles() -> Experiment:
    """laptop_words_r_drop trained on cut titles: the reshuffled stream in rows of 256, scored in whole titles.

    A model trained on whole titles only is lost in stock rows, which begin inside titles.
    """
    batches = ShuffledStream(batch_size=16, block_size=256, scored_by="titles")
    return laptop_words_r_drop().replace("batches", batches)


def laptop_long_decay() -> Experiment:
    """laptop_words_r_drop with a decay over the last 30 % in place of 10 %.

    The decay gains more than the plateau before it, so an earlier one may use the last epochs better.
    """
    return laptop_words_r_drop().replace("schedule.decay", 0.3)


def minutes_10() -> Experiment:
    """laptop_letters with 4 layers of 168, 8,000 pieces and no R-Drop: what two cores train in some ten minutes.

    1.65e14 FLOPs, ten minutes at 0.3 TFLOP/s. Rows of 64 tokens hold four whole titles. Small models under-fit, hence
    half the dropout.
    """
    return laptop_letters().replace_all(
        {
            "objective": CrossEntropy(),
            "model.n_layer": 4,
            "model.d_model": 168,
            "model.n_head": 4,
            "model.embedding_dropout": 0.05,
            "model.residual.dropout": 0.05,
            "tokenizer.vocab_size": 8_000,
            "batches": TitleRows(batch_size=32, block_size=64),
            "schedule.decay": 0.4,
        }
    )


def laptop_domain_date() -> Experiment:
    """laptop_domain told the month of submission as well: names come and go."""
    return laptop_domain().replace("model.facts.columns", ("url", "time"))


# ---- not measured yet: each moves up with its first result, or goes; in brackets what it gave public recipes ----


def long_warmup() -> Experiment:
    """adamw at 1e-3 with betas .9/.999, decay 0.15 and 18 % warm-up: the strongest public recipe without Muon."""
    return adamw().replace_all(
        {
            "optimizer": AdamW(lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.15),
            "schedule": WarmupCosine(warmup=0.18),
        }
    )


def smaller_steps() -> Experiment:
    """words with 2,048 tokens per step, 8 rows of 256 (public runs: -0.0065).

    Twice the steps at one rate are also twice the decay of Muon's matrices: tell the two apart by running
    --set optimizer.weight_decay=0.05 beside it.
    """
    return words().replace("batches.batch_size", 8)


def wide() -> Experiment:
    """smaller_steps with 10 heads and d 640: what R-Drop holds back may be larger (public runs: +0.0023)."""
    return smaller_steps().replace_all({"model.n_head": 10, "model.d_model": 640})


def wide_r_drop() -> Experiment:
    """wide with R-Drop of weight 4, the stronger pull for the wider model (public runs: -0.0038)."""
    return wide().replace("objective.weight", 4.0)


def laptop_letters_attention() -> Experiment:
    """laptop_letters with dropout 0.1 on the attention weights: R-Drop learns from whatever its passes differ by."""
    return laptop_letters().replace("model.attention.dropout", 0.1)


def laptop_output_dropout() -> Experiment:
    """laptop_words with dropout 0.1 on what the head reads.

    Rare tokens' vectors are memorised as targets, and nothing disturbs what they are multiplied with.
    """
    return laptop_words().replace("model.output_dropout", 0.1)


def laptop_domain() -> Experiment:
    """laptop_letters told the domain that each title links to: the context track, never compared with the others."""
    return laptop_letters().replace("model.facts", Facts(columns=("url",)))
