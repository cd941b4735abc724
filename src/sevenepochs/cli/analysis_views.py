"""The standard analyses as the terminal shows them: one function a JSON file, from its content to what rich prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sevenepochs.cli.tokens import bar, plain, visible
from sevenepochs.metrics import METRICS, format_metric

_EXTREMES_SHOWN = 5
_SHARE_CELLS = 10
_SPARKLINE_CELLS = 20


def data(content: Mapping[str, Any]) -> RenderableType:
    """Counts, lengths as small histograms, kinds of titles, most frequent words and tokens."""
    vocabulary = content["vocabulary"]
    facts = [
        f"{content['n_titles']:,} training titles, {content['n_tokens']:,} tokens an epoch, "
        f"{format_metric('share', content['eos_share'])} of them <eos>; "
        f"{format_metric('chars_per_token', content['chars_per_token'])} characters a token",
        f"{vocabulary['size']:,} tokens in the vocabulary, {vocabulary['used']:,} used, "
        f"{vocabulary['used_once']:,} only once",
    ]
    lengths = Table(box=None, pad_edge=False)
    for column in ("a title has", "least", "median", "mean", "95 %", "most", "distribution"):
        lengths.add_column(column, justify="left" if column in ("a title has", "distribution") else "right")
    for label, key in (("characters", "title_chars"), ("tokens", "title_tokens")):
        row = content[key]
        numbers = (f"{row[name]:,.4g}" for name in ("min", "median", "mean", "p95", "max"))
        lengths.add_row(label, *numbers, _sparkline(row["histogram"]["counts"]))
    kinds = Table(box=None, pad_edge=False)
    for column in ("titles by", "kind", "share", ""):
        kinds.add_column(column, justify="right" if column == "share" else "left")
    for breakdown in content["kinds"]:
        label = breakdown["label"]
        for part in breakdown["parts"]:
            kinds.add_row(label, Text(part["label"]), *_share(part["share"]))
            label = ""
    words = _ranking("word", [(row["word"], row["count"]) for row in content["words"]])
    tokens = _ranking("token", [(visible(row["token"]), row["count"]) for row in content["tokens"]])
    side = Table.grid(padding=(0, 4))
    side.add_row(words, tokens)
    return Group(_heading("What the model reads"), *map(Text, facts), lengths, "", kinds, "", side)


def next_token(content: Mapping[str, Any]) -> RenderableType:
    """One line a place; `predict --at` shows all of it."""
    table = Table(box=None, pad_edge=False)
    for column in ("row, token", "after", "expected", "truth", "rank"):
        table.add_column(column, justify="right" if column == "rank" else "left")
    for place in content["places"]:
        top, truth = "  ".join(map(_token, place["top"][:4])), place["truth"]
        table.add_row(
            f"{place['row']}, {place['position']}",
            Text("…" + plain(place["context"])[-24:]),
            Text(top),
            Text(_token(truth)),
            f"{truth['rank']:,}",
        )
    return Group(_heading("Next tokens at two places of the validation text"), table)


def where_loss(content: Mapping[str, Any]) -> RenderableType:
    """One table a breakdown; the dim last column draws the share of all nats."""
    exact = format_metric("exact_val_loss", content["exact_val_loss"], unit=True)
    parts: list[RenderableType] = [
        _heading(f"Where the loss is: {exact} over {content['n_tokens']:,} tokens; share: of all nats")
    ]
    for breakdown in content["tokens"]:
        table = _loss_table(breakdown, "tokens", "n_tokens", "nats/token")
        for part in breakdown["parts"]:
            loss = format_metric("nats_per_token", part["nats_per_token"])
            table.add_row(Text(part["label"]), f"{part['n_tokens']:,}", loss, *_share(part["share"]))
        parts.append(table)
    for breakdown in content["titles"]:
        table = _loss_table(breakdown, "titles", "n_titles", "nats/char")
        for part in breakdown["parts"]:
            loss = format_metric("exact_val_loss", part["nats_per_char"])
            table.add_row(Text(part["label"]), f"{part['n_titles']:,}", loss, *_share(part["share"]))
        parts.append(table)
    return Group(*parts)


def extreme_titles(content: Mapping[str, Any]) -> RenderableType:
    """The first few on either end."""
    table = Table(box=None, pad_edge=False)
    for column, justify in (("", "left"), ("nats/char", "right"), ("number", "right"), ("title", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for end in ("worst", "best"):
        for row in content[end][:_EXTREMES_SHOWN]:
            loss = format_metric("title_loss", row["nats_per_char"])
            table.add_row(end, loss, str(row["index"]), Text(plain(row["text"])))
    return Group(_heading("Worst and best validation titles (this list is never published)"), table)


def memorisation(content: Mapping[str, Any]) -> RenderableType:
    """Known and new titles beside the pair table, and the verdict."""
    table = Table(box=None, pad_edge=False)
    for column in ("the title occurs in training", "titles", "nats/char", "token pairs", "ratio", "95 % interval"):
        table.add_column(column, justify="left" if column.startswith("the") else "right")
    for part in content["kinds"]:
        table.add_row(
            Text(part["label"]),
            f"{part['n_titles']:,}",
            format_metric("exact_val_loss", part["nats_per_char"]),
            format_metric("exact_val_loss", part["pair_nats_per_char"]),
            format_metric("ratio_to_pairs", part["ratio_to_pairs"]),
            _interval("ratio_to_pairs", part["interval"]),
        )
    lines = [Text(content["sentence"])]
    if (quotient := content["met_to_new"]) is not None:
        ratio = format_metric("ratio_to_pairs", quotient["ratio"])
        interval = _interval("ratio_to_pairs", quotient["interval"])
        lines.append(Text(f"ratio on titles met word for word over that on new ones: {ratio} ({interval})"))
    closing = (
        f"Token pairs were counted without {content['n_left_out_of_pairs']:,} training titles that these titles repeat."
    )
    return Group(_heading("Titles met in training"), table, *lines, Text(closing, style="dim"))


def collapse(content: Mapping[str, Any]) -> RenderableType:
    """The verdict, and the figures behind it."""
    style = "bold red" if content["flagged"] else "bold green"
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for key, meaning in _COLLAPSE_ROWS:
        table.add_row(format_metric("bits_per_token", content[key]), f"{METRICS['bits_per_token'].unit}  {meaning}")
    table.add_row(format_metric("share", content["top_is_eos_share"]), "of the most probable tokens are <eos>")
    table.add_row(f"{content['n_distinct_top']:,}", f"different ones occur at {content['n_tokens']:,} places")
    return Group(_heading("Does the model use its context?"), Text(content["sentence"], style=style), table)


def calibration(content: Mapping[str, Any]) -> RenderableType:
    """Bins that hold tokens, and the error."""
    table = Table(box=None, pad_edge=False)
    for column in ("best token's probability", "tokens", "mean", "right", "95 % interval"):
        table.add_column(column, justify="left" if column.startswith("best") else "right")
    for row in content["bins"]:
        if row["n"]:
            table.add_row(
                f"{format_metric('share', row['low'])} to {format_metric('share', row['high'])}",
                f"{row['n']:,}",
                format_metric("share", row["confidence"]),
                format_metric("share", row["accuracy"]),
                _interval("share", row["interval"]),
            )
    error = format_metric("calibration_error", content["expected_calibration_error"])
    return Group(_heading(f"Calibration of the best token: expected error {error}"), table)


def samples(content: Mapping[str, Any]) -> RenderableType:
    """What is copied beside what people repeat, how varied and long it is, and examples."""
    table = Table(box=None, pad_edge=False)
    for column in ("training titles word for word", "titles", "of", "share", "95 % interval"):
        table.add_column(column, justify="left" if column.startswith("training") else "right")
    for label, key in (("of those drawn", "copied"), ("of the validation titles", "copied_by_people")):
        row = content[key]
        share, interval = format_metric("share", row["share"]), _interval("share", row["interval"])
        table.add_row(label, f"{row['n']:,}", f"{row['n_titles']:,}", share, interval)
    mean, training_mean = (
        format_metric("chars_per_title", content[key]) for key in ("mean_chars", "training_mean_chars")
    )
    facts = (
        f"{content['n_distinct']:,} of {content['n_titles']:,} are different, {content['n_ended']:,} came to an end",
        f"{mean} characters on average ({_interval('chars_per_title', content['mean_chars_interval'])}); "
        f"training titles: {training_mean}",
    )
    heading = f"What it writes unprompted, at temperature {content['temperature']:g} (seed {content['seed']})"
    examples = [Text(f"  {plain(text)}") for text in content["examples"]]
    return Group(_heading(heading), table, *map(Text, facts), Text("for example", style="dim"), *examples)


def layers(content: Mapping[str, Any]) -> RenderableType:
    """A row a layer: the lens' loss, and the least and the most that its heads do."""
    table = Table(box=None, pad_edge=False)
    for column in ("after", "nats/token", "on <eos>", "on previous", "on itself", "tokens back"):
        table.add_column(column, justify="left" if column == "after" else "right")
    heads, even = content["heads"], content["even"]
    for number, row in enumerate(content["lens"]):
        cells = [row["name"], format_metric("nats_per_token", row["nats_per_token"])]
        if number:  # the embedding has no heads
            shares = (heads[name][number - 1] for name in ("eos_share", "previous_share", "self_share"))
            back = heads["mean_distance"][number - 1]
            cells += ["–".join(format_metric("share", end(of_heads)) for end in (min, max)) for of_heads in shares]
            cells.append(f"{min(back):.1f}–{max(back):.1f}")
        table.add_row(*cells)
    share = format_metric("share", even["share"])
    closing = (
        f"Least to most of a layer's heads; one that looks everywhere alike: {share} each, "
        f"{even['mean_distance']:.1f} back. The last loss is the model's own."
    )
    heading = f"Layer by layer over {content['n_titles']:,} titles, {content['n_tokens']:,} tokens"
    return Group(_heading(heading), table, Text(closing, style="dim"))


VIEWS: dict[str, Callable[[Mapping[str, Any]], RenderableType]] = {
    "data": data,  # holds the most frequent tokens too, so token_frequency has no view of its own
    "next_token": next_token,
    "where_loss": where_loss,
    "extreme_titles": extreme_titles,
    "memorisation": memorisation,
    "collapse": collapse,
    "calibration": calibration,
    "samples": samples,
    "layers": layers,
}
_COLLAPSE_ROWS = (
    ("pair_gain_bits", "gained over the frequencies by a table of token pairs: what the token before is worth"),
    ("gain_bits", "gained over the frequencies by this model, on the true tokens"),
    ("information_bits", "of information between context and prediction: 0 where the context is ignored"),
    ("mean_to_frequency_bits", "from the mean prediction to the training frequencies (Kullback-Leibler)"),
    ("each_to_frequency_bits", "from a single prediction to them, on average: the sum of the two above"),
    ("loss_bits", "loss of this model on the true tokens"),
    ("frequency_loss_bits", "loss of the frequencies"),
)
_BLOCKS = " ▁▂▃▄▅▆▇█"


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _interval(metric: str, interval: Sequence[float] | None) -> str:
    """Its ends; '-' where there are too few cases for one."""
    return "-" if interval is None else " to ".join(format_metric(metric, value) for value in interval)


def _loss_table(breakdown: Mapping[str, Any], what: str, key: str, unit: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column(f"by {breakdown['label']}", min_width=38, max_width=38, no_wrap=True)
    table.add_column(what, justify="right", min_width=8)
    table.add_column(unit, justify="right", min_width=10)
    table.add_column("share", justify="right")
    table.add_column("", style="dim")
    return table


def _token(row: Mapping[str, Any]) -> str:
    return f"{visible(row['token'])} {format_metric('probability', row['probability'])}"


def _share(share: float) -> tuple[str, str]:
    return format_metric("share", share), bar(share, _SHARE_CELLS)


def _ranking(what: str, rows: Iterable[tuple[str, int]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(what)
    table.add_column("count", justify="right")
    for text, count in rows:
        table.add_row(Text(plain(text)), f"{count:,}")
    return table


def _sparkline(counts: list[int]) -> Text:
    """A histogram in at most 20 characters."""
    width = -(-len(counts) // _SPARKLINE_CELLS)
    cells = [sum(counts[i : i + width]) for i in range(0, len(counts), width)]
    most = max(cells) or 1
    return Text("".join(_BLOCKS[-(-8 * cell // most)] for cell in cells), no_wrap=True)
