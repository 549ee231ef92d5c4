"""Do 95 % intervals hold the truth in 95 % of cases? Real tables serve as populations, whose figures are known.

Twenty candidates are trained on a few thousand rows of a table and score all others: these are the population. Test
samples are drawn from it with replacement, so that they are independent draws from exactly that population and need no
correction for its being finite. Training is never repeated: an interval speaks of the model at hand. The intervals are
those of run.json, by the functions that write them; ``bench honesty`` has them from run.json itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._tables import largest_first
from bench.sets import by_chance
from sortal.core import registry
from sortal.core.errors import SortalError
from sortal.core.framing import frame_task
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.task import Task
from sortal.data.problem import frame_problem
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.models.family import Resources, Settings
from sortal.record.expected_score import Gap, as_shipped
from sortal.stats.ranking import roc_auc
from sortal.stats.sampling import Mean
from sortal.training.candidate import Candidate, Development, fit, prepare_rows
from sortal.training.select import selection_bias

METRICS = ("roc_auc", "log_loss", "balanced_accuracy", "expected_cost")
PROTOCOLS = ("fixed model", "best of 20, fresh rows", "best of 20, its own rows, corrected")
NAIVE = "best of 20, its own rows, as they are"
SIZES, FAST_SIZES = (200, 1_000, 5_000), (200, 1_000)
REPETITIONS, FAST_REPETITIONS = 500, 80
TABLES, WANTED, LARGE, TRAINING_ROWS, POPULATION_ROWS = 4, 3, 15_000, 4_000, 40_000
POSITIVES, EXPECTED = 30, 48
"""Rows of the positive class in any sample, and the number expected in the smallest, by which fewer are hardly ever
drawn."""
EASY = 0.999
"""A table that is ranked better than this has next to no errors to sample: mostly one with a leak."""
NOMINAL, LOW, HIGH = 0.95, 0.93, 0.97
BOOSTER: Settings = {"rounds": 100, "learning_rate": 0.1}
CANDIDATES: tuple[tuple[str, Settings, float], ...] = (
    ("lightgbm", BOOSTER, 1.0),
    ("lightgbm", {"rounds": 200, "learning_rate": 0.05}, 1.0),
    ("lightgbm", {**BOOSTER, "num_leaves": 8}, 1.0),
    ("lightgbm", {**BOOSTER, "rounds": 50, "num_leaves": 4}, 1.0),
    ("lightgbm", {**BOOSTER, "rounds": 300}, 1.0),
    ("lightgbm", BOOSTER, 0.5),
    ("lightgbm", BOOSTER, 0.7),
    ("xgboost", BOOSTER, 1.0),
    ("xgboost", {**BOOSTER, "max_depth": 3}, 1.0),
    ("xgboost", {**BOOSTER, "max_depth": 3}, 0.7),
    ("forest", {"trees": 60}, 1.0),
    ("forest", {"trees": 60, "min_samples_leaf": 20}, 1.0),
    ("extra_trees", {"trees": 60}, 1.0),
    ("extra_trees", {"trees": 60, "min_samples_leaf": 10}, 0.7),
    ("logistic", {}, 1.0),
    ("logistic", {"C": 0.03}, 1.0),
    ("logistic", {"C": 0.001}, 1.0),
    ("logistic", {}, 0.5),
    ("svm", {}, 1.0),
    ("tree", {}, 1.0),
)
"""Family, settings, and share of the columns that it sees. The first of them is the fixed model."""


@dataclass(frozen=True)
class Population:
    """``truth`` (N,) class codes; ``probability`` (K, N) of the positive class by each candidate."""

    name: str
    task: Task
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]

    @property
    def positive(self) -> NDArray[np.bool_]:
        return self.truth == self.task.positive_code

    def share(self, n: int) -> float:
        """Of positives in samples of n rows: that of the population, or as much as it takes to have enough of them."""
        return max(float(self.positive.mean()), EXPECTED / n)

    def predictions(self, candidate: int, rows: NDArray[np.int64]) -> Predictions:
        p = self.probability[candidate, rows]
        columns = np.column_stack([1 - p, p] if self.task.positive_code else [p, 1 - p])
        return Predictions(self.task.classes, rows, self.truth[rows], columns, "test")

    def decided(self, candidate: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decision of least expected cost: a threshold that no row was used for."""
        assert self.task.cost is not None
        code = self.task.positive_code
        threshold = self.task.cost[1 - code][code] / (self.task.cost[1 - code][code] + self.task.cost[code][1 - code])
        return np.where(self.probability[candidate, rows] >= threshold, code, 1 - code)

    def of(self, candidate: int, rows: NDArray[np.int64]) -> tuple[Task, Predictions, NDArray[np.int64]]:
        """What a metric asks for."""
        return self.task, self.predictions(candidate, rows), self.decided(candidate, rows)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """n rows with replacement, anew until there are enough positives."""
        hits, others = np.flatnonzero(self.positive), np.flatnonzero(~self.positive)
        count = 0
        while count < POSITIVES:
            count = int(rng.binomial(n, self.share(n)))
        return np.concatenate([rng.choice(hits, count), rng.choice(others, n - count)])

    def true(self, metric: Metric, candidate: int, n: int) -> float:
        """The figure that samples of n rows are samples of."""
        arguments = self.of(candidate, np.arange(len(self.truth)))
        assert metric.sampling is not None
        described = metric.sampling(*arguments)
        if not isinstance(described, Mean):
            return metric.score(*arguments)
        share, positive = self.share(n), self.positive
        return float(share * described.values[positive].mean() + (1 - share) * described.values[~positive].mean())


@dataclass(frozen=True)
class Cell:
    """Of ``reps`` samples of n rows of a table, how many intervals held the truth; mean errors of the estimates."""

    table: str
    n: int
    protocol: str
    metric: str
    reps: int
    hits: int
    bias: float
    uncorrected: float

    @property
    def coverage(self) -> float:
        return self.hits / self.reps

    @property
    def holds(self) -> bool:
        return self.within(2)

    def within(self, errors: float) -> bool:
        """So many standard errors of the coverage of an interval that is right, in so many repetitions."""
        slack = errors * float(np.sqrt(NOMINAL * (1 - NOMINAL) / self.reps))
        return bool(LOW - slack <= self.coverage <= HIGH + slack)


def run(options: Options) -> Outcome:
    if options.fast:
        pool, notes = [made_up(seed) for seed in range(WANTED)], ["made-up populations"]
    elif options.data is not None:
        pool, notes = populations(options.data)
    else:
        sys.exit("which tables? give --data FOLDER, or --fast")
    reps = options.reps if options.reps > 1 else FAST_REPETITIONS if options.fast else REPETITIONS
    cells = []
    for i, population in enumerate(pool):
        for n in FAST_SIZES if options.fast else SIZES:
            cells += measure(population, n, reps, seed=i)
            print(f"{population.name}, n = {n}: done", file=sys.stderr)
    return outcome(cells, reps, pool, notes)


def populations(folder: Path) -> tuple[list[Population], list[str]]:
    """The largest binary tables of the folder, and a line for each that is not used."""
    pool: list[Population] = []
    notes: list[str] = []
    for file in largest_first(folder, LARGE):
        if len(pool) == TABLES:
            break
        population = trained(file.path, file.target)
        if isinstance(population, str):
            notes.append(f"left out: {file.name}: {population}")
        else:
            pool.append(population)
    return pool, notes


def trained(file: Path, target: str) -> Population | str:
    """The rows of a table that were not trained on, with what each candidate says of them; or why not."""
    frame = pl.read_parquet(file)
    if frame[target].drop_nulls().n_unique() != 2:
        return "not two classes"
    frame = frame.sample(min(len(frame), TRAINING_ROWS + POPULATION_ROWS), shuffle=True, seed=0)
    odds = frame[target].value_counts()["count"]
    try:
        problem = frame_problem(frame, GoalOptions(target, cost=cost(float(odds.max() / odds.min()))), RowOptions())
    except SortalError as error:
        return str(error)
    task, code = problem.task, problem.task.positive_code
    train, rest = np.split(np.arange(len(problem.codes)), [TRAINING_ROWS])
    rng, names = np.random.default_rng(0), [c.name for c in problem.table.schema.features]
    probabilities = []
    for name, settings, share in CANDIDATES:
        schema = problem.table.schema
        for column in rng.permutation(names)[: round((1 - share) * len(names))]:
            schema = schema.with_role(str(column), "ignore", "not for this candidate")
        dev = Development(
            replace(problem.table, schema=schema), problem.codes, task.classes, seed=0, resources=Resources(threads=1)
        )
        family = registry.load("sortal.models", name)
        prepared = prepare_rows(dev, train, family.view)
        pipeline = fit(Candidate(name, family), prepared, dev, settings, purpose="ship")
        probabilities.append(pipeline.predict_proba(prepared.preprocessor.transform(dev.table.take(rest)))[:, code])
        area = roc_auc(problem.codes[rest] == code, probabilities[-1])
        if area > EASY:
            return f"{name} ranks it almost perfectly (ROC-AUC {area:.4f}): no errors to sample"
    return Population(file.stem, task, problem.codes[rest], np.array(probabilities))


def cost(odds: float) -> str:
    """A missed positive costs as many false alarms as there are negatives to a positive."""
    return f"fp=1,fn={max(1, round(odds))}"


def made_up(seed: int, rows: int = 20_000, candidates: int = 20) -> Population:
    """Candidates that see the same signal through noise, some through less of it, and overstate what they see."""
    rng = np.random.default_rng(seed)
    signal, shared = rng.normal(size=(2, rows))
    truth = (rng.random(rows) < 1 / (1 + np.exp(1.2 - 1.5 * signal))).astype(np.int64)
    own = np.linspace(0.3, 0.6, candidates)[:, None] * rng.normal(size=(candidates, rows))
    probability = 1 / (1 + np.exp(1.2 - 1.5 * (signal + 0.5 * shared + own)))
    labels = pl.Series("y", np.where(truth == 1, "yes", "no"))
    task = frame_task(labels, GoalOptions("y", positive="yes", cost=cost(1 / truth.mean() - 1)))
    return Population(f"made-up {seed}", task, truth, probability)


def measure(population: Population, n: int, reps: int, seed: int) -> Iterator[Cell]:
    """The intervals of every metric and protocol, of ``reps`` pairs of samples: one to choose on, and a fresh one."""
    metrics: list[Metric] = [registry.load("sortal.metrics", name) for name in METRICS]
    count = len(population.probability)
    truths = {m.name: np.array([population.true(m, k, n) for k in range(count)]) for m in metrics}
    intervals: dict[tuple[str, str], list[tuple[Interval, float, float]]] = {
        (p, m): [] for p in (*PROTOCOLS, NAIVE) for m in METRICS
    }
    rng = np.random.default_rng([seed, n])
    for r in range(reps):
        chosen_on, fresh = population.draw(n, rng), population.draw(n, rng)
        candidates = [population.of(k, chosen_on) for k in range(count)]
        for metric in metrics:
            true = truths[metric.name]
            pick, bias = winner(metric, candidates, r)
            own = interval(metric, *candidates[pick])
            entries = (
                (interval(metric, *population.of(0, fresh)), true[0], 0.0),
                (interval(metric, *population.of(pick, fresh)), true[pick], 0.0),
                (as_shipped(own, Gap(), -bias), true[pick], bias),
                (own, true[pick], 0.0),
            )
            for protocol, entry in zip((*PROTOCOLS, NAIVE), entries, strict=True):
                intervals[protocol, metric.name].append(entry)
    for (protocol, name), entries in intervals.items():
        hits = sum(bool(i.low <= true <= i.high) for i, true, _ in entries)
        error = float(np.mean([i.value - true for i, true, _ in entries]))
        taken_off = float(np.mean([bias for _, _, bias in entries]))
        yield Cell(population.name, n, protocol, name, reps, hits, error, error + taken_off)


def winner(metric: Metric, candidates: Sequence[Any], seed: int) -> tuple[int, float]:
    """The best candidate on some rows, and by how much its score there is flattered, in the metric's unit."""
    assert metric.sampling is not None
    sign = -1.0 if metric.higher_is_better else 1.0
    losses = sign * np.array([metric.score(*c) for c in candidates])
    described = [metric.sampling(*c) for c in candidates]

    def pick(losses: NDArray[np.float64]) -> int:
        return int(np.argmin(losses))

    bias = selection_bias(described, losses, pick, seed, higher_is_better=metric.higher_is_better)  # type: ignore[arg-type]
    return pick(losses), -sign * bias


def outcome(cells: Sequence[Cell], reps: int, pool: Sequence[Population], notes: Sequence[str]) -> Outcome:
    by_row: dict[tuple[str, int, str], list[Cell]] = {}
    for cell in cells:
        by_row.setdefault((cell.table, cell.n, cell.protocol), []).append(cell)
    rows = [
        [
            table,
            f"{n:,}",
            protocol,
            *(f"{100 * c.coverage:.1f}{'' if c.holds or c.protocol == NAIVE else ' !'}" for c in row),
        ]
        for (table, n, protocol), row in by_row.items()
    ]
    error = 100 * np.sqrt(NOMINAL * (1 - NOMINAL) / reps)
    shares = ", ".join(f"{p.name} {len(p.truth):,} rows, {100 * p.positive.mean():.1f} % positive" for p in pool)
    return Outcome(
        title=f"coverage of the 95 % intervals that ship in %, {reps} repetitions a cell (standard error {error:.1f})",
        columns=["population", "n", "interval of", *METRICS],
        rows=rows,
        goals=[
            Goal(f"at least {WANTED} populations", f"{len(pool)}", len(pool) >= WANTED),
            *(covered(p, [c for c in cells if c.protocol == p]) for p in PROTOCOLS),
        ],
        notes=[
            "what is measured is what ships: the functions that write the intervals of run.json, without the training "
            "around them; through sortal.train: bench honesty",
            f"populations: {shares}",
            f"where a sample of n rows would hold less than {EXPECTED} positives on average, positives are drawn more "
            f"often, for the truth too; none holds less than {POSITIVES}",
            "balanced accuracy and cost: of the decision of least expected cost, a missed positive costing as many "
            "false "
            "alarms as there are negatives to a positive",
            "best of 20: by the metric of the column, on a sample of n rows; 'its own rows' are those. Corrected: "
            "the bias "
            "that sortal reports is taken off, and the interval is widened to both figures; as they are: for "
            "comparison",
            *notes,
        ],
        figures=[figures(c) for c in cells],
    )


def covered(protocol: str, cells: Sequence[Cell]) -> Goal:
    good, strict = sum(c.holds for c in cells), sum(LOW <= c.coverage <= HIGH for c in cells)
    low, high = min(cells, key=lambda c: c.coverage), max(cells, key=lambda c: c.coverage)
    ends = (f"{100 * c.coverage:.1f} ({c.metric}, {c.table}, n = {c.n})" for c in (low, high))
    figure = f"{good} of {len(cells)}, {strict} within 93-97 strictly, from {' to '.join(ends)}"
    allowed = by_chance(len(cells), NormalDist().cdf(-2))
    goal = f"{protocol}: 93-97 % +- 2 standard errors in every cell (chance: up to {allowed} short)"
    return Goal(goal, figure, good >= len(cells) - allowed and all(c.within(4) for c in cells))


def figures(cell: Cell) -> dict[str, Any]:
    return {
        "table": cell.table,
        "n": cell.n,
        "protocol": cell.protocol,
        "metric": cell.metric,
        "repetitions": cell.reps,
        "coverage": cell.coverage,
        "bias": cell.bias,
        "uncorrected_bias": cell.uncorrected,
    }
