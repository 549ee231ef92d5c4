"""Texts, images and tables that hold some: sortal beside what a person makes of the same rows by hand, and AutoGluon.

Every set of a folder whose columns are texts or images, and every table with such a column beside others (with it and
without it). sortal trains by its command line in a process of its own; its figures are those of the run's record, on
rows that the set's own split holds out, or at least three tenths of them. Of tables, columns that the audit calls
severe leaks are left out for everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import sortal
from bench import quality
from bench._by_hand import BASELINES, Baseline
from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, table_files
from sortal.core.infer import infer
from sortal.core.interval import Estimate
from sortal.data.read import read
from sortal.record.run import RunRecord

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]

OURS, WITHOUT = "sortal", "sortal without it"
PEER = "autogluon multimodal"
LATEST, FAST_BUDGET, FAST_ROWS = 1.05, 25.0, 300
GIVEN_UP = 3.0
"""A run is ended after so many times its budget, and two minutes."""
PART = "part of the benchmark"
DRAWS = 200
"""Bootstrap samples of the interval of macro-F1, which no record has for two classes."""
GOALS = {
    "mnist": ("accuracy", 0.985),
    "sst2": ("accuracy", 0.825),
    "ag_news": ("accuracy", 0.885),
    "banking77": ("accuracy", 0.90),
    "sms_spam": ("f1", 0.95),
}
"""What is asked of 300 s on two cores."""
TESTS = ("test", "testing")


@dataclass(frozen=True)
class Case:
    """``kinds``: of the columns to learn from. ``train`` and ``test``: rows with these columns and the target."""

    name: str
    target: str
    kinds: dict[str, str]
    train: pl.DataFrame
    test: pl.DataFrame

    @property
    def content(self) -> list[str]:
        """The columns of texts and images."""
        return [name for name, kind in self.kinds.items() if kind in ("text", "image")]

    @property
    def is_mixed(self) -> bool:
        return len(self.content) < len(self.kinds)

    def without(self, names: Sequence[str]) -> Case:
        kinds = {name: kind for name, kind in self.kinds.items() if name not in names}
        return Case(self.name, self.target, kinds, self.train.drop(names), self.test.drop(names))


@dataclass(frozen=True)
class Result:
    """``seconds``: of the whole process, or of the fit and the answers by hand. ``f1``: of the positive class."""

    case: str
    name: str
    seconds: float
    accuracy: Estimate | None = None
    macro_f1: Estimate | None = None
    log_loss: Estimate | None = None
    f1: float | None = None
    ece: float | None = None
    items_per_second: float | None = None
    megabytes: float | None = None
    note: str = ""


def run(options: Options) -> Outcome:
    budget = FAST_BUDGET if options.fast else options.budget
    results: list[Result] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in _cases(options):
            for result in _played(case, options, budget, Path(scratch) / f"{len(results)}", notes):
                results.append(result)
                print("  ".join(_cells(result, budget)), file=sys.stderr, flush=True)
    if not results:
        no_table("with texts or images")
    return outcome(results, budget, notes)


def _cases(options: Options) -> Iterator[Case]:
    if options.fast or options.data is None:
        yield from _examples()
        return
    for file in table_files(options.data):
        if file.target and options.case in file.name:
            case = case_of(file.name, file.frame(), file.target, file.lane, options.rows)
            if case is not None:
                yield case


def _examples() -> Iterator[Case]:
    """The images that come with the project, and its texts with their length beside them."""
    texts = read(EXAMPLE.with_name("messages.csv")).frame
    for name, frame in (
        ("digits", read(EXAMPLE.with_name("digits.zip")).frame),
        ("messages and length", texts.with_columns(length=pl.col("text").str.len_chars())),
    ):
        case = case_of(name, frame, "label", "", FAST_ROWS)
        assert case is not None
        yield case


def case_of(name: str, frame: pl.DataFrame, target: str, lane: str, rows: int) -> Case | None:
    """What is learned from and judged by; None where there are neither texts nor images. Of a set of texts or images,
    as ``lane`` calls it, all other columns are left out.
    """
    frame = frame.filter(pl.col(target).is_not_null()).with_columns(pl.col(target).cast(pl.String))
    schema = infer(frame, target)
    kinds = {column.name: column.kind for column in schema.features}
    if not {"text", "image"} & set(kinds.values()):
        return None
    split = frame.columns.index("split") if "split" in frame.columns else None
    if lane in ("text", "image"):
        kinds = {name: kind for name, kind in kinds.items() if kind == lane}
    kinds = {name: kind for name, kind in kinds.items() if split is None or name != "split"}
    if lane not in ("text", "image"):
        leaks = [column for f in sortal.audit(frame, target).findings if f.severity == "severe" for column in f.columns]
        kinds = {name: kind for name, kind in kinds.items() if name not in leaks}
    if split is not None and frame["split"].is_in(TESTS).any():
        held_out = frame["split"].is_in(TESTS)
        train, test = frame.filter(~held_out), frame.filter(held_out)
    else:
        train, test = quality.sample(frame, target, rows, seed=0)
    return Case(name, target, kinds, train[[*kinds, target]], test[[*kinds, target]])


def _played(case: Case, options: Options, budget: float, work: Path, notes: list[str]) -> Iterator[Result]:
    """sortal, the baselines by hand that are installed, and AutoGluon where it is."""
    work.mkdir()
    yield ours(case, budget, work / "with")
    if case.is_mixed:
        yield ours(case.without(case.content), budget, work / "without", WITHOUT)
    for baseline in _baselines(options):
        if baseline.content in case.kinds.values():
            missing = baseline.missing()
            if missing:
                notes.append(f"{case.name}: no {baseline.name}, without {', '.join(missing)}")
            else:
                yield by_hand(case, baseline)
    peer = None if options.peers is None else options.peers / "ag" / "bin" / "python"
    if peer is not None and peer.exists():
        yield _autogluon(case, peer, budget, work)
    else:
        notes.append(f"{case.name}: no {PEER}, which is not installed")


def _baselines(options: Options) -> Iterator[Baseline]:
    """Of the small benchmark those without a network, which takes a minute by itself."""
    return (
        baseline
        for baseline in BASELINES
        if not options.fast or not {"torch", "onnxruntime"}.intersection(baseline.needs)
    )


def ours(case: Case, budget: float, folder: Path, name: str = OURS) -> Result:
    """By the command line, on one file whose parts are a column, as a person trains; figures from the run's record."""
    parts = [case.train.with_columns(pl.lit("train").alias(PART)), case.test.with_columns(pl.lit("test").alias(PART))]
    file = folder.with_suffix(".parquet")
    pl.concat(parts).write_parquet(file)
    words = ["--target", case.target, "--split", PART, "--budget", f"{budget:g}s", "--out", str(folder)]
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "sortal.cli", "train", str(file), *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            process.wait(GIVEN_UP * budget + 120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        seconds = time.monotonic() - start
        errors.seek(0)
        lines = errors.read().strip().splitlines() or [f"exit code {process.returncode}"]
    if process.returncode:
        return Result(case.name, name, seconds, note=lines[-1])
    record = RunRecord.from_json((folder / "run.json").read_bytes())
    model = sortal.load(folder / "model.sortal")
    start = time.monotonic()
    probability = model.predict_proba(case.test.drop(case.target))
    pace = len(case.test) / (time.monotonic() - start)
    binary = record.task.binary
    return Result(
        case.name,
        name,
        seconds,
        record.test["accuracy"],
        macro_f1(case, list(map(str, model.classes_)), probability) if binary else record.test["f1"],
        record.test["log_loss"],
        record.test["f1"].value if binary else None,
        record.test["ece"].value,
        pace,
        record.artifact.bytes / 1e6,
        ", ".join(row.name for row in record.leaderboard if row.selected),
    )


def by_hand(case: Case, baseline: Baseline) -> Result:
    start = time.monotonic()
    fitted = baseline.probability(case.train, case.target, case.test, case.kinds)
    return judged(case, baseline.name, time.monotonic() - start, fitted.classes, fitted.probability)


def judged(case: Case, name: str, seconds: float, classes: Sequence[str], probability: Floats) -> Result:
    """Accuracy and log-loss by scikit-learn; their errors are those of means."""
    truth = case.test[case.target].to_numpy()
    codes = np.searchsorted(np.array(classes)[np.argsort(classes)], truth)
    p = np.clip(probability[:, np.argsort(classes)], 1e-15, 1)
    rows = np.arange(len(truth))
    right, loss = p.argmax(axis=1) == codes, -np.log(p[rows, codes] / p.sum(axis=1))
    return Result(
        case.name, name, seconds, _mean(right), macro_f1(case, classes, probability), _mean(loss), note="by hand"
    )


def _mean(values: Floats) -> Estimate:
    mean, error = float(values.mean()), 1.96 * float(values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - error, mean + error)


def macro_f1(case: Case, classes: Sequence[str], probability: Floats) -> Estimate:
    """The mean F1 of the classes that the rows have, with an interval by the bootstrap."""
    truth = case.test[case.target].to_numpy()
    labels = np.array(classes)
    predicted, levels = labels[probability.argmax(axis=1)], np.unique(truth)
    samples = np.random.default_rng(0).integers(len(truth), size=(DRAWS, len(truth)))
    figures = [_macro_f1(truth[rows], predicted[rows], levels) for rows in samples]
    low, high = np.quantile(figures, (0.025, 0.975))
    return Estimate(_macro_f1(truth, predicted, levels), float(low), float(high))


def _macro_f1(truth: Labels, predicted: Labels, levels: Labels) -> float:
    """
    >>> _macro_f1(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]), np.array(["a", "b"])).__round__(4)
    0.6667
    """
    both = [
        2 * np.sum((truth == k) & (predicted == k)) / max(np.sum(truth == k) + np.sum(predicted == k), 1)
        for k in levels
    ]
    return float(np.mean(both))


def _autogluon(case: Case, python: Path, budget: float, work: Path) -> Result:
    match = quality.Match(case.name, case.target, work / "train.parquet", work / "test.parquet")
    case.train.write_parquet(match.train)
    case.test.write_parquet(match.test)
    played = quality.play(match, PEER, python, budget, work / "peer")
    answer = work / "peer" / "answer.json"
    if played.log_loss is None:
        return Result(case.name, PEER, played.seconds, note=played.note)
    probability = np.load(work / "peer" / "probability.npy")
    classes = json.loads(answer.read_text("utf-8"))["classes"]
    return judged(case, PEER, played.seconds, classes, probability)


def outcome(results: Sequence[Result], budget: float, notes: Sequence[str] = ()) -> Outcome:
    cases = list(dict.fromkeys(r.case for r in results))
    goals = [goal for case in cases for goal in _goals([r for r in results if r.case == case])]
    own = [r for r in results if r.name in (OURS, WITHOUT)]
    late = max(own, key=lambda r: r.seconds)
    ratio = late.seconds / budget
    goals.append(Goal(f"wall/budget <= {LATEST} in each run", f"at most {ratio:.3f} ({late.case})", ratio <= LATEST))
    return Outcome(
        title=f"texts, images and tables that hold some, {budget:g} s",
        columns=["set", "by", "accuracy", "macro-F1", "log-loss", "F1", "ECE", "wall/budget", "items/s", "MB", "note"],
        rows=[_cells(r, budget) for r in results],
        goals=goals,
        notes=[*_gains(results), *notes],
        figures=[asdict(r) | {"budget": budget} for r in results],
    )


def _goals(results: Sequence[Result]) -> Iterator[Goal]:
    """Of one set: what is asked of it by name, and not behind what others make by hand."""
    us = next(r for r in results if r.name == OURS)
    if us.accuracy is None or us.log_loss is None:
        yield Goal(f"{us.case} is trained on", us.note, False)
        return
    for name, (metric, least) in GOALS.items():
        if name in us.case:
            value = us.f1 if metric == "f1" else us.accuracy.value
            yield Goal(f"{us.case}: {metric} >= {least:g}", f"{value or 0:.4f}", (value or 0) >= least)
    hands = [r for r in results if r.note == "by hand"]
    for what, ahead in (("accuracy", True), ("log_loss", False)):
        theirs = [(getattr(r, what).value, r.name) for r in hands]
        if theirs:
            best, who = max(theirs) if ahead else min(theirs)
            own: Estimate = getattr(us, what)
            bound = own.high if ahead else own.low
            holds = bound is not None and (bound >= best if ahead else bound <= best)
            words = f"{us.case}: {what.replace('_', '-')} not behind what is made by hand by more than its interval"
            yield Goal(words, f"{own}, {who} {best:.4f}", bool(holds))


def _gains(results: Sequence[Result]) -> Iterator[str]:
    """What texts and images add to the other columns."""
    for without in (r for r in results if r.name == WITHOUT):
        us = next(r for r in results if r.case == without.case and r.name == OURS)
        if us.log_loss is not None and without.log_loss is not None:
            gain = without.log_loss.value - us.log_loss.value
            change = f"from {without.log_loss} to {us.log_loss}"
            yield f"{us.case}: texts and images lower the log-loss by {gain:.4f}, {change}"


def _cells(result: Result, budget: float) -> list[str]:
    def text(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    figures = [
        "-" if estimate is None else str(estimate) for estimate in (result.accuracy, result.macro_f1, result.log_loss)
    ]
    return [
        *(result.case, result.name, *figures, text(result.f1, 3), text(result.ece, 3)),
        f"{result.seconds / budget:.2f}",
        *(text(result.items_per_second, 0), text(result.megabytes, 2), result.note),
    ]
