"""Which kind of change is said of rows of several classes that were made to change so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from sortal.artifact.card import Card, Data
from sortal.core.arrays import Floats, Ints
from sortal.core.reliability import Reliability
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.monitor.confused import Comparison, chance_of, confusion_of, fit_shares, kind
from sortal.monitor.estimate import EstimateDays, Estimator
from tests.monitor.test_watch import a_model

CLASSES = ("a", "b", "c", "d")
K = len(CLASSES)
MEANS = 2.2 * np.eye(K)
EVEN = np.full(K, 1 / K)
SKEWED = np.array([0.55, 0.15, 0.15, 0.15])


def posterior(x: Floats) -> Floats:
    p = np.exp(x @ MEANS.T)
    return p / p.sum(axis=1, keepdims=True)


def world(n: int, shares: Floats, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Normal classes: the probabilities of equal shares, and the class."""
    y = rng.choice(K, n, p=shares)
    return posterior(MEANS[y] + rng.normal(size=(n, K))), y


def harder(n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Rows of another mix, nearer to each other, whose classes are as probable as before."""
    p = posterior(rng.normal([1.0, 0.5, 0.5, 0.5], 0.9, (n, K)))
    return p, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def half_relabelled(n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Half of the rows of a are now of b."""
    p, y = world(n, EVEN, rng)
    return p, np.where((y == 0) & (rng.random(n) < 0.5), 1, y)


def names(codes: Ints) -> list[str]:
    return [CLASSES[code] for code in codes]


def comparison_of(p: Floats, y: Ints, is_labelled: Any, seed: int) -> Comparison:
    """What is counted of rows of which some labels are known (``is_labelled``), beside a test of 1,500 rows."""
    test_p, test_y = world(1_500, EVEN, np.random.default_rng(seed + 100))
    test = np.zeros((K, K), dtype=np.int64)
    np.add.at(test, (test_y, test_p.argmax(axis=1)), 1)
    reliability = {name: Reliability.of(test_p[:, k], test_y == k) for k, name in enumerate(CLASSES)}
    estimator, days = Estimator(CLASSES, {}, reliability), EstimateDays()
    for day, part in enumerate(np.array_split(np.arange(len(p)), 3)):
        estimator.count(day, p[part], names(p[part].argmax(axis=1)), days)
        labelled_part = part[is_labelled[part]]
        estimator.count_labels(
            day, p[labelled_part], names(p[labelled_part].argmax(axis=1)), names(y[labelled_part]), days
        )
    return Comparison.of(test, estimator, estimator.decision_counts(days, 0, 3))


def kind_of_shift(p: Floats, y: Ints, labels: int, seed: int = 0) -> str:
    return kind(comparison_of(p, y, np.arange(len(p)) % 2 < labels / 1_000, seed), CLASSES)


@pytest.mark.parametrize("seed", range(3))
def test_each_shift_is_called_by_its_name(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label_shift, covariate_shift, concept_shift = (
        world(2_000, SKEWED, rng),
        harder(2_000, rng),
        half_relabelled(2_000, rng),
    )
    assert kind_of_shift(*label_shift, 0, seed).startswith("label shift (a in ")
    assert kind_of_shift(*label_shift, 1_000, seed).startswith("label shift: rows of a class look as before")
    assert kind_of_shift(*covariate_shift, 0, seed).endswith("or covariate shift: labels will tell")
    assert kind_of_shift(*covariate_shift, 1_000, seed).startswith("covariate shift: rows are of another mix")
    assert kind_of_shift(*concept_shift, 0, seed).startswith("covariate shift that hardly moves the decisions")
    assert kind_of_shift(*concept_shift, 1_000, seed).startswith("concept shift: ")


def test_where_nothing_changes_that_is_said() -> None:
    rows = world(2_000, EVEN, np.random.default_rng(5))
    assert kind_of_shift(*rows, 1_000).startswith("covariate shift: rows are as before in what the model makes of them")


def test_of_few_rows_nothing_is_said() -> None:
    assert kind_of_shift(*world(15, EVEN, np.random.default_rng(6)), 0) == ""


def test_labels_of_some_decisions_alone_do_not_make_a_concept_of_label_shift() -> None:
    p, y = world(3_000, SKEWED, np.random.default_rng(7))
    is_labelled = (p.argmax(axis=1) == 0) | (np.arange(len(p)) % 10 == 0)
    assert kind(comparison_of(p, y, is_labelled, 7), CLASSES).startswith("label shift or ")


def test_shares_are_recovered_and_their_intervals_hold_them() -> None:
    """The simulation of 0068, small: 95 % intervals of shares by black-box shift estimation."""
    is_inside, errors = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shares = 0.6 * rng.dirichlet(np.ones(K)) + 0.4 / K
        comparison = comparison_of(*world(2_000, shares, rng), np.zeros(2_000, dtype=bool), seed)
        low, high = comparison.interval_of_shares(rng)
        is_inside += ((low <= shares) & (shares <= high)).tolist()
        errors.append(np.abs(comparison.mixture()[0] - shares).max())
    assert np.mean(is_inside) >= 0.85
    assert np.mean(errors) < 0.03


def test_exact_mixtures_are_fitted_exactly() -> None:
    of_class = np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    shares = np.array([0.2, 0.5, 0.3])
    rows = (1e6 * shares @ of_class).round().astype(np.int64)
    np.testing.assert_allclose(fit_shares(rows[None], of_class[None])[0], shares, atol=1e-4)


def test_the_chance_of_a_difference_is_what_it_says() -> None:
    """Of counts that are drawn alike, however few they are, one in ten has a chance of a tenth or less."""
    rng, shares = np.random.default_rng(0), np.array([0.9, 0.06, 0.04])
    chances = [
        chance_of(rng.multinomial(60, shares, 2), rng.multinomial(25, shares, 2), rng) for _ in range(300)
    ]  # fmt: skip
    assert np.mean(np.array(chances) <= 0.1) <= 0.14


def card(counts: Any, **others: Any) -> Card:
    confusion = {"part": "test", "classes": ["a", "b", "c"], "counts": counts, **others}
    return Card(seed=0, data=Data("x", 1, 1), chosen="tree", details={"confusion": confusion})


def test_the_confusion_of_the_test_is_read_from_the_card() -> None:
    classes = ("a", "b", "c")
    task = Task("y", classes, (0.3, 0.3, 0.4), None, "log_loss", ("accuracy",), ())
    model = replace(a_model(), task=task, decision=Decision("argmax", classes, None))
    counts = [[30, 1, 0], [2, 30, 1], [0, 0, 30]]
    confusion = confusion_of(replace(model, card=card(counts)))
    assert confusion is not None
    assert confusion.tolist() == counts
    for bad in (
        card(counts[:2]),
        card("x"),
        card(counts, part="nested"),
        card([[-1, 0, 99]] * 3),
        card([[0] * 3] * 3),
        card([[10**15] * 3] * 3),
        None,
    ):
        assert confusion_of(replace(model, card=bad)) is None
    assert confusion_of(a_model()) is None
    assert msgspec.to_builtins(card(counts))["details"]["confusion"]["part"] == "test"
