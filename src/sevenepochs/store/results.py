"""results/: what is kept of a finished run, small enough to commit. `publish` writes it, `Result` reads it.

    results/<recipe>_<corpus>_s<seed>/result.json, curve.csv, certificate.json, token_losses.npz, analysis/*.json

Reports, notebooks and README tables need nothing else. No torch.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevenepochs.config.old_configs import present_form
from sevenepochs.errors import UserError, command
from sevenepochs.protocol.budget import OFFICIAL_SEED
from sevenepochs.protocol.environment import EARLIER
from sevenepochs.store.run import Run, layout, storage
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.title_losses import NAME as TITLE_LOSSES
from sevenepochs.store.title_losses import TitleLosses
from sevenepochs.store.token_losses import FILE as TOKEN_LOSSES
from sevenepochs.store.token_losses import TokenLosses

SCHEMA_VERSION = 1
# fields of the slot `training`: how a machine carries a run out, the same but for rounding; what is no recipe's own
EXECUTION_FIELDS = ("device", "compile", "micro_batches", "checkpoint_seconds")
NOT_OF_A_RECIPE = ("seed", "precision", "snapshots", *EXECUTION_FIELDS)
MAX_BYTES = 600_000
_NOT_IN_A_LINE = re.compile(r"[`\x00-\x1f\x7f]")  # no markup, one line
_NOT_IN_A_NAME = re.compile(r"[/\\`\x00-\x1f\x7f]")  # and no path
_CURVE_POINTS = 200
_CURVE_COLUMNS = (
    "step",
    "event",
    "train_loss_nats_per_token",
    "exact_val_loss",
    "official_val_loss_own_geometry",
    "lr_multiplier",
    "grad_norm",
    "elapsed_seconds",
)


@dataclass(frozen=True)
class Result:
    """One finished run as published: `facts` is result.json.

    Attributes:
        path: its folder; None for the result of a run that is not published.
        run: the run it was made of, where that is at hand.
    """

    path: Path | None
    facts: dict[str, Any]
    run: Run | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Of its folder, so without the colon of a recipe of one's own."""
        return f"{self.facts['recipe'].replace(':', '-')}_{self.facts['corpus']['name']}_s{self.facts['seed']}"

    @property
    def figures(self) -> dict[str, float | None]:
        """The fp32 figures, by which results rank."""
        return dict(self.facts["figures"])

    @property
    def exact(self) -> float:
        """The fp32 exact loss, nats per character."""
        return float(self.facts["figures"]["exact_val_loss"])

    @property
    def titles(self) -> str:
        """Hash of its validation titles: only results that share it can be compared."""
        return str(self.facts["corpus"]["split"]["validation_titles_sha256"])

    @property
    def titles_name(self) -> str:
        """What people call the titles: the dataset version where it is recognised, else the corpus's name."""
        corpus = self.facts["corpus"]
        return str(corpus.get("recognised") or corpus.get("of") or corpus["name"])

    @property
    def is_proxy(self) -> bool:
        """Trained and scored on training titles alone, to choose by; never in one table with full runs."""
        return str(self.facts["corpus"].get("kind")) == "development"

    @property
    def machine(self) -> str:
        """For people: the GPU's name, or threads and CPU; and the precision."""
        facts = self.facts["machine"]
        name = facts.get("device_name") or f"{facts.get('threads')} threads, {facts.get('cpu_model')}"
        return f"{name}, {facts.get('precision')}"

    def title_losses(self) -> TitleLosses | None:
        """Losses by title as published, within 1/32 nat a title; None where the result has none.

        Raises:
            UserError: the file is damaged.
        """
        file = self.path / "analysis" / f"{TITLE_LOSSES}.json" if self.path is not None else None
        if file is None or not file.is_file():
            return None
        with storage.damage(file, "publish the run again"):
            data = json.loads(file.read_text(encoding="utf-8"))
        return TitleLosses.from_json(data, str(file))

    def token_losses(self) -> TokenLosses | None:
        """Losses by token as published; None where the result has none.

        Raises:
            UserError: the file is damaged.
        """
        file = self.path / TOKEN_LOSSES if self.path is not None else None
        return TokenLosses.read(file) if file is not None and file.is_file() else None

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises UserError when the folder holds no readable result."""
        file = path / "result.json"
        with storage.damage(file, "publish the run again"):
            facts = json.loads(file.read_text(encoding="utf-8"))
            version = facts["schema_version"]
            facts["figures"]["exact_val_loss"]
            _check_plain(facts)
            facts["config"] = present_form(facts["config"])
        if version != SCHEMA_VERSION:
            raise UserError(f"{file} has schema version {version}, this package reads {SCHEMA_VERSION}")
        return cls(path, facts)


def _check_plain(facts: dict[str, Any]) -> None:
    """What becomes a folder's name and stands on pages: raise ValueError unless it is plain, and the seed a number."""
    recipe, corpus, command = facts["recipe"], facts["corpus"]["name"], facts.get("command", "")
    for name in (recipe, corpus):
        if not isinstance(name, str) or _NOT_IN_A_NAME.search(name) or not name:
            raise ValueError(f"{name!r} is no name of a recipe or corpus")
    if recipe.startswith("."):
        raise ValueError(f"{recipe!r} is no name of a recipe")
    if not isinstance(command, str) or _NOT_IN_A_LINE.search(command):
        raise ValueError("its command is more than a line of plain text")
    if not isinstance(facts["seed"], int) or isinstance(facts["seed"], bool):
        raise ValueError(f"{facts['seed']!r} is no seed")


def is_result(path: Path) -> bool:
    """Whether the folder holds a published result."""
    return os.path.isfile(path / "result.json")  # unlike Path's, False for what is too long for a name


def list_results(root: Path) -> list[Result]:
    """All results below `root`, by name; a damaged one raises. What a killed `publish` left half-written is none."""
    return [Result.read(file.parent) for file in sorted(root.glob("[!.]*/result.json"))]


def by_titles(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Results by the hash of their validation titles, in the order of their first mention."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.titles, []).append(result)
    return found


def recipe_key(result: Result) -> str:
    """What runs of one recipe on one corpus share: name, titles of both splits, and the configuration but for the seed,
    the place of the corpus, and how the machine executes it."""
    trained_on = result.facts["corpus"]["split"]["train_titles_sha256"]
    return json.dumps([result.facts["recipe"], trained_on, result.titles, recipe_config(result)], sort_keys=True)


def recipe_config(result: Result) -> dict[str, Any]:
    """The configuration but for the corpus, the seed, and how the machine executes it; the caller's own."""
    return plain_config(result.facts["config"])


def plain_config(experiment: dict[str, Any]) -> dict[str, Any]:
    """What makes the recipe in a whole configuration: all but the corpus, the seed and how the machine executes it."""
    config = {key: copy.deepcopy(value) for key, value in experiment.items() if key != "corpus"}
    config["training"] = {key: value for key, value in config["training"].items() if key not in NOT_OF_A_RECIPE}
    return config


def official_first(seeds: Iterable[Result]) -> list[Result]:
    """In the order in which runs speak for their recipe: the official seed's, then the smallest seed's. The luckiest
    would tell the better a story, the more seeds were run."""
    return sorted(seeds, key=lambda result: (result.facts["seed"] != OFFICIAL_SEED, result.facts["seed"]))


def record(results: Iterable[Result]) -> list[Result]:
    """The results of the recipe with the lowest exact loss, single track under a clean certificate, `official_first`:
    recipes are ranked by the first. Empty where there is none."""
    recipes: dict[str, list[Result]] = {}
    for result in results:
        if result.facts["track"] == "single" and result.facts["certificate_clean"]:
            recipes.setdefault(recipe_key(result), []).append(result)
    return min(map(official_first, recipes.values()), key=lambda seeds: seeds[0].exact, default=[])


def mean_exact(seeds: Sequence[Result]) -> float:
    """Mean exact loss, nats per character."""
    return math.fsum(seed.exact for seed in seeds) / len(seeds)


def most_recipes(results: Iterable[Result]) -> list[Result]:
    """The results on the titles that most recipes were run on."""
    return max(by_titles(results).values(), key=lambda some: len({r.facts["recipe"] for r in some}), default=[])


def result_of(run: Run) -> Result:
    """The facts of a complete run, without anything that names this machine's folders.

    Raises:
        UserError: the run is not complete.
    """
    summary = run.summary
    if summary is None:
        raise UserError(
            f"run {run.name} is {run.state}; only a complete run has a result ({command('resume', run.path)})"
        )
    certificate = run.certificate
    if certificate is None:
        raise UserError(f"certificate.json of run {run.name} is missing; put it back from a copy, or train again")
    config, environment = run.config, run.environment
    forget_folders(config["corpus"])
    sources = [one.get("source") or {} for one in (environment, *environment.get(EARLIER, []))]
    corpus = {key: value for key, value in run.corpus.items() if key != "warnings"}
    facts = {
        "schema_version": SCHEMA_VERSION,
        "recipe": run.recipe,
        "seed": run.seed,
        "run": run.name,
        "created_utc": run.info["created_utc"],
        "command": _command(run, run.recipe, config["corpus"]),
        "corpus": corpus,
        **summary,
        "track": certificate.get("track"),
        "rows": (certificate.get("scoring") or {}).get("rows"),
        "certificate_clean": certificate.get("clean"),
        "certificate_broken": certificate.get("broken"),
        "commit": sources[0].get("commit"),
        "dirty": _is_dirty(sources),
        "machine": {
            **environment.get("run", {}),
            **{key: environment.get(key) for key in ("cpu_model", "cpu_flags", "cpu_count_usable", "system", "python")},
        },
        "packages": environment.get("packages"),
        "config": config,
    }
    try:
        _check_plain(facts)
    except ValueError as error:
        raise UserError(f"run {run.name} can have no result: {error}; rename it there and train again") from None
    return Result(None, facts, run)


def _is_dirty(sources: list[dict[str, Any]]) -> bool | None:
    """Whether any session of a run had changes, or another commit than the last one; None where that is unknown."""
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


def publish(run: Run, root: Path) -> Path:
    """Write results/<recipe>_<corpus>_s<seed>/ from a complete run; an older result of that name is replaced whole.

    Raises:
        UserError: the run is not complete, the older result is of other settings or titles, the folder cannot be
            written, or the result would exceed 600 kB.
    """
    result = result_of(run)
    _check_replaces_its_like(result, root / result.name)
    texts = {
        "result.json": _json(result.facts),
        "curve.csv": _curve(run),
        "certificate.json": _json(run.certificate),
        **{f"analysis/{name}.json": _json(data) for name, data in _publishable_analyses(run, result.is_proxy)},
    }
    files = {name: text.encode() for name, text in texts.items()}
    tokens = token_losses_of(run)
    if tokens is not None:
        files[TOKEN_LOSSES] = tokens.to_bytes()
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        raise UserError(f"the result of {run.name} would take {size:,} bytes; results stay under {MAX_BYTES:,}")
    target = root / result.name
    partial = root / f".{result.name}.partial"
    with storage.disk_errors(str(target), "choose another folder with --results"):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            for name, content in files.items():
                file = partial / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def token_losses_of(run: Run) -> TokenLosses | None:
    """Losses by token of a complete run; None where it was trained before runs kept them."""
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    names = (layout.LOG_PROBS, layout.STOP_LOG_PROBS, layout.N_BYTES)
    return TokenLosses(*(tensors[name] for name in names)) if tensors.keys() >= set(names) else None


def _check_replaces_its_like(result: Result, target: Path) -> None:
    """The name says recipe, corpus and seed; a run with changed settings has the same one."""
    try:
        older = Result.read(target)
    except UserError:
        return  # nothing there, or damaged
    if recipe_key(older) != recipe_key(result):
        raise UserError(
            f"{target} was made with other settings or titles than this run ({result.facts['run']}); publish it into "
            f"another folder (--results), or delete {target.name} first if this is to stand in its place"
        )


def _publishable_analyses(run: Run, is_proxy: bool) -> Iterator[tuple[str, Any]]:
    """What analysis/ holds, but for files that say that they hold text of the corpus; of a proxy the losses alone."""
    for name in run.analysis_names():
        if is_proxy and name != TITLE_LOSSES:
            continue
        data = run.analysis(name)
        if not (isinstance(data, dict) and data.get("keep_local")):
            yield name, data


def _command(run: Run, recipe: str, corpus: dict[str, Any]) -> str:
    """The command that repeats the run. One that was started from Python, or before 26 November 2026, does not tell
    what was changed in its recipe; its config does."""
    if isinstance(corpus.get("of"), dict):  # development titles of another corpus
        return f"{_command(run, recipe.removesuffix(PROXY_SUFFIX), corpus['of'])} --proxy"
    source = {
        "hub": f"hub --revision {shlex.quote(str(corpus.get('revision')))}",
        "sample": f"sample:{corpus.get('n_titles')}",
    }
    told = source.get(corpus["kind"]) or shlex.quote(str(corpus.get("path")))
    for key in ("column", "encoding"):
        if corpus.get(key):
            told += f" --{key} {shlex.quote(corpus[key])}"
    command = f"sevenepochs train {shlex.quote(recipe)} --corpus {told} --seed {run.seed}"
    return " ".join([command, *(f"--set {shlex.quote(setting)}" for setting in run.info.get("settings", []))])


def _curve(run: Run) -> str:
    """Every evaluation and some 200 training steps, the first and the last among them."""
    training = run.training_curve()
    stride = max(1, len(training) // _CURVE_POINTS)
    rows = [*training[::stride], *training[-1:], *run.evaluations()]
    unique = {(row["step"], row["event"]): row for row in rows}
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _CURVE_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    # at one step, training comes before the evaluation that follows it
    for key in sorted(unique, key=lambda k: (k[0], k[1] == "evaluation")):
        writer.writerow({k: _round(v) for k, v in unique[key].items()})
    return buffer.getvalue()


def _round(value: Any) -> Any:
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
