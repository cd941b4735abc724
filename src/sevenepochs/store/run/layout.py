"""The files of a run folder: every name and the schema version, here and nowhere else."""

from __future__ import annotations

PROXY_SUFFIX = "-proxy"  # of the names of a recipe and its titles where it was run at proxy scale
SCHEMA_VERSION = 1  # raised when a reader of the old layout would misread the new one

RUN = "run.json"  # schema version, recipe and settings, seed, creation time; written first: it makes a folder a run
NOT_BEFORE = "not_before_utc"  # in run.json: the start of an earlier run, where the clock has gone back since
CONFIG = "config.json"  # the resolved experiment, loadable; of an ensemble its members with their weights
ENSEMBLE = "ensemble"  # the kind of such a config
ENVIRONMENT = "environment.json"  # versions, machine, commit, diff
CORPUS = "corpus.json"  # fingerprints of the titles and the split
TOKENIZER = "tokenizer.json"
FACTS = "facts.json"  # the facts' values that the model knows, where it is told any
METRICS = "metrics.jsonl"  # one JSON object a line, each with its `step`
MAINRUN_LOG = "mainrun.log"  # the same story in the challenge's own event format, so that others' scripts read our runs
CHECKPOINT = "checkpoint"  # folder: enough to go on bit for bit
MODEL = "model.safetensors"
SNAPSHOTS = "snapshots"  # folder: weights at evaluations, where the run was asked to keep them; never published
TITLE_LOSSES = "title_losses.safetensors"
NATS_STOCK_ROWS = "nats_stock_rows"  # its tensor of losses under stock rows, where the recipe's rows are others
# its tensors by token: store/token_losses.py
BY_TOKEN = LOG_PROBS, STOP_LOG_PROBS, N_BYTES = "log_probs", "stop_log_probs", "n_bytes"
CERTIFICATE = "certificate.json"
ANALYSIS = "analysis"  # folder of JSON files
FAILURE = "failure.json"  # why training stopped by itself (a non-finite loss); gone when the run goes on
SUMMARY = "summary.json"  # written last, by rename: its presence means that the run is complete
SUMS = "sums.json"  # hashes of the files that hold none of their own; of the first ones from the start
LOCK = "writer.lock"  # locked by the process that writes, whose line is in it

SUMMED_FROM_THE_START = (RUN, CONFIG, CORPUS, TOKENIZER)
SUMMED_AT_THE_END = (ENVIRONMENT, METRICS, MAINRUN_LOG, CERTIFICATE, SUMMARY)
FROM_THE_START = (CONFIG, ENVIRONMENT, CORPUS, TOKENIZER)  # there before the first step

# Inside checkpoint/. A new checkpoint is made beside the old one and swapped in by two renames.
CHECKPOINT_TENSORS = "tensors.safetensors"
CHECKPOINT_STATE = "state.json"
CHECKPOINT_NEW = "checkpoint.new"
CHECKPOINT_OLD = "checkpoint.old"


def snapshot(step: int) -> str:
    """The file of the weights after a step."""
    return f"{SNAPSHOTS}/step_{step:08}.safetensors"
