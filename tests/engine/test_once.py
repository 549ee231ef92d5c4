"""Op ``once``: what is made of a value is made once in a process."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sortal.core.images import sample_image
from sortal.engine import compile, once
from sortal.engine.once import Once, made_anew
from sortal.engine.program import Program


def program(side: int = 2) -> Program:
    inner = Program("pixels", {"column": "photo", "side": side, "read": "colour"})
    return Program("once", {"column": "photo"}, steps=(inner,))


@pytest.fixture
def counting_op(monkeypatch: pytest.MonkeyPatch) -> tuple[Once, list[int]]:
    """An op that remembers nothing yet, and how many values it was given each time."""
    monkeypatch.setattr(once, "_cache", {})
    monkeypatch.setattr(once, "_bytes", 0)
    calls: list[int] = []

    def lengths(columns: dict) -> np.ndarray:
        calls.append(len(columns["t"]))
        return np.array([[np.nan if t is None else len(t), 0.1] for t in columns["t"]])

    return Once("t", b"k", lengths, 2), calls


def test_what_is_made_is_what_the_step_gives_in_32_bits() -> None:
    images = [sample_image(1), None, sample_image(2), sample_image(1)]
    output = compile(program())({"photo": images})
    assert_array_equal(output, compile(program().steps[0])({"photo": images}).astype(np.float32))
    assert_array_equal(output[0], output[3])
    assert np.isnan(output[1]).all()


def test_each_value_is_made_once(counting_op) -> None:
    op, calls = counting_op
    assert_array_equal(op({"t": ["a", "bb", "a", None]})[:, 0], [1, 2, 1, np.nan])
    assert_array_equal(op({"t": ["bb", "ccc"]}), np.float32([[2, 0.1], [3, 0.1]]))
    assert calls == [3, 1]
    assert op.unknown(["a", "d", "d"]) == ["d"]


def test_values_of_another_program_or_type_are_others(counting_op) -> None:
    op, calls = counting_op
    op.of(["a"])
    Once("t", b"other", op.run, 2).of(["a"])
    op.of([b"a"])
    assert calls == [1, 1, 1]


def test_many_values_are_made_in_parts_and_what_was_made_before_an_end_is_kept(counting_op) -> None:
    op, calls = counting_op
    op.of([str(i) for i in range(2 * once.AT_ONCE + 5)])
    assert calls == [once.AT_ONCE, once.AT_ONCE, 5]


def test_in_a_block_for_it_everything_is_made_anew(counting_op) -> None:
    op, calls = counting_op
    op.of(["a"])
    with made_anew():
        assert_array_equal(op.of(["a", "a"])[:, 0], [1, 1])
    op.of(["a"])
    assert calls == [1, 1]


def test_no_more_is_remembered_than_there_is_room_for(counting_op, monkeypatch: pytest.MonkeyPatch) -> None:
    op, calls = counting_op
    monkeypatch.setattr(once, "MOST_BYTES", 500)  # two rows of 208
    for _ in range(2):
        assert_array_equal(op.of(["a", "bb", "ccc"])[:, 0], [1, 2, 3])
    assert calls == [3, 1]


def test_another_column_and_sparse_rows_are_refused() -> None:
    for inner in (
        Program("pixels", {"column": "other", "side": 2, "read": "colour"}),
        Program("tfidf", {"column": "photo", "kind": "word", "least": 1, "most": 1, "rows": 1}, TFIDF),
        Program("fill", {}, {"value": np.zeros(1), "indicator": np.zeros(0, dtype=int)}),
    ):
        with pytest.raises(ValueError, match="op 'once': has another step"):
            compile(Program("once", {"column": "photo"}, steps=(inner,)))
    with pytest.raises(ValueError, match="another step"):
        compile(Program("once", {"column": "photo"}, steps=program().steps * 2))


TFIDF = {"hash": np.array([0], np.uint64), "documents": np.array([0], np.uint32)}


def test_a_process_that_is_asked_without_end_remembers_the_newest(counting_op, monkeypatch: pytest.MonkeyPatch) -> None:
    op, calls = counting_op
    monkeypatch.setattr(once, "_most", None)
    once.keep_newest(3 * (8 + once._FIXED))
    for at in range(100):
        op.of([f"value {at}"])
    assert len(once._cache) == 3
    assert once._bytes == 3 * (8 + once._FIXED)
    op.of(["value 99", "value 98"])
    assert len(calls) == 100
    assert_array_equal(op.of(["value 0"] * 2 + [f"a{at}" for at in range(50)])[:2, 0], [7, 7])
