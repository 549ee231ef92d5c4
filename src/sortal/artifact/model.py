"""A model: what a file holds, and what it says of rows."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.artifact import sign
from sortal.artifact.answers import Answer, Answers
from sortal.artifact.check import check
from sortal.artifact.probabilities import checked, checked_row
from sortal.artifact.store import Contents, Golden, as_written, load_contents, save
from sortal.core.arrays import Floats
from sortal.core.display import AsText
from sortal.core.door import Rows, canonical_rows, rows_of
from sortal.core.errors import ArtifactError, OptionError, ParityError
from sortal.core.interval import Estimate
from sortal.core.kinds import Storage, kind_of
from sortal.core.odd import OddValues
from sortal.core.plain import visible
from sortal.core.profile import ColumnProfile
from sortal.core.row import Row, columns_of
from sortal.core.schema import Schema
from sortal.core.shift import Shift, Watch
from sortal.core.writing import percent
from sortal.decide.policy import REJECT
from sortal.decide.prevalence import class_shares, label_shift
from sortal.engine import compile
from sortal.engine.once import made_anew
from sortal.engine.run import Compiled, ops, reads

if TYPE_CHECKING:
    from sortal.core.table import Table


GOLDEN_TOLERANCE, NETWORK_TOLERANCE = 1e-9, 1e-4
"""How closely a model has to say of its golden rows what it said when it was saved: with a network, whose sums are of
32 bits and differ from processor to processor, less so."""
PARITY_ROWS = 2_000
TIMES, MOST_SECONDS_TIMING = 30, 0.1
"""A row is timed so often, and not for longer: a median that no hiccup moves, and a tenth of a second is no loss of a
short budget."""
MOST_LABELS, MOST_FIGURES = 8, 3
"""What a model says of itself in a few lines."""
MOST_TEXT = 200
"""Of what is said to be wrong with a file, which may quote it."""
_FIRST = np.zeros(1, dtype=np.int64)
"""The id of a row alone."""
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
"""How closely a saved model has to agree with the library that trained it, by how that library sums."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Model(AsText, Contents):
    """A classifier as it is deployed: a program of arrays, the columns that it reads, and a decision.

    ``rows`` are any table that ``sortal`` reads (pandas, polars, pyarrow, numpy, a dict of columns, a list of dicts),
    or a dict of one row. Columns that the program does not use may be left out; a column that it uses raises DataError
    where it is not there, unless it is allowed to be missing in all rows (``allow_missing``), or holds what its kind
    does not allow. All but tables of polars, and tables of many rows, is scored without polars, also in a process that
    was forked; there a table of polars raises ForkError.
    """

    @property
    def classes_(self) -> NDArray[Any]:
        """(K,) the labels in the type that they had, in the order of the columns of ``predict_proba``."""
        return self._labels.copy()

    def predict_proba(self, rows: object, *, allow_missing: bool = False) -> Floats:
        """(n, K) probabilities, columns in the order of ``classes_``."""
        return self.score_rows(rows_of(rows, self.reads, allow_missing=allow_missing))

    def predict(self, rows: object, *, allow_missing: bool = False) -> NDArray[Any]:
        """(n,) the most probable class of each row, in the type that the labels had."""
        labels: NDArray[Any] = self._labels[self.predict_proba(rows, allow_missing=allow_missing).argmax(axis=1)]
        return labels

    def decide(self, rows: object, *, allow_missing: bool = False) -> NDArray[Any]:
        """(n,) what the decision rule says: by costs, promise or capacity, where there are any, else as ``predict``.

        Costs that stand in columns are needed in every row. A capacity is one of all these rows together: the best of
        them are decided positive, of equal ones the first. What is left to a person is ``"reject"``, and then all
        labels are text.
        """
        table = rows_of(rows, self.needs, allow_missing=allow_missing)
        self._warn_of_no_capacity(len(table))
        return self.answer_rows(table).decisions

    def answer(self, rows: object, *, allow_missing: bool = False, warnings: bool = False) -> Answers:
        """All that the model says of rows at once: labels, probabilities, decisions and prediction sets.

        ``warnings``: also what is odd about each row, as ``odd_values``. Columns are needed, and errors raised, as by
        ``decide``.
        """
        table = rows_of(rows, self.needs, allow_missing=allow_missing)
        self._warn_of_no_capacity(len(table))
        return self.answer_rows(table, warnings=warnings)

    def answer_rows(self, rows: Rows, *, decided: NDArray[np.int64] | None = None, warnings: bool = False) -> Answers:
        """What the model says of rows that hold the columns of ``needs``: they are one batch.

        ``decided``: (n,) their codes, where they are a part of a larger batch on which the decision was taken.
        """
        probabilities = self.score_rows(rows)
        if decided is None:
            decided = self.decision.apply(probabilities, rows.row_costs(self.decision.cost_columns))
        return Answers(
            labels=self._labels[probabilities.argmax(axis=1)],
            probabilities=probabilities,
            decisions=self._labels_of_decisions[decided],
            sets=None if self.sets is None else self.sets.apply(probabilities),
            warnings=self._odd(rows) if warnings else None,
        )

    def answer_row(self, row: Row) -> Answer:
        """What the model says of one row that holds the columns of ``needs``, to the bit as ``answer_rows`` of this row
        alone, with warnings.
        """
        probabilities = checked_row(self._run.one(row), len(self.task.classes))
        best = decided = probabilities.index(max(probabilities))
        if not self.decision.is_most_probable:
            costs = self.decision.cost_columns
            row_costs = Rows(columns_of(row), _FIRST).row_costs(costs) if costs else None
            decided = int(self.decision.apply(np.array([probabilities]), row_costs)[0])
        labels, decisions = self._listed
        return Answer(
            label=labels[best],
            probabilities=probabilities,
            decision=decisions[decided],
            set=None if self.sets is None else self.sets.apply(np.array([probabilities]))[0].tolist(),
            warnings=self._odd_values.of_row(row),
        )

    def capacity_note(self, count: int) -> str:
        """What has to be said of a batch of so many rows of which a capacity takes none; else empty."""
        capacity = self.decision.capacity
        if capacity is None or not count or capacity.of(count):
            return ""
        share = f"{percent(capacity.share)} of {count:,} row{'s' if count > 1 else ''}"
        return f"{share} is no row at all, so that none is decided positive; give the rows of a batch at once"

    def _warn_of_no_capacity(self, count: int) -> None:
        if note := self.capacity_note(count):
            warnings.warn(note, UserWarning, stacklevel=3)

    def predict_set(self, rows: object, *, allow_missing: bool = False) -> NDArray[np.bool_]:
        """(n, K) which classes the prediction set of each row holds. Raises OptionError for a model without sets."""
        if self.sets is None:
            raise OptionError("this model was trained without prediction sets; train it with --sets 0.9")
        return self.sets.apply(self.predict_proba(rows, allow_missing=allow_missing))

    def at_prevalence(self, shares: Mapping[Any, float]) -> Model:
        """The model for rows of which the classes have other shares, and look as they did in training (label shift).

        ``shares``: by label; of two classes one is enough: ``model.at_prevalence({"yes": 0.1})``. Probabilities move,
        and with them the decisions that follow from costs. What was measured in training is left out: it was of other
        shares. Raises OptionError for shares that are none, and for a model whose threshold or sets were fitted to the
        shares of training: what they promise would not hold.
        """
        fitted = self.decision.kind == "threshold" and self.decision.cost is None
        if fitted or self.sets is not None:
            what = "threshold was" if fitted else "sets were"
            raise OptionError(f"the {what} fitted to the class shares of training; train with costs, or on other rows")
        after = class_shares(shares, self.task.classes)
        return replace(
            self,
            program=self.program.then(label_shift(self.task.prevalence, after)),
            task=replace(self.task, prevalence=after),
            metrics={},
            scores={},
            reliability={},
            card=None,
        )

    def compare(self, rows: object, *, allow_missing: bool = False) -> tuple[Shift, ...]:
        """Where these rows are not like those of training, column by column; ``core.shift`` says when that matters.

        Of columns that the program reads; nothing of those that are allowed to be missing.
        """
        table = rows_of(rows, self.reads, allow_missing=allow_missing)
        watch = Watch(self.profiled(without=table.absent))
        watch.add(table.columns)
        return watch.shifts()

    def odd_values(self, rows: object, *, allow_missing: bool = False) -> list[list[str]]:
        """Of each row what training never saw: values, numbers beyond its range, and missing values where it had
        none.
        """
        return self._odd(rows_of(rows, self.reads, allow_missing=allow_missing))

    def _odd(self, rows: Rows) -> list[list[str]]:
        return self._odd_values.of(rows.columns, len(rows), without=rows.absent)

    def profiled(self, without: Collection[str] = ()) -> dict[str, ColumnProfile]:
        """What the columns that the program reads looked like in training."""
        return {n: self.profile[n] for n in self.reads.names if n in self.profile and n not in without}

    def score_rows(self, rows: Rows) -> Floats:
        """(n, K) probabilities of rows that hold the columns of ``reads``. Raises ArtifactError for a row that gets
        none.
        """
        return checked(self._run(rows.columns), len(self.task.classes), rows.ids)

    def save(self, path: str | Path) -> None:
        """Write the model to a ``.sortal`` file, with what its golden rows get.

        Raises OutputError where it cannot be written, TypeError and ValueError where no file could hold it, or its
        parts do not fit each other.
        """
        rows = self.golden.rows or ({},)
        probability = tuple(map(tuple, self.score_rows(canonical_rows(rows, self.reads)).tolist()))
        contents = replace(self, golden=Golden(rows, probability))
        check(as_written(contents))
        save(path, contents)

    def __repr__(self) -> str:
        task, kinds = self.task, Counter(column.kind for column in self.schema.features)
        rule = self.decision.kind if self.decision.threshold is None else f"p >= {self.decision.threshold:.3g}"
        lines = [
            f"sortal model: {task.target!r} is one of {_listed(self._labels.tolist())}",
            f"  reads        {len(self.schema.features):,} columns: "
            + ", ".join(f"{n:,} {k}" for k, n in kinds.items()),
            f"  decides      {rule}" + (f" of {task.positive!r}" if task.positive is not None else ""),
        ]
        for part, figures in self.metrics.items():
            names = [name for name in (*task.headline, *figures) if name in figures][:MOST_FIGURES]
            lines.append(f"  {part:11}  " + ", ".join(f"{name} {_interval(figures[name])}" for name in names))
        return "\n".join(map(visible, lines))

    def __getstate__(self) -> dict[str, Any]:
        """Without the functions that were compiled from the program: a copy makes its own when it needs them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _run(self) -> Compiled:
        return compile(self.program)

    @cached_property
    def reads(self) -> Schema:
        """The columns that the program reads."""
        names = {name for _, name in reads(self.program)}
        return Schema(tuple(column for column in self.schema.features if column.name in names))

    @cached_property
    def needs(self) -> Schema:
        """The columns that a decision reads: those of the program, and those that hold costs."""
        names = {*self.reads.names, *(cell.column for cell in self.decision.cost_columns)}
        return Schema(tuple(column for column in self.schema.columns if column.name in names))

    @cached_property
    def _odd_values(self) -> OddValues:
        return OddValues(self.profiled())

    @cached_property
    def _labels(self) -> NDArray[Any]:
        return np.array([self.task.label(code) for code in range(len(self.task.classes))])

    @cached_property
    def _listed(self) -> tuple[list[Any], list[Any]]:
        """Labels, and labels of decisions, as values of Python."""
        return self._labels.tolist(), self._labels_of_decisions.tolist()

    @cached_property
    def _labels_of_decisions(self) -> NDArray[Any]:
        """By decided code: the labels, as text where a row can be rejected, which is the last code."""
        if self.decision.reject_cost is None:
            return self._labels
        return np.array([*map(str, self._labels.tolist()), REJECT])


@dataclass(frozen=True)
class Parity:
    """How well a model reproduces what was trained, on ``rows`` rows."""

    rows: int
    max_difference: float
    label_flips: int


def load(path: str | Path, verify: str | Path | None = None) -> Model:
    """Read a model file: audited, checked and proven on its golden rows. Nothing is unpickled or imported for it.

    ``verify``: a public key, for which the file must be signed (``sortal sign``).

    Raises ArtifactError, in one sentence, for a file that cannot be trusted (see ``store.load_contents``), whose
    program does not fit its columns, or that does not score its golden rows as the saved model did, to 1e-9.
    """
    return load_with_sha256(path, verify)[0]


def load_with_sha256(path: str | Path, verify: str | Path | None = None) -> tuple[Model, str]:
    """As ``load``, and the SHA-256 of the very bytes that the model was made of."""
    file, digest = Path(path).name, hashlib.sha256()

    def approve(content: bytes) -> None:
        digest.update(content)
        if verify is not None:
            sign.check(content, Path(path), Path(verify))

    try:
        contents = load_contents(path, approve)
        check(contents)
        model = Model(**{field.name: getattr(contents, field.name) for field in fields(contents)})
        _check_columns(model)
        probability = model.score_rows(canonical_rows(model.golden.rows, model.reads))
        difference = float(np.abs(probability - np.array(model.golden.probability)).max())
    except ArtifactError as error:
        raise error if str(error).startswith((file, "the model file")) else ArtifactError(f"{file}: {error}") from None
    except OptionError:
        raise  # of the key
    except Exception as error:  # noqa: BLE001 - the last door: whatever goes wrong, it is the file that is refused
        raise ArtifactError(f"{file} holds a model that does not fit together: {_reason(error)}") from None
    if not difference <= (NETWORK_TOLERANCE if "onnx" in ops(model.program) else GOLDEN_TOLERANCE):
        raise ArtifactError(
            f"{file} scores its golden rows otherwise than when it was saved, by {difference:.1e}; save it again"
        )
    return model, digest.hexdigest()


def _reason(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= MOST_TEXT else lines[0][: MOST_TEXT - 3] + "..."


def check_parity(model: Model, table: Table, trained: Floats, tolerance: float) -> Parity:
    """Compare a model with ``trained`` (n, K), what its training library says of the rows of ``table``.

    A label flips where the most probable class differs; classes whose trained probabilities are within
    ``tolerance`` of each other are tied, and either is right. Raises ParityError where probabilities differ by
    more than ``tolerance``, or a label flips.
    """
    scored = model.score_rows(Rows(table.columns(model.reads.names), table.rows))
    if scored.shape != trained.shape:
        raise ParityError(f"the saved model gives {scored.shape} probabilities, the trained one {trained.shape}")
    difference = float(np.abs(scored - trained).max(initial=0.0))
    label_probability = np.take_along_axis(trained, scored.argmax(axis=1)[:, None], axis=1)[:, 0]
    flips = int((trained.max(axis=1) - label_probability > tolerance).sum()) if len(scored) else 0
    if not difference <= tolerance or flips:
        raise ParityError(
            f"the saved model does not reproduce the trained one: probabilities differ by up to {difference:.1e} "
            f"(allowed: {tolerance:.0e}) and {flips} of {len(table)} labels change; it was not kept"
        )
    return Parity(len(table), difference, flips)


def time_row(model: Model, row: Mapping[str, object]) -> float:
    """Seconds from one row as a dict to its probabilities: what whoever asks for a single row waits for."""
    seconds: list[float] = []
    with made_anew():
        model.predict_proba(row)  # what is made once for all rows is made here
        while len(seconds) < TIMES and sum(seconds) < MOST_SECONDS_TIMING:
            start = time.perf_counter()
            model.predict_proba(row)
            seconds.append(time.perf_counter() - start)
    return median(seconds)


_STORED: dict[str, tuple[Storage, ...]] = {
    "number": ("number", "boolean"),
    "lookup": ("text",),
    "tfidf": ("text",),
    "datetime": ("moment",),
    "pixels": ("bytes",),
    "raster": ("bytes",),
    "tokens": ("text",),
}
"""What the ops that read a column can take."""


def _check_columns(model: Model) -> None:
    """Every column that the program reads is a feature of a kind that it can take."""
    kinds = {column.name: column.kind for column in model.schema.features}
    for op, name in reads(model.program):
        if name not in kinds or kind_of(kinds[name]).storage not in _STORED[op]:
            raise ValueError(f"op '{op}' reads column {name!r}, whose kind is {kinds.get(name)}")


def _interval(figure: Estimate) -> str:
    return "unknown" if figure.interval is None else str(figure)


def _listed(labels: Sequence[object]) -> str:
    more = len(labels) - MOST_LABELS
    return ", ".join(map(repr, labels[:MOST_LABELS])) + (f" and {more:,} more" if more > 0 else "")
