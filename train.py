"""The challenge's one script: `python train.py [RECIPE ...]` is `sevenepochs train`, by default the record recipe."""

import sys

try:
    from sevenepochs.cli.main import entry
    from sevenepochs.recipes import RECORD_RECIPE
except ModuleNotFoundError as error:
    print(f"{error}: install first (pip install -e .) or use make's environment (.venv/bin/python)", file=sys.stderr)
    raise SystemExit(2) from None

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, RECORD_RECIPE)
    sys.argv[1:] = ["train", *arguments]
    entry()
