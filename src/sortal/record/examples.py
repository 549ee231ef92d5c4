"""Rows that are worth a look: the most confident mistakes, and what the model is least certain of."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Codes, Floats, Ints
from sortal.core.kinds import is_item
from sortal.core.predictions import Predictions
from sortal.core.schema import Column, Schema
from sortal.decide.policy import REJECT
from sortal.record.parts import Example, Examples

MOST = 12
"""Of each sort: three lines of four."""


def item_columns(schema: Schema) -> list[Column]:
    """The columns whose values a person can look at: texts and images."""
    return [column for column in schema.features if is_item(column.kind)]


def describe_examples(predictions: Predictions, decided: Codes, copies: Ints) -> Examples:
    """Of rows that their models never saw, and what was decided of them (n,). ``copies``: (n,) ids that rows share that
    look the same, of which one is enough.
    """
    everyone = np.arange(len(predictions))
    of_truth = predictions.probability[everyone, predictions.truth]
    wrong = np.flatnonzero((decided != predictions.truth) & (decided < len(predictions.classes)))
    mistakes = _first(wrong, of_truth, copies)
    others = np.flatnonzero(~np.isin(copies, copies[mistakes]))
    uncertain = _first(others, _margin(predictions.probability), copies)
    return Examples(
        part=predictions.part,
        wrong=len(wrong),
        mistakes=tuple(_example(predictions, decided, at) for at in mistakes.tolist()),
        uncertain=tuple(_example(predictions, decided, at) for at in uncertain.tolist()),
    )


def _first(rows: Ints, by: Floats, copies: Ints) -> Ints:
    """Those with the smallest figures, one of all that are copies."""
    ordered = rows[np.argsort(by[rows], kind="stable")]
    _, first = np.unique(copies[ordered], return_index=True)
    return ordered[np.sort(first)[:MOST]]


def _margin(probability: Floats) -> Floats:
    """(n,) by how much the most probable class is ahead of the next."""
    ordered = np.sort(probability, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def _example(predictions: Predictions, decided: Codes, at: int) -> Example:
    probability, truth, code = predictions.probability[at], int(predictions.truth[at]), int(decided[at])
    classes = predictions.classes
    is_class = code < len(classes)
    return Example(
        row=int(predictions.rows[at]) + 1,
        truth=classes[truth],
        decided=classes[code] if is_class else REJECT,
        of_truth=float(probability[truth]),
        of_decided=float(probability[code]) if is_class else None,
    )
