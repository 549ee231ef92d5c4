from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import StandardScaler

from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import compile as compile_program
from sortal.prepare import table as prepare
from sortal.prepare.view import Labels, View
from sortal.testing.requirement import fingerprint
from sortal.training.candidate import Development, prepare_rows

KINDS: dict[str, str] = {
    "Float64": "number",
    "Boolean": "boolean",
    "String": "category",
    "Datetime": "datetime",
}
VIEWS = [
    View("raw", "codes"),
    View("raw", "onehot"),
    View("imputed", "codes"),
    View("scaled", "onehot"),
    View("raw", "codes", interactions=True),
]
LAWS = settings(max_examples=25)
SEEDS = st.integers(0, 2**32 - 1)


def table(frame: pl.DataFrame) -> Table:
    columns = [Column(name, KINDS[str(dtype.base_type())]) for name, dtype in frame.schema.items()]
    return Table(Schema(tuple(columns)), frame, np.arange(frame.height))


def mixed(n: int = 300, seed: int = 0) -> Table:
    """Every kind, with gaps; one category has so many levels that it is encoded by the target."""
    rng = np.random.default_rng(seed)
    hours = pl.Series(rng.integers(10**5, size=n)).cast(pl.Int64) * 3_600_000_000
    frame = pl.DataFrame(
        {
            "amount": rng.lognormal(size=n),
            "member": rng.random(n) < 0.3,
            "colour": rng.choice(["red", "green", "blue"], size=n).tolist(),
            "place": [f"place {i}" for i in rng.integers(50, size=n)],
            "when": hours.cast(pl.Datetime("us")),
        }
    )
    columns = [pl.when(pl.Series(rng.random(n) > 0.1)).then(pl.col(name)).alias(name) for name in frame.columns]
    return table(frame.select(*columns, full=pl.Series(rng.normal(size=n))))


def labels(n: int, n_classes: int = 2) -> Labels:
    return Labels(np.random.default_rng(1).integers(n_classes, size=n), n_classes)


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.numbers}-{v.categories}{'-interactions' * v.interactions}")
@pytest.mark.parametrize("select", [None, 5])
def test_a_design_describes_its_matrix(view: View, select: int | None) -> None:
    rows = mixed()
    preprocessor, matrix = prepare.fit(rows, labels(len(rows), 3), view, seed=0, select=select)
    assert matrix.shape == (len(rows), len(preprocessor.names))
    assert len(preprocessor.sources) == len(preprocessor.names) == len(set(preprocessor.names))
    for name, sources in zip(preprocessor.names, preprocessor.sources, strict=True):
        assert set(sources) <= set(rows.schema.names)
        assert name.startswith(sources[0])
    codes = {preprocessor.names[i] for i in preprocessor.categorical}
    if select is None:
        assert codes == ({"colour", "place"} if view.categories == "codes" else set())
    else:
        assert len(preprocessor.names) == select
        assert codes <= {"colour", "place"}
    assert view.numbers == "raw" or np.isfinite(matrix).all()


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.numbers}-{v.categories}{'-interactions' * v.interactions}")
def test_training_rows_and_rows_to_score_go_through_one_program(view: View) -> None:
    """Equal, but for the columns that training rows get out of fold."""
    rows = mixed()
    preprocessor, matrix = prepare.fit(rows, labels(len(rows)), view, seed=0)
    scored = preprocessor.transform(rows)
    learned = np.array(["share of class" in name for name in preprocessor.names])
    if view.numbers != "scaled":
        np.testing.assert_array_equal(matrix[:, ~learned], scored[:, ~learned])
    np.testing.assert_allclose(matrix[:, ~learned], scored[:, ~learned], rtol=1e-12)
    assert learned.any()
    assert (matrix[:, learned] != scored[:, learned]).any()


def test_imputing_and_indicators_are_those_of_scikit_learn() -> None:
    rows = mixed()
    numbers = table(rows.frame.select("amount", "full"))
    preprocessor, matrix = prepare.fit(numbers, labels(len(rows)), View("imputed", "codes"), seed=0)
    raw = numbers.frame.fill_null(np.nan).to_numpy()
    expected = np.hstack([SimpleImputer(strategy="median").fit_transform(raw), MissingIndicator().fit_transform(raw)])
    np.testing.assert_array_equal(matrix, expected)
    assert preprocessor.names == ("amount", "full", "amount is missing")
    assert preprocessor.sources == (("amount",), ("full",), ("amount",))


def test_scaling_is_that_of_scikit_learn() -> None:
    rows = mixed()
    imputed = prepare.fit(rows, labels(len(rows)), View("imputed", "onehot"), seed=0)[1]
    scaled = prepare.fit(rows, labels(len(rows)), View("scaled", "onehot"), seed=0)[1]
    np.testing.assert_allclose(scaled, StandardScaler().fit_transform(imputed), atol=1e-12)


def test_selection_keeps_the_columns_that_tell_the_class() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=400)
    columns = {f"noise {i}": rng.normal(size=400) for i in range(30)}
    columns["signal"] = truth + 0.3 * rng.normal(size=400)
    rows = table(pl.DataFrame(columns))
    preprocessor, matrix = prepare.fit(rows, Labels(truth, 2), View("raw", "codes"), seed=0, select=3)
    assert len(preprocessor.names) == 3
    assert "signal" in preprocessor.names
    np.testing.assert_array_equal(matrix, preprocessor.transform(rows))


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.numbers}-{v.categories}{'-interactions' * v.interactions}")
def test_columns_that_say_nothing_are_no_reason_to_stop(view: View) -> None:
    nothing = {
        "empty number": pl.Series([None] * 20, dtype=pl.Float64),
        "empty text": pl.Series([None] * 20, dtype=pl.String),
        "empty date": pl.Series([None] * 20, dtype=pl.Datetime("us")),
        "same": pl.Series(["a"] * 20),
        "seven": pl.Series([7.0] * 20),
    }
    for names in (list(nothing), ["same"], ["empty number"]):
        rows = table(pl.DataFrame(nothing).select(names))
        preprocessor, matrix = prepare.fit(rows, labels(20), view, seed=0)
        assert matrix.shape == (20, len(preprocessor.names))
        assert len(preprocessor.names) >= 1
        assert not np.isinf(matrix).any()


@LAWS
@given(SEEDS, st.sampled_from(VIEWS))
def test_rows_outside_the_training_part_never_change_what_is_fitted(seed: int, view: View) -> None:
    """The trap of a scaler fitted on all data: change every validation row, and not one bit of the program changes."""
    rng = np.random.default_rng(seed)
    rows = mixed(200, seed % 1000)
    codes = rng.integers(2, size=200)
    train = np.sort(rng.permutation(200)[:150])
    other = mixed(200, seed % 1000 + 1)
    changed = pl.concat([rows.take(train).frame, other.frame])
    position = np.full(200, -1)
    position[train] = np.arange(150)
    position[position < 0] = 150 + rng.integers(200, size=50)
    elsewhere = table(changed[position])
    flipped = codes.copy()
    flipped[np.setdiff1d(np.arange(200), train)] ^= 1
    programs = [
        prepare_rows(development(t, c), train, view).preprocessor.program
        for t, c in ((rows, codes), (elsewhere, flipped))
    ]
    assert fingerprint(programs[0]) == fingerprint(programs[1])


def development(rows: Table, codes: np.ndarray) -> Development:
    return Development(rows, codes, ("no", "yes"), seed=0)


@LAWS
@given(SEEDS)
def test_the_program_of_a_design_is_all_there_is_to_it(seed: int) -> None:
    """Compiled anew and fed plain columns, it gives what the preprocessor gives."""
    rows = mixed(120, seed % 1000)
    preprocessor, _ = prepare.fit(rows, labels(120), View("scaled", "onehot"), seed=0)
    later = mixed(50, seed % 1000 + 1)
    columns = later.columns([c.name for c in later.schema.features])
    np.testing.assert_array_equal(compile_program(preprocessor.program)(columns), preprocessor.transform(later))
