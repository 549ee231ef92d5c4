"""Costs as a person writes them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sortal.core.costs import MOST_COST, CostColumn, Matrix
from sortal.core.errors import TaskError, did_you_mean
from sortal.core.labels import code_of
from sortal.core.plain import LONGEST_VALUE, quoted, short
from sortal.core.text_file import Unreadable, text_of

Cost = str | Path | Mapping[Any, Any]
Cell = tuple[object, object, object]
"""Truth, decision, cost."""
Costs = dict[tuple[int, int], float]
"""By the codes of truth and decision."""

MOST_BYTES = 2**24
"""Of a file of costs: those of a thousand classes have a quarter of that."""
EXAMPLE = 'for example "fp=1,fn=8"'
OUTCOMES = {"tp": (1, 1), "fp": (0, 1), "fn": (1, 0), "tn": (0, 0)}
"""Of two classes: whether the positive one is true, and whether it is decided."""


def parse_cost(cost: Cost, classes: Sequence[str], positive: str | None, columns: Sequence[CostColumn] = ()) -> Matrix:
    """``matrix[t][d]``: the cost of deciding class ``d`` where ``t`` is true, in the order of ``classes``.

    Two classes: ``"fp=1,fn=8"`` or ``{"fp": 1, "fn": 8}`` (fp: deciding positive where it is not, fn: the
    other error); tp and tn, the right decisions, cost nothing unless told, and a benefit is a negative cost
    (``tp=-20``). Any number of classes: a CSV file whose header names the decided and whose first column
    the true classes, in any order, or ``{truth: {decision: cost}}``. A right decision that is left out
    costs nothing. What ``columns`` tell row by row may be left out, and is 0 here.

    Raises TaskError where an error has no cost, a name is unknown or comes twice, a cost is not finite, one of
    two errors is told as a benefit, or every decision costs the same.

    >>> parse_cost("fp=1,fn=8", ("no", "yes"), "yes")
    ((0.0, 1.0), (8.0, 0.0))
    >>> parse_cost({"a": {"b": 1, "c": 2}, "b": {"a": 1, "c": 1}, "c": {"a": 5, "b": 1}}, "abc", None)[2]
    (5.0, 1.0, 0.0)
    """
    if isinstance(cost, Mapping) and cost and all(isinstance(row, Mapping) for row in cost.values()):
        cells = _coded(_cells(cost), classes)
    elif not isinstance(cost, Mapping) and names_a_file(cost):
        cells = _coded(_read(Path(cost)), classes)
    else:
        pairs = cost.items() if isinstance(cost, Mapping) else _pairs(str(cost))
        cells = _outcomes(pairs, classes, positive)
    matrix = _full_matrix(cells, classes, positive, {(c.truth, c.decided) for c in columns})
    if not columns and all(len(set(row)) == 1 for row in matrix):
        raise TaskError("every decision costs the same, so any is as good as any other; give an error a cost")
    return matrix


def parse_cost_columns(texts: Iterable[str], classes: Sequence[str], positive: str | None) -> tuple[CostColumn, ...]:
    """Costs that stand in columns: ``"fn=amount"``, or ``"truth/decision=column"`` for any number of classes.

    Raises TaskError where a text does not read so, or a cost is told twice.

    >>> parse_cost_columns(["fn=amount"], ("no", "yes"), "yes")
    (CostColumn(truth=1, decided=0, column='amount'),)
    """
    cells: dict[tuple[int, int], CostColumn] = {}
    for text in texts:
        name, _, column = (part.strip() for part in text.partition("="))
        truth, slash, decided = (part.strip() for part in name.partition("/"))
        if not column:
            raise TaskError(f"the cost column {text!r} should read fn=COLUMN, or TRUTH/DECISION=COLUMN")
        where = (_code(truth, classes), _code(decided, classes)) if slash else _outcome(name, classes, positive)
        if where in cells:
            raise TaskError(f"the cost of {name} is told by two columns, {cells[where].column!r} and {column!r}")
        cells[where] = CostColumn(*where, column)
    return tuple(cells.values())


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


def _outcome(name: object, classes: Sequence[str], positive: str | None) -> tuple[int, int]:
    """Truth and decision that tp, fp, fn or tn stands for."""
    if len(classes) != 2 or positive is None:
        raise TaskError(
            f"fp and fn are the errors of two classes, but the target has {len(classes)}; "
            "give the costs as a CSV file with a row for every true and a column for every decided class"
        )
    key = str(name).lower()
    if key not in OUTCOMES:
        raise TaskError(f"no outcome is called {str(name)!r} in the costs; {did_you_mean(key, OUTCOMES)}")
    code = list(classes).index(positive)
    truth, decided = (code if hit else 1 - code for hit in OUTCOMES[key])
    return truth, decided


def _outcomes(pairs: Iterable[tuple[object, object]], classes: Sequence[str], positive: str | None) -> Costs:
    costs: Costs = {}
    for name, value in pairs:
        where = _outcome(name, classes, positive)
        if where in costs:
            raise TaskError(f"the cost of {str(name).lower()} is given twice; give each once, {EXAMPLE}")
        costs[where] = _amount(value, str(name).lower())
        if where[0] != where[1] and costs[where] < 0:
            raise TaskError(
                f"the cost of {str(name).lower()} is negative ({costs[where]:g}), and it is an error; "
                "give a benefit to the right decision, for example tp=-20"
            )
    return costs


def _cells(table: Mapping[Any, Mapping[Any, Any]]) -> list[Cell]:
    return [(truth, decided, value) for truth, row in table.items() for decided, value in row.items()]


def _read(path: Path) -> list[Cell]:
    """The cells of a CSV file; blank ones are left out."""
    if not path.exists():
        raise TaskError(f"the costs {quoted(str(path))} are neither like fp=1,fn=8 nor a file that exists")
    try:
        text = text_of(path, MOST_BYTES)
    except Unreadable as reason:
        raise TaskError(f"the costs in {quoted(str(path))} cannot be read: {reason}") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines(), delimiter=delimiter)]
    except csv.Error as error:
        raise TaskError(f"the costs in {quoted(str(path))} are no table: {error}") from None
    lines = [line for line in lines if any(line)]
    if len(lines) < 2:
        raise TaskError(f"the costs in {str(path)!r} need a header of decided classes and a row per true class")
    (_, *header), *body = lines
    for at, line in enumerate(body, start=2):
        if len(line) != len(header) + 1:
            raise TaskError(f"row {at} of {str(path)!r} has {len(line)} cells, the header {len(header) + 1}")
    return [(truth, name, v) for truth, *row in body for name, v in zip(header, row, strict=True) if v]


def _coded(cells: Iterable[Cell], classes: Sequence[str]) -> Costs:
    costs: Costs = {}
    for truth, decided, value in cells:
        where = _code(truth, classes), _code(decided, classes)
        what = f"deciding {decided!r} where {truth!r} is true"
        if where in costs:
            raise TaskError(f"the cost of {what} is given twice")
        costs[where] = _amount(value, what)
    return costs


def _full_matrix(costs: Costs, classes: Sequence[str], positive: str | None, elsewhere: set[tuple[int, int]]) -> Matrix:
    """The whole matrix; ``elsewhere``: what columns tell."""
    numbers = range(len(classes))
    twice = [where for where in costs if where in elsewhere]
    missing_cells = [
        (t, d) for t in numbers for d in numbers if t != d and (t, d) not in costs and (t, d) not in elsewhere
    ]
    if twice:
        raise TaskError(f"the cost of {_cell_name(twice[0], classes, positive)} is told by a number and by a column")
    if missing_cells and positive is not None:
        names = " and ".join(sorted((_cell_name(where, classes, positive) for where in missing_cells), reverse=True))
        raise TaskError(f"the cost of {names} is not given; name both errors, {EXAMPLE}")
    if missing_cells:
        what = _cell_name(missing_cells[0], classes, positive)
        raise TaskError(f"the costs lack {what} (errors without a cost: {len(missing_cells)})")
    return tuple(tuple(costs.get((t, d), 0.0) for d in numbers) for t in numbers)


def _cell_name(where: tuple[int, int], classes: Sequence[str], positive: str | None) -> str:
    truth, decided = where
    if positive is None:
        return f"deciding {classes[decided]!r} where {classes[truth]!r} is true"
    code = list(classes).index(positive)
    return next(name for name, hits in OUTCOMES.items() if hits == (int(truth == code), int(decided == code)))


def _code(label: object, classes: Sequence[str]) -> int:
    code = code_of(label, classes)
    if code is None:
        hint = did_you_mean(str(label), classes)
        raise TaskError(f"the costs name a class {label!r} that the target does not have; {hint}")
    return code


def _amount(value: object, what: str) -> float:
    try:
        amount = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise TaskError(f"the cost of {short(what, LONGEST_VALUE)} is {quoted(value)}, which is not a number") from None
    if not abs(amount) <= MOST_COST:
        raise TaskError(
            f"the cost of {short(what, LONGEST_VALUE)} is {amount:g}; give a finite number, at most {MOST_COST:g}"
        )
    return amount
