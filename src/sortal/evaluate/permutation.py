"""What a column adds: the log-loss that is lost where its values are shuffled among the rows, so that they tell nothing
of their own row any more (Breiman 2001, "Random Forests", section 10; Fisher, Rudin & Dominici 2019, "All models are
wrong, but many are useful", section 3).

A text or an image is one column, whatever a model makes of it. Of two columns that say the same each may seem to add
little, since the other is still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.table import Table
from sortal.engine.run import Compiled
from sortal.evaluate.compare import difference
from sortal.evaluate.metrics import per_row_log_loss


def permutation_importance(
    score: Compiled, table: Table, predictions: Predictions, names: Sequence[str], seed: int
) -> dict[str, Interval]:
    """By how much the log-loss of ``predictions`` (what ``score`` says of n rows of ``table``) rises where one of these
    columns is shuffled, with its interval, paired over the rows; the largest first.

    The order of the rows is drawn once for each column.
    """
    rng = np.random.default_rng(seed)
    before = per_row_log_loss(predictions)
    losses = {}
    for name in names:
        values = table[name].gather(rng.permutation(len(table)))
        shuffled = table.frame.with_columns(values.alias(name))
        columns = Table(table.schema, shuffled, table.rows).columns(score.reads)
        after = per_row_log_loss(replace(predictions, probability=score(columns)))
        losses[name] = difference(after, before, groups=predictions.groups)
    return dict(sorted(losses.items(), key=lambda item: -item[1].value))
