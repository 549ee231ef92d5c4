"""A candidate is a family with its settings; fitting it fits preparation and model together, on training rows alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.costs import CostColumn
from sortal.core.items import Memo
from sortal.core.kinds import is_item, kind_of
from sortal.core.predictions import Part, Predictions
from sortal.core.table import Table
from sortal.data.split import holdout
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.models.constant import constant
from sortal.models.family import Family, FitRequest, Fitted, Matrix, Resources, Rows, Settings
from sortal.prepare import table as prepare
from sortal.prepare.table import Preprocessor
from sortal.prepare.view import Labels, View
from sortal.training.imbalance import FOCAL, Balance, balance

Index = NDArray[np.int64]
Purpose = Literal["judge", "repeat", "ship"]
STOP_SHARE, STOP_ROWS, MOST_STOP_ROWS = 0.12, 20, 20_000
"""Of fewer rows none can be spared for early stopping; more tell no better when to stop."""
LEAST_OF_A_CLASS = 2
"""Rows of each class that a sample holds at least, where there are so many."""
NOTHING: Index = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Candidate:
    """``settings`` beyond the family's defaults. ``balance``: what is done about rare classes.

    ``baseline``: always tried, and what the others have to beat. ``is_random``: its settings are drawn at random.
    """

    name: str
    family: Family
    settings: Settings = field(default_factory=dict)
    balance: Balance = "none"
    baseline: bool = False
    is_random: bool = False


@dataclass(frozen=True)
class Development:
    """The rows that training may use, and what belongs to them. ``units``: (n,) ids of rows that must not be torn apart
    (groups, and exact copies), or None.

    ``cost_columns``: where the costs of decisions stand, which predictions of these rows carry along.
    ``smallest_count``: levels of fewer rows are learned as unseen ones. ``networks``: those that others trained become
    a part of the model file. ``memo``: what was made of single texts and images.
    """

    table: Table
    codes: NDArray[np.int64]
    classes: tuple[str, ...]
    seed: int
    units: NDArray[np.int64] | None = None
    select: int | None = None
    resources: Resources = field(default_factory=Resources.here)
    cost_columns: tuple[CostColumn, ...] = ()
    smallest_count: int = 1
    networks: bool = True
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def encodings(self) -> frozenset[str]:
        """What models read: ``number``, ``text`` and so on."""
        return frozenset(kind_of(column.kind).encoding for column in self.table.schema.features)

    @property
    def has_items(self) -> bool:
        """Whether a model reads texts or images, each of which is more than a number."""
        return any(is_item(column.kind) for column in self.table.schema.features)

    @property
    def items_beside_others(self) -> str:
        """What a table holds beside columns of other kinds: "texts", "images", "texts and images", or nothing."""
        features = self.table.schema.features
        kinds = [kind_of(column.kind).encoding for column in features if is_item(column.kind)]
        return " and ".join(f"{kind}s" for kind in ("text", "image") if kind in kinds and len(kinds) < len(features))

    def predictions(self, index: Index, probability: Matrix, part: Part) -> Predictions:
        """What a model that did not see the rows at these positions says of them."""
        table = self.table.take(index)
        row_costs = table.row_costs(self.cost_columns)
        groups = None if self.table.groups is None else self.table.groups[index]
        return Predictions(self.classes, table.rows, self.codes[index], probability, part, row_costs, groups)

    def units_of(self, predictions: Predictions) -> Index | None:
        """(n,) units of the rows that these predictions are of; None where each row is one."""
        if self.units is None:
            return None
        order = np.argsort(self.table.rows, kind="stable")
        return self.units[order[np.searchsorted(self.table.rows, predictions.rows, sorter=order)]]


@dataclass(frozen=True)
class TrainingMatrix:
    """Training rows as one view sees them, ``rows`` their ids. ``present``: the class codes that occur, ``y`` counts
    within them.

    ``weight``: (n,) of the rows, 1 in the mean; None where all weigh the same.
    """

    preprocessor: Preprocessor
    rows: Index
    X: Matrix
    y: NDArray[np.int64]
    present: NDArray[np.int64]
    stop: Index
    weight: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Pipeline:
    """A fitted candidate: from table columns to probabilities of all classes. ``rows``: how many the model was fitted
    on.

    ``tail``: what follows on the model, as undoing its class weights. ``saw``: ids of all rows that preparation and
    model saw, those for early stopping among them.
    """

    candidate: Candidate
    preprocessor: Preprocessor
    fitted: Fitted
    tail: tuple[Program, ...]
    rows: int
    saw: Index

    def predict_proba(self, X: Matrix) -> Matrix:
        """Probabilities of prepared rows, by the library that fitted the model."""
        probability = self.fitted.predict_proba(X)
        for step in self.tail:
            probability = compile_program(step)(probability)
        return probability

    def program(self) -> Program:
        """Columns of a table -> (n, K) probabilities."""
        return self.preprocessor.program.then(self.fitted.program(), *self.tail)


def prepare_rows(dev: Development, rows: Index, view: View) -> TrainingMatrix:
    """Fit the preparation on these rows, and set some of them aside for families that stop early."""
    table, codes = dev.table.take(rows), dev.codes[rows]
    present, y = np.unique(codes, return_inverse=True)
    view = replace(view, smallest_count=dev.smallest_count)
    preprocessor, X = prepare.fit(table, Labels(y, len(present)), view, dev.seed, dev.select, dev.memo)
    units = None if dev.units is None else dev.units[rows]
    share = min(STOP_SHARE, MOST_STOP_ROWS / max(len(y), 1))
    stop = holdout(y, share, dev.seed, units)[1] if len(y) >= STOP_ROWS else NOTHING
    weight = table.weights
    weight = None if weight is None else weight / weight.mean()
    return TrainingMatrix(preprocessor, table.rows, X, y, present, stop, weight)


def sample(dev: Development, rows: Index, most: int | None) -> Index:
    """At most about so many of these rows, ascending; the same for everybody who asks. Every class keeps its share, and
    a few rows.
    """
    if most is None or most >= len(rows):
        return rows
    return np.sort(_of_each_class(dev, np.random.default_rng(dev.seed).permutation(rows), most))


def sample_units(dev: Development, rows: Index, most: int | None) -> Index:
    """The same of whole units, where rows come in such: as if fewer of them had been seen. A class of which none is
    among these gets a few rows all the same.
    """
    if dev.units is None or most is None or most >= len(rows):
        return sample(dev, rows, most)
    rng = np.random.default_rng(dev.seed)
    _, unit = np.unique(dev.units[rows], return_inverse=True)
    order = np.argsort(rng.permutation(int(unit.max()) + 1)[unit], kind="stable")
    inside = (np.arange(len(rows)) < most) | (unit[order] == unit[order[most - 1]])
    sampled_rows, others = rows[order[inside]], rng.permutation(rows[order[~inside]])
    missing_classes = np.setdiff1d(dev.codes[others], dev.codes[sampled_rows])
    few = _of_each_class(dev, others[np.isin(dev.codes[others], missing_classes)], 0)
    return np.sort(np.concatenate([sampled_rows, few]))


def _of_each_class(dev: Development, shuffled: Index, most: int) -> Index:
    """The first of these rows, about so many: of every class its share, and a few."""
    codes = dev.codes[shuffled]
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    place = np.empty(len(shuffled), dtype=np.int64)
    place[order] = np.arange(len(shuffled)) - np.repeat(np.cumsum(counts) - counts, counts)
    quota = np.maximum(np.round(counts * (most / max(len(shuffled), 1))), LEAST_OF_A_CLASS)
    return shuffled[place < quota[codes]]


def fit(
    candidate: Candidate,
    matrix: TrainingMatrix,
    dev: Development,
    settings: Settings,
    *,
    seconds: float = math.inf,
    purpose: Purpose = "judge",
    share: float = 1.0,
) -> Pipeline:
    """Fit the model of a candidate on a training matrix.

    To ``judge`` a family that stops early, rows are set aside for that, and do not train. To ``repeat`` such a fit its
    effort is among the settings: nothing stops it, and the same rows train. To ``ship`` it, all rows train. ``share``:
    of the work of a whole fit, where no clock cuts it short.
    """
    if len(matrix.present) == 1:
        certain = _certain(matrix, len(dev.classes))
        return Pipeline(candidate, matrix.preprocessor, certain, (), len(matrix.y), matrix.rows)
    family = candidate.family
    rows, stop = Rows(matrix.X, matrix.y, matrix.weight), None
    if family.early_stopping and purpose != "ship":
        rows, stop = _without(rows, matrix.stop)
        stop = stop if len(matrix.stop) else None
    balanced = balance(candidate.balance, rows, stop, len(matrix.present), dev.seed)
    request = FitRequest(
        train=balanced.train,
        n_classes=len(matrix.present),
        seed=dev.seed,
        stop=balanced.stop if purpose == "judge" else None,
        categorical=matrix.preprocessor.categorical,
        image=matrix.preprocessor.image,
        seconds=seconds,
        resources=dev.resources,
        share=share,
    )
    loss: Settings = FOCAL if candidate.balance == "focal" else {}
    fitted = family.fit(request, {**candidate.settings, **loss, **settings})
    tail = balanced.tail()
    if len(matrix.present) < len(dev.classes):
        index = {"classes": len(dev.classes)}
        tail = (*tail, Program("spread", index, {"index": matrix.present}))
    return Pipeline(candidate, matrix.preprocessor, fitted, tail, len(request.train.y), matrix.rows)


def _certain(matrix: TrainingMatrix, n_classes: int) -> Fitted:
    """Of rows of one class (an early window of time, a few groups) nothing else can be learned than that class."""
    probability = np.eye(n_classes)[matrix.present[0]]
    return constant(probability, matrix.X.shape[1])


def _without(rows: Rows, stop: Index) -> tuple[Rows, Rows]:
    keep = np.ones(len(rows.y), dtype=bool)
    keep[stop] = False
    return rows.take(keep), rows.take(~keep)
