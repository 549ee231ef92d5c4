"""What the record takes from the rooms of a run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.artifact.model import Parity
from sortal.core import registry
from sortal.core.interval import Estimate, Interval
from sortal.core.predictions import Predictions
from sortal.core.schema import Column, Schema
from sortal.core.sheets import RowOptions
from sortal.core.task import Capacity, Task
from sortal.decide.calibrate import CalibrationResult
from sortal.decide.certificate import Bound, Certificate, Outlook
from sortal.decide.chosen import by_threshold_of_others, decide_apart, threshold_interval
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.decide.threshold import cost_threshold, decide
from sortal.engine.program import Program
from sortal.evaluate.decisions import rejected
from sortal.evaluate.figures import figures, per_class, share
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.verification import COVERAGE, Level, Promises, verify
from sortal.record import assemble as assemble_module
from sortal.record.assemble import (
    _decision,
    _importance,
    _levels,
    _operations,
    _sets,
    _slices,
    _tested,
    _why,
    facts,
    model_card,
)
from sortal.record.examples import describe_examples
from sortal.record.opened import OpenedTest
from sortal.record.parts import Nested, Split
from sortal.training.imbalance import WORDS
from sortal.training.permutation import NOTHING_PERMUTED, Permuted
from sortal.version import __version__

TASK = Task("y", ("no", "yes"), (0.7, 0.3), "yes", "log_loss", (), ())
COSTLY = replace(TASK, goal="cost", cost=((0.0, 1.0), (4.0, 0.0)))


def evidence(n: int = 60, **more: Any) -> Predictions:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 2, size=n)
    truth = (rng.random(n) < p).astype(np.int64)
    return Predictions(TASK.classes, 3 + np.arange(n), truth, np.column_stack([1 - p, p]), "valid", **more)


def results(task: Task, rows: Predictions, **more: Any) -> Any:
    """What the decision of a run is told from."""
    finalized = SimpleNamespace(unseen=rows, evidence=rows, decision=decide(task, rows), **more)
    return SimpleNamespace(
        trained=SimpleNamespace(finalized=finalized),
        unsealed=SimpleNamespace(task=task),
        data=SimpleNamespace(rows=1000),
    )


def cost_of(task: Task, rows: Predictions, decided: np.ndarray) -> float:
    return float(np.mean([task.cost[t][d] for t, d in zip(rows.truth, decided, strict=True)]))


def test_a_decision_by_costs_beside_its_alternatives() -> None:
    rows = evidence()
    rule = decide(COSTLY, rows)
    decided = rule.decide(rows)
    decision = _decision(results(COSTLY, rows), decided, seed=1)
    assert (decision.kind, decision.positive, decision.threshold, decision.measure) == (
        "cost",
        "yes",
        0.2,
        "expected_cost",
    )
    assert decision.rule == "say yes from p = .200 on"
    cost = registry.load("sortal.metrics", "expected_cost")
    assert decision.expected_cost == Estimate.of(interval(cost, COSTLY, rows, decided))
    n = len(rows)
    for name, codes in (("chosen", decided), ("always yes", np.ones(n, int)), ("never yes", np.zeros(n, int))):
        assert decision.comparison[name] == pytest.approx(cost_of(COSTLY, rows, codes))
    apart = by_threshold_of_others(COSTLY, rows, lambda others: cost_threshold(COSTLY, others), 1)
    assert decision.comparison["tuned"] == pytest.approx(cost_of(COSTLY, rows, apart))
    assert (decision.threshold_interval, decision.rejected, decision.decided_accuracy) == (None, None, None)
    assert len(decision.at_shares) == 5
    assert decision.explanation == "follows from the costs"


def test_a_decision_by_f_beta_is_told_of_rows_that_had_no_say() -> None:
    rows = evidence()
    for beta, name in ((1.0, "f1"), (2.0, "fbeta")):
        task = replace(TASK, goal="f1", beta=beta)
        decided = decide_apart(task, rows, decide(task, rows), 4)
        decision = _decision(results(task, rows), decided, seed=4)
        metric = registry.load("sortal.metrics", name)
        half = (rows.probability[:, 1] >= 0.5).astype(np.int64)
        assert decision.measure == name
        assert decision.comparison == pytest.approx(
            {
                "chosen": metric.score(task, rows, decided),
                "at .5": metric.score(task, rows, half),
                "always yes": metric.score(task, rows, np.ones(60, int)),
            }
        )
        limits = threshold_interval(task, rows, decide(task, rows), 4)
        assert limits is not None
        assert decision.threshold_interval == Estimate.of(limits)
        assert decision.explanation.startswith(f"the largest F{beta:g} on rows the model never saw")
        assert f"anywhere from {limits.low:.3f}"[-3:] in decision.explanation
        assert decision.at_shares == ()


def test_what_is_left_to_a_person_is_told_with_its_groups() -> None:
    task = replace(COSTLY, reject_cost=0.3)
    for groups in (None, np.arange(60) // 3):
        rows = evidence(groups=groups)
        decided = decide(task, rows).decide(rows)
        decision = _decision(results(task, rows), decided, seed=0)
        assert decision.rejected == Estimate.of(rejected(task, decided, rows.clusters))
        mask = decided != 2
        assert decision.decided_accuracy is not None
        assert decision.decided_accuracy.value == pytest.approx((decided == rows.truth)[mask].mean())


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (TASK, "no costs given: every error costs one"),
        (COSTLY, "follows from the costs"),
        (replace(TASK, goal="capacity", capacity=Capacity(0.1)), "as many as the capacity allows"),
        (
            replace(COSTLY, goal="capacity", capacity=Capacity(0.1)),
            "as many as the capacity allows, and none that costs more than it spares",
        ),
    ],
)
def test_why_it_is_decided_so(task: Task, reason: str) -> None:
    assert _why(task, decide(task, evidence()), 100) == reason


def test_what_more_rows_would_do_is_told_in_rows_of_the_table() -> None:
    bound = Bound("precision", 0.9, 0.8, 0.85, False)
    refusal = Certificate("yes", 0.6, 0.95, 200, 60, 40, (bound,), 0.3, outlook=Outlook(500, 0.85))
    rule = Decision("threshold", TASK.classes, "yes", 0.6, certificate=refusal)
    task = replace(TASK, goal="promise")
    assert _why(task, rule, 2000) == f"{refusal.explanation} That is a table of about 5,000 rows."
    for other in (
        replace(refusal, grouped=True),
        replace(refusal, outlook=Outlook(None, 0.1)),
        replace(refusal, outlook=None),
    ):
        assert _why(task, replace(rule, certificate=other), 2000) == other.explanation


def test_columns_are_ranked_by_what_the_model_leans_on() -> None:
    trained = SimpleNamespace(
        finalized=SimpleNamespace(ensemble=SimpleNamespace(importance={"a": 0.2, "b": 0.7, "c": 0.1}))
    )
    importance = _importance(trained)
    assert [(column.column, column.value) for column in importance.columns] == [("b", 0.7), ("a", 0.2), ("c", 0.1)]


def test_the_ops_of_members_that_read_columns_stand_before_their_average() -> None:
    def member(last: str) -> Program:
        return Program("table", steps=(Program("number", {"column": "x"}),)).then(Program(last))

    ensemble = Program("average", {}, {"weight": np.ones(2) / 2}, (member("linear"), member("forest")))
    calibrated = Program("average", {}, {"weight": np.ones(2) / 2}, (Program("logit_affine"), Program("step")))
    operations = [*_operations(ensemble.then(calibrated))]
    assert operations == ["table", "linear", "table", "forest", "average", "average"]


def test_facts_count_what_the_run_did() -> None:
    rows, sealed = evidence(), np.array([4, 5, 900])
    other = rows.take(np.arange(40))

    def result(balance: str) -> Any:
        return SimpleNamespace(candidate=SimpleNamespace(balance=balance))

    winner = SimpleNamespace(results=(result("weights"), result("none")), predictions=rows)
    scored = [result(balance) for balance in ("none", "undersample", "weights", "focal")]
    developed = SimpleNamespace(choice=SimpleNamespace(winner=winner), explored=SimpleNamespace(results=scored))
    finalized = SimpleNamespace(
        evidence=other.take(np.arange(1, 40)), ensemble=SimpleNamespace(rows=77), no_refit="time"
    )
    run = SimpleNamespace(trained=SimpleNamespace(developed=developed, finalized=finalized), seal=None)
    schema = Schema((Column("x", "number"), Column("z", "number"), Column("y", "boolean", "target")))
    model = SimpleNamespace(
        version="1", program=Program("lookup", {"column": "x"}), task=TASK, schema=schema,
        profile={"x": 0}, metrics={"test": {"roc_auc": 1, "brier": 2}},
    )  # fmt: skip
    parity = Parity(10, 0.0, 0)
    run_facts = facts(run, "m.sortal", model, parity, SimpleNamespace(fits=9), sealed)
    assert (run_facts.fits, run_facts.out_of_fold_rows, run_facts.sealed_rows_scored) == (9, 60, 2)
    assert (run_facts.decision_part, run_facts.decision_rows, run_facts.sealed_rows_decided) == ("valid", 39, 2)
    assert (run_facts.refit_rows, run_facts.no_refit, run_facts.ledger_intact) == (77, "time", True)
    assert run_facts.imbalance == (f"{WORDS['weights']} and {WORDS['none']}", WORDS["focal"], WORDS["undersample"])
    saved = run_facts.saved
    assert saved is not None
    assert (saved.file, saved.version, saved.parity, saved.classes) == ("m.sortal", "1", parity, TASK.classes)
    assert (saved.features, saved.profiled, saved.metrics) == (2, 1, ("roc_auc", "brier"))
    for entries, intact in (((), False), ((1,), True)):
        run.seal = SimpleNamespace(entries=entries)
        assert facts(run, "m", model, parity, SimpleNamespace(fits=9), sealed).ledger_intact is intact


def test_the_card_of_a_model_has_what_no_clock_measured(binary: Any) -> None:
    record = binary.record
    card = model_card(record, record.checklist)
    assert (card.seed, card.data, card.chosen) == (record.seed, record.data, "catboost")
    assert card.checklist == record.checklist
    ledger = record.ledger
    assert (card.ledger.opens, card.ledger.head, card.ledger.sealed) == (ledger.opens, ledger.head, ledger.sealed)
    assert card.by_importance == ("duration", "contacted", "balance", "age")
    assert model_card(replace(record, importance=None), ()).by_importance == ()
    rows = card.details["leaderboard"]
    assert [row["name"] for row in rows] == [row.name for row in record.leaderboard]
    slower = tuple(
        replace(row, fit_seconds=9.0, program_microseconds=8.0, front=True, file="x") for row in record.leaderboard
    )
    assert model_card(replace(record, leaderboard=slower), record.checklist) == card
    assert card.details["selection"]["explanation"] == record.selection.explanation


def test_the_test_is_measured_by_what_was_decided_of_it() -> None:
    rows, task = evidence(), replace(COSTLY, headline=("recall", "log_loss"))
    run = results(task, rows)
    test = OpenedTest(replace(rows.take(np.arange(40)), part="test"), pl.DataFrame())
    run.promised = {"log_loss": Estimate(0.5, 0.4, 0.6)}
    measured, verification = _tested(run, test, None, seed=7)
    decided = run.trained.finalized.decision.decide(test.predictions)
    assert measured == figures(task, test.predictions, decided, 7)
    assert verification == verify(task, test.predictions, decided, measured, Promises(rows, run.promised), None, 7)
    assert [check.metric for check in verification.promises] == ["log_loss"]


def test_levels_that_were_asked_for_stand_beside_what_the_test_has_of_them() -> None:
    bounds = (Bound("precision", 0.9, 0.8, 0.85, False), Bound("fpr", 0.1, 0.1, 0.05, True))
    certificate = Certificate("yes", 0.6, 0.95, 200, 60, 40, bounds, 0.3)
    measured = {"precision": Estimate(0.8, 0.7, 0.9), "fpr": Estimate(0.2, 0.1, 0.3)}
    assert [*_levels(certificate, None, measured)] == [
        Level("precision", 0.9, measured["precision"], False, True),
        Level("fpr", 0.1, measured["fpr"], True, True),
    ]
    partial = replace(certificate, bounds=bounds[1:])
    assert [*_levels(partial, None, measured)] == [Level("fpr", 0.1, measured["fpr"], True, False)]
    assert [*_levels(partial, None, {})] == []
    coverage = Estimate(0.91, 0.88, 0.94)
    sets = SimpleNamespace(asked=0.9, coverage=coverage)
    assert [*_levels(None, sets, measured)] == [Level(COVERAGE, 0.9, coverage)]


def test_sets_are_described_by_class_with_their_groups() -> None:
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.55, 0.45], [0.3, 0.7], [0.9, 0.1]])
    truth = np.array([0, 1, 1, 1, 0, 0])
    sets = Sets("lac", 0.9, (60, 39), (0.35, 0.35), 1.2)
    for groups in (None, np.array([0, 0, 1, 1, 2, 2])):
        rows = Predictions(("a", "b"), np.arange(6), truth, p, "test", groups=groups)
        summary = _sets(SimpleNamespace(finalized=SimpleNamespace(sets=sets, evidence=rows)), rows)
        assert summary is not None
        hit, single = np.array([1, 1, 1, 1, 0, 1]) == 1, np.array([1, 0, 1, 0, 1, 1]) == 1
        every, clusters = np.ones(6, dtype=bool), rows.clusters
        assert (summary.method, summary.asked, summary.rows, summary.part) == ("lac", 0.9, 99, "test")
        assert summary.coverage == share(every, hit, clusters)
        assert summary.singles == share(every, single, clusters)
        assert summary.mean_size == pytest.approx(8 / 6)
        a, b = summary.per_class
        assert (a.label, a.coverage) == ("a", share(truth == 0, (truth == 0) & hit, clusters))
        assert (b.label, b.coverage) == ("b", share(truth == 1, (truth == 1) & hit, clusters))
        assert any("one row of each group" in note for note in summary.notes) == (groups is not None)
    assert _sets(SimpleNamespace(finalized=SimpleNamespace(sets=None)), rows) is None


def test_classes_that_no_row_has_are_left_out_of_the_sets() -> None:
    rows = Predictions(
        ("a", "b", "c"), np.arange(2), np.array([2, 0]), np.array([[0.1, 0.1, 0.8], [0.6, 0.2, 0.2]]), "test"
    )
    sets = Sets("lac", 0.9, (60, 39, 20), (0.35,) * 3, 1.2)
    summary = _sets(SimpleNamespace(finalized=SimpleNamespace(sets=sets, evidence=rows)), rows)
    assert summary is not None
    assert [score.label for score in summary.per_class] == ["a", "c"]


def test_slices_are_by_what_the_model_leans_on_and_by_what_was_asked() -> None:
    """Rows 3 to 62 were scored, of 100 that were read; the test has its own."""
    rows = evidence()
    schema = Schema((Column("x", "category"), Column("z", "category"), Column("y", "boolean", "target")))
    side = np.where(np.arange(100) % 2 == 0, "even", "odd")
    raw = pl.DataFrame({"x": side, "z": ["all"] * 100})
    run = results(TASK, rows, ensemble=SimpleNamespace(importance={"z": 0.1, "x": 0.9}))
    run.unsealed = SimpleNamespace(task=TASK, table=SimpleNamespace(schema=schema, rows=np.arange(100)), raw=raw)
    run.test = None
    decided = np.zeros(60, dtype=np.int64)
    slices = _slices(run, rows, decided, RowOptions(slice=("z",)), 0)
    assert slices is not None
    assert {s.column for s in slices.slices if s.asked} == {"z"}
    (even,) = (s for s in slices.slices if s.condition == "= even")
    own = rows.rows % 2 == 0
    assert even.figure.value == pytest.approx(-np.log(rows.probability[own, rows.truth[own]]).mean())
    run.test = OpenedTest(rows, pl.DataFrame({"x": ["here"] * 30 + ["there"] * 30, "z": ["all"] * 60}))
    test_slices = _slices(run, rows, decided, RowOptions(), 0)
    assert test_slices is not None
    assert {s.condition for s in test_slices.slices if s.column == "x"} == {"= here", "= there"}
    assert not any(s.asked for s in test_slices.slices)


def test_each_part_of_the_record_is_made_of_its_own_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every helper is replaced by one that says what it was given: nothing is mixed up, and nothing left out."""
    rows = evidence()
    split = Split("stratified", 60, 0, 20)
    folds = SimpleNamespace(per_repeat=5, repeats=3)
    calibration = SimpleNamespace(result=CalibrationResult("none", 0.4, 0.4, "why"))
    finalized = SimpleNamespace(unseen="unseen", decision="rule", evidence="evidence", calibration=calibration)
    trained = SimpleNamespace(finalized=finalized, developed=SimpleNamespace(folds=folds))
    audited = SimpleNamespace(findings=("finding",), skipped=("skip",))
    unsealed = SimpleNamespace(task=TASK, table=SimpleNamespace(schema="schema"))
    search, options = SimpleNamespace(seed=7), RowOptions()
    opened_test = OpenedTest(replace(rows, part="test"), pl.DataFrame())
    decided = np.zeros(60, dtype=np.int64)

    def spy(name: str, answer: Any = None) -> None:
        def stub(*args: Any, **more: Any) -> Any:
            call = (name, *args, *more.items())
            return answer(call) if answer else call

        monkeypatch.setattr(assemble_module, name, stub)

    for name in ("decide_apart", "_sets", "describe_columns", "baselines", "leaderboard", "imbalance", "_decision"):
        spy(name)
    for name in ("_nested", "_per_class", "_slices", "_importance", "_permutation", "_examples", "describe_ledger"):
        spy(name)
    spy("_predictions", lambda call: (replace(rows, part="test" if call[1].test else "valid"), decided))
    spy("selection", lambda call: SimpleNamespace(corrected="corrected", call=call))
    spy("_tested", lambda call: (call, "verified"))
    spy("recalibration_gain", lambda call: Interval(float(call[2] == ("seed", 7)), -1.0, 2.0))
    for test in (opened_test, None):
        run: Any = SimpleNamespace(
            trained=trained, unsealed=unsealed, test=test, data="data", audited=audited, split=split, seal="seal",
            permuted="permuted",
        )  # fmt: skip
        record = assemble_module.assemble(run, options, search)
        apart = ("decide_apart", TASK, "unseen", "rule", 7)
        sets = ("_sets", trained, "evidence" if test is None else opened_test.predictions)
        part_rows = replace(rows, part="valid" if test is None else "test")
        assert (record.seed, record.data, record.task) == (7, "data", TASK)
        assert record.sortal_version == __version__
        assert record.columns == ("describe_columns", "schema", options)
        assert (record.audit, record.audit_skipped) == (("finding",), ("skip",))
        assert record.split == replace(split, folds=5, repeats=3)
        assert record.baselines == ("baselines", trained, TASK, test)
        assert record.leaderboard == ("leaderboard", trained, TASK, "corrected")
        assert record.selection.call == ("selection", trained, TASK)
        assert record.imbalance == ("imbalance", trained)
        assert record.calibration == replace(calibration.result, removable=Estimate(1.0, -1.0, 2.0))
        assert record.decision == ("_decision", run, apart, 7)
        assert record.sets == sets
        if test is None:
            assert (record.test, record.verification) == (None, None)
        else:
            assert (record.test, record.verification) == (("_tested", run, opened_test, sets, 7), "verified")
        assert record.nested == ("_nested", run, apart, 7)
        assert record.confusion is not None
        assert (record.confusion.part, record.confusion.classes) == (part_rows.part, TASK.classes)
        no_counts = [[int((rows.truth == code).sum()), 0] for code in (0, 1)]
        assert [list(line)[:2] for line in record.confusion.counts] == no_counts
        assert len(record.per_class) == 5
        assert record.per_class[0] == "_per_class"
        assert record.per_class[1] is run
        assert record.per_class[2] == part_rows
        assert record.per_class[3] is decided
        assert record.per_class[4] == apart
        assert record.slices is not None
        assert record.slices[:3] == ("_slices", run, part_rows)
        assert record.slices[3] is decided
        assert record.slices[4:] == (options, 7)
        assert record.importance == ("_importance", trained)
        assert record.permutation == ("_permutation", "permuted")
        assert record.examples == ("_examples", run, apart, options)
        assert record.ledger == ("describe_ledger", "seal")


def test_what_is_shown_is_the_test_or_what_stands_in_for_it() -> None:
    rows = evidence()
    run = results(TASK, rows)
    test, nested = replace(rows.take(np.arange(9)), part="test"), replace(rows.take(np.arange(5)), part="nested")
    apart, other = np.zeros(60, dtype=np.int64), np.ones(5, dtype=np.int64)
    run.test, run.nested = None, None
    predictions, decided = assemble_module._predictions(run, apart)
    assert predictions is rows
    assert decided is apart
    run.nested = SimpleNamespace(predictions=nested, decided=other)
    predictions, decided = assemble_module._predictions(run, apart)
    assert predictions is nested
    assert decided is other
    run.test = OpenedTest(test, pl.DataFrame())
    predictions, decided = assemble_module._predictions(run, apart)
    assert predictions is test
    assert decided.tolist() == decide(TASK, rows).decide(test).tolist()


def test_what_columns_add_is_told_in_the_order_of_what_is_lost() -> None:
    assert assemble_module._permutation(NOTHING_PERMUTED) is None
    losses = {"b": Interval(0.3, 0.2, 0.4), "a": Interval(0.1, 0.0, 0.2)}
    importance = assemble_module._permutation(Permuted(1_200, losses))
    assert importance is not None
    assert importance.measure == "log-loss lost where the column is shuffled, on 1,200 rows out of fold"
    assert [(c.column, c.value, c.low, c.high) for c in importance.columns] == [
        ("b", 0.3, 0.2, 0.4),
        ("a", 0.1, 0.0, 0.2),
    ]


def test_examples_are_of_rows_out_of_fold_and_of_what_a_person_can_look_at() -> None:
    rows = evidence()
    copies = np.arange(100) * 10
    run = results(TASK, rows)
    texts = Schema((Column("note", "text"), Column("y", "boolean", "target")))
    run.unsealed = SimpleNamespace(table=SimpleNamespace(schema=texts, rows=np.arange(100), copies=copies))
    decided = np.zeros(60, dtype=np.int64)
    examples = assemble_module._examples(run, decided, RowOptions())
    assert examples == describe_examples(rows, decided, copies[rows.rows])
    assert assemble_module._examples(run, decided, RowOptions(private=True)) is None
    run.unsealed.table.schema = Schema((Column("x", "number"), Column("y", "boolean", "target")))
    assert assemble_module._examples(run, decided, RowOptions()) is None


def test_nested_figures_reach_as_far_as_those_of_the_chosen_model(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = evidence()
    nested = replace(rows.take(np.arange(40)), part="nested")
    run = results(TASK, rows)
    apart, decided = np.zeros(60, dtype=np.int64), np.ones(40, dtype=np.int64)
    run.nested = None
    assert assemble_module._nested(run, apart, 3) is None
    run.nested = SimpleNamespace(predictions=nested, decided=decided, folds=4, planned=5)
    measured = {"recall": Estimate(0.4, 0.3, 0.5), "ece": Estimate(0.1, 0.0, 0.2)}
    chosen_figures = {"recall": Estimate(0.6, 0.5, 0.7), "ece": Estimate(0.3, 0.2, 0.4)}

    def of(task: Task, predictions: Predictions, codes: np.ndarray, seed: int) -> dict[str, Estimate]:
        assert (task, seed) == (TASK, 3)
        if predictions is nested:
            assert codes is decided
            return measured
        assert predictions is rows
        assert codes is apart
        return chosen_figures

    def reaching(estimate: Estimate, name: str, trained: Any, task: Task, other: float) -> Estimate:
        assert (estimate, trained, task) == (measured[name], run.trained, TASK)
        return Estimate(other, estimate.low, estimate.high)

    monkeypatch.setattr(assemble_module, "figures", of)
    monkeypatch.setattr(assemble_module, "metric_reaching", reaching)
    monkeypatch.setattr(
        assemble_module, "with_its_own_calibration", lambda e, p: replace(e, high=0.9 if p is nested else 0.0)
    )
    result = assemble_module._nested(run, apart, 3)
    assert result == Nested(4, 5, 40, {"recall": Estimate(0.6, 0.3, 0.5), "ece": Estimate(0.3, 0.0, 0.9)})
    del measured["ece"], chosen_figures["ece"]
    result = assemble_module._nested(run, apart, 3)
    assert result is not None
    assert result.figures == {"recall": Estimate(0.6, 0.3, 0.5)}


@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
@pytest.mark.parametrize("part", ["test", "valid", "out-of-fold", "nested"])
def test_classes_of_rows_out_of_fold_reach_as_far_as_the_model_that_ships(
    part: Any, groups: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = replace(evidence(groups=groups), part=part)
    unseen = rows if part == "out-of-fold" else evidence().take(np.arange(30))
    run = results(TASK, unseen)
    decided, apart = np.arange(60) % 2, np.zeros(len(unseen), dtype=np.int64)
    calls: list[Any] = []
    monkeypatch.setattr(assemble_module, "classes_reaching", lambda *args: calls.append(args) or ("reaching",))
    scores = assemble_module._per_class(run, rows, decided, apart)
    plain = per_class(TASK, rows.truth, decided, rows.clusters)
    if part in ("test", "valid"):
        assert scores == plain
        assert calls == []
    else:
        assert scores == ("reaching",)
        others = () if unseen is rows else per_class(TASK, unseen.truth, apart)
        assert calls == [(plain, run.trained, TASK, others)]
