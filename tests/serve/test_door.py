"""Rows of JSON get the numbers that they get by every other door, and every fault is named by row and field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.core.door import Rows, rows_of
from sortal.core.errors import DataError
from sortal.core.images import drawn, from_base64
from sortal.serve.door import KNOWN, Door
from sortal.serve.http import HttpError
from sortal.serve.limits import Limits

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
@settings(max_examples=200, deadline=None)
def test_a_row_is_read_as_by_every_other_door_or_refused_where_they_refuse_it(
    model: Model, any_row: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    door = Door(model)
    rows = data.draw(st.lists(any_row, min_size=1, max_size=5))
    expected = [by_the_other_door(model, row) for row in rows]
    refused = {at for at, each in enumerate(expected) if each is None}
    for _ in range(2):  # the second time what was remembered is looked up
        if refused:
            assert {each.row for each in refusal(door, *rows).errors} == refused
        fine = [row for at, row in enumerate(rows) if at not in refused]
        if fine:
            read = door.read(fine, LIMITS).rows
            known = [each for each in expected if each is not None]
            assert [values(read, at) for at in range(len(fine))] == [values(each, 0) for each in known]


@pytest.fixture
def door(model: Model) -> Door:
    return Door(model)


def refusal(door: Door, *rows: dict[str, Any], limits: Limits = LIMITS) -> HttpError:
    with pytest.raises(HttpError) as error:
        door.read(rows, limits)
    return error.value


def test_all_faults_are_named_at_once_in_the_order_of_the_rows(door: Door) -> None:
    error = refusal(door, {"age": "old"}, {"aeg": 3, "age": 1}, {"since": "soon", "photo": "no photo", "age": []})
    assert [(each.row, each.field, each.code) for each in error.errors] == [
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
    assert [each.row for each in error.errors] == [*range(7)]
    assert "first 7" in error.detail


def test_an_image_never_names_a_file_of_the_server(door: Door, tmp_path: Any) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(drawn(0))
    assert from_base64(str(file)) is None
    error = refusal(door, {"photo": str(file)})
    assert error.errors[0].code == "unreadable"
    assert door.read([{"photo": file.read_bytes()}], LIMITS).rows.columns["photo"] == [drawn(0)]


def test_an_absent_field_is_missing_and_said_so_once(model: Model, door: Door) -> None:
    read = door.read([{"age": 40}], LIMITS)
    said = [*read.warnings[0], *model.answer_rows(read.rows, warnings=True).warnings[0]]
    assert [each.partition(":")[0] for each in said] == ["'member'", "'since'", "'note'", "'photo'", "'city'"]
    assert all("missing" in each for each in said)


def test_what_is_neither_yes_nor_no_is_missing_and_said_so_every_time(door: Door) -> None:
    for _ in range(2):
        assert door.read([{"member": "maybe"}], LIMITS).warnings[0][0] == (
            "'member': is not yes or no, and counts as missing"
        )


def test_columns_of_the_training_table_that_are_not_read_are_accepted(door: Door) -> None:
    read = door.read([{"age": 1, "unread": {"any": ["thing"]}, "id": 7, "y": "yes"}], LIMITS)
    assert set(read.rows.columns) == {"age", "city", "member", "since", "note", "photo"}


def test_names_are_read_as_those_of_files_are(door: Door) -> None:
    assert door.read([{" age ": 41}], LIMITS).rows.columns["age"][0] == 41
    assert refusal(door, {"age": 1, " age": 2}).errors[0].code == "repeated-name"


def test_texts_are_no_longer_than_the_limit(door: Door) -> None:
    assert refusal(door, {"note": "x" * 11}, limits=Limits(text=10)).errors[0].code == "too-long"


def test_what_is_remembered_does_not_grow_without_end(door: Door) -> None:
    door.read([{"city": f"city {at}"} for at in range(3 * KNOWN)], LIMITS)
    assert max(len(known) for cells in door._cells for known in cells._remembered.values()) <= KNOWN
