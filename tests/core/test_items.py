"""What is made of a text is made once for each row, and is the same as made anew."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_array_equal

from sortal.core import items
from sortal.core.items import Items, Memo
from sortal.engine.ngrams import Ngrams

TEXTS = ["a text", None, "another text", "third one", "", "a text of words"]
WORDS = Ngrams("word", 1, 2)


class Counting:
    """Counts n-grams, and how many texts it was asked for."""

    def __init__(self) -> None:
        self.n_texts = 0

    def __call__(self, texts):
        self.n_texts += len(texts)
        return WORDS(texts)


def ask(memo: Memo, rows: list[int], make: object, column: str = "c") -> object:
    return Items(column, [TEXTS[row % 100] for row in rows], np.array(rows), memo).once(make)


def test_each_row_once_whoever_asks_in_whatever_order():
    memo, make = Memo(), Counting()
    for rows in ([4, 0], [0, 4, 2], [3], [5, 4, 3, 2, 1, 0], [2, 2]):
        result, expected = ask(memo, rows, make), WORDS([TEXTS[row] for row in rows])
        assert_array_equal(result.start, expected.start)
        assert_array_equal(result.index, expected.index)
    assert make.n_texts == 6


def test_columns_and_makers_are_kept_apart():
    memo, make, other = Memo(), Counting(), Counting()
    ask(memo, [0, 1], make)
    ask(memo, [0, 1], other)
    ask(memo, [0, 1], make, "d")
    assert (make.n_texts, other.n_texts) == (4, 2)


def test_what_is_beyond_the_room_is_made_anew(monkeypatch):
    memo, make = Memo(), Counting()
    ask(memo, [0], make)
    monkeypatch.setattr(items, "MOST_BYTES", 0)
    for _ in range(2):
        assert_array_equal(ask(memo, [0, 3], make).index, WORDS([TEXTS[0], TEXTS[3]]).index)
    assert make.n_texts > 5
    assert not Memo()._entries


def test_a_copy_for_another_process_begins_empty():
    memo = Memo()
    ask(memo, [0, 1], WORDS)
    assert not copy.deepcopy(memo)._entries


def test_items_are_a_sequence_of_their_texts():
    sequence = Items("c", TEXTS, np.arange(6), Memo())
    assert (len(sequence), list(sequence), sequence[2]) == (6, TEXTS, TEXTS[2])
    assert list(sequence[1:3]) == TEXTS[1:3]
    assert_array_equal(sequence[1:3].rows, [1, 2])


def test_threads_that_ask_at_once_get_their_own_rows():
    memo, make = Memo(), Counting()
    rng = np.random.default_rng(0)
    row_lists = [rng.permutation(60)[:30].tolist() for _ in range(16)]
    texts = [f"text {i} of {i % 7}" for i in range(60)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda r: Items("c", [texts[i] for i in r], np.array(r), memo).once(make), row_lists))
    for rows, result in zip(row_lists, results, strict=True):
        assert_array_equal(result.index, WORDS([texts[i] for i in rows]).index)
    assert make.n_texts == len({i for rows in row_lists for i in rows})
