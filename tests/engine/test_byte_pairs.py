"""Byte pairs: any text is parted, and nothing of it is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.engine.byte_pairs import BytePairs, byte_signs, words

SIGNS = byte_signs()
MERGES = [("a", "b"), ("ab", "c"), ("Ġ", "ab"), ("c", "c"), ("a", "a"), ("aa", "aa")]
VOCABULARY = {piece: number for number, piece in enumerate([*SIGNS, *("".join(pair) for pair in MERGES)])}


def pieces(value: str, blank: bool = False) -> list[str]:
    by_number = {number: piece for piece, number in VOCABULARY.items()}
    return [by_number[number] for part in BytePairs(VOCABULARY, MERGES, blank).parts(value) for number in part]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc abcc", ["abc", "Ġ", "abc", "c"]),
        ("aaaaa", ["aaaa", "a"]),
        ("é", ["Ã", "©"]),
        ("", []),
    ],
)
def test_pairs_become_one_in_the_order_of_the_list(value: str, expected: list[str]) -> None:
    assert pieces(value) == expected


def test_a_blank_before_the_first_word() -> None:
    assert pieces("ab", blank=True) == ["Ġab"]
    assert pieces(" ab", blank=True) == ["Ġab"]


@given(st.text())
def test_nothing_of_a_text_is_lost(value: str) -> None:
    assert "".join(words(value)) == value
    signs = "".join(pieces(value))
    assert bytes(SIGNS.index(sign) for sign in signs).decode() == value


def test_a_long_word_takes_no_longer_than_many() -> None:
    began = time.thread_time()
    assert len(pieces("ab" * 10_000)) == 10_000
    assert time.thread_time() - began < 2
