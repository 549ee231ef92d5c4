"""What a family is asked for, option by option, and which rows belong to predictions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core import registry
from sortal.core.costs import CostColumn
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import Program
from sortal.models.family import FitRequest, Fitted, Resources, Settings
from sortal.training import candidate as module
from sortal.training.candidate import Candidate, Development, fit, prepare_rows, sample, sample_units
from tests.training.conftest import development

FAMILY = registry.load("sortal.models", "lightgbm")


class RecordingFamily:
    """A family that notes what it is asked for, and says the same of every row."""

    def __init__(self, early: bool = True) -> None:
        self.requests: list[tuple[FitRequest, Settings]] = []
        self.family = replace(FAMILY, early_stopping=early, fit=self._fit)

    def _fit(self, request: FitRequest, settings: Settings) -> Fitted:
        self.requests.append((request, dict(settings)))
        k = request.n_classes
        return Fitted(
            lambda X: np.full((len(X), k), 1 / k),
            lambda: Program("constant", {}, {"probability": np.full(k, 1 / k)}),
            importance=np.zeros(request.train.X.shape[1]),
        )

    @property
    def only(self) -> tuple[FitRequest, Settings]:
        ((request, settings),) = self.requests
        return request, settings


DEV = replace(development(3)[0], seed=11, resources=Resources(3, "cpu"))
ROWS = np.arange(200)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("purpose", ["judge", "repeat", "ship"])
def test_which_rows_train_and_which_stop(early: bool, purpose: Any) -> None:
    recorder = RecordingFamily(early)
    matrix = prepare_rows(DEV, ROWS, FAMILY.view)
    assert 20 <= len(matrix.stop) <= 26
    pipeline = fit(Candidate("c", recorder.family), matrix, DEV, {}, purpose=purpose)
    request, _ = recorder.only
    holds_out = early and purpose != "ship"
    keep = np.setdiff1d(np.arange(200), matrix.stop) if holds_out else np.arange(200)
    np.testing.assert_array_equal(request.train.X, matrix.X[keep])
    np.testing.assert_array_equal(request.train.y, matrix.y[keep])
    if early and purpose == "judge":
        assert request.stop is not None
        np.testing.assert_array_equal(request.stop.X, matrix.X[matrix.stop])
        np.testing.assert_array_equal(request.stop.y, matrix.y[matrix.stop])
    else:
        assert request.stop is None
    assert pipeline.rows == len(keep)
    assert pipeline.saw.tolist() == DEV.table.rows[ROWS].tolist()


def test_all_else_that_a_family_is_told() -> None:
    recorder = RecordingFamily()
    matrix = prepare_rows(DEV, ROWS, FAMILY.view)
    model = Candidate("c", recorder.family, {"a": 1, "b": 1, "focal": 9.0})
    fit(model, matrix, DEV, {"b": 2, "c": 2})
    fit(replace(model, balance="focal"), matrix, DEV, {"b": 2}, seconds=5.0, share=0.25)
    (first, settings), (second, more) = recorder.requests
    assert (first.n_classes, first.seed, first.seconds, first.share) == (3, 11, math.inf, 1.0)
    assert (second.seconds, second.share) == (5.0, 0.25)
    assert first.resources == Resources(3, "cpu")
    assert first.categorical == matrix.preprocessor.categorical != ()
    assert settings == {"a": 1, "b": 2, "c": 2, "focal": 9.0}
    assert more == {"a": 1, "b": 2, **module.FOCAL}  # a way to balance is stronger than a setting


@pytest.mark.parametrize("way", ["weights", "undersample"])
def test_rows_that_stop_weigh_as_those_that_train(way: Any) -> None:
    recorder = RecordingFamily()
    rare = np.concatenate([np.flatnonzero(DEV.codes == 0), np.flatnonzero(DEV.codes == 1)[:40]])
    matrix = prepare_rows(DEV, np.sort(rare), FAMILY.view)
    pipeline = fit(Candidate("c", recorder.family, balance=way), matrix, DEV, {})
    request, _ = recorder.only
    assert request.stop is not None
    weight = request.stop.weight
    assert weight is not None
    of_class = [set(weight[request.stop.y == code].round(9)) for code in (0, 1)]
    assert [len(weights) for weights in of_class] == [1, 1]
    counts = np.bincount(np.delete(matrix.y, matrix.stop))
    assert max(of_class[1]) / max(of_class[0]) == pytest.approx(counts[0] / counts[1], rel=1e-6)
    # Of three classes one is not there: the model knows two, and what it says is spread over three.
    assert [step.op for step in pipeline.tail] == ["logit_affine", "spread"]
    assert pipeline.predict_proba(matrix.X)[:, 2].tolist() == [0.0] * len(matrix.y)
    assert len(recorder.only[0].train.y) == (counts.sum() if way == "weights" else 2 * counts[1])


@pytest.mark.parametrize(("rows", "stop"), [(19, 0), (20, 2)])
def test_of_few_rows_none_is_spared_to_stop_by(rows: int, stop: int) -> None:
    dev = development(2)[0]
    subset = np.sort(np.concatenate([np.flatnonzero(dev.codes == code)[: -(-rows // 2)] for code in (0, 1)])[:rows])
    matrix = prepare_rows(dev, subset, FAMILY.view)
    assert (len(matrix.stop) > 0) == (stop > 0)
    recorder = RecordingFamily()
    fit(Candidate("c", recorder.family), matrix, dev, {})
    assert (recorder.only[0].stop is None) == (stop == 0)


def test_of_many_rows_no_more_stop_than_tell_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STOP_ROWS", 10)
    assert len(prepare_rows(DEV, ROWS, FAMILY.view).stop) == pytest.approx(10, abs=2)


def test_what_preparation_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def noting(table: Table, labels: Any, view: Any, *more: Any) -> Any:
        calls.append((table.rows.tolist(), labels.codes.tolist(), labels.n_classes, view.smallest_count, *more))
        return "preprocessor", np.zeros((len(table), 2))

    monkeypatch.setattr(module.prepare, "fit", noting)
    dev = replace(DEV, select=2, smallest_count=4)
    lacking = np.flatnonzero(DEV.codes != 1)[::-1]
    matrix = prepare_rows(dev, lacking, FAMILY.view)
    ((rows, codes, classes, smallest, seed, select, memo),) = calls
    assert rows == DEV.table.rows[lacking].tolist() == matrix.rows.tolist()
    assert codes == np.where(DEV.codes[lacking] == 2, 1, 0).tolist() == matrix.y.tolist()
    assert (classes, smallest, seed, select) == (2, 4, 11, 2)
    assert memo is dev.memo
    assert matrix.present.tolist() == [0, 2]
    assert (matrix.preprocessor, matrix.X.shape) == ("preprocessor", (len(lacking), 2))


def small(**columns: Any) -> Development:
    n = 6
    roles: dict[str, Any] = {"fee": "cost", "who": "group", "w": "weight"}
    frame = pl.DataFrame({"x": np.arange(float(n)), **columns})
    kinds = {"who": "category"}
    schema = Schema(
        tuple(Column(name, kinds.get(name, "number"), roles.get(name, "feature")) for name in frame.columns)
    )
    table = Table(schema, frame, np.array([30, 10, 50, 20, 60, 40]))
    return Development(table, np.array([0, 1, 1, 0, 1, 0]), ("n", "p"), 0)


def test_what_belongs_to_a_row_goes_with_its_prediction() -> None:
    dev = small(fee=[3.0, 1.0, 5.0, 2.0, 6.0, 4.0], who=["c", "a", "c", "b", "a", "b"])
    dev = replace(dev, cost_columns=(CostColumn(1, 0, "fee"),))
    index = np.array([4, 0, 1])
    predictions = dev.predictions(index, np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]), "nested")
    assert (predictions.classes, predictions.part) == (("n", "p"), "nested")
    assert predictions.rows.tolist() == [60, 30, 10]
    assert predictions.truth.tolist() == [1, 0, 1]
    assert predictions.row_costs is not None
    assert predictions.row_costs.tolist() == [[6.0], [3.0], [1.0]]
    assert predictions.groups is not None
    assert [predictions.groups[0] == predictions.groups[2], predictions.groups[0] == predictions.groups[1]] == [
        True,
        False,
    ]
    plain = small().predictions(index, predictions.probability, "valid")
    assert (plain.row_costs, plain.groups) == (None, None)


def test_units_of_rows_are_looked_up_by_their_ids() -> None:
    dev = small()
    predictions = dev.predictions(np.array([4, 0, 1]), np.full((3, 2), 0.5), "valid")
    assert dev.units_of(predictions) is None
    units = replace(dev, units=np.array([7, 8, 7, 9, 8, 9])).units_of(predictions)
    assert units is not None
    assert units.tolist() == [8, 7, 8]


def test_weights_are_one_in_the_mean_of_the_rows_that_are_there() -> None:
    dev = small(w=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    weight = prepare_rows(dev, np.array([1, 5, 3]), FAMILY.view).weight
    assert weight is not None
    assert weight.tolist() == pytest.approx([0.5, 1.5, 1.0])
    assert prepare_rows(small(), np.array([1, 5, 3]), FAMILY.view).weight is None


def from_codes(codes: list[int], units: list[int] | None = None, seed: int = 3) -> Development:
    n = len(codes)
    table = Table(Schema((Column("x", "number"),)), pl.DataFrame({"x": np.arange(float(n))}), np.arange(n))
    classes = tuple(map(str, range(max(codes) + 1)))
    return Development(table, np.array(codes), classes, seed, None if units is None else np.array(units))


def test_a_sample_keeps_the_share_of_every_class_and_two_rows_at_least() -> None:
    dev = from_codes([0] * 60 + [1] * 30 + [2] * 4)
    rows = np.arange(94)[::-1]
    for most in (94, 95, None):
        assert sample(dev, rows, most) is rows
    for most, counts in ((47, [30, 15, 2]), (93, [59, 30, 4]), (10, [6, 3, 2]), (1, [2, 2, 2])):
        subset = sample(dev, rows, most)
        assert np.bincount(dev.codes[subset]).tolist() == counts
        assert subset.tolist() == sorted(set(subset.tolist()))
        assert subset.tolist() == sample(dev, rows, most).tolist()
    assert sample(dev, rows, 47).tolist() != sample(replace(dev, seed=4), rows, 47).tolist()


def test_a_sample_of_units_holds_them_whole() -> None:
    units = [k // 4 for k in range(80)]
    dev = from_codes([k % 2 for k in range(80)], units)
    rows = np.arange(80)
    for most in (1, 8, 9, 12, 79):
        subset = sample_units(dev, rows, most)
        sampled_units = set(np.array(units)[subset].tolist())
        assert subset.tolist() == [k for k in range(80) if units[k] in sampled_units]
        assert len(subset) == 4 * -(-most // 4)  # the unit in which the last of so many rows lies is whole
    for most in (80, None):
        assert sample_units(dev, rows, most) is rows
    assert sample_units(replace(dev, units=None), rows, 9).tolist() == sample(dev, rows, 9).tolist()


def test_a_class_that_no_chosen_unit_holds_gets_two_rows() -> None:
    units = [k // 10 for k in range(60)]
    dev = from_codes([0] * 50 + [1] * 10, units)
    for seed in range(8):
        subset = sample_units(replace(dev, seed=seed), np.arange(60), 10)
        counts = np.bincount(dev.codes[subset], minlength=2).tolist()
        assert counts in ([10, 2], [2, 10])
        assert subset.tolist() == sorted(subset.tolist())


@pytest.mark.parametrize(
    ("kinds", "encodings", "items", "beside"),
    [
        (("number",), {"number"}, False, ""),
        (("text",), {"text"}, True, ""),
        (("image", "image"), {"image"}, True, ""),
        (("text", "number"), {"text", "number"}, True, "texts"),
        (("number", "image"), {"number", "image"}, True, "images"),
        (("image", "text", "category"), {"image", "text", "category"}, True, "texts and images"),
        (("image", "text"), {"image", "text"}, True, ""),
    ],
)
def test_what_a_table_holds_beside_other_columns(
    kinds: tuple[str, ...], encodings: set[str], items: bool, beside: str
) -> None:
    columns = [Column(f"c{k}", kind) for k, kind in enumerate(kinds)]
    table = Table(Schema((*columns, Column("t", "text", "ignore"))), pl.DataFrame(), np.arange(0))
    dev = Development(table, np.zeros(0, dtype=np.int64), ("n", "p"), 0)
    assert (set(dev.encodings), dev.has_items, dev.items_beside_others) == (encodings, items, beside)
