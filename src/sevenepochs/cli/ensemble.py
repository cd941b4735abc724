"""`ensemble`."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Annotated, Literal

from tyro.conf import arg

from sevenepochs.cli.console import console, note, print_json
from sevenepochs.cli.options import Batch, BatchOptions, Json, Positional, SideBySide
from sevenepochs.comparison.find import select
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.store.results import Result, list_all, result_of

_Tokenizers = Annotated[str | None, arg(metavar="KIND:SIZE[,KIND:SIZE ...]")]


def ensemble(
    names: Positional[Annotated[tuple[str, ...], arg(metavar="[RUN ...]")]] = (),
    weights: Literal["equal", "development"] = "equal",
    with_counts: bool = False,
    name: Annotated[str, arg(metavar="NAME")] = "ensemble",
    train: Annotated[str | None, arg(metavar="RECIPE")] = None,
    members: Annotated[int, arg(metavar="N")] = 4,
    tokenizers: _Tokenizers = None,
    *,
    batch: BatchOptions,
    json: Json = False,
) -> None:
    """Mix finished runs into one prediction: token by token, or word by word where their tokenizers differ.

    The ensemble is a folder in runs/ like a run's: publish it, compare it, predict with it. Its members keep their own
    seven epochs each; it ranks in a track of its own.

    Args:
        names: Recipes (all their seeds), run folders, how their names begin or end, or folders of results/.
        weights: Equal, or those with the lowest loss on development titles, by the same recipes' runs at proxy scale.
        with_counts: A counting model of the training titles (Kneser-Ney) is a member too; needs --weights development.
        name: The ensemble's name, in place of a recipe's.
        train: Train members of this recipe first, where they are missing; each has a seed of its own.
        members: How many members --train makes sure of.
        tokenizers: Tokenizers that --train gives to the members in turn, e.g. unigram:16000,bpe:16000.
    """
    from sevenepochs.campaign.ensemble import write_ensemble

    folders = batch.folders
    if train is None and (tokenizers or batch != Batch(batch.titles, folders, SideBySide())):
        raise UserError("--proxy, --set, --tokenizers, --workers and --ray belong to --train RECIPE; add it")
    found = [result for text in names for result in select(text, folders.runs, folders.results)]
    if train is not None:
        found += _trained(train, members, tokenizers, batch, is_silent=json)
    others = list_all(folders.results, folders.runs) if weights == "development" else []
    run = write_ensemble(
        found,
        folders.runs,
        name=name,
        weights=weights,
        with_counts=with_counts,
        corpus=batch.titles.config(),
        others=others,
        announce=note,
    )
    result = result_of(run)
    certificate = run.certificate or {}
    if json:
        print_json({"run": run.name, "figures": result.figures.by_name(), "members": certificate["members"]})
        return
    listed = table(("member", ">seed", ">weight", ">exact (nats/char)"))
    for member in certificate["members"]:
        alone = format_metric("exact_val_loss", member.get("exact_val_loss"))
        listed.add_row(member["run"], str(member.get("seed", "")), f"{member['weight']:.3f}", alone)
    listed.add_row(run.name, "", "", format_metric("exact_val_loss", result.exact), style="bold")
    console.print(listed)
    chosen = "chosen on development titles" if certificate["weights_chosen_on"] else "equal"
    told = f"mixed {certificate['mixed']}, weights {chosen}; in {run.path}"
    console.print(told, style="dim", soft_wrap=True)


def _trained(recipe: str, n_members: int, tokenizers: str | None, batch: Batch, *, is_silent: bool) -> list[Result]:
    """The finished members: seeds from 1337 on, the tokenizers in turn. What is done is not trained again."""
    from sevenepochs.campaign.jobs import plan, results_of

    cuts = [_tokenizer_settings(text) for text in tokenizers.split(",")] if tokenizers else [()]
    jobs = [
        batch.jobs(recipe, number, "--members", cut)[-1]
        for number, cut in zip(range(1, n_members + 1), itertools.cycle(cuts), strict=False)
    ]
    planned = [
        # the first published results keep no losses by token
        one if one.result is None or one.result.token_losses() is not None else replace(one, state="to do", result=None)
        for one in plan(jobs, batch.folders.runs, batch.folders.results)
    ]
    planned = batch.execute(planned, is_silent=is_silent)
    for one in planned:
        if one.state != "done":
            where = f", see {one.run.path}" if one.run is not None else ""
            raise UserError(f"the member with seed {one.job.seed} is {one.state}{where}; the ensemble waits for it")
    return results_of(planned)


def _tokenizer_settings(text: str) -> tuple[str, str]:
    kind, colon, size = text.strip().partition(":")
    if kind not in ("bpe", "unigram") or not colon or not size.isdigit():
        raise UserError(f"--tokenizers {text.strip()!r}: write KIND:SIZE, e.g. unigram:16000 or bpe:8000")
    return f"tokenizer={kind}", f"tokenizer.vocab_size={size}"
