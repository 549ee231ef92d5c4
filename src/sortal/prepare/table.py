"""A whole table becomes a matrix: columns side by side, then impute, scale and select. One program holds all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.items import Items, Memo
from sortal.core.kinds import is_item, kind_of
from sortal.core.quantiles import middle
from sortal.core.schema import Column
from sortal.core.table import Table
from sortal.engine import compile as compile_program
from sortal.engine.program import Columns, Program
from sortal.engine.run import Compiled
from sortal.engine.sparse import Sparse
from sortal.prepare import interactions, levels
from sortal.prepare.csr import csr, hstacked
from sortal.prepare.image import COLOURS, GREY
from sortal.prepare.view import EncodedColumn, ImageColumns, Labels, Preparer, View

Encoded = Sequence[tuple[Column, EncodedColumn]]
"""Columns of the table, and what they are fitted as."""


@dataclass(frozen=True)
class Preprocessor:
    """A fitted table. ``names``: of the matrix's columns. ``sources``: the table columns that each comes from, two
    where it is made of two.

    ``categorical``: indices of the matrix columns that hold codes without an order.
    """

    program: Program
    names: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    categorical: tuple[int, ...]

    def transform(self, table: Table, memo: Memo | None = None) -> Any:
        """(n, d) matrix of any table that conforms to the same schema, in SciPy's CSR where its rows are sparse.

        ``memo``: what was made of single texts of these rows before.
        """
        return self._rows(_columns(table, memo))

    def _rows(self, columns: Columns) -> Any:
        encoded = self._run.encode(columns)
        return csr(encoded) if isinstance(encoded, Sparse) else encoded

    @property
    def image(self) -> ImageColumns | None:
        """Where the points of the first column of images stand in the matrix, where its view shows them."""
        step = next((inner for inner in _flat(self.program) if inner.op == "raster"), None)
        if step is None:
            return None
        channels = len(COLOURS if step.settings["read"] == "colour" else GREY)
        return ImageColumns(self.sources.index((str(step.settings["column"]),)), channels, int(step.settings["side"]))

    @property
    def has_levels(self) -> bool:
        """Whether columns are made of levels (``View.levels``)."""
        return any(step.op == "levels" for step in _flat(self.program))

    @cached_property
    def _run(self) -> Compiled:
        return compile_program(self.program)


def fit(
    table: Table, labels: Labels, view: View, seed: int, select: int | None = None, memo: Memo | None = None
) -> tuple[Preprocessor, Any]:
    """Fit on the rows of ``table`` and return the preprocessor and the training matrix.

    ``select`` keeps that many matrix columns, those that an extra-trees ensemble splits on most; of sparse rows, and
    where images are seen whole, it keeps all. ``memo``: where what is made of single texts is remembered.
    """
    values = _columns(table, memo)
    encoded = [(c, _fit_column(c, table, values, labels, view, seed)) for c in view.select(table.schema.features)]
    dense = [(c, part) for c, part in encoded if not part.sparse]
    sparse = [(c, part) for c, part in encoded if part.sparse]
    if not sparse:
        return _fit_dense(dense, values, labels, view, seed, select)
    beside = _side_by_side(sparse)
    if not dense:
        return beside, beside._rows(values)
    numbers, matrix = _fit_dense(dense, values, labels, view, seed, select)
    both = Preprocessor(
        program=Program("table", steps=(numbers.program, beside.program)),
        names=(*numbers.names, *beside.names),
        sources=(*numbers.sources, *beside.sources),
        categorical=numbers.categorical,
    )
    return both, hstacked(matrix, beside._rows(values))


def _flat(program: Program) -> Iterator[Program]:
    """A program and all of its steps."""
    yield program
    for step in program.steps:
        yield from _flat(step)


def _columns(table: Table, memo: Memo | None) -> Columns:
    """The features as the engine takes them, texts and images with what is remembered of them."""
    columns: dict[str, Any] = table.columns([column.name for column in table.schema.features])
    if memo is not None:
        for column in table.schema.features:
            if is_item(column.kind):
                columns[column.name] = Items(column.name, columns[column.name], table.rows, memo)
    return columns


def _fit_column(column: Column, table: Table, values: Columns, labels: Labels, view: View, seed: int) -> EncodedColumn:
    preparer: Preparer = registry.load("sortal.preparers", view.preparer(kind_of(column.kind).encoding))
    own = values[column.name]
    return preparer.fit(column, own if isinstance(own, Items) else table[column.name], labels, view, seed)


def _side_by_side(columns: Encoded) -> Preprocessor:
    return Preprocessor(
        program=Program("table", steps=tuple(part.program for _, part in columns)),
        names=tuple(n for _, part in columns for n in part.names),
        sources=tuple((column.name,) for column, part in columns for _ in part.names),
        categorical=tuple(np.flatnonzero([flag for _, part in columns for flag in part.categorical]).tolist()),
    )


def _fit_dense(
    columns: Encoded, values: Columns, labels: Labels, view: View, seed: int, select: int | None
) -> tuple[Preprocessor, NDArray[np.float64]]:
    """Columns that are numbers in every row: impute, scale and select."""
    preprocessor = _side_by_side(columns)
    matrix = preprocessor._rows(values)
    _put_out_of_fold(matrix, [part for _, part in columns])
    numeric = np.repeat([part.numeric for _, part in columns], [len(part.names) for _, part in columns])
    categorical = np.array(preprocessor.categorical, dtype=np.int64)
    keys = []
    if view.levels:
        keys = levels.choose(matrix, np.flatnonzero(numeric), categorical, labels, view.smallest_count, seed)
    if view.interactions:
        preprocessor, matrix = _interact(preprocessor, matrix, numeric, labels, view.smallest_count, seed)
    if keys:
        preprocessor, matrix = _append_levels(preprocessor, matrix, keys)
    numeric = np.append(numeric, np.ones(matrix.shape[1] - len(numeric), dtype=bool))
    if view.numbers != "raw":
        preprocessor, matrix = _impute(preprocessor, matrix, numeric, view.smallest_count)
    if view.numbers == "scaled":
        preprocessor, matrix = _scale(preprocessor, matrix)
    if select is not None and select < matrix.shape[1] and view.images != "raster":
        preprocessor, matrix = _select(preprocessor, matrix, labels, seed, select)
    return preprocessor, matrix


def _put_out_of_fold(matrix: NDArray[np.float64], columns: list[EncodedColumn]) -> None:
    start = 0
    for column in columns:
        stop = start + len(column.names)
        if column.train is not None:
            matrix[:, start:stop] = column.train
        start = stop


def _interact(
    preprocessor: Preprocessor,
    matrix: NDArray[np.float64],
    numeric: NDArray[np.bool_],
    labels: Labels,
    smallest_count: int,
    seed: int,
) -> tuple[Preprocessor, NDArray[np.float64]]:
    """Columns made of two others, where some tell more than their parents."""
    categorical = np.array(preprocessor.categorical, dtype=np.int64)
    new_columns = interactions.choose(matrix, np.flatnonzero(numeric), categorical, labels, seed, smallest_count)
    names, sources = preprocessor.names, preprocessor.sources
    steps = interactions.append(new_columns, len(names))
    for step in steps:
        matrix = compile_program(step)(matrix)
    pairs = [interactions.parents(column) for column in new_columns]
    return Preprocessor(
        program=preprocessor.program.then(*steps) if steps else preprocessor.program,
        names=(*names, *(interactions.name(column, names) for column in new_columns)),
        sources=(*sources, *(tuple(dict.fromkeys((*sources[a], *sources[b]))) for a, b in pairs)),
        categorical=preprocessor.categorical,
    ), matrix


def _append_levels(
    preprocessor: Preprocessor, matrix: NDArray[np.float64], keys: list[levels.Key]
) -> tuple[Preprocessor, NDArray[np.float64]]:
    """What is known of the levels of a row: of a training row by the others."""
    names, sources = preprocessor.names, preprocessor.sources
    own = [dict.fromkeys(source for parent in key.parents for source in sources[parent]) for key in keys]
    return Preprocessor(
        program=preprocessor.program.then(levels.append(keys, len(names))),
        names=(*names, *(name for key in keys for name in key.names(names))),
        sources=(*sources, *(tuple(o) for o, key in zip(own, keys, strict=True) for _ in key.names(names))),
        categorical=preprocessor.categorical,
    ), np.hstack([matrix, *(key.train for key in keys)])


def _impute(
    preprocessor: Preprocessor, matrix: NDArray[np.float64], numeric: NDArray[np.bool_], smallest_count: int
) -> tuple[Preprocessor, NDArray[np.float64]]:
    """Median for quantities (0 where too few are known), -1 for codes; a column of quantities with missing values also
    gets an indicator column.
    """
    absent = np.isnan(matrix)
    missing = np.asarray(absent.any(axis=0))
    value = np.full(matrix.shape[1], -1.0)
    for at in np.flatnonzero(numeric):
        finite = matrix[~absent[:, at], at] if missing[at] else matrix[:, at]
        value[at] = np.nan_to_num(middle(finite, smallest_count))
    indicator = np.flatnonzero(missing & numeric)
    step = Program("fill", arrays={"value": value, "indicator": indicator})
    names = (*preprocessor.names, *(f"{preprocessor.names[i]} is missing" for i in indicator))
    sources = (*preprocessor.sources, *(preprocessor.sources[i] for i in indicator))
    return Preprocessor(preprocessor.program.then(step), names, sources, preprocessor.categorical), compile_program(
        step
    )(matrix)


def _scale(preprocessor: Preprocessor, matrix: NDArray[np.float64]) -> tuple[Preprocessor, NDArray[np.float64]]:
    """Zero mean and unit variance. One-hot columns too: a penalty then means the same for every column."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(matrix)
    step = Program("scale", arrays={"mean": scaler.mean_, "scale": scaler.scale_})
    return Preprocessor(
        preprocessor.program.then(step), preprocessor.names, preprocessor.sources, preprocessor.categorical
    ), compile_program(step)(matrix)


def _select(
    preprocessor: Preprocessor, matrix: NDArray[np.float64], labels: Labels, seed: int, most: int
) -> tuple[Preprocessor, NDArray[np.float64]]:
    from sklearn.ensemble import ExtraTreesClassifier

    trees = ExtraTreesClassifier(100, min_samples_leaf=5, random_state=seed, n_jobs=1)
    trees.fit(np.nan_to_num(matrix, nan=-1.0), labels.codes)
    index = np.sort(np.argsort(-trees.feature_importances_, kind="stable")[:most])
    step = Program("pick", arrays={"index": index})
    new_index = {int(old): new for new, old in enumerate(index)}
    return Preprocessor(
        program=preprocessor.program.then(step),
        names=tuple(preprocessor.names[i] for i in index),
        sources=tuple(preprocessor.sources[i] for i in index),
        categorical=tuple(new_index[i] for i in preprocessor.categorical if i in new_index),
    ), np.ascontiguousarray(matrix[:, index])
