"""What other libraries find in a labelled table: one adapter a peer, each imported only when it is asked.

``python -m bench._audit_peers [FOLDER]`` sows one fault at a time into tables and prints who finds which, and how often
the same is said of the table as it was.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._seeds import COLUMNS, LeakyColumn
from bench._tables import EXAMPLE, table_files
from bench.leaks import MATTERS, matrix, tree_auc
from sortal.checks.audit import AuditContext, Finding, audit
from sortal.core import registry
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem

Issue = tuple[str, str | None]
"""What was found, in the finder's own words, and in which column; None where it is about the whole table."""
Finder = Callable[[pl.DataFrame, str, int], list[Issue]]

STEP = 2
"""Of the leaky columns, as a peer is slow."""
ROWS = 1_000
"""Rows of a table that faults are sown into; a peer takes ten seconds for so many."""


def sortal_finds(frame: pl.DataFrame, target: str, seed: int = 0, codes: Sequence[str] | None = None) -> list[Issue]:
    """Codes of the audit, and "left out" for columns that are left out as they were read. ``codes``: of the checks to
    make; all where None.
    """
    problem = frame_problem(frame, GoalOptions(target), RowOptions())
    without = None if codes is None else [code for code in registry.names("sortal.checks") if code not in codes]
    context = AuditContext(problem.table, problem.codes, problem.task.classes, seed, problem.raw)
    findings = audit(context, without=without).findings
    ignored: list[Issue] = [("left out", column.name) for column in problem.table.schema.role("ignore")]
    return ignored + [(finding.code, name) for finding in findings for name in _columns(finding)]


def _columns(finding: Finding) -> list[str | None]:
    """All columns that a finding is about."""
    names = finding.evidence.get("columns")
    return list(names) if isinstance(names, list) else [finding.column]  # type: ignore[arg-type]


_LEFT_OUT = ["SKD010", "SKD012", "SKD014", "SKD015", "SKD016"]
"""Of skore's checks: those of speed and settings of the model; and permutation importances, most of the time, which
find half of the columns of an honest table useless."""


def skore_finds(frame: pl.DataFrame, target: str, seed: int = 0) -> list[Issue]:
    """Codes of all checks of the data by an EstimatorReport that raise an issue or give a tip, slow ones included.

    Boosted trees on one encoded column a column, so that a check that names columns can name these.
    """
    from skore import TrainTestSplit, evaluate

    features, labels = frame.drop(target).to_pandas(), frame[target].to_pandas()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        split = TrainTestSplit(test_size=0.2, random_state=seed, stratify=labels)
        report: Any = evaluate(_pipeline(seed), features, labels, splitter=split)
        checks = report.checks.summarize(ignore=_LEFT_OUT).frame()
    issue_rows = checks[checks["section"].isin(["issue", "tip"])]
    issues: list[Issue] = []
    for code, explanation in zip(issue_rows["code"], issue_rows["explanation"], strict=True):
        names = [name for listed in re.findall(r"\[.*?\]", str(explanation)) for name in ast.literal_eval(listed)]
        issues += [(str(code), str(name)) for name in names] or [(str(code), None)]
    return issues


def cleanlab_finds(frame: pl.DataFrame, target: str, seed: int = 0) -> list[Issue]:
    """Kinds of issues of a Datalab with at least one row or column.

    It is given labels, out-of-fold probabilities of boosted trees and standardised features; and the columns for its
    search for ids, which cleanlab has but does not run by itself.
    """
    from cleanlab import Datalab
    from cleanlab.datalab.internal.issue_manager.identifier_column import IdentifierColumnIssueManager
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    features, labels = frame.drop(target).to_pandas(), frame[target].cast(pl.String).to_pandas()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        pipeline = _pipeline(seed)
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        probabilities = cross_val_predict(pipeline, features, labels, cv=folds, method="predict_proba")
        numbers = np.nan_to_num(StandardScaler().fit_transform(pipeline[0].fit_transform(features)))
        lab = Datalab(data={"label": labels.to_numpy()}, label_name="label", verbosity=0)
        lab.find_issues(pred_probs=probabilities, features=numbers)
        ids = IdentifierColumnIssueManager(lab)
        ids.find_issues(features=features)
    summary = lab.get_issue_summary()
    issues: list[Issue] = [(str(kind), None) for kind in summary[summary["num_issues"] > 0]["issue_type"]]
    places = ids.info["identifier_columns"]
    return issues + [("identifier_column", str(features.columns[place])) for place in places]


def _pipeline(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from skrub import DatetimeEncoder, TableVectorizer

    levels = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    vectorizer = TableVectorizer(
        low_cardinality=levels, high_cardinality=levels, datetime=DatetimeEncoder(resolution=None)
    )
    return make_pipeline(vectorizer, HistGradientBoostingClassifier(max_iter=25, random_state=seed))


FINDERS: Mapping[str, Finder] = {"sortal": sortal_finds, "skore": skore_finds, "cleanlab": cleanlab_finds}


def peers() -> tuple[dict[str, Finder], list[str]]:
    """The finders whose library is installed, and a note on every other."""
    there, notes = {}, []
    for name, finder in FINDERS.items():
        try:
            version(name)
        except PackageNotFoundError:
            notes.append(f"left out: {name} is not installed")
        else:
            there[name] = finder
    return there, notes


@dataclass(frozen=True)
class Fault:
    """One fault: how it is sown, the column it is in (None: the whole table), and what each peer would call it.

    A ``leak`` counts where it matters, as in ``bench leaks``.
    """

    name: str
    sow: Callable[[pl.DataFrame, str, np.random.Generator], pl.DataFrame | None]
    column: str | None
    calls: Mapping[str, Sequence[str]]
    leak: bool = False


def first_label(frame: pl.DataFrame, target: str) -> NDArray[np.bool_]:
    return (frame[target] == frame[target].mode().sort()[0]).to_numpy()


def with_column(frame: pl.DataFrame, values: object) -> pl.DataFrame:
    return frame.with_columns(pl.Series("sown", values))


def numbered(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return with_column(frame, 1000 + rng.permutation(frame.height))


def class_in_name(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    label = first_label(frame, target)
    return with_column(
        frame, [f"{'pos' if c else 'neg'}_{i:05}" for c, i in zip(label, rng.permutation(len(label)), strict=True)]
    )


def standardised(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    x = rng.gamma(2, 3, frame.height)
    return with_column(frame, (x - x.mean()) / x.std())


def filled(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    x, missing = rng.gamma(2, 3, frame.height), rng.random(frame.height) < 0.1
    return with_column(frame, np.where(missing, x[~missing].mean(), x))


def encoded(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    level = rng.integers(frame.height // 10, size=frame.height)
    sizes = np.bincount(level)
    return with_column(frame, (np.bincount(level, weights=first_label(frame, target)) / np.maximum(sizes, 1))[level])


def repeated(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return pl.concat([frame, frame[rng.permutation(frame.height)[: frame.height // 10]]])


def contradicted(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    again = frame[rng.permutation(frame.height)[: frame.height // 20]]
    labels = frame[target].unique().sort()
    other = pl.when(pl.col(target) == labels[0]).then(pl.lit(labels[1])).otherwise(pl.lit(labels[0])).alias(target)
    return pl.concat([frame, again.with_columns(other.cast(frame.schema[target]))])


def ordered(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return frame[np.argsort(first_label(frame, target) + rng.normal(scale=0.6, size=frame.height))]


def two_units(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    x = rng.normal(170, 9, frame.height)
    return with_column(frame, np.where(rng.random(frame.height) < 0.2, x / 100, x))


def coded(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return with_column(frame, np.where(rng.random(frame.height) < 0.1, 999, rng.integers(0, 60, frame.height)))


def spelled(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return with_column(frame, rng.choice(["Paris", "PARIS", "Rome", "Oslo"], frame.height, p=[0.3, 0.1, 0.3, 0.3]))


def constant(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame:
    return with_column(frame, ["all"] * frame.height)


def leaky(leak: LeakyColumn) -> Fault:
    """A leak as ``bench leaks`` seeds it."""

    def sow(frame: pl.DataFrame, target: str, rng: np.random.Generator) -> pl.DataFrame | None:
        codes = frame[target].rank("dense").to_numpy().astype(np.int64) - 1
        values = leak.make(codes, int(codes.max()) + 1, rng)
        return None if values is None else with_column(frame, values)

    calls = {"sortal": ["A101", "A102", "A103", "A104"], "skore": ["SKD011"]}
    return Fault(f"{leak.kind}: {leak.strength}", sow, "sown", calls, leak=True)


FAULTS = (
    *map(leaky, COLUMNS[::STEP]),
    Fault(
        "a number of the row",
        numbered,
        "sown",
        {"sortal": ["A303", "left out"], "skore": [], "cleanlab": ["identifier_column"]},
    ),
    Fault(
        "a file name that tells the class",
        class_in_name,
        "sown",
        {"sortal": ["A105"], "skore": ["SKD011"], "cleanlab": []},
    ),
    Fault("standardised over all rows", standardised, "sown", {"sortal": ["A106"]}),
    Fault("filled with the mean of all rows", filled, "sown", {"sortal": ["A106"]}),
    Fault("target encoding over all rows", encoded, "sown", {"sortal": ["A106"], "skore": ["SKD011"]}),
    Fault("a tenth of the rows twice", repeated, None, {"sortal": ["A201"], "cleanlab": ["near_duplicate"]}),
    Fault(
        "copies with another label", contradicted, None, {"sortal": ["A202"], "cleanlab": ["label", "near_duplicate"]}
    ),
    Fault("an order of rows that tells the class", ordered, None, {"sortal": ["A203"], "cleanlab": ["non_iid"]}),
    Fault("a column in two units", two_units, "sown", {"sortal": ["A305"], "cleanlab": ["outlier"]}),
    Fault("999 for missing", coded, "sown", {"sortal": ["A305"], "cleanlab": ["outlier"]}),
    Fault("a level in two spellings", spelled, "sown", {"sortal": ["A305"]}),
    Fault("a column with one value", constant, "sown", {"sortal": ["A301"], "skore": []}),
)


def says(issues: list[Issue], fault: Fault, peer: str) -> bool:
    return any(kind in fault.calls.get(peer, ()) and column in (fault.column, None) for kind, column in issues)


@dataclass
class Count:
    """How often a peer found a fault, how often it said the same of the table without it, and how often it was
    tried.
    """

    hits: int = 0
    before: int = 0
    tries: int = 0

    def __str__(self) -> str:
        return f"{self.hits}/{self.tries}" + (f" (without it {self.before}/{self.tries})" if self.before else "")


def count(counts: dict[tuple[str, str], Count], frame: pl.DataFrame, target: str, there: Mapping[str, Finder]) -> None:
    """Sows every fault into one table and adds to the counts by fault and peer; a peer is asked where it looks for
    such.
    """
    rng = np.random.default_rng(0)
    before = {peer: find(frame, target, 0) for peer, find in there.items()}
    for fault in FAULTS:
        sown = fault.sow(frame, target, rng)
        if sown is None or (fault.leak and lift(frame, sown, target) < MATTERS):
            continue
        for peer, find in there.items():
            if fault.calls.get(peer):
                cell = counts[fault.name, peer]
                cell.hits += says(find(sown, target, 0), fault, peer)
                cell.before += says(before[peer], fault, peer)
                cell.tries += 1


def lift(frame: pl.DataFrame, sown: pl.DataFrame, target: str) -> float:
    """What a column adds to the ROC-AUC of an independent model."""
    scores = []
    for table in (frame, sown):
        problem = frame_problem(table, GoalOptions(target), RowOptions())
        scores.append(tree_auc(matrix(problem.table), problem.codes))
    return scores[1] - scores[0]


def in_words(counts: Mapping[tuple[str, str], Count], there: Mapping[str, Finder]) -> str:
    """A table in Markdown."""
    head = [f"| sown | {' | '.join(f'{peer} {version(peer)}' for peer in there)} |", "|---" * (1 + len(there)) + "|"]
    lines = [f"| {f.name} | {' | '.join(cell_text(counts[f.name, peer], f, peer) for peer in there)} |" for f in FAULTS]
    return "\n".join([*head, *lines])


def cell_text(cell: Count, fault: Fault, peer: str) -> str:
    if not fault.calls.get(peer):
        return "does not look for it"
    return str(cell) if cell.tries else "adds too little to count"


def main() -> None:
    churn = pl.read_csv(EXAMPLE, infer_schema_length=None).sample(ROWS, seed=0)
    tables = {"churn": (churn.drop("customerID", strict=False), "Churn")}
    for folder in map(Path, sys.argv[1:]):
        for file in (file for file in table_files(folder) if file.target):
            frame = file.frame().filter(pl.col(file.target).is_not_null())
            tables[file.name] = (frame.sample(min(frame.height, ROWS), seed=0), file.target)
    there, notes = peers()
    counts = {(fault.name, peer): Count() for fault in FAULTS for peer in there}
    for name, (frame, target) in tables.items():
        count(counts, frame, target, there)
        print(f"so far, with {name}:", in_words(counts, there), sep="\n", file=sys.stderr)
    print(in_words(counts, there), *notes, sep="\n")


if __name__ == "__main__":
    main()
