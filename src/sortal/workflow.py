"""The whole trip on one page: from a labelled table to a sealed, scored, saved and explained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sortal.artifact.card import Data
from sortal.artifact.model import Model, Parity, time_row
from sortal.auditing import context_of
from sortal.checks.audit import AuditContext
from sortal.checks.audit import audit as audit_rows
from sortal.checks.run_counts import RunCounts, run_findings
from sortal.core.errors import OptionError
from sortal.core.interrupt import finishing_on_interrupt
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.sheets import RowOptions, SearchOptions
from sortal.data.division import divide
from sortal.data.ledger import Seal
from sortal.data.problem import Problem, check_groups, frame_problem, part
from sortal.data.read import Source
from sortal.data.sampled import RowLimit
from sortal.data.split import Parts
from sortal.data.whole import is_taken, new_folder
from sortal.decide.chosen import decide_apart
from sortal.evaluate.figures import figures
from sortal.evaluation import score_labelled
from sortal.filing import MODEL_FILE, Release, file_run
from sortal.record.assemble import Results
from sortal.record.describe import describe_data, describe_split
from sortal.record.events import RunObserver
from sortal.record.opened import OpenedTest
from sortal.record.parts import Split
from sortal.record.run import RunRecord
from sortal.resuming import fold_store
from sortal.shipping import ship
from sortal.timetable import (
    Steps,
    affordable_rows,
    audit_seconds,
    closing_of,
    may_guess,
    reading_seconds,
    search_reserve,
)
from sortal.training.backbones import check_backbones
from sortal.training.deadline import Deadline
from sortal.training.executor import Executor
from sortal.training.fit_log import FitLog
from sortal.training.nested import Nested, nested
from sortal.training.permutation import permuted
from sortal.training.reserve import TimeReserve
from sortal.training.trained import Trained, Workplace, train_rows
from sortal.version import __version__

RUNS = "runs"
"""Where runs go that were given no folder."""


def train_into(
    out: Path,
    data: object,
    recipe: Recipe,
    observer: RunObserver,
    started: float,
    executor: Executor | None = None,
    resume: bool = False,
) -> RunRecord:
    """The whole trip. The folder appears at ``out`` when everything is in it, or not at all.

    ``data``: paths or a table; ``started``: the ``time.monotonic()`` from which the budget counts. ``executor``: where
    the fits of folds run; in this process where None. ``resume``: what a run that was killed has kept of ``out`` is
    used.
    """
    deadline = Deadline.since(started, recipe.search.seconds)
    steps = Steps(observer, deadline)
    one_core = threadpool_limits(1, "blas")  # a second gains little here, and loses a lot where others compute
    with one_core, new_folder(out) as folder, finishing_on_interrupt(observer.finishing) as interrupts:
        steps.enter("read")
        rows, context = read_rows(data, recipe, folder, deadline)
        unsealed = rows.unsealed
        store = fold_store(out, folder, unsealed, recipe, resume)
        observer.framed(rows.data, unsealed.table.schema.columns, unsealed.task, rows.split)

        steps.enter("audit")
        seconds = audit_seconds(deadline)
        closing = closing_of(unsealed, rows.measured, deadline, recipe.search.allowance)
        without = recipe.search.unchecked if recipe.search.plan else None
        audit = audit_rows(context, seconds=seconds, guesses=may_guess(deadline, closing), without=without)
        del context
        observer.audited(audit.findings, audit.timed_out)

        steps.enter("train")
        reserve = search_reserve(recipe.search, deadline, closing, unsealed, rows.parts, interrupts)
        table, codes, task, workplace = unsealed.table, unsealed.codes, unsealed.task, Workplace(executor, store)
        trained = train_rows(table, codes, task, recipe, reserve, observer, valid=rows.valid, workplace=workplace)

        steps.enter("finalize")
        model, parity = save(folder / MODEL_FILE, unsealed, trained, recipe.search.seed)
        release = Release(model, parity, time_row(model, {name: unsealed.raw[name][0] for name in model.reads.names}))

        steps.enter("test")
        test = open_test(model, trained, rows)
        again = cross_validate(unsealed, recipe, trained, rows.parts.outer, TimeReserve(deadline, closing.seconds, 0))
        log = FitLog.of((*trained.fits, *(() if again is None else again.fits)), rows.sealed)
        run_counts = RunCounts(log.fits, log.leaked_rows, rows.seal.opens if rows.seal else 0)
        audit = replace(audit, findings=audit.findings + run_findings(run_counts))

        steps.enter("report")
        adds = permuted(trained, recipe.search, closing.may_permute(deadline.rest))
        promised = model.metrics[trained.finalized.evidence.part]
        results = Results(unsealed, rows.data, rows.split, rows.seal, audit, trained, promised, test, again, adds)
        record = file_run(
            folder, results, release, log, rows.sealed, recipe, steps, lambda s: closing.may_draw(deadline.rest - s)
        )
        if store is not None:
            store.remove()
    return record


@dataclass(frozen=True)
class Rows:
    """The rows that a run may see, and what is known of the others.

    ``valid``: positions in ``unsealed`` that are kept for calibration and decision. ``sealed``: (m,) ids of the rows of
    the test, and ``times``: (m,) their ranks in time, where they are the newest.
    """

    unsealed: Problem
    valid: NDArray[np.int64]
    sealed: NDArray[np.int64]
    times: NDArray[np.int64] | None
    parts: Parts
    seal: Seal | None
    data: Data
    split: Split

    @property
    def measured(self) -> int:
        """How many rows the model that ships is measured on, beside those that it was chosen by."""
        return len(self.parts.train) if self.parts.outer else len(self.sealed)


def read_rows(source: object, recipe: Recipe, folder: Path, deadline: Deadline) -> tuple[Rows, AuditContext]:
    """Read the data, and lock the test away. Beside them what the audit looks at: that is more than the rest of a run
    needs.
    """
    whole = frame_problem(source, recipe.goal, recipe.rows, row_limit(recipe.search, deadline))
    parts, seal = seal_test(whole, recipe, folder)
    unsealed_rows = np.sort(np.concatenate([parts.train, parts.valid]))
    data, split = describe_data(whole), describe_split(whole, parts, recipe.rows)
    # Of a large table, what was read goes before its rows are copied once more: a fifth of the memory of a run.
    raw, whole = whole.raw[unsealed_rows], replace(whole, raw=whole.raw.clear())
    unsealed = part(whole, unsealed_rows, raw)
    del raw
    data = replace(data, notes=(*data.notes, *check_backbones(recipe.search.backbone, unsealed.table)))
    valid = np.flatnonzero(np.isin(unsealed.table.rows, whole.table.rows[parts.valid]))
    sealed, times = whole.table.rows[parts.test], times_of_test(whole, parts, recipe.rows)
    context = context_of(whole, parts, unsealed, recipe.search.seed, recipe.rows.disclosure)
    return Rows(unsealed, valid, sealed, times, parts, seal, data, split), context


def row_limit(search: SearchOptions, deadline: Deadline) -> RowLimit:
    """How many rows are used: as many as there is time for, or as many as in the run that is repeated."""
    if search.plan:
        return RowLimit(lambda rows, columns: search.sampled or rows, search.seed)
    return RowLimit(
        lambda rows, columns: affordable_rows(deadline, rows, columns), search.seed, reading_seconds(deadline)
    )


def seal_test(whole: Problem, recipe: Recipe, folder: Path) -> tuple[Parts, Seal | None]:
    """Part the rows, and lock the test away. From here on nothing but the ledger gives it out."""
    parts = divide(whole.table, whole.codes, recipe)
    check_groups(whole, parts.train, recipe.rows)
    if recipe.goal.promises and not len(parts.valid):
        raise OptionError(
            f"a promise is proven on rows that nothing else sees, and --split {recipe.parts} has none: 65/20/15"
        )
    if not len(parts.test):
        return parts, None
    return parts, Seal.close(folder, whole.raw[parts.test], by=_signature())


def times_of_test(whole: Problem, parts: Parts, rows: RowOptions) -> NDArray[np.int64] | None:
    """(n,) ranks of the rows of the test in time; None where they are not the newest ones."""
    if rows.time is None or rows.split_column is not None or whole.table.times is None:
        return None
    return whole.table.times[parts.test]


def save(path: Path, unsealed: Problem, trained: Trained, seed: int) -> tuple[Model, Parity]:
    """Ship the model in a file, with the figures of the rows that the decision was made on."""
    finalized = trained.finalized
    decided = decide_apart(unsealed.task, finalized.evidence, finalized.decision, seed)
    return ship(unsealed.table, unsealed.task, trained, figures(unsealed.task, finalized.evidence, decided, seed), path)


def open_test(model: Model, trained: Trained, rows: Rows) -> OpenedTest | None:
    """The one look at the sealed rows, through the model file as it was saved, and by name through the baselines that
    it is compared with; None where none were sealed.
    """
    if rows.seal is None:
        return None
    sealed = Source(rows.seal.open("score of the saved model", by=_signature()), "the sealed test")

    def score(by: Model) -> Predictions:
        return score_labelled(by, sealed, "test", rows.sealed).predictions

    fresh = score_labelled(model, sealed, "test", rows.sealed)
    baselines = {b.name: replace(model, program=b.pipeline.program()) for b in trained.baselines}
    by_name = {name: score(baseline) for name, baseline in baselines.items()}
    predictions = replace(fresh.predictions, drawn_from=rows.split.classes)
    return OpenedTest(predictions, fresh.raw, by_name, rows.times)


def cross_validate(
    unsealed: Problem, recipe: Recipe, trained: Trained, outer: int, reserve: TimeReserve
) -> Nested | None:
    """The whole procedure in each of the outer folds, where these stand in for a test."""
    if not outer:
        return None
    return nested(unsealed.table, unsealed.codes, unsealed.task, recipe, trained, outer, reserve.until_closing)


def next_folder(data: Sequence[str]) -> Path:
    """``runs/NAME-1``, or the next number that is free, and that no run is about to take."""
    stem = Path(data[0]).name.split(".")[0] or "run"
    return next(path for i in count(1) if not is_taken(path := Path(RUNS, f"{stem}-{i}")))


def _signature() -> str:
    return f"sortal {__version__}"
