"""Parting a text into pieces as SentencePiece does with a unigram model (Kudo 2018), which XLM-R reads a hundred
languages by: of all ways to part a word, that whose pieces are most probable together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from sortal.engine.program import Array

BLANK = "▁"
"""Stands before a word."""
LESS = 10.0
"""By how much a character that no piece has is less probable than the least probable piece, in logarithms."""
SHORT = 6
"""Bytes: shorter characters with their accents are looked up as one."""
_TERMINAL, _WIDE = 1 << 8, 1 << 9


class Unigram:
    """``vocabulary``: pieces and their numbers; ``scores``: of each number the logarithm of its probability, and 0 for
    what stands for no text; ``charsmap``: what is written in the place of what (see ``Charsmap``).
    """

    def __init__(
        self, vocabulary: Mapping[str, int], scores: Array, unknown: int, charsmap: Charsmap | None = None
    ) -> None:
        self._pieces = {
            piece: (n, score) for piece, n in vocabulary.items() if (score := float(scores[n])) and n != unknown
        }
        self._longest = max(map(len, self._pieces), default=1)
        self._unknown, self._charsmap = unknown, charsmap
        self._least = min((score for _, score in self._pieces.values()), default=0.0) - LESS

    def parts(self, value: str) -> Iterator[list[int]]:
        """The numbers of the pieces of each word, blanks parting words."""
        text = value if self._charsmap is None else self._charsmap.normal(value)
        for run in text.split():
            for word in run.removeprefix(BLANK).split(BLANK):
                yield self._parted(BLANK + word)

    def _parted(self, word: str) -> list[int]:
        """The most probable way (Viterbi 1967); unknown characters side by side are one piece."""
        best = [0.0, *[-np.inf] * len(word)]
        backpointer = [(0, 0)] * (len(word) + 1)
        for start in range(len(word)):
            single = False
            for stop in range(start + 1, min(len(word), start + self._longest) + 1):
                piece = self._pieces.get(word[start:stop])
                if piece is not None:
                    single = single or stop == start + 1
                    if best[start] + piece[1] > best[stop]:
                        best[stop], backpointer[stop] = best[start] + piece[1], (start, piece[0])
            if not single and best[start] + self._least > best[start + 1]:
                best[start + 1], backpointer[start + 1] = best[start] + self._least, (start, self._unknown)
        out: list[int] = []
        at = len(word)
        while at > 0:
            at, number = backpointer[at]
            if number != self._unknown or not out or out[-1] != self._unknown:
                out.append(number)
        return out[::-1]


class Charsmap:
    """What SentencePiece writes in the place of some characters: a double-array trie over bytes (Aoe 1989), whose
    values point into texts that follow it.

    Raises ValueError for bytes of another form. No number in them leads outside of them.
    """

    def __init__(self, content: bytes) -> None:
        size = int.from_bytes(content[:4], "little")
        if len(content) < 4 or size % 4 or not 4 <= size <= len(content) - 4:
            raise ValueError("the table of characters has another form than that of SentencePiece")
        self._units = np.frombuffer(content, "<u4", size // 4, 4).tolist()
        self._texts = content[4 + size :]
        self._looked_up = lru_cache(maxsize=2**14)(self._look_up)

    def normal(self, value: str) -> str:
        """A text with all of its characters replaced that the table has."""
        return "".join(self._of(group) for group in _groups(value))

    def _of(self, group: str) -> str:
        if len(group.encode("utf-8", "replace")) < SHORT:
            whole = self._looked_up(group)
            if whole is not None:
                return whole
        replacements = (self._looked_up(letter) for letter in group)
        return "".join(letter if new is None else new for letter, new in zip(group, replacements, strict=True))

    def _look_up(self, key: str) -> str | None:
        """The text of the shortest beginning of a key that the table has; None where it has none."""
        units, at = self._units, _offset(self._units[0])
        for byte in key.encode("utf-8", "replace"):
            at ^= byte
            if not byte or at >= len(units) or units[at] & (1 << 31 | 255) != byte:
                return None
            unit = units[at]
            at ^= _offset(unit)
            if unit & _TERMINAL and at < len(units):
                start = units[at] & (1 << 31) - 1
                return self._texts[start:].partition(b"\0")[0].decode("utf-8", "replace")
        return None


def _offset(unit: int) -> int:
    """How far the children of a node are, as the trie has it packed."""
    return (unit >> 10) << ((unit & _WIDE) >> 6)


def _groups(value: str) -> Iterator[str]:
    """Characters, each with the accents that follow it."""
    start = 0
    for at in range(1, len(value) + 1):
        if at == len(value) or not _follows(value[at], value[at - 1]):
            yield value[start:at]
            start = at


def _follows(letter: str, before: str) -> bool:
    if before in "\r\n":
        return before + letter == "\r\n"
    return letter == "\u200d" or unicodedata.category(letter)[0] == "M"
