"""A104: a column that predicts what all others together cannot: is it known only afterwards?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Finding, NotApplicable, Severity, brief, ignoring, too_few
from sortal.checks.measures.multivariate import Lift
from sortal.checks.measures.power import LEAST_ROWS, Power
from sortal.checks.missingness import telling
from sortal.checks.target_copy import copies
from sortal.core.kinds import kind_of
from sortal.core.table import Table

_LEAST_OTHERS = 20
"""Rows. Chosen, not measured: fewer tell no ROC-AUC."""
_DECISIVE = 0.95
"""ROC-AUC. Chosen on the tables of decision 0016."""
_LEVELS = (0.97, 0.95, 0.9, 0.85)
"""ROC-AUC of suspects, from the strongest down. Chosen, not measured: steps that part few columns from the rest."""
_FEW = 1 / 4
"""Share of the columns. Chosen, not measured: where more are strong, the table is easy."""
_STRONG = 0.75
"""ROC-AUC of the best column. Chosen on the tables of decision 0016."""
_LOST = 0.3
"""Share of the Gini of all columns. Chosen on the tables of decision 0016."""
_AHEAD = 1.7
"""Times the Gini of the next column. Chosen on the tables of decision 0016."""
_REMARKABLE = 0.98
"""ROC-AUC that is worth a note. Chosen, not measured: nearly decisive for every row."""
_MOST_NOTES = 3
"""Chosen, not measured: more say the same again."""
_MOST_LIFTS = 3
"""Columns whose lift is measured, for speed: a forest each, six or seven in all (decision 0016)."""
_USED = 0.01
"""ROC-AUC that shuffling costs, for speed. Chosen, not measured: less than half of what a note asks for."""
_LIFTS = 0.04
"""ROC-AUC. Chosen on the tables of decision 0016: 99 % of leaks that are worth .05 are found."""
_ADDS = 0.025
"""ROC-AUC of a note. Chosen on the same tables: no leak is noted that is no warning, so it could be more (decision
0016)."""
_ERRORS = 2.0
"""Standard errors of the lift (DeLong's). Chosen on the same tables (decision 0016)."""
_GOOD = 0.72
"""ROC-AUC of all columns for a warning: in poorer tables honest columns are named (decision 0016)."""
_FAIR = 0.7
"""ROC-AUC of all columns for a finding, for the same reason (decision 0016)."""
_AMONG = 2.0
"""Times the lift of the third. Without it four equal honest columns were four warnings (decision 0016)."""
_CLEAR = 8.0
"""Standard errors of a lift that counts in a poor table all the same (decision 0016)."""


@dataclass(frozen=True)
class _Gap:
    """What all columns reach together, and what is left without the suspects."""

    suspects: Sequence[Power]
    everything: float
    rest: float


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Severe: the few columns without which a decisive table (ROC-AUC >= .95) is no longer decisive.

    Warning: one column, far ahead of the next, that carries a third of what all achieve, or any that adds .04 or more
    to what the others reach, beyond two standard errors and twice what the third best adds. Note: a column that adds
    .025, or one that is decisive alone where the others are as well; none where most columns are. Copies of the target
    (A101) and columns that are missing by class (A102) are left aside.
    """
    table, codes = context.table, context.codes
    if len(codes) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    if len(codes) - np.bincount(codes).max() < _LEAST_OTHERS:
        return too_few(f"{_LEAST_OTHERS} rows outside the most frequent class")
    excluded_names = telling(context) | {power.column for power in copies(context.powers, codes)}
    aside = [power for power in context.powers if power.column in excluded_names]
    powers = [power for power in context.powers if power not in aside]
    if len(powers) < 2:
        return NotApplicable("fewer than two columns to compare")
    findings: list[Finding] = []
    if powers[0].auc >= _DECISIVE:
        if severe := _decisive(context, powers, aside):
            return severe
    elif powers[0].auc >= _STRONG and _gini(powers[0].auc) >= _AHEAD * _gini(powers[1].auc):
        gap = _gap(context, powers[:1], aside)
        if _gini(gap.rest) <= (1 - _LOST) * _gini(gap.everything):
            findings = [_warning(powers[0], gap, table)]
    findings += _adding(context, [power for power in powers if not findings or power is not powers[0]], aside)
    remarkable = [power for power in powers if power.auc >= _REMARKABLE]
    if len(remarkable) > max(2, _FEW * len(powers)):
        return findings
    columns = {finding.column for finding in findings if finding.column}
    new = [power for power in remarkable[:_MOST_NOTES] if power.column not in columns]
    return findings + [_note(power, _gap(context, [power], aside).rest, table) for power in new]


def _decisive(context: AuditContext, powers: Sequence[Power], aside: Sequence[Power]) -> list[Finding]:
    for suspects in _suspects(powers, context.table):
        if context.reach([power.column for power in [*aside, *suspects]]) < _DECISIVE:
            gap = _gap(context, suspects, aside)
            return [_severe(power, gap, context.table) for power in suspects]
    return []


def _adding(context: AuditContext, powers: Sequence[Power], aside: Sequence[Power]) -> list[Finding]:
    """Of the three columns that a forest uses most, those without which it knows clearly less.

    Three that add alike are columns as they should be, and so is one that carries a table where little can be known.
    """
    others = [power.column for power in aside]
    drops = context.multivariate(others, weighed=True).drops
    names = sorted((name for name, drop in drops.items() if drop >= _USED), key=lambda name: -drops[name])[:_MOST_LIFTS]
    lifts = {name: context.lift(name, others) for name in names}
    least = max(_ADDS, _AMONG * min(lift.value for lift in lifts.values()) if len(lifts) == _MOST_LIFTS else 0.0)
    clear = {name: lift for name, lift in lifts.items() if lift.value >= max(least, _ERRORS * lift.error)}
    good = {name: lift for name, lift in clear.items() if _good(lift, _FAIR)}
    return [_adds(power, good[power.column], context.table) for power in powers if power.column in good]


def _good(lift: Lift, least: float) -> bool:
    """Too good to be true needs good; in a poor table only what is clear beyond eight standard errors."""
    return lift.everything >= least or lift.value >= _CLEAR * lift.error


def _gap(context: AuditContext, suspects: Sequence[Power], aside: Sequence[Power]) -> _Gap:
    others, these = ([power.column for power in powers] for powers in (aside, suspects))
    return _Gap(suspects, max(context.reach(others), suspects[0].auc), context.reach([*others, *these]))


def _suspects(powers: Sequence[Power], table: Table) -> list[list[Power]]:
    """The columns from each level of strength upwards, as long as they are few of all, dates not counted."""
    most = max(1, _FEW * len(powers))
    sets = [[power for power in powers if power.auc >= level] for level in _LEVELS]
    few = [sum(not _is_date(power.column, table) for power in group) <= most for group in sets]
    return [group for group, fewer, ok in zip(sets, [[], *sets], few, strict=False) if ok and len(fewer) < len(group)]


def _is_date(name: str, table: Table) -> bool:
    return kind_of(table.schema[name].kind).storage == "moment"


def _gini(roc_auc: float) -> float:
    return 2 * roc_auc - 1


def _severe(power: Power, gap: _Gap, table: Table) -> Finding:
    who = "it" if len(gap.suspects) == 1 else f"the {len(gap.suspects)} columns of this kind"
    message = (
        f"{power.column} predicts alone: ROC-AUC {brief(power.auc)} without anything else; "
        f"without {who} the others reach {brief(gap.rest)}. Known only afterwards?"
    )
    return Finding(check.code, "severe", power.column, message, _evidence(power, gap), _fix(power.column, table))


def _warning(power: Power, gap: _Gap, table: Table) -> Finding:
    message = (
        f"{power.column} predicts alone: ROC-AUC {brief(power.auc)} of {brief(gap.everything)} without anything else; "
        f"the others reach {brief(gap.rest)} without it. Known only afterwards?"
    )
    return Finding(check.code, "warning", power.column, message, _evidence(power, gap), _fix(power.column, table))


def _note(power: Power, rest: float, table: Table) -> Finding:
    message = (
        f"{power.column} predicts alone: ROC-AUC {brief(power.auc)}; the others reach {brief(rest)} without it, "
        "so this may well be real"
    )
    evidence = {"roc_auc": power.auc, "roc_auc_rest": rest}
    return Finding(check.code, "note", power.column, message, evidence, _fix(power.column, table))


def _adds(power: Power, lift: Lift, table: Table) -> Finding:
    """Many honest columns are strong: the smaller the lift, the more this is a question."""
    message = (
        f"{power.column} knows what the others do not: ROC-AUC {brief(lift.everything)} with it, {brief(lift.rest)} "
        "without. "
        "Is it known when the decision is due?"
    )
    evidence = {
        "roc_auc": power.auc,
        "roc_auc_all": lift.everything,
        "roc_auc_rest": lift.rest,
        "standard_error": lift.error,
    }
    large = lift.value >= _LIFTS and _good(lift, _GOOD) and not _is_date(power.column, table)
    severity: Severity = "warning" if large else "note"
    return Finding(check.code, severity, power.column, message, evidence, _fix(power.column, table))


def _evidence(power: Power, gap: _Gap) -> dict[str, float | int | str | list[str]]:
    return {
        "roc_auc": power.auc,
        "roc_auc_all": gap.everything,
        "roc_auc_rest": gap.rest,
        "suspects": [suspect.column for suspect in gap.suspects],
    }


def _fix(name: str, table: Table) -> str:
    if _is_date(name, table):
        return f"if rows follow each other in time, split by it: --time {shlex.quote(name)}"
    return f"leave it out if it is known only after the outcome: {ignoring([name])}"


check = Check("A104", "a column that predicts alone what the others cannot", find)
