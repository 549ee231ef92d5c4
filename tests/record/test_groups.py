"""Rows of one group vary together: whatever is told of them with an interval is told with less certainty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sortal
from sortal import filing
from sortal.core.predictions import Predictions
from sortal.core.task import Promise
from sortal.decide.certify import certify
from sortal.decide.recalibration import recalibration_gain
from sortal.evaluate import curves
from sortal.record.assemble import Results, assemble

pytestmark = pytest.mark.usefixtures("all_hurried")

OTHER_TESTS = ("calibration", "permutation")
"""What calibration would gain: clones make up another value (see below). What columns add is measured before the record
is put together (``tests/evaluate/test_permutation.py``)."""
CLONES = 5


def patients(n: int = 300, seed: int = 0) -> pl.DataFrame:
    """Each patient has five visits, which hardly differ; the classes are imbalanced."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    sick = rng.random(n) < 1 / (1 + np.exp(1.2 - 2.0 * x[:, 0] - x[:, 1]))
    rows = np.repeat(np.arange(n), CLONES)
    visits = x[rows] + 0.01 * rng.normal(size=(len(rows), 3))
    return pl.DataFrame({"patient": rows, "a": visits[:, 0], "b": visits[:, 1], "c": visits[:, 2], "sick": sick[rows]})


def train_run(out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Results, list[Any]]:
    """What a run found, and what else ``assemble`` was given."""
    calls: list[Any] = []

    def recorder(results: Results, *rest: Any) -> Any:
        calls.append((replace(results, seal=None), rest))
        return assemble(results, *rest)

    monkeypatch.setattr(filing, "assemble", recorder)
    sortal.train(patients(), target="sick", group="patient", models=["logistic"], budget=30, out=out, **options)
    return calls[0]


def forget_groups(results: Results) -> Results:
    """The same predictions, from now on as if every row stood alone."""
    cross_validated = [result.predictions for result in results.trained.developed.results]
    assert results.test is not None
    test_parts = (results.test.predictions, *results.test.baselines.values())
    finalized = results.trained.finalized
    for predictions in (*cross_validated, finalized.evidence, finalized.unseen, finalized.out_of_fold, *test_parts):
        object.__setattr__(predictions, "groups", None)
        predictions.__dict__.pop("clusters", None)
    return replace(results, trained=replace(results.trained, dev=replace(results.trained.dev, units=None)))


def widths(node: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every interval of a record, by where it stands."""
    if isinstance(node, dict):
        if node.get("low") is not None and node.get("high") is not None:
            yield path, node["high"] - node["low"]
        for key, value in node.items():
            yield from widths(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from widths(value, f"{path}.{i}")


@pytest.mark.parametrize(
    "options",
    [{"cost": "fp=1,fn=4", "reject_cost": 0.3}, {"precision": 0.7, "sets": 0.9}],
    ids=["costs and rejects", "promise and sets"],
)
def test_every_interval_of_a_run_is_wider_than_that_of_rows_that_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    results, rest = train_run(tmp_path / "run", monkeypatch, **options)
    together = dict(widths(msgspec.to_builtins(assemble(results, *rest), enc_hook=float)))
    apart = dict(widths(msgspec.to_builtins(assemble(forget_groups(results), *rest), enc_hook=float)))
    # What was promised is that of the model file, which both share.
    names = [n for n in together if not n.startswith(OTHER_TESTS) and ".promised" not in n and together[n] > 0]
    sections = {name.split(".")[0] for name in names}
    assert sections >= {
        "baselines",
        "leaderboard",
        "selection",
        "decision",
        "per_class",
        "test",
        "verification",
        *(["sets"] if "sets" in options else []),
    }
    narrow = {n: (together[n], apart[n]) for n in names if not together[n] > 1.15 * apart[n]}
    # An interval that touches 0 or 1 has no more room on that side, and one of nearly no rows says nothing either way.
    assert not {n: w for n, w in narrow.items() if w[0] < 0.5}, narrow
    assert set(together) == set(apart)


def draw(n: int, clones: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 1.2, size=n)
    truth = (rng.random(n) < p).astype(np.int64)
    rows = np.repeat(np.arange(n), clones)
    columns = np.column_stack([1 - p, p])[rows]
    return Predictions(("no", "yes"), np.arange(n * clones), truth[rows], columns, "valid", groups=rows)


@settings(max_examples=40)
@given(n=st.integers(1, 60), clones=st.integers(1, 4), seed=st.integers(0, 99))
def test_one_row_of_each_group_stands_for_it(n: int, clones: int, seed: int) -> None:
    rows = draw(n, clones, seed)
    subset = rows.one_a_group(seed)
    assert sorted(subset.groups) == list(range(n))
    assert np.isin(subset.rows, rows.rows).all()
    assert np.array_equal(subset.rows, rows.one_a_group(seed).rows)
    alone = replace(rows, groups=None)
    assert alone.one_a_group(seed) is alone


def test_a_certificate_counts_groups_and_not_their_rows() -> None:
    """Clones are no evidence: the certificate is that of the rows that were cloned."""
    many, tuning = draw(400, 5, 1), draw(400, 1, 2)
    certificate = certify(Promise(precision=0.8), tuning, many, "yes")
    once = certify(Promise(precision=0.8), tuning, replace(draw(400, 1, 1), groups=None), "yes")
    assert (certificate.rows, certificate.grouped, once.grouped) == (400, True, False)
    assert replace(certificate, grouped=False) == once
    assert "400 labelled rows (one of each group)" in certificate.explanation
    naive = certify(Promise(precision=0.8), tuning, replace(many, groups=None), "yes")
    assert naive.rows == 2_000


def test_clones_do_not_make_up_a_gain_of_recalibration() -> None:
    """These probabilities are right; that the clones of a row agree looks as if they were not."""
    samples = [draw(400, 5, seed) for seed in range(8)]
    assert sum(recalibration_gain(rows).low > 0 for rows in samples) <= 1
    assert sum(recalibration_gain(replace(rows, groups=None)).low > 0 for rows in samples) >= 5


def test_bins_of_clones_are_worth_as_many_rows_as_were_cloned() -> None:
    rows = draw(600, 4, 4)
    once = draw(600, 1, 4)
    hit, p = rows.truth == 1, rows.probability[:, 1]
    together = curves.reliability(hit, p, rows.clusters)
    alone = curves.reliability(hit, p)
    single = curves.reliability(once.truth == 1, once.probability[:, 1])
    np.testing.assert_allclose(together.rate, alone.rate)
    assert np.median((together.high - together.low) / (alone.high - alone.low)) == pytest.approx(2.0, abs=0.15)
    assert np.median(together.high - together.low) == pytest.approx(np.median(single.high - single.low), rel=0.15)
