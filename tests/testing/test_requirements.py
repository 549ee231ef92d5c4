"""Each requirement is there for a fault; a plug-in with that fault, and no other, must fail it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.checks.finding import Check, Finding
from sortal.core import registry
from sortal.core.cells import Cells
from sortal.core.columns import RawColumn
from sortal.core.errors import OptionError
from sortal.core.kinds import Kind
from sortal.core.kinds.category import Category
from sortal.core.kinds.datetime import Datetime
from sortal.core.kinds.number import Number
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.engine import Program
from sortal.models.family import Family, FitRequest, Fitted, Settings
from sortal.prepare.number import preparer as number
from sortal.prepare.view import EncodedColumn
from sortal.testing import (
    ConformanceError,
    Requirement,
    check_calibrator,
    check_check,
    check_family,
    check_kind,
    check_metric,
    check_preparer,
    families,
)

LOGISTIC: Family = registry.load("sortal.models", "logistic")
UNSEEDED = np.random.default_rng()


def fails(requirements: Iterator[Requirement], about: str) -> bool:
    """Whether a requirement with this in its name fails."""
    matches = [r for r in requirements if about in r.name]
    assert matches
    for requirement in matches:
        try:
            requirement()
        except ConformanceError:
            return True
    return False


def family_with(change: Callable[[FitRequest, Fitted], Fitted]) -> Family:
    """Logistic regression whose fits are changed afterwards."""

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        return change(request, LOGISTIC.fit(request, settings))

    return replace(LOGISTIC, fit=fit)


def unnormalised(request: FitRequest, model: Fitted) -> Fitted:
    return replace(model, predict_proba=lambda X: 0.9 * model.predict_proba(X))


def inexact(request: FitRequest, model: Fitted) -> Fitted:
    program = model.program()
    arrays = {**program.arrays, "coef": program.arrays["coef"] + 1e-9}
    return replace(model, program=lambda: replace(program, arrays=arrays))


def constant(request: FitRequest, model: Fitted) -> Fitted:
    last = np.eye(request.n_classes)[-1] * 0.98 + 0.02 / request.n_classes
    return replace(
        model,
        predict_proba=lambda X: np.tile(last, (len(X), 1)),
        program=lambda: Program("constant", arrays={"probability": last}),
    )


def unrepeatable(request: FitRequest, model: Fitted) -> Fitted:
    program = model.program()
    arrays = {**program.arrays, "coef": program.arrays["coef"] + UNSEEDED.normal(size=program.arrays["coef"].shape)}
    return replace(model, program=lambda: replace(program, arrays=arrays))


def negative(request: FitRequest, model: Fitted) -> Fitted:
    return replace(model, importance=model.importance - 1e6)


def greedy(request: FitRequest, model: Fitted) -> Fitted:
    request.train.X[0, 0] += 1.0
    return model


def opaque(request: FitRequest, model: Fitted) -> Fitted:
    program = model.program()
    return replace(model, program=lambda: replace(program, arrays={**program.arrays, "more": np.array([None])}))


@pytest.mark.parametrize(
    ("fault", "requirement"),
    [
        (unnormalised, "gives_probabilities"),
        (inexact, "gives_probabilities"),
        (opaque, "gives_probabilities"),
        (constant, "learns"),
        (unrepeatable, "repeats_with_the_same_seed"),
        (negative, "weighs_columns"),
        (greedy, "leaves_its_input_alone"),
    ],
)
def test_a_family_with_a_fault_fails(fault: Callable[[FitRequest, Fitted], Fitted], requirement: str) -> None:
    assert fails(check_family(family_with(fault)), requirement)
    assert not fails(check_family(LOGISTIC), requirement)


def test_a_family_that_ignores_row_weights_fails() -> None:
    def fit(request: FitRequest, settings: Settings) -> Fitted:
        return LOGISTIC.fit(replace(request, train=replace(request.train, weight=None)), settings)

    assert fails(check_family(replace(LOGISTIC, fit=fit)), "uses_row_weights")


def test_a_family_that_forgets_what_its_clock_decided_fails() -> None:
    """It learns less when in a hurry, and does not say so in its effort."""

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        return LOGISTIC.fit(request, {"C": 0.1 if request.seconds < 10 else 1.0})

    assert fails(check_family(replace(LOGISTIC, fit=fit)), "effort_repeats_a_fit")


def test_a_family_that_does_not_look_at_the_clock_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "GRACE", 0.0)

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        time.sleep(2 * families.BUDGET)
        return LOGISTIC.fit(request, settings)

    assert fails(check_family(replace(LOGISTIC, fit=fit)), "ends_when_its_seconds_are_over")


def test_a_preparer_with_a_fault_fails() -> None:
    class Learned:
        """Remembers how many rows it saw, and calls two columns by one name."""

        def fit(self, *arguments: Any) -> EncodedColumn:
            preparation = number.fit(*arguments)
            steps = (preparation.program, preparation.program)
            return replace(
                preparation,
                program=Program("table", steps=steps),
                names=preparation.names * 2,
                categorical=(False, False),
            )

    class Misshapen:
        """Has training rows of another shape."""

        def fit(self, *arguments: Any) -> EncodedColumn:
            return replace(number.fit(*arguments), train=np.zeros((3, 1)))

    assert fails(check_preparer(Learned(), "number"), "names_its_columns")
    assert fails(check_preparer(Misshapen(), "number"), "gives_training_rows")


def test_a_metric_with_a_fault_fails() -> None:
    from sortal.evaluate.metrics import log_loss

    upside_down = replace(log_loss, higher_is_better=True)
    bad_metric = replace(log_loss, needs="decision")
    first_row = replace(log_loss, score=lambda task, p, d: float(1 - p.probability[0, p.truth[0]]), sampling=None)
    sure_of_nothing = replace(
        log_loss, score=lambda task, p, d: log_loss.score(task, p, d) if len(p) else 0.0, sampling=None
    )
    assert fails(check_metric(upside_down), "says_which_way_is_better")
    assert fails(check_metric(bad_metric), "reads_what_it_says")
    assert fails(check_metric(first_row), "ignores_the_order_of_rows")
    assert fails(check_metric(sure_of_nothing), "is_nan_where_it_is_undefined")


def test_a_calibrator_with_a_fault_fails() -> None:
    from sortal.decide.calibrate import Calibrator

    def affine(weight: float, bias: float) -> Calibrator:
        def fit(probability: np.ndarray, truth: np.ndarray, k: int) -> Program:
            return Program("logit_affine", arrays={"weight": weight * np.eye(k), "bias": bias * np.arange(float(k))})

        return Calibrator("fixed", fit)

    assert fails(check_calibrator(affine(-1.0, 0.0)), "keeps_the_ranking")
    assert fails(check_calibrator(affine(1.0, 3.0)), "does_not_harm")
    assert not fails(check_calibrator(affine(0.7, 0.0)), "keeps_the_ranking")


def test_a_check_with_a_fault_fails() -> None:
    def finding(**fields: Any) -> Finding:
        return Finding(**{"code": "T900", "severity": "note", "column": None, "message": "a note", **fields})

    def check_with(*findings: Finding) -> Check:
        return Check("T900", "a fault", lambda case: list(findings))

    assert fails(check_check(check_with(finding(severity="severe"))), "is_silent_on_a_clean_table")
    assert fails(check_check(check_with(finding(code="T000"))), "says_what_it_found")
    assert fails(check_check(check_with(finding(column="nowhere"))), "says_what_it_found")
    assert fails(check_check(check_with(finding(evidence={"p": float("nan")}))), "says_what_it_found")
    assert fails(check_check(check_with(finding(evidence={"rows": pl.Series([1])}))), "says_what_it_found")
    assert not fails(check_check(check_with()), "")


class Twice(Number):
    """Numbers; as cells it makes twice as much of them."""

    def canonical(self, column: Column, values: Any, sort: Sort) -> Any:
        cells = super().canonical(column, values, sort)
        return cells.map(lambda value: 2 * value) if isinstance(cells, Cells) else cells


class Unstored(Category):
    """Says that its texts are moments."""

    storage = "moment"


class Deaf(Category):
    """Hears nothing of what is missing."""

    def plain(self, column: Column, values: Any, sort: Sort) -> Any:
        return values


class Rude(Datetime):
    """Takes no column, and does not say which, nor why."""

    def refusal(self, raw: RawColumn, row: int) -> OptionError:
        return OptionError("no")


@pytest.mark.parametrize(
    ("faulty", "texts", "requirement"),
    [
        (Twice(), ["1", "2"], "reads_rows_as_it_reads_tables"),
        (Unstored(), ["a", "b"], "stores_values_as_it_says"),
        (Deaf(), ["a", "b"], "knows_what_is_missing"),
        (Rude(), ["2020-01-31", "2020-02-01"], "refuses_in_a_sentence"),
    ],
)
def test_a_kind_with_a_fault_fails(faulty: Kind, texts: list[str], requirement: str) -> None:
    assert fails(check_kind(faulty, texts), requirement)
