"""What becomes of probabilities and costs where classes have other shares than in training, and look as they did.

Label shift (Saerens, Latinne & Decaestecker 2002, "Adjusting the Outputs of a Classifier to New a Priori
Probabilities", Neural Computation 14:21): within each class the rows are like those of training, only the shares of the
classes are others. Then the odds of two classes grow as the odds of their shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sortal.core.errors import OptionError, did_you_mean
from sortal.engine.program import Program

WHOLE = 1e-6
"""By how much shares may miss one in their sum: those that a person wrote are rounded."""
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What may happen to the odds of the positive class: a fourth of them to four times as much."""


def shares_around(share: float) -> tuple[float, ...]:
    """What a share becomes where its odds grow by each of ``FACTORS``; the middle one is the share itself.

    >>> [round(x, 3) for x in shares_around(0.2)]
    [0.059, 0.111, 0.2, 0.333, 0.5]
    """
    odds = share / (1 - share)
    return tuple(share if factor == 1 else factor * odds / (1 + factor * odds) for factor in FACTORS)


def class_shares(shares: Mapping[object, float], classes: Sequence[str]) -> tuple[float, ...]:
    """Shares by label, in the order of the classes; of two classes one is enough.

    Raises OptionError for a label that is no class, a class without a share, and shares that are not between 0 and 1 or
    do not sum to one.

    >>> class_shares({"yes": 0.1}, ("no", "yes"))
    (0.9, 0.1)
    """
    from sortal.core.labels import code_of  # loads polars, which scoring does without

    by_code: dict[int, float] = {}
    for label, share in shares.items():
        code = code_of(label, classes)
        if code is None:
            raise OptionError(f"{str(label)!r} is no class; {did_you_mean(str(label), classes)}")
        if not 0 < share < 1:
            raise OptionError(f"the share of {classes[code]!r} must lie strictly between 0 and 1, not {share}")
        by_code[code] = float(share)
    if len(classes) == 2 and len(by_code) == 1:
        code, share = next(iter(by_code.items()))
        by_code[1 - code] = 1 - share
    if absent := [label for code, label in enumerate(classes) if code not in by_code]:
        raise OptionError(f"the shares of the classes leave out {absent[0]!r}; name every class")
    if abs(sum(by_code.values()) - 1) > WHOLE:
        raise OptionError(f"the shares of the classes sum to {sum(by_code.values()):g}; they have to sum to 1")
    return tuple(by_code[code] for code in range(len(classes)))


def label_shift(before: Sequence[float], after: Sequence[float]) -> Program:
    """From probabilities where classes have the shares ``before`` to those where they have the shares ``after``."""
    bias = np.log(np.asarray(after, dtype=np.float64)) - np.log(np.asarray(before, dtype=np.float64))
    return Program("logit_affine", arrays={"weight": np.eye(len(bias)), "bias": bias})
