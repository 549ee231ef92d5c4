"""A001 and A005: what a fit was really given is counted, also by somebody's own preparer that takes more than it should."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import AuditContext, NotApplicable, RunCounts, audit
from sortal.checks.run_counts import foreign_check, looks, looks_check
from sortal.prepare.view import View
from sortal.testing.checks import clean, typed
from sortal.training.candidate import Development, prepare_rows
from sortal.training.fit_log import FitLog, FitRows


def told(run_counts: RunCounts) -> AuditContext:
    return AuditContext(typed(pl.DataFrame({"x": [1.0, 2.0]})), np.array([0, 1]), ["a", "b"], run_counts=run_counts)


def test_a_fit_on_sealed_rows_is_seen():
    table, codes = clean(0)
    sealed = table.rows[350:400]
    dev = Development(table, codes, ("a", "b"), seed=0)
    view = View("scaled", "onehot")
    fits = [FitRows(prepare_rows(dev, np.arange(n), view).rows) for n in (350, 400)]
    assert foreign_check.find(told(run_counts(FitLog.of(fits[:1], sealed)))) == []
    [finding] = foreign_check.find(told(run_counts(FitLog.of(fits, sealed))))
    assert (finding.severity, finding.evidence) == ("severe", {"rows": 50, "fits": 2})


def run_counts(log: FitLog) -> RunCounts:
    return RunCounts(log.fits, log.leaked_rows, 1)


@pytest.mark.parametrize(("opens", "found"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_every_look_but_the_first_taints_the_score(opens, found):
    assert len(looks(RunCounts(5, 0, opens))) == found
    assert looks_check.find(told(RunCounts(5, 0, opens))) == looks(RunCounts(5, 0, opens))


def test_checks_of_the_run_wait_for_it():
    table, codes = clean(0)
    for check in (foreign_check, looks_check):
        assert isinstance(check.find(AuditContext(table, codes, ["a", "b"])), NotApplicable)
    found = audit(AuditContext(table, codes, ["a", "b"], run_counts=RunCounts(3, 7, 2)), "run")
    assert [finding.code for finding in found.findings] == ["A001", "A005"]
