"""What is wrong with labelled data, before any training."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from sortal.artifact.card import Data
from sortal.checks.audit import AuditContext, Finding, SkippedCheck, SplitView
from sortal.checks.audit import audit as audit_rows
from sortal.core.disclosure import Disclosure
from sortal.core.display import AsText
from sortal.core.errors import OptionError
from sortal.core.recipe import Recipe
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.data.division import divide
from sortal.data.problem import Problem, frame_problem, part
from sortal.data.split import Parts
from sortal.data.whole import replacing
from sortal.record.describe import describe_columns, describe_data, describe_split
from sortal.record.parts import Split
from sortal.report import terminal
from sortal.report.screen import NOTEBOOK, Screen


@dataclass(frozen=True, repr=False)
class AuditReport(AsText):
    """What ``sortal audit`` says of the rows that training would see; the others stay unseen, but for what parts have
    in common.
    """

    data: Data
    columns: tuple[Column, ...]
    task: Task
    split: Split
    findings: tuple[Finding, ...]
    skipped: tuple[SkippedCheck, ...] = ()

    def print(self, console: Console) -> None:
        """The data, the target, the parts and the findings with what can be done about each."""
        terminal.data_line(console, self.data, self.columns)
        terminal.target_line(console, self.task)
        terminal.sealed_line(console, self.split)
        terminal.audit(console, self.findings)
        terminal.unchecked(console, self.skipped)

    def __repr__(self) -> str:
        text = io.StringIO()
        self.print(Screen(text, NOTEBOOK))
        return text.getvalue().rstrip()

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def audit(data: object, recipe: Recipe) -> AuditReport:
    """All checks, of the rows that a run with this recipe would train on."""
    whole = frame_problem(data, recipe.goal, recipe.rows)
    parts = divide(whole.table, whole.codes, recipe)
    unsealed = part(whole, np.sort(np.concatenate([parts.train, parts.valid])))
    result = audit_rows(context_of(whole, parts, unsealed, recipe.search.seed, recipe.rows.disclosure))
    return AuditReport(
        data=describe_data(whole),
        columns=describe_columns(whole.table.schema, recipe.rows),
        task=unsealed.task,
        split=describe_split(whole, parts, recipe.rows),
        findings=result.findings,
        skipped=result.skipped,
    )


def context_of(whole: Problem, parts: Parts, unsealed: Problem, seed: int, disclosure: Disclosure) -> AuditContext:
    """What the audit looks at: the rows that may be trained on, and of all rows which part they are in."""
    context = AuditContext(
        unsealed.table,
        unsealed.codes,
        unsealed.task.classes,
        seed,
        unsealed.raw,
        disclosure=disclosure,
        names=unsealed.names,
        ordered=unsealed.ordered,
    )
    if not len(parts.test) + len(parts.valid):
        return context
    held_out = np.zeros(len(whole.codes), dtype=np.bool_)
    held_out[np.concatenate([parts.valid, parts.test])] = True
    split_view = SplitView(
        features=whole.table.features(),
        held_out=held_out,
        groups=whole.table.groups,
        times=whole.table.times,
    )
    return replace(context, split_view=split_view)


def write_fix(path: Path, request: Recipe, report: AuditReport) -> tuple[str, ...]:
    """Write a recipe that leaves out the columns of severe findings, and return what it leaves out.

    A recipe that is there keeps its other options. Raises OptionError where it is about another target.
    """
    recipe = Recipe.read(path) if path.exists() else request
    if recipe.goal.target != request.goal.target:
        raise OptionError(f"{path} is there already and predicts {recipe.goal.target!r}; move it away")
    severe = [name for finding in report.findings if finding.severity == "severe" for name in finding.columns]
    recipe = recipe.with_options(ignore=tuple(dict.fromkeys([*recipe.rows.ignore, *severe])), plan=())
    with replacing(path) as temporary:
        temporary.write_text(recipe.to_toml(), "utf-8")
    return recipe.rows.ignore
