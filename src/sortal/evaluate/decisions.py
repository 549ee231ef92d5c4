"""What was decided of rows whose classes are known: counts by class, and the rows that are left to a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes
from sortal.core.interval import Interval
from sortal.core.task import Task
from sortal.evaluate.intervals import rates_interval
from sortal.stats.sampling import Rates

NOBODY = -1
"""In place of the true class of a row that is left to a person, for the metrics of decisions."""


def confusion(task: Task, truth: Codes, decided: Codes) -> NDArray[np.int64]:
    """(K, K) counts of rows, truth by decision; a column more where rows were rejected.

    >>> from sortal.core.task import Task
    >>> task = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
    >>> confusion(task, np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    array([[1, 1],
           [0, 2]])
    """
    k = len(task.classes)
    d = k + int((decided == k).any())
    return np.bincount(truth * d + decided, minlength=k * d).reshape(k, d).astype(np.int64)


def rejected(task: Task, decided: Codes, clusters: Codes | None = None) -> Interval:
    """The share of rows that are left to a person. ``clusters``: (n,) ids from 0 on of rows that vary together."""
    every = np.ones(len(decided), dtype=np.bool_)
    return rates_interval(Rates([(every, decided == len(task.classes))]), clusters)


def absent(task: Task, truth: Codes) -> tuple[str, ...]:
    """The classes that are true of no row, which averages over classes leave out.

    >>> from sortal.core.task import Task
    >>> absent(Task("y", ("a", "b", "c"), (0.4, 0.4, 0.2), None, "log_loss", (), ()), np.array([0, 2, 2]))
    ('b',)
    """
    return tuple(label for code, label in enumerate(task.classes) if not (truth == code).any())


def decided_rows(task: Task, truth: Codes, decided: Codes) -> Codes:
    """(n,) true classes of the rows that are decided, and ``NOBODY`` for those that are left to a person."""
    return np.where(decided < len(task.classes), truth, NOBODY)
