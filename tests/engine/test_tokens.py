"""Op ``tokens``: texts as BERT parts them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sortal.engine import compile
from sortal.engine.program import Program
from sortal.engine.tokens import _words
from sortal.prepare.minilm import vocabulary

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "run", "##ning", ".", "漢", "cafe", "'", "s"]


def tokens(content: bytes = "\n".join(WORDS).encode(), **settings: object) -> Program:
    options = {"column": "t", "most": 10, **settings}
    return Program("tokens", options, {"vocabulary": np.frombuffer(content, dtype=np.uint8)})


def parts(text: str, most: int = 10) -> list[str]:
    return [WORDS[int(at)] for at in compile(tokens(most=most))({"t": [text]})[0] if at >= 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unaffable", ["un", "##aff", "##able"]),  # the example of BERT's own documentation
        ("unaffables", ["[UNK]"]),
        ("a running.", ["a", "run", "##ning", "."]),
        ("Café's", ["cafe", "'", "s"]),
        ("a漢a", ["a", "漢", "a"]),
        ("a\u0000\u200b\ufffda\t\u00a0a", ["[UNK]", "a"]),
        ("", []),
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_words_and_their_parts(text: str, expected: list[str]) -> None:
    assert parts(text) == ["[CLS]", *expected, "[SEP]"]


def test_a_long_text_is_cut_off_and_ends_all_the_same() -> None:
    assert parts("a a a a a", most=4) == ["[CLS]", "a", "a", "[SEP]"]


def test_after_the_last_token_and_in_the_place_of_a_missing_text() -> None:
    ids = compile(tokens(most=5))({"t": ["a", None]})
    assert_array_equal(ids[0], [2, 7, 3, -1, -1])
    assert np.isnan(ids[1]).all()


def test_the_vocabulary_is_that_of_bert() -> None:
    run = compile(Program("tokens", {"column": "t", "most": 12}, {"vocabulary": vocabulary()}))
    ids = run({"t": ["Hello, world! Embeddings"]})[0]
    assert_array_equal(ids, [101, 7592, 1010, 2088, 999, 7861, 8270, 4667, 2015, 102, -1, -1])


def test_what_controls_is_left_out_and_marks_are_words() -> None:
    assert list(_words("“É”—x_y\r\n$5", lower=True)) == ["“", "e", "”", "—", "x", "_", "y", "$", "5"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (tokens(most=1), "setting 'most'"),
        (tokens(most=257), "more than the 256"),
        (tokens(b"a\nb"), "lacks \\[CLS\\]"),
        (tokens(b"\xff"), "holds no text"),
        (tokens("\n".join([*WORDS, "a"]).encode()), "a word twice"),
        (Program("tokens", {"column": "t", "most": 9}, {"vocabulary": np.zeros(3, np.uint16)}), "holds no bytes"),
    ],
)
def test_what_is_no_vocabulary_is_refused(program: Program, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile(program)
