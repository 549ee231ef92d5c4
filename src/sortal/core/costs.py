"""What a wrong decision costs: from the way a person writes it to a matrix."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sortal.core.errors import TaskError, did_you_mean
from sortal.core.labels import code_of

Matrix = tuple[tuple[float, ...], ...]
Cost = str | Path | Mapping[Any, Any]
Cell = tuple[object, object, object]
"""Truth, decision, cost."""

EXAMPLE = 'for example "fp=1,fn=8"'


def parse_cost(cost: Cost, classes: Sequence[str], positive: str | None) -> Matrix:
    """``matrix[t][d]``: the cost of deciding class ``d`` where ``t`` is true, in the order of ``classes``.

    Two classes: ``"fp=1,fn=8"`` or ``{"fp": 1, "fn": 8}`` (fp: deciding positive where it is not, fn: the
    other error). Any number of classes: a CSV file whose header names the decided and whose first column
    the true classes, in any order, or ``{truth: {decision: cost}}``. A right decision that is left out
    costs nothing.

    Raises TaskError where an error has no cost, a name is unknown or comes twice, a cost is negative or not
    finite, or all of them are zero.

    >>> parse_cost("fp=1,fn=8", ("no", "yes"), "yes")
    ((0.0, 1.0), (8.0, 0.0))
    >>> parse_cost({"a": {"b": 1, "c": 2}, "b": {"a": 1, "c": 1}, "c": {"a": 5, "b": 1}}, "abc", None)[2]
    (5.0, 1.0, 0.0)
    """
    if isinstance(cost, Mapping):
        nested = bool(cost) and all(isinstance(row, Mapping) for row in cost.values())
        matrix = _table(_cells(cost), classes) if nested else _binary(cost.items(), classes, positive)
    elif names_a_file(cost):
        matrix = _table(_read(Path(cost)), classes)
    else:
        matrix = _binary(_pairs(str(cost)), classes, positive)
    if not any(value for row in matrix for value in row):
        raise TaskError("all costs are zero, so every decision is as good as any other; give an error a cost")
    return matrix


def names_a_file(cost: Cost | None) -> bool:
    """Whether costs are told by the path of a file.

    >>> names_a_file("costs.csv"), names_a_file("fp=1,fn=8"), names_a_file({"fp": 1, "fn": 8})
    (True, False, False)
    """
    return isinstance(cost, Path) or (isinstance(cost, str) and ("=" not in cost or cost.endswith(".csv")))


def _pairs(text: str) -> list[tuple[str, str]]:
    """``"fp=1,fn=8"`` to names and values."""
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _binary(pairs: Iterable[tuple[object, object]], classes: Sequence[str], positive: str | None) -> Matrix:
    if len(classes) != 2 or positive is None:
        raise TaskError(
            f"fp and fn are the errors of two classes, but the target has {len(classes)}; "
            "give the costs as a CSV file with a row for every true and a column for every decided class"
        )
    costs: dict[str, float] = {}
    for key, value in pairs:
        name = str(key).lower()
        if name not in ("fp", "fn"):
            hint = did_you_mean(name, ["fp", "fn"])
            raise TaskError(f"no error is called {str(key)!r} in the costs; {hint}")
        if name in costs:
            raise TaskError(f"the cost of {name} is given twice; give fp and fn once each, {EXAMPLE}")
        costs[name] = _amount(value, name)
    lacking = [name for name in ("fp", "fn") if name not in costs]
    if lacking:
        raise TaskError(f"the cost of {' and '.join(lacking)} is not given; name both errors, {EXAMPLE}")
    if list(classes).index(positive) == 1:
        return (0.0, costs["fp"]), (costs["fn"], 0.0)
    return (0.0, costs["fn"]), (costs["fp"], 0.0)


def _cells(table: Mapping[Any, Mapping[Any, Any]]) -> list[Cell]:
    return [(truth, decided, value) for truth, row in table.items() for decided, value in row.items()]


def _read(path: Path) -> list[Cell]:
    """The cells of a CSV file; blank ones are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TaskError(f"the costs {str(path)!r} are neither like fp=1,fn=8 nor a file that exists") from None
    except (OSError, ValueError) as error:
        raise TaskError(f"the costs in {str(path)!r} cannot be read: {error}") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines(), delimiter=delimiter)]
    lines = [line for line in lines if any(line)]
    if len(lines) < 2:
        raise TaskError(f"the costs in {str(path)!r} need a header of decided classes and a row per true class")
    (_, *header), *body = lines
    for at, line in enumerate(body, start=2):
        if len(line) != len(header) + 1:
            raise TaskError(f"row {at} of {str(path)!r} has {len(line)} cells, the header {len(header) + 1}")
    return [(truth, name, v) for truth, *row in body for name, v in zip(header, row, strict=True) if v]


def _table(cells: Iterable[Cell], classes: Sequence[str]) -> Matrix:
    costs: dict[tuple[int, int], float] = {}
    for truth, decided, value in cells:
        where = _code(truth, classes), _code(decided, classes)
        what = f"deciding {decided!r} where {truth!r} is true"
        if where in costs:
            raise TaskError(f"the cost of {what} is given twice")
        costs[where] = _amount(value, what)
    numbers = range(len(classes))
    lacking = [(t, d) for t in numbers for d in numbers if t != d and (t, d) not in costs]
    if lacking:
        t, d = lacking[0]
        what = f"deciding {classes[d]!r} where {classes[t]!r} is true"
        raise TaskError(f"the costs lack {what} (errors without a cost: {len(lacking)})")
    return tuple(tuple(costs.get((t, d), 0.0) for d in numbers) for t in numbers)


def _code(label: object, classes: Sequence[str]) -> int:
    code = code_of(label, classes)
    if code is None:
        hint = did_you_mean(str(label), classes)
        raise TaskError(f"the costs name a class {label!r} that the target does not have; {hint}")
    return code


def _amount(value: object, what: str) -> float:
    try:
        amount = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TaskError(f"the cost of {what} is {value!r}, which is not a number") from None
    if not math.isfinite(amount):
        raise TaskError(f"the cost of {what} is {amount}; give a finite number")
    if amount < 0:
        raise TaskError(f"the cost of {what} is negative ({amount:g}); costs start at zero")
    return amount
