"""A service: its main process, which starts the workers, starts anew what ends by itself, and ends them all."""

from __future__ import annotations

import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import NoReturn

from sortal.core.errors import OptionError
from sortal.serve.logs import logging_config
from sortal.serve.settings import Settings, bound_socket

KILL_SECONDS = 20.0
"""Seconds after which a worker that has not stopped is killed: what it needs to answer, and to log, is less."""
APART = 1.0
"""Seconds between two starts of a worker that does not stay."""
INSTALL_HINT = "serving needs a server of HTTP, which is an extra: pip install 'sortal[serve]'"

LOGGER = logging.getLogger("sortal.serve")


def run(settings: Settings, on_start: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal ends it. ``settings`` are checked, its host an address, its port free; ``on_start`` is
    called when the first worker listens.
    """
    if find_spec("uvicorn") is None or find_spec("httptools") is None:
        raise OptionError(INSTALL_HINT)
    logging.config.dictConfig(logging_config(settings.level))
    with (
        TemporaryDirectory(prefix="sortal-serve-", ignore_cleanup_errors=True) as folder,
        bound_socket(settings.host, settings.port) as listener,
    ):
        _Workers(settings, Path(folder), listener, on_start).run()


@dataclass
class _Worker:
    process: SpawnProcess
    receiver: Connection
    """It says once that it listens."""
    start: float
    listens: bool = False


class _Workers:
    """They are new processes, not copies: threads of numpy and onnxruntime do not live on in a copy. All of them take
    connections from one socket, so that nothing is lost that waits there when one of them ends.
    """

    def __init__(self, settings: Settings, folder: Path, listener: socket.socket, on_start: Callable[[], None]) -> None:
        self._settings, self._folder, self._listener, self._on_start = settings, folder, listener, on_start
        self._workers: list[_Worker] = []
        self._some_listened = False
        self._is_starting, self._ending = False, threading.Event()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        for _ in range(self._settings.workers):
            self._begin()
        while self._workers:
            wait([w.process.sentinel for w in self._workers] + [w.receiver for w in self._workers if not w.listens])
            for worker in list(self._workers):
                if not worker.listens and worker.receiver.poll():
                    self._hear(worker)
                if not worker.process.is_alive():
                    self._replace(worker)
        if not self._ending.is_set():
            raise SystemExit(1)

    def _begin(self) -> None:
        from sortal.serve.worker import work  # which needs the extra

        if self._ending.is_set():
            return
        self._is_starting = True
        context = multiprocessing.get_context("spawn")
        receiver, ready = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(self._settings, self._folder, self._listener, ready))
        with _only_for_us(signal.SIGINT):
            process.start()
        ready.close()
        self._workers.append(_Worker(process, receiver, time.monotonic()))
        self._is_starting = False
        if self._ending.is_set():
            self._end()

    def _hear(self, worker: _Worker) -> None:
        worker.listens = True
        try:
            worker.receiver.recv()
        except EOFError:  # it has ended
            return
        if not self._some_listened:
            self._some_listened = True
            self._on_start()
            for _ in range(self._settings.workers - len(self._workers)):  # that could not be started before
                self._begin()

    def _replace(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.receiver.close()
        if self._ending.is_set():
            return
        fields = {"fields": {"worker": worker.process.pid, "exitcode": worker.process.exitcode}}
        if not self._some_listened:
            LOGGER.error("a worker could not be started", extra=fields)
            return
        LOGGER.error("a worker has ended; another one takes its place", extra=fields)
        time.sleep(max(0.0, worker.start + APART - time.monotonic()))
        self._begin()

    def _stop(self, number: int, frame: object) -> None:
        """The first signal stops in peace, a second one at once."""
        if self._ending.is_set():
            self._kill()
        self._ending.set()
        if not self._is_starting:
            self._end()

    def _end(self) -> None:
        self._listener.close()
        for worker in self._workers:
            worker.process.terminate()
        timer = threading.Timer(KILL_SECONDS, self._kill)
        timer.daemon = True
        timer.start()

    def _kill(self) -> NoReturn:
        LOGGER.error("the service is ended at once; what is not answered or logged by now is lost")
        for worker in self._workers:
            worker.process.kill()
        rmtree(self._folder, ignore_errors=True)
        os._exit(1)


@contextmanager
def _only_for_us(number: int) -> Iterator[None]:
    """A process that is started here never gets this signal, also not while it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
