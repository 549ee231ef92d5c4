"""Prediction sets: of each row the classes that it may well be, so that a stated share of sets hold the true class.

The method is split conformal prediction with the least ambiguous score, "lac", one minus the probability of the true
class (Sadinle, Lei & Wasserman 2019, "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels"; Vovk,
Gammerman & Shafer 2005): of all scores it gives the smallest sets where probabilities are right. A class is in the set
from a probability on, which is all that has to be stored and all that a person has to be told.

The promise is one about a fresh row like those that the sets were fitted on, before anything of it is known. It says
nothing of single classes: with 1 % of fraud, sets that never hold fraud keep 90 %. Hence "lac by class", which keeps it
within every class (Vovk 2012, "Conditional validity of inductive conformal predictors"), and therefore also for all.

Every set also holds the most probable class. That can only raise coverage; it leaves no set empty and no prediction
outside its own set. Nothing is drawn at random when predicting: equal rows have equal sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes, Floats
from sortal.core.errors import OptionError
from sortal.core.writing import level

Members = NDArray[np.bool_]

Method = Literal["lac", "lac by class"]

TIE = 1e-5
"""Probabilities that differ relatively by less are equal: a saved model reproduces trained ones to 1e-6."""
NAMED = 5
"""Classes that a sentence names."""


@dataclass(frozen=True)
class Sets:
    """The rule that is shipped with a model, as plain values.

    ``coverage``: the share of sets that is to hold the true class. ``threshold``: (K,) the probability from which on a
    class is in the set; 0: in every set. ``rows``: (K,) rows of each class that this was fitted on, and ``mean_size``
    the mean number of classes in their sets.

    >>> sets = Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2)
    >>> sets.apply(np.array([[0.8, 0.2], [0.6, 0.4]]))
    array([[ True, False],
           [ True,  True]])
    """

    method: Method
    coverage: float
    rows: tuple[int, ...]
    threshold: tuple[float, ...]
    mean_size: float

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.threshold) or not self.rows or not 0 < self.coverage < 1:
            raise ValueError("sets need a coverage between 0 and 1, and rows and a threshold a class")
        if not all(0 <= p <= 1 for p in self.threshold):
            raise ValueError("thresholds of sets are probabilities")

    def apply(self, probability: Floats) -> Members:
        """(n, K) which classes are in the set of each row, of (n, K) probabilities.

        Raises ValueError where the number of columns is not that of the classes.
        """
        if probability.ndim != 2 or probability.shape[1] != len(self.threshold):
            raise ValueError(f"expected (n, {len(self.threshold)}) probabilities, not {probability.shape}")
        return _members(probability, self.threshold)


def fit_sets(probability: Floats, truth: Codes, coverage: float, *, by_class: bool = False) -> Sets:
    """Sets that hold the true class of at least the share ``coverage`` of fresh rows, whatever the model is worth.

    ``probability``: (n, K) of rows that the shipped model never saw, ``truth``: (n,) class codes. With ``by_class``
    each class is covered on its own. Of too few rows (``fewest_rows``) there is no set to promise, so that it holds all
    classes (or that class); ``notes`` says so.

    On average over samples of n rows (drawn like the fresh ones, in any order) coverage lies between ``coverage`` and
    ``coverage`` + 1/(n + 1), and above only through ties and the most probable class (Vovk et al. 2005; Lei et al.
    2018). That of one sample varies around it like Beta(r, n + 1 - r), r = ``rank(n, coverage)``: for n = 1,000, by
    .009.

    Raises OptionError where coverage is not between 0 and 1, ValueError where shapes differ.

    >>> probability = np.array([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    >>> sets = fit_sets(probability, np.array([0, 0, 1, 1]), 0.8)
    >>> sets.threshold[0].__round__(3), sets.mean_size
    (0.4, 1.25)
    """
    if not 0 < coverage < 1:
        raise OptionError(f"sets cover a share between 0 and 1 of the rows, such as 0.9, not {coverage:g}")
    if probability.ndim != 2 or truth.shape != probability.shape[:1]:
        raise ValueError(f"shapes differ: probability {probability.shape}, truth {truth.shape}")
    n, k = probability.shape
    own = probability[np.arange(n), truth]
    if by_class:
        threshold = tuple(_threshold(own[truth == code], coverage) for code in range(k))
    else:
        threshold = (_threshold(own, coverage),) * k
    return Sets(
        method="lac by class" if by_class else "lac",
        coverage=float(coverage),
        rows=tuple(np.bincount(truth, minlength=k).tolist()),
        threshold=threshold,
        mean_size=float(_members(probability, threshold).sum(axis=1).mean()) if n else float(k),
    )


def rank(rows: int, coverage: float) -> int:
    """Which of the ascending scores of ``rows`` rows bounds a fresh one with this probability: ceil((rows + 1)
    coverage).

    Above ``rows`` where none does. Exact: 0.9 counts as nine tenths, not as the binary number next to it.

    >>> rank(99, 0.9), rank(9, 0.9), rank(8, 0.9)
    (90, 9, 9)
    """
    return ceil((rows + 1) * Fraction(str(float(coverage))))


def fewest_rows(coverage: float) -> int:
    """Rows without which every set holds all classes.

    >>> fewest_rows(0.9), fewest_rows(0.95), fewest_rows(0.5)
    (9, 19, 1)
    """
    share = Fraction(str(float(coverage)))
    return ceil(share / (1 - share))


def notes(sets: Sets, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What a person has to know of these sets, a sentence each.

    >>> notes(Sets("lac", 0.9, (5, 3), (0.0, 0.0), 2.0), ("no", "yes"))
    ('8 rows are too few for sets at .9, which need at least 9: every set holds all classes',)
    """
    fewest, rows = fewest_rows(sets.coverage), sum(sets.rows)
    if sets.method == "lac" and rows < fewest:
        why = f"{rows} rows are too few for sets at {level(sets.coverage)}, which need at least {fewest}"
        return (f"{why}: every set holds all classes",)
    sentences = []
    rare = [(name, n) for name, n in zip(classes, sets.rows, strict=True) if n < fewest]
    if sets.method == "lac by class" and rare:
        examples = ", ".join(f"{name!r} ({n} {'row' if n == 1 else 'rows'})" for name, n in rare[:NAMED])
        more = f" and {len(rare) - NAMED} more" if len(rare) > NAMED else ""
        sentences.append(
            f"every set holds {examples}{more}: to leave a class out at {level(sets.coverage)} takes {fewest} rows "
            "of it"
        )
    if sets.mean_size == 1:
        sentences.append(
            "the most probable class alone is right often enough, so that sets hold one class each; "
            "ask for more coverage to see doubts"
        )
    return tuple(sentences)


def _threshold(own: Floats, coverage: float) -> float:
    """The probability of the true class that all but the rows beyond the rank reach."""
    n = len(own)
    last = rank(n, coverage)
    return 0.0 if last > n else float(np.partition(own, n - last)[n - last]) * (1 - TIE)


def _members(probability: Floats, threshold: tuple[float, ...]) -> Members:
    members = probability >= np.array(threshold)
    members[np.arange(len(members)), probability.argmax(axis=1)] = True
    return members
