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
    fitted: Fitted

    @property
    def seen(self) -> frozenset[int]:
        return self.train | self.stop


@dataclass
class Spies:
    """All fits, and what calibration and the proof were given, in the order of their calls.

    ``sharpness``: how many times too sure of themselves linear models are made.
    """

    sharpness: float = 1.0
    fits: list[Fit] = field(default_factory=list)
    calibrated: list[tuple[Predictions, Any]] = field(default_factory=list)
    certified: list[list[Predictions]] = field(default_factory=list)

    def family(self, family: Family) -> Family:
        def noting(request: FitRequest, settings: Settings) -> Fitted:
            fitted = self.sharpened(family.fit(request, settings))
            train, weight = numbers(request.train.X), request.train.weight
            stop = [] if request.stop is None else numbers(request.stop.X)
            weights = {} if weight is None else dict(zip(train, weight.tolist(), strict=True))
            self.fits.append(Fit(frozenset(train), frozenset(stop), weights, fitted))
            return fitted

        return replace(family, fit=noting, view=PLAIN)

    def sharpened(self, fitted: Fitted) -> Fitted:
        program = fitted.program()
        if self.sharpness == 1 or program.op != "linear":
            return fitted
        sharp = replace(program, arrays={name: self.sharpness * array for name, array in program.arrays.items()})
        return replace(fitted, predict_proba=compile(sharp), program=lambda: sharp)

    def shipped(self, found: Trained) -> Fit:
        (member,) = found.finalized.ensemble.members
        return next(fit for fit in self.fits if fit.fitted is member.fitted)


def numbers(X: np.ndarray) -> list[int]:
    return np.rint(X[:, 0]).astype(int).tolist()


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> Spies:
    spies, load = Spies(), registry.load
    choose, certify = finalize.choose, finalize.certify

    def loading(group: Any, name: str) -> Any:
        found = load(group, name)
        return spies.family(found) if group == "sortal.models" else found

    def calibrating(predictions: Predictions, **options: Any) -> Any:
        spies.calibrated.append((predictions, options.get("fold")))
        return choose(predictions, **options)

    def proving(*arguments: Any) -> Any:
        spies.certified.append([each for each in arguments if isinstance(each, Predictions)])
        return certify(*arguments)

    monkeypatch.setattr(registry, "load", loading)
    monkeypatch.setattr(finalize, "choose", calibrating)
    monkeypatch.setattr(finalize, "certify", proving)
    return spies


def rows(n: int = N, **more: Any) -> pl.DataFrame:
    """``number``: of the row; ``x``: what the target depends on."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * x)), "yes", "no")
    return pl.DataFrame({"number": np.arange(float(n)), "x": x, **more, "y": y})


def trained(frame: pl.DataFrame, valid: np.ndarray | None = None, **options: Any) -> Trained:
    recipe = Recipe.of("y", models=("logistic",), positive="yes", **options)
    schema = with_weight(infer(frame, "y", group=recipe.rows.group), recipe.rows, "the table")
    table = Table(schema, conform(frame, schema), np.arange(frame.height))
    task = frame_task(table.frame["y"], recipe.goal)
    reserve = TimeReserve(Deadline(time.monotonic(), 3_600.0), closing=0.0, closing_rows=0)
    return train_rows(table, encode(table.frame["y"], task), task, recipe, reserve, Observer(), valid=valid)


VALID = np.arange(0, N, 4)
PROOF, REST = frozenset(VALID.tolist()), frozenset(range(N)) - frozenset(VALID.tolist())


@pytest.mark.parametrize("asked", [{"precision": 0.7}, {"recall": 0.8}, {"sets": 0.9}, {"precision": 0.6, "sets": 0.8}])
def test_a_promised_model_never_sees_the_rows_that_prove_it(spies: Spies, asked: dict[str, float]) -> None:
    found = trained(rows(), VALID, **asked)
    assert len(spies.fits) > 5
    assert all(fit.seen.isdisjoint(PROOF) for fit in spies.fits)
    assert spies.shipped(found).seen == REST
    assert found.finalized.evidence.rows.tolist() == VALID.tolist()
    assert [told.rows.tolist() for told, _ in spies.calibrated] == [sorted(REST)]
    if found.finalized.sets is not None:
        assert sum(found.finalized.sets.rows) == len(VALID)


def test_a_threshold_is_looked_for_on_other_rows_than_it_is_proven_on(spies: Spies) -> None:
    trained(rows(), VALID, precision=0.7)
    ((tuning, certification),) = spies.certified
    assert frozenset(tuning.rows.tolist()) == REST
    assert certification.rows.tolist() == VALID.tolist()
    assert (tuning.part, certification.part) == ("out-of-fold", "valid")


def test_what_is_promised_nothing_is_fitted_on_all_rows_in_the_end(spies: Spies) -> None:
    found = trained(rows(), VALID)
    assert spies.shipped(found).seen == PROOF | REST
    others = [fit.seen for fit in spies.fits if fit.fitted is not spies.shipped(found).fitted]
    assert all(seen.isdisjoint(PROOF) for seen in others)
    assert REST in others
    ((calibrated, fold),) = spies.calibrated
    assert calibrated.rows.tolist() == found.finalized.evidence.rows.tolist() == VALID.tolist()
    assert fold is None


@pytest.mark.parametrize("promised", [False, True])
def test_out_of_fold_rows_are_calibrated_by_the_folds_that_predicted_them(spies: Spies, promised: bool) -> None:
    """By other folds a calibrator would be judged on rows whose models saw the rows that it was fitted on."""
    found = trained(rows(), VALID, precision=0.7) if promised else trained(rows())
    ((calibrated, fold),) = spies.calibrated
    chosen = found.developed.choice.winner
    home = {int(row): k for k, (_, valid) in enumerate(found.developed.folds.parts) for row in ids(found, valid)}
    assert calibrated.rows.tolist() == chosen.predictions.rows.tolist()
    assert fold.tolist() == [home[row] for row in calibrated.rows.tolist()]
    assert len(set(fold.tolist())) == 5


def said(found: Trained, frame: pl.DataFrame) -> np.ndarray:
    """Probabilities by the program that ships."""
    return compile(found.finalized.program)({name: frame[name].to_numpy() for name in ("number", "x")})


def test_what_is_proven_is_what_ships_calibration_and_all(spies: Spies) -> None:
    spies.sharpness = 2.0
    found = trained(rows(), VALID, precision=0.7, sets=0.9)
    evidence = found.finalized.evidence
    assert found.finalized.calibration.program is not None
    np.testing.assert_allclose(said(found, rows()[VALID]), evidence.probability, atol=1e-12)
    ((tuning, certification),) = spies.certified
    assert np.array_equal(certification.probability, evidence.probability)
    calibrate = compile(found.finalized.calibration.program)
    np.testing.assert_allclose(
        tuning.probability, calibrate(found.developed.choice.winner.predictions.probability), atol=1e-12
    )


@pytest.mark.parametrize("valid", [None, VALID], ids=["out of fold", "valid"])
def test_what_is_tuned_is_tuned_on_calibrated_probabilities(
    spies: Spies, valid: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spies.sharpness = 2.0
    # Models that are too sure in different ways are less so together.
    monkeypatch.setattr(develop, "select", lambda *arguments: None)
    found = trained(rows(), valid, f1=True)
    ((raw, _),) = spies.calibrated
    task = frame_task(rows()["y"], Recipe.of("y", f1=True, positive="yes").goal)
    assert found.finalized.decision.threshold == f_threshold(task, found.finalized.evidence)
    assert abs(f_threshold(task, raw) - f_threshold(task, found.finalized.evidence)) > 0.01


def test_weights_reach_the_fits_of_their_rows(spies: Spies) -> None:
    weight = np.random.default_rng(3).permutation(np.linspace(0.5, 2.0, N))
    trained(rows(w=weight), weight="w")
    for each in spies.fits:
        seen = sorted(each.train)
        assert [each.weight[row] for row in seen] == pytest.approx((weight[seen] / weight[seen].mean()).tolist())


def ids(found: Trained, positions: np.ndarray) -> list[int]:
    return found.dev.table.rows[positions].tolist()


def test_a_fold_fits_its_training_rows_and_says_so(spies: Spies) -> None:
    found = trained(rows())
    for result in found.developed.explored.results:
        for (train, valid), told in zip(found.developed.folds.parts, result.fits, strict=True):
            assert told.saw.tolist() == ids(found, train)
            assert told.evaluated.tolist() == ids(found, valid)
            assert frozenset(told.saw.tolist()) in {fit.seen for fit in spies.fits}


def houses(n: int = N) -> pl.DataFrame:
    """Houses of four rows; in every tenth a row is copied into the next house, which ties the two together."""
    frame = rows(n, house=[f"h{i // 4}" for i in range(n)])
    source = np.arange(n)
    source[4::40] = source[3::40]
    return frame.with_columns(frame["number"].gather(source), frame["x"].gather(source))


def test_folds_tear_neither_groups_nor_the_copies_between_them(spies: Spies) -> None:
    frame = houses()
    found = trained(frame, group="house")
    house = np.arange(frame.height) // 4
    unit = np.where(house % 10 == 1, house - 1, house)
    for train, valid in found.developed.folds.parts:
        assert set(unit[ids(found, train)]).isdisjoint(unit[ids(found, valid)])


def test_what_is_proven_of_groups_is_proven_on_a_row_of_each(spies: Spies) -> None:
    house = np.arange(N) // 4
    found = trained(houses(), np.flatnonzero(house % 3 == 0), group="house", precision=0.6, sets=0.8)
    proof, certificate = len(set(house[house % 3 == 0])), found.finalized.decision.certificate
    assert found.finalized.sets is not None
    assert sum(found.finalized.sets.rows) == proof
    assert (certificate.rows, certificate.grouped) == (proof, True)
    ((tuning, certification),) = spies.certified
    assert certification.groups is not None
    assert set(house[tuning.rows]).isdisjoint(house[certification.rows])
    for told in (tuning, certification):
        pairs = set(zip(told.groups.tolist(), house[told.rows].tolist(), strict=True))
        assert len(pairs) == len(set(told.groups.tolist())) == len(set(house[told.rows].tolist()))


def test_copies_stay_together_where_no_group_is_named(spies: Spies) -> None:
    frame = houses().drop("house")
    found = trained(frame)
    for train, valid in found.developed.folds.parts:
        told = [set(frame["number"].gather(ids(found, part)).to_list()) for part in (train, valid)]
        assert told[0].isdisjoint(told[1])


def test_a_fit_that_stops_early_is_given_the_rows_that_were_set_aside(spies: Spies) -> None:
    frame = rows(400)
    schema = infer(frame, "y")
    table = Table(schema, conform(frame, schema), np.arange(400))
    task = frame_task(table.frame["y"], Recipe.of("y").goal)
    dev = Development(table, encode(table.frame["y"], task), task.classes, seed=0)
    family = registry.load("sortal.models", "lightgbm")
    tried, train = Candidate("lightgbm", family, {"rounds": 3}), np.arange(0, 400, 2)
    matrix = prepare_rows(dev, train, family.view)
    fit(tried, matrix, dev, {})
    (seen,) = spies.fits
    assert seen.stop == frozenset(train[matrix.stop].tolist())
    assert seen.train == frozenset(train.tolist()) - seen.stop


@pytest.fixture
def parted() -> pl.DataFrame:
    """A table that says itself which part a row is in."""
    part = np.random.default_rng(1).choice(["train", "valid", "test"], size=N, p=[0.6, 0.2, 0.2])
    return rows(part=part.tolist())


def of_part(frame: pl.DataFrame, *names: str) -> frozenset[int]:
    return frozenset(np.flatnonzero(frame["part"].is_in(names).to_numpy()).tolist())


@pytest.mark.parametrize("promised", [False, True])
def test_no_row_of_a_run_is_where_it_should_not_be(
    spies: Spies, parted: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promised: bool
) -> None:
    logged: list[frozenset[int]] = []
    of = FitLog.of

    def noting(fits: Iterator[Any], sealed: np.ndarray) -> FitLog:
        logged.append(frozenset(sealed.tolist()))
        return of(fits, sealed)

    monkeypatch.setattr(FitLog, "of", noting)
    options: dict[str, Any] = {"precision": 0.7} if promised else {}
    run = sortal.train(parted, "y", split="part", models=["logistic"], budget="1h", out=tmp_path / "run", **options)
    test, valid, train = (of_part(parted, name) for name in ("test", "valid", "train"))
    sealed = pl.read_parquet(tmp_path / "run" / "sealed" / "test.parquet")
    assert {int(float(number)) for number in sealed["number"]} == test
    assert logged == [test]
    assert all(fit.seen.isdisjoint(test) for fit in spies.fits)
    assert {fit.seen for fit in spies.fits} >= {train if promised else train | valid}
    assert any(fit.seen & valid for fit in spies.fits) != promised
    evidence = pl.read_parquet(tmp_path / "run" / "oof.parquet")
    assert frozenset((evidence["row"] - 1).to_list()) == valid
    if promised:
        assert run.record.decision.certificate.rows == len(valid)


def test_what_parts_have_in_common_is_looked_for_in_all_of_them(parted: pl.DataFrame) -> None:
    """Copies of training rows that lie in the valid part alone."""
    train, valid = (sorted(of_part(parted, name)) for name in ("train", "valid"))
    source = np.arange(parted.height)
    source[valid[:40]] = train[:40]
    copied = parted.with_columns(parted[name].gather(source) for name in ("number", "x", "y"))
    found = {finding.code: finding for finding in sortal.audit(copied, "y", split="part").findings}
    assert found["A002"].evidence["rows"] == 40
    assert "A002" not in {finding.code for finding in sortal.audit(parted, "y", split="part").findings}
