"""`eval`."""

from __future__ import annotations

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, Positional, RunName, Runs, Titles


def evaluate(
    run: Positional[RunName],
    *,
    titles: Titles,
    runs: Runs,
    json: Json = False,
) -> None:
    """Score a finished run again in fp32 and measure its causality, on its own corpus or on another one.

    Of another corpus the validation split is scored; nothing is trained on it.
    """
    from sevenepochs.ask.evaluate import evaluate as score
    from sevenepochs.cli.console import console, errors, figures_table
    from sevenepochs.protocol.certificate import CAUSALITY_TOLERANCE_NATS

    other = titles.config()
    result = score(runs.find(run), other, lambda text: errors.print(text, style="dim"))
    if json:
        print_json(result)
        return
    console.print(f"{result['run']} on {result['n_titles']:,} validation titles of {result['corpus']}, fp32")
    console.print(figures_table({"fp32": result["figures"]}))
    moved = result["causality_violation_nats"]
    style = "dim" if moved <= CAUSALITY_TOLERANCE_NATS else "red"
    console.print(f"later tokens move earlier log-probabilities by at most {moved:.1e} nats", style=style)
    tokenizer = result["tokenizer"]
    if not tokenizer["reversible"]:
        console.print(
            f"the run's tokenizer loses text here: {tokenizer['n_changed']:,} titles changed, "
            f"{tokenizer['n_unknown_tokens']:,} <unk>; the loss is that of another text",
            style="red",
        )
