"""The whole trip on one page: from a labelled table to a sealed, scored, saved and explained classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import sortal
from sortal.artifact.model import PARITY_ROWS, TOLERANCE, Model, check_parity, golden_rows, load, time_row
from sortal.core.cost_notation import names_a_file
from sortal.core.door import rows_of_frame
from sortal.core.errors import DataError, OptionError
from sortal.core.frame import conform
from sortal.core.interrupt import finishing_on_interrupt
from sortal.core.labels import encode
from sortal.core.listen import Listener, Silent
from sortal.core.predictions import Part, Predictions
from sortal.core.profile import profile
from sortal.core.recipe import Recipe
from sortal.core.relations import same_rows
from sortal.core.sheets import GoalOptions
from sortal.core.task import Task
from sortal.data.audit import Case, Finding, History, Parting
from sortal.data.audit import audit as audit_rows
from sortal.data.ledger import Seal
from sortal.data.problem import Problem, check_groups, frame_problem, part
from sortal.data.read import Source, read
from sortal.data.split import Parts, SplitPlan, split, split_as_told
from sortal.data.whole import is_taken, new_folder, replacing
from sortal.decide.calibrate import entries
from sortal.report import record
from sortal.report.assemble import (
    Results,
    assemble,
    describe_columns,
    describe_data,
    describe_findings,
    describe_ledger,
    describe_skipped,
    describe_split,
    facts,
    figures,
    leaderboard_table,
    model_card,
    predictions_table,
)
from sortal.report.checklist import checklist
from sortal.report.closing import Closing, Size, plan_closing
from sortal.report.evaluation import AuditReport, Evaluation, Fresh, judge
from sortal.report.html import render
from sortal.report.looks import folder_of, look, seal_of
from sortal.report.plots import draw_all
from sortal.report.record import RunRecord
from sortal.training.deadline import Deadline
from sortal.training.develop import LARGE, holdout_rows
from sortal.training.executor import Executor
from sortal.training.trained import Trained, train_rows
from sortal.training.zoo import NO_TIME, TimeReserve

AUDIT_SHARE = 0.1
"""Of the budget, after which the audit ends; the checks left out are listed. Where reading took more than half of it, of what is left."""
GUESSING_SHARE = 1 / 3
"""Of the time until the end has to begin, what importing what guessing checks need may take; training needs the rest, and the same import."""
FOLDED = 10_000
"""Rows times classes that a second of the budget gets through all folds, so that all of them are evidence; else one fold is."""
MODEL_FILE = "model.sortal"
RUNS = "runs"
"""Where runs go that were given no folder."""


class Audience(Listener, Protocol):
    """Hears of a run as it goes; a terminal prints what it hears."""

    def framed(self, data: record.Data, dev: Problem, split: record.Split) -> None:
        """What was read, what is to be decided, and how much is sealed."""

    def audited(self, findings: tuple[record.Finding, ...], late: tuple[record.Unchecked, ...]) -> None:
        """What the audit found, and the checks that it had no time for."""


class NoAudience(Silent):
    """For pipes, tests and Python."""

    def framed(self, data: record.Data, dev: Problem, split: record.Split) -> None:
        """Does nothing."""

    def audited(self, findings: tuple[record.Finding, ...], late: tuple[record.Unchecked, ...]) -> None:
        """Does nothing."""


def train_into(
    out: Path, data: object, recipe: Recipe, audience: Audience, started: float, executor: Executor | None = None
) -> RunRecord:
    """The whole trip. The folder appears at ``out`` when everything is in it, or not at all.

    ``data``: paths or a table; ``started``: the ``time.monotonic()`` from which the budget counts. ``executor``: where the
    fits of folds run; in this process where None.
    """
    steps = Steps(audience, Deadline.since(started, recipe.search.budget))
    with new_folder(out) as folder, finishing_on_interrupt(audience.finishing) as interrupts:
        steps.enter("read")
        whole = frame_problem(data, recipe.goal, recipe.rows)
        parts, seal = seal_test(whole, recipe, folder)
        about_data, about_split = describe_data(whole), describe_split(whole, parts, recipe.rows)
        sealed = whole.table.rows[parts.test]
        dev = part(whole, np.sort(np.concatenate([parts.train, parts.valid])))
        valid = np.flatnonzero(np.isin(dev.table.rows, whole.table.rows[parts.valid]))
        case = case_of(whole, parts, dev, recipe)
        del whole
        audience.framed(about_data, dev, about_split)

        steps.enter("audit")
        seconds = AUDIT_SHARE * min(recipe.search.budget, 2 * steps.deadline.left)
        closing = close_plan(dev, sealed, recipe, steps.deadline)
        affordable = steps.deadline.importing < GUESSING_SHARE * (steps.deadline.left - closing.seconds)
        without = recipe.search.unchecked if recipe.search.plan else None
        audited = audit_rows(case, seconds=seconds, guesses=affordable, without=without)
        del case
        audience.audited(describe_findings(audited.findings), describe_skipped(audited.late))

        steps.enter("train")
        reserve = TimeReserve(steps.deadline, closing.seconds, len(sealed) + PARITY_ROWS, interrupts)
        trained = train_rows(dev.table, dev.codes, dev.task, recipe, reserve, audience, valid=valid, executor=executor)
        log = trained.fit_log(sealed)

        steps.enter("finalize")
        model, parity = save(folder / MODEL_FILE, dev, trained, recipe.search.seed)
        a_row = time_row(model, {name: dev.raw[name][0] for name in model.reads.names})

        steps.enter("test")
        test = None if seal is None else open_test(model, seal, sealed)
        history = History(log.fits, log.leaked_rows, seal.opens if seal else 0)
        audited = replace(audited, findings=audited.findings + looked_back(dev, recipe, history))

        steps.enter("report")
        before = model.metrics[trained.finalized.evidence.part]
        promised = {name: record.Estimate(**figure) for name, figure in before.items()}
        results = Results(dev, about_data, about_split, seal, audited, trained, promised, test)
        finished = replace(
            assemble(results, recipe, steps.timing(trained)),
            artifact=describe_model(folder / MODEL_FILE, parity, a_row),
        )
        finished = replace(finished, checklist=checklist(finished, facts(results, model, log, sealed)))
        complete(folder / MODEL_FILE, model, finished)
        finished = replace(finished, artifact=describe_model(folder / MODEL_FILE, parity, a_row))
        write_tables(folder, finished, trained, recipe.changed(unchecked=tuple(skip.code for skip in audited.late)))
        drawn = draw_all(finished, trained.finalized.evidence, test, lambda: closing.may_draw(steps.deadline.left))
        # Drawing takes a while, and all that is told of the time is to be the same: so the clock is read between.
        finished = replace(finished, timing=steps.timing(trained, drawn.late))
        (folder / "report.html").write_text(render(finished, drawn.figures), "utf-8")
        (folder / "run.json").write_bytes(finished.to_json())
    return finished


def close_plan(dev: Problem, sealed: NDArray[np.int64], recipe: Recipe, deadline: Deadline) -> Closing:
    """What must follow the search for a model, and how long it will take."""
    n, classes = len(dev.codes), len(dev.task.classes)
    evidence = (
        holdout_rows(recipe.search.budget)
        if n > LARGE
        else min(n, max(n // 5, int(FOLDED * recipe.search.budget / classes)))
    )
    size = Size(evidence + len(sealed), classes, len(dev.table.schema.columns), entries(recipe.search.budget), n)
    return plan_closing(size, deadline.left, deadline.busyness)


class Steps:
    """The steps of a run, with the seconds that each took."""

    def __init__(self, listener: Listener, deadline: Deadline) -> None:
        self.deadline = deadline
        self._listener = listener
        self._begun: list[tuple[str, float]] = [("start", 0.0)]

    def enter(self, name: str) -> None:
        """The step before ends and this one begins."""
        self._begun.append((name, self.deadline.spent))
        self._listener.phase(name.upper())

    def timing(self, trained: Trained, undrawn: Sequence[str] = ()) -> record.Timing:
        """Up to now. ``undrawn``: figures for which there was no time."""
        now = self.deadline.spent
        ends = [*(at for _, at in self._begun[1:]), now]
        phases = [record.Phase(name, end - at) for (name, at), end in zip(self._begun, ends, strict=True)]
        skipped = [record.Skipped(s.name, s.reason) for s in trained.developed.explored.skipped]
        if undrawn:
            skipped.append(record.Skipped(f"{len(undrawn)} figures of the report", NO_TIME))
        return record.Timing(self.deadline.budget, now, tuple(phases), tuple(skipped))


def seal_test(whole: Problem, recipe: Recipe, folder: Path) -> tuple[Parts, Seal | None]:
    """Part the rows, and lock the test away. From here on nothing but the ledger gives it out."""
    parts = divide(whole, recipe)
    check_groups(whole, parts.train, recipe.rows)
    if recipe.goal.promises and not len(parts.valid):
        raise OptionError(
            f"a promise is proven on rows that nothing else sees, and --split {recipe.parts} has none: 65/20/15"
        )
    if not len(parts.test):
        return parts, None
    return parts, Seal.close(folder, whole.raw[parts.test], by=_signature())


def divide(whole: Problem, recipe: Recipe) -> Parts:
    """The parts, as the recipe asks for them or as a column tells them."""
    if recipe.rows.split_column is not None:
        return split_as_told(whole.table, whole.codes, recipe.rows.split_column)
    return split(whole.table, whole.codes, SplitPlan.parse(recipe.parts), recipe.search.seed)


def save(path: Path, dev: Problem, trained: Trained, seed: int) -> tuple[Model, record.Parity]:
    """Write the model file, read it back, and prove that it says what the trained model says.

    Raises ParityError where it does not.
    """
    finalized = trained.finalized
    found = figures(dev.task, finalized.evidence, finalized.decision, seed)
    known = profile(dev.table, trained.dev.smallest_count)
    Model(
        schema=dev.table.schema,
        task=dev.task,
        decision=finalized.decision,
        program=finalized.program,
        metrics={finalized.evidence.part: found},
        sets=finalized.sets,
        profile=known,
        golden=golden_rows(known),
    ).save(path)
    model = load(path)
    rows = dev.table.take(np.arange(min(PARITY_ROWS, len(dev.table))))
    expected = finalized.predict_by_library(rows)
    precision = trained.developed.choice.chosen.candidate.family.precision
    parity = check_parity(model, rows, expected, TOLERANCE[precision])
    return model, record.Parity(parity.rows, parity.max_difference, parity.label_flips)


def complete(path: Path, model: Model, finished: RunRecord) -> None:
    """Put the figures of the test and the card into the model file; what scores a row is the very program that was tested."""
    figures_by_part = model.metrics if finished.test is None else {**model.metrics, "test": finished.test}
    replace(model, metrics=figures_by_part, card=model_card(finished)).save(path)


def describe_model(path: Path, parity: record.Parity, row_seconds: float) -> record.Artifact:
    """The model file as it is now."""
    content = path.read_bytes()
    return record.Artifact(path.name, len(content), hashlib.sha256(content).hexdigest(), parity, 1e6 * row_seconds)


def write_tables(folder: Path, finished: RunRecord, trained: Trained, recipe: Recipe) -> None:
    """What was asked and run, the leaderboard, and the predictions that the decision was made on, which are of single rows."""
    run = recipe.changed(
        cost=_costs_told(recipe.goal, finished.task), plan=trained.developed.plan(), refit=trained.finalized.refit
    )
    (folder / "recipe.toml").write_text(run.to_toml(), "utf-8")
    leaderboard_table(finished).write_csv(folder / "leaderboard.csv")
    if not recipe.rows.private:
        predictions_table(trained.finalized.evidence).write_parquet(folder / "oof.parquet")


def _costs_told(goal: GoalOptions, task: Task) -> Any:
    """The costs as they were told; those in a file are written out, as a recipe may outlive it."""
    if task.cost is None or not names_a_file(goal.cost):
        return goal.cost
    return {t: dict(zip(task.classes, row, strict=True)) for t, row in zip(task.classes, task.cost, strict=True)}


def open_test(model: Model, seal: Seal, rows: NDArray[np.int64]) -> Predictions:
    """The one look at the sealed rows, through the model file as it was saved."""
    sealed = Source(seal.open("score of the saved model", by=_signature()), "the sealed test")
    return score_labelled(model, sealed, "test", rows).predictions


def score_labelled(
    model: Model, source: Source, named: Part, rows: NDArray[np.int64] | None = None, *, allow_missing: bool = False
) -> Fresh:
    """Predictions for labelled rows, and what they are like; those without a label are left out, and counted."""
    if model.schema.only("target") is None:
        raise OptionError(
            f"the model does not know the column of {model.task.target!r}; evaluate one that was trained from a table"
        )
    labels = conform(source.frame, model.schema, ("target",), source=source.name).to_series().alias("")
    codes = encode(labels, model.task)
    known = np.flatnonzero(codes >= 0)
    if not len(known):
        raise DataError(f"no row of {source.name} has a label in {model.task.target!r}")
    ids = np.arange(len(codes)) if rows is None else rows
    may_lack = allow_missing or source.records
    # All rows are conformed, so that messages count them as the file does.
    labelled = rows_of_frame(source.frame, model.needs, source=source.name, allow_missing=may_lack).take(known)
    grouping, groups = model.schema.only("group"), None
    if grouping is not None and grouping.name in source.frame.columns:
        groups = same_rows(conform(source.frame, model.schema, ("group",), source=source.name)[known])
    answers, amounts = model.answer_rows(labelled), labelled.amounts(model.decision.cost_columns)
    found = Predictions(model.task.classes, ids[known], codes[known], answers.probabilities, named, amounts, groups)
    return Fresh(source.name, found, len(codes) - len(known), labelled.columns, labelled.absent, source.notes)


def evaluate(
    model_file: Path,
    data: Sequence[str],
    sealed: bool = False,
    *,
    allow_missing: bool = False,
    verify: Path | None = None,
) -> Evaluation:
    """Score labelled rows and compare with what was promised.

    A look at the run's sealed rows, by ``sealed`` or by their path, goes through the ledger: it is recorded, and the score is
    blind only the first time. ``allow_missing``: a column that the model reads may be absent, and is missing in all rows then. ``verify``: a public key, for which the model must be signed.
    """
    if sealed and data:
        raise OptionError("--sealed looks at the run's own test; leave the data out, or --sealed")
    if not sealed and not data:
        raise OptionError("say which labelled rows to evaluate on, or --sealed for the run's own test")
    model = load(model_file, verify)
    home = Seal(folder_of(model_file)) if sealed else seal_of(data, model_file)
    source = read(data) if home is None else look(model, model_file, home, "sortal evaluate")
    fresh = score_labelled(model, source, "fresh" if home is None else "test", allow_missing=allow_missing)
    return judge(model_file.name, model, fresh, None if home is None else describe_ledger(home))


def audit(data: object, recipe: Recipe) -> AuditReport:
    """What is wrong with the data, before any training."""
    whole = frame_problem(data, recipe.goal, recipe.rows)
    parts = divide(whole, recipe)
    dev = part(whole, np.sort(np.concatenate([parts.train, parts.valid])))
    found = audit_rows(case_of(whole, parts, dev, recipe))
    return AuditReport(
        data=describe_data(whole),
        columns=describe_columns(whole.table.schema, recipe.rows),
        task=dev.task,
        split=describe_split(whole, parts, recipe.rows),
        findings=describe_findings(found.findings),
        skipped=describe_skipped(found.skipped),
    )


def case_of(whole: Problem, parts: Parts, dev: Problem, recipe: Recipe) -> Case:
    """What the audit looks at: the rows that may be trained on, and of all rows which part they are in."""
    if not len(parts.test) + len(parts.valid):
        return Case(
            dev.table, dev.codes, dev.task.classes, recipe.search.seed, dev.raw, disclosure=recipe.rows.disclosure
        )
    held = np.zeros(len(whole.codes), dtype=np.bool_)
    held[np.concatenate([parts.valid, parts.test])] = True
    parting = Parting(
        features=whole.table.features(),
        held=held,
        groups=whole.table.groups,
        times=whole.table.times,
    )
    return Case(
        dev.table, dev.codes, dev.task.classes, recipe.search.seed, dev.raw, parting, disclosure=recipe.rows.disclosure
    )


def looked_back(dev: Problem, recipe: Recipe, history: History) -> tuple[Finding, ...]:
    """What the audit says of the run itself."""
    case = Case(
        dev.table,
        dev.codes,
        dev.task.classes,
        recipe.search.seed,
        dev.raw,
        history=history,
        disclosure=recipe.rows.disclosure,
    )
    return audit_rows(case, "run").findings


def write_fix(path: Path, asked: Recipe, found: AuditReport) -> tuple[str, ...]:
    """Write a recipe that leaves out the columns of severe findings, and return what it leaves out.

    A recipe that is there keeps its other options. Raises OptionError where it is about another target.
    """
    recipe = Recipe.read(path) if path.exists() else asked
    if recipe.goal.target != asked.goal.target:
        raise OptionError(f"{path} is there already and predicts {recipe.goal.target!r}; move it away")
    severe = [name for finding in found.findings if finding.severity == "severe" for name in finding.columns]
    recipe = recipe.changed(ignore=tuple(dict.fromkeys([*recipe.rows.ignore, *severe])), plan=())
    with replacing(path) as temporary:
        temporary.write_text(recipe.to_toml(), "utf-8")
    return recipe.rows.ignore


def next_folder(data: Sequence[str]) -> Path:
    """``runs/NAME-1``, or the next number that is free, and that no run is about to take."""
    stem = Path(data[0]).name.split(".")[0] or "run"
    return next(path for i in count(1) if not is_taken(path := Path(RUNS, f"{stem}-{i}")))


def _signature() -> str:
    return f"sortal {sortal.__version__}"
