"""Pages of HTML: whatever is filled in is escaped, and written as everywhere else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sortal.core.interval import Estimate
from sortal.core.plain import visible
from sortal.evaluate.metrics import doc_of
from sortal.record import wording
from sortal.record.parts import Row

if TYPE_CHECKING:
    from jinja2 import Template


def excludes_zero(gain: Estimate) -> bool:
    """Whether a gain is beyond chance."""
    return gain.low is not None and gain.low > 0


def row_interval(row: Row) -> str:
    """The figure of a candidate, in the digits that tell candidates apart."""
    return wording.interval(row.score, digits=4)


@cache
def template(name: str) -> Template:
    """A page of this folder, in which whatever is filled in is escaped and written for people."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def printable(value: object) -> object:
        return wording.plain(value) if isinstance(value, str) and not isinstance(value, Markup) and value else value

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda file: files("sortal.report").joinpath(file).read_text(encoding="utf-8")),
    )
    environment.filters.update(
        interval=wording.interval,
        row_interval=row_interval,
        excludes_zero=excludes_zero,
        percents=wording.percents,
        spread=wording.spread,
        level=wording.level,
        signed=lambda value: f"{value:+.2f}",
        verbatim=lambda text: Markup.escape(visible(text)),
        tiny=wording.tiny,
        places=lambda figure: wording.decimals(figure.low, figure.high),
        times=wording.times,
        number=wording.number,
        count=wording.count,
        count_of=wording.count_of,
        percent=wording.percent,
        seconds=wording.seconds,
        microseconds=wording.microseconds,
        size=wording.size,
        metric=wording.metric,
        metric_doc=doc_of,
        costs=wording.costs,
        short=wording.short,
        evidence=wording.evidence,
        beside=wording.beside,
        measured=wording.measured,
    )
    return environment.get_template(name)
