"""Prediction sets on every table of a folder: is the true class in them as often as was asked, and how large are they?

A quick model is trained on a part of each table. The rows that it has not seen are dealt anew many times into rows that
sets are fitted on and fresh rows that they are held against. As rows are dealt at random, also of tables that are
ordered by time or group, this judges the method and not whether tomorrow is like today.

Goals are judged over many tables: of exact sets some fall two standard errors short by chance, and so many may.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, tabular
from sortal.decide.sets import fewest_rows, fit_sets

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVELS = (0.8, 0.9, 0.95)
SAMPLES = (100, 1000)
"""Rows that sets are fitted on; at most half of what the model has not seen."""
SPLITS, FAST_SPLITS = 200, 60
PEER_SPLITS = 10
"""Splits that the peer, which is slower, is run on; sizes are compared on these."""
MOST_ROWS, MOST_TRAIN, MOST_FRESH, FAST_ROWS = 20_000, 4_000, 5_000, 3_000
MOST_LEVELS = 200
"""Text columns with more different values are left out."""
SHOWN = 0.9
BY_CLASS = {"all": False, "by class": True}


@dataclass(frozen=True)
class Scored:
    """A table whose rows ``probability`` (n, K) and ``truth`` (n,) the model has not seen."""

    name: str
    probability: Floats
    truth: Codes


@dataclass(frozen=True)
class Cell:
    """What sets did on one table: each array has one figure a split.

    ``kind``: "all", "by class" or a peer's name. ``classes``: (splits, K) coverage within each class, NaN where the
    fresh rows have none of it or the sample has too few. ``empty``: share of sets without a class.
    """

    table: str
    sample: int
    level: float
    kind: str
    coverage: Floats
    size: Floats
    classes: Floats
    empty: Floats


def run(options: Options) -> Outcome:
    splits = options.reps if options.reps > 1 else FAST_SPLITS if options.fast else SPLITS
    tables, notes = scored_tables(options)
    if not tables:
        no_table("to try")
    peers, note = peer_scores()
    cells = []
    for table in tables:
        cells += [cell for sample in SAMPLES for cell in ours(table, sample, splits)]
        cells += peer_cells(table, max(SAMPLES), min(splits, PEER_SPLITS), peers)
        print(table.name, file=sys.stderr)
    return outcome(tables, cells, splits, [*notes, *note])


def scored_tables(options: Options) -> tuple[list[Scored], list[str]]:
    """The tables with what a quick model says of rows that it has not seen, and why others were left out."""
    tables, notes = [], []
    frames = example_frames() if options.fast or options.data is None else folder_frames(options.data)
    for name, frame, target in frames:
        result = score(name, frame, target, FAST_ROWS if options.fast else MOST_ROWS)
        if isinstance(result, str):
            notes.append(f"left out: {name}: {result}")
        else:
            tables.append(result)
    return tables, notes


def folder_frames(folder: Path) -> Iterator[tuple[str, pl.DataFrame, str]]:
    return ((file.name, file.frame(), file.target) for file in tabular(folder))


def example_frames() -> Iterator[tuple[str, pl.DataFrame, str]]:
    """Two and three classes out of the example."""
    churn = pl.read_csv(EXAMPLE, infer_schema_length=None)
    yield "example churn", churn, "Churn"
    yield "example contract", churn, "Contract"


def score(name: str, frame: pl.DataFrame, target: str, most_rows: int) -> Scored | str:
    """Boosted trees on a third of the rows; why not, where that cannot be done."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = frame.filter(pl.col(target).is_not_null())
    frame = frame[np.random.default_rng(0).permutation(frame.height)[:most_rows]]
    labels, truth = np.unique(frame[target].cast(pl.String).to_numpy(), return_inverse=True)
    train = min(frame.height // 3, MOST_TRAIN)
    matrix = columns(frame.drop(target), train)
    if not matrix.shape[1] or len(np.unique(truth[:train])) < 2 or frame.height < 60:
        return "no column, no second class, or fewer than 60 rows"
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0)
    model.fit(matrix[:train], truth[:train])
    probability = np.zeros((frame.height - train, len(labels)))
    probability[:, model.classes_] = model.predict_proba(matrix[train:])
    return Scored(name, probability / probability.sum(axis=1, keepdims=True), truth[train:].astype(np.int64))


def columns(frame: pl.DataFrame, train: int) -> Floats:
    """(n, d) numbers as they are, texts by the order of their values; only columns that vary in the training rows."""
    arrays = []
    for series in frame.iter_columns():
        text = series.dtype == pl.String and series.n_unique() <= MOST_LEVELS
        if text or series.dtype.is_numeric() or series.dtype == pl.Boolean:
            values = (series.rank("dense") if text else series).cast(pl.Float64).to_numpy()
            values = np.where(np.isfinite(values), values, np.nan)
            if len(np.unique(values[:train][np.isfinite(values[:train])])) > 1:
                arrays.append(values)
    return np.column_stack(arrays) if arrays else np.zeros((frame.height, 0))


def deals(table: Scored, sample: int, splits: int) -> Iterator[tuple[Codes, Codes]]:
    """Rows to fit sets on and fresh rows, one pair a split."""
    n = len(table.truth)
    sample = min(sample, n // 2)
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(n)
        yield order[:sample], order[sample : sample + MOST_FRESH]


def ours(table: Scored, sample: int, splits: int) -> list[Cell]:
    """Sets for all and by class, at every level."""
    p, truth = table.probability, table.truth
    k = p.shape[1]
    kinds = [(level, kind) for level in LEVELS for kind in BY_CLASS]
    figures = {key: np.zeros((splits, 2 + k)) for key in kinds}
    for i, (fit, fresh) in enumerate(deals(table, sample, splits)):
        for level, kind in kinds:
            sets = fit_sets(p[fit], truth[fit], level, by_class=BY_CLASS[kind])
            figures[level, kind][i] = judged(sets.apply(p[fresh]), truth[fresh])
            figures[level, kind][i, 2:][np.array(sets.rows) < fewest_rows(level)] = np.nan
    return [
        Cell(table.name, sample, level, kind, f[:, 0], f[:, 1], f[:, 2:], np.zeros(splits))
        for (level, kind), f in figures.items()
    ]


def judged(members: NDArray[np.bool_], truth: Codes) -> Floats:
    """(2 + K,) coverage, mean size, coverage within each class (NaN without rows)."""
    hit, k = members[np.arange(len(truth)), truth], members.shape[1]
    rows = np.bincount(truth, minlength=k)
    classes = np.where(rows > 0, np.bincount(truth[hit], minlength=k) / np.maximum(rows, 1), np.nan)
    return np.concatenate([[hit.mean(), members.sum(axis=1).mean()], classes])


def peer_scores() -> tuple[tuple[str, ...], list[str]]:
    try:
        import mapie.classification  # noqa: F401
    except ImportError:
        return (), ["MAPIE is not installed: no peer to compare sizes with"]
    return ("lac", "aps"), [
        "MAPIE: SplitConformalClassifier, prefit, same rows; aps takes more than two classes in every sample"
    ]


def peer_cells(table: Scored, sample: int, splits: int, peers: tuple[str, ...]) -> list[Cell]:
    """MAPIE's sets, beside ours on the same splits."""
    cells = []
    fewest = min(len(np.unique(table.truth[fit])) for fit, _ in deals(table, sample, splits))
    for name in peers if fewest > 2 else peers[:1]:
        members = [
            peer_sets(name, table.probability[fit], table.truth[fit], table.probability[fresh])
            for fit, fresh in deals(table, sample, splits)
        ]
        truths = [table.truth[fresh] for _, fresh in deals(table, sample, splits)]
        for j, level in enumerate(LEVELS):
            figures = np.array([judged(h[:, :, j], t) for h, t in zip(members, truths, strict=True)])
            empty = np.array([(~h[:, :, j].any(axis=1)).mean() for h in members])
            kind = f"MAPIE {name}"
            cells.append(Cell(table.name, sample, level, kind, figures[:, 0], figures[:, 1], figures[:, 2:], empty))
    return cells


def peer_sets(name: str, p: Floats, truth: Codes, fresh: Floats) -> NDArray[np.bool_]:
    """(n, K, levels) MAPIE's sets of fresh rows, from a classifier that says the probabilities it is handed."""
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Identity(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_, n_features_in_ = np.arange(p.shape[1]), p.shape[1]

        def fit(self, X: Any, y: Any) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return X

        def predict(self, X: Any) -> Any:
            return X.argmax(axis=1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a sample lacks a class
        peer = SplitConformalClassifier(
            Identity(), confidence_level=LEVELS, prefit=True, conformity_score=name, random_state=0
        )
        peer.conformalize(p, truth)
        members: NDArray[np.bool_] = peer.predict_set(fresh)[1]
    return members


def outcome(tables: list[Scored], cells: list[Cell], splits: int, notes: list[str]) -> Outcome:
    at = {(c.table, c.sample, c.level, c.kind): c for c in cells}
    return Outcome(
        title=f"prediction sets, {splits} splits of each table",
        columns=[
            *("table", "K", "accuracy", "coverage at .8 .9 .95 (se)", "size at .9"),
            *("MAPIE lac (empty)", "MAPIE aps", "by class: coverage", "size at .9", "worst class: all, by class"),
        ],
        rows=[row(table, at) for table in tables],
        goals=[
            coverage_goal(cells, "all"),
            coverage_goal(cells, "by class"),
            class_goal(cells),
            *size_goals(cells),
        ],
        notes=[
            f"shown: sets of {max(SAMPLES)} rows (or half of the rows there are); goals also count those of "
            f"{min(SAMPLES)}",
            "worst class: lowest mean coverage at .9 of a class with enough rows in the sample",
            "MAPIE: mean size, and the share of sets without a class; sizes of ours are over all splits, goals over "
            "its splits",
            *notes,
        ],
        figures=[figures(c) for c in cells],
    )


def row(table: Scored, at: dict[tuple[str, int, float, str], Cell]) -> list[str]:
    sample = max(SAMPLES)
    cell = {key[2:]: c for key, c in at.items() if key[:2] == (table.name, sample)}
    coverage = {
        kind: " ".join(short(cell[x, kind].coverage.mean()) for x in LEVELS)
        + f" ({short(standard_error(cell[SHOWN, kind].coverage), 4)})"
        for kind in BY_CLASS
    }
    lac, aps = cell.get((SHOWN, "MAPIE lac")), cell.get((SHOWN, "MAPIE aps"))
    return [
        table.name.removeprefix("tabular_"),
        str(table.probability.shape[1]),
        short(float((table.probability.argmax(axis=1) == table.truth).mean())),
        coverage["all"],
        f"{cell[SHOWN, 'all'].size.mean():.3f}",
        f"{lac.size.mean():.3f} ({short(lac.empty.mean())})" if lac else "–",
        f"{aps.size.mean():.3f}" if aps else "–",
        coverage["by class"],
        f"{cell[SHOWN, 'by class'].size.mean():.3f}",
        f"{short(worst(cell[SHOWN, 'all'], cell[SHOWN, 'by class']))}, {short(worst(*[cell[SHOWN, 'by class']] * 2))}",
    ]


def short(figure: float, digits: int = 3) -> str:
    return "–" if np.isnan(figure) else f"{figure:.{digits}f}".removeprefix("0")


def worst(cell: Cell, judge: Cell) -> float:
    """The lowest mean coverage of a class, of those that ``judge`` has figures of in most splits."""
    enough = np.isfinite(judge.classes).mean(axis=0) > 0.5
    return float(np.nanmean(cell.classes[:, enough], axis=0).min()) if enough.any() else np.nan


def coverage_goal(cells: list[Cell], kind: str) -> Goal:
    """Coverage of each table and sample size, mean over levels, less what was asked for."""
    gaps: dict[str, list[Floats]] = {}
    for c in cells:
        if c.kind == kind:
            gaps.setdefault(f"{c.table}, {c.sample} rows", []).append(c.coverage - c.level)
    what = "sets for all" if kind == "all" else "sets by class"
    return short_by_chance(f"{what} cover what was asked", {name: np.mean(x, axis=0) for name, x in gaps.items()})


def class_goal(cells: list[Cell]) -> Goal:
    """Coverage of each class, sample size and level, by sets that are to cover each class."""
    excess = {
        f"{c.table}, class {j + 1} at {c.level:g}, {c.sample} rows": c.classes[:, j] - c.level
        for c in cells
        if c.kind == "by class"
        for j in range(c.classes.shape[1])
    }
    enough = {name: x[np.isfinite(x)] for name, x in excess.items()}
    return short_by_chance("sets by class cover each class", {name: x for name, x in enough.items() if len(x) >= 30})


def short_by_chance(goal: str, excess: dict[str, Floats]) -> Goal:
    """At most as many means lie two standard errors below zero as chance explains, and none lies four below."""
    z = {name: float(x.mean()) / max(standard_error(x), 1e-12) for name, x in excess.items()}
    low = [name for name, score in z.items() if score < -2]
    allowed = by_chance(len(z), NormalDist().cdf(-2))
    worst_name = min(z, key=lambda name: z[name])
    mean = float(np.mean([x.mean() for x in excess.values()]))
    return Goal(
        f"{goal}, - 2 standard errors (chance: up to {allowed} short)",
        f"{len(z) - len(low)} of {len(z)}, on average {mean:+.4f}, lowest {z[worst_name]:.1f} se ({worst_name})",
        len(low) <= allowed and z[worst_name] > -4,
    )


def by_chance(trials: int, p: float) -> int:
    """The number of rare events that is exceeded in less than one of a hundred such tables."""
    tail, k = 1.0, -1
    while tail >= 0.01:
        k += 1
        tail -= comb(trials, k) * p**k * (1 - p) ** (trials - k)
    return k


def standard_error(x: Floats) -> float:
    return float(x.std(ddof=1)) / sqrt(len(x))


def size_goals(cells: list[Cell]) -> list[Goal]:
    """Our sets for all beside MAPIE's on its splits; a set that it leaves empty has one class in ours."""
    own = {(c.table, c.sample, c.level): c for c in cells if c.kind == "all"}
    ratios: dict[str, dict[str, float]] = {"lac": {}, "aps": {}}
    for c in (c for c in cells if c.kind.startswith("MAPIE ")):
        size = own[c.table, c.sample, c.level].size[: len(c.size)].mean()
        ratios[c.kind.removeprefix("MAPIE ")][f"{c.table} at {c.level:g}"] = float(size / (c.size + c.empty).mean())
    goals = []
    if same := ratios["lac"]:
        largest = max(same, key=lambda key: same[key])
        goal = "no table's mean size over 1.001 times MAPIE's lac (its empty sets count one class)"
        goals.append(Goal(goal, f"at most {same[largest]:.4f} times ({largest})", same[largest] <= 1.001))
    if other := ratios["aps"]:
        mean = float(np.mean(list(other.values())))
        figure = f"{mean:.3f} times ({min(other.values()):.3f} to {max(other.values()):.3f})"
        goals.append(Goal("mean size over tables at most MAPIE's aps, asked for the same", figure, mean <= 1))
    return goals


def figures(cell: Cell) -> dict[str, Any]:
    classes = [float(np.nanmean(x)) if np.isfinite(x).any() else None for x in cell.classes.T]
    return {
        "table": cell.table,
        "sample": cell.sample,
        "level": cell.level,
        "kind": cell.kind,
        "splits": len(cell.coverage),
        "coverage": float(cell.coverage.mean()),
        "standard_error": standard_error(cell.coverage),
        "mean_size": float(cell.size.mean()),
        "empty": float(cell.empty.mean()),
        "coverage_by_class": classes,
    }
