"""A program: how to compute something from plain arrays. It holds data only, never code.

Fitted preparers, models and calibrators write themselves as programs; ``engine`` runs them and ``artifact`` stores
them.

| op           | input -> output             | settings           | arrays                                             |
|--------------|-----------------------------|--------------------|----------------------------------------------------|
| chain        | x -> last step              |                    | (steps, run one after another)                     |
| table        | Columns -> (n, d)           |                    | (steps are column programs; outputs side by side)  |
| average      | Columns or (n, d) -> (n, K) |                    | weight (steps,): the mean of what the steps give;  |
|              |                             |                    | all are column programs, or none is                |
| once         | Columns -> (n, d)           | column             | (one step, a column program of that column: what   |
|              |                             |                    | it makes of a value is remembered, in 32 bits)     |
| number       | Columns -> (n, 1)           | column             |                                                    |
| lookup       | Columns -> (n, m)           | column, categories | table (categories + 2, m): a row a category, then  |
|              |                             |                    | the row of a missing value, then of an unseen one  |
| datetime     | Columns -> (n, parts)       | column, parts      |                                                    |
| tfidf        | Columns -> (n, m), sparse   | column, kind: word | hash (m,) uint: the n-grams, ascending; documents  |
|              |                             | or char_wb, least, | (m,) uint: in how many of the rows each was        |
|              |                             | most, rows         |                                                    |
| pixels       | Columns -> (n, d)           | column, side, read:| (side * side fields; three numbers for each where  |
|              |                             | grey or colour     | colours are read)                                  |
| raster       | Columns -> (n, d)           | column, side, read | (side * side points, all of red, then green, then  |
|              |                             |                    | blue where colours are read)                       |
| tokens       | Columns -> (n, most)        | column, most, and  | vocabulary (bytes,) uint8: words, a line each; -1  |
|              |                             | more (see          | after the last token of a text; for some merges    |
|              |                             | ``tokens``)        | (bytes,), or score (words,) and charsmap (bytes,)  |
| onnx         | (n, d) -> (n, k)            | columns: d         | graph (bytes,) uint8: a network (see ``onnx``)     |
| project      | (n, d) -> (n, k)            |                    | weight (d, k): x @ weight                          |
| fill         | (n, d) -> (n, d + i)        |                    | value (d,); indicator (i,) int: columns whose      |
|              |                             |                    | missingness is appended as 0 or 1                  |
| scale        | (n, d) -> (n, d)            |                    | mean (d,), scale (d,): (x - mean) / scale          |
| pick         | (n, d) -> (n, k)            |                    | index (k,) int                                     |
| arithmetic   | (n, d) -> (n, d + m)        | columns: d         | left, right, operation (m,) int: products (0) and  |
|              |                             |                    | ratios (1) of columns, appended                    |
| within       | (n, d) -> (n, d + m)        | columns: d         | number, group, stop (m,) int; middle, spread (r,): |
|              |                             |                    | (number - middle) / spread of its group, appended  |
| constant     | (n, d) -> (n, K)            |                    | probability (K,)                                   |
| linear       | (n, d) -> (n, K)            | link: sigmoid,     | coef (m, d), intercept (m,); for platt also a, b   |
|              |                             | softmax or platt   | (m,)                                               |
| fourier      | (n, d) -> (n, 2 m)          | cut                | frequency (d, m)                                   |
| squash       | (n, d) -> (n, d)            |                    | cut (d,): x / sqrt(1 + (x / cut)^2)                |
| periodic     | (n, d) -> (n, d + k e)      | columns: d         | index (k,) int: columns whose embeddings are       |
|              |                             |                    | appended; frequency, phase (k, f); weight          |
|              |                             |                    | (k, f, e), bias (k, e)                             |
| dense        | (n, d) -> (n, m)            |                    | weight (d, m), bias (m,): selu(x @ weight + bias)  |
| forest       | (n, d) -> (n, K)            | (see ``forest``)   | (see ``forest``)                                   |
| oblivious    | (n, d) -> (n, K)            |                    | (see ``oblivious``)                                |
| spread       | (n, k) -> (n, K)            | classes: K         | index (k,) int: the classes that the columns are   |
| focal        | (n, K) -> (n, K)            | gamma, classes: K  |                                                    |
| logit_affine | (n, K) -> (n, K)            |                    | weight (K, K), bias (K,):                          |
|              |                             |                    | softmax(log p @ weight.T + bias)                   |
| quadratic    | (n, 2) -> (n, 2)            |                    | intercept (1,), ends (2,), slope (2,): log-odds    |
|              |                             |                    | intercept + bend(log-odds)                         |
| monotone     | (n, 2) -> (n, 2)            | between: linear or | knot (m,): ascending p of class 1; value (m,), or  |
|              |                             | stairs             | (2m + 1,) with stairs: what p becomes              |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = Mapping[str, "NDArray[np.float64] | Sequence[Any]"]
"""Input of a table program. number, boolean (0/1) and datetime (seconds since 1970, UTC): float64, missing is NaN.
category: a sequence of str (``core.coded`` where many repeat), missing is None. image: a sequence of bytes."""


@dataclass(frozen=True, eq=False)
class Program:
    """One operation with its settings (JSON values), arrays (no object arrays) and inner programs.

    ``cached_step``: what ``engine.compile`` has made of it already; no part of it, so that neither a copy nor a file
    has it.
    """

    op: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    steps: tuple[Program, ...] = ()
    cached_step: Any = field(default=None, init=False, repr=False)

    def then(self, *more: Program) -> Program:
        """One chain of this program and more, whether this one is a chain already or not.

        >>> [step.op for step in Program("table").then(Program("fill")).then(Program("linear")).steps]
        ['table', 'fill', 'linear']
        """
        return Program("chain", steps=(*(self.steps if self.op == "chain" else (self,)), *more))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "cached_step": None}
