"""The titles of parquet files, kept in Arrow: four million rows load in about a second and cost no Python objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sevenepochs.data.corpus.base import MAX_TITLE_CHARS, check_title
from sevenepochs.errors import UserError, nearest

_ITERATION_ROWS = 65_536
# some writers (older Spark and Impala, some R and C++ ones) leave text in columns of bytes
_TEXT_TYPES = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")


class ArrowTitles(Sequence[str]):
    """A read-only list of titles over an Arrow string array; a null is the empty text."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Any) -> Any:
        found = self._array[index]
        return found.to_pylist() if isinstance(index, slice) else found.as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _ITERATION_ROWS):
            yield from self._array.slice(start, _ITERATION_ROWS).to_pylist()

    def n_matching(self, pattern: str) -> int:
        """Return how many titles the regular expression is found in."""
        import pyarrow.compute as pc

        return int(pc.sum(pc.match_substring_regex(self._array, pattern)).as_py() or 0)


def read_parquet(paths: Sequence[Path], column: str) -> ArrowTitles:
    """Return one column of one or several parquet files, in the given order.

    Raises:
        UserError: not parquet, truncated, no such column, a column that is not text, or a title that cannot be one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    chunks = [chunk for path in paths for chunk in _read_column(path, column, "--column NAME")]
    # large_string: the offsets of plain strings overflow at 2 GiB of text.
    array = pa.chunked_array(chunks, type=pa.large_string()).combine_chunks()
    where = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
    for suspects in (pc.greater(pc.utf8_length(array), MAX_TITLE_CHARS), pc.match_substring(array, "\0")):
        row = pc.index(suspects, True).as_py()
        if row >= 0:
            check_title(array[row].as_py(), f"{where}, row {row + 1:,}")
    return ArrowTitles(array)


def read_facts(paths: Sequence[Path], column: str) -> ArrowTitles:
    """Return another column's values as text, in the order of `read_parquet`; a null is the empty text.

    Raises:
        UserError: as `read_parquet`; or a column of lists or records.
    """
    import pyarrow as pa

    chunks = [chunk for path in paths for chunk in _read_column(path, column, "--facts NAME", any_scalar=True)]
    return ArrowTitles(pa.chunked_array(chunks, type=pa.large_string()).combine_chunks())


def _read_column(path: Path, column: str, option: str, any_scalar: bool = False) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if column not in names:
                raise UserError(f"{path.name} has no column {column!r}{nearest(column, names)} ({option})")
            if names.count(column) > 1:
                raise UserError(f"{path.name} has {names.count(column)} columns {column!r}; rename all but one")
            values = file.read(columns=[column])[column]
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"{path.name} is not a readable parquet file ({reason}); is the download complete? Fetch it again"
        ) from None
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if any_scalar and pa.types.is_nested(kind):
        raise UserError(f"{path.name}: column {column!r} holds several values, {values.type}, so it is no fact")
    if not any_scalar and str(kind) not in _TEXT_TYPES:
        raise UserError(f"{path.name}: column {column!r} holds {values.type}, not text; name another with --column")
    try:
        text = values.cast(kind).cast(pa.large_string())
        text.validate(full=True)  # Arrow trusts a file that its text is UTF-8 until asked
    except pa.ArrowException:
        raise UserError(f"{path.name}: column {column!r} is not UTF-8 throughout; write it again as UTF-8") from None
    return text.fill_null("").chunks
