"""An ensemble of finished runs: its members are mixed by docs/protocol.md, and written as a run folder of its own.

Only the members' log-probabilities of the validation tokens are needed, one member's at a time from disk: those in a
run's folder, or those that a published result keeps. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sevenepochs.comparison.kneser_ney import KneserNey
from sevenepochs.comparison.mixture import Member, Mixture
from sevenepochs.data.corpus.base import Corpus, CorpusConfig, add_floor
from sevenepochs.data.corpus.development import moved
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.data.corpus.of_run import place_of
from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EPOCHS, Split
from sevenepochs.protocol.certificate import OWN_LOSS_TOLERANCE, ensemble_certificate
from sevenepochs.protocol.environment import environment_facts
from sevenepochs.protocol.scoring import exact_val_bpc, exact_val_loss
from sevenepochs.recipes.configs import at_proxy_sizes
from sevenepochs.store.choosing import plain_config
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, RunWriter, layout
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.token_losses import TokenLosses

_COUNTS = "counts"  # what the counting member is called
Weights = Literal["equal", "development"]


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
    place, titles = _titles(members[0], corpus, announce)
    mixture = _mixture(members, titles.split(), with_counts)
    chosen_on: list[Result] = []
    weights_K = np.full(mixture.n_members, 1 / mixture.n_members)
    if weights == "development" and members[0].is_proxy:
        chosen_on, weights_K = list(members), mixture.best_weights()
    elif weights == "development":
        chosen_on = [_proxy_of(member, others) for member in members]
        _check(chosen_on)
        announce(f"choosing weights on {chosen_on[0].corpus.split.n_validation:,} development titles")
        _, development = _titles(chosen_on[0], place, announce)
        weights_K = _mixture(chosen_on, development.split(), with_counts).best_weights()
    first, log_probs = members[0], mixture.log_probs(weights_K)
    n_chars, n_titles = first.corpus.split.validation_chars, first.corpus.split.n_validation
    figures: dict[str, float | None] = {
        "exact_val_loss": exact_val_loss(log_probs, n_chars),
        "exact_val_bpc": exact_val_bpc(log_probs, n_chars, n_titles),
    }
    add_floor(figures, titles.floor(titles.split().validation))
    tensors = {"nats": mixture.title_nats(log_probs)}
    if not mixture.is_by_words:
        tensors[layout.LOG_PROBS] = log_probs
    environment = {**environment_facts(), "run": {"device": "cpu", "precision": "fp32", "threads": 1}}
    n_steps = sum(member.facts.n_steps for member in members)
    listed = _listed(members, weights_K.tolist())
    certificate = ensemble_certificate(
        members=listed,
        certificates=[member.certificate for member in members],
        chosen_on=[one.facts.run for one in chosen_on],
        by_words=mixture.is_by_words,
        own_loss_error=_own_loss_error(mixture, members),
        environment=environment,
    )
    config = {
        "kind": layout.ENSEMBLE,
        "corpus": place.to_dict(),
        "training": {"seed": first.seed, "epochs": EPOCHS},
        "members": {
            str(number): {"run": one.facts.run, "weight": weight, "experiment": plain_config(one.config)}
            for number, (one, weight) in enumerate(zip(members, weights_K.tolist(), strict=False), start=1)
        },
        "by_words": mixture.is_by_words,
        "counts": float(weights_K[-1]) if with_counts else None,
    }
    with RunWriter.create(runs_root, name + PROXY_SUFFIX * first.is_proxy, first.seed) as writer:
        writer.write_json(layout.CONFIG, config)
        writer.write_json(layout.ENVIRONMENT, environment)
        writer.write_json(layout.CORPUS, to_json(first.corpus))
        writer.append_metric({"step": n_steps, "event": "evaluation", "exact_val_loss": figures["exact_val_loss"]})
        writer.save_tensors(layout.TITLE_LOSSES, tensors)
        writer.write_json(layout.CERTIFICATE, certificate)
        writer.finish(
            {
                "figures": figures,
                "elapsed_seconds": sum(member.facts.elapsed_seconds for member in members),
                "n_steps": n_steps,
                "parameters": certificate["training"]["parameters"],
            }
        )
    return Run(writer.path)


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


def _titles(
    member: Result, corpus: CorpusConfig | None, announce: Callable[[str], None]
) -> tuple[CorpusConfig, Corpus]:
    """Where a member's titles are, and they themselves."""
    if member.run is not None:
        place = place_of(member.run, corpus)
    else:
        own = CorpusConfig.from_dict(member.config["corpus"])
        place = own if corpus is None else moved(own, corpus)
    titles = place.load(announce)
    if fingerprint(titles.split()) != to_json(member.corpus.split):
        raise UserError(f"{member.name} has other titles than this corpus gives; pass its own with --corpus")
    return place, titles


def _mixture(members: Sequence[Result], split: Split, with_counts: bool) -> Mixture:
    mixed = [Member(member.name, member.certificate["tokenizer"]["sha256"], _tokens(member)) for member in members]
    if with_counts:
        mixed.append(_counts(members[0], split, mixed[0]))
    return Mixture(mixed, split.validation)


def _tokens(member: Result) -> TokenLosses:
    found = member.token_losses()
    if found is None:
        raise UserError(f"{member.name} is from before runs kept each token's loss; train it again to make it a member")
    if abs(exact_val_loss(found.log_probs, member.corpus.split.validation_chars) - member.exact) > OWN_LOSS_TOLERANCE:
        raise UserError(f"{member.name} is damaged: its tokens' losses do not add up to its exact loss; leave it out")
    return found


def _counts(member: Result, split: Split, its: Member) -> Member:
    tokenizer = _tokenizer(member, split)
    if tokenizer.sha256 != its.tokenizer:
        raise UserError(f"{member.name}: its recipe trains another tokenizer now, so its tokens cannot be counted")
    counting = KneserNey(tokenizer.encode_stream(split.train), tokenizer.vocab_size, tokenizer.eos_id)
    ids_N = tokenizer.encode_stream(split.validation)
    log_probs_N, stops_N = counting.log_probs(ids_N), counting.log_probs(ids_N, among_V=tokenizer.stops())
    return Member(_COUNTS, its.tokenizer, TokenLosses(log_probs_N, stops_N, tokenizer.n_bytes()[ids_N]))


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


def _listed(members: Sequence[Result], weights: Sequence[float]) -> list[dict[str, Any]]:
    """What the certificate tells of each member; the counting one has the weight that is left over."""
    listed: list[dict[str, Any]] = [
        {
            "run": member.facts.run,
            "recipe": member.recipe,
            "command": member.facts.command,
            "seed": member.seed,
            "weight": weight,
            "exact_val_loss": member.exact,
            "parameters": member.facts.parameters,
            "tokenizer_sha256": member.certificate["tokenizer"]["sha256"],
            "commit": member.facts.commit,
            "losses": "rounded, as published" if member.run is None else "as scored",
        }
        for member, weight in zip(members, weights, strict=False)
    ]
    counting = [{"run": _COUNTS, "recipe": "Kneser-Ney, 5 tokens", "weight": one} for one in weights[len(members) :]]
    return [*listed, *counting]


def _own_loss_error(mixture: Mixture, members: Sequence[Result]) -> float:
    """By how much a member alone in the mixture misses its own exact loss, nats per character."""
    n_chars = members[0].corpus.split.validation_chars
    alone = (exact_val_loss(mixture.log_probs(one_K), n_chars) for one_K in np.eye(mixture.n_members))
    return max(abs(loss - member.exact) for loss, member in zip(alone, members, strict=False))
