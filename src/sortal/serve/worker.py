"""A worker: one process that answers, and what runs beside it from its start to its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import uvicorn

from sortal.artifact import networks
from sortal.serve.app import App, Message, Receive, Send
from sortal.serve.connection import connections
from sortal.serve.deployment import Deployment, read_model
from sortal.serve.limits import Limits
from sortal.serve.live import Live
from sortal.serve.log.address import open_store
from sortal.serve.log.daily import DailyExport
from sortal.serve.log.writer import LogWriter
from sortal.serve.logs import log_request, logging_config
from sortal.serve.metrics import Metrics
from sortal.serve.service import Service
from sortal.serve.settings import Settings
from sortal.serve.shadow import Shadow
from sortal.serve.shared_folder import Shared
from sortal.serve.swap import Swap
from sortal.serve.telemetry import is_asked_for as telemetry_asked_for
from sortal.serve.telemetry import spans_of_environment

GRACE = 10.0
"""Seconds after which a worker that was told to stop waits no longer for requests that run."""
LEAST_SECONDS = 2.0
"""What each step of stopping has, however long those before it took."""
LOOK_SECONDS = 0.5
"""Between two looks at the files of the models."""
BACKLOG = 1024
"""Connections that wait for a worker to take them."""
MANY_OBJECTS = 10_000
"""New objects between two searches for garbage: those of some hundred requests."""
LONGEST_TURN = 0.001
"""Seconds that a thread keeps the interpreter while another waits; Python's own 0.005 is a long time for a row."""

LOGGER = logging.getLogger("sortal.serve")


class Worker:
    """One process of a service: the application, and what runs beside it from its start to its end."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        networks.look_in(settings.model.parent)  # what is tried out and kept for a restart are copies elsewhere
        shared = Shared(folder)
        champion, source = shared.champion(settings.model, settings.verify)
        deployment = Deployment(champion)
        self._swap = Swap(deployment, settings.model, settings.verify, shared=shared, source=source)
        self._log: LogWriter | None = None
        if settings.log is not None:
            self._log = LogWriter(
                settings.log, redact=settings.redact, retention=settings.retention, export=settings.export
            )
        self._export: DailyExport | None = None
        if settings.log is not None and settings.export is not None:
            self._export = DailyExport(settings.log, settings.export, deployment.champion.model.task.target)
        metrics, limits = Metrics(), Limits()
        self._shadow: Shadow | None = None
        if settings.shadow is not None and self._log is not None:
            deployment.shadow = read_model(settings.shadow, settings.verify)
            self._shadow = Shadow(deployment, settings.shadow, self._log, metrics, limits, settings.verify)
        self._spans = spans_of_environment() if telemetry_asked_for() else None
        self._service = Service(
            deployment,
            limits=limits,
            token=settings.token,
            log=self._log,
            metrics=metrics,
            live=_live(settings.log, self._log),
            swap=self._swap,
            shadow=self._shadow,
            observers=(log_request, *([self._spans] if self._spans is not None else [])),
            shared=shared,
        )
        self._app = App(self._service)
        self._n_unanswered = 0
        self._until = 0.0
        self._end_event = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:  # the service ends, and it has had its time
            self._n_unanswered += 1

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        _end_with_parent()
        self._app.warm_up()
        self._watcher.start()
        if self._shadow is not None:
            self._shadow.start()
        if self._export is not None:
            self._export.start()
        # What is there now stays: a search for garbage among it takes longer than a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(MANY_OBJECTS)
        # Threads that write the log or load a model let the one that answers wait no longer than that.
        sys.setswitchinterval(LONGEST_TURN)
        LOGGER.info("ready")

    def _watch(self) -> None:
        """Models whose files were replaced are taken, and figures are shown to the other workers."""
        while not self._end_event.wait(LOOK_SECONDS):
            try:
                self._service.show()
                self._swap.look()
                if self._shadow is not None:
                    self._shadow.look()
            except Exception:  # a bug of ours, or of the disk: it may be better the next time
                LOGGER.exception("the model file could not be looked at, or figures not be shown")

    def end(self) -> None:
        """From now on there is so much time to answer, and to log."""
        self._until = time.monotonic() + GRACE

    async def _stop(self) -> None:
        """Requests that were accepted have been answered; the log gets what it has not yet."""
        self._end_event.set()
        if self._shadow is not None:
            self._shadow.stop(max(LEAST_SECONDS, self._until - time.monotonic()))
        unlogged_rows = 0 if self._log is None else self._log.close(max(LEAST_SECONDS, self._until - time.monotonic()))
        LOGGER.info("stopped", extra={"fields": {"unanswered": self._n_unanswered, "unlogged": unlogged_rows}})
        # Nothing of what follows is lost for good, and a store or a collector that is away may take its time.
        if self._export is not None:
            self._export.stop()
        self._service.live.close()
        if self._spans is not None:
            self._spans.close()


def _live(log: str | None, writer: LogWriter | None) -> Live:
    """What the page shows of the log, where there is one."""
    if log is None or writer is None:
        return Live()
    return Live(lambda: open_store(log), lambda: asdict(writer.counts()))


def _end_with_parent() -> None:
    """A worker whose parent was killed would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class _Server(uvicorn.Server):
    """Tells the main process when it listens, and hears of the end from it alone: Ctrl-C is of both."""

    def __init__(self, config: uvicorn.Config, worker: Worker, ready: Connection) -> None:
        super().__init__(config)
        self._worker, self._ready = worker, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for sock in sockets or []:
            sock.listen(BACKLOG)
        self._ready.send(True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._worker.end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield


def work(settings: Settings, folder: Path, listener: socket.socket, ready: Connection) -> NoReturn:
    """Answer what comes to ``listener`` until the end; ``ready`` is told when it is listened to."""
    logging.config.dictConfig(logging_config(settings.level))
    worker, limits = Worker(settings, folder), Limits()
    config = uvicorn.Config(
        worker,
        loop="asyncio",
        http=connections(limits),
        backlog=1,  # connections are taken one by one, so that the workers share them
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        interface="asgi3",
        lifespan="on",
        workers=1,
        timeout_graceful_shutdown=round(GRACE),
    )
    _Server(config, worker, ready).run([listener])
    # What still runs has had its time, and is not waited for.
    logging.shutdown()
    os._exit(0)
