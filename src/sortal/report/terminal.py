"""What a run prints: each function prints one part of the story from plain data, as wide as the console
allows.

Names come from data, so everything is printed as text, never as markup. Without a terminal there are no
colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sortal.artifact.card import Data, Item
from sortal.checks.audit import Finding, SkippedCheck
from sortal.core.interval import Estimate
from sortal.core.plain import BREAKS
from sortal.core.schema import Column
from sortal.core.skipped import Skipped
from sortal.core.task import Task
from sortal.decide.calibrate import CalibrationResult
from sortal.evaluate.verification import Verification
from sortal.record.parts import (
    CHOSEN,
    Artifact,
    Decision,
    Importance,
    Ledger,
    Nested,
    Row,
    Selection,
    Sets,
    Split,
    Timing,
)
from sortal.record.run import RunRecord
from sortal.record.wording import (
    adds,
    count_of,
    decided_first,
    decimals,
    interval,
    kinds,
    level,
    listing,
    metric,
    microseconds,
    number,
    of_decided_rows,
    percent,
    percents,
    plain,
    seconds,
    short,
    size,
    times,
)
from sortal.report.candidates import columns, corrected, front

MARGIN = 11
INDENT = 7
MOST_FINDINGS = 12
MOST_CANDIDATES = 16
MOST_FIGURES = 6


def headline(console: Console, record: RunRecord) -> None:
    """A run in a few lines: what is decided, by which model, how well."""
    names = f"{plain(record.data.name)}, target {plain(record.task.target)}"
    hang(
        console,
        "",
        Text.assemble((names, "bold"), f": {record.decision.rule}; by {plain(record.selection.chosen)}"),
        0,
    )
    for warning in record.verification.warnings if record.verification else ():
        hang(console, "! ", Text(warning, "bold red"), 2)
    if record.figures:
        _figures(console, record.figures, record.verification, record.task, 0)


def data_line(console: Console, data: Data, columns: Sequence[Column], took: float | None = None) -> None:
    """What was read, and what was noticed while reading."""
    name, shape = (
        plain(data.name),
        f"{count_of(data.rows, 'row')}, {count_of(data.columns, 'column')}: {kinds(columns)}",
    )
    head, text = (name, shape) if cell_len(name) < MARGIN - 1 else ("data", f"{name}: {shape}")
    hang(console, head, Text.assemble(text, ("" if took is None else f"   {seconds(took)}", "dim")))
    for note in data.notes:
        hang(console, "", Text(plain(note), "dim"))
    left_out = [c for c in columns if c.role == "ignore"]
    if left_out:
        reasons = [f"{short(c.name)} ({plain(c.reason)})" if c.reason else short(c.name) for c in left_out]
        hang(console, "left out", Text(listing(reasons, most=5)))


def target_line(console: Console, task: Task) -> None:
    """The classes with their shares, and why the metrics were chosen."""
    shares = [f"{short(name, 20)} {percent(share)}" for name, share in zip(task.classes, task.prevalence, strict=True)]
    name = plain(task.target)
    head, text = (f"target {name}", "") if cell_len(name) < MARGIN - 8 else ("target", f"{name}: ")
    reasons = "  ->  " + "; ".join(task.reasons) if task.reasons else ""
    hang(console, head, Text(f"{text}{listing(shares, most=8)}{reasons}"))


def sealed_line(console: Console, split: Split) -> None:
    """The test rows that nobody sees, and how rows were parted."""
    if split.outer:
        hang(console, "sealed", Text(f"no row: {split.how.removeprefix('none: ')}"))
        for note in split.notes:
            hang(console, "", Text(plain(note), "dim"))
        return
    whole = max(split.train + split.valid + split.test, 1)
    valid = f"; {count_of(split.valid, 'row')} to validate on" if split.valid else ""
    rows = f"{count_of(split.test, 'test row')} ({percent(round(split.test / whole, 2))}, {split.how})"
    hang(console, "sealed", Text(f"{rows}{valid}; opened {times(0)}"))
    for note in split.notes:
        hang(console, "", Text(plain(note), "dim"))


def audit(console: Console, findings: Sequence[Finding]) -> None:
    """What was found in the data, severe things first."""
    _title(console, "AUDIT", count_of(len(findings), "finding") if findings else "no findings")
    ranked = sorted(findings, key=lambda f: ("severe", "warning", "note").index(f.severity))
    for finding in ranked[:MOST_FINDINGS]:
        severe = finding.severity == "severe"
        head = Text.assemble("! " if severe else "  ", plain(finding.code), style="bold red" if severe else "dim")
        fix = f"   {plain(finding.fix)}" if finding.fix else ""
        hang(console, head, Text.assemble(plain(finding.message), (fix, "cyan")), INDENT)
    if len(ranked) > MOST_FINDINGS:
        hang(console, "", Text(f"and {len(ranked) - MOST_FINDINGS} more, in the report", "dim"), INDENT)


def unchecked(console: Console, skipped: Sequence[SkippedCheck]) -> None:
    """The codes of checks that had nothing to look at, or no time, by reason."""
    codes: dict[str, list[str]] = {}
    for skip in skipped:
        codes.setdefault(plain(skip.reason), []).append(skip.code)
    if codes:
        reasons = "; ".join(f"{', '.join(group)} ({reason})" for reason, group in codes.items())
        hang(console, "", Text(f"not looked for: {reasons}", "dim"), INDENT)


def leaderboard(console: Console, rows: Sequence[Row], selection: Selection, skipped: Sequence[Skipped] = ()) -> None:
    """The candidates with intervals, the chosen one marked by ``*``; what was skipped; why this one.

    On a narrow console the columns on the right go first.
    """
    _title(console, "TRAIN", count_of(len(rows), "candidate"))
    table = columns(rows)
    indent = INDENT if console.width >= 100 else 2
    while len(table) > 2 and indent + sum(column.width + 2 for column in table) > console.width:
        del table[-1]
    _line(console, Text(" " * indent + "  ".join(column.padded(column.title) for column in table), "dim"))
    behind = [row for row in rows[MOST_CANDIDATES:] if not (row.selected or row.baseline)]
    for i, row in enumerate(rows):
        if row in behind:
            continue
        text = " " * indent + "  ".join(column.padded(column.cells[i]) for column in table)
        style = "bold" if row.selected else "dim" if row.baseline else ""
        note = "; ".join(filter(None, ("baseline" if row.baseline else "", plain(row.note) if row.note else "")))
        fits = cell_len(text) + 2 + cell_len(note) <= console.width
        _line(console, Text(f"{text}  {note}" if fits else text, style))
        if note and not fits:
            hang(console, "", Text(note, "dim"), indent + 4)
    if behind:
        hang(console, "", Text(f"and {len(behind)} behind them, in the report", "dim"), indent)
    if skipped:
        reasons = listing([f"{plain(s.name)} ({plain(s.reason)})" for s in skipped], most=6)
        hang(console, "", Text(f"skipped: {reasons}", "dim"), indent)
    if points := front(rows):
        hang(console, "", Text(points, "dim"), indent)
    why = f": {plain(selection.explanation)}" if selection.explanation else ""
    name = (plain(selection.chosen), "bold")
    hang(console, "", Text.assemble("chosen: ", name, why, corrected(rows, selection)), indent)


def decision(console: Console, task: Task, calibration: CalibrationResult, decision: Decision) -> None:
    """How probabilities become decisions, and what the alternatives would cost."""
    why = f" ({plain(calibration.explanation)})" if calibration.explanation else ""
    _title(console, "DECIDE", f"calibration: {plain(calibration.method)}{why}")
    label = "expected cost per row" if task.cost else "share of errors"
    rule, digits, figure = decision.rule, 2, decision.expected_cost
    if figure is not None:
        rule, digits = f"{rule}: {label} {interval(figure)}", decimals(figure.low, figure.high)
    values = {n: v for n, v in decision.comparison.items() if n != CHOSEN or decision.measure != "expected_cost"}
    others = [f"{plain(n)} {number(v, digits)}" for n, v in values.items()]
    if others and decision.measure != "expected_cost":
        others[0] = f"{metric(decision.measure)}: {others[0]}"
    hang(console, "", Text("; ".join([rule, ", ".join(others)] if others else [rule])), INDENT)
    if decision.rejected is not None:
        rejected = f"left to a person: {percents(decision.rejected)} of the rows"
        hang(console, "", Text(f"{rejected}; of the others: accuracy {interval(decision.decided_accuracy)}"), INDENT)
    if decision.certificate is not None:
        holds = decision.certificate.holds
        head = "certified: " if holds else "REFUSED: "
        hang(console, "", Text.assemble((head, "green" if holds else "bold red"), decision.explanation), INDENT)


def adding(console: Console, permutation: Importance | None) -> None:
    """What each column adds; nothing where that was not measured."""
    if permutation is not None:
        _title(console, "COLUMNS", adds(permutation))


def sets(console: Console, sets: Sets | None) -> None:
    """How often prediction sets hold the true class, and how large they are; nothing where none were asked for."""
    if sets is None:
        return
    coverage = f"coverage {interval(sets.coverage)} on {sets.part} rows"
    size = f"{number(sets.mean_size, 2)} classes on average, one alone in {percents(sets.singles)} of the rows"
    _title(console, "SETS", f"asked {level(sets.asked)}: {coverage}; {size}")
    neglected = [plain(c.label) for c in sets.per_class if c.neglected]
    for note in (*sets.notes, *([f"seldom held where true: {listing(neglected)}"] if neglected else [])):
        hang(console, "", Text(note, "dim"), INDENT)


def shortfall(console: Console, verification: Verification | None) -> None:
    """What the test does not bear out, before anything that it was promised by; nothing where it bears out all."""
    if verification is None or not verification.warnings:
        return
    _title(console, "NOT AS PROMISED", f"{count_of(verification.rows, 'sealed row')}, on the saved model")
    for warning in verification.warnings:
        hang(console, Text("! ", "bold red"), Text(warning, "bold red"), INDENT)


def sealed_test(
    console: Console,
    figures: Mapping[str, Estimate] | None,
    verification: Verification | None,
    task: Task,
    ledger: Ledger,
) -> None:
    """The figures of the sealed rows."""
    if not figures:
        _title(console, "TEST", "still sealed")
        return
    blind = "" if ledger.blind else ", no longer blind"
    _title(console, "TEST", f"opened {times(ledger.opens)}, on the saved model{blind}")
    _figures(console, figures, verification, task, INDENT)
    for note in verification.notes if verification else ():
        hang(console, "", Text(note, "dim"), INDENT)


def nested(console: Console, nested: Nested | None, task: Task) -> None:
    """The figures that stand in for a test."""
    if nested is None:
        _title(console, "NESTED", "no outer fold ended in time: nothing was measured on rows that no model had seen")
        return
    folds = (
        f"{nested.folds} of {nested.planned} outer folds" if nested.folds < nested.planned else f"{nested.folds} folds"
    )
    what = f"{folds}, {count_of(nested.rows, 'row')}, each by a procedure that never saw it; the model itself saw all"
    _title(console, "NESTED", what)
    _figures(console, nested.figures, None, task, INDENT)


def checklist(console: Console, items: Sequence[Item], where: str = "report.html") -> None:
    """What does not hold, each with its evidence, and how many more there are; ``where`` they can be read. Nothing for
    a model that no run judged.
    """
    if not items:
        return
    applicable = [item for item in items if item.status != "not applicable"]
    n_holding = sum(item.status == "holds" for item in applicable)
    _title(console, "CHECKLIST", f"{n_holding} of {len(applicable)} hold")
    marks = {"fails": ("x", "bold red"), "not looked for": ("?", "yellow")}
    open_items = [item for status in marks for item in items if item.status == status]
    width = max((cell_len(item.item) for item in open_items), default=0)
    wide = console.width - width - 6 >= 50
    for item in open_items:
        head = Text.assemble("  ", marks[item.status], " ", item.item)
        evidence = Text(item.evidence, "red" if item.status == "fails" else "")
        hang(console, head, evidence, width + 6 if wide else 6)
    others = len(items) - len(applicable)
    beside = f", {others} {'does' if others == 1 else 'do'} not apply" if others else ""
    rest = f"{n_holding}{' more' if open_items else ''} {'holds' if n_holding == 1 else 'hold'}"
    hang(console, "", Text(f"{rest}{beside}: see {where}", "dim"), 4)


def closing(
    console: Console, timing: Timing, folder: Path, artifact: Artifact | None = None, examples: str | None = None
) -> None:
    """How long it took, and where everything is. ``examples``: the page of them, where there is one."""
    budget = f" of {timing.budget_seconds:g}" if timing.budget_seconds else ""
    budget = f" for an effort of {timing.effort:g}" if timing.effort else budget
    model = _model(artifact) if artifact else None
    files = "  ".join(filter(None, ["report.html", examples, model, "run.json"]))
    for note in artifact.exceeds if artifact else ():
        hang(console, "", Text.assemble(("! ", "bold red"), note), INDENT)
    _line(console, Text(f"{timing.wall_seconds:.1f} s{budget}.  {folder}:  {files}"))


def _model(artifact: Artifact) -> str:
    row = "" if artifact.row_microseconds is None else f", {microseconds(artifact.row_microseconds)} a row"
    return f"{artifact.file} ({size(artifact.bytes)}{row})"


def _figures(
    console: Console, figures: Mapping[str, Estimate], verification: Verification | None, task: Task, indent: int
) -> None:
    """The headline figures, or the first ones where none of these is there; those of decisions apart where rows are
    left to a person.
    """
    names = ([name for name in task.headline if name in figures] or list(figures))[:MOST_FIGURES]
    if verification is None or verification.rejected is None:
        _row(console, names, figures, indent)
        return
    _row(console, [name for name in names if not of_decided_rows(name)], figures, indent)
    _row(
        console,
        decided_first(names, figures),
        figures,
        indent,
        f"left to a person {percents(verification.rejected)} of the rows; of the others",
    )


def _row(console: Console, names: Sequence[str], figures: Mapping[str, Estimate], indent: int, head: str = "") -> None:
    """Figures beside each other; none is parted from its interval."""
    line = f"{head}: " if head else ""
    for i, name in enumerate(names):
        figure = f"{metric(name)} {interval(figures[name])}"
        if line.strip() and indent + len(line) + 3 + len(figure) > console.width:
            _line(console, Text(" " * indent + line))
            line = ""
        line = f"{line} · {figure}" if line and i else f"{line}{figure}"
    _line(console, Text(" " * indent + line))


def _title(console: Console, name: str, text: str) -> None:
    console.print()
    hang(console, Text(name, "bold"), Text(text), INDENT if len(name) < INDENT else len(name) + 2)


def hang(console: Console, head: str | Text, body: Text, indent: int = MARGIN) -> None:
    """``head`` in the margin, ``body`` wrapped beside it; below it where the margin is too small. Names in it break no
    line.
    """
    head = Text(head) if isinstance(head, str) else head
    head, body = _in_one_line(head), _in_one_line(body)
    if head.cell_len >= max(indent, 1):
        _line(console, head)
        head = Text()
    head.pad_right(indent - head.cell_len)
    for line in body.wrap(console, max(console.width - indent, 20)) or [Text()]:
        _line(console, Text.assemble(head, line))
        head = Text(" " * indent)


def _line(console: Console, text: Text) -> None:
    text = _in_one_line(text)
    text.rstrip()
    console.print(text, soft_wrap=True)


def _in_one_line(text: Text) -> Text:
    """A line break within a name is a blank."""
    text.plain = text.plain.translate(_BLANKS)
    return text


_BLANKS = dict.fromkeys(map(ord, BREAKS), " ")
