"""From a trained classifier to the model that is deployed, and to what is kept of others: the only place where one
becomes the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sortal.artifact.golden import golden_rows
from sortal.artifact.model import PARITY_ROWS, TOLERANCE, Model, Parity, check_parity, load
from sortal.core.interval import Estimate
from sortal.core.profile import profile
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.decide.threshold import decide
from sortal.record import candidate_predictions
from sortal.training.finalize import Finalized
from sortal.training.front import alternatives
from sortal.training.trained import Trained

FRONT = "front"
"""The folder of what is kept, in that of a run."""


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
    finalized, column_profiles = trained.finalized, profile(table, trained.dev.smallest_count)
    model = Model(
        schema=table.schema,
        task=task,
        decision=finalized.decision,
        program=finalized.program,
        metrics={} if figures is None else {finalized.evidence.part: figures},
        sets=finalized.sets,
        profile=column_profiles,
        golden=golden_rows(column_profiles),
        embedded=trained.dev.networks,
    )
    if file is not None:
        model.save(file)
        model = load(file)
    rows = table.take(np.arange(min(PARITY_ROWS, len(table))))
    trained_says = finalized.ensemble.predict_proba(rows)
    return model, check_parity(
        _uncalibrated(model, finalized), rows, trained_says, TOLERANCE[finalized.ensemble.precision]
    )


def keep_front(
    folder: Path, model: Model, table: Table, trained: Trained, in_time: Callable[[float], bool]
) -> dict[str, str]:
    """Keep the programs of the other points of the front, and what calibrates them, in the folder of a run, the best
    first, as long as there is time. Their files by name.

    ``model``: the one that ships. ``in_time``: whether there is time for so many seconds. Raises ParityError as
    ``ship`` does.
    """
    files: dict[str, str] = {}
    rows = table.take(np.arange(min(PARITY_ROWS, len(table))))
    for number, other in enumerate(alternatives(trained), start=1):
        if not in_time(sum(member.shipping_seconds for member in other.result.results)):
            continue
        (folder / FRONT).mkdir(exist_ok=True)
        path = folder / FRONT / f"{number}.sortal"
        # Not calibrated yet: that is done, and decided anew, when it is picked.
        program, rule = other.ensemble.program(), decide(model.task, other.result.predictions)
        candidate = replace(model, program=program, decision=rule, sets=None, metrics={}, card=None)
        check_parity(candidate, rows, other.ensemble.predict_proba(rows), TOLERANCE[other.ensemble.precision])
        candidate.save(path)
        candidate_predictions.write(path.with_suffix(".parquet"), other.result.predictions, other.result.fold)
        files[other.result.name] = path.relative_to(folder).as_posix()
    return files


def _uncalibrated(model: Model, finalized: Finalized) -> Model:
    """Calibration is the last step, and no library's. It makes much of the last digits of a probability next to 0,
    which libraries take from 1 in another way than the engine does.
    """
    if finalized.calibration.program is None:
        return model
    return replace(model, program=replace(model.program, steps=model.program.steps[:-1]))
