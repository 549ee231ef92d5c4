"""Do the figures that ship hold? ``sortal.train`` on samples of tables, and ``run.json`` against all other rows.

Nothing is computed here as the program would: the intervals, certificates and sets are those that a run wrote down, and
the model that it saved scores the rest of the table, which is the future of the sample.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

import sortal
from bench._futures import EFFORT, Cell, Sample, Table, cells
from bench._outcome import Goal, Options, Outcome
from bench._result_store import ResultStore
from bench._tables import EXAMPLE, no_table, tabular
from sortal.core import registry
from sortal.core.costs import incurred
from sortal.core.errors import SortalError
from sortal.core.interval import Estimate
from sortal.core.labels import encode
from sortal.core.predictions import Predictions
from sortal.decide.recalibration import recalibration_gain
from sortal.evaluate.metrics import Metric
from sortal.record.run import RunRecord

LEAST_ROWS, MOST_COLUMNS = 11_000, 60
"""Tables with enough of a future, and quickly trained on."""
WORKERS = 2
LOW, HIGH, NOMINAL, LEAST = 0.93, 0.97, 0.95, 0.90
FALSELY, SETS_WITHIN = 0.025, 0.01
EVERYTHING = (0.0, 1.0)
LEAST_HITS = 20
"""Rows of the future that a share of it is known from."""
FAST_CELLS = ("300 rows", "nothing to learn")
FAST_REPS = 3
CRASHED = "crashed"
AVERAGED = ("balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")
"""Of more than two classes the mean over those that are there."""
PROMISES = ("certificate", "coverage of sets", "clearly better")


@dataclass(frozen=True)
class Claim:
    """A figure of a run and what became of it. ``holds``: None where the run said nothing of it, or of a share only
    that it is one.

    ``kind``: which figure; ``low`` and ``high`` its interval, ``value`` what the run said, ``true`` that of the future.
    """

    cell: str
    table: str
    kind: str
    value: float | None
    low: float | None
    high: float | None
    true: float

    @property
    def holds(self) -> bool | None:
        if self.low is None or self.high is None or (self.low, self.high) == EVERYTHING:
            return None
        return self.low - 1e-9 <= self.true <= self.high + 1e-9


def run(options: Options) -> Outcome:
    if not options.fast and options.data is None:
        sys.exit("which tables? give --data FOLDER, or --fast")
    if not _tables(options.data):
        no_table(f"of {LEAST_ROWS:,} rows")
    some = [c for c in cells() if (c.name in FAST_CELLS if options.fast else options.case in c.name)]
    share = Counter(c.kind for c in some)
    reps = {c.name: FAST_REPS if options.fast else -(-options.reps // share[c.kind]) for c in some}
    jobs = sorted((rep, number, name) for number, name in enumerate(reps) for rep in range(reps[name]))
    claims, failures = _claims([(options.data, name, rep) for rep, _, name in jobs], ResultStore(options.resume))
    return outcome(claims, failures, sum(reps.values()))


@cache
def _tables(folder: Path | None) -> list[Table]:
    if folder is None:
        return [Table("example", pl.read_csv(EXAMPLE), "Churn")]
    tables = [Table(f.name, f.frame(), f.target) for f in tabular(folder)]
    return [t for t in tables if len(t.frame) >= LEAST_ROWS and t.frame.width <= MOST_COLUMNS]


Job = tuple[Path | None, str, int]
"""The folder of the tables, the name of a cell and the number of its repetition."""


def _claims(jobs: Sequence[Job], store: ResultStore) -> tuple[list[Claim], list[str]]:
    """Of trainings side by side, one thread each: they are many and small."""
    todo = [job for job in jobs if _key(job) not in store]
    os.environ["OMP_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"
    claims: list[Claim] = []
    failures: list[str] = []
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        for number, (job, (some, failure)) in enumerate(zip(todo, pool.map(_train, todo), strict=True), 1):
            store[_key(job)] = [[asdict(claim) for claim in some], failure]
            if number % 50 == 0:
                print(f"{number} of {len(todo)} trainings", file=sys.stderr)
    for job in jobs:
        saved, failure = store[_key(job)]
        claims += [Claim(**claim) for claim in saved]
        failures += [failure] if failure else []
    return claims, failures


def _key(job: Job) -> str:
    return f"{job[1]}, {job[2]}"


def _train(job: Job) -> tuple[list[Claim], str]:
    """What one run claims, or why it came to nothing."""
    folder, name, rep = job
    cell = next(c for c in cells() if c.name == name)
    table, sample = _draw(cell, _tables(folder), rep)
    if sample is None:
        return [], f"no table suits: {cell.name}"
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        try:
            sortal.train(
                sample.train,
                sample.target,
                models=list(cell.models),
                effort=EFFORT,
                seed=rep,
                out=out,
                **cell.options,
            )
            record, model = RunRecord.from_json((out / "run.json").read_bytes()), sortal.load(out / "model.sortal")
            later = sample.future.filter(pl.col(sample.target).cast(pl.String).is_in(record.task.classes))
            probability = model.predict_proba(later)
            others = {
                row.name: sortal.load(out / row.file).predict_proba(later) for row in record.leaderboard if row.file
            }
        except SortalError as error:
            return [], f"refused: {cell.name}, {table}: {error}"
        except Exception as error:  # noqa: BLE001 - what ends without a sentence is a fault, and a goal names it
            return [], f"{CRASHED}: {cell.name}, {table}: {error!r}"
    truth = encode(later[sample.target].cast(pl.String), record.task)
    future = Predictions(record.task.classes, np.arange(len(truth)), truth, probability, "fresh")
    programs = {name: replace(future, probability=of_rows) for name, of_rows in others.items()}
    return [Claim(cell.name, table, *claim) for claim in claims_of(record, model, future, programs)], ""


def _draw(cell: Cell, tables: Sequence[Table], rep: int) -> tuple[str, Sample | None]:
    """A sample of a table that suits the cell, another table for each repetition."""
    for offset in range(len(tables)):
        table = tables[(rep + offset) % len(tables)]
        sample = cell.draw(table, np.random.default_rng([rep, *cell.name.encode()]))
        if sample is not None:
            return table.name, sample
    return "", None


Figure = tuple[str, float | None, float | None, float | None, float]


def claims_of(
    record: RunRecord, model: Any, future: Predictions, programs: Mapping[str, Predictions] = MappingProxyType({})
) -> Iterator[Figure]:
    """Every interval of a record, with the figure of the future. ``programs``: what the candidates that the run kept
    programs of say of it.
    """
    task = record.task
    decided = model.decision.decide(future)

    def true(name: str, predictions: Predictions = future) -> float:
        metric: Metric = registry.load("sortal.metrics", name)
        return metric.score(task, predictions, decided if predictions is future else model.decision.decide(predictions))

    tested = _of_classes_there(record, future)
    for name, estimate in (record.test or {}).items():
        figure = true(name, tested if name in AVERAGED and not task.binary else future)
        yield from _figure("calibration error" if name == "ece" else f"test: {name}", estimate, figure)
    for name, estimate in ({} if record.nested is None else record.nested.figures).items():
        yield from _figure(f"nested: {name}", estimate, true(name))
    best = record.chosen
    if best is not None:
        yield from _figure("leaderboard, the chosen: corrected for the choice", best.score, true(best.metric))
    for row in record.leaderboard:
        if row.name in programs:
            yield from _figure("leaderboard, another candidate", row.score, true(row.metric, programs[row.name]))
    yield from _figure("expected cost out of fold", record.decision.expected_cost, true("expected_cost"))
    yield from _majority(record, future, true(record.selection.metric))
    for code, scores in enumerate(record.per_class):
        predicted, is_it = decided == code, future.truth == code
        if predicted.sum() >= LEAST_HITS:
            yield from _figure("precision of a class", scores.precision, float(is_it[predicted].mean()))
        if is_it.sum() >= LEAST_HITS:
            yield from _figure("recall of a class", scores.recall, float(predicted[is_it].mean()))
    costs = task.costs(None) if not model.decision.cost_columns else None
    if record.verification is not None and costs is not None:
        for rival in record.verification.rivals:
            code = _code(task, rival.name)
            gap = incurred(costs, future.truth, decided) - costs[future.truth, code]
            yield from _figure("cost beside deciding all alike", rival.excess, float(gap.mean()))
    if record.calibration.removable is not None:
        yield from _figure(
            "still to gain by recalibrating", record.calibration.removable, recalibration_gain(future).value
        )
    yield from _promises(record, model, future, decided)


def _of_classes_there(record: RunRecord, future: Predictions) -> Predictions:
    """The rows of the classes that the test has rows of, which averages over classes are about, as the run says."""
    absent = () if record.verification is None else record.verification.absent
    codes = [record.task.classes.index(label) for label in absent]
    return future.take(np.flatnonzero(~np.isin(future.truth, codes))) if absent else future


def _code(task: Any, words: str) -> int:
    """The class of "always yes" or "never yes"."""
    how, label = words.split(" ", 1)
    code = list(task.classes).index(label)
    return code if how == "always" else 1 - code


def _majority(record: RunRecord, future: Predictions, loss_of_model: float) -> Iterator[Figure]:
    """The baseline that can be scored without a model: the shares of the classes, as they were in training."""
    if record.selection.metric != "log_loss":
        return
    shares = np.array(record.split.prevalence["train"])
    there = np.bincount(future.truth, minlength=len(shares)) / len(future)
    loss = -float(there[there > 0] @ np.log(np.clip(shares[there > 0], 1e-15, 1)))
    for row in record.leaderboard:
        if row.name == "majority":
            yield from _figure("leaderboard, the majority", row.score, loss)
    for baseline in record.baselines:
        if baseline.name == "majority" and baseline.margin is not None:
            yield from _figure("better than the majority", baseline.margin, loss - loss_of_model)
            if baseline.on_test is not None:
                yield from _figure("better than the majority, on the test", baseline.on_test, loss - loss_of_model)
    beaten = any(b.name == "majority" and b.margin is not None and b.beaten for b in record.baselines)
    sign = Estimate(1.0, 0.0, 2.0) if beaten else Estimate(0.0, -1.0, 1.0)
    yield "clearly better", sign.value, sign.low, sign.high, np.sign(loss - loss_of_model)


def _promises(record: RunRecord, model: Any, future: Predictions, decided: Any) -> Iterator[Figure]:
    """Certificates, as intervals that reach from the certified level to one; and the coverage of sets.

    The likeliest class is in every set: no set is right more seldom than it.
    """
    certificate = record.decision.certificate
    if certificate is not None:
        code, bound = record.task.classes.index(certificate.positive), certificate.bounds[0]
        predicted = decided == code
        if predicted.sum() >= LEAST_HITS and bound.certified > 0:
            yield "certificate", bound.observed, bound.certified, 1.0, float((future.truth[predicted] == code).mean())
    if record.sets is not None:
        hit = model.sets.apply(future.probability)[np.arange(len(future)), future.truth]
        least = float((future.probability.argmax(axis=1) == future.truth).mean())
        coverage = record.sets.coverage
        yield "coverage of sets", max(record.sets.asked, least), coverage.low, coverage.high, float(hit.mean())


def _figure(kind: str, estimate: Estimate | None, true: float) -> Iterator[Figure]:
    if estimate is not None and np.isfinite(true):
        yield kind, estimate.value, estimate.low, estimate.high, true


def outcome(claims: Sequence[Claim], failures: Sequence[str], trainings: int) -> Outcome:
    by_kind: dict[str, dict[str, list[Claim]]] = defaultdict(lambda: defaultdict(list))
    for claim in claims:
        by_kind[claim.kind][claim.cell].append(claim)
    intervals = {kind: each for kind, each in by_kind.items() if kind not in PROMISES}
    short = [
        f"falls short: {kind} in {cell}: {_share(some)}"
        for kind, each in intervals.items()
        for cell, some in each.items()
        if _decidable(some) and _coverage(some) < LEAST - 2 * _error(some, LEAST)
    ]
    crashed = [failure for failure in failures if failure.startswith(CRASHED)]
    return Outcome(
        title=f"figures of run.json against the rest of the table, {trainings} trainings: 95 % intervals that hold",
        columns=["figure", "sample", "hold", "silent", "mean error", "mean width"],
        rows=[_row(kind, cell, some) for kind, each in by_kind.items() for cell, some in each.items()],
        goals=[
            *(_pooled(kind, [c for some in each.values() for c in some]) for kind, each in intervals.items()),
            Goal("no cell below 90 % by more than two standard errors", f"{len(short)} are", not short),
            *_certificates(by_kind.get("certificate", {})),
            *_coverages(by_kind.get("coverage of sets", {})),
            *_falsely(by_kind.get("clearly better", {})),
            Goal("every training ends with a model or a sentence", f"{len(crashed)} do not", not crashed),
        ],
        notes=[*short, *dict.fromkeys(failures)],
        figures=[
            {"figure": c.kind, "sample": c.cell, "table": c.table, "value": c.value, "low": c.low, "high": c.high}
            | {"true": c.true}
            for c in claims
        ],
    )


def _decidable(claims: Sequence[Claim]) -> list[Claim]:
    return [c for c in claims if c.holds is not None]


def _coverage(claims: Sequence[Claim]) -> float:
    return float(np.mean([bool(c.holds) for c in _decidable(claims)]))


def _error(claims: Sequence[Claim], share: float) -> float:
    return float(np.sqrt(share * (1 - share) / max(len(_decidable(claims)), 1)))


def _share(claims: Sequence[Claim]) -> str:
    decidable = _decidable(claims)
    return f"{sum(bool(c.holds) for c in decidable)} of {len(decidable)}" + (
        f" ({100 * _coverage(decidable):.1f} %)" if decidable else ""
    )


def _row(kind: str, cell: str, claims: Sequence[Claim]) -> list[str]:
    errors = [c.value - c.true for c in claims if c.value is not None]
    widths = [c.high - c.low for c in claims if c.low is not None and c.high is not None]
    means = [f"{np.mean(each):+.4f}" if each else "" for each in (errors, widths)]
    return [kind, cell, _share(claims), f"{len(claims) - len(_decidable(claims))}", *means]


def _pooled(kind: str, claims: Sequence[Claim]) -> Goal:
    low, high = LOW - 2 * _error(claims, LOW), HIGH + 2 * _error(claims, HIGH)
    holds = bool(_decidable(claims)) and low <= _coverage(claims) <= high
    return Goal(f"{kind}: 93-97 % +- 2 standard errors", _share(claims), holds)


def _certificates(by_cell: dict[str, list[Claim]]) -> Iterator[Goal]:
    for cell, claims in by_cell.items():
        n_broken = sum(c.holds is False for c in claims)
        limit = 0.1 + 2 * float(np.sqrt(0.1 * 0.9 / len(claims)))
        figure = f"{n_broken} of {len(claims)}"
        yield Goal(f"certificates broken <= 10 % + 2 standard errors ({cell})", figure, n_broken <= limit * len(claims))


def _coverages(by_cell: dict[str, list[Claim]]) -> Iterator[Goal]:
    for cell, claims in by_cell.items():
        gaps = np.array([c.true - (c.value or 0.0) for c in claims])
        within = SETS_WITHIN + 2 * float(gaps.std() / np.sqrt(len(gaps)))
        figure = f"{100 * gaps.mean():+.1f} points over {len(gaps)}"
        goal = f"sets within one point of what was asked, or of the likeliest class ({cell})"
        yield Goal(goal, figure, abs(float(gaps.mean())) <= within)


def _falsely(by_cell: dict[str, list[Claim]]) -> Iterator[Goal]:
    """Said to be clearly better than the majority, and not so, among trainings where nothing can be learnt."""
    claims = by_cell.get("nothing to learn", [])
    if claims:
        wrong = sum(c.holds is False for c in claims)
        limit = FALSELY + 2 * float(np.sqrt(FALSELY * (1 - FALSELY) / len(claims)))
        figure = f"{wrong} of {len(claims)}"
        yield Goal("falsely 'clearly better' <= 2.5 % + 2 standard errors", figure, wrong <= limit * len(claims))
