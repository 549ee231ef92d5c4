"""A long text costs time that grows with its length, not with the square of it, wherever a pattern looks at it."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress

import polars as pl
import pytest

from sortal.core.cells import as_float
from sortal.core.door import read_rows
from sortal.core.errors import InputError
from sortal.core.kinds.number import DURATION
from sortal.core.schema import Column, Schema, column_name
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem
from sortal.data.read import read

LENGTH, SECONDS = 100_000, 5.0
"""By the square of it, the shortest of these takes a minute."""


PARTS = ["9", " ", ".", ",", "-", "e", "/", ":", "(", "9 ", "1,", "1-", "0:", "inf", "\u00a0", "$"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", ["values", "name", "labels"])
def test_a_long_text_is_looked_at_in_one_pass(part, place):
    text = "1" + part * (LENGTH // len(part)) + "x"
    values = [text if i % 2 else f"{i % 7}.5" for i in range(30)]
    labels = ["a", text] if place == "labels" else ["a", "b"]
    frame = pl.DataFrame(
        {
            text if place == "name" else "v": values if place == "values" else range(30),
            "w": range(30),
            "y": labels * 15,
        },
        strict=False,
    )
    start = time.process_time()
    with suppress(InputError):
        frame_problem(frame, GoalOptions("y"), RowOptions())
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("part", ["9", "9.", "1e9", ".9", "-"])
def test_a_long_text_is_no_number_in_one_pass(part):
    start = time.process_time()
    assert as_float(part + "9" * LENGTH + "x") is None
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("part", PARTS)
def test_a_long_value_of_a_request_is_looked_at_in_one_pass(part):
    """Without polars, by the patterns of Python."""
    text = "1" + part * (LENGTH // len(part)) + "x"
    columns = [Column("v", "number", format=form) for form in (".", ",.", ". ", ".,$", DURATION)]
    columns += [Column("v", "datetime", format="%d/%m/%Y"), Column("v", "boolean", levels=("no", "yes"))]
    start = time.process_time()
    for column in (*columns, Column("v", "category")):
        with suppress(InputError):
            read_rows({"v": text}, Schema((column,)))
    assert time.process_time() - start < SECONDS


def test_blanks_around_a_name_go_and_those_within_stay():
    assert column_name("\ufeff \u3000\ta  b\u00a0\n\ufeff") == "a  b"
    start = time.process_time()
    assert len(column_name("a" + " " * 300_000 + "b")) == 300_002
    assert time.process_time() - start < SECONDS


def test_a_file_whose_name_is_not_in_utf_8_is_read_or_refused(tmp_path):
    frame = pl.DataFrame({"a": [1, 2]})
    for ending, write in (
        ("csv", frame.write_csv),
        ("parquet", frame.write_parquet),
        ("arrow", frame.write_ipc),
        ("jsonl", frame.write_ndjson),
    ):
        plain, odd = tmp_path / f"a.{ending}", tmp_path / f"\udcff.{ending}"
        write(plain)
        plain.rename(odd)
        with pytest.raises(InputError, match="rename the file") if ending in ("parquet", "arrow") else nullcontext():
            assert read(odd).frame.height == 2
