"""Does a run end with a model or with a sentence, whatever is asked of it?

Samples of real tables are trained on with options drawn at random, columns are called what nobody calls them, and the
model that comes out scores the same rows from other doors. A run is refused (an error of the SortalError tree) or
right: the same numbers from every door, and an evaluation. Anything else is a fault, told with the number that draws it
again: ``python -m bench options --data FOLDER --case 123``.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import polars as pl

import sortal
from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, table_files
from sortal.core.errors import SortalError
from sortal.core.names import free_names
from sortal.evaluation import evaluate

RUNS, FAST_RUNS = 200, 5
SIZES = (60, 120, 200, 300, 500, 900)
WIDTHS = (1, 2, 4, 8, 20)
MANY_LABELS = 6
FAMILIES = ("lightgbm", "xgboost", "catboost", "svm", "extra_trees", "kernel_svm", "lightgbm_prep", "forest", "mlp")
ODD_NAMES = ("*", "^p.*$", "^.*$", "prediction", "decision", "weight", " ", "a|b", "ü/é", "row", "probability_1")
AGREE = 1e-9
OUTCOMES = ("right", "refused", "fault")
TOLD_EVERY = 20

Draw = Callable[[Random, Sequence[str]], Any]
"""From the labels of the target to a value of an option."""


def one_of(*values: Any) -> Draw:
    return lambda random, labels: random.choice(values)


def _matrix(random: Random, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    return {t: {d: 0.0 if t == d else random.choice([1.0, 3.0]) for d in labels} for t in labels}


GOALS: tuple[tuple[str, Draw], ...] = (
    ("cost", lambda random, labels: {"fp": random.choice([0.5, 1, 2]), "fn": random.choice([1, 5, 30])}),
    ("cost", _matrix),
    ("precision", one_of(0.5, 0.8, 0.99)),
    ("recall", one_of(0.5, 0.8, 0.99)),
    ("fpr", one_of(0.1, 0.3)),
    ("f1", one_of(True)),
    ("f_beta", one_of(0.5, 2)),
    ("capacity", one_of("5%", 10, "50%")),
)
"""What is decided: one of them, in half of the runs."""
OTHERS: dict[str, Draw] = {
    "metric": one_of("roc_auc", "log_loss", "accuracy", "balanced_accuracy", "average_precision", "f1", "brier", "ece"),
    "reject_cost": one_of(0.05, 0.5),
    "sets": one_of(0.8, 0.9, 0.95),
    "positive": lambda random, labels: random.choice(labels),
    "split": one_of("70/15/15", "80/20", "60/20/20", "cv", "90/10"),
    "smallest_count": one_of(1, 2, 10),
    "private": one_of(True),
    "select": one_of(1, 3),
    "max_size": one_of("50kB", "5kB"),
    "seed": one_of(1),
}
"""Each of them in a sixth of the runs."""
ADDED: dict[str, Callable[[np.random.Generator, int], Sequence[Any]]] = {
    "weight": lambda rng, n: rng.choice([0, 1, 2.5], n).tolist(),
    "group": lambda rng, n: rng.integers(0, max(2, n // 8), n).tolist(),
    "time": lambda rng, n: rng.integers(0, 10 ** int(rng.integers(1, 7)), n).tolist(),
}
"""Options that name a column, and what it holds: each in a sixth of the runs."""


@dataclass(frozen=True)
class Case:
    """``name``: of the table that the rows are of."""

    name: str
    frame: pl.DataFrame
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.frame.height} rows of {self.name}, columns {self.frame.columns}, {dict(self.options)}"


@dataclass(frozen=True)
class Result:
    number: int
    case: Case
    outcome: Literal["right", "refused", "fault"]
    message: str = ""


def run(options: Options) -> Outcome:
    tables = _tables(options.data)
    count = FAST_RUNS if options.fast else RUNS * options.reps
    numbers = [int(options.case)] if options.case else range(count)
    results: list[Result] = []
    for number in numbers:
        results.append(try_case(number, draw_case(number, tables)))
        if results[-1].outcome == "fault":
            print(f"--case {number}: {results[-1].message}", file=sys.stderr, flush=True)
        if len(results) % TOLD_EVERY == 0:
            faults = sum(result.outcome == "fault" for result in results)
            print(f"{len(results)} of {len(numbers)} runs, {faults} faults", file=sys.stderr, flush=True)
    return outcome(results)


def _tables(folder: Path | None) -> list[tuple[str, pl.DataFrame, str]]:
    """Of a folder those without images."""
    if folder is None:
        return [("example", pl.read_csv(EXAMPLE), "Churn")]
    files = [file for file in table_files(folder) if file.target and not file.lane.startswith("image")]
    return [(file.name, file.frame(), file.target) for file in files] or no_table("to train on")


def draw_case(number: int, tables: Sequence[tuple[str, pl.DataFrame, str]]) -> Case:
    """Some rows and columns of a table, and options."""
    random, rng = Random(number), np.random.default_rng(number)
    name, frame, target = random.choice(tables)
    columns = [column for column in frame.columns if column != target]
    columns = random.sample(columns, min(len(columns), random.choice(WIDTHS)))
    frame = frame.select(*columns, target).sample(min(random.choice(SIZES), frame.height), seed=number)
    labels = sorted({str(value) for value in frame[target].drop_nulls()})
    if len(labels) > MANY_LABELS and random.random() < 0.7:
        labels = sorted(random.sample(labels, random.choice([2, 3])))
        frame = frame.filter(pl.col(target).cast(pl.String).is_in(labels))
    options: dict[str, Any] = {
        "models": random.sample(FAMILIES, random.choice([1, 2])),
        "effort": random.choice([1, 3, 8]),
    }
    if random.random() < 0.5:
        option, draw = random.choice(GOALS)
        options[option] = draw(random, labels)
    options |= {option: draw(random, labels) for option, draw in OTHERS.items() if random.random() < 1 / 6}
    if random.random() < 0.3:
        new = dict(zip(columns, random.sample(ODD_NAMES, min(len(columns), len(ODD_NAMES))), strict=False))
        frame, columns = frame.rename(new), [new.get(column, column) for column in columns]
    for option, values in ADDED.items():
        if random.random() < 1 / 6:
            frame, options[option] = _beside(frame, option, values(rng, frame.height))
    if options.get("cost") and "fp" in options["cost"] and random.random() < 0.3:
        frame, column = _beside(frame, "cost", rng.random(frame.height).tolist())
        options |= {"cost_column": {"fn": column}, "cost": {"fp": options["cost"]["fp"]}}
    for option, draw in (("slice", None), ("ignore", None), ("kind", ("category", "number", "text", "datetime"))):
        if random.random() < 1 / 8:
            column = random.choice(columns)
            options[option] = [column] if draw is None else {column: random.choice(draw)}
    return Case(name, frame, target, options)


def _beside(frame: pl.DataFrame, name: str, values: Sequence[Any]) -> tuple[pl.DataFrame, str]:
    """The frame with a column more, and what that is called."""
    name = free_names([name], frame.columns)[name]
    return frame.with_columns(pl.Series(name, values)), name


def try_case(number: int, case: Case) -> Result:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _make_and_use(case, Path(scratch))
        except SortalError as error:
            return Result(number, case, "refused", str(error))
        except Exception:  # noqa: BLE001 - what ends without a sentence is what is looked for
            return Result(number, case, "fault", traceback.format_exc())
    return Result(number, case, "right")


def _make_and_use(case: Case, folder: Path) -> None:
    """Train, and score the same rows from other doors. Raises ValueError where they differ."""
    frame, rows = case.frame, folder / "rows.parquet"
    sortal.train(frame, target=case.target, out=folder / "run", **case.options)
    model = sortal.load(folder / "run" / "model.sortal")
    probability = model.predict_proba(frame)
    model.decide(frame)
    frame.write_parquet(rows)
    doors = {
        "pandas": model.predict_proba(frame.to_pandas()),
        "dicts": model.predict_proba(frame.to_dicts()),
        "arrow": model.predict_proba(frame.to_arrow()),
        "a row alone": np.vstack([model.predict_proba(frame.row(0, named=True)), probability[1:]]),
    }
    for door, answer in doors.items():
        if not np.allclose(answer, probability, rtol=0, atol=AGREE):
            raise ValueError(f"other numbers from {door}, by up to {np.abs(answer - probability).max():.1e}")
    evaluate(folder / "run" / "model.sortal", [str(rows)]).to_json()


def outcome(results: Sequence[Result]) -> Outcome:
    tally, faults = (
        Counter(result.outcome for result in results),
        [result for result in results if result.outcome == "fault"],
    )
    refusals = Counter(result.message for result in results if result.outcome == "refused")
    return Outcome(
        title="Runs with options drawn at random: right, refused, or a fault",
        columns=["runs", *OUTCOMES],
        rows=[[str(len(results)), *(str(tally[kind]) for kind in OUTCOMES)]],
        goals=[
            Goal("outcomes other than a refusal or right numbers: 0", f"{len(faults)} of {len(results)}", not faults),
            Goal(
                "runs that are right: half at least",
                f"{tally['right']} of {len(results)}",
                tally["right"] * 2 >= len(results),
            ),
        ],
        notes=[
            *(f"--case {result.number}: {result.case}\n{result.message}" for result in faults),
            *(f"refused {count} times: {message}" for message, count in refusals.most_common()),
        ],
        figures=[{"number": result.number, "outcome": result.outcome, "message": result.message} for result in results],
    )
