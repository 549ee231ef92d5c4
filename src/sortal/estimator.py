"""The trip as a scikit-learn classifier: ``fit`` validates, chooses, calibrates and refits; the program predicts."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from narwhals.dependencies import is_into_dataframe
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sortal.artifact.model import PARITY_ROWS
from sortal.core.columns import Origin
from sortal.core.disclosure import SMALLEST_COUNT
from sortal.core.door import rows_of_frame, warn_of
from sortal.core.errors import DataError
from sortal.core.frame import conform, declared_kinds, from_any
from sortal.core.infer import infer
from sortal.core.names import free_names
from sortal.core.native import is_pandas, to_native
from sortal.core.observer import Observer
from sortal.core.plain import sentence
from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Role, Schema
from sortal.core.sheets import SearchOptions
from sortal.core.table import Table
from sortal.data.problem import with_cost_columns
from sortal.shipping import ship
from sortal.target import checked_labels, not_lone, task_of
from sortal.training.deadline import Deadline
from sortal.training.develop import Developed
from sortal.training.reserve import TimeReserve, WorkReserve
from sortal.training.trained import train_rows

USUAL_SECONDS = 60.0
"""Of a fit of which nothing else is said."""
CLOSING_SHARE = 0.05
"""Of the budget or effort, what choosing, calibrating and proving the model may take, beside the refit."""
USED: tuple[Role, ...] = ("feature", "time", "group", "cost")
"""Roles of the columns of X that a fit has a use for."""


class SortalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier for tables of any columns that selects, calibrates and decides by itself.

    ``fit`` cross-validates baselines and candidates within a time budget, takes the simplest of the best,
    calibrates it where that helps out of fold, and refits it on all rows. Numbers, booleans, dates and categories
    are prepared inside each fold; missing values are welcome everywhere.

    Nothing is sealed here: whoever calls ``fit`` holds the test rows. For the whole trip with an audit, a sealed
    test and a report use ``sortal.train``. The parameters have the names and the meaning that they have there.

    Parameters
    ----------
    metric : str, default="auto"
        What candidates are selected by; ``"auto"`` is the log-loss.
    cost : str or dict, default=None
        Costs of errors: ``{"fp": 1, "fn": 8}`` or ``"fp=1,fn=8"`` for two classes, ``{truth: {decision: cost}}``
        for any number of them. ``predict`` then decides by the least expected cost.
    cost_column : dict of str to str, default=()
        Costs that stand in columns of X: ``{"fn": "amount"}``.
    positive : label, default=None
        The class of interest of two; the rarer one unless given.
    f1 : bool, default=False
        ``predict`` uses the threshold of the largest F1 of the positive class.
    f_beta : float, default=None
        The same for F-beta: 2 where recall weighs more.
    capacity : str or float, default=None
        How many rows ``predict`` may call positive: ``500`` of those that it is given, or ``"5%"``.
    kind : dict of str to str, default=()
        Kinds of columns (``"number"``, ``"category"``, ``"boolean"``, ``"datetime"``) where the inferred ones are
        wrong, by name. The columns of an array are called ``x0``, ``x1`` and so on.
    missing : str or sequence of str, default=None
        Texts that mean "no value", instead of the usual ones (``"NA"``, ``"?"`` and their like).
    ignore : str or sequence of str, default=()
        Columns that no model may see.
    time : str, default=None
        Column of dates or numbers: cross-validation goes forward in time. No model sees it.
    group : str, default=None
        Column whose groups no fold tears apart. No model sees it.
    select : int, default=None
        How many prepared columns to keep; all of them unless given.
    smallest_count : int, default=5
        A value of a column that fewer rows hold leaves with no model, and is as unseen to it.
    models : str or sequence of str, default=()
        Families of models to try beside the baselines (majority class, logistic regression, shallow tree): all of
        them unless given.
    backbone : str or sequence of str, default=()
        Folders of pretrained networks that read texts or images, each of which makes one candidate more, or two.
    embed_backbone : str or bool, default="yes"
        Whether a pretrained network is in the file that ``model_.save`` writes, or in one of its own beside it.
    max_latency : str or float, default=None
        What a row may take, in seconds or as text such as ``"2ms"``; models that take longer are not chosen.
    max_size : str or int, default=None
        What the model may take in a file, in bytes or as text such as ``"5MB"``.
    budget : str or float, default=None
        Time for the whole fit, in seconds or as text such as ``"90s"``, ``"2m"`` or ``"1h"``; ``"60s"`` unless given.
    effort : float, default=None
        Work for the whole fit in the place of time, about so many seconds: no clock decides anything.
    device : str, default="auto"
        Where networks are trained: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a graphics processor where there is one.
    random_state : int, RandomState instance or None, default=0
        The seed of folds and models. Fits with the same number are equal as long as the budget does not cut one of
        them short; with ``effort`` always.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; the order of the columns of ``predict_proba``.
    n_features_in_ : int
        Number of columns seen by ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X is a table and all of them are text.
    model_ : sortal.Model
        What predicts: columns, array program and decision. ``model_.save("churn.sortal")`` writes the file that
        ``sortal predict`` and ``sortal.load`` read.
    leaderboard_ : DataFrame
        A row a candidate, best first: ``name``, ``chosen``, ``fit_seconds``, and mean and standard deviation of
        each metric over the folds. A table of pandas where X is one, else of polars.
    skipped_ : dict of str to str
        Candidates that were not tried to the end, and why.

    Notes
    -----
    A class of one row is left out with a warning, where there are two others, and so is text that identifies rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sortal import SortalClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SortalClassifier(models="logistic", budget="20s").fit(X, y)
    >>> model.predict(X[:2]).tolist()
    [0, 0]
    >>> model.predict_proba(X[:2]).shape
    (2, 3)
    """

    def __init__(
        self,
        *,
        metric: str = "auto",
        cost: str | Path | Mapping[Any, Any] | None = None,
        cost_column: Mapping[str, str] | Sequence[str] = (),
        positive: Any = None,
        f1: bool = False,
        f_beta: float | None = None,
        capacity: str | float | None = None,
        kind: Mapping[str, str] | Sequence[str] = (),
        missing: str | Sequence[str] | None = None,
        ignore: str | Sequence[str] = (),
        time: str | None = None,
        group: str | None = None,
        select: int | None = None,
        smallest_count: int = SMALLEST_COUNT,
        models: str | Sequence[str] = (),
        backbone: str | Sequence[str] = (),
        embed_backbone: str | bool = "yes",
        max_latency: str | float | None = None,
        max_size: str | int | None = None,
        budget: str | float | None = None,
        effort: float | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.metric = metric
        self.cost = cost
        self.cost_column = cost_column
        self.positive = positive
        self.f1 = f1
        self.f_beta = f_beta
        self.capacity = capacity
        self.kind = kind
        self.missing = missing
        self.ignore = ignore
        self.time = time
        self.group = group
        self.select = select
        self.smallest_count = smallest_count
        self.models = models
        self.backbone = backbone
        self.embed_backbone = embed_backbone
        self.max_latency = max_latency
        self.max_size = max_size
        self.budget = budget
        self.effort = effort
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SortalClassifier:
        """Train on all rows of X within the budget.

        Parameters
        ----------
        X : array or table (pandas, polars, pyarrow) of shape (n_samples, n_features)
            The columns to learn from.
        y : array-like of shape (n_samples,)
            The labels: text, whole numbers or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in every fit, early stopping included; numbers from 0 on, of which only the ratios
            matter. A row of weight 0 is left out. As in scikit-learn's own searches the scores that candidates are
            compared by, calibration and threshold count each row once.

        Returns
        -------
        SortalClassifier
            This estimator, fitted.

        Raises
        ------
        InputError
            A ``ValueError``, in one sentence, where the data or the parameters cannot be used.
        """
        started, recipe = clock.monotonic(), self._recipe()
        frame, y, weight = self._rows(X, y, sample_weight)
        classes, codes = np.unique(y, return_inverse=True)
        # The whole numbers of an array are numbers, also those that are codes in a table: so scikit-learn's users
        # expect.
        whole = [] if is_into_dataframe(X) else [s.name for s in frame.iter_columns() if s.dtype.is_integer()]
        schema = infer(
            frame,
            None,
            kinds={**declared_kinds(X), **dict.fromkeys(whole, "number"), **recipe.rows.kind},
            ignore=recipe.rows.ignore,
            time=recipe.rows.time,
            group=recipe.rows.group,
            source=Origin("X", missing=recipe.rows.missing, disclosure=recipe.rows.disclosure),
        )
        schema = with_cost_columns(schema, recipe.goal.cost_column, "X")
        _check_usable(schema, recipe.rows.ignore)
        table = Table(schema, conform(frame, schema, USED, "X", note=warn_of), np.arange(frame.height))
        task = task_of(classes, codes, recipe.goal)
        table.row_costs(task.cost_columns, "X")  # refuses a row without one before any work is done
        reserve = _reserve(recipe.search, started, min(PARITY_ROWS, len(table)))
        trained = train_rows(_weighted(table, weight), codes, task, recipe, reserve, Observer())
        self.classes_ = classes
        self.model_, _ = ship(table, task, trained)
        self.leaderboard_ = to_native(_leaderboard(trained.developed), is_pandas(X))
        self.skipped_ = {skipped.name: skipped.reason for skipped in trained.developed.explored.skipped}
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Calibrated probabilities of the classes.

        Parameters
        ----------
        X : array or table of shape (n_samples, n_features)
            The columns that ``fit`` saw, in the same order.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        frame = self._fresh_rows(X)
        return self.model_.predict_proba(frame)

    def predict(self, X: Any) -> NDArray[Any]:
        """The decision for each row: by cost, F-beta or capacity where they were given, else the most probable class.

        Parameters
        ----------
        X : array or table of shape (n_samples, n_features)
            The columns that ``fit`` saw, in the same order.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, in the type that they had.
        """
        rows = rows_of_frame(self._fresh_rows(X), self.model_.needs, source="X")
        for note in rows.notes:
            warn_of(note)
        return self.model_.answer_rows(rows).decisions.astype(self.classes_.dtype)

    def _recipe(self) -> Recipe:
        """The parameters, checked as far as that goes without data."""
        source = check_random_state(self.random_state)
        seed = self.random_state if isinstance(self.random_state, int | np.integer) else source.randint(2**31 - 1)
        options = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        if self.budget is None and self.effort is None:
            options["budget"] = USUAL_SECONDS
        return Recipe.of("y", **options, seed=seed)

    def _rows(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[pl.DataFrame, NDArray[Any], NDArray[np.float64] | None]:
        """The rows that can be learned from, with their labels and their weights, if they have any."""
        frame = self._read(X, reset=True)
        if frame.is_empty():
            raise DataError(f"X has {len(X)} rows and {frame.width} columns; give at least one of each")
        y = checked_labels(y)
        if len(y) != frame.height:
            raise DataError(f"X has {frame.height:,} rows and y has {len(y):,}; give as many labels as rows")
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, frame, dtype=np.float64, ensure_non_negative=True)
            usable = weight > 0
            frame, y, weight = frame.filter(pl.Series(usable)), y[usable], weight[usable]
        usable = not_lone(y)
        return frame.filter(pl.Series(usable)), y[usable], None if weight is None else weight[usable]

    def _fresh_rows(self, X: Any) -> pl.DataFrame:
        """Fresh rows. Where one side has no names the position counts; else scikit-learn has compared them."""
        check_is_fitted(self, "model_")
        frame = self._read(X, reset=False)
        frame.columns = list(self.model_.schema.names)
        return frame

    def _read(self, X: Any, *, reset: bool) -> pl.DataFrame:
        """A raw frame. Arrays meet scikit-learn's checks, tables, which may hold text, only those of names and
        width.
        """
        if isinstance(X, pl.LazyFrame):
            X = X.collect()
        if is_into_dataframe(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        return from_any(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def _reserve(search: SearchOptions, started: float, rows: int) -> TimeReserve:
    """What a fit that began then may take, its proof on so many rows included."""
    deadline, closing = Deadline(started, search.seconds), CLOSING_SHARE * search.allowance
    if search.effort is None:
        return TimeReserve(deadline, closing, rows, seen_rows=rows)
    return WorkReserve(deadline, 0.0, rows, seen_rows=rows, units=search.effort - closing)


def _weighted(table: Table, weight: NDArray[np.float64] | None) -> Table:
    """The table with weights in a column of its own, which the model never hears of."""
    if weight is None:
        return table
    name = free_names(["weight"], table.schema.names)["weight"]
    schema = Schema((*table.schema.columns, Column(name, "number", "weight")))
    return Table(schema, table.frame.with_columns(pl.Series(name, weight)), table.rows)


def _check_usable(schema: Schema, ignored: Sequence[str]) -> None:
    """Nobody should believe that a column is used which is not."""
    left_out = [c for c in schema.role("ignore") if c.name not in ignored]
    if not schema.features:
        reasons = "; ".join(f"{c.name!r}: {c.reason}" for c in left_out[:3]) or "all are in ignore"
        raise DataError(f"no column of X can be used ({reasons}); give other columns, or say what they are with kind")
    if unused := [f"{c.name!r} ({c.reason})" for c in left_out if c.missing < 1]:
        message = f"columns of X that are left out: {', '.join(unused)}; name them in ignore where that is right"
        warnings.warn(sentence(message), UserWarning, stacklevel=3)


def _leaderboard(developed: Developed) -> pl.DataFrame:
    choice = developed.choice
    rows = [
        {"name": s.name, "chosen": s is choice.winner, "fit_seconds": s.fit_seconds}
        | {f"{metric}_mean": float(np.mean(scores)) for metric, scores in s.fold_scores.items()}
        | {f"{metric}_std": float(np.std(scores)) for metric, scores in s.fold_scores.items()}
        for s in developed.results
    ]
    return pl.DataFrame(rows).sort(f"{choice.metric.name}_mean", descending=choice.metric.higher_is_better)
