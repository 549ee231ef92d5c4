"""The interval of a metric, by the method of its description or by the bootstrap."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Codes
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.intervals import percentile_interval, resample, sampling_interval, strata_of
from sortal.evaluate.metrics import Metric


def interval(
    metric: Metric,
    task: Task,
    predictions: Predictions,
    decided: Codes,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    repeats: int = 1000,
) -> Interval:
    """A metric of these predictions, with the interval for the rows that could have been drawn instead.

    ``decided``: (n,) class codes. ``seed`` and ``repeats`` are for the metrics that are bootstrapped. All three figures
    are NaN where the metric is undefined; none lies beyond the metric's span.
    """
    value = metric.score(task, predictions, decided)
    if not np.isfinite(value):
        return Interval(value, np.nan, np.nan)
    clusters = predictions.clusters
    if metric.sampling is None:

        def score(rows: Codes) -> float:
            return metric.score(task, predictions.take(rows), decided[rows])

        scores = resample(score, len(predictions), clusters, seed, repeats)
        return metric.within(percentile_interval(value, scores, confidence, clusters))
    sampling = metric.sampling(task, predictions, decided)
    return metric.within(sampling_interval(value, sampling, clusters, confidence, strata_of(predictions)))
