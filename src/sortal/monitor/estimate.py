"""What decisions cost while no label has come: what each loss is expected to be by the probabilities given out.

Confidence-based performance estimation (CBPE; Kuberski & NannyML): were probabilities right, the class of a row would
be drawn from them, and the mean of a loss would be that of its expectation. How far they are right was seen on the
sealed test (``core.reliability``): by bin of the probability, the gap to what came is added to fresh rows, so that
each bin weighs as much as it does among them. That is the reweighting of PAPE (Bialek et al. 2024) as far as the
probabilities tell of a change of covariates. Weights by the columns themselves would need rows of training, which a
model file has none of: a change that turns the classes within a bin is not seen here, and late labels tell of it.

The interval is for the rows as they are: their classes fall by chance, the gap of a bin is known from some rows alone,
and it wanders between times or groups. All of it follows from sums by day, since a loss is linear in the
probabilities; of the ROC-AUC, which is not, from the rows by cell of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.special import ndtri

from sortal.artifact.model import Model
from sortal.core.arrays import Codes, Floats, Mask
from sortal.core.coded import Coded
from sortal.core.interval import Interval
from sortal.core.reliability import GRID, Reliability, cells
from sortal.monitor.losses import LabelPair, Loss, class_texts, losses_of, of_each, wrong
from sortal.stats.means import score_limits
from sortal.stats.ranking import roc_auc, roc_auc_effect

CONFIDENCE = 0.95
"""Of intervals, as everywhere."""
ERRORS, ROC_AUC = "errors", "ROC-AUC"
GAP_OF_UNLIKE = 0.15
"""By how much the share of a class among rows unlike those of training differs from its probabilities (a standard
deviation, ``bench group_shift``)."""

_Day = TypeVar("_Day")


@dataclass
class FigureDay:
    """Of a loss in some rows: how many count, the sum of its expectation, the variance of the sum, and by bin of the
    probabilities what the sum gains where a class is more probable, and ``unlike``, what it gains or loses by that in
    rows unlike those of training. ``labelled``: rows whose label came, the sum of their losses, and of their squares.
    """

    rows: int = 0
    said: float = 0.0
    variance: float = 0.0
    slopes: list[float] = field(default_factory=list)
    unlike: float = 0.0
    labelled: int = 0
    came: float = 0.0
    squares: float = 0.0

    def add(self, other: FigureDay) -> None:
        self.rows += other.rows
        self.said += other.said
        self.variance += other.variance
        self.slopes = _sum(self.slopes, other.slopes)
        self.unlike += other.unlike
        self.labelled += other.labelled
        self.came += other.came
        self.squares += other.squares


@dataclass
class GridDay:
    """By cell of the probability of the second class: rows, the sum of the probabilities, rows whose label came, those
    of them that are of the class, and rows unlike those of training.
    """

    rows: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    labelled: list[float] = field(default_factory=list)
    came: list[float] = field(default_factory=list)
    unlike: list[float] = field(default_factory=list)

    def add(self, other: GridDay) -> None:
        for name in ("rows", "said", "labelled", "came", "unlike"):
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))


@dataclass
class DecidedDay:
    """Rows by decision; of those whose label came, how many by class and decision (``pairs``), and by class and bin of
    its probability how many there are, the sum of it, and how many are of the class. Each in one line.
    """

    rows: list[float] = field(default_factory=list)
    pairs: list[float] = field(default_factory=list)
    labelled: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    came: list[float] = field(default_factory=list)

    def add(self, other: DecidedDay) -> None:
        for name in ("rows", "pairs", "labelled", "said", "came"):
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))


@dataclass
class EstimateDays:
    """What estimates are made of, by day; ``grid`` for two classes alone, ``decided`` for more."""

    figures: dict[str, list[FigureDay]] = field(default_factory=dict)
    grid: list[GridDay] = field(default_factory=list)
    decided: list[DecidedDay] = field(default_factory=list)


@dataclass(frozen=True)
class FigureEstimate:
    """A figure of some rows: as it is ``expected`` without labels, and ``seen`` on those whose label came; None where
    it is not known.
    """

    name: str
    rows: int
    labelled: int
    expected: Interval | None
    seen: Interval | None


class _Gaps(NamedTuple):
    """(bins,) the ``gap`` that is added to the probabilities of a bin, its variance by ``chance``, and by how much the
    gap of fresh rows may ``wander`` from it.
    """

    gap: Floats
    chance: Floats
    wander: Floats

    @classmethod
    def of(cls, reliability: Reliability) -> _Gaps:
        """Gaps are drawn towards none as far as chance explains all of them (empirical Bayes)."""
        gap, chance, rows = reliability.gaps, reliability.variances, np.array(reliability.rows)
        real = max(float(rows @ (gap**2 - chance)) / rows.sum(), 0.0)
        return cls(gap * real / (real + chance), chance, np.full(len(gap), reliability.wander))

    def variance(self, slope: Floats) -> float:
        """Of a sum with such slopes by bin. Chance is another in each bin; what wanders moves all bins at once, as
        when a class becomes more frequent, and is taken to move them the way that matters most.
        """
        return float(self.chance @ slope**2 + (self.wander @ np.abs(slope)) ** 2)


@dataclass(frozen=True)
class Estimator:
    """``classes``: as text. ``losses``: by name, of a true class and a decision, and the largest there is of each.
    ``reliability``: by class, of two the second alone; empty where the file has none, and nothing is expected then.
    """

    classes: tuple[str, ...]
    losses: Mapping[str, tuple[Callable[[LabelPair], float | None], float]]
    reliability: Mapping[str, Reliability]

    @classmethod
    def of(cls, model: Model) -> Estimator:
        """Errors, and the losses that are watched."""
        model_losses: Sequence[Loss] = losses_of(model)
        losses = {ERRORS: (wrong, 1.0)} | {loss.name: (loss.of_row, loss.top) for loss in model_losses}
        classes = class_texts(model)
        of_class = {classes[model.task.classes.index(name)]: curve for name, curve in model.reliability.items()}
        return cls(classes, losses, of_class)

    def count(self, day: int, probability: Floats, decisions: Sequence[str], unlike: Mask, days: EstimateDays) -> None:
        """(n, K) probabilities of the rows of a day, what was decided, and which are ``unlike`` those of training."""
        bins = [(self.classes.index(label), curve.bins(probability[:, self.classes.index(label)]), len(curve.rows))
                for label, curve in self.reliability.items()]  # fmt: skip
        for name in self.losses:
            loss, counts = self._by_class(name, decisions)
            self._figure(days, name, day).add(
                _expected_loss(probability[counts], loss, [(k, b[counts], m) for k, b, m in bins], unlike[counts])
            )
        if len(self.classes) == 2:
            cell, size = cells(probability[:, 1]), len(GRID) + 1
            sums = [np.bincount(cell, weights, size) for weights in (None, probability[:, 1], unlike)]
            counts, probability_sum, odd = (column.astype(float).tolist() for column in sums)
            _at(days.grid, day, GridDay).add(GridDay(counts, probability_sum, unlike=odd))
        elif self.reliability:
            rows = np.bincount(self._decisions(decisions), minlength=len(self.classes) + 1)
            _at(days.decided, day, DecidedDay).add(DecidedDay(rows.astype(float).tolist()))

    def count_labels(
        self, day: int, probability: Floats, decisions: Sequence[str], truth: Sequence[str], days: EstimateDays
    ) -> None:
        """Rows whose label came, by the day of their prediction; others than the classes do not count."""
        for name, (of_row, _) in self.losses.items():
            values = of_each(of_row, [pair for pair in zip(truth, decisions, strict=True) if pair[0] in self.classes])
            values = values[~np.isnan(values)]
            labels = FigureDay(labelled=len(values), came=float(values.sum()), squares=float(values @ values))
            self._figure(days, name, day).add(labels)
        if len(self.classes) == 2:
            is_class = np.array([label in self.classes for label in truth], dtype=np.bool_)
            hit = np.array([label == self.classes[1] for label in truth], dtype=np.float64)
            cell, size = cells(probability[is_class, 1]), len(GRID) + 1
            labelled, positives = np.bincount(cell, minlength=size), np.bincount(cell, hit[is_class], size)
            _at(days.grid, day, GridDay).add(GridDay([], [], labelled.astype(float).tolist(), positives.tolist()))
        elif self.reliability and truth:
            _at(days.decided, day, DecidedDay).add(self._label_counts(probability, decisions, truth))

    def _label_counts(self, probability: Floats, decisions: Sequence[str], truth: Sequence[str]) -> DecidedDay:
        """Rows whose label came, of more than two classes."""
        size, is_class = len(self.classes), np.array([label in self.classes for label in truth], dtype=np.bool_)
        classes = np.array([self.classes.index(label) for label in truth if label in self.classes], dtype=np.int64)
        pairs = np.bincount(classes * (size + 1) + self._decisions(decisions)[is_class], minlength=size * (size + 1))
        day = DecidedDay([], pairs.astype(float).tolist())
        for code, reliable in enumerate(self.reliability.values()):
            p, hit, size = probability[is_class, code], classes == code, len(reliable.rows)
            bin_ = reliable.bins(p)
            day.labelled += np.bincount(bin_, minlength=size).astype(float).tolist()
            day.said += np.bincount(bin_, p, size).tolist()
            day.came += np.bincount(bin_, hit, size).tolist()
        return day

    def _decisions(self, decisions: Sequence[str]) -> Codes:
        """(n,) codes of classes; what is no class is left to a person, and comes last."""
        texts = Coded.of(decisions)
        codes = [self.classes.index(str(text)) if text in self.classes else len(self.classes) for text in texts.levels]
        return np.asarray(np.array(codes, dtype=np.int64)[texts.codes])

    def between(
        self, days: EstimateDays, start: int, end: int, confidence: float = CONFIDENCE
    ) -> Iterator[FigureEstimate]:
        """Each figure over the days from ``start`` to before ``end``."""
        z = float(ndtri(0.5 + confidence / 2))
        for name, (_, top) in self.losses.items():
            total = FigureDay()
            for day in days.figures.get(name, [])[start:end]:
                total.add(day)
            yield FigureEstimate(name, total.rows, total.labelled, self._loss(total, top, z), _mean(total, top, z))
        if len(self.classes) == 2:
            grid = self.grid(days, start, end)
            rows, labelled = (int(sum(counts)) for counts in (grid.rows, grid.labelled))
            yield FigureEstimate(ROC_AUC, rows, labelled, self._roc_auc(grid, z), _roc_auc_of_labels(grid, z))

    def grid(self, days: EstimateDays, start: int, end: int) -> GridDay:
        """The probabilities of some days together."""
        total = GridDay()
        for day in days.grid[start:end]:
            total.add(day)
        return total

    def decision_counts(self, days: EstimateDays, start: int, end: int) -> DecidedDay:
        """The decisions of some days together, of more than two classes."""
        total = DecidedDay()
        for day in days.decided[start:end]:
            total.add(day)
        return total

    def _by_class(self, name: str, decisions: Sequence[str]) -> tuple[Floats, Codes]:
        """(m, K) the loss of rows if each class were true, and (m,) which rows count."""
        kinds = Coded.of(decisions)
        pairs = [(truth, str(kind)) for kind in kinds.levels for truth in self.classes]
        table = of_each(self.losses[name][0], pairs)
        loss = table.reshape(len(kinds.levels), len(self.classes))[kinds.codes]
        counts = np.flatnonzero(~np.isnan(loss).any(axis=1))
        return loss[counts], counts

    @cached_property
    def _gaps(self) -> _Gaps:
        """Of the bins of all classes."""
        gaps = [_Gaps.of(one) for one in self.reliability.values()]
        gap, chance, wander = (np.concatenate(part) for part in zip(*gaps, strict=True))
        return _Gaps(gap, chance, wander)

    def _loss(self, total: FigureDay, top: float, z: float) -> Interval | None:
        if not total.rows or not self.reliability:
            return None
        slope = np.array(total.slopes)
        value = (total.said + float(self._gaps.gap @ slope)) / total.rows
        variance = total.variance + self._gaps.variance(slope) + (GAP_OF_UNLIKE * total.unlike) ** 2
        error = np.sqrt(variance) / total.rows
        return _clip(value, z * error, top)

    def _roc_auc(self, grid: GridDay, z: float) -> Interval | None:
        """What ROC-AUC is expected to be: wins of all pairs over all pairs, by cells of the grid."""
        if not grid.rows or not self.reliability:
            return None
        rows = np.array(grid.rows)
        nonempty = rows > 0
        odd = np.array(grid.unlike or np.zeros(len(rows)))[nonempty]
        rows, probability_sum = rows[nonempty], np.array(grid.said)[nonempty]
        [reliable] = self.reliability.values()
        bins = reliable.bins(probability_sum / rows)
        p = np.clip(probability_sum / rows + self._gaps.gap[bins], 0, 1)
        hits, misses = rows * p, rows * (1 - p)
        if hits.sum() <= 0 or misses.sum() <= 0:
            return None
        below = np.cumsum(misses) - misses / 2
        above = hits.sum() - np.cumsum(hits) + hits / 2
        value = float(hits @ below / (hits.sum() * misses.sum()))
        # What a row adds where it is of the class rather than not.
        slope = (below - above) / (hits.sum() * misses.sum()) - value * (1 / hits.sum() - 1 / misses.sum())
        variance = float((rows * p * (1 - p)) @ slope**2)
        variance += self._gaps.variance(np.bincount(bins, rows * slope, len(reliable.rows)).astype(np.float64))
        variance += (GAP_OF_UNLIKE * float(odd @ np.abs(slope))) ** 2
        return _clip(value, z * float(np.sqrt(variance)), 1.0)

    @staticmethod
    def _figure(days: EstimateDays, name: str, day: int) -> FigureDay:
        return _at(days.figures.setdefault(name, []), day, FigureDay)


def _expected_loss(
    probability: Floats, loss: Floats, bins: Sequence[tuple[int, Codes, int]], unlike: Mask
) -> FigureDay:
    """``loss``: (n, K) if each class were true. ``bins``: a class, the bin of each row, and how many there are."""
    mean = (probability * loss).sum(axis=1)
    variance = (probability * loss**2).sum(axis=1) - mean**2
    # Gaps of all classes sum to zero, so that a constant more or less changes nothing: the one that leaves the least.
    usual = loss[:, :1] if probability.shape[1] == 2 else np.median(loss, axis=1, keepdims=True)
    slope = loss - usual
    slopes = [np.bincount(bin_, slope[:, at], count) for at, bin_, count in bins]
    together = np.concatenate(slopes).tolist() if slopes else []
    odd = float(sum(np.abs(slope[unlike, at]).sum() for at, _, _ in bins))
    return FigureDay(len(loss), float(mean.sum()), float(np.maximum(variance, 0).sum()), together, odd)


def _mean(total: FigureDay, top: float, z: float) -> Interval | None:
    """Of the labels that came: Wilson's interval of a share, of a cost that of as many rows as its spread is worth."""
    if not total.labelled:
        return None
    n, mean = total.labelled, total.came / total.labelled
    spread, widest = total.squares / n - mean**2, mean * (top - mean)
    worth = max(widest / spread, 1.0) if spread > 1e-12 * top**2 else 1.0
    low, high = score_limits([0.0, top], [1 - mean / top, mean / top], n * worth, z, low=0.0, high=top)
    return Interval(mean, float(low), float(high))


def _roc_auc_of_labels(grid: GridDay, z: float) -> Interval | None:
    """DeLong's interval, equal within a cell of the grid."""
    if not grid.labelled:
        return None
    labelled, positives = np.array(grid.labelled, dtype=np.int64), np.array(grid.came, dtype=np.int64)
    cell = np.arange(len(labelled))
    score = np.concatenate([np.repeat(cell, positives), np.repeat(cell, labelled - positives)]).astype(np.float64)
    positive = np.arange(len(score)) < positives.sum()
    if min(positives.sum(), (labelled - positives).sum()) < 2:
        return None
    error = float(np.sqrt((roc_auc_effect(positive, score) ** 2).sum()))
    return _clip(roc_auc(positive, score), z * error, 1.0)


def _clip(value: float, half: float, top: float) -> Interval:
    inside = min(max(value, 0.0), top)
    return Interval(float(inside), float(max(value - half, 0.0)), float(min(value + half, top)))


def _sum(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)] if one and other else one or other


def _at(series: list[_Day], day: int, empty: Callable[[], _Day]) -> _Day:
    """What is counted of a day; days before it that had no row are empty."""
    while len(series) <= day:
        series.append(empty())
    return series[day]
