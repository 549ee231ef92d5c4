"""Fits in other processes, with a pool that notes what it is asked for instead of starting any."""

from __future__ import annotations

import signal
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from sortal.models.family import Resources
from sortal.training import executor as module
from sortal.training.executor import ProcessExecutor, ThreadExecutor
from sortal.training.fold import FoldData, Folds
from tests.training.conftest import development


class Pool:
    """Every pool that was made; ``raises``: what the fit of a job raises."""

    pools: list[Pool]
    raises: dict[str, BaseException]

    def __init__(self, workers: int, context: Any, initializer: Any, initargs: tuple[FoldData]) -> None:
        self.workers, self.begin, (self.data,) = workers, initializer, initargs
        self.started = context.get_start_method()
        self.submissions: list[Any] = []
        self.futures: list[Future[Any]] = []
        self.shutdowns: list[dict[str, bool]] = []
        self.kills: list[int] = []
        self._processes = {n: SimpleNamespace(kill=lambda n=n: self.kills.append(n)) for n in range(workers)}
        Pool.pools.append(self)

    def submit(self, function: Any, fit: Any, job: str) -> Future[Any]:
        self.submissions.append((function, fit, job))
        future: Future[Any] = Future()
        if job in Pool.raises:
            future.set_exception(Pool.raises[job])
        elif job != "waits":
            future.set_result(f"{job} done")
        self.futures.append(future)
        return future

    def shutdown(self, **options: bool) -> None:
        self.shutdowns.append(options)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> FoldData:
    Pool.pools, Pool.raises = [], {}
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(Resources, "here", classmethod(lambda cls: cls(8)))
    return FoldData(development()[0], Folds((), 1))


def test_jobs_go_to_one_pool_with_its_part_of_the_cores(data: FoldData) -> None:
    executor = ProcessExecutor(3)
    jobs: Any = ["a", "b"]
    assert executor.map("fit", data, jobs) == ["a done", "b done"]  # type: ignore[arg-type]
    assert executor.map("fit", data, jobs[:1]) == ["a done"]  # type: ignore[arg-type]
    (pool,) = Pool.pools
    assert (pool.workers, pool.started, pool.begin) == (3, "spawn", module._begin)
    assert pool.submissions == [(module._fit, "fit", job) for job in ("a", "b", "a")]
    assert pool.data.dev.resources.threads == 2
    assert pool.data.dev.table is data.dev.table
    assert executor.at_once(data, None) == 3  # type: ignore[arg-type]
    assert ProcessExecutor(20).threads == 1


def test_other_rows_need_another_pool_and_all_end_with_the_block(data: FoldData) -> None:
    other = FoldData(data.dev, data.folds)
    with ProcessExecutor(2) as executor:
        for rows in (data, other):
            executor.map("fit", rows, ["a"])  # type: ignore[arg-type, list-item]
        first, second = Pool.pools
        assert (first.shutdowns, second.shutdowns) == ([{"cancel_futures": True}], [])
    assert second.shutdowns == [{"cancel_futures": True}]
    executor.close()
    assert len(second.shutdowns) == 1
    executor.map("fit", other, ["a"])  # type: ignore[arg-type, list-item]
    assert len(Pool.pools) == 3


def test_where_a_fit_fails_the_others_are_left_out(data: FoldData) -> None:
    executor = ProcessExecutor(2)
    Pool.raises["bad"] = ValueError("bad")
    with pytest.raises(ValueError, match="bad"):
        executor.map("fit", data, ["a", "bad", "waits"])  # type: ignore[arg-type, list-item]
    (pool,) = Pool.pools
    assert [future.cancelled() for future in pool.futures] == [False, False, True]
    assert (pool.kills, pool.shutdowns) == ([], [])


def test_ctrl_c_ends_the_processes(data: FoldData) -> None:
    executor = ProcessExecutor(2)
    Pool.raises["bad"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        executor.map("fit", data, ["bad", "waits"])  # type: ignore[arg-type, list-item]
    (pool,) = Pool.pools
    assert pool.kills == [0, 1]
    assert pool.shutdowns == [{"wait": False, "cancel_futures": True}]
    executor.map("fit", data, ["a"])  # type: ignore[arg-type, list-item]
    assert len(Pool.pools) == 2


def test_a_worker_knows_its_rows_and_leaves_ctrl_c_to_its_parent(
    data: FoldData, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: list[Any] = []
    monkeypatch.setattr(module.signal, "signal", lambda number, handler: handlers.append((number, handler)))
    monkeypatch.setattr(module, "_data", [])
    for _ in range(2):
        module._begin(data)
    assert module._data == [data]
    assert handlers == [(signal.SIGINT, signal.SIG_IGN)] * 2
    job: Any = "job"
    assert module._fit(lambda rows, work: (rows is data, work), job) == (True, "job")  # type: ignore[arg-type, return-value]


def test_there_are_as_many_threads_as_cores_or_as_are_told(data: FoldData, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ThreadExecutor().workers, ThreadExecutor(3).workers) == (8, 3)
    for side_by_side, count in ((True, 3), (False, 1)):
        monkeypatch.setattr(FoldData, "concurrent", lambda self, candidate, answer=side_by_side: answer)
        assert ThreadExecutor(3).at_once(data, None) == count  # type: ignore[arg-type]
