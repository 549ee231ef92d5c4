"""Which candidates are tried, in which order, and how the time is shared among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sortal.core import registry
from sortal.core.interrupt import Interrupts, TimeUp, interrupted_after
from sortal.core.observer import Observer
from sortal.core.skipped import Skipped
from sortal.models.family import Settings
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, CVResult, crossval
from sortal.training.deadline import Busyness, Deadline
from sortal.training.ensemble import members
from sortal.training.imbalance import Balance

BASELINES = ("majority", "logistic", "tree")
Entry = tuple[str, str, Settings]
PORTFOLIO: tuple[Entry, ...] = (
    ("lightgbm", "lightgbm", {}),
    ("catboost", "catboost", {}),
    (
        "lightgbm extra",
        "lightgbm",
        {
            "extra_trees": "true",
            "num_leaves": 39,
            "min_data_in_leaf": 3,
            "feature_fraction": 0.462,
            "bagging_fraction": 0.877,
            "lambda_l1": 0.238,
            "lambda_l2": 0.355,
            "cat_smooth": 15.4,
        },
    ),
    ("lightgbm_prep", "lightgbm_prep", {}),
    ("xgboost", "xgboost", {}),
    ("kernel_svm", "kernel_svm", {}),
    (
        "lightgbm small",
        "lightgbm",
        {"num_leaves": 8, "min_data_in_leaf": 20, "feature_fraction": 0.7, "lambda_l2": 1.0},
    ),
    ("mlp", "mlp", {}),
    ("extra_trees", "extra_trees", {}),
    ("svm", "svm", {}),
    ("logistic C=0.03", "logistic", {"C": 0.03}),
    ("forest", "forest", {}),
    ("catboost ordered", "catboost", {"boosting_type": "Ordered"}),
)
"""Candidates beyond the baselines, most promising first: name, family, and settings beyond its defaults, which win by
cross-validation or not at all. What each adds stands in docs/portfolio.md. "lightgbm extra" has the settings of
AutoGluon's portfolio, but for the learning rate, which the clock sets."""
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
BASELINE_SHARE = 0.15
"""Of what remains, what a baseline may take: on a large table it gets a sample of the rows."""
LEAST_SECONDS = 0.2
"""A candidate is not begun with less, and a baseline is given no less."""
READING = 4e-6
"""Seconds of a row of the test that is read once more, for a baseline: fifty columns on the machine of
docs/benchmarks.md."""
NO_TIME, ENDED = "no time left", "ended by Ctrl-C"


def baselines() -> tuple[Candidate, ...]:
    return tuple(Candidate(name, registry.load("sortal.models", name), baseline=True) for name in BASELINES)


def zoo(models: Sequence[str], imbalanced: bool) -> tuple[Candidate, ...]:
    """The candidates beyond the baselines, most promising first; of these families only, where any are named.

    Families of plug-ins follow the built-in ones. ``imbalanced``: class weights, focal loss and resampling
    compete too.
    """
    own = {family for _, family, _ in PORTFOLIO} | set(BASELINES)
    plugins: list[Entry] = [(name, name, {}) for name in registry.names("sortal.models") if name not in own]
    entries = [*PORTFOLIO, *plugins]
    if models:
        entries = [entry for name in models for entry in entries if entry[1] == name]
    plain = [Candidate(label, registry.load("sortal.models", name), settings) for label, name, settings in entries]
    balanced = [
        Candidate(label, registry.load("sortal.models", name), balance=strategy)
        for label, name, strategy in BALANCED
        if imbalanced and (name in models or not models)
    ]
    return (*plain, *balanced)


@dataclass(frozen=True)
class Explored:
    """Every candidate that was scored, in the order of trial, and those that were not, with the reason."""

    results: tuple[CVResult, ...]
    skipped: tuple[Skipped, ...]


@dataclass
class TimeReserve:
    """The deadline as the zoo sees it. ``closing``: seconds that calibration, evaluation, report and exit take on the
    machine as it was when that was told; the refit and scoring aside. ``closing_rows``: rows that are scored through
    the artifact after the choice. ``comparing``: the baselines are fitted for the test, too.

    ``interrupts``: what Ctrl-C does.
    """

    deadline: Deadline
    closing: float
    closing_rows: int
    comparing: bool = False
    interrupts: Interrupts = field(default_factory=lambda: Interrupts(lambda: None))
    busyness: Busyness = field(default_factory=Busyness)

    def until_closing(self) -> float:
        """Seconds until calibration and all that follows has to begin."""
        return self.deadline.left - self.closing * self.busyness.now()

    def for_refit(self, row_seconds: float) -> float:
        """Seconds that a refit may take of a model that scores a row in ``row_seconds``."""
        return self.until_closing() - self.closing_rows * row_seconds

    def for_test(self, baselines: Sequence[CVResult]) -> float:
        """Seconds that these take to read and score the rows of the test."""
        return self.closing_rows * sum(s.row_seconds + READING for s in baselines)

    def left(self, results: Sequence[CVResult], shipped: Sequence[CVResult] | None = None) -> float:
        """Seconds until the refit of the model would have to begin that is shipped, and of what it is compared with on
        the test. ``shipped``: its members; those that the candidates would be put together of now, where None.
        """
        if not results:
            return self.until_closing()
        shipped = members(results) if shipped is None else shipped
        others = [s for s in results if self.comparing and s.candidate.baseline and [s] != [*shipped]]
        refits = sum(s.refit_seconds for s in (*shipped, *others))
        return self.for_refit(sum(s.row_seconds for s in shipped)) - self.for_test(others) - refits


def explore(
    candidates: Sequence[Candidate],
    cv: CrossValidation,
    reserve: TimeReserve,
    listener: Observer,
) -> Explored:
    """Cross-validate the candidates one after another while there is time, and until somebody asks for the best so far.

    A candidate that does not fit into its share gets a second chance when all have been tried: then it may take all
    that is left.
    """
    results: list[CVResult] = []
    reasons: dict[str, str] = {}
    waiting = [(share, candidate) for share in (SHARE, 1.0) for candidate in candidates]
    at_work = ""
    try:
        with reserve.interrupts.searching():
            for share, candidate in waiting:
                if candidate.name in {s.candidate.name for s in results}:
                    continue
                at_work = candidate.name
                listener.running(at_work)
                outcome = _in_time(candidate, cv, reserve, results, share)
                if isinstance(outcome, Skipped) and candidate.family.early_stopping and not _boosted(results):
                    # Nothing else gains as much on most tables, so a booster goes before all that would follow.
                    outcome = _in_time(candidate, cv, reserve, results, 1.0)
                if isinstance(outcome, CVResult):
                    results.append(outcome)
                    listener.best(_best(results))
                else:
                    reasons[candidate.name] = outcome.reason
                if len(results) >= len(BASELINES):
                    reserve.interrupts.in_hand()
    except TimeUp:
        reasons.pop(at_work, None)
    done = {s.candidate.name for s in results}
    why = ENDED if reserve.interrupts.asked else NO_TIME
    return Explored(
        tuple(results), tuple(Skipped(c.name, reasons.get(c.name, why)) for c in candidates if c.name not in done)
    )


def _in_time(
    candidate: Candidate,
    cv: CrossValidation,
    reserve: TimeReserve,
    results: Sequence[CVResult],
    share: float,
) -> CVResult | Skipped:
    """Baselines are fitted whatever the clock says, on few rows if need be: without them nothing can be judged.

    Only where the time would be over before their library is imported, the first, which needs none, has to do.
    """
    left = reserve.left(results)
    if results and reserve.deadline.importing > max(left, 0.0):
        return Skipped(candidate.name, NO_TIME)
    if candidate.baseline:
        return crossval(candidate, cv, seconds=max(left * BASELINE_SHARE, LEAST_SECONDS))
    if left <= LEAST_SECONDS:
        return Skipped(candidate.name, NO_TIME)
    with interrupted_after(reserve.until_closing()):
        return crossval(candidate, cv, seconds=left * share)


def _boosted(results: Sequence[CVResult]) -> bool:
    return any(s.candidate.family.early_stopping for s in results)


def _best(results: Sequence[CVResult]) -> str:
    best = min(results, key=_log_loss)
    return f"{best.candidate.name} {_log_loss(best):.4f}"


def _log_loss(result: CVResult) -> float:
    return float(np.mean(result.fold_scores["log_loss"]))
