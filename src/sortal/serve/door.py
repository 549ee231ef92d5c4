"""Rows of a request on their way to a model: the same numbers as by any other door (``core.door``), and every fault by
row and field.

A row stands alone: what is read of it does not depend on the rows beside it. Plain numbers are read here, and texts
that come again are looked up; what else there is goes through ``core.door``, so that there is one set of rules, also
for the kinds of plug-ins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sortal.artifact.model import Model
from sortal.core.cells import Cells
from sortal.core.door import MOST_ROWS, Rows, Values, read_rows
from sortal.core.errors import DataError, did_you_mean
from sortal.core.images import from_base64, pixels_of
from sortal.core.kinds import is_item, kind_of
from sortal.core.misfits import LARGEST
from sortal.core.plain import short
from sortal.core.raw import of_values
from sortal.core.row import Row, row_of
from sortal.core.schema import Column, Schema, column_name
from sortal.serve.http import FieldError, HttpError
from sortal.serve.limits import Limits

CACHE_SIZE = 4_096
"""Values of a column that are looked up: levels, and days; some hundred kilobytes a column."""
SHORT = 64
"""Letters of a text that is remembered: levels and dates are shorter."""
SPARE_FIELDS = 100
"""Of a row, beside twice as many as the training table has columns: up to that, each fault is named."""
MOST_HINTS = 10
"""Unknown fields of a request that are told which name they are near."""
EXACT = 2**63
"""Whole numbers from here on are read one by one: one of them would change how those beside it are read."""


@dataclass(frozen=True)
class ReadRows:
    """Rows as a model reads them, and what has to be said of each beside what the model says."""

    rows: Rows
    warnings: Sequence[Sequence[str]]


@dataclass
class _Findings:
    """What is found while rows are read: faults, for which they are refused, and a list of warnings a row."""

    limits: Limits
    warnings: list[list[str]]
    faults: list[FieldError] = field(default_factory=list)

    def fault(self, row: int, name: str, detail: str, code: str) -> None:
        self.faults.append(FieldError(row, short(name, 60) if name else "", detail, code))

    @property
    def full(self) -> bool:
        """Whether no more are named anyway."""
        return len(self.faults) > self.limits.errors

    def refusal(self) -> HttpError:
        first_faults = sorted(self.faults, key=lambda fault: fault.row or 0)[: self.limits.errors]
        rows = len({fault.row for fault in self.faults})
        detail = "One row cannot be read" if rows == 1 else f"{rows:,} rows cannot be read"
        if self.full:
            detail = f"Many rows or fields cannot be read; these are the first {self.limits.errors}"
        return HttpError(422, "Rows do not fit the model", detail, tuple(first_faults), code="invalid-rows")


class Door:
    """Reads rows of JSON for one model; bytes stand for what came as a file. ``expected``: by column, what its values
    are, in words.
    """

    def __init__(self, model: Model) -> None:
        self._cells = tuple(_Cells(column) for column in model.needs.columns)
        self._ways = tuple(cells.way for cells in self._cells)
        self._required_names = tuple(cells.name for cells in self._cells if cells.required)
        self.expected = {cells.name: cells.expected for cells in self._cells}
        self._needed_names = frozenset(model.needs.names)
        self._column_names = frozenset(model.schema.names)
        profiles = model.profiled().items()
        self._never_missing = frozenset(name for name, p in profiles if p.n_values and not p.missing)
        for cells in self._cells:
            profile = model.profile.get(cells.name)
            cells.learn(profile.levels if profile is not None and not profile.measures else ())

    def read(self, rows: Sequence[Row], limits: Limits) -> ReadRows:
        """Rows for the model. Raises HttpError that names every fault, up to a number of them."""
        findings = _Findings(limits, [[] for _ in rows])
        named_rows = [self._by_name(at, row, findings) for at, row in enumerate(rows)]
        by_column, odd = self._at_once(named_rows)
        for cells, values, places in zip(self._cells, by_column, odd, strict=True):
            if places and not findings.full:
                cells.read_odd([row.get(cells.name) for row in named_rows], places, values, findings)
            if cells.required:
                cells.check_there(values, findings)
        if findings.faults:
            raise findings.refusal()
        columns: dict[str, Values] = {c.name: v for c, v in zip(self._cells, by_column, strict=True) if not c.numeric}
        # One array for all numbers: for a single row that takes as long as one of them.
        numbers = np.array([v for c, v in zip(self._cells, by_column, strict=True) if c.numeric], dtype=np.float64)
        columns |= zip((cells.name for cells in self._cells if cells.numeric), numbers, strict=True)
        for row, row_warnings in zip(named_rows, findings.warnings, strict=True):
            if not self._needed_names <= row.keys():
                row_warnings += self._absent(row)
        return ReadRows(Rows(columns, np.arange(len(rows))), findings.warnings)

    def read_row(self, row: Row, limits: Limits) -> tuple[Row, Sequence[str]]:
        """As ``read`` of this row alone, in values of Python, and its warnings: without lists and arrays where nothing
        of it has to be read by rules.
        """
        values: dict[str, Any] | None = (
            {} if row.keys() <= self._column_names and self._needed_names <= row.keys() else None
        )
        if values is not None:
            for name, plain_numbers, caches, missing in self._ways:
                value: Any = row[name]
                kind = type(value)
                if plain_numbers and (kind is float or kind is int) and -LARGEST <= value <= LARGEST:
                    values[name] = float(value)
                    continue
                cache = caches.get(kind)
                cell: Any = missing if value is None else cache.get(value, _UNKNOWN) if cache else _UNKNOWN
                if cell is _UNKNOWN:
                    break
                values[name] = cell
            else:
                if not any(values[name] != values[name] for name in self._required_names):
                    return values, ()
        inputs = self.read([row], limits)
        return row_of(inputs.rows.columns, inputs.rows.columns), inputs.warnings[0]

    def _at_once(self, rows: Sequence[Row]) -> tuple[list[list[Any]], list[list[int]]]:
        """By column, what can be read without rules: plain numbers, what is missing, and values that are remembered;
        and where the others stand, which are still missing then.
        """
        by_column: list[list[Any]] = [[] for _ in self._cells]
        odd: list[list[int]] = [[] for _ in self._cells]
        # All of it in one loop without calls, which is most of the time that a row takes before it is scored.
        ways = [(*cells.way, values, places) for cells, values, places in zip(self._cells, by_column, odd, strict=True)]
        for at, row in enumerate(rows):
            for name, plain_numbers, caches, missing, values, places in ways:
                value: Any = row.get(name)
                kind = type(value)
                if plain_numbers and (kind is float or kind is int) and -LARGEST <= value <= LARGEST:
                    values.append(float(value))
                    continue
                if value is not None:
                    cache = caches.get(kind)
                    cell = _UNKNOWN if cache is None else cache.get(value, _UNKNOWN)
                    if cell is not _UNKNOWN:
                        values.append(cell)
                        continue
                    places.append(at)
                values.append(missing)
        return by_column, odd

    def check_width(self, rows: Sequence[Row]) -> None:
        """Raises HttpError for a row of so many fields that looking at each would take long."""
        most = 2 * len(self._column_names) + SPARE_FIELDS
        wide = [at for at, row in enumerate(rows) if len(row) > most]
        if wide:
            fault = FieldError(wide[0], "", f"there are more than {most:,} fields", "too-many-fields")
            raise HttpError(422, "Rows do not fit the model", "", (fault,), code="invalid-rows")

    def _by_name(self, at: int, row: Row, findings: _Findings) -> Row:
        """The row with its fields in the one form of names; a field of no column is a fault."""
        if not row.keys() <= self._column_names and not findings.full:
            row = self._rename_fields(at, row, findings)
        if self._needed_names and self._needed_names.isdisjoint(row) and not findings.full:
            findings.fault(at, "", "there is no field that the model reads", "empty-row")
        return row

    def _rename_fields(self, at: int, row: Row, findings: _Findings) -> Row:
        fields: dict[str, Any] = {}
        for field_name, value in row.items():
            name = field_name if field_name in self._column_names else column_name(field_name)
            if name not in self._column_names:
                # Among thousands of names a near one takes milliseconds to find.
                few = len(findings.faults) < MOST_HINTS
                hint = f"; {did_you_mean(field_name, [cells.name for cells in self._cells])}" if few else ""
                findings.fault(at, field_name, f"no such field{hint}", "unknown-field")
            elif name in fields:
                findings.fault(at, field_name, "the same field is there a second time", "repeated-name")
            else:
                fields[name] = value
            if findings.full:
                break
        return fields

    def _absent(self, row: Row) -> Iterator[str]:
        """Fields that are not there, as far as the model does not say so itself."""
        for cells in self._cells:
            name = cells.name
            if name not in row and name not in self._never_missing:
                yield f"{name!r}: is not given, and counts as missing"


_UNKNOWN = object()


class _Cells:
    """Reads the values of one column, each of them alone."""

    def __init__(self, column: Column) -> None:
        kind = kind_of(column.kind)
        self.name, self.numeric, self.required = column.name, kind.numeric, column.role == "cost"
        self._column, self._kind, self._schema = column, kind, Schema((column,))
        self._caches: dict[type, dict[Any, Any]] = {str: {}, bool: {}, int: {}}
        plain_numbers = kind.storage == "number" and kind.takes_numbers(column)
        self.way = (column.name, plain_numbers, self._caches, math.nan if kind.numeric else None)
        example = kind.example(column)
        self.expected = kind.noun_of(column) + (f", written like {example}" if example else "")

    def learn(self, levels: Sequence[str]) -> None:
        """Remember usual texts, so that the first rows do not wait for rules."""
        texts = [*self._column.levels, *levels]
        findings = _Findings(Limits(), [[] for _ in texts])
        self.read_odd(texts, range(len(texts)), [None] * len(texts), findings)

    def read_odd(self, values: Sequence[Any], places: Sequence[int], output: list[Any], findings: _Findings) -> None:
        """Read the values in these places by the rules of ``core.door``, those of one type together."""
        by_type: dict[type, list[int]] = {}
        for at in places:
            refusal = self._refusal(values[at], findings.limits)
            if refusal is not None:
                findings.fault(at, self.name, *refusal)
            elif isinstance(values[at], int) and abs(values[at]) >= EXACT:
                self._through([at], values, output, findings)
            else:
                by_type.setdefault(type(values[at]), []).append(at)
            if findings.full:
                return
        for same_type in by_type.values():
            for start in range(0, len(same_type), MOST_ROWS):
                self._through(same_type[start : start + MOST_ROWS], values, output, findings)

    def check_there(self, values: Sequence[float], findings: _Findings) -> None:
        """Every row has to have a value."""
        for at, value in enumerate(values):
            if value != value and not findings.full:
                findings.fault(at, self.name, "the decision needs this cost in every row", "missing")

    def _refusal(self, value: Any, limits: Limits) -> tuple[str, str] | None:
        """Why a value is not even looked at, and the code of that."""
        if isinstance(value, list | dict):
            return f"expected {self.expected}, not a list or an object", "wrong-type"
        # Rules may look at a value several times over; of a text the beginning counts, an image is decoded once.
        most = limits.text if is_item(self._column.kind) else limits.value
        if isinstance(value, str) and len(value) > most:
            return f"at most {most:,} letters are read", "too-long"
        if self._kind.storage == "number" and isinstance(value, float | int) and abs(value) > LARGEST:
            return f"models compute with numbers up to {LARGEST:.1e}", "too-large"
        return None

    def _through(self, places: Sequence[int], values: Sequence[Any], output: list[Any], findings: _Findings) -> None:
        """Reads values by the door; where it refuses some, half by half, until it is known which."""
        if findings.full:
            return
        try:
            cells = self._canonical([values[at] for at in places], findings.limits)
        except DataError:
            if len(places) == 1:
                findings.fault(places[0], self.name, f"expected {self.expected}", "wrong-value")
                return
            half = len(places) // 2
            self._through(places[:half], values, output, findings)
            self._through(places[half:], values, output, findings)
            return
        for at, value in zip(places, cells, strict=True):
            output[at] = value
            is_lost = not self._kind.strict and (value is None or value != value) and not self._says_missing(values[at])
            if is_lost:
                self._report_unreadable(at, findings)
            else:
                self._remember(values[at], value)

    def _canonical(self, values: list[Any], limits: Limits) -> Sequence[Any]:
        if self._kind.storage == "bytes":
            values = [_image(value, limits.pixels) for value in values]
        column = read_rows({self.name: values}, self._schema).columns[self.name]
        return column.tolist() if isinstance(column, np.ndarray) else list(column)

    def _says_missing(self, value: Any) -> bool:
        """Whether a value is a notation of a missing one, as ``NA`` is."""
        return self._kind.plain(self._column, Cells([value]), of_values([value]).sort).values[0] is None

    def _report_unreadable(self, at: int, findings: _Findings) -> None:
        """A value is there and cannot be read: an image is refused, as nobody sends one to have it taken as missing;
        others are missing by the rules of their kind.
        """
        if self._kind.storage == "bytes":
            findings.fault(at, self.name, f"expected {self.expected}, whole, as base64 or as a file", "unreadable")
        else:
            findings.warnings[at].append(f"{self.name!r}: is not {self.expected}, and counts as missing")

    def _remember(self, value: Any, cell: Any) -> None:
        cache = self._caches.get(type(value))
        if cache is None or (isinstance(value, str) and len(value) > SHORT):
            return
        if len(cache) >= CACHE_SIZE:
            cache.clear()
        cache[value] = cell


def _image(value: Any, most_pixels: int) -> Any:
    """The bytes that a value holds; none where it holds no image that can be read. A text never names a file of this
    machine here, as it does elsewhere.
    """
    data = from_base64(value) or b"" if isinstance(value, str) and value else value
    return b"" if isinstance(data, bytes) and pixels_of(data) > most_pixels else data
