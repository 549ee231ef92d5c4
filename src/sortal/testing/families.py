"""What every family of models must do (entry-point group ``sortal.models``)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from sortal.engine import compile as compile_program
from sortal.models.family import Family, FitRequest, Fitted, Matrix, OutOfTime, Rows, Settings
from sortal.testing.problems import LEVELS, Problem, constant, mixed, narrowed, with_weight
from sortal.testing.requirement import (
    Requirement,
    arrays_of,
    fingerprint,
    require,
    require_equal,
    require_plain,
    require_probabilities,
)

PARITY = {"float64": 1e-12, "float32": 1e-6}
"""How closely a program must agree with the model, by the precision in which the library sums."""
LARGEST = float(np.finfo(np.float32).max)
BUDGET, GRACE = 0.2, 3.0
"""Seconds for a fit that would take much longer, and by how much an interruptible family may be late."""


@dataclass(frozen=True)
class Subject:
    """A family, and the settings that keep a fit of it small."""

    family: Family
    settings: Settings
    _fits: dict[int, Fitted] = field(default_factory=dict, compare=False, repr=False)

    def problem(self, n_classes: int) -> Problem:
        return mixed(self.family.view, n_classes)

    def fitted(self, n_classes: int) -> Fitted:
        """A fit on that problem: one for all requirements that ask for no other."""
        if n_classes not in self._fits:
            self._fits[n_classes] = _fit(self, self.problem(n_classes))
        return self._fits[n_classes]


def check_family(family: Family, settings: Settings | None = None) -> Iterator[Requirement]:
    """The requirements on a family, to be run one by one. ``settings`` that keep a fit small save time.

    >>> from sortal.core import registry
    >>> for requirement in check_family(registry.load("sortal.models", "majority")):
    ...     requirement()
    """
    once = [describes_itself]
    once += [stops_early] if family.early_stopping else []
    once += [ends_when_its_seconds_are_over] if family.interruptible else []
    for check in once:
        yield Requirement(f"{family.name}-{check.__name__}", partial(check, family))
    subject = Subject(family, settings or {})
    for requirement in FOR_EACH:
        for n_classes in (2, 3):
            yield Requirement(
                f"{family.name}-{requirement.__name__}-{n_classes}", partial(requirement, subject, n_classes)
            )


def describes_itself(family: Family) -> None:
    """A name to type, and a place in the order from simple to elaborate."""
    require(
        family.name.isidentifier() and family.name.islower(),
        f"name {family.name!r} should be like 'extra_trees'",
    )
    require(family.complexity >= 0, f"complexity {family.complexity} is negative")
    require(family.precision in PARITY, f"precision {family.precision!r} is not one of {', '.join(PARITY)}")
    hash(family)


def gives_probabilities(subject: Subject, n_classes: int) -> None:
    """(n, K) finite probabilities that sum to 1, also for values, codes and gaps unseen in training."""
    _verify(subject.family, subject.fitted(n_classes), subject.problem(n_classes))


def learns(subject: Subject, n_classes: int) -> None:
    """On the training rows, no worse than the shares of the classes."""
    rows = subject.problem(n_classes).train
    p = subject.fitted(n_classes).predict_proba(rows.X)
    shares = np.bincount(rows.y) / len(rows.y)
    loss, naive = (-np.log(np.clip(q, 1e-15, 1)).mean() for q in (p[np.arange(len(rows.y)), rows.y], shares[rows.y]))
    require(
        loss <= naive + 1e-9,
        f"log-loss {loss:.4f} on the training rows, where the shares of the classes have {naive:.4f}",
    )


def repeats_with_the_same_seed(subject: Subject, n_classes: int) -> None:
    """Same rows, settings and seed: the same program, byte for byte."""
    first = subject.fitted(n_classes).program()
    second = _fit(subject, subject.problem(n_classes)).program()
    require(fingerprint(first) == fingerprint(second), "two fits with one seed gave different programs")


def effort_repeats_a_fit(subject: Subject, n_classes: int) -> None:
    """What a fit with a clock and stopping rows did, its ``effort`` does again without them."""
    problem = subject.problem(n_classes)
    family = subject.family
    stop = problem.stop if family.early_stopping else None
    first = _hurried(family, replace(_request(problem), stop=stop))
    for name, value in (*first.effort.items(), *first.pace.items()):
        require(isinstance(value, float | int | str), f"effort {name!r} is {value!r}, neither number nor text")
    second = family.fit(_request(problem), first.effort)
    require(
        fingerprint(first.program()) == fingerprint(second.program()),
        f"a fit with the settings {dict(first.effort)} does not repeat the fit that reported them",
    )


def uses_row_weights(subject: Subject, n_classes: int) -> None:
    """Ten times the weight on one class: valid, and that class becomes more probable."""
    problem = subject.problem(n_classes)
    heavy = with_weight(problem, np.where(problem.train.y == 0, 10.0, 1.0))
    X = problem.train.X
    before = subject.fitted(n_classes).predict_proba(X)[:, 0].mean()
    after = _fit_and_verify(subject, heavy).predict_proba(X)[:, 0].mean()
    require(after > before, f"mean probability {before:.3f} of a class became {after:.3f} at ten times its weight")


def leaves_its_input_alone(subject: Subject, n_classes: int) -> None:
    """Fitting and predicting change none of the arrays that were handed in."""
    problem = subject.problem(n_classes)
    problem = with_weight(problem, np.linspace(0.5, 2.0, len(problem.train.y)))
    arrays = [problem.train.X, problem.train.y, problem.train.weight, problem.fresh]
    before = [np.copy(a) for a in arrays if a is not None]
    _fit(subject, problem).predict_proba(problem.fresh)
    after = [a for a in arrays if a is not None]
    same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, after, strict=True))
    require(same, "an array that was handed in is not what it was")


def weighs_columns(subject: Subject, n_classes: int) -> None:
    """Importance: one finite number a column, none negative."""
    importance = subject.fitted(n_classes).importance
    width = subject.problem(n_classes).train.X.shape[1]
    require(np.shape(importance) == (width,), f"importance has shape {np.shape(importance)}, not ({width},)")
    require(np.isfinite(importance).all() and np.min(importance) >= 0, "importance is negative or not finite")


def takes_constant_columns(subject: Subject, n_classes: int) -> None:
    """One column without information, and nothing but such columns."""
    problem = subject.problem(n_classes)
    width = problem.train.X.shape[1]
    _fit_and_verify(subject, constant(problem, [0]))
    _fit_and_verify(subject, replace(constant(problem, list(range(width))), categorical=()))


def takes_one_column(subject: Subject, n_classes: int) -> None:
    problem = subject.problem(n_classes)
    for column in (0, 3):
        _fit_and_verify(subject, narrowed(problem, [column]))


def takes_wide_tables(subject: Subject, n_classes: int) -> None:
    """300 columns and fewer rows."""
    _fit_and_verify(subject, mixed(subject.family.view, n_classes, n=200, numbers=300))


def takes_a_class_of_one_row(subject: Subject, n_classes: int) -> None:
    """Rare classes are ordinary: a fold may hold a single row of one."""
    problem = subject.problem(n_classes)
    rows = problem.train
    keep = (rows.y != n_classes - 1) | (np.cumsum(rows.y == n_classes - 1) == 1)
    _fit_and_verify(subject, replace(problem, train=Rows(rows.X[keep], rows.y[keep])))


def takes_few_rows(subject: Subject, n_classes: int) -> None:
    """Three rows a class."""
    problem = subject.problem(n_classes)
    rows = problem.train
    index = np.concatenate([np.flatnonzero(rows.y == k)[:3] for k in range(n_classes)])
    _fit_and_verify(subject, replace(problem, train=Rows(rows.X[index], rows.y[index])))


def takes_huge_numbers(subject: Subject, n_classes: int) -> None:
    """The largest numbers of float32, in training (as far as scaling leaves them large there) and later."""
    problem = subject.problem(n_classes)
    X, fresh = problem.train.X.copy(), problem.fresh.copy()
    X[:2, 2] = np.array([-1.0, 1.0]) * (np.sqrt(len(X)) if subject.family.view.numbers == "scaled" else LARGEST)
    fresh[:2, 2] = -LARGEST, LARGEST
    _fit_and_verify(subject, replace(problem, train=replace(problem.train, X=X), fresh=fresh))


def scores_rows_independently(subject: Subject, n_classes: int) -> None:
    """A row's probabilities do not depend on the rows that come with it."""
    problem = subject.problem(n_classes)
    run = compile_program(subject.fitted(n_classes).program())
    together = run(problem.fresh)
    alone = np.vstack([run(problem.fresh[i : i + 1]) for i in range(20)])
    require_equal(alone, together[:20], PARITY["float64"], "rows scored alone and together")


def keeps_no_value_of_a_row(subject: Subject, n_classes: int) -> None:
    """A model file goes where the rows do not: what splits or shifts a column lies between the values of rows, and is
    none of them.
    """
    problem = subject.problem(n_classes)
    numbers = problem.train.X[:, : -1 if problem.categorical else -LEVELS]
    values = np.unique(numbers[~np.isnan(numbers)].astype(np.float32))
    for array in arrays_of(subject.fitted(n_classes).program()):
        is_row_value = np.isin(array.astype(np.float32).ravel(), values) & (array.dtype.kind == "f")
        require(
            not is_row_value.any(),
            f"the program holds {array.ravel()[is_row_value][:3].tolist()}, which are values of training rows",
        )


FOR_EACH = (
    gives_probabilities,
    learns,
    repeats_with_the_same_seed,
    effort_repeats_a_fit,
    uses_row_weights,
    leaves_its_input_alone,
    weighs_columns,
    takes_constant_columns,
    takes_one_column,
    takes_wide_tables,
    takes_a_class_of_one_row,
    takes_few_rows,
    takes_huge_numbers,
    scores_rows_independently,
    keeps_no_value_of_a_row,
)


def stops_early(family: Family) -> None:
    """With stopping rows: valid, and without the rounds that only fit noise."""
    problem = mixed(family.view, 2)
    noise = np.random.default_rng(0).permutation(problem.train.y)
    problem = replace(problem, train=replace(problem.train, y=noise))
    fitted = family.fit(replace(_request(problem), stop=problem.stop), {})
    _verify(family, fitted, problem)
    p = fitted.predict_proba(problem.stop.X)
    loss = -np.log(p[np.arange(len(p)), problem.stop.y]).mean()
    require(
        loss < 1.0,
        f"labels were noise, and early stopping left a log-loss of {loss:.2f} on the stopping rows",
    )


def ends_when_its_seconds_are_over(family: Family) -> None:
    """A fit that would take long ends, and what it has by then is a model; or it says how long it needs."""
    problem = mixed(family.view, 3, n=24_000, numbers=24)
    start = time.monotonic()
    try:
        fitted = family.fit(replace(_request(problem), seconds=BUDGET), {})
    except OutOfTime as short:
        fitted = None
        require(short.needed > BUDGET, f"it had {BUDGET} s, and says that {short.needed} s would do")
    elapsed = time.monotonic() - start
    require(elapsed <= BUDGET + GRACE, f"a fit that had {BUDGET} s took {elapsed:.1f} s")
    if fitted is not None:
        _verify(family, fitted, replace(problem, fresh=problem.fresh[:500]))


def _hurried(family: Family, request: FitRequest) -> Fitted:
    """A fit under as tight a clock as the family can do with."""
    for seconds in (BUDGET, 5 * BUDGET, 25 * BUDGET):
        try:
            return family.fit(replace(request, seconds=seconds), {})
        except OutOfTime:
            continue
    return family.fit(request, {})


def _request(problem: Problem) -> FitRequest:
    return FitRequest(
        train=problem.train,
        n_classes=problem.n_classes,
        seed=0,
        categorical=problem.categorical,
    )


def _fit(subject: Subject, problem: Problem) -> Fitted:
    return subject.family.fit(_request(problem), subject.settings)


def _fit_and_verify(subject: Subject, problem: Problem) -> Fitted:
    fitted = _fit(subject, problem)
    _verify(subject.family, fitted, problem)
    return fitted


def _verify(family: Family, fitted: Fitted, problem: Problem) -> None:
    """Valid probabilities, and a program that reproduces them."""
    program = fitted.program()
    require_plain(program)
    run = compile_program(program)
    parts: dict[str, Matrix] = {"training rows": problem.train.X, "fresh rows": problem.fresh}
    for part, X in parts.items():
        p, q = fitted.predict_proba(X), run(X)
        require_probabilities(p, len(X), problem.n_classes, f"predict_proba on {part}")
        require_probabilities(q, len(X), problem.n_classes, f"the program on {part}")
        require_equal(p, q, PARITY[family.precision], f"predict_proba and program on {part}")
