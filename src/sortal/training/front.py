"""The front of score against latency: the results than which no other is both better and faster.

What is kept of them, so that another of them can be shipped without training, are fits that are there anyway: the
refit of a member of the ensemble that ships, else the fit of the first fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Floats
from sortal.training.comparison import loss_of
from sortal.training.cv_result import Result
from sortal.training.ensemble import Ensemble, says_the_same
from sortal.training.trained import Trained


@dataclass(frozen=True)
class Alternative:
    """A point of the front beside the one that ships, with its fits."""

    result: Result
    ensemble: Ensemble


def front(losses: Floats, seconds: Floats) -> list[int]:
    """Numbers of those than which none is both better and faster, the best first.

    >>> front(np.array([0.3, 0.2, 0.25, 0.2]), np.array([1.0, 5.0, 9.0, 4.0]))
    [3, 0]
    """
    members: list[int] = []
    for i in np.lexsort((seconds, losses)).tolist():
        if np.isfinite(losses[i]) and all(seconds[i] < seconds[j] for j in members):
            members.append(i)
    return members


def on_front(trained: Trained) -> list[Result]:
    """The results on it, the best first."""
    results, metric = trained.developed.results, trained.developed.choice.metric
    losses = np.array([loss_of(result, metric) for result in results])
    return [results[i] for i in front(losses, np.array([result.single_row_seconds for result in results]))]


def alternatives(trained: Trained) -> Iterator[Alternative]:
    """Those beside the chosen one whose fits are at hand, but for what says the same of every row.

    None where something was promised: what was proven of one model is not proven of another.
    """
    if trained.finalized.decision.certificate is not None or trained.finalized.sets is not None:
        return
    refits = {member.candidate.name: member for member in trained.finalized.ensemble.members}
    for result in on_front(trained):
        if result is trained.developed.choice.winner or says_the_same(result):
            continue
        fits = [refits.get(member.name, member.pipeline) for member in result.results]
        members = tuple(fit for fit in fits if fit is not None)
        if len(members) == len(fits):
            yield Alternative(result, Ensemble(members, result.weights))
