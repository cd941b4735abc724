"""The methods of titles, tensors, losses and models that the audit follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sevenepochs.audit.source_operators import as_logits, by_name, cross_entropy, logits_shape
from sevenepochs.audit.source_values import (
    UNKNOWN,
    Arguments,
    Count,
    Data,
    Logits,
    ModelOut,
    Nats,
    Place,
    Start,
    part_of,
    reshaped,
)

if TYPE_CHECKING:
    from sevenepochs.audit.source_machine import Machine

# Methods and functions that leave a tensor's, a loss's or a text's meaning alone.
SAME = frozenset({
    # tensors
    "to", "cuda", "cpu", "mps", "float", "double", "half", "bfloat16", "long", "int", "float32", "float64",
    "int64", "type", "type_as", "astype", "contiguous", "clone", "detach", "pin_memory", "item", "numpy",
    "tolist", "requires_grad_", "unsqueeze", "squeeze", "share_memory_",
    # what makes a tensor or a list
    "tensor", "as_tensor", "from_numpy", "array", "asarray", "Tensor", "LongTensor", "list", "tuple", "iter",
    "reversed", "deepcopy", "asdict",
    # wrappers of loops, models and data sets
    "tqdm", "trange", "prefetch", "no_grad", "compile", "DataParallel", "DistributedDataParallel", "prepare",
    "map_location", "set_format", "with_format", "flatten_indices",
    # texts
    "strip", "rstrip", "lstrip",
})  # fmt: skip
_TEXT_LOSS = {"lower": "lower-cased", "casefold": "lower-cased", "upper": "upper-cased", "title": "re-cased",
              "capitalize": "re-cased", "swapcase": "re-cased"}  # fmt: skip
_ENCODERS = frozenset({"encode", "encode_batch", "encode_ordinary", "tokenize", "encode_as_ids", "EncodeAsIds"})
_LEARNERS = frozenset(
    {"update", "add", "observe", "learn", "fit", "partial_fit", "append_ids", "push", "count", "store"}
)


def method(machine: Machine, owner: Any, name: str, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    """`owner.name(...)`."""
    first = args[0] if args else None
    if isinstance(owner, Data):
        return _data_method(machine, owner, name, args, words, place)
    if isinstance(owner, Arguments):
        if name == "add_argument":
            owner.add(args, words)
        return (owner, []) if name == "parse_known_args" else owner
    if isinstance(owner, Nats):
        if name in ("sum", "backward") or name in SAME:
            if name == "backward":
                machine.note("backward", place, owner)
            return owner
        if name == "mean":
            few = owner.terms_added <= 2_000
            return owner.scaled(1 / max(1, owner.size)) if few else owner.changed("rewritten by too many terms")
        return owner.changed(f"through {name}")
    if isinstance(owner, Logits | ModelOut):
        return _logits_method(owner, name, args, place)
    if isinstance(owner, Count | Start):
        return owner if name in SAME else UNKNOWN
    if isinstance(owner, str):
        return _string_method(owner, name, args)
    if isinstance(owner, list):
        if name == "append" and len(args) == 1:
            owner.append(first)
            return None
        if name == "extend" and isinstance(first, list | tuple):
            owner.extend(first)
            return None
        if any(isinstance(value, Start) for value in owner) and name in SAME:
            return owner
        return owner if name in SAME else UNKNOWN
    if isinstance(owner, dict):
        if name == "get" and isinstance(first, str):
            return owner.get(first, args[1] if len(args) > 1 else by_name(first, {}))
        return list(owner.items()) if name == "items" else list(owner.values()) if name == "values" else UNKNOWN
    return _object_method(machine, owner, name, args, words, place)


def _object_method(
    machine: Machine, owner: Any, name: str, args: list[Any], words: dict[str, Any], place: Place
) -> Any:
    first = args[0] if args else None
    if name in ("eval", "train", "backward", "step", "zero_grad", "scale"):
        if name in ("eval", "train") and not any(isinstance(arg, Data) for arg in args):
            machine.note("eval" if name == "eval" or first is False or words.get("mode") is False else "train", place)
        elif name == "backward":
            machine.note("backward", place, first)
        elif name == "step":
            machine.note("step", place)
        return owner if name in ("eval", "train") else first if name == "scale" else UNKNOWN
    if name in _ENCODERS and isinstance(first, Data):
        return first.as_ids() if first.kind in ("text", "titles", "title") else UNKNOWN
    if name in ("forward", "__call__"):
        return machine.model_call(args, words, place)
    if name in _LEARNERS and any(isinstance(arg, Data | Logits) for arg in args):
        machine.note("learn", place, name)
        return UNKNOWN
    if name in SAME and not args:
        return owner
    if name in ("to", "prepare", "compile"):
        return owner if owner is not UNKNOWN else first if isinstance(first, Data) else owner
    return degraded(machine, f".{name}", args, words, place)


def _data_method(machine: Machine, data: Data, name: str, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    first = args[0] if args else None
    if data.kind == "ids":
        if name in ("view", "reshape"):
            sizes = list(first) if isinstance(first, tuple | list) else args
            return reshaped(data, sizes)
        if name in ("flatten", "ravel"):
            return replace(data, shape=None)
        if name in ("numel", "nelement", "__len__"):
            return data.size
        if name == "size":
            shape = data.shape or (data.size,)
            return (
                shape
                if first is None
                else shape[first]
                if isinstance(first, int) and -len(shape) <= first < len(shape)
                else UNKNOWN
            )
        if name in ("narrow", "split", "chunk", "unfold", "index_select", "roll", "flip"):
            if name == "narrow" and len(args) == 3 and all(isinstance(arg, int) for arg in args[1:]):
                return part_of(data, args[1], args[1] + args[2], None, place)
            return replace(data, random=True, origin=place)
        if name in ("masked_fill", "masked_fill_", "scatter", "index_fill", "clamp", "remainder"):
            return data.changed("tokens rewritten")
        return data if name in SAME else UNKNOWN if name in ("ne", "eq", "sum", "mean", "unique") else data
    if name == "shuffle":
        seed = words.get("seed", first)
        if data.kind == "rows":
            machine.note("shuffle", place, seed)
            return data
        return data.changed("reordered")
    if name in ("take", "select", "head", "skip", "filter", "map", "unique"):
        if name in ("filter", "unique", "map"):
            return data.changed(
                "filtered" if name == "filter" else "rewritten by map()" if name == "map" else "de-duplicated"
            )
        if name == "select" and isinstance(first, range):
            return part_of(data, first.start, first.stop if first.start == 0 else None, None, place)
        return data if name != "skip" else data.changed("skipped")
    if name in _TEXT_LOSS:
        return data.changed(_TEXT_LOSS[name])
    if name == "split" and data.kind == "title" and len(args) == 1 and isinstance(first, str):
        return replace(data, kind="words", separator=first)
    if name in ("split", "splitlines", "partition"):
        return replace(data.changed(f"rewritten by .{name}()"), kind="words")
    if name in ("replace", "translate", "sub", "expandtabs", "removeprefix", "removesuffix"):
        return data.changed(f"rewritten by .{name}()")
    if data.kind in ("title", "word", "words") and name in (
        "isupper",
        "islower",
        "startswith",
        "endswith",
        "find",
        "isalpha",
    ):
        return UNKNOWN
    if name == "encode":
        lossy = isinstance(first, str) and first.lower().replace("-", "") not in ("utf8", "utf16", "utf32")
        return replace(data.changed(f"reduced to {first}") if lossy else data, kind="bytes")
    if name == "decode":
        return replace(data, kind="text" if data.separator is not None else "title")
    if name == "train_test_split":
        train, val = (replace(data, split=frozenset({part})) for part in ("train", "val"))
        return {"train": train, "test": val}
    if name in ("append", "extend", "insert") and data.kind == "titles":
        return None
    return data


def _logits_method(value: Logits | ModelOut, name: str, args: list[Any], place: Place) -> Any:
    logits = as_logits(value)
    if name in ("view", "reshape", "flatten", "transpose", "permute", "log_softmax", "argmax") or name in SAME:
        return logits if name != "argmax" else UNKNOWN
    if name == "size":
        shape = logits_shape(value)
        return (
            shape
            if not args
            else shape[args[0]]
            if isinstance(args[0], int) and -3 <= args[0] < len(shape)
            else UNKNOWN
        )
    if name in ("div", "div_", "mul", "mul_", "tanh", "clamp", "softmax", "add", "add_", "masked_fill"):
        same = name[:3] in ("div", "mul") and args and args[0] == 1
        return logits if same else as_logits(logits, f"through .{name}()")
    if name == "gather":
        target = next((arg for arg in args if isinstance(arg, Data)), None)
        return replace(logits, gathered=target)
    if name in ("sum", "mean") and logits.gathered is not None:
        loss = cross_entropy(logits, logits.gathered, name, place)
        return loss.scaled(-1) if isinstance(loss, Nats) else UNKNOWN
    return UNKNOWN


def _string_method(owner: str, name: str, args: list[Any]) -> Any:
    first = args[0] if args else None
    if name == "join":
        if isinstance(first, list):
            known = [part for part in first if isinstance(part, Data)]
            changes = frozenset().union(*(part.changes for part in known))
            if len(known) < len(first):
                changes |= {"joined with something unknown"}
            if known:
                first = replace(known[0], split=frozenset().union(*(part.split for part in known)), changes=changes)
        if isinstance(first, Data) and first.kind in ("words", "word"):  # " ".join(title.split())
            whole = first if first.separator in (None, owner) else first.changed("rewritten by .split()")
            return replace(whole, kind="title", separator=None)
        if isinstance(first, Data) and first.kind in ("titles", "title", "text"):
            return replace(first, kind="text", separator=owner)
        return UNKNOWN
    if name in ("lower", "upper", "strip") and not args:
        return getattr(owner, name)()
    if name == "format" and any(isinstance(arg, Data) for arg in args):
        return next(arg for arg in args if isinstance(arg, Data)).changed("text inserted")
    return UNKNOWN


def degraded(machine: Machine, name: str, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    """The result of an unknown function: what went in, marked as rewritten; a batch of ids means a model."""
    values = [*args, *words.values()]
    for value in values:
        if isinstance(value, Nats):
            return value
        if isinstance(value, Logits | ModelOut):
            return as_logits(value, f"through {name}")
    ids = [value for value in values if isinstance(value, Data) and value.kind == "ids"]
    if ids and ids[0].shape is not None:
        if any(isinstance(value, Data) is False and value is UNKNOWN for value in values) and name.startswith("torch."):
            return ids[0].changed(f"tokens rewritten by {name}")
        return machine.model_call(args, words, place)
    text = next(
        (value for value in values if isinstance(value, Data) and value.kind in ("titles", "title", "text")), None
    )
    if text is not None and text.kind == "title":
        return text.changed(f"rewritten by {name}")
    return UNKNOWN
