"""What every check of the audit must do (entry-point group ``sortal.checks``)."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import SEVERITIES, Check, Finding, NotApplicable
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.testing.requirement import Requirement, require

ROWS = 400
KINDS: dict[str, str] = {
    "Float64": "number",
    "Boolean": "boolean",
    "String": "category",
    "Datetime": "datetime",
}


def check_check(check: Check) -> Iterator[Requirement]:
    """The requirements on a check of the audit, to be run one by one.

    >>> from sortal.core import registry
    >>> first = registry.names("sortal.checks")[0]
    >>> for requirement in check_check(registry.load("sortal.checks", first)):
    ...     requirement()
    """
    for verify in CHECKS:
        yield Requirement(f"{check.code}-{verify.__name__}", partial(verify, check))


def describes_itself(check: Check) -> None:
    """A code of a letter and three digits, and what is looked for."""
    require(re.fullmatch(r"[A-Z]\d{3}", check.code), f"code {check.code!r} should be like 'A104'")
    require(check.title.strip(), "the title is empty")


def is_silent_on_a_clean_table(check: Check) -> None:
    """Independent rows, honest columns: no finding above a note, and not one in most tables."""
    findings = [finding for seed in range(5) for finding in run(check, *clean(seed))]
    messages = [f.message for f in findings if f.severity != "note"]
    require(not messages, f"found in clean tables: {'; '.join(messages)}")
    require(len(findings) < 5, f"noted in clean tables: {'; '.join(f.message for f in findings)}")


def says_what_it_found(check: Check) -> None:
    """Findings carry the check's code, a severity, a column that there is, one line of text and JSON values."""
    table, codes = troubled()
    for finding in run(check, table, codes):
        require(finding.code == check.code, f"the finding has code {finding.code!r}")
        require(finding.severity in SEVERITIES, f"severity {finding.severity!r} is none of {SEVERITIES}")
        require(
            finding.column is None or finding.column in table.schema,
            f"column {finding.column!r} is not in the table",
        )
        require(finding.message.strip() and "\n" not in finding.message, f"message {finding.message!r}")
        try:
            json.dumps(dict(finding.evidence), allow_nan=False)
        except (TypeError, ValueError) as error:
            require(False, f"evidence that is no JSON: {error}")


def repeats_with_the_same_seed(check: Check) -> None:
    table, codes = troubled()
    require(run(check, table, codes) == run(check, table, codes), "two runs with one seed found different things")


def leaves_its_input_alone(check: Check) -> None:
    table, codes = troubled()
    frame, before = table.frame.clone(), codes.copy()
    run(check, table, codes)
    require(table.frame.equals(frame) and np.array_equal(before, codes), "its input is not what it was")


def takes_any_table(check: Check) -> None:
    """Few rows, one column, a class of one row, many classes, columns without values."""
    table, codes = clean(0)
    run(check, table.take(np.arange(4)), codes[:4])
    one = Table(Schema(table.schema.columns[:1]), table.frame[:, :1], table.rows)
    run(check, one, codes)
    rare = np.zeros_like(codes)
    rare[0] = 1
    run(check, table, rare)
    run(check, table, np.arange(ROWS) % 12, n_classes=12)
    nothing = table.frame.select(pl.lit(None, dtype=t).alias(n) for n, t in table.frame.schema.items())
    empty = pl.concat([nothing] * ROWS)
    run(check, Table(table.schema, empty, table.rows), codes)


CHECKS = (
    describes_itself,
    is_silent_on_a_clean_table,
    says_what_it_found,
    repeats_with_the_same_seed,
    leaves_its_input_alone,
    takes_any_table,
)


def run(check: Check, table: Table, codes: NDArray[np.int64], n_classes: int = 2) -> list[Finding]:
    """What the check finds; nothing where it does not apply, which needs a reason."""
    findings = check.find(AuditContext(table, codes, [f"class {k}" for k in range(n_classes)], raw=table.frame))
    if isinstance(findings, NotApplicable):
        require(findings.reason.strip(), "it does not apply, but does not say why")
        return []
    require(isinstance(findings, list), f"find gave {type(findings).__name__}, neither a list nor NotApplicable")
    return findings


def clean(seed: int) -> tuple[Table, NDArray[np.int64]]:
    """Independent rows with columns of all kinds, some of which tell the class a little."""
    rng = np.random.default_rng(seed)
    first, second, colour = rng.normal(size=ROWS), rng.lognormal(size=ROWS), rng.integers(5, size=ROWS)
    member = rng.random(ROWS) < 0.4
    signal = first + 0.5 * (colour == 2) + 0.7 * member
    codes = (rng.random(ROWS) < 1 / (1 + np.exp(0.4 - signal))).astype(np.int64)
    frame = pl.DataFrame(
        {
            "first": np.where(rng.random(ROWS) < 0.05, np.nan, first),
            "second": second,
            "colour": [f"colour {c}" for c in colour],
            "member": member,
            "when": [dt.datetime(2020, 1, 1) + dt.timedelta(minutes=int(m)) for m in rng.integers(10**6, size=ROWS)],
        }
    )
    return typed(frame.with_columns(pl.col("first").fill_nan(None))), codes


def troubled() -> tuple[Table, NDArray[np.int64]]:
    """A table with much that an audit should see."""
    table, codes = clean(0)
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    rng = np.random.default_rng(0)
    frame = table.frame[order].with_columns(
        pl.Series("copy of the class", [("no", "yes")[c] for c in codes]),
        pl.Series("nearly the class", codes + rng.normal(scale=0.1, size=ROWS)),
        pl.Series("number of the row", np.arange(ROWS, dtype=np.float64)),
        pl.Series("name of the row", [f"row {i:04}" for i in range(ROWS)]),
        pl.Series("always the same", ["a"] * ROWS),
        pl.Series("missing with the class", np.where(codes == 1, np.nan, rng.normal(size=ROWS))).fill_nan(None),
        pl.Series("day of the row", [dt.datetime(2020, 1, 1) + dt.timedelta(days=i) for i in range(ROWS)]),
        pl.Series("person", [f"person {i // 4}" for i in range(ROWS)]),
        pl.col("second").alias("second again"),
    )
    copies = np.concatenate([np.arange(ROWS), np.arange(0, ROWS, 5)])
    return typed(frame[copies]), codes[copies]


def typed(frame: pl.DataFrame) -> Table:
    columns = [Column(name, KINDS[str(dtype.base_type())]) for name, dtype in frame.schema.items()]
    return Table(Schema(tuple(columns)), frame, np.arange(frame.height))
