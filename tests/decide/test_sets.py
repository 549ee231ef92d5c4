from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from scipy.stats import beta, betabinom
from sklearn.base import BaseEstimator, ClassifierMixin

from sortal.core.errors import OptionError
from sortal.decide.set_figures import describe
from sortal.decide.sets import Sets, fewest_rows, fit_sets, notes, rank

LEVELS = (0.8, 0.9, 0.95)


class Passthrough(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are the rows themselves."""

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def fit(self, X, y):
        self.classes_, self.n_features_in_ = np.arange(self.k), self.k
        return self

    def predict_proba(self, X):
        return np.asarray(X)

    def predict(self, X):
        return np.asarray(X).argmax(axis=1)


def draw(n: int, k: int, seed: int, decimals: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident probabilities; with few ``decimals`` there are ties, zeros and ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2 - np.arange(k)
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, k - 1)
    sharp = np.exp(1.5 * logits) / np.exp(1.5 * logits).sum(axis=1, keepdims=True)
    if decimals is not None:
        sharp = np.round(sharp, decimals)
        sharp[:, 0] += 1 - sharp.sum(axis=1)
    return np.clip(sharp, 0, 1), truth.astype(np.int64)


some_rows = st.tuples(st.integers(1, 60), st.integers(2, 5), st.integers(0, 10_000), st.sampled_from([None, 0, 1])).map(
    lambda args: draw(*args)
)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("n", [150, 1000])
def test_sets_are_those_of_mapie_with_the_most_probable_class(k: int, n: int) -> None:
    (p, truth), (fresh, _) = draw(n, k, 0), draw(2000, k, 1)
    peer = SplitConformalClassifier(Passthrough(k).fit(None, None), confidence_level=LEVELS, prefit=True)
    peer.conformalize(p, truth)
    _, peer_sets = peer.predict_set(fresh)
    for i, level in enumerate(LEVELS):
        sets = fit_sets(p, truth, level)
        best = np.eye(k, dtype=bool)[fresh.argmax(axis=1)]
        ties = np.isclose(fresh, sets.threshold, rtol=2e-5, atol=0)  # where we lean to the side of coverage
        assert ties.mean() < 0.001
        np.testing.assert_array_equal(sets.apply(fresh) | ties, peer_sets[:, :, i] | best | ties)


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize(("n", "coverage"), [(9, 0.9), (12, 0.8), (40, 0.9), (60, 0.95)])
def test_coverage_holds_on_average_over_small_samples(n: int, coverage: float, by_class: bool) -> None:
    p, truth = draw(200_000, 3, 7)
    runs, fresh = 1500, 40
    rng = np.random.default_rng(1)
    coverages = np.zeros(runs)
    for i in range(runs):
        rows = rng.integers(len(truth), size=n + fresh)
        sets = fit_sets(p[rows[:n]], truth[rows[:n]], coverage, by_class=by_class).apply(p[rows[n:]])
        coverages[i] = sets[np.arange(fresh), truth[rows[n:]]].mean()
    assert coverages.mean() >= coverage - 3 * coverages.std() / np.sqrt(runs)


def test_coverage_of_one_sample_varies_like_beta() -> None:
    n, coverage = 99, 0.9
    p, truth = draw(300_000, 6, 3)
    own = p[np.arange(len(truth)), truth]
    sorted_p = np.sort(own)
    rng = np.random.default_rng(2)
    coverages = []
    for _ in range(800):
        rows = rng.integers(len(truth), size=n)
        threshold = fit_sets(p[rows], truth[rows], coverage).threshold[0]
        coverages.append(1 - np.searchsorted(sorted_p, threshold) / len(sorted_p))
    r = rank(n, coverage)
    expected = beta(r, n + 1 - r)
    assert np.mean(coverages) == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(800))
    assert np.std(coverages) == pytest.approx(expected.std(), rel=0.12)


def test_by_class_covers_the_rare_class_that_sets_for_all_neglect() -> None:
    p, truth = draw(40_000, 4, 5)
    share = np.bincount(truth) / len(truth)
    assert share[3] < 0.1
    half = len(truth) // 2
    figures = {}
    for by_class in (False, True):
        sets = fit_sets(p[:half], truth[:half], 0.8, by_class=by_class)
        figures[by_class] = describe(sets, p[half:], truth[half:], ("a", "b", "c", "d"))
    for_all, for_class = (figures[b].per_class[3] for b in (False, True))
    assert for_all.hits / for_all.rows < 0.6
    assert for_all.neglected
    assert for_class.hits / for_class.rows > 0.8 - 4 * 0.014  # both halves hold about 1,600 rows of the class
    assert not any(c.neglected for c in figures[True].per_class)
    assert figures[True].mean_size > figures[False].mean_size


@given(some_rows, st.booleans())
@settings(max_examples=80)
def test_more_coverage_never_takes_a_class_out(rows, by_class: bool) -> None:
    p, truth = rows
    sets = [fit_sets(p, truth, level, by_class=by_class).apply(p) for level in (0.5, 0.8, 0.95)]
    assert (sets[0] <= sets[1]).all()
    assert (sets[1] <= sets[2]).all()


@given(some_rows, st.sampled_from([0.3, 0.5, 0.8, 0.9, 0.99]), st.booleans())
@settings(max_examples=80)
def test_sets_hold_the_most_probable_class_and_enough_rows_of_the_sample(rows, coverage: float, by_class: bool) -> None:
    p, truth = rows
    sets = fit_sets(p, truth, coverage, by_class=by_class)
    members = sets.apply(p)
    n, own = len(truth), np.arange(len(truth))
    assert members[own, p.argmax(axis=1)].all()
    assert members[own, truth].sum() >= min(rank(n, coverage) if not by_class else 0, n)
    for code in np.unique(truth) if by_class else ():
        of_class = truth == code
        assert members[of_class, code].sum() >= min(rank(int(of_class.sum()), coverage), of_class.sum())
    assert sets.mean_size == pytest.approx(members.sum(axis=1).mean())
    assert sum(sets.rows) == n


@given(some_rows, st.sampled_from([0.5, 0.9]), st.booleans(), st.integers(0, 99))
@settings(max_examples=60)
def test_differences_of_a_saved_model_change_no_set(rows, coverage: float, by_class: bool, seed: int) -> None:
    p, truth = rows
    sets = fit_sets(p, truth, coverage, by_class=by_class)
    own = p[np.arange(len(truth)), truth]
    noisy = p * (1 + 1e-6 * np.random.default_rng(seed).uniform(-1, 1, size=p.shape))
    inside = own >= np.array(sets.threshold)[truth]
    assert sets.apply(noisy)[np.arange(len(truth)), truth][inside].all()


@given(some_rows, st.integers(0, 99))
@settings(max_examples=40)
def test_the_order_of_rows_does_not_matter(rows, seed: int) -> None:
    p, truth = rows
    order = np.random.default_rng(seed).permutation(len(truth))
    one, other = fit_sets(p, truth, 0.8), fit_sets(p[order], truth[order], 0.8)
    assert one.threshold == other.threshold


@given(st.integers(0, 3000), st.integers(1, 999))
@settings(max_examples=200)
def test_the_rank_is_exact(n: int, thousandths: int) -> None:
    assert rank(n, thousandths / 1000) == -(-(n + 1) * thousandths // 1000)
    fewest = fewest_rows(thousandths / 1000)
    assert rank(fewest, thousandths / 1000) <= fewest
    assert rank(fewest - 1, thousandths / 1000) > fewest - 1


def test_certain_and_impossible_probabilities() -> None:
    sure, truth = np.tile([1.0, 0.0, 0.0], (40, 1)), np.zeros(40, dtype=np.int64)
    assert fit_sets(sure, truth, 0.9).apply(sure).sum() == 40
    # A tenth of the rows were impossible by the model: nothing can be left out at 0.95, and all can at 0.8.
    truth[:4] = 2
    assert fit_sets(sure, truth, 0.95).apply(sure).all()
    assert fit_sets(sure, truth, 0.8).apply(sure).sum() == 40


def test_ties_fall_on_the_side_of_coverage() -> None:
    p = np.tile([0.6, 0.4], (100, 1))
    truth = np.r_[np.zeros(85), np.ones(15)].astype(np.int64)
    assert fit_sets(p, truth, 0.8).apply(p).sum(axis=1).tolist() == [1] * 100
    assert fit_sets(p, truth, 0.9).apply(p).sum(axis=1).tolist() == [2] * 100


def test_too_few_rows_give_all_classes_and_say_so() -> None:
    p, truth = draw(8, 3, 0)
    sets = fit_sets(p, truth, 0.9)
    assert sets.apply(p).all()
    assert sets.mean_size == 3
    (note,) = notes(sets, ("a", "b", "c"))
    assert note.startswith("8 rows are too few")
    assert "at least 9" in note
    p, truth = draw(9, 3, 0)
    assert not any("too few" in line for line in notes(fit_sets(p, truth, 0.9), ("a", "b", "c")))
    none = fit_sets(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 0.9)
    assert none.apply(p).all()


def test_a_class_with_too_few_rows_is_in_every_set() -> None:
    p, truth = draw(400, 4, 1)
    truth[truth == 3] = 2
    truth[0] = 3
    sets = fit_sets(p, truth, 0.9, by_class=True)
    assert sets.apply(p)[:, 3].all()
    assert not sets.apply(p)[:, 0].all()
    (note,) = notes(sets, ("a", "b", "c", "d"))
    assert note == "every set holds 'd' (1 row): to leave a class out at .9 takes 9 rows of it"
    many = Sets("lac by class", 0.9, (50, *[3] * 8), (0.1, *[0.0] * 8), 8.5)
    assert "'5' (3 rows) and 3 more:" in notes(many, tuple("0123456789"[:9]))[0]


def test_sets_without_doubt_are_remarked_upon() -> None:
    p, truth = np.tile([0.99, 0.01], (50, 1)), np.zeros(50, dtype=np.int64)
    (note,) = notes(fit_sets(p, truth, 0.9), ("no", "yes"))
    assert "most probable class alone" in note


def test_figures_count_what_the_sets_did() -> None:
    sets = Sets("lac", 0.9, (5, 5, 5), (0.3, 0.3, 0.3), 1.5)
    p = np.array([[0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.34, 0.33, 0.33], [0.1, 0.1, 0.8]])
    figures = describe(sets, p, np.array([0, 2, 1, 0]), ("a", "b", "c"))
    assert (figures.rows, figures.hits, figures.sizes) == (4, 2, (2, 1, 1))
    assert (figures.singles, figures.mean_size) == (2, 1.75)
    assert [(c.label, c.hits, c.rows) for c in figures.per_class] == [("a", 1, 2), ("b", 1, 1), ("c", 0, 1)]
    with pytest.raises(ValueError, match="no rows"):
        describe(sets, p[:0], np.zeros(0, dtype=np.int64), ("a", "b", "c"))


def test_a_class_is_rarely_called_neglected_by_chance() -> None:
    p, truth = draw(60_000, 2, 4)
    rng, n_neglected = np.random.default_rng(0), 0
    for _ in range(400):
        rows = rng.integers(len(truth), size=700)
        sets = fit_sets(p[rows[:100]], truth[rows[:100]], 0.8, by_class=True)
        n_neglected += any(
            c.neglected for c in describe(sets, p[rows[100:]], truth[rows[100:]], ("no", "yes")).per_class
        )
    assert n_neglected <= 12


@pytest.mark.parametrize("hits", [0, *range(20, 40)])
def test_the_chance_of_few_hits_is_beta_binomial(hits: int) -> None:
    p = np.tile([0.9, 0.1], (40, 1))
    p[:hits] = 0.5
    sets = Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2)
    figures = describe(sets, p, np.ones(40, dtype=np.int64), ("no", "yes")).per_class[1]
    assert figures.hits == hits
    assert figures.neglected == (betabinom(40, 90, 10).cdf(hits) < 0.005)


@pytest.mark.parametrize("hits", range(20, 40))
def test_by_class_the_chance_is_that_of_the_rows_of_the_class(hits: int) -> None:
    p = np.tile([0.9, 0.1], (40, 1))
    p[:hits] = 0.5
    figures = describe(
        Sets("lac by class", 0.9, (2_000, 19), (0.3, 0.3), 1.2), p, np.ones(40, dtype=np.int64), ("a", "b")
    )
    assert figures.per_class[1].neglected == (betabinom(40, 18, 2).cdf(hits) < 0.005)


def test_a_class_is_not_neglected_by_a_few_groups_that_are() -> None:
    """Three of four groups of ten rows are never held, which chance may bring; thirty rows by themselves are not."""
    p = np.tile([0.9, 0.1], (40, 1))
    p[:10] = 0.5
    truth, groups = np.ones(40, dtype=np.int64), np.repeat(np.arange(4), 10)
    sets = Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2)
    alone, together = (describe(sets, p, truth, ("no", "yes"), clusters).per_class[1] for clusters in (None, groups))
    assert (alone.hits, together.hits, alone.neglected, together.neglected) == (10, 10, True, False)
    single = describe(sets, p, truth, ("no", "yes"), np.arange(40)).per_class[1]
    assert single.neglected


def test_sets_survive_json_and_refuse_what_is_no_rule() -> None:
    p, truth = draw(60, 3, 2)
    sets = fit_sets(p, truth, 0.9, by_class=True)
    text = msgspec.json.encode(sets)
    assert msgspec.json.decode(text, type=Sets) == sets
    for invalid in (text.replace(b'"coverage":0.9', b'"coverage":1.9'), text.replace(b'"rows":[', b'"rows":[1,')):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(invalid, type=Sets)
    with pytest.raises(ValueError, match="probabilities"):
        Sets("lac", 0.9, (1, 1), (0.5, float("nan")), 1.0)


def test_what_cannot_be_used_is_refused() -> None:
    p, truth = draw(20, 2, 0)
    for coverage in (0.0, 1.0, 90.0, float("nan")):
        with pytest.raises(OptionError, match="between 0 and 1"):
            fit_sets(p, truth, coverage)
    with pytest.raises(ValueError, match="shapes differ"):
        fit_sets(p, truth[:5], 0.9)
    with pytest.raises(ValueError, match="expected"):
        fit_sets(p, truth, 0.9).apply(np.ones((3, 5)) / 5)
