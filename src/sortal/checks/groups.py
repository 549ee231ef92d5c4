"""A205: a column that says whose rows these are, while rows of one owner may lie on both sides of a split."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, brief, too_few
from sortal.checks.measures.power import LEAST_ROWS, auc, held_out, ranks
from sortal.checks.target_copy import copies
from sortal.core.arrays import Floats, Ints
from sortal.core.kinds import kind_of
from sortal.core.schema import Column
from sortal.data.split import folds

_LEAST_GROUPS = 15
"""Chosen, not measured: three folds then have five groups each."""
_REPEATED = 2.0
"""Rows of a group, on average: with fewer most groups have no other row to be recognised by."""
_LARGEST = 0.2
"""Share of rows. Chosen, not measured: a larger group could not be kept whole in five folds."""
_KNOWN = 0.95
"""Share of rows with an owner. Chosen, not measured: the others cannot be grouped."""
_SAMPLE = 2_000
"""Rows, for speed: each column takes two to four small forests in three folds."""
_MOST_COLUMNS = 40
"""For speed: the best by themselves."""
_MOST_TRIED = 2
"""Columns, for speed: the likeliest owners."""
_DROP = 0.03
"""ROC-AUC. With it only true owners, places and breeds of 31 public tables are named (decision 0017)."""
_ERRORS = 4.0
"""Deviations of groups made at random; the second half of the same rule (decision 0017)."""
_PERMUTATIONS = 3
"""Groups made at random: the least that have a deviation worth the name; each is a forest."""
_ALIKE = 0.5
"""Share of the variance between owners. Chosen, not measured: rows are then more like their owner than like others."""
_SAME = 0.999
"""Share of the variance: all of it, but for the arithmetic."""
_HINT = 0.55
"""ROC-AUC of the owner's other rows, for speed. Chosen, not measured: below, no model gains by recognising an owner."""
_TELLING = 0.6
"""ROC-AUC of the owner's other rows. VerbAgg's persons have .69 (decision 0017). Chosen, not measured."""
_OWNERS = re.compile(
    r"(?:^|[^a-z])(?:id|ids|uuid|guid|key|subject|subj|patient|person|participant|respondent|customer|client|user|member|"
    r"account|household|family|student|pupil|employee|worker|donor|owner|player|driver|device|session|animal|speaker|author|"
    r"case|group|batch|site|school|hospital|store|station)(?:[^a-z](?:id|no|nr|num|number|code|key|name))?$"
)


@dataclass(frozen=True)
class Owners:
    """A column whose values may say whose rows these are, on a sample of whole groups.

    ``rows`` (m,): the sampled rows; ``groups`` (m,): their owners. ``alike``: the share of the variance of other
    columns that lies between owners, the median over columns. ``same``: columns that hold one value for each owner.
    ``telling``: ROC-AUC of guessing the class of a row from the other rows of its owner.
    """

    column: Column
    rows: Ints
    groups: Ints
    levels: int
    alike: float
    same: Sequence[str]
    telling: float

    @property
    def has_owner_name(self) -> bool:
        return _is_owner(self.column.name)


@dataclass(frozen=True)
class _Drop:
    """ROC-AUC with random rows and with whole groups held out, and how far two such figures lie apart by chance."""

    random: float
    whole: float
    noise: float

    @property
    def value(self) -> float:
        return self.random - self.whole


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Compares folds of whole groups with folds of groups of the same sizes made at random, without the column itself.

    A warning where the score falls beyond noise and the column is called like an owner, or its rows resemble each other
    in most columns. A note where it falls and neither is so: a place, a product or a code may be a feature. Where it
    does not fall, but the column is called like an owner and other rows of the owner tell the class, a warning if
    other columns hold one value for each owner, else a note.
    """
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    if context.table.schema.only("group") is not None:
        return NotApplicable("groups are known already")
    aside, looked_at = copies(context.powers, context.codes), set(context.shortlist)
    names = [power.column for power in context.powers if power not in aside][:_MOST_COLUMNS]
    columns = [c for c in context.table.schema.columns if c.name in looked_at or c.role == "ignore"]
    possible = [owners for column in columns if (owners := _owners(context, column, names))]
    possible.sort(key=lambda owners: (-owners.has_owner_name, -len(owners.same), -owners.alike, owners.column.name))
    findings = []
    for owners in possible[:_MOST_TRIED]:
        drop = _drop(context, owners, names)
        if drop is not None and drop.value >= max(_DROP, drop.noise):
            findings.append(_score_falls(owners, drop))
        elif owners.has_owner_name and owners.telling >= max(
            _TELLING, 0.5 + _ERRORS * _chance(context.codes[owners.rows])
        ):
            findings.append(_owner_tells(owners))
    return findings


def _owners(context: AuditContext, column: Column, names: Sequence[str]) -> Owners | None:
    kind = kind_of(column.kind)
    if kind.storage != "number" and not kind.categorical:
        return None
    if kind.storage == "number" and not _is_owner(column.name):
        return None
    values = context.values(column.name)
    if values is None or not (codes := codes_of(values)).size:
        return None
    rows = _sample(codes, context.seed)
    groups = np.unique(codes[rows], return_inverse=True)[1]
    others = [name for name in names if name != column.name]
    if not others or len(np.unique(context.codes[rows])) < 2 or groups.max() + 1 < _LEAST_GROUPS:
        return None
    telling = auc(*_others_of_group(context.codes[rows], groups))
    if telling < _HINT:  # then no model can gain by recognising an owner
        return None
    alike = np.array([between(other, groups) for other in ranks(context.table.take(rows), others).T])
    same = [name for name, share in zip(others, alike, strict=True) if share >= _SAME]
    return Owners(column, rows, groups, values.n_unique(), float(np.median(alike)), same, telling)


def codes_of(values: pl.Series) -> Ints:
    """(n,) numbers of the values; empty where they do not repeat, or are not those of owners."""
    nothing = np.empty(0, dtype=np.int64)
    if values.dtype.is_temporal() or values.dtype.is_nested() or values.null_count() > (1 - _KNOWN) * len(values):
        return nothing
    if not _LEAST_GROUPS <= values.n_unique() <= len(values) / _REPEATED:
        return nothing
    non_null = values.drop_nulls()
    if values.dtype.is_float() and bool((non_null != non_null.round()).any()):
        return nothing
    codes = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    sizes = np.bincount(codes)
    return codes if sizes.max() <= _LARGEST * len(codes) else nothing


def _sample(codes: Ints, seed: int) -> Ints:
    """About 2000 rows of whole groups, fifteen at least; of large groups some rows only."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(codes)
    most = max(_REPEATED, _SAMPLE / _LEAST_GROUPS)
    order = rng.permutation(np.flatnonzero(sizes))
    groups = order[: max(_LEAST_GROUPS, int(np.searchsorted(np.cumsum(np.minimum(sizes[order], most)), _SAMPLE)))]
    in_sample = np.zeros(len(sizes), dtype=bool)
    in_sample[groups] = True
    rows = np.flatnonzero(in_sample[codes])
    shuffled = rng.permutation(rows)
    ordered = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[ordered], prepend=-1))
    place = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    return np.sort(ordered[place < most])


def between(values: Floats, groups: Ints) -> float:
    """Share of the variance that lies between groups, beyond what groups made at random would have (omega squared)."""
    total = float(((values - values.mean()) ** 2).sum())
    sizes = np.bincount(groups)
    if total == 0 or len(sizes) == len(groups):
        return 0.0
    means = np.bincount(groups, values) / sizes
    within = float(((values - means[groups]) ** 2).sum()) / (len(groups) - len(sizes))
    return max(0.0, 1 - within / (total / (len(groups) - 1)))


def _others_of_group(codes: Ints, groups: Ints) -> tuple[Ints, Floats]:
    """Class codes that occur, and (m, K) class shares of the other rows of each row's group, shrunk by two rows."""
    codes = np.unique(codes, return_inverse=True)[1]
    own = np.eye(int(codes.max()) + 1)[codes]
    counts = np.stack([np.bincount(groups, column) for column in own.T], axis=1)[groups] - own
    prior = (own.sum(axis=0) - own) / (len(own) - 1)
    return codes, (counts + 2 * prior) / (counts.sum(axis=1, keepdims=True) + 2)


def _chance(codes: Ints) -> float:
    """Standard error of a ROC-AUC that knows nothing: large where a class is rare."""
    main = int(np.bincount(codes).max())
    return float(np.sqrt((1 / main + 1 / max(1, len(codes) - main)) / 12))


def _drop(context: AuditContext, owners: Owners, names: Sequence[str]) -> _Drop | None:
    """None where the first look shows nothing."""
    codes = np.unique(context.codes[owners.rows], return_inverse=True)[1]
    others = [name for name in names if name != owners.column.name]
    matrix = ranks(context.table.take(owners.rows), others)
    rng = np.random.default_rng(context.seed)

    def reach(groups: Ints) -> float:
        return auc(codes, held_out(matrix, codes, folds(codes, 3, context.seed, groups=groups), context.seed))

    whole = reach(owners.groups)
    random = [reach(rng.permutation(owners.groups))]
    if random[0] - whole < _DROP / 2:
        return None
    random += [reach(rng.permutation(owners.groups)) for _ in range(_PERMUTATIONS - 1)]
    return _Drop(float(np.mean(random)), whole, _ERRORS * float(np.std(random, ddof=1)))


def _score_falls(owners: Owners, drop: _Drop) -> Finding:
    name = owners.column.name
    sure = owners.alike >= _ALIKE or (owners.has_owner_name and bool(owners.same))
    severity: Severity = (
        "warning" if sure or (owners.has_owner_name and kind_of(owners.column.kind).categorical) else "note"
    )
    message = (
        f"rows with the same {name} resemble each other: with whole groups of {name} held out, a quick model reaches "
        f"ROC-AUC {brief(drop.whole)}, with as many random rows {brief(drop.random)}"
    )
    if severity == "note":
        message += f"; this matters where new rows come with new values of {name}"
    evidence: dict[str, Evidence] = {
        "roc_auc_random": drop.random,
        "roc_auc_groups": drop.whole,
        "drop": drop.value,
        "noise": drop.noise,
    }
    return Finding(check.code, severity, name, message, evidence | _evidence(owners), _fix(name))


def _owner_tells(owners: Owners) -> Finding:
    name = owners.column.name
    message = (
        f"rows with the same {name} tend to have the same class: the other rows of its {name} guess that of a row with "
        f"ROC-AUC {brief(owners.telling)}, which a new {name} does not have"
    )
    severity: Severity = "warning" if owners.same else "note"
    return Finding(check.code, severity, name, message, _evidence(owners), _fix(name))


def _evidence(owners: Owners) -> dict[str, Evidence]:
    return {
        "groups": owners.levels,
        "rows_looked_at": len(owners.rows),
        "between_groups": owners.alike,
        "same_in_group": list(owners.same),
        "roc_auc_other_rows": owners.telling,
    }


def _fix(name: str) -> str:
    return f"if the model is to work for a new {name}, keep its rows together: --group {shlex.quote(name)}"


def _is_owner(name: str) -> bool:
    """By a word of the name, also in camel context.

    >>> [_is_owner(name) for name in ("subject", "MGR_ID", "customerId", "humid", "OwnerAge", "patient_no")]
    [True, True, True, False, False, True]
    """
    return _OWNERS.search(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()) is not None


check = Check("A205", "a column that says whose rows these are", find)
