"""Parting a text into pieces of bytes as GPT-2 and RoBERTa do (byte-pair encoding, Sennrich et al. 2016).

Blanks, letters, digits and other signs are parted from each other (https://github.com/openai/gpt-2, encoder.py), and of
the bytes of such a word, neighbours that were met most often in training become one piece, again and again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from heapq import heappop, heappush
from itertools import pairwise

ENDINGS = re.compile("'(?:s|t|re|ve|m|ll|d)")
"""Of English words; they are words by themselves."""
WORDS = re.compile(r" ?L+| ?N+| ?O+|[ S]+(?![LNO])|[ S]+")
"""Over what ``_kind`` says of each character: a blank belongs to the word after it, and others stand by themselves."""


class BytePairs:
    """``vocabulary``: pieces, in the signs that stand for bytes, and their numbers; ``merges``: pairs that become one,
    the first first. ``blank``: one is put before a text that begins with none.
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], blank: bool) -> None:
        self._vocabulary, self._blank = vocabulary, blank
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}

    def parts(self, value: str) -> Iterator[list[int]]:
        """The numbers of each word's pieces; bytes that are no piece are left out."""
        if self._blank and value and _kind(value[0]) not in " S":
            value = f" {value}"
        signs = byte_signs()
        for word in words(value):
            pieces = self._merged([signs[byte] for byte in word.encode("utf-8", "replace")])
            yield [self._vocabulary[piece] for piece in pieces if piece in self._vocabulary]

    def _merged(self, pieces: list[str]) -> list[str]:
        """The pair that comes first in the list becomes one, as long as there is one; from the left among equals."""
        after = [*range(1, len(pieces)), -1]
        before = list(range(-1, len(pieces) - 1))
        waiting: list[tuple[int, int, str, str]] = []

        def offer(at: int) -> None:
            if at >= 0 and after[at] >= 0:
                pair = pieces[at], pieces[after[at]]
                if pair in self._ranks:
                    heappush(waiting, (self._ranks[pair], at, *pair))

        for at, _ in enumerate(pairwise(pieces)):
            offer(at)
        while waiting:
            _, at, left, right = heappop(waiting)
            if pieces[at] != left or after[at] < 0 or pieces[after[at]] != right:
                continue  # one of the two has become part of another
            second = after[at]
            pieces[at], pieces[second], after[at] = left + right, "", after[second]
            if after[at] >= 0:
                before[after[at]] = at
            offer(at)
            offer(before[at])
        return [piece for piece in pieces if piece]


def words(value: str) -> Iterator[str]:
    """A text in parts, which together are the text.

    >>> list(words("It's  2 films!"))
    ['It', "'s", ' ', ' 2', ' films', '!']
    """
    kinds, at = "".join(map(_kind, value)), 0
    while at < len(value):
        match = ENDINGS.match(value, at) or WORDS.match(kinds, at)
        assert match is not None, "each character is of a kind"
        yield value[at : match.end()]
        at = match.end()


@cache
def _kind(letter: str) -> str:
    """A letter, a number, a blank, another space, or other."""
    if letter == " ":
        return " "
    if letter in "\t\n\v\f\r\x85" or unicodedata.category(letter) in ("Zs", "Zl", "Zp"):
        return "S"
    category = unicodedata.category(letter)[0]
    return category if category in "LN" else "O"


@cache
def byte_signs() -> tuple[str, ...]:
    """For each byte the sign that stands for it: itself where it can be seen, and one beyond Latin-1 where not."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return tuple(chr(byte) if byte in visible else chr(256 + hidden.index(byte)) for byte in range(256))
