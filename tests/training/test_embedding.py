"""Embeddings are made before a candidate is tried, where there is time for them."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import once
from sortal.engine.program import Program
from sortal.prepare import embedding
from sortal.prepare.view import View
from sortal.training.candidate import Candidate, Development
from sortal.training.embedding import embed

ROWS = 100


class Slow:
    """A preparer that takes a hundredth of a second for each text."""

    def program(self, column: str, view: View) -> Program:
        inner = Program("tokens", {"column": column, "most": 4}, {"vocabulary": VOCABULARY})
        return Program("once", {"column": column}, steps=(inner,))


VOCABULARY = np.frombuffer(b"[CLS]\n[SEP]\n[UNK]", dtype=np.uint8)


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch) -> Development:
    import polars as pl

    monkeypatch.setattr(once, "_cache", {})
    monkeypatch.setattr(once, "_bytes", 0)
    monkeypatch.setattr(registry, "load", lambda group, name: Slow() if name == "text.embedding" else object())
    real = once.Once.of

    def slow(self, values):
        time.sleep(0.01 * len(self.unknown(values)))
        return real(self, values)

    monkeypatch.setattr(once.Once, "of", slow)
    schema = Schema((Column("t", "text"), Column("x", "number")))
    frame = pl.DataFrame({"t": [f"text {i}" for i in range(ROWS)], "x": np.arange(float(ROWS))})
    return Development(Table(schema, frame, np.arange(ROWS)), np.arange(ROWS) % 2, ("a", "b"), seed=0)


def candidate() -> Candidate:
    from sortal.models.linear import logistic_sentences

    return Candidate("logistic_sentences", logistic_sentences)


@pytest.mark.clock
def test_all_rows_have_theirs_where_there_is_time(dev: Development) -> None:
    assert isinstance(Slow(), embedding.Embedding)
    assert embed(candidate(), dev, math.inf, 0, math.inf) == ""
    assert len(once._cache) == ROWS
    began = time.monotonic()
    assert embed(candidate(), dev, 0.05, 0, 0.0) == ""
    assert time.monotonic() - began < 0.2


@pytest.mark.clock
def test_where_there_is_too_little_time_it_says_how_much_it_takes(dev: Development) -> None:
    began = time.monotonic()
    why = embed(candidate(), dev, 0.5, 0, math.inf)
    assert why.startswith("embeddings of 100 values of 't' need 1 s more")
    assert time.monotonic() - began < 0.4
    assert len(once._cache) < 20


def test_rows_that_come_later_need_their_time_too(dev: Development) -> None:
    assert embed(candidate(), dev, 30.0, 10_000, 10.0) != ""
    assert embed(candidate(), dev, 30.0, 100, 10.0) == ""


def test_other_candidates_need_none(dev: Development) -> None:
    from sortal.models.linear import logistic

    assert embed(Candidate("logistic", logistic), dev, 0.0, 10_000, 0.0) == ""
    assert not once._cache


def test_texts_have_theirs_wherever_their_column_stands(dev: Development) -> None:
    columns = dev.table.schema.columns
    reordered = Schema((columns[1], Column("s", "text", "ignore"), columns[0]))
    other = Development(Table(reordered, dev.table.frame, dev.table.rows), dev.codes, dev.classes, seed=0)
    assert embed(candidate(), other, math.inf, 0, math.inf) == ""
    assert len(once._cache) == ROWS
