"""A model on labelled rows that came later, or once more on its sealed ones: how well it keeps what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.artifact.model import Model, load_with_sha256
from sortal.core.disclosure import Disclosure
from sortal.core.door import rows_of_frame
from sortal.core.errors import DataError, OptionError
from sortal.core.frame import conform, conform_column
from sortal.core.kinds import kind_of
from sortal.core.labels import encode, no_class_note, of_no_class
from sortal.core.predictions import Part, Predictions
from sortal.core.relations import same_rows
from sortal.core.schema import Schema, column_name
from sortal.core.slicing import asked_columns
from sortal.data.images import with_images
from sortal.data.ledger import Seal
from sortal.data.read import Source, digest, read
from sortal.record.describe import describe_ledger
from sortal.record.fresh import Evaluation, Fresh, judge
from sortal.record.looks import folder_of, look, seal_of


def evaluate(
    model_file: Path,
    data: Sequence[str],
    sealed: bool = False,
    *,
    slices: Sequence[str] = (),
    allow_missing: bool = False,
    verify: Path | None = None,
) -> Evaluation:
    """Score labelled rows and compare with what was promised.

    A look at the run's sealed rows, by ``sealed`` or by their path, goes through the ledger: it is recorded, and the
    score is blind only the first time. ``allow_missing``: a column that the model reads may be absent, and is missing
    in all rows then. ``slices``: columns by which figures are shown whatever they say, also of those that the model
    does not know. ``verify``: a public key, for which the model must be signed.
    """
    if sealed and data:
        raise OptionError("--sealed looks at the run's own test; leave the data out, or --sealed")
    if not sealed and not data:
        raise OptionError("say which labelled rows to evaluate on, or --sealed for the run's own test")
    model, sha256 = load_with_sha256(model_file, verify)
    home = Seal(folder_of(model_file)) if sealed else seal_of(data, model_file)
    test = None if home is None else look(model, sha256, model_file, home, "sortal evaluate")
    source = read(data) if test is None else test.source
    requested = asked_columns(source.frame, model.schema, [column_name(name) for name in slices], source.name)
    fresh = score_labelled(model, source, "fresh" if test is None else "test", allow_missing=allow_missing)
    if test is not None:
        fresh = replace(fresh, predictions=replace(fresh.predictions, drawn_from=test.split.classes))
    elif model.card is not None:
        fresh = replace(fresh, trained_on=_digest(model, source, fresh, data) == model.card.data.sha256)
    return judge(model_file.name, model, fresh, None if home is None else describe_ledger(home), requested)


def _digest(model: Model, source: Source, fresh: Fresh, data: Sequence[str]) -> str:
    """As training takes it of such data: where there are images, of the rows that it would learn from, with the images
    themselves and not what they are called.
    """
    columns = tuple(c for c in model.schema.features if kind_of(c.kind).storage == "bytes" and c.name in fresh.columns)
    if not columns:
        return digest(source.frame, data)
    canonical = pl.DataFrame({c.name: pl.Series(fresh.columns[c.name], dtype=pl.Binary) for c in columns})
    if any(images.null_count() == len(images) for images in canonical.iter_columns()):
        return ""  # nothing was learned from rows without an image
    images = with_images(replace(source, frame=fresh.raw), Schema(columns), canonical, Disclosure())
    return digest(images.raw.filter(~images.unread))


def score_labelled(
    model: Model, source: Source, part: Part, rows: NDArray[np.int64] | None = None, *, allow_missing: bool = False
) -> Fresh:
    """Predictions for labelled rows, and what they are like. Those without a label, or of no class of the model, are
    left out, and counted.
    """
    target = model.schema.only("target")
    if target is None:
        raise OptionError(
            f"the model does not know the column of {model.task.target!r}; evaluate one that was trained from a table"
        )
    labels = conform_column(source.frame, target, source.name)
    strange = of_no_class(labels, model.task.classes)
    notes = list(source.notes)
    if 0 < strange.sum() < labels.count():  # else none is a class: it is another column, or they have other names
        notes.append(no_class_note(int(strange.sum()), labels.filter(strange)[0]))
        codes = encode(labels.set(strange, None), model.task)
    else:
        codes = encode(labels, model.task)
    labelled_rows = np.flatnonzero(codes >= 0)
    if not len(labelled_rows):
        raise DataError(f"no row of {source.name} has a label in {model.task.target!r}")
    ids = np.arange(len(codes)) if rows is None else rows
    may_lack = allow_missing or source.records
    # All rows are conformed, so that messages count them as the file does.
    labelled = rows_of_frame(
        source.frame, model.needs, source=source.name, allow_missing=may_lack, folder=source.folder
    ).take(labelled_rows)
    grouping, groups = model.schema.only("group"), None
    if grouping is not None and grouping.name in source.frame.columns:
        groups = same_rows(conform(source.frame, model.schema, ("group",), source=source.name)[labelled_rows])
    answers, row_costs = model.answer_rows(labelled), labelled.row_costs(model.decision.cost_columns)
    predictions = Predictions(
        model.task.classes, ids[labelled_rows], codes[labelled_rows], answers.probabilities, part, row_costs, groups
    )
    return Fresh(
        source.name,
        predictions,
        labels.null_count(),
        labelled.columns,
        labelled.absent,
        (*notes, *labelled.notes),
        source.frame[labelled_rows],
        of_no_class=int(strange.sum()),
    )
