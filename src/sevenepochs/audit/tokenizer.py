"""Whether a tokenizer.json gives the text back: every title is encoded, decoded and compared. No torch.

The challenge's metric divides by the characters of the *original* validation text. A normaliser that lower-cases, a
pre-tokenizer that drops spaces, or an `<unk>` make the model predict a shorter or simpler text.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer, decoders

from sevenepochs.audit.finding import Finding
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, char_count, split_titles

_MAX_BYTES = 64 * 1024 * 1024  # the largest published vocabularies take some 30 MB
_CHUNK = 2_000  # titles encoded at once
_TRIAL = 500  # titles on which possible decoders are compared
_EXAMPLES = 5
_LOST = "\0"  # stands for one unknown piece; no title contains it


class _Trip(NamedTuple):
    """A title, and the text that came back: each `<unk>` as one character, less the space that pre-tokenizers add."""

    title: str
    text: str
    n_tokens: int
    n_unknown: int

    @property
    def changed(self) -> bool:
        return self.n_unknown > 0 or self.title != self.text

    @property
    def n_lost(self) -> int:
        """Characters of the title that are missing in the text, each as often as it is missing."""
        return (Counter(self.title) - Counter(self.text)).total()


def audit_tokenizer(tokenizer_json: Path, corpus: CorpusConfig) -> dict[str, Any]:
    """Return what the tokenizer does to the corpus's titles, and what that does to the loss.

    Returns:
        JSON values: `file`, `sha256`, `model`, `vocab_size`, `has_eos`, `corpus`, `reversible`; `train` and
        `validation`, each with the counts of `_split_facts`; `causes` and `counterexamples`; `sentence` (the effect on
        the loss in plain words); `findings` (as dictionaries). `render` lays them out.

    Raises:
        UserError: the file is no tokenizer.json, or the corpus cannot be read.
    """
    source, definition, tokenizer = _load(tokenizer_json)
    loaded = corpus.load()
    split = split_titles(loaded.rows)
    model = definition["model"]
    unknown_id = model.get("unk_id")  # Unigram's; other models name the token
    if unknown_id is None and model.get("unk_token") is not None:
        unknown_id = tokenizer.token_to_id(model["unk_token"])
    has_decoder = tokenizer.decoder is not None
    assumed = None if has_decoder else _choose_decoder(tokenizer, unknown_id, split.validation[:_TRIAL])
    special = {EOS, *(token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special)}
    train = list(_round_trips(tokenizer, split.train, unknown_id))
    validation = list(_round_trips(tokenizer, split.validation, unknown_id))
    changed = [trip for trip in (*validation, *train) if trip.changed]
    found: dict[str, Any] = {
        "file": tokenizer_json.name,
        "sha256": hashlib.sha256(source).hexdigest(),
        "model": model.get("type"),
        "vocab_size": tokenizer.get_vocab_size(),
        "has_eos": tokenizer.token_to_id(EOS) is not None,
        "eos_pieces": _guarded(tokenizer.encode, EOS, add_special_tokens=False).tokens,
        "decoder_assumed": assumed,
        "corpus": {"name": loaded.name, "recognised": loaded.source.get("recognised")},
        "reversible": not changed,
        "train": _split_facts(train, special),
        "validation": _split_facts(validation, special),
        "counterexamples": [
            {"title": trip.title, "becomes": trip.text.replace(_LOST, "\ufffd")} for trip in changed[:_EXAMPLES]
        ],
    }
    found["causes"] = list(_causes(tokenizer, definition, split.validation, found["validation"]))
    found["sentence"] = _effect(found["validation"])
    found["findings"] = [vars(finding) for finding in _findings(found)]
    return found


def render(found: dict[str, Any]) -> list[str]:
    """Return the audit as lines of text."""
    kept = "reversible: every title comes back as it was" if found["reversible"] else "LOSSY: text is changed or lost"
    lines = [f"{found['file']} ({found['model']}, {found['vocab_size']:,} tokens) on {found['corpus']['name']}: {kept}"]
    for name in ("train", "validation"):
        s = found[name]
        lines.append(
            f"{name + ' titles':<18} {s['n_titles']:,}; changed {s['n_changed']:,} ({s['share_changed']:.2%}), "
            f"characters changed or lost {1 - s['kept_share']:.2%}, <unk> {s['n_unknown_tokens']:,}, "
            f"with special text {s['n_with_special_text']:,}, tokens {s['n_tokens']:,}"
        )
    lines += [f"{'because':<18} {cause}" for cause in found["causes"]]
    lines += [f"{'for example':<18} {e['title']!r} becomes {e['becomes']!r}" for e in found["counterexamples"]]
    lines.append(f"{'effect on the loss':<18} {found['sentence']}")
    return lines + [f"{f['severity']:<18} {f['message']}" for f in found["findings"] if f["rule"] != "lossy-tokenizer"]


def _load(path: Path) -> tuple[bytes, dict[str, Any], Tokenizer]:
    """Return the file's bytes, its JSON, and the tokenizer that it describes."""
    try:
        with path.open("rb") as stream:
            source = stream.read(_MAX_BYTES)  # what is cut there is no JSON
        tokenizer = _guarded(Tokenizer.from_str, source.decode())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; give a tokenizer.json") from None
    except ValueError as error:  # of the encoding, or a UserError
        raise UserError(f"{path.name} is no tokenizer.json as `tokenizers` saves it: {error}") from None
    tokenizer.no_padding()  # a title is not longer for it, and a file may ask for a million
    return source, json.loads(source), tokenizer


def _guarded(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the library, which raises bare Exception, and panics of its Rust code as BaseException."""
    try:
        return call(*arguments, **options)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise UserError(f"the tokenizer fails: {' '.join(str(error).split())[:200]}") from None


def _round_trips(tokenizer: Tokenizer, titles: Sequence[str], unknown_id: int | None) -> Iterator[_Trip]:
    unknown = tokenizer.id_to_token(unknown_id) if unknown_id is not None else None
    for low in range(0, len(titles), _CHUNK):
        chunk = list(titles[low : low + _CHUNK])
        ids = [encoding.ids for encoding in _guarded(tokenizer.encode_batch, chunk, add_special_tokens=False)]
        texts = _guarded(tokenizer.decode_batch, ids, skip_special_tokens=False)
        for title, text, some in zip(chunk, texts, ids, strict=True):
            # the literal text `<unk>` is read as the token itself and comes back, so it is nothing lost
            n_unknown = max(0, some.count(unknown_id) - (title.count(unknown) if unknown else 0))
            text = text.replace(unknown, _LOST) if n_unknown and unknown else text
            yield _Trip(title, text if title.startswith(" ") else text.removeprefix(" "), len(some), n_unknown)


def _choose_decoder(tokenizer: Tokenizer, unknown_id: int | None, titles: Sequence[str]) -> str | None:
    """Give a file without a decoder, which joins tokens with spaces, the one that keeps most titles.

    Returns:
        The decoder's name; None when none does better.
    """
    best, fewest = None, len(titles) + 1
    for decoder in (None, decoders.Fuse(), decoders.ByteLevel(), decoders.Metaspace()):
        tokenizer.decoder = decoder
        n_changed = sum(trip.changed for trip in _round_trips(tokenizer, titles, unknown_id))
        best, fewest = (decoder, n_changed) if n_changed < fewest else (best, fewest)
    tokenizer.decoder = best
    return type(best).__name__ if best is not None else None


def _split_facts(trips: Sequence[_Trip], special: set[str]) -> dict[str, Any]:
    """Return counts over one split.

    `text_chars` is the metric's divisor, `kept_chars` those of it that come back; `<eos>` counts 5 in both.
    """
    n_titles, n_changed = len(trips), sum(trip.changed for trip in trips)
    text_chars, n_lost = char_count([trip.title for trip in trips]), sum(trip.n_lost for trip in trips if trip.changed)
    return {
        "n_titles": n_titles,
        "n_changed": n_changed,
        "share_changed": n_changed / n_titles if trips else 0.0,
        "n_unknown_tokens": sum(trip.n_unknown for trip in trips),
        "n_with_special_text": sum(any(token in trip.title for token in special) for trip in trips),
        "n_tokens": sum(trip.n_tokens for trip in trips) + n_titles,
        "text_chars": text_chars,
        "predicted_chars": sum(len(trip.text) for trip in trips) + len(EOS) * n_titles,
        "kept_chars": text_chars - n_lost,
        "kept_share": 1 - n_lost / text_chars if text_chars else 1.0,
    }


def _causes(
    tokenizer: Tokenizer, definition: dict[str, Any], titles: Sequence[str], found: dict[str, Any]
) -> Iterator[str]:
    normalise = tokenizer.normalizer.normalize_str if tokenizer.normalizer is not None else str
    n = sum(_guarded(normalise, title) not in (title, f" {title}") for title in titles)
    if n:
        yield f"the normaliser ({_kinds(definition.get('normalizer'))}) changes {n:,} validation titles"
    if found["n_unknown_tokens"]:
        yield f"{found['n_unknown_tokens']:,} pieces of validation titles are not in the vocabulary: <unk>"
    if tokenizer.truncation is not None:
        yield f"the file cuts titles after {tokenizer.truncation['max_length']} tokens"
    elif found["n_changed"] and not n and not found["n_unknown_tokens"]:
        yield f"encoding or decoding drops text (pre-tokenizer: {_kinds(definition.get('pre_tokenizer'))})"


def _kinds(part: Any) -> str:
    """Return the types of a normaliser or pre-tokenizer, those of a sequence joined."""
    if not isinstance(part, dict):
        return "none"
    inner = part.get("normalizers") or part.get("pretokenizers")
    return " + ".join(map(_kinds, inner)) if isinstance(inner, list) else str(part.get("type"))


def _effect(v: dict[str, Any]) -> str:
    """Say what lost validation text does to the loss."""
    if not v["n_changed"]:
        return f"none: the model predicts all {v['text_chars']:,} characters that the loss is divided by"
    if not v["kept_share"] > 0:
        return f"the loss divides by {v['text_chars']:,} characters, of which the model predicts none: it says nothing"
    return (
        f"the loss divides by {v['text_chars']:,} characters of the original text, of which {v['kept_chars']:,} "
        f"({v['kept_share']:.1%}) are in the text that the model predicts; per character that is really predicted "
        f"it is {1 / v['kept_share']:.3f} times the printed one, and nobody pays for what was thrown away, so the true "
        "loss is higher by an unknown amount"
    )


def _findings(found: dict[str, Any]) -> Iterator[Finding]:
    v, file = found["validation"], found["file"]
    if not found["reversible"]:
        share = max(v["share_changed"], found["train"]["share_changed"])
        message = f"the tokenizer is not reversible: up to {share:.2%} of a split's titles are changed"
        yield Finding("error", "lossy-tokenizer", message, file, found["sentence"])
    if not found["has_eos"]:
        message = f"the tokenizer has no {EOS}: each title's end is spelt in {len(found['eos_pieces'])} pieces"
        effect = "the end of each title costs several predictions, and words may merge across it"
        yield Finding("warning", "no-eos-token", message, file, effect)
    if v["n_with_special_text"]:
        message = f"{v['n_with_special_text']:,} validation titles contain a special token's text"
        yield Finding("note", "special-text", message, file, "they are cut there, as in the challenge's own program")
