"""tokenizer.json as the run has it, and what transformers has to be told about its special tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sevenepochs.data.tokenizer.base import PAD, UNK, Tokenizer
from sevenepochs.protocol.budget import EOS

# transformers' roles; a title follows the <eos> of the one before it, so <eos> also opens a text
_ROLES = {"bos_token": EOS, "eos_token": EOS, "unk_token": UNK, "pad_token": PAD}


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """tokenizer.json, byte for byte the run's."""
    (folder / "tokenizer.json").write_bytes(tokenizer.json.encode())


def write_tokenizer_config(tokenizer: Tokenizer, block_size: int, folder: Path) -> None:
    """tokenizer_config.json; the class is transformers' generic one, which takes tokenizer.json as it stands."""
    special = _special(tokenizer)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": block_size,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],  # no token types: GPT-2 would add a vector for them
        **{role: token for role, token in _ROLES.items() if token in special},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """bos_token_id, eos_token_id and, where there is one, pad_token_id."""
    special = _special(tokenizer)
    return {f"{role}_id": special[token] for role, token in _ROLES.items() if token in special and token != UNK}


def _special(tokenizer: Tokenizer) -> dict[str, int]:
    return {token["content"]: token["id"] for token in json.loads(tokenizer.json).get("added_tokens") or []}
