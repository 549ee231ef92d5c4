"""The first half of the checklist by hand: what each item says of a run, and on which side of its bounds it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sortal.core.interval import Estimate
from sortal.core.task import Promise
from sortal.decide.certificate import Bound, Certificate
from sortal.record import discipline
from sortal.record.parts import Imbalance, Nested


def test_what_is_said_of_a_run_with_costs(binary: Any) -> None:
    record, facts = binary.record, binary.facts
    margin = "log-loss better than logistic by .0500 [.0471 .0529], on the test by .0470 [.0380 .0560]; "
    assert discipline.objective(record, facts) == (
        True,
        "fp=1 fn=12; selected by log-loss; expected cost .31 [.29 .33] per row out of fold",
    )
    assert discipline.split(record, facts) == (
        True,
        "stratified: 4,000 rows to develop on, 800 sealed; 5 folds x 1: 4,000 of 4,000 rows out of fold",
    )
    assert discipline.pipeline(record, facts) == (
        True,
        "table > fill > forest on 6 raw columns in one file; on 4,800 rows probabilities differ by at most 1e-16, "
        "0 labels changed",
    )
    assert discipline.baselines(record, facts) == (
        True,
        f"{margin}shallow tree by .0779 [.0741 .0816]; majority by .1728 [.1690 .1766], on the test by "
        ".1720 [.1640 .1800]",
    )
    assert discipline.selection(record, facts) == (
        True,
        "7 candidates compared on 4,000 out-of-fold rows, 0 of them sealed",
    )
    assert discipline.threshold(record, facts) == (
        True,
        "say yes from p = .077 on, judged on 4,000 out-of-fold rows, 0 of them sealed",
    )
    assert discipline.promise(record, facts) == (None, "nothing was promised")
    assert discipline.refit(record, facts) == (
        True,
        "refit on 4,000 of 4,000 rows; calibration none, log-loss .1881 → .1881",
    )
    assert discipline.saved(record, facts) == (
        True,
        "read back from model.sortal: 3 steps, 2 metrics, version 0.1.0",
    )
    assert discipline.monitoring(record, facts) == (
        True,
        "schema and training profile of 6 of 6 columns in the model file",
    )


def goal(record: Any, kind: str, **task: Any) -> Any:
    return replace(
        record,
        task=replace(record.task, cost=None, **task),
        decision=replace(record.decision, kind=kind, threshold=0.3),
    )


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [
        ("f1", "no costs, but F2 of yes is maximised; selected by log-loss"),
        ("promise", "no costs, but a threshold that keeps a promise; selected by log-loss"),
        ("capacity", "no costs, but the best rows that the capacity allows; selected by log-loss"),
    ],
)
def test_what_stands_in_the_place_of_costs(binary: Any, kind: str, phrase: str) -> None:
    assert discipline.objective(goal(binary.record, kind, beta=2.0), binary.facts) == (True, phrase)


def test_candidates_that_were_compared_by_something_else_are_named(binary: Any) -> None:
    first, second, *others = binary.record.leaderboard
    rows = (replace(first, metric="roc_auc"), replace(second, metric="brier"), *others)
    verdict = discipline.objective(replace(binary.record, leaderboard=rows), binary.facts)
    assert verdict == (False, "candidates were compared by brier, roc_auc, the task says log-loss")


@pytest.mark.parametrize(("rows", "holds"), [(9_999, False), (10_000, True)])
def test_from_ten_thousand_rows_on_one_holdout_will_do(binary: Any, rows: int, holds: bool) -> None:
    split = replace(binary.record.split, train=50_000, valid=10, test=20, folds=1)
    verdict = discipline.split(replace(binary.record, split=split), replace(binary.facts, out_of_fold_rows=rows))
    start = "stratified: 50,010 rows to develop on, 20 sealed; compared on one holdout"
    assert verdict == (holds, f"{start} of {rows:,} rows")


def test_two_folds_are_cross_validation_and_have_to_predict_all_rows_that_train(binary: Any) -> None:
    record = replace(binary.record, split=replace(binary.record.split, train=90, valid=10, folds=2, repeats=3))
    for rows, holds in ((89, False), (90, True), (100, False)):
        verdict = discipline.split(record, replace(binary.facts, out_of_fold_rows=rows))
        start = "stratified: 100 rows to develop on, 800 sealed; 2 folds x 3"
        assert verdict == (holds, f"{start}: {rows} of 90 rows out of fold")
    none = replace(record, split=replace(record.split, test=0))
    assert discipline.split(none, binary.facts) == (
        False,
        "stratified: 100 rows to develop on, 0 sealed: there is no test",
    )


def test_outer_folds_that_did_not_all_end_are_no_proper_split(binary: Any) -> None:
    for folds, holds in ((5, True), (4, False)):
        nested = Nested(folds, 5, 80 * folds, {})
        split = replace(binary.record.split, train=300, valid=100, test=0, outer=5)
        verdict = discipline.split(replace(binary.record, nested=nested, split=split), binary.facts)
        coverage = f"{80 * folds} of 400 rows predicted by a model that was made without them"
        assert verdict == (holds, f"stratified, {folds} of them run: {coverage}")


def test_one_candidate_and_one_row_are_spoken_of_as_one(binary: Any) -> None:
    record = replace(binary.record, leaderboard=binary.record.leaderboard[:1])
    facts = replace(binary.facts, out_of_fold_rows=1, sealed_rows_scored=1)
    verdict = discipline.selection(record, facts)
    assert verdict == (False, "1 candidate compared on 1 out-of-fold row, 1 of them sealed")


def test_baselines_that_are_not_beaten_come_first(binary: Any) -> None:
    logistic, tree, majority = binary.record.baselines
    even = replace(tree, margin=Estimate(0.01, -0.02, 0.04))
    verdict = discipline.baselines(replace(binary.record, baselines=(logistic, even, majority)), binary.facts)
    assert verdict[0] is False
    assert verdict[1].startswith(
        "log-loss not clearly better than shallow tree by .010 [-.020 .040]; better than logistic by"
    )
    assert verdict[1].index("logistic by") < verdict[1].index("majority by")
    partial = replace(binary.record, baselines=(logistic, tree))
    assert discipline.baselines(partial, binary.facts) == (False, "not compared with a majority class")
    none = replace(binary.record, baselines=())
    assert discipline.baselines(none, binary.facts) == (False, "not compared with a majority class and a linear model")
    no_choice = tuple(replace(row, selected=False) for row in binary.record.leaderboard)
    assert discipline.baselines(replace(binary.record, leaderboard=no_choice), binary.facts) == (
        False,
        "not compared with a baseline: nothing was chosen",
    )


@pytest.mark.parametrize(
    ("kind", "ways", "holds", "phrase"),
    [
        ("argmax", ("a", "b", "c"), True, "a, compared with b, c; decided for the most probable class"),
        ("argmax", ("a",), False, "a; decided for the most probable class"),
        ("cost", ("a",), True, "a; decided by cost"),
        ("f1", ("a",), True, "a; decided at the best F1"),
        ("promise", ("a",), True, "a; decided at the threshold that was tested"),
        ("capacity", ("a",), True, "a; decided within the capacity"),
    ],
)
def test_rare_classes_need_a_comparison_or_a_rule(
    binary: Any, kind: str, ways: tuple[str, ...], holds: bool, phrase: str
) -> None:
    record = replace(binary.record, decision=replace(binary.record.decision, kind=kind))
    verdict = discipline.imbalance(record, replace(binary.facts, imbalance=ways))
    assert verdict == (holds, f"the smallest class has 10.6 %; {phrase}")


def test_what_treating_rare_classes_gained_is_said_with_a_decimal_more(binary: Any) -> None:
    rare = Imbalance("forest", "class weights", "plain", "no weights", "log_loss", Estimate(0.013, 0.004, 0.022))
    record = replace(binary.record, imbalance=rare)
    text = discipline.imbalance(record, binary.facts)[1]
    assert "class weights (forest better than plain by .0130 [.0040 .0220] log-loss); decided by cost" in text
    unknown = replace(record, imbalance=replace(rare, gain=Estimate(0.013)))
    assert "forest not clearly better than plain" in discipline.imbalance(unknown, binary.facts)[1]


def test_a_threshold_is_judged_on_rows_that_are_there_and_not_sealed(binary: Any) -> None:
    one = replace(binary.facts, decision_rows=1, decision_part="valid")
    rule = "say yes from p = .077 on"
    assert discipline.threshold(binary.record, one) == (True, f"{rule}, judged on 1 valid row, 0 of them sealed")
    most = replace(binary.record, decision=replace(binary.record.decision, kind="argmax"))
    assert discipline.threshold(most, one) == (None, "no threshold: the most probable class is taken")


def test_a_certificate_speaks_for_itself(binary: Any) -> None:
    certificate = Certificate("yes", 0.6, 0.95, 1300, 300, 200, (Bound("precision", 0.9, 0.9, 0.93, True),), 0.23)
    record = replace(binary.record, decision=replace(binary.record.decision, certificate=certificate))
    assert discipline.promise(record, binary.facts) == (True, certificate.explanation)


def test_which_rows_the_last_fit_saw(binary: Any) -> None:
    facts = replace(binary.facts, refit_rows=3200)
    split = replace(binary.record.split, train=3500, valid=500)
    record = replace(binary.record, split=split)
    loss = "; calibration none, log-loss .1881 → .1881"
    first = "the model of the first fold, trained on 3,200 of 4,000 rows"
    for reason, holds, phrase in (
        (None, False, "refit on 3,200 of 4,000 rows"),
        ("time", False, f"{first}: no time was left for a refit"),
        ("size", False, f"{first}: a refit is larger than --max-size allows"),
        ("rows", True, f"{first}: a refit would see hardly more"),
    ):
        assert discipline.refit(record, replace(facts, no_refit=reason)) == (holds, phrase + loss)
    promise_record = replace(record, task=replace(record.task, promise=Promise(precision=0.9)))
    text = f"the tested model itself, trained on 3,200 rows{loss}"
    assert discipline.refit(promise_record, facts) == (True, text)
    assert discipline.refit(promise_record, replace(facts, no_refit="time"))[1].startswith(first)
    assert discipline.refit(promise_record, replace(facts, no_refit="time"))[0]


def test_calibration_has_to_help_where_there_is_any(binary: Any) -> None:
    def check(method: str, before: float | None, after: float | None) -> tuple[Any, str]:
        calibration = replace(binary.record.calibration, method=method, log_loss_before=before, log_loss_after=after)
        holds, reason = discipline.refit(replace(binary.record, calibration=calibration), binary.facts)
        return holds, reason.partition("; ")[2]

    assert check("beta", 0.2, 0.2) == (True, "calibration beta, log-loss .2000 → .2000")
    assert check("beta", 0.2, 0.21) == (False, "calibration beta, log-loss .2000 → .2100")
    assert check("none", 0.2, 0.21) == (True, "calibration none, log-loss .2000 → .2100")
    assert check("beta", 0.2, None) == (False, "calibration beta, log-loss .2000")
    assert check("none", None, None) == (False, "calibration was not examined")


def test_a_file_of_another_version_or_with_columns_left_out_is_not_ready(binary: Any) -> None:
    older, fewer = replace(binary.facts.saved, version=""), replace(binary.facts.saved, profiled=5)
    verdict = discipline.saved(binary.record, replace(binary.facts, saved=older))
    assert verdict == (False, "read back from model.sortal: 3 steps, 2 metrics, version unknown")
    ready = discipline.monitoring(binary.record, replace(binary.facts, saved=fewer))
    assert ready == (False, "schema and training profile of 5 of 6 columns in the model file")


def test_rare_classes_need_costs_and_something_that_was_compared(binary: Any) -> None:
    record = goal(binary.record, "argmax")
    phrase = "no costs were given, so missing a rare class costs no more than a false alarm: say --cost"
    assert discipline.objective(record, binary.facts) == (False, phrase)
    verdict = discipline.imbalance(record, replace(binary.facts, imbalance=()))
    assert verdict == (False, "the smallest class has 10.6 %; no strategy was compared")
    argmax = replace(binary.record, decision=replace(binary.record.decision, kind="argmax"))
    assert discipline.objective(argmax, binary.facts)[0] is False


def test_nothing_holds_of_no_rows_no_candidates_and_no_columns(binary: Any) -> None:
    record, facts = binary.record, binary.facts
    forward = replace(record, split=replace(record.split, forward=True))
    for rows, holds in ((0, False), (1, True)):
        assert discipline.split(forward, replace(facts, out_of_fold_rows=rows))[0] is holds
        assert discipline.selection(record, replace(facts, out_of_fold_rows=rows))[0] is holds
        assert discipline.threshold(record, replace(facts, decision_rows=rows))[0] is holds
    assert discipline.selection(replace(record, leaderboard=()), facts)[0] is False
    assert discipline.threshold(record, replace(facts, decision_part="test"))[0] is False
    assert discipline.threshold(record, replace(facts, sealed_rows_decided=1))[0] is False
    none = replace(facts.saved, features=0, profiled=0, metrics=())
    assert discipline.monitoring(record, replace(facts, saved=none))[0] is False
    assert discipline.saved(record, replace(facts, saved=none))[0] is False
    assert discipline.saved(record, replace(facts, saved=replace(facts.saved, operations=())))[0] is False
    for item in (discipline.pipeline, discipline.saved, discipline.monitoring):
        assert item(record, replace(facts, saved=None)) == (False, "no model was saved")


def test_a_pipeline_reads_the_table_itself_and_changes_no_label(binary: Any) -> None:
    bare = replace(binary.facts.saved, operations=("fill", "forest"))
    assert discipline.pipeline(binary.record, replace(binary.facts, saved=bare))[0] is False
    flip = replace(binary.facts.saved, parity=replace(binary.facts.saved.parity, label_flips=1))
    assert discipline.pipeline(binary.record, replace(binary.facts, saved=flip))[0] is False


def test_a_baseline_that_is_chosen_is_beaten_by_nobody(binary: Any) -> None:
    rows = tuple(replace(row, selected=row.name == "logistic") for row in binary.record.leaderboard)
    reason = "the chosen logistic is a baseline itself: nothing was clearly better"
    assert discipline.baselines(replace(binary.record, leaderboard=rows), binary.facts) == (False, reason)
