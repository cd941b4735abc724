"""An ensemble of finished runs: its members are mixed by docs/protocol.md, and written as a run folder of its own.

Only the members' log-probabilities of the validation tokens are needed, one member's at a time from disk: those in a
run's folder, or those that a published result keeps. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sevenepochs.comparison.kneser_ney import KneserNey
from sevenepochs.comparison.mixture import Member, Mixture
from sevenepochs.data.corpus.base import Corpus, CorpusConfig, add_floor
from sevenepochs.data.corpus.development import moved
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EPOCHS, Split
from sevenepochs.protocol.certificate import OWN_LOSS_TOLERANCE, EnsembleFacts, ensemble_certificate
from sevenepochs.protocol.environment import environment_facts
from sevenepochs.protocol.scoring import exact_val_bpc, exact_val_loss
from sevenepochs.recipes.configs import at_proxy_sizes
from sevenepochs.store.choosing import plain_config
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, RunWriter, layout
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.token_losses import TokenLosses

COUNTS = "counts"  # what the counting member is called
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
    place = _place(members[0], corpus)
    titles = _load(place, members[0], announce)
    mixture = _mixture(members, titles.split(), with_counts)
    weights_K, chosen_on = np.full(mixture.n_members, 1 / mixture.n_members), list(members)
    if weights == "equal":
        chosen_on = []
    elif members[0].is_proxy:
        weights_K = mixture.best_weights()
    else:
        chosen_on = [_proxy_of(member, others) for member in members]
        _check(chosen_on)
        announce(f"choosing weights on {chosen_on[0].corpus.split.n_validation:,} development titles")
        development = _load(_place(chosen_on[0], place), chosen_on[0], announce)
        weights_K = _mixture(chosen_on, development.split(), with_counts).best_weights()
    ensemble = _Ensemble(members, mixture, weights_K, [one.facts.run for one in chosen_on], with_counts, titles, place)
    return ensemble.write(runs_root, name + PROXY_SUFFIX * members[0].is_proxy)


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
    mixed = [Member(member.name, member.certificate["tokenizer"]["sha256"], _tokens(member)) for member in members]
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


@dataclass(frozen=True)
class _Ensemble:
    """Members with their weights (K,), the counting one last; `chosen_on`: the results that the weights are from."""

    members: Sequence[Result]
    mixture: Mixture
    weights_K: np.ndarray
    chosen_on: list[str]
    with_counts: bool
    titles: Corpus
    place: CorpusConfig

    def write(self, runs_root: Path, name: str) -> Run:
        """Write the run folder."""
        log_probs = self.mixture.log_probs(self.weights_K)
        figures = self._figures(log_probs)
        tensors = {"nats": self.mixture.title_nats(log_probs)}
        if not self.mixture.is_by_words:
            tensors[layout.LOG_PROBS] = log_probs
        environment = {**environment_facts(), "run": {"device": "cpu", "precision": "fp32", "threads": 1}}
        n_steps = sum(member.facts.n_steps for member in self.members)
        with RunWriter.create(runs_root, name, self.members[0].seed) as writer:
            writer.write_json(layout.CONFIG, self._config())
            writer.write_json(layout.ENVIRONMENT, environment)
            writer.write_json(layout.CORPUS, to_json(self.members[0].corpus))
            writer.append_metric({"step": n_steps, "event": "evaluation", "exact_val_loss": figures["exact_val_loss"]})
            writer.save_tensors(layout.TITLE_LOSSES, tensors)
            writer.write_json(layout.CERTIFICATE, self._certificate(environment))
            writer.finish(
                {
                    "figures": figures,
                    "elapsed_seconds": sum(member.facts.elapsed_seconds for member in self.members),
                    "n_steps": n_steps,
                    "parameters": self._n_parameters,
                }
            )
        return Run(writer.path)

    @property
    def _n_parameters(self) -> int:
        return sum(member.facts.parameters for member in self.members)

    def _figures(self, log_probs: np.ndarray) -> dict[str, float | None]:
        counts = self.members[0].corpus.split
        figures: dict[str, float | None] = {
            "exact_val_loss": exact_val_loss(log_probs, counts.validation_chars),
            "exact_val_bpc": exact_val_bpc(log_probs, counts.validation_chars, counts.n_validation),
        }
        add_floor(figures, self.titles.floor(self.titles.split().validation))
        return figures

    def _config(self) -> dict[str, Any]:
        members = zip(self.members, self.weights_K.tolist(), strict=False)
        return {
            "kind": layout.ENSEMBLE,
            "corpus": self.place.to_dict(),
            "training": {"seed": self.members[0].seed, "epochs": EPOCHS},
            "members": {
                str(number): {"run": one.facts.run, "weight": weight, "experiment": plain_config(one.config)}
                for number, (one, weight) in enumerate(members, start=1)
            },
            "by_words": self.mixture.is_by_words,
            "counts": float(self.weights_K[-1]) if self.with_counts else None,
        }

    def _certificate(self, environment: dict[str, Any]) -> dict[str, Any]:
        certificates = [member.certificate for member in self.members]
        listed: list[dict[str, Any]] = [
            {
                "run": member.facts.run,
                "recipe": member.recipe,
                "command": member.facts.command,
                "seed": member.seed,
                "weight": weight,
                "exact_val_loss": member.exact,
                "parameters": member.facts.parameters,
                "tokenizer_sha256": its["tokenizer"]["sha256"],
                "commit": member.facts.commit,
                "losses": "rounded, as published" if member.run is None else "as scored",
            }
            for member, weight, its in zip(self.members, self.weights_K.tolist(), certificates, strict=False)
        ]
        if self.with_counts:
            listed.append({"run": COUNTS, "recipe": "Kneser-Ney, 5 tokens", "weight": float(self.weights_K[-1])})
        return ensemble_certificate(
            EnsembleFacts(
                members=listed,
                certificates=certificates,
                chosen_on=self.chosen_on,
                counts=self.with_counts,
                by_words=self.mixture.is_by_words,
                own_loss_error=self._own_loss_error(),
                seed=self.members[0].seed,
                parameters=self._n_parameters,
                environment=environment,
            )
        )

    def _own_loss_error(self) -> float:
        """By how much a member alone in the mixture misses its own exact loss, nats per character."""
        n_chars = self.members[0].corpus.split.validation_chars
        alone = (self.mixture.log_probs(one_K) for one_K in np.eye(self.mixture.n_members))
        pairs = zip(alone, self.members, strict=False)
        return max(abs(exact_val_loss(log_probs, n_chars) - member.exact) for log_probs, member in pairs)
