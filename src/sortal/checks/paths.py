"""A105: names of rows that tell the class: a folder, a prefix, a part of a file name, the range of an id."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, brief, ignoring, too_few
from sortal.checks.identifier import names_rows
from sortal.checks.measures.power import LEAST_ROWS, Power, univariate
from sortal.core.arrays import Ints
from sortal.core.infer import AS_ASKED
from sortal.core.kinds import kind_of
from sortal.core.kinds.text import UNSPACED
from sortal.core.quantiles import middle
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.core.writing import percent
from sortal.data.split import holdout

_MOST_ROWS = 10_000
"""For speed. Chance moves a ROC-AUC of so many rows by .006 (two classes of one size)."""
_LOOKED_AT = 1_000
"""Values by which names are told from texts, for speed: a thousand tell a share to .02."""
_DISTINCT_SHARE = 0.5
"""Chosen, not measured: values that repeat more are levels, which other checks weigh."""
_MOST_BLANKS = 1.0
"""Blanks in a name, on average. Chosen, not measured: two words may be a name, more are a text."""
_LONGEST = 300
"""Characters of a name, on average. Chosen, not measured: most systems end a path about there."""
_TELLING = 0.75
"""ROC-AUC of a part of a name. With it two of 31 public tables have a finding, and both are true (decision 0018)."""
_DECISIVE = 0.95
"""ROC-AUC from which on it is severe. Chosen with A104, which calls the same figure decisive (decision 0018)."""
_ERRORS = 6.0
"""Standard errors above chance (decision 0018). Six, since the best of many parts of many columns is taken."""
_MOST_PARTS = 8
"""Parts of each sort, for speed: as many as there are words for below."""
_MOST_LEVELS = 0.5
"""Levels for each row. More hardly come again, so that nothing can be learned from them."""
_GROUP_LEVELS = 10
"""Levels of a part that tells persons. Chosen, not measured: fewer may as well be classes or places."""
_PARTS = re.compile(r"[^\W\d_]+|\d+")
_PLAIN = re.compile(r"\s*[+-]?\d*[.,]\d+\s*$|\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:\D|$)")
_PLACES = ("first", "second", "third", "4th", "5th", "6th", "7th", "8th")


@dataclass(frozen=True)
class Part:
    """A part of a name: what it is in words, and (n,) its values, numbers or texts, None where a name has no such
    part.
    """

    what: str
    values: pl.Series


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Every part of a name alone against chance, out of fold. Severe where it is decisive and a model would see it.

    Looks at columns that were left out as well: rows that are named after their class were often collected apart.
    """
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    columns = [c for c in context.table.schema.columns if c.role in ("feature", "ignore") and c.reason != AS_ASKED]
    rows, codes = np.arange(len(context)), context.codes
    if len(codes) > _MOST_ROWS:
        rows = holdout(codes, _MOST_ROWS / len(codes), context.seed)[1]
        codes = codes[rows]
    name_columns = [(column, values) for column in columns if (values := _names(context, column, rows)) is not None]
    if not name_columns:
        return NotApplicable("no column of names, paths or ids")
    findings = [_judge(context, column, values, codes) for column, values in name_columns]
    return [finding for finding in findings if finding is not None]


def _names(context: AuditContext, column: Column, rows: Ints) -> pl.Series | None:
    """Values of a column that names its rows, at ``rows``: paths, file names, codes, ids; None for any other."""
    if kind_of(column.kind).storage == "number" and column.role == "feature":
        values = context.table[column.name]
        return values[rows] if names_rows(column.name, values, context.table.rows) else None
    if column.name not in context.raw.columns or column.format == UNSPACED:
        return None
    values = context.raw[column.name].alias("")[rows]
    if values.dtype not in (pl.String, pl.Categorical):
        return None
    values = values.cast(pl.String)
    return values if _mostly_distinct(values) and _is_like_a_name(values) else None


def _mostly_distinct(values: pl.Series) -> bool:
    non_null = values.drop_nulls()
    return len(non_null) >= LEAST_ROWS and non_null.n_unique() >= _DISTINCT_SHARE * len(non_null)


def _is_like_a_name(values: pl.Series) -> bool:
    """Hardly any blanks, digits or separators in most, and not a number or a date with nothing else."""
    look: list[str] = values.drop_nulls().head(_LOOKED_AT).to_list()
    blanks = np.mean([len(text.split()) - 1 for text in look])
    parted = np.mean([re.search(r"[\d/\\_.-]", text) is not None for text in look])
    amounts = np.mean([_PLAIN.match(text) is not None for text in look])
    return bool(blanks <= _MOST_BLANKS and parted > 0.5 and amounts < 0.5 and np.mean([*map(len, look)]) < _LONGEST)


def _judge(context: AuditContext, column: Column, values: pl.Series, codes: Ints) -> Finding | None:
    present = values.is_not_null().to_numpy()
    values, codes = values.filter(pl.Series(present)), codes[present]
    sizes = np.bincount(codes, minlength=1)
    rest = len(codes) - int(sizes.max(initial=0))
    if len(codes) < LEAST_ROWS or rest < _GROUP_LEVELS:
        return None
    parts = list(parts_of(values))
    powers = _alone(parts, codes, context.seed)
    chance = np.sqrt((1 / sizes.max() + 1 / rest) / 12)
    if not powers or powers[0].auc < max(_TELLING, 0.5 + _ERRORS * chance):
        return None
    best = next(part for part in parts if part.what == powers[0].column)
    return _finding(context, column, best, codes, powers[0].auc)


def _alone(parts: Sequence[Part], codes: Ints, seed: int) -> list[Power]:
    if not parts:
        return []
    kinds = ["category" if part.values.dtype == pl.String else "number" for part in parts]
    schema = Schema(tuple(Column(part.what, kind) for part, kind in zip(parts, kinds, strict=True)))
    frame = pl.DataFrame([part.values.alias(part.what) for part in parts])
    return univariate(Table(schema, frame, np.arange(len(codes))), codes, seed)


def parts_of(values: pl.Series) -> Iterator[Part]:
    """Folders, file ending, words and numbers from left to right, and length; for numbers their size.

    >>> names = pl.Series(["cats/a_001.jpg", "cats/b_002.jpg", "dogs/a_003.jpg"] * 20)
    >>> [part.what for part in parts_of(names)]
    ['its first folder', 'its first word', 'its second word', 'its first number']
    """
    if values.dtype != pl.String:
        yield Part("its size", values)
        return
    texts = [text.strip() for text in values.to_list()]
    paths = [re.split(r"[/\\]+", text.lstrip("./\\")) for text in texts]
    tokens = [_PARTS.findall(text) for text in texts]
    words = [[token for token in row if not token.isdecimal()] for row in tokens]
    digits = [["".join(str(int(digit)) for digit in token) for token in row if token.isdecimal()] for row in tokens]
    for place in range(min(_MOST_PARTS, max(map(len, paths)) - 1)):
        yield from _column(
            f"its {_PLACES[place]} folder", [p[place] if len(p) > place + 1 else None for p in paths], True
        )
    for what, lists, is_text in (("word", words, True), ("number", digits, False)):
        for place in range(min(_MOST_PARTS, max(map(len, lists), default=0))):
            yield from _column(
                f"its {_PLACES[place]} {what}", [row[place] if len(row) > place else None for row in lists], is_text
            )
    yield from _column("its length", [str(len(text)) for text in texts], False)


def _column(what: str, texts: list[str | None], is_text: bool) -> Iterator[Part]:
    """A part with at least two values; as text only where a value has several rows, else nothing could be learnt."""
    values = pl.Series(what, texts, dtype=pl.String)
    distinct = values.n_unique()
    if distinct < 2 or (is_text and distinct > _MOST_LEVELS * len(values)):
        return
    yield Part(what, values if is_text else values.str.slice(0, 15).cast(pl.Float64))


def _finding(context: AuditContext, column: Column, part: Part, codes: Ints, roc_auc: float) -> Finding:
    levels = part.values.n_unique()
    whose = levels > max(_GROUP_LEVELS, 2 * len(context.classes)) and levels <= len(codes) / 2
    is_feature = column.role == "feature"
    severity: Severity = "severe" if is_feature and roc_auc >= _DECISIVE else "warning"
    how = (
        f"rows with the same {part.what.removeprefix('its ')} are of one class" if whose else _how(context, part, codes)
    )
    message = f"{column.name} tells the class: {how}, ROC-AUC {brief(roc_auc)} alone"
    if not is_feature:
        message += "; no model sees it, but were the classes collected apart?"
    fix = ignoring([column.name]) if is_feature else "look whether other columns differ for the same reason"
    fix = f"leave it out: {fix}" if is_feature else fix
    if whose:
        fix += (
            f"; if the {part.what.removeprefix('its ')} says whose rows these are, make it a column and keep them "
            "together: --group"
        )
    evidence: dict[str, Evidence] = {"roc_auc": roc_auc, "part": part.what, "values": levels}
    return Finding(check.code, severity, column.name, message, evidence, fix)


def _how(context: AuditContext, part: Part, codes: Ints) -> str:
    """The value that goes most with one class, or for numbers the class with the larger ones."""
    values = part.values
    if values.dtype == pl.String:
        frame = pl.DataFrame({"value": values, "code": codes}).drop_nulls("value")
        cells = (
            frame.group_by("value", "code").len("rows").sort("rows", "value", "code", descending=[True, False, False])
        )
        value, code, rows = cells.row(0)
        size = frame.filter(pl.col("value") == value).height
        share = rows / size
        if not context.disclosure.quotes(size):
            return f"{part.what} depends on the class"
        return f"{part.what} {shlex.quote(value)} is {percent(share)} {context.classes[code]!r}"
    numbers = values.fill_null(-1).to_numpy()
    codes_of = {middle(numbers[codes == code], context.disclosure.smallest_count): code for code in np.unique(codes)}
    middles = {number: code for number, code in codes_of.items() if not np.isnan(number)}
    low, high = min(middles, default=0.0), max(middles, default=0.0)
    if low == high:
        return f"{part.what} depends on the class"
    first, last = (context.classes[middles[end]] for end in (low, high))
    return f"{part.what} is about {low:,.0f} for {first!r} and {high:,.0f} for {last!r}"


check = Check("A105", "a name, path or id of the rows that tells the class", find)
