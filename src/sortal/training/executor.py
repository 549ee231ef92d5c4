"""Where fits run: in threads of this process, in other processes, or wherever somebody's own executor puts them."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from threadpoolctl import threadpool_limits

from sortal.models.clock import cancelled_by
from sortal.models.family import Resources
from sortal.training.candidate import Candidate
from sortal.training.fold import FoldData, FoldJob, FoldResult

FitFold = Callable[[FoldData, FoldJob], FoldResult]


class Executor(Protocol):
    """Runs fits that do not depend on one another: the folds of a candidate but the first, which tells how long they
    take.
    """

    def map(self, fit: FitFold, data: FoldData, jobs: Sequence[FoldJob]) -> Iterable[FoldResult]:
        """``fit(data, job)`` of each job, in the order of the jobs. What a fit raises is raised here.

        ``data`` is the same object for all candidates of a run, so that it has to be handed over once.
        """
        ...

    def at_once(self, data: FoldData, candidate: Candidate) -> int:
        """How many fits of the folds of a candidate run at the same time."""
        ...


class ThreadExecutor:
    """Fits of families that can do so side by side in this process, a thread each; all others one after another.

    As many as there are cores, where ``workers`` does not say how many.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = Resources.here().threads if workers is None else workers

    def map(self, fit: FitFold, data: FoldData, jobs: Sequence[FoldJob]) -> list[FoldResult]:
        """See ``Executor``. Where one fit fails, or is interrupted, the others are told to end."""
        shared = replace(data, dev=replace(data.dev, resources=replace(data.dev.resources, threads=1)))
        cancelled = threading.Event()
        pool = ThreadPoolExecutor(self.workers)

        def fit_one(job: FoldJob) -> FoldResult:
            with cancelled_by(cancelled):
                return fit(shared, job)

        try:
            futures: dict[int, Future[FoldResult]] = {
                i: pool.submit(fit_one, job) for i, job in enumerate(jobs) if self.at_once(data, job.candidate) > 1
            }
            here = {i: fit(data, job) for i, job in enumerate(jobs) if i not in futures}
            return [here[i] if i in here else futures[i].result() for i in range(len(jobs))]
        except BaseException:
            cancelled.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def at_once(self, data: FoldData, candidate: Candidate) -> int:
        """See ``Executor``."""
        return self.workers if data.concurrent(candidate) else 1


class ProcessExecutor:
    """Fits side by side in ``workers`` processes, each with its part of this one's cores.

    The processes are started anew (``spawn``), as polars survives no fork: a script that uses them has to begin its
    work under ``if __name__ == "__main__"``. They start with the first fits, each gets the data once, and they end with
    the block:

        with ProcessExecutor(workers=4) as executor:
            sortal.train(frame, "churned", executor=executor)
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.threads = max(1, Resources.here().threads // workers)
        self._pool: ProcessPoolExecutor | None = None
        self._data: FoldData | None = None

    def map(self, fit: FitFold, data: FoldData, jobs: Sequence[FoldJob]) -> list[FoldResult]:
        """See ``Executor``. Where one fit fails those that have not begun are left out, and after Ctrl-C all of them
        end.
        """
        pool = self._pool_for(data)
        futures = [pool.submit(_fit, fit, job) for job in jobs]
        try:
            return [future.result() for future in futures]
        except Exception:
            for future in futures:
                future.cancel()
            raise
        except BaseException:
            self._kill()
            raise

    def at_once(self, data: FoldData, candidate: Candidate) -> int:
        """See ``Executor``."""
        return self.workers

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = self._data = None

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def _pool_for(self, data: FoldData) -> ProcessPoolExecutor:
        if self._pool is None or self._data is not data:
            self.close()
            resources = replace(data.dev.resources, threads=self.threads)
            shared = replace(data, dev=replace(data.dev, resources=resources))
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, spawn, initializer=_begin, initargs=(shared,))
            self._data = data
        return self._pool

    def _kill(self) -> None:
        """A fit that has begun knows nothing of the time being up."""
        pool, self._pool, self._data = self._pool, None, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            for process in processes:
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)


_data: list[FoldData] = []
"""What this process was given, if it is a worker."""


def _begin(data: FoldData) -> None:
    """In a worker. Ctrl-C reaches all processes of a terminal, and is for the first of them to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _data[:] = [data]


def _fit(fit: FitFold, job: FoldJob) -> FoldResult:
    """In a worker; one thread for products of matrices, as in ``train_rows``."""
    with threadpool_limits(1, "blas"):
        return fit(_data[0], job)
