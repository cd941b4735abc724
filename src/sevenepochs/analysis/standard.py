"""The analyses that every published result carries."""

from __future__ import annotations

from collections.abc import Callable

from sevenepochs.analysis.next_token import STORY_PLACES, at_place
from sevenepochs.analysis.token_frequency import most_frequent
from sevenepochs.corpus.base import CorpusConfig
from sevenepochs.run_folder import Run, write_analysis
from sevenepochs.trained import load_trained


def analyze(
    run: Run, corpus: CorpusConfig | None = None, announce: Callable[[str], None] = lambda message: None
) -> None:
    """Write analysis/next_token.json and analysis/token_frequency.json into a complete run's folder.

    Args:
        corpus: where the run's titles are now, if not where its config says.

    Raises:
        UserError: the run is incomplete, or the corpus cannot be read or is another one.
    """
    trained = load_trained(run)
    data = trained.load_data(corpus, announce)
    places = []
    for row, position in STORY_PLACES:
        if position < len(data.validation.ids_N) - 1:
            places.append(at_place(trained, data.validation.ids_N, row, position))
    write_analysis(run, "next_token", {"places": places})
    write_analysis(run, "token_frequency", most_frequent(data.tokenizer, data.train_ids))
