from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from sortal.core.odd import OddValues
from sortal.core.profile import profile
from sortal.core.schema import Column, Schema
from sortal.core.shift import Shift, Watch, _tail
from sortal.core.table import Table

KINDS = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}


def table(**columns) -> Table:
    frame = pl.DataFrame(columns)
    schema = Schema(tuple(Column(n, KINDS.get(type(t), "datetime")) for n, t in frame.schema.items()))
    return Table(schema, frame, np.arange(frame.height))


def shifts_by_column(before: Table, *batches: Table) -> dict[str, list[Shift]]:
    watch = Watch(profile(before))
    for batch in batches:
        watch.add(batch.columns(batch.schema.names))
    shifts: dict[str, list[Shift]] = {}
    for shift in watch.shifts():
        shifts.setdefault(shift.column, []).append(shift)
    return shifts


def customers(seed: int, rows: int) -> Table:
    rng = np.random.default_rng(seed)
    return table(
        fee=rng.lognormal(3, 1, rows),
        zeros=np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(size=rows)),
        plan=rng.choice(["pro", "basic", "plus"], rows, p=[0.2, 0.5, 0.3]),
        town=[f"town {n}" for n in rng.zipf(1.4, rows) % 5_000],
        member=rng.random(rows) < 0.3,
        since=[datetime(2020, 1, 1) + timedelta(days=float(d)) for d in rng.uniform(0, 700, rows)],
        holes=[None if x < -1.3 else x for x in rng.normal(size=rows)],
    )


def with_columns(batch: Table, **columns) -> Table:
    return Table(batch.schema, batch.frame.with_columns(**columns), batch.rows)


def test_rows_like_those_of_training_are_passed_over():
    n_messages = sum(
        len(shifts_by_column(customers(seed, 600), customers(1000 + seed, rows)))
        for seed in range(30)
        for rows in (20, 300)
    )
    assert n_messages <= 0.01 * 30 * 2 * 7


@given(
    values=st.lists(st.sampled_from([None, "a", "b", "c", "d"]), min_size=4, max_size=80),
    seed=st.integers(0, 100),
)
@settings(max_examples=60)
def test_the_very_rows_of_training_are_never_spoken_of_in_any_order_or_batch(values, seed):
    numbers = [None if v is None else float(ord(v)) for v in values]
    before = table(c=pl.Series(values, dtype=pl.String), x=pl.Series(numbers, dtype=pl.Float64))
    order = np.random.default_rng(seed).permutation(len(before))
    parts = np.array_split(order, 3)
    assert shifts_by_column(before, *(before.take(part) for part in parts)) == {}


@pytest.mark.parametrize(
    ("column", "change", "kind", "message"),
    [
        ("plan", pl.col("plan").str.to_uppercase(), "unseen", "none of its 200 values was seen in training, such as"),
        ("fee", pl.col("fee") / 1000, "range", "all values lie outside"),
        ("fee", pl.col("fee").sqrt(), "moved", "of the values are at most"),
        ("zeros", pl.lit(0.0), "constant", "it is 0 in all 200 rows, and was in 89.5 % in training"),
        ("plan", pl.lit("pro"), "constant", "it is 'pro' in all 200 rows"),
        (
            "plan",
            pl.col("plan").replace({"basic": "pro"}),
            "mix",
            "the mix of values is another: 'pro' in 60.5 % of the rows, 20.2 % in",
        ),
        ("member", ~pl.col("member"), "moved", "it is true in"),
        ("since", pl.col("since").dt.offset_by("-40y"), "range", "all values lie far outside 2020-01-0"),
        ("town", pl.col("town") + "!", "unseen", "none of its 200 values was seen"),
        ("holes", pl.lit(None, pl.Float64), "missing", "all values are missing, "),
    ],
)
def test_a_column_that_is_not_as_in_training_is_named_alone(column, change, kind, message):
    batch = customers(1, 200)
    shifts = shifts_by_column(customers(0, 1_000), with_columns(batch, **{column: change}))
    assert [*shifts] == [column]
    assert [shift.what for shift in shifts[column]] == [kind]
    assert shifts[column][0].message.startswith(f"{column!r}: ")
    assert message in shifts[column][0].message


def test_another_spelling_is_pointed_out():
    shifts = shifts_by_column(table(c=["Ja ", "nein"] * 50), table(c=["ja", "nein"] * 50))
    assert "(there it was 'Ja ')" in shifts["c"][0].message
    assert shifts["c"][0].share == 0.5


def test_dates_go_on():
    later = with_columns(customers(1, 200), since=pl.col("since").dt.offset_by("1y"))
    assert shifts_by_column(customers(0, 1_000), later) == {}


def test_missing_values_and_what_is_there_are_two_things():
    odd = with_columns(customers(1, 200), plan=pl.when(pl.int_range(200) % 2 == 0).then(pl.lit("PRO")))
    assert [shift.what for shift in shifts_by_column(customers(0, 1_000), odd)["plan"]] == ["missing", "unseen"]


def test_a_few_odd_values_do_not_matter_and_many_in_few_rows_do():
    before, few = customers(0, 1_000), pl.when(pl.int_range(1_000) < 15).then(pl.lit("new")).otherwise(pl.col("plan"))
    assert shifts_by_column(before, with_columns(customers(1, 1_000), plan=few)) == {}
    assert [*shifts_by_column(before, with_columns(customers(1, 20), plan=pl.col("plan") + "2"))] == ["plan"]
    assert shifts_by_column(before, with_columns(customers(1, 1), plan=pl.lit("new"))) == {}


@given(seed=st.integers(0, 50), n_first=st.integers(1, 199))
@settings(max_examples=20)
def test_batches_add_up(seed, n_first):
    before = customers(0, 500)
    whole = with_columns(customers(seed, 200), fee=pl.col("fee") / 1000, plan=pl.col("plan") + "2", zeros=pl.lit(0.0))
    parts = [whole.take(np.arange(n_first)), whole.take(np.arange(n_first, 200))]
    assert shifts_by_column(before, *parts) == shifts_by_column(before, whole) != {}


@given(rows=st.integers(1, 60), share=st.floats(0, 1), n_before=st.integers(2, 80), k_before=st.integers(0, 79))
@settings(max_examples=100)
def test_the_tail_is_beta_binomial(rows, share, n_before, k_before):
    now, k_before = round(share * rows), min(k_before, n_before - 1)
    # From its mode on, where it is used, the sum goes to the end.
    if now / rows >= k_before / n_before:
        assert _tail(now, rows, k_before, n_before) == pytest.approx(
            betabinom(rows, k_before + 1, n_before - k_before).sf(now - 1), rel=1e-6
        )


def test_values_beyond_the_extremes_of_like_rows_are_as_likely_as_the_tail_says():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(20_000, 39))
    before, after = draws[:, :29], draws[:, 29:]
    n_beyond = ((after < before.min(axis=1)[:, None]) | (after > before.max(axis=1)[:, None])).sum(axis=1)
    for k in (1, 2, 3):
        assert (n_beyond >= k).mean() == pytest.approx(_tail(k, 10, 1, 29), abs=0.01)


def test_columns_of_one_side_alone_are_passed_over():
    watch = Watch(profile(table(a=["x"] * 9, empty=pl.Series([None] * 9, dtype=pl.Float64))))
    watch.add({"new": ["y"] * 9, "empty": np.ones(9)})
    assert watch.shifts() == ()


def test_each_row_says_what_is_odd_about_it():
    before = table(plan=["pro", "basic"], fee=[1.5, 20.0], holes=[None, 1.0])
    rows = table(plan=["pro", "gold", None], fee=[25.0, 1.0, 20.0], holes=[None, 1.0, 7.0])
    notes = OddValues(profile(before)).of(rows.columns(rows.schema.names), 3)
    assert notes == [
        ["'fee': 25 is above 20, about the largest in training"],
        ["'plan': 'gold' was never seen in training", "'fee': 1 is below 1.5, about the smallest in training"],
        ["'plan': is missing, and never was in training", "'holes': 7 is above 1, about the largest in training"],
    ]


def test_importing_it_needs_numpy_alone():
    code = "import sys, sortal.core.shift; print(*{name.partition('.')[0] for name in sys.modules})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "sklearn", "polars", "pandas"} & set(process.stdout.split())
