"""What `--json` prints: one value on standard output, whatever letters it can carry."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(data: Any) -> None:
    """Strict JSON, NaN and infinities as null; letters are escaped where the reader's encoding lacks them."""
    from sevenepochs.store.run.storage import json_text

    text = json_text(data)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2) + "\n"
    sys.stdout.write(text)
