"""``report.html``: a run on one page, in one file, without scripts and without links to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sortal.core.interval import Estimate
from sortal.decide.prevalence import shares_around
from sortal.record import wording
from sortal.record.parts import CHOSEN
from sortal.record.run import RunRecord
from sortal.report.template import template

FOLD = 30
"""Tables with more rows than this are folded."""


@dataclass(frozen=True)
class Bar:
    """A named value and its share of the largest, for a bar of a width in percent."""

    name: str
    value: float | None
    width: float
    selected: bool = False


def render(record: RunRecord, drawings: Mapping[str, str]) -> str:
    """The report of a run as HTML.

    ``drawings``: its figures, from ``plots.draw_all``. Whatever comes from data (labels, names of columns and files) is
    escaped; the page forbids scripts and requests, should anything slip through.
    """
    from markupsafe import Markup

    figures = {name: Markup(text) for name, text in drawings.items()}
    return template("report.html.j2").render(
        record=record,
        figures=figures,
        headline=headline(record),
        comparison=comparison(record),
        shifts=shifts(record),
        phases=phases(record),
        plain_figures=plain_figures(record),
        decided_figures=decided_figures(record),
        kinds=wording.kinds(record.columns),
        fold=FOLD,
    )


def headline(record: RunRecord) -> str:
    """What was decided, in one sentence."""
    rule = record.decision.rule
    return rule[:1].upper() + rule[1:]


def plain_figures(record: RunRecord) -> dict[str, Estimate]:
    """The figures of the test; where rows are left to a person, those of all rows."""
    figures = record.figures
    if record.verification is None or record.verification.rejected is None:
        return dict(figures)
    return {name: figure for name, figure in figures.items() if not wording.of_decided_rows(name)}


def decided_figures(record: RunRecord) -> dict[str, Estimate]:
    """The figures of the rows of the test that are decided."""
    figures = record.figures
    return {name: figures[name] for name in wording.decided_first(list(figures), figures)}


def comparison(record: RunRecord) -> tuple[Bar, ...]:
    """The chosen rule beside its alternatives, with bars."""
    decision = record.decision
    rules = dict(decision.comparison)
    if decision.measure == "expected_cost" and decision.expected_cost is not None:
        rules = {CHOSEN: decision.expected_cost.value, **rules}
    largest = max((abs(value) for value in rules.values() if value is not None), default=0.0)
    return tuple(
        Bar(name, value, 100 * abs(value) / largest if value and largest > 0 else 0.0, name == CHOSEN)
        for name, value in rules.items()
    )


def shifts(record: RunRecord) -> tuple[tuple[float, float], ...]:
    """Shares of the positive class, and the precision that is certified if it had them; none where the labelled rows
    had one class only, from which no other share can be reasoned.
    """
    certificate = record.decision.certificate
    if certificate is None or certificate.bound("precision") is None or not 0 < certificate.prevalence < 1:
        return ()
    return tuple((share, certificate.precision_at(share)) for share in shares_around(certificate.prevalence))


def phases(record: RunRecord) -> tuple[Bar, ...]:
    """Where the time went; widths are shares of the whole."""
    timing = record.timing
    whole = max(timing.wall_seconds, sum(phase.seconds for phase in timing.phases), 1e-9)
    return tuple(Bar(phase.name, phase.seconds, 100 * phase.seconds / whole) for phase in timing.phases)
