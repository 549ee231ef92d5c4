"""Which rows reach which step: what fits, what stops a fit, what calibrates, what tunes and what proves, seen by spies.

Every row of a table carries its number in a column, so that a family that notes what it is given knows its rows,
whatever the run says of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.core import registry
from sortal.core.frame import conform
from sortal.core.framing import frame_task
from sortal.core.infer import infer
from sortal.core.labels import encode
from sortal.core.observer import Observer
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.table import Table
from sortal.data.problem import with_weight
from sortal.decide.threshold import f_threshold
from sortal.engine import compile
from sortal.models.family import Family, FitRequest, Fitted, Settings
from sortal.prepare.view import View
from sortal.training import develop, finalize
from sortal.training.candidate import Candidate, Development, fit, prepare_rows
from sortal.training.deadline import Deadline
from sortal.training.fit_log import FitLog
from sortal.training.reserve import TimeReserve
from sortal.training.trained import Trained, train_rows

pytestmark = pytest.mark.usefixtures("all_hurried")

PLAIN = View("imputed", "codes")
"""Numbers stay what they are."""
N = 1_400
"""Three quarters of them are enough for folds that are dealt once."""


@dataclass(frozen=True)
class Fit:
    """Numbers of the rows that a family was given."""

    train: frozenset[int]
    stop: frozenset[int]
    weight: dict[int, float]
    model: Fitted

    @property
    def rows(self) -> frozenset[int]:
        return self.train | self.stop


@dataclass
class Spies:
    """All fits, and what calibration and the proof were given, in the order of their calls.

    ``sharpness``: how many times too sure of themselves linear models are made.
    """

    sharpness: float = 1.0
    fits: list[Fit] = field(default_factory=list)
    calibrations: list[tuple[Predictions, Any]] = field(default_factory=list)
    certifications: list[list[Predictions]] = field(default_factory=list)

    def family(self, family: Family) -> Family:
        def fit_and_record(request: FitRequest, settings: Settings) -> Fitted:
            model = self.sharpen(family.fit(request, settings))
            train, weight = numbers(request.train.X), request.train.weight
            stop = [] if request.stop is None else numbers(request.stop.X)
            weights = {} if weight is None else dict(zip(train, weight.tolist(), strict=True))
            self.fits.append(Fit(frozenset(train), frozenset(stop), weights, model))
            return model

        return replace(family, fit=fit_and_record, view=PLAIN)

    def sharpen(self, model: Fitted) -> Fitted:
        program = model.program()
        if self.sharpness == 1 or program.op != "linear":
            return model
        sharp = replace(program, arrays={name: self.sharpness * array for name, array in program.arrays.items()})
        return replace(model, predict_proba=compile(sharp), program=lambda: sharp)

    def final_fit(self, result: Trained) -> Fit:
        (member,) = result.finalized.ensemble.members
        return next(fit for fit in self.fits if fit.model is member.fitted)


def numbers(X: np.ndarray) -> list[int]:
    return np.rint(X[:, 0]).astype(int).tolist()


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> Spies:
    spies, load = Spies(), registry.load
    choose, certify = finalize.choose, finalize.certify

    def load_with_spy(group: Any, name: str) -> Any:
        plugin = load(group, name)
        return spies.family(plugin) if group == "sortal.models" else plugin

    def choose_and_record(predictions: Predictions, **options: Any) -> Any:
        spies.calibrations.append((predictions, options.get("fold")))
        return choose(predictions, **options)

    def certify_and_record(*arguments: Any) -> Any:
        spies.certifications.append([argument for argument in arguments if isinstance(argument, Predictions)])
        return certify(*arguments)

    monkeypatch.setattr(registry, "load", load_with_spy)
    monkeypatch.setattr(finalize, "choose", choose_and_record)
    monkeypatch.setattr(finalize, "certify", certify_and_record)
    return spies


def rows(n: int = N, **columns: Any) -> pl.DataFrame:
    """``number``: of the row; ``x``: what the target depends on."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * x)), "yes", "no")
    return pl.DataFrame({"number": np.arange(float(n)), "x": x, **columns, "y": y})


def train_model(frame: pl.DataFrame, valid: np.ndarray | None = None, **options: Any) -> Trained:
    recipe = Recipe.of("y", models=("logistic",), positive="yes", **options)
    schema = with_weight(infer(frame, "y", group=recipe.rows.group), recipe.rows, "the table")
    table = Table(schema, conform(frame, schema), np.arange(frame.height))
    task = frame_task(table.frame["y"], recipe.goal)
    reserve = TimeReserve(Deadline(time.monotonic(), 3_600.0), closing=0.0, closing_rows=0)
    return train_rows(table, encode(table.frame["y"], task), task, recipe, reserve, Observer(), valid=valid)


VALID = np.arange(0, N, 4)
PROOF, REST = frozenset(VALID.tolist()), frozenset(range(N)) - frozenset(VALID.tolist())


@pytest.mark.parametrize(
    "options", [{"precision": 0.7}, {"recall": 0.8}, {"sets": 0.9}, {"precision": 0.6, "sets": 0.8}]
)
def test_a_promised_model_never_sees_the_rows_that_prove_it(spies: Spies, options: dict[str, float]) -> None:
    result = train_model(rows(), VALID, **options)
    assert len(spies.fits) > 5
    assert all(fit.rows.isdisjoint(PROOF) for fit in spies.fits)
    assert spies.final_fit(result).rows == REST
    assert result.finalized.evidence.rows.tolist() == VALID.tolist()
    assert [predictions.rows.tolist() for predictions, _ in spies.calibrations] == [sorted(REST)]
    if result.finalized.sets is not None:
        assert sum(result.finalized.sets.rows) == len(VALID)


def test_a_threshold_is_looked_for_on_other_rows_than_it_is_proven_on(spies: Spies) -> None:
    train_model(rows(), VALID, precision=0.7)
    ((tuning, certification),) = spies.certifications
    assert frozenset(tuning.rows.tolist()) == REST
    assert certification.rows.tolist() == VALID.tolist()
    assert (tuning.part, certification.part) == ("out-of-fold", "valid")


def test_what_is_promised_nothing_is_fitted_on_all_rows_in_the_end(spies: Spies) -> None:
    result = train_model(rows(), VALID)
    assert spies.final_fit(result).rows == PROOF | REST
    others = [fit.rows for fit in spies.fits if fit.model is not spies.final_fit(result).model]
    assert all(fit_rows.isdisjoint(PROOF) for fit_rows in others)
    assert REST in others
    ((predictions, fold),) = spies.calibrations
    assert predictions.rows.tolist() == result.finalized.evidence.rows.tolist() == VALID.tolist()
    assert fold is None


@pytest.mark.parametrize("with_promise", [False, True])
def test_out_of_fold_rows_are_calibrated_by_the_folds_that_predicted_them(spies: Spies, with_promise: bool) -> None:
    """By other folds a calibrator would be judged on rows whose models saw the rows that it was fitted on."""
    result = train_model(rows(), VALID, precision=0.7) if with_promise else train_model(rows())
    ((predictions, fold),) = spies.calibrations
    winner = result.developed.choice.winner
    fold_of = {int(row): k for k, (_, valid) in enumerate(result.developed.folds.parts) for row in ids(result, valid)}
    assert predictions.rows.tolist() == winner.predictions.rows.tolist()
    assert fold.tolist() == [fold_of[row] for row in predictions.rows.tolist()]
    assert len(set(fold.tolist())) == 5


def probabilities(result: Trained, frame: pl.DataFrame) -> np.ndarray:
    """Probabilities by the program that ships."""
    return compile(result.finalized.program)({name: frame[name].to_numpy() for name in ("number", "x")})


def test_what_is_proven_is_what_ships_calibration_and_all(spies: Spies) -> None:
    spies.sharpness = 2.0
    result = train_model(rows(), VALID, precision=0.7, sets=0.9)
    evidence = result.finalized.evidence
    assert result.finalized.calibration.program is not None
    np.testing.assert_allclose(probabilities(result, rows()[VALID]), evidence.probability, atol=1e-12)
    ((tuning, certification),) = spies.certifications
    assert np.array_equal(certification.probability, evidence.probability)
    calibrate = compile(result.finalized.calibration.program)
    np.testing.assert_allclose(
        tuning.probability, calibrate(result.developed.choice.winner.predictions.probability), atol=1e-12
    )


@pytest.mark.parametrize("valid", [None, VALID], ids=["out of fold", "valid"])
def test_what_is_tuned_is_tuned_on_calibrated_probabilities(
    spies: Spies, valid: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spies.sharpness = 2.0
    # Models that are too sure in different ways are less so together.
    monkeypatch.setattr(develop, "select", lambda *arguments: None)
    result = train_model(rows(), valid, f1=True)
    ((raw, _),) = spies.calibrations
    task = frame_task(rows()["y"], Recipe.of("y", f1=True, positive="yes").goal)
    assert result.finalized.decision.threshold == f_threshold(task, result.finalized.evidence)
    assert abs(f_threshold(task, raw) - f_threshold(task, result.finalized.evidence)) > 0.01


def test_weights_reach_the_fits_of_their_rows(spies: Spies) -> None:
    weight = np.random.default_rng(3).permutation(np.linspace(0.5, 2.0, N))
    train_model(rows(w=weight), weight="w")
    for spied_fit in spies.fits:
        fit_rows = sorted(spied_fit.train)
        assert [spied_fit.weight[row] for row in fit_rows] == pytest.approx(
            (weight[fit_rows] / weight[fit_rows].mean()).tolist()
        )


def ids(result: Trained, positions: np.ndarray) -> list[int]:
    return result.dev.table.rows[positions].tolist()


def test_a_fold_fits_its_training_rows_and_says_so(spies: Spies) -> None:
    outcome = train_model(rows())
    for result in outcome.developed.explored.results:
        for (train, valid), log in zip(outcome.developed.folds.parts, result.fits, strict=True):
            assert log.saw.tolist() == ids(outcome, train)
            assert log.evaluated.tolist() == ids(outcome, valid)
            assert frozenset(log.saw.tolist()) in {fit.rows for fit in spies.fits}


def houses(n: int = N) -> pl.DataFrame:
    """Houses of four rows; in every tenth a row is copied into the next house, which ties the two together."""
    frame = rows(n, house=[f"h{i // 4}" for i in range(n)])
    source = np.arange(n)
    source[4::40] = source[3::40]
    return frame.with_columns(frame["number"].gather(source), frame["x"].gather(source))


def test_folds_tear_neither_groups_nor_the_copies_between_them(spies: Spies) -> None:
    frame = houses()
    result = train_model(frame, group="house")
    house = np.arange(frame.height) // 4
    unit = np.where(house % 10 == 1, house - 1, house)
    for train, valid in result.developed.folds.parts:
        assert set(unit[ids(result, train)]).isdisjoint(unit[ids(result, valid)])


def test_what_is_proven_of_groups_is_proven_on_a_row_of_each(spies: Spies) -> None:
    house = np.arange(N) // 4
    result = train_model(houses(), np.flatnonzero(house % 3 == 0), group="house", precision=0.6, sets=0.8)
    proof, certificate = len(set(house[house % 3 == 0])), result.finalized.decision.certificate
    assert result.finalized.sets is not None
    assert sum(result.finalized.sets.rows) == proof
    assert (certificate.rows, certificate.grouped) == (proof, True)
    ((tuning, certification),) = spies.certifications
    assert certification.groups is not None
    assert set(house[tuning.rows]).isdisjoint(house[certification.rows])
    for predictions in (tuning, certification):
        pairs = set(zip(predictions.groups.tolist(), house[predictions.rows].tolist(), strict=True))
        assert len(pairs) == len(set(predictions.groups.tolist())) == len(set(house[predictions.rows].tolist()))


def test_copies_stay_together_where_no_group_is_named(spies: Spies) -> None:
    frame = houses().drop("house")
    result = train_model(frame)
    for train, valid in result.developed.folds.parts:
        row_numbers = [set(frame["number"].gather(ids(result, part)).to_list()) for part in (train, valid)]
        assert row_numbers[0].isdisjoint(row_numbers[1])


def test_a_fit_that_stops_early_is_given_the_rows_that_were_set_aside(spies: Spies) -> None:
    frame = rows(400)
    schema = infer(frame, "y")
    table = Table(schema, conform(frame, schema), np.arange(400))
    task = frame_task(table.frame["y"], Recipe.of("y").goal)
    dev = Development(table, encode(table.frame["y"], task), task.classes, seed=0)
    family = registry.load("sortal.models", "lightgbm")
    candidate, train = Candidate("lightgbm", family, {"rounds": 3}), np.arange(0, 400, 2)
    matrix = prepare_rows(dev, train, family.view)
    fit(candidate, matrix, dev, {})
    (spied_fit,) = spies.fits
    assert spied_fit.stop == frozenset(train[matrix.stop].tolist())
    assert spied_fit.train == frozenset(train.tolist()) - spied_fit.stop


@pytest.fixture
def part_table() -> pl.DataFrame:
    """A table that says itself which part a row is in."""
    part = np.random.default_rng(1).choice(["train", "valid", "test"], size=N, p=[0.6, 0.2, 0.2])
    return rows(part=part.tolist())


def of_part(frame: pl.DataFrame, *names: str) -> frozenset[int]:
    return frozenset(np.flatnonzero(frame["part"].is_in(names).to_numpy()).tolist())


@pytest.mark.parametrize("with_promise", [False, True])
def test_no_row_of_a_run_is_where_it_should_not_be(
    spies: Spies, part_table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_promise: bool
) -> None:
    sealed_rows: list[frozenset[int]] = []
    of = FitLog.of

    def record_sealed(fits: Iterator[Any], sealed: np.ndarray) -> FitLog:
        sealed_rows.append(frozenset(sealed.tolist()))
        return of(fits, sealed)

    monkeypatch.setattr(FitLog, "of", record_sealed)
    options: dict[str, Any] = {"precision": 0.7} if with_promise else {}
    run = sortal.train(part_table, "y", split="part", models=["logistic"], budget="1h", out=tmp_path / "run", **options)
    test, valid, train = (of_part(part_table, name) for name in ("test", "valid", "train"))
    sealed = pl.read_parquet(tmp_path / "run" / "sealed" / "test.parquet")
    assert {int(float(number)) for number in sealed["number"]} == test
    assert sealed_rows == [test]
    assert all(fit.rows.isdisjoint(test) for fit in spies.fits)
    assert {fit.rows for fit in spies.fits} >= {train if with_promise else train | valid}
    assert any(fit.rows & valid for fit in spies.fits) != with_promise
    evidence = pl.read_parquet(tmp_path / "run" / "oof.parquet")
    assert frozenset((evidence["row"] - 1).to_list()) == valid
    if with_promise:
        assert run.record.decision.certificate.rows == len(valid)


def test_what_parts_have_in_common_is_looked_for_in_all_of_them(part_table: pl.DataFrame) -> None:
    """Copies of training rows that lie in the valid part alone."""
    train, valid = (sorted(of_part(part_table, name)) for name in ("train", "valid"))
    source = np.arange(part_table.height)
    source[valid[:40]] = train[:40]
    with_copies = part_table.with_columns(part_table[name].gather(source) for name in ("number", "x", "y"))
    findings = {finding.code: finding for finding in sortal.audit(with_copies, "y", split="part").findings}
    assert findings["A002"].evidence["rows"] == 40
    assert "A002" not in {finding.code for finding in sortal.audit(part_table, "y", split="part").findings}
