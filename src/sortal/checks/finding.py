"""What a check is and what it says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from sortal.checks.context import AuditContext
from sortal.core.writing import listing, number

Severity = Literal["severe", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Evidence = float | int | str | bool | Sequence[float | int | str | bool | None] | None


@dataclass(frozen=True)
class Finding:
    """One thing about the data that somebody should know.

    ``severe``: scores will deceive unless something is done. ``warning``: they may; a person should judge. ``note``:
    good to know. ``column`` is None where it is about the whole table. ``evidence`` holds the figures behind the
    message, ready for JSON. ``fix`` says what can be done. ``columns``: what can be left out because of it, which is
    ``column`` unless there are more.

    >>> Finding("A301", "note", "veil", "veil is always 'p'", fix="--ignore veil").severity
    'note'
    """

    code: str
    severity: Severity
    column: str | None
    message: str
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    fix: str = ""
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.column is not None and not self.columns:
            object.__setattr__(self, "columns", (self.column,))


def unquoted(finding: Finding, title: str) -> Finding:
    """The same finding without a value or a row of the data: what was looked for, the columns, and figures.

    >>> finding = Finding("A301", "note", "veil", "veil is always 'p'", {"rows": 9, "first": "p"}, "--ignore veil")
    >>> unquoted(finding, "a column with one value")
    Finding(code='A301', severity='note', column='veil', message='a column with one value: veil', \
evidence={'rows': 9}, fix='--ignore veil', columns=('veil',))
    """
    names = list(finding.columns)
    return replace(
        finding,
        message=f"{title}: {listing(names)}" if names else title,
        evidence={name: figure for name, figure in finding.evidence.items() if isinstance(figure, int | float)},
        fix=ignoring(names) if names and "--ignore" in finding.fix else OPENLY,
    )


OPENLY = "sortal audit without --private says what was seen, and quotes it"


@dataclass(frozen=True)
class NotApplicable:
    """Why a check has nothing to say about this table, for example "no group column was named".

    ``blind``: there may be something all the same, as with too few rows to tell. ``timed_out``: there was no time to
    look.
    """

    reason: str
    blind: bool = False
    timed_out: bool = False


def too_few(what: str) -> NotApplicable:
    """There may be something, and too little of this to see it.

    >>> too_few("50 rows").reason
    'fewer than 50 rows'
    """
    return NotApplicable(f"fewer than {what}", blind=True)


Finder = Callable[[AuditContext], list[Finding] | NotApplicable]


@dataclass(frozen=True)
class Check:
    """One question to the data, registered under its code in the entry-point group ``sortal.checks``.

    ``code`` is never used again for another question. ``title`` says what is looked for. ``find`` is called with
    the case and changes nothing of it.
    """

    code: str
    title: str
    find: Finder


def brief(share: float) -> str:
    """A figure between 0 and 1 in two digits, or in more where it would round to one.

    >>> brief(0.796), brief(0.9961), brief(1)
    ('.80', '.996', '1.00')
    """
    digits = next((d for d in (2, 3, 4) if round(share, d) < 1), 2)
    return number(share, digits)


def ignoring(names: Iterable[str]) -> str:
    """The option that leaves columns out.

    >>> ignoring(["duration", "days since"])
    "--ignore duration --ignore 'days since'"
    """
    return " ".join(f"--ignore {shlex.quote(name)}" for name in names)
