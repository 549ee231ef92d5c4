"""Thresholds that keep a promise on fresh rows, or a refusal: the search and the exact tests behind a certificate.

Tests come one after the other, each at the full level alpha = 1 - confidence, from a start downwards, until one fails;
the last that passed is taken (fixed sequence: Bauer 1991; Learn then Test, Angelopoulos et al. 2022). Start and order
are laid down before the labels of ``certification`` are looked at for the first time.

**Precision** alone: the tests go down ``certification`` by rank. Each takes the highest rows, as few as suffice for 0,
1, 2, ... wrong ones among them to pass, for a further row could only add a wrong one. Why a miss has probability <=
alpha: let t be the threshold below which fresh rows break the promise. The first test with rows from below t must have
passed; of its m rows let a lie above t. Given a, and the score at which the m end, the a are drawn from all rows above
t and right with the promised probability; the others are drawn from between, and right with a lower one, or the
precision would not be too low at their end. So at most Binomial(m, promised precision) are right, and the test passes
with probability <= alpha. This takes for granted that the precision stays too low from t on, and that few rows tie;
decision 0019 says what was tried to break the level otherwise, without success.

**Several measures**: the thresholds are those of ``tuning`` rows, and whatever the precision does further down, the
level holds. Let t be the first threshold that breaks the promise: one from t on is certified only if the test at t
passes. The measures are one promise at each threshold, which breaks it if it breaks any; the test passes if those of
all measures do, each at alpha (intersection-union test, Berger 1982), so nothing is divided.

**Recall** or **false positive rate** alone: they move one way with the threshold, so no sequence is needed. With P
positives, the threshold that leaves the r lowest of them out is valid for the largest r with P(Binomial(P, recall) >=
P - r) <= alpha: were the recall there too low, then at the boundary, too, at most r positives would lie below it.

**Refusal**: the threshold is the start of the sequence, and the measures get their Clopper-Pearson bounds there, each
at the full level, from the one that looked safest on ``tuning`` to the one that looked least safe; after the first that
falls short, the others get none. The total of misses stays <= alpha, for start and order were laid down before, and no
level better than the asked one is ever stated. If the start keeps the promise, then no such statement about it can be
wrong, and a pass further down is bounded as above. If it breaks it, take the first measure in that order which it
breaks: to pass, to state too much of this measure, or to state anything of a later one, its bound must exceed its true
value, in each case the same event of probability <= alpha. Recall or false positive rate alone are refused by the
number of positives (negatives) alone, given which the bound at the start is exact.

How the start is chosen cannot harm the guarantee, only decide how much it yields: by simulation of certification
samples under what ``tuning`` says of the scores, the start with the largest expected recall at the end of the sequence.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sortal.core.arrays import Floats, Mask
from sortal.core.errors import DataError, OptionError, did_you_mean
from sortal.core.predictions import Predictions
from sortal.core.task import Promise
from sortal.decide.certificate import Bound, Certificate, Measure
from sortal.decide.exact import Constraint, Counts, RankedScores, at_least, between, p_value
from sortal.decide.fixed_sequence import outlook, planned_sequence
from sortal.stats.proportions import clopper_pearson

LEARNING_SHARE, SEED = 1 / 3, 0


def certify(promise: Promise, tuning: Predictions | None, certification: Predictions, positive: str) -> Certificate:
    """A threshold that keeps the promise on fresh rows with its confidence, or a refusal.

    ``certification``: predictions of the very model that is shipped, for labelled rows that it has not seen.
    ``tuning``: predictions for other rows, such as out-of-fold ones of the training rows; they choose which thresholds
    are tried and are no evidence. Without them a third of ``certification`` (at random, always the same) plays their
    part where one is needed. Of all thresholds that were certified, the lowest is taken if precision or ``fpr`` is
    asked for (most recall), else the highest (most precision). The guarantee is for rows drawn like ``certification``,
    from the same prevalence. Rows of a group vary together, and what is proven counts rows that do not: one row of each
    group is drawn.

    Raises OptionError for a promise that asks for nothing, for a level or a confidence not between 0 and 1 and for a
    ``positive`` that is no class, and DataError where ``certification`` has no rows.

    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(0.5, 1, size=4000)
    >>> truth = (rng.random(4000) < p).astype(np.int64)
    >>> rows, probability = np.arange(2000), np.column_stack([1 - p, p])
    >>> tuning = Predictions(("no", "yes"), rows, truth[:2000], probability[:2000], "out-of-fold")
    >>> certification = Predictions(("no", "yes"), rows, truth[2000:], probability[2000:], "valid")
    >>> print(certify(Promise(precision=0.8), tuning, certification, "yes").explanation)
    precision >= .8 certified at 95 % confidence on 2,000 labelled rows: p >= .656 says yes to 354, 296 rightly (.836)
    """
    constraints = _constraints(promise)
    if positive not in certification.classes:
        raise OptionError(
            f"no class {positive!r} to make a promise about; {did_you_mean(positive, certification.classes)}"
        )
    if not len(certification):
        raise DataError("a promise cannot be certified without labelled rows; hold some out")
    grouped, certification = certification.groups is not None, certification.one_a_group(SEED)
    certificate = _certify(constraints, tuning, RankedScores.of(certification, positive), positive, promise.confidence)
    return replace(certificate, grouped=grouped)


def _certify(
    constraints: list[Constraint], tuning: Predictions | None, tested: RankedScores, positive: str, confidence: float
) -> Certificate:
    alpha = 1 - confidence
    if len(constraints) == 1 and constraints[0].measure != "precision":
        threshold = _by_rank(constraints[0], tested, alpha)
        if threshold is not None:
            return _certificate_at(positive, threshold, confidence, constraints, tested)
    learner = RankedScores.of(tuning, positive) if tuning is not None and len(tuning) else None
    if learner is None:
        learner, tested = _split(tested)
    sequence = planned_sequence(constraints, learner, tested.score, alpha)
    passes = _passes(constraints, tested.counts(sequence), alpha)
    certified = len(sequence) if passes.all() else int(passes.argmin())
    if certified:
        return _certificate_at(positive, float(sequence[certified - 1]), confidence, constraints, tested)
    start = float(sequence[0])
    safest_first = sorted(
        constraints, key=lambda constraint: float(p_value(constraint, learner.counts(sequence[:1]))[0])
    )
    bounds = _refusal_bounds(safest_first, tested.counts(sequence[:1]), confidence)
    ordered = tuple(bounds[safest_first.index(constraint)] for constraint in constraints)
    refused = _certificate(positive, start, confidence, tested, ordered)
    if not len(learner):
        return refused
    return replace(refused, outlook=outlook(constraints, learner, tested, len(tested), alpha))


def _constraints(promise: Promise) -> list[Constraint]:
    levels: list[tuple[Measure, float | None]]
    levels = [("precision", promise.precision), ("recall", promise.recall), ("fpr", promise.fpr)]
    constraints = [Constraint(m, level, 1 - level if m == "fpr" else level) for m, level in levels if level is not None]
    if not constraints:
        raise OptionError("a promise needs a level to keep; give precision, recall or fpr")
    for name, level in [*((d.measure, d.level) for d in constraints), ("confidence", promise.confidence)]:
        if not 0 < level < 1:
            raise OptionError(f"{name} must lie strictly between 0 and 1, not {level}")
    return constraints


def _split(rows: RankedScores) -> tuple[RankedScores, RankedScores]:
    """A random third to learn from, and the rest."""
    draw = np.random.default_rng(SEED).permutation(len(rows)) < round(LEARNING_SHARE * len(rows))
    return rows.take(draw), rows.take(~draw)


def _passes(constraints: list[Constraint], counts: Counts, alpha: float) -> Mask:
    """Whether the exact tests of all measures pass, at each threshold."""
    largest: Floats = np.maximum.reduce([p_value(constraint, counts) for constraint in constraints])
    return largest <= alpha


def _by_rank(constraint: Constraint, rows: RankedScores, alpha: float) -> float | None:
    """The threshold of recall (highest) or false positive rate (lowest) alone; None where too few rows would show
    it.
    """
    recall = constraint.measure == "recall"
    class_scores = rows.score[rows.positive == recall]
    n = len(class_scores)
    wrong = np.arange(n, dtype=np.float64)
    certifiable = np.flatnonzero(at_least(n - wrong, np.full(n, float(n)), constraint.rate) <= alpha)
    if not len(certifiable):
        return None
    if recall:
        lowest = class_scores[certifiable[-1]]
        below = np.searchsorted(rows.score, lowest)
        return between(rows.score[below - 1] if below else 0.0, lowest)
    highest = class_scores[n - 1 - certifiable[-1]]
    above = np.searchsorted(rows.score, highest, side="right")
    return between(highest, rows.score[above] if above < len(rows) else np.nextafter(1.0, 2.0))


def _observed(constraint: Constraint, counts: Counts) -> tuple[float, float, float]:
    """Successes, trials, and the value of the measure; 0 where it is not defined."""
    successes, trials = (float(np.squeeze(x)) for x in constraint.outcome(counts))
    numerator = trials - successes if constraint.measure == "fpr" else successes
    return successes, trials, numerator / trials if trials else 0.0


def _certificate_at(
    positive: str, threshold: float, confidence: float, constraints: list[Constraint], rows: RankedScores
) -> Certificate:
    counts = rows.counts(np.array([threshold]))
    bounds = (Bound(d.measure, d.level, d.level, _observed(d, counts)[2], True) for d in constraints)
    return _certificate(positive, threshold, confidence, rows, tuple(bounds))


def _refusal_bounds(safest_first: list[Constraint], counts: Counts, confidence: float) -> list[Bound]:
    """Bounds in the order of the constraints, each at full level as long as all before it hold; see the top of the
    module.
    """
    bounds: list[Bound] = []
    for constraint in safest_first:
        successes, trials, observed = _observed(constraint, counts)
        all_hold = all(bound.holds for bound in bounds)
        holds = all_hold and bool(p_value(constraint, counts)[0] <= 1 - confidence)
        rate = min(float(clopper_pearson(successes, trials, 1 - confidence)[0]), constraint.rate) if all_hold else 0.0
        limit = 1 - rate if constraint.measure == "fpr" else rate
        certified = constraint.level if holds else limit
        bounds.append(Bound(constraint.measure, constraint.level, certified, observed, holds))
    return bounds


def _certificate(
    positive: str, threshold: float, confidence: float, rows: RankedScores, bounds: tuple[Bound, ...]
) -> Certificate:
    positives, selected = int(rows.positive.sum()), int((rows.score >= threshold).sum())
    share = positives / len(rows)
    return Certificate(positive, threshold, confidence, len(rows), positives, selected, bounds, share)
