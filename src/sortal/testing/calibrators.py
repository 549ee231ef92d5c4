"""What every calibrator must do (entry-point group ``sortal.calibrators``)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.decide.calibrate import Calibrator
from sortal.engine import compile as compile_program
from sortal.testing.requirement import Requirement, fingerprint, require, require_plain, require_probabilities

ROWS = 600
TOLERANCE = 1e-3
"""By how much regularisation may raise the log-loss of the rows that a calibrator was fitted on."""


def check_calibrator(calibrator: Calibrator) -> Iterator[Requirement]:
    """The requirements on a calibrator, to be run one by one.

    >>> from sortal.core import registry
    >>> for requirement in check_calibrator(registry.load("sortal.calibrators", "temperature")):
    ...     requirement()
    """
    yield Requirement(f"{calibrator.name}-says_what_it_is_for", partial(says_what_it_is_for, calibrator))
    for check in CHECKS:
        for n_classes in suited(calibrator):
            name = f"{calibrator.name}-{check.__name__}-{n_classes}"
            yield Requirement(name, partial(check, calibrator, n_classes))


def says_what_it_is_for(calibrator: Calibrator) -> None:
    """A name to type, and a range of numbers of classes."""
    require(
        calibrator.name.isidentifier() and calibrator.name.islower(),
        f"name {calibrator.name!r} should be like 'platt'",
    )
    require(suited(calibrator), "it suits neither 2, 3 nor 5 classes")


def writes_a_program(calibrator: Calibrator, n_classes: int) -> None:
    """Plain data that maps probabilities to probabilities, zeros and ones included."""
    probability, truth = overconfident(n_classes)
    program = calibrator.fit(probability, truth, n_classes)
    require_plain(program)
    hard = np.vstack([np.eye(n_classes), np.full((1, n_classes), 1 / n_classes), probability])
    require_probabilities(compile_program(program)(hard), len(hard), n_classes, "the program")


def repeats(calibrator: Calibrator, n_classes: int) -> None:
    """The same rows give the same program, and are not changed."""
    probability, truth = overconfident(n_classes)
    first, second = (calibrator.fit(probability, truth, n_classes) for _ in range(2))
    require(fingerprint(first) == fingerprint(second), "two fits gave different programs")
    fresh, codes = overconfident(n_classes)
    require(np.array_equal(fresh, probability) and np.array_equal(codes, truth), "its input is not what it was")


def does_not_harm(calibrator: Calibrator, n_classes: int) -> None:
    """On the rows it was fitted on, the log-loss does not grow, whether they needed calibration or not."""
    for sample in (overconfident(n_classes), overconfident(n_classes, exponent=1.0)):
        probability, truth = sample
        after = compile_program(calibrator.fit(probability, truth, n_classes))(probability)
        before_loss, after_loss = log_loss(probability, truth), log_loss(after, truth)
        require(after_loss <= before_loss + TOLERANCE, f"log-loss {before_loss:.4f} became {after_loss:.4f}")


def takes_few_and_easy_rows(calibrator: Calibrator, n_classes: int) -> None:
    """Ten rows; rows without a single error; a class that does not occur."""
    probability, truth = overconfident(n_classes)
    confident = np.eye(n_classes)[truth] * 0.98 + 0.02 / n_classes
    present = truth != n_classes - 1
    for p, y in ((probability[:10], truth[:10]), (confident, truth), (probability[present], truth[present])):
        q = compile_program(calibrator.fit(p, y, n_classes))(probability)
        require_probabilities(q, len(q), n_classes, "the program")


def is_never_certain(calibrator: Calibrator, n_classes: int) -> None:
    """Nothing that was possible becomes impossible, so that no row can make the log-loss infinite."""
    probability, truth = overconfident(n_classes)
    run = compile_program(calibrator.fit(probability[: ROWS // 2], truth[: ROWS // 2], n_classes))
    fresh = np.maximum(probability, 1e-6)
    calibrated = run(fresh / fresh.sum(axis=1, keepdims=True))
    require(calibrated.min() > 0, f"{int((calibrated <= 0).sum())} probabilities became 0")


def keeps_the_ranking(calibrator: Calibrator, n_classes: int) -> None:
    """More of a class never becomes less of it, the others keeping their proportions.

    With two classes no ranking of rows is turned around; ties may arise. With more, classes may change places in a row.
    """
    run = compile_program(calibrator.fit(*overconfident(n_classes), n_classes))
    grid = np.linspace(0.0, 1.0, 1001)[:, None]
    shares = np.random.default_rng(0).dirichlet(np.ones(n_classes), size=3)
    for code in range(n_classes):
        for share in shares:
            others = np.where(np.arange(n_classes) == code, 0.0, share)
            others /= others.sum()
            q = run(grid * np.eye(n_classes)[code] + (1 - grid) * others)[:, code]
            fall = -np.diff(q).min()
            require(fall <= 1e-12, f"a larger probability of class {code} became smaller by {fall:.3g}")


CHECKS = (writes_a_program, repeats, does_not_harm, takes_few_and_easy_rows, is_never_certain, keeps_the_ranking)


def suited(calibrator: Calibrator) -> list[int]:
    """The numbers of classes to try it with."""
    return [k for k in (2, 3, 5) if calibrator.least <= k <= (calibrator.most or k)]


def overconfident(n_classes: int, exponent: float = 2.0) -> tuple[Floats, NDArray[np.int64]]:
    """Probabilities too far from even (with exponent 1: just right), and classes drawn from the right ones."""
    rng = np.random.default_rng(n_classes)
    right = rng.dirichlet(np.ones(n_classes), size=ROWS)
    truth = (right.cumsum(axis=1) > rng.random((ROWS, 1))).argmax(axis=1)
    sharp = right**exponent
    return sharp / sharp.sum(axis=1, keepdims=True), truth.astype(np.int64)


def log_loss(probability: Floats, truth: NDArray[np.int64]) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(truth)), truth], 1e-15, 1)).mean())
