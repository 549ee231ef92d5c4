"""``examples.html``: texts and images that the model mistakes or is unsure of, with what moved it.

It holds values of single rows, so it is a page of its own: the report can be given away, this page stays with the data.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
import polars as pl

from sortal.artifact.attribution import Span, field_effects, word_effects
from sortal.artifact.model import Model
from sortal.core.arrays import Floats
from sortal.core.door import Rows
from sortal.core.image_patches import small
from sortal.core.images import UnreadableError
from sortal.core.kinds import kind_of
from sortal.core.schema import Column
from sortal.core.table import Table
from sortal.data.problem import Problem
from sortal.record.examples import item_columns
from sortal.record.parts import Example
from sortal.record.run import Outcome
from sortal.report.template import template

MOST_SHOWN, MOST_LETTERS = 60, 900
"""Words and letters of a text that are shown: those around what moved the model most."""
LEVELS = 4
"""Shades of a word."""
LEAST_EFFECT = 0.02
"""Log-odds below which nothing is marked: a probability of .5 moves by half a percent."""
WIDE = 300
"""Pixels that a card has at least: two pictures side by side."""


@dataclass(frozen=True)
class Word:
    """A stretch of a text. ``level``: how strongly it speaks for what was decided, from -``LEVELS`` to ``LEVELS``."""

    text: str
    level: int = 0
    effect: float = 0.0


@dataclass(frozen=True)
class Item:
    """A text or an image of an example. ``name``: the file that it came from; ``fault``: why it is not shown.

    ``picture`` and ``heat`` are addresses that hold the image; ``starts_before`` and ``goes_on``: the text is cut.
    """

    column: str
    name: str = ""
    fault: str = ""
    picture: str = ""
    heat: str = ""
    words: tuple[Word, ...] = ()
    starts_before: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Card:
    """``marked``: there was time to ask what moved the model."""

    example: Example
    items: tuple[Item, ...]
    marked: bool


def render_examples(record: Outcome, model: Model, problem: Problem, in_time: Callable[[float], bool]) -> str:
    """The page as HTML, of a record that has examples, which are among the rows of a problem.

    ``in_time``: whether there is time for so many seconds; an example that there is none for is not marked.
    """
    assert record.examples is not None
    cards = _Cards(model, problem.table, problem.names)
    every, longest = [], 0.0
    for example in (*record.examples.mistakes, *record.examples.uncertain):
        start = time.monotonic()
        every.append(cards.card(example, marked=in_time(longest)))
        longest = max(longest, time.monotonic() - start)
    first = len(record.examples.mistakes)
    return template("examples.html.j2").render(
        record=record,
        examples=record.examples,
        mistakes=every[:first],
        uncertain=every[first:],
        marked=any(card.marked for card in every),
        unmarked=sum(not card.marked for card in every),
        width=WIDE,
    )


@dataclass(frozen=True)
class _Cards:
    """What cards are made of."""

    model: Model
    table: Table
    names: pl.DataFrame

    def card(self, example: Example, marked: bool) -> Card:
        at = int(np.searchsorted(self.table.rows, example.row - 1))
        names = list(dict.fromkeys([*self.model.reads.names, *(c.name for c in item_columns(self.table.schema))]))
        row = Rows(self.table.take(np.array([at])).columns(names), np.array([example.row - 1]))
        items = [self._item(column, row, example, marked) for column in item_columns(self.table.schema)]
        items = [replace(item, name=self._name(item.column, at)) for item in items]
        return Card(example, tuple(items), marked)

    def _item(self, column: Column, row: Rows, example: Example, marked: bool) -> Item:
        value = row.columns[column.name][0]
        explained = marked and column.name in self.model.reads.names and example.of_decided is not None
        item = Item(column.name)
        if value is None:
            return replace(item, fault="missing")
        code = self.model.task.classes.index(example.decided) if explained else None
        if kind_of(column.kind).encoding == "text":
            return self._text(item, row, value, code)
        try:
            return self._image(item, row, value, code)
        except UnreadableError as error:
            return replace(item, fault=str(error))

    def _name(self, column: str, at: int) -> str:
        name = self.names[column][at] if column in self.names.columns else None
        return "/".join(PurePath(name or "").parts[-2:])

    def _text(self, item: Item, row: Rows, text: str, code: int | None) -> Item:
        spans, effect = ([], np.empty(0)) if code is None else word_effects(self.model, row, item.column, code)
        return excerpt(item, text, spans, effect)

    def _image(self, item: Item, row: Rows, image: bytes, code: int | None) -> Item:
        item = replace(item, picture=_address(small(image)))
        if code is None:
            return item
        effect = field_effects(self.model, row, item.column, code)
        largest = np.abs(effect).max()
        return item if largest < LEAST_EFFECT else replace(item, heat=_address(small(image, effect / largest)))


def excerpt(item: Item, text: str, spans: Sequence[Span], effect: Floats) -> Item:
    """The ``MOST_SHOWN`` words of a text that together moved the model most, each as far as it did.

    ``spans``: where its words stand, and (m,) what each of them adds.
    """
    if not len(spans):
        head = text[:MOST_LETTERS]
        return replace(item, words=(Word(head or "(empty)"),), goes_on=len(text) > len(head))
    first = _strongest_window(effect)
    last = min(first + MOST_SHOWN, len(spans)) - 1
    begin = 0 if first == 0 else spans[first][0]
    end = len(text) if last + 1 == len(spans) else spans[last][1]
    end = min(end, begin + MOST_LETTERS)
    words, at, largest = [], begin, float(np.abs(effect).max())
    for (start, stop), value in zip(spans[first : last + 1], effect[first : last + 1].tolist(), strict=True):
        if start >= end:
            break
        level = 0 if largest < LEAST_EFFECT else int(LEVELS * value / largest)
        words += [Word(text[at:start]), Word(text[start : min(stop, end)], level, value)]
        at = min(stop, end)
    words.append(Word(text[at:end]))
    return replace(item, words=tuple(w for w in words if w.text), starts_before=begin > 0, goes_on=end < len(text))


def _strongest_window(effect: Floats) -> int:
    """Where so many words begin that moved the model most."""
    sums = np.concatenate([[0.0], np.cumsum(np.abs(effect))])
    return int(np.argmax(sums[MOST_SHOWN:] - sums[:-MOST_SHOWN])) if len(effect) > MOST_SHOWN else 0


def _address(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
