from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.core import registry
from sortal.core.plan import Planned
from sortal.models.family import OutOfTime
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, repeat
from sortal.training.develop import Scorer, fold
from sortal.training.executor import ProcessExecutor
from sortal.training.fold import FitBudget, FoldData, FoldJob, fit_fold
from tests.training.conftest import development


class Backwards:
    """Somebody's own executor: the last job first."""

    def __init__(self):
        self.jobs, self.data = [], set()

    def map(self, fit, data, jobs):
        self.jobs += jobs
        self.data.add(id(data))
        return [fit(data, job) for job in reversed(jobs)][::-1]


def test_an_executor_of_somebody_elses_makes_the_whole_trip():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    frame = pl.DataFrame({"x": x, "y": np.where(x + rng.normal(size=600) > 0, "yes", "no")})
    mine = Backwards()
    run = sortal.train(frame, "y", models="logistic", budget="20s", executor=mine)
    folds = run.record.split.folds * run.record.split.repeats
    assert len(mine.jobs) == (folds - 1) * len(run.leaderboard) > 0
    assert all(job.fold > 0 for job in mine.jobs)
    assert len(mine.data) == 1
    again = sortal.train(frame, "y", recipe=run.folder / "recipe.toml")
    assert again.model.predict_proba(frame).tolist() == run.model.predict_proba(frame).tolist()


def test_processes_say_what_one_process_says_and_pass_on_what_a_fit_raises():
    dev, task = development(rows=1200)
    data, tried = FoldData(dev, fold(dev)), Candidate("tree", registry.load("sortal.models", "tree"))
    plan = Planned("tree", ({},) * len(data.folds.parts))
    alone = repeat(tried, CrossValidation(data, Scorer(task)), plan)
    with ProcessExecutor(workers=1) as executor:
        other = repeat(tried, CrossValidation(data, Scorer(task), executor), plan)
        assert np.array_equal(alone.predictions.probability, other.predictions.probability)
        assert all(np.array_equal(a.saw, b.saw) for a, b in zip(alone.fits, other.fits, strict=True))
        late = FoldJob(tried, 1, budget=FitBudget(until=0.0, usual=3.0))
        with pytest.raises(OutOfTime) as short:
            executor.map(fit_fold, data, [late])
        assert short.value.needed == 3.0
