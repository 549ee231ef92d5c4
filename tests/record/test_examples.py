"""The rows that are worth a look."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.core.schema import Column, Schema
from sortal.record.examples import MOST, describe_examples, item_columns

CLASSES = ("cat", "dog", "emu")


def predictions(truth: list[int], probability: list[list[float]], rows: list[int] | None = None) -> Predictions:
    n = len(truth)
    ids = np.arange(n) if rows is None else np.array(rows)
    return Predictions(CLASSES, ids, np.array(truth), np.array(probability), "out-of-fold")


def test_the_mistake_whose_truth_was_least_probable_comes_first_and_the_rest_by_how_close_it_was() -> None:
    p = [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.02, 0.08, 0.9], [0.5, 0.45, 0.05], [0.3, 0.1, 0.6]]
    sample = predictions([0, 1, 0, 0, 1], p, rows=[3, 5, 8, 13, 21])
    examples = describe_examples(sample, sample.probability.argmax(axis=1), sample.rows)
    assert (examples.part, examples.wrong) == ("out-of-fold", 2)
    assert [(e.row, e.truth, e.decided, e.of_truth, e.of_decided) for e in examples.mistakes] == [
        (9, "cat", "emu", 0.02, 0.9),
        (22, "dog", "emu", 0.1, 0.6),
    ]
    assert [e.row for e in examples.uncertain] == [14, 6, 4]


def test_what_was_decided_counts_and_not_what_is_most_probable() -> None:
    sample = predictions([0, 0], [[0.6, 0.4, 0.0], [0.4, 0.6, 0.0]])
    examples = describe_examples(sample, np.array([1, 0]), sample.rows)
    assert [(e.row, e.decided, e.of_decided) for e in examples.mistakes] == [(1, "dog", 0.4)]


def test_what_is_left_to_a_person_is_no_mistake() -> None:
    sample = predictions([0, 1], [[0.1, 0.5, 0.4], [0.1, 0.9, 0.0]])
    examples = describe_examples(sample, np.array([3, 1]), sample.rows)
    assert (examples.wrong, examples.mistakes) == (0, ())
    assert [(e.row, e.decided, e.of_decided) for e in examples.uncertain] == [(1, "reject", None), (2, "dog", 0.9)]


@pytest.mark.parametrize("n", [1, 5, 100])
def test_there_are_at_most_so_many_of_each_and_none_is_there_twice(n: int) -> None:
    rng = np.random.default_rng(0)
    sample = predictions(rng.integers(0, 3, n).tolist(), rng.dirichlet(np.ones(3), n).reshape(n, 3).tolist())
    examples = describe_examples(sample, sample.probability.argmax(axis=1), sample.rows)
    assert max(len(examples.mistakes), len(examples.uncertain)) <= MOST
    rows = [e.row for e in (*examples.mistakes, *examples.uncertain)]
    assert len(rows) == len(set(rows)) == min(n, 2 * MOST)


def test_of_copies_one_is_shown() -> None:
    """Also where another copy, with another label, was a mistake."""
    sample = predictions([0, 1, 1, 2], [[0.6, 0.4, 0.0]] * 3 + [[0.3, 0.3, 0.4]])
    examples = describe_examples(sample, sample.probability.argmax(axis=1), np.array([7, 7, 7, 2]))
    assert (examples.wrong, [e.row for e in examples.mistakes], [e.row for e in examples.uncertain]) == (2, [2], [4])


def test_texts_and_images_are_what_a_person_can_look_at() -> None:
    columns = ("number", "category", "text", "image", "boolean", "datetime")
    schema = Schema((*(Column(kind, kind) for kind in columns), Column("label", "text", "target")))
    assert [column.name for column in item_columns(schema)] == ["text", "image"]
