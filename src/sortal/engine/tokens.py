"""Op ``tokens``: texts to the numbers of their words and parts of words, as BERT takes them.

The rules are those of BERT in lower case (https://github.com/google-research/bert, tokenization.py): signs that control
are left out, accents too, each punctuation mark and each Chinese character is a word, and a word is parted from the
left into the longest pieces that the vocabulary has (WordPiece, Wu et al. 2016).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.ngrams import MOST_CHARACTERS
from sortal.engine.onnx import MOST_TOKENS
from sortal.engine.program import Program
from sortal.engine.step import Step, array, count, fail, text

BEGIN, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
MOST_WORDS, MOST_BYTES = 2**18, 2**23
"""Of a vocabulary; BERT's has 30,522 words in 230,000 bytes."""
LONGEST_WORD = 100
"""Characters of a word that is looked up; a longer one is unknown."""
LONGEST_PIECE = 64
"""Characters of a piece in a vocabulary: BERT's have 18 at most."""
AFTER = -1
"""What stands after the last token of a text."""


def step(program: Program) -> Step:
    """(n, most) the tokens of each text, between that of its begin and that of its end; -1 after them.

    ``vocabulary``: the words in the order of their numbers, a line each. A missing text has missing values.
    """
    name, most = text(program, "column"), count(program, "most", least=2)
    if most > MOST_TOKENS:
        raise fail("tokens", f"setting 'most' is {most:,}, more than the {MOST_TOKENS} of any text")
    pieces = _Pieces(_vocabulary(program))

    def run(columns: Any) -> Floats:
        values = column_of(columns, name)
        out = np.full((len(values), most), float(AFTER))
        for at, value in enumerate(values):
            if value is None:
                out[at] = np.nan
            else:
                tokens = pieces.tokens(value[:MOST_CHARACTERS], most)
                out[at, : len(tokens)] = tokens
        return out

    # A character is looked at a few times, and a piece is looked up at most so often.
    cost = Cost(50 * CALL, 2_000 * MOST_CHARACTERS + 300 * most * LONGEST_PIECE, 40 * MOST_CHARACTERS + 16 * most)
    return Step("tokens", run, most, cost, named=True)


def _vocabulary(program: Program) -> dict[str, int]:
    content = array(program, "vocabulary", "u", (None,))
    if content.dtype != np.uint8 or len(content) > MOST_BYTES:
        raise fail("tokens", f"array 'vocabulary' holds no bytes, or more than {MOST_BYTES:,}")
    try:
        words = content.tobytes().decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise fail("tokens", "array 'vocabulary' holds no text") from None
    known = {word: number for number, word in enumerate(words)}
    if len(known) != len(words) or len(words) > MOST_WORDS or not known.keys() >= {BEGIN, END, UNKNOWN}:
        raise fail("tokens", f"the vocabulary has a word twice, more than {MOST_WORDS:,}, or lacks {BEGIN} and so on")
    return known


class _Pieces:
    """Parts words into the pieces of a vocabulary."""

    def __init__(self, known: dict[str, int]) -> None:
        self._known = known
        self._begin, self._end, self._unknown = (known[word] for word in (BEGIN, END, UNKNOWN))

    def tokens(self, value: str, most: int) -> list[int]:
        out = [self._begin]
        for word in _words(value):
            out += self._parts(word)
            if len(out) >= most:
                break
        return [*out[: most - 1], self._end]

    def _parts(self, word: str) -> list[int]:
        if len(word) > LONGEST_WORD:
            return [self._unknown]
        out, start = [], 0
        while start < len(word):
            for stop in range(min(len(word), start + LONGEST_PIECE), start, -1):
                number = self._known.get(word[start:stop] if start == 0 else "##" + word[start:stop])
                if number is not None:
                    break
            else:
                return [self._unknown]
            out.append(number)
            start = stop
        return out


def _words(value: str) -> Iterator[str]:
    """Words in lower case and without accents, punctuation marks and Chinese characters by themselves."""
    spaced = "".join(_as_read(letter) for letter in value)
    plain = "".join(letter for letter in unicodedata.normalize("NFD", spaced) if unicodedata.category(letter) != "Mn")
    for run in plain.lower().split():
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
