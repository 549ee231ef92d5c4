"""examples.html: what it shows of a text, and how it marks words."""

from __future__ import annotations

import numpy as np

from sortal.report.examples import LEVELS, MOST_LETTERS, MOST_SHOWN, Item, excerpt

ITEM = Item("text")


def spans(text: str) -> list[tuple[int, int]]:
    pairs, at = [], 0
    for word in text.split(" "):
        pairs.append((at, at + len(word)))
        at += len(word) + 1
    return pairs


def test_a_short_text_is_whole_and_marked_by_how_far_each_word_moved_the_model() -> None:
    text = "not very good film"
    result = excerpt(ITEM, text, spans(text), np.array([-2.0, 0.1, 4.0, 1.0]))
    assert "".join(word.text for word in result.words) == text
    assert {word.text: word.level for word in result.words if word.text.strip()} == {
        "not": -2,
        "very": 0,
        "good": LEVELS,
        "film": 1,
    }
    assert (result.starts_before, result.goes_on) == (False, False)


def test_of_a_long_text_what_moved_the_model_is_shown() -> None:
    words = [f"w{i}" for i in range(140)]
    effect = np.zeros(140)
    effect[100] = -3.0
    text = " ".join(words)
    result = excerpt(ITEM, text, spans(text), effect)
    shown_text = "".join(word.text for word in result.words)
    assert shown_text in text
    assert len(shown_text.split()) == MOST_SHOWN
    assert [word.level for word in result.words if word.text == "w100"] == [-LEVELS]
    assert (result.starts_before, result.goes_on) == (True, True)


def test_where_nothing_moves_the_model_nothing_is_marked() -> None:
    text = "one two"
    result = excerpt(ITEM, text, spans(text), np.array([0.001, -0.002]))
    assert [word.level for word in result.words] == [0] * len(result.words)


def test_long_words_empty_texts_and_texts_nobody_asked_about_are_cut() -> None:
    long = "x" * 5_000
    assert sum(len(w.text) for w in excerpt(ITEM, long, [(0, 5_000)], np.array([1.0])).words) == MOST_LETTERS
    assert excerpt(ITEM, "", [], np.empty(0)).words[0].text == "(empty)"
    result = excerpt(ITEM, long, [], np.empty(0))
    assert (len(result.words[0].text), result.goes_on) == (MOST_LETTERS, True)
