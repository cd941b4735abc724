"""A tokenizer is trained once for a config and its titles, and kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import tokenizers

from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split
from sevenepochs.store.cache import cache_dir
from sevenepochs.store.run import storage

# The challenge trains on training *and* validation titles; "train" keeps validation text out.
TrainedOn = Literal["train+validation", "train"]


def titles_for(trained_on: TrainedOn, split: Split) -> tuple[str, ...]:
    """The titles that a tokenizer may see."""
    return split.train if trained_on == "train" else split.train + split.validation


def trained_once(config: TokenizerConfig, titles: tuple[str, ...], train: Callable[[], str]) -> Tokenizer:
    """What `train` (returning tokenizer.json's text) makes of these titles, or the same training from the cache."""
    versions = f"{config.fingerprint()} tokenizers {tokenizers.__version__}\n{_source(config)}\n"
    key = hashlib.sha256(versions.encode())
    for title in titles:
        key.update(title.encode() + b"\0")
    cached = cache_dir() / "tokenizers" / f"{key.hexdigest()}.tok"
    if (tokenizer := _read(cached)) is None:
        tokenizer = Tokenizer(train())
        _write(cached, tokenizer)
    return tokenizer


def _source(config: TokenizerConfig) -> str:
    """Of the module that trains it, since another version may train another tokenizer; "" where none is to be had."""
    try:
        return inspect.getsource(sys.modules[type(config).__module__])
    except (OSError, TypeError, KeyError):  # of a session without files
        return ""


def _read(path: Path) -> Tokenizer | None:
    """The cached tokenizer; None when it is not there yet or damaged. Its hash is the first line: a changed letter in a
    token would still be valid JSON."""
    try:
        sha256, _, json = path.read_bytes().decode().partition("\n")
        tokenizer = Tokenizer(json)
    except (OSError, UnicodeDecodeError, UserError):
        return None
    return tokenizer if tokenizer.sha256 == sha256 else None


def _write(path: Path, tokenizer: Tokenizer) -> None:
    """Whole or not at all; a cache that cannot be written costs seconds, not the run."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"{tokenizer.sha256}\n{tokenizer.json}".encode()
        storage.write_atomic(path, lambda unfinished: unfinished.write_bytes(content))
