"""Golden rows are made of what the profile has, and of nothing else."""

from __future__ import annotations

from base64 import b64decode

import pytest

from sortal.artifact.golden import IMAGES, WORDS, _values, golden_rows
from sortal.core.images import is_image
from sortal.core.profile import ColumnProfile

NUMBER = ColumnProfile("age", "number", 9, 0, 3, quantiles=(1.0, 2.0, 3.0))
CITY = ColumnProfile("city", "category", 9, 0, 2, levels=("Bonn", "Ulm"), counts=(6, 3))
NONE = ColumnProfile("empty", "category", 9, 9, 0)
PHOTO = ColumnProfile("photo", "image", 9, 0, 9)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (NUMBER, (1.0, 2.0, 3.0)),
        (CITY, ("Bonn", "Ulm")),
        (NONE, ()),
        (ColumnProfile("b", "boolean", 9, 0, 2, levels=("no", "yes"), counts=(6, 3)), (False, True)),
        (ColumnProfile("t", "datetime", 9, 0, 2, quantiles=(1.5, 2.0)), [1_500_000, 2_000_000]),
    ],
)
def test_values_are_those_of_the_profile(column: ColumnProfile, values: object) -> None:
    assert _values(column) == values


@pytest.mark.parametrize(("words", "texts"), [(1, 1), (99, 99), (100, 100), (250, 100)])
def test_a_text_is_every_hundredth_of_the_usual_words(words: int, texts: int) -> None:
    levels = tuple(f"w{k}" for k in range(words))
    column = ColumnProfile("note", "text", 9, 0, 9, levels=levels, counts=(1,) * words, measures=(NUMBER,))
    values = _values(column)
    assert len(values) == texts
    assert values[0] == " ".join(f"w{k}" for k in range(0, words, WORDS))
    assert sorted(" ".join(map(str, values)).split()) == sorted(levels)


@pytest.mark.parametrize("count", [1, 8])
def test_rows_have_a_value_of_each_column_and_the_last_has_none(count: int) -> None:
    profile = {column.name: column for column in (NUMBER, CITY, NONE, PHOTO)}
    golden = golden_rows(profile, count)
    assert golden.probability == ()
    *rows, last = golden.rows
    assert len(rows) == count
    assert last == {}
    for number, row in enumerate(rows):
        assert row["age"] in NUMBER.quantiles
        assert row["city"] in CITY.levels
        assert set(row) == {"age", "city", *(["photo"] if number < IMAGES else [])}
    images = [b64decode(str(row["photo"])) for row in rows[:IMAGES]]
    assert all(map(is_image, images))
    assert len(set(images)) == len(images)
    assert golden_rows(profile, count) == golden
    assert len(golden_rows(profile).rows) == 9


def test_rows_differ_and_do_not_hang_on_the_other_columns_of_one_sort() -> None:
    golden = golden_rows({"age": NUMBER, "city": CITY}, 40)
    assert {(row.get("age"), row.get("city")) for row in golden.rows[:-1]} == {
        (age, city) for age in NUMBER.quantiles for city in CITY.levels
    }
