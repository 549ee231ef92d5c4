"""Which candidates are tried, in which order, and how the time is shared among them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np

from sortal.core import registry
from sortal.core.interrupt import TimeUp
from sortal.core.observer import Observer
from sortal.core.skipped import Skipped
from sortal.models.family import Settings
from sortal.training.backbones import backbone_candidates
from sortal.training.candidate import Candidate
from sortal.training.crossval import SURELY, CrossValidation, least_work, soon_fitted
from sortal.training.cv_result import CVResult
from sortal.training.imbalance import Balance
from sortal.training.reserve import TimeReserve

BASELINES = ("majority", "logistic", "tree")
Entry = tuple[str, str, Settings]
PORTFOLIO: tuple[Entry, ...] = (
    ("lightgbm", "lightgbm", {}),
    ("lightgbm_prep", "lightgbm_prep", {}),
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
    ("catboost_prep", "catboost_prep", {}),
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
FIRST: dict[str, tuple[Entry, ...]] = {
    "text": (
        ("svm", "svm", {}),
        ("logistic_ngrams", "logistic_ngrams", {}),
        ("logistic_sentences", "logistic_sentences", {}),
        ("logistic_sentences C=0.1", "logistic_sentences", {"C": 0.1}),
    ),
    "image": (
        ("logistic_small_images", "logistic_small_images", {}),
        ("logistic_images", "logistic_images", {}),
        ("cnn", "cnn", {}),
    ),
}
"""What is tried first where a table has columns of an encoding: linear models of what others see as a few topics of
texts or thumbnails of images: of n-grams, and of what a network makes of them that was trained on many others.
Then a network that is trained on their points."""
MIXED: tuple[tuple[str, str, Literal["items", "others"], str], ...] = (
    ("lightgbm without {}", "lightgbm", "others", ""),
    ("svm on {} alone", "svm", "items", "text"),
)
"""What competes beside the others in tables with texts or images among other columns: models of a part of the columns,
which an ensemble puts together (late fusion). A booster loses among the many topics of a text what it finds without
them, and what is idle beside a text is noise to a linear model: see docs/examples.md. The last is an encoding without
which the candidate is not worth its time: of images such a machine sees thumbnails."""
BALANCED: tuple[tuple[str, str, Balance], ...] = (
    ("lightgbm focal", "lightgbm", "focal"),
    ("logistic balanced", "logistic", "weights"),
    ("lightgbm undersampled", "lightgbm", "undersample"),
    ("lightgbm balanced", "lightgbm", "weights"),
    ("xgboost focal", "xgboost", "focal"),
    ("cnn balanced", "cnn", "weights"),
)
"""What competes beside the others where classes are rare or costs are given."""
SHARE = 0.65
"""Of what remains for the zoo, what one candidate may take at the first try."""
BASELINE_SHARE = 0.15
"""Of what remains, what a baseline may take: on a large table it gets a sample of the rows."""
ALL = 1.0
"""Of what remains, what the first booster may take where nothing can follow it."""
LEAST_SECONDS = 0.2
"""A candidate is not begun with less, and a baseline is given no less."""
MISSES = 3
"""Of drawn candidates in turn, one a family, after which there is no time for another."""
ENDED = "ended by Ctrl-C"


def baselines() -> tuple[Candidate, ...]:
    return tuple(Candidate(name, registry.load("sortal.models", name), baseline=True) for name in BASELINES)


def zoo(
    models: Sequence[str],
    imbalanced: bool,
    encodings: Collection[str] = (),
    mixed: str = "",
    backbones: Sequence[str] = (),
) -> tuple[Candidate, ...]:
    """The candidates beyond the baselines, most promising first; of these families only, where any are named.

    Families of plug-ins follow the built-in ones. ``imbalanced``: class weights, focal loss and resampling
    compete too. ``encodings``: of the columns that the table has; ``mixed``: what it has beside other columns, "texts"
    or "images". ``backbones``: folders of networks, which compete whatever families are named.
    """
    own = {family for _, family, _ in (*PORTFOLIO, *chain(*FIRST.values()))} | set(BASELINES)
    plugins: list[Entry] = [(name, name, {}) for name in registry.names("sortal.models") if name not in own]
    entries = [*PORTFOLIO, *plugins]
    early = [*chain(*(entries for encoding, entries in FIRST.items() if models or encoding in encodings))]
    entries = [*early, *(entry for entry in entries if entry not in early)]
    if models:
        entries = [entry for name in models for entry in entries if entry[1] == name]
    plain = [Candidate(label, registry.load("sortal.models", name), settings) for label, name, settings in entries]
    # After one that takes little time, by which the number of folds is chosen.
    plain[1:1] = backbone_candidates(backbones, encodings)
    families = {family for _, family, _ in entries}
    balanced = [
        Candidate(label, registry.load("sortal.models", name), balance=strategy)
        for label, name, strategy in BALANCED
        if imbalanced and name in families
    ]
    first = next((i for i, c in enumerate(plain, start=1) if c.family.early_stopping), len(plain))
    return (*plain[:first], *_of_parts(models, mixed), *plain[first:], *balanced)


def _of_parts(models: Sequence[str], mixed: str) -> Iterator[Candidate]:
    """Candidates that see a part of the columns, where the table has two."""
    for label, name, columns, item_kind in MIXED if mixed else ():
        if item_kind in mixed and (name in models or not models):
            family = registry.load("sortal.models", name)
            yield Candidate(label.format(mixed), replace(family, view=replace(family.view, columns=columns)))


@dataclass(frozen=True)
class Explored:
    """Every candidate that was scored, in the order of trial, and those that were not, with the reason."""

    results: tuple[CVResult, ...]
    skipped: tuple[Skipped, ...]


def explore(
    candidates: Sequence[Candidate],
    cv: CrossValidation,
    reserve: TimeReserve,
    listener: Observer,
    more: Iterable[Candidate] = (),
) -> Explored:
    """Cross-validate the candidates one after another while there is time, and until somebody asks for the best so far.

    A candidate that does not fit into its share gets a second chance when all have been tried: then it may take nearly
    all that is left. ``more``: what is tried when they are done, until so many in turn do not fit any more.
    """
    results: list[CVResult] = []
    reasons: dict[str, str] = {}
    last = reserve.last_share
    waiting = chain(((share, c) for share in (SHARE, last) for c in candidates), ((last, c) for c in more))
    misses = 0
    at_work = ""
    try:
        with reserve.interrupts.searching():
            for share, candidate in waiting:
                if reserve.interrupts.stop_requested:
                    break  # what ends a search may be lost in a library
                if candidate.family.early_stopping and not _boosted(results):
                    candidate = _in_time(candidate, candidates, cv, reserve.budget_left(results))
                if candidate.name in {s.candidate.name for s in results}:
                    continue
                at_work = candidate.name
                listener.running(at_work)
                outcome = _within(candidate, cv, reserve, results, share)
                if isinstance(outcome, Skipped) and candidate.family.early_stopping and not _boosted(results):
                    # Nothing else gains as much on most tables, so a booster may take what all would that would follow.
                    outcome = _within(candidate, cv, reserve, results, ALL)
                if isinstance(outcome, CVResult):
                    results.append(outcome)
                    listener.best(_best(results))
                    misses = 0
                else:
                    reasons[candidate.name] = outcome.reason
                    misses += candidate.is_random
                    if outcome.reason == reserve.used_up:
                        break
                if misses == MISSES:
                    break
                if len(results) >= len(BASELINES):
                    reserve.interrupts.in_hand()
    except TimeUp:
        reasons.pop(at_work, None)
    names = {s.candidate.name for s in results}
    why = ENDED if reserve.interrupts.stop_requested else reserve.used_up
    return Explored(
        tuple(results),
        tuple(Skipped(c.name, reasons.get(c.name, why)) for c in candidates if c.name not in names),
    )


def _within(
    candidate: Candidate,
    cv: CrossValidation,
    reserve: TimeReserve,
    results: Sequence[CVResult],
    share: float,
) -> CVResult | Skipped:
    """Baselines are fitted whatever the clock says, on few rows if need be: without them nothing can be judged.

    Only where the time would be over before their library is imported, or is over and they take more than a moment, the
    first, which needs none and no time, has to do.
    """
    if not results and candidate.baseline:
        return reserve.trial(candidate, cv, math.inf, results)
    budget_left = reserve.left_for_more(results) if candidate.is_random else reserve.budget_left(results)
    if results and reserve.importing > max(budget_left, 0.0):
        return Skipped(candidate.name, reserve.used_up)
    if candidate.baseline and (budget_left > 0 or soon_fitted(cv.data.size)):
        return reserve.trial(candidate, cv, max(budget_left * BASELINE_SHARE, LEAST_SECONDS), results)
    if budget_left <= LEAST_SECONDS:
        return Skipped(candidate.name, reserve.used_up)
    return reserve.trial(candidate, cv, budget_left * share, results)


def _in_time(booster: Candidate, candidates: Sequence[Candidate], cv: CrossValidation, seconds: float) -> Candidate:
    """This booster where it is likely to get through in so many seconds, else the one that takes least: time is too
    short to find that out of one after another.
    """
    if SURELY * least_work(booster, cv) <= seconds:
        return booster
    able = [c for c in candidates if c.family.early_stopping and not c.family.refusal(cv.data.size)]
    return min(able, key=lambda c: least_work(c, cv), default=booster)


def _boosted(results: Sequence[CVResult]) -> bool:
    return any(s.candidate.family.early_stopping for s in results)


def _best(results: Sequence[CVResult]) -> str:
    best = min(results, key=_log_loss)
    return f"{best.candidate.name} {_log_loss(best):.4f}"


def _log_loss(result: CVResult) -> float:
    return float(np.mean(result.fold_scores["log_loss"]))
