"""`anchors`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sevenepochs.cli.console import console, note, print_json
from sevenepochs.cli.options import (
    Json,
    Positional,
    Proxy,
    Recipe,
    ResultsFolder,
    Settings,
    Titles,
    experiment_from,
)
from sevenepochs.comparison.anchors import measure, store
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.recipes import RECORD_RECIPE


def anchors(
    recipe: Positional[Recipe] = RECORD_RECIPE,
    *,
    titles: Titles,
    results: ResultsFolder = Path("results"),
    proxy: Proxy = False,
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Measure how well counting and compressing predict the validation titles, and keep it in results/anchors.json.

    Counting is a Kneser-Ney model of 2 to 5 tokens, cut by the recipe's tokenizer; compressing is xz after the training
    titles. Both are scored as models are: nats per character of all validation titles.
    """
    from sevenepochs.campaign.proxy import at_proxy_scale

    experiment = experiment_from(recipe, titles, settings)
    if proxy:
        experiment = at_proxy_scale(experiment)
    corpus = experiment.corpus.load()
    split = corpus.split()
    tokenizer = experiment.tokenizer.build(split)
    kind = experiment.tokenizer.to_dict()["kind"]
    note(f"{len(split.train):,} titles to count, {len(split.validation):,} to score")
    measured = measure(corpus.name, split, tokenizer, f"{kind}, {tokenizer.vocab_size:,} tokens")
    file = store(measured, results)
    if json:
        print_json(asdict(measured))
        return
    counted = f"tokens ({measured.tokenizer})"
    losses = {f"Kneser-Ney, {n} {counted}": loss for n, loss in measured.kneser_ney.items()}
    losses["xz -9e after the training titles"] = measured.xz
    rows = [(name, format_metric("exact_val_loss", loss)) for name, loss in losses.items()]
    console.print(table(("counting", ">exact (nats/char)"), rows))
    console.print(f"kept in {file}")
