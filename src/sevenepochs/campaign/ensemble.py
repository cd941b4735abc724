"""An ensemble of finished runs: its members are mixed by docs/protocol.md, and written as a run folder of its own.

Only the members' log-probabilities of the validation tokens are needed, one member's at a time from disk: those in a
run's folder, or those that a published result keeps. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sevenepochs.comparison.kneser_ney import KneserNey
from sevenepochs.comparison.mixture import Member, Mixture, loss_per_char
from sevenepochs.data.corpus.base import Corpus, CorpusConfig
from sevenepochs.data.corpus.development import moved
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import DATA_SEED, EPOCHS, OFFICIAL_SEED, Split
from sevenepochs.protocol.certificate import scoring_sha256
from sevenepochs.protocol.environment import environment_facts
from sevenepochs.recipes.configs import at_proxy_sizes
from sevenepochs.store.choosing import plain_config
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, RunWriter, layout
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.token_losses import TokenLosses

COUNTS = "counts"  # what the counting member is called
Weights = Literal["equal", "development"]


@dataclass(frozen=True)
class _Mixed:
    """A mixture with its weights (K,), one per member."""

    mixture: Mixture
    weights_K: np.ndarray


def write_ensemble(
    members: Sequence[Result],
    runs_root: Path,
    *,
    name: str = layout.ENSEMBLE,
    weights: Weights = "equal",
    with_counts: bool = False,
    corpus: CorpusConfig | None = None,
    others: Sequence[Result] = (),
    announce: Callable[[str], None] = lambda message: None,
) -> Run:
    """Mix the members and write the ensemble as a complete run folder: figures, losses by title, certificate.

    Args:
        members: finished runs or published results on the same titles, under clean certificates.
        name: the ensemble's, in the place of a recipe's.
        weights: "development": those with the lowest loss on development titles, asked of the same recipes at proxy
            scale, which are among `others`; members that are at proxy scale themselves choose on their own titles.
        with_counts: a Kneser-Ney model of the training titles, cut by the first member's tokenizer, is a member too.
        corpus: where the titles are now, if not where the first member's config says.

    Raises:
        UserError: a member is named that cannot be mixed with the others, or has no run at proxy scale.
    """
    if with_counts and weights == "equal":
        raise UserError("--with-counts: counting is worth less than an equal share; add --weights development")
    _check(members)
    place = _place(members[0], corpus)
    titles = _load(place, members[0], announce)
    mixture = _mixture(members, titles.split(), with_counts)
    weights_K = np.full(mixture.n_members, 1 / mixture.n_members)
    chosen_on: list[str] = []
    if weights == "development":
        asked = list(members) if members[0].is_proxy else [_proxy_of(member, others) for member in members]
        chosen_on = [result.name for result in asked]
        announce(f"choosing weights on {asked[0].corpus.split.n_validation:,} development titles")
        if members[0].is_proxy:
            weights_K = mixture.best_weights()
        else:
            _check(asked)
            development = _load(moved(CorpusConfig.from_dict(asked[0].config["corpus"]), place), asked[0], announce)
            weights_K = _mixture(asked, development.split(), with_counts).best_weights()
    name += PROXY_SUFFIX if members[0].is_proxy else ""
    return _write(members, _Mixed(mixture, weights_K), titles, runs_root, name, chosen_on, with_counts, place)


def _check(members: Sequence[Result]) -> None:
    """Raise UserError unless the members can be one ensemble."""
    if len(members) < 2:
        raise UserError("an ensemble needs at least two members; name runs, recipes or folders of results/")
    first = members[0]
    names = [member.facts.run for member in members]
    for member in members:
        if names.count(member.facts.run) > 1:
            raise UserError(f"{member.name} is named twice; an ensemble's members are different runs")
        if member.facts.track != "single":
            raise UserError(f"{member.name} is in the {member.facts.track} track; members are single models")
        if not member.is_clean:
            broken = ", ".join(member.broken) or "it has no certificate"
            raise UserError(f"{member.name} cannot be a member: its certificate is not clean ({broken})")
        if to_json(member.corpus.split) != to_json(first.corpus.split):
            raise UserError(f"{member.name} has other titles than {first.name}; members have the same")


def _place(member: Result, corpus: CorpusConfig | None) -> CorpusConfig:
    own = CorpusConfig.from_dict(member.config["corpus"] if member.run is None else member.run.config["corpus"])
    place = own if corpus is None else moved(own, corpus)
    if member.run is not None:
        check_at_hand(member.run, place)
    return place


def _load(place: CorpusConfig, member: Result, announce: Callable[[str], None]) -> Corpus:
    titles = place.load(announce)
    if fingerprint(titles.split()) != to_json(member.corpus.split):
        raise UserError(f"{member.name} has other titles than this corpus gives; pass its own with --corpus")
    return titles


def _mixture(members: Sequence[Result], split: Split, with_counts: bool) -> Mixture:
    mixed = [Member(member.name, _certificate(member)["tokenizer"]["sha256"], _tokens(member)) for member in members]
    if with_counts:
        mixed.append(_counts(members[0], split, mixed[0]))
    return Mixture(mixed, split.validation)


def _tokens(member: Result) -> TokenLosses:
    """A member's log-probabilities: in full precision from its run's folder, else as published."""
    found = None
    if member.run is not None:
        tensors = member.run.load_tensors(layout.TITLE_LOSSES)
        if tensors.keys() >= set(layout.BY_TOKEN):
            found = TokenLosses(*(tensors[key] for key in layout.BY_TOKEN))
    else:
        found = member.token_losses()
    if found is None:
        raise UserError(f"{member.name} is from before runs kept each token's loss; train it again to make it a member")
    return found


def _counts(member: Result, split: Split, its: Member) -> Member:
    tokenizer = _tokenizer(member, split)
    if tokenizer.sha256 != its.tokenizer:
        raise UserError(f"{member.name}: its recipe trains another tokenizer now, so its tokens cannot be counted")
    counting = KneserNey(tokenizer.encode_stream(split.train), tokenizer.vocab_size, tokenizer.eos_id)
    ids_N = tokenizer.encode_stream(split.validation)
    log_probs_N, stops_N = counting.log_probs(ids_N), counting.log_probs(ids_N, among_V=tokenizer.stops())
    return Member(COUNTS, its.tokenizer, TokenLosses(log_probs_N, stops_N, tokenizer.n_bytes()[ids_N]))


def _tokenizer(member: Result, split: Split) -> Tokenizer:
    if member.run is not None:
        return Tokenizer(member.run.read_text(layout.TOKENIZER), f"{layout.TOKENIZER} of run {member.run.name}")
    return TokenizerConfig.from_dict(member.config["tokenizer"]).build(split)


def _proxy_of(member: Result, others: Sequence[Result]) -> Result:
    """The run of a member's recipe at proxy scale, of its seed where there is one."""
    wanted = at_proxy_sizes(plain_config(member.config))
    found = [one for one in others if one.is_proxy and plain_config(one.config) == wanted]
    if not found:
        train = f"{member.facts.command} --proxy"
        raise UserError(f"weights are chosen at proxy scale, and {member.name} has no run there; train one: {train}")
    return max(found, key=lambda one: (one.seed == member.seed, one.run is not None, one.created_utc))


def _certificate(member: Result) -> dict[str, Any]:
    if member.run is not None:
        return member.run.certificate or {}
    assert member.path is not None, "a result is of a run or of a folder"
    found: dict[str, Any] = json.loads((member.path / "certificate.json").read_text(encoding="utf-8"))
    return found


def _write(
    members: Sequence[Result],
    mixed: _Mixed,
    titles: Corpus,
    runs_root: Path,
    name: str,
    chosen_on: list[str],
    with_counts: bool,
    place: CorpusConfig,
) -> Run:
    split, mixture = titles.split(), mixed.mixture
    log_probs = mixture.log_probs(mixed.weights_K)
    n_chars, n_titles = members[0].corpus.split.validation_chars, len(split.validation)
    exact = loss_per_char(log_probs, n_chars)
    figures = {"exact_val_loss": exact, "exact_val_bpc": exact * n_chars / np.log(2) / (n_chars - 5 * n_titles)}
    if (floor := titles.floor(split.validation)) is not None:
        figures["floor_val_loss"] = floor.value_nats_per_char
        figures["excess_val_loss"] = exact - floor.value_nats_per_char
    tensors = {"nats": mixture.title_nats(log_probs)}
    if not mixture.is_by_words:
        tensors |= {layout.LOG_PROBS: log_probs}
    listed = [
        {
            "run": member.facts.run,
            "recipe": member.recipe,
            "seed": member.seed,
            "weight": float(weight),
            "exact_val_loss": member.exact,
            "parameters": member.facts.parameters,
            "tokenizer_sha256": _certificate(member)["tokenizer"]["sha256"],
            "commit": member.facts.commit,
            "precision_of_losses": "1/256 nat" if member.run is None else "as scored",
        }
        for member, weight in zip(members, mixed.weights_K, strict=False)
    ]
    if with_counts:
        listed.append({"run": COUNTS, "recipe": "Kneser-Ney, 5 tokens", "weight": float(mixed.weights_K[-1])})
    passes = sum(_certificate(m)["training"]["forward_passes_per_token_per_epoch"] for m in members)
    parameters = sum(member.facts.parameters for member in members)
    environment = {**environment_facts(), "run": {"device": "cpu", "precision": "fp32", "threads": 1}}
    source = {key: (environment.get("source") or {}).get(key) for key in ("commit", "dirty", "diff_sha256")}
    certificate = {
        "clean": True,  # `_check` refuses any other member
        "broken": [],
        "rules": [
            {"rule": rule, "ok": True, "detail": detail}
            for rule, detail in (
                ("members are clean", f"{len(members)} runs of {EPOCHS} epochs each, their certificates clean"),
                ("same titles", f"validation sha256 {members[0].titles[:16]}"),
                ("weights", "equal" if not chosen_on else f"chosen on development titles of {', '.join(chosen_on)}"),
                ("each character once", "mixed word by word" if mixture.is_by_words else "mixed token by token"),
            )
        ],
        "track": "ensemble",
        "members": listed,
        "weights_chosen_on": chosen_on or None,
        "counted_once_more": with_counts,
        "seeds": {"data_seed": DATA_SEED, "seed": members[0].seed, "official": members[0].seed == OFFICIAL_SEED},
        "corpus": {**titles.source, "name": titles.name},
        "split": to_json(members[0].corpus.split),
        "training": {
            "epochs": EPOCHS,
            "forward_passes_per_token_per_epoch": passes,
            "forward_passes_per_target": len(members),
            "parameters": parameters,
        },
        "scoring": {"sha256": scoring_sha256(), "rows": "members' own"},
        "source": source,
    }
    config = {
        "kind": layout.ENSEMBLE,
        "corpus": place.to_dict(),
        "training": {"seed": members[0].seed, "epochs": EPOCHS},
        "members": {
            str(k): {"run": member.facts.run, "weight": float(weight), "experiment": plain_config(member.config)}
            for k, (member, weight) in enumerate(zip(members, mixed.weights_K, strict=False), start=1)
        },
        "by_words": mixture.is_by_words,
        "counts": float(mixed.weights_K[-1]) if with_counts else None,
    }
    n_steps = sum(member.facts.n_steps for member in members)
    with RunWriter.create(runs_root, name, members[0].seed) as writer:
        writer.write_json(layout.CONFIG, config)
        writer.write_json(layout.ENVIRONMENT, environment)
        writer.write_json(layout.CORPUS, to_json(members[0].corpus))
        writer.append_metric({"step": n_steps, "event": "evaluation", "exact_val_loss": exact})
        writer.save_tensors(layout.TITLE_LOSSES, tensors)
        writer.write_json(layout.CERTIFICATE, certificate)
        writer.finish(
            {
                "figures": figures,
                "elapsed_seconds": sum(member.facts.elapsed_seconds for member in members),
                "n_steps": n_steps,
                "parameters": parameters,
            }
        )
        path = writer.path
    return Run(path)
