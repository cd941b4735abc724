"""Train into a run folder, from the start or from a checkpoint: setup, fit, conclude."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from sevenepochs.data.corpus.fingerprint import check_same_titles
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.experiment import Experiment, facts_of
from sevenepochs.model.gpt import n_parameters
from sevenepochs.store.run import Run, RunWriter, SilentWriter, layout
from sevenepochs.training.checkpoint import restore
from sevenepochs.training.conclude import conclude
from sevenepochs.training.hooks import Droppable, Plan, Watcher
from sevenepochs.training.interrupt import Interrupted, StoppedUnsaved, StopRequests
from sevenepochs.training.loop import fail_on_torch_errors, fit
from sevenepochs.training.mainrun import header_events
from sevenepochs.training.ranks import Ranks
from sevenepochs.training.session import Session, State, Writer, setup


def run_training(
    experiment: Experiment,
    recipe: str,
    root: Path,
    watcher: Watcher | None = None,
    settings: Sequence[str] | None = None,
) -> Run:
    """Train from the start into a new run folder below `root`; return the complete run.

    Args:
        settings: KEY=VALUE that turned the recipe into the experiment, kept for the run's command; None: unknown.

    Raises:
        UserError: bad corpus, settings or folder: nothing is written. A loss that is not finite: the run is marked
            failed, its state saved. Out of memory: the run is marked failed and keeps its last checkpoint.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP arrived; the state is saved and the run can be resumed.
        StoppedUnsaved: a second Ctrl-C arrived; the run can be resumed from its last checkpoint.
    """
    ranks = Ranks.from_environment()
    watcher = Droppable(watcher) if watcher is not None and ranks.is_first else Watcher()
    with ranks.together():
        data = ranks.first_goes_first(lambda: experiment.load_data(watcher.message))
        session = setup(experiment, data, ranks, watcher)  # what does not fit is refused before a folder exists
        with _one_writes(ranks, lambda: RunWriter.create(root, recipe, experiment.training.seed, settings)) as writer:
            writer.write_json(layout.CONFIG, experiment.to_dict())
            writer.write_text(layout.TOKENIZER, data.tokenizer.json)
            if data.facts is not None:
                writer.write_json(layout.FACTS, asdict(data.facts.table))
            writer.write_json(
                layout.CORPUS, {**data.corpus.source, "name": data.corpus.name, "split": data.fingerprint()}
            )
            writer.write_sums()
            return _run(session, State(), writer, watcher)


def resume_training(run: Run, experiment: Experiment, watcher: Watcher | None = None) -> Run:
    """Go on from the last checkpoint of an interrupted or failed run; return the complete run.

    On the same CPU, threads and versions the result is bit-identical to an uninterrupted run's.

    Raises:
        UserError: the run is complete or broken, or its corpus has changed.
        Interrupted: as in `run_training`.
    """
    ranks = Ranks.from_environment()
    watcher = Droppable(watcher) if watcher is not None and ranks.is_first else Watcher()
    with ranks.together(), _one_writes(ranks, lambda: RunWriter.reopen(run.path)) as writer:
        run.check_sums(layout.SUMMED_FROM_THE_START)
        check_at_hand(run, experiment.corpus)
        tokenizer = Tokenizer(run.read_text(layout.TOKENIZER), f"{layout.TOKENIZER} of run {run.name}")
        facts = facts_of(run, experiment)
        data = ranks.first_goes_first(lambda: experiment.load_data(watcher.message, tokenizer, facts))
        check_same_titles(run, data.fingerprint())
        session, state = setup(experiment, data, ranks, watcher), State()
        if run.has_checkpoint():
            state = restore(session, run.load_checkpoint(), run.environment, watcher)
            writer.truncate_metrics(state.step)
        else:
            watcher.message("there is no checkpoint: begins again at step 1")
            for name in (layout.METRICS, layout.MAINRUN_LOG):
                writer.write_text(name, "")
        return _run(session, state, writer, watcher)


@contextlib.contextmanager
def _one_writes(ranks: Ranks, open_writer: Callable[[], RunWriter]) -> Iterator[Writer]:
    """Open the run folder's writer in the first process, which tells the others where the folder is."""
    if ranks.is_first:
        with open_writer() as writer:
            ranks.from_first(str(writer.path))
            yield writer
    else:
        yield SilentWriter(Path(ranks.from_first(None)))


def _run(session: Session, state: State, writer: Writer, watcher: Watcher) -> Run:
    """Train and conclude; return the complete run."""
    writer.forget_failure()
    writer.write_json(layout.ENVIRONMENT, session.environment)
    if state.saved_step is None:
        for event, fields in header_events(session):
            writer.append_mainrun(event, **fields)
    watcher.started(
        Plan(
            run_path=writer.path,
            first_step=state.step + 1,
            n_steps=session.n_steps,
            steps_per_epoch=session.batches.steps_per_epoch,
            targets_per_step=session.batches.targets_per_step,
            parameters=n_parameters(session.model),
        )
    )

    def acknowledge() -> None:
        watcher.message("stopping after this step, with everything saved; once more to stop without saving")

    with StopRequests(acknowledge) as stop:
        try:
            with fail_on_torch_errors(session, state, writer, in_training=True):
                fit(session, state, writer, watcher, stop)
        except KeyboardInterrupt:
            raise StoppedUnsaved(writer.path, state.saved_step) from None
        finally:
            watcher.finished()
        stop.at_once = True  # the state is saved, and the final figures may take minutes
        try:
            if stop.requested:
                raise KeyboardInterrupt
            with fail_on_torch_errors(session, state, writer, in_training=False), session.average.in_place():
                if isinstance(writer, RunWriter):
                    conclude(session, state, writer, watcher)
            session.ranks.wait()
            return Run(writer.path)
        except KeyboardInterrupt:
            raise Interrupted(writer.path) from None
