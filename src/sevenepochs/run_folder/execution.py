"""Which fields of a configuration's slot `training` are no part of the recipe."""

EXECUTION_FIELDS = ("device", "compile", "micro_batches")  # how a machine carries a run out: the same but for rounding
NOT_OF_A_RECIPE = ("seed", "precision", "snapshots", *EXECUTION_FIELDS)
