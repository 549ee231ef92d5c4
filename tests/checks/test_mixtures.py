"""A305: two units, numbers that mean missing, spellings, encodings, yes and no, dates, amounts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Finding, NotApplicable
from sortal.checks.measures.spelling import key, mended
from sortal.checks.mixtures import check, of_numbers
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.table import Table
from sortal.testing.checks import clean

Floats = NDArray[np.float64]
N = 1_000


def findings(**columns: object) -> list[Finding]:
    """As a command would: kinds are inferred from what was read."""
    raw = pl.DataFrame(columns).with_columns(pl.Series("target", ["a", "b"] * (N // 2)))
    schema = infer(raw, "target")
    table = Table(schema, conform(raw, schema), np.arange(N))
    result = check.find(AuditContext(table, np.arange(N) % 2, ["a", "b"], raw=raw))
    assert not isinstance(result, NotApplicable)
    return result


def kinds(**columns: object) -> list[str]:
    return [str(finding.evidence["kind"]) for finding in findings(**columns)]


def random_mask(share: float, seed: int = 7) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(N) < share


def weights(seed: int = 0) -> Floats:
    return np.round(np.random.default_rng(seed).normal(170, 9, N), 1)


def test_classes_that_differ_in_case_only() -> None:
    raw = pl.DataFrame({"x": weights(), "target": ["Yes", "no", "yes", "YES", "no"] * (N // 5)})
    schema = infer(raw, "target")
    table = Table(schema, conform(raw, schema), np.arange(N))
    result = check.find(AuditContext(table, np.arange(N) % 2, ["a", "b"], raw=raw))
    assert not isinstance(result, NotApplicable)
    (finding,) = result
    assert (finding.column, finding.severity) == ("target", "warning")
    assert "spells 1 level in several ways: " in finding.message


@pytest.mark.parametrize("factor", [1 / 100, 1 / 2.54, 1 / 30.48, 10, 1000, 2.20462])
@pytest.mark.parametrize("share", [0.04, 0.3])
def test_two_units(factor: float, share: float) -> None:
    heights = np.where(random_mask(share), weights() * factor, weights())
    (finding,) = findings(height=heights)
    assert finding.evidence["kind"] == "two units"
    assert finding.severity == ("warning" if share > 0.05 else "note")
    assert "in two units" in finding.message


def test_celsius_and_fahrenheit() -> None:
    celsius = np.random.default_rng(0).normal(37, 0.6, N)
    (finding,) = findings(temperature=np.where(random_mask(0.2), celsius * 1.8 + 32, celsius))
    assert "Fahrenheit" in finding.message


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 100.0, 1000.0]), st.integers(1, 20), st.booleans())
def test_the_same_amounts_in_two_units_are_told_from_other_amounts(
    seed: int, factor: float, spacing: int, up: bool
) -> None:
    """One row in ``spacing + 1``, evenly over the sorted rows, is written in the other unit."""
    amounts = np.sort(np.random.default_rng(seed).lognormal(3, 0.15, 1050))
    other = np.arange(1050) % (spacing + 1) == spacing // 2
    mixture = of_numbers(np.where(other, amounts * (factor if up else 1 / factor), amounts))
    assert mixture is not None
    assert (mixture.kind, mixture.share) == ("two units", min(other.mean(), 1 - other.mean()))
    for ratio in (0.8, 1.25):
        assert of_numbers(np.where(other, amounts * factor * ratio, amounts)) is None


def test_two_heaps_at_another_distance_are_two_kinds_of_things() -> None:
    rng = np.random.default_rng(0)
    for ratio in (4.2, 7, 17, 45, 300):
        assert kinds(price=np.where(random_mask(0.3), ratio, 1) * rng.lognormal(3, 0.12, N)) == []


@pytest.mark.parametrize("code", [-1, -9, -999, 99, 999, 9999])
def test_a_number_that_means_missing(code: int) -> None:
    days = np.random.default_rng(0).integers(0, 45, N)
    result = findings(days=np.where(random_mask(0.1), code, days), other=days)
    assert [(f.column, f.evidence["kind"], f.severity) for f in result] == [("days", "code for missing", "warning")]
    assert f"is {code} in " in result[0].message


def test_an_end_of_a_range_is_no_code() -> None:
    rng = np.random.default_rng(0)
    assert kinds(age=rng.integers(17, 100, N), share=rng.integers(0, 100, N)) == []
    assert kinds(change=np.maximum(-1, rng.integers(-2, 60, N)), balance=np.rint(rng.normal(0, 40, N))) == []
    assert kinds(few=rng.choice([-1, 0, 1], N), rounds=np.minimum(99, rng.geometric(0.02, N))) == []


def test_zeros_where_nothing_is_near_zero() -> None:
    pressure = np.rint(np.random.default_rng(0).normal(72, 12, N)).clip(30)
    (finding,) = findings(pressure=np.where(random_mask(0.2), 0, pressure))
    assert (finding.evidence["kind"], finding.severity) == ("zero for missing", "note")
    rng = np.random.default_rng(0)
    assert (
        kinds(claims=rng.poisson(2, N), paid=np.where(random_mask(0.5), 0, np.round(rng.lognormal(4, 1, N), 2))) == []
    )
    assert kinds(size=np.rint(rng.normal(30, 12, N)).clip(0)) == []


def test_spellings_of_levels() -> None:
    city = np.array(["New York", "Boston", "São Paulo"])[np.arange(N) % 3].astype(object)
    city[::10] = "NEW YORK"
    city[1::50] = "Sao  Paulo"
    city[5] = " Boston "
    (finding,) = findings(city=city)
    assert finding.severity == "warning"
    assert "'New York', 'NEW YORK'; 'São Paulo', 'Sao  Paulo'" in finding.message
    assert kinds(state=["NY", "N.Y.", "CA", "NY"] * (N // 4)) == ["spellings"]


@pytest.mark.parametrize(
    "levels",
    [
        ["A+", "A-", "A", "B+", "B-"],
        ["C", "C#", "C++", "F#"],
        ["<30", ">30", "NO"],
        ["a", "A", "b", "B"],
        ["1.5", "15", "x"],
        ["10-20", "20-30", "1020"],
        ["aBc9", "AbC9", "abc9"],
    ],
)
def test_marks_that_carry_meaning_are_no_spelling(levels: list[str]) -> None:
    assert kinds(level=[levels[i % len(levels)] for i in range(N)]) == []


@given(st.text(max_size=12))
def test_a_key_is_its_own_key_in_any_case_of_words(text: str) -> None:
    if text.isascii() and sum(map(str.isalpha, text)) >= 2 and not any(map(str.isdigit, text)):
        assert key(text.upper()) == key(text.lower()) == key(text)


def test_a_wrong_encoding() -> None:
    names = ["Café", "Müller", "Søren", "plain"] * (N // 4)
    mojibake = [name.encode().decode("cp1252") if i < 100 else name for i, name in enumerate(names)]
    (finding,) = findings(name=mojibake)
    assert finding.evidence["kind"] == "encoding"
    assert "was 'Café'" in finding.message
    assert kinds(name=names, city=["SÃO PAULO", "MAÇÃ", "ÂNGELA", "x"] * (N // 4)) == []


@given(st.text(alphabet="äöüéèñçßøåÄÖÜ", min_size=1, max_size=8))
def test_mending_undoes_a_wrong_reading(word: str) -> None:
    assert mended(word.encode().decode("latin-1")) == word


def test_yes_and_no_in_several_ways() -> None:
    (finding,) = findings(member=["Y", "No", "yes", "N"] * (N // 4))
    assert finding.evidence["kind"] == "yes and no"
    assert kinds(member=["1", "0", "yes", "no"] * (N // 4)) == ["yes and no"]
    assert kinds(member=["yes", "no"] * (N // 2), shape=["t", "f", "n", "t"] * (N // 4)) == []


def test_dates_in_several_ways() -> None:
    days = [f"{2000 + i % 23}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(N)]
    mixed_dates = [f"{d[8:]}.{d[5:7]}.{d[:4]}" if i % 9 == 0 else d for i, d in enumerate(days)]
    swapped_dates = [f"{d[5:7]}/{d[8:]}/{d[:4]}" if i % 2 else f"{d[8:]}/{d[5:7]}/{d[:4]}" for i, d in enumerate(days)]
    assert kinds(day=mixed_dates) == ["dates"]
    assert kinds(day=swapped_dates) == ["dates"]
    assert kinds(day=days, usual=[f"{d[5:7]}/{d[8:]}/{d[:4]}" for d in days]) == []


def test_amounts_in_several_ways() -> None:
    rng = np.random.default_rng(0)
    numbers = [f"{x:.1f}" for x in rng.gamma(3, 20, N)]
    assert kinds(weight=[f"{x} kg" if i % 3 else f"{x} lb" for i, x in enumerate(numbers)]) == ["amounts"]
    assert kinds(price=[f"${x}" if i % 2 else f"{x} EUR" for i, x in enumerate(numbers)]) == ["amounts"]
    assert kinds(size=[x.replace(".", ",") if i % 4 == 0 else x for i, x in enumerate(numbers)]) == ["amounts"]
    assert kinds(weight=[f"{x} kg" for x in numbers], seat=[f"{i % 40}{'ABCDEF'[i % 6]}" for i in range(N)]) == []


@pytest.mark.parametrize("seed", range(20))
def test_honest_columns_are_silent(seed: int) -> None:
    table, codes = clean(seed)
    assert check.find(AuditContext(table, codes, ["no", "yes"], raw=table.frame)) == []
    rng = np.random.default_rng(seed)
    columns = {
        "wide": rng.lognormal(5, 2, N),
        "narrow": rng.normal(100, 3, N),
        "heavy": rng.standard_t(2, N),
        "counts": rng.negative_binomial(1, 0.02, N),
        "rare": np.where(rng.random(N) < 0.02, rng.integers(1, 5000, N), 0),
        "two": np.where(rng.random(N) < 0.4, rng.normal(20, 2, N), rng.normal(60, 9, N)),
        "code": [f"K{x:03}" for x in rng.integers(400, size=N)],
    }
    assert kinds(**columns) == []
