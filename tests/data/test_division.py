"""Which rows are set apart, and when none are."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.errors import DataError, OptionError
from sortal.core.recipe import Recipe
from sortal.data import division
from sortal.data.division import divide
from sortal.data.split import Parts
from sortal.testing.checks import typed


def parts_of_sizes(sizes: list[int], **options: Any) -> Parts:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return divide(typed(pl.DataFrame({"x": np.arange(float(len(codes)))})), codes, Recipe.of("y", **options))


@pytest.mark.parametrize(
    ("sizes", "outer"),
    [
        ([1_188, 12], 5),
        ([1_174, 26], 5),  # 3.9 rows of the rarer class in a test of 15 %
        ([1_173, 27], 0),  # 4.05
        ([700, 600, 5], 0),  # most classes can be judged
        ([700, 20, 5], 5),
        ([20, 20], 5),
        ([4_990, 10], 5),
        ([4_991, 10], 0),  # so many rows that a search takes long
    ],
)
def test_no_row_is_set_apart_where_half_of_the_classes_would_have_too_few(sizes, outer):
    parts = parts_of_sizes(sizes)
    assert parts.outer == outer
    assert (len(parts.test) == 0) == (outer > 0)
    assert len(parts.train) + len(parts.test) == sum(sizes)
    assert any("say nothing even if all are right" in note for note in parts.notes) == (outer > 0)


@pytest.mark.parametrize(
    "options",
    [{"split": "85/15"}, {"precision": 0.9}, {"sets": 0.9}, {"capacity": "5%"}],
    ids=lambda options: next(iter(options)),
)
def test_what_was_asked_for_stays(options):
    assert parts_of_sizes([1_188, 12], **options).outer == 0
    assert len(parts_of_sizes([1_188, 12], **options).test)


def test_it_can_be_asked_for():
    parts = parts_of_sizes([600, 600], split="cv")
    assert (parts.outer, len(parts.train), parts.notes) == (5, 1_200, ())
    assert parts.method == "none: nested cross-validation, 5 outer folds"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": 0.9}, "a promise is proven on rows that nothing else sees"),
        ({"sets": 0.9}, "a promise is proven on rows that nothing else sees"),
        ({"time": "when"}, "leave one of the two out"),
        ({"capacity": 50}, "give the capacity in percent"),
    ],
)
def test_refuses_what_needs_rows_set_apart(options, message):
    with pytest.raises(OptionError, match=message):
        parts_of_sizes([600, 600], split="cv", **options)


@pytest.mark.parametrize(
    ("sizes", "share", "expected"),
    [
        ([100, 27], 0.15, ""),
        ([100, 26], 0.15, "a test of 15 % would hold 3.9 rows of the rarer class"),
        ([20, 8], 0.5, ""),  # 4 rows are enough
        ([20, 7], 0.5, "a test of 50 % would hold 3.5 rows of the rarer class"),
        ([100, 100, 5], 0.15, ""),
        ([100, 20, 5], 0.15, "a test of 15 % would hold 3.0 rows of half of the classes"),
        ([100, 100, 20, 5], 0.15, "a test of 15 % would hold 3.0 rows of half of the classes"),
        ([100, 100, 100, 5], 0.15, ""),
    ],
)
def test_when_a_test_could_say_nothing(sizes: list[int], share: float, expected: str) -> None:
    message = division._too_rare(np.repeat(np.arange(len(sizes)), sizes), share)
    assert message.startswith(expected)
    assert bool(message) == bool(expected)
    if expected:
        assert "and fewer than 4 say nothing even if all are right" in message


@pytest.mark.parametrize(("rows", "outer"), [(3, 3), (5, 5), (6, 5)])
def test_there_are_no_more_outer_folds_than_rows(rows: int, outer: int) -> None:
    parts = parts_of_sizes([rows - 1, 1], split="cv")
    assert (parts.outer, parts.method) == (outer, f"none: nested cross-validation, {outer} outer folds")
    assert parts.train.tolist() == list(range(rows))
    assert len(parts.valid) == len(parts.test) == 0


def test_the_plan_and_the_seed_are_those_of_the_recipe() -> None:
    tests = [parts_of_sizes([60, 60], split="70/10/20", seed=seed) for seed in (1, 1, 2)]
    assert [len(part) for part in (tests[0].train, tests[0].valid, tests[0].test)] == [84, 12, 24]
    assert tests[0].test.tolist() == tests[1].test.tolist() != tests[2].test.tolist()
    assert parts_of_sizes([60, 60]).outer == 0


def test_a_column_comes_before_everything_else() -> None:
    words = ["train"] * 6 + ["test", "dev"] * 2
    rows = pl.DataFrame({"x": np.arange(10.0), "part": words})
    codes = np.tile([0, 1], 5)
    parts = divide(typed(rows), codes, Recipe.of("y", split="part"))
    assert (parts.train.tolist(), parts.valid.tolist(), parts.test.tolist()) == ([0, 1, 2, 3, 4, 5], [7, 9], [6, 8])


@pytest.mark.parametrize("words", [["train", " TEST\t"], ["fit", "holdout"], ["training", "testing"]])
def test_parts_have_several_names(words: list[str]) -> None:
    rows = typed(pl.DataFrame({"x": [1.0, 2.0], "part": words}))
    parts = division.split_by_column(rows, np.array([0, 0]), "part")
    assert (parts.train.tolist(), parts.valid.tolist(), parts.test.tolist()) == ([0], [], [1])


def test_other_words_are_named_up_to_four() -> None:
    rows = typed(pl.DataFrame({"x": np.arange(7.0), "part": ["train", "test", "e", "d", "c", "b", None]}))
    with pytest.raises(DataError, match=r"^column 'part' says 'None', 'b', 'c', 'd', but parts are called train"):
        division.split_by_column(rows, np.zeros(7, dtype=np.int64), "part")
