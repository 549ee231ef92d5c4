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
@pytest.mark.parametrize("targets", ANY, ids=str)
def test_what_is_certified_is_kept_as_often_as_was_promised(targets):
    rng, runs, confidence = np.random.default_rng(7), 120, 0.8
    certificates = [
        certify(Promise(**targets, confidence=confidence), draw(300, rng), draw(300, rng), "yes") for _ in range(runs)
    ]
    miss_rate = np.mean([misses(c, truth_at(c.threshold)) for c in certificates])
    assert miss_rate <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)
    assert any(c.holds for c in certificates)


@pytest.mark.parametrize("targets", [{"precision": 0.8}, {"precision": 0.8, "recall": 0.3}], ids=str)
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.usefixtures("without_outlook")
def test_a_promise_that_no_threshold_keeps_is_hardly_ever_certified(targets, alone):
    """The worst case: scores of noise, and a precision just below what is asked for at every threshold."""
    rng, runs, confidence = np.random.default_rng(3), 120, 0.8
    outcomes = []
    for _ in range(runs):
        tuning, proof = (predictions(rng.random(200), rng.random(200) < 0.795) for _ in range(2))
        outcomes.append(
            certify(Promise(**targets, confidence=confidence), None if alone else tuning, proof, "yes").holds
        )
    assert np.mean(outcomes) <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)


@pytest.mark.usefixtures("without_outlook")
def test_a_certified_precision_wastes_no_row():
    """With one row fewer, as many wrong ones as were allowed would not have passed."""
    rng = np.random.default_rng(6)
    certificates = [certify(Promise(precision=0.8), draw(400, rng), draw(400, rng), "yes") for _ in range(30)]
    successes = [c for c in certificates if c.holds]
    assert len(successes) >= 10
    for c in successes:
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

    def draw_rows() -> Predictions:
        value = rng.integers(values, size=n)
        return predictions(1 - (value + 0.5) / values, rng.random(n) < right[value])

    certificates = [
        certify(Promise(precision=0.8, confidence=confidence), draw_rows(), draw_rows(), "yes") for _ in range(runs)
    ]
    cuts = [int((1 - c.threshold) * values - 0.5) for c in certificates if c.holds]
    assert len(cuts) >= 0.1 * runs
    miss_rate = np.sum(precision[cuts] < 0.8) / runs
    assert miss_rate <= 1 - confidence + 2.5 * np.sqrt(confidence * (1 - confidence) / runs)


@pytest.mark.usefixtures("without_outlook")
def test_misleading_learned_rows_cost_power_but_not_the_guarantee():
    rng, runs = np.random.default_rng(5), 120
    certificates = []
    for _ in range(runs):
        lie, proof = draw(300, rng), draw(300, rng)
        certificates.append(
            certify(Promise(precision=0.8, confidence=0.8), predictions(lie.probability[:, 0], lie.truth), proof, "yes")
        )
    assert np.mean([misses(c, truth_at(c.threshold)) for c in certificates]) <= 0.2 + 2.5 * np.sqrt(0.16 / runs)


def test_a_certified_threshold_gives_away_little():
    rng = np.random.default_rng(0)
    tuning, proof = draw(20_000, rng, 0.3), draw(20_000, rng, 0.3)
    for measure, other in [("precision", "recall"), ("recall", "precision"), ("fpr", "recall")]:
        level = {"precision": 0.8, "recall": 0.9, "fpr": 0.05}[measure]
        grid = np.linspace(0.01, 0.99, 2000)
        feasible = [truth_at(t, 0.3) for t in grid if (truth_at(t, 0.3)[measure] <= level) == (measure == "fpr")]
        certificate = certify(Promise(**{measure: level}), tuning, proof, "yes")
        assert certificate.holds
        assert truth_at(certificate.threshold, 0.3)[other] >= 0.96 * max(t[other] for t in feasible)


# against MAPIE, with the same candidates


def mapie(measure: str, level: float, confidence: float, candidates, proof: Predictions) -> float | None:
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
        controller.calibrate(proof.probability[:, 1], proof.truth)
    return controller.best_predict_param


@pytest.mark.parametrize("seed", range(8))
def test_precision_is_certified_where_mapie_certifies_it(seed):
    rng = np.random.default_rng(seed)
    tuning, proof = draw(1000, rng, 0.3), draw(1000, rng, 0.3)
    certificate = certify(Promise(precision=0.75, confidence=0.9), tuning, proof, "yes")
    score, hits = proof.probability[:, 1], proof.truth == 1
    assert certificate.holds
    assert mapie("precision", 0.75, 0.9, [certificate.threshold], proof) == certificate.threshold
    assert certificate.bounds[0].observed == hits[score >= certificate.threshold].mean()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("measure", ["recall", "fpr"])
def test_recall_and_false_alarms_are_certified_as_far_as_mapie_goes(seed, measure):
    rng = np.random.default_rng(seed)
    level, proof = {"recall": 0.9, "fpr": 0.1}[measure], draw(300, rng)
    certificate = certify(Promise(**{measure: level}, confidence=0.9), None, proof, "yes")
    score = proof.probability[:, 1]
    peer_threshold = mapie(measure, level, 0.9, np.unique(score), proof)
    kind = proof.truth == (measure == "recall")
    own, peer = ((score[kind] >= threshold).sum() for threshold in (certificate.threshold, peer_threshold))
    # MAPIE rounds n * (1 - k / n) up, which now and then is one more than the errors that were counted
    assert 0 <= (peer - own if measure == "recall" else own - peer) <= 1


# laws


@given(
    n=st.integers(1, 120),
    seed=st.integers(0, 10**6),
    prevalence=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    levels=st.sampled_from([1, 3, 10**9]),
    targets=st.sampled_from([*ANY, {"precision": 0.8, "recall": 0.5, "fpr": 0.1}]),
    alone=st.booleans(),
)
@settings(max_examples=80)
def test_every_certificate_says_what_its_rows_say(n, seed, prevalence, levels, targets, alone):
    rng = np.random.default_rng(seed)

    def rows(size):
        score = np.round(rng.random(size) * levels) / levels
        return predictions(score, rng.random(size) < (prevalence + score) / 2 if 0 < prevalence < 1 else prevalence)

    def rows_of_one_kind(size):
        return predictions(np.round(rng.random(size) * levels) / levels, np.full(size, prevalence == 1))

    make = rows if 0 < prevalence < 1 else rows_of_one_kind
    proof = make(n)
    certificate = certify(Promise(**targets), None if alone else make(n), proof, "yes")
    assert [(b.measure, b.asked) for b in certificate.bounds] == list(targets.items())
    assert 0 <= certificate.threshold <= np.nextafter(1, 2)
    for bound in certificate.bounds:
        assert 0 <= bound.certified <= 1
        assert 0 <= bound.observed <= 1
        better = bound.certified < bound.asked if bound.measure == "fpr" else bound.certified > bound.asked
        assert not better
        assert bound.holds == (bound.certified == bound.asked)
        beyond = bound.observed > bound.asked if bound.measure == "fpr" else bound.observed < bound.asked
        assert not (bound.holds and beyond)
    assert certificate.outlook is None or not certificate.holds
    assert certificate.prevalence == certificate.positives / certificate.rows
    assert certificate.explanation.startswith(
        " and ".join(b.measure if b.measure != "fpr" else "false" for b in certificate.bounds)[:5]
    )
    if certificate.rows == n:
        yes = proof.probability[:, 1] >= certificate.threshold
        assert certificate.selected == yes.sum()
        assert certificate.positives == (proof.truth == 1).sum()


@given(seed=st.integers(0, 10**6), level=st.floats(0.3, 0.95), times=st.integers(2, 4))
@settings(max_examples=40)
def test_recall_is_certified_no_worse_from_more_labels_or_with_less_confidence(seed, level, times):
    proof = draw(150, np.random.default_rng(seed), 0.5)
    copies = predictions(np.repeat(proof.probability[:, 1], times), np.repeat(proof.truth, times))
    certificate = certify(Promise(recall=level), None, proof, "yes")
    assert certify(Promise(recall=level), None, copies, "yes").threshold >= certificate.threshold
    assert certify(Promise(recall=level, confidence=0.8), None, proof, "yes").threshold >= certificate.threshold
    assert certify(Promise(recall=level), None, proof, "yes") == certificate


# refusals


@pytest.mark.parametrize(
    ("targets", "place"),
    [({"precision": 0.97}, lambda c: c.selected), ({"precision": 0.97, "fpr": 0.2}, lambda c: c.threshold)],
    ids=["so many rows", "at a threshold"],
)
@pytest.mark.usefixtures("without_outlook")
def test_a_refusal_stands_where_the_learned_rows_put_it(targets, place):
    rng = np.random.default_rng(1)
    tuning, promise = draw(200, rng), Promise(**targets)
    refusals = [certify(promise, tuning, draw(200, rng), "yes") for _ in range(5)]
    assert not any(c.holds for c in refusals)
    assert len({place(c) for c in refusals}) == 1
    for c in refusals:
        hits = round(c.bounds[0].observed * c.selected)
        assert c.bounds[0].certified == pytest.approx(float(clopper_pearson(hits, c.selected, 0.05)[0]))


def counts_at(threshold: float, rows: Predictions, promise: Promise) -> dict[str, tuple[int, int, float]]:
    """Of each measure that is asked for: successes, trials and the share of them that is promised."""
    yes, hit = rows.probability[:, 1] >= threshold, rows.truth == 1
    masks = {
        "precision": (yes & hit, yes, promise.precision),
        "recall": (yes & hit, hit, promise.recall),
        "fpr": (~yes & ~hit, ~hit, None if promise.fpr is None else 1 - promise.fpr),
    }
    return {
        m: (int(successes.sum()), int(trials.sum()), rate)
        for m, (successes, trials, rate) in masks.items()
        if rate is not None
    }


def p_values(tested: dict[str, tuple[int, int, float]]) -> dict[str, float]:
    return {
        measure: stats.binom.sf(successes - 1, trials, rate) for measure, (successes, trials, rate) in tested.items()
    }


@pytest.mark.parametrize(
    "targets",
    [{"precision": 0.85, "recall": 0.5}, {"precision": 0.8, "recall": 0.6, "fpr": 0.04}, {"recall": 0.55, "fpr": 0.03}],
    ids=str,
)
@pytest.mark.usefixtures("without_outlook")
def test_a_refusal_states_bounds_from_the_safest_measure_to_the_first_that_falls_short(targets):
    """What looks safest is said by the rows that the search learned from; all is computed once more by SciPy."""
    rng, promise, alpha, cases = np.random.default_rng(12), Promise(**targets), 0.05, set()
    for _ in range(25):
        tuning, proof = draw(150, rng), draw(150, rng)
        certificate = certify(promise, tuning, proof, "yes")
        if certificate.holds:
            continue
        before, tested = (p_values(counts_at(certificate.threshold, rows, promise)) for rows in (tuning, proof))
        passing, bounds = True, {bound.measure: bound for bound in certificate.bounds}
        order = sorted(before, key=before.__getitem__)
        for place, measure in enumerate(order):
            successes, trials, rate = counts_at(certificate.threshold, proof, promise)[measure]
            low = float(stats.beta.ppf(alpha, successes, trials - successes + 1)) if successes else 0.0
            holds = passing and tested[measure] <= alpha
            expected = rate if holds else min(low, rate) if passing else 0.0
            assert bounds[measure].certified == pytest.approx(1 - expected if measure == "fpr" else expected, abs=1e-9)
            assert bounds[measure].holds == holds
            cases |= {("first", order != [*before])} | ({("silent", place)} if not passing else set())
            cases |= {("would have held", place)} if not passing and tested[measure] <= alpha else set()
            passing = holds
    assert {case for case, _ in cases} == {"first", "silent", "would have held"}
    assert ("first", True) in cases


def test_as_many_rows_as_were_asked_for_mostly_do():
    rng = np.random.default_rng(4)
    tuning, promise = draw(20_000, rng, 0.1), Promise(precision=0.8, confidence=0.9)
    refusal = next(c for c in (certify(promise, tuning, draw(150, rng, 0.1), "yes") for _ in range(20)) if not c.holds)
    assert refusal.outlook is not None
    rows = refusal.outlook.rows
    assert rows is not None
    assert 0.8 <= refusal.outlook.chance < 0.9
    outcomes = [certify(promise, tuning, draw(rows, rng, 0.1), "yes").holds for _ in range(60)]
    assert 0.6 <= np.mean(outcomes) <= 0.97


def test_no_number_of_rows_helps_scores_of_noise():
    """And what the best threshold reaches is the share of positives, which all have."""
    rng = np.random.default_rng(2)
    tuning, proof = (predictions(rng.random(3000), rng.random(3000) < 0.4) for _ in range(2))
    refusal = certify(Promise(precision=0.9), tuning, proof, "yes")
    assert not refusal.holds
    assert refusal.outlook is not None
    assert (refusal.outlook.rows, refusal.outlook.chance) == (None, 0.0)
    assert refusal.outlook.reaches == pytest.approx(0.4, abs=0.08)
    assert f"will not help: this model reaches about {number(refusal.outlook.reaches, 2)}" in refusal.explanation


def test_what_is_not_known_of_the_scores_makes_more_rows_needed():
    """The same 150 certification rows, with much and with little to learn from."""
    rng = np.random.default_rng(4)
    promise, proof = Promise(precision=0.8, confidence=0.9), draw(150, rng, 0.1)
    precise, vague = (certify(promise, draw(n, rng, 0.1), proof, "yes").outlook for n in (20_000, 150))
    assert precise is not None
    assert vague is not None
    assert precise.rows is not None
    assert vague.rows is None or vague.rows > precise.rows


def test_recall_needs_positives_and_says_how_many_rows_hold_them():
    rng = np.random.default_rng(2)
    refusal = certify(Promise(recall=0.9), draw(100, rng, 0.1), draw(100, rng, 0.1), "yes")
    assert not refusal.holds
    least = np.log(0.05) / np.log(0.9) / 0.1
    assert refusal.outlook is not None
    assert 0.6 * least <= (refusal.outlook.rows or 0) <= 4 * least


# which rows count


def test_without_learned_rows_a_search_takes_a_third_and_a_rank_none():
    proof = draw(900, np.random.default_rng(0), 0.3)
    assert certify(Promise(precision=0.7), None, proof, "yes").rows == 600
    assert certify(Promise(recall=0.9), None, proof, "yes").rows == 900
    empty = predictions([], np.array([], dtype=bool))
    assert certify(Promise(precision=0.7), empty, proof, "yes").rows == 600


def test_the_positive_class_may_be_the_first():
    rng = np.random.default_rng(0)
    tuning, proof = draw(1000, rng, 0.3), draw(1000, rng, 0.3)

    def swap_classes(p: Predictions) -> Predictions:
        return Predictions(("yes", "no"), p.rows, 1 - p.truth, p.probability[:, ::-1], p.part)

    promise = Promise(precision=0.8, recall=0.3)
    assert certify(promise, swap_classes(tuning), swap_classes(proof), "yes") == certify(promise, tuning, proof, "yes")


def test_everything_may_be_selected():
    score = np.random.default_rng(0).random(400)
    everything = predictions(score, np.ones(400, dtype=bool))
    certificate = certify(Promise(precision=0.9), everything, everything, "yes")
    assert certificate.holds
    assert certificate.selected == 400


# errors


def test_a_promise_must_ask_for_something_possible():
    proof = draw(50, np.random.default_rng(0))
    with pytest.raises(OptionError, match="a level to keep"):
        certify(Promise(), None, proof, "yes")
    for promise in (
        Promise(precision=1.0),
        Promise(recall=0.0),
        Promise(fpr=-0.1),
        Promise(recall=0.9, confidence=1.0),
    ):
        with pytest.raises(OptionError, match="strictly between 0 and 1"):
            certify(promise, None, proof, "yes")
    with pytest.raises(OptionError, match=r"no class 'yess'.*did you mean 'yes'"):
        certify(Promise(recall=0.9), None, proof, "yess")
    with pytest.raises(DataError, match="labelled rows"):
        certify(Promise(recall=0.9), None, predictions([], np.array([], dtype=bool)), "yes")
