"""What kind of change it is, as far as two classes and the sealed test let one tell.

- **Label shift**: classes have other shares, and rows of a class look as before. Then the probabilities of fresh rows
  are a mixture of those of the classes in the test (Lipton, Wang & Smola 2018, "Detecting and Correcting for Label
  Shift with Black Box Predictors"), and the odds of a class grow alike in all bins of the probability.
- **Covariate shift**: rows are others, and a row like before is of a class as often as before. Then each bin bears out
  as it did.
- **Concept shift**: neither explains which labels come.

Tests of one look, at the days since an alarm: they explain an alarm, and raise none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from sortal.core.arrays import Floats
from sortal.core.reliability import GRID, Reliability
from sortal.core.writing import percent
from sortal.monitor.estimate import GridDay

LEVEL = 0.001
"""Of a test: chance alone explains one of a thousand like it, of a few rows a bin some more."""
LEAST_LABELS = 50
"""From which on labels have a say: five in each of ten bins, as chi-squared needs."""
LEAST_BINS = 3
"""A share is fitted to them, and one degree of freedom has to be left."""
SHARES = np.linspace(0.001, 0.999, 999)
"""Of a class, that are tried."""


@dataclass(frozen=True)
class Bins:
    """Fresh rows in the bins of the reliability: ``rows``, those whose label came, and those of them that are of the
    class.
    """

    reliability: Reliability
    rows: Floats
    labelled: Floats
    positives: Floats

    @classmethod
    def of(cls, reliability: Reliability, grid: GridDay) -> Bins:
        """Edges of bins are on the grid, so that each cell lies in one of them."""
        bin_ = reliability.bins(np.concatenate([[0.0], GRID]))
        none = np.zeros(len(GRID) + 1)
        parts = [part or none for part in (grid.rows, grid.labelled, grid.came)]
        rows, labelled, positives = (
            np.bincount(bin_, part, len(reliability.rows)).astype(np.float64) for part in parts
        )
        return cls(reliability, rows, labelled, positives)

    @property
    def share(self) -> float:
        """Of the class in the test."""
        return sum(self.reliability.came) / sum(self.reliability.rows)

    def of_mixture(self, share: float) -> float:
        """How well rows fit a mixture of the two classes of the test, chi-squared. Half a row is added to each bin."""
        positives, rows = np.array(self.reliability.came), np.array(self.reliability.rows)
        mix, doubt = np.zeros(len(rows)), np.zeros(len(rows))
        for counts, weight in ((positives + 0.5, share), (rows - positives + 0.5, 1 - share)):
            part = counts / counts.sum()
            mix += weight * part
            doubt += weight**2 * part / counts.sum()
        n = self.rows.sum()
        terms = (self.rows - n * mix) ** 2 / (n * mix + n**2 * doubt)
        return float(terms.sum())

    def of_labels(self, factor: float) -> float:
        """How well labels fit the shares of the bins in the test, with their odds times a factor, chi-squared."""
        positives, rows = np.array(self.reliability.came) + 0.5, np.array(self.reliability.rows) + 1.0
        odds = factor * positives / (rows - positives)
        share = odds / (1 + odds)
        chance = share * (1 - share)
        doubt = chance**2 / (
            rows * (positives / rows) * (1 - positives / rows)
        )  # of the log-odds in the test, carried over
        terms = (self.positives - self.labelled * share) ** 2 / np.maximum(
            self.labelled * chance + self.labelled**2 * doubt, 1e-12
        )
        return float(terms[self.labelled > 0].sum())


def kind(reliability: Reliability, grid: GridDay, label: str) -> str:
    """A sentence; empty where there are too few bins or rows to say anything. ``label``: the class it is about."""
    bins = Bins.of(reliability, grid)
    count = len(reliability.rows)
    if count < LEAST_BINS or bins.rows.sum() < 5 * count or not 0 < bins.share < 1:
        return ""
    fits = np.array([bins.of_mixture(share) for share in SHARES])
    best = float(SHARES[int(fits.argmin())])
    differs = chdtrc(count - 1, bins.of_mixture(bins.share)) < LEVEL
    mixture = chdtrc(count - 2, float(fits.min())) >= LEVEL
    if bins.labelled.sum() >= LEAST_LABELS:
        return _with_labels(bins, label, differs=bool(differs), mixture=bool(mixture))
    if not differs:
        return "covariate shift that hardly moves the probabilities, as far as rows tell; no labels yet"
    if mixture:
        return (
            f"label shift ({label} in {percent(best)} of the rows, {percent(bins.share)} in the test, would explain "
            "the probabilities) or covariate shift: labels will tell"
        )
    return "covariate shift: no shares of the classes would explain the probabilities; labels will tell of the concept"


def _with_labels(bins: Bins, label: str, *, differs: bool, mixture: bool) -> str:
    labelled = bins.labelled.sum()
    share = float((bins.positives.sum() + 0.5) / (labelled + 1))
    factor = share / (1 - share) / (bins.share / (1 - bins.share))
    n_bins = int((bins.labelled > 0).sum())
    as_before = chdtrc(n_bins, bins.of_labels(1.0)) >= LEVEL
    # The factor that fits the labels best: the mix of rows whose labels came is none of the test's.
    fits = [bins.of_labels(odds_factor) for odds_factor in factor * np.exp(np.linspace(-2, 2, 81))]
    is_label_shift = chdtrc(max(n_bins - 1, 1), min(fits)) >= LEVEL
    of = f"{label} in {percent(share)} of {int(labelled):,} labelled rows, {percent(bins.share)} in the test"
    if as_before:
        what = "are of another mix" if differs else "are as before in what the model makes of them"
        return f"covariate shift: rows {what}, and each probability bears out as it did in the test ({of})"
    if is_label_shift and mixture:
        return f"label shift: rows of a class look as before, and the classes have other shares ({of})"
    return f"concept shift: rows of the same probability are now of other classes than in the test ({of})"
