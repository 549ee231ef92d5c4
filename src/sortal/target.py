"""The y of scikit-learn: labels, checked, and the task that they make."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sortal.core.errors import DataError
from sortal.core.frame import from_any
from sortal.core.framing import frame_task, label_type_of
from sortal.core.plain import sentence
from sortal.core.sheets import GoalOptions
from sortal.core.task import Task
from sortal.core.writing import listing


def task_of(classes: NDArray[Any], codes: NDArray[np.int64], goal: GoalOptions) -> Task:
    """The task, with the classes in the order of ``classes_``, where "10" comes before "2"."""
    names = tuple(str(c).lower() if isinstance(c, bool | np.bool_) else str(c) for c in classes)
    labels = pl.Series([names[code] for code in codes])
    task = frame_task(labels, goal, label_type_of(pl.Series(classes.tolist(), strict=False).dtype))
    index = [task.classes.index(name) for name in names]
    return replace(
        task,
        classes=names,
        prevalence=tuple(task.prevalence[i] for i in index),
        cost=None if task.cost is None else tuple(tuple(task.cost[t][d] for d in index) for t in index),
        cost_columns=tuple(
            replace(c, truth=index.index(c.truth), decided=index.index(c.decided)) for c in task.cost_columns
        ),
    )


def checked_labels(y: Any) -> NDArray[Any]:
    """(n,) the labels, checked."""
    y = column_or_1d(y, warn=True)
    if y.dtype.kind == "O":
        y = _of_one_type(y)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    labels: NDArray[Any] = y
    return labels


def not_lone(y: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) which rows are not the only one of their class; all, where that would leave less than two classes."""
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    lone = counts == 1
    if not lone.any() or (~lone).sum() < 2:
        return np.ones(len(y), dtype=np.bool_)
    names = listing([repr(label) for label in classes[lone].tolist()])
    message = f"classes of y with one row, which cannot be both learned and tested, are left out: {names}"
    warnings.warn(sentence(message), UserWarning, stacklevel=4)
    mask: NDArray[np.bool_] = ~lone[codes]
    return mask


def _of_one_type(y: NDArray[Any]) -> NDArray[Any]:
    """Python objects as text, numbers or booleans: what a column of pandas holds that once held something else too."""
    missing = from_any({"y": y})["y"].is_null().arg_true()
    if len(missing):
        raise DataError(f"y holds no label in row {missing[0] + 1:,} ({len(missing):,} in all); drop such rows")
    types = {type(label) for label in y}
    if all(issubclass(kind, str) for kind in types):
        return y
    if any(issubclass(kind, str) for kind in types):
        names = ", ".join(sorted(kind.__name__ for kind in types))
        raise DataError(f"y mixes text with other labels ({names}); make all of them text")
    return np.array(y.tolist())
