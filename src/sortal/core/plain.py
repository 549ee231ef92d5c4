"""Text from files as a person may be shown it: nothing in it commands a terminal, misleads who reads it, or goes on
without end.

Names of columns, classes and files, values, and what libraries say of them may hold anything. They are cleaned here,
where they are written for people: by every error (``core.errors``), every console (``report.screen``) and whatever else
the command line says. Data are written as they are.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_WORD, LONGEST = 160, 1_000
"""Letters of a word and of a message. A path of a deep folder and a list of a dozen names still fit."""
LONGEST_VALUE = 60
"""Letters of a value that a message quotes."""

BREAKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
"""Letters that end a line, or leave a gap in it."""
_BREAKS = re.compile(f"[{BREAKS}]+")
_JOINERS = "\u200c\u200d"
"""Format characters that scripts need between letters, and emoji between parts."""
_WORDS = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def visible(text: str) -> str:
    """The text with its breaks as blanks and what cannot be seen as Python writes it: controls, escape sequences, marks
    that turn the direction of reading, halves of characters.

    >>> print(visible("two\\nlines \\x1b[31mred \\u202egnp.exe \\ud800"))
    two lines \\x1b[31mred \\u202egnp.exe \\ud800
    """
    if text.isprintable():
        return text
    return "".join(_visible_form(letter) for letter in _BREAKS.sub(" ", text))


def _visible_form(letter: str) -> str:
    is_hidden = unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in _JOINERS
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii") if is_hidden else letter


def plain(value: object) -> str:
    """Any value in one line, for names that come from data.

    >>> print(plain("two\\nlines\\x1b[31m"), plain(""))
    two lines\\x1b[31m (empty)
    """
    return " ".join(visible(str(value)).split()) or "(empty)"


def short(value: object, most: int = 28) -> str:
    """``plain``, cut in the middle when long.

    >>> short("a very long name of a class indeed", 16)
    'a very l… indeed'
    """
    return cut(plain(cut(str(value), 8 * most)), most)


def cut(text: str, most: int) -> str:
    """A text with at most so many letters: what is in the middle goes, as the end says what to do.

    >>> cut("0123456789", 5)
    '01…89'
    """
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - most // 2 - 1) :]}"


def quoted(value: object) -> str:
    """A value as a message quotes it.

    >>> len(quoted("a" * 9_999)), quoted(None), print(quoted("\\x1b[31m"))
    '\\x1b[31m'
    (60, 'None', None)
    """
    try:
        return cut(visible(cut(repr(value), 8 * LONGEST_VALUE)), LONGEST_VALUE)
    except (ValueError, RecursionError):
        # Python writes no number of very many digits, and nothing that is nested very deep.
        return f"a {type(value).__name__} too large to be shown"


def sentence(text: str) -> str:
    """A message in one line, without what cannot be seen, and of a length that can be read.

    >>> print(sentence("no column '" + "x" * 5000 + "' in a.csv;\\nname another"))  # doctest: +ELLIPSIS
    no column 'xxx...xxx…xxx...xxx' in a.csv; name another
    """
    words = _WORDS.sub(lambda word: cut(word[0], LONGEST_WORD), visible(cut(text, 100 * LONGEST)).strip())
    return cut(words, LONGEST)
