"""`python -m sevenepochs.store.run.convert PATH [PATH ...]`: write the configurations of an earlier version in the
form of this one, in place: config.json of run folders, result.json of published results, at any depth below each PATH.

Reading needs no conversion (`config.old_configs.present_form` is used wherever a config is read); it spares readers
outside this package two forms. What is in the present form is left alone. Do not run it on a run that is being trained.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sevenepochs.config.old_configs import present_form
from sevenepochs.errors import UserError
from sevenepochs.store.run import layout, storage


def convert(path: Path) -> list[Path]:
    """Convert the configurations below a folder and return the files that were written. Raises UserError: no such
    folder, or a file that cannot be read or written."""
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; name one that holds run folders or results")
    configs = [file.with_name(layout.CONFIG) for file in path.rglob(layout.RUN)]
    files = sorted([*(file for file in configs if file.is_file()), *path.rglob("result.json")])
    return [file for file in files if _convert_file(file)]


def _convert_file(file: Path) -> bool:
    advice, is_result = "put it back from a copy", file.name == "result.json"
    data = storage.read_json(file, str(file), advice)
    config = data.get("config") if isinstance(data, dict) and is_result else data
    if not isinstance(config, dict):
        raise UserError(f"{file} holds no configuration; {advice}")
    if (present := present_form(config)) == config:
        return False
    new = {**data, "config": present} if is_result else present
    indent = 1 if storage.read_text(file, str(file), advice).startswith('{\n "') else 2  # results have 1, runs 2
    with storage.disk_errors(str(file), "make room or permissions there"):
        text = json.dumps(new, indent=indent, ensure_ascii=False) + "\n"
        storage.write_text(file, text)
        if not is_result and (sums := file.with_name(layout.SUMS)).is_file():
            known = storage.read_json(sums, str(sums), advice)
            storage.write_text(sums, storage.json_text({**known, layout.CONFIG: storage.sha256(text.encode())}))
    return True


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0, or 2 after a line about what is wrong."""
    try:
        if not arguments:
            raise UserError("name the folders to convert: python -m sevenepochs.store.run.convert PATH [PATH ...]")
        for path in arguments:
            print(f"{path}: {len(convert(Path(path)))} files converted")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
