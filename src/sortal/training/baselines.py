"""The baselines as they would ship: on the sealed test, where nothing was chosen, the shipped model is compared with
them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sortal.core.interrupt import TimeUp
from sortal.training.candidate import Development, Pipeline
from sortal.training.cv_result import CVResult
from sortal.training.finalize import Limits, refit_member


@dataclass(frozen=True)
class ShippedBaseline:
    """``pipeline``: fitted as the shipped model was. ``new``: whether for this, and not in the first fold."""

    name: str
    pipeline: Pipeline
    new: bool


def fit_baselines(
    results: Sequence[CVResult], dev: Development, refit: bool, seconds: Callable[[], float]
) -> tuple[ShippedBaseline, ...]:
    """Those of ``results`` for which there is time.

    ``dev``: the rows that the shipped model is fitted on. ``refit``: whether it is; where it is the fit of the first
    fold, so are the baselines. ``seconds``: how many are left for all that is done here.
    """
    return tuple(_fitted(results, dev, refit, seconds))


def _fitted(
    results: Sequence[CVResult], dev: Development, refit: bool, seconds: Callable[[], float]
) -> Iterator[ShippedBaseline]:
    rows = np.arange(len(dev.codes))
    for result in results:
        if (result.refit_seconds if refit else 0.0) >= seconds():
            continue
        try:
            pipeline = refit_member(result, dev, rows, Limits(seconds)) if refit else result.pipeline
        except TimeUp:
            continue
        if pipeline is not None:
            yield ShippedBaseline(result.candidate.name, pipeline, new=pipeline is not result.pipeline)
