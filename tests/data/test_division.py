"""Which rows are set apart, and when none are."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.errors import OptionError
from sortal.core.recipe import Recipe
from sortal.data.division import divide
from sortal.data.split import Parts
from sortal.testing.checks import typed


def divided(sizes: list[int], **options: Any) -> Parts:
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
    parts = divided(sizes)
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
    assert divided([1_188, 12], **options).outer == 0
    assert len(divided([1_188, 12], **options).test)


def test_it_can_be_asked_for():
    parts = divided([600, 600], split="cv")
    assert (parts.outer, len(parts.train), parts.notes) == (5, 1_200, ())
    assert parts.method == "none: nested cross-validation, 5 outer folds"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"precision": 0.9}, "a promise is proven on rows that nothing else sees"),
        ({"sets": 0.9}, "a promise is proven on rows that nothing else sees"),
        ({"time": "when"}, "leave one of the two out"),
        ({"capacity": 50}, "give the capacity in percent"),
    ],
)
def test_refuses_what_needs_rows_set_apart(options, why):
    with pytest.raises(OptionError, match=why):
        divided([600, 600], split="cv", **options)
