"""The gate: whether a challenger is better than the champion beyond noise, on the same labelled rows.

A gambler bets on each row that the challenger loses less. If it does not, what the gambler owns exceeds 1 / doubt at
any time with a probability of at most doubt (Ville's inequality), so that one may look after every label, and again
tomorrow with more of them. The bets are those of ``monitor.risk``, on the half of the paired difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Literal

import msgspec
import numpy as np

from sortal.core.arrays import Floats, Mask
from sortal.core.interval import Estimate
from sortal.core.writing import number, percent
from sortal.evaluate.compare import difference
from sortal.evaluate.cuts import Cut
from sortal.monitor import risk

Measure = Literal["cost", "errors", "log-loss"]
BETTER, SLICES = "G101", "G201"
"""Codes of reasons; ``conditions`` has the others. A code never changes its meaning."""
MOST_EVIDENCE = 1e6
"""Beyond it a number tells a person no more."""
MOST_NAMED = 3
"""Slices that a reason names."""


@dataclass(frozen=True)
class Terms:
    """What the gate asks for.

    ``doubt``: the chance that a challenger that is not better passes. ``tolerance``: by how much a slice may be worse,
    as a share of the largest loss: a point of errors. ``times``: how much slower and larger than the champion a
    challenger may be where the recipe says nothing of it; who gave the champion a machine has room for that.
    """

    doubt: float = 0.05
    tolerance: float = 0.01
    times: float = 3.0


@dataclass(frozen=True)
class Losses:
    """What champion and challenger lose (n,) on the same rows, in the order of time: between ``low`` and ``top``."""

    measure: Measure
    champion: Floats
    challenger: Floats
    low: float = 0.0
    top: float = 1.0

    def __len__(self) -> int:
        return len(self.champion)

    @property
    def span(self) -> float:
        return self.top - self.low

    @property
    def gain(self) -> Floats:
        """(n,) by how much less the challenger loses, as a share of what can be lost: -1 to 1."""
        return np.asarray((self.champion - self.challenger) / self.span)


@dataclass(frozen=True)
class Reason:
    """One thing that the gate asks for, whether it ``holds``, and in words what was measured."""

    code: str
    holds: bool
    text: str


@dataclass(frozen=True)
class Verdict:
    """``difference``: the champion's loss less the challenger's. ``evidence``: the e-value that the challenger is
    better, ``needed``: from which on it passes. ``notes``: what else has to be known of the rows.
    """

    promoted: bool
    rows: int
    measure: Measure
    champion: float | None
    challenger: float | None
    difference: Estimate
    evidence: float
    needed: float
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def lines(self) -> Iterator[str]:
        """For a person."""
        for reason in self.reasons:
            yield f"{'+' if reason.holds else 'x'} {reason.code} {reason.text}"


def gate(
    losses: Losses, slices: Sequence[Cut] = (), conditions: Sequence[Reason] = (), terms: Terms = Terms()
) -> Verdict:
    """Judge a challenger by its losses, by those of each slice of the same rows, and by ``conditions``, which were
    judged elsewhere.

    >>> rng = np.random.default_rng(0)
    >>> wrong = (rng.random(500) < 0.3).astype(float)
    >>> better = Losses("errors", wrong, wrong * (rng.random(500) < 0.5))
    >>> gate(better).promoted, gate(Losses("errors", wrong, wrong)).promoted
    (True, False)
    """
    evidence, threshold = log_evidence(losses.gain), log(1 / terms.doubt)
    mean: list[float | None] = [None, None]
    mean_difference = Estimate(None)
    if len(losses):
        mean = [float(loss.mean()) for loss in (losses.champion, losses.challenger)]
        mean_difference = Estimate.of(difference(losses.champion, losses.challenger))
    reasons = (
        Reason(BETTER, evidence >= threshold, _better(losses, evidence, threshold)),
        *([_slices(losses, slices, terms)] if slices else []),
        *conditions,
    )
    return Verdict(
        promoted=all(reason.holds for reason in reasons),
        rows=len(losses),
        measure=losses.measure,
        champion=mean[0],
        challenger=mean[1],
        difference=mean_difference,
        evidence=exp(min(evidence, 300.0)),
        needed=exp(threshold),
        reasons=reasons,
    )


def log_evidence(gain: Floats, tolerance: float = 0.0) -> float:
    """The logarithm of the e-value that the mean of ``gain`` (n,), each between -1 and 1, is above ``tolerance``."""
    sums = risk.gains((1 + gain) / 2, (1 + tolerance) / 2)
    return float(risk.log_wealth(sums[None])[0])


def _better(losses: Losses, evidence: float, threshold: float) -> str:
    if not len(losses):
        return "no label has come yet of a row that the challenger has not seen"
    champion, challenger = losses.champion.mean(), losses.challenger.mean()
    strength = exp(min(evidence, 300.0))
    strength_text = f"{strength:,.1f}" if strength < MOST_EVIDENCE else f"over {MOST_EVIDENCE:,.0f}"
    evidence_text = f"evidence {strength_text} of {exp(threshold):,.0f}"
    if challenger >= champion:
        return (
            f"not better: {_loss_text(losses, losses.challenger)} instead of {_loss_text(losses, losses.champion)} "
            f"({evidence_text})"
        )
    means = (
        f"{_loss_text(losses, losses.challenger)} instead of {_loss_text(losses, losses.champion)}, on "
        f"{len(losses):,} rows"
    )
    if evidence >= threshold:
        return f"better: {means} ({evidence_text})"
    return f"may be better, and may be luck: {means} ({evidence_text}); more labels may show it"


def _loss_text(losses: Losses, values: Floats) -> str:
    mean = float(values.mean())
    return f"{percent(mean)} errors" if losses.measure == "errors" else f"{losses.measure} {number(mean)}"


def _slices(losses: Losses, slices: Sequence[Cut], terms: Terms) -> Reason:
    """Whether any slice is worse by more than is tolerated; each at its share of the doubt (Bonferroni)."""
    parts = [(cut, code) for cut in slices for code in range(len(cut.conditions))]
    threshold = log(len(parts) / terms.doubt)
    worse: list[tuple[float, str]] = []
    for column, code in parts:
        inside: Mask = column.codes == code
        evidence = log_evidence(-losses.gain[inside], terms.tolerance)
        if evidence >= threshold:
            then, now = _loss_text(losses, losses.champion[inside]), _loss_text(losses, losses.challenger[inside])
            rows = f"{np.count_nonzero(inside):,} rows"
            worse.append((evidence, f"{column.column} {column.conditions[code]}: {now} instead of {then}, on {rows}"))
    tolerance = f"{number(terms.tolerance * losses.span)} of {losses.measure}"
    if not worse:
        return Reason(SLICES, True, f"none of {len(parts):,} slices is shown to be worse by more than {tolerance}")
    texts = [text for _, text in sorted(worse, reverse=True)]
    more = f"; and {len(texts) - MOST_NAMED:,} more" if len(texts) > MOST_NAMED else ""
    return Reason(SLICES, False, f"worse where {'; '.join(texts[:MOST_NAMED])}{more}")
