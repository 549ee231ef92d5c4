"""The whole loop on a real table with time, by the commands alone: train on the early rows, serve, replay the later
ones, labels afterwards, alarm, retrain, promote, hot swap, rollback; on SQLite and on PostgreSQL.

``--data FOLDER`` has the prices of electricity (rows in the order of time). Without it, and with ``--fast``, the table
is made up: a rule that turns round.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from bench import _postgres
from bench._loop import Output, replay, sortal, wait_for_rows, with_ids
from bench._outcome import Goal, Options, Outcome
from bench._service import Running, serving
from sortal.monitor.watch import SETTLE_SECONDS

TABLE = "tabular_electricity_elec2.parquet"
TARGET = "class"
EARLY, LATER = 4_000, 5_000
FAST_EARLY, FAST_LATER = 500, 600
BUDGET, FAST_BUDGET = 20, 6
"""Seconds of the champion, and of each challenger."""
TOKEN = "of-this-benchmark-alone"


@dataclass
class Trip:
    """What came of each step on one kind of log."""

    store: str
    steps: list[tuple[str, float, str]] = field(default_factory=list)
    failed_requests: int = 0
    alarms: list[str] = field(default_factory=list)
    promoted: bool = False
    swapped: bool = False
    back: bool = False

    def tell(self, step: str, seconds: float, text: str) -> None:
        self.steps.append((step, seconds, text))


def run(options: Options) -> Outcome:
    real = None if options.fast else options.data
    early, later = _turning(FAST_EARLY, 0, False), _turning(FAST_LATER, 1, True)
    if real is not None:
        early, later = _real(real)
    trips, notes = [], []
    with tempfile.TemporaryDirectory(prefix="loop", dir="/tmp") as scratch:
        for name in ("SQLite",) if options.fast else ("SQLite", "PostgreSQL"):
            folder = Path(scratch, name)
            folder.mkdir()
            if name == "PostgreSQL" and _postgres.binaries() is None:
                notes.append(f"left out: {_postgres.MISSING}")
                continue
            with _log(name, folder) as url:
                trips.append(_trip(Trip(name), folder, url, early, later, FAST_BUDGET if real is None else BUDGET))
    source = "a made-up table whose rule turns" if real is None else TABLE
    title = f"The loop by the commands: {source}, {early.height:,} rows, then {later.height:,}"
    return outcome(trips, title, notes)


def _real(data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """In the order of time."""
    rows = pl.read_parquet(data / TABLE)
    return rows[:EARLY], rows[EARLY : EARLY + LATER]


def _turning(n: int, seed: int, turned: bool) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    demand, plan = rng.normal(size=n).round(3), rng.choice(["basic", "pro"], size=n)
    up = (demand > 0) ^ turned ^ (rng.random(n) < 0.1)
    return pl.DataFrame({"demand": demand, "plan": plan, TARGET: np.where(up, "UP", "DOWN")})


@contextmanager
def _log(name: str, folder: Path) -> Iterator[str]:
    if name == "SQLite":
        yield f"sqlite:///{folder / 'served.db'}"
        return
    home = folder / "pg"
    home.mkdir()
    for parent in (folder, folder.parent):
        parent.chmod(0o755)  # its user has to come by
    server = _postgres.Server.make(home)
    try:
        yield server.url
    finally:
        server.stop("immediate")


def _trip(trip: Trip, folder: Path, url: str, early: pl.DataFrame, later: pl.DataFrame, budget: int) -> Trip:
    rows = with_ids(later)
    early.write_csv(folder / "early.csv")
    rows.select("id", TARGET).write_csv(folder / "labels.csv")
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    _step(
        trip,
        "train",
        folder,
        "train",
        "early.csv",
        "--target",
        TARGET,
        "--budget",
        f"{budget}s",
        "--out",
        "run",
        "--json",
    )
    _step(trip, "add", folder, "registry", "models", "--add", "run")
    model_file = folder / "models" / "champion.sortal"
    with serving(model_file, "--log", url, "--token-file", folder / "token", token=TOKEN) as service:
        first = _sha256(model_file)
        start = time.monotonic()
        statuses = replay(service, rows, TARGET)
        trip.failed_requests += sum(status != 200 for status in statuses)
        wait_for_rows(url, rows.height)
        trip.tell("replay", time.monotonic() - start, f"{rows.height:,} rows, {len(statuses):,} requests")
        result = _step(
            trip, "label", folder, "label", url, "labels.csv", "--label", TARGET, "--model", model_file, "--json"
        )
        trip.tell("", 0.0, f"{result.json['new']:,} labels, {result.json['unmatched']:,} of no row")
        time.sleep(SETTLE_SECONDS + 1)
        report = _step(trip, "monitor", folder, "monitor", model_file, "--log", url, "--json", codes=(0, 3))
        trip.alarms = [alarm["message"] for alarm in report.json["alarms"]]
        trip.tell(
            "", 0.0, f"{len(trip.alarms)} alarms; {trip.alarms[-1] if trip.alarms else 'none'}; {report.json['kind']}"
        )
        _retrain(trip, folder, url, service, model_file, rows[-1:], budget, first)
    return trip


def _retrain(
    trip: Trip, folder: Path, url: str, service: Running, model_file: Path, row: pl.DataFrame, budget: int, first: str
) -> None:
    options = ("--data", "early.csv", "--log", url, "--budget", f"{budget}s", "--why", "an alarm", "--json")
    result = _step(trip, "retrain", folder, "retrain", "models", *options, codes=(0, 3))
    verdict, trip.promoted = result.json["verdict"], result.code == 0
    trip.tell("", 0.0, f"{result.json['used']} rows, {result.json['chosen']}: {verdict['reasons'][0]['text']}")
    for reason in verdict["reasons"][1:]:
        if not reason["holds"]:
            trip.tell("", 0.0, f"{reason['code']} {reason['text']}")
    if not trip.promoted:
        return
    second = _sha256(model_file)
    trip.swapped = _answers(trip, service, row, second) and second != first
    _step(trip, "rollback", folder, "rollback", "models", "--why", "the end of the trip")
    trip.back = _answers(trip, service, row, first, 2) and _sha256(model_file) == first


def _answers(trip: Trip, service: Running, row: pl.DataFrame, sha256: str, times: int = 1) -> bool:
    """Whether the service says that it answers with a model, and does."""
    start = time.monotonic()
    model_hash = service.wait_for("model swapped", times)["model"]
    answer = service.predict(*row.drop("id", TARGET).to_dicts())
    trip.failed_requests += answer.status != 200
    trip.tell("swapped", time.monotonic() - start, f"{model_hash[:12]} answers")
    return bool(model_hash == sha256 and answer.json["model"] == sha256)


def _step(trip: Trip, name: str, folder: Path, *words: object, codes: tuple[int, ...] = (0,)) -> Output:
    result = sortal(*words, folder=folder)
    if result.code not in codes:
        raise RuntimeError(f"sortal {words[0]} ended with {result.code}: {result.err}")
    trip.tell(name, result.seconds, f"exit {result.code}")
    return result


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outcome(trips: list[Trip], title: str, notes: list[str]) -> Outcome:
    goals = []
    for trip in trips:
        goals += [
            Goal(
                f"{trip.store}: every request is answered", f"{trip.failed_requests} were not", not trip.failed_requests
            ),
            Goal(f"{trip.store}: the change raises an alarm", f"{len(trip.alarms)} did", bool(trip.alarms)),
            Goal(
                f"{trip.store}: the gate lets the retrained model through",
                "it did" if trip.promoted else "it did not",
                trip.promoted,
            ),
            Goal(
                f"{trip.store}: the service answers with it", "it does" if trip.swapped else "it does not", trip.swapped
            ),
            Goal(f"{trip.store}: and with the former one again", "it does" if trip.back else "it does not", trip.back),
        ]
    return Outcome(
        title=title,
        columns=["log", "step", "seconds", "what came of it"],
        rows=[
            [trip.store if not at else "", step, f"{seconds:.1f}" if step else "", text]
            for trip in trips
            for at, (step, seconds, text) in enumerate(trip.steps)
        ],
        goals=goals,
        notes=notes,
        figures=[
            {"store": t.store, "alarms": len(t.alarms), "promoted": t.promoted, "swapped": t.swapped, "back": t.back}
            for t in trips
        ],
    )
