"""Which rows of a log a challenger learns from, which judge it, and how they become rows of the old table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.core.coincidence import coincidence
from sortal.core.door import read_rows
from sortal.core.errors import DataError
from sortal.core.frame import conform_column
from sortal.core.recipe import Recipe
from sortal.core.relations import same_rows
from sortal.core.schema import Column, Schema
from sortal.retrain.cases import Case, divide, labelled_cases, of_others, unseen_cases, usable
from sortal.retrain.rows import as_sent, fresh_rows, new_rows, recipe_for, together
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord
from tests.monitor.test_watch import SHA256, a_model, prediction

OTHER = "ef" * 32


def case(at: float, label: str = "yes", by: str = SHA256, **inputs: Any) -> Case:
    record = prediction(f"r{at}", at, model=by, inputs=inputs or {"x": 4.0, "plan": "pro"})
    return Case(record.row_id, at, by, label, {by: record})


def rows_of(cases: list[Case], model: Model, old: pl.DataFrame | None) -> pl.DataFrame:
    return fresh_rows(cases, as_sent(cases, model.schema.columns), model, old)


moments = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([SHA256, OTHER])), max_size=30)


@given(moments, st.floats(0.05, 0.95))
def test_who_judges_was_answered_by_the_champion_first_and_after_all_that_was_learned(
    moments: list[tuple[int, str]], share: float
) -> None:
    cases = [case(float(at), by=by) for at, by in sorted(moments)]
    try:
        division = divide(cases, SHA256, share)
    except DataError:
        answer_times = [item.first for item in cases if item.by == SHA256]
        assert len(answer_times) < 2 or answer_times[-max(1, int(share * len(answer_times)))] == cases[0].first
        return
    assert division.learn
    assert division.judge
    assert all(item.by == SHA256 and item.first > division.until for item in division.judge)
    assert max(item.first for item in division.learn) == division.until
    assert list(unseen_cases(cases, SHA256, division.until)) == list(division.judge)
    rest = len(cases) - len(division.learn) - len(division.judge)
    assert [int(note.split()[0]) for note in of_others(cases, SHA256, division.until)] == ([rest] if rest else [])


def test_a_case_is_known_by_its_first_answer_and_has_the_last_of_each_model(tmp_path: Any) -> None:
    store = open_store(f"sqlite:///{tmp_path}/served.db")
    store.add_predictions(
        [
            prediction("a", 1.0, model=OTHER, role="shadow"),
            prediction("a", 2.0, probabilities=(0.3, 0.7)),
            prediction("a", 3.0, probabilities=(0.2, 0.8)),
            prediction("a", 4.0, model=OTHER),
            prediction("unlabelled", 2.0),
            prediction("only the shadow", 2.0, role="shadow"),
        ]
    )
    store.add_labels([LabelRecord("a", "no", 9.0), LabelRecord("only the shadow", "no", 9.0)])
    [labelled_case] = labelled_cases(store)
    store.close()
    assert (labelled_case.row_id, labelled_case.first, labelled_case.by, labelled_case.label) == (
        "a",
        2.0,
        SHA256,
        "no",
    )
    assert labelled_case.record.probabilities == (0.2, 0.8)
    assert labelled_case.answers[OTHER].time == 4.0


def test_what_cannot_be_used_is_left_out_with_a_sentence() -> None:
    hidden = case(1.0)
    hidden = replace(hidden, answers={SHA256: prediction("r1.0", 1.0, inputs={"x": 1.0}, redacted=("plan",))})
    usable_cases, notes = usable([hidden, case(2.0, label="maybe"), case(3.0)], ("x", "plan"), ("no", "yes"))
    assert [item.first for item in usable_cases] == [3.0]
    assert notes[0].startswith("1 labelled rows cannot be used: the service keeps 'plan' out of the log (--redact)")
    assert "'maybe'" in notes[1]
    assert usable([hidden], ("x",), ("no", "yes")) == ([hidden], [])


def test_the_same_values_come_from_the_log_as_from_the_file() -> None:
    """In the notation of a file of texts, and in the types of one that has them."""
    schema = Schema(
        (
            Column("price", "number", format=","),
            Column("zip", "category"),
            Column("member", "boolean", levels=("no", "yes")),
            Column("y", "category", role="target"),
        )
    )
    model = a_model(schema=schema)
    cases = [case(1.0, price=2.5, zip="01", member=True), case(2.0, label="no", price=3, zip=7.0, member=None)]
    texts = pl.DataFrame({"price": ["1,5"], "zip": ["02"], "member": ["no"], "extra": ["?"], "y": ["yes"]})
    fresh = rows_of(cases, model, texts)
    assert fresh.rows() == [("2,5", "01", "yes", None, "yes"), ("3", "7", None, None, "no")]
    assert together(texts, fresh).schema == texts.schema
    typed_table = pl.DataFrame({"price": [1, 2], "zip": ["02", "03"], "member": [True, False], "y": ["yes", "no"]})
    both = together(typed_table, rows_of(cases, model, typed_table))
    assert both["price"].to_list() == [1.0, 2.0, 2.5, 3.0]
    narrow = typed_table.with_columns(pl.col("price").cast(pl.Int8))
    dear = [case(1.0, price=300, zip="01", member=True)]
    assert together(narrow, rows_of(dear, model, narrow))["price"].to_list() == [1, 2, 300]
    assert both["member"].to_list() == [True, False, True, None]


@pytest.mark.parametrize("notation", ["texts", "types", "none"])
def test_a_field_is_of_its_column_whichever_form_its_name_has(notation: str) -> None:
    schema = Schema((Column("größe", "number"), Column("y", "category", role="target")))
    tables = {
        "texts": pl.DataFrame({"größe": ["1"], "y": ["no"]}),
        "types": pl.DataFrame({"größe": [1.5], "y": ["no"]}),
    }
    names = ("größe", "gro\u0308ße", " größe")
    cases = [case(float(at), **{name: at + 0.5}) for at, name in enumerate(names)]
    fresh = rows_of(cases, a_model(schema=schema), tables.get(notation))
    assert fresh["größe"].cast(pl.Float64).to_list() == [0.5, 1.5, 2.5]


NUMBERS = st.sampled_from(
    [1.234, 1234, 2**70, 1.5e-07, 1.25e20, -3, 0.5, True, False, None, "2,5", "1.234", "1.234,5", "NA", ""]
)


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.sampled_from(["texts", "whole", "floats", "none"]))
def test_a_number_means_what_it_means_alone_whatever_stands_beside_it(values: list[Any], notation: str) -> None:
    """In a column with German numbers, where "1.234" is more than a thousand, and 1.234 of JSON is not."""
    price = Column("price", "number", format=",.")
    old_values = {"texts": ["1,5"], "whole": [3], "floats": [1.5]}.get(notation)
    old = None if old_values is None else pl.DataFrame({"price": old_values, "y": ["no"]})
    cases = [case(float(at), price=value) for at, value in enumerate(values)]
    fresh = rows_of(cases, a_model(schema=Schema((price, Column("y", "category", role="target")))), old)
    alone = [read_rows([{"price": value}], Schema((price,))).columns["price"][0] for value in values]
    expected = [None if np.isnan(value) else value for value in alone]
    assert conform_column(together(old, fresh), price)[0 if old is None else 1 :].to_list() == expected


LEVELS = st.one_of(st.integers(-300, 300), st.booleans(), st.sampled_from(["W1A", "007", "7", "1.0", "true", "2.50"]))
OLD_LEVELS = st.sampled_from(
    [
        pl.Series("zip", [7, 98101]),
        pl.Series("zip", [7, 9], dtype=pl.Int8),
        pl.Series("zip", [7.0, 2.5]),
        pl.Series("zip", [True, False]),
        pl.Series("zip", ["7", "W1A"], dtype=pl.Categorical),
        pl.Series("zip", ["7", "W1A"], dtype=pl.Enum(["7", "W1A"])),
        pl.Series("zip", ["7", "W1A"]),
    ]
)


@given(st.lists(LEVELS | st.none(), min_size=1, max_size=4), OLD_LEVELS)
def test_a_level_means_the_same_beside_the_old_rows_whatever_type_they_have(
    levels: list[Any], old_levels: pl.Series
) -> None:
    schema = Schema((Column("zip", "category"), Column("y", "category", role="target")))
    zip_column, cases = schema["zip"], [case(float(at), zip=level) for at, level in enumerate(levels)]
    old = pl.DataFrame([old_levels, pl.Series("y", ["no", "yes"])])
    both = together(old, rows_of(cases, a_model(schema=schema), old))
    expected = [
        *conform_column(old, zip_column),
        *(conform_column(pl.DataFrame({"zip": [v]}), zip_column)[0] for v in levels),
    ]
    assert conform_column(both, zip_column).to_list() == expected


def times(column: Column) -> Mapping[str, Any]:
    return {"schema": Schema((Column("x", "number"), column, Column("y", "category", role="target")))}


def test_the_time_of_an_answer_stands_in_for_a_date_and_for_nothing_else() -> None:
    day = Column("day", "datetime", role="time", format="%d/%m/%Y")
    old = pl.DataFrame({"x": ["1"], "day": ["31/12/2019"], "y": ["no"]})
    cases = [case(86400.0 * 365, x=1.0)]
    fresh = rows_of(cases, a_model(**times(day)), old)
    assert fresh["day"].to_list() == ["01/01/1971"]
    with pytest.raises(DataError, match="'day' is the time of the champion's recipe, and 1 of 1 labelled rows"):
        rows_of(cases, a_model(**times(Column("day", "number", role="time"))), old)


def test_a_recipe_leaves_out_what_nobody_sends_and_keeps_kinds() -> None:
    model, recipe = a_model(), Recipe.of("y", seed=3, budget="7s").with_options(sampled=9)
    cases = [case(1.0, x=4.0)]
    fresh = rows_of(cases, model, None)
    own_recipe, notes = recipe_for(recipe, fresh, fresh, model)
    assert (own_recipe.rows.ignore, own_recipe.search.seed, own_recipe.search.sampled) == (("plan",), 3, 0)
    assert notes == ["no fresh row has 'plan', so the challenger does without"]
    codes = pl.DataFrame({"x": ["1", "2"], "plan": ["1", "2"], "y": ["no", "yes"]})
    own_recipe, notes = recipe_for(recipe, codes, codes, model)
    assert (own_recipe.rows.kind, own_recipe.rows.ignore, notes) == ({"plan": "category"}, (), [])


ROW_LISTS = st.lists(
    st.tuples(st.sampled_from([*range(1_000)]), st.sampled_from(["pro", "basic"])), max_size=30, unique=True
)
"""Rows of which none is there more often than a record may be."""


@given(ROW_LISTS, ROW_LISTS, ROW_LISTS)
def test_what_a_challenger_learned_from_does_not_judge_it(
    old: list[tuple[int, str]], train_rows: list[tuple[int, str]], judge_rows: list[tuple[int, str]]
) -> None:
    """By hand: rows of fine columns that agree are one record, in whatever type the old table has them."""
    learned = [] if not old else [pl.DataFrame({"x": [f"{x}" for x, _ in old], "plan": [plan for _, plan in old]})]
    learned += (
        []
        if not train_rows
        else [as_sent([case(0.0, x=float(x), plan=plan) for x, plan in train_rows], a_model().schema.columns)]
    )
    cases = [case(float(at), x=float(x), plan=plan) for at, (x, plan) in enumerate(judge_rows)]
    used_rows = {*old, *train_rows}
    expected = [item for item, row in zip(cases, judge_rows, strict=True) if row not in used_rows]
    try:
        new, notes = new_rows(cases, learned, a_model())
    except DataError as error:
        assert (expected, "copies of rows that a challenger" in str(error)) == ([], True)  # noqa: PT017
        return
    all_rows = pl.DataFrame([*old, *train_rows, *judge_rows], schema=["x", "plan"], orient="row")
    by_chance = all_rows.height > 0 and coincidence(all_rows, same_rows(all_rows)).explains
    assert new == (cases if by_chance else expected)
    assert [int(note.split()[0]) for note in notes] == ([] if new == cases else [len(cases) - len(new)])


def test_a_table_of_few_distinct_rows_judges_with_all_of_them() -> None:
    rows = [(x, plan) for x in range(3) for plan in ("pro", "basic")] * 40
    cases = [case(float(at), x=float(x), plan=plan) for at, (x, plan) in enumerate(rows)]
    assert new_rows(cases[120:], [as_sent(cases[:120], a_model().schema.columns)], a_model()) == (cases[120:], [])
