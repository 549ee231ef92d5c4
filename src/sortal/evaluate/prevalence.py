"""What decisions cost where the positive class has another share, and rows of each class look as they do here."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Codes
from sortal.core.costs import incurred
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.intervals import mean_interval
from sortal.stats.sampling import Mean


def cost_at(task: Task, predictions: Predictions, decided: Codes, share: float) -> Interval:
    """Cost of a row, decided so (n,), where the positive class has this share; all NaN where a class has no row here.

    Each class costs on average what its rows do here (label shift), and only that is sampled: the share is given.
    """
    truth, code = predictions.truth, task.positive_code
    counts = np.bincount(truth, minlength=2)
    if not counts.all():
        return Interval(np.nan, np.nan, np.nan)
    costs = task.costs(predictions.row_costs)
    row_cost = incurred(costs, truth, decided)
    possible = costs[truth] if costs.ndim == 2 else costs[np.arange(len(truth)), truth]
    means = np.bincount(truth, weights=row_cost, minlength=2) / counts
    shares = np.where(np.arange(2) == code, share, 1 - share)
    weight = (shares / counts * len(truth))[truth]
    value = float(shares @ means)
    least, most = (value + weight * (end - means[truth]) for end in (possible.min(axis=1), possible.max(axis=1)))
    return mean_interval(Mean.within(value + weight * (row_cost - means[truth]), least, most), predictions.clusters)
