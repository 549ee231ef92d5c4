"""Do certified thresholds keep their promise on fresh rows, and how much do they give away for it?

A population of scores is drawn from again and again: n rows to learn from, n rows to certify on. Since the whole
population is known, so is what each threshold does on fresh rows, exactly. Beside the certificate: the first point of
the curve that meets the target, and MAPIE's controllers, which get the same rows. The certificate is by the
function that ships it; ``bench honesty`` has it from run.json.
"""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._scores import Population, Sample, example, folder, populations
from sortal.core.task import Promise
from sortal.core.thresholds import threshold_counts
from sortal.decide.certify import certify

Floats = NDArray[np.float64]

SHIPPED = (
    "what is measured is what ships: the function that writes the certificate; through sortal.train: bench honesty"
)
CONFIDENCE, REPS, FAST_REPS = 0.9, 300, 40
SIZES, PREVALENCES = (500, 2_000, 10_000), (0.01, 0.1, 0.3)
TARGETS = (("precision", 0.8), ("recall", 0.9))
JUDGED_SIZE, GAIN, LEAST_RATIO, HOPELESS = 2_000, 1.1, 0.95, 0.05
OURS, NAIVE, DEFAULT = "sortal", "curve point", "holm, default list"


Method = Callable[[Sample, Sample, str, float], float | None]
"""Learned rows, held rows, measure and target to a threshold; None for a refusal."""


@dataclass(frozen=True)
class Cell:
    """``missed`` and ``useful`` by method, an entry a run; useful is relative to the oracle, NaN where refused."""

    family: str
    prevalence: float
    n: int
    measure: str
    oracle: float
    missed: dict[str, NDArray[np.bool_]]
    useful: dict[str, Floats]

    @property
    def name(self) -> str:
        return f"{self.family} {self.prevalence:.0%} n={self.n:,}"

    def miss(self, method: str) -> float:
        return float(self.missed[method].mean())

    def refused(self, method: str) -> float:
        return float(np.isnan(self.useful[method]).mean())

    def gained(self, method: str) -> Floats:
        """Useful recall (precision) of each run, 0 for a refusal."""
        return np.nan_to_num(self.useful[method])

    def valid(self, method: str, errors: float = 2) -> bool:
        return self.miss(method) <= 1 - CONFIDENCE + errors * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / self.runs)

    @property
    def runs(self) -> int:
        return len(self.missed[OURS])


def run(options: Options) -> Outcome:
    tables, notes = example() if options.fast else folder(options.data)
    reps = options.reps if options.reps > 1 else FAST_REPS if options.fast else REPS
    sizes, prevalences = (SIZES[:2], PREVALENCES[1:]) if options.fast else (SIZES, PREVALENCES)
    peers, absent = mapie_methods()
    cells = []
    grid = itertools.product(populations(tables, prevalences), sizes, TARGETS)
    for number, ((family, population), n, (measure, target)) in enumerate(grid):
        methods = {OURS: sortal, NAIVE: curve_point, **peers[measure]}
        cells.append(cell(family, population, n, (measure, target), methods, np.random.default_rng(number), reps))
        print(f"{cells[-1].name} {measure}", file=sys.stderr)
    return outcome(cells, [*notes, *absent], noisy=options.fast)


# methods


def sortal(tuning: Sample, certification: Sample, measure: str, target: float) -> float | None:
    promise = Promise(**{measure: target}, confidence=CONFIDENCE)
    certificate = certify(promise, tuning.predictions(), certification.predictions(), "yes")
    return certificate.threshold if certificate.holds else None


def curve_point(tuning: Sample, certification: Sample, measure: str, target: float) -> float | None:
    """The point of the curve that meets the target and is best in the other measure."""
    threshold, true, false = threshold_counts(certification.positive, certification.score)
    if measure == "precision":
        index = np.flatnonzero(true / (true + false) >= target)
        return float(threshold[index[-1]]) if len(index) else None
    index = np.flatnonzero(true >= target * true[-1]) if true[-1] else np.array([], dtype=np.int64)
    return float(threshold[index[0]]) if len(index) else None


def mapie_methods() -> tuple[dict[str, dict[str, Method]], list[str]]:
    """MAPIE's controllers by measure, and a note where it is not installed."""
    try:
        from mapie.risk_control.fwer_control import FWERFixedSequenceTesting
    except ImportError:
        return {measure: {} for measure, _ in TARGETS}, ["MAPIE is not installed: nothing to compare with"]
    lists: dict[str, Callable[[Sample], Floats]] = {"default list": default_list, "quantiles": quantiles}
    procedures: dict[str, Any] = {
        "holm": "bonferroni_holm",
        "fixed": "fixed_sequence",
        "fixed, 5 starts": FWERFixedSequenceTesting(n_starts=5),
        "split fixed": "split_fixed_sequence",
    }
    methods = {
        f"{name}, {source}": mapie_method(procedure, candidates)
        for (name, procedure), (source, candidates) in itertools.product(procedures.items(), lists.items())
    }
    return {measure: dict(methods) for measure, _ in TARGETS}, []


def default_list(tuning: Sample) -> Floats:
    """MAPIE's own candidates."""
    return np.linspace(0, 0.99, 100)


def quantiles(tuning: Sample) -> Floats:
    """100 candidates that select from all rows to ten, so that none is without rows."""
    return np.unique(np.quantile(tuning.score, np.linspace(0, 1 - 10 / len(tuning.score), 100)))


def mapie_method(procedure: Any, candidates: Callable[[Sample], Floats]) -> Method:
    """BinaryClassificationController, by MAPIE's own functions for p-values and procedures, on counts.

    The controller itself counts and orders candidate by candidate, which takes a second a run; a test
    holds this against it.
    """
    from mapie.risk_control._base_controller import ltt_procedure
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

    betas = np.logspace(-25, 0, 1000)

    def method(tuning: Sample, certification: Sample, measure: str, target: float) -> float | None:
        thresholds, alpha = candidates(tuning), np.array([[1 - target]])
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # risks that are not monotone
            if procedure == "split_fixed_sequence":
                risk, trials, _ = risks(tuning, thresholds, measure)
                p = compute_hoeffding_bentkus_p_value(risk, trials, alpha[0], False)[:, 0]
                nearest = np.abs(p[None, :] - betas[:, None]).argmin(axis=1)
                thresholds = thresholds[list(dict.fromkeys(nearest.tolist()))]
            risk, trials, other = risks(certification, thresholds, measure)
            valid, _ = ltt_procedure(risk[None], alpha, 1 - CONFIDENCE, trials[None], True, fwer_method=procedure)
        positions = np.array(valid[0], dtype=np.int64)
        if not len(positions):
            return None
        best = positions[other[positions] == other[positions].max()]
        return float(thresholds[best[risk[best].argmax()]])

    return method


def risks(sample: Sample, thresholds: Floats, measure: str) -> tuple[Floats, Floats, Floats]:
    """MAPIE's risk (1 without trials), its trials (-1 without), and the measure that it improves next, at each
    threshold.
    """
    selected, hits = (counts.astype(np.float64) for counts in sample.counts(thresholds))
    positives = np.full(len(thresholds), float(sample.positive.sum()))
    trials, others = (selected, positives) if measure == "precision" else (positives, selected)
    risk = np.where(trials > 0, 1 - hits / np.maximum(trials, 1), 1.0)
    return risk, np.where(trials > 0, trials, -1), hits / np.maximum(others, 1)


# figures


def cell(
    family: str,
    population: Population,
    n: int,
    target: tuple[str, float],
    methods: dict[str, Method],
    rng: np.random.Generator,
    reps: int,
) -> Cell:
    measure, level = target
    thresholds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(reps):
        tuning, certification = population.draw(n, rng), population.draw(n, rng)
        for name, method in methods.items():
            threshold = method(tuning, certification, measure, level)
            thresholds[name].append(math.nan if threshold is None else threshold)
    oracle = population.oracle(measure, level)
    missed, useful = {}, {}
    for name, values in thresholds.items():
        at = np.array(values)
        refused = np.isnan(at)
        precision, recall = population.at(np.where(refused, 0.0, at))
        constrained, objective = (precision, recall) if measure == "precision" else (recall, precision)
        missed[name] = ~refused & (constrained < level - 1e-12)
        useful[name] = np.where(refused, np.nan, objective / oracle if oracle else 0.0)
    return Cell(family, population.prevalence, n, measure, oracle, missed, useful)


def best_peer(cells: list[Cell]) -> str | None:
    """MAPIE's setting with most to give on average at the judged size, among those that are valid in all cells.

    Three standard errors are allowed, so that no rival is struck out by chance.
    """
    peers = [m for m in cells[0].missed if m not in (OURS, NAIVE)]
    valid = [m for m in peers if all(c.valid(m, errors=3) for c in cells)]
    judged = [c for c in cells if c.n == JUDGED_SIZE]
    return max(valid, key=lambda m: average(judged, m), default=None)


def average(cells: list[Cell], method: str) -> float:
    return float(np.mean([c.gained(method).mean() for c in cells]))


def hopeless(cell: Cell, peer: str) -> bool:
    """Whether the peer has next to nothing there, so that a ratio to it would say nothing."""
    return bool(cell.gained(peer).mean() < HOPELESS)


def ratio(cells: list[Cell], peer: str) -> tuple[float, float]:
    """Useful recall relative to the peer's, averaged over cells, and its standard error (paired runs)."""
    ours, theirs = average(cells, OURS), max(average(cells, peer), 1e-12)
    spread = [(c.gained(OURS) - ours / theirs * c.gained(peer)).var() / c.runs for c in cells]
    return ours / theirs, math.sqrt(sum(spread)) / len(cells) / theirs


def outcome(cells: list[Cell], notes: list[str], noisy: bool) -> Outcome:
    by_measure = {measure: [c for c in cells if c.measure == measure] for measure, _ in TARGETS}
    peer = {measure: best_peer(group) for measure, group in by_measure.items()}
    worst = max(cells, key=lambda c: c.miss(OURS))
    failing = [f"{c.name} {c.measure}" for c in cells if not c.valid(OURS)]
    goals = [
        Goal(
            f"misses on fresh rows <= {1 - CONFIDENCE:.0%} + 2 standard errors in every cell",
            f"at most {worst.miss(OURS):.1%} ({worst.name} {worst.measure})"
            + (f"; above in {', '.join(failing)}" if failing else ""),
            not failing,
        )
    ]
    if peer["precision"] is not None:
        goals += compared(by_measure["precision"], peer["precision"], noisy)
    columns = ["family", "prevalence", "n", "target", "oracle", "missed", "refused", "useful", "curve point missed"]
    columns += ["MAPIE default missed", "refused", "useful", "best MAPIE missed", "refused", "useful"]
    return Outcome(
        title=f"thresholds by the certificate that ships at confidence {CONFIDENCE:g}, {cells[0].runs} runs a cell",
        columns=columns,
        rows=[row(c, peer[c.measure]) for c in cells],
        goals=goals,
        notes=[SHIPPED, *explained(by_measure, peer), *notes],
        figures=[figures(c) for c in cells],
    )


def compared(cells: list[Cell], peer: str, noisy: bool) -> list[Goal]:
    judged = [c for c in cells if c.n == JUDGED_SIZE and not hopeless(c, peer)]
    pooled, pooled_error = ratio(judged, peer)
    by_cell = {c.name: ratio([c], peer) for c in judged}
    gain = float(np.mean([r for r, _ in by_cell.values()]))
    error = math.sqrt(sum(e * e for _, e in by_cell.values())) / max(len(by_cell), 1)
    by_cell["all sizes"] = ratio(cells, peer)
    slack = 2 if noisy else 0
    low = [f"{name} {r:.2f} +- {e:.2f}" for name, (r, e) in by_cell.items() if r + slack * e < LEAST_RATIO]
    least = min(by_cell, key=lambda name: by_cell[name][0])
    return [
        Goal(
            f"precision, n = {JUDGED_SIZE:,}: useful recall >= {GAIN} of the best valid MAPIE ({peer}), mean over "
            "the cells",
            f"{gain:.3f} +- {error:.3f} (of the means {pooled:.3f} +- {pooled_error:.3f}: {average(judged, OURS):.3f} "
            f"against {average(judged, peer):.3f})",
            gain + slack * error >= GAIN,
        ),
        Goal(
            f"never below {LEAST_RATIO} of it in a cell of that size, nor over all sizes",
            f"at least {by_cell[least][0]:.2f} ({least})" + (f"; below: {'; '.join(low)}" if low else ""),
            not low,
        ),
    ]


def explained(by_measure: dict[str, list[Cell]], peer: dict[str, str | None]) -> list[str]:
    notes = [
        "missed: runs whose certified threshold is below the target on the whole population, which is known; "
        "refused: runs "
        "without a certificate; useful: recall (for a recall target, precision) relative to the best threshold of the "
        "population, 0 for a refused run",
        "every method has n learned rows (they play out-of-fold predictions of training rows, so they are no "
        "evidence) and n "
        "held rows: MAPIE's split procedure learns its order on the learned ones, its quantile lists come from them",
    ]
    for measure, cells in by_measure.items():
        best = peer[measure]
        if best is None:
            continue
        judged = [c for c in cells if c.n == JUDGED_SIZE]
        methods = sorted((m for m in cells[0].missed if m != NAIVE), key=lambda m: -average(judged, m))
        standing = ", ".join(f"{m} {average(judged, m):.3f}" for m in methods)
        notes.append(f"{measure}, n = {JUDGED_SIZE:,}, mean over all cells: {standing}")
        none = [c.name for c in judged if hopeless(c, best)]
        if none:
            notes.append(f"{measure}: MAPIE useful < {HOPELESS}, left out of ratios: {', '.join(none)}")
        pairs = ", ".join(
            f"{c.family} {c.prevalence:.0%} {ratio([c], best)[0]:.2f}" for c in judged if not hopeless(c, best)
        )
        notes.append(f"{measure}, n = {JUDGED_SIZE:,}, useful relative to MAPIE's {best}: {pairs}")
    return notes


def row(cell: Cell, peer: str | None) -> list[str]:
    texts = [cell.family, f"{cell.prevalence:.0%}", f"{cell.n:,}", cell.measure, f"{cell.oracle:.3f}"]
    for method in (OURS, NAIVE, DEFAULT, peer):
        if method is None or method not in cell.missed:
            texts += ["-"] * 3
        elif method == NAIVE:
            texts.append(f"{cell.miss(method):.1%}")
        else:
            texts += [f"{cell.miss(method):.1%}", f"{cell.refused(method):.0%}", f"{cell.gained(method).mean():.3f}"]
    return texts


def figures(cell: Cell) -> dict[str, Any]:
    by_method = {
        method: {
            "missed": cell.miss(method),
            "refused": cell.refused(method),
            "useful": float(cell.gained(method).mean()),
        }
        for method in cell.missed
    }
    described = {"family": cell.family, "prevalence": cell.prevalence, "n": cell.n, "measure": cell.measure}
    return described | {"oracle": cell.oracle, "runs": cell.runs, "methods": by_method}
