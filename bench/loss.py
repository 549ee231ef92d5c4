"""Of the rows and labels that a service answered with 200, how many are not in its log? Once it was told to stop under
load, killed, and while its disk was full, its database away and its clock set to another time.

Each case has a service of its own. Clients ask as fast as they are answered, each row under an id of its own; another
one labels rows that were answered. When all is over the log is read and compared. The disk is a small file system of
its own (tmpfs), which gets larger after a while; the database is a PostgreSQL server that is stopped at once, as by a
crash, and started again. The clock is that of the service's Python (``time.time``, which everything in it asks), set
forward by ten years and back by twenty: the machine has others who need its clock.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from bench import _postgres
from bench._outcome import Goal, Options, Outcome
from bench._service import PATIENCE, Running, serving
from bench._tables import EXAMPLE
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord

CLIENTS = 4
BEFORE, FAST_BEFORE = 5.0, 1.5
"""Seconds of load before something happens."""
AWAY, FULL = 30.0, 10.0
"""Seconds that the database is away, and the disk full."""
AFTER = 3.0
"""Seconds of load when all is well again."""
SMALL, LARGE = "2m", "256m"
ALLOWED = 1.0
"""Seconds before a kill, the rows of which may be lost."""
LABEL_PAUSE = 0.2
"""Seconds between two labels: each brings the rows before it into the log at once."""
YEAR = 365.25 * 86_400
CLOCK = """
import time
from pathlib import Path
now, file = time.time, Path(__file__).with_name("seconds")
time.time = lambda: now() + float(file.read_text() or 0)
"""


@dataclass(frozen=True)
class Fate:
    """``rows`` and ``labels`` that were answered with 200; those of them that are ``lost``, and rows that are there
    ``twice``; how many seconds before the end the first lost row was answered; ``refused``: rows answered with 503.
    """

    case: str
    store: str
    rows: int
    labels: int
    refused: int
    lost: int
    lost_labels: int
    twice: int
    seconds: float


@dataclass
class Clients:
    """What was answered: ids of rows with the time of the answer, and of labels."""

    port: int
    rows: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> list[threading.Thread]:
        inputs = pl.read_csv(EXAMPLE, infer_schema=False).drop("customerID", "Churn").to_dicts()
        threads = [threading.Thread(target=self._ask, args=(at, inputs[at::CLIENTS])) for at in range(CLIENTS)]
        threads.append(threading.Thread(target=self._label))
        for thread in threads:
            thread.start()
        return threads

    def _ask(self, name: int, inputs: Sequence[dict[str, str]]) -> None:
        number = 0
        with self._connected() as post:
            while not self.ended.is_set():
                row_id = f"{name}-{number}"
                status = post("/v1/predict", {"rows": [inputs[number % len(inputs)]], "ids": [row_id]})
                number += 1
                self.statuses[status] += 1
                if status == 200:
                    self.rows[row_id] = time.monotonic()
                else:
                    time.sleep(0.01)

    def _label(self) -> None:
        count = 0
        with self._connected() as post:
            while not self.ended.wait(LABEL_PAUSE):
                row_id = next(iter(reversed(self.rows)), "")
                if row_id and row_id not in self.labels:
                    count += 1
                    label = ("Yes", "No")[count % 2]
                    if post("/v1/labels", {"labels": [{"id": row_id, "label": label}]}) == 200:
                        self.labels[row_id] = label

    @contextmanager
    def _connected(self) -> Iterator[Callable[[str, object], int]]:
        """Ends in silence when the service does: what it did not answer is no promise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

        def post(path: str, body: object) -> int:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        with suppress(OSError, http.client.HTTPException), closing(connection):
            yield post


@dataclass(frozen=True)
class Case:
    """``happen``: what befalls the service that runs, and returns when it was over."""

    name: str
    store: str
    log: str
    happen: Callable[[Running], None]
    options: tuple[object, ...] = ()
    path: Path | None = None


def run(options: Options) -> Outcome:
    from bench.serve import trained

    notes: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        model, _ = trained(folder)
        cases = list(_cases(folder, stack, notes, options.fast))
        fates = [_fate(model, case, FAST_BEFORE if options.fast else BEFORE) for case in cases]
    return outcome(fates, notes)


def _cases(folder: Path, stack: ExitStack, notes: list[str], fast: bool) -> Iterator[Case]:
    def sqlite(name: str) -> str:
        return f"sqlite:///{folder}/{name}.db"

    workers = () if fast else ("--workers", 2)
    yield Case("SIGTERM", "SQLite", sqlite("term"), _terminate, workers)
    yield Case("kill -9", "SQLite", sqlite("kill"), _kill, workers)
    if fast:
        return
    seconds = folder / "clock" / "seconds"
    seconds.parent.mkdir()
    seconds.write_text("0")
    (seconds.parent / "sitecustomize.py").write_text(CLOCK)
    retention = ("--retention", "90d")
    yield Case("clock jumps", "SQLite", sqlite("clock"), lambda _: _jump(seconds), retention, seconds.parent)
    disk = stack.enter_context(_small_disk(folder / "disk", notes))
    if disk is not None:
        yield Case("disk full", "SQLite", f"sqlite:///{disk}/served.db", lambda _: _fill(disk))
    if _postgres.binaries() is None:
        notes.append(f"left out: PostgreSQL: {_postgres.MISSING}")
        return
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="pg", dir="/tmp"))
    server = _postgres.Server.make(Path(home))
    stack.callback(server.stop, "immediate")
    for name, happen in (("SIGTERM", _terminate), ("kill -9", _kill), ("database away", lambda _: _away(server))):
        schema = name.split()[0].lower()
        _make_schema(server.url, schema)
        yield Case(name, "PostgreSQL", f"{server.url}&options=-csearch_path%3D{schema}", happen, workers)


def _fate(model: Path, case: Case, before: float) -> Fate:
    with serving(model, "--log", case.log, *case.options, path=case.path) as running:
        clients = Clients(running.port)
        threads = clients.start()
        time.sleep(before)
        case.happen(running)
        end = time.monotonic()
        clients.ended.set()
        for thread in threads:
            thread.join()
        if running.process.poll() is None:
            running.stop()
    return _compared(case, clients, end)


def _compared(case: Case, clients: Clients, end: float) -> Fate:
    with closing(open_store(case.log, make=False)) as store:
        there = Counter(row.prediction.row_id for row in store.read(-1e12, inputs=False))
        # A label that is there is known already; its row may be lost where another worker had it.
        again = store.add_labels([LabelRecord(row_id, label, end) for row_id, label in clients.labels.items()])
    lost_times = [time for row_id, time in clients.rows.items() if row_id not in there]
    return Fate(
        case.name,
        case.store,
        rows=len(clients.rows),
        labels=len(clients.labels),
        refused=clients.statuses[503],
        lost=len(lost_times),
        lost_labels=len(clients.labels) - again.repeated,
        twice=sum(count > 1 for count in there.values()),
        seconds=end - min(lost_times) if lost_times else 0.0,
    )


def _terminate(running: Running) -> None:
    running.stop(signal.SIGTERM)


def _kill(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGKILL)


def _jump(file: Path) -> None:
    for years in (10, -10, 0):
        file.write_text(str(years * YEAR))
        time.sleep(AFTER)


@contextmanager
def _small_disk(folder: Path, notes: list[str]) -> Iterator[Path | None]:
    """A file system of its own, None where we may not make one."""
    folder.mkdir()
    process = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", folder], capture_output=True, text=True
    )
    if process.returncode:
        notes.append(f"left out: disk full: {process.stderr.strip()}")
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _fill(disk: Path) -> None:
    """Wait until it is full, and then some; then make it larger."""
    until = time.monotonic() + PATIENCE
    while _free(disk) > 2**16 and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(FULL)
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", disk], check=True)
    time.sleep(AFTER)


def _free(disk: Path) -> int:
    about = os.statvfs(disk)
    return about.f_bavail * about.f_frsize


def _away(server: _postgres.Server) -> None:
    server.stop("immediate")
    time.sleep(AWAY)
    server.start()
    time.sleep(AFTER)


def _make_schema(url: str, name: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')


def outcome(fates: Sequence[Fate], notes: Sequence[str]) -> Outcome:
    return Outcome(
        "Rows and labels that were answered with 200, and what of them is in the log",
        ["case", "store", "rows", "labels", "refused", "lost", "labels lost", "twice", "lost of the last"],
        [
            [
                *(f.case, f.store, f"{f.rows:,}", f"{f.labels:,}", f"{f.refused:,}", str(f.lost), str(f.lost_labels)),
                *(str(f.twice), f"{f.seconds:.2f} s" if f.lost else "-"),
            ]
            for f in fates
        ],
        [_goal(fate) for fate in fates],
        notes,
        [asdict(fate) for fate in fates],
    )


def _goal(fate: Fate) -> Goal:
    enough = fate.rows > 0 and fate.labels > 0 and not fate.twice and not fate.lost_labels
    figure = f"{fate.lost:,} of {fate.rows:,} rows and {fate.lost_labels:,} of {fate.labels:,} labels"
    if fate.case == "kill -9":
        goal = f"{fate.case}, {fate.store}: lost are rows of <= {ALLOWED:g} s"
        return Goal(goal, f"{figure}, of {fate.seconds:.2f} s", enough and fate.seconds <= ALLOWED)
    return Goal(f"{fate.case}, {fate.store}: 0 lost, none twice", figure, enough and not fate.lost)
