"""What the decisions of a run cost where the positive class has other shares than in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.prevalence import label_shift, shares_around
from sortal.engine import compile
from sortal.evaluate.prevalence import cost_at
from sortal.record.parts import CostAtShare


def costs_at_shares(task: Task, evidence: Predictions, rule: Decision) -> Iterator[CostAtShare]:
    """Of rules that follow from costs; what was fitted to the shares of training cannot be moved."""
    if not task.binary or task.goal not in ("cost", "argmax") or len(np.unique(evidence.truth)) < 2:
        return
    code = task.positive_code
    decided = rule.decide(evidence)
    for share in shares_around(task.prevalence[code]):
        after = (1 - share, share) if code else (share, 1 - share)
        after_shift = replace(evidence, probability=compile(label_shift(task.prevalence, after))(evidence.probability))
        yield CostAtShare(
            share,
            Estimate.of(cost_at(task, evidence, decided, share)),
            Estimate.of(cost_at(task, evidence, rule.decide(after_shift), share)),
        )
