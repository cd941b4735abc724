"""The ladder from the stock program to our best recipe: names only, so that reading it needs no torch."""

PUBLIC_BEST = "public_best"  # beside the ladder
BEST = "letters"  # the last rung; which recipe is the record is measured: recipes.RECORD_RECIPE

# Each recipe is the one before it with one change.
LADDER: tuple[str, ...] = (
    "baseline",
    "adamw",
    "muon",
    "small_steps",
    "plateau",
    "rotary",
    "rms_norm",
    "unigram",
    "narrow",
    "no_attention_dropout",
    "title_mask",
    "long_rows",
    "head_gate",
    "layer_scale",
    "no_bias",
    "muon_decay",
    "scaled_init",
    "reshuffled",
    "laptop",
    "laptop_words",
    "laptop_words_r_drop",
    "laptop_letters",
    BEST,
)
