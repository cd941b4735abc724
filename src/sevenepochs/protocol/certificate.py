"""The certificate: the facts of a run, compared with the protocol. A run that breaks a rule finishes, and is marked."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from sevenepochs.protocol.budget import DATA_SEED, EPOCHS, OFFICIAL_SEED
from sevenepochs.protocol.environment import EARLIER

Track = Literal["single", "ensemble", "context"]
_SCORING_SOURCES = ("budget.py", "rows.py", "scoring.py", "figures.py")
WEIGHTS_TOLERANCE = 1e-9
OWN_LOSS_TOLERANCE = 1e-5  # nats per character: published losses by token are rounded
CAUSALITY_TOLERANCE_NATS = 1e-4  # fp32 rounding of one log-probability when a row's neighbours change


@dataclass(frozen=True)
class Facts:
    """Facts of a run. Counts, hashes and the causality check are observed; epochs, seed, passes and the tokenizer's
    training text are those of the settings.

    Attributes:
        train_tokens: length of the training stream.
        tokens_used: training targets consumed, summed over steps.
        ids_sha256: of the stream that the trainer was given; `validation_ids_sha256`: of the scorer's.
        expected_ids_sha256: of the joined training text, encoded afresh; the same for validation.
        causality_violation_nats: see `scoring.causality_violation`.
        input_dropout: the rate at which training leaves out whole input vectors.
        facts: in the context track, what the model is told beside the titles: `columns`, and a hash of the values.
    """

    track: Track
    epochs: int
    seed: int
    corpus: dict[str, Any]
    split: dict[str, Any]
    train_tokens: int
    tokens_used: int
    passes_per_token: float
    parameters: int
    tokenizer_sha256: str
    tokenizer_trained_on: str
    tokenizer_fidelity: dict[str, Any]
    ids_sha256: str
    expected_ids_sha256: str
    validation_ids_sha256: str
    expected_validation_ids_sha256: str
    rows: str
    causality_violation_nats: float
    environment: dict[str, Any]
    input_dropout: float = 0.0
    facts: dict[str, Any] | None = None


def scoring_sha256() -> str:
    """Return the hash of the source that computes the figures, line ends normalised."""
    digest = hashlib.sha256()
    for name in _SCORING_SOURCES:
        text = resources.files("sevenepochs.protocol").joinpath(name).read_text(encoding="utf-8")
        digest.update(f"{name}\n{text}".replace("\r\n", "\n").encode())
    return digest.hexdigest()


def certificate(facts: Facts) -> dict[str, Any]:
    """Return JSON: the rules with their verdicts (`broken` lists those that failed), then the facts behind them."""
    budget = EPOCHS * facts.train_tokens
    fidelity = facts.tokenizer_fidelity
    rules = [
        _rule("seven epochs", facts.epochs == EPOCHS, f"{facts.epochs} epochs"),
        _rule(
            "token budget",
            facts.tokens_used <= budget,
            f"{facts.tokens_used:,} training targets of {budget:,}; stock windows start over before the tail",
        ),
        _rule(
            "training ids are the training split",
            facts.ids_sha256 == facts.expected_ids_sha256,
            f"sha256 {facts.ids_sha256[:16]}",
        ),
        _rule(
            "validation ids are the validation split",
            facts.validation_ids_sha256 == facts.expected_validation_ids_sha256,
            f"sha256 {facts.validation_ids_sha256[:16]}",
        ),
        _rule(
            "tokenizer loses nothing",
            bool(fidelity["reversible"]),
            f"{fidelity['n_changed']} of {fidelity['n_titles']:,} titles changed, {fidelity['n_unknown_tokens']} <unk>",
        ),
        _rule(
            "causal",
            facts.causality_violation_nats <= CAUSALITY_TOLERANCE_NATS,
            f"later tokens move earlier log-probabilities by at most {facts.causality_violation_nats:.1e} nats",
        ),
    ]
    return {
        **_judged(rules),
        "track": facts.track,
        **({} if facts.facts is None else {"facts": facts.facts}),
        "seeds": _seeds(facts.seed),
        "corpus": facts.corpus,
        "split": facts.split,
        "tokenizer": {"sha256": facts.tokenizer_sha256, "trained_on": facts.tokenizer_trained_on, **fidelity},
        "training": {
            "epochs": facts.epochs,
            "train_tokens": facts.train_tokens,
            "tokens_used": facts.tokens_used,
            "token_budget": budget,
            "forward_passes_per_token_per_epoch": facts.passes_per_token,
            "parameters": facts.parameters,
            "ids_sha256": facts.ids_sha256,
            **({"input_dropout": facts.input_dropout} if facts.input_dropout else {}),
        },
        "scoring": {"sha256": scoring_sha256(), "rows": facts.rows},
        "source": _source(facts.environment),
        # of a run that was resumed after a change
        "earlier_sources": [_source(one) for one in facts.environment.get(EARLIER, [])],
    }


def ensemble_certificate(
    *,
    members: list[dict[str, Any]],
    certificates: list[dict[str, Any]],
    chosen_on: list[str],
    by_words: bool,
    own_loss_error: float,
    environment: dict[str, Any],
) -> dict[str, Any]:
    """As `certificate`, for a mixture: the rules of docs/protocol.md, Ensembles.

    Args:
        members: what is told of each, with its `weight`; one that counts the training titles once more comes last.
        certificates: those of the members that are runs.
        chosen_on: runs on whose development titles the weights were chosen; empty where they are equal.
        own_loss_error: by how much a member mixed alone misses its own exact loss, at most, nats per character.
    """
    total, first = math.fsum(member["weight"] for member in members), certificates[0]
    chosen = f"chosen on development titles of {', '.join(chosen_on)}" if chosen_on else "equal"
    rules = [
        _rule(
            "members are clean",
            all(one["clean"] for one in certificates),
            f"{len(certificates)} runs of {EPOCHS} epochs each",
        ),
        _rule(
            "members have the same titles",
            all(one["split"] == first["split"] for one in certificates),
            f"validation sha256 {first['split']['validation_titles_sha256'][:16]}",
        ),
        _rule("weights sum to 1", abs(total - 1) <= WEIGHTS_TOLERANCE, chosen),
        _rule(
            "each character once",
            own_loss_error <= OWN_LOSS_TOLERANCE,
            f"a member mixed alone keeps its own loss to {own_loss_error:.1e} nats per character",
        ),
    ]
    passes = [one["training"]["forward_passes_per_token_per_epoch"] for one in certificates]
    return {
        **_judged(rules),
        "track": "ensemble",
        "mixed": "word by word" if by_words else "token by token",
        "members": members,
        "weights_chosen_on": chosen_on,
        "counted_once_more": len(members) > len(certificates),
        "seeds": _seeds(members[0]["seed"]),
        "corpus": first["corpus"],
        "split": first["split"],
        "training": {
            "epochs": EPOCHS,
            "forward_passes_per_token_per_epoch": sum(passes),
            "forward_passes_per_target": len(passes),
            "parameters": sum(member["parameters"] for member in members[: len(certificates)]),
        },
        "scoring": {"sha256": scoring_sha256(), "rows": "members' own"},
        "source": _source(environment),
    }


def _judged(rules: list[dict[str, Any]]) -> dict[str, Any]:
    broken = [rule["rule"] for rule in rules if not rule["ok"]]
    return {"clean": not broken, "broken": broken, "rules": rules}


def _seeds(seed: int) -> dict[str, Any]:
    return {"data_seed": DATA_SEED, "seed": seed, "official": seed == OFFICIAL_SEED}


def _source(environment: dict[str, Any]) -> dict[str, Any]:
    source = environment.get("source") or {}
    return {key: source.get(key) for key in ("commit", "dirty", "diff_sha256")}


def _rule(rule: str, ok: bool, detail: str) -> dict[str, Any]:
    return {"rule": rule, "ok": ok, "detail": detail}
