"""N-grams and their weights are scikit-learn's, whatever the language."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from sortal.core.coded import Coded
from sortal.core.items import Items, Memo
from sortal.engine import Program, compile, ngrams
from sortal.engine.ngrams import BITS, MOST_CHARACTERS, NO_TEXT, Ngrams
from sortal.engine.sparse import Sparse

TEXTS = [
    "To be, or not to be: that is the question.",
    "Größe  und\tHÖHE, straße STRASSE İstanbul ΟΔΟΣ",
    "房间很大 床有2米宽，整体感觉经济实惠不错",
    "नमस्ते दुनिया, यह एक वाक्य है",
    "<p class='x'>a_b &amp; c3 d-e</p>\r\n\x1c\u3000 snake_case 42 4 2",
    "\U0001f600 emoji \U0001f468\u200d\U0001f469 here",
    "x",
    " . , ",
    "",
    "no no no no yes to be",
]
ANALYSERS = [("word", 1, 1), ("word", 1, 2), ("word", 2, 3), ("char_wb", 2, 5), ("char_wb", 3, 3), ("char_wb", 2, 8)]


def vocabulary(texts: list[str], counts: Ngrams) -> Program:
    """All n-grams of these texts, weighted by them."""
    hashes, documents = np.unique(counts(texts).index, return_counts=True)
    options = {"column": "c", "kind": counts.kind, "least": counts.least, "most": counts.most, "rows": len(texts)}
    return Program("tfidf", options, {"hash": hashes.astype(np.uint64), "documents": documents.astype(np.uint32)})


def row_values(x: Sparse, row: int) -> np.ndarray:
    return np.sort(x.value[x.start[row] : x.start[row + 1]])


@pytest.mark.parametrize(("kind", "least", "most"), ANALYSERS)
def test_counts_are_those_of_scikit_learn(kind, least, most):
    expected = CountVectorizer(analyzer=kind, ngram_range=(least, most)).fit_transform(TEXTS).tocsr()
    counts = Ngrams(kind, least, most)(TEXTS)
    assert counts.index.max() < 2**BITS
    assert len(np.unique(counts.index)) == expected.shape[1]
    for row in range(len(TEXTS)):
        assert_array_equal(row_values(counts, row), np.sort(expected[row].data))


@pytest.mark.parametrize(("kind", "least", "most"), ANALYSERS)
def test_weights_are_those_of_scikit_learn(kind, least, most):
    """Equal numbers in each row, and equal products of all pairs of rows: so equal n-grams have one column."""
    sklearn = TfidfVectorizer(analyzer=kind, ngram_range=(least, most), sublinear_tf=True).fit(TEXTS[:7])
    expected = sklearn.transform(TEXTS).toarray()
    weights = compile(vocabulary(TEXTS[:7], Ngrams(kind, least, most))).encode({"c": TEXTS})
    assert isinstance(weights, Sparse)
    dense = weights.dense()
    assert_allclose(np.sort(dense), np.sort(expected), rtol=0, atol=1e-12)
    assert_allclose(dense @ dense.T, expected @ expected.T, rtol=0, atol=1e-12)


@settings(max_examples=60)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=5))
def test_any_text_is_counted_as_scikit_learn_does_and_alone_as_among_others(texts):
    for kind in ("word", "char_wb"):
        sklearn = CountVectorizer(analyzer=kind, ngram_range=(2, 3)).build_analyzer()
        counts = Ngrams(kind, 2, 3)
        matrix = counts(texts)
        for row, text in enumerate(texts):
            _, expected = np.unique(np.array(sklearn(text), dtype=str), return_counts=True)
            # NumPy ends a text where its last characters are NUL; they are kept apart here.
            if "\0" not in text:
                assert_array_equal(row_values(matrix, row), np.sort(expected))
            alone = counts([text])
            part = matrix.take(np.array([row]))
            assert_array_equal(alone.index, part.index)
            assert_array_equal(alone.value, part.value)


def test_single_characters_are_no_blanks():
    counts = Ngrams("char_wb", 1, 1)(["a b a", "b  b"])
    assert_array_equal(row_values(counts, 0), [1, 2])
    assert_array_equal(row_values(counts, 1), [2])


def test_a_missing_text_is_an_ngram_of_its_own():
    for counts in (Ngrams("word", 1, 2), Ngrams("char_wb", 2, 5)):
        matrix = counts([None, "", "some text", None])
        assert_array_equal(matrix.index[[0, -1]], [NO_TEXT, NO_TEXT])
        assert_array_equal(np.diff(matrix.start)[[0, 1, 3]], [1, 0, 1])
        assert (matrix.index[1:-1] != NO_TEXT).all()
        assert len(counts([])) == 0


def test_repeated_texts_and_remembered_ones_are_the_same(monkeypatch):
    counts = Ngrams("word", 1, 2)
    levels, codes = ("to be or", None, "not to be"), np.array([2, 0, 1, 0, 2])
    texts = [levels[code] for code in codes]
    whole = counts(texts)
    for other in (counts(Coded(levels, codes)), Items("c", texts, np.arange(5), Memo()).once(counts)):
        assert_array_equal(other.start, whole.start)
        assert_array_equal(other.index, whole.index)
        assert_array_equal(other.value, whole.value)
    monkeypatch.setattr(ngrams, "_AT_ONCE", 10)
    assert_array_equal(counts(texts).index, whole.index)


def test_of_a_long_text_the_beginning_is_read_in_bounded_time():
    program = vocabulary(["beginning of it", "word " * 30], Ngrams("char_wb", 2, 5))
    score = compile(program)
    start = time.process_time()
    weights = score.encode({"c": ["beginning " + "word " * 200_000 + "end of it"]}).dense()
    assert time.process_time() - start < 2.0
    assert_array_equal(weights, score.encode({"c": [("beginning " + "word " * 200_000)[:MOST_CHARACTERS]]}).dense())
    assert len(Ngrams("word", 1, 1)(["a" * 1_000_000]).index) == 1


def test_lone_surrogates_are_characters():
    assert len(Ngrams("char_wb", 2, 2)(["\ud83d"]).index) == 2


def test_topics_are_a_product():
    program = vocabulary(TEXTS, Ngrams("word", 1, 1))
    weight = np.random.default_rng(0).normal(size=(len(program.arrays["hash"]), 3))
    topics = compile(program.then(Program("project", arrays={"weight": weight})))({"c": TEXTS})
    assert_allclose(topics, compile(program).encode({"c": TEXTS}).dense() @ weight, atol=1e-13)


def test_sparse_rows_beside_numbers_are_scored_by_a_linear_model():
    program = vocabulary(TEXTS, Ngrams("word", 1, 2))
    width = 1 + len(program.arrays["hash"])
    coef = np.random.default_rng(1).normal(size=(2, width))
    filled = Program("fill", {}, {"value": np.zeros(1), "indicator": np.zeros(0, dtype=int)})
    table = Program("table", steps=(Program("number", {"column": "x"}).then(filled), program))
    linear = Program("linear", {"link": "softmax"}, {"coef": coef, "intercept": np.zeros(2)})
    columns = {"x": np.arange(10.0), "c": TEXTS}
    probability = compile(table.then(linear))(columns)
    z = np.column_stack([columns["x"], compile(program).encode(columns).dense()]) @ coef.T
    assert_allclose(probability, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), atol=1e-12)
    constant = Program("constant", {}, {"probability": np.array([0.25, 0.75])})
    assert_array_equal(compile(program.then(constant))(columns), np.tile([0.25, 0.75], (10, 1)))


GOOD = vocabulary(TEXTS, Ngrams("word", 1, 2))


@pytest.mark.parametrize(
    ("changed", "arrays", "message"),
    [
        ({"column": 3}, {}, "setting 'column' is 3"),
        ({"kind": "char"}, {}, "expected one of word, char_wb"),
        ({"least": 0}, {}, "setting 'least' is 0"),
        ({"least": 3}, {}, "n-grams of 3 to 2 parts"),
        ({"most": 9}, {}, "the longest have 8"),
        ({"rows": -1}, {}, "setting 'rows'"),
        ({"rows": 1}, {}, "more than the 1 rows"),
        ({"rows": 2**60}, {}, "counts more"),
        ({}, {"hash": GOOD.arrays["hash"][::-1]}, "does not ascend"),
        ({}, {"hash": GOOD.arrays["hash"][:0]}, "is empty"),
        ({}, {"hash": GOOD.arrays["hash"] + np.uint64(2**BITS)}, "leaves 48 bits"),
        ({}, {"hash": GOOD.arrays["hash"].astype(np.int64)}, "has dtype int64"),
        ({}, {"documents": GOOD.arrays["documents"][1:]}, "has shape"),
        ({}, {"documents": GOOD.arrays["documents"].astype(float)}, "has dtype float64"),
    ],
)
def test_what_is_no_vocabulary_is_refused(changed, arrays, message):
    program = Program("tfidf", {**GOOD.settings, **changed}, {**GOOD.arrays, **arrays})
    with pytest.raises(ValueError, match=f"'tfidf': .*{message}"):
        compile(program)


def test_sparse_rows_go_only_where_they_can_be_taken():
    width = len(GOOD.arrays["hash"])
    with pytest.raises(ValueError, match="step 'scale' does not take the sparse rows of step 'tfidf'"):
        compile(GOOD.then(Program("scale", {}, {"mean": np.zeros(width), "scale": np.ones(width)})))
    with pytest.raises(ValueError, match="'average': step 'tfidf' gives sparse rows"):
        compile(Program("average", {}, {"weight": np.ones(1)}, (GOOD,)))
    with pytest.raises(ValueError, match="'project': array 'weight' has no columns"):
        compile(Program("project", {}, {"weight": np.zeros((3, 0))}))
    with pytest.raises(TypeError, match="'tfidf' gives sparse rows"):
        compile(GOOD)({"c": TEXTS})
    with pytest.raises(ValueError, match="needs column 'c'"):
        compile(GOOD).encode({"d": TEXTS})
