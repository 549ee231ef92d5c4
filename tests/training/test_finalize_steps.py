"""What each step between the chosen model and the shipped one is given, and what comes of it: no row, no option and no
order is mixed up. The steps themselves are stood in for by what notes its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.core.task import Promise, Task
from sortal.decide.calibrate import Calibration, CalibrationResult
from sortal.decide.certificate import Certificate
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program, compile
from sortal.training import finalize as module
from sortal.training.finalize import Limits, finalize
from tests.training.conftest import development

TRAIN, VALID = np.array([5, 1, 9, 3, 7, 11]), np.array([2, 8, 4])
SHARP = Program("logit_affine", {}, {"weight": 2 * np.eye(2), "bias": np.zeros(2)})
LIMITS = Limits(lambda: 9.0, entries=77)


@dataclass
class Steps:
    """The arguments of all steps, in the order of their calls."""

    program: Program | None = SHARP
    choose: list[Any] = field(default_factory=list)
    refit: list[Any] = field(default_factory=list)
    decide: list[Any] = field(default_factory=list)
    certify: list[Any] = field(default_factory=list)
    fit_sets: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Member:
    """Says of each row of a table the more of the second class, the more rows it was fitted on."""

    n_rows: int

    def predict_proba(self, table: Any) -> np.ndarray:
        p = self.n_rows / 100 + table.rows / 10_000
        return np.column_stack([1 - p, p])

    def program(self) -> Program:
        return Program("constant", {}, {"probability": np.array([0.75, 0.25])})


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()

    def choose(raw: Predictions, **options: Any) -> Calibration:
        steps.choose.append((raw, options))
        unseen = np.array([[0.9, 0.1]])
        return Calibration(CalibrationResult("x"), steps.program, "x", 0.1, 0.01, np.array([1]), unseen)

    def refit(winner: Any, dev: Any, rows: np.ndarray, limits: Limits) -> tuple[Any, Any]:
        steps.refit.append((winner, dev, rows.tolist(), limits))
        return SimpleNamespace(members=(SimpleNamespace(saw=rows),), **vars_of(Member(len(rows)))), "size"

    def decide(task: Task, rows: Predictions) -> Decision:
        steps.decide.append((task, rows))
        return Decision("argmax", task.classes, task.positive)

    def certify(*arguments: Any) -> Certificate:
        steps.certify.append(arguments)
        return Certificate(arguments[3], 0.375, 0.95, 3, 1, 1, (), 0.5)

    def fit_sets(probability: np.ndarray, truth: np.ndarray, coverage: float, *, by_class: bool) -> Sets:
        steps.fit_sets.append((probability, truth, coverage, by_class))
        return Sets("lac", coverage, (1, 1), (0.5, 0.5), 1.0)

    for name, stand_in in (
        ("choose", choose), ("_refit", refit), ("decide", decide), ("certify", certify), ("fit_sets", fit_sets),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, stand_in)
    return steps


def vars_of(member: Member) -> dict[str, Any]:
    return {"predict_proba": member.predict_proba, "program": member.program}


DEV, TASK = development(2)
DEV = replace(DEV, seed=7)


def winner(rows: np.ndarray, fold: list[int]) -> Any:
    p = np.linspace(0.1, 0.8, len(rows))
    predictions = DEV.predictions(rows, np.column_stack([1 - p, p]), "out-of-fold")
    return SimpleNamespace(
        predictions=predictions, fold=np.array(fold), results=(SimpleNamespace(pipeline=None),), name="m"
    )


def calibrated(p: np.ndarray) -> np.ndarray:
    return compile(SHARP)(p)


def cross_fitted(p: np.ndarray) -> np.ndarray:
    """The second row is told by what has not seen it."""
    probability = calibrated(p)
    probability[1] = [0.9, 0.1]
    return probability


@pytest.mark.parametrize(("fold", "has_folds"), [([0, 1, 2, 0, 1, 2], True), ([0] * 6, False)])
def test_out_of_fold_predictions_are_the_evidence_where_no_part_is(
    steps: Steps, fold: list[int], has_folds: bool
) -> None:
    best = winner(TRAIN, fold)
    finalized = finalize(best, DEV, TASK, TRAIN, np.array([], dtype=np.int64), LIMITS)
    ((raw, options),) = steps.choose
    assert raw is best.predictions
    assert options == {"fold": best.fold if has_folds else None, "seed": 7, "most": 77}
    assert [(a is best, b is DEV, rows, c is LIMITS) for a, b, rows, c in steps.refit] == [
        (True, True, sorted(TRAIN.tolist()), True)
    ]
    np.testing.assert_allclose(finalized.evidence.probability, calibrated(raw.probability))
    np.testing.assert_allclose(finalized.unseen.probability, cross_fitted(raw.probability))
    assert finalized.out_of_fold is finalized.unseen
    assert finalized.evidence.rows.tolist() == finalized.unseen.rows.tolist() == DEV.table.rows[TRAIN].tolist()
    ((task, decided),) = steps.decide
    assert task is TASK
    assert decided is finalized.evidence
    assert (finalized.no_refit, finalized.refit, finalized.time_to_refit, finalized.sets) == ("size", False, True, None)
    assert [(fit.saw.tolist(), fit.evaluated.tolist()) for fit in finalized.fits] == [(sorted(TRAIN.tolist()), [])]


@pytest.mark.parametrize("fold", [[0, 1, 2, 0, 1, 2], [0] * 6])
def test_a_part_of_its_own_is_told_by_a_fit_without_it_and_then_fitted_on(steps: Steps, fold: list[int]) -> None:
    best = winner(TRAIN, fold)
    finalized = finalize(best, DEV, TASK, TRAIN, VALID, LIMITS)
    assert [rows for _, _, rows, _ in steps.refit] == [TRAIN.tolist(), sorted([*TRAIN.tolist(), *VALID.tolist()])]
    assert all(limits is LIMITS for *_, limits in steps.refit)
    ((raw, options),) = steps.choose
    assert options == {"fold": None, "seed": 7, "most": 77}
    assert (raw.rows.tolist(), raw.part) == (DEV.table.rows[VALID].tolist(), "valid")
    assert raw.truth.tolist() == DEV.codes[VALID].tolist()
    np.testing.assert_allclose(raw.probability, Member(6).predict_proba(DEV.table.take(VALID)))
    np.testing.assert_allclose(finalized.evidence.probability, calibrated(raw.probability))
    np.testing.assert_allclose(finalized.unseen.probability, cross_fitted(raw.probability))
    np.testing.assert_allclose(finalized.out_of_fold.probability, calibrated(best.predictions.probability))
    assert finalized.out_of_fold.rows.tolist() == DEV.table.rows[TRAIN].tolist()
    assert steps.decide[0][1] is finalized.evidence
    fits = [(fit.saw.tolist(), fit.evaluated.tolist()) for fit in finalized.fits]
    assert fits == [(TRAIN.tolist(), raw.rows.tolist()), (sorted([*TRAIN, *VALID]), [])]


@pytest.mark.parametrize("program", [None, SHARP])
def test_what_ships_is_the_ensemble_and_then_its_calibration(steps: Steps, program: Program | None) -> None:
    steps.program = program
    finalized = finalize(winner(TRAIN, [0, 1] * 3), DEV, TASK, TRAIN, VALID[:0], LIMITS)
    probability = compile(finalized.program)(np.zeros((1, 1)))
    raw = np.array([[0.75, 0.25]])
    np.testing.assert_allclose(probability, raw if program is None else calibrated(raw))
    rows = DEV.table.take(VALID)
    own = Member(6).predict_proba(rows)
    np.testing.assert_allclose(finalized.predict_proba(rows), own if program is None else calibrated(own))
    if program is None:
        np.testing.assert_allclose(finalized.unseen.probability, finalized.evidence.probability)


PROMISED = replace(TASK, promise=Promise(precision=0.8, recall=0.3), positive=TASK.classes[1])


@pytest.mark.parametrize(("fold", "has_folds"), [([0, 1, 2, 0, 1, 2], True), ([0] * 6, False)])
def test_a_promise_is_proven_of_the_model_that_ships(steps: Steps, fold: list[int], has_folds: bool) -> None:
    task = replace(PROMISED, cost=((0.0, 1.0), (4.0, 0.0)))
    best = winner(TRAIN, fold)
    finalized = finalize(best, DEV, task, TRAIN, VALID, LIMITS)
    ((raw, options),) = steps.choose
    assert raw is best.predictions
    assert options == {"fold": best.fold if has_folds else None, "seed": 7, "most": 77}
    assert [(rows, limits is LIMITS) for _, _, rows, limits in steps.refit] == [(TRAIN.tolist(), True)]
    ((promise, learned, proof, positive),) = steps.certify
    assert (promise, positive) == (task.promise, TASK.classes[1])
    np.testing.assert_allclose(learned.probability, calibrated(raw.probability))
    assert learned.rows.tolist() == DEV.table.rows[TRAIN].tolist()
    assert proof is finalized.evidence is finalized.unseen
    assert proof.rows.tolist() == DEV.table.rows[VALID].tolist()
    np.testing.assert_allclose(proof.probability, calibrated(Member(6).predict_proba(DEV.table.take(VALID))))
    np.testing.assert_allclose(finalized.out_of_fold.probability, cross_fitted(raw.probability))
    rule = finalized.decision
    assert (rule.kind, rule.classes, rule.positive, rule.threshold) == ("threshold", task.classes, positive, 0.375)
    assert (rule.cost, rule.cost_columns, rule.certificate.positive) == (task.cost, (), positive)
    assert finalized.no_refit == "size"
    assert [(fit.saw.tolist(), fit.evaluated.tolist()) for fit in finalized.fits] == [
        (TRAIN.tolist(), proof.rows.tolist())
    ]
    assert (finalized.sets, steps.fit_sets) == (None, [])


def test_sets_alone_leave_the_decision_to_what_was_learned(steps: Steps) -> None:
    finalized = finalize(winner(TRAIN, [0, 1] * 3), DEV, replace(TASK, coverage=0.8), TRAIN, VALID, LIMITS)
    ((_, learned),) = steps.decide
    assert learned.part == "out-of-fold"
    assert steps.certify == []
    assert finalized.decision == Decision("argmax", TASK.classes, TASK.positive)
    ((probability, truth, coverage, by_class),) = steps.fit_sets
    np.testing.assert_allclose(probability, finalized.evidence.probability)
    assert (truth.tolist(), coverage, by_class) == (finalized.evidence.truth.tolist(), 0.8, False)
    assert finalized.sets == Sets("lac", 0.8, (1, 1), (0.5, 0.5), 1.0)


@pytest.mark.parametrize(
    ("prevalence", "rarest", "by_class"),
    [
        ((0.9, 0.1), 4, True),  # four rows are the fewest for sets at .8
        ((0.9, 0.1), 3, False),
        ((0.7, 0.3), 4, False),  # no class is rare
    ],
)
def test_a_rare_class_is_covered_by_itself_where_it_has_rows_enough(
    steps: Steps, prevalence: tuple[float, float], rarest: int, by_class: bool
) -> None:
    valid = np.concatenate([np.flatnonzero(DEV.codes == 0)[:6], np.flatnonzero(DEV.codes == 1)[:rarest]])
    task = replace(TASK, coverage=0.8, prevalence=prevalence)
    finalize(winner(TRAIN, [0, 1] * 3), DEV, task, TRAIN, valid, LIMITS)
    assert steps.fit_sets[0][3] is by_class


def test_sets_are_fitted_on_a_row_of_each_group(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    one = Predictions.one_a_group

    def noting(rows: Predictions, seed: int) -> Predictions:
        seeds.append(seed)
        return one(replace(rows, groups=np.array([4, 1, 4])), seed)

    monkeypatch.setattr(Predictions, "one_a_group", noting)
    finalize(winner(TRAIN, [0, 1] * 3), DEV, replace(TASK, coverage=0.8), TRAIN, VALID, LIMITS)
    assert seeds == [7]
    assert [len(probability) for probability, *_ in steps.fit_sets] == [2]
