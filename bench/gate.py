"""What the gate lets through: challengers that are worse, alike and better, looked at after every hundred labels.

Errors of champion and challenger, drawn row by row: the champion is wrong of 12 %, and in some share of the rows only
one of the two is. The more they disagree, the more luck there is in who is right: an answer of the same family on newer
rows disagrees in few, another family in many. The goals are about what retraining is like (``USUAL``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from bench._outcome import Goal, Options, Outcome
from sortal.core.arrays import Mask
from sortal.retrain.gate import Losses, gate

CHAMPION = 0.12
"""Errors of the champion."""
GAPS = (-0.01, 0.0, 0.01, 0.02)
"""By how much fewer errors the challenger makes."""
DISAGREEMENTS = (0.04, 0.08, 0.16)
"""Shares of the rows of which one alone is wrong; two models that know nothing of each other disagree in 20 %."""
USUAL = 0.08
LABELS, LOOK = 5_000, 100
"""Labels that come, and after how many somebody looks."""
RUNS, FAST_RUNS = 1_000, 40
WORSE, BETTER = 0.01, 0.90
"""The share of challengers a point worse that may pass, and of those two points better that should."""
DOUBT = 0.05
"""What the gate promises of challengers that are no better."""


@dataclass(frozen=True)
class Challenge:
    """``labels``: after how many the challenger was promoted; None where it was not within ``LABELS``."""

    gap: float
    disagreement: float
    seed: int
    labels: int | None


def run(options: Options) -> Outcome:
    runs = FAST_RUNS if options.fast else RUNS
    results = []
    for gap in GAPS:
        for disagreement in DISAGREEMENTS:
            results += [_challenge(gap, disagreement, seed) for seed in range(runs)]
        print(f"a challenger {_points(gap)}: {runs} runs of each", file=sys.stderr)
    return outcome(results)


def _challenge(gap: float, disagreement: float, seed: int) -> Challenge:
    champion, challenger = errors(gap, disagreement, LABELS, np.random.default_rng([seed, round(1e4 * disagreement)]))
    for labels in range(LOOK, LABELS + 1, LOOK):
        if gate(Losses("errors", champion[:labels] * 1.0, challenger[:labels] * 1.0)).promoted:
            return Challenge(gap, disagreement, seed, labels)
    return Challenge(gap, disagreement, seed, None)


def errors(gap: float, disagreement: float, n: int, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """(n,) where the champion is wrong, and where the challenger is."""
    only_champion = (disagreement + gap) / 2
    u = rng.random(n)
    both = CHAMPION - only_champion
    alone = (u >= both) & (u < CHAMPION)
    other = (u >= CHAMPION) & (u < CHAMPION + disagreement - only_champion)
    return (u < both) | alone, (u < both) | other


def _points(gap: float) -> str:
    return "alike" if not gap else f"{abs(100 * gap):.0f} {'better' if gap > 0 else 'worse'}"


def outcome(results: Sequence[Challenge]) -> Outcome:
    rows, goals = [], []
    for gap, disagreement in dict.fromkeys((result.gap, result.disagreement) for result in results):
        group = [result for result in results if (result.gap, result.disagreement) == (gap, disagreement)]
        after = [result.labels for result in group if result.labels is not None]
        share = len(after) / len(group)
        middle = f"{median(after):,.0f}" if after else "-"
        rows.append([_points(gap), f"{disagreement:.0%}", f"{len(group):,}", f"{share:.1%}", middle])
        where = f"of those that disagree in {disagreement:.0%} of the rows"
        if gap == min(GAPS):
            goal = f"a challenger 1 point worse is promoted in <= {WORSE:.0%} {where}"
            goals.append(Goal(goal, f"{share:.1%}", share <= WORSE))
        if gap == 0:
            goals.append(Goal(f"one that is alike in <= {DOUBT:.0%} {where}", f"{share:.1%}", share <= DOUBT))
        if gap == max(GAPS) and disagreement <= USUAL:
            goal = f"one 2 points better in >= {BETTER:.0%} within {LABELS:,} labels {where}"
            goals.append(Goal(goal, f"{share:.1%}", share >= BETTER))
    return Outcome(
        title=f"challengers promoted within {LABELS:,} labels, looked at after every {LOOK}; the champion is wrong of "
        f"{CHAMPION:.0%}",
        columns=["challenger", "disagree", "runs", "promoted", "after labels (median)"],
        rows=rows,
        goals=goals,
        notes=[
            "Two points better is shown later by challengers that disagree much: there is more luck in who is right."
        ],
        figures=[asdict(result) for result in results],
    )
