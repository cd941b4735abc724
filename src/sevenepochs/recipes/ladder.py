"""The ladder from the stock program to our best recipe: names only, so that reading it needs no torch."""

PUBLIC_BEST = "public_best"
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
    "deep",
    "dropout",
    "title_mask",
    "long_rows",
    "head_gate",
    "layer_scale",
    "r_drop",
    "no_bias",
    PUBLIC_BEST,
    "scaled_init",
    "reshuffled",
    "title_rows",
    "words",
    BEST,
)
