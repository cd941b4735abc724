"""Result: one finished run, as published in results/ or straight from its run folder. Nothing here writes. No torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError, command
from sevenepochs.protocol.environment import EARLIER
from sevenepochs.store.facts import SCHEMA_VERSION, CorpusFacts, Figures, MachineFacts, ResultFacts, commit_words
from sevenepochs.store.run import Run, list_runs, storage
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.title_losses import NAME as TITLE_LOSSES
from sevenepochs.store.title_losses import TitleLosses
from sevenepochs.store.token_losses import FILE as TOKEN_LOSSES
from sevenepochs.store.token_losses import TokenLosses

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_CHARACTERS = 80  # of settings in a folder's name


@dataclass(frozen=True)
class Result:
    """One finished run.

    Attributes:
        path: its folder; None for the result of a run that is not published.
        facts: its result.json.
        run: the run that it was made of, where that is at hand.
    """

    path: Path | None
    facts: ResultFacts
    run: Run | None = field(default=None, compare=False)

    @property
    def recipe(self) -> str:
        return self.facts.recipe

    @property
    def seed(self) -> int:
        return self.facts.seed

    @property
    def plain_recipe(self) -> str:
        """The recipe's name without the proxy's suffix."""
        return self.recipe.removesuffix(PROXY_SUFFIX)

    @property
    def created_utc(self) -> str:
        return self.facts.created_utc

    @property
    def corpus(self) -> CorpusFacts:
        return self.facts.corpus

    @property
    def figures(self) -> Figures:
        """The fp32 figures, by which results rank."""
        return self.facts.figures

    @property
    def exact(self) -> float:
        """The fp32 exact loss, nats per character."""
        return self.facts.figures.exact_val_loss

    @property
    def machine(self) -> MachineFacts:
        return self.facts.machine

    @property
    def config(self) -> dict[str, Any]:
        """The whole experiment; not to be changed."""
        return self.facts.config

    @property
    def commit_words(self) -> str:
        """The commit for people, see `commit_words`."""
        return commit_words(self.facts.commit, self.facts.dirty)

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken, by its certificate."""
        return bool(self.facts.certificate_clean)

    @property
    def broken(self) -> tuple[str, ...]:
        """The rules that were broken, by its certificate."""
        return self.facts.certificate_broken or ()

    @property
    def name(self) -> str:
        """The name of its folder in results/, hence without the colon of a user's own recipe; before it is published,
        without the settings that its run was given beside the recipe."""
        return self.path.name if self.path is not None else self._named([])

    @property
    def name_to_publish(self) -> str:
        """With those settings, so that it does not take the place of the recipe's result; many are told as a hash."""
        told = self.run.changes if self.run is not None and self.run.recipe == self.recipe else ()
        changes = [_NOT_IN_A_NAME.sub("-", change) for change in told]
        if len("_".join(changes)) > _MOST_CHARACTERS:
            changes = [hashlib.sha256("_".join(changes).encode()).hexdigest()[:8]]
        return self._named(changes)

    def _named(self, changes: Sequence[str]) -> str:
        return "_".join([self.recipe.replace(":", "-"), *changes, self.corpus.name, f"s{self.seed}"])

    @property
    def titles(self) -> str:
        """Hash of its validation titles: only results that share it can be compared."""
        return self.corpus.split.validation_titles_sha256

    @property
    def titles_name(self) -> str:
        """The titles' name for people: the dataset version where it is recognised, else the corpus's name."""
        return self.corpus.recognised or self.corpus.of or self.corpus.name

    @property
    def is_proxy(self) -> bool:
        """Trained and scored on training titles alone, to choose by; never in one table with full runs."""
        return self.corpus.kind == "development"

    @property
    def certificate(self) -> dict[str, Any]:
        """The rules that the run kept and broke, and the facts behind them. Raises UserError: it is missing or
        damaged."""
        if self.run is not None:
            return self.run.certificate or {}
        assert self.path is not None, "a result is of a run or of a folder"
        found: dict[str, Any] = storage.read_json(
            self.path / "certificate.json", f"certificate.json of {self.name}", "publish the run again"
        )
        return found

    def title_losses(self) -> TitleLosses | None:
        """Return the losses by title as published, within 1/32 nat per title; None where the result has none. Raises
        UserError: the file is damaged."""
        file = self.path / "analysis" / f"{TITLE_LOSSES}.json" if self.path is not None else None
        if file is None or not file.is_file():
            return None
        with storage.damage(file, "publish the run again"):
            data = json.loads(file.read_text(encoding="utf-8"))
        return TitleLosses.from_json(data, str(file))

    def token_losses(self) -> TokenLosses | None:
        """Return the losses by token: in full precision from the run's folder, else as published; None where there are
        none. Raises UserError: the file is damaged."""
        if self.run is not None:
            return TokenLosses.of(self.run)
        file = self.path / TOKEN_LOSSES if self.path is not None else None
        return TokenLosses.read(file) if file is not None and file.is_file() else None

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read a folder of results/. Raises UserError: the folder holds no readable result."""
        file = path / "result.json"
        with storage.damage(file, "publish the run again"):
            return cls(path, ResultFacts.from_json(json.loads(file.read_text(encoding="utf-8"))))


def is_result(path: Path) -> bool:
    """Return whether the folder holds a published result."""
    return os.path.isfile(path / "result.json")  # unlike Path's, False for what is too long for a name


def list_results(root: Path) -> list[Result]:
    """Return all results below `root`, by name, without the half-written ones of a killed `publish`; none where there
    is no such folder. Raises a UserError for a damaged one."""
    return [Result.read(file.parent) for file in sorted(root.glob("[!.]*/result.json"))]


def finished_runs(root: Path) -> list[Result]:
    """Return the results of all complete runs directly below `root`, oldest first. A damaged folder is passed over."""
    found = []
    for run in list_runs(root):
        with contextlib.suppress(UserError):
            if run.state == "complete":
                found.append(result_of(run))
    return found


def list_all(results_root: Path, runs_root: Path) -> list[Result]:
    """Return `list_results`, then `finished_runs`. Raises as the former."""
    return [*list_results(results_root), *finished_runs(runs_root)]


def result_of(run: Run, recipe: str | None = None) -> Result:
    """Return the result of a complete run, without anything that names this machine's folders.

    Args:
        recipe: the name of a recipe that has all of the run's settings; by default the run's own, with its changes.

    Raises:
        UserError: the run is not complete, or damaged.
    """
    summary = run.summary
    if summary is None:
        raise UserError(
            f"run {run.name} is {run.state}; only a complete run has a result ({command('resume', run.path)})"
        )
    run.check_sums()
    certificate = run.certificate
    if certificate is None:
        raise UserError(f"certificate.json of run {run.name} is missing; put it back from a copy, or train again")
    config, environment, name = run.config, run.environment, recipe or run.recipe
    forget_folders(config["corpus"])
    sources = [one.get("source") or {} for one in (environment, *environment.get(EARLIER, []))]
    of_machine = ("cpu_model", "cpu_flags", "cpu_count_usable", "system", "python")
    data = {
        "schema_version": SCHEMA_VERSION,
        "recipe": name,
        "seed": run.seed,
        "run": run.name,
        "created_utc": run.info["created_utc"],
        "command": _command(
            run, recipe or run.recipe, config["corpus"], [] if recipe else run.info.get("settings", [])
        ),
        "corpus": {key: value for key, value in run.corpus.items() if key != "warnings"},
        **summary,
        "track": certificate.get("track"),
        "rows": (certificate.get("scoring") or {}).get("rows"),
        "certificate_clean": certificate.get("clean"),
        "certificate_broken": certificate.get("broken"),
        "commit": sources[0].get("commit"),
        "dirty": _is_dirty(sources),
        "machine": {**environment.get("run", {}), **{key: environment.get(key) for key in of_machine}},
        "packages": environment.get("packages"),
        "config": config,
    }
    try:
        return Result(None, ResultFacts.from_json(data), run)
    except ValueError as error:
        raise UserError(f"run {run.name} can have no result: {error}; change that and train again") from None


def _is_dirty(sources: list[dict[str, Any]]) -> bool | None:
    """Whether any session of a run had changes or another commit than the last one; None where that is unknown."""
    if any(one.get("dirty") or one.get("commit") != sources[0].get("commit") for one in sources):
        return True
    dirty: bool | None = sources[0].get("dirty")
    return dirty


def forget_folders(corpus: dict[str, Any]) -> None:
    """Cut the paths of a corpus's config down to file names, also inside a corpus that is made of another one."""
    if isinstance(corpus.get("path"), str):
        corpus["path"] = Path(corpus["path"]).name
    for value in corpus.values():
        if isinstance(value, dict):
            forget_folders(value)


def _command(run: Run, recipe: str, corpus: dict[str, Any], settings: list[str]) -> str:
    """Return the command that repeats the run. For a run from Python, or from before 26 November 2026, it lacks the
    changed settings; the config has them."""
    proxy = ""
    if isinstance(corpus.get("of"), dict):  # development titles of another corpus
        recipe, corpus, proxy = recipe.removesuffix(PROXY_SUFFIX), corpus["of"], " --proxy"
    source = {
        "hub": f"hub --revision {shlex.quote(str(corpus.get('revision')))}",
        "sample": f"sample:{corpus.get('n_titles')}",
    }
    told = source.get(corpus["kind"]) or shlex.quote(str(corpus.get("path")))
    for key in ("column", "encoding"):
        if corpus.get(key):
            told += f" --{key} {shlex.quote(corpus[key])}"
    if run.is_ensemble:
        certificate = run.certificate or {}
        members = " ".join(shlex.quote(one["run"]) for one in run.config["members"].values())
        weights = " --weights development" if certificate.get("weights_chosen_on") else ""
        counts = " --with-counts" if run.config["counts"] is not None else ""
        return f"sevenepochs ensemble {members} --name {shlex.quote(recipe)}{weights}{counts} --corpus {told}"
    command = f"sevenepochs train {shlex.quote(recipe)} --corpus {told} --seed {run.seed}"
    return " ".join([command, *(f"--set {shlex.quote(setting)}" for setting in settings)]) + proxy
