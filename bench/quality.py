"""sortal and its peers on the same rows, one after another: who is best at equal wall clock, and at what cost?

Each contestant fits in a process of its own, in its own environment where it has one, on a stratified sample of a
table, and predicts the rows that are left. All figures are computed here, from probabilities, by scikit-learn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench import _contestants
from bench._outcome import Goal, Options, Outcome
from bench._result_store import ResultStore
from bench._tables import EXAMPLE, no_table, tabular

OURS = "sortal"
ENVIRONMENTS = {
    OURS: "",
    "hgb": "",
    "autogluon medium": "ag",
    "autogluon best_v150": "ag",
    "lightautoml": "lama",
    "flaml": "flaml",
    "mljar": "mljar",
}
"""Which environment below the folder of peers a contestant runs in; "": in this one."""
FUTURE_ROWS, LARGEST_SHARE = 30_000, 0.7
FAST_ROWS, FAST_BUDGET, FAST_TABLES = 1_500, 20.0, 2
GIVEN_UP, GRACE = 4.0, 120.0
"""A contestant is ended after so many times its budget, and these seconds."""
LATEST, WON, LARGEST_MB, TABLES = 1.05, 0.75, 10.0, 20
PAGE, EVERY = os.sysconf("SC_PAGE_SIZE"), 0.1


@dataclass(frozen=True)
class Match:
    """What rows to learn from and what rows to be judged by: two files."""

    table: str
    target: str
    train: Path
    test: Path


@dataclass(frozen=True)
class Result:
    """``seconds``: of the fit, with the imports that it needs. ``log_loss``: None where it did not finish, and
    ``note`` says why.
    """

    table: str
    name: str
    seconds: float
    log_loss: float | None = None
    roc_auc: float | None = None
    balanced_accuracy: float | None = None
    row_seconds: float | None = None
    megabytes: float | None = None
    peak_megabytes: float = 0.0
    note: str = ""


def run(options: Options) -> Outcome:
    rows, budget = (FAST_ROWS, FAST_BUDGET) if options.fast else (options.rows, options.budget)
    names = list(_installed(options.peers))
    store, results = ResultStore(options.resume), []
    with tempfile.TemporaryDirectory() as scratch:
        for match in _matches(options, rows, Path(scratch)):
            for name in names:
                key = f"{match.table}, {name}, {rows} rows, {budget:g} s"
                if key not in store:
                    work = Path(scratch) / f"{len(results)}"
                    store[key] = asdict(play(match, name, _interpreter(name, options.peers), budget, work))
                results.append(Result(**store[key]))
                print("  ".join(_cells(results[-1], budget)), file=sys.stderr, flush=True)
    if not results:
        no_table("to compare on")
    absent = sorted(set(ENVIRONMENTS) - set(names))
    return outcome(results, budget, FAST_TABLES if options.fast else TABLES, absent)


def _installed(peers: Path | None) -> Iterator[str]:
    for name, environment in ENVIRONMENTS.items():
        if not environment or (peers is not None and _interpreter(name, peers).exists()):
            yield name


def _interpreter(name: str, peers: Path | None) -> Path:
    environment = ENVIRONMENTS[name]
    return Path(sys.executable) if not environment or peers is None else peers / environment / "bin" / "python"


def _matches(options: Options, rows: int, folder: Path) -> Iterator[Match]:
    """Repetitions of each table, with other rows."""
    if options.fast or options.data is None:
        frame = pl.read_csv(EXAMPLE)
        tables = [(name, frame.drop(dropped), name) for name, dropped in (("Churn", []), ("Contract", ["Churn"]))]
    else:
        files = (file for file in tabular(options.data) if options.case in file.name)
        tables = ((file.name, file.frame(), file.target) for file in files)
    for name, frame, target in tables:
        for seed in range(options.reps):
            train, test = sample(frame, target, rows, seed)
            paths = [folder / f"{part}-{name}-{seed}.parquet" for part in ("train", "test")]
            for part, path in zip((train, test), paths, strict=True):
                part.write_parquet(path)
            yield Match(name if options.reps == 1 else f"{name} {seed}", target, *paths)


def sample(frame: pl.DataFrame, target: str, rows: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many rows, each class in its proportion, and of the others no more than ``FUTURE_ROWS``. Labels become text;
    classes of one row are left out, for they cannot be in both.
    """
    frame = frame.filter(pl.col(target).is_not_null()).with_columns(pl.col(target).cast(pl.String))
    frame = frame.filter(pl.len().over(target) > 1)
    share = min(rows / len(frame), LARGEST_SHARE)
    order = np.random.default_rng(seed).permutation(len(frame))
    mixed = frame[order].with_row_index("place of the row")
    within, size = pl.int_range(pl.len()).over(target), pl.len().over(target)
    is_train = mixed.select(within < (size * share).round().clip(1, size - 1)).to_series()
    return (
        mixed.filter(is_train).drop("place of the row"),
        mixed.filter(~is_train).head(FUTURE_ROWS).drop("place of the row"),
    )


def play(match: Match, name: str, python: Path, budget: float, work: Path) -> Result:
    """One contestant on one table. No module of this folder may hide one of the standard library: hence ``-P``."""
    work.mkdir()
    script = str(Path(_contestants.__file__))
    words = [name, str(match.train), str(match.test), match.target, "--budget", f"{budget:g}", "--work", str(work)]
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([str(python), "-P", script, *words], stdout=subprocess.DEVNULL, stderr=errors)
        with _Memory(process.pid) as memory:
            try:
                process.wait(GIVEN_UP * budget + GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    if not (work / "answer.json").exists():
        seconds = time.monotonic() - start
        return Result(
            match.table, name, seconds, peak_megabytes=memory.peak / 1e6, note=lines[-1] if lines else "ended"
        )
    return _result(match, name, work, memory.peak)


def _result(match: Match, name: str, work: Path, peak: int) -> Result:
    answer = json.loads((work / "answer.json").read_text(encoding="utf-8"))
    truth = pl.read_parquet(match.test, columns=[match.target])[match.target].to_numpy()
    scores = scored(truth, np.load(work / "probability.npy"), answer["classes"])
    return Result(
        match.table,
        name,
        answer["seconds"],
        **scores,
        row_seconds=answer["row_seconds"],
        megabytes=answer["bytes"] / 1e6,
        peak_megabytes=peak / 1e6,
        note=answer["note"],
    )


def scored(truth: NDArray[np.object_], probability: NDArray[np.float64], classes: Sequence[str]) -> dict[str, float]:
    """Log-loss, ROC-AUC (one against the rest, mean over the classes that are there) and balanced accuracy."""
    from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

    order = np.argsort(classes)
    labels = np.array(classes)[order]
    p = np.clip(probability[:, order], 1e-15, 1)
    p /= p.sum(axis=1, keepdims=True)
    code = np.searchsorted(labels, truth)
    there = np.unique(code)
    binary = len(labels) == 2
    ranked = (
        [roc_auc_score(code == k, p[:, k]) for k in (there[-1:] if binary else there)] if len(there) > 1 else [np.nan]
    )
    return {
        "log_loss": float(log_loss(truth, p, labels=labels)),
        "roc_auc": float(np.mean(ranked)),
        "balanced_accuracy": float(balanced_accuracy_score(code, p.argmax(axis=1))),
    }


class _Memory:
    """The largest memory of a process and all that it started, in bytes, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self.peak, self._pid, self._ended = 0, pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self.peak = max(self.peak, sum(map(_resident, _family(self._pid))))


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except OSError:
        return 0


def outcome(results: Sequence[Result], budget: float, tables: int, absent: Sequence[str] = ()) -> Outcome:
    names = list(dict.fromkeys(r.name for r in results))
    losses = _losses(results, names)
    ranks = ranked(losses)
    ours = [r for r in results if r.name == OURS]
    standing = [_standing(name, i, names, losses, ranks, results, budget) for i, name in enumerate(names)]
    return Outcome(
        title=f"sortal and its peers, {budget:g} s each, {len(losses)} tables",
        columns=[
            *("table", "contestant", "log-loss", "ROC-AUC", "balanced accuracy"),
            *("wall/budget", "row ms", "MB", "peak MB", "note"),
        ],
        rows=[_cells(r, budget) for r in results],
        goals=list(_goals(names, losses, ranks, ours, budget, tables)),
        notes=[*standing, *(f"not installed: {name}" for name in absent)],
        figures=[asdict(r) | {"budget": budget} for r in results],
    )


def _losses(results: Sequence[Result], names: Sequence[str]) -> NDArray[np.float64]:
    """(tables, contestants) log-losses; infinite where one did not finish."""
    tables = list(dict.fromkeys(r.table for r in results))
    losses = np.full((len(tables), len(names)), np.inf)
    for r in results:
        if r.log_loss is not None:
            losses[tables.index(r.table), names.index(r.name)] = r.log_loss
    return losses


def ranked(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 within each table; equals share theirs, and who did not finish is last.

    >>> ranked(np.array([[0.3, 0.2, np.inf], [0.5, 0.5, 0.6]])).tolist()
    [[2.0, 1.0, 3.0], [1.5, 1.5, 3.0]]
    """
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata(losses, axis=1)
    return ranks


def normalised(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 is the best of a table, 1 the median of all; at most 4, for who did not finish, too.

    >>> normalised(np.array([[0.2, 0.3, 0.4, np.inf]])).round(2).tolist()
    [[0.0, 0.67, 1.33, 4.0]]
    """
    worst = 4.0
    best = losses.min(axis=1, keepdims=True)
    finite = np.where(np.isfinite(losses), losses, np.nan)
    unit = np.maximum(np.nanmedian(finite, axis=1, keepdims=True) - best, 1e-12)
    return np.minimum((losses - best) / unit, worst)


def _standing(
    name: str,
    i: int,
    names: Sequence[str],
    losses: NDArray[np.float64],
    ranks: NDArray[np.float64],
    results: Sequence[Result],
    budget: float,
) -> str:
    own = [r for r in results if r.name == name]
    ratio = [r.seconds / budget for r in own]
    sizes = [r.megabytes for r in own if r.megabytes is not None]
    rows = [1e3 * r.row_seconds for r in own if r.row_seconds is not None]
    parts = [
        f"{name}: mean rank {ranks[:, i].mean():.2f}",
        f"normalised log-loss {normalised(losses)[:, i].mean():.2f}",
        f"wall/budget {np.median(ratio):.2f} at most {max(ratio):.2f}",
    ]
    if sizes:
        parts += [f"{np.median(sizes):.1f} MB", f"a row {np.median(rows):.3g} ms"]
    if OURS in names and name != OURS:
        ours = losses[:, names.index(OURS)]
        parts.append(f"sortal is better on {np.sum(ours < losses[:, i])} of {len(losses)}")
    return ", ".join(parts)


def _goals(
    names: Sequence[str],
    losses: NDArray[np.float64],
    ranks: NDArray[np.float64],
    ours: Sequence[Result],
    budget: float,
    tables: int,
) -> Iterator[Goal]:
    us = names.index(OURS)
    means = ranks.mean(axis=0)
    yield Goal(f"at least {tables} tables", f"{len(losses)}", len(losses) >= tables)
    first = names[int(means.argmin())]
    yield Goal("the best mean rank on log-loss", f"{means[us]:.2f}, best {means.min():.2f} ({first})", first == OURS)
    for i, name in enumerate(names):
        if i != us:
            share = float((losses[:, us] < losses[:, i]).mean())
            yield Goal(f"better than {name} on at least {WON:.0%} of the tables", f"{share:.0%}", share >= WON)
    late = max(r.seconds / budget for r in ours)
    yield Goal(f"wall/budget <= {LATEST} on each", f"at most {late:.3f}", late <= LATEST)
    size = float(np.median([r.megabytes if r.megabytes is not None else np.inf for r in ours]))
    yield Goal(f"median artifact <= {LARGEST_MB:g} MB", f"{size:.1f} MB", size <= LARGEST_MB)


def _cells(result: Result, budget: float) -> list[str]:
    def cell(value: float | None, digits: int, scale: float = 1.0) -> str:
        return "-" if value is None else f"{scale * value:.{digits}f}"

    return [
        result.table,
        result.name,
        cell(result.log_loss, 4),
        cell(result.roc_auc, 4),
        cell(result.balanced_accuracy, 3),
        f"{result.seconds / budget:.2f}",
        cell(result.row_seconds, 3, 1e3),
        cell(result.megabytes, 1),
        f"{result.peak_megabytes:.0f}",
        result.note,
    ]
