"""How near estimates without labels come: models in use on rows of later times and of other groups.

Each case is a real table parted by a column of time or of groups, and a family of models. Those rows that come first,
or all other groups, are trained on through the door of a user; the model file is all that is known of them later. The
others come in periods, and what the estimate expects of each period is held against what its labels say. Beside it
NannyML's CBPE, in an environment of its own (``--peers FOLDER`` with ``nannyml``), with the sealed test of the same run
as its reference, and the probabilities as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import sortal
from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table
from sortal.artifact.model import Model, load
from sortal.core.arrays import Floats
from sortal.monitor.estimate import ERRORS, ROC_AUC, FigureEstimate
from sortal.monitor.from_files import Files
from sortal.monitor.state import State
from sortal.monitor.watch import Watcher

PERIOD, MOST_PERIODS = 1_000, 8
"""Rows of a period, and how many are taken of a case, spread over all."""
TRAINED = 0.5
"""Of the rows by time, how many are trained on."""
MOST_ROWS = 20_000
FAMILIES = ("logistic", "lightgbm", "forest")
FAST_FAMILIES = ("logistic",)
CONFIDENCE, HELD, BESIDE = 0.9, 0.85, 0.9
"""Of intervals; how many have to hold what came; and the error beside that of NannyML's CBPE."""
LEAST_CASES = 20
COLUMNS = ("figure", "rows from", "model", "periods", "sortal", "as they are", "NannyML", "held by 90 %", "width")
WITHOUT_LEAKS = {
    "tabular_compas_two_years": ("is_recid", "r_case_number", "r_charge_degree", "r_days_from_arrest", "r_offense_date",
                                 "r_charge_desc", "r_jail_in", "r_jail_out", "violent_recid", "is_violent_recid",
                                 "vr_case_number", "vr_charge_degree", "vr_offense_date", "vr_charge_desc", "event",
                                 "start", "end", "in_custody", "out_custody", "decile_score.1", "priors_count.1"),
    "tabular_verbal_aggression": ("resp",),
    "tabular_bank_marketing_full": ("duration",),
}  # fmt: skip
"""Columns that are known only afterwards, as the notes of the tables say."""


@dataclass(frozen=True)
class Cut:
    """A table and how it is parted: ``by`` a column of time, ``order`` of the rows, or a column of groups, of which
    ``fresh`` are the fresh rows.
    """

    table: str
    target: str
    by: str = ""
    fresh: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        how = f"{self.by} {'/'.join(self.fresh)}" if self.fresh else f"by {self.by or 'order'}"
        return f"{self.table.removeprefix('tabular_')}, {how}"


CUTS = (
    Cut("tabular_electricity_elec2", "class"),
    Cut("tabular_occupancy", "Occupancy", "Date"),
    Cut("tabular_mpls_police_stops", "problem", "date"),
    Cut("tabular_bank_marketing_full", "y"),
    Cut("tabular_compas_two_years", "two_year_recid", "compas_screening_date"),
    Cut("tabular_adult", "class", "workclass", ("Self-emp-not-inc", "Local-gov", "State-gov", "Self-emp-inc")),
    Cut("tabular_online_shoppers", "Revenue", "Month", ("Nov", "Dec")),
    Cut("tabular_telco_churn", "Churn", "Contract", ("One year",)),
    Cut("tabular_mpls_police_stops", "problem", "policePrecinct", ("4", "5")),
)
"""Real columns of time, of order where the notes say that it is one of time, and of groups."""


@dataclass(frozen=True)
class Result:
    """A figure of a period: what ``came``, and what was ``expected`` of it, with ``low`` and ``high``."""

    case: str
    family: str
    figure: str
    rows: int
    came: float
    expected: float
    low: float
    high: float
    raw: float
    cbpe: float | None = None


def run(options: Options) -> Outcome:
    cuts = list(_cuts(options.data, options.fast))
    if not cuts:
        no_table("of those that have a time or groups")
    families = FAST_FAMILIES if options.fast else FAMILIES
    results: list[Result] = []
    for name, old, fresh, target, time in cuts:
        first_answers: list[Floats] = []
        for family in families:
            try:
                results += _case(name, family, old, fresh, target, time, options.peers, first_answers)
            except sortal.SortalError as error:
                print(f"{name}, {family}: left out: {error}", file=sys.stderr)
                continue
            print(f"{name}, {family}: done", file=sys.stderr)
    return outcome(results, options.fast)


def _cuts(folder: Path | None, fast: bool) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame, str, str | None]]:
    """Name, rows that come first, fresh rows, the target, and the column of time to train by."""
    if folder is None or fast:
        frame = pl.read_csv(EXAMPLE).drop("customerID").sample(fraction=1, shuffle=True, seed=0)
        yield "churn, at random", frame[:3_000], frame[3_000:], "Churn", None
        is_fresh = pl.col("PaymentMethod") == "Mailed check"
        yield "churn, PaymentMethod Mailed check", frame.filter(~is_fresh), frame.filter(is_fresh), "Churn", None
        return
    for cut in CUTS:
        file = folder / f"{cut.table}.parquet"
        if not file.exists():
            continue
        frame = pl.read_parquet(file).drop_nulls(cut.target)
        frame = frame.drop([c for c in WITHOUT_LEAKS.get(cut.table, ()) if c in frame.columns])
        if cut.fresh:
            is_fresh = pl.col(cut.by).cast(pl.String).is_in(cut.fresh).fill_null(value=False)
            old, fresh = frame.filter(~is_fresh), frame.filter(is_fresh)
            yield (
                cut.name,
                old.sample(min(len(old), MOST_ROWS), seed=0),
                fresh.sample(fraction=1, shuffle=True, seed=0),
                cut.target,
                None,
            )
            continue
        time = cut.by or "row order"
        ordered = (
            frame.sort(cut.by, maintain_order=True)
            if cut.by
            else frame.with_row_index(time).with_columns(pl.col(time).cast(pl.Int64))
        )
        at = int(TRAINED * len(ordered))
        yield cut.name, ordered[max(0, at - MOST_ROWS) : at], ordered[at:], cut.target, time


def _case(
    name: str,
    family: str,
    old: pl.DataFrame,
    fresh: pl.DataFrame,
    target: str,
    time: str | None,
    peers: Path | None,
    first_answers: list[Floats],
) -> list[Result]:
    """``first_answers``: what models of other families said of the first period; a baseline that won twice is one."""
    with tempfile.TemporaryDirectory() as folder:
        where: dict[str, Any] = {} if time is None else {"time": time}
        sortal.train(old, target=target, models=[family], budget="40s", out=f"{folder}/run", **where)
        model = load(Path(folder) / "run" / "model.sortal")
        sealed = pl.read_parquet(next((Path(folder) / "run" / "sealed").glob("*.parquet")))
    periods = list(_periods(fresh))
    answers = [_answers(model, rows) for rows in periods]
    first = answers[0][0]
    if any(np.array_equal(first, other) for other in first_answers):
        print(f"{name}, {family}: the same model as before", file=sys.stderr)
        return []
    first_answers.append(first)
    results: list[Result] = []
    for rows, (probability, decided) in zip(periods, answers, strict=True):
        for figure in _monitored(model, rows):
            if figure.expected is None or figure.seen is None:
                continue
            e = figure.expected
            raw = _raw(figure.name, probability, decided, model)
            results.append(Result(name, family, figure.name, len(rows), figure.seen.value, e.value, e.low, e.high, raw))
    return _beside_cbpe(results, model, sealed, periods, target, peers)


def _monitored(model: Model, rows: pl.DataFrame) -> Iterator[FigureEstimate]:
    """What ``sortal monitor MODEL FILE`` says of the rows."""
    watcher, state = Watcher.of(model), State("")
    with tempfile.TemporaryDirectory() as folder:
        rows.write_parquet(f"{folder}/rows.parquet")
        watcher.read(Files(model, [f"{folder}/rows.parquet"], now=0.0).batches(), state, now=0.0)
    return watcher.estimator.between(state.estimates, 0, len(state.rows), CONFIDENCE)


def _periods(fresh: pl.DataFrame) -> Iterator[pl.DataFrame]:
    starts = range(0, len(fresh) - PERIOD // 2, PERIOD)
    index = np.unique(np.linspace(0, len(starts) - 1, min(MOST_PERIODS, len(starts))).round().astype(int))
    return (fresh[starts[at] : starts[at] + PERIOD] for at in index.tolist())


def _labels(rows: pl.DataFrame, target: str) -> list[str]:
    return [str(label) for label in rows[target].to_list()]


def _answers(model: Model, rows: pl.DataFrame) -> tuple[Floats, list[str]]:
    answers = model.answer(rows)
    return answers.probabilities, [str(decision) for decision in answers.decisions.tolist()]


def _raw(figure: str, probability: Floats, decided: Sequence[str], model: Model) -> float:
    """The expectation under the probabilities as they are."""
    if figure == ERRORS:
        labels = [str(label) for label in model.classes_.tolist()]
        return float(np.mean([1 - p[labels.index(d)] for p, d in zip(probability, decided, strict=True)]))
    p = np.sort(probability[:, 1])
    below = np.cumsum(1 - p) - (1 - p) / 2
    return float(p @ below / (p.sum() * (1 - p).sum()))


def _beside_cbpe(
    results: list[Result],
    model: Model,
    sealed: pl.DataFrame,
    periods: list[pl.DataFrame],
    target: str,
    peers: Path | None,
) -> list[Result]:
    """NannyML's CBPE of the same periods, from the same probabilities; two classes alone."""
    python = None if peers is None else peers / "nannyml" / "bin" / "python"
    if python is None or not python.exists() or len(model.classes_) != 2:
        return results
    request = {
        "period": PERIOD,
        "reference": _plain(model, sealed, target),
        "periods": [_plain(model, period, target) for period in periods],
    }
    script = Path(__file__).with_name("_cbpe.py")
    process = subprocess.run([python, script], input=json.dumps(request), capture_output=True, text=True)
    if process.returncode:
        print(f"NannyML ended: {process.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return results
    response = json.loads(process.stdout.splitlines()[-1])
    figures = {ERRORS: [1 - accuracy for accuracy in response["accuracy"]], ROC_AUC: response["roc_auc"]}
    number = dict.fromkeys(figures, 0)
    combined = []
    for result in results:
        at = number[result.figure]
        number[result.figure] += 1
        combined.append(Result(**{**asdict(result), "cbpe": figures[result.figure][at]}))
    return combined


def _plain(model: Model, rows: pl.DataFrame, target: str) -> dict[str, list[float]]:
    probability, decided = _answers(model, rows)
    positive = str(model.classes_.tolist()[1])
    return {
        "p": probability[:, 1].tolist(),
        "said": [float(label == positive) for label in decided],
        "came": [float(label == positive) for label in _labels(rows, target)],
    }


def outcome(results: Sequence[Result], fast: bool) -> Outcome:
    cases = sorted({(result.case, result.family) for result in results})
    rows, goals = [], []
    for figure in (ERRORS, ROC_AUC):
        for case, family in cases:
            group = [
                result for result in results if (result.case, result.family, result.figure) == (case, family, figure)
            ]
            if group:
                rows.append([figure, case, family, *_figures(group)])
        group = [result for result in results if result.figure == figure]
        if group:
            rows.append([figure, "all", "", *_figures(group)])
    coverage = float(np.mean([result.low <= result.came <= result.high for result in results])) if results else 0.0
    goals.append(
        Goal(
            f"intervals of 90 % hold what came in >= {HELD:.0%} of {len(results)} figures",
            f"{coverage:.3f}",
            coverage >= HELD,
        )
    )
    for figure in (ERRORS, ROC_AUC):
        group = [result for result in results if result.figure == figure and result.cbpe is not None]
        if group:
            ours, theirs = _mean_error(group, "expected"), _mean_error(group, "cbpe")
            goal = f"mean absolute error of {figure} <= {BESIDE} x NannyML's CBPE"
            goals.append(Goal(goal, f"{ours / theirs:.3f} x", ours <= BESIDE * theirs))
    if not fast:
        goals.append(Goal(f">= {LEAST_CASES} pairs of a table and a model", f"{len(cases)}", len(cases) >= LEAST_CASES))
    peers = (
        [] if any(result.cbpe is not None for result in results) else ["NannyML was not run: --peers has no nannyml"]
    )
    return Outcome(
        title="estimates without labels, against the labels of the same rows: mean absolute error",
        columns=COLUMNS,
        rows=rows,
        goals=goals,
        notes=peers,
        figures=[asdict(result) for result in results],
    )


def _figures(results: Sequence[Result]) -> list[str]:
    beside = f"{_mean_error(results, 'cbpe'):.4f}" if all(result.cbpe is not None for result in results) else "-"
    coverage = np.mean([result.low <= result.came <= result.high for result in results])
    width = float(np.mean([result.high - result.low for result in results]))
    return [
        str(len(results)),
        f"{_mean_error(results, 'expected'):.4f}",
        f"{_mean_error(results, 'raw'):.4f}",
        beside,
        f"{coverage:.0%}",
        f"{width:.3f}",
    ]


def _mean_error(results: Sequence[Result], what: str) -> float:
    return float(np.mean([abs(getattr(result, what) - result.came) for result in results]))
