"""The exact loss of an ensemble, from what each member gave to the tokens of the validation titles. numpy only.

The rule is docs/protocol.md's, Ensembles. Members with one tokenizer are mixed token by token:

    p(t | c) = sum_k v_k p_k(t | c)

Members with several tokenizers are mixed word by word. A word is the text from one space to the next; S_k are the
tokens of member k that begin with a space, and `<eos>`. With h the text before word w, which is cut into t_1 .. t_m,

    P_k(w | h) = p_k(t_1 | h) / p_k(S_k | h) * prod_(j>1) p_k(t_j | h, t_<j) * p_k(S_k | h, w)
    P_k(<eos> | h) = p_k(<eos> | h) / p_k(S_k | h)

without the division at a title's beginning. Over a title the stops cancel, so that a member alone keeps its own loss.

K members, N tokens of the stream, U units: the words and `<eos>`s of the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, joined_text
from sevenepochs.store.token_losses import TokenLosses

_SPACE = ord(" ")
_WEIGHT_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Member:
    """One member's part of a mixture. `name`: for messages; `tokenizer`: its hash."""

    name: str
    tokenizer: str
    tokens: TokenLosses


class Mixture:
    """Members on the same validation titles, to be mixed by any weights."""

    def __init__(self, members: Sequence[Member], titles: Sequence[str]) -> None:
        """Line up the members' tokens or words.

        Args:
            titles: the validation titles, in protocol order.

        Raises:
            UserError: a member's tokens are not those of these titles, or cut them into other words; it is named.
        """
        self._tokenizers = list(dict.fromkeys(member.tokenizer for member in members))
        self._group_K = np.array([self._tokenizers.index(member.tokenizer) for member in members])
        self._members = members
        self._starts = [_unit_starts(member, titles) for member in members]
        first = self._starts[0]
        for member, starts in zip(members[1:], self._starts[1:], strict=True):
            if not np.array_equal(starts.byte_U, first.byte_U):
                raise UserError(
                    f"{member.name} cuts the titles into other words than {members[0].name}, so the two cannot be "
                    "mixed word by word; leave one of them out"
                )

    @property
    def n_members(self) -> int:
        return len(self._members)

    @property
    def is_by_words(self) -> bool:
        """Whether the members have several tokenizers."""
        return len(self._tokenizers) > 1

    def log_probs(self, weights_K: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return ln P of every token, (N,), or of every unit, (U,), where the members have several tokenizers.

        Members that share a tokenizer are one member of the mixture by words: their mixture by tokens.

        Raises:
            ValueError: a weight is negative, or they do not sum to 1.
        """
        weights_K = np.asarray(weights_K, dtype=float)
        if len(weights_K) != len(self._members) or weights_K.min() < 0 or abs(weights_K.sum() - 1) > _WEIGHT_TOLERANCE:
            raise ValueError(f"weights of {len(self._members)} members, none negative, sum to 1; not {weights_K}")
        with np.errstate(divide="ignore"):  # a member of weight 0
            log_weights_K = np.log(weights_K)
        parts, log_weights = [], []
        for group in range(len(self._tokenizers)):
            index = np.flatnonzero(self._group_K == group)
            log_total = logsumexp(log_weights_K[index])
            if log_total == -np.inf:
                continue
            log_share_k = log_weights_K[index] - log_total
            members = [self._members[int(k)].tokens for k in index]
            log_probs_N = _mixed(log_share_k, [tokens.log_probs for tokens in members])
            if not self.is_by_words:
                return log_probs_N
            stops_N = _mixed(log_share_k, [tokens.stop_log_probs for tokens in members])
            parts.append(_units(log_probs_N, stops_N, self._starts[index[0]]))
            log_weights.append(log_total)
        return _mixed(np.array(log_weights), parts)

    def title_nats(self, log_probs: np.ndarray) -> np.ndarray:
        """Sum what `log_probs` gives to the loss of each title between two `<eos>`s, nats."""
        starts = self._starts[0]
        return -np.add.reduceat(log_probs, starts.title_U if self.is_by_words else starts.token_U[starts.title_U])

    def best_weights(self) -> np.ndarray:
        """Return the weights (K,) under which these titles have the lowest loss."""
        n = len(self._members)

        def loss(free: np.ndarray) -> float:
            return -float(self.log_probs(softmax(np.append(free, 0.0))).mean())

        found = minimize(loss, np.zeros(n - 1), method="L-BFGS-B") if n > 1 else None
        weights_K: np.ndarray = softmax(np.append(found.x if found is not None else [], 0.0))
        return weights_K


@dataclass(frozen=True)
class _Starts:
    """Where units begin: `token_U` their first tokens, `byte_U` their first bytes in the titles' text (a running count
    in which `<eos>` is one), `title_U` those units (by number) that begin a title."""

    token_U: np.ndarray
    byte_U: np.ndarray
    title_U: np.ndarray


def _mixed(log_weights_K: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """ln of the weighted sum of probabilities."""
    if len(parts) == 1:
        return parts[0]
    mixed: np.ndarray = logsumexp(np.stack(parts) + log_weights_K[:, None], axis=0)
    return mixed


def _units(log_probs_N: np.ndarray, stops_N: np.ndarray, starts: _Starts) -> np.ndarray:
    """ln P_k of every unit: the tokens' sum, less the stop before it (not at a title's beginning), plus the one behind
    it (not behind `<eos>`)."""
    log_probs_U: np.ndarray = np.add.reduceat(log_probs_N, starts.token_U)
    before_U = stops_N[starts.token_U]
    before_U[starts.title_U] = 0.0
    log_probs_U += np.append(before_U[1:], 0.0) - before_U
    return log_probs_U


def _unit_starts(member: Member, titles: Sequence[str]) -> _Starts:
    """Find words in a member's tokens by the bytes that each stands for.

    A title that contains the literal text `<eos>` is encoded with that token inside, as several pieces.
    """
    n_bytes_N = member.tokens.n_bytes
    ends = np.flatnonzero(n_bytes_N == 0)
    pieces = [piece.encode() for piece in joined_text(titles).split(EOS)[:-1]]
    length_P = np.array([len(piece) for piece in pieces])
    first_P = np.concatenate(([0], ends[:-1] + 1))
    wrong = UserError(f"{member.name} has the losses of other titles; leave it out, or publish its run again")
    if len(ends) != len(pieces) or ends[-1] != len(n_bytes_N) - 1:
        raise wrong
    title_N = np.repeat(np.arange(len(pieces)), np.diff(np.append(first_P, len(n_bytes_N))))
    before_N = np.cumsum(n_bytes_N) - n_bytes_N
    before_N -= before_N[first_P][title_N]  # bytes of the title before each token
    added_P = before_N[ends] - length_P  # the space that a pre-tokenizer puts before a title
    if added_P.min() < 0 or added_P.max() > 1:
        raise wrong
    text = np.frombuffer(b"<".join(pieces) + b"<", dtype=np.uint8)  # one byte for each `<eos>`
    base_P = np.concatenate(([0], np.cumsum(length_P + 1)[:-1]))
    at_N = base_P[title_N] + np.maximum(before_N - added_P[title_N], 0)
    is_first_N = np.zeros(len(n_bytes_N), dtype=bool)
    is_first_N[first_P] = True
    begins_N = is_first_N | (n_bytes_N == 0) | (text[at_N] == _SPACE)
    token_U = np.flatnonzero(begins_N)
    return _Starts(token_U, at_N[token_U], np.flatnonzero(is_first_N[token_U]))
