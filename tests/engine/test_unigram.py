"""Unigram pieces: the most probable way to part a word."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.engine.unigram import BLANK, Charsmap, Unigram

PIECES = ["<unk>", "<s>", "</s>", BLANK, "a", "b", "ab", BLANK + "a", "ba", "bab"]
SCORES = np.array([0, 0, 0, -2.1, -2.3, -2.5, -3.1, -3.2, -3.7, -4.9])
VOCABULARY = {piece: number for number, piece in enumerate(PIECES)}


def parts(value: str) -> list[list[int]]:
    return list(Unigram(VOCABULARY, SCORES, 0).parts(value))


def best(word: str) -> float:
    """Of all ways to part a word."""
    ways = []
    for cuts in product([False, True], repeat=len(word) - 1):
        pieces, start = [], 0
        for at, cut in enumerate([*cuts, True], start=1):
            if cut:
                pieces.append(word[start:at])
                start = at
        if all(piece in VOCABULARY for piece in pieces):
            ways.append(sum(SCORES[VOCABULARY[piece]] for piece in pieces))
    return max(ways)


@given(st.text("ab", min_size=1, max_size=9))
def test_no_other_way_is_more_probable(word: str) -> None:
    (numbers,) = parts(word)
    assert "".join(PIECES[number] for number in numbers) == BLANK + word
    assert sum(SCORES[numbers]) == pytest.approx(best(BLANK + word))


def test_unknown_characters_side_by_side_are_one_and_words_are_parted_at_blanks() -> None:
    assert parts("  axy\tb ") == [[7, 0], [3, 5]]
    assert parts("a" + BLANK + "b") == [[7], [3, 5]]
    assert parts(" ") == []
    assert parts("<s>") == [[3, 0]]


@given(st.binary(max_size=60), st.text(max_size=6))
def test_any_bytes_are_refused_or_give_a_text(content: bytes, value: str) -> None:
    size = len(content) // 8 * 4
    charsmap = size.to_bytes(4, "little") + content
    if size:
        assert isinstance(Charsmap(charsmap).normal(value), str)
    else:
        with pytest.raises(ValueError, match="has another form"):
            Charsmap(charsmap)
