"""A service on one core, a client on another: how many rows a second, how long one takes, and what it costs to log all
of them. Beside it what people build today, in environments of their own.

All services run at once and are asked in turns, so that what else the machine does meets all of them alike; who has no
turn is idle. A client at saturation sends the next request when the answer came; a client at a constant rate does not
wait, and its latencies count from when a request was due.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import polars as pl
from scipy.stats import binom

from bench import _serve_peers
from bench._load import Load, constant, request, saturated
from bench._outcome import Goal, Options, Outcome
from bench._service import Running, group_cpu_seconds, serving
from bench._tables import EXAMPLE

TARGET = "Churn"
REPS, SECONDS, FAST_SECONDS = 5, 2.0, 0.7
WARM_SECONDS = 1.0
REST = 0.5
"""Seconds after a turn, in which a log stores what it has not yet: rows wait for others at most half as long."""
PAIRS = 4
"""Turns with a log and without, for each repetition: what a log costs is less than what a turn differs by from others,
and so each turn is held against the one beside it.
"""
CONNECTIONS = 16
ROWS = 1_500
"""To learn from: the model of more would have the same size."""
STEADY, BUSY, FAST_RATE = 1_000.0, 2_000.0, 100.0
"""Requests a second of the goals."""
MANY = 64
OVER_FASTAPI, OVER_MLFLOW, MOST_LOGGING, MOST_P99 = 3.0, 25.0, 0.10, 0.005
ENVIRONMENT = "serve"
"""Below the folder of peers: python -m venv PEERS/serve; pip install there fastapi uvicorn mlflow pandas scikit-learn
and sortal.
"""
STARTING = 120.0
"""Seconds that a peer has to start."""


@dataclass(frozen=True)
class Figure:
    """Of several repetitions the medians. ``rate``: requests a second; ``cpu``: seconds of the server a request, and
    ``cpu_of_turns``, one after another. ``bad``: requests that were refused or broke; ``waiting``: those that the
    client gave up, ten seconds after the end.
    """

    name: str
    rate: float
    p50: float
    p99: float
    cpu: float
    bad: int
    waiting: int = 0
    cpu_of_turns: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Turn:
    """One way to ask one service. ``cpu``: seconds that this service has computed."""

    name: str
    load: Callable[[], Load]
    cpu: Callable[[], float]


def run(options: Options) -> Outcome:
    reps, seconds = (1, FAST_SECONDS) if options.fast else (max(REPS, options.reps), SECONDS)
    python = None if options.fast or options.peers is None else options.peers / ENVIRONMENT / "bin" / "python"
    left_out = list(_serve_peers.PEERS) if python is None or not python.exists() else []
    with tempfile.TemporaryDirectory() as folder, on_its_own_core() as core:
        bench = _Bench(Path(folder), seconds, core)
        with _sortal(bench) as services, ExitStack() as stack:
            at_saturation = _saturated(bench, services)
            if python is not None and not left_out:
                at_saturation += [stack.enter_context(bench.peer(python, name)) for name in _serve_peers.PEERS]
            figures = [*in_turns(at_saturation, reps), *in_turns([_steady(bench, services, options.fast)], reps)]
            if not options.fast:
                figures += in_turns(_busy(bench, services), PAIRS * reps)
    return outcome(figures, options.fast, left_out, core)


def in_turns(turns: Sequence[_Turn], reps: int) -> list[Figure]:
    """The figures of each, asked one after another, so many times around."""
    results: list[list[tuple[Load, float]]] = [[] for _ in turns]
    for _ in range(reps):
        for turn, so_far in zip(turns, results, strict=True):
            before = turn.cpu()
            load = turn.load()
            time.sleep(REST)
            so_far.append((load, (turn.cpu() - before) / max(1, load.answered)))
    return [_figure(turn.name, so_far) for turn, so_far in zip(turns, results, strict=True)]


def _figure(name: str, results: Sequence[tuple[Load, float]]) -> Figure:
    loads, cpu_of_turns = [load for load, _ in results], tuple(cpu for _, cpu in results)
    figure = Figure(
        name,
        rate=median(load.rate for load in loads),
        p50=median(load.quantile(0.5) for load in loads),
        p99=median(load.quantile(0.99) for load in loads),
        cpu=median(cpu_of_turns),
        bad=sum(load.bad for load in loads),
        waiting=sum(load.unanswered for load in loads),
        cpu_of_turns=cpu_of_turns,
    )
    print("  ".join(_cells(figure)), file=sys.stderr, flush=True)
    return figure


@contextmanager
def on_its_own_core() -> Iterator[int | None]:
    """The client takes the last core of the machine, and the first is the server's; None where there is but one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        yield None
        return
    os.sched_setaffinity(0, {cores[-1]})
    try:
        yield cores[0]
    finally:
        os.sched_setaffinity(0, cores)


class _Bench:
    """A model, rows for it, and ways to ask whatever answers them."""

    def __init__(self, folder: Path, seconds: float, core: int | None) -> None:
        self.folder, self._seconds, self.core = folder, seconds, core
        self.model, self.shadow = trained(folder)
        rows = _rows()
        self._one = one_row()
        self._many = [
            request("/v1/predict", json.dumps({"rows": rows[at : at + MANY]}).encode()) for at in range(0, 400, 8)
        ]
        self._records = [request("/invocations", json.dumps({"dataframe_records": [row]}).encode()) for row in rows]

    @contextmanager
    def service(self, *options: object) -> Iterator[Running]:
        with serving(self.model, *options, core=self.core) as running:
            saturated(running.port, self._one, WARM_SECONDS, CONNECTIONS)
            yield running

    def log(self) -> list[str]:
        """Options for a log of its own."""
        number = len(list(self.folder.glob("*.db")))
        return ["--log", f"sqlite:///{self.folder}/served-{number}.db"]

    def one(self, name: str, running: Running) -> _Turn:
        return self._saturated(name, running.port, self._one, lambda: running.cpu_seconds)

    def many(self, name: str, running: Running) -> _Turn:
        return self._saturated(name, running.port, self._many, lambda: running.cpu_seconds)

    def steady(self, name: str, running: Running, rate: float) -> _Turn:
        return _Turn(name, lambda: constant(running.port, self._one, rate, self._seconds), lambda: running.cpu_seconds)

    @contextmanager
    def peer(self, python: Path, name: str) -> Iterator[_Turn]:
        requests = self._records if name == "mlflow" else self._one
        with _peer(python, name, self) as (port, group):
            saturated(port, requests, WARM_SECONDS, CONNECTIONS)
            yield self._saturated(name, port, requests, lambda: group_cpu_seconds(group))

    def _saturated(self, name: str, port: int, requests: Sequence[bytes], cpu: Callable[[], float]) -> _Turn:
        return _Turn(name, lambda: saturated(port, requests, self._seconds, CONNECTIONS), cpu)


ONE, UNLOGGED, SHADOWED = "one row, logged", "one row, no log", "one row, logged, with a shadow"
AT_STEADY, AT_BUSY, AT_BUSY_UNLOGGED = (
    f"one row, {STEADY:,.0f}/s, logged",
    f"one row, {BUSY:,.0f}/s, logged",
    f"one row, {BUSY:,.0f}/s, no log",
)


@dataclass(frozen=True)
class _Services:
    logged: Running
    plain: Running
    shadowed: Running


@contextmanager
def _sortal(bench: _Bench) -> Iterator[_Services]:
    with (
        bench.service(*bench.log()) as logged,
        bench.service("--log", "none") as plain,
        bench.service(*bench.log(), "--shadow", bench.shadow) as shadowed,
    ):
        yield _Services(logged, plain, shadowed)


def _saturated(bench: _Bench, services: _Services) -> list[_Turn]:
    return [
        bench.one(ONE, services.logged),
        bench.one(UNLOGGED, services.plain),
        bench.one(SHADOWED, services.shadowed),
        bench.many(f"{MANY} rows, logged", services.logged),
    ]


def _steady(bench: _Bench, services: _Services, fast: bool) -> _Turn:
    if fast:
        return bench.steady(f"one row, {FAST_RATE:,.0f}/s, logged", services.logged, FAST_RATE)
    return bench.steady(AT_STEADY, services.logged, STEADY)


def _busy(bench: _Bench, services: _Services) -> list[_Turn]:
    return [
        bench.steady(AT_BUSY, services.logged, BUSY),
        bench.steady(AT_BUSY_UNLOGGED, services.plain, BUSY),
    ]


def _rows() -> list[dict[str, object]]:
    return pl.read_csv(EXAMPLE).drop("customerID", TARGET).head(500).to_dicts()


def one_row(headers: Sequence[str] = ()) -> list[bytes]:
    """Requests of one row of the example each."""
    return [request("/v1/predict", json.dumps({"rows": [row]}).encode(), headers) for row in _rows()]


def trained(folder: Path) -> tuple[Path, Path]:
    """A logistic regression on a part of the example, and the same for other shares of its classes."""
    import sortal

    model = folder / "churn.sortal"
    rows = pl.read_csv(EXAMPLE, infer_schema=False).sample(ROWS, seed=0).drop("customerID")
    run = sortal.train(rows, TARGET, models=["logistic"], budget=60, out=folder / "run")
    run.model.save(model)
    shadow = folder / "shadow.sortal"
    run.model.at_prevalence({"Yes": 0.3}).save(shadow)
    return model, shadow


@contextmanager
def _peer(python: Path, name: str, bench: _Bench) -> Iterator[tuple[int, int]]:
    """A peer that answers: its port, and the group of its processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [python, _serve_peers.__file__, name, bench.model, EXAMPLE, TARGET, port, bench.folder]
    source = Path(_serve_peers.__file__).parent.parent / "src"
    core = bench.core
    process = subprocess.Popen(
        list(map(str, words)),
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        until = time.monotonic() + STARTING
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{name} did not start: {' '.join(map(str, words))}")
            time.sleep(0.2)
        yield port, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def outcome(figures: Sequence[Figure], fast: bool, left_out: Sequence[str], core: int | None) -> Outcome:
    by_name = {figure.name: figure for figure in figures}
    bad = sum(figure.bad for figure in figures if figure.name not in _serve_peers.PEERS)
    goals = [Goal("no request fails", f"{bad} did", bad == 0)]
    if not fast:
        goals += _goals(by_name)
    notes = [
        "the client is our own (bench/_load.py), one thread; latencies at a rate count from when a request was due",
        "a service logs every row and writes a line of JSON a request; peers log nothing",
        "all are asked in turns, and figures are medians of turns",
        *(["one core: client and server share it"] if core is None else []),
        *(f"not installed: {name} (below --peers, environment {ENVIRONMENT!r})" for name in left_out),
    ]
    return Outcome(
        title="Serving a logistic regression of the example, one worker on one core",
        columns=["", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "failed", "given up"],
        rows=[_cells(figure) for figure in figures],
        goals=goals,
        notes=notes,
        figures=[asdict(figure) for figure in figures],
    )


def _goals(by_name: dict[str, Figure]) -> Iterator[Goal]:
    one = by_name[ONE]
    for name, least in (("fastapi", OVER_FASTAPI), ("mlflow", OVER_MLFLOW)):
        if name in by_name:
            ratio = one.rate / by_name[name].rate
            yield Goal(
                f"at least {least:g} times the requests of {name}, one row", f"{ratio:.1f} times", ratio >= least
            )
    logged, plain = by_name[AT_BUSY], by_name[AT_BUSY_UNLOGGED]
    cost, low, high = median_interval(
        [mine / its - 1 for mine, its in zip(logged.cpu_of_turns, plain.cpu_of_turns, strict=True)]
    )
    rate = min(logged.rate, plain.rate)
    figure = f"{cost:+.0%} [{low:+.0%}, {high:+.0%}] of the server's CPU at {rate:,.0f}/s"
    holds = cost <= MOST_LOGGING and rate >= 0.99 * BUSY
    yield Goal(f"logging costs at most {MOST_LOGGING:.0%} at {BUSY:,.0f} requests/s", figure, holds)
    steady = by_name[AT_STEADY]
    figure = f"{1e3 * steady.p99:.1f} ms at {steady.rate:,.0f}/s"
    holds = steady.p99 <= MOST_P99 and steady.rate >= 0.99 * STEADY
    yield Goal(f"p99 at most {1e3 * MOST_P99:g} ms at {STEADY:,.0f} requests/s", figure, holds)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and between which of the values that of all turns lies at 95 % (the sign test), whatever their
    distribution.

    >>> median_interval(list(range(1, 21)))
    (10.5, 6, 15)
    """
    ordered = sorted(values)
    below = max(0, int(binom.ppf(0.025, len(ordered), 0.5)) - 1)
    return median(ordered), ordered[below], ordered[-1 - below]


def _cells(figure: Figure) -> list[str]:
    return [
        figure.name,
        f"{figure.rate:,.0f}",
        f"{1e3 * figure.p50:.2f}",
        f"{1e3 * figure.p99:.2f}",
        f"{1e6 * figure.cpu:.0f}",
        str(figure.bad),
        str(figure.waiting),
    ]
