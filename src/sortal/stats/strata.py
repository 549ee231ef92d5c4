"""Rows that were dealt class by class, so that their shares of classes are those of all rows: a stratified part.

A figure of such rows varies with rows within classes as ever, and with the shares of classes only as far as all rows
leave those open (double sampling for stratification, Neyman 1938; Cochran 1977, "Sampling Techniques", section 12.2):
with s² within classes, S² between them, n rows of N, its variance is s² / n + S² / N, where that of rows that came one
by one is (s² + S²) / n. The share of positives of a test of 150 of 1,000 rows is known from 1,000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats


@dataclass(frozen=True)
class Strata:
    """``code``: (n,) the class of each row. ``share_left``: of what rows vary by between classes, what is left."""

    code: Codes
    share_left: float

    @classmethod
    def of(cls, code: Codes, drawn_from: Codes | None) -> Strata | None:
        """``drawn_from``: (K,) rows of each class among all; None where rows came one by one, and there are no strata.

        Whole groups can be dealt in proportion only so far. By how much their shares are off, beside what chance would
        make of rows one by one (chi-square), is left of the variance, too.

        >>> Strata.of(np.repeat([0, 1], [90, 10]), np.array([900, 100])).share_left
        0.1
        >>> Strata.of(np.repeat([0, 1], [88, 12]), np.array([900, 100])).share_left.__round__(2)
        0.44
        """
        if drawn_from is None or not len(code):
            return None
        rows = np.bincount(code, minlength=len(drawn_from)).astype(np.float64)
        there = rows > 0
        whole = drawn_from[there] / drawn_from[there].sum()
        off = float((len(code) * (rows[there] / len(code) - whole) ** 2 / whole).sum())
        freedom = max(int(there.sum()) - 1, 1)
        return cls(code, min(max(len(code) / float(drawn_from.sum()), off / freedom), 1.0))

    def parts(self, effect: Floats) -> tuple[Floats, Floats]:
        """What (n,) effects of rows, of mean zero, vary by: in these rows, and in those that they were dealt from.

        The squares of both add up. A row adds to the first what it differs by from its class, and a share of what its
        class differs by: it is one of all rows, too.
        """
        between = self._means(effect)[self.code]
        return effect - (1 - self.share_left) * between, np.sqrt(self.share_left * (1 - self.share_left)) * between

    def unseen(self, effect: Floats) -> float:
        """What the squares of effects may lack, as few rows of a class may all be alike: one row more of each class,
        which is as the rows of all classes are on average.
        """
        mean, count = self._means(effect), np.bincount(self.code)
        squares = np.bincount(self.code, weights=(effect - mean[self.code]) ** 2)
        return float((squares / np.maximum(count, 1)).sum() + (mean**2).sum())

    def _means(self, effect: Floats) -> Floats:
        count = np.bincount(self.code)
        return np.asarray(np.bincount(self.code, weights=effect) / np.maximum(count, 1))
