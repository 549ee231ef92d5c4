"""From a trained classifier to the model that is deployed: the only place where one becomes the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sortal.artifact.model import PARITY_ROWS, TOLERANCE, Model, Parity, check_parity, golden_rows, load
from sortal.core.frame import Table
from sortal.core.interval import Estimate
from sortal.core.profile import profile
from sortal.core.task import Task
from sortal.training.finalize import Finalized
from sortal.training.trained import Trained


def ship(
    table: Table,
    task: Task,
    trained: Trained,
    figures: Mapping[str, Estimate] | None = None,
    file: Path | None = None,
) -> tuple[Model, Parity]:
    """The model, proven on rows of ``table`` to say what the libraries say that trained it.

    ``table``: the rows of training, of which the model keeps a profile. ``figures``: by name, of the rows that the
    decision was made on. ``file``: where the model is written; what is proven and returned is then what was read back
    from there.

    Raises ParityError where it does not say the same.
    """
    finalized, known = trained.finalized, profile(table, trained.dev.smallest_count)
    model = Model(
        schema=table.schema,
        task=task,
        decision=finalized.decision,
        program=finalized.program,
        metrics={} if figures is None else {finalized.evidence.part: figures},
        sets=finalized.sets,
        profile=known,
        golden=golden_rows(known),
    )
    if file is not None:
        model.save(file)
        model = load(file)
    rows = table.take(np.arange(min(PARITY_ROWS, len(table))))
    trained_says = finalized.ensemble.predict_proba(rows)
    return model, check_parity(
        _uncalibrated(model, finalized), rows, trained_says, TOLERANCE[finalized.ensemble.precision]
    )


def _uncalibrated(model: Model, finalized: Finalized) -> Model:
    """Calibration is the last step, and no library's. It makes much of the last digits of a probability next to 0,
    which libraries take from 1 in another way than the engine does.
    """
    if finalized.calibration.program is None:
        return model
    return replace(model, program=replace(model.program, steps=model.program.steps[:-1]))
