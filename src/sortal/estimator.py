"""The trip as a scikit-learn classifier: ``fit`` cross-validates, chooses, calibrates and refits; what predicts is the program."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sortal.core.frame import Table, conform, from_any
from sortal.core.framing import frame_task
from sortal.core.kinds import infer
from sortal.core.listen import Silent
from sortal.core.recipe import Recipe, parse_budget, parse_kinds
from sortal.core.schema import Schema
from sortal.core.task import Task
from sortal.engine import compile as compile_program
from sortal.train.deadline import Deadline
from sortal.train.trained import Trained, train_rows
from sortal.train.zoo import Clock


class SortalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier for tables of any columns that selects, calibrates and decides by itself.

    Nothing is sealed here: whoever calls ``fit`` holds the test rows. For the whole trip with a sealed test, a report and
    an artifact use ``sortal.train``.

    Parameters
    ----------
    metric : what candidates are selected by; ``"auto"`` is log-loss.
    cost : costs of errors, ``{"fp": 1, "fn": 8}`` or ``{truth: {decision: cost}}``; ``predict`` then decides by least expected cost.
    positive : label of the class of interest of two; the rarer one unless given.
    goal : ``"f1"`` makes ``predict`` use the threshold of the largest F1.
    budget : seconds or text such as ``"60s"``, for the whole fit.
    models : names of families to try beside the baselines; all of them unless given.
    kinds : kinds of columns by name, where the inferred ones are wrong.
    ignore : columns to leave out.
    select : how many prepared columns to keep; all unless given.
    random_state : the seed.

    Attributes
    ----------
    classes_ : labels in the order of the columns of ``predict_proba``.
    trained_ : what cross-validation found, with the chosen candidate, calibration and decision.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SortalClassifier(models=["logistic"], budget="20s").fit(X, y)
    >>> model.predict(X[:2]).tolist()
    [0, 0]
    """

    def __init__(
        self,
        *,
        metric: str = "auto",
        cost: Mapping[Any, Any] | None = None,
        positive: Any = None,
        goal: Literal["f1"] | None = None,
        budget: str | float = "60s",
        models: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
        select: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.metric = metric
        self.cost = cost
        self.positive = positive
        self.goal = goal
        self.budget = budget
        self.models = models
        self.kinds = kinds
        self.ignore = ignore
        self.select = select
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> SortalClassifier:
        """Train on all rows of X within the budget."""
        deadline = Deadline(time.monotonic(), parse_budget(self.budget))
        frame = self._frame(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != frame.height:
            raise ValueError(f"X has {frame.height} rows and y has {len(y)}; they should have the same")
        self.classes_, codes = np.unique(y, return_inverse=True)
        schema = infer(frame, None, kinds=parse_kinds(self.kinds or {}), ignore=tuple(self.ignore))
        table = Table(schema, conform(frame, schema, ("feature",)), np.arange(frame.height))
        recipe = Recipe(
            target="y",
            metric=self.metric,
            select=self.select,
            models=tuple(self.models or ()),
            seed=int(self.random_state),
        )
        self.task_ = self._task(codes)
        clock = Clock(deadline, closing=0.0, closing_rows=0)
        self.trained_: Trained = train_rows(table, codes, self.task_, recipe, clock, Silent())
        self.schema_: Schema = schema
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n, K) probabilities in the order of ``classes_``."""
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        table = Table(self.schema_, conform(frame, self.schema_, ("feature",)), np.arange(frame.height))
        return compile_program(self.trained_.finalized.program)(table.columns([c.name for c in self.schema_.features]))

    def predict(self, X: Any) -> NDArray[Any]:
        """The decision for each row: by cost or F1 where they were asked for, else the most probable class."""
        check_is_fitted(self)
        decided = self.trained_.finalized.decision.apply(self.predict_proba(X))
        labels: NDArray[Any] = self.classes_[decided]
        return labels

    def _frame(self, X: Any, *, reset: bool) -> pl.DataFrame:
        """A raw frame. Arrays meet scikit-learn's checks, tables only those of names and width: their columns may hold text."""
        if hasattr(X, "columns") or hasattr(X, "collect_schema") or hasattr(X, "column_names"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return from_any(X)
        return from_any(validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan"))

    def _task(self, codes: NDArray[np.int64]) -> Task:
        """The task in terms of class codes: the labels themselves may be of any type."""
        names = {label: str(code) for code, label in enumerate(self.classes_.tolist())}
        cost = self.cost
        if cost is not None and not set(cost) <= {"fp", "fn"}:
            cost = {names[t]: {names[d]: c for d, c in row.items()} for t, row in cost.items()}
        return frame_task(
            pl.Series([str(code) for code in codes]),
            target="y",
            positive=None if self.positive is None else names.get(self.positive, str(self.positive)),
            metric=self.metric,
            cost=cost,
            goal=self.goal,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
