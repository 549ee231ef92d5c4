from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench import certify
from bench._scores import Population, Sample, folder, populations
from bench.certify import Cell

FAR = "mapie far", "mapie near"


def population(prevalence: float = 0.3, size: int = 20_000) -> Population:
    return dict(populations({}, (prevalence,)))["calibrated"]


def make_cell(name: str, miss: dict[str, float], useful: dict[str, float], n: int = 2_000, runs: int = 300) -> Cell:
    misses = {method: np.arange(runs) < share * runs for method, share in miss.items()}
    gains = {method: np.full(runs, value) if value else np.full(runs, np.nan) for method, value in useful.items()}
    return Cell(name, 0.1, n, "precision", 0.5, misses, gains)


def test_populations_have_their_prevalence_and_the_first_is_calibrated():
    for prevalence in (0.01, 0.3):
        by_name = dict(populations({}, (prevalence,)))
        sample = by_name["calibrated"].draw(200_000, np.random.default_rng(0))
        assert sample.positive.mean() == pytest.approx(prevalence, rel=0.05)
        assert sample.score.mean() == pytest.approx(prevalence, rel=0.05)
        top = sample.score > 0.5
        assert sample.positive[top].mean() == pytest.approx(sample.score[top].mean(), abs=0.03)
        hot = by_name["overconfident"].draw(200_000, np.random.default_rng(0))
        top = hot.score > 0.5
        assert hot.positive[top].mean() < hot.score[top].mean() - 0.05


def test_a_population_knows_what_a_threshold_does_on_fresh_rows():
    distribution = population()
    fresh = distribution.draw(400_000, np.random.default_rng(1))
    for threshold in (0.2, 0.6):
        yes = fresh.score >= threshold
        precision, recall = distribution.at(np.array([threshold]))
        assert precision[0] == pytest.approx(fresh.positive[yes].mean(), abs=0.005)
        assert recall[0] == pytest.approx(yes[fresh.positive].mean(), abs=0.005)
    assert distribution.at(np.array([2.0]))[0][0] == 1.0


def test_the_oracle_is_the_best_of_all_thresholds():
    small = Population(np.array([0.2, 0.6, 0.8, 0.9]), np.array([0.1, 0.3, 0.7]), 4 / 7)
    assert small.oracle("precision", 0.75) == 0.75
    assert small.oracle("precision", 0.99) == 0.5
    assert small.oracle("recall", 0.7) == pytest.approx(0.75)
    assert Population(np.array([0.1]), np.array([0.9]), 0.5).oracle("precision", 0.9) == 0.0


def test_the_curve_point_is_the_first_that_meets_the_target():
    sample = Sample(np.array([0.9, 0.8, 0.7, 0.6, 0.2]), np.array([True, True, False, True, False]))
    assert certify.curve_point(sample, sample, "precision", 0.7) == 0.6
    assert certify.curve_point(sample, sample, "precision", 0.8) == 0.8
    assert certify.curve_point(sample, sample, "recall", 0.6) == 0.8
    none = Sample(np.array([0.5]), np.array([False]))
    assert certify.curve_point(none, none, "precision", 0.5) is None
    assert certify.curve_point(none, none, "recall", 0.5) is None


@pytest.mark.parametrize("measure", ["precision", "recall"])
@pytest.mark.parametrize("name", ["holm, default list", "split fixed, quantiles", "fixed, quantiles"])
@pytest.mark.filterwarnings("ignore")
def test_mapies_procedures_choose_as_its_controller_does(measure, name):
    risk_control = pytest.importorskip("mapie.risk_control")
    rng, distribution = np.random.default_rng(2), population()
    method = certify.mapie_methods()[0][measure][name]
    fwer = {"holm": "bonferroni_holm", "spli": "split_fixed_sequence", "fixe": "fixed_sequence"}[name[:4]]
    candidates = certify.default_list if "default" in name else certify.quantiles
    for _ in range(2):
        learning, calibration = distribution.draw(800, rng), distribution.draw(800, rng)
        controller = risk_control.BinaryClassificationController(
            lambda score: np.column_stack([1 - score, score]),
            measure,
            0.8,
            confidence_level=0.9,
            list_predict_params=candidates(learning),
            fwer_method=fwer,
        )
        if fwer == "split_fixed_sequence":
            controller.learn_fixed_sequence_order(learning.score, learning.positive.astype(int))
        controller.calibrate(calibration.score, calibration.positive.astype(int))
        assert method(learning, calibration, measure, 0.8) == controller.best_predict_param


def test_runs_are_judged_on_the_population():
    distribution, thresholds = population(), iter([0.0, 0.7, None])
    methods = {"sortal": lambda *_: next(thresholds)}
    cell = certify.cell("calibrated", distribution, 50, ("precision", 0.8), methods, np.random.default_rng(0), 3)
    precision, recall = distribution.at(np.array([0.7]))
    assert precision[0] > 0.8
    assert cell.missed["sortal"].tolist() == [True, False, False]
    assert cell.refused("sortal") == pytest.approx(1 / 3)
    assert cell.gained("sortal")[1:] == pytest.approx([recall[0] / cell.oracle, 0.0])


def test_an_invalid_rival_is_no_rival_and_a_hopeless_cell_no_comparison():
    miss = {"sortal": 0.05, "curve point": 0.5, FAR[0]: 0.3, FAR[1]: 0.02}
    cells = [
        make_cell("good", miss, {"sortal": 0.9, "curve point": 1.0, FAR[0]: 0.95, FAR[1]: 0.6}),
        make_cell("vain", miss, {"sortal": 0.01, "curve point": 1.0, FAR[0]: 0.0, FAR[1]: 0.02}),
    ]
    assert certify.best_peer(cells) == FAR[1]
    gain, cell_by_cell = certify.compared(cells, FAR[1], noisy=False)
    assert gain.holds
    assert gain.figure.startswith("1.50")
    assert cell_by_cell.holds


def test_goals_fall_short_where_they_should():
    miss = {"sortal": 0.16, "curve point": 0.5, "mapie": 0.0}
    low = make_cell("low", miss, {"sortal": 0.5, "curve point": 1.0, "mapie": 0.6})
    high = make_cell("high", {**miss, "sortal": 0.0}, {"sortal": 0.9, "curve point": 1.0, "mapie": 0.9})
    recall = [Cell(c.family, c.prevalence, c.n, "recall", c.oracle, c.missed, c.useful) for c in (low, high)]
    result = certify.outcome([low, high, *recall], [], noisy=False)
    assert [goal.holds for goal in result.goals] == [False, False, False]
    assert "low 10% n=2,000" in result.goals[0].figure
    assert "low 10% n=2,000 0.83" in result.goals[2].figure
    assert len(result.rows) == 4
    assert {len(row) for row in result.rows} == {len(result.columns)}


def test_the_largest_tables_that_leave_something_to_decide_are_taken(tmp_path: Path):
    rng = np.random.default_rng(0)

    def write(name: str, rows: int, noise: float, classes: int = 2) -> None:
        x = rng.normal(size=rows)
        y = np.digitize(x + noise * rng.normal(size=rows), np.linspace(-0.5, 0.5, classes - 1))
        frame = pl.DataFrame({"x": x, "word": np.where(x > 0, "a", "b"), "y": y.astype(str)})
        frame.write_parquet(tmp_path / f"{name}.parquet", metadata={"target": "y"})

    for name, rows, noise in [("solved", 9000, 0.0), ("second", 6000, 0.5), ("first", 7000, 0.5), ("third", 5000, 0.5)]:
        write(name, rows, noise)
    write("many", 12_000, 0.5, classes=3)
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "aimless.parquet")
    tables, notes = folder(tmp_path)
    assert list(tables) == ["first", "second"]
    assert len(tables["first"].score) == 7000 - 7000 // 3
    assert any("left out: solved" in note for note in notes)
    with pytest.raises(SystemExit, match="--data"):
        folder(None)
