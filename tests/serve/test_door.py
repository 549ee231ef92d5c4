"""Rows of JSON get the numbers that they get by every other door, and every fault is named by row and field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.core.door import Rows, rows_of
from sortal.core.errors import DataError
from sortal.core.images import from_base64, sample_image
from sortal.core.kinds import BUILT_IN, kind_of
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.serve.door import CACHE_SIZE, MOST_HINTS, Door
from sortal.serve.http import HttpError
from sortal.serve.limits import Limits
from tests.toy_plugin.toy_plugin import Colour

LIMITS = Limits()


def by_the_other_door(model: Model, row: dict[str, Any]) -> Rows | None:
    """The row as it is read everywhere else; None where it is refused."""
    try:
        return rows_of(row, model.needs)
    except DataError:
        return None


def values(rows: Rows, at: int) -> list[Any]:
    """What a program reads of one row; NaN equals itself."""
    return [str(column[at]) if isinstance(column, np.ndarray) else column[at] for column in sorted_columns(rows)]


def sorted_columns(rows: Rows) -> list[Any]:
    return [rows.columns[name] for name in sorted(rows.columns)]


@given(data=st.data())
@settings(max_examples=200)
def test_a_row_is_read_as_by_every_other_door_or_refused_where_they_refuse_it(
    model: Model, any_row: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    door = Door(model)
    rows = data.draw(st.lists(any_row, min_size=1, max_size=5))
    expected = [by_the_other_door(model, row) for row in rows]
    refused_rows = {at for at, outcome in enumerate(expected) if outcome is None}
    for _ in range(2):  # the second time what was remembered is looked up
        if refused_rows:
            assert {fault.row for fault in refusal(door, *rows).errors} == refused_rows
        good_rows = [row for at, row in enumerate(rows) if at not in refused_rows]
        if good_rows:
            read_rows = door.read(good_rows, LIMITS).rows
            accepted_rows = [outcome for outcome in expected if outcome is not None]
            assert [values(read_rows, at) for at in range(len(good_rows))] == [
                values(outcome, 0) for outcome in accepted_rows
            ]


@pytest.fixture
def door(model: Model) -> Door:
    return Door(model)


def refusal(door: Door, *rows: dict[str, Any], limits: Limits = LIMITS) -> HttpError:
    with pytest.raises(HttpError) as error:
        door.read(rows, limits)
    return error.value


def test_all_faults_are_named_at_once_in_the_order_of_the_rows(door: Door) -> None:
    error = refusal(door, {"age": "old"}, {"aeg": 3, "age": 1}, {"since": "soon", "photo": "no photo", "age": []})
    assert [(fault.row, fault.field, fault.code) for fault in error.errors] == [
        (0, "age", "wrong-value"),
        (1, "aeg", "unknown-field"),
        (2, "age", "wrong-type"),
        (2, "since", "wrong-value"),
        (2, "photo", "unreadable"),
    ]
    assert "did you mean 'age'" in error.errors[1].detail
    assert error.errors[3].detail == "expected a date, written like 2018-07-31"


def test_a_refusal_quotes_no_value(door: Door) -> None:
    secret = "Secret7"
    error = refusal(door, {"age": secret, "since": secret, "photo": secret, "unread": secret})
    assert len(error.errors) == 3
    assert secret.encode() not in error.response().body


def test_a_refusal_names_no_more_than_so_many_faults_and_looks_at_few_more(door: Door) -> None:
    error = refusal(door, *[{"age": "old"}] * 5_000, limits=Limits(errors=7))
    assert [fault.row for fault in error.errors] == [*range(7)]
    assert "first 7" in error.detail


def test_an_image_never_names_a_file_of_the_server(door: Door, tmp_path: Any) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(sample_image(0))
    assert from_base64(str(file)) is None
    error = refusal(door, {"photo": str(file)})
    assert error.errors[0].code == "unreadable"
    assert door.read([{"photo": file.read_bytes()}], LIMITS).rows.columns["photo"] == [sample_image(0)]


def test_an_absent_field_is_missing_and_said_so_once(model: Model, door: Door) -> None:
    batch = door.read([{"age": 40}], LIMITS)
    warnings = [*batch.warnings[0], *model.answer_rows(batch.rows, warnings=True).warnings[0]]
    assert [warning.partition(":")[0] for warning in warnings] == ["'member'", "'since'", "'note'", "'photo'", "'city'"]
    assert all("missing" in warning for warning in warnings)


def test_what_is_neither_yes_nor_no_is_missing_and_said_so_every_time(door: Door) -> None:
    for _ in range(2):
        assert door.read([{"member": "maybe"}], LIMITS).warnings[0][0] == (
            "'member': is not yes or no, and counts as missing"
        )


def test_columns_of_the_training_table_that_are_not_read_are_accepted(door: Door) -> None:
    batch = door.read([{"age": 1, "unread": {"any": ["thing"]}, "id": 7, "y": "yes"}], LIMITS)
    assert set(batch.rows.columns) == {"age", "city", "member", "since", "note", "photo"}


def test_names_are_read_as_those_of_files_are(door: Door) -> None:
    assert door.read([{" age ": 41}], LIMITS).rows.columns["age"][0] == 41
    assert refusal(door, {"age": 1, " age": 2}).errors[0].code == "repeated-name"


def test_texts_are_no_longer_than_the_limit(door: Door) -> None:
    assert refusal(door, {"note": "x" * 11}, limits=Limits(text=10)).errors[0].code == "too-long"
    for name in ("age", "city", "member", "since"):
        assert refusal(door, {name: "1" * 11}, limits=Limits(value=10)).errors[0].code == "too-long"


def test_an_image_of_too_many_pixels_is_not_decoded(door: Door) -> None:
    assert refusal(door, {"photo": sample_image(0)}, limits=Limits(pixels=255)).errors[0].code == "unreadable"
    assert door.read([{"photo": sample_image(0)}], Limits(pixels=256)).warnings


def test_few_unknown_fields_are_told_what_they_are_near(door: Door) -> None:
    error = refusal(door, {f"age{at}": 1 for at in range(30)})
    assert sum("did you mean" in fault.detail for fault in error.errors) == MOST_HINTS


def test_usual_texts_are_known_before_the_first_row(door: Door) -> None:
    caches = {cells.name: cells._caches[str] for cells in door._cells}
    assert caches["city"] == {"Bonn": "Bonn", "Ulm": "Ulm"}
    assert caches["member"] == {"no": False, "yes": True}
    assert caches["note"] == {}


def test_what_is_remembered_does_not_grow_without_end(door: Door) -> None:
    door.read([{"city": f"city {at}"} for at in range(3 * CACHE_SIZE)], LIMITS)
    assert max(len(cache) for cells in door._cells for cache in cells._caches.values()) <= CACHE_SIZE


def test_a_row_of_very_many_fields_is_not_looked_at_field_by_field(door: Door) -> None:
    door.check_width([{f"a{at}": 1 for at in range(100)}])
    with pytest.raises(HttpError) as error:
        door.check_width([{"age": 1}, {f"a{at}": 1 for at in range(200)}])
    assert [(fault.row, fault.code) for fault in error.value.errors] == [(1, "too-many-fields")]


ODD_NOTATIONS = (
    Column("price", "number", format=",."),
    Column("dollars", "number", format=".,$"),
    Column("score", "number", absent=("-9", "none")),
    Column("length", "number", format="duration"),
    Column("zip", "category", format="exact"),
    Column("sex", "boolean", levels=("f", "m")),
    Column("answer", "boolean", levels=("1", "2")),
    Column("day", "datetime", format="%d/%m/%Y"),
    Column("stamp", "datetime", format="%Y%m%d"),
    Column("seen", "datetime", format="%Y-%m-%d %H:%M:%S%.f%z"),
)
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 20_300_000),
    st.floats(-1e4, 1e4),
    st.sampled_from(
        ["1.234,5", "1,234.5", "$1,200.50", "12,5", "-9", "-9.0", "none", "1:30:00", "PT90M", "2 days", "(3)"]
    ),
    st.sampled_from(
        ["1", "1.0", "TRUE", "m", "F", "x", "02/01/2020", "2020-01-02T10:00:00Z", "20200102", "2020-13-01"]
    ),
    st.sampled_from(["2020-01-02 10:00:00+01", " 5 ", "\u00a05", "1_0", "٣", "1e5", "0x10", "+7", ".5", "5.", "-"]),
)


@given(name=st.sampled_from([column.name for column in ODD_NOTATIONS]), cells=st.lists(odd, min_size=1, max_size=9))
@settings(max_examples=300)
def test_every_notation_is_read_as_by_every_other_door(name: str, cells: list[Any]) -> None:
    rows = [{name: cell} for cell in cells]
    model = model_of(ODD_NOTATIONS)
    door = Door(model)
    expected = [by_the_other_door(model, row) for row in rows]
    refused_rows = {at for at, outcome in enumerate(expected) if outcome is None}
    if refused_rows:
        assert {fault.row for fault in refusal(door, *rows).errors} == refused_rows
    good_rows = [row for at, row in enumerate(rows) if at not in refused_rows]
    for _ in range(2):
        if good_rows:
            read_rows = door.read(good_rows, LIMITS).rows
            accepted_rows = [outcome for outcome in expected if outcome is not None]
            assert [values(read_rows, at) for at in range(len(good_rows))] == [
                values(outcome, 0) for outcome in accepted_rows
            ]


def model_of(columns: Sequence[Column]) -> Model:
    """A model that reads these columns, whatever it makes of them."""
    ops = {
        column.name: Program("number", {"column": column.name})
        if kind_of(column.kind).numeric
        else Program("lookup", {"column": column.name, "categories": ["a"]}, {"table": np.zeros((3, 1))})
        for column in columns
    }
    task = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
    return Model(
        schema=Schema((*columns, Column("y", "category", "target"))),
        task=task,
        decision=Decision("argmax", task.classes),
        program=Program("table", steps=tuple(ops.values())),
    )


def test_a_kind_of_a_plug_in_is_read_by_its_own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "colour", Colour())
    door = Door(model_of([Column("paint", "colour")]))
    for _ in range(2):
        assert door.read([{"paint": "#FF8800"}, {"paint": None}], LIMITS).rows.columns["paint"] == ["#ff8800", None]
    error = refusal(door, {"paint": "red"}, {"paint": 7})
    assert [fault.detail for fault in error.errors] == ["expected a colour such as #ff8800"] * 2


@given(data=st.data())
@settings(max_examples=200)
def test_a_row_alone_is_read_and_answered_as_a_batch_of_one(
    model: Model, any_row: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    """To the bit, with the same warnings and faults, and also where its values are remembered."""
    door, row = Door(model), data.draw(any_row)
    for _ in range(2):
        if by_the_other_door(model, row) is None:
            with pytest.raises(HttpError) as excinfo:
                door.read_row(row, LIMITS)
            assert excinfo.value.errors == refusal(door, row).errors
            continue
        batch = door.read([row], LIMITS)
        values, warnings = door.read_row(row, LIMITS)
        assert list(warnings) == list(batch.warnings[0])
        batch_answer, answer = model.answer_rows(batch.rows, warnings=True), model.answer_row(values)
        assert answer.probabilities == batch_answer.probabilities[0].tolist()
        assert batch_answer.warnings is not None
        assert answer.warnings == batch_answer.warnings[0]
        assert (answer.label, answer.decision) == (batch_answer.labels[0], batch_answer.decisions[0])
        assert answer.set == (None if batch_answer.sets is None else batch_answer.sets[0].tolist())
