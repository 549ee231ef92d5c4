"""Texts as a few numbers for trees and all that takes no sparse rows: latent semantic analysis of their words."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.schema import Column
from sortal.engine.program import Program
from sortal.engine.sparse import Sparse
from sortal.engine.tfidf import inverse_frequency, weigh
from sortal.prepare.csr import csr
from sortal.prepare.text import Values, ngram_counts, vocabulary, words_of
from sortal.prepare.view import WIDTHS, EncodedColumn, Labels, View

MOST_WORDS, TOPICS = 10_000, WIDTHS["text"]
"""Words that topics are made of, and topics at most: two megabytes of a model file."""
PASSES = 4
"""Power iterations of the randomised decomposition (Halko et al. 2009); scikit-learn's TruncatedSVD takes five."""


class TopicsPreparer:
    """The directions in which the weighted words of the training texts differ most (Deerwester et al. 1990)."""

    def fit(self, column: Column, values: Values, labels: Labels, view: View, seed: int) -> EncodedColumn:
        terms = vocabulary(values, words_of(column), view.smallest_count, MOST_WORDS)
        idf = inverse_frequency(terms.rows, terms.documents.astype(np.int64))
        weight = _directions(weigh(ngram_counts(values, terms.ngrams), terms.hash, idf), seed)
        names = tuple(f"{column.name} topic {i + 1}" for i in range(weight.shape[1]))
        return EncodedColumn(
            program=terms.program(column.name).then(Program("project", arrays={"weight": weight.astype(np.float32)})),
            names=names,
            numeric=True,
            categorical=(False,) * len(names),
        )


def _directions(x: Sparse, seed: int) -> Floats:
    """(m, k) orthonormal directions, the one along which rows differ most first."""
    k = min(TOPICS, x.width - 1, len(x) - 1)
    if k < 1 or not len(x.value):
        return np.ones((x.width, 1))
    from sklearn.utils.extmath import randomized_svd

    return np.asarray(randomized_svd(csr(x), k, n_iter=PASSES, random_state=seed)[2].T)


preparer = TopicsPreparer()
