"""Recipes are loaded by name; only the one asked for is executed."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.errors import UserError, nearest
from sevenepochs.recipes.configs import changes
from sevenepochs.recipes.listing import list_recipes

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment


# by module name: a user's file's name and source, for other processes
imported: dict[str, tuple[str, bytes]] = {}


def load_recipe(name: str) -> Experiment:
    """Return the Experiment of a recipe: a name of `list_recipes`, or `path/file.py:function` outside the package.

    Raises:
        UserError: no such recipe (the nearest is named), file or function, or the function returns something else.
    """
    from sevenepochs.experiment import Experiment

    if ".py" in name:
        function = _function_from_file(name)
    else:
        known = {recipe.name: recipe for recipe in list_recipes()}
        if name not in known:
            raise UserError(f"unknown recipe {name!r}{nearest(name, list(known), 'sevenepochs list --all')}")
        function = getattr(importlib.import_module(f"sevenepochs.recipes.{known[name].module}"), name)
    try:
        experiment = function()
    except UserError:
        raise
    except Exception as error:
        *_, frame = traceback.extract_tb(error.__traceback__)  # the first one is here
        place = f"{frame.filename}:{frame.lineno}: " if frame.filename != __file__ else ""
        raise UserError(f"recipe {name!r} fails: {place}{type(error).__name__}: {error}") from error
    if not isinstance(experiment, Experiment):
        raise UserError(f"recipe {name!r} returned {type(experiment).__name__}; it must return an Experiment")
    return dataclasses.replace(experiment, recipe=name)


def settings_of(experiment: Experiment) -> list[str] | None:
    """Return the KEY=VALUE that make an experiment of its recipe, as `--set` takes them; None where text cannot."""
    if experiment.recipe is None:
        return None
    try:
        recipe = load_recipe(experiment.recipe).replace("corpus", experiment.corpus)
        settings = dict(_as_text(changes(recipe.to_dict(), experiment.to_dict())))
        is_made = recipe.replace_all(settings) == experiment
    except UserError:  # at proxy scale, or with a class that another program cannot find by its name
        return None
    return [f"{path}={text}" for path, text in settings.items()] if is_made else None


def _as_text(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield prefix + key, str(value["kind"])
            yield from _as_text({k: v for k, v in value.items() if k != "kind"}, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ",".join(map(str, value))
        else:
            yield prefix + key, str(value).lower() if value is None or isinstance(value, bool) else str(value)


def import_file(path: Path) -> object:
    """Execute a user's Python file as a module, so that its config classes can be loaded by kind; return the module.

    The module's name carries the file's hash: two files of one name do not shadow each other.

    Raises:
        UserError: the file cannot be read, or fails.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    name = f"{path.stem}_{hashlib.sha256(source).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{path} fails when imported: {type(error).__name__}: {error}") from error
    imported[name] = (path.name, source)
    return module


def _function_from_file(name: str) -> Callable[[], object]:
    file, _, function_name = name.rpartition(":")
    if not file.endswith(".py") or not function_name:
        raise UserError(f"recipe {name!r}: write path/file.py:function")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"recipe {name!r}: there is no file {path}")
    module = import_file(path)
    function: Callable[[], object] | None = getattr(module, function_name, None)
    if not callable(function):
        functions = inspect.getmembers(module, inspect.isfunction)
        own = [(name, f) for name, f in functions if f.__module__ == vars(module)["__name__"]]
        recipes = [name for name, f in own if "Experiment" in str(f.__annotations__.get("return", "Experiment"))]
        raise UserError(f"{path} has no function {function_name!r}{nearest(function_name, recipes)}")
    return function
