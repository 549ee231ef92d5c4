"""Which rows are like none of training."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.coded import Coded
from sortal.core.profile import ColumnProfile, comparable, compared, profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.core.unlike import unlike


def level_profile(**changes: object) -> ColumnProfile:
    counts = {"rows": 100, "missing": 0, "distinct": 2, "levels": ("a", "b"), "counts": (60, 40)}
    return ColumnProfile("c", "category", **{**counts, **changes})  # type: ignore[arg-type]


NUMBERS = ColumnProfile(
    "x", "number", rows=100, missing=0, distinct=100, quantiles=(0.0, 1.0), reached=(1, 100), ends=(0.0, 1.0)
)


def test_a_level_that_never_was_and_a_number_beyond_the_ends() -> None:
    values = {"c": ["a", "b", "new", None, "a"], "x": np.array([0.5, 1.5, 0.0, np.nan, -0.1])}
    assert unlike({"c": level_profile()}, values, 5).tolist() == [False, False, True, False, False]
    assert unlike({"x": NUMBERS}, values, 5).tolist() == [False, True, False, False, True]
    assert unlike({"c": level_profile(), "x": NUMBERS}, values, 5).tolist() == [False, True, True, False, True]


def test_where_new_levels_are_usual_one_is_nothing_special() -> None:
    values = {"c": ["new"]}
    assert unlike({"c": level_profile(barely=1)}, values, 1).all()
    assert not unlike({"c": level_profile(barely=2)}, values, 1).any()
    assert not unlike({"c": level_profile(others=2)}, values, 1).any()


def test_columns_that_are_not_there_or_never_had_a_value_say_nothing() -> None:
    assert unlike({"c": level_profile()}, {}, 3).tolist() == [False] * 3
    empty = level_profile(missing=100, distinct=0, levels=(), counts=())
    assert not unlike({"c": empty}, {"c": ["new"]}, 1).any()
    assert unlike({}, {"c": ["new"]}, 0).tolist() == []


@given(st.lists(st.sampled_from(["a", "b", "new", None]), max_size=30))
def test_codes_say_what_texts_say(texts: list[str | None]) -> None:
    levels = ("new", "b", None, "a")
    codes = np.array([levels.index(text) for text in texts], dtype=np.int64)
    of_codes = unlike({"c": level_profile()}, {"c": Coded(levels, codes)}, len(texts))
    assert of_codes.tolist() == unlike({"c": level_profile()}, {"c": texts}, len(texts)).tolist()
    assert of_codes.tolist() == [text == "new" for text in texts]


def test_of_rows_like_those_of_training_hardly_any_are() -> None:
    """Half of a table against the other: numbers with long tails, levels from common to rare, many identifiers."""
    rng = np.random.default_rng(0)
    n = 8_000
    frame = pl.DataFrame(
        {
            "tail": rng.lognormal(sigma=2, size=n),
            "level": [f"level {code}" for code in np.minimum(rng.geometric(0.3, n), 8)],
            "id": [f"id {code}" for code in rng.integers(0, 4_000, n)],
        }
    )
    schema = Schema((Column("tail", "number"), Column("level", "category"), Column("id", "category")))
    tables = [Table(schema, frame[half], np.arange(n // 2)) for half in (slice(0, n // 2), slice(n // 2, n))]
    profiles = profile(tables[0])
    fresh = comparable(profiles, tables[1].columns(list(frame.columns)))
    assert unlike(compared(profiles), fresh, n // 2).mean() < 0.005
