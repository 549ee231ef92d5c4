from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.plan import Planned
from sortal.models.clock import Clock
from sortal.models.family import OutOfTime
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, repeat
from sortal.training.develop import Scorer, fold
from sortal.training.executor import ProcessExecutor, ThreadExecutor
from sortal.training.fold import FitBudget, FoldData, FoldJob, fit_fold
from tests.training.conftest import development


def test_processes_say_what_one_process_says_and_pass_on_what_a_fit_raises():
    dev, task = development(rows=1200)
    data, model = FoldData(dev, fold(dev)), Candidate("tree", registry.load("sortal.models", "tree"))
    plan = Planned("tree", ({},) * len(data.folds.parts))
    alone = repeat(model, CrossValidation(data, Scorer(task)), plan)
    with ProcessExecutor(workers=1) as executor:
        other = repeat(model, CrossValidation(data, Scorer(task), executor), plan)
        assert np.array_equal(alone.predictions.probability, other.predictions.probability)
        assert all(np.array_equal(a.saw, b.saw) for a, b in zip(alone.fits, other.fits, strict=True))
        late = FoldJob(model, 1, budget=FitBudget(until=0.0, usual=3.0))
        with pytest.raises(OutOfTime) as short:
            executor.map(fit_fold, data, [late])
        assert short.value.needed == 1.5


BOOSTERS = ("lightgbm", "xgboost", "catboost")


@pytest.mark.parametrize("name", BOOSTERS)
def test_threads_say_what_one_fit_after_another_says(name):
    dev, task = development(classes=3, rows=600)
    data, model = FoldData(dev, fold(dev)), Candidate(name, registry.load("sortal.models", name))
    plan = Planned(name, ({"rounds": 20},) * len(data.folds.parts))
    alone = repeat(model, CrossValidation(data, Scorer(task), ThreadExecutor(1)), plan)
    threads = repeat(model, CrossValidation(data, Scorer(task), ThreadExecutor(3)), plan)
    assert np.array_equal(alone.predictions.probability, threads.predictions.probability)
    assert all(np.array_equal(a.saw, b.saw) for a, b in zip(alone.fits, threads.fits, strict=True))


def test_only_what_can_goes_side_by_side_and_the_order_is_that_of_the_jobs():
    dev, _ = development(rows=600)
    data = FoldData(dev, fold(dev))
    tree, booster = (Candidate(name, registry.load("sortal.models", name)) for name in ("tree", "xgboost"))
    meeting = threading.Barrier(2, timeout=20)

    def fit(data: FoldData, job: FoldJob):
        if job.candidate is booster:
            meeting.wait()  # Nobody passes alone.
        return job, threading.current_thread(), data.dev.resources.threads

    jobs = [FoldJob(booster, 1), FoldJob(tree, 1), FoldJob(booster, 2), FoldJob(tree, 2)]
    results = ThreadExecutor(2).map(fit, data, jobs)
    assert [job for job, *_ in results] == jobs
    on_main_thread = [thread is threading.main_thread() for _, thread, _ in results]
    assert on_main_thread == [False, True, False, True]
    assert [threads for *_, threads in results] == [1, dev.resources.threads] * 2
    assert [ThreadExecutor(4).at_once(data, c) for c in (tree, booster)] == [1, 4]


def test_large_matrices_are_fitted_one_after_another():
    dev, _ = development(rows=600)
    booster = Candidate("xgboost", registry.load("sortal.models", "xgboost"))
    few = replace(booster, family=replace(booster.family, concurrent_cells=600))
    assert ThreadExecutor(2).at_once(FoldData(dev, fold(dev)), few) == 1


@pytest.mark.parametrize("raised", [OutOfTime(3.0), TimeUp()])
def test_what_one_fit_raises_ends_the_others(raised):
    dev, _ = development(rows=600)
    booster = Candidate("lightgbm", registry.load("sortal.models", "lightgbm"))
    start, end = threading.Event(), threading.Event()

    def fit(data: FoldData, job: FoldJob):
        clock = Clock(60.0)
        if job.fold == 1:
            start.wait(20)
            raise raised
        start.set()
        while clock.seconds_left > 0:
            time.sleep(0.001)
        end.set()

    with pytest.raises(type(raised)):
        ThreadExecutor(2).map(fit, FoldData(dev, fold(dev)), [FoldJob(booster, 1), FoldJob(booster, 2)])
    assert end.wait(20)
    assert Clock(60.0).seconds_left > 0


def test_the_end_of_the_time_ends_fits_in_threads():
    dev, _ = development(rows=600)
    booster = Candidate("lightgbm", registry.load("sortal.models", "lightgbm"))
    ends = threading.Semaphore(0)

    def fit(data: FoldData, job: FoldJob):
        clock = Clock(60.0)
        while clock.seconds_left > 0:
            time.sleep(0.001)
        ends.release()

    with pytest.raises(TimeUp), interrupted_after(0.1):
        ThreadExecutor(2).map(fit, FoldData(dev, fold(dev)), [FoldJob(booster, 1), FoldJob(booster, 2)])
    assert all(ends.acquire(timeout=20) for _ in range(2))
