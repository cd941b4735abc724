"""Exact loss over the arithmetic of training: every run as a dot, and the lowest loss so far as a line."""

from __future__ import annotations

from collections.abc import Iterable

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.figures.style import BLUE, GREEN, INK, Figure, draw, label, note

_TICKS = (1, 2, 5)


def lowest(runs: Iterable[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Return the runs (name, FLOPs, loss) that no run of fewer or equal FLOPs is below, by rising FLOPs."""
    found: list[tuple[str, float, float]] = []
    for run in sorted(runs, key=lambda run: run[1:]):
        if not found or run[2] < found[-1][2]:
            found.append(run)
    return found


def figure(runs: Iterable[tuple[str, float, float]], title: str) -> str:
    """Return the SVG of runs, each (name, FLOPs, loss in nats per character); those of `lowest` are named."""
    runs = list(runs)
    best = lowest(runs)
    _, flops, losses = zip(*runs, strict=True)
    _, best_flops, best_losses = zip(*best, strict=True)

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        axes.scatter(flops, losses, color=BLUE, s=18, zorder=2)
        axes.step(best_flops, best_losses, where="post", color=GREEN, linewidth=1.2, zorder=1)
        axes.scatter(best_flops, best_losses, color=GREEN, s=36, zorder=3)
        for name, at, loss in best:
            text = f"{name} {format_metric('exact_val_loss', loss)}"
            label(axes, text, (at, loss), -6, -10, ha="right", fontsize=8.5, color=INK)
        axes.set(xscale="log", yscale="log")
        low, high = min(flops) / 4, max(flops) * 1.5  # room for names
        ticks = [digit * 10**power for power in range(10, 22) for digit in _TICKS if low < digit * 10**power < high]
        axes.set_xlim(low, high)
        axes.set_xticks(ticks, [f"{tick:.0e}".replace("e+", "e") for tick in ticks])
        axes.set_yticks(ticks := [1.0, 1.1, 1.2, 1.4, 1.6, 1.8], [f"{tick:g}" for tick in ticks])
        axes.set_ylim(0.94 * min(losses), 1.03 * max(losses))
        axes.minorticks_off()
        axes.set_xlabel("FLOPs of training: products of all passes, attention unmasked")
        axes.set(ylabel=f"exact loss ({METRICS['exact_val_loss'].unit})", title=title)
        note(axes, "a dot per published run; green: none with fewer FLOPs is lower")

    told = ", ".join(f"{name} {format_metric('exact_val_loss', loss)} at {flop:.2g}" for name, flop, loss in best)
    return draw(build, 3.8, f"Exact loss over training FLOPs; the lowest by rising FLOPs: {told}")
