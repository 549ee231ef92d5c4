"""What ``sortal show`` and ``sortal evaluate`` print: a model in short, and fresh rows against its promise."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sortal.artifact.model import Model
from sortal.core.interval import Estimate
from sortal.record import wording
from sortal.record.fresh import GRAVEST, Against, Evaluation, Promise, Verdict
from sortal.record.parts import Importance
from sortal.record.rule import rule
from sortal.report import terminal
from sortal.report.slices import slices

MARGIN = 13
MOST_COLUMNS = 40
MOST_RIVALS = 3


def model(console: Console, model: Model, file: str) -> None:
    """Task, decision, figures, columns, provenance and checklist."""
    task, card = model.task, model.card
    console.print(Text(f"{wording.plain(file)}: written by sortal {wording.plain(model.version)}", "bold"))
    _line(console, "predicts", f"{task.target}: {wording.listing([wording.plain(c) for c in task.classes], most=12)}")
    if task.positive is not None:
        _line(console, "positive", wording.plain(task.positive))
    text = rule(model.decision)
    _line(console, "decides", f"{text}; {wording.costs(task)}" if task.cost else text)
    if model.decision.certificate is not None:
        _line(
            console,
            "certified" if model.decision.certificate.holds else "refused",
            model.decision.certificate.explanation,
        )
    if card is not None:
        _line(console, "model", f"{card.chosen}: {' > '.join(step.op for step in model.program.steps)}")
        digest = f", SHA-256 {card.data.sha256[:12]}" if card.data.sha256 else ""
        _line(console, "trained on", f"{card.data.name}, {card.data.rows:,} rows{digest}; seed {card.seed}")
    for part, figures in model.metrics.items():
        _figures(console, part, figures)
    if card is not None and card.details.get("permutation"):
        _line(console, "columns", wording.adds(msgspec.convert(card.details["permutation"], Importance)))
    console.print(_columns(model))
    terminal.checklist(console, card.checklist if card is not None else (), "sortal show --json")


def picked(console: Console, model: Model, name: str, file: Path) -> None:
    """What was picked, how well it does, and on what that was measured."""
    console.print(
        Text(f"{wording.plain(name)}: {wording.plain(str(file))}, {wording.size(file.stat().st_size)}", "bold")
    )
    _line(console, "decides", rule(model.decision))
    for part, figures in model.metrics.items():
        _figures(console, part, figures)
    _line(console, "test", "not opened: it is of the model that the run chose; evaluate on fresh labelled rows")


def evaluation(console: Console, result: Evaluation) -> None:
    """What fell short is said first, then where the rows are not like those of training, then what was promised, one by
    one.
    """
    rows = f"{wording.plain(result.data)}: {wording.count_of(result.rows, 'labelled row')}"
    console.print(Text(f"{rows} scored by {wording.plain(result.model)}", "bold"))
    if result.unlabelled:
        _line(console, "left out", f"{wording.count_of(result.unlabelled, 'row')} without a label")
    if result.of_no_class:
        rows_left = f"{wording.count_of(result.of_no_class, 'row')} of no class of the model, which is wrong about them"
        terminal.hang(console, "left out", Text(rows_left, "yellow"), MARGIN)
    if result.trained_on:
        own = "the model was trained on this very data (the same SHA-256): it says nothing of fresh rows; --sealed does"
        terminal.hang(console, "not fresh", Text(own, "bold red"), MARGIN)
    for verdict in GRAVEST:
        _short_of_promise(console, result, verdict)
    for name in result.columns_absent:
        _line(console, "missing", f"no column {wording.plain(name)!r}, which the model reads: missing in all rows")
    for shift in result.shifts:
        terminal.hang(console, "unlike", Text(f"not as in training: {wording.plain(shift.message)}", "yellow"), MARGIN)
    for promise in result.promises:
        _line(console, "promised", f"{_pledge(promise)}; found {wording.interval(promise.observed)}: {promise.verdict}")
    if result.against is not None:
        _line(console, "decision", _beside_constants(result.against))
    if result.rejected is not None:
        _line(console, "rejected", f"{wording.percents(result.rejected)} of the rows are left to a person")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("metric", f"promised ({result.promised_on})", "found", ""):
        table.add_column(heading)
    for c in result.comparisons:
        promised = wording.DASH if c.promised is None else wording.interval(c.promised)
        style = {"worse": "bold red", "in doubt": "red", "better": "green"}.get(c.verdict, "dim")
        of = " (decided rows)" if result.rejected is not None and wording.of_decided_rows(c.metric) else ""
        table.add_row(wording.metric(c.metric) + of, promised, wording.interval(c.observed), Text(c.verdict, style))
    console.print(table)
    slices(console, result.slices, result.against is None or result.against.measure == "cost")
    if result.ledger is not None:
        blind = "" if result.ledger.blind else ": this score is no longer blind"
        console.print(f"the sealed test has now been opened {wording.times(result.ledger.opens)}{blind}")
    console.print(_conclusion(result))


def _short_of_promise(console: Console, result: Evaluation, verdict: Verdict) -> None:
    """Everything with this verdict, with both figures."""
    short = [f"{_pledge(p)}, found {wording.interval(p.observed)}" for p in result.promises if p.verdict == verdict]
    short += [
        f"{wording.metric(c.metric)} {wording.interval(c.observed)}, promised {wording.interval(c.promised)}"
        for c in result.comparisons
        if c.verdict == verdict
    ]
    if result.against is not None and result.against.verdict == verdict:
        rival = result.against.rivals[0]
        short.append(
            f"the decision costs more than {wording.plain(rival.name)}, by {wording.interval(rival.excess)} a row"
        )
    style = "bold red" if verdict == "worse" else "red"
    for i, text in enumerate(short):
        terminal.hang(console, "" if i else verdict, Text(text, style), MARGIN + 2)


def _pledge(promise: Promise) -> str:
    sign = "<=" if promise.measure == "fpr" else ">="
    of = f" of {wording.plain(promise.label)}" if promise.label is not None else ""
    refused = f" ({wording.level(promise.asked)} was asked and refused)" if promise.asked != promise.level else ""
    name = "coverage of sets" if promise.measure == "coverage" else wording.metric(promise.measure)
    return f"{name}{of} {sign} {wording.level(promise.level, 3)}{refused}"


def _beside_constants(against: Against) -> str:
    """The rule, and deciding every row alike."""
    cost = wording.interval(against.cost)
    head = f"costs {cost} a row" if against.measure == "cost" else f"errs in {cost} of the rows"
    ways = [f"{wording.plain(r.name)} {wording.number(r.cost)}" for r in against.rivals[:MOST_RIVALS]]
    return f"{head}; {', '.join(ways)}"


def _conclusion(result: Evaluation) -> str:
    if result.worse:
        return f"worse than promised: {wording.listing([wording.metric(name) for name in result.worse])}"
    if result.trained_on:
        return "nothing is clearly worse than promised, and on the data of training that is no proof"
    n_shifted = len({shift.column for shift in result.shifts} | {*result.columns_absent})
    reservations = [f"{wording.count_of(n_shifted, 'column')} not as in training"] if n_shifted else []
    if result.of_no_class:
        reservations.append(f"{wording.count_of(result.of_no_class, 'row')} of a class that was not in training")
    if reservations:
        why = f"{' and '.join(reservations)}, and a promise is about rows like those"
        return f"nothing is clearly worse than promised, with reservation: {why}"
    return "nothing is worse than promised" if not _doubtful(result) else "nothing is clearly worse than promised"


def _doubtful(result: Evaluation) -> bool:
    verdicts = [*(p.verdict for p in result.promises), *(c.verdict for c in result.comparisons)]
    return "in doubt" in verdicts


def fixed(console: Console, file: str, ignored: Sequence[str], data: Sequence[str]) -> None:
    """What ``--fix`` wrote, and how it is used."""
    names = wording.listing([wording.plain(name) for name in ignored], most=12) if ignored else "no column"
    _line(console, "fixed", f"{file} leaves out {names}: sortal train {shlex.join(data)} --recipe {file}")


def as_json(model: Model) -> bytes:
    """What ``show`` prints, for machines."""
    content = {
        "version": model.version,
        "task": model.task,
        "schema": model.schema,
        "decision": model.decision,
        "metrics": model.metrics,
        "card": model.card,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2)


def _line(console: Console, name: str, text: str) -> None:
    terminal.hang(console, name, Text(text), MARGIN)


def _figures(console: Console, part: str, figures: Mapping[str, Estimate]) -> None:
    texts = [f"{wording.metric(name)} {wording.interval(figure)}" for name, figure in figures.items()]
    _line(console, part, " · ".join(texts))


def _columns(model: Model) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("column", "kind", "missing", "why"):
        table.add_column(heading)
    for column in model.schema.features[:MOST_COLUMNS]:
        missing = wording.percent(column.missing) if column.missing else ""
        table.add_row(Text(wording.short(column.name)), column.kind, missing, Text(wording.plain(column.reason)))
    if (more := len(model.schema.features) - MOST_COLUMNS) > 0:
        table.add_row(f"and {more} more")
    return table
