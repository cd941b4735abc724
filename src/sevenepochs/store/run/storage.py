"""Bytes on disk that are whole or absent: atomic files, JSON lines, and tensors that carry their own hash.

A file is written beside its final name, forced to disk and renamed. A killed process, a full disk or a power cut
leaves the old file or the new one, and never half of either.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sevenepochs.errors import UserError

Tensors = dict[str, np.ndarray]
_DTYPES = {"float32", "float64", "int32", "int64", "uint8", "bool"}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_DIGEST = "sha256"


@contextlib.contextmanager
def disk_errors(what: str, advice: str) -> Iterator[None]:
    """Turn an error of the file system into a UserError: `what` cannot be written, why, and `advice`."""
    try:
        yield
    except BlockingIOError:  # a lock's, not the disk's
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(f"disk full: cannot write {what}; {advice}") from error
        if error.errno == errno.EFBIG:
            raise UserError(f"cannot write {what}: over the limit on file sizes (ulimit -f)") from error
        if error.errno in _READ_ONLY:
            raise UserError(f"no permission: cannot write {what} ({error.strerror}); {advice}") from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise UserError(f"cannot write {what}: its folder is gone or is not a folder; {advice}") from error
        raise UserError(f"cannot write {what} ({error.strerror or error}); {advice}") from error


@contextlib.contextmanager
def damage(file: object, advice: str) -> Iterator[None]:
    """Turn what reading a damaged file raises into a UserError that names the file and gives `advice`."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise UserError(f"{file} is damaged ({error}); {advice}") from None


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a hidden file beside `path`, force it to disk, then give it its name.

    The file's mode is the umask's, whatever mode `write` leaves: safetensors writes files readable by their owner only.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.touch()
        mode = stat.S_IMODE(unfinished.stat().st_mode)
        write(unfinished)
        if stat.S_IMODE(unfinished.stat().st_mode) != mode:
            unfinished.chmod(mode)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force renames in `folder` to disk, where the system can (Windows cannot open a folder)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file as `write_atomic` does."""
    write_atomic(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8", newline="\n"))


def json_text(data: Any) -> str:
    """Return strict JSON for people: indented, unicode kept, NaN and infinities as null (JSON has neither)."""
    return json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_line(data: Any, *, strict: bool = True) -> str:
    """Return one line of JSON; `strict=False` keeps NaN as Python and the challenge's log write it."""
    return json.dumps(_plain(data, strict), ensure_ascii=False) + "\n"


def sha256(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def read_bytes(path: Path, name: str) -> bytes | None:
    """Return the file's content, or None where there is no such file. Raises UserError: the system refuses to read it;
    the message calls the file `name`."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(name, error) from None


def read_text(path: Path, name: str, advice: str) -> str:
    """Return the file's content. Raises UserError: missing, unreadable or not UTF-8; the message calls the file `name`
    and ends with `advice`."""
    data = read_bytes(path, name)
    if data is None:
        raise UserError(f"{name} is missing; {advice}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is corrupt ({error}); {advice}") from None


def read_json(path: Path, name: str, advice: str) -> Any:
    """Return the file's content. Raises a UserError as `read_text`, and where it is not JSON."""
    text = read_text(path, name, advice)
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{name} is corrupt ({error}); {advice}") from None


def append_line(path: Path, line: str) -> None:
    """Append one line and hand it to the system; if that fails half-way, the half is taken back."""
    with open(path, "ab", buffering=0) as file:
        size_before_bytes = file.seek(0, os.SEEK_END)
        data = memoryview(line.encode())
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(size_before_bytes)
            raise


def json_lines(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Give the objects of a file of JSON lines; a last line that a killed process left half-written is skipped. Raises
    UserError: the file is unreadable, or an earlier line is not a JSON object."""
    lines = (read_bytes(path, name) or b"").split(b"\n")
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except ValueError as error:
            if number == len(lines):
                return
            raise UserError(f"{name}, line {number}, is corrupt ({error}); delete that line or train again") from None
        yield row


def keep_lines(path: Path, name: str, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite a file of JSON lines with the rows that `keep` accepts, atomically; the kept rows keep their text."""
    content = read_bytes(path, name)
    if content is None:
        return
    lines = content.split(b"\n")
    kept = [line + b"\n" for line, row in zip(lines, json_lines(path, name), strict=False) if keep(row)]
    write_atomic(path, lambda unfinished: unfinished.write_bytes(b"".join(kept)))


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    """sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = np.asarray(tensors[name], order="C")
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> str:
    """Write a safetensors file that carries the hash of its tensors, atomically; returns the hash.

    Args:
        tensors: arrays of fp32, fp64, int32, int64, uint8 or bool, or bytes (stored as uint8).

    Raises:
        OSError: from the file system, also where the library hides it.
    """
    arrays = {name: _array(name, value) for name, value in tensors.items()}
    sha256 = _digest(arrays)

    def write(unfinished: Path) -> None:
        try:
            save_file(arrays, unfinished, metadata={_DIGEST: sha256})
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            if code is None:
                raise
            raise OSError(int(code[1]), str(error)) from None

    write_atomic(path, write)
    return sha256


def read_tensors(path: Path, name: str, advice: str) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors of a file and its metadata, the hash (key `sha256`) checked. Raises UserError: missing,
    unreadable, not a safetensors file, or its bytes are not those that were written."""
    try:
        path.open("rb").close()  # the library calls a file missing that it may not read
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{name} is missing; {advice}") from None
    except OSError as error:
        raise _unreadable(name, error) from None
    except (SafetensorError, ValueError, TypeError) as error:
        raise UserError(f"{name} is corrupt ({error}); {advice}") from None
    if _digest(tensors) != metadata.get(_DIGEST):
        raise UserError(f"{name} is corrupt (its bytes do not match the hash that it was written with); {advice}")
    return tensors, metadata


def _unreadable(name: str, error: OSError) -> UserError:
    return UserError(f"{name} cannot be read ({error.strerror or error}); check its permissions and the disk")


def _array(name: str, value: Any) -> np.ndarray:
    array = value if isinstance(value, np.ndarray | np.generic) else np.frombuffer(value, dtype=np.uint8)
    if array.dtype.name not in _DTYPES:
        known = ", ".join(sorted(_DTYPES))
        raise TypeError(f"tensor {name!r} has dtype {array.dtype.name}; convert it to one of {known}")
    # The library copies nbytes from the data pointer, so a transposed or strided array would be saved scrambled.
    return np.asarray(array, order="C")


def _plain(value: Any, strict: bool = True) -> Any:
    """JSON's types instead of numpy's and tuples; with `strict` null instead of NaN and infinities."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, strict) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, strict) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if strict and isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
