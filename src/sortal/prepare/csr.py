"""Sparse rows of the engine as those that training libraries take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sortal.engine.sparse import Sparse

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def csr(x: Sparse) -> csr_matrix:
    """The same numbers as SciPy has them. Places are of 32 bits, which is all that liblinear takes."""
    from scipy.sparse import csr_matrix

    index, start = x.index.astype(np.int32), x.start.astype(np.int32)
    return csr_matrix((x.value, index, start), shape=(len(x), x.width))


def hstacked(dense: NDArray[np.float64], sparse: csr_matrix) -> csr_matrix:
    """The columns of both, side by side."""
    from scipy.sparse import csr_matrix, hstack

    return csr_matrix(hstack([csr_matrix(dense), sparse], format="csr"))


def nbytes(matrix: NDArray[np.float64] | csr_matrix) -> int:
    """Of its numbers and, where its rows are sparse, of their places."""
    if isinstance(matrix, np.ndarray):
        return matrix.nbytes
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
