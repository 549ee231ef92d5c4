from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib.metadata import entry_points

import numpy as np
import polars as pl
import pytest

from sortal.checks import audit as package
from sortal.checks.audit import COUNTED, AuditContext, Check, Finding, NotApplicable, audit, run
from sortal.checks.finding import SEVERITIES
from sortal.core import registry
from sortal.testing.checks import clean, troubled, typed


def test_runs_what_is_registered_and_sorts_by_severity() -> None:
    table, codes = troubled()
    result = audit(AuditContext(table, codes, ["no", "yes"], 0))
    ranks = [SEVERITIES.index(finding.severity) for finding in result.findings]
    assert ranks == sorted(ranks)
    assert {"A101", "A102", "A201", "A203", "A301"} <= {finding.code for finding in result.findings}
    assert [f.column for f in result.findings if f.severity == "severe"].count("copy of the class") == 1
    json.dumps([asdict(finding) for finding in result.findings], allow_nan=False)
    assert audit(AuditContext(table, codes, ["no", "yes"], 0)) == result


def test_says_what_was_not_applicable() -> None:
    table, codes = clean(0)
    result = audit(AuditContext(table.take(np.arange(15)), codes[:15], ["no", "yes"], 0))
    assert {(skip.code, skip.reason) for skip in result.skipped} >= {
        ("A101", "fewer than 50 rows"),
        ("A203", "fewer than 100 rows"),
    }


def test_the_docstring_lists_every_check() -> None:
    built_in = [p for p in entry_points(group="sortal.checks") if p.value.startswith("sortal.")]
    for point in built_in:
        check = registry.load("sortal.checks", point.name)
        assert check.code == point.name
        assert f"{check.code}  {check.title}" in (package.__doc__ or "")


def test_a_plug_in_is_run_like_the_others() -> None:
    def find(case):  # type: ignore[no-untyped-def]
        return [Finding("X900", "warning", "x", f"{len(case)} rows, {case.classes}, seed {case.seed}")]

    empty_check = Check("X901", "nothing", lambda *_: NotApplicable("never"))
    case = AuditContext(typed(pl.DataFrame({"x": [1.0]})), np.array([0]), ["a"], 7)
    result = run([empty_check, Check("X900", "rows", find)], case)
    assert [finding.message for finding in result.findings] == ["1 rows, ['a'], seed 7"]
    assert [(skip.code, skip.reason) for skip in result.skipped] == [("X901", "never")]


@pytest.mark.parametrize("seed", range(8))
def test_no_leak_is_found_in_independent_labels(seed: int) -> None:
    table, _ = troubled()
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, size=len(table), p=[0.7, 0.25, 0.05])
    others = [code for code in registry.names("sortal.checks") if not code.startswith("A1") and code != "A203"]
    findings = audit(AuditContext(table, codes, ["a", "b", "c"], seed), without=others).findings
    assert not [f.message for f in findings if f.code.startswith("A1") or f.code == "A203"]


def test_checks_that_come_too_late_are_listed_and_left_out_when_repeated() -> None:
    table, codes = troubled()
    case = AuditContext(table, codes, ["no", "yes"])
    short_audit = audit(case, seconds=-1)
    assert (short_audit.findings, len(short_audit.timed_out)) == ((), len(short_audit.skipped))
    full_audit = audit(case)
    assert not full_audit.timed_out
    assert audit(case, seconds=-1, without=()) == full_audit
    partial_audit = audit(case, without=["A101"])
    assert [skip.code for skip in partial_audit.timed_out] == ["A101"]
    assert partial_audit.findings == tuple(f for f in full_audit.findings if f.code != "A101")


def test_without_guesses_only_what_is_counted_is_looked_for_and_the_rest_is_listed() -> None:
    code = """
import sys
from sortal.checks.audit import AuditContext, audit
from sortal.testing.checks import troubled
table, codes = troubled()
result = audit(AuditContext(table, codes, ["no", "yes"]), seconds=60.0, guesses=False)
print(*(finding.code for finding in result.findings))
print(*(skip.code for skip in result.timed_out))
print("sklearn" in sys.modules)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    findings, late, is_imported = process.stdout.splitlines()
    full_audit = audit(AuditContext(*troubled(), ["no", "yes"]))
    assert findings.split() == [f.code for f in full_audit.findings if f.code.startswith(COUNTED)]
    own_checks = {p.name for p in entry_points(group="sortal.checks") if p.value.startswith("sortal.")}
    assert set(late.split()) == {code for code in own_checks if not code.startswith((*COUNTED, "A0"))}
    assert is_imported == "False"


def test_what_is_counted_comes_before_what_is_guessed() -> None:
    codes: list[str] = []
    points = entry_points(group="sortal.checks")

    def record_code(check: Check) -> Check:
        return Check(check.code, check.title, lambda case: codes.append(check.code) or [])  # type: ignore[func-returns-value]

    with pytest.MonkeyPatch.context() as patch:
        checks = {p.name: record_code(registry.load("sortal.checks", p.name)) for p in points}
        patch.setattr(registry, "load", lambda group, name: checks[name])
        audit(AuditContext(*clean(0), ["no", "yes"]))
    assert "".join(dict.fromkeys(code[1] for code in codes)) == "0312"
