"""Texts that come in are compared with those of training by what is measured of them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sortal.core.coded import take_rows
from sortal.core.odd import OddValues
from sortal.core.profile import ColumnProfile, halves, profile
from sortal.core.schema import Column, Schema
from sortal.core.shift import Watch
from sortal.core.table import Table
from sortal.core.text_measures import measures, script, words

ROWS = 400


def texts(seed: int, n: int = ROWS, first: int = 0) -> list[str | None]:
    rng = np.random.default_rng(seed)
    return [
        None if i % 50 == 9 else " ".join(f"word{w}" for w in first + rng.integers(0, 200, rng.integers(4, 12)))
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def reference() -> dict[str, ColumnProfile]:
    frame = pl.DataFrame({"review": texts(0)})
    return profile(Table(Schema((Column("review", "text"),)), frame, np.arange(ROWS)), smallest_count=5)


def test_words_and_script_of_any_language():
    assert words("snake_case, x 42 房间ok") == ["snake_case", "42", "房", "间", "ok"]
    assert [script(text) for text in ("Привет мир", "नमस्ते", "ﬁ", "?!", "カナ", "a 房间")] == [
        "cyrillic", "devanagari", "latin", None, "katakana", "cjk",
    ]  # fmt: skip


def test_measures_of_each_text():
    result = measures(["one two", None, "", "three three ONE five"], ["one", "two"])
    assert_array_equal(result["characters"], [7, np.nan, 0, 20])
    assert_array_equal(result["share of unusual words"], [0, np.nan, np.nan, 0.75])
    assert result["script"] == ["latin", None, None, "latin"]


def test_a_profile_holds_words_of_enough_rows_and_no_text(reference):
    column = reference["review"]
    assert (column.rows, column.missing) == (ROWS, ROWS // 50)
    assert min(column.counts) >= 5
    assert all(" " not in level for level in column.levels)
    first, _ = halves(ROWS)
    n_rows = sum(column.levels[0] in words(text or "") for text in take_rows(texts(0), first))
    assert column.counts[0] == n_rows
    assert [measure.measure for measure in column.measures] == ["characters", "share of unusual words", "script"]


def messages(reference: dict[str, ColumnProfile], rows: list[str | None]) -> list[str]:
    watch = Watch(reference)
    watch.add({"review": rows[:10]})
    watch.add({"review": rows[10:]})
    shifts = watch.shifts()
    assert {shift.column for shift in shifts} <= {"review"}
    return [shift.message for shift in shifts]


def test_texts_like_those_of_training_are_not_spoken_of(reference):
    assert [message for seed in range(1, 9) for message in messages(reference, texts(seed))] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([None] * 60, "'review': all values are missing"),
        ([(text or "word1") * 30 for text in texts(1, 60)], "'review', characters: all values lie outside"),
        (texts(1, 100, first=1000), "'review', share of unusual words: "),
        (["".join(chr(0x430 + ord(c) % 32) for c in (t or "word")) for t in texts(1, 80)], "'review', script: none of"),
    ],
)
def test_other_texts_are_spoken_of_by_what_is_other(reference, rows, message):
    assert any(text.startswith(message) for text in messages(reference, rows))


def test_what_is_odd_of_single_texts(reference):
    rows = [texts(1)[0], None, "слово слово слово слово", "word1 " * 100]
    plain, missing, cyrillic, long = OddValues(reference).of({"review": rows}, 4)
    assert plain == missing == []
    assert cyrillic[-1] == "'review', script: 'cyrillic' was never seen in training"
    assert long == [
        f"'review', characters: 600 is above {reference['review'].measures[0].ends[1]:.4g}, about the largest in training"
    ]
    none_missing = {
        "review": replace(
            reference["review"], measures=tuple(replace(m, missing=0) for m in reference["review"].measures)
        )
    }
    assert OddValues(none_missing).of({"review": [None]}, 1) == [["'review': is missing, and never was in training"]]


def test_long_texts_and_many_take_bounded_time():
    frame = pl.DataFrame({"t": ["one two three"] * 200_000 + ["x " * 1_000_000] * 3})
    table = Table(Schema((Column("t", "text"),)), frame, np.arange(frame.height))
    start = time.process_time()
    assert profile(table)["t"].rows <= 20_000
    assert time.process_time() - start < 5
