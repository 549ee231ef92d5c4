"""What in a text speaks for a class, by a model that counts words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sortal.artifact import attribution
from sortal.artifact.attribution import MOST_WORDS, effects, effects_of_columns, word_effects
from sortal.core.door import Rows


class CountingModel:
    """The log-odds of the second class are the number of "good" in a text, less x; of the first as much against it."""

    def __init__(self) -> None:
        self.row_counts: list[int] = []

    def score_rows(self, rows: Rows) -> np.ndarray:
        self.row_counts.append(len(rows.columns["note"]))
        odds = np.array([text.split().count("good") for text in rows.columns["note"]]) - np.asarray(rows.columns["x"])
        p = 1 / (1 + np.exp(-odds))
        return np.column_stack([1 - p, p])


def row(note: str, x: float = 0.5) -> Rows:
    return Rows({"note": [note], "x": np.array([x])}, np.zeros(1, dtype=np.int64))


MODEL: Any = CountingModel()


def test_a_change_tells_by_how_much_the_odds_fall() -> None:
    example = row("good day, good night")
    falls = effects(MODEL, example, "note", ["good day", "nothing", "good good good"], 1)
    assert falls.tolist() == pytest.approx([1.0, 2.0, -1.0])
    assert effects(MODEL, example, "note", ["nothing"], 0).tolist() == pytest.approx([-2.0])
    assert example.columns["note"] == ["good day, good night"]  # the row itself stays


def test_changes_in_several_columns_are_scored_at_once() -> None:
    MODEL.row_counts.clear()
    falls = effects_of_columns(MODEL, row("good"), [("x", 1.5), ("note", ""), ("x", -0.5)], 1)
    assert falls.tolist() == pytest.approx([1.0, 1.0, -1.0])
    assert MODEL.row_counts == [4]
    assert effects_of_columns(MODEL, row("good"), [], 1).tolist() == []


def test_words_are_left_out_one_by_one_where_they_stand() -> None:
    text = "A good, bad day: good"
    spans, falls = word_effects(MODEL, row(text), "note", 1)
    assert [text[begin:end] for begin, end in spans] == ["good", "bad", "day", "good"]
    assert falls.tolist() == pytest.approx([0, 0, 0, 1])  # "good," is another word to this model
    assert word_effects(MODEL, row(""), "note", 1)[0] == []
    assert word_effects(MODEL, Rows({"note": [None], "x": [0.0]}, np.zeros(1, dtype=np.int64)), "note", 1)[1].size == 0


@pytest.mark.parametrize(("words", "length"), [(MOST_WORDS, MOST_WORDS), (MOST_WORDS + 1, MOST_WORDS)])
def test_the_first_words_of_a_long_text_are_told(words: int, length: int) -> None:
    spans, falls = word_effects(MODEL, row(" ".join(["good"] * words)), "note", 1)
    assert len(spans) == len(falls) == length
    assert spans[:2] == [(0, 4), (5, 9)]


def test_certain_probabilities_have_odds_all_the_same() -> None:
    log_odds = attribution._log_odds(np.array([0.0, 1.0, 0.5, 0.2]))
    assert log_odds.tolist() == pytest.approx([-np.log(1e9), np.log(1e9), 0.0, np.log(0.25)], rel=1e-6)


def test_fields_of_an_image_stand_in_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model sees bytes; each field that is covered takes as much as its number from the log-odds of the second."""
    monkeypatch.setattr(
        attribution, "covered", lambda image: [b"%s %d" % (image, k) for k in range(attribution.GRID**2)]
    )

    class ByteModel:
        def score_rows(self, rows: Rows) -> np.ndarray:
            odds = np.array([-0.1 * int(image.split()[1]) if b" " in image else 0.0 for image in rows.columns["photo"]])
            p = 1 / (1 + np.exp(-odds))
            return np.column_stack([1 - p, p])

    model: Any = ByteModel()
    one = Rows({"photo": [b"whole"], "note": ["x"]}, np.zeros(1, dtype=np.int64))
    grid = attribution.field_effects(model, one, "photo", 1)
    assert grid.shape == (attribution.GRID, attribution.GRID)
    assert grid.ravel().tolist() == pytest.approx((0.1 * np.arange(attribution.GRID**2)).tolist())
    assert attribution.field_effects(model, one, "photo", 0) == pytest.approx(-grid)
