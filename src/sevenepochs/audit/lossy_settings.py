"""Settings, in a log or a config file, by which a tokenizer loses text."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(text_|tokenizer_)?normali[sz](er|ation)(_type)?|pre_?tokenizer(_type)?|(do_)?lower_?case\w*", re.IGNORECASE
)
_VALUE = re.compile(r"lower|nf[kd]|strip_?accents|bert|^whitespace(_?split)?$", re.IGNORECASE)


def loses_text(name: str, value: object) -> bool:
    """Whether `name = value` asks for a tokenizer that does not give the text back."""
    return _NAME.fullmatch(name) is not None and _VALUE.search(name if value is True else str(value)) is not None
