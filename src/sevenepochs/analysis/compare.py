"""Runs side by side. Only runs on the same validation titles are ranked against each other. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from sevenepochs.errors import UserError
from sevenepochs.results_folder import Result


@dataclass(frozen=True)
class Comparison:
    """`results` by rising exact loss; `ratio_to_first` and `difference` are against the first one named by the caller.

    `comparable`: all have the same validation titles; otherwise differences are None and mean nothing.
    """

    results: tuple[Result, ...]
    reference: Result
    comparable: bool

    def difference(self, result: Result) -> float | None:
        """Exact loss minus the reference's, nats per character."""
        if not self.comparable:
            return None
        return _exact(result) - _exact(self.reference)

    def ratio(self, result: Result) -> float | None:
        """Exact loss over the reference's."""
        return _exact(result) / _exact(self.reference) if self.comparable else None


def compare(results: list[Result]) -> Comparison:
    """Line up results; the first is the reference.

    Raises:
        UserError: fewer than two.
    """
    if len(results) < 2:
        raise UserError("compare needs at least two runs or results")
    titles = {result.facts["corpus"]["split"]["validation_titles_sha256"] for result in results}
    return Comparison(tuple(sorted(results, key=_exact)), results[0], comparable=len(titles) == 1)


def _exact(result: Result) -> float:
    value = result.figures["exact_val_loss"]
    assert value is not None, "the exact loss always exists"
    return value
