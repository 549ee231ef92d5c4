"""How long a million labels take to meet a million predictions, and what logging costs a request.

Each store is asked through its own calls: predictions come through the writer, as in a service; then labels come in an
order of their own, ``add_labels`` a hundred thousand at a time, as from a file; then every prediction is read with its
label, without the inputs, which say nothing of how good it was. The goal is about labels and reading together.
PostgreSQL is measured where a server is installed, one of our own with fsync off; SQLite writes to the disk at each
commit.
"""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from bench import _postgres
from bench._outcome import Goal, Options, Outcome
from sortal.core.errors import StoreError
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelReceipt, LabelRecord, PredictionRecord
from sortal.serve.log.writer import LogWriter

ROWS, FAST_ROWS = 1_000_000, 5_000
LABELS = 100_000
"""Labels of one call."""
GOAL = 10.0
"""Seconds for a million, from the issue."""
LEAST = 1.0
"""Seconds for few, of which most is opening the store and waiting for the disk."""
COLUMNS = 10
START = 1.7e9


@dataclass(frozen=True)
class Timing:
    """Seconds of each step; ``put``: microseconds a row on the response path, in the median of requests of one row.
    ``computed``: by this process while labels came in and were read; less than both where others had the processor.
    """

    store: str
    rows: int
    put: float
    written_per_second: float
    labels: float
    read: float
    read_inputs: float
    computed: float

    @property
    def joined(self) -> float:
        return self.labels + self.read


def run(options: Options) -> Outcome:
    rows = FAST_ROWS if options.fast else ROWS
    timings, notes = [], []
    for repetition in range(options.reps):
        with tempfile.TemporaryDirectory() as folder:
            timings.append(measure("SQLite", f"sqlite:///{folder}/served.db", rows, repetition))
            other = f"sqlite:///{folder}/other.db"
            timings.append(measure("SQLite, ids in no order", other, rows, repetition, ordered=False))
        if _postgres.binaries() is None:
            notes = [f"left out: PostgreSQL: {_postgres.MISSING}"]
            continue
        with server() as url:
            timings.append(measure("PostgreSQL", url, rows, repetition))
    return outcome(timings, rows, notes)


@contextmanager
def server() -> Iterator[str]:
    """The address of a server of our own."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        running = _postgres.Server.make(Path(folder))
        try:
            yield running.url
        finally:
            running.stop("immediate")


def predictions(rows: int, seed: int, *, ordered: bool) -> Iterator[PredictionRecord]:
    """Rows as a service logs them. ``ordered``: their ids come in the order of time, as those that it makes; else in
    none, as those of clients may.
    """
    draw = random.Random(seed)
    for at in range(rows):
        inputs = {f"column_{c}": draw.random() if c % 2 else f"level {draw.randrange(9)}" for c in range(COLUMNS)}
        p = draw.random()
        label = "yes" if p > 0.5 else "no"
        digits = UUID(int=draw.getrandbits(128)).hex
        name = f"{int(1e3 * (START + at / 100)):012x}{digits[12:]}" if ordered else digits
        probabilities = (1 - p, p)
        yield PredictionRecord(
            name, START + at / 100, "ab" * 32, "champion", inputs, label, probabilities, label, None, (), 0.001
        )


def measure(name: str, url: str, rows: int, seed: int, *, ordered: bool = True) -> Timing:
    """One store, from empty."""
    writer = LogWriter(url)
    ids, puts, start = [], [], time.perf_counter()
    for record in predictions(rows, seed, ordered=ordered):
        ids.append(record.row_id)
        before = time.perf_counter()
        while not _is_accepted(writer, record):
            time.sleep(0.01)
            before = time.perf_counter()
        puts.append(time.perf_counter() - before)
    writer.flush(600.0)
    elapsed = time.perf_counter() - start
    writer.close()
    random.Random(seed).shuffle(ids)
    store = open_store(url)
    gc.collect()
    start, computed = time.perf_counter(), time.process_time()
    for first in range(0, rows, LABELS):
        labels = [LabelRecord(row_id, "yes", START) for row_id in ids[first : first + LABELS]]
        assert store.add_labels(labels) == LabelReceipt(len(labels), 0, 0)
    label_end = time.perf_counter()
    n_joined = sum(row.label is not None for row in store.read(inputs=False))
    end, computed = time.perf_counter(), time.process_time() - computed
    assert sum(len(row.prediction.inputs) == COLUMNS for row in store.read()) == rows
    whole = time.perf_counter()
    store.close()
    assert n_joined == rows, f"{n_joined:,} of {rows:,} predictions have their label"
    microseconds = 1e6 * statistics.median(puts)
    return Timing(name, rows, microseconds, rows / elapsed, label_end - start, end - label_end, whole - end, computed)


def _is_accepted(writer: LogWriter, record: PredictionRecord) -> bool:
    try:
        writer.put([record])
    except StoreError:  # faster than the store: there is no room for a moment
        return False
    return True


def outcome(timings: Sequence[Timing], rows: int, notes: Sequence[str]) -> Outcome:
    allowed = max(GOAL * rows / ROWS, LEAST)
    goals = []
    for name in dict.fromkeys(result.store for result in timings):
        seconds = statistics.median(result.joined for result in timings if result.store == name)
        goal = f"{name}: {rows:,} labels joined to {rows:,} predictions in <= {allowed:g} s"
        goals.append(Goal(goal, f"{seconds:.2f} s", seconds <= allowed))
    return Outcome(
        f"Labels that meet their predictions: {rows:,} rows of {COLUMNS} columns",
        [
            "store",
            "put, µs a row",
            "written, rows/s",
            "labels in, s",
            "read joined, s",
            "together, s",
            "computed, s",
            "read with inputs, s",
        ],
        [
            [
                t.store,
                f"{t.put:.1f}",
                f"{t.written_per_second:,.0f}",
                f"{t.labels:.2f}",
                f"{t.read:.2f}",
                f"{t.joined:.2f}",
                f"{t.computed:.2f}",
                f"{t.read_inputs:.2f}",
            ]
            for t in timings
        ],
        goals,
        [*notes, "rows/s of the writer: with the making of the rows, in one process"],
        [asdict(t) | {"joined": t.joined} for t in timings],
    )
