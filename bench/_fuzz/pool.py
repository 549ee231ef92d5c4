"""Many cases in processes of their own: one that dies or hangs is a fault of its case, and is replaced."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench._fuzz.judge import Verdict
from bench._fuzz.seeds import Seed

BATCH = 40
"""Cases that a process is given at once."""
PATIENCE = 90.0
"""Seconds without an answer after which a process hangs: far beyond the limit of a case, as the machine may be busy."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")

Batch = tuple[str, int, int]
"""Cases of a kind, from a first number to before a last."""


@dataclass(frozen=True)
class Trial:
    """A case and what became of it."""

    kind: str
    number: int
    verdict: Verdict


@dataclass
class _Worker:
    """``case``: what it tries now. ``last``: where its batch ends. ``unread``: the beginning of an answer."""

    process: subprocess.Popen[bytes]
    noise: IO[bytes]
    case: tuple[str, int] | None = None
    last: int = 0
    unread: bytes = b""
    last_answer: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        for file in (self.process.stdin, self.process.stdout, self.noise):
            if file is not None:
                with suppress(OSError):
                    file.close()


class Pool:
    """``size`` processes at a time, on these seeds."""

    def __init__(self, seeds: list[Seed], size: int, trained: float) -> None:
        self._arguments = [json.dumps([[str(s.model), str(s.rows)] for s in seeds]), str(trained)]
        self._size = size
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._batches: list[Batch] = []

    def run(self, batches: Iterable[Batch]) -> Iterator[Trial]:
        """All these cases, in no order."""
        self._batches = [
            (kind, at, min(at + BATCH, last)) for kind, first, last in batches for at in range(first, last, BATCH)
        ]
        self._batches.reverse()
        for _ in range(min(self._size, len(self._batches))):
            self._start()
        try:
            while self._workers:
                for key, _ in self._selector.select(timeout=1.0):
                    yield from self._hear(key.data)
                for worker in [w for w in self._workers if time.monotonic() - w.last_answer > PATIENCE]:
                    worker.process.kill()
        finally:
            for worker in self._workers:
                worker.process.kill()
                worker.process.wait()
                worker.close()
            self._selector.close()

    def _start(self) -> None:
        noise = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        process = subprocess.Popen(
            [sys.executable, "-m", "bench._fuzz.worker", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            bufsize=0,
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "RUST_BACKTRACE": "0"},
            cwd=Path(__file__).parents[2],
        )
        worker = _Worker(process, noise)
        self._workers.append(worker)
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)

    def _hear(self, worker: _Worker) -> Iterator[Trial]:
        assert worker.process.stdout is not None
        content = os.read(worker.process.stdout.fileno(), 2**16)
        worker.last_answer = time.monotonic()
        if not content:
            yield from self._bury(worker)
            return
        *lines, worker.unread = (worker.unread + content).split(b"\n")
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            if "begins" in message:
                worker.case = tuple(message["begins"])
            elif "ends" in message:
                worker.case = None
                yield Trial(*message["ends"], Verdict(message["outcome"], message["what"], message["detail"]))
            else:
                self._occupy(worker)

    def _occupy(self, worker: _Worker) -> None:
        """The next cases, or that there are none."""
        assert worker.process.stdin is not None
        if self._batches:
            kind, first, worker.last = self._batches.pop()
            worker.process.stdin.write(f"{kind} {first} {worker.last}\n".encode())
        else:
            worker.process.stdin.close()

    def _bury(self, worker: _Worker) -> Iterator[Trial]:
        """The process is gone: in order where it had nothing to do, else by its case."""
        code = worker.process.wait()
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        self._workers.remove(worker)
        worker.noise.seek(0)
        last_words = " ".join(worker.noise.read().decode(errors="replace").strip().splitlines()[-3:])
        worker.close()
        if worker.case is not None:
            kind, number = worker.case
            how = "hang" if code == -signal.SIGKILL else f"died ({signal.Signals(-code).name if code < 0 else code})"
            yield Trial(kind, number, Verdict("fault", how, last_words))
            if number + 1 < worker.last:
                self._batches.append((kind, number + 1, worker.last))
            self._start()
        elif code:
            raise RuntimeError(f"a worker could not begin: {last_words}")
