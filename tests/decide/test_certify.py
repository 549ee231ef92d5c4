from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.core.errors import DataError, OptionError
from sortal.core.predictions import Predictions
from sortal.core.task import Promise
from sortal.core.writing import number
from sortal.decide import certify as searching
from sortal.decide.certificate import Certificate
from sortal.decide.certify import certify
from sortal.decide.exact import fewest_trials
from sortal.stats.proportions import clopper_pearson

ANY = {"precision": 0.8}, {"recall": 0.9}, {"fpr": 0.05}, {"precision": 0.7, "recall": 0.4}, {"recall": 0.6, "fpr": 0.2}
SHIFT = 2.3


def predictions(score, positive) -> Predictions:
    p, truth = np.asarray(score, dtype=np.float64), np.asarray(positive).astype(np.int64)
    return Predictions(("no", "yes"), np.arange(len(p)), truth, np.column_stack([1 - p, p]), "valid")


def draw(n: int, rng: np.random.Generator, prevalence: float = 0.2, levels: int = 10**9) -> Predictions:
    """Calibrated probabilities, from two normal distributions of log-odds."""
    positive = rng.random(n) < prevalence
    log_odds = SHIFT * (rng.normal(size=n) + SHIFT * (positive - 0.5)) + np.log(prevalence / (1 - prevalence))
    return predictions(np.round(levels / (1 + np.exp(-log_odds))) / levels, positive)


def truth_at(threshold: float, prevalence: float = 0.2) -> dict[str, float]:
    """What a threshold does on fresh rows of ``draw``, by the normal distribution."""
    inside = np.clip(threshold, 1e-15, 1 - 1e-15)
    z = (np.log(inside / (1 - inside)) - np.log(prevalence / (1 - prevalence))) / SHIFT
    recall, fpr = stats.norm.sf(z - SHIFT / 2), stats.norm.sf(z + SHIFT / 2)
    precision = prevalence * recall / (prevalence * recall + (1 - prevalence) * fpr)
    return {"precision": precision, "recall": recall, "fpr": fpr}


def misses(certificate: Certificate, truth: dict[str, float]) -> bool:
    """Whether any certified level, of a refusal too, is not kept."""
    wrong = [b.certified - truth[b.measure] for b in certificate.bounds if b.measure != "fpr"]
    wrong += [truth[b.measure] - b.certified for b in certificate.bounds if b.measure == "fpr"]
    return max(wrong) > 1e-9


# exact tests


@given(failures=st.integers(0, 200), rate=st.floats(0.05, 0.98), alpha=st.floats(0.01, 0.4))
@settings(max_examples=80)
def test_the_fewest_trials_pass_and_one_less_does_not(failures, rate, alpha):
    fewest = float(fewest_trials(np.array([float(failures)]), rate, alpha)[0])
    assert stats.binom.cdf(failures, fewest, 1 - rate) <= alpha * (1 + 1e-9)
    assert stats.binom.cdf(failures, fewest - 1, 1 - rate) > alpha * (1 - 1e-9)


# the guarantee


@pytest.fixture
def without_outlook(monkeypatch):
    """How many rows would do is simulated for every refusal, which takes most of the time of hundreds of them."""
    monkeypatch.setattr(searching, "outlook", lambda *_: None)


@pytest.mark.usefixtures("without_outlook")
@pytest.mark.parametrize("asked", ANY, ids=str)
def test_what_is_certified_is_kept_as_often_as_was_promised(asked):
    rng, runs, confidence = np.random.default_rng(7), 120, 0.8
    found = [
        certify(Promise(**asked, confidence=confidence), draw(300, rng), draw(300, rng), "yes") for _ in range(runs)
    ]
    missed = np.mean([misses(c, truth_at(c.threshold)) for c in found])
    assert missed <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)
    assert any(c.holds for c in found)


@pytest.mark.parametrize("asked", [{"precision": 0.8}, {"precision": 0.8, "recall": 0.3}], ids=str)
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.usefixtures("without_outlook")
def test_a_promise_that_no_threshold_keeps_is_hardly_ever_certified(asked, alone):
    """The worst case: scores of noise, and a precision just below what is asked for at every threshold."""
    rng, runs, confidence = np.random.default_rng(3), 120, 0.8
    certified = []
    for _ in range(runs):
        learned, held = (predictions(rng.random(200), rng.random(200) < 0.795) for _ in range(2))
        certified.append(
            certify(Promise(**asked, confidence=confidence), None if alone else learned, held, "yes").holds
        )
    assert np.mean(certified) <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)


@pytest.mark.usefixtures("without_outlook")
def test_a_certified_precision_wastes_no_row():
    """With one row fewer, as many wrong ones as were allowed would not have passed."""
    rng = np.random.default_rng(6)
    found = [certify(Promise(precision=0.8), draw(400, rng), draw(400, rng), "yes") for _ in range(30)]
    passed = [c for c in found if c.holds]
    assert len(passed) >= 10
    for c in passed:
        allowed = stats.binom.ppf(0.05, c.selected, 0.2) - 1
        assert stats.binom.cdf(allowed, c.selected, 0.2) <= 0.05 < stats.binom.cdf(allowed, c.selected - 1, 0.2)


@pytest.mark.parametrize("tie", [0.3, 3])
@pytest.mark.parametrize("shape", ["falls", "recovers", "wild"])
@pytest.mark.usefixtures("without_outlook")
def test_precisions_that_recover_and_scores_that_tie_do_not_break_the_level(shape, tie):
    """What the proof takes for granted for precision alone, undone: ``tie`` rows have the same score on average."""
    rng, runs, n, confidence = np.random.default_rng(8), 200, 600, 0.8
    values = round(n / tie)
    top = round(50 / tie)
    right = {
        "falls": np.full(values, 0.3),
        "recovers": np.where(np.arange(values) % 2, 0.85, 0.3),
        "wild": np.random.default_rng(1).random(values),
    }[shape]
    right[:top] = 0.85
    precision = np.cumsum(right) / np.arange(1, values + 1)

    def drawn() -> Predictions:
        value = rng.integers(values, size=n)
        return predictions(1 - (value + 0.5) / values, rng.random(n) < right[value])

    found = [certify(Promise(precision=0.8, confidence=confidence), drawn(), drawn(), "yes") for _ in range(runs)]
    taken = [int((1 - c.threshold) * values - 0.5) for c in found if c.holds]
    assert len(taken) >= 0.1 * runs
    missed = np.sum(precision[taken] < 0.8) / runs
    assert missed <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)


@pytest.mark.usefixtures("without_outlook")
def test_misleading_learned_rows_cost_power_but_not_the_guarantee():
    rng, runs = np.random.default_rng(5), 120
    found = []
    for _ in range(runs):
        lie, held = draw(300, rng), draw(300, rng)
        found.append(
            certify(Promise(precision=0.8, confidence=0.8), predictions(lie.probability[:, 0], lie.truth), held, "yes")
        )
    assert np.mean([misses(c, truth_at(c.threshold)) for c in found]) <= 0.2 + 2.5 * np.sqrt(0.16 / runs)


def test_a_certified_threshold_gives_away_little():
    rng = np.random.default_rng(0)
    learned, held = draw(20_000, rng, 0.3), draw(20_000, rng, 0.3)
    for measure, other in [("precision", "recall"), ("recall", "precision"), ("fpr", "recall")]:
        asked = {"precision": 0.8, "recall": 0.9, "fpr": 0.05}[measure]
        grid = np.linspace(0.01, 0.99, 2000)
        kept = [truth_at(t, 0.3) for t in grid if (truth_at(t, 0.3)[measure] <= asked) == (measure == "fpr")]
        found = certify(Promise(**{measure: asked}), learned, held, "yes")
        assert found.holds
        assert truth_at(found.threshold, 0.3)[other] >= 0.96 * max(t[other] for t in kept)


# against MAPIE, with the same candidates


def mapie(measure: str, level: float, confidence: float, candidates, held: Predictions) -> float | None:
    risk_control = pytest.importorskip("mapie.risk_control")
    controller = risk_control.BinaryClassificationController(
        lambda score: np.column_stack([1 - score, score]),
        measure,
        level,
        confidence_level=confidence,
        list_predict_params=np.sort(candidates),
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller.calibrate(held.probability[:, 1], held.truth)
    return controller.best_predict_param


@pytest.mark.parametrize("seed", range(8))
def test_precision_is_certified_where_mapie_certifies_it(seed):
    rng = np.random.default_rng(seed)
    learned, held = draw(1000, rng, 0.3), draw(1000, rng, 0.3)
    found = certify(Promise(precision=0.75, confidence=0.9), learned, held, "yes")
    score, hits = held.probability[:, 1], held.truth == 1
    assert found.holds
    assert mapie("precision", 0.75, 0.9, [found.threshold], held) == found.threshold
    assert found.bounds[0].observed == hits[score >= found.threshold].mean()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("measure", ["recall", "fpr"])
def test_recall_and_false_alarms_are_certified_as_far_as_mapie_goes(seed, measure):
    rng = np.random.default_rng(seed)
    level, held = {"recall": 0.9, "fpr": 0.1}[measure], draw(300, rng)
    found = certify(Promise(**{measure: level}, confidence=0.9), None, held, "yes")
    score = held.probability[:, 1]
    theirs = mapie(measure, level, 0.9, np.unique(score), held)
    kind = held.truth == (measure == "recall")
    ours, its = ((score[kind] >= threshold).sum() for threshold in (found.threshold, theirs))
    # MAPIE rounds n * (1 - k / n) up, which now and then is one more than the errors that were counted
    assert 0 <= (its - ours if measure == "recall" else ours - its) <= 1


# laws


@given(
    n=st.integers(1, 120),
    seed=st.integers(0, 10**6),
    prevalence=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    levels=st.sampled_from([1, 3, 10**9]),
    asked=st.sampled_from([*ANY, {"precision": 0.8, "recall": 0.5, "fpr": 0.1}]),
    alone=st.booleans(),
)
@settings(max_examples=80)
def test_every_certificate_says_what_its_rows_say(n, seed, prevalence, levels, asked, alone):
    rng = np.random.default_rng(seed)

    def rows(size):
        score = np.round(rng.random(size) * levels) / levels
        return predictions(score, rng.random(size) < (prevalence + score) / 2 if 0 < prevalence < 1 else prevalence)

    def rows_of_one_kind(size):
        return predictions(np.round(rng.random(size) * levels) / levels, np.full(size, prevalence == 1))

    make = rows if 0 < prevalence < 1 else rows_of_one_kind
    held = make(n)
    found = certify(Promise(**asked), None if alone else make(n), held, "yes")
    assert [(b.measure, b.asked) for b in found.bounds] == list(asked.items())
    assert 0 <= found.threshold <= np.nextafter(1, 2)
    for bound in found.bounds:
        assert 0 <= bound.certified <= 1
        assert 0 <= bound.observed <= 1
        better = bound.certified < bound.asked if bound.measure == "fpr" else bound.certified > bound.asked
        assert not better
        assert bound.holds == (bound.certified == bound.asked)
        beyond = bound.observed > bound.asked if bound.measure == "fpr" else bound.observed < bound.asked
        assert not (bound.holds and beyond)
    assert found.outlook is None or not found.holds
    assert found.prevalence == found.positives / found.rows
    assert found.explanation.startswith(
        " and ".join(b.measure if b.measure != "fpr" else "false" for b in found.bounds)[:5]
    )
    if found.rows == n:
        yes = held.probability[:, 1] >= found.threshold
        assert found.selected == yes.sum()
        assert found.positives == (held.truth == 1).sum()


@given(seed=st.integers(0, 10**6), level=st.floats(0.3, 0.95), times=st.integers(2, 4))
@settings(max_examples=40)
def test_recall_is_certified_no_worse_from_more_labels_or_with_less_confidence(seed, level, times):
    held = draw(150, np.random.default_rng(seed), 0.5)
    repeated = predictions(np.repeat(held.probability[:, 1], times), np.repeat(held.truth, times))
    found = certify(Promise(recall=level), None, held, "yes")
    assert certify(Promise(recall=level), None, repeated, "yes").threshold >= found.threshold
    assert certify(Promise(recall=level, confidence=0.8), None, held, "yes").threshold >= found.threshold
    assert certify(Promise(recall=level), None, held, "yes") == found


# refusals


@pytest.mark.parametrize(
    ("asked", "where"),
    [({"precision": 0.97}, lambda c: c.selected), ({"precision": 0.97, "fpr": 0.2}, lambda c: c.threshold)],
    ids=["so many rows", "at a threshold"],
)
@pytest.mark.usefixtures("without_outlook")
def test_a_refusal_stands_where_the_learned_rows_put_it(asked, where):
    rng = np.random.default_rng(1)
    learned, promise = draw(200, rng), Promise(**asked)
    refused = [certify(promise, learned, draw(200, rng), "yes") for _ in range(5)]
    assert not any(c.holds for c in refused)
    assert len({where(c) for c in refused}) == 1
    for c in refused:
        hits = round(c.bounds[0].observed * c.selected)
        assert c.bounds[0].certified == pytest.approx(float(clopper_pearson(hits, c.selected, 0.05)[0]))


def counted_at(threshold: float, rows: Predictions, promise: Promise) -> dict[str, tuple[int, int, float]]:
    """Of each measure that is asked for: successes, trials and the share of them that is promised."""
    yes, hit = rows.probability[:, 1] >= threshold, rows.truth == 1
    found = {
        "precision": (yes & hit, yes, promise.precision),
        "recall": (yes & hit, hit, promise.recall),
        "fpr": (~yes & ~hit, ~hit, None if promise.fpr is None else 1 - promise.fpr),
    }
    return {m: (int(won.sum()), int(tried.sum()), rate) for m, (won, tried, rate) in found.items() if rate is not None}


def p_values(tested: dict[str, tuple[int, int, float]]) -> dict[str, float]:
    return {measure: stats.binom.sf(won - 1, tried, rate) for measure, (won, tried, rate) in tested.items()}


@pytest.mark.parametrize(
    "asked",
    [{"precision": 0.85, "recall": 0.5}, {"precision": 0.8, "recall": 0.6, "fpr": 0.04}, {"recall": 0.55, "fpr": 0.03}],
    ids=str,
)
@pytest.mark.usefixtures("without_outlook")
def test_a_refusal_states_bounds_from_the_safest_measure_to_the_first_that_falls_short(asked):
    """What looks safest is said by the rows that the search learned from; all is computed once more by SciPy."""
    rng, promise, alpha, cases = np.random.default_rng(12), Promise(**asked), 0.05, set()
    for _ in range(25):
        learned, held = draw(150, rng), draw(150, rng)
        found = certify(promise, learned, held, "yes")
        if found.holds:
            continue
        before, tested = (p_values(counted_at(found.threshold, rows, promise)) for rows in (learned, held))
        stated, shown = True, {bound.measure: bound for bound in found.bounds}
        order = sorted(before, key=before.__getitem__)
        for place, measure in enumerate(order):
            won, tried, rate = counted_at(found.threshold, held, promise)[measure]
            low = float(stats.beta.ppf(alpha, won, tried - won + 1)) if won else 0.0
            holds = stated and tested[measure] <= alpha
            expected = rate if holds else min(low, rate) if stated else 0.0
            assert shown[measure].certified == pytest.approx(1 - expected if measure == "fpr" else expected, abs=1e-9)
            assert shown[measure].holds == holds
            cases |= {("first", order != [*before])} | ({("silent", place)} if not stated else set())
            cases |= {("would have held", place)} if not stated and tested[measure] <= alpha else set()
            stated = holds
    assert {case for case, _ in cases} == {"first", "silent", "would have held"}
    assert ("first", True) in cases


def test_as_many_rows_as_were_asked_for_mostly_do():
    rng = np.random.default_rng(4)
    learned, promise = draw(20_000, rng, 0.1), Promise(precision=0.8, confidence=0.9)
    refused = next(c for c in (certify(promise, learned, draw(150, rng, 0.1), "yes") for _ in range(20)) if not c.holds)
    assert refused.outlook is not None
    rows = refused.outlook.rows
    assert rows is not None
    assert 0.8 <= refused.outlook.chance < 0.9
    held = [certify(promise, learned, draw(rows, rng, 0.1), "yes").holds for _ in range(60)]
    assert 0.6 <= np.mean(held) <= 0.97


def test_no_number_of_rows_helps_scores_of_noise():
    """And what the best threshold reaches is the share of positives, which all have."""
    rng = np.random.default_rng(2)
    learned, held = (predictions(rng.random(3000), rng.random(3000) < 0.4) for _ in range(2))
    refused = certify(Promise(precision=0.9), learned, held, "yes")
    assert not refused.holds
    assert refused.outlook is not None
    assert (refused.outlook.rows, refused.outlook.chance) == (None, 0.0)
    assert refused.outlook.reaches == pytest.approx(0.4, abs=0.08)
    assert f"will not help: this model reaches about {number(refused.outlook.reaches, 2)}" in refused.explanation


def test_what_is_not_known_of_the_scores_makes_more_rows_needed():
    """The same 150 certification rows, with much and with little to learn from."""
    rng = np.random.default_rng(4)
    promise, held = Promise(precision=0.8, confidence=0.9), draw(150, rng, 0.1)
    known, guessed = (certify(promise, draw(n, rng, 0.1), held, "yes").outlook for n in (20_000, 150))
    assert known is not None
    assert guessed is not None
    assert known.rows is not None
    assert guessed.rows is None or guessed.rows > known.rows


def test_recall_needs_positives_and_says_how_many_rows_hold_them():
    rng = np.random.default_rng(2)
    refused = certify(Promise(recall=0.9), draw(100, rng, 0.1), draw(100, rng, 0.1), "yes")
    assert not refused.holds
    least = np.log(0.05) / np.log(0.9) / 0.1
    assert refused.outlook is not None
    assert 0.6 * least <= (refused.outlook.rows or 0) <= 4 * least


# which rows count


def test_without_learned_rows_a_search_takes_a_third_and_a_rank_none():
    held = draw(900, np.random.default_rng(0), 0.3)
    assert certify(Promise(precision=0.7), None, held, "yes").rows == 600
    assert certify(Promise(recall=0.9), None, held, "yes").rows == 900
    empty = predictions([], np.array([], dtype=bool))
    assert certify(Promise(precision=0.7), empty, held, "yes").rows == 600


def test_the_positive_class_may_be_the_first():
    rng = np.random.default_rng(0)
    learned, held = draw(1000, rng, 0.3), draw(1000, rng, 0.3)

    def turned(p: Predictions) -> Predictions:
        return Predictions(("yes", "no"), p.rows, 1 - p.truth, p.probability[:, ::-1], p.part)

    promise = Promise(precision=0.8, recall=0.3)
    assert certify(promise, turned(learned), turned(held), "yes") == certify(promise, learned, held, "yes")


def test_everything_may_be_selected():
    score = np.random.default_rng(0).random(400)
    everything = predictions(score, np.ones(400, dtype=bool))
    found = certify(Promise(precision=0.9), everything, everything, "yes")
    assert found.holds
    assert found.selected == 400


# errors


def test_a_promise_must_ask_for_something_possible():
    held = draw(50, np.random.default_rng(0))
    with pytest.raises(OptionError, match="a level to keep"):
        certify(Promise(), None, held, "yes")
    for promise in (
        Promise(precision=1.0),
        Promise(recall=0.0),
        Promise(fpr=-0.1),
        Promise(recall=0.9, confidence=1.0),
    ):
        with pytest.raises(OptionError, match="strictly between 0 and 1"):
            certify(promise, None, held, "yes")
    with pytest.raises(OptionError, match=r"no class 'yess'.*did you mean 'yes'"):
        certify(Promise(recall=0.9), None, held, "yess")
    with pytest.raises(DataError, match="labelled rows"):
        certify(Promise(recall=0.9), None, predictions([], np.array([], dtype=bool)), "yes")
