"""A101 to A104: leaks that were put into a table on purpose, and honest columns that look like leaks."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from sortal.checks.audit import Finding, NotApplicable
from sortal.checks.context import AuditContext
from sortal.checks.missingness import check as missingness
from sortal.checks.post_outcome import check as post_outcome
from sortal.checks.target_copy import check as target_copy
from sortal.checks.univariate import check as univariate
from sortal.testing.checks import typed

N = 1500


def weak_columns(seed: int = 0) -> tuple[dict[str, object], np.ndarray]:
    """Four columns that predict a little each, and the class."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 4))
    codes = (X.sum(axis=1) + 2 * rng.normal(size=N) > 1).astype(int)
    return {f"x{j}": X[:, j] for j in range(4)}, codes


def findings_of(check, columns: dict[str, object], codes: np.ndarray, classes=("no", "yes")) -> list[Finding]:  # type: ignore[no-untyped-def]
    result = check.find(AuditContext(typed(pl.DataFrame(columns)), codes, classes, 0))
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
        columns, codes = weak_columns()
        columns[name] = make(codes, np.random.default_rng(1))
        [finding] = findings_of(target_copy, columns, codes)
        assert (finding.code, finding.severity, finding.column) == ("A101", "severe", name)
        assert words in finding.message
        assert finding.fix.endswith(f"--ignore {name}")

    def test_suspects_a_group(self) -> None:
        columns, codes = weak_columns()
        place = np.random.default_rng(0).integers(0, 60, N)
        columns["patient"] = [f"{code} {i}" for code, i in zip(codes, place, strict=True)]
        [finding] = findings_of(target_copy, columns, codes)
        assert "--group patient" in finding.fix

    def test_leaves_strong_but_honest_columns_alone(self) -> None:
        columns, codes = weak_columns()
        columns["strong"] = codes + 0.3 * np.random.default_rng(9).normal(size=N)
        assert findings_of(target_copy, columns, codes) == []

    def test_finds_the_target_in_coarser_groups(self) -> None:
        columns, codes = weak_columns()
        classes = codes + 2 * (np.random.default_rng(1).random(N) < 0.5)
        columns["group"] = np.where(classes >= 2, "late", "early")
        columns["nearly"] = np.where(np.random.default_rng(2).random(N) < 0.1, "early", columns["group"])
        [finding] = findings_of(target_copy, columns, classes, "abcd")
        assert (finding.severity, finding.column) == ("severe", "group")
        assert "coarser groups: each class has one of its 2 values" in finding.message

    def test_only_notes_an_easy_table(self) -> None:
        codes = np.repeat([0, 1, 2], N // 3)
        rng = np.random.default_rng(0)
        easy = {f"x{j}": 20 * codes + rng.normal(size=N) for j in range(4)}
        assert {f.severity for f in findings_of(target_copy, easy, codes, "abc")} == {"note"}
        assert findings_of(target_copy, easy, np.zeros(N, dtype=int), "a") == []


class TestAlone:
    def test_finds_the_column_that_the_others_cannot_replace(self) -> None:
        columns, codes = weak_columns()
        columns["after"] = 3.0 * codes + np.random.default_rng(5).normal(size=N)
        [finding] = findings_of(univariate, columns, codes)
        assert (finding.severity, finding.column) == ("severe", "after")
        assert finding.evidence["roc_auc"] > 0.95 > finding.evidence["roc_auc_rest"]
        assert "Known only afterwards?" in finding.message

    def test_finds_several_leaks_that_cover_for_each_other(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(5)
        columns |= {f"y{j}": rng.normal(size=N) for j in range(8)}
        columns |= {f"after{j}": 3.0 * codes + rng.normal(size=N) for j in range(2)}
        findings = findings_of(univariate, columns, codes)
        assert {finding.column for finding in findings} == {"after0", "after1"}
        assert {finding.severity for finding in findings} == {"severe"}

    def test_warns_of_a_column_far_ahead_of_the_rest(self) -> None:
        columns, codes = weak_columns()
        columns["duration"] = 1.6 * codes + np.random.default_rng(2).normal(size=N)
        columns = {name: columns[name] for name in ("x0", "x1", "duration")}
        [finding] = findings_of(univariate, columns, codes)
        assert (finding.severity, finding.column) == ("warning", "duration")
        assert finding.fix.endswith("--ignore duration")

    @pytest.mark.parametrize("share", [0.1, 0.2])
    def test_finds_labels_of_which_some_are_wrong(self, share: float) -> None:
        columns, codes = weak_columns()
        is_wrong = np.random.default_rng(3).random(N) < share
        columns["noted"] = np.where(is_wrong, 1 - codes, codes).astype(str)
        loud = [finding for finding in findings_of(univariate, columns, codes) if finding.severity != "note"]
        assert [finding.column for finding in loud] == ["noted"]

    def test_asks_about_a_column_that_adds_a_little(self) -> None:
        columns, codes = weak_columns()
        columns["later"] = 1.2 * codes + np.random.default_rng(4).normal(size=N)
        questions = [finding for finding in findings_of(univariate, columns, codes) if finding.column == "later"]
        assert [finding.code for finding in questions] == ["A104"]
        evidence = questions[0].evidence
        assert evidence["roc_auc_all"] - evidence["roc_auc_rest"] >= 2 * evidence["standard_error"]  # type: ignore[operator]

    def test_leaves_aside_what_other_checks_found(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        columns["copy"] = codes.astype(str)
        columns["filled"] = pl.Series(np.where(codes == 1, rng.normal(size=N), np.nan)).fill_nan(None)
        assert {finding.column for finding in findings_of(univariate, columns, codes)} & {"copy", "filled"} == set()

    def test_only_notes_what_the_others_can_do_as_well(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(9)
        columns |= {f"part{j}": 1.5 * codes + rng.normal(size=N) for j in range(12)}
        columns["odor"] = 3.5 * codes + rng.normal(size=N)
        [finding] = findings_of(univariate, columns, codes)
        assert (finding.severity, finding.column) == ("note", "odor")
        assert "may well be real" in finding.message

    def test_suggests_time_for_a_date(self) -> None:
        columns, codes = weak_columns()
        codes = np.sort(codes)
        columns["day"] = [datetime(2020, 1, 1) + timedelta(hours=i) for i in range(N)]
        codes[::40] = 1 - codes[::40]
        [finding] = findings_of(univariate, columns, codes)
        assert finding.column == "day"
        assert "--time day" in finding.fix

    @pytest.mark.parametrize("seed", range(4))
    def test_is_silent_on_honest_columns(self, seed: int) -> None:
        columns, codes = weak_columns(seed)
        assert findings_of(univariate, columns, codes) == []


class TestOutcome:
    def test_finds_an_amount_that_is_above_nothing_for_one_class_only(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        columns["claim"] = np.where((codes == 1) & (rng.random(N) < 0.6), rng.lognormal(size=N), 0.0)
        [finding] = findings_of(post_outcome, columns, codes)
        assert (finding.code, finding.severity, finding.column) == ("A103", "severe", "claim")
        assert finding.message.startswith("claim is above 0 in ")
        assert "100 % of these are 'yes'" in finding.message
        assert finding.fix.endswith("--ignore claim")

    def test_finds_values_of_a_category(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        is_closed = (codes == 1) & (rng.random(N) < 0.3)
        columns["state"] = np.where(is_closed, rng.choice(["closed", "paid"], N), rng.choice(["open", "new"], N))
        [finding] = findings_of(post_outcome, columns, codes)
        assert (finding.severity, finding.evidence["values"]) == ("warning", ["closed", "paid"])

    def test_finds_the_value_that_stands_for_nothing(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        none = (codes == 0) & (rng.random(N) < 0.4)
        columns["lesion"] = np.where(none, 0.0, rng.integers(1, 500, N))
        [finding] = findings_of(post_outcome, columns, codes)
        assert finding.message.startswith("lesion is 0 in ")

    def test_a_pure_value_that_others_see_coming_may_be_real(self) -> None:
        rng = np.random.default_rng(0)
        codes = rng.integers(0, 2, N)
        columns: dict[str, object] = {f"part{j}": 3 * codes + rng.normal(size=N) for j in range(8)}
        columns["odor"] = np.where((codes == 1) & (rng.random(N) < 0.5), "foul", "none")
        assert findings_of(post_outcome, columns, codes) == []

    @pytest.mark.parametrize("seed", range(4))
    def test_many_values_are_pure_by_chance(self, seed: int) -> None:
        columns, codes = weak_columns(seed)
        rng = np.random.default_rng(seed)
        columns |= {f"place{j}": [f"p{i}" for i in rng.integers(0, 50 * (j + 1), N)] for j in range(5)}
        columns["amount"] = np.where(rng.random(N) < 0.9, 0.0, rng.lognormal(size=N))
        assert findings_of(post_outcome, columns, codes) == []


class TestMissingness:
    def test_finds_what_is_filled_in_afterwards_once_for_columns_missing_together(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        missing = np.where(rng.random(N) < 0.03, codes == 1, codes == 0)
        for name in ("boat", "deck"):
            columns[name] = pl.Series(np.where(missing, np.nan, rng.normal(size=N))).fill_nan(None)
        [finding] = findings_of(missingness, columns, codes)
        assert (finding.severity, finding.column) == ("severe", "boat")
        assert finding.message.startswith("boat and 1 more are missing in ")
        assert finding.evidence["columns"] == ["boat", "deck"]
        assert finding.columns == ("boat", "deck")
        assert finding.fix.endswith("--ignore boat --ignore deck")

    def test_warns_where_a_rare_value_is_there_for_one_class_only(self) -> None:
        columns, codes = weak_columns()
        present = np.flatnonzero(codes == 0)[:60]
        columns["body"] = [float(i) if i in set(present) else None for i in range(N)]
        [finding] = findings_of(missingness, columns, codes)
        assert finding.severity == "warning"
        missing = np.array([value is None for value in columns["body"]])
        code = ("no", "yes").index(finding.evidence["class"])
        for name, side in (("share_present", ~missing), ("share_missing", missing)):
            assert finding.evidence[name] == pytest.approx((codes[side] == code).mean())
        assert finding.evidence["share_present"] in (0.0, 1.0)
        assert finding.evidence["missing"] == pytest.approx(1 - 60 / N)
        shares = [100 * finding.evidence[name] for name in ("share_missing", "share_present")]
        missing_share, present_share = (f"{share:.3g} %" for share in shares)
        assert finding.message.startswith("body is missing in 96 % of the rows")
        assert f"is {missing_share} where missing, {present_share} elsewhere" in finding.message

    def test_is_silent_on_values_missing_for_other_reasons(self) -> None:
        columns, codes = weak_columns()
        rng = np.random.default_rng(0)
        somewhat = rng.random(N) < np.where(codes == 1, 0.5, 0.3)
        columns["cabin"] = pl.Series(np.where(somewhat, np.nan, 1.0)).fill_nan(None)
        columns["blank"] = [None if i in set(np.flatnonzero(codes == 0)[:11]) else 1.0 for i in range(N)]
        assert findings_of(missingness, columns, codes) == []

    def test_does_not_apply_to_complete_columns(self) -> None:
        columns, codes = weak_columns()
        result = missingness.find(AuditContext(typed(pl.DataFrame(columns)), codes, ["no", "yes"], 0))
        assert result == NotApplicable("no column is missing in some rows only")
