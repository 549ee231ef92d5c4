"""A101, A102 and A104: leaks that were put into a table on purpose, and honest columns that look like leaks."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from sortal.data.audit import Finding, NotApplicable
from sortal.data.audit.alone import check as alone
from sortal.data.audit.case import Case
from sortal.data.audit.missingness import check as missingness
from sortal.data.audit.recoding import check as recoding
from sortal.testing.checks import typed

N = 1500


def honest(seed: int = 0) -> tuple[dict[str, object], np.ndarray]:
    """Four columns that predict a little each, and the class."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 4))
    codes = (X.sum(axis=1) + 2 * rng.normal(size=N) > 1).astype(int)
    return {f"x{j}": X[:, j] for j in range(4)}, codes


def found(check, columns: dict[str, object], codes: np.ndarray, classes=("no", "yes")) -> list[Finding]:  # type: ignore[no-untyped-def]
    result = check.find(Case(typed(pl.DataFrame(columns)), codes, classes, 0))
    assert not isinstance(result, NotApplicable), result
    return result


class TestRecoding:
    @pytest.mark.parametrize(
        ("name", "make", "words"),
        [
            ("copy", lambda c, _: np.where(c == 1, "b", "a"), "is the target under another name"),
            ("finer", lambda c, r: [f"{k}{i}" for k, i in zip(c, r.integers(0, 3, N), strict=True)], "each value of"),
            ("number", lambda c, r: np.where(c == 1, r.lognormal(size=N), 0.0), "gives the target away"),
        ],
    )
    def test_finds_a_copy_in_any_coding(self, name: str, make, words: str) -> None:  # type: ignore[no-untyped-def]
        columns, codes = honest()
        columns[name] = make(codes, np.random.default_rng(1))
        [finding] = found(recoding, columns, codes)
        assert (finding.code, finding.severity, finding.column) == ("A101", "severe", name)
        assert words in finding.message
        assert finding.fix.endswith(f"--ignore {name}")

    def test_suspects_a_group(self) -> None:
        columns, codes = honest()
        place = np.random.default_rng(0).integers(0, 60, N)
        columns["patient"] = [f"{code} {i}" for code, i in zip(codes, place, strict=True)]
        [finding] = found(recoding, columns, codes)
        assert "--group patient" in finding.fix

    def test_leaves_strong_but_honest_columns_alone(self) -> None:
        columns, codes = honest()
        columns["strong"] = codes + 0.3 * np.random.default_rng(9).normal(size=N)
        assert found(recoding, columns, codes) == []

    def test_only_notes_an_easy_table(self) -> None:
        codes = np.repeat([0, 1, 2], N // 3)
        rng = np.random.default_rng(0)
        easy = {f"x{j}": 20 * codes + rng.normal(size=N) for j in range(4)}
        assert {f.severity for f in found(recoding, easy, codes, "abc")} == {"note"}
        assert found(recoding, easy, np.zeros(N, dtype=int), "a") == []


class TestAlone:
    def test_finds_the_column_that_the_others_cannot_replace(self) -> None:
        columns, codes = honest()
        columns["after"] = 3.0 * codes + np.random.default_rng(5).normal(size=N)
        [finding] = found(alone, columns, codes)
        assert (finding.severity, finding.column) == ("severe", "after")
        assert finding.evidence["roc_auc"] > 0.95 > finding.evidence["roc_auc_rest"]
        assert "Known only afterwards?" in finding.message

    def test_finds_several_leaks_that_cover_for_each_other(self) -> None:
        columns, codes = honest()
        rng = np.random.default_rng(5)
        columns |= {f"y{j}": rng.normal(size=N) for j in range(8)}
        columns |= {f"after{j}": 3.0 * codes + rng.normal(size=N) for j in range(2)}
        findings = found(alone, columns, codes)
        assert {finding.column for finding in findings} == {"after0", "after1"}
        assert {finding.severity for finding in findings} == {"severe"}

    def test_warns_of_a_column_far_ahead_of_the_rest(self) -> None:
        columns, codes = honest()
        columns["duration"] = 1.6 * codes + np.random.default_rng(2).normal(size=N)
        columns = {name: columns[name] for name in ("x0", "x1", "duration")}
        [finding] = found(alone, columns, codes)
        assert (finding.severity, finding.column) == ("warning", "duration")
        assert finding.fix.endswith("--ignore duration")

    def test_only_notes_what_the_others_can_do_as_well(self) -> None:
        columns, codes = honest()
        rng = np.random.default_rng(9)
        columns |= {f"part{j}": 1.5 * codes + rng.normal(size=N) for j in range(12)}
        columns["odor"] = 3.5 * codes + rng.normal(size=N)
        [finding] = found(alone, columns, codes)
        assert (finding.severity, finding.column) == ("note", "odor")
        assert "may well be real" in finding.message

    def test_suggests_time_for_a_date(self) -> None:
        columns, codes = honest()
        codes = np.sort(codes)
        columns["day"] = [datetime(2020, 1, 1) + timedelta(hours=i) for i in range(N)]
        codes[::40] = 1 - codes[::40]
        [finding] = found(alone, columns, codes)
        assert finding.column == "day"
        assert "--time day" in finding.fix

    @pytest.mark.parametrize("seed", range(4))
    def test_is_silent_on_honest_columns(self, seed: int) -> None:
        columns, codes = honest(seed)
        assert found(alone, columns, codes) == []


class TestMissingness:
    def test_finds_what_is_filled_in_afterwards_once_for_columns_missing_together(self) -> None:
        columns, codes = honest()
        rng = np.random.default_rng(0)
        gone = np.where(rng.random(N) < 0.03, codes == 1, codes == 0)
        for name in ("boat", "deck"):
            columns[name] = pl.Series(np.where(gone, np.nan, rng.normal(size=N))).fill_nan(None)
        [finding] = found(missingness, columns, codes)
        assert (finding.severity, finding.column) == ("severe", "boat")
        assert finding.message.startswith("boat and 1 more are missing in ")
        assert finding.evidence["columns"] == ["boat", "deck"]
        assert finding.fix.endswith("--ignore boat --ignore deck")

    def test_warns_where_a_rare_value_is_there_for_one_class_only(self) -> None:
        columns, codes = honest()
        there = np.flatnonzero(codes == 0)[:60]
        columns["body"] = [float(i) if i in set(there) else None for i in range(N)]
        [finding] = found(missingness, columns, codes)
        assert finding.severity == "warning"
        assert finding.evidence["share_present"] in (0.0, 1.0)

    def test_is_silent_on_values_missing_for_other_reasons(self) -> None:
        columns, codes = honest()
        rng = np.random.default_rng(0)
        somewhat = rng.random(N) < np.where(codes == 1, 0.5, 0.3)
        columns["cabin"] = pl.Series(np.where(somewhat, np.nan, 1.0)).fill_nan(None)
        columns["blank"] = [None if i in set(np.flatnonzero(codes == 0)[:11]) else 1.0 for i in range(N)]
        assert found(missingness, columns, codes) == []

    def test_does_not_apply_to_complete_columns(self) -> None:
        columns, codes = honest()
        result = missingness.find(Case(typed(pl.DataFrame(columns)), codes, ["no", "yes"], 0))
        assert result == NotApplicable("no column is missing in some rows only")
