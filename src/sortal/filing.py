"""The files of a run: the model with its figures and its card, the tables, the report and the record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.artifact.card import Item
from sortal.artifact.model import Model, Parity
from sortal.core.cost_notation import names_a_file
from sortal.core.profile import ColumnProfile, profile_of_scores
from sortal.core.recipe import Recipe
from sortal.core.reliability import Reliability
from sortal.core.sheets import GoalOptions, SearchOptions
from sortal.core.skipped import Skipped
from sortal.core.task import Task
from sortal.data.problem import Problem
from sortal.evaluate.trend import BLOCK_ROWS, BLOCKS, in_blocks
from sortal.record.assemble import Results, assemble, facts, model_card
from sortal.record.checklist import checklist
from sortal.record.opened import OpenedTest
from sortal.record.parts import Artifact
from sortal.record.run import Outcome, RunRecord
from sortal.record.tables import leaderboard_table, predictions_table
from sortal.record.wording import microseconds, size
from sortal.report.examples import render_examples
from sortal.report.html import render
from sortal.report.plots import draw_all
from sortal.shipping import keep_front
from sortal.timetable import Steps
from sortal.training.fit_log import FitLog
from sortal.training.reserve import TimeReserve
from sortal.training.trained import Trained

MODEL_FILE = "model.sortal"
EXAMPLES_FILE = "examples.html"
"""Texts and images of single rows, which no other page shows."""


@dataclass(frozen=True)
class Release:
    """The model as it was read back from its file, how well it says what was trained, and the seconds that a row alone
    takes.
    """

    model: Model
    parity: Parity
    row_seconds: float


def file_run(
    folder: Path,
    results: Results,
    release: Release,
    log: FitLog,
    sealed: NDArray[np.int64],
    recipe: Recipe,
    steps: Steps,
    in_time: Callable[[float], bool],
) -> RunRecord:
    """Write all of them into a folder that has the model already; what may be left out, as long as there is time.

    ``sealed``: ids of the rows of the test. ``in_time``: whether there is time for so many seconds.
    """
    trained, model, path = results.trained, release.model, folder / MODEL_FILE
    outcome = assemble(results, recipe.rows, recipe.search)
    items = checklist(outcome, facts(results, MODEL_FILE, model, release.parity, log, sealed))
    complete(path, model, outcome, items, results.test, recipe.rows.disclosure.smallest_count)
    artifact = artifact_of(path, release.parity, release.row_seconds, recipe.search)
    nested = results.nested
    ran = {
        "unchecked": tuple(s.code for s in results.audited.timed_out),
        "outer": 0 if nested is None else nested.folds,
        "permuted": results.permuted.rows,
        "sampled": results.unsealed.sampled,
    }
    write_tables(folder, outcome, trained, recipe.with_options(**ran))
    test = None if results.test is None else results.test.predictions
    predictions = test if nested is None else nested.predictions
    drawings = draw_all(outcome, trained.finalized.evidence, predictions, lambda: in_time(0.0))
    if not recipe.rows.private:
        files = keep_front(folder, model, results.unsealed.table, trained, in_time)
        outcome = replace(outcome, leaderboard=tuple(replace(r, file=files.get(r.name)) for r in outcome.leaderboard))
    if outcome.examples is not None and in_time(0.0):
        write_examples(folder / EXAMPLES_FILE, outcome, model, results.unsealed, in_time)
        outcome = replace(outcome, examples=replace(outcome.examples, file=EXAMPLES_FILE))
    # Drawing takes a while, and all that is said of the time is to be the same: so the clock is read between.
    skipped = [*trained.developed.explored.skipped, *undrawn(drawings.timed_out)]
    record = RunRecord.of(outcome, steps.timing(skipped, recipe.search.effort), artifact, items)
    (folder / "report.html").write_text(render(record, drawings.figures), "utf-8")
    (folder / "run.json").write_bytes(record.to_json())
    return record


def scores_of(test: OpenedTest, least: int) -> dict[str, ColumnProfile]:
    """What the model said of the test: of fresh rows like these it says alike."""
    return profile_of_scores(test.predictions.classes, test.predictions.probability, least)


def reliability_of(test: OpenedTest, least: int) -> dict[str, Reliability]:
    """How far what was said can be believed, of the classes of which ``scores_of`` has a profile."""
    predictions, blocks = test.predictions, test.predictions.clusters
    if blocks is None and test.times is not None:
        blocks = in_blocks(test.times, max(1, min(BLOCKS, len(test.times) // BLOCK_ROWS)))
    return {
        label: Reliability.of(predictions.probability[:, code], predictions.truth == code, blocks, least)
        for code, label in enumerate(predictions.classes)
        if label in scores_of(test, least)
    }


def complete(
    path: Path, model: Model, outcome: Outcome, items: tuple[Item, ...], test: OpenedTest | None, least: int
) -> None:
    """Put the figures of the test, what was said of it and the card into the model file; what scores a row is the very
    program that was tested. ``least``: rows that a figure has.
    """
    nested = {} if outcome.nested is None else {"nested": outcome.nested.figures}
    on_test = {} if outcome.test is None else {"test": outcome.test}
    if test is not None:
        model = replace(model, scores=scores_of(test, least), reliability=reliability_of(test, least))
    replace(model, metrics={**model.metrics, **nested, **on_test}, card=model_card(outcome, items)).save(path)


def artifact_of(path: Path, parity: Parity, row_seconds: float, search: SearchOptions) -> Artifact:
    """The model file as it is now, and whether it keeps within what was asked for."""
    content, took = path.read_bytes(), 1e6 * row_seconds
    exceeds = []
    if search.max_latency is not None and row_seconds > search.max_latency:
        limit = microseconds(1e6 * search.max_latency)
        exceeds.append(f"a row takes {microseconds(took)}, more than the {limit} of --max-latency")
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
        refit=trained.finalized.time_to_refit,
        halved=0 if trained.developed.halving is None else trained.developed.halving.folds,
        uncompared=() if outcome.test is None else trained.uncompared,
    )
    (folder / "recipe.toml").write_text(run.to_toml(), "utf-8")
    leaderboard_table(outcome).write_csv(folder / "leaderboard.csv")
    if not recipe.rows.private:
        predictions_table(trained.finalized.evidence).write_parquet(folder / "oof.parquet")


def write_examples(
    path: Path, outcome: Outcome, model: Model, unsealed: Problem, in_time: Callable[[float], bool]
) -> None:
    """Texts and images of single rows, for the owner alone to read."""
    page = render_examples(outcome, model, unsealed, in_time)
    path.touch(0o600)
    path.write_text(page, "utf-8")


def _costs(goal: GoalOptions, task: Task) -> Any:
    """The costs as they were given; those in a file are written out, as a recipe may outlive it."""
    if task.cost is None or not names_a_file(goal.cost):
        return goal.cost
    return {t: dict(zip(task.classes, row, strict=True)) for t, row in zip(task.classes, task.cost, strict=True)}


def undrawn(figures: Sequence[str]) -> list[Skipped]:
    """Figures for which there was no time."""
    return [Skipped(f"{len(figures)} figures of the report", TimeReserve.used_up)] if figures else []
