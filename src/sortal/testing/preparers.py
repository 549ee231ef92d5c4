"""What every preparer must do (entry-point group ``sortal.preparers``; a kind of column names the one that encodes
it)."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.kinds import BUILT_IN, kind_of
from sortal.core.schema import Column, Schema
from sortal.core.series import TYPES
from sortal.core.table import Table
from sortal.engine import compile as compile_program
from sortal.engine.sparse import Sparse
from sortal.prepare.view import EncodedColumn, Labels, Preparer, View
from sortal.testing.requirement import Requirement, arrays_of, fingerprint, require, require_equal, require_plain

VIEWS = {"raw": View("raw", "codes"), "imputed": View("imputed", "codes"), "scaled": View("scaled", "onehot")}
ROWS = 120


@dataclass(frozen=True)
class Subject:
    """A preparer, the kind of column that it is for, and the view it is asked for."""

    preparer: Preparer
    kind: str
    view: View


def check_preparer(preparer: Preparer, kind: str, backbone: str = "") -> Iterator[Requirement]:
    """The requirements on a preparer of columns of this kind, to be run one by one.

    ``backbone``: the folder of a network, for one that reads columns with it.

    >>> from sortal.core import registry
    >>> for requirement in check_preparer(registry.load("sortal.preparers", "number"), "number"):
    ...     requirement()
    """
    for check in CHECKS:
        for name, view in VIEWS.items():
            yield Requirement(
                f"{kind}-{check.__name__}-{name}",
                partial(check, Subject(preparer, kind, replace(view, backbone=backbone))),
            )


def names_its_columns(subject: Subject) -> None:
    """As many names, all different, as the program has columns; and a flag for each."""
    for n_distinct in (3, 60):
        values = sample(subject.kind, n_distinct=n_distinct)
        prepared = _fit(subject, values)
        width = _run(prepared, values).shape[1]
        require(len(prepared.names) == width, f"{len(prepared.names)} names for {width} columns")
        require(len(set(prepared.names)) == width, f"two columns have one name: {', '.join(prepared.names)}")
        require(len(prepared.categorical) == width, f"{len(prepared.categorical)} flags for {width} columns")
        require(not (prepared.numeric and any(prepared.categorical)), "codes without an order are not numeric")


def writes_a_program(subject: Subject) -> None:
    """Plain data that the engine runs; it reads this column and no other, and gives no infinity."""
    values = sample(subject.kind)
    prepared = _fit(subject, values)
    require_plain(prepared.program)
    require(not np.isinf(_run(prepared, values)).any(), "the program gives infinite values")


def gives_training_rows_what_the_program_gives(subject: Subject) -> None:
    """The same at training and at prediction, unless training rows are encoded out of fold."""
    values = sample(subject.kind, n_distinct=60)
    prepared = _fit(subject, values)
    scored = _run(prepared, values)
    if prepared.train is None:
        return
    require(
        prepared.train.shape == scored.shape,
        f"train has shape {prepared.train.shape}, the program gives {scored.shape}",
    )
    require(np.isfinite(prepared.train[~np.isnan(scored)]).all(), "train misses values that the program gives")


def repeats_with_the_same_seed(subject: Subject) -> None:
    values = sample(subject.kind, n_distinct=60)
    first, second = _fit(subject, values), _fit(subject, values)
    require(
        fingerprint(first.program) == fingerprint(second.program),
        "two fits with one seed gave different programs",
    )
    if first.train is not None and second.train is not None:
        require_equal(first.train, second.train, 0.0, "training rows of two fits with one seed")


def takes_values_that_training_did_not_show(subject: Subject) -> None:
    """Other values than in training, and a missing one where there was none."""
    prepared = _fit(subject, sample(subject.kind, missing=0.0))
    later = sample(subject.kind, seed=1, n_distinct=50, missing=0.3)
    require(len(_run(prepared, later)) == len(later), "not one row for each value")


def takes_a_column_without_values(subject: Subject) -> None:
    """All missing in training; then values all the same."""
    prepared = _fit(subject, sample(subject.kind, missing=1.0))
    require(len(_run(prepared, sample(subject.kind))) == ROWS, "not one row for each value")
    prepared = _fit(subject, sample(subject.kind, n_distinct=1, missing=0.0))
    require(len(_run(prepared, sample(subject.kind))) == ROWS, "not one row for each value")


def scores_rows_independently(subject: Subject) -> None:
    """A row's numbers do not depend on the rows that come with it."""
    values = sample(subject.kind, n_distinct=60)
    prepared = _fit(subject, values)
    alone = np.vstack([_run(prepared, values[i : i + 1]) for i in range(20)])
    require_equal(alone, _run(prepared, values)[:20], 0.0, "rows alone and together")


def keeps_no_rare_value(subject: Subject) -> None:
    """A value of fewer rows than the view's smallest count is not in the program, and is as unseen to it; unless the
    program is the same whatever the values.
    """
    view = replace(subject.view, smallest_count=RARE + 1)
    values = sample(subject.kind, n_distinct=10_000 if kind_of(subject.kind).storage == "number" else 8, missing=0.1)
    rare = values[:0]
    if values.dtype == pl.String:
        rare = pl.Series("column", ["somebody"] * RARE, dtype=pl.String)
    viewed = replace(subject, view=view)
    prepared = _fit(viewed, pl.concat([values, rare]))
    if fingerprint(prepared.program) == fingerprint(_fit(viewed, values[: len(values) // 2]).program):
        return
    require("somebody" not in str(fingerprint(prepared.program)), "the program holds a value of few rows")
    if values.dtype == pl.String:
        unseen = pl.Series("column", ["never seen"] * RARE, dtype=pl.String)
        require_equal(_run(prepared, rare), _run(prepared, unseen), 0.0, "rare and unseen values")
    if kind_of(subject.kind).storage == "number":
        numbers = values.drop_nulls().to_numpy()
        leaks = [np.isin(array, numbers).any() for array in arrays_of(prepared.program)]
        require(not any(leaks), "the program holds the number of a row")


RARE = 4
"""Rows of a value that the view's smallest count leaves out."""

CHECKS = (
    names_its_columns,
    writes_a_program,
    gives_training_rows_what_the_program_gives,
    repeats_with_the_same_seed,
    takes_values_that_training_did_not_show,
    takes_a_column_without_values,
    scores_rows_independently,
    keeps_no_rare_value,
)


def sample(kind: str, *, n_distinct: int = 8, missing: float = 0.15, seed: int = 0) -> pl.Series:
    """(ROWS,) canonical values of a kind, of which a share is missing; other seeds have other values."""
    rng = np.random.default_rng([seed, n_distinct])
    code = rng.integers(n_distinct, size=ROWS) + 1000 * seed
    is_missing = rng.random(ROWS) < missing
    values: list[object]
    storage = kind_of(kind).storage
    if storage == "number":
        values = (code * 1.5 - 3).tolist()
    elif storage == "boolean":
        values = (code % 2 == 0).tolist()
    elif storage == "moment":
        values = [dt.datetime(2020, 1, 1) + dt.timedelta(hours=31 * int(c)) for c in code]
    elif storage == "bytes":
        values = [_picture(int(c)) for c in code]
    else:
        values = [f"value {c}" for c in code]
    cells = [None if m else v for m, v in zip(is_missing, values, strict=True)]
    return pl.Series("column", cells, dtype=TYPES[storage], strict=True)


def _picture(code: int) -> bytes:
    """A small image of two colours."""
    from PIL import Image

    image, file = Image.new("RGB", (6, 4), (37 * code % 256, 11 * code % 256, 90)), io.BytesIO()
    image.paste((code % 256, 0, 200), (0, 0, 3, 2))
    image.save(file, "PNG")
    return file.getvalue()


def _fit(subject: Subject, values: pl.Series) -> EncodedColumn:
    labels = Labels(np.arange(len(values)) % 2, n_classes=2)
    return subject.preparer.fit(Column("column", subject.kind), values, labels, subject.view, 0)


def _run(prepared: EncodedColumn, values: pl.Series) -> NDArray[np.float64]:
    """The program on these values alone."""
    kind = next(kind.name for kind in BUILT_IN.values() if TYPES[kind.storage] == values.dtype)
    table = Table(Schema((Column("column", kind),)), values.to_frame(), np.arange(len(values)))
    encoded = compile_program(prepared.program).encode(table.columns(["column"]))
    require(isinstance(encoded, Sparse) == prepared.sparse, "it says of sparse rows what is not so")
    return encoded.dense() if isinstance(encoded, Sparse) else encoded
