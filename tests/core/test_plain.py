"""What people are shown cannot command their terminal, mislead them or go on without end."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError, did_you_mean
from sortal.core.plain import LONGEST, LONGEST_VALUE, plain, quoted, sentence, short, visible

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
WAYS = (
    visible,
    plain,
    short,
    sentence,
    quoted,
    lambda text: str(DataError(text)),
    lambda text: did_you_mean(text, [text, "b"]),
)


def is_safe(text: str) -> bool:
    return not any(unicodedata.category(letter) in HIDDEN for letter in text if letter not in "\u200c\u200d")


@settings(max_examples=300)
@given(st.text(st.characters(), max_size=60))
def test_nothing_hidden_is_left(text):
    for way in WAYS:
        assert is_safe(way(text))
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("text", ["Größe", "नाम", "👩‍👧", "می‌خواهم", "数量", "naïve", "100 %", "a  b"])
def test_names_of_any_script_stay(text):
    assert visible(text) == sentence(text) == text


@pytest.mark.parametrize(
    "text", ["x" * 10**6, "x " * 10**6, "\x1b" * 10**5, [0] * 10**5, {"a": "b" * 10**6}, 10**6_000], ids=list("abcdef")
)
def test_long_values_are_cut(text):
    assert len(quoted(text)) <= LONGEST_VALUE
    if isinstance(text, str):
        assert len(str(DataError(f"no column {text!r} in a.csv; name another"))) <= LONGEST
        assert str(DataError(f"no column {text!r} in a.csv; name another")).endswith("name another")
        assert len(did_you_mean(text, [text] * 20_000)) < 2_000


def test_an_error_keeps_what_it_was_given():
    """Only how it is shown is cleaned: who catches it can still read the name."""
    assert DataError("a\nb").args == ("a\nb",)
