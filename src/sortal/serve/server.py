"""The process: a server of HTTP around the application, started, said and stopped."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from sortal.artifact import networks
from sortal.core.errors import OptionError
from sortal.serve.app import App, Message, Receive, Send
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
from sortal.serve.shared import Shared
from sortal.serve.swap import Swap
from sortal.serve.telemetry import is_asked_for as telemetry_asked_for
from sortal.serve.telemetry import spans_of_environment

GRACE, KILLED = 10.0, 20
"""Seconds after which a service that was told to stop waits no longer for requests that run, and after which a worker
that has not stopped is killed: in between the log has its time.
"""
LOOK_SECONDS = 0.5
"""Between two looks at the files of the models."""
LEAST_SECONDS = 2.0
"""What each step of stopping has, however long those before it took."""
HEADER_SECONDS = 10
"""In which the headers of a request have to come; what sends them slower is no client."""
BACKLOG = 1024
MANY_OBJECTS = 10_000
"""New objects between two searches for garbage: those of some hundred requests."""
LONGEST_TURN = 0.001
"""Seconds that a thread keeps the interpreter while another waits; Python's own 0.005 is a long time for a row."""
NEEDED = "serving needs a server of HTTP, which is an extra: pip install 'sortal[serve]'"

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
        self._running = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def __call__(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        return self._serve(scope, receive, send)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        _end_with_parent()
        _end_at_once()
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
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._service.show()
                self._swap.look()
                if self._shadow is not None:
                    self._shadow.look()
            except Exception:  # a bug of ours, or of the disk: it may be better the next time
                LOGGER.exception("the model file could not be looked at, or figures not be shown")

    async def _stop(self) -> None:
        """Requests that were accepted are answered first, then the log gets what it has not yet."""
        until = time.monotonic() + GRACE
        while self._running and time.monotonic() < until:
            await asyncio.sleep(0.01)
        self._ended.set()
        if self._shadow is not None:
            self._shadow.stop(max(LEAST_SECONDS, until - time.monotonic()))
        lost = 0 if self._log is None else self._log.close(max(LEAST_SECONDS, until - time.monotonic()))
        LOGGER.info("stopped", extra={"fields": {"unanswered": self._running, "unlogged": lost}})
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


def _end_at_once() -> None:
    """When all is done, the process is not taken down piece by piece: threads of the server that are still there would
    come back to an interpreter that is not.
    """
    if multiprocessing.parent_process() is not None:
        atexit.register(_leave)


def _leave() -> NoReturn:
    logging.shutdown()
    os._exit(0)


def run(settings: Settings, started: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal ends it. ``settings`` are checked, its host an address, its port free; ``started`` is called
    when the first worker listens.
    """
    serve = _granian if find_spec("granian") is not None else _uvicorn if find_spec("uvicorn") is not None else None
    if serve is None:
        raise OptionError(NEEDED)
    with TemporaryDirectory(prefix="sortal-serve-", ignore_cleanup_errors=True) as folder:
        serve(settings, Path(folder), started)


def _granian(settings: Settings, folder: Path, started: Callable[[], None]) -> None:
    """Workers are new processes, not copies: threads of numpy and onnxruntime do not live on in a copy."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    multiprocessing.set_start_method("spawn", force=True)
    server = Server(
        "sortal",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=1000 * HEADER_SECONDS),
        websockets=False,
        backlog=BACKLOG,
        log_level=LogLevels.warning,
        log_dictconfig=logging_config(settings.level),
        respawn_failed_workers=True,
        workers_kill_timeout=KILLED,
    )

    @server.on_startup
    def take_signals() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(_stop, server, folder))

    _when_it_listens(settings, started)
    server.serve(target_loader=partial(Worker, settings, folder), wrap_loader=False)


def _when_it_listens(settings: Settings, started: Callable[[], None]) -> None:
    """Workers take a second to start; who is told that a service is there asks it at once."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)

    def wait() -> None:
        while True:
            with suppress(OSError), socket.create_connection((host, settings.port), timeout=1.0):
                break
            time.sleep(0.05)
        started()

    threading.Thread(target=wait, name="started", daemon=True).start()


def _stop(server: Any, folder: Path, number: int, frame: object) -> None:
    """The first signal stops in peace, a second one at once."""
    if not server.interrupt_signal:
        server.signal_handler_interrupt()
    else:
        _kill(server, folder)


def _kill(server: Any, folder: Path) -> NoReturn:
    for worker in server.wrks:
        worker.kill()
    rmtree(folder, ignore_errors=True)
    os._exit(1)


def _uvicorn(settings: Settings, folder: Path, started: Callable[[], None]) -> None:
    import uvicorn

    if settings.workers > 1:
        raise OptionError(f"several workers need granian, and only uvicorn is there; {NEEDED}")
    config = uvicorn.Config(
        Worker(settings, folder),
        host=settings.host,
        port=settings.port,
        backlog=BACKLOG,
        access_log=False,
        log_config=logging_config(settings.level),
        ws="none",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        timeout_graceful_shutdown=round(GRACE),
    )
    _when_it_listens(settings, started)
    with suppress(KeyboardInterrupt):  # it raises the signal that ended it once more
        uvicorn.Server(config).run()
