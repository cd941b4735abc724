"""What a training program's values mean to the audit: titles, text, ids, logits, nats. Numbers stay numbers.

The audit compares programs by meaning: source is rewritten, expression by expression, into these few kinds of value.
Two spellings of one computation give one value, so renaming, moving or reformatting code cannot raise an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

# The 2026 revision under the stock tokenizer; any other corpus or vocabulary moves them, hence "about" in every effect.
TOKENS = {"train": 1_168_720, "val": 129_600}
CHARS = {"train": 5_066_000, "val": 562_970}
TITLES = {"train": 90_000, "val": 10_000}
TITLE_COUNTS = frozenset({*TITLES.values(), sum(TITLES.values())})
VOCABULARY = 16_000
MAX_SPANS = 20_000
ORDER_CHANGES = frozenset({"reordered", "shuffled"})
MAX_TERMS = 50_000


class Unknown:
    """Whatever the audit does not follow."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Place:
    """A line of the source."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Data:
    """Titles or something made of them.

    Attributes:
        kind: rows, titles, title (one standing for each), text, bytes or ids.
        split: which of train and val it holds.
        changes: what was done to the text on the way, in words.
        spans: for ids, the half-open token intervals [lo, hi) of the split's stream, row after row.
        shape: rows and columns once it is a matrix.
        random: the intervals start at random places.
        separator: what joins the titles, once they are text.
        repeats: how many copies of the titles it holds.
        origin: where it was cut.
    """

    kind: str
    split: frozenset[str]
    changes: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    shape: tuple[int, ...] | None = None
    random: bool = False
    separator: str | None = None
    repeats: float = 1
    origin: Place | None = None

    def __len__(self) -> int:
        if self.kind == "ids":
            if self.shape is not None:
                return self.shape[0]
            return sum(hi - lo for lo, hi in self.spans)
        return int(self.repeats * sum(TITLES[part] for part in self.split))

    @property
    def size(self) -> int:
        """Tokens of an ids value."""
        return sum(hi - lo for lo, hi in self.spans)

    def changed(self, *changes: str) -> Data:
        """The same with more said about what was done to it."""
        return replace(self, changes=self.changes | set(changes))

    def as_ids(self) -> Data:
        """The token stream of this text."""
        size = int(self.repeats * sum(TOKENS[part] for part in self.split))
        return replace(self, kind="ids", spans=((0, size),), shape=None)


@dataclass(frozen=True)
class Count:
    """The length of a text: kind is chars or bytes."""

    kind: str
    data: Data
    factor: float = 1.0
    origin: Place | None = None


@dataclass(frozen=True)
class Start:
    """A random position, plus offset."""

    offset: int = 0


@dataclass(frozen=True)
class Logits:
    """Scores for the tokens after x; `changes` names what was done to them between model and loss."""

    x: Data
    changes: frozenset[str] = frozenset()
    gathered: Data | None = None


@dataclass(frozen=True)
class ModelOut:
    """What the model returned for inputs x (and targets y)."""

    x: Data
    y: Data | None
    origin: Place | None


@dataclass(eq=False)
class Nats:
    """A (weighted) sum of the targets' losses: a leaf of intervals, or the sum of two others, times factor."""

    leaf: tuple[tuple[int, int], ...] = ()
    left: Nats | None = None
    right: Nats | None = None
    factor: float = 1.0
    changes: frozenset[str] = frozenset()
    divisor: Count | None = None
    x: Data | None = None
    y: Data | None = None
    origin: Place | None = None
    terms_added: int = field(default=1)

    def __add__(self, other: Nats) -> Nats:
        changes = self.changes | other.changes
        if self.terms_added + other.terms_added > MAX_TERMS:
            return replace(self, changes=changes | {"rewritten by too many terms"})
        if (self.divisor is None) != (other.divisor is None):
            changes |= {"rewritten by adding unlike losses"}
        return Nats(
            left=self,
            right=other,
            changes=changes,
            divisor=self.divisor or other.divisor,
            x=self.x or other.x,
            y=self.y or other.y,
            origin=self.origin or other.origin,
            terms_added=self.terms_added + other.terms_added,
        )

    def scaled(self, factor: float) -> Nats:
        """Times a number."""
        return replace(self, factor=self.factor * factor)

    def changed(self, *changes: str) -> Nats:
        """The same with more said about it."""
        return replace(self, changes=self.changes | set(changes))

    def targets(self) -> Iterator[tuple[int, int, float]]:
        """Every scored interval [lo, hi) with the weight of its nats."""
        stack: list[tuple[Nats, float]] = [(self, 1.0)]
        while stack:
            node, factor = stack.pop()
            factor *= node.factor
            if node.left is not None and node.right is not None:
                stack += [(node.left, factor), (node.right, factor)]
            else:
                yield from ((lo, hi, factor) for lo, hi in node.leaf)

    def targets_left(self) -> bool:
        """Whether anything was scored."""
        return next(self.targets(), None) is not None

    @property
    def size(self) -> int:
        """Targets, counted as often as they are scored."""
        return sum(hi - lo for lo, hi, _ in self.targets())


@dataclass(frozen=True)
class External:
    """Something of a library that is not in the folder, by its dotted name."""

    name: str

    @property
    def last(self) -> str:
        """`cross_entropy` of `torch.nn.functional.cross_entropy`."""
        return self.name.rpartition(".")[2]

    @property
    def home(self) -> str:
        """`torch.nn.functional` of it; empty for Python's own."""
        return self.name.rpartition(".")[0]


@dataclass(eq=False)
class Arguments:
    """The options of an argparse parser, with the defaults that a run without options has."""

    values: dict[str, Any] = field(default_factory=dict)

    def add(self, flags: list[Any], words: dict[str, Any]) -> None:
        """`add_argument(*flags, **words)`."""
        names = [flag.lstrip("-").replace("-", "_") for flag in flags if isinstance(flag, str)]
        name = words.get("dest", next((name for name in names if len(name) > 1), names[0] if names else None))
        required = words.get("required") is True or not any(str(flag).startswith("-") for flag in flags)
        absent = {"store_true": False, "store_false": True}.get(str(words.get("action")))
        if isinstance(name, str):
            self.values[name] = words.get("default", UNKNOWN if required else absent)


@dataclass(frozen=True)
class Bound:
    """A method of a value, or a callable with some arguments given already."""

    value: Any
    name: str
    args: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()


def part_of(data: Data, lower: Any, upper: Any, step: Any, origin: Place) -> Any:
    """`data[lower:upper:step]` along the first axis."""
    if data.kind in ("rows", "titles"):
        return _slice_titles(data, lower, upper, origin)
    if data.kind != "ids" or step not in (None, 1):
        return data.changed("cut") if data.kind != "ids" else UNKNOWN
    if isinstance(lower, Start) or isinstance(upper, Start):
        if isinstance(lower, Start) and isinstance(upper, Start):
            size = max(0, upper.offset - lower.offset)
            return replace(data, spans=((lower.offset, lower.offset + size),), random=True, origin=origin)
        return UNKNOWN
    if not all(bound is None or isinstance(bound, int) for bound in (lower, upper)):
        return UNKNOWN
    if data.shape is not None and len(data.shape) == 2:
        width = data.shape[1]
        rows = range(data.shape[0])[slice(lower, upper)]
        if len(data.spans) == 1:
            first = data.spans[0][0]
            spans = [(first + rows.start * width, first + rows.stop * width)] if rows else []
        elif len(data.spans) <= MAX_SPANS:
            spans = split_spans(data.spans, width)[rows.start : rows.stop]
        else:
            return UNKNOWN
        return replace(data, spans=tuple(spans), shape=(len(rows), width), origin=origin)
    start, stop, _ = slice(lower, upper).indices(data.size)
    return replace(data, spans=tuple(_cut(data.spans, start, max(start, stop))), shape=None, origin=origin)


def columns_of(data: Data, lower: Any, upper: Any, origin: Place) -> Any:
    """`data[:, lower:upper]`: the same cut in every row."""
    if data.kind != "ids" or data.shape is None or len(data.shape) != 2:
        return UNKNOWN
    if not all(bound is None or isinstance(bound, int) for bound in (lower, upper)):
        return UNKNOWN
    start, stop, _ = slice(lower, upper).indices(data.shape[1])
    if data.shape[0] > MAX_SPANS:
        return UNKNOWN
    spans = [(lo + start, lo + max(start, stop)) for lo, _ in split_spans(data.spans, data.shape[1])]
    return replace(data, spans=tuple(spans), shape=(len(spans), max(0, stop - start)), origin=origin)


def split_spans(spans: tuple[tuple[int, int], ...], width: int) -> list[tuple[int, int]]:
    """The intervals cut into rows of `width` (kept whole where they do not divide)."""
    if width < 1 or any((hi - lo) % width for lo, hi in spans):
        return list(spans)
    return [(row, row + width) for lo, hi in spans for row in range(lo, hi, width)]


def reshaped(data: Data, sizes: list[Any]) -> Any:
    """`view`: flat again for (-1), else a matrix. A shape that does not fit is unknown."""
    if data.kind != "ids":
        return data
    if len(sizes) == 1 and sizes[0] in (-1, data.size):
        return replace(data, shape=None)
    if len(sizes) != 2 or not all(isinstance(size, int) for size in sizes):
        return UNKNOWN
    rows, columns = sizes
    rows = data.size // columns if rows == -1 and columns > 0 else rows
    columns = data.size // rows if columns == -1 and rows > 0 else columns
    return replace(data, shape=(rows, columns)) if rows * columns == data.size else UNKNOWN


def _cut(spans: tuple[tuple[int, int], ...], start: int, stop: int) -> Iterator[tuple[int, int]]:
    seen = 0
    for lo, hi in spans:
        first, last = max(start, seen), min(stop, seen + hi - lo)
        if first < last:
            yield (lo + first - seen, lo + last - seen)
        seen += hi - lo


def _slice_titles(data: Data, lower: Any, upper: Any, origin: Place) -> Data:
    """The challenge's split is one cut: what lies before it trains, what lies after it validates."""
    if lower in (None, 0) and upper is None:
        return data
    if data.split == {"train", "val"}:
        if lower in (None, 0):
            whole = upper == sum(TITLES.values()) or data.kind == "rows"
            return data if whole else replace(data, split=frozenset({"train"}), origin=origin)
        return replace(data, split=frozenset({"val"}), origin=origin)
    return replace(data, origin=origin).changed("only a part of the titles")
