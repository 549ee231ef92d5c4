"""What in a text or an image speaks for a class: what a model says of the same row without a word, or with a part of
the image covered.

Leaving out (Robnik-Sikonja & Kononenko 2008, "Explaining classifications for individual instances") and occlusion
(Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2) ask any model alike, and
what they say is true of it: so much more or less probable would the class be. What two words say together, and each of
them alone, they do not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sortal.artifact.model import Model
from sortal.core.arrays import Floats
from sortal.core.door import Rows
from sortal.core.image_patches import GRID, covered
from sortal.core.text_measures import WORD

MOST_WORDS = 150
"""Of a text, from its beginning on."""
CERTAIN = 1e-9
"""Nearer to 0 or 1 a probability is not told from it."""

Span = tuple[int, int]


def effects(model: Model, row: Rows, column: str, variants: Sequence[Any], code: int) -> Floats:
    """(m,) by how much the log-odds of a class fall where the column of one row has another value, each of ``variants``
    in turn: above zero where what is gone spoke for the class.

    ``row``: the columns that the model reads.
    """
    return effects_of_columns(model, row, [(column, variant) for variant in variants], code)


def effects_of_columns(model: Model, row: Rows, changes: Sequence[tuple[str, Any]], code: int) -> Floats:
    """(m,) the same of changes in one column each, whichever it is: all of them are scored at once."""
    every = row.take(np.zeros(1 + len(changes), dtype=np.int64))
    columns: dict[str, Any] = {
        name: values if isinstance(values, np.ndarray) else list(values) for name, values in every.columns.items()
    }
    for at, (name, variant) in enumerate(changes, start=1):
        columns[name][at] = variant
    odds = _log_odds(model.score_rows(Rows(columns, every.ids))[:, code])
    return np.asarray(odds[0] - odds[1:])


def _log_odds(p: Floats) -> Floats:
    within = np.clip(p, CERTAIN, 1 - CERTAIN)
    return np.asarray(np.log(within) - np.log1p(-within))


def word_effects(model: Model, row: Rows, column: str, code: int) -> tuple[list[Span], Floats]:
    """Where the first words of a text stand, and (m,) what each of them adds to the log-odds of a class."""
    text = row.columns[column][0] or ""
    spans = [word.span() for _, word in zip(range(MOST_WORDS), WORD.finditer(text), strict=False)]
    without = [f"{text[:begin]} {text[end:]}" for begin, end in spans]
    return spans, effects(model, row, column, without, code) if spans else np.empty(0)


def field_effects(model: Model, row: Rows, column: str, code: int) -> Floats:
    """(``GRID``, ``GRID``) what each field of an image adds to the log-odds of a class. Raises UnreadableError."""
    return effects(model, row, column, covered(row.columns[column][0]), code).reshape(GRID, GRID)
