"""Texts as weighted n-grams (TF-IDF), sparse: words, or words and characters.

The vocabulary is of the training rows of a fold: the n-grams that most of their texts have, and none that fewer than
the view's smallest count have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.core.items import Items
from sortal.core.kinds.text import UNSPACED
from sortal.core.schema import Column
from sortal.engine.ngrams import NO_TEXT, Ngrams
from sortal.engine.program import Program
from sortal.engine.sparse import Sparse
from sortal.prepare.view import EncodedColumn, Labels, View

WORDS, CHARACTERS = Ngrams("word", 1, 2), Ngrams("char_wb", 3, 5)
UNSPACED_WORDS = Ngrams("char_wb", 1, 3)
"""What stands for words where none are parted by blanks."""
MOST_WORDS, MOST_CHARACTERS = 50_000, 100_000
"""N-grams of a vocabulary at most."""
FEWEST_ROWS = 2
"""What a single training text has tells of no other."""

Values = pl.Series | Items
"""The canonical values of a text column, as a series or as what remembers what was made of them."""


@dataclass(frozen=True)
class Vocabulary:
    """The n-grams of training texts. ``hash`` (m,) ascending, ``documents`` (m,) in how many of the ``rows``."""

    ngrams: Ngrams
    hash: np.ndarray[tuple[int], np.dtype[np.uint64]]
    documents: np.ndarray[tuple[int], np.dtype[np.uint32]]
    rows: int

    def program(self, column: str) -> Program:
        """The column -> (n, m) weighted n-grams, sparse."""
        ngrams = self.ngrams
        settings = {
            "column": column,
            "kind": ngrams.kind,
            "least": ngrams.least,
            "most": ngrams.most,
            "rows": self.rows,
        }
        return Program("tfidf", settings, {"hash": self.hash, "documents": self.documents})


def vocabulary(values: Values, ngrams: Ngrams, fewest: int, most: int) -> Vocabulary:
    """The ``most`` n-grams of so many texts at least that most texts have; of equal ones those of smaller hashes.

    Where there are none, that a text is missing is the only one.
    """
    counts = ngram_counts(values, ngrams)
    distinct, documents = np.unique(counts.index, return_counts=True)
    index = np.flatnonzero(documents >= max(fewest, FEWEST_ROWS))
    if len(index) > most:
        index = np.sort(index[np.argsort(-documents[index], kind="stable")[:most]])
    if not len(index):
        return Vocabulary(ngrams, np.array([NO_TEXT], np.uint64), np.zeros(1, np.uint32), len(counts))
    return Vocabulary(ngrams, distinct[index].astype(np.uint64), documents[index].astype(np.uint32), len(counts))


def ngram_counts(values: Values, ngrams: Ngrams) -> Sparse:
    """The n-grams of texts, counted."""
    return values.once(ngrams) if isinstance(values, Items) else ngrams(values.to_list())


def words_of(column: Column) -> Ngrams:
    """What the words of a column are."""
    return UNSPACED_WORDS if column.format == UNSPACED else WORDS


@dataclass(frozen=True)
class TextPreparer:
    """Words and pairs of them; with ``characters``, also sequences of three to five characters within words."""

    characters: bool

    def fit(self, column: Column, values: Values, labels: Labels, view: View, seed: int) -> EncodedColumn:
        parts = [("word", vocabulary(values, words_of(column), view.smallest_count, MOST_WORDS))]
        if self.characters:
            parts.append(("characters", vocabulary(values, CHARACTERS, view.smallest_count, MOST_CHARACTERS)))
        return encoded(column, [(name, part.program(column.name), len(part.hash)) for name, part in parts])


def encoded(column: Column, parts: Sequence[tuple[str, Program, int]]) -> EncodedColumn:
    """Programs of one text column side by side: their name, and how many columns they give."""
    names = tuple(f"{column.name} {part} {i}" for part, _, width in parts for i in range(width))
    return EncodedColumn(
        program=Program("table", steps=tuple(program for _, program, _ in parts)),
        names=names,
        numeric=False,
        categorical=(False,) * len(names),
        sparse=True,
    )


words = TextPreparer(characters=False)
words_and_characters = TextPreparer(characters=True)
