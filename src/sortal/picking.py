"""Another point of the front of score against latency as a model, without training.

Its program was kept by the run; it gets its own calibration and decision from its out-of-fold rows, as the chosen one
did. Its figures are of these rows alone: the sealed test was opened for the model that the run chose.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sortal.artifact.card import Card, LedgerHead
from sortal.artifact.model import Model, load
from sortal.core.errors import DataError, OptionError, did_you_mean
from sortal.core.plain import quoted
from sortal.data.sealed_rows import RECORD
from sortal.decide.calibrate import choose, entries
from sortal.decide.threshold import decide
from sortal.decide.threshold_interval import decide_apart
from sortal.engine import compile as compile_program
from sortal.evaluate.figures import figures
from sortal.record import candidate_predictions
from sortal.record.run import RunRecord


def pick(folder: Path, name: str, out: Path) -> Model:
    """Ship the candidate ``name`` of the run in ``folder`` as the model file ``out``.

    Raises OptionError where the run kept no program of it, and says why; DataError where the folder holds no run.
    """
    try:
        record = RunRecord.from_json((folder / RECORD).read_bytes())
    except OSError as error:
        raise DataError(f"{str(folder)!r} holds no run ({error.strerror}); give the folder that train wrote") from None
    file = _file(record, name)
    model = load(folder / file)
    raw, fold = candidate_predictions.read((folder / file).with_suffix(".parquet"), model.task.classes)
    allowance = record.timing.budget_seconds or record.timing.effort or float("inf")
    own_folds = fold if fold.max(initial=0) > 0 else None
    calibration = choose(raw, fold=own_folds, seed=record.seed, most=entries(allowance))
    evidence, program = raw, model.program
    if calibration.program is not None:
        evidence = replace(raw, probability=compile_program(calibration.program)(raw.probability))
        program = program.then(calibration.program)
    decision = decide(model.task, evidence)
    decided = decide_apart(model.task, evidence, decision, record.seed)
    ledger = record.ledger
    new_model = replace(
        model,
        program=program,
        decision=decision,
        metrics={evidence.part: figures(model.task, evidence, decided, record.seed)},
        card=Card(
            seed=record.seed,
            data=record.data,
            chosen=name,
            ledger=LedgerHead(ledger.opens, ledger.head, ledger.sealed),
        ),
    )
    new_model.save(out)
    return load(out)


def _file(record: RunRecord, name: str) -> str:
    rows = {row.name: row for row in record.leaderboard}
    if name not in rows:
        raise OptionError(f"the run has no candidate {quoted(name)}; {did_you_mean(name, rows)}")
    row = rows[name]
    if row.selected:
        what = "is what the run has chosen" if record.artifact is None else f"is {record.artifact.file} of the run"
        raise OptionError(f"{quoted(name)} {what}: there is nothing to pick")
    if row.file is not None:
        return row.file
    if record.task.promises:
        raise OptionError(
            "what the run promised was proven of the model that it chose, and of no other; train again with --models "
            "to have another one proven"
        )
    others = [other.name for other in record.leaderboard if other.file is not None]
    why = "there was no time to keep it, or the run is private" if row.front else "another is both better and faster"
    have = f"pick one of {', '.join(map(quoted, others))}" if others else "train again with more --budget"
    raise OptionError(f"the run kept no program of {quoted(name)}: {why}; {have}")
