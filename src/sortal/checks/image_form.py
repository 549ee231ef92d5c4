"""A209: images of the classes differ by their size, shape or format, and not only by what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, brief, too_few
from sortal.checks.measures.power import LEAST_ROWS, univariate
from sortal.core.arrays import Ints
from sortal.core.images import Look, UnreadableError, look, map_in_threads
from sortal.core.kinds import kind_of
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.data.split import holdout

_MOST_IMAGES = 3_000
"""For speed, as for near-copies (A204). Chance moves a ROC-AUC of so many rows by .01 (two classes of one size)."""
_TELLING = 0.75
"""ROC-AUC, as for a part of a name (A105). Chosen, not measured: four sets of images are too few to measure on."""
_DECISIVE = 0.95
"""ROC-AUC from which on it is severe, as for a part of a name (A105)."""
_ERRORS = 6.0
"""Standard errors above chance, as for a part of a name (A105)."""
_KIND = {"width": "number", "height": "number", "shape": "number", "format": "category", "ending": "category"}


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Width, height, their ratio, the format of the file and the ending of its name, each alone against chance.

    No model here is given them, but one that sees pixels sees sharpness, margins and traces of compression. Images
    above 256 pixels are looked at as they are kept: their shape and the ending of their name are those of the file.
    """
    columns = [c for c in context.table.schema.features if kind_of(c.kind).storage == "bytes"]
    if not columns:
        return NotApplicable("no column of images")
    if len(context) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    rows, codes = np.arange(len(context)), context.codes
    if len(codes) > _MOST_IMAGES:
        rows = holdout(codes, _MOST_IMAGES / len(codes), context.seed)[1]
    findings = [_judge(context, column.name, rows, codes[rows]) for column in columns]
    return [finding for finding in findings if finding is not None]


def _judge(context: AuditContext, name: str, rows: Ints, codes: Ints) -> Finding | None:
    names = context.names[name][rows].to_list() if name in context.names.columns else []
    values = list(_forms(context.table[name][rows].to_list(), names))
    sizes = np.bincount(codes)
    rest = len(codes) - int(sizes.max())
    if not values or rest < LEAST_ROWS:
        return None
    schema = Schema(tuple(Column(series.name, _KIND[series.name]) for series in values))
    best = univariate(Table(schema, pl.DataFrame(values), np.arange(len(codes))), codes, context.seed)[0]
    chance = np.sqrt((1 / sizes.max() + 1 / rest) / 12)
    if best.auc < max(_TELLING, 0.5 + _ERRORS * chance):
        return None
    severity: Severity = "severe" if best.auc >= _DECISIVE else "warning"
    evidence: dict[str, Evidence] = {"roc_auc": best.auc, "form": best.column, "rows_looked_at": len(codes)}
    message = (
        f"the {best.column} of an image of {name} tells its class, ROC-AUC {brief(best.auc)} alone: were the classes "
        "collected apart? A model may learn from where a picture is, and not from what it shows"
    )
    fix = "take the images of all classes from the same source, or bring them to one size and format before training"
    return Finding(check.code, severity, name, message, evidence, fix)


def _forms(images: Sequence[bytes | None], names: Sequence[str | None]) -> Iterator[pl.Series]:
    """What differs between the images."""
    looks = map_in_threads(_look, images)
    forms: dict[str, list[float] | list[str | None]] = {
        "width": [float("nan") if look is None else look.width for look in looks],
        "height": [float("nan") if look is None else look.height for look in looks],
        "shape": [float("nan") if look is None else look.width / look.height for look in looks],
        "format": [None if image is None else image[:2].hex() for image in images],
        "ending": [None if name is None else name.rpartition(".")[2].lower() for name in names],
    }
    for name, values in forms.items():
        if len(set(values)) > 1:
            yield pl.Series(name, values, dtype=pl.Float64 if _KIND[name] == "number" else pl.String, strict=False)


def _look(image: bytes | None) -> Look | None:
    try:
        return None if image is None else look(image)
    except UnreadableError:
        return None


check = Check("A209", "images whose size, shape or format tells the class", find)
