"""Which candidates are tried, in which order, and how the time is shared among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sortal.core import registry
from sortal.core.listen import Listener
from sortal.models.family import Family, Settings
from sortal.training.candidate import Candidate, Development
from sortal.training.crossval import FoldCache, Score, Scored, Skipped, crossval
from sortal.training.deadline import Deadline
from sortal.training.imbalance import Balance

BASELINES = ("majority", "logistic", "tree")
ORDER = ("lightgbm", "xgboost", "extra_trees", "forest", "svm")
VARIANTS: dict[str, tuple[tuple[str, Settings], ...]] = {
    "lightgbm": (
        (
            "lightgbm small",
            {"num_leaves": 8, "min_data_in_leaf": 20, "feature_fraction": 0.7, "lambda_l2": 1.0},
        ),
    ),
    "logistic": (("logistic C=0.03", {"C": 0.03}),),
}
"""Hyperparameters are candidates like any other: they win by cross-validation or not at all."""
BALANCED: tuple[tuple[str, str, Balance], ...] = (
    ("lightgbm focal", "lightgbm", "focal"),
    ("logistic balanced", "logistic", "weights"),
    ("lightgbm undersampled", "lightgbm", "undersample"),
    ("lightgbm balanced", "lightgbm", "weights"),
    ("xgboost focal", "xgboost", "focal"),
)
"""What competes beside the others where classes are rare or costs are given."""
SHARE = 0.65
"""Of what remains for the zoo, what one candidate may take at the first try."""


def baselines() -> tuple[Candidate, ...]:
    return tuple(Candidate(name, registry.load("sortal.models", name), baseline=True) for name in BASELINES)


def zoo(models: Sequence[str], imbalanced: bool) -> tuple[Candidate, ...]:
    """The candidates beyond the baselines, most promising first; of these families only, where any are named.

    Families of plug-ins follow the built-in ones. ``imbalanced``: class weights, focal loss and resampling
    compete too.
    """
    known = registry.names("sortal.models")
    wanted = [*models] if models else [*ORDER, *(n for n in known if n not in (*BASELINES, *ORDER))]
    families: dict[str, Family] = {name: registry.load("sortal.models", name) for name in wanted}
    plain = [Candidate(name, family) for name, family in families.items() if name not in BASELINES]
    tuned = [
        Candidate(label, registry.load("sortal.models", name), settings)
        for name, variants in VARIANTS.items()
        if name in families or (not models and name in BASELINES)
        for label, settings in variants
    ]
    balanced = [
        Candidate(label, registry.load("sortal.models", name), balance=way)
        for label, name, way in BALANCED
        if imbalanced and (name in families or not models)
    ]
    return (*plain, *tuned, *balanced)


@dataclass(frozen=True)
class Explored:
    """Every candidate that was scored, in the order of trial, and those that were not, with the reason."""

    scored: tuple[Scored, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Clock:
    """The deadline as the zoo sees it. ``closing``: seconds that evaluation, report and exit take, refit and scoring aside.

    ``closing_rows``: rows that are scored through the artifact after the choice.
    """

    deadline: Deadline
    closing: float
    closing_rows: int

    def left(self, scored: Sequence[Scored]) -> float:
        """Seconds until the slowest refit among the candidates so far would have to begin."""
        finish = max((s.refit_seconds + self.closing_rows * s.row_seconds for s in scored), default=0.0)
        return self.deadline.left - self.closing - finish


def explore(
    candidates: Sequence[Candidate],
    dev: Development,
    cache: FoldCache,
    score: Score,
    clock: Clock,
    listener: Listener,
) -> Explored:
    """Cross-validate the candidates one after another while there is time.

    A candidate that does not fit into its share gets a second chance when all have been tried: then it may take all that is left.
    """
    scored: list[Scored] = []
    skipped = [*candidates]
    reasons: dict[str, str] = {}
    for share in (SHARE, 1.0):
        waiting, skipped = skipped, []
        for candidate in waiting:
            left = clock.left(scored)
            listener.running(candidate.name)
            outcome = _try(candidate, dev, cache, score, left, share)
            if isinstance(outcome, Scored):
                scored.append(outcome)
                listener.best(_best(scored))
            else:
                skipped.append(candidate)
                reasons[candidate.name] = outcome.reason
    return Explored(tuple(scored), tuple(Skipped(c.name, reasons[c.name]) for c in skipped))


def _try(
    candidate: Candidate, dev: Development, cache: FoldCache, score: Score, left: float, share: float
) -> Scored | Skipped:
    """Baselines are fitted whatever the clock says: without them nothing can be judged."""
    if candidate.baseline:
        return crossval(candidate, dev, cache, score, seconds=max(left, 1.0) * share)
    if left <= 0:
        return Skipped(candidate.name, "no time left")
    return crossval(candidate, dev, cache, score, seconds=left * share)


def _best(scored: Sequence[Scored]) -> str:
    losses = {s.candidate.name: float(np.mean(s.fold_scores["log_loss"])) for s in scored}
    name = min(losses, key=lambda n: losses[n])
    return f"{name} {losses[name]:.4f}"
