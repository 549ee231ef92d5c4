from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from sortal.artifact.model import Model
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Capacity, Task
from sortal.decide.certificate import Bound, Certificate
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program
from sortal.record.fresh import Evaluation, Fresh, compare, judge
from sortal.report import summary


@pytest.mark.parametrize(
    ("metric", "observed", "verdict"),
    [
        ("roc_auc", Estimate(0.5, 0.45, 0.55), "worse"),
        ("roc_auc", Estimate(0.95, 0.93, 0.97), "better"),
        ("roc_auc", Estimate(0.78, 0.74, 0.82), "as promised"),
        ("log_loss", Estimate(0.5, 0.45, 0.55), "better"),
        ("log_loss", Estimate(0.95, 0.93, 0.97), "worse"),
        ("log_loss", Estimate(0.8, None, None), "unknown"),
        ("roc_auc", Estimate(0.74, 0.64, 0.84), "in doubt"),
        ("roc_auc", Estimate(0.86, 0.8, 0.9), "as promised"),
        ("log_loss", Estimate(0.86, 0.76, 0.96), "in doubt"),
        ("log_loss", Estimate(0.74, 0.68, 0.8), "as promised"),
    ],
)
def test_a_verdict_needs_a_difference_beyond_chance_and_doubt_a_figure_outside(metric, observed, verdict):
    assert compare(metric, Estimate(0.8, 0.75, 0.85), observed).verdict == verdict


def test_what_was_not_promised_cannot_be_broken():
    assert compare("roc_auc", None, Estimate(0.1, 0.0, 0.2)).verdict == "unknown"


def test_what_is_worse_is_named():
    promised = Estimate(0.8, 0.75, 0.85)
    comparisons = tuple(
        compare(name, promised, Estimate(0.5, 0.45, 0.55)) for name in ("roc_auc", "log_loss", "accuracy")
    )
    evaluation = Evaluation("model.sortal", "new.csv", 100, "test", comparisons)
    assert evaluation.worse == ("roc_auc", "accuracy")
    assert json.loads(evaluation.to_json())["comparisons"][0]["verdict"] == "worse"


COSTS = ((0.0, 1.0), (4.0, 0.0))
TASK = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", ("roc_auc", "precision"), (), "cost", COSTS)
PLAN = ColumnProfile("plan", "category", rows=100, missing=0, distinct=2, levels=("pro", "basic"), counts=(50, 50))
LIKE, UNLIKE = {"plan": ["pro", "basic"] * 200}, {"plan": ["PRO", "BASIC"] * 200}


def fresh(right: float = 0.9, rows: int = 400, seed: int = 0, **more) -> Fresh:
    """Two classes; a row is scored .8 or .2, and this share of the rows is on the right side."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=rows)
    high = np.where(rng.random(rows) < right, truth, 1 - truth)
    p = np.where(high == 1, 0.8, 0.2)
    return Fresh(
        "new.csv", Predictions(TASK.classes, np.arange(rows), truth, np.column_stack([1 - p, p]), "fresh"), **more
    )


def model(**more) -> Model:
    promised = {
        "test": {
            "roc_auc": Estimate(0.9, 0.87, 0.93),
            "precision": Estimate(0.9, 0.86, 0.94),
        }
    }
    rule = Decision("threshold", TASK.classes, "yes", 0.5, COSTS)
    settings = {
        "schema": Schema((Column("plan", "category"),)),
        "task": TASK,
        "decision": rule,
        "program": Program("lookup", {"column": "plan"}),
        "profile": {"plan": PLAN},
        "metrics": promised,
    }
    return Model(**(settings | more))


def certified_rule(requested: float, level: float) -> Decision:
    bound = Bound("precision", requested, level, 0.95, requested == level)
    certificate = Certificate("yes", 0.5, 0.95, 500, 250, 250, (bound,), 0.5)
    return Decision("threshold", TASK.classes, "yes", 0.5, COSTS, certificate=certificate)


def console_text(evaluation: Evaluation) -> str:
    text = io.StringIO()
    summary.evaluation(Console(file=text, width=110, highlight=False), evaluation)
    return text.getvalue()


def test_what_is_as_promised_is_said_to_be():
    evaluation = judge("m.sortal", model(), fresh(columns=LIKE))
    assert {c.metric: c.verdict for c in evaluation.comparisons if c.promised} == {
        "roc_auc": "as promised",
        "precision": "as promised",
    }
    assert console_text(evaluation).endswith("nothing is worse than promised\n")


def test_nothing_is_as_promised_on_rows_that_are_not_like_those_of_training():
    for unlike in ({"columns": UNLIKE}, {"absent": ("plan",)}):
        evaluation = judge("m.sortal", model(decision=certified_rule(0.8, 0.8)), fresh(**unlike))
        verdicts = {c.verdict for c in (*evaluation.comparisons, *evaluation.promises)}
        assert "with reservation" in verdicts
        assert "as promised" not in verdicts
        assert "as promised" not in console_text(evaluation)
        assert "'plan'" in console_text(evaluation)
        assert "with reservation: 1 column not as in training" in console_text(evaluation)
    shifts = json.loads(judge("m", model(), fresh(columns=UNLIKE)).to_json())["shifts"]
    assert [(shift["column"], shift["what"], shift["share"]) for shift in shifts] == [("plan", "unseen", 1.0)]


def test_on_the_data_of_training_nothing_is_as_promised():
    evaluation = judge("m.sortal", model(), fresh(columns=LIKE, trained_on=True))
    assert {c.verdict for c in evaluation.comparisons if c.promised} == {"with reservation"}
    assert "not fresh    the model was trained on this very data" in console_text(evaluation)
    assert console_text(evaluation).endswith("on the data of training that is no proof\n")
    assert "not fresh" not in console_text(judge("m.sortal", model(), fresh(columns=LIKE)))


def test_what_fell_short_is_said_first():
    evaluation = judge("m.sortal", model(), fresh(right=0.7))
    assert evaluation.worse == ("roc_auc", "precision")
    assert [c.verdict for c in evaluation.comparisons][:2] == ["worse", "worse"]
    second = console_text(evaluation).splitlines()[1]
    assert second.startswith("worse          ROC-AUC .69 [")
    assert second.endswith("promised .90 [.87 .93]")


@pytest.mark.parametrize(
    ("requested", "level", "right", "verdict"),
    [
        (0.8, 0.8, 0.9, "as promised"),
        (0.8, 0.8, 0.6, "worse"),
        (0.9, 0.9, 0.885, "in doubt"),
        (0.99, 0.8, 0.9, "as promised"),
    ],
)
def test_a_certificate_is_held_to_its_level(requested, level, right, verdict):
    evaluation = judge("m.sortal", model(decision=certified_rule(requested, level)), fresh(right))
    promise = evaluation.promises[0]
    assert (promise.measure, promise.level, promise.asked, promise.verdict) == ("precision", level, requested, verdict)
    truth = fresh(right).predictions
    yes = truth.probability[:, 1] > 0.5
    assert promise.observed.value == pytest.approx(truth.truth[yes].mean())
    assert ("precision" in evaluation.worse) == (right < 0.8)
    assert ("was asked and refused" in console_text(evaluation)) == (requested != level)


def test_sets_are_held_to_their_coverage_class_by_class_where_that_was_promised():
    both = Sets("lac", 0.85, (100, 100), (0.3, 0.3), 1.2)
    rows = fresh(0.9).predictions
    right = (rows.probability.argmax(axis=1) == rows.truth).mean()
    (promise,) = judge("m", model(sets=both), fresh(0.9)).promises
    assert (promise.measure, promise.level, promise.label, promise.verdict) == ("coverage", 0.85, None, "as promised")
    assert promise.observed.value == pytest.approx(right)
    evaluation = judge("m", model(sets=replace(both, method="lac by class", coverage=0.97)), fresh(0.9))
    assert [(p.label, p.verdict) for p in evaluation.promises] == [("no", "worse"), ("yes", "worse")]
    inside = rows.probability[np.arange(400), rows.truth] == 0.8
    shares = [inside[rows.truth == code].mean() for code in (0, 1)]
    assert shares[0] != shares[1]
    assert [p.observed.value for p in evaluation.promises] == pytest.approx(shares)
    assert "coverage" in evaluation.worse
    assert "coverage of sets of yes >= .97" in console_text(evaluation)


def test_the_decision_stands_beside_always_and_never():
    rows = fresh(0.9).predictions
    against = judge("m", model(), fresh(0.9)).against
    positive = rows.truth == 1
    costs = np.where(positive, 4.0 * (rows.probability[:, 1] < 0.5), 1.0 * (rows.probability[:, 1] > 0.5))
    rivals = {rival.name: rival.cost for rival in against.rivals}
    assert rivals == pytest.approx({"always yes": (~positive).mean(), "never yes": 4 * positive.mean()})
    assert (against.rivals[0].name, against.verdict, against.measure) == ("always yes", "better", "cost")
    assert against.cost.value == pytest.approx(costs.mean())
    assert against.rivals[0].excess.value == pytest.approx(costs.mean() - (~positive).mean())
    useless = judge("m", model(), fresh(0.5))
    assert useless.against.verdict == "worse"
    assert "the decision costs more than always yes" in console_text(useless)


def test_a_class_that_no_row_has_is_said():
    rows = fresh(0.9).predictions
    one = rows.take(rows.truth == 1)
    evaluation = judge("m", model(), Fresh("new.csv", one, unlabelled=3))
    assert evaluation.classes_absent == ("no",)
    assert evaluation.notes == ("no row is no: averages over classes leave it out",)
    assert "3 rows without a label" in console_text(evaluation)


def test_of_a_single_row_all_is_said_that_can_be():
    """Its figures are valid JSON, and what is not known is a dash: no limit is a number that is none."""
    one = fresh(0.9).predictions.take(np.array([0]))
    evaluation = judge("m", model(), Fresh("new.csv", one))
    text = evaluation.to_json().decode()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert not re.search(r"\b(nan|inf)\b", console_text(evaluation), re.IGNORECASE)
    assert {c.verdict for c in evaluation.comparisons} <= {"as promised", "in doubt", "unknown"}
    for figure in (evaluation.against.cost, *(rival.excess for rival in evaluation.against.rivals)):
        assert None not in (figure.low, figure.high)
        assert figure.low <= figure.value <= figure.high


def test_a_number_of_rows_is_another_share_of_another_batch():
    rule = Decision("capacity", TASK.classes, "yes", 0.5, capacity=Capacity(0.05, 20))
    task = replace(TASK, goal="capacity", cost=None, capacity=Capacity(0.05, 20))
    evaluation = judge("m.sortal", model(decision=rule, task=task), fresh(rows=200))
    assert evaluation.notes == ("the capacity of 20 is 10 % of these rows; the promise was measured at 5 %",)
    # Made for the best 20, not for few errors: no verdict against deciding the same everywhere.
    assert (evaluation.against.measure, evaluation.against.verdict) == ("errors", "unknown")


def test_a_rule_that_never_erred_may_still_err():
    against = judge("m.sortal", model(task=replace(TASK, cost=None, goal="argmax")), fresh(1.0, rows=50)).against
    assert (against.cost.value, against.cost.low) == (0.0, 0.0)
    assert 0.05 < against.cost.high < 0.1


def test_rows_that_vary_together_are_less_evidence():
    """Every row stands there four times."""
    few = fresh(0.8, rows=100)
    rows = np.repeat(np.arange(100), 4)
    many = Fresh("new.csv", few.predictions.take(rows))
    sets = Sets("lac", 0.85, (100, 100), (0.3, 0.3), 1.2)

    def widths(data: Fresh) -> np.ndarray:
        evaluation = judge("m.sortal", model(sets=sets), data)
        figures = [c.observed for c in evaluation.comparisons if c.metric in ("precision", "roc_auc", "log_loss")]
        return np.array(
            [e.high - e.low for e in (*figures, evaluation.promises[0].observed, evaluation.against.rivals[0].excess)]
        )

    apart, together = widths(many), widths(replace(many, predictions=replace(many.predictions, groups=rows)))
    assert (together > 1.7 * apart).all()
    np.testing.assert_allclose(together, widths(few), rtol=0.1)


def test_what_is_left_to_a_person_stands_beside_the_figures_of_the_others():
    rows = fresh(0.9, rows=200).predictions
    doubtful = np.arange(200) < 50
    p = np.where(doubtful[:, None], 0.5, rows.probability)
    rule = Decision("cost", TASK.classes, "yes", cost=((0.0, 1.0), (1.0, 0.0)), reject_cost=0.3)
    task = replace(TASK, cost=rule.cost, reject_cost=0.3)
    data = Fresh("new.csv", replace(rows, probability=p))
    evaluation = judge("m.sortal", model(decision=rule, task=task), data)
    assert evaluation.rejected.value == 0.25
    right = (rows.probability.argmax(axis=1) == rows.truth)[~doubtful].mean()
    accuracy = next(c for c in evaluation.comparisons if c.metric == "accuracy")
    assert accuracy.observed.value == pytest.approx(right)
    text = console_text(evaluation)
    assert "25 % [" in text
    assert "of the rows are left to a person" in text
    assert "accuracy (decided rows)" in text
    assert "log-loss (decided rows)" not in text


def test_a_figure_on_the_edge_of_what_was_promised_is_no_doubt():
    promised = Estimate(0.8, 0.75, 0.85)
    assert compare("roc_auc", promised, Estimate(0.75, 0.65, 0.85)).verdict == "as promised"
    assert compare("log_loss", promised, Estimate(0.85, 0.75, 0.95)).verdict == "as promised"
    assert compare("roc_auc", promised, Estimate(0.749, 0.65, 0.85)).verdict == "in doubt"


def test_rows_unlike_those_of_training_leave_the_other_verdicts_as_they_are():
    promised = Estimate(0.8, 0.75, 0.85)
    for observed, verdict in (
        (Estimate(0.8, 0.75, 0.85), "with reservation"),
        (Estimate(0.5, 0.45, 0.55), "worse"),
        (Estimate(0.74, 0.64, 0.84), "in doubt"),
        (Estimate(0.95, 0.93, 0.97), "better"),
    ):
        assert compare("roc_auc", promised, observed, reserved=True).verdict == verdict


def test_the_gravest_come_first_and_the_others_stay_in_their_order():
    promised = {
        "precision": Estimate(0.9, 0.86, 0.94),
        "accuracy": Estimate(0.99, 0.98, 1.0),
        "recall": Estimate(0.9, 0.86, 0.94),
        "f1": Estimate(0.96, 0.95, 0.97),
    }
    data = fresh()
    evaluation = judge("m", model(metrics={"test": promised}), data)
    verdicts = [c.verdict for c in evaluation.comparisons]
    place = {"worse": 0, "in doubt": 1}
    assert [place.get(v, 2) for v in verdicts] == sorted(place.get(v, 2) for v in verdicts)
    assert verdicts.count("worse") == 2
    rest = [c.metric for c in evaluation.comparisons if c.verdict not in place]
    names = list(judge("m", model(metrics={}), data).comparisons)
    assert rest == [c.metric for c in names if c.metric in rest]
    assert (rest[0], names[0].metric) == ("roc_auc", "roc_auc")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("out-of-fold", "nested", "test"), "test"),
        (("out-of-fold", "nested"), "nested"),
        (("valid", "out-of-fold"), "valid"),
        ((), "nothing"),
    ],
)
def test_what_is_promised_is_of_the_rows_that_were_seen_last(parts: tuple[str, ...], name: str):
    level = {part: Estimate(i / 10, 0.0, 1.0) for i, part in enumerate(parts, 1)}
    evaluation = judge("m", model(metrics={part: {"roc_auc": e} for part, e in level.items()}), fresh())
    auc = next(c for c in evaluation.comparisons if c.metric == "roc_auc")
    assert (evaluation.promised_on, auc.promised) == (name, level.get(name))


def test_what_was_certified_as_nothing_is_no_promise():
    bounds = (
        Bound("precision", 0.9, 0.0, 0.95, False),
        Bound("recall", 0.9, 0.85, 0.9, False),
        Bound("fpr", 0.1, 1.0, 0.1, False),
    )
    certificate = Certificate("yes", 0.5, 0.95, 500, 250, 250, bounds, 0.5)
    rule = Decision("threshold", TASK.classes, "yes", 0.5, COSTS, certificate=certificate)
    (only,) = judge("m", model(decision=rule), fresh()).promises
    assert (only.measure, only.level, only.asked) == ("recall", 0.85, 0.9)
    alarm_bound = replace(bounds[2], certified=0.05, asked=0.05)
    rule = replace(rule, certificate=replace(certificate, bounds=(bounds[0], alarm_bound)))
    (only,) = judge("m", model(decision=rule), fresh(0.8)).promises
    rows = fresh(0.8).predictions
    alarms = (rows.probability[:, 1] > 0.5)[rows.truth == 0].mean()
    assert (only.measure, only.observed.value, only.verdict) == ("fpr", pytest.approx(alarms), "worse")


def test_a_model_without_promises_has_none():
    evaluation = judge("m", model(), fresh(), requested=())
    assert (evaluation.promises, evaluation.rejected, evaluation.ledger, evaluation.notes) == ((), None, None, ())
    assert (evaluation.model, evaluation.data, evaluation.rows, evaluation.unlabelled) == ("m", "new.csv", 400, 0)


def test_a_rule_for_few_errors_is_held_against_the_class_that_errs_least():
    data = fresh(0.9)
    against = judge("m", model(task=replace(TASK, cost=None, goal="argmax")), data).against
    share = data.predictions.truth.mean()
    assert share > 0.5
    assert [rival.name for rival in against.rivals] == ["always yes", "never yes"]
    assert [rival.cost for rival in against.rivals] == pytest.approx([1 - share, share])
    errors = ((data.predictions.probability[:, 1] > 0.5) != data.predictions.truth).mean()
    assert against.cost.value == pytest.approx(errors)
    assert (against.measure, against.verdict) == ("errors", "better")


def test_a_rule_that_may_be_worse_by_chance_is_in_doubt_and_one_that_is_the_rival_is_as_promised():
    """Yes is said of one row more than never: it costs .1 where it is wrong."""
    p = np.where(np.arange(50) == 0, 0.8, 0.2)
    truth = (np.arange(50) >= 40).astype(np.int64)
    rows = Predictions(TASK.classes, np.arange(50), truth, np.column_stack([1 - p, p]), "fresh")
    task = replace(TASK, cost=None, goal="argmax")
    doubt = judge("m", model(task=task), Fresh("n", rows)).against
    assert (doubt.rivals[0].name, doubt.rivals[0].excess.value) == ("never yes", pytest.approx(1 / 50))
    assert doubt.verdict == "in doubt"
    never = replace(rows, probability=np.tile([0.8, 0.2], (50, 1)))
    same = judge("m", model(task=task), Fresh("n", never)).against
    assert (same.rivals[0].excess.value, same.verdict) == (0.0, "as promised")


def test_slices_are_by_the_columns_that_the_model_reads_and_by_those_asked_for():
    data = fresh(0.7)
    right = (data.predictions.probability[:, 1] > 0.5) == (data.predictions.truth == 1)
    raw = pl.DataFrame({"plan": np.where(right, "pro", "basic"), "site": ["a", "b"] * 200, "other": ["x", "z"] * 200})
    columns = [Column("site", "category")]
    slices = judge("m", model(), replace(data, raw=raw), requested=columns).slices
    assert slices is not None
    assert {s.column for s in slices.slices} == {"plan", "site"}
    assert {s.column for s in slices.slices if s.asked} == {"site"}
    worst = slices.slices[0]
    assert (worst.column, worst.condition, worst.worse, worst.rows) == ("plan", "= basic", True, int((~right).sum()))
    assert judge("m", model(), replace(data, raw=raw.select("other"))).slices is None
