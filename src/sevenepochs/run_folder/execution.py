"""What of a run's configuration is how a machine carried it out: the result is the same but for rounding."""

EXECUTION_FIELDS = ("device", "compile", "micro_batches")  # of slot `training`
