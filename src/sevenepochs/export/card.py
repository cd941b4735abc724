"""The model card: the model, its figures, its licence, and how to load it."""

from __future__ import annotations

import json

from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.fingerprint import HUB_LICENCE
from sevenepochs.data.corpus.hub import DATASET
from sevenepochs.export.folder import Exported
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.store.results import result_of


def model_card(model: Model, exported: Exported, usage: str, library: str = "transformers") -> str:
    """Return README.md of an export, with the front matter that model hubs read.

    Args:
        usage: how it is loaded, Markdown.
        library: the hub's name of what loads it.
    """
    run, corpus = model.run, model.run.corpus
    summary = run.summary
    assert summary is not None, "only complete runs are loaded"
    recipe = called(result_of(run))
    n_parameters = format_metric("parameters", summary.get("parameters"))
    return f"""{_front_matter(corpus, library)}
# {run.recipe}: a small GPT for news headlines

Trained for {model.experiment.training.epochs} epochs by sevenepochs: recipe `{recipe}`, seed {run.seed},
{n_parameters} parameters, rows of up to {model.network.block_size} tokens, {model.tokenizer.vocab_size:,} tokens in
the vocabulary. A title ends with `<eos>`, and the next one follows it: start a text with `<eos>`.
Format: {exported.target}; the largest difference of a logit from the run's own model, in fp32, was
{exported.logit_difference:.1e}.

## Use

{usage}
## Figures

On the validation titles of the corpus `{corpus.get("name")}` ({_version(corpus)}); figures on different corpora are
not comparable.

{_figures(summary["figures"])}

## Licence and limits

{_licence(corpus)}
The model has seen headlines only. It repeats their prejudices and invents news that never happened; it is for study.

## Config

```json
{json.dumps(model.experiment.model.to_dict(), indent=1)}
```
"""


def _figures(figures: dict[str, float | None]) -> str:
    rows = [
        f"| {metric.label} | {format_metric(name, figures[name])} | {metric.unit} | {metric.meaning} |"
        for name, metric in METRICS.items()
        if name in figures
    ]
    return "\n".join(["| figure | value | unit | meaning |", "|---|---|---|---|", *rows])


def _front_matter(corpus: dict[str, object], library: str) -> str:
    licence = {HUB_LICENCE: "cc-by-nc-sa-4.0", "MIT": "mit"}.get(str(corpus.get("licence")), "other")
    dataset = f"datasets:\n- {DATASET}\n" if corpus.get("licence") == HUB_LICENCE else ""
    head = f"library_name: {library}\npipeline_tag: text-generation\nlanguage: en\nlicense: {licence}\n"
    return f"---\n{head}{dataset}---"


def _version(corpus: dict[str, object]) -> str:
    known = corpus.get("recognised")
    return f"version {known}" if known else f"sha256 {str(corpus.get('file_sha256'))[:16]}"


def _licence(corpus: dict[str, object]) -> str:
    licence = corpus.get("licence")
    if licence == HUB_LICENCE:
        return (
            f"Trained on {DATASET}, which is {HUB_LICENCE}: attribution, no commercial use, share alike. "
            "Treat these weights the same."
        )
    if licence:
        return f"The corpus is under {licence}; so are these weights."
    return "The corpus's licence is not known to the program that trained this; find out before you share the weights."
