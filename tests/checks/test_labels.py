"""A208: labels that look wrong."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks.context import AuditContext
from sortal.checks.labels import check
from sortal.core.table import Table
from sortal.testing.checks import typed

N = 2_400


def problem(seed: int, overlap: float, classes: int = 3) -> tuple[Table, np.ndarray]:
    """Clouds of points, ``overlap`` wide where their centres are 3 apart."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, N)
    centres = 3 * np.eye(classes, 5)
    values = centres[codes] + overlap * rng.normal(size=(N, 5))
    return typed(pl.DataFrame({f"x{j}": values[:, j] for j in range(5)})), codes


def with_mistakes(codes: np.ndarray, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.choice(N, int(share * N), replace=False)
    labels = codes.copy()
    labels[rows] = (codes[rows] + rng.integers(1, codes.max() + 1, len(rows))) % (codes.max() + 1)
    return labels


@pytest.mark.parametrize("share", [0.06, 0.12])
def test_wrong_labels_are_queued(share: float) -> None:
    table, codes = problem(0, overlap=0.5)
    labels = with_mistakes(codes, share, seed=1)
    shuffled_table = Table(table.schema, table.frame, np.random.default_rng(2).permutation(N))
    [finding] = check.find(AuditContext(shuffled_table, labels, ["a", "b", "c"]))
    assert finding.severity == ("warning" if finding.evidence["share"] >= 0.05 else "note")
    assert finding.evidence["share"] == pytest.approx(share, abs=0.025)
    place = np.argsort(shuffled_table.rows)[np.array(finding.evidence["source_rows"]) - 1]
    assert (labels[place] != codes[place]).mean() > 0.8
    assert list(finding.evidence["given"]) == [["a", "b", "c"][k] for k in labels[place]]
    # The queue begins with the rows that are surest to be wrong, and holds no more than the share of wrong labels.
    sure = np.array(finding.evidence["probability"])
    assert sure[: len(sure) // 4].mean() > sure[-len(sure) // 4 :].mean()
    suggestions = np.array(["abc".index(label) for label in finding.evidence["suggested"]])
    assert (suggestions == codes[place]).mean() > 0.8


@pytest.mark.parametrize("overlap", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("seed", range(2))
def test_classes_that_overlap_are_no_wrong_labels(overlap: float, seed: int) -> None:
    for classes in (2, 3):
        table, codes = problem(seed, overlap, classes)
        assert check.find(AuditContext(table, codes, list("abc")[:classes])) == []


def test_labels_that_nothing_tells() -> None:
    table, codes = problem(0, overlap=0.5)
    assert check.find(AuditContext(table, np.random.default_rng(0).permutation(codes), ["a", "b", "c"])) == []
