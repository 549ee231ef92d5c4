"""N-grams of texts, by their hashes: what a text is made of, whatever other texts there are.

The n-grams are those of scikit-learn's ``CountVectorizer``: ``word``, runs of letters, digits and underscores of two
characters at least, in lower case, and sequences of them; ``char_wb``, sequences of characters within what stands
between two blanks, these blanks included. A hash is a polynomial of the code points modulo 2^64 (Karp & Rabin 1987),
of which 48 mixed bits are kept. Of a vocabulary of 100,000 and a million other n-grams, one is taken for another with
probability 1e11 / 2^48, once in 2,800 data sets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Ints
from sortal.core.coded import Coded
from sortal.engine.sparse import Sparse, above

Hashes = NDArray[np.uint64]
Kind = Literal["word", "char_wb"]

MOST_CHARACTERS = 20_000
"""Of a text, what is read: some 3,000 words, ten times a news article. What follows adds time, and little else."""
LONGEST = 8
"""Words or characters of an n-gram at most."""
BITS = 48
"""Of a hash; the bits above hold the row while n-grams are counted."""
NO_TEXT = 0
"""The only n-gram of a text that is missing."""
_AT_ONCE = 2**19
"""Characters that are looked at together; their arrays take some tens of megabytes."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
_MIX = np.uint64(0xD6E8FEB86659FD93)
_WORD, _BLANK = 1, 2


@dataclass(frozen=True)
class Ngrams:
    """``least`` to ``most`` words or characters.

    >>> counts = Ngrams("word", 1, 2)(["to be or not to be", None])
    >>> np.diff(counts.start), np.sort(counts.value)  # to, be, or, not; to be, be or, or not, not to; no text
    (array([8, 1]), array([1., 1., 1., 1., 1., 1., 2., 2., 2.]))
    """

    kind: Kind
    least: int
    most: int

    def __call__(self, texts: Sequence[str | None]) -> Sparse:
        """The n-grams of each text in ascending hashes, and how often each of them occurs."""
        if isinstance(texts, Coded):
            return self(texts.levels).take(texts.codes.astype(np.int64))
        lowercase = [None if text is None else text[:MOST_CHARACTERS].lower() for text in texts]
        ends = list(accumulate(1 if text is None else len(text) + 1 for text in lowercase))
        parts, first, before = [], 0, 0
        while first < len(lowercase):
            until = first + 1
            while until < len(lowercase) and ends[until] - before <= _AT_ONCE and until - first < 2**15:
                until += 1
            parts.append(self._count(lowercase[first:until]))
            first, before = until, ends[until - 1]
        return above(parts) if parts else _sparse(np.empty(0, dtype=np.uint64), 0)

    def _count(self, texts: Sequence[str | None]) -> Sparse:
        joined = " ".join(["", *(text or "" for text in texts), ""])
        code = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        # A blank belongs to the text that follows.
        row = np.repeat(np.arange(len(texts) + 1), [*(len(text or "") + 1 for text in texts), 1])
        grams = self._words(code, row) if self.kind == "word" else self._characters(code, row)
        absent = [np.uint64(at << BITS | NO_TEXT) for at, text in enumerate(texts) if text is None]
        return _sparse(np.concatenate([*grams, np.array(absent, dtype=np.uint64)]), len(texts))

    def _words(self, code: NDArray[np.uint32], row: Ints) -> list[Hashes]:
        letter = _classes()[code] == _WORD
        edge = np.flatnonzero(letter[1:] != letter[:-1]) + 1  # the first and the last character are blanks
        begin, end = edge[::2], edge[1::2]
        long = end - begin > 1
        begin, end = begin[long], end[long]
        word = _Prefixes(code).between(begin, end)
        row = row[begin]
        hashes, gram = [], word
        for n in range(1, self.most + 1):
            if n > 1:
                together = row[n - 1 :] == row[: len(row) - n + 1]
                gram = _mixed(gram[:-1] * _BASE + word[n - 1 :]) if len(gram) else gram
            else:
                together = np.ones(len(row), dtype=bool)
            if n >= self.least:
                hashes.append(_keys(row[: len(gram)][together], gram[together]))
        return hashes

    def _characters(self, code: NDArray[np.uint32], row: Ints) -> list[Hashes]:
        blank = _classes()[code] == _BLANK
        mask = np.concatenate([[True], ~(blank[1:] & blank[:-1])])  # one blank where there are several
        code, row, blank = np.where(blank, 32, code)[mask], row[mask], blank[mask]
        size, prefixes = len(code), _Prefixes(code)
        place = np.arange(size)
        row = np.where(blank, np.append(row[1:], row[-1]), row)
        next_blank = np.append(np.minimum.accumulate(np.where(blank, place, size)[::-1])[::-1][1:], size)
        hashes = []
        for n in range(self.least, self.most + 1):
            begin = place[: max(size - n + 1, 0)]
            inside = ~blank if n == 1 else next_blank[: len(begin)] >= begin + n - 1
            begin = begin[inside[: len(begin)]]
            hashes.append(_keys(row[begin], prefixes.between(begin, begin + n)))
        return hashes


class _Prefixes:
    """Hashes of all stretches of a sequence, from those of its beginnings."""

    def __init__(self, code: NDArray[np.uint32]) -> None:
        power = np.ones(len(code) + 1, dtype=np.uint64)
        power[1:] = _BASE
        inverse = power.copy()
        inverse[1:] = _INVERSE
        np.cumprod(power, out=power)
        self._inverse = np.cumprod(inverse, out=inverse)
        self._sum = np.zeros(len(code) + 1, dtype=np.uint64)
        np.cumsum((code + np.uint64(1)) * power[:-1], out=self._sum[1:])

    def between(self, begin: Ints, end: Ints) -> Hashes:
        return _mixed((self._sum[end] - self._sum[begin]) * self._inverse[begin])


def _mixed(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint64(32))) * _MIX
    x = (x ^ (x >> np.uint64(32))) * _MIX
    return x ^ (x >> np.uint64(32))


def _keys(row: Ints, gram: Hashes) -> Hashes:
    """The row above the bits of the hash, so that one sort brings equal n-grams of a row together."""
    return (row.astype(np.uint64) << np.uint64(BITS)) | (gram >> np.uint64(64 - BITS))


def _sparse(keys: Hashes, rows: int) -> Sparse:
    keys = np.sort(keys)
    new = np.flatnonzero(np.diff(keys, prepend=keys[:1] + np.uint64(1)))
    count = np.diff(new, append=len(keys)).astype(np.float64)
    keys = keys[new]
    start = np.searchsorted(keys, np.arange(rows + 1, dtype=np.uint64) << np.uint64(BITS))
    return Sparse(start, keys & np.uint64(2**BITS - 1), count, 2**BITS)


@cache
def _classes() -> NDArray[np.uint8]:
    """(all code points,) whether one is of a word, or a blank, as Python's regular expressions have it."""
    every: Any = np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    table = np.zeros(0x110000, dtype=np.uint8)
    for pattern, code in ((r"\w+", _WORD), (r"\s+", _BLANK)):
        for run in re.finditer(pattern, every):
            table[run.start() : run.end()] = code
    return table
