"""Texts become weighted n-grams of the training rows, or a few topics of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from sortal.core.items import Memo
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine.ngrams import NO_TEXT, Ngrams
from sortal.engine.run import reads
from sortal.prepare import text
from sortal.prepare.table import Preprocessor, fit
from sortal.prepare.text import vocabulary
from sortal.prepare.view import Labels, View

GOOD, BAD = ["good", "fine", "great"], ["bad", "poor", "awful"]


def reviews(n: int = 200, seed: int = 0) -> tuple[Table, Labels]:
    """Texts of good or bad words among others, a number and a category; some texts are missing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    words = [
        " ".join([*rng.choice(GOOD if good else BAD, 2), *(f"w{i}" for i in rng.integers(0, 60, 8))]) for good in y
    ]
    texts = [None if i % 20 == 7 else word for i, word in enumerate(words)]
    columns = (Column("price", "number"), Column("review", "text"), Column("shop", "category"))
    price = np.where(rng.random(n) < 0.1, None, rng.normal(size=n))
    frame = pl.DataFrame(
        {"price": price.tolist(), "review": texts, "shop": rng.choice(["a", "b"], n).tolist()},
        schema={"price": pl.Float64, "review": pl.String, "shop": pl.String},
    )
    return Table(Schema(columns), frame, np.arange(n)), Labels(y, 2)


def dense(x: object) -> np.ndarray:
    return x.toarray() if isinstance(x, csr_matrix) else x


@pytest.mark.parametrize("texts", ["words", "words_and_characters", "topics"])
@pytest.mark.parametrize(("numbers", "categories"), [("raw", "codes"), ("scaled", "onehot")])
def test_training_rows_and_rows_to_score_are_the_same_with_and_without_a_memory(texts, numbers, categories):
    table, labels = reviews()
    view, memo = View(numbers, categories, texts=texts), Memo()
    preprocessor, matrix = fit(table, labels, view, 0, memo=memo)
    assert isinstance(matrix, csr_matrix) == (texts != "topics")
    again, other = fit(table, labels, view, 0)
    assert_array_equal(dense(matrix), dense(other))
    for output in (preprocessor.transform(table), preprocessor.transform(table, memo), again.transform(table)):
        assert_array_equal(dense(output), dense(matrix))
    d = matrix.shape[1]
    assert len(preprocessor.names) == len(set(preprocessor.names)) == len(preprocessor.sources) == d
    assert {source for names in preprocessor.sources for source in names} == {"price", "review", "shop"}
    part = table.take(np.array([7, 3, 150]))
    assert_array_equal(dense(preprocessor.transform(part)), dense(matrix)[[7, 3, 150]])


def test_numbers_beside_sparse_texts_are_imputed_and_scaled():
    table, labels = reviews()
    preprocessor, matrix = fit(table, labels, View("scaled", "onehot", texts="words"), 0)
    numbers = [i for i, source in enumerate(preprocessor.sources) if source == ("price",)]
    assert preprocessor.names[numbers[0]] == "price"
    price = dense(matrix)[:, numbers[0]]
    assert abs(price.mean()) < 1e-12
    assert abs(price.std() - 1) < 1e-12


def test_a_vocabulary_is_of_enough_rows_and_bounded_by_them():
    texts = pl.Series(["one two", "one two three", "one three", "one four", None])
    words = Ngrams("word", 1, 1)
    vocab = vocabulary(texts, words, 2, 10)
    assert_array_equal(np.sort(vocab.documents), [2, 2, 4])
    assert vocab.rows == 5
    assert_array_equal(vocabulary(texts, words, 1, 10).hash, vocab.hash)  # one row alone never
    assert_array_equal(vocabulary(texts, words, 3, 10).documents, [4])
    few = vocabulary(texts, words, 2, 2)
    assert_array_equal(np.sort(few.documents), [2, 4])
    assert (np.diff(few.hash.astype(np.int64)) > 0).all()
    assert_array_equal(vocabulary(texts, words, 9, 10).hash, [NO_TEXT])
    assert_array_equal(vocabulary(pl.Series([None] * 3, dtype=pl.String), words, 2, 10).documents, [3])


def test_texts_without_blanks_are_read_by_characters():
    column = Column("c", "text", format="unspaced")
    values = pl.Series([f"房间很{'大' if i % 2 else '小'}床有{i}米" for i in range(20)])
    prepared = text.words.fit(column, values, Labels(np.arange(20) % 2, 2), View("raw", "codes"), 0)
    (program,) = prepared.program.steps
    assert (program.settings["kind"], program.settings["least"], program.settings["most"]) == ("char_wb", 1, 3)
    assert len(program.arrays["hash"]) > 10


def test_topics_are_those_of_a_truncated_decomposition():
    table, labels = reviews(400)
    words = Table(Schema((Column("review", "text"),)), table.frame, table.rows)
    _, topics = fit(words, labels, View("raw", "codes"), 0)
    _, x = fit(words, labels, View("raw", "codes", texts="words"), 0)
    _, singular, _ = np.linalg.svd(x.toarray(), full_matrices=False)
    k = topics.shape[1]
    assert k == 50
    # The directions are rounded to 32 bits, and the last of a randomised decomposition are not exact.
    assert_allclose(np.linalg.norm(topics, axis=0)[:20], singular[:20], rtol=1e-3)
    assert_allclose(topics.T @ topics, np.diag(np.diag(topics.T @ topics)), atol=1e-4 * singular[0] ** 2)


@pytest.mark.parametrize("texts", [[None] * 6, [""] * 6, ["x y"] * 6, ["a b c", None] * 3])
@pytest.mark.parametrize("view", ["words", "words_and_characters", "topics"])
def test_columns_that_say_next_to_nothing_are_columns_still(texts, view):
    frame = pl.DataFrame({"t": texts}, schema={"t": pl.String})
    table = Table(Schema((Column("t", "text"),)), frame, np.arange(6))
    preprocessor, matrix = fit(table, Labels(np.arange(6) % 2, 2), View("raw", "codes", texts=view), 0)
    assert isinstance(preprocessor, Preprocessor)
    assert matrix.shape[0] == 6
    assert matrix.shape[1] >= 1
    assert np.isfinite(dense(matrix)).all()


@pytest.mark.parametrize(("columns", "sources"), [("items", {"review"}), ("others", {"price", "shop"})])
@pytest.mark.parametrize("texts", ["words", "topics"])
def test_a_view_of_a_part_of_the_columns_sees_no_other(columns, sources, texts):
    table, labels = reviews()
    preprocessor, matrix = fit(table, labels, View("scaled", "onehot", texts=texts, columns=columns), 0)
    assert {source for names in preprocessor.sources for source in names} == sources
    assert {name for _, name in reads(preprocessor.program)} == sources
    assert_array_equal(dense(preprocessor.transform(table)), dense(matrix))
