"""Op ``tokens``: texts to the numbers of their words and parts of words, as networks for texts take them.

The rules are those of BERT (https://github.com/google-research/bert, tokenization.py), of RoBERTa (``byte_pairs``) or
of XLM-R (``unigram``). BERT's: signs that control are left out, in lower case accents too, each punctuation mark and
each Chinese character is a word, and a word is parted from the left into the longest pieces that the vocabulary has
(WordPiece, Wu et al. 2016).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.byte_pairs import BytePairs
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.ngrams import MOST_CHARACTERS
from sortal.engine.onnx import MOST_TOKENS
from sortal.engine.program import Program
from sortal.engine.step import Step, array, count, fail, floats, text
from sortal.engine.unigram import Charsmap, Unigram

SPECIAL = {"begin": "[CLS]", "end": "[SEP]", "unknown": "[UNK]"}
"""Words of BERT that stand for these, where a program names no others."""
MOST_WORDS, MOST_BYTES = 2**18, 2**23
"""Of a vocabulary; BERT's has 30,522 words in 230,000 bytes."""
LONGEST_WORD = 100
"""Characters of a word that is looked up; a longer one is unknown."""
LONGEST_PIECE = 64
"""Characters of a piece in a vocabulary that is looked up: BERT's have 18 at most."""
MOST_MERGES = 2**18
"""Of pairs that become one; RoBERTa's are 50,000."""
AFTER = -1
"""What stands after the last token of a text."""


class Splitter(Protocol):
    """Parts texts into the pieces of a vocabulary."""

    def parts(self, value: str) -> Iterator[list[int]]:
        """The numbers of the pieces of each word."""
        ...


def step(program: Program) -> Step:
    """(n, most) the tokens of each text, between that of its begin and that of its end; -1 after them.

    ``vocabulary``: the words in the order of their numbers, a line each. A missing text has missing values.
    ``begin``, ``end`` and ``unknown``: words that stand for these. ``split``: wordpiece, with ``lower`` (case and
    accents are no difference); bytes, with ``merges``, pairs of pieces, a line each, and ``blank`` (see ``BytePairs``);
    or unigram, with ``score``, of each piece, and ``charsmap`` (see ``Unigram``).
    """
    name, most = text(program, "column"), count(program, "most", least=2)
    if most > MOST_TOKENS:
        raise fail("tokens", f"setting 'most' is {most:,}, more than the {MOST_TOKENS} of any text")
    vocabulary = _vocabulary(program)
    begin, end = (vocabulary[_word(program, name)] for name in ("begin", "end"))
    splitter = _splitter(program, vocabulary)

    def tokens(value: str) -> list[int]:
        out = [begin]
        for part in splitter.parts(value):
            out += part
            if len(out) >= most:
                break
        return [*out[: most - 1], end]

    def run(columns: Any) -> Floats:
        values = column_of(columns, name)
        out = np.full((len(values), most), float(AFTER))
        for at, value in enumerate(values):
            if value is None:
                out[at] = np.nan
            else:
                numbers = tokens(value[:MOST_CHARACTERS])
                out[at, : len(numbers)] = numbers
        return out

    # A character is looked at a few times, and pieces are looked up that begin with it; where a word is parted as a
    # whole, with all of its characters, of up to four bytes.
    whole = 0 if isinstance(splitter, _Pieces) else 300 * MOST_CHARACTERS * LONGEST_PIECE
    looked_up = 300 * most * LONGEST_PIECE + whole
    cost = Cost(50 * CALL, 2_000 * MOST_CHARACTERS + looked_up, 40 * MOST_CHARACTERS + 16 * most)
    return Step("tokens", run, most, cost, named=True)


def _word(program: Program, name: str) -> str:
    return text(program, name) if name in program.settings else SPECIAL[name]


def _flag(program: Program, name: str, default: bool) -> bool:
    value = program.settings.get(name, default)
    if not isinstance(value, bool):
        raise fail("tokens", f"setting '{name}' is {value!r}, expected true or false")
    return value


def _lines(program: Program, name: str) -> list[str]:
    content = array(program, name, "u", (None,))
    if content.dtype != np.uint8 or len(content) > MOST_BYTES:
        raise fail("tokens", f"array '{name}' holds no bytes, or more than {MOST_BYTES:,}")
    try:
        return content.tobytes().decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise fail("tokens", f"array '{name}' holds no text") from None


def _vocabulary(program: Program) -> dict[str, int]:
    lines = _lines(program, "vocabulary")
    vocabulary = {word: number for number, word in enumerate(lines)}
    special = [_word(program, name) for name in SPECIAL]
    if len(vocabulary) != len(lines) or len(lines) > MOST_WORDS or not vocabulary.keys() >= set(special):
        raise fail(
            "tokens", f"the vocabulary has a word twice, more than {MOST_WORDS:,}, or lacks {special[0]} and so on"
        )
    return vocabulary


def _splitter(program: Program, vocabulary: dict[str, int]) -> Splitter:
    unknown, split = vocabulary[_word(program, "unknown")], program.settings.get("split", "wordpiece")
    if split == "wordpiece":
        return _Pieces(vocabulary, unknown, _flag(program, "lower", default=True))
    if split == "bytes":
        merges = [line.split(" ") for line in _lines(program, "merges")]
        if len(merges) > MOST_MERGES or any(len(pair) != 2 for pair in merges):
            raise fail("tokens", f"array 'merges' has more than {MOST_MERGES:,} lines, or one that is no pair")
        return BytePairs(vocabulary, [(left, right) for left, right in merges], _flag(program, "blank", default=False))
    if split != "unigram":
        raise fail("tokens", f"setting 'split' is {split!r}, expected one of wordpiece, bytes, unigram")
    charsmap = program.arrays.get("charsmap")
    if charsmap is not None and (charsmap.dtype != np.uint8 or charsmap.ndim != 1 or len(charsmap) > MOST_BYTES):
        raise fail("tokens", f"array 'charsmap' holds no bytes, or more than {MOST_BYTES:,}")
    try:
        table = None if charsmap is None else Charsmap(charsmap.tobytes())
    except ValueError as error:
        raise fail("tokens", str(error)) from None
    if max(map(len, vocabulary)) > LONGEST_PIECE:
        raise fail("tokens", f"the vocabulary has a piece of more than {LONGEST_PIECE} characters")
    return Unigram(vocabulary, floats(program, "score", (len(vocabulary),)), unknown, table)


class _Pieces:
    """Parts words into the longest pieces of a vocabulary."""

    def __init__(self, vocabulary: dict[str, int], unknown: int, lower: bool) -> None:
        self._vocabulary, self._unknown, self._lower = vocabulary, unknown, lower

    def parts(self, value: str) -> Iterator[list[int]]:
        for word in _words(value, self._lower):
            yield self._parts(word)

    def _parts(self, word: str) -> list[int]:
        if len(word) > LONGEST_WORD:
            return [self._unknown]
        out, start = [], 0
        while start < len(word):
            for stop in range(min(len(word), start + LONGEST_PIECE), start, -1):
                number = self._vocabulary.get(word[start:stop] if start == 0 else "##" + word[start:stop])
                if number is not None:
                    break
            else:
                return [self._unknown]
            out.append(number)
            start = stop
        return out


def _words(value: str, lower: bool) -> Iterator[str]:
    """Words, punctuation marks and Chinese characters by themselves; with ``lower`` without accents."""
    plain = "".join(_as_read(letter) for letter in value)
    if lower:
        decomposed = unicodedata.normalize("NFD", plain)
        plain = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn").lower()
    for run in plain.split():
        start = 0
        for at, letter in enumerate(run):
            if _is_mark(letter):
                if start < at:
                    yield run[start:at]
                yield letter
                start = at + 1
        if start < len(run):
            yield run[start:]


@cache
def _as_read(letter: str) -> str:
    """Nothing for what only controls, a blank for all blanks, and blanks around a Chinese character."""
    if letter in "\t\n\r" or unicodedata.category(letter) == "Zs":
        return " "
    if letter == "\ufffd" or unicodedata.category(letter).startswith("C"):
        return ""
    code = ord(letter)
    return f" {letter} " if any(first <= code <= last for first, last in CHINESE) else letter


@cache
def _is_mark(letter: str) -> bool:
    return letter in MARKS or unicodedata.category(letter).startswith("P")


MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""First and last code points of the blocks whose characters are words."""
