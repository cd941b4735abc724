"""`publish` writes a finished run's folder in results/: what is kept of it, small enough to commit. No torch.

results/<recipe>_<corpus>_s<seed>/result.json, curve.csv, certificate.json, token_losses.npz, analysis/*.json
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.store.choosing import recipe_key
from sevenepochs.store.results import Result, result_of
from sevenepochs.store.run import Run, storage
from sevenepochs.store.title_losses import NAME as TITLE_LOSSES
from sevenepochs.store.token_losses import FILE as TOKEN_LOSSES
from sevenepochs.store.token_losses import TokenLosses

MAX_BYTES = 600_000
PROXY_ANALYSES = (TITLE_LOSSES, "facts")  # what is kept of a run that is trained to choose by
_CURVE_POINTS = 200
_LOSSES = ("train_loss_nats_per_token", "exact_val_loss", "official_val_loss_own_geometry")
_CURVE_COLUMNS = ("step", "event", *_LOSSES, "lr_multiplier", "grad_norm", "elapsed_seconds")


def publish(run: Run, root: Path, recipe: str | None = None) -> Path:
    """Write results/<recipe>_<corpus>_s<seed>/ from a complete run; an older result of that name is replaced whole.

    Args:
        recipe: as `result_of`.

    Raises:
        UserError: the run is not complete, the older result is of other settings or titles, the folder cannot be
            written, or the result would exceed 600 kB.
    """
    result = result_of(run, recipe)
    target, partial = root / result.name_to_publish, root / f".{result.name_to_publish}.partial"
    _check_replaces_its_like(result, target)
    contents: dict[str, Any] = {"result.json": result.facts.to_json(), "certificate.json": run.certificate}
    for name in run.analysis_names():
        if result.is_proxy and name not in PROXY_ANALYSES:
            continue
        data = run.analysis(name)
        if not (isinstance(data, dict) and data.get("keep_local")):  # that holds text of the corpus
            contents[f"analysis/{name}.json"] = data
    texts = {name: json.dumps(data, indent=1, ensure_ascii=False) + "\n" for name, data in contents.items()}
    files = {name: text.encode() for name, text in {**texts, "curve.csv": _curve(run)}.items()}
    if (tokens := TokenLosses.of(run)) is not None:
        files[TOKEN_LOSSES] = tokens.to_bytes()
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        raise UserError(f"the result of {run.name} would take {size:,} bytes; results stay under {MAX_BYTES:,}")
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


def _check_replaces_its_like(result: Result, target: Path) -> None:
    """A folder's name holds recipe, corpus and seed only: a run with changed settings has the same one."""
    try:
        older = Result.read(target)
    except UserError:
        return  # nothing there, or damaged
    if recipe_key(older) != recipe_key(result):
        raise UserError(
            f"{target} was made with other settings or titles than this run ({result.facts.run}); publish it into "
            f"another folder (--results), or delete {target.name} first if this is to stand in its place"
        )


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
        row = unique[key].items()
        writer.writerow({name: float(f"{v:.7g}") if isinstance(v, float) else v for name, v in row})
    return buffer.getvalue()
