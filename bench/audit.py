"""Seconds and memory of an audit of a large table of mixed kinds, and of each of its checks.

The command line runs as a process of its own: reading, inference of kinds, all checks and printing. A second run, in
this process, takes the time of each check; the first check that needs what checks share pays for it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench._outcome import Goal, Options, Outcome
from bench._tables import table_files
from sortal.checks.audit import AuditContext, NotApplicable
from sortal.core import registry
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import frame_problem

ROWS, FAST_ROWS = 1_000_000, 50_000
TARGET = "outcome"
MOST_SECONDS, MOST_GIGABYTES = 60.0, 4.0


@dataclass(frozen=True)
class Step:
    """One step of the audit: ``result`` is what it found, in words."""

    step: str
    seconds: float
    result: str = ""


@dataclass(frozen=True)
class Whole:
    """One file, audited by the command line: wall and processor seconds and the most memory, in gigabytes."""

    name: str
    rows: int
    columns: int
    seconds: float
    processor: float
    gigabytes: float


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "mixed.parquet")
        mixed_frame(FAST_ROWS if options.fast else ROWS).write_parquet(file)
        wholes = [whole(file, TARGET)]
        steps = timed_steps(file, TARGET)
    for table in table_files(options.data) if options.data else []:
        if table.target:
            wholes.append(whole(table.path, table.target))
            print(table.name, file=sys.stderr)
    return outcome(wholes, steps)


def mixed_frame(rows: int, seed: int = 0) -> pl.DataFrame:
    """49 columns and a target: numbers, categories with few and many levels, booleans, dates; some missing, some rows
    twice.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    columns: dict[str, object] = {}
    for j in range(20):
        columns[f"measure {j}"] = gaps(rng.normal(size=rows) + 0.1 * (j % 4) * signal, 0.02 * (j % 5), rng)
    for j in range(6):
        columns[f"amount {j}"] = np.round(rng.lognormal(3, 1 + 0.1 * j, rows), 2)
    for j in range(6):
        columns[f"count {j}"] = rng.poisson(1 + 3 * j, rows)
    for j in range(6):
        columns[f"kind {j}"] = labels("level", rng.integers(4 + 3 * j, size=rows))
    for j, levels in enumerate((500, 5_000, 50_000)):
        columns[f"place {j}"] = labels("place", (levels * rng.beta(1, 3, rows)).astype(np.int64))
    for j in range(4):
        columns[f"flag {j}"] = rng.random(rows) < 0.2 + 0.2 * j
    for j in range(3):
        columns[f"day {j}"] = np.datetime64("2020-01-01", "us") + rng.integers(10**9, size=rows) * 10**6
    columns["customer"] = labels("c", rng.permutation(rows))
    columns[TARGET] = np.where(signal + rng.normal(scale=2, size=rows) > 1.5, "yes", "no")
    frame = pl.DataFrame(columns)
    return pl.concat([frame[: rows - rows // 50], frame[: rows // 50]])


def gaps(values: np.ndarray, share: float, rng: np.random.Generator) -> pl.Series:
    return pl.Series(np.where(rng.random(len(values)) < share, np.nan, values)).fill_nan(None)


def labels(word: str, numbers: np.ndarray) -> pl.Series:
    return pl.select(pl.format(f"{word} {{}}", pl.lit(pl.Series(numbers)))).to_series()


def whole(file: Path, target: str) -> Whole:
    command = [sys.executable, "-m", "sortal.cli", "audit", str(file), "--target", target]
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"the audit of {file.name} ended with exit code {process.returncode}: {process.stderr.strip()[-500:]}")
    frame = pl.scan_parquet(file)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows = int(frame.select(pl.len()).collect().item())
    return Whole(file.stem, rows, len(frame.collect_schema()), seconds, processor, after.ru_maxrss * 1024 / 1e9)


def timed_steps(file: Path, target: str) -> list[Step]:
    """Reading with inference, what checks share, then check by check."""
    start = time.monotonic()
    problem = frame_problem(str(file), GoalOptions(target), RowOptions())
    steps = [Step("read, infer kinds, conform", time.monotonic() - start)]
    case = AuditContext(problem.table, problem.codes, problem.task.classes, 0, problem.raw)
    start = time.monotonic()
    powers = case.powers
    steps.append(Step("each column alone (shared)", time.monotonic() - start, f"{len(powers)} columns"))
    for name in registry.names("sortal.checks"):
        check = registry.load("sortal.checks", name)
        start = time.monotonic()
        findings = check.find(case)
        what = findings.reason if isinstance(findings, NotApplicable) else f"{len(findings)} found"
        steps.append(Step(f"{check.code} {check.title}", time.monotonic() - start, what))
    return steps


def outcome(wholes: list[Whole], steps: list[Step]) -> Outcome:
    first = wholes[0]
    slowest, largest = max(w.seconds for w in wholes), max(w.gigabytes for w in wholes)
    tables = [
        [f"sortal audit {w.name}", f"{w.seconds:.1f}", f"{w.rows:,} x {w.columns}, {w.processor:.1f} s of processors"]
        for w in wholes
    ]
    return Outcome(
        title=f"an audit of {first.rows:,} rows x {first.columns} columns",
        columns=["step", "seconds", ""],
        rows=[*([s.step, f"{s.seconds:.2f}", s.result] for s in steps), *tables],
        goals=[
            Goal(f"at most {MOST_SECONDS:g} s", f"{slowest:.1f} s", slowest <= MOST_SECONDS),
            Goal(f"at most {MOST_GIGABYTES:g} GB", f"{largest:.2f} GB", largest <= MOST_GIGABYTES),
        ],
        notes=["the last lines are whole processes of the command line, with start and printing"],
        figures=[
            *(
                {
                    "table": w.name,
                    "rows": w.rows,
                    "seconds": w.seconds,
                    "processor_seconds": w.processor,
                    "gigabytes": w.gigabytes,
                }
                for w in wholes
            ),
            *({"step": s.step, "seconds": s.seconds} for s in steps),
        ],
    )
