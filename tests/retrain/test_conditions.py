"""What two models lose on the same cases, and what a challenger has to keep beside that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.decide.certificate import Bound, Certificate
from sortal.decide.policy import Decision
from sortal.retrain.conditions import CERTIFICATE, LATENCY, SIZE, SURE, Contender, judge, losses_of, one_a_group
from sortal.retrain.gate import Terms, Verdict
from sortal.serve.deployment import ServedModel
from tests.monitor.test_watch import SHA256, a_model
from tests.retrain.test_cases import OTHER, case

CLASSES = ("no", "yes")
TRUTH = np.array([0, 1, 1])
OURS, THEIRS = (np.array([[1 - p, p] for p in p_yes]) for p_yes in ([0.6, 0.4, 0.9], [0.05, 0.95, 1.0]))


def test_losses_are_those_of_the_task() -> None:
    errors = losses_of(a_model(), a_model(), TRUTH, OURS, THEIRS)
    assert (errors.measure, errors.champion.tolist(), errors.challenger.tolist()) == ("errors", [1, 1, 0], [0, 0, 0])
    costs = ((0.0, 1.0), (8.0, 0.0))
    rule = Decision("cost", CLASSES, "yes", cost=costs)
    by_cost = a_model(decision=rule, task=replace(a_model().task, cost=costs))
    cost = losses_of(by_cost, by_cost, TRUTH, OURS, THEIRS)
    assert (cost.measure, cost.low, cost.top) == ("cost", 0, 8)
    assert (cost.champion.tolist(), cost.challenger.tolist()) == ([1, 0, 0], [0, 0, 0])
    by_threshold = a_model(decision=Decision("threshold", CLASSES, "yes", threshold=0.3))
    log_loss = losses_of(by_threshold, by_threshold, TRUTH, np.array([[1.0, 0]] * 3), THEIRS)
    assert log_loss.measure == "log-loss"
    assert log_loss.champion.tolist() == pytest.approx([0, -np.log(SURE), -np.log(SURE)])
    assert np.abs(log_loss.gain).max() <= 1


def contender(sha256: str, size: int = 1_000, **others: Any) -> Contender:
    return Contender(ServedModel("m", sha256, a_model(**others)), size)


def verdict_of(challenger: Contender, champion: Contender | None = None, **search: Any) -> Verdict:
    cases = [case(float(at), label="yes" if at % 3 else "no", x=float(at), plan="pro") for at in range(60)]
    recipe = Recipe.of("y", **search)
    return judge(champion or contender(SHA256), challenger, cases, recipe, Terms())


def holds_by_code(verdict: Verdict) -> dict[str, bool]:
    return {reason.code: reason.holds for reason in verdict.reasons}


def test_latency_and_size_are_within_what_was_asked_or_is_usual() -> None:
    default_holds = holds_by_code(verdict_of(contender(OTHER)))
    assert (default_holds[LATENCY], default_holds[SIZE]) == (True, True)
    assert not holds_by_code(verdict_of(contender(OTHER, size=4_000_000)))[SIZE]
    assert holds_by_code(verdict_of(contender(OTHER, size=4_000_000), contender(SHA256, size=2_000_000)))[SIZE]
    assert not holds_by_code(verdict_of(contender(OTHER, size=2_000), max_size="1kB"))[SIZE]
    assert not holds_by_code(verdict_of(contender(OTHER), max_latency="0.001us"))[LATENCY]


def with_certificate(level: float, holds: bool = True) -> dict[str, Any]:
    bound = Bound("precision", 0.5, level, 0.7, holds)
    certificate = Certificate("yes", 0.3, 0.95, 100, 50, 60, (bound,), 0.5)
    return {"decision": Decision("threshold", CLASSES, "yes", threshold=0.3, certificate=certificate)}


def test_a_certificate_has_to_be_earned_again_and_to_hold_on_these_rows() -> None:
    """Two thirds of the rows are yes, and all of them are decided so."""
    champion = contender(SHA256, **with_certificate(0.5))
    assert CERTIFICATE not in holds_by_code(verdict_of(contender(OTHER)))
    assert holds_by_code(verdict_of(contender(OTHER, **with_certificate(0.5)), champion))[CERTIFICATE]
    assert not holds_by_code(verdict_of(contender(OTHER), champion))[CERTIFICATE]
    assert not holds_by_code(verdict_of(contender(OTHER, **with_certificate(0.4, holds=False)), champion))[CERTIFICATE]
    assert not holds_by_code(verdict_of(contender(OTHER, **with_certificate(0.95)), champion))[CERTIFICATE]


def test_what_the_shadow_said_is_taken_from_the_log() -> None:
    champion, challenger = contender(SHA256), contender(OTHER)
    cases = [case(float(at), label="no") for at in range(40)]
    for item in cases:
        shadow = replace_probabilities(item.record)
        item.answers[OTHER] = shadow  # type: ignore[index]
    verdict = judge(champion, challenger, cases, Recipe.of("y"), Terms())
    assert (verdict.champion, verdict.challenger) == (1.0, 0.0)
    assert verdict.notes == ("of 40 rows the challenger's answers are those of the shadow",)
    new_verdict = judge(
        champion, challenger, [case(float(at), label="no") for at in range(40)], Recipe.of("y"), Terms()
    )
    assert (new_verdict.challenger, new_verdict.notes) == (1.0, ())


def test_of_rows_that_belong_together_one_counts() -> None:
    columns = (*a_model().schema.columns, Column("house", "category", role="group"))
    model = a_model(schema=Schema(columns))
    cases = [case(float(at), x=1.0, house=house) for at, house in enumerate(["a", "b", "a", None, 7, 7])]
    first_cases, notes = one_a_group(model, cases)
    assert [item.first for item in first_cases] == [0.0, 1.0, 4.0]
    assert notes == ["one row of each 'house' counts, 3 of 5", "1 rows do not say their 'house' and do not count"]
    assert one_a_group(a_model(), cases) == (cases, [])


def replace_probabilities(record: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(record, probabilities=(0.9, 0.1))
