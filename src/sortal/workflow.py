"""The whole trip on one page: from a labelled table to a sealed, scored, saved and explained classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sortal.artifact.card import Item
from sortal.artifact.model import Model, Parity, time_row
from sortal.auditing import context_of
from sortal.checks.audit import audit as audit_rows
from sortal.checks.run_counts import RunCounts, run_findings
from sortal.core.cost_notation import names_a_file
from sortal.core.errors import OptionError
from sortal.core.interrupt import finishing_on_interrupt
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.sheets import RAN, GoalOptions, RowOptions, SearchOptions
from sortal.core.skipped import Skipped
from sortal.core.task import Task
from sortal.data.division import divide
from sortal.data.ledger import Seal
from sortal.data.problem import Problem, check_groups, frame_problem, part
from sortal.data.read import Source
from sortal.data.split import Parts
from sortal.data.whole import is_taken, new_folder, unfinished
from sortal.decide.chosen import decide_apart
from sortal.evaluate.figures import figures
from sortal.evaluation import score_labelled
from sortal.record.assemble import Results, assemble, facts, model_card
from sortal.record.checklist import checklist
from sortal.record.describe import describe_data, describe_split
from sortal.record.events import RunObserver
from sortal.record.opened import OpenedTest
from sortal.record.parts import Artifact
from sortal.record.run import Outcome, RunRecord
from sortal.record.tables import leaderboard_table, predictions_table
from sortal.record.wording import microseconds, size
from sortal.report.html import render
from sortal.report.plots import draw_all
from sortal.shipping import keep_front, ship
from sortal.timetable import Steps, audit_seconds, closing_of, may_guess, search_reserve
from sortal.training.deadline import Deadline
from sortal.training.executor import Executor
from sortal.training.fit_log import FitLog
from sortal.training.fold_store import FoldStore
from sortal.training.nested import Nested, nested
from sortal.training.reserve import TimeReserve
from sortal.training.trained import Trained, Workplace, train_rows
from sortal.version import __version__

MODEL_FILE, FOLDS = "model.sortal", "folds"
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
    # Products of these sizes gain little from a second thread, and lose a lot where another process holds the core.
    with (
        new_folder(out) as folder,
        finishing_on_interrupt(observer.finishing) as interrupts,
        threadpool_limits(1, "blas"),
    ):
        steps.enter("read")
        whole = frame_problem(data, recipe.goal, recipe.rows)
        parts, seal = seal_test(whole, recipe, folder)
        about_data, about_split = describe_data(whole), describe_split(whole, parts, recipe.rows)
        store = fold_store(out, folder, whole, recipe, resume)
        sealed, times = whole.table.rows[parts.test], times_of_test(whole, parts, recipe.rows)
        known = np.sort(np.concatenate([parts.train, parts.valid]))
        # Of a large table, what was read goes before its rows are copied once more: a fifth of the memory of a run.
        raw, whole = whole.raw[known], replace(whole, raw=whole.raw.clear())
        unsealed = part(whole, known, raw)
        del raw
        valid = np.flatnonzero(np.isin(unsealed.table.rows, whole.table.rows[parts.valid]))
        context = context_of(whole, parts, unsealed, recipe.search.seed, recipe.rows.disclosure)
        del whole
        observer.framed(about_data, unsealed.table.schema.columns, unsealed.task, about_split)

        steps.enter("audit")
        measured = len(parts.train) if parts.outer else len(sealed)
        seconds, closing = audit_seconds(deadline), closing_of(unsealed, measured, deadline, recipe.search.allowance)
        without = recipe.search.unchecked if recipe.search.plan else None
        audited = audit_rows(context, seconds=seconds, guesses=may_guess(deadline, closing), without=without)
        del context
        observer.audited(audited.findings, audited.timed_out)

        steps.enter("train")
        reserve = search_reserve(recipe.search, deadline, closing, unsealed, parts, interrupts)
        trained = train_rows(
            unsealed.table,
            unsealed.codes,
            unsealed.task,
            recipe,
            reserve,
            observer,
            valid=valid,
            workplace=Workplace(executor, store),
        )

        steps.enter("finalize")
        model, parity = save(folder / MODEL_FILE, unsealed, trained, recipe.search.seed)
        row_seconds = time_row(model, {name: unsealed.raw[name][0] for name in model.reads.names})

        steps.enter("test")
        opened = None if seal is None else replace(open_test(model, trained, seal, sealed), times=times)
        again = cross_validate(unsealed, recipe, trained, parts.outer, TimeReserve(deadline, closing.seconds, 0))
        log = FitLog.of((*trained.fits, *(() if again is None else again.fits)), sealed)
        run_counts = RunCounts(log.fits, log.leaked_rows, seal.opens if seal else 0)
        audited = replace(audited, findings=audited.findings + run_findings(run_counts))

        steps.enter("report")
        promised = model.metrics[trained.finalized.evidence.part]
        results = Results(unsealed, about_data, about_split, seal, audited, trained, promised, opened, again)
        outcome = assemble(results, recipe.rows, recipe.search)
        items = checklist(outcome, facts(results, MODEL_FILE, model, parity, log, sealed))
        complete(folder / MODEL_FILE, model, outcome, items)
        artifact = artifact_of(folder / MODEL_FILE, parity, row_seconds, recipe.search)
        ran = {"unchecked": tuple(s.code for s in audited.timed_out), "outer": 0 if again is None else again.folds}
        write_tables(folder, outcome, trained, recipe.with_options(**ran))
        test = None if opened is None else opened.predictions
        measure = test if again is None else again.predictions
        drawn = draw_all(outcome, trained.finalized.evidence, measure, lambda: closing.may_draw(deadline.left))
        if not recipe.rows.private:
            files = keep_front(folder, model, unsealed.table, trained, lambda s: closing.may_draw(deadline.left - s))
            outcome = replace(
                outcome, leaderboard=tuple(replace(r, file=files.get(r.name)) for r in outcome.leaderboard)
            )
        # Drawing takes a while, and all that is said of the time is to be the same: so the clock is read between.
        skipped = [*trained.developed.explored.skipped, *undrawn(drawn.timed_out)]
        record = RunRecord.of(outcome, steps.timing(skipped, recipe.search.effort), artifact, items)
        (folder / "report.html").write_text(render(record, drawn.figures), "utf-8")
        (folder / "run.json").write_bytes(record.to_json())
        if store is not None:
            store.remove()
    return record


def fold_store(out: Path, folder: Path, whole: Problem, recipe: Recipe, resume: bool) -> FoldStore | None:
    """Where the results of folds are kept while the run goes, with those of a killed run that is resumed; a private run
    keeps none.

    Raises OptionError where there is nothing to resume.
    """
    left = [path for path in unfinished(out) if (path / FOLDS).is_dir()] if resume else []
    if resume and recipe.rows.private:
        raise OptionError("a private run keeps no results on disk, so it cannot be resumed; leave --resume out")
    if resume and not left:
        raise OptionError(f"there is no unfinished run of {str(out)!r} to resume; leave --resume out")
    if left and (seal := Seal(left[-1])).path.exists() and seal.opens:
        raise OptionError(
            f"the unfinished run {str(left[-1])!r} had opened its sealed test already, and one look is all that is "
            "blind; leave --resume out, and name another --out"
        )
    if recipe.rows.private or recipe.search.plan:
        return None
    # The time and the families may be others: what was fitted stays what it is.
    same = {n: v for n, v in recipe.options().items() if n not in ("budget", "models", "max_latency", "max_size", *RAN)}
    key = hashlib.sha256(repr((__version__, whole.digest, sorted(same.items()))).encode()).hexdigest()
    return FoldStore.new(folder / FOLDS, key, left[-1] / FOLDS if left else None)


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


def complete(path: Path, model: Model, outcome: Outcome, items: tuple[Item, ...]) -> None:
    """Put the figures of the test and the card into the model file; what scores a row is the very program that was
    tested.
    """
    nested = {} if outcome.nested is None else {"nested": outcome.nested.figures}
    test = {} if outcome.test is None else {"test": outcome.test}
    replace(model, metrics={**model.metrics, **nested, **test}, card=model_card(outcome, items)).save(path)


def artifact_of(path: Path, parity: Parity, row_seconds: float, search: SearchOptions) -> Artifact:
    """The model file as it is now, and whether it keeps within what was asked for."""
    content, took = path.read_bytes(), 1e6 * row_seconds
    exceeds = []
    if search.max_latency is not None and row_seconds > search.max_latency:
        asked = microseconds(1e6 * search.max_latency)
        exceeds.append(f"a row takes {microseconds(took)}, more than the {asked} of --max-latency")
    if search.max_size is not None and len(content) > search.max_size:
        exceeds.append(f"the file has {size(len(content))}, more than the {size(search.max_size)} of --max-size")
    return Artifact(path.name, len(content), hashlib.sha256(content).hexdigest(), parity, took, tuple(exceeds))


def write_tables(folder: Path, outcome: Outcome, trained: Trained, recipe: Recipe) -> None:
    """What was asked and run, the leaderboard, and the predictions that the decision was made on, which are of single
    rows.
    """
    run = recipe.with_options(
        cost=_costs(recipe.goal, outcome.task),
        plan=trained.developed.plan(),
        refit=trained.finalized.no_refit != "time",
        halved=0 if trained.developed.halving is None else trained.developed.halving.folds,
        uncompared=() if outcome.test is None else trained.uncompared,
    )
    (folder / "recipe.toml").write_text(run.to_toml(), "utf-8")
    leaderboard_table(outcome).write_csv(folder / "leaderboard.csv")
    if not recipe.rows.private:
        predictions_table(trained.finalized.evidence).write_parquet(folder / "oof.parquet")


def _costs(goal: GoalOptions, task: Task) -> Any:
    """The costs as they were given; those in a file are written out, as a recipe may outlive it."""
    if task.cost is None or not names_a_file(goal.cost):
        return goal.cost
    return {t: dict(zip(task.classes, row, strict=True)) for t, row in zip(task.classes, task.cost, strict=True)}


def open_test(model: Model, trained: Trained, seal: Seal, rows: NDArray[np.int64]) -> OpenedTest:
    """The one look at the sealed rows, through the model file as it was saved, and by name through the baselines that
    it is compared with.
    """
    sealed = Source(seal.open("score of the saved model", by=_signature()), "the sealed test")

    def scored(by: Model) -> Predictions:
        return score_labelled(by, sealed, "test", rows).predictions

    fresh = score_labelled(model, sealed, "test", rows)
    baselines = {b.name: replace(model, program=b.pipeline.program()) for b in trained.baselines}
    return OpenedTest(fresh.predictions, fresh.raw, {name: scored(baseline) for name, baseline in baselines.items()})


def cross_validate(
    unsealed: Problem, recipe: Recipe, trained: Trained, outer: int, reserve: TimeReserve
) -> Nested | None:
    """The whole procedure in each of the outer folds, where these stand in for a test."""
    if not outer:
        return None
    return nested(unsealed.table, unsealed.codes, unsealed.task, recipe, trained, outer, reserve.until_closing)


def undrawn(figures: Sequence[str]) -> list[Skipped]:
    """Figures for which there was no time."""
    return [Skipped(f"{len(figures)} figures of the report", TimeReserve.used_up)] if figures else []


def next_folder(data: Sequence[str]) -> Path:
    """``runs/NAME-1``, or the next number that is free, and that no run is about to take."""
    stem = Path(data[0]).name.split(".")[0] or "run"
    return next(path for i in count(1) if not is_taken(path := Path(RUNS, f"{stem}-{i}")))


def _signature() -> str:
    return f"sortal {__version__}"
