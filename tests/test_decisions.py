"""What a decision can be made for: promises, costs in the rows, rejects, capacities, sets. From the options to every
file of the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.artifact.score import score_file
from sortal.core.errors import InputError
from sortal.record.run import RunRecord

pytestmark = pytest.mark.usefixtures("all_hurried")

ROWS = 900
QUICK = {"models": ["logistic"], "budget": "1h", "positive": "yes"}


def table(seed: int = 0, rows: int = ROWS) -> dict[str, list]:
    """A third is positive, and rows far from the middle are easy; ``amount`` is what a missed one costs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    positive = x + 0.5 * rng.normal(size=rows) > 0.5
    amount = rng.lognormal(1, 1.5, size=rows)
    return {
        "x": x.tolist(),
        "noise": rng.normal(size=rows).tolist(),
        "amount": amount.tolist(),
        "y": np.where(positive, "yes", "no").tolist(),
    }


@pytest.fixture(scope="module")
def promise_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("promised") / "run"
    return sortal.train(table(), "y", precision=0.8, sets=0.9, confidence=0.9, out=out, **QUICK)


def test_a_promise_is_proven_on_rows_that_the_shipped_model_never_saw(promise_run):
    record = promise_run.record
    certificate = record.decision.certificate
    assert certificate is not None
    assert certificate.rows == record.split.valid > 100
    assert record.decision.threshold == certificate.threshold == promise_run.model.decision.threshold
    assert (certificate.confidence, certificate.bounds[0].asked) == (0.9, 0.8)
    assert certificate.holds
    assert promise_run.model.decision.certificate == certificate
    # The shipped model decides the valid rows as the certificate counted them.
    evidence = pl.read_parquet(promise_run.folder / "oof.parquet")
    assert len(evidence) == certificate.rows
    assert (evidence["p yes"] >= certificate.threshold).sum() == certificate.selected
    fresh = table(seed=1, rows=20_000)
    is_yes = promise_run.model.decide(fresh) == "yes"
    assert (np.array(fresh["y"])[is_yes] == "yes").mean() >= 0.8


def test_the_certificate_stands_in_every_file(promise_run):
    item = next(i for i in promise_run.checklist if i.item == "what was promised is certified")
    assert item.status == "holds"
    assert "precision >= .8 certified at 90 % confidence" in item.evidence
    assert "certified" in promise_run.report.html
    certificate = json.loads((promise_run.folder / "run.json").read_bytes())["decision"]["certificate"]
    assert certificate["bounds"][0]["measure"] == "precision"
    assert RunRecord.from_json((promise_run.folder / "run.json").read_bytes()).decision == promise_run.record.decision


def test_what_cannot_be_shown_is_refused_and_says_what_would_do(tmp_path):
    run = sortal.train(table(rows=300), "y", precision=0.985, **QUICK)
    certificate = run.record.decision.certificate
    assert not certificate.holds
    assert certificate.bounds[0].certified < 0.985
    assert "cannot be certified from" in run.record.decision.explanation
    status = {item.item: item.status for item in run.checklist}
    assert status["what was promised is certified"] == "fails"


def test_recall_and_false_positives_can_be_promised_together():
    run = sortal.train(table(), "y", recall=0.7, fpr=0.3, **QUICK)
    certificate = run.record.decision.certificate
    assert [bound.measure for bound in certificate.bounds] == ["recall", "fpr"]
    assert certificate.holds
    assert run.record.test["fpr"].value <= 0.35


def test_sets_hold_the_true_class_and_are_written(promise_run, tmp_path):
    sets = promise_run.record.sets
    assert (sets.asked, sets.rows) == (0.9, promise_run.record.split.valid)
    assert sets.coverage.high >= 0.9
    fresh = table(seed=2, rows=5_000)
    members = promise_run.model.predict_set(fresh)
    codes = np.array([promise_run.model.task.classes.index(label) for label in fresh["y"]])
    assert members[np.arange(len(codes)), codes].mean() > 0.85
    pl.DataFrame(fresh).write_csv(tmp_path / "fresh.csv")
    score_file(promise_run.folder / "model.sortal", [str(tmp_path / "fresh.csv")], tmp_path / "scored.parquet")
    output = pl.read_parquet(tmp_path / "scored.parquet")
    names = np.array(promise_run.model.task.classes)
    assert [json.loads(text) for text in output["set"]] == [names[row].tolist() for row in members]


def test_a_model_without_sets_says_so():
    run = sortal.train(table(rows=200), "y", **QUICK)
    with pytest.raises(InputError, match="--sets"):
        run.model.predict_set(table(rows=5))


@pytest.fixture(scope="module", params=[False, True], ids=["a feature too", "ignored"])
def by_amount(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("row_costs") / "run"
    ignore = ["amount"] if request.param else []
    return sortal.train(table(), "y", cost={"fp": 2}, cost_column={"fn": "amount"}, ignore=ignore, out=out, **QUICK)


def test_costs_in_the_rows_decide_row_by_row(by_amount):
    model, rows = by_amount.model, table(seed=3)
    p, amount = model.predict_proba(rows)[:, 1], np.array(rows["amount"])
    assert np.array_equal(model.decide(rows) == "yes", 2 * (1 - p) < amount * p)
    assert (model.schema["amount"].role == "cost") == (len(model.reads.names) == 2)


def test_their_figures_are_of_what_each_decision_cost(by_amount):
    cost = by_amount.record.test["expected_cost"]
    evidence = pl.read_parquet(by_amount.folder / "oof.parquet").sort("row")
    amount = np.array(table()["amount"])[evidence["row"].to_numpy() - 1]
    p, truth = evidence["p yes"].to_numpy(), (evidence["truth"] == "yes").to_numpy()
    is_yes = 2 * (1 - p) < amount * p
    costs = np.where(truth, np.where(is_yes, 0, amount), np.where(is_yes, 2, 0))
    assert by_amount.record.decision.expected_cost.value == pytest.approx(costs.mean())
    assert by_amount.record.decision.comparison["never yes"] == pytest.approx((amount * truth).mean())
    assert cost.low < cost.value < cost.high


def test_a_row_without_a_cost_is_refused(by_amount, tmp_path):
    rows = table(rows=3)
    rows["amount"][1] = None
    with pytest.raises(InputError, match="'amount' of the data has no value in row 2"):
        by_amount.model.decide(rows)
    assert len(by_amount.model.predict_proba(rows)) == 3
    incomplete = table(rows=300)
    incomplete["amount"][7] = None
    with pytest.raises(InputError, match="row 8"):
        sortal.train(incomplete, "y", cost={"fp": 2}, cost_column={"fn": "amount"}, **QUICK)


def test_rows_in_doubt_go_to_a_person(tmp_path):
    run = sortal.train(table(), "y", cost="fp=1,fn=1", reject_cost=0.1, out=tmp_path / "run", **QUICK)
    rows = table(seed=4)
    p, decided = run.model.predict_proba(rows)[:, 1], run.model.decide(rows)
    assert np.array_equal(decided == "reject", (p > 0.1) & (p < 0.9))
    assert set(decided) == {"yes", "no", "reject"}
    assert 0.2 < run.record.decision.rejected.value < 0.9
    assert run.record.decision.decided_accuracy.value > 0.9
    assert [len(line) for line in run.record.confusion.counts] == [3, 3]
    assert "leave what lies between to a person" in run.record.decision.rule
    assert "a person" in run.report.html


@pytest.mark.parametrize("cost", [None, "fp=1,fn=3,tp=-1"])
def test_a_capacity_takes_the_best_rows_of_a_batch(tmp_path, cost):
    run = sortal.train(table(), "y", capacity=30, cost=cost, out=tmp_path / "run", **QUICK)
    rows = table(seed=5, rows=400)
    p, is_yes = run.model.predict_proba(rows)[:, 1], run.model.decide(rows) == "yes"
    assert is_yes.sum() == 30
    assert p[is_yes].min() >= p[~is_yes].max()
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    score_file(run.folder / "model.sortal", [str(tmp_path / "rows.csv")], tmp_path / "scored.csv")
    assert pl.read_csv(tmp_path / "scored.csv")["decision"].to_list() == np.where(is_yes, "yes", "no").tolist()


@pytest.fixture(scope="module")
def share_run(tmp_path_factory):
    """The model says one of a few probabilities, so that many rows are equal."""
    rows = table()
    rows = {"x": np.clip(np.round(rows["x"]), -1, 1).tolist(), "y": rows["y"]}
    return sortal.train(rows, "y", capacity="10%", out=tmp_path_factory.mktemp("shared") / "run", **QUICK)


def coarse_table(seed: int, rows: int) -> dict[str, list]:
    data = table(seed, rows)
    return {"x": np.clip(np.round(data["x"]), -1, 1).tolist(), "y": data["y"]}


def test_a_share_is_kept_exactly_whatever_is_tied(share_run):
    rows = coarse_table(6, 5_003)
    p, is_yes = share_run.model.predict_proba(rows)[:, 1], share_run.model.decide(rows) == "yes"
    ties = np.flatnonzero(p == p.max())
    assert len(ties) > 1_000
    assert np.flatnonzero(is_yes).tolist() == ties[:500].tolist()


def test_the_test_and_the_rows_out_of_fold_are_decided_by_the_same_rule(share_run):
    split = share_run.record.split
    decided = np.array(share_run.record.confusion.counts).sum(axis=0)
    assert decided[share_run.model.task.classes.index("yes")] == split.test // 10
    evidence = pl.read_parquet(share_run.folder / "oof.parquet").sort("row")
    first = np.sort(np.argsort(-evidence["p yes"].to_numpy(), kind="stable")[: split.train // 10])
    selected = evidence[first]
    assert share_run.record.decision.threshold == pytest.approx(selected["p yes"].min())
    n_wrong = (
        (selected["truth"] == "no").sum() + (evidence["truth"] == "yes").sum() - (selected["truth"] == "yes").sum()
    )
    assert share_run.record.decision.expected_cost.value == pytest.approx(n_wrong / len(evidence))


@pytest.fixture
def command(request):
    return request.getfixturevalue("sortal")


def test_predict_and_evaluate_keep_a_share_over_batches_of_a_file(share_run, command, tmp_path):
    rows = pl.DataFrame(coarse_table(7, 1_500))
    large = pl.concat([rows] * 46).with_columns(x=pl.col("x") - 1)  # most rows of the best are in no one batch
    large = large.with_columns(x=pl.when(pl.int_range(pl.len()) > 66_000).then(1.0).otherwise(pl.col("x")))
    assert large.height > 65_536
    large.write_parquet(tmp_path / "large.parquet")
    outcome = command(
        "predict", share_run.folder / "model.sortal", tmp_path / "large.parquet", "-o", tmp_path / "out.parquet"
    )
    is_yes = pl.read_parquet(tmp_path / "out.parquet")["decision"] == "yes"
    assert is_yes.sum() == large.height // 10
    assert is_yes.to_list() == (share_run.model.decide(large) == "yes").tolist()
    assert "6,900 of 69,000 rows are decided 'yes'" in outcome.err
    assert "tie at the cut: the first" in outcome.err
    small = coarse_table(8, 333)
    pl.DataFrame(small).write_csv(tmp_path / "small.csv")
    expected = float((share_run.model.decide(small) == np.array(small["y"])).mean())
    report = command("evaluate", share_run.folder / "model.sortal", tmp_path / "small.csv", "--json").json
    accuracy = next(c for c in report["comparisons"] if c["metric"] == "accuracy")
    assert accuracy["observed"]["value"] == pytest.approx(expected)


def test_a_share_of_too_few_rows_is_none_and_that_is_said(share_run):
    row = {"x": 1.0}
    with pytest.warns(UserWarning, match="10 % of 1 row is no row at all"):
        assert share_run.model.decide(row).tolist() == ["no"]


def test_recall_may_weigh_more():
    recalls = [sortal.train(table(), "y", f_beta=b, **QUICK).record.test["recall"].value for b in (0.5, 3)]
    assert recalls[0] < recalls[1]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"precision": 1.5}, "precision 1.5 is no share"),
        ({"recall": 0.9, "confidence": 95}, "confidence 95 is no share"),
        ({"precision": 0.9, "capacity": 5}, "two different goals"),
        ({"recall": 0.9, "f1": True}, "two different goals"),
        ({"precision": 0.9, "split": "85/15"}, "proven on rows that nothing else sees"),
        ({"capacity": "many"}, "no number of rows"),
        ({"capacity": 0}, "no number of rows"),
        ({"reject_cost": -1}, "reject_cost -1"),
        ({"cost_column": {"fn": "amuont"}, "cost": {"fp": 1}}, "did you mean 'amount'"),
        ({"cost_column": {"fn": "amount"}, "cost": {"fp": 1, "fn": 2}}, "told by a number and by a column"),
        ({"cost_column": {"fn": "y"}, "cost": {"fp": 1}}, "holds no numbers"),
        ({"cost_column": {"fn": "amount"}}, "the cost of fp is not given"),
        ({"sets": 90}, "sets 90 is no share"),
        ({"f_beta": 0}, "f_beta 0 weighs nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(options, complaint):
    with pytest.raises(InputError, match=complaint) as error:
        sortal.train(table(rows=120), "y", **options, **QUICK)
    assert "\n" not in str(error.value)


def test_a_promise_needs_two_classes():
    rows = table(rows=150)
    rows["y"] = (["a", "b", "c"] * 50)[:150]
    with pytest.raises(InputError, match="needs two classes"):
        sortal.train(rows, "y", precision=0.9, models=["logistic"], budget="1h")


def test_the_recipe_replays_the_decision(promise_run, tmp_path: Path):
    from sortal.core.recipe import Recipe
    from sortal.record.events import RunObserver
    from sortal.workflow import train_into

    recipe = Recipe.read(promise_run.folder / "recipe.toml")
    assert (recipe.goal.precision, recipe.goal.sets, recipe.parts) == (0.8, 0.9, "65/20/15")
    repeat = train_into(tmp_path / "again", table(), recipe, RunObserver(), started=0.0)
    assert repeat.decision == promise_run.record.decision
    assert (tmp_path / "again/model.sortal").read_bytes() == (promise_run.folder / "model.sortal").read_bytes()
