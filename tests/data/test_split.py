from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from sortal.core.errors import DataError, OptionError
from sortal.core.schema import Column, Role, Schema
from sortal.core.table import Table
from sortal.data import split as split_module
from sortal.data.division import split_by_column
from sortal.data.split import Parts, SplitPlan, fold_count, folds, holdout, split
from sortal.data.stratify import allocate, connected_groups, stratified_assign

LAWS = settings(max_examples=60)
PLANS = st.sampled_from(["85/15", "70/15/15", "50/50", "60/10/30", "90/10"])
SEEDS = st.integers(0, 2**32 - 1)


def table(frame: pl.DataFrame, **roles: Role) -> Table:
    kinds = {pl.String: "category", pl.Datetime: "datetime", pl.Boolean: "boolean"}
    columns = [
        Column(name, kinds.get(dtype.base_type(), "number"), roles.get(name, "feature"))  # type: ignore[arg-type]
        for name, dtype in frame.schema.items()
    ]
    return Table(Schema(tuple(columns)), frame, np.arange(frame.height))


def distinct(codes: np.ndarray) -> Table:
    """A table in which no two rows are alike."""
    return table(pl.DataFrame({"x": np.arange(len(codes), dtype=float)}))


def parts_of(parts: Parts) -> list[np.ndarray]:
    return [part for part in (parts.train, parts.valid, parts.test) if len(part)]


def side_of(parts: Parts, n: int) -> np.ndarray:
    side = np.full(n, -1)
    for number, rows in enumerate((parts.train, parts.valid, parts.test)):
        assert (side[rows] == -1).all()
        side[rows] = number
    assert (side >= 0).all()
    return side


def crossing(side: np.ndarray, units: np.ndarray) -> int:
    return sum(len(np.unique(side[units == unit])) > 1 for unit in np.unique(units))


@st.composite
def labels(draw: st.DrawFn, least: int = 12, most: int = 150) -> np.ndarray:
    sizes = draw(st.lists(st.integers(1, 60), min_size=2, max_size=6))
    sizes[0] += least
    codes = np.repeat(np.arange(len(sizes)), sizes)[-most:]
    return np.random.default_rng(draw(SEEDS)).permutation(np.unique(codes, return_inverse=True)[1])


class TestPlan:
    @pytest.mark.parametrize(
        ("text", "valid", "test"),
        [
            ("70/15/15", 0.15, 0.15),
            ("85/15", 0, 0.15),
            ("100", 0, 0),
            ("80/0/20", 0, 0.2),
            ("85/14.9999995", 0, 0.149999995),
            ("62.5/37.5", 0, 0.375),
        ],
    )
    def test_reads(self, text: str, valid: float, test: float) -> None:
        plan = SplitPlan.parse(text)
        assert (plan.valid, plan.test) == (valid, test)
        assert str(SplitPlan.parse(str(plan))) == str(plan)

    def test_seals_fifteen_percent_unless_told(self) -> None:
        assert SplitPlan() == SplitPlan.parse("85/15")
        assert list(SplitPlan().parts) == ["train", "test"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "written 70/15/15"),
            ("a/b", "written 70/15/15"),
            ("25/25/25/25", "written 70/15/15"),
            ("70/20", "sum to 90"),
            ("70/15/14", "sum to 99"),
            ("70/15/16", "sum to 101"),
            ("85/14.99999", r"sum to 100;"),
            ("85/15.00001", r"sum to 100;"),
            ("100/0/0/0", "written 70/15/15"),
            ("101/-1", "negative"),
            ("-1/101", "no rows to train on"),
            ("nan", "sum to nan"),
            ("inf/15", "sum to inf"),
            ("0/100", "no rows to train on"),
            ("110/-10", "negative"),
        ],
    )
    def test_refuses_in_one_sentence(self, text: str, words: str) -> None:
        with pytest.raises(OptionError, match=words):
            SplitPlan.parse(text)


class TestDealing:
    @given(
        st.lists(st.integers(0, 500), min_size=1, max_size=40),
        st.lists(st.floats(0.05, 1), min_size=2, max_size=6),
    )
    @LAWS
    def test_apportions_by_floor_or_ceiling(self, sizes: list[int], weights: list[float]) -> None:
        shares = np.array(weights) / sum(weights)
        quota = np.outer(sizes, shares)
        counts = allocate(np.array(sizes), shares)
        assert (counts.sum(axis=1) == sizes).all()
        assert (np.abs(counts - quota) < 1).all()
        assert (np.abs(counts.sum(axis=0) - quota.sum(axis=0)) < len(weights)).all()

    def test_joined_units_hold_both(self) -> None:
        rng = np.random.default_rng(0)
        first, second = rng.integers(0, 40, 60), rng.integers(0, 40, 60)
        both = connected_groups(first, second)
        assert crossing(both, first) == crossing(both, second) == 0
        assert both.max() > 0


class TestStratified:
    @given(labels(), PLANS, SEEDS)
    @LAWS
    def test_complete_and_within_one_row_of_every_class(self, codes: np.ndarray, plan: str, seed: int) -> None:
        shares = SplitPlan.parse(plan).parts
        parts = split(distinct(codes), codes, SplitPlan.parse(plan), seed)
        side = side_of(parts, len(codes))
        for c, size in enumerate(np.bincount(codes)):
            counts = [int((codes[rows] == c).sum()) for rows in parts_of(parts)]
            if size <= len(shares):
                assert counts[0] == size
            else:
                assert all(abs(g - size * share) < 1 + 1e-9 for g, share in zip(counts, shares.values(), strict=True))
        second_split = split(distinct(codes), codes, SplitPlan.parse(plan), seed)
        assert (side_of(second_split, len(codes)) == side).all()

    def test_sizes_hold_with_many_classes(self) -> None:
        codes = np.repeat(np.arange(77), 10)
        parts = split(distinct(codes), codes, SplitPlan.parse("70/15/15"), seed=1)
        assert [len(rows) for rows in parts_of(parts)] == pytest.approx([539, 115.5, 115.5], abs=3)

    def test_another_seed_seals_other_rows(self) -> None:
        codes = np.tile([0, 1], 200)
        first, second = (split(distinct(codes), codes, SplitPlan(), seed) for seed in (1, 2))
        assert set(first.test) != set(second.test)

    def test_every_row_is_as_likely_to_be_sealed(self) -> None:
        codes = np.repeat([0, 1], [30, 10])
        counts = sum(np.bincount(split(distinct(codes), codes, SplitPlan(), s).test, minlength=40) for s in range(300))
        assert counts.min() > 15
        assert counts.max() < 110

    def test_a_rare_class_stays_in_train_and_a_note_names_it(self) -> None:
        codes = np.array([0] * 50 + [1] * 3 + [2])
        named_table = table(
            pl.DataFrame({"x": np.arange(54.0), "pet": ["dog"] * 50 + ["pig"] * 3 + ["emu"]}), pet="target"
        )
        parts = split(named_table, codes, SplitPlan.parse("70/15/15"), seed=0)
        assert {50, 51, 52, 53} <= set(parts.train.tolist())
        assert parts.notes == (
            "class 'pig' has 3 rows: none in valid and test, which can say nothing about it",
            "class 'emu' has 1 row: it is in train and nothing can be said about it",
        )

    def test_no_test_when_none_is_asked_for(self) -> None:
        codes = np.array([0, 1, 0, 1])
        parts = split(distinct(codes), codes, SplitPlan.parse("100"), seed=0)
        assert parts.train.tolist() == [0, 1, 2, 3]
        assert len(parts.valid) == len(parts.test) == 0

    def test_a_part_that_was_asked_for_is_never_empty(self) -> None:
        codes = np.array([0, 0, 0, 1, 1])
        assert len(split(distinct(codes), codes, SplitPlan(), seed=0).test) == 1
        with pytest.raises(DataError, match="2 rows cannot be divided"):
            split(distinct(codes[:2]), codes[:2], SplitPlan.parse("70/15/15"), seed=0)


class TestCopies:
    @given(labels(least=40), PLANS, SEEDS, st.floats(0.2, 1))
    @LAWS
    def test_stay_on_one_side_or_a_note_says_so(
        self, codes: np.ndarray, plan: str, seed: int, different: float
    ) -> None:
        n = len(codes)
        values = np.random.default_rng(seed).integers(0, max(1, int(different * n)), n)
        rows = table(pl.DataFrame({"x": values.astype(float), "y": (values % 3).astype(str)}))
        parts = split(rows, codes, SplitPlan.parse(plan), seed)
        side = side_of(parts, n)
        copies_together = "copies of a row together" in parts.method
        has_note = any("copies" in note or "agree with another" in note for note in parts.notes)
        records = rows.records
        assert copies_together or has_note or records.max() + 1 == n
        assert crossing(side, records) == 0 or not copies_together
        assert np.array_equal(connected_groups(rows.copies, values), rows.copies)
        assert np.array_equal(connected_groups(records, rows.copies), rows.copies)

    def test_a_usual_share_of_copies_costs_no_balance(self) -> None:
        rng = np.random.default_rng(3)
        codes = (rng.random(4000) < 0.1).astype(int)
        index = rng.integers(0, 3000, 4000)
        rows = table(pl.DataFrame({name: rng.normal(size=3000)[index] for name in "xy"}))
        parts = split(rows, codes, SplitPlan(), seed=0)
        assert parts.method == "stratified; exact copies of a row together"
        assert parts.notes == ()
        assert len(parts.test) == pytest.approx(600, abs=2)
        assert codes[parts.test].sum() == pytest.approx(0.15 * codes.sum(), abs=2)

    def test_a_row_that_is_there_very_often_leaves_the_others_alike_in_all_parts(self) -> None:
        rng = np.random.default_rng(0)
        values = np.concatenate([np.zeros(3000), np.arange(1, 7001)])
        codes = np.where(values == 0, 0, rng.random(10_000) < 0.1).astype(int)
        rows = table(pl.DataFrame({"x": values}))
        parts = split(rows, codes, SplitPlan(), seed=0)
        assert (values[parts.test] == 0).mean() == pytest.approx(0.3, abs=0.04)
        assert len(parts.test) == pytest.approx(1500, abs=2)
        assert codes[parts.test].mean() == pytest.approx(codes.mean(), abs=0.001)
        pairs = folds(codes, 5, seed=0, groups=rows.copies)
        shares = [codes[valid][values[valid] > 0].mean() for _, valid in pairs if values[valid].any()]
        assert shares == pytest.approx([codes[values > 0].mean()] * len(shares), abs=0.001)

    def test_a_table_of_few_patterns_is_split_by_row(self) -> None:
        codes = np.tile([0, 1, 1], 100)
        parts = split(table(pl.DataFrame({"x": np.tile([1.0, 2.0], 150)})), codes, SplitPlan(), seed=0)
        assert len(parts.test) == 45
        assert (parts.method, len(parts.notes)) == ("stratified", 1)
        assert "dealt as rows like any others" in parts.notes[0]

    def test_coincidences_of_coarse_columns_are_dealt_as_rows_and_records_are_not(self) -> None:
        rng = np.random.default_rng(1)
        coarse = {name: rng.integers(0, 3, 600).astype(float) for name in "abcd"}
        codes = (rng.random(600) < 0.3).astype(int)
        parts = split(table(pl.DataFrame(coarse)), codes, SplitPlan(), seed=0)
        copies = table(pl.DataFrame(coarse)).copies
        assert parts.method == "stratified"
        assert np.isin(copies[parts.test], copies[parts.train]).mean() > 0.9
        fine_frame = pl.DataFrame({**coarse, "x": rng.normal(size=600)})
        with_copies = table(fine_frame[np.concatenate([np.arange(600), np.arange(60)])])
        parts = split(with_copies, np.concatenate([codes, codes[:60]]), SplitPlan(), seed=0)
        assert parts.method == "stratified; exact copies of a row together"
        assert crossing(side_of(parts, 660), with_copies.copies) == 0

    @pytest.mark.parametrize(
        ("roles", "plan", "is_stratified"),
        [
            ({}, "85/15", True),
            ({}, "70/15/15", True),
            ({"g": "group"}, "85/15", True),
            ({"t": "time"}, "85/15", False),
            ({"t": "time", "g": "group"}, "85/15", False),
            ({}, "100", False),
        ],
    )
    def test_says_whether_classes_were_dealt(self, roles: dict[str, Role], plan: str, is_stratified: bool) -> None:
        frame = pl.DataFrame({"g": np.arange(200.0) // 5, "t": np.arange(200.0), "x": np.arange(200.0)})
        assert (
            split(table(frame, **roles), np.arange(200) % 2, SplitPlan.parse(plan), seed=0).stratified == is_stratified
        )
        assert not split_by_column(
            table(pl.DataFrame({"part": ["train", "test"] * 100}), part="split"), np.arange(200) // 100, "part"
        ).stratified

    def test_the_target_is_no_feature(self) -> None:
        rows = table(pl.DataFrame({"x": [1.0, 1.0], "y": ["a", "b"]}), y="target")
        assert rows.copies.tolist() == [0, 0]


class TestGroups:
    @given(labels(least=40), PLANS, SEEDS, st.integers(4, 60))
    @LAWS
    def test_are_never_divided(self, codes: np.ndarray, plan: str, seed: int, many: int) -> None:
        n = len(codes)
        groups = np.random.default_rng(seed).integers(0, many, n)
        groups[:3] = [0, 1, 2]
        rows = table(pl.DataFrame({"x": np.arange(n, dtype=float), "who": groups.astype(str)}), who="group")
        parts = split(rows, codes, SplitPlan.parse(plan), seed)
        assert crossing(side_of(parts, n), groups) == 0
        assert len(parts_of(parts)) == len(SplitPlan.parse(plan).parts)

    def test_balance_is_that_of_scikit_learn_or_better(self) -> None:
        rng = np.random.default_rng(0)
        groups = np.repeat(np.arange(150), rng.integers(1, 12, 150))
        rate = rng.beta(1, 4, 150)[groups]
        codes = (rng.random(len(groups)) < rate).astype(int)

        def spread(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
            counts = np.array([np.bincount(codes[valid], minlength=2) for _, valid in pairs])
            return float((counts.std(axis=0) / counts.mean(axis=0)).sum())

        oracle = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(codes, codes, groups)
        assert spread(folds(codes, 5, seed=0, groups=groups)) <= spread(list(oracle)) + 0.01

    def test_groups_that_share_copies_go_together(self) -> None:
        codes = np.tile([0, 1], 100)
        groups = np.repeat(np.arange(100), 2)
        values = np.arange(200.0)
        values[[0, 50, 100]] = values[1]
        rows = table(pl.DataFrame({"x": values, "who": groups.astype(str)}), who="group")
        parts = split(rows, codes, SplitPlan(), seed=0)
        side = side_of(parts, 200)
        assert "copies of a row together" in parts.method
        assert crossing(side, groups) == 0
        assert len(set(side[[0, 1, 50, 100]])) == 1

    def test_too_few_groups_are_refused(self) -> None:
        rows = table(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "who": ["a"] * 4}), who="group")
        with pytest.raises(DataError, match="'who' has too few groups for train and test"):
            split(rows, np.array([0, 1, 0, 1]), SplitPlan(), seed=0)

    def test_rows_without_a_group_stay_together(self) -> None:
        codes = np.tile([0, 1], 50)
        groups = [None if i % 10 == 0 else str(i % 30) for i in range(100)]
        rows = table(pl.DataFrame({"x": np.arange(100.0), "who": groups}), who="group")
        parts = split(rows, codes, SplitPlan(), seed=0)
        assert len(set(side_of(parts, 100)[::10])) == 1
        assert "10 rows without 'who' are kept together as one group" in parts.notes


class TestTime:
    @given(labels(least=40), PLANS, SEEDS, st.integers(4, 200))
    @LAWS
    def test_goes_forward_and_ties_stay_together(self, codes: np.ndarray, plan: str, seed: int, many: int) -> None:
        n = len(codes)
        times = np.random.default_rng(seed).integers(0, many, n)
        times[:4] = [0, 1, 2, 3]
        rows = table(pl.DataFrame({"x": np.arange(n, dtype=float), "when": times.astype(float)}), when="time")
        parts = split(rows, codes, SplitPlan.parse(plan), seed)
        side_of(parts, n)
        part_times = [times[rows] for rows in parts_of(parts)]
        assert len(part_times) == len(SplitPlan.parse(plan).parts)
        assert all(older.max() < newer.min() for older, newer in itertools.pairwise(part_times))

    def test_takes_the_newest_share(self) -> None:
        times = np.random.default_rng(0).permutation(200)
        days = pl.Series(times).cast(pl.Int64) * 86_400_000_000
        rows = table(pl.DataFrame({"when": days.cast(pl.Datetime("us")), "x": times.astype(float)}), when="time")
        parts = split(rows, times % 2, SplitPlan.parse("70/10/20"), seed=5)
        assert sorted(times[parts.test]) == list(range(160, 200))
        assert sorted(times[parts.valid]) == list(range(140, 160))
        assert parts.method == "newest rows by 'when'"
        assert parts.notes == ()

    def test_notes_say_what_the_order_costs(self) -> None:
        codes = np.array([0] * 60 + [1] * 10 + [0] * 10 + [2] * 20)
        rows = table(pl.DataFrame({"x": np.arange(100.0) % 80, "when": np.repeat(np.arange(5.0), 20)}), when="time")
        assert split(rows, codes, SplitPlan(), seed=0).notes == (
            "20 rows outside train repeat an older row of train exactly",
            "train has 80 % of the rows, not 85 %: what belongs together stays so",
            "test has 20 % of the rows, not 15 %: what belongs together stays so",
            "class number 0 has 70 rows: none in test, which can say nothing about it",
            "class number 1 has 10 rows: none in test, which can say nothing about it",
            "class number 2 does not occur in train: no model can learn it",
        )

    @given(labels(least=60), SEEDS, st.integers(6, 40))
    @LAWS
    def test_with_groups_no_training_row_is_newer_than_a_test_group(
        self, codes: np.ndarray, seed: int, many: int
    ) -> None:
        rng = np.random.default_rng(seed)
        n = len(codes)
        groups, times = rng.integers(0, many, n), rng.permutation(n)
        frame = pl.DataFrame({"x": np.arange(n) * 1.0, "when": times * 1.0, "who": groups.astype(str)})
        rows = table(frame, when="time", who="group")
        parts = split(rows, codes, SplitPlan(), seed)
        assert crossing(side_of(parts, n), groups) == 0
        ends = [times[groups == g].max() for g in np.unique(groups[parts.test])]
        assert times[parts.train].max() < min(ends)

    @pytest.mark.parametrize(
        ("times", "words"),
        [
            ([1.0, 1.0, 1.0, 1.0], "end at 1 times only"),
            ([1.0, 2.0, None, 3.0], r"no time in 1 row \(first: row 3\)"),
            (["a", "b", "c", "d"], "neither dates nor numbers"),
        ],
    )
    def test_refuses_what_cannot_be_ordered(self, times: list[object], words: str) -> None:
        rows = table(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "when": times}), when="time")
        with pytest.raises(DataError, match=words):
            split(rows, np.array([0, 1, 0, 1]), SplitPlan(), seed=0)


class TestFolds:
    @given(labels(), st.integers(2, 8), SEEDS, st.integers(1, 3))
    @LAWS
    def test_are_complete_stratified_and_train_on_every_class(
        self, codes: np.ndarray, k: int, seed: int, repeats: int
    ) -> None:
        pairs = folds(codes, k, seed, repeats=repeats)
        assert len(pairs) == k * repeats
        sizes = np.bincount(codes)
        for train, valid in pairs:
            assert sorted([*train, *valid]) == list(range(len(codes)))
            assert (np.abs(np.bincount(codes[valid], minlength=len(sizes)) - sizes / k) < 1).all()
            assert set(np.flatnonzero(sizes >= 2)) <= set(codes[train])
        for repeat in range(repeats):
            valid_rows = np.concatenate([valid for _, valid in pairs[repeat * k : (repeat + 1) * k]])
            assert sorted(valid_rows) == list(range(len(codes)))

    def test_agree_with_scikit_learn_in_class_counts(self) -> None:
        codes = np.repeat([0, 1, 2], [61, 33, 17])

        def counts(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[list[int]]:
            return sorted(np.bincount(codes[valid]).tolist() for _, valid in pairs)

        oracle = StratifiedKFold(5, shuffle=True, random_state=0).split(codes, codes)
        ours, theirs = np.array(counts(folds(codes, 5, 0))), np.array(counts(list(oracle)))
        assert (np.sort(ours, axis=0) == np.sort(theirs, axis=0)).all()

    @given(labels(least=40), st.integers(2, 5), SEEDS, st.integers(8, 60))
    @LAWS
    def test_keep_groups_whole(self, codes: np.ndarray, k: int, seed: int, many: int) -> None:
        groups = np.random.default_rng(seed).integers(0, many, len(codes)) * 7
        if len(np.unique(groups)) < k:
            return
        for train, valid in folds(codes, k, seed, groups=groups):
            assert len(valid)
            assert not set(groups[train]) & set(groups[valid])

    @given(labels(least=40), st.integers(2, 5), SEEDS, st.integers(2, 100))
    @LAWS
    def test_follow_time(self, codes: np.ndarray, k: int, seed: int, many: int) -> None:
        rng = np.random.default_rng(seed)
        times, groups = rng.integers(0, many, len(codes)), rng.integers(0, 30, len(codes))
        times[:2] = [0, 1]
        pairs = folds(codes, k, seed, times=times)
        assert len(pairs) == min(k, len(np.unique(times)) - 1)
        for train, valid in pairs:
            assert times[train].max() < times[valid].min()
        assert (np.bincount(np.concatenate([valid for _, valid in pairs])) <= 1).all()
        expected = [(train, valid) for train, valid in pairs if set(groups[train]) - set(groups[valid])]
        if not expected:
            with pytest.raises(DataError, match="each group has rows at nearly all times"):
                folds(codes, k, seed, groups=groups, times=times)
            return
        group_folds = folds(codes, k, seed, groups=groups, times=times)
        assert len(group_folds) == len(expected)
        for train, valid in group_folds:
            assert times[train].max() < times[valid].min()
            assert not set(groups[train]) & set(groups[valid])

    def test_repeats_deal_anew(self) -> None:
        codes = np.tile([0, 1, 1], 30)
        one_repeat, three_repeats = folds(codes, 5, seed=3), folds(codes, 5, seed=3, repeats=3)
        assert len(three_repeats) == 15
        assignments = [
            np.concatenate([np.full(18, k) for k in range(5)])[np.argsort(np.concatenate(parts))]
            for parts in ([valid for _, valid in three_repeats[i : i + 5]] for i in (0, 5, 10))
        ]
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(one_repeat, three_repeats[:5], strict=True))
        for one, other in itertools.combinations(assignments, 2):
            assert 0.1 < (one == other).mean() < 0.4

    def test_depend_on_the_seed_only(self) -> None:
        codes = np.tile([0, 1, 1], 30)
        same = [np.concatenate([v for _, v in folds(codes, 5, seed)]).tolist() for seed in (4, 4, 5)]
        assert same[0] == same[1]
        assert same[0] != same[2]

    def test_refuse_what_cannot_be_folded(self) -> None:
        with pytest.raises(OptionError, match="at least 2 folds, not 1"):
            folds(np.array([0, 1]), 1, seed=0)
        with pytest.raises(DataError, match="3 folds need at least 3 rows"):
            folds(np.array([0, 1]), 3, seed=0)
        with pytest.raises(DataError, match="at least 3 groups of rows that differ"):
            folds(np.array([0, 1, 0, 1]), 3, seed=0, groups=np.array([1, 1, 2, 2]))
        with pytest.raises(DataError, match="two different times"):
            folds(np.array([0, 1, 0, 1]), 3, seed=0, times=np.array([1, 1, 1, 1]))


class TestHoldout:
    @given(labels(), SEEDS, st.sampled_from([0.1, 0.2, 0.5]))
    @LAWS
    def test_is_stratified_and_leaves_rare_classes_in_training(
        self, codes: np.ndarray, seed: int, share: float
    ) -> None:
        train, valid = holdout(codes, share, seed)
        assert sorted([*train, *valid]) == list(range(len(codes)))
        assert set(codes[train]) == set(codes)
        assert abs(len(valid) - share * len(codes)) < 2 + (np.bincount(codes) <= 2).sum()

    def test_keeps_groups_whole(self) -> None:
        codes, groups = np.tile([0, 1], 50), np.repeat(np.arange(25), 4)
        train, valid = holdout(codes, 0.2, seed=0, groups=groups)
        assert len(valid) == 20
        assert not set(groups[train]) & set(groups[valid])

    @pytest.mark.parametrize(("size", "is_spared"), [(1, True), (2, True), (3, False)])
    def test_a_class_of_two_rows_is_not_spared_for_it(self, size: int, is_spared: bool) -> None:
        codes = np.repeat([0, 1], [40, size])
        _, valid = holdout(codes, 0.5, seed=0)
        assert (1 not in codes[valid]) == is_spared


@pytest.mark.parametrize(("rows", "plan", "sizes"), [(2, "50/50", [1, 1]), (3, "60/20/20", [1, 1, 1])])
def test_as_many_rows_as_parts_are_just_enough(rows: int, plan: str, sizes: list[int]) -> None:
    parts = split(distinct(np.arange(rows)), np.arange(rows), SplitPlan.parse(plan), 0)
    assert [len(part) for part in parts_of(parts)] == sizes
    with pytest.raises(DataError, match=f"^{rows - 1} rows cannot be divided into train and"):
        split(distinct(np.arange(rows - 1)), np.arange(rows - 1), SplitPlan.parse(plan), 0)


def test_a_part_without_any_row_gets_the_smallest_unit_of_the_commonest_class() -> None:
    codes = np.repeat([0, 1], [11, 4])
    units = np.repeat(np.arange(6), [3, 3, 3, 2, 2, 2])
    for seed in range(5):
        part = stratified_assign(codes, units, np.array([0.99, 0.01]), seed)
        assert np.flatnonzero(part == 1).tolist() == [9, 10]
        row_part = stratified_assign(codes, np.arange(15), np.array([0.99, 0.01]), seed)
        assert codes[row_part == 1].tolist() == [0]


def test_fold_count_never_exceeds_the_rows() -> None:
    assert fold_count(2, 1) == 2
    assert fold_count(4, 2) == 3
    assert all(2 <= fold_count(n, r) <= max(2, min(5, n)) for n in range(2, 30) for r in range(1, n))


class TestToldByAColumn:
    def test_every_row_goes_where_it_says(self) -> None:
        words = ["train", "Test ", "val", "TRAINING", "dev", "test", "train"]
        frame = pl.DataFrame({"x": np.arange(7.0), "fold": words})
        parts = split_by_column(table(frame, fold="split"), np.array([0, 1, 0, 1, 1, 0, 0]), "fold")
        assert [p.tolist() for p in (parts.train, parts.valid, parts.test)] == [[0, 3, 6], [2, 4], [1, 5]]
        assert parts.method == "as 'fold' says"

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["train", "a", "test"], "column 'fold' says 'a', but parts are called train, valid and test"),
            (["train", None, "test"], "column 'fold' has no value in some rows"),
            (["train", "valid", "valid"], "column 'fold' says test in no row"),
            (["test", "valid", "valid"], "column 'fold' says train in no row"),
        ],
    )
    def test_refuses_in_a_sentence(self, words: list[str | None], message: str) -> None:
        frame = pl.DataFrame({"x": np.arange(3.0), "fold": words})
        with pytest.raises(DataError, match=message):
            split_by_column(table(frame, fold="split"), np.array([0, 1, 0]), "fold")

    def test_says_what_a_part_lacks(self) -> None:
        frame = pl.DataFrame(
            {"x": np.arange(4.0), "y": ["a", "a", "b", "b"], "fold": ["train", "test", "train", "train"]}
        )
        parts = split_by_column(table(frame, y="target", fold="split"), np.array([0, 0, 1, 1]), "fold")
        assert parts.notes == ("class 'b' has 2 rows: none in test, which can say nothing about it",)


@pytest.mark.parametrize(
    ("values", "targets", "cuts"),
    [
        ([0, 1, 2, 3, 4], [2.0], [2]),
        ([0, 1, 2, 3, 4], [2.4], [2]),
        ([0, 1, 2, 3, 4], [2.6], [3]),
        ([0, 0, 0, 1, 1], [1.0], [3]),
        ([0, 0, 0, 0], [2.0], []),
        ([0, 1, 2, 3], [1.0, 2.0], [1, 2]),
        ([0, 0, 1, 1, 2], [2.0, 2.1], [2, 4]),  # no two are the same
        ([0, 1, 1, 1, 2], [3.9, 4.0], [1, 4]),  # one is left for the second
        ([0, 1, 1, 1], [1.0, 2.0], []),
    ],
)
def test_cuts_lie_where_the_values_change(values: list[int], targets: list[float], cuts: list[int]) -> None:
    assert split_module._cuts(np.array(values), np.array(targets)) == cuts


@pytest.mark.parametrize(
    ("counts", "is_near"),
    [
        ([[60, 20], [10, 10]], True),
        ([[60, 20], [14, 6]], True),
        ([[54, 26], [13, 7]], True),  # 33 rows of the second part are three more than wished
        ([[48, 32], [14, 6]], True),  # 38: a quarter and one more, as is 62 of 70 rows
        ([[47, 33], [14, 6]], False),
        ([[69, 11], [10, 10]], False),  # 21 of 30
        ([[57, 23], [17, 3]], True),  # half of a class and two rows less
        ([[57, 23], [18, 2]], False),
    ],
)
def test_parts_are_near_what_was_wished_or_not(counts: list[list[int]], is_near: bool) -> None:
    """Wished are 60 and 20 rows of the first class, and 10 and 10 of the second."""
    pairs = [(c, p) for c in (0, 1) for p in (0, 1) for _ in range(counts[c][p])]
    codes, part = np.array(pairs).T
    assert split_module._near(part, codes, np.array([[60, 20], [10, 10]])) == is_near


@pytest.mark.parametrize(
    ("sizes", "notes"),
    [
        ([85, 15], []),
        ([825, 175], []),
        ([81, 19], ["train has 81 % of the rows, not 85 %", "test has 19 % of the rows, not 15 %"]),
        ([89, 11], ["train has 89 % of the rows, not 85 %", "test has 11 % of the rows, not 15 %"]),
        ([8, 2], []),  # a row and a half of ten is nothing
        ([16, 4], []),
        ([15, 5], ["train has 75 % of the rows, not 85 %", "test has 25 % of the rows, not 15 %"]),
        ([6, 4], ["train has 60 % of the rows, not 85 %", "test has 40 % of the rows, not 15 %"]),
    ],
)
def test_other_sizes_are_told(sizes: list[int], notes: list[str]) -> None:
    part = np.repeat([0, 1], sizes)
    size_notes = split_module._size_notes(part, ["train", "test"], np.array([0.85, 0.15]))
    assert size_notes == [f"{note}: what belongs together stays so" for note in notes]


def test_groups_are_as_new_as_their_newest_row() -> None:
    """Group b ends latest and is the test, with its old rows; a and c end earlier."""
    groups = ["c", "a", "b", "a", "b", "c", "a", "c", "b", "a"]
    times = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 6.5]
    rows = table(pl.DataFrame({"x": np.arange(10.0), "who": groups, "when": times}), who="group", when="time")
    parts = split(rows, np.array([0, 1, 0, 1, 1, 0, 1, 0, 0, 1]), SplitPlan.parse("70/30"), seed=0)
    assert parts.test.tolist() == [2, 4, 8]
    assert parts.method == "newest groups of 'who' by 'when'"
    assert parts.notes == ("2 rows outside train are no newer than the newest of train: their groups go on longer",)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["a", "a", "a", "a"], r"the groups of 'who' end at 1 times only; use another .*, or --time or --group alone$"),
        (None, r"the rows end at 1 times only; use another time column$"),
    ],
)
def test_what_cannot_be_ordered_is_named(groups: list[str] | None, words: str) -> None:
    frame = pl.DataFrame({"x": np.arange(4.0), "when": [1.0] * 4} | ({} if groups is None else {"who": groups}))
    rows = table(frame, when="time", **({} if groups is None else {"who": "group"}))
    with pytest.raises(DataError, match=words):
        split(rows, np.array([0, 1, 0, 1]), SplitPlan(), seed=0)


@pytest.mark.parametrize(
    ("times", "k", "pairs"),
    [
        ([3, 1, 2, 4], 3, [([1], [2]), ([1, 2], [0]), ([0, 1, 2], [3])]),
        ([1, 1, 2, 2, 3, 3], 2, [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]),
        ([1, 1, 2, 2], 3, [([0, 1], [2, 3])]),
    ],
)
def test_folds_of_time_expand(times: list[int], k: int, pairs: list[tuple[list[int], list[int]]]) -> None:
    time_folds = folds(np.zeros(len(times), dtype=np.int64), k, 0, times=np.array(times))
    assert [(train.tolist(), valid.tolist()) for train, valid in time_folds] == pairs


def test_a_fold_whose_groups_all_go_on_is_left_out() -> None:
    times, groups = np.array([1, 2, 3]), np.array([7, 7, 9])
    time_folds = folds(np.zeros(3, dtype=np.int64), 2, 0, groups=groups, times=times)
    assert [(train.tolist(), valid.tolist()) for train, valid in time_folds] == [([0, 1], [2])]


@pytest.mark.parametrize(
    ("rows", "rarest", "count"),
    [
        (200_000, 9, 5),
        (200_001, 9, 3),
        (1_000, 5, 5),
        (1_000, 4, 4),
        (1_000, 3, 3),
        (1_000, 2, 3),
        (4, 4, 4),
        (3, 3, 3),
        (2, 2, 2),
        (1, 1, 2),
    ],
)
def test_how_many_folds(rows: int, rarest: int, count: int) -> None:
    assert fold_count(rows, rarest) == count


def test_folds_are_just_enough_and_one_too_many() -> None:
    codes = np.array([0, 1, 0])
    assert sorted(valid.tolist() for _, valid in folds(codes, 3, seed=0)) == [[0], [1], [2]]
    groups = np.array([9, 4, 9, 7])
    group_folds = folds(np.array([0, 1, 0, 1]), 3, seed=0, groups=groups)
    assert sorted(valid.tolist() for _, valid in group_folds) == [[0, 2], [1], [3]]
    assert len(folds(np.array([0, 1]), 2, seed=0)) == 2


@pytest.mark.parametrize(("n_copies", "has_note"), [(8, True), (6, True), (4, False)])
def test_copies_by_chance_are_told_from_a_hundredth_of_the_rows_on(n_copies: int, has_note: bool) -> None:
    class Chance:
        """What a table of 600 rows says of its copies."""

        explains, by_chance = True, 0.02

    rows = type("Rows", (), {"coincidence": Chance()})()
    rows.coincidence.copied = n_copies / 600
    notes = split_module._coincidence_notes(rows)
    assert bool(notes) == has_note
    rows.coincidence.explains = False
    assert split_module._coincidence_notes(rows) == []


@pytest.mark.parametrize(
    ("text", "expected", "parts"),
    [
        ("70/15/15", "70/15/15", {"train": 0.7, "valid": 0.15, "test": 0.15}),
        ("85/15", "85/15", {"train": 0.85, "test": 0.15}),
        ("80/20/0", "80/20/0", {"train": 0.8, "valid": 0.2}),
        ("80/0/20", "80/20", {"train": 0.8, "test": 0.2}),
        ("100", "100", {"train": 1.0}),
    ],
)
def test_a_plan_names_the_parts_that_there_will_be(text: str, expected: str, parts: dict[str, float]) -> None:
    plan = SplitPlan.parse(text)
    assert str(plan) == expected
    assert plan.parts == pytest.approx(parts)
    assert list(plan.parts) == list(parts)


def test_parts_of_a_column_say_which_class_each_lacks() -> None:
    words = ["test", "train", "dev", "train", "test", "train"]
    frame = pl.DataFrame({"x": np.arange(6.0), "y": list("bbabcc"), "fold": words})
    parts = split_by_column(table(frame, y="target", fold="split"), np.array([1, 1, 0, 1, 2, 2]), "fold")
    assert parts.notes == (
        "class 'a' does not occur in train: no model can learn it",
        "class 'b' has 3 rows: none in valid, which can say nothing about it",
        "class 'c' has 2 rows: none in valid, which can say nothing about it",
    )
    assert (parts.train.tolist(), parts.valid.tolist(), parts.test.tolist()) == ([1, 3, 5], [2], [0, 4])


def test_groups_that_are_there_at_all_times_leave_no_fold_in_the_order_of_time() -> None:
    times, codes = np.arange(12), np.arange(12) % 2
    with pytest.raises(DataError, match="each group has rows at nearly all times"):
        folds(codes, 3, seed=0, groups=np.arange(12) % 2, times=times)
    assert len(folds(codes, 3, seed=0, groups=np.arange(12) // 2, times=times)) == 3
