from __future__ import annotations

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.plan import Planned
from sortal.models.family import OutOfTime
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, repeat
from sortal.training.develop import Scorer, fold
from sortal.training.executor import ProcessExecutor
from sortal.training.fold import FitBudget, FoldData, FoldJob, fit_fold
from tests.training.conftest import development


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
