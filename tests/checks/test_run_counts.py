"""A001 and A005: what a fit was really given is counted, also by somebody's own preparer that takes more than it
should."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.checks.run_counts import RunCounts, looks, run_findings
from sortal.prepare.view import View
from sortal.testing.checks import clean
from sortal.training.candidate import Development, prepare_rows
from sortal.training.fit_log import FitLog, FitRows


def test_a_fit_on_sealed_rows_is_seen():
    table, codes = clean(0)
    sealed = table.rows[350:400]
    dev = Development(table, codes, ("a", "b"), seed=0)
    view = View("scaled", "onehot")
    fits = [FitRows(prepare_rows(dev, np.arange(n), view).rows) for n in (350, 400)]
    assert run_findings(counts(FitLog.of(fits[:1], sealed))) == ()
    [finding] = run_findings(counts(FitLog.of(fits, sealed)))
    assert (finding.code, finding.severity, finding.evidence) == ("A001", "severe", {"rows": 50, "fits": 2})


def counts(log: FitLog) -> RunCounts:
    return RunCounts(log.fits, log.leaked_rows, 1)


@pytest.mark.parametrize(("opens", "findings"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_every_look_but_the_first_taints_the_score(opens, findings):
    assert len(looks(opens)) == findings
    assert run_findings(RunCounts(5, 0, opens)) == looks(opens)
