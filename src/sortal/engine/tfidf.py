"""Ops ``tfidf`` and ``project``: texts to weighted n-grams, and those to a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.items import once
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.ngrams import BITS, LONGEST, MOST_CHARACTERS, Hashes, Ngrams
from sortal.engine.program import Program
from sortal.engine.sparse import Sparse
from sortal.engine.step import Step, array, choice, count, fail, floats, text

KINDS = ("word", "char_wb")


def weigh(counts: Sparse, hashes: Hashes, idf: Floats) -> Sparse:
    """(1 + log count) * idf of the n-grams of these ascending ``hashes``, each row of length one: scikit-learn's
    ``TfidfTransformer(sublinear_tf=True)``.
    """
    place = np.minimum(np.searchsorted(hashes, counts.index), len(hashes) - 1)
    mask = hashes[place] == counts.index
    index = place[mask]
    start = np.concatenate([[0], np.cumsum(mask)])[counts.start]
    value = (1 + np.log(counts.value[mask])) * idf[index]
    nonempty = np.flatnonzero(np.diff(start))
    length = np.ones(len(counts))
    if len(nonempty):
        length[nonempty] = np.sqrt(np.add.reduceat(value**2, start[nonempty]))
    value /= np.repeat(length, np.diff(start))
    return Sparse(start, index, value, len(hashes))


def inverse_frequency(rows: int, documents: Ints) -> Floats:
    """(m,) log((1 + rows) / (1 + documents)) + 1: scikit-learn's smooth idf."""
    return np.asarray(np.log((1 + rows) / (1 + documents)) + 1)


def tfidf(program: Program) -> Step:
    """See ``weigh``. ``documents``: in how many of the ``rows`` of training each n-gram was."""
    name, rows = text(program, "column"), count(program, "rows", least=0)
    ngrams = Ngrams(
        choice(program, "kind", KINDS),  # type: ignore[arg-type]
        count(program, "least", least=1),
        count(program, "most", least=1),
    )
    if not ngrams.least <= ngrams.most <= LONGEST:
        raise fail("tfidf", f"n-grams of {ngrams.least} to {ngrams.most} parts are none; the longest have {LONGEST}")
    hashes = array(program, "hash", "u", (None,)).astype(np.uint64)
    if not len(hashes) or (hashes[1:] <= hashes[:-1]).any() or hashes[-1] >= 2**BITS:
        raise fail("tfidf", f"array 'hash' is empty, does not ascend, or leaves {BITS} bits")
    documents = array(program, "documents", "u", (len(hashes),)).astype(np.int64)
    if rows >= 2**53 or documents.min() < 0 or documents.max() > rows:
        raise fail("tfidf", f"array 'documents' counts more than the {rows:,} rows")
    idf = inverse_frequency(rows, documents)

    def run(columns: Any) -> Sparse:
        return weigh(once(column_of(columns, name), ngrams), hashes, idf)

    lengths = ngrams.most - ngrams.least + 1
    grams = MOST_CHARACTERS * lengths
    # Per n-gram a dozen numbers, a sort and a search; per character the sums of its hash.
    cost = Cost(150 * CALL, 100 * MOST_CHARACTERS + 100 * grams, 80 * MOST_CHARACTERS + 60 * grams)
    return Step("tfidf", run, len(hashes), cost, named=True, fills=True, sparse=True)


def project(program: Program) -> Step:
    """x @ weight: of weighted n-grams, the directions in which texts differ most (latent semantic analysis)."""
    weight = floats(program, "weight", (None, None))
    d, k = weight.shape
    if k < 1:
        raise fail("project", "array 'weight' has no columns")

    def run(x: Any) -> Floats:
        return x.times(weight) if isinstance(x, Sparse) else np.asarray(x @ weight)

    cost = Cost(20 * CALL, d * k + 8 * k, 8 * d + 16 * k)
    return Step("project", run, k, cost, inputs=d, needs=True, fills=True, takes_sparse=True)
