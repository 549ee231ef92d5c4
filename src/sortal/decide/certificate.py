"""What a threshold promises on fresh rows, as plain data that is stored with the model. Needs numpy alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sortal.core import writing
from sortal.core.writing import number, percent

Measure = Literal["precision", "recall", "fpr"]
UNLIKELY = 0.2
"""More rows will not help where even ten million would do with no more than this chance."""


@dataclass(frozen=True)
class Bound:
    """What was asked of one measure, and what labelled rows can certify at the threshold.

    ``asked``: least precision or recall, largest false positive rate (``fpr``). ``holds``: the exact binomial
    test shows it at the confidence of the certificate. ``certified`` is the level that is guaranteed: the exact
    one-sided Clopper-Pearson (1934) bound where the promise was refused, but never better than ``asked``, since a
    search for a threshold proves what it searched for and no more. ``observed``: the value on the labelled rows; 0
    where it is not defined.
    """

    measure: Measure
    asked: float
    certified: float
    observed: float
    holds: bool


@dataclass(frozen=True)
class Outlook:
    """What more labelled rows would do where a promise was refused, the model being what it is.

    ``rows``: about how many would have to be there in place of those that it was to be proven on, so that it is
    certified with this ``chance``; None where no number would do, and ``chance`` is then that of ten million. What is
    not known of the model's scores is in the chance. ``reaches``: the best precision of any threshold that the
    rows show beyond chance, where precision alone was asked for; None otherwise.
    """

    rows: int | None
    chance: float
    reaches: float | None = None


@dataclass(frozen=True)
class Certificate:
    """The threshold, and what it keeps on fresh rows like the labelled ones; or a refusal, with what it does keep.

    The probability that any ``certified`` level is missed is at most 1 - ``confidence``, over the draw of the labelled
    rows. ``positive`` is decided where its probability is at least ``threshold``: for ``selected`` of ``rows`` labelled
    rows, of which ``positives`` are positive, a share of ``prevalence``. ``grouped``: the rows are one of each group,
    and so is what the promise is about: a row of a group that is drawn at random. ``outlook``: where it is a refusal,
    and there were rows to learn of the scores from.

    >>> bound = Bound("precision", asked=0.9, certified=0.9, observed=199 / 210, holds=True)
    >>> found = Certificate("yes", 0.62, 0.95, 1310, 300, 210, (bound,), 300 / 1310)
    >>> print(found.explanation)
    precision >= .9 certified at 95 % confidence on 1,310 labelled rows: p >= .62 says yes to 210, 199 rightly (.948)
    >>> round(found.precision_at(0.1), 2)
    0.77
    """

    positive: str
    threshold: float
    confidence: float
    rows: int
    positives: int
    selected: int
    bounds: tuple[Bound, ...]
    prevalence: float
    grouped: bool = False
    outlook: Outlook | None = None

    @property
    def holds(self) -> bool:
        """Whether everything that was asked for is certified."""
        return all(bound.holds for bound in self.bounds)

    def bound(self, measure: Measure) -> Bound | None:
        """The bound of a measure; None where it was not asked for."""
        return next((bound for bound in self.bounds if bound.measure == measure), None)

    def precision_at(self, prevalence: float) -> float:
        """The certified precision, carried over to another share of positives.

        The odds of precision are the odds of prevalence times TPR/FPR at the threshold, so they grow with the odds
        of prevalence, as long as the scores within each class stay as they were (label shift; Saerens, Latinne
        & Decaestecker 2002, eq. 4). The prevalence of the labelled rows counts as known: its sampling
        error is not in the bound. ``recall`` and ``fpr`` do not move with prevalence at all.

        Raises ValueError where no precision was asked for, where a prevalence is not strictly between 0 and 1.
        """
        bound = self.bound("precision")
        if bound is None:
            raise ValueError("this certificate says nothing of precision")
        if not (0 < prevalence < 1 and 0 < self.prevalence < 1):
            raise ValueError(f"a prevalence must lie strictly between 0 and 1, not {prevalence} from {self.prevalence}")
        odds = prevalence / (1 - prevalence) * (1 - self.prevalence) / self.prevalence
        return bound.certified * odds / (bound.certified * odds + 1 - bound.certified)

    @property
    def explanation(self) -> str:
        """What is certified and on what grounds, or why nothing is, in plain words."""
        levels = " and ".join(_level(bound, _exactly(bound.asked)) for bound in self.bounds)
        together = " together" if len(self.bounds) > 1 else ""
        if not self.holds:
            rows = f"{self.rows:,} labelled rows{self._per_group}"
            return " ".join(
                [f"{levels} cannot be certified{together} from {rows}: {self._possible}", *self._prospects()]
            )
        grounds = " and ".join(self._grounds(bound) for bound in self.bounds)
        return (
            f"{levels} certified{together} at {percent(self.confidence)} confidence on {self.rows:,} labelled "
            f"rows{self._per_group}: "
            f"p >= {_threshold(self.threshold)} {grounds}"
        )

    @property
    def caveat(self) -> str:
        """What the confidence is of."""
        wrong = percent(round(1 - self.confidence, 6))
        return (
            f"The confidence is of attempts, not of certificates: up to {wrong} of all attempts certify what does not "
            "hold, and where a target is just out of reach hardly any are certified, and all of those wrongly."
        )

    @property
    def _per_group(self) -> str:
        return " (one of each group)" if self.grouped else ""

    def _grounds(self, bound: Bound) -> str:
        observed = number(bound.observed, 3)
        if bound.measure == "precision":
            return f"says yes to {self.selected:,}, {round(bound.observed * self.selected):,} rightly ({observed})"
        if bound.measure == "recall":
            hits = round(bound.observed * self.positives)
            return f"finds {hits:,} of {self.positives:,} positives ({observed})"
        negatives = self.rows - self.positives
        return f"says yes to {round(bound.observed * negatives):,} of {negatives:,} negatives ({observed})"

    @property
    def _possible(self) -> str:
        bounds = [bound for bound in self.bounds if bound.certified != (1.0 if bound.measure == "fpr" else 0.0)]
        if not bounds:
            return "no level can."
        if len(self.bounds) == 1:
            return f"{_safely(bounds[0])} can."
        return " and ".join(_level(bound, _safely(bound)) for bound in bounds) + " can."

    def _prospects(self) -> Iterator[str]:
        outlook = self.outlook
        if outlook is None:
            return
        if outlook.rows is not None:
            things, chance = "groups" if self.grouped else "rows", percent(round(outlook.chance, 2))
            yield (
                f"{_times(outlook.rows / self.rows)} as many {things}, about {outlook.rows:,} to prove it on, would do "
                f"with a chance of {chance}."
            )
            return
        reaches = "" if outlook.reaches is None else f": this model reaches about {number(outlook.reaches, 2)}"
        help = "will not help" if outlook.chance < UNLIKELY else "may not help"
        yield f"More rows {help}{reaches}; a better model may."


def _level(bound: Bound, level: str) -> str:
    return f"false positive rate <= {level}" if bound.measure == "fpr" else f"{bound.measure} >= {level}"


def _exactly(level: float) -> str:
    return writing.level(level)


def _safely(bound: Bound) -> str:
    """The certified level, rounded to the side on which it stays true."""
    if bound.holds:
        return _exactly(bound.certified)
    places = 2 if bound.certified >= 0.01 and bound.measure != "fpr" else 4
    toward = math.ceil if bound.measure == "fpr" else math.floor
    return number(toward(bound.certified * 10**places) / 10**places, places)


def about(rows: float) -> int:
    """A number of rows in two digits, rounded up: more are not known.

    >>> about(4172.3), about(97)
    (4200, 97)
    """
    unit = int(10 ** max(len(str(math.ceil(rows))) - 2, 0))
    return math.ceil(rows / unit) * unit


def _times(factor: float) -> str:
    """How many times as many.

    >>> _times(1.24), _times(3.1), _times(27.2)
    ('1.2 times', '3.1 times', '27 times')
    """
    return f"{factor:.1f} times" if factor < 9.95 else f"{factor:,.0f} times"


def _threshold(value: float) -> str:
    return writing.level(value, 3)
