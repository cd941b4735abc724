"""Beside the ladder: controls, and techniques that did not make it, with the results that say so in docs/log."""

from sevenepochs.data.batches.shuffled_stream import ShuffledStream
from sevenepochs.experiment import Experiment
from sevenepochs.learning.averaging import EMA, Tail
from sevenepochs.learning.objective import RDrop
from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.schedule import WarmupCosine
from sevenepochs.model.attention import QKNorm, ValueResidual
from sevenepochs.model.embedding.letter_parts import OthersLetterParts
from sevenepochs.model.head import SoftCap
from sevenepochs.model.mlp import ReluSquared, SwiGLU
from sevenepochs.model.position import Learned
from sevenepochs.model.residual import LayerScale, StochasticDepth
from sevenepochs.model.skip import X0, UNet
from sevenepochs.recipes.ladder import PUBLIC_SIZE, laptop, laptop_letters, laptop_words, laptop_words_r_drop
from sevenepochs.recipes.records import public_best
from sevenepochs.recipes.story import adamw


def words() -> Experiment:
    """laptop_words_r_drop at the public recipe's size: 12 layers x 8 heads, d 512, dropout 0.2.

    Hypothesis: R-Drop and more dropout hold a model of thrice the work, and with them size pays.
    Reference: in the public runs, with R-Drop, 12 layers of 512 are 0.007 below 12 of 384.
    Time: two minutes on a large GPU, six to seven hours (estimated) on 2 cores with AVX512-BF16.
    Command: sevenepochs train words
    """
    return laptop_words_r_drop().replace_all(PUBLIC_SIZE)


def train_tokenizer() -> Experiment:
    """words with the tokenizer trained on the training titles only.

    Hypothesis: at most 0.003 worse; the stock program lets the tokenizer see validation text, and need not.
    Reference: -0.005 (better) in one public run; 0.006 worse here (docs/log).
    Time: as words.
    Command: sevenepochs train train_tokenizer
    """
    return words().replace("tokenizer.trained_on", "train")


def laptop_others_letters() -> Experiment:
    """laptop_letters with each word's letter sequences given to another word: the control.

    Hypothesis: no better than laptop_words_r_drop; if it is, more parameters or larger steps are what laptop_letters
    gains by, and not spelling.
    Reference: none.
    Time: as laptop_letters.
    Command: sevenepochs train laptop_others_letters
    """
    return laptop_letters().replace("model.embedding", OthersLetterParts())


def laptop_faster_tokens() -> Experiment:
    """laptop with AdamW's group, nearly all of it token vectors, at 6e-4 instead of 3e-4: a control of laptop_words.

    Hypothesis: no better than laptop; under Adam a sum of three parts moves up to sqrt(3) times as far as a row of a
    table, and if laptop_words gains by that, a faster table gains, too.
    Reference: none; 3e-4 is the public recipe's.
    Time: as laptop.
    Command: sevenepochs train laptop_faster_tokens
    """
    return laptop().replace("optimizer.rest.lr", 6e-4)


def laptop_faster_letters() -> Experiment:
    """laptop_letters with AdamW's group at 6e-4 instead of 3e-4.

    Hypothesis: none in a direction; the public rate was chosen for a plain table, and shared parts see more gradients.
    Reference: none.
    Time: as laptop_letters.
    Command: sevenepochs train laptop_faster_letters
    """
    return laptop_letters().replace("optimizer.rest.lr", 6e-4)


def laptop_firm_letters() -> Experiment:
    """laptop_faster_letters with R-Drop of weight 4 instead of 2.

    Hypothesis: at twice the rate laptop_faster_letters leads laptop_letters by 0.02 to 0.1 until half of its proxy run,
    then learns by heart and ends 0.01 behind; held more firmly it keeps some of the lead.
    Reference: in a public run weight 4 was better than 2 at width 640 (1.1448 against 1.1496) and not below.
    Time: as laptop_letters.
    Command: sevenepochs train laptop_firm_letters
    """
    return laptop_faster_letters().replace("objective", RDrop(weight=4.0))


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


# ---- not measured yet: each of these moves up with its first result, or goes ----


def long_warmup() -> Experiment:
    """adamw at 1e-3 with betas .9/.999, decay 0.15 and a warm-up of 18 %.

    Hypothesis: a well tuned AdamW is nearly as good as Muon here.
    Reference: the strongest public AdamW recipe; warm-up -0.016, beta2 .999 -0.008.
    Time: as adamw.
    Command: sevenepochs train long_warmup
    """
    return adamw().replace_all(
        {
            "optimizer": AdamW(lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.15),
            "schedule": WarmupCosine(warmup=0.18),
        }
    )


def eos_closes() -> Experiment:
    """public_best with the other title convention: `<eos>` belongs to the title before it.

    Hypothesis: worse, since a title's second word does not see the `<eos>` and its first word sees another title.
    Reference: both conventions are used in public; they were never compared.
    Time: as public_best.
    Command: sevenepochs train eos_closes
    """
    return public_best().replace("model.titles.eos", "closes")


def restarting_positions() -> Experiment:
    """public_best with learned positions that restart with each title, instead of rotary ones.

    Hypothesis: where in its title a word stands says what rotary distances do.
    Reference: never tried in public.
    Time: as public_best.
    Command: sevenepochs train restarting_positions
    """
    return public_best().replace_all(
        {
            "model.position": Learned(),
            "model.attention.rotary": None,
            "model.titles.restart_positions": True,
        }
    )


def swiglu() -> Experiment:
    """public_best with SwiGLU of 8/3 instead of GELU of 4.

    Hypothesis: gating helps where there is dropout.
    Reference: Shazeer 2020, arXiv:2002.05202; +0.003 to -0.019 in the public runs.
    Time: as public_best.
    Command: sevenepochs train swiglu
    """
    return public_best().replace("model.mlp", SwiGLU(bias=False))


def relu_squared() -> Experiment:
    """public_best with relu squared instead of GELU.

    Hypothesis: sparser activations.
    Reference: So et al. 2021, arXiv:2109.08668; -0.007 in one public run.
    Time: as public_best.
    Command: sevenepochs train relu_squared
    """
    return public_best().replace("model.mlp", ReluSquared(bias=False))


def qk_norm() -> Experiment:
    """public_best with normalised queries and keys.

    Hypothesis: none; it steadies large models.
    Reference: Dehghani et al. 2023, arXiv:2302.05442; +0.0016 in the public runs.
    Time: as public_best.
    Command: sevenepochs train qk_norm
    """
    return public_best().replace("model.attention.qk_norm", QKNorm())


def value_residual() -> Experiment:
    """public_best with the first layer's values mixed into every layer's.

    Hypothesis: what a token is stays visible at depth.
    Reference: Zhou et al. 2024, arXiv:2410.17897; -0.0023 in the public runs.
    Time: as public_best.
    Command: sevenepochs train value_residual
    """
    return public_best().replace("model.attention.value_residual", ValueResidual())


def u_net() -> Experiment:
    """public_best with U-Net skips from the first half of the layers to the second.

    Hypothesis: late layers want early features.
    Reference: Bao et al. 2022, arXiv:2209.12152; -0.0016 in the public runs, -0.6 % on a larger corpus.
    Time: as public_best.
    Command: sevenepochs train u_net
    """
    return public_best().replace("model.skip", UNet())


def x0_skip() -> Experiment:
    """public_best with the embedding mixed in before every block.

    Hypothesis: as u_net, from the very first layer.
    Reference: modded-nanogpt's x0 lambdas; 0 to -0.0013 in the public runs.
    Time: as public_best.
    Command: sevenepochs train x0_skip
    """
    return public_best().replace("model.skip", X0())


def soft_cap() -> Experiment:
    """public_best with logits capped at 15.

    Hypothesis: no token can be made arbitrarily certain by heart.
    Reference: Gemma Team 2024, arXiv:2408.00118; +0.0004 to +0.002 in the public runs.
    Time: as public_best.
    Command: sevenepochs train soft_cap
    """
    return public_best().replace("model.head", SoftCap(cap=15.0))


def stochastic_depth() -> Experiment:
    """public_best with 5 % of the branches left out.

    Hypothesis: another kind of noise beside dropout.
    Reference: Huang et al. 2016, arXiv:1603.09382; -0.09 % on a larger corpus.
    Time: as public_best.
    Command: sevenepochs train stochastic_depth
    """
    return public_best().replace(
        "model.residual", StochasticDepth(branch_dropout=0.05, of=LayerScale(dropout=0.2, initial=0.1))
    )


def ema() -> Experiment:
    """public_best scored by an exponential average of its weights, decay 0.999.

    Hypothesis: none after a plateau that decays to zero; more where the decay is poor.
    Reference: Polyak & Juditsky 1992; -0.0007 in the public runs.
    Time: as public_best.
    Command: sevenepochs train ema
    """
    return public_best().replace("averaging", EMA(decay=0.999))


def tail_average() -> Experiment:
    """public_best scored by the mean of its weights over the last 5 % of training.

    Hypothesis: as ema.
    Reference: Izmailov et al. 2018, arXiv:1803.05407.
    Time: as public_best.
    Command: sevenepochs train tail_average
    """
    return public_best().replace("averaging", Tail(last=0.05))


def smaller_steps() -> Experiment:
    """words with 2,048 tokens a step: 8 rows of 256.

    Hypothesis: as small_steps; at 4,096 the optimum is not reached yet. Twice the steps at the same rate is also twice
    the decay of Muon's matrices (in sum 4.4 instead of 2.2 of a matrix): beside it, run
    --set optimizer.weight_decay=0.05 to tell the two apart.
    Reference: public runs, corrected for the dropped tail: 4,096 to 2,048 is another -0.0065.
    Time: 1.2 x words: twice as many Newton-Schulz iterations.
    Command: sevenepochs train smaller_steps
    """
    return words().replace("batches.batch_size", 8)


def wide() -> Experiment:
    """smaller_steps with 10 heads and d 640 instead of 8 and 512.

    Hypothesis: what R-Drop holds back from over-fitting can be larger.
    Reference: with R-Drop 2, 512 to 640 is +0.0023 in the public runs; with weight 4 it is -0.0038 (wide_r_drop).
    Time: 1.5 x smaller_steps; 69 million parameters.
    Command: sevenepochs train wide
    """
    return smaller_steps().replace_all({"model.n_head": 10, "model.d_model": 640})


def wide_r_drop() -> Experiment:
    """wide with R-Drop of weight 4.

    Hypothesis: the wider model wants the stronger pull; decay 0.1 was never tried at this width either.
    Reference: R-Drop 4 at d 640 without decay is the best single public measurement before decay (1.1448).
    Time: 7 PFLOP: two hours where 1 TFLOP/s is reached, a few minutes on a large GPU.
    Command: sevenepochs train wide_r_drop
    """
    return wide().replace("objective.weight", 4.0)


def laptop_letters_attention() -> Experiment:
    """laptop_letters with dropout 0.1 on the attention weights, too.

    Hypothesis: leaving it out cost 0.003 on the way to laptop, and R-Drop learns from whatever differs between its two
    passes.
    Reference: the best public recipe has R-Drop and drops no attention weights; it was never told apart there.
    Time: a little more than laptop_letters: masks on attention.
    Command: sevenepochs train laptop_letters_attention
    """
    return laptop_letters().replace("model.attention.dropout", 0.1)


def laptop_output_dropout() -> Experiment:
    """laptop_words with dropout 0.1 on what the head reads, too.

    Hypothesis: two thirds of the loss is on tokens met fewer than 1,000 times; their vectors as targets are learnt by
    heart last of all, and nothing but the branches' dropout disturbs what is multiplied with them.
    Reference: Merity et al. 2018, arXiv:1708.02182, at 0.4 in a smaller corpus; never tried in public here.
    Time: as laptop_words.
    Command: sevenepochs train laptop_output_dropout
    """
    return laptop_words().replace("model.output_dropout", 0.1)
