"""Populations of scores, made up or of a booster on a real table, which are known as a whole."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._tables import EXAMPLE, largest_first
from sortal.core.predictions import Predictions

Floats = NDArray[np.float64]

TABLES, LEAST_ROWS, SOLVED = 2, 1_000, 0.995
SEPARATION = 2 * 1.163
"""Distance of two normal score distributions with ROC-AUC .95."""


@dataclass(frozen=True)
class Population:
    """All rows there are: sorted scores of each class, and the share that positives have."""

    positives: Floats
    negatives: Floats
    prevalence: float

    def draw(self, n: int, rng: np.random.Generator) -> Sample:
        positive = rng.random(n) < self.prevalence
        hits = int(positive.sum())
        score = np.empty(n)
        score[positive] = self.positives[rng.integers(len(self.positives), size=hits)]
        score[~positive] = self.negatives[rng.integers(len(self.negatives), size=n - hits)]
        return Sample(score, positive)

    def at(self, thresholds: Floats) -> tuple[Floats, Floats]:
        """Precision (1 where nothing is selected) and recall of fresh rows."""
        recall = 1 - np.searchsorted(self.positives, thresholds) / len(self.positives)
        alarms = 1 - np.searchsorted(self.negatives, thresholds) / len(self.negatives)
        true, false = self.prevalence * recall, (1 - self.prevalence) * alarms
        return np.where(true + false > 0, true / np.maximum(true + false, 1e-300), 1.0), recall

    def oracle(self, measure: str, target: float) -> float:
        """The best recall with the target precision, or the best precision with the target recall; 0 without."""
        precision, recall = self.at(np.unique(np.concatenate([self.positives, self.negatives])))
        constrained, objective = (precision, recall) if measure == "precision" else (recall, precision)
        return float(objective[constrained >= target].max(initial=0.0))


@dataclass(frozen=True)
class Sample:
    score: Floats
    positive: NDArray[np.bool_]

    def predictions(self) -> Predictions:
        probability = np.column_stack([1 - self.score, self.score])
        rows = np.arange(len(self.score))
        return Predictions(("no", "yes"), rows, self.positive.astype(np.int64), probability, "valid")

    def counts(self, thresholds: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Selected rows, and positives among them."""
        scores, positives = np.sort(self.score), np.sort(self.score[self.positive])
        selected = len(scores) - np.searchsorted(scores, thresholds)
        return selected, len(positives) - np.searchsorted(positives, thresholds)


def populations(tables: dict[str, Sample], prevalences: tuple[float, ...]) -> Iterator[tuple[str, Population]]:
    """Two families that are made up and one a table, at each prevalence."""
    rng = np.random.default_rng(0)
    noise = {positive: rng.standard_normal((2, 400_000)) for positive in (True, False)}
    for prevalence in prevalences:
        log_odds = {
            positive: SEPARATION * (SEPARATION * (positive - 0.5) + normal[0]) + math.log(prevalence / (1 - prevalence))
            for positive, normal in noise.items()
        }
        yield "calibrated", Population(sigmoid(log_odds[True]), sigmoid(log_odds[False]), prevalence)
        heated = {positive: 1.5 * (log_odds[positive] + noise[positive][1]) for positive in log_odds}
        yield "overconfident", Population(sigmoid(heated[True]), sigmoid(heated[False]), prevalence)
    for name, sample in tables.items():
        classes = [np.sort(sample.score[sample.positive == positive]) for positive in (True, False)]
        for prevalence in prevalences:
            yield name, Population(*classes, prevalence)


def sigmoid(x: Floats) -> Floats:
    return np.sort(0.5 * (1 + np.tanh(x / 2)))


def example() -> tuple[dict[str, Sample], list[str]]:
    return {"churn": boosted(pl.read_csv(EXAMPLE), "Churn")}, []


def folder(data: Path | None) -> tuple[dict[str, Sample], list[str]]:
    """The largest binary tables of a folder (target in the metadata) that leave something to decide."""
    if data is None:
        sys.exit("which tables? give --data FOLDER, or --fast")
    tables: dict[str, Sample] = {}
    notes = []
    for file in largest_first(data):
        frame = file.frame().drop_nulls(file.target)
        if frame[file.target].n_unique() != 2:
            continue
        sample = boosted(frame, file.target)
        rare, area = int(min(sample.positive.sum(), (~sample.positive).sum())), roc_auc(sample)
        if rare < LEAST_ROWS or area > SOLVED:
            notes.append(f"left out: {file.name}: ROC-AUC {area:.4f}, {rare:,} rows of the rarer class to draw from")
            continue
        tables[file.name] = sample
        notes.append(f"{file.name}: ROC-AUC {area:.3f}, {len(sample.score):,} rows of which {rare:,} are positive")
        if len(tables) == TABLES:
            break
    if not tables:
        sys.exit(f"no table to draw from in {data}: give binary ones with {LEAST_ROWS:,} rows of each class")
    return tables, notes


def boosted(frame: pl.DataFrame, target: str) -> Sample:
    """LightGBM, trained on a third of the rows, scores the others; the rarer class is positive."""
    from lightgbm import LGBMClassifier

    counts = frame[target].cast(pl.String).value_counts().sort("count", target)
    positive = (frame[target].cast(pl.String) == counts[target][0]).to_numpy()
    features = frame.drop(target).select(
        (pl.col(name).cast(pl.Categorical) if kind == pl.String else pl.col(name))
        .to_physical()
        .cast(pl.Float64, strict=False)
        for name, kind in frame.drop(target).schema.items()
        if kind.is_numeric() or kind.is_temporal() or kind in (pl.String, pl.Boolean, pl.Categorical)
    )
    rows = np.random.default_rng(0).permutation(len(frame))
    train, rest = np.split(rows, [len(rows) // 3])
    x = features.to_numpy()
    model = LGBMClassifier(n_estimators=200, learning_rate=0.05, n_jobs=1, verbose=-1, random_state=0)
    model.fit(x[train], positive[train])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn asks for the feature names that it made up
        return Sample(np.asarray(model.predict_proba(x[rest]))[:, 1], positive[rest])


def roc_auc(sample: Sample) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(sample.positive, sample.score))
