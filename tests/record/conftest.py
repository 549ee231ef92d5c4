"""Made-up runs that look like real ones: two classes with costs, and many classes with hostile names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sortal.artifact.card import Data
from sortal.artifact.model import Parity
from sortal.checks.audit import Finding
from sortal.core.interval import Estimate
from sortal.core.predictions import Part, Predictions
from sortal.core.schema import Column
from sortal.core.skipped import Skipped
from sortal.core.task import Task
from sortal.decide.calibrate import CalibrationResult
from sortal.evaluate.figures import ClassScore
from sortal.evaluate.slices import Slice, Slices
from sortal.evaluate.verification import PromiseCheck, Rival, Verification
from sortal.record.checklist import checklist
from sortal.record.facts import Facts, SavedModel
from sortal.record.parts import (
    Artifact,
    Baseline,
    ColumnWeight,
    Confusion,
    Decision,
    Importance,
    Ledger,
    Opening,
    Phase,
    Row,
    Selection,
    Split,
    Spread,
    Timing,
)
from sortal.record.run import RunRecord

HOSTILE = ("<script>alert(1)</script>", "$x_{2$", "a & b", "two\nlines", "日本 \x1b[31m", '"quoted"', "")


@dataclass(frozen=True)
class Example:
    record: RunRecord
    facts: Facts
    oof: Predictions
    test: Predictions


def predictions(classes: tuple[str, ...], shares: list[float], n: int, part: Part, seed: int) -> Predictions:
    """Calibrated probabilities: the truth is drawn from them."""
    rng = np.random.default_rng(seed)
    logits = np.log(shares) + rng.gumbel(size=(n, len(classes))) * 1.8
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, len(classes) - 1)
    return Predictions(classes, np.arange(n), truth.astype(np.int64), p, part)


def row(name: str, family: str, mean: float, **more: object) -> Row:
    half = 0.003 if mean < 0.35 else 0.0012
    values = {
        "std": half * 1.4,
        "score": Estimate(mean, mean - half, mean + half),
        "fit_seconds": 6.2,
        "program_microseconds": 19.0,
        "metrics": {"log_loss": Spread(mean, half * 1.4), "roc_auc": Spread(1.09 - mean * 0.78, 0.004)},
    }
    return Row(name=name, family=family, metric="log_loss", mean=mean, **{**values, **more})


def binary_example(n: int = 4000) -> Example:
    classes = ("no", "yes")
    oof = predictions(classes, [0.99, 0.01], n, "out-of-fold", 1)
    test = predictions(classes, [0.99, 0.01], n // 5, "test", 2)
    share = float((oof.truth == 1).mean())
    task = Task(
        target="y",
        classes=classes,
        prevalence=(1 - share, share),
        positive="yes",
        metric="log_loss",
        headline=("expected_cost", "average_precision", "recall", "precision", "roc_auc", "log_loss"),
        reasons=(
            "imbalanced: reporting average precision and recall at precision",
            "selecting by log-loss",
            "deciding by your costs (a missed yes costs 12 false alarms)",
        ),
        goal="cost",
        cost=((0.0, 1.0), (12.0, 0.0)),
    )
    threshold = 1 / 13
    predicted = test.probability[:, 1] >= threshold
    counts = tuple(tuple(int(((test.truth == t) & (predicted == d)).sum()) for d in (0, 1)) for t in (0, 1))
    columns = (
        Column("age", "number", reason="whole numbers, 77 different", missing=0.0),
        Column("job", "category", reason="text with 12 different values", missing=0.0064),
        Column("balance", "number", reason="numbers with a decimal comma", missing=0.0, format=",."),
        Column("housing", "boolean", reason="two values: no, yes", levels=("no", "yes")),
        Column("contacted", "datetime", reason="dates like 2026-11-23", missing=0.31, format="%Y-%m-%d"),
        Column("duration", "number", reason="whole numbers, 1,573 different"),
        Column("note", "text", "ignore", reason="text: 41 words on average; texts are left out for now"),
        Column("y", "category", "target", reason="the target"),
    )
    leaderboard = (
        row("ensemble of 3", "ensemble", 0.1869, program_microseconds=210.0, fit_seconds=41.0),
        row(
            "catboost",
            "catboost",
            0.1881,
            selected=True,
            fit_seconds=17.0,
            note="tie with the ensemble (p = .31)",
        ),
        row("lightgbm", "lightgbm", 0.1902),
        row("extra trees", "extra_trees", 0.1987, program_microseconds=88.0),
        row("logistic", "logistic", 0.2381, baseline=True, fit_seconds=1.2, program_microseconds=4.0),
        row("shallow tree", "tree", 0.2660, baseline=True, fit_seconds=0.3, program_microseconds=2.0),
        row("majority", "majority", 0.3609, baseline=True, fit_seconds=0.01, program_microseconds=0.4),
    )
    audit = (
        Finding(
            "A104",
            "severe",
            "duration",
            "duration predicts alone: ROC-AUC .80 of .93 without anything else. Is it known only afterwards?",
            {"alone": 0.8, "all": 0.93},
            "sortal train ... --ignore duration",
        ),
        Finding("A301", "note", None, "12 exact duplicate rows, kept on one side", {"rows": 12}),
    )
    record = RunRecord(
        sortal_version="0.1.0",
        seed=0,
        data=Data("bank.csv", n + n // 5, 8, "9f2c" * 16, ("decimal commas in 1 column",)),
        columns=columns,
        task=task,
        audit=audit,
        split=Split(
            "stratified",
            n,
            0,
            n // 5,
            folds=5,
            prevalence={"train": (1 - share, share), "test": (1 - share, share)},
        ),
        baselines=(
            Baseline(
                "logistic",
                "logistic",
                "log_loss",
                0.2381,
                Estimate(0.0500, 0.0471, 0.0529),
                "linear model",
                Estimate(0.047, 0.038, 0.056),
            ),
            Baseline("shallow tree", "tree", "log_loss", 0.2660, Estimate(0.0779, 0.0741, 0.0816)),
            Baseline(
                "majority",
                "majority",
                "log_loss",
                0.3609,
                Estimate(0.1728, 0.1690, 0.1766),
                "majority class",
                Estimate(0.172, 0.164, 0.18),
            ),
        ),
        leaderboard=leaderboard,
        selection=Selection(
            chosen="catboost",
            metric="log_loss",
            bias=-0.0005,
            runner_up="ensemble of 3",
            p_value=0.31,
            tied=("ensemble of 3",),
            explanation="not distinguishable from the ensemble, five times faster",
        ),
        calibration=CalibrationResult("none", 0.1881, 0.1881, "beta would gain .0002 ± .0004"),
        decision=Decision(
            kind="cost",
            positive="yes",
            rule="say yes from p = .077 on",
            threshold=threshold,
            expected_cost=Estimate(0.31, 0.29, 0.33),
            comparison={"chosen": 0.31, "always yes": 0.88, "never yes": 1.40, "at .5": 0.71},
            explanation="p·C is least from p = 1/13 on",
        ),
        test={
            "expected_cost": Estimate(0.32, 0.29, 0.35),
            "recall": Estimate(0.93, 0.91, 0.95),
            "precision": Estimate(0.41, 0.39, 0.43),
            "roc_auc": Estimate(0.945, 0.939, 0.951),
            "log_loss": Estimate(0.188, 0.180, 0.196),
            "average_precision": Estimate(0.634, 0.605, 0.661),
            "accuracy": Estimate(0.861, 0.853, 0.869),
        },
        verification=Verification(
            rows=n // 5,
            rivals=(
                Rival("always yes", 0.88, Estimate(-0.56, -0.6, -0.52)),
                Rival("never yes", 1.4, Estimate(-1.08, -1.3, -0.9)),
            ),
            promises=(
                PromiseCheck(
                    "expected_cost",
                    Estimate(0.31, 0.29, 0.33),
                    Estimate(0.32, 0.29, 0.35),
                    Estimate(0.01, -0.03, 0.05),
                    "as promised",
                ),
                PromiseCheck(
                    "log_loss",
                    Estimate(0.187, 0.184, 0.19),
                    Estimate(0.188, 0.18, 0.196),
                    Estimate(0.001, -0.007, 0.009),
                    "as promised",
                ),
            ),
        ),
        confusion=Confusion("test", classes, counts),
        per_class=(
            ClassScore("no", sum(counts[0]), Estimate(0.99, 0.985, 0.993), Estimate(0.86, 0.85, 0.87), 0.92),
            ClassScore("yes", sum(counts[1]), Estimate(0.41, 0.39, 0.43), Estimate(0.93, 0.91, 0.95), 0.57),
        ),
        importance=Importance(
            "log-loss lost when the column is shuffled",
            tuple(
                ColumnWeight(name, value, value * 0.9, value * 1.1)
                for name, value in (
                    ("duration", 0.12),
                    ("contacted", 0.041),
                    ("balance", 0.019),
                    ("age", 0.011),
                )
            ),
        ),
        timing=Timing(
            60.0,
            58.4,
            (
                Phase("read", 0.3),
                Phase("audit", 2.4),
                Phase("train", 47.1),
                Phase("finalize", 6.2),
                Phase("report", 2.4),
            ),
            (
                Skipped("kernel svm", "38 s predicted, 9 s left"),
                Skipped("network", "extra 'neural' not installed"),
            ),
        ),
        ledger=Ledger(
            1,
            True,
            "b7e1" * 16,
            "5ea1" * 16,
            (Opening("2026-11-23T18:06:42Z", "final evaluation", n // 5, "b7e1" * 16),),
        ),
        artifact=Artifact(
            "model.sortal", 1_912_345, "3fa9" * 16, Parity(n + n // 5, 1.1e-16, 0), row_microseconds=612.0
        ),
    )
    facts = Facts(
        fits=57,
        out_of_fold_rows=n,
        sealed_rows_scored=0,
        decision_part="out-of-fold",
        decision_rows=n,
        sealed_rows_decided=0,
        no_refit=None,
        refit_rows=n,
        imbalance=("no weights", "class weights"),
        ledger_intact=True,
        saved=SavedModel(
            "model.sortal",
            "0.1.0",
            record.artifact.parity,
            ("table", "fill", "forest"),
            classes,
            6,
            6,
            ("log_loss", "roc_auc"),
        ),
    )
    return Example(replace(record, checklist=checklist(record, facts)), facts, oof, test)


def many_slices() -> Slices:
    """Seven that are worse, of columns with hostile names, eight of a column that was asked for, and another one."""
    worse = [
        Slice(
            name,
            f"= {name}",
            300 - i,
            0.3,
            Estimate(0.9, 0.85, 0.95),
            0.8,
            Estimate(0.1, 0.02, 0.18),
            0.001,
            True,
            0.81,
        )
        for i, name in enumerate(HOSTILE)
    ]
    requested = [
        Slice("sex", condition, 9, 0.009, Estimate(0.7, 0.1, 3.0), 0.842, Estimate(None), None, asked=True)
        for condition in (*HOSTILE, "missing")
    ]
    last = Slice("age", ">= 52", 500, 0.5, Estimate(0.84, 0.8, 0.88), 0.84, Estimate(0.0, -0.1, 0.1), 1.0)
    return Slices("log_loss", "test", 1000, 40, 161, 12, (*worse, *requested, last))


def many_example(k: int = 7, n: int = 4000, columns: int = 40) -> Example:
    """``k`` classes, the first ones with hostile names; no costs."""
    base = binary_example()
    classes = (*HOSTILE, *(f"class {i}" for i in range(k)))[:k]
    weights = np.linspace(3.0, 1.0, k) / np.linspace(3.0, 1.0, k).sum()
    oof = predictions(classes, list(weights), n, "out-of-fold", 3)
    test = predictions(classes, list(weights), n // 4, "test", 4)
    decided = test.probability.argmax(axis=1)
    counts = np.zeros((k, k), dtype=int)
    np.add.at(counts, (test.truth, decided), 1)
    task = Task(
        target="<b>kind</b>",
        classes=classes,
        prevalence=tuple(float(w) for w in weights),
        positive=None,
        metric="log_loss",
        headline=("accuracy", "balanced_accuracy", "log_loss"),
        reasons=("classes of similar size: reporting accuracy",),
    )
    names = (*HOSTILE, *(f"column {i}" for i in range(columns)))[:columns]
    record = replace(
        base.record,
        data=Data("<img src=x>.parquet", n + n // 4, columns + 1, "c0ffee" * 10),
        columns=(
            *(Column(f"{name}#{i}", "number", reason="numbers") for i, name in enumerate(names)),
            Column("<b>kind</b>", "category", "target", reason="the target"),
        ),
        task=task,
        audit=(Finding("A201", "warning", HOSTILE[0], "looks like an id: 99 % of its values are different", {}),),
        decision=Decision(
            kind="argmax",
            rule="take the most probable class",
            expected_cost=Estimate(0.31, 0.30, 0.32),
            explanation="every error counts the same",
        ),
        test={
            "accuracy": Estimate(0.691, 0.662, 0.719),
            "balanced_accuracy": Estimate(0.672, 0.64, 0.70),
            "log_loss": Estimate(0.842, 0.80, 0.88),
        },
        verification=Verification(
            rows=n // 4,
            promises=(
                PromiseCheck(
                    "accuracy",
                    Estimate(0.69, 0.67, 0.71),
                    Estimate(0.691, 0.662, 0.719),
                    Estimate(0.001, -0.03, 0.03),
                    "as promised",
                ),
            ),
        ),
        confusion=Confusion("test", classes, tuple(tuple(int(c) for c in line) for line in counts)),
        per_class=tuple(
            ClassScore(name, int(counts[i].sum()), Estimate(0.7, 0.6, 0.8), Estimate(0.65, 0.55, 0.75), 0.67)
            for i, name in enumerate(classes)
        ),
        slices=many_slices(),
        importance=Importance("gain", tuple(ColumnWeight(name, 1 / (i + 1)) for i, name in enumerate(names))),
        split=replace(
            base.record.split,
            train=n,
            test=n // 4,
            prevalence={"train": task.prevalence, "test": task.prevalence},
        ),
    )
    facts = replace(base.facts, out_of_fold_rows=n, refit_rows=n, decision_rows=n)
    facts = replace(
        facts,
        saved=SavedModel(
            "model.sortal",
            "0.1.0",
            record.artifact.parity,
            ("table", "linear"),
            classes,
            columns,
            columns,
            ("log_loss",),
        ),
    )
    return Example(replace(record, checklist=checklist(record, facts)), facts, oof, test)


@pytest.fixture(scope="session")
def binary() -> Example:
    return binary_example()


@pytest.fixture(scope="session")
def many() -> Example:
    return many_example()
