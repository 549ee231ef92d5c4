"""Frame the problem: what was read and what was asked become a table with kinds, class codes and a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.arrays import Ints
from sortal.core.columns import Origin, missing_words, parted, text_counts
from sortal.core.disclosure import Disclosure
from sortal.core.errors import DataError, OptionError, did_you_mean
from sortal.core.frame import conform, declared_kinds, from_any
from sortal.core.framing import frame_task, lone_classes
from sortal.core.infer import infer
from sortal.core.kinds import kind_of
from sortal.core.labels import encode, label_type_of
from sortal.core.raw import is_records
from sortal.core.schema import Column, Schema
from sortal.core.series import sort_of
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.slicing import asked_columns
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.core.values import MISSING, is_text
from sortal.core.writing import listing
from sortal.data.images import affordable, with_images
from sortal.data.read import Source, digest, read
from sortal.data.row_sample import ALL_ROWS, RowLimit, sampled


@dataclass(frozen=True)
class Problem:
    """Labelled rows and the task.

    ``raw``: the columns as they were read; ``table``: the same rows in canonical types; ``codes``: (n,) class codes.
    ``digest``: SHA-256 of what was read. ``names``: columns of what images are called, where they came by name.
    ``ordered``: whether the rows have an order of their own. ``sampled``: about how many of the rows that were read are
    used, 0 for all.
    """

    name: str
    notes: tuple[str, ...]
    digest: str
    raw: pl.DataFrame
    table: Table
    codes: NDArray[np.int64]
    task: Task
    names: pl.DataFrame = field(default_factory=pl.DataFrame)
    ordered: bool = True
    sampled: int = 0


def open_source(data: object) -> Source:
    """Files by path, or any table in memory."""
    if isinstance(data, str | Path) or (
        isinstance(data, list | tuple) and all(isinstance(d, str | Path) for d in data)
    ):
        return read(data)
    notes: list[str] = []
    frame = from_any(data, notes.append)
    return Source(frame, "the data", tuple(notes), records=is_records(data), kinds=declared_kinds(data))


def frame_problem(data: object, goal: GoalOptions, options: RowOptions, limit: RowLimit = ALL_ROWS) -> Problem:
    """Read, infer the kinds, leave out rows without a label, and say what is to be decided. ``limit``: how many of the
    rows that were read are used.

    Raises InputError where the data or the options cannot be used.
    """
    whole = open_source(data)
    most = limit.most(*whole.frame.shape)
    source, positions = sampled(whole, goal.target, most, limit.seed)
    schema = _schema(source, goal, options)
    readable = affordable(source, schema, limit.seconds)
    if readable < source.frame.height:
        most = readable
        source, positions = sampled(whole, goal.target, most, limit.seed)
        schema = _schema(source, goal, options)
    asked_columns(source.frame, schema, options.slice, source.name)  # refuses what cannot be sliced before any work
    frame = conform(source.frame, schema, source=source.name, folder=source.folder)
    images = with_images(source, schema, frame, options.disclosure)
    labels, raw = frame[goal.target].alias("").set(images.unread, None), images.raw
    notes = (*source.notes, *doubts(schema), *images.notes)
    notes = (*notes, *label_notes(schema[goal.target], raw[goal.target].alias(""), frame[goal.target].alias("")))
    if options.weight is not None:
        weights, what = frame[options.weight].alias(""), f"column {options.weight!r} of {source.name}"
        weightless = check_weights(weights, labels, what)
        labels = labels.set(weightless, None)
        if weightless.any():
            notes = (*notes, f"{weightless.sum():,} rows of no weight ({options.weight!r} is 0) were left out")
    lone = labels.is_in(lone_classes(goal.target, labels))
    if lone.any():
        notes = (*notes, lone_note(goal.target, lone, positions, options.disclosure))
        labels = labels.set(lone, None)
    notes = (*notes, *small_classes(labels, options.smallest_count))
    task = frame_task(labels, goal, label_type_of(source.frame.schema[goal.target]), options.weight)
    schema = with_enough_rows(schema, frame, options.smallest_count)
    _check_features(schema, source.name)
    rows = np.flatnonzero(labels.is_not_null().to_numpy())
    if len(rows) < len(labels):
        frame, raw = frame[rows], raw[rows]
    names = images.names[rows] if images.names.width else images.names
    table = Table(schema, frame, rows if positions is None else positions[rows])
    table.row_costs(task.cost_columns, source.name)  # refuses a row without one before any work is done
    return Problem(
        whole.name,
        notes,
        digest(raw) if images.columns else digest(whole.frame, data),
        raw,
        table,
        encode(table[goal.target], task),
        task,
        names,
        source.ordered,
        0 if positions is None else most,
    )


def _schema(source: Source, goal: GoalOptions, options: RowOptions) -> Schema:
    """What the columns of a source are, as they are read or asked for."""
    own_part = [source.part] if source.part and source.part != options.split_column else []
    schema = infer(
        source.frame,
        goal.target,
        kinds={**source.kinds, **options.kind},
        ignore=(*options.ignore, *own_part),
        time=options.time,
        group=options.group,
        split=options.split_column,
        source=Origin(source.name, source.separator, options.missing, options.disclosure, source.folder),
    )
    schema = with_weight(with_cost_columns(schema, goal.cost_column, source.name), options, source.name)
    _check_features(schema, source.name)
    return schema


FEWEST_GROUPS = 3
"""With two, each of two folds would be one group: what differs between them could not be told from noise."""
MOST_DOUBTS = 5
"""Columns with a line each; a table with more of them is written in one way, and five show which."""


def doubts(schema: Schema) -> list[str]:
    """What was assumed of columns that could be read in another way."""
    doubtful = [c for c in schema.columns if c.doubt and c.role != "ignore"]
    more = [c.name for c in doubtful[MOST_DOUBTS:]]
    lines = [f"{c.name}: {c.doubt}" for c in doubtful[:MOST_DOUBTS]]
    return (
        [*lines, f"and {len(more):,} more columns that can be read in two ways: {', '.join(more)}"] if more else lines
    )


def label_notes(column: Column, raw: pl.Series, labels: pl.Series) -> list[str]:
    """How many rows have no label, by the text that says so; and classes that are called as missing values usually
    are.
    """
    notes = []
    if missing := labels.null_count():
        texts = (
            parted(text_counts(raw), kind_of(column.kind).missing_texts(column)).missing
            if is_text(sort_of(raw.dtype))
            else {"": missing}
        )
        note = f"{missing:,} rows without a value of {column.name!r} were left out"
        if words := {text: n for text, n in texts.items() if text}:
            note += f":{missing_words(texts)[1:]}; if {next(iter(words))!r} is a class, say --missing ''"
        notes.append(note)
    if column.absent == ():
        odd = parted(text_counts(labels), MISSING).missing
        notes += [
            f"{text!r} is a class of {column.name!r} ({n:,} rows); if it means that there is no value, say --missing "
            f"{text!r}"
            for text, n in odd.items()
            if text
        ]
    return notes


def small_classes(labels: pl.Series, smallest_count: int) -> list[str]:
    """Classes of fewer rows than a value needs to be named: a model says classes, so these are named all the same, and
    that is said.
    """
    counts = labels.drop_nulls().alias("").value_counts(sort=True, name="rows")
    few = [f"{label!r} ({rows} rows)" for label, rows in counts.iter_rows() if rows < smallest_count]
    if not few:
        return []
    have, them = ("class has", "it") if len(few) == 1 else ("classes have", "them")
    return [
        f"{len(few)} {have} fewer than {smallest_count} rows and will be named by the model, since that is what a "
        "model says: "
        f"{listing(few)}; join {them} with another class, or leave these rows out, where a name tells of somebody"
    ]


def lone_note(target: str, lone: pl.Series, positions: Ints | None, disclosure: Disclosure) -> str:
    """Which rows, (n,) true, were left out as the only ones of their class; what one row holds stands in no file.
    ``positions``: (n,) where they stood in what was read, None where that is the same.
    """
    places = lone.fill_null(False).arg_true().to_numpy()
    rows = (places if positions is None else positions[places]).tolist()
    where = "" if disclosure.private else f" (row {listing([f'{row + 1:,}' for row in rows], most=5)})"
    one = len(rows) == 1
    return (
        f"{len(rows):,} {'class' if one else 'classes'} of {target!r} {'has' if one else 'have'} one row{where}, which "
        f"cannot be both learned and tested: {'it was' if one else 'they were'} left out, and the model never says "
        f"{'it' if one else 'them'}; give more rows, or merge {'it' if one else 'them'} with another class"
    )


def part(problem: Problem, index: NDArray[np.int64], raw: pl.DataFrame | None = None) -> Problem:
    """The problem on some of its rows; class shares are those of these rows. ``raw``: these rows as they were read,
    where the problem has them no more.
    """
    counts = np.bincount(problem.codes[index], minlength=len(problem.task.classes))
    return replace(
        problem,
        raw=problem.raw[index] if raw is None else raw,
        table=problem.table.take(index),
        codes=problem.codes[index],
        names=problem.names[index] if problem.names.width else problem.names,
        task=replace(problem.task, prevalence=tuple((counts / counts.sum()).tolist())),
    )


def check_groups(problem: Problem, train: NDArray[np.int64], options: RowOptions) -> None:
    """Cross-validation by groups needs some of them. Raises DataError where the rows ``train``, to train on, have too
    few.
    """
    if options.group is None or options.time is not None:
        return
    groups = problem.table.groups
    assert groups is not None
    groups_left = len(np.unique(groups[train]))
    if groups_left < FEWEST_GROUPS:
        raise DataError(
            f"column {options.group!r} has {len(np.unique(groups)):,} groups, of which {groups_left} are left to "
            "train on when the others "
            f"are set apart, and cross-validation by groups needs {FEWEST_GROUPS}: name a column of more groups, or "
            "leave --group "
            "out if rows of one group may be in training and test"
        )


def with_cost_columns(schema: Schema, cost_columns: Sequence[str], source: str) -> Schema:
    """Columns of costs are read also where no model may see them. Raises OptionError where one is not there or holds no
    numbers.
    """
    for text in cost_columns:
        name = text.partition("=")[2].strip()
        if name and name not in schema:
            raise OptionError(f"no column {name!r} in {source} for the costs; {did_you_mean(name, schema.names)}")
        if name and kind_of(schema[name].kind).storage not in ("number", "boolean"):
            raise OptionError(f"column {name!r} of {source} holds no numbers, but costs: {schema[name].reason}")
        if name and schema[name].role == "ignore":
            schema = schema.with_role(name, "cost", "what a decision costs; no model sees it")
    return schema


def with_enough_rows(schema: Schema, frame: pl.DataFrame, smallest_count: int) -> Schema:
    """Without features that hold a value in fewer rows than the smallest count, or a yes or a no.

    Of a category with a rare level all others are left; of these nothing would be left to learn from, and of a yes or
    no the two texts would leave with the model.
    """
    for column in schema.features:
        values = frame[column.name]
        n_values = len(values) - values.null_count()
        if 0 < n_values < smallest_count:
            few = f"a value in {n_values} row{'s' if n_values > 1 else ''} only"
        elif (
            kind_of(column.kind).storage == "boolean"
            and 0 < (fewer := min(yes := int(values.sum()), n_values - yes)) < smallest_count
        ):
            few = f"{'yes' if fewer == yes else 'no'} in {fewer} row{'s' if fewer > 1 else ''} only"
        else:
            continue
        why = f"{few}, fewer than {smallest_count} (--smallest-count): too few to learn from"
        left_out = replace(column, role="ignore", reason=why, levels=(), doubt="")
        schema = Schema(tuple(left_out if c.name == column.name else c for c in schema.columns))
    return schema


def with_weight(schema: Schema, options: RowOptions, source: str) -> Schema:
    """Raises OptionError where the weights are not there, hold no numbers or are something else as well."""
    name = options.weight
    if name is None:
        return schema
    if name not in schema:
        raise OptionError(f"no column {name!r} in {source} for the weights; {did_you_mean(name, schema.names)}")
    column = schema[name]
    if column.role not in ("feature", "ignore") or name in options.ignore:
        role = "ignored" if name in options.ignore else f"the {column.role}"
        raise OptionError(f"column {name!r} cannot be both the weight and {role}; drop one of the two")
    if kind_of(column.kind).storage != "number":
        raise OptionError(f"column {name!r} of {source} holds no numbers, but weights: {column.reason}")
    return schema.with_role(name, "weight", "how much a row counts in a fit; no model sees it")


def check_weights(weights: pl.Series, labels: pl.Series, what: str) -> pl.Series:
    """(n,) whether a row has a label and weighs nothing. Raises DataError where a labelled row has no weight or a
    negative one.
    """
    values, labelled = weights.cast(pl.Float64), labels.is_not_null()
    for wrong, how in ((values.is_null() | values.is_nan(), "no value"), (values < 0, "a negative weight")):
        rows = (wrong.fill_null(False) & labelled).arg_true()
        if len(rows):
            raise DataError(
                f"{what} has {how} in row {rows[0] + 1:,} ({len(rows):,} in all), and a weight is a number from 0 on; "
                "correct it, or leave such rows out"
            )
    weightless = (values == 0).fill_null(False) & labelled
    if weightless.sum() == labelled.sum() > 0:
        raise DataError(f"{what} is 0 in every row, so that no row counts; give a weight above 0")
    return weightless


def _check_features(schema: Schema, source: str) -> None:
    if not schema.features:
        raise DataError(f"{source} has no column left to predict from: {_why_not(schema)}")


def _why_not(schema: Schema) -> str:
    return (
        "; ".join(f"{c.name}: {c.reason}" for c in schema.columns if c.role == "ignore")
        or "the target is its only column"
    )
