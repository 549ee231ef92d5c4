"""From development rows to a choice: baselines first, then the zoo while there is time, then the simplest of the
best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.errors import OptionError
from sortal.core.observer import Observer
from sortal.core.plan import Planned
from sortal.core.predictions import Predictions
from sortal.core.sheets import SearchOptions
from sortal.core.task import Task
from sortal.data.split import fold_count, folds, holdout
from sortal.decide.policy import Decision
from sortal.decide.threshold import decide
from sortal.evaluate.metrics import Metric
from sortal.stats.sampling import Sampling
from sortal.training.bounds import Bounds
from sortal.training.candidate import Candidate, Development
from sortal.training.crossval import REFIT, SURELY, CrossValidation, crossval, repeat, turns
from sortal.training.cv_result import CVResult, Result
from sortal.training.ensemble import EnsembleResult, select
from sortal.training.executor import Executor, ThreadExecutor
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldData, Folds
from sortal.training.fold_store import FoldStore
from sortal.training.halving import Halving, halve
from sortal.training.pace import work_pace
from sortal.training.random_search import draws, named
from sortal.training.reserve import TimeReserve
from sortal.training.select import Choice, choose
from sortal.training.zoo import Explored, baselines, explore, zoo

SMALL = 1_000
REPEATS = 3
LARGE = 100_000
HOLDOUT_SHARE, HOLDOUT_ROWS, HOLDOUT_A_SECOND = 0.2, 50_000, 1_000
"""Of a large table one part is held out: more rows make no figure surer that anybody reads, and each candidate has to
score them. A short budget buys fewer; it is the budget that says so, not the clock, so that runs repeat."""
MIDDLE = 3
FIRST_SHARE = 0.5
"""Of the time, what the folds and the refit of the first candidate may be expected to take."""
ALWAYS = ("log_loss", "roc_auc", "balanced_accuracy")


@dataclass(frozen=True)
class Developed:
    """What cross-validation found, and how its rows were folded. ``ensemble``: of the candidates, where a mean of
    several is better than the best. ``bounds``: those within which all were chosen. ``halving``: what the chosen model
    is worth with half of the rows, where that is known.
    """

    explored: Explored
    ensemble: EnsembleResult | None
    choice: Choice
    folds: Folds
    bounds: Bounds
    halving: Halving | None = None

    @property
    def results(self) -> tuple[Result, ...]:
        """All that was chosen among: the candidates, and their ensemble where there is one."""
        return (*self.explored.results, *([] if self.ensemble is None else [self.ensemble]))

    @property
    def fits(self) -> tuple[FitRows, ...]:
        """What the fits of all folds saw."""
        halved = () if self.halving is None else self.halving.fits
        return (*(fit for result in self.explored.results for fit in result.fits), *halved)

    def plan(self) -> tuple[Planned, ...]:
        """What was run, so that a recipe can repeat it."""
        return tuple(
            Planned(
                s.name, tuple(dict(e) for e in s.efforts), s.rows, self.bounds.share(s), self.bounds.endings.get(s.name)
            )
            for s in self.explored.results
        )


def develop(
    dev: Development,
    task: Task,
    search: SearchOptions,
    reserve: TimeReserve,
    listener: Observer,
    executor: Executor | None = None,
    store: FoldStore | None = None,
) -> Developed:
    """Cross-validate candidates until the time is up (or exactly those of the recipe's plan), and choose.

    ``store``: where results are kept, and those of an earlier run lie.
    """
    score, candidates = Scorer(task), _candidates(task, search, dev)
    parts = fold(dev, search.allowance)
    data = FoldData(dev, _as_planned(parts, search.plan) if search.plan else parts)
    cv = CrossValidation(data, score, executor or ThreadExecutor(), store)
    if not search.plan:
        n_folds = None if store is None else store.folds()
        cv = cv.with_folds(_in_time(cv, candidates, reserve) if n_folds is None else parts.first(n_folds))
    if search.plan:
        explored = _replay(candidates, search, cv)
    else:
        explored = explore(candidates, cv, reserve, listener, draws(search.models, search.seed))
    bounds = Bounds.of(search, dev)
    if not search.plan:
        bounds = replace(bounds, endings=reserve.endings(explored.results))
    developed = _choose(explored, cv.data, score, bounds)
    choice = developed.choice
    planned = search.halved if search.plan else reserve.folds_to_halve(explored.results, choice.winner)
    seconds = math.inf if search.plan else reserve.for_halving(explored.results, choice.winner)
    return replace(developed, halving=halve(choice.winner, cv, choice.metric, seconds, planned))


def search_again(dev: Development, task: Task, search: SearchOptions, before: Developed) -> Developed:
    """The search once more on other rows: the same candidates in as many folds, fitted anew and without a clock.

    What the clock gave a sample of rows gets as many again, with the same settings, and what it made learn faster
    learns as fast again: else it would take far longer.
    """
    score, planned = Scorer(task), before.plan()
    by_name = _by_name(_candidates(task, search, dev), planned, search.seed)
    cv = CrossValidation(FoldData(dev, fold(dev, search.allowance).first(len(before.folds.parts))), score)
    results = (
        crossval(_as_fast(by_name[plan.name], plan), cv) if plan.rows is None else repeat(by_name[plan.name], cv, plan)
        for plan in planned
    )
    explored = Explored(tuple(result for result in results if isinstance(result, CVResult)), ())
    bounds = Bounds.of(replace(search, plan=planned), dev)
    return _choose(explored, cv.data, score, bounds)


def _as_fast(candidate: Candidate, plan: Planned) -> Candidate:
    """With what the clock set in the earlier search. How many rounds that takes is no such thing."""
    pace = {name: value for name, value in plan.efforts[0].items() if name != "rounds"}
    return replace(candidate, settings={**candidate.settings, **pace})


def _candidates(task: Task, search: SearchOptions, dev: Development) -> tuple[Candidate, ...]:
    rare = task.imbalanced or task.cost is not None
    candidates = zoo(search.models, rare, dev.encodings, dev.items_beside_others, search.backbone)
    return (*baselines(), *candidates)


def _by_name(candidates: Sequence[Candidate], plan: Sequence[Planned], seed: int) -> dict[str, Candidate]:
    """The candidates, and those that were drawn in the run that ``plan`` is of."""
    by_name = {c.name: c for c in candidates}
    random_candidates = (named(planned.name, seed) for planned in plan if planned.name not in by_name)
    return by_name | {c.name: c for c in random_candidates if c is not None}


def _choose(explored: Explored, data: FoldData, score: Scorer, bounds: Bounds) -> Developed:
    """Put the candidates together that keep within bounds, and choose among them and what they come to."""
    dev = data.dev
    units = dev.units_of(explored.results[0].predictions)
    fitting = bounds.fitting(explored.results)
    ensemble = select(fitting, score, dev.seed, units, bounds)
    metric: Metric = registry.load("sortal.metrics", score.task.metric)
    choice = choose(
        fitting if ensemble is None else [*fitting, ensemble],
        metric,
        lambda p: score.of(metric, p),
        dev.seed,
        describe=None if metric.sampling is None else lambda p: score.sampling(metric, p),
        groups=units,
    )
    return Developed(explored, ensemble, choice, data.folds, bounds)


def holdout_rows(budget: float) -> int:
    """How many rows of a large table are held out at most, in a run of so many seconds.

    >>> holdout_rows(10.0), holdout_rows(600.0)
    (10000, 50000)
    """
    return int(min(HOLDOUT_ROWS, HOLDOUT_A_SECOND * budget))


def fold(dev: Development, budget: float = math.inf) -> Folds:
    """Five stratified folds, fewer where there are fewer groups; repeated when rows are few, one holdout when they are
    many; forward in time where time is given.
    """
    n, times = len(dev.codes), dev.table.times
    if n > LARGE and times is None:
        share = min(HOLDOUT_SHARE, holdout_rows(budget) / n)
        return Folds((holdout(dev.codes, share, dev.seed, dev.units),), per_repeat=1)
    units = n if dev.units is None else len(np.unique(dev.units))
    k = max(2, min(fold_count(n, int(np.bincount(dev.codes).min())), units))
    repeats = REPEATS if n < SMALL and times is None else 1
    parts = folds(dev.codes, k, dev.seed, dev.units, times, repeats)
    if times is not None:
        # The newest first: what is left of the folds when time is short is what is most like the future.
        parts = parts[::-1]
    return Folds(tuple(parts), per_repeat=len(parts) // repeats)


def _in_time(cv: CrossValidation, candidates: Sequence[Candidate], reserve: TimeReserve) -> Folds:
    """As many folds as the most promising candidate is likely to get through in its part of the time.

    A few folds of a strong model say more than many folds of a weak one.
    """
    data, parts = cv.data, cv.data.folds
    if len(parts.parts) == 1:
        return parts
    if reserve.importing > reserve.budget_left([]):
        return parts.first(1)
    able = [c for c in candidates if not c.family.refusal(data.size)]
    zoo_first = next((c for c in able if not c.baseline), able[-1])
    boosted = next((c for c in able if c.family.early_stopping), zoo_first)
    first = zoo_first if "text" in data.dev.encodings else boosted
    n, at_once = len(parts.parts[0][0]), reserve.at_once(cv, first)
    estimate = first.family.least_share * work_pace(first, data.size).seconds(n)
    if estimate * (turns(MIDDLE, at_once) + REFIT) > SURELY * FIRST_SHARE * reserve.budget_left([]):
        # No short fits are needed to see that: they would take the time of the baselines.
        return parts.first(1)
    pace = reserve.pace(first, data, FIRST_SHARE * reserve.budget_left([]))
    a_fold = pace.seconds(n)
    for count in (len(parts.parts), parts.per_repeat, MIDDLE):
        if a_fold * (turns(count, at_once) + REFIT) < FIRST_SHARE * reserve.budget_left([]):
            return parts.first(min(count, len(parts.parts)))
    return parts.first(1)


def _as_planned(parts: Folds, plan: Sequence[Planned]) -> Folds:
    return parts.first(len(plan[0].efforts))


class Scorer:
    """The metrics that the leaderboard shows, each on the predictions of one fold."""

    def __init__(self, task: Task) -> None:
        self.task = task
        names = dict.fromkeys((task.metric, *task.headline, *ALWAYS))
        metrics: list[Metric] = [registry.load("sortal.metrics", name) for name in names]
        self.metrics = [m for m in metrics if task.binary or not m.binary_only]

    def __call__(self, predictions: Predictions) -> dict[str, float]:
        return {metric.name: self.of(metric, predictions) for metric in self.metrics}

    def of(self, metric: Metric, predictions: Predictions) -> float:
        """Costs decide by least expected cost and a capacity takes the best of the rows, everything else decides for
        the most probable class: no threshold is tuned in a fold.
        """
        return metric.score(self.task, predictions, self._decided(predictions))

    def sampling(self, metric: Metric, predictions: Predictions) -> Sampling | None:
        """How that score varies with the rows; None for a metric that does not tell."""
        if metric.sampling is None:
            return None
        return metric.sampling(self.task, predictions, self._decided(predictions))

    def _decided(self, predictions: Predictions) -> NDArray[np.int64]:
        task = self.task
        by_rule = task.goal in ("cost", "capacity")
        rule = decide(task, predictions) if by_rule else Decision("argmax", task.classes)
        return rule.decide(predictions)


def _replay(candidates: Sequence[Candidate], search: SearchOptions, cv: CrossValidation) -> Explored:
    plan, by_name = search.plan, _by_name(candidates, search.plan, search.seed)
    if foreign := [planned.name for planned in plan if planned.name not in by_name]:
        raise OptionError(
            f"the recipe ran {foreign[0]!r}, which is not tried here; take its plan out, and it is searched anew"
        )
    return Explored(tuple(repeat(by_name[p.name], cv, p) for p in plan), ())
