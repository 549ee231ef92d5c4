"""What is measured of a text, so that texts that come in can be compared with those of training."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

LOOKED_AT = 2_000
"""Characters of a text whose words and script are looked at; its length is that of all of it."""
LETTERS = 100
"""Letters of a text that tell its script."""
CHARACTERS, UNKNOWN, SCRIPT = "characters", "share of unusual words", "script"
KINDS: Mapping[str, str] = {CHARACTERS: "number", UNKNOWN: "number", SCRIPT: "category"}
"""The measures, and what kind of column each would be."""
WORD = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|\\w\\w+")
"""A run of letters and digits, or one letter of a script without blanks between words."""

_ASCII_WORD = re.compile(r"\w\w+")
"""The same among ASCII, where there is only one kind of run to look for."""


def words(text: str) -> list[str]:
    """In lower case.

    >>> words("To be, or not: 房间")
    ['to', 'be', 'or', 'not', '房', '间']
    """
    start = text[:LOOKED_AT].lower()
    return (_ASCII_WORD if start.isascii() else WORD).findall(start)


def script(text: str) -> str | None:
    """Of most of its first letters, as Unicode calls it; None where it has none.

    >>> script("a 房间很大"), script("Größe"), script("12.5")
    ('cjk', 'latin', None)
    """
    start = text[:LOOKED_AT]
    if start.isascii():
        return "latin" if _LATIN.search(start) else None
    names = [_script(letter) for letter in islice(filter(str.isalpha, start), LETTERS)]
    return max(dict.fromkeys(names), key=names.count) if names else None


_LATIN = re.compile("[A-Za-z]")


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "other").split()[0].split("-")[0].lower()


def measures(texts: Sequence[str | None], usual: Collection[str]) -> dict[str, NDArray[np.float64] | list[str | None]]:
    """By name, what is measured of each text: numbers with NaN, or texts with None, where there is nothing to say.

    ``usual``: the words that were usual in training. That a text is missing is said by its number of characters alone.
    """
    is_known = set(usual).__contains__
    length = np.array([np.nan if text is None else len(text) for text in texts], dtype=np.float64)
    word_lists = [words(text or "") for text in texts]
    n_known = np.array([sum(map(is_known, word_list)) for word_list in word_lists])
    count = np.array([len(word_list) or np.nan for word_list in word_lists], dtype=np.float64)
    unknown = (count - n_known) / count
    return {CHARACTERS: length, UNKNOWN: unknown, SCRIPT: [None if text is None else script(text) for text in texts]}
