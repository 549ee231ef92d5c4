"""What is known of a run before anything is trained: its data, its columns, its parts, and the looks at its sealed
rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sortal.artifact.card import Data
from sortal.core.schema import Column, Schema
from sortal.core.sheets import RowOptions
from sortal.data.ledger import Seal
from sortal.data.problem import Problem
from sortal.data.split import Parts
from sortal.record.parts import Ledger, Opening, Split


def describe_data(problem: Problem) -> Data:
    """What was read."""
    return Data(problem.name, len(problem.table), len(problem.table.schema.columns), problem.digest, problem.notes)


def describe_columns(schema: Schema, rows: RowOptions) -> tuple[Column, ...]:
    """The columns; privately without the texts that mean yes and no, which only the model has to know."""
    return tuple(replace(c, levels=()) for c in schema.columns) if rows.private else schema.columns


def describe_split(problem: Problem, parts: Parts, rows: RowOptions) -> Split:
    """How the rows were parted; the folds are not known yet."""
    k = len(problem.task.classes)
    by_part = {"train": parts.train, "valid": parts.valid, "test": parts.test}
    shares = {
        name: tuple((np.bincount(problem.codes[rows], minlength=k) / len(rows)).tolist())
        for name, rows in by_part.items()
        if len(rows)
    }
    return Split(
        method=parts.method,
        train=len(parts.train),
        valid=len(parts.valid),
        test=len(parts.test),
        column=rows.time or rows.group,
        forward=rows.time is not None,
        prevalence=shares,
        notes=parts.notes,
        outer=parts.outer,
        stratified=parts.stratified,
    )


def describe_ledger(seal: Seal | None) -> Ledger:
    """The looks at the sealed rows."""
    if seal is None:
        return Ledger(opens=0, blind=True)
    first, *later = seal.entries
    looks = tuple(Opening(e.time, e.reason, e.rows, e.hash) for e in later)
    return Ledger(seal.opens, seal.blind, seal.head, first.sha256, looks)
