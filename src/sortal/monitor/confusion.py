"""What kind of change it is among more than two classes, as far as decisions and the sealed test let one tell.

What the test says of a class is how often its rows get each decision: a confusion matrix, which every model file has.

- **Label shift**: rows of a class get the decisions that they got. Fresh decisions are then a mixture of the rows of
  the matrix, and its shares are those of the classes: black-box shift estimation (Lipton, Wang & Smola 2018), here by
  maximum likelihood (expectation maximisation, as Saerens, Latinne & Decaestecker 2002 do of probabilities).
- **Covariate shift**: rows are others, and the probability of each class bears out as it did in the test.
- **Concept shift**: neither explains which labels come.

Tests of one look, at the days since an alarm. Those of counts are exact: of all rows of a class, in the test and fresh,
the fresh ones could be any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.special import chdtrc

from sortal.artifact.model import Model
from sortal.core.arrays import Floats, Ints
from sortal.core.plain import short
from sortal.core.profile import MOST_CLASSES
from sortal.core.reliability import Reliability
from sortal.core.writing import percent
from sortal.monitor.estimate import DecidedDay, Estimator
from sortal.monitor.shift import LEAST_LABELS, LEVEL

DRAWS = 4_000
"""Of the counts that chance brings about: four of them are beyond the level of a test."""
RESAMPLES, STEPS = 200, 400
"""Samples from which the interval of a share comes, and steps in which shares are fitted: they hardly move any more."""
LEAST_ROWS = 5
"""That a decision or a class has in the mean: of fewer nothing is said, as chi-squared needs."""
MOST_ROWS = 1_000_000
"""Of the test by class and decision: chance is drawn of fewer than a thousand million rows."""
MOST_NAMED = 3
"""Classes whose shares are said, those that moved most."""


class _Confusion(msgspec.Struct):
    part: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusion_of(model: Model) -> Ints | None:
    """(K, D) rows of the sealed test by class and decision, a last one more where rows may be left to a person; None
    for two classes, for very many, and where nothing was measured on a test.
    """
    classes = model.task.classes
    if model.card is None or not 2 < len(classes) <= MOST_CLASSES:
        return None
    try:
        of_run = msgspec.convert(model.card.details.get("confusion"), _Confusion)
        counts = np.array(of_run.counts, dtype=np.int64)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None  # of a file that sortal did not write: all this is about words
    decisions = len(classes) + (model.decision.reject_cost is not None)
    if of_run.part != "test" or of_run.classes != classes or counts.shape != (len(classes), decisions):
        return None
    is_valid = counts.min() >= 0 and counts.max() <= MOST_ROWS and counts.sum() >= LEAST_ROWS * len(classes)
    return counts if is_valid else None


@dataclass(frozen=True)
class BinCounts:
    """Of a class, by bin of its probability: rows whose label came, the sum of the probability, how many are of it."""

    reliability: Reliability
    labelled: Floats
    probability_sum: Floats
    positives: Floats

    @property
    def chance(self) -> float:
        """That labels differ so from probabilities, with the gap that each bin had in the test, chi-squared. Bins are
        put together until each is to have some rows of the class.
        """
        n = np.maximum(self.labelled, 1e-12)
        expected = np.clip(self.probability_sum + n * self.reliability.gaps, 0, n)
        variance = self.probability_sum * (1 - self.probability_sum / n) + n**2 * self.reliability.variances
        group = (np.cumsum(expected) / LEAST_ROWS).astype(np.int64)
        off, of = (np.bincount(group, part) for part in (self.positives - expected, variance))
        counts = of > 1e-9
        return float(chdtrc(max(int(counts.sum()), 1), (off[counts] ** 2 / of[counts]).sum()))


@dataclass(frozen=True)
class Comparison:
    """``test``: (K, D) rows by class and decision. ``rows``: (D,) fresh ones, ``labels``: (K, D) those whose label
    came. ``classes``: what came of the probability of each.
    """

    test: Ints
    rows: Ints
    labels: Ints
    classes: Sequence[BinCounts]

    @classmethod
    def of(cls, test: Ints, estimator: Estimator, day: DecidedDay) -> Comparison:
        """What was counted of some days, beside the test. Where nothing can be left to a person, nothing was."""
        classes, decisions = test.shape
        rows, pairs = (np.array(part or [0] * size, dtype=np.int64) for part, size in (
            (day.rows, classes + 1), (day.pairs, classes * (classes + 1))))  # fmt: skip
        bin_counts, first = [], 0
        for reliable in estimator.reliability.values():
            last = first + len(reliable.rows)
            parts = (part[first:last] or [0.0] * (last - first) for part in (day.labelled, day.said, day.came))
            bin_counts.append(BinCounts(reliable, *map(np.array, parts)))
            first = last
        return cls(test, rows[:decisions], pairs.reshape(classes, -1)[:, :decisions], bin_counts)

    @property
    def of_class(self) -> Floats:
        """(K, D) how often a class gets a decision; half a row is shared by all decisions of a class."""
        return _shares(self.test + 0.5 / self.test.shape[1])

    @property
    def shares(self) -> Floats:
        """(K,) of the classes in the test."""
        return np.asarray(self.test.sum(axis=1) / self.test.sum())

    def decisions_differ(self, rng: np.random.Generator) -> bool:
        """Whether decisions are others than in the test."""
        return chance_of(self.test.sum(axis=0)[None], self.rows[None], rng) < LEVEL

    def bears_out(self) -> bool:
        """Whether labels are as probable as in the test, each class against all others."""
        return all(counts.chance >= LEVEL / len(self.classes) for counts in self.classes)

    def mixture(self) -> tuple[Floats, bool]:
        """(K,) the shares of classes that explain the decisions best, and whether they explain them."""
        of_class, n = self.of_class, self.rows.sum()
        shares = fit_shares(self.rows[None], of_class[None])[0]
        expected = shares @ of_class
        doubt = shares**2 @ (of_class * (1 - of_class) / (self.test.sum(axis=1, keepdims=True) + 0.5))
        statistic = ((self.rows - n * expected) ** 2 / (n * expected + n**2 * doubt)).sum()
        free = len(expected) - int((shares > 1 / (n + 1)).sum())
        return shares, free < 1 or bool(chdtrc(free, statistic) >= LEVEL)

    def interval_of_shares(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """(K,) each: 95 % of the shares that other samples of the test and of fresh rows would have had."""
        samples = np.stack([rng.dirichlet(row + 0.5 / len(row), RESAMPLES) for row in self.test], axis=1)
        rows = rng.multinomial(self.rows.sum(), self.rows / self.rows.sum(), RESAMPLES)
        low, high = np.quantile(fit_shares(rows, samples), (0.025, 0.975), axis=0)
        return low, high


def fit_shares(rows: Ints, of_class: Floats) -> Floats:
    """(m, K) shares of classes, by maximum likelihood, of m times (D,) decisions that (K, D) classes get."""
    shares = np.full(of_class.shape[:2], 1 / of_class.shape[1])
    of_class = np.maximum(of_class, 1e-12)
    for _ in range(STEPS):
        joint = shares[:, :, None] * of_class
        shares = (joint / joint.sum(axis=1, keepdims=True) * rows[:, None, :]).sum(axis=2)
        shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(shares)


def chance_of(test: Ints, fresh: Ints, rng: np.random.Generator) -> float:
    """How probable it is that (m, c) counts of the test and fresh ones differ so, where those of each of m lines are
    drawn from the same. Exact, but for the number of draws: of both together the fresh ones could be any.
    """
    statistic, by_chance = 0.0, np.zeros(DRAWS)
    for of_test, of_fresh in zip(test, fresh, strict=True):
        both, n = of_test + of_fresh, int(of_fresh.sum())
        if n == 0 or of_test.sum() == 0:
            continue
        expected = both * n / both.sum()
        nonzero = both > 0
        others = rng.multivariate_hypergeometric(both[nonzero], n, DRAWS, method="marginals")
        statistic += float(((of_fresh - expected)[nonzero] ** 2 / expected[nonzero]).sum())
        by_chance += ((others - expected[nonzero]) ** 2 / expected[nonzero]).sum(axis=1)
    return float((1 + (by_chance >= statistic * (1 - 1e-9)).sum()) / (1 + DRAWS))


def kind(comparison: Comparison, classes: tuple[str, ...]) -> str:
    """A sentence; empty where there are too few rows to say anything."""
    rng = np.random.default_rng(0)
    if comparison.rows.sum() < LEAST_ROWS * len(comparison.rows):
        return ""
    differs = comparison.decisions_differ(rng)
    if comparison.labels.sum() >= max(LEAST_LABELS, LEAST_ROWS * len(classes)):
        return _with_labels(comparison, classes, differs, rng)
    if not differs:
        return "covariate shift that hardly moves the decisions, as far as rows tell; no labels yet"
    shares, explains = comparison.mixture()
    if not explains:
        return "covariate shift: no shares of the classes would explain the decisions; labels will tell of the concept"
    low, high = comparison.interval_of_shares(rng)
    texts = [f"{percent(s)} [{percent(lo)} {percent(hi)}]" for s, lo, hi in zip(shares, low, high, strict=True)]
    return (
        f"label shift ({_shifts(classes, shares, comparison.shares, texts)}, would explain the decisions) or covariate "
        "shift: labels will tell"
    )


def _with_labels(comparison: Comparison, classes: tuple[str, ...], differs: bool, rng: np.random.Generator) -> str:
    test, labels = comparison.test, comparison.labels
    n, shares = int(labels.sum()), labels.sum(axis=1) / labels.sum()
    of = f"{_shifts(classes, shares, comparison.shares, [percent(share) for share in shares])}, of {n:,} labelled rows"
    bears_out, of_class = comparison.bears_out(), chance_of(test, labels, rng) >= LEVEL
    if bears_out and not differs:
        return f"covariate shift: rows are as before in what the model makes of them, and probabilities bear out ({of})"
    if bears_out and of_class:
        return (
            "label shift or covariate shift, which look alike as long as labels are few or few decisions wrong: "
            f"probabilities bear out as they did in the test ({of})"
        )
    if bears_out:
        return f"covariate shift: rows are of another mix, and probabilities bear out as they did in the test ({of})"
    if of_class:
        return f"label shift: rows of a class look as before, and the classes have other shares ({of})"
    if chance_of(comparison.rows[None], labels.sum(axis=0)[None], rng) < LEVEL:
        return (
            "label shift or concept shift: labels come of some decisions more than of others, which hides what rows of "
            f"a class look like ({of})"
        )
    return f"concept shift: rows of the same probabilities are now of other classes than in the test ({of})"


def _shifts(classes: tuple[str, ...], shares: Floats, before: Floats, texts: list[str]) -> str:
    """Those classes whose shares moved most, with what is said of each."""
    most = np.argsort(-np.abs(shares - before), kind="stable")[:MOST_NAMED]
    return "; ".join(f"{short(classes[k])} in {texts[k]} of the rows, {percent(before[k])} in the test" for k in most)


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
