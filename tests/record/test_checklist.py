"""Every item of the checklist: it holds where it should, and fails where its evidence fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sortal.checks.audit import Finding, SkippedCheck
from sortal.checks.run_counts import RunCounts, run_findings
from sortal.core.interval import Estimate
from sortal.core.task import Promise
from sortal.decide.certificate import Bound, Certificate
from sortal.record.checklist import ITEMS, checklist
from sortal.record.facts import Facts
from sortal.record.parts import Baseline, Imbalance
from sortal.record.run import RunRecord
from sortal.record.traps import OUTCOME, SHARED

Change = Callable[[RunRecord, Facts], tuple[RunRecord, Facts]]


def of_record(**changes: Any) -> Change:
    return lambda record, facts: (replace(record, **changes), facts)


def of_facts(**changes: Any) -> Change:
    return lambda record, facts: (record, replace(facts, **changes))


def of_part(part: str, **changes: Any) -> Change:
    return lambda record, facts: (replace(record, **{part: replace(getattr(record, part), **changes)}), facts)


def of_saved(**changes: Any) -> Change:
    return lambda record, facts: (record, replace(facts, saved=replace(facts.saved, **changes)))


def of_parity(**changes: Any) -> Change:
    return lambda record, facts: (
        record,
        replace(facts, saved=replace(facts.saved, parity=replace(facts.saved.parity, **changes))),
    )


def no_costs(record: RunRecord, facts: Facts) -> tuple[RunRecord, Facts]:
    task = replace(record.task, cost=None, goal="argmax")
    return replace(record, task=task, decision=replace(record.decision, kind="argmax", threshold=None)), facts


def chosen_is_a_baseline(record: RunRecord, facts: Facts) -> tuple[RunRecord, Facts]:
    rows = tuple(replace(row, selected=row.name == "logistic") for row in record.leaderboard)
    return replace(record, leaderboard=rows), facts


def margin_over(low: float | None, on_test: Estimate | None = None) -> Change:
    margin = None if low is None else Estimate(low + 0.01, low, low + 0.02)
    ones = (
        Baseline("logistic", "logistic", "log_loss", 0.2, margin, "linear model", on_test),
        Baseline("majority", "majority", "log_loss", 0.3, margin, "majority class", on_test),
    )
    return of_record(baselines=ones)


def another_metric(record: RunRecord, facts: Facts) -> tuple[RunRecord, Facts]:
    first, *others = record.leaderboard
    return replace(record, leaderboard=(replace(first, metric="accuracy"), *others)), facts


def with_promise(precision: float) -> Change:
    """A certificate that shows .90 where this was asked for."""
    bound = Bound("precision", precision, min(precision, 0.9), 0.93, precision <= 0.9)
    certificate = Certificate("yes", 0.6, 0.95, 1300, 300, 200, (bound,), 0.23)

    def change(record: RunRecord, facts: Facts) -> tuple[RunRecord, Facts]:
        task = replace(record.task, goal="promise", promise=Promise(precision=precision))
        decision = replace(record.decision, kind="promise", certificate=certificate)
        return replace(record, task=task, decision=decision), facts

    return change


def with_finding(code: str, severity: Any, column: str | None = None) -> Change:
    return of_record(
        audit=(Finding(code, severity, column, f"what {code} found", columns=(column,) if column else ()),)
    )


def with_skipped_check(*codes: str, blind: bool = True) -> Change:
    reason = "no time left" if blind else "no group column was named"
    return of_record(audit=(), audit_skipped=tuple(SkippedCheck(code, "a title", reason, blind) for code in codes))


# What must turn each item red; every item is here.
BREAKS: dict[str, list[Change]] = {
    "objective and metric tied to cost": [no_costs, another_metric, of_part("decision", kind="argmax")],
    "stratified split and proper cross-validation": [
        of_part("split", test=0),
        of_part("split", folds=1),
        of_facts(out_of_fold_rows=3999),
        lambda record, facts: (
            replace(record, split=replace(record.split, forward=True, method="newest rows by 'day'")),
            replace(facts, out_of_fold_rows=0),
        ),
    ],
    "one pipeline with its preprocessing": [
        of_saved(operations=("forest",)),
        of_parity(label_flips=1),
        of_facts(saved=None),
    ],
    "baselines beaten": [
        margin_over(0.0),
        margin_over(-0.001),
        margin_over(None),
        margin_over(0.01, on_test=Estimate(-0.001, -0.03, 0.028)),
        margin_over(0.0, on_test=Estimate(0.05, 0.01, 0.09)),
        of_record(baselines=()),
        of_record(baselines=(Baseline("a stump", "tree", "log_loss", 0.3, Estimate(0.1, 0.05, 0.15)),)),
        of_record(leaderboard=()),
        chosen_is_a_baseline,
    ],
    "imbalance strategy decided": [of_facts(imbalance=())],
    "hyperparameters by cross-validation, not on the test": [
        of_facts(sealed_rows_scored=1),
        of_facts(out_of_fold_rows=0),
        of_record(leaderboard=()),
    ],
    "threshold tuned off the test": [
        of_facts(decision_part="test"),
        of_facts(sealed_rows_decided=1),
        of_facts(decision_rows=0),
    ],
    "what was promised is certified": [with_promise(precision=0.95)],
    "the test is as promised": [of_part("verification", warnings=("log-loss is 1.90 on the test, .33 was promised",))],
    "refit and calibration": [
        of_facts(refit_rows=3999),
        of_facts(refit_rows=4001),
        of_facts(no_refit="time"),
        of_facts(no_refit="size"),
        of_part("calibration", log_loss_before=None),
        of_part("calibration", method="beta", log_loss_after=0.19),
    ],
    "model, preprocessing, metrics and version saved": [
        of_facts(saved=None),
        of_saved(metrics=()),
        of_saved(operations=()),
        of_saved(version="0.0.9"),
    ],
    "monitoring ready": [of_saved(profiled=5), of_saved(features=0, profiled=0), of_facts(saved=None)],
    "everything fitted on training rows only": [
        of_record(audit=run_findings(RunCounts(fits=57, leaked_rows=1, opens=1))),
        of_facts(fits=0),
        with_finding("A106", "warning", "z"),
    ],
    "parts are stratified": [
        of_part("split", prevalence={"train": (0.9, 0.1), "test": (0.85, 0.15)}),
        of_part("split", prevalence={}),
        # Of 800 test rows two are a quarter of a percent: the tolerance counts, and not the size of the larger part.
        of_part("split", prevalence={"train": (0.9, 0.1), "test": (0.9055, 0.0945)}),
        with_finding("A207", "warning"),
    ],
    "no accuracy on skewed classes": [
        of_part("task", headline=("accuracy", "roc_auc")),
        of_part("task", metric="accuracy"),
    ],
    "label order kept": [
        of_saved(classes=("yes", "no")),
        of_part("confusion", classes=("yes", "no")),
        of_parity(label_flips=2),
        of_facts(saved=None),
    ],
    "test opened once": [
        of_record(audit=run_findings(RunCounts(fits=57, leaked_rows=0, opens=2))),
        of_facts(ledger_intact=False),
        lambda record, facts: (
            replace(record, ledger=replace(record.ledger, opens=0)),
            replace(facts, ledger_intact=False),
        ),
    ],
    "parts share no rows, groups or time": [
        *(with_finding(code, "severe") for code in SHARED),
        *(with_finding(code, "warning") for code in SHARED),
    ],
    "no column known only after the outcome": [
        lambda record, facts: (record, facts),
        *(with_finding(code, "warning", "duration") for code in OUTCOME),
    ],
    "nothing else severe in the audit": [with_finding("X001", "severe"), with_finding("A202", "severe")],
}
CASES = [(item, i) for item, changes in BREAKS.items() for i in range(len(changes))]


def statuses(record: RunRecord, facts: Facts) -> dict[str, str]:
    return {item.item: item.status for item in checklist(record, facts)}


def test_every_item_has_a_case_that_breaks_it() -> None:
    assert list(BREAKS) == [name for name, _ in ITEMS]


def test_a_sound_run_holds_everywhere(binary: Any) -> None:
    sound = replace(binary.record, audit=())
    assert [item for item, status in statuses(sound, binary.facts).items() if status != "holds"] == [
        "what was promised is certified"
    ]
    assert set(statuses(*with_promise(precision=0.9)(sound, binary.facts)).values()) == {"holds"}


@pytest.mark.parametrize(("item", "case"), CASES)
def test_broken_evidence_turns_the_item_red(binary: Any, item: str, case: int) -> None:
    record, facts = BREAKS[item][case](binary.record, binary.facts)
    assert statuses(record, facts)[item] == "fails"


@pytest.mark.parametrize(
    ("item", "codes"),
    [
        ("parts share no rows, groups or time", SHARED),
        ("no column known only after the outcome", OUTCOME),
        ("everything fitted on training rows only", ("A106",)),
    ],
)
def test_an_item_whose_checks_did_not_run_does_not_hold(binary: Any, item: str, codes: tuple[str, ...]) -> None:
    for code in codes:
        record, facts = with_skipped_check(code)(binary.record, binary.facts)
        [entry] = [i for i in checklist(record, facts) if i.item == item]
        assert entry.status == "not looked for"
        assert code in entry.evidence
        assert "no time left" in entry.evidence
        others = {i.item: i.status for i in checklist(record, facts) if i.item != item}
        assert "not looked for" not in others.values()
        # Where there is nothing to look at, nothing was missed.
        assert statuses(*with_skipped_check(code, blind=False)(binary.record, binary.facts))[item] == "holds"


def test_counts_name_the_findings_that_they_are_about(binary: Any) -> None:
    audit = (Finding("A304", "warning", None, "rare"), Finding("A204", "note", None, "near"))
    record = replace(binary.record, audit=audit)
    evidence = {item.item: item.evidence for item in checklist(record, binary.facts)}
    assert evidence["parts share no rows, groups or time"].endswith("but 1 note (A204)")
    assert evidence["nothing else severe in the audit"] == "1 other finding (A304), none of them severe"
    assert "finding" not in evidence["no column known only after the outcome"]


@pytest.mark.parametrize("predicted", [600, 3300])
def test_folds_forward_in_time_are_proper_cross_validation(binary: Any, predicted: int) -> None:
    """The oldest rows have nothing older to be predicted from, however many they are."""
    split = replace(binary.record.split, method="newest rows by 'day'", column="day", forward=True, folds=2)
    record, facts = replace(binary.record, split=split), replace(binary.facts, out_of_fold_rows=predicted)
    [item] = [i for i in checklist(record, facts) if i.item == "stratified split and proper cross-validation"]
    assert item.status == "holds"
    assert "2 folds forward in time" in item.evidence


@pytest.mark.parametrize(
    ("low", "phrase"), [(0.001, " better than"), (-0.001, "not clearly better than"), (0.0, "not clearly")]
)
def test_better_is_said_beyond_chance_only(binary: Any, low: float, phrase: str) -> None:
    task = replace(binary.record.task, prevalence=(0.99, 0.01))
    rare = Imbalance("forest", "class weights", "plain forest", "no weights", "log_loss", Estimate(0.01, low, 0.02))
    record = replace(binary.record, task=task, imbalance=rare)
    evidence = {item.item: item.evidence for item in checklist(record, binary.facts)}["imbalance strategy decided"]
    assert phrase in evidence
    assert ("not clearly" in evidence) == (low <= 0)


def test_a_test_without_intervals_is_not_looked_at(binary: Any) -> None:
    record = replace(binary.record, verification=replace(binary.record.verification, promises=()))
    assert statuses(record, binary.facts)["the test is as promised"] == "not looked for"
    record_without_test = replace(binary.record, verification=None, test=None)
    assert statuses(record_without_test, binary.facts)["the test is as promised"] == "not applicable"


def test_what_may_be_chance_is_said_and_no_failure(binary: Any) -> None:
    note = "log-loss is .21 on the test, .19 was promised, which may be chance"
    record = replace(binary.record, verification=replace(binary.record.verification, notes=(note,)))
    [item] = [i for i in checklist(record, binary.facts) if i.item == "the test is as promised"]
    assert item.status == "holds"
    assert note in item.evidence
    assert "the rule costs no more than always yes or never yes" in item.evidence


def test_every_item_shows_evidence(binary: Any, many: Any) -> None:
    for example in (binary, many):
        for item in checklist(example.record, example.facts):
            assert len(item.evidence) > 10
            assert "None" not in item.evidence


def test_evidence_names_the_numbers(binary: Any) -> None:
    evidence = {item.item: item.evidence for item in checklist(binary.record, binary.facts)}
    assert "logistic by .0500 [.0471 .0529], on the test by .0470 [.0380 .0560]" in evidence["baselines beaten"]
    assert "shallow tree by .0779 [.0741 .0816];" in evidence["baselines beaten"]
    assert "all fits together saw 0 rows" in evidence["everything fitted on training rows only"]
    assert "A104 duration" in evidence["no column known only after the outcome"]
    assert binary.record.artifact.file in evidence["model, preprocessing, metrics and version saved"]
    assert "fp=1 fn=12" in evidence["objective and metric tied to cost"]


def test_what_does_not_apply_is_said_to_be_so(many: Any) -> None:
    status = statuses(many.record, many.facts)
    assert [item for item, value in status.items() if value == "not applicable"] == [
        "imbalance strategy decided",
        "threshold tuned off the test",
        "what was promised is certified",
        "no accuracy on skewed classes",
    ]


def test_balanced_classes_without_costs_are_fine_and_skewed_ones_are_not(binary: Any, many: Any) -> None:
    item = "objective and metric tied to cost"
    assert statuses(many.record, many.facts)[item] == "holds"
    assert statuses(*no_costs(binary.record, binary.facts))[item] == "fails"
    f1 = replace(
        binary.record,
        task=replace(binary.record.task, cost=None),
        decision=replace(binary.record.decision, kind="f1"),
    )
    assert statuses(f1, binary.facts)[item] == "holds"


def test_a_certified_model_is_not_refit(binary: Any) -> None:
    record, facts = with_promise(precision=0.9)(binary.record, replace(binary.facts, refit_rows=100))
    assert statuses(record, facts)["refit and calibration"] == "holds"


def test_a_large_holdout_will_do(binary: Any) -> None:
    split = replace(binary.record.split, train=120_000, folds=1)
    record, facts = replace(binary.record, split=split), replace(binary.facts, out_of_fold_rows=24_000)
    assert statuses(record, facts)["stratified split and proper cross-validation"] == "holds"


def test_time_splits_need_no_strata(binary: Any) -> None:
    split = replace(
        binary.record.split, method="time", column="day", prevalence={"train": (0.9, 0.1), "test": (0.5, 0.5)}
    )
    assert statuses(replace(binary.record, split=split), binary.facts)["parts are stratified"] == "not applicable"


def test_a_sealed_test_is_no_failure(binary: Any) -> None:
    record = replace(binary.record, test=None, ledger=replace(binary.record.ledger, opens=0))
    assert statuses(record, binary.facts)["test opened once"] == "not applicable"


def test_a_small_part_may_differ_by_two_rows(binary: Any) -> None:
    """Of 100 rows two are two percent, more than the tolerance: a rare class cannot be parted more exactly."""
    split = replace(binary.record.split, test=100, prevalence={"train": (0.9, 0.1), "test": (0.915, 0.085)})
    assert statuses(replace(binary.record, split=split), binary.facts)["parts are stratified"] == "holds"
    larger = replace(split, test=800)
    assert statuses(replace(binary.record, split=larger), binary.facts)["parts are stratified"] == "fails"
