"""A106: what was computed from all rows shows in the values, what was computed from the training rows does not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler, TargetEncoder

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.finding import Finding, NotApplicable
from sortal.checks.preprocessed import check
from sortal.testing.checks import clean, typed

Floats = NDArray[np.float64]
N = 600


def case_of(columns: dict[str, object], codes: NDArray[np.int64], has_parts: bool) -> AuditContext:
    table = typed(pl.DataFrame(columns))
    if not has_parts:
        return AuditContext(table, codes, ["no", "yes"], 0, table.frame)
    held_out = np.random.default_rng(1).random(len(codes)) < 0.15
    dev = np.flatnonzero(~held_out)
    return AuditContext(table.take(dev), codes[dev], ["no", "yes"], 0, table.frame[dev], SplitView(table, held_out))


def findings(
    columns: dict[str, object], codes: NDArray[np.int64] | None = None, has_parts: bool = True
) -> list[Finding]:
    n = len(next(iter(columns.values())))  # type: ignore[call-overload]
    result = check.find(case_of(columns, np.arange(n) % 2 if codes is None else codes, has_parts))
    assert not isinstance(result, NotApplicable)
    return result


def preparations(*columns: Floats, has_parts: bool = True) -> list[tuple[str, list[str]]]:
    by_name: dict[str, object] = {f"x{j}": column for j, column in enumerate(columns)}
    return [(f.evidence["prepared"], f.evidence["columns"]) for f in findings(by_name, has_parts=has_parts)]  # type: ignore[misc]


def skewed_columns(n: int = N, columns: int = 1) -> Floats:
    return np.random.default_rng(n).gamma(2, 3, (n, columns)) @ np.tri(columns)


@pytest.mark.parametrize("has_parts", [False, True])
@pytest.mark.parametrize("n", [60, N, 5_000])
def test_standardised_columns_are_found_together(n: int, has_parts: bool) -> None:
    x = StandardScaler().fit_transform(skewed_columns(n, 3)).T
    by_hand = (x[0] * 3 + 1 - np.mean(x[0] * 3 + 1)) / np.std(x[0] * 3 + 1, ddof=1)
    of_length_one = x[0] / np.sqrt(n)
    result = preparations(
        x[0], x[1], skewed_columns(n)[:, 0], np.round(x[2], 3), by_hand, of_length_one, has_parts=has_parts
    )
    assert result == [("standardised", ["x0", "x1", "x3", "x4", "x5"])]


@settings(max_examples=40)
@given(
    st.integers(60, 400),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["gamma", "normal", "integers", "uniform"]),
)
def test_any_column_with_a_spread_is_known_again_once_it_was_standardised(n: int, seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    draw = {
        "gamma": rng.gamma(2, 3, n),
        "normal": rng.normal(5, 2, n),
        "integers": rng.integers(0, 7, n).astype(np.float64),
        "uniform": rng.random(n),
    }[shape]
    assert preparations(draw) == [] or shape == "integers"
    assert preparations((draw - draw.mean()) / draw.std())[0][0] == "standardised"


def test_what_was_fitted_on_the_training_rows_alone_is_silent() -> None:
    x, part = skewed_columns(N, 4), np.random.default_rng(1).random(N) < 0.15
    for scaler in (StandardScaler(), RobustScaler(), PCA(4)):
        scaled_x = scaler.fit(x[~part]).transform(x)
        assert preparations(*scaled_x.T) == []


def test_the_message_names_the_columns_and_what_is_in_them() -> None:
    x = StandardScaler().fit_transform(skewed_columns(N, 4)).T
    (finding,) = findings({name: x[j] for j, name in enumerate(("a", "b", "c", "d"))})
    assert finding.message == (
        "a, b and 2 more were standardised over all rows before the split: the test rows are in their mean"
    )
    assert (finding.severity, finding.column) == ("warning", "a")


@pytest.mark.parametrize("has_parts", [False, True])
def test_scores_of_a_pca(has_parts: bool) -> None:
    scores = PCA(4).fit_transform(skewed_columns(N, 4)).T
    assert preparations(skewed_columns()[:, 0], *scores, has_parts=has_parts) == [
        ("made uncorrelated (PCA)", ["x1", "x2", "x3", "x4"])
    ]


def test_scaled_by_quartiles() -> None:
    assert preparations(RobustScaler().fit_transform(skewed_columns())[:, 0]) == [
        ("scaled by median and quartiles", ["x0"])
    ]


def test_scaled_to_extremes_only_where_several_columns_are() -> None:
    x = MinMaxScaler().fit_transform(skewed_columns(N, 4)).T
    assert preparations(*x) == [("scaled to 0 and 1", ["x0", "x1", "x2", "x3"])]
    assert preparations(x[0], x[1], *skewed_columns(N, 4).T) == []


def test_counts_divided_by_their_ranges_lie_in_steps_of_their_own() -> None:
    rng = np.random.default_rng(0)
    ages, hours = rng.integers(17, 91, N), rng.integers(1, 100, N)
    x = MinMaxScaler().fit_transform(np.column_stack([ages, hours]).astype(np.float64)).T
    assert preparations(x[0], x[1], skewed_columns()[:, 0]) == [("scaled to 0 and 1", ["x0", "x1"])]
    assert preparations(ages / 100, hours / 100, skewed_columns()[:, 0]) == []
    assert preparations(rng.binomial(40, 0.4, N) / 40, rng.integers(0, 21, N) / 20) == []


def test_shares_and_pixels_end_at_0_and_1_too() -> None:
    rng = np.random.default_rng(0)
    parts = rng.multinomial(7, [0.5, 0.3, 0.2], N) / 7
    assert preparations(*parts.T) == []
    assert preparations(*(rng.integers(0, 256, (6, N)) / 255)) == []


@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize("n", [100, 5_000])
def test_quantiles(shape: str, n: int) -> None:
    x = QuantileTransformer(n_quantiles=min(n, 1000), output_distribution=shape, random_state=0).fit_transform(
        skewed_columns(n)
    )
    assert preparations(x[:, 0]) == [("turned into ranks", ["x0"])]


def test_ranks_but_not_the_number_of_a_row_nor_independent_shares() -> None:
    rank = pl.Series(skewed_columns()[:, 0]).rank().to_numpy()
    assert preparations(rank / N) == [("turned into ranks", ["x0"])]
    assert preparations(np.arange(N) / N) == []
    assert [preparations(np.random.default_rng(seed).random(N)) for seed in range(20)] == [[]] * 20


@pytest.mark.parametrize("middle", [np.mean, np.median])
def test_filled_in(middle) -> None:  # type: ignore[no-untyped-def]
    x = skewed_columns()[:, 0].copy()
    missing = np.random.default_rng(2).random(N) < 0.1
    x[missing] = middle(x[~missing])
    assert preparations(x) == [("filled with their mean or median", ["x0"])]


@pytest.mark.parametrize("places", [2, 6, 15])
def test_whole_numbers_filled_with_their_mean(places: int) -> None:
    age = np.round(np.random.default_rng(1).normal(40, 12, N))
    missing = np.random.default_rng(2).random(N) < 0.1
    age[missing] = np.round(age[~missing].mean(), places)
    assert preparations(age) == [("filled with their mean or median", ["x0"])]


def test_a_frequent_value_that_is_not_the_mean_is_no_filling() -> None:
    x = skewed_columns()[:, 0].copy()
    x[np.random.default_rng(2).random(N) < 0.3] = 0
    assert preparations(x) == []
    x[x == 0] = 4.5
    assert preparations(x) == []
    assert preparations(np.random.default_rng(0).integers(-3, 4, N).astype(np.float64)) == []


def rates(smooth: float, n: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    level = rng.integers(15, size=n)
    codes = (rng.random(n) < 0.15 + 0.04 * level).astype(np.int64)
    sizes, counts = np.bincount(level), np.bincount(level, weights=codes)
    return ((counts + smooth * codes.mean()) / (sizes + smooth))[level], codes


@pytest.mark.parametrize("parted", [False, True])
@pytest.mark.parametrize("smooth", [0, 1, 10, 100])
@pytest.mark.parametrize("n", [N, 8_000])
def test_rates_of_the_target_are_found_though_the_classes_of_the_test_are_not_known(
    n: int, smooth: float, parted: bool
) -> None:
    values, codes = rates(smooth, n)
    (finding,) = findings({"rate": values}, codes, parted)
    assert (finding.severity, finding.column) == ("severe", "rate")
    assert "classes of the test rows" in finding.message
    assert findings({"rate": values}, np.random.default_rng(5).permutation(codes), parted) == []


@pytest.mark.parametrize("smooth", ["auto", 12.5])
def test_rates_of_scikit_learn(smooth: str | float) -> None:
    level = np.random.default_rng(0).integers(15, size=N)
    codes = (np.random.default_rng(1).random(N) < 0.15 + 0.04 * level).astype(np.int64)
    encoder = TargetEncoder(smooth=smooth)
    assert findings({"rate": encoder.fit(level[:, None], codes).transform(level[:, None])[:, 0]}, codes, False)
    assert findings({"rate": encoder.fit_transform(level[:, None], codes)[:, 0]}, codes, False) == []


def test_rates_of_former_rows_and_of_training_rows_are_honest() -> None:
    rng = np.random.default_rng(3)
    level = rng.integers(15, size=N)
    codes = (rng.random(N) < 0.15 + 0.04 * level).astype(np.int64)
    case = case_of({"level": level.astype(np.float64)}, codes, True)
    assert case.split_view is not None
    former = rng.binomial(400, 0.15 + 0.04 * np.arange(15)) / 400
    assert findings({"rate": former[level]}, codes) == []
    dev = ~case.split_view.held_out
    own = np.bincount(level[dev], weights=codes[dev]) / np.bincount(level[dev])
    assert findings({"rate": own[level]}, codes) == []


@pytest.mark.parametrize("seed", range(30))
def test_honest_columns_are_silent(seed: int) -> None:
    table, codes = clean(seed)
    rng = np.random.default_rng(seed)
    n = len(codes)
    columns = {
        "normal": rng.normal(size=n),
        "uniform": rng.random(n),
        "two": rng.choice([-1.0, 1.0], n),
        "share": rng.beta(2, 3, n),
        "grid": rng.integers(11, size=n) / 10,
        "mostly nothing": np.where(rng.random(n) < 0.4, 0, rng.lognormal(size=n)),
        "score": np.round(rng.random(12), 2)[rng.integers(12, size=n)],
        "change": np.where(rng.random(n) < 0.1, 0.0, rng.normal(size=n)),
    }
    frame = table.frame.with_columns(pl.Series(name, values) for name, values in columns.items())
    assert check.find(AuditContext(typed(frame), codes, ["no", "yes"])) == []


def test_says_why_it_does_not_apply() -> None:
    table, codes = clean(0)
    few_rows = check.find(AuditContext(table.take(np.arange(40)), codes[:40], ["no", "yes"]))
    words = check.find(AuditContext(typed(table.frame.select("colour")), codes, ["no", "yes"]))
    assert (few_rows, words) == (NotApplicable("fewer than 50 rows", blind=True), NotApplicable("no column of numbers"))
