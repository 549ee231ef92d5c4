"""A decision rule in words."""

from __future__ import annotations

import numpy as np

from sortal.core.costs import costs_of, expected
from sortal.decide.policy import Decision
from sortal.record.wording import count, number, percent, plain

STEPS = 10_001


def rule(decision: Decision) -> str:
    """What is decided when.

    >>> rule(Decision("threshold", ("no", "yes"), "yes", threshold=1 / 9))
    'say yes from p = .111 on'
    >>> rule(Decision("cost", ("no", "yes"), "yes", cost=((0, 1), (1, 0)), reject_cost=0.2))
    'say yes from p = .800 on and no up to p = .200, leave what lies between to a person'
    """
    positive = plain(decision.positive)
    if decision.capacity is not None:
        which = "spares the largest expected cost" if decision.cost else "is most probable"
        most_rows = decision.capacity.count
        share = f"{percent(decision.capacity.share)} of the rows"
        most = f"{share} at once, rounded down" if most_rows is None else f"at most {count(most_rows)} rows at once"
        part = "" if most_rows is None else f" ({share} in training)"
        return f"say {positive} for {most}{part}, where that {which}; of equal rows the first"
    if decision.threshold is not None:
        return f"say {positive} from p = {number(decision.threshold)} on"
    if decision.kind == "cost":
        between = _reject_range(decision)
        if between is not None:
            low, high = (number(p) for p in between)
            other = plain(next(c for c in decision.classes if c != decision.positive))
            return f"say {positive} from p = {high} on and {other} up to p = {low}, leave what lies between to a person"
        person = ", or leave the row to a person where that is cheaper" if decision.reject_cost is not None else ""
        rows = ", by the costs in each row" if decision.cost_columns else ""
        return f"take the class of least expected cost{rows}{person}"
    return "take the most probable class"


def _reject_range(decision: Decision) -> tuple[float, float] | None:
    """The probabilities of the positive class between which rows of two classes are rejected; None where there is no
    one range.
    """
    if decision.positive is None or decision.reject_cost is None or decision.cost_columns or decision.cost is None:
        return None
    code = decision.classes.index(decision.positive)
    p = np.linspace(0, 1, STEPS)
    probability = np.column_stack([p, 1 - p] if code == 0 else [1 - p, p])
    rejected = p[expected(costs_of(decision.cost, decision.reject_cost), probability).argmin(axis=1) == 2]
    return (float(rejected[0]), float(rejected[-1])) if len(rejected) else None
