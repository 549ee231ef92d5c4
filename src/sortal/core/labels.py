"""Class labels: their text, their order, and their codes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.errors import TaskError, did_you_mean
from sortal.core.plain import quoted
from sortal.core.task import LabelType, Task


def label_type_of(dtype: pl.DataType) -> LabelType:
    """The Python type that labels are given back in, from the type that the target had when it came in.

    >>> label_type_of(pl.Series([1, 2]).dtype), label_type_of(pl.Series(["a"]).dtype)
    ('int', 'str')
    """
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_integer():
        return "int"
    return "float" if dtype.is_float() else "str"


def number(text: str) -> float | None:
    """The finite number that a label stands for, or None.

    >>> number("10"), number("ten"), number("nan")
    (10.0, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Distinct labels in their natural order: by number where all of them are numbers, else as text.

    >>> in_order(["10", "2", "1"]), in_order(["yes", "no"])
    (('1', '2', '10'), ('no', 'yes'))
    """
    distinct = sorted(set(labels))
    numbers = [number(label) for label in distinct]
    if all(n is not None for n in numbers):
        return tuple(label for _, label in sorted(zip(numbers, distinct, strict=True)))
    return tuple(distinct)


def code_of(label: object, classes: Sequence[str]) -> int | None:
    """The code of a label as a person or another file writes it; None if it is no class.

    A class that is written so comes first, then the only one that means the same number: 1, 1.0, ``"1.0"``, True and
    ``"TRUE"``.

    >>> code_of(1.0, ("0", "1")), code_of(True, ("False", "True")), code_of("maybe", ("no", "yes"))
    (1, 1, None)
    """
    text = str(label)
    if text in classes:
        return list(classes).index(text)
    value = _meaning(text)
    same = [code for code, name in enumerate(classes) if value is not None and _meaning(name) == value]
    return same[0] if len(same) == 1 else None


def _meaning(text: str) -> float | None:
    truth = {"true": 1.0, "false": 0.0}.get(text.lower())
    return number(text) if truth is None else truth


def of_no_class(labels: pl.Series, classes: Sequence[str]) -> pl.Series:
    """(n,) whether a label is there, and is no class. ``labels``: canonical text."""
    strange = [text for text in labels.drop_nulls().unique() if code_of(text, classes) is None]
    return labels.is_in(strange).fill_null(False)


def no_class_note(rows: int, label: object) -> str:
    """What is said of rows with a label such as this one, which is no class.

    >>> no_class_note(2, "maybe").partition(":")[0]
    "2 rows are of no class of the model (such as 'maybe')"
    """
    are, them = ("row is", "it") if rows == 1 else ("rows are", "them")
    return (
        f"{rows:,} {are} of no class of the model (such as {quoted(label)}): no figure counts {them}, and whatever it "
        f"decides of {them} is wrong; another class needs another model: sortal train"
    )


def encode(labels: pl.Series, task: Task) -> NDArray[np.int64]:
    """Class codes of labels, (n,); -1 where the label is missing.

    ``labels``: canonical text (polars String). Raises TaskError for a label that the task does not have.
    """
    codes = {text: code_of(text, task.classes) for text in labels.drop_nulls().unique(maintain_order=True)}
    unknown = [text for text, code in codes.items() if code is None]
    if unknown:
        rows = int(labels.is_in(unknown).sum())
        raise TaskError(
            f"the target {task.target!r} holds {unknown[0]!r}, which is none of its classes "
            f"({rows:,} rows have an unknown label); {did_you_mean(unknown[0], task.classes)}"
        )
    coded = labels.replace_strict(list(codes), list(codes.values()), default=-1, return_dtype=pl.Int64)
    return coded.to_numpy().astype(np.int64)
