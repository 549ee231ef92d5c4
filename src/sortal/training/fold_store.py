"""Results of folds on disk while a run goes, so that one that was killed can be picked up where it was.

A candidate is kept when all of its folds are done: one file of arrays, nothing pickled. Its predictions are of single
rows, so a private run keeps none, and a finished run takes the folder away.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sortal.core.errors import OptionError
from sortal.core.plan import Planned
from sortal.training.candidate import Candidate
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldData, FoldJob, FoldResult, fit_fold

KEY = "key.json"


@dataclass(frozen=True)
class FoldStore:
    """A folder of results, all of the same rows and options."""

    folder: Path

    @classmethod
    def new(cls, folder: Path, key: str, earlier: Path | None = None) -> FoldStore:
        """Where this run keeps its results; those of an ``earlier`` one that was killed come along. ``key``: a digest
        of the rows and options.

        Raises OptionError where that one was of other rows or options.
        """
        folder.mkdir()
        (folder / KEY).write_text(json.dumps(key), "utf-8")
        if earlier is not None:
            if not (earlier / KEY).exists() or json.loads((earlier / KEY).read_text("utf-8")) != key:
                raise OptionError(
                    "the run that was left unfinished is of other data or other options, so nothing of it can be used; "
                    "leave --resume out"
                )
            for file in earlier.glob("*.npz"):
                shutil.copy(file, folder)
        return cls(folder)

    def save(self, candidate: Candidate, rows: int | None, results: Sequence[FoldResult]) -> None:
        """Keep what all folds of a candidate gave, on a sample of so many ``rows``."""
        plan = asdict(Planned(candidate.name, tuple(dict(result.effort) for result in results), rows))
        arrays = {
            f"{i} {name}": values
            for i, result in enumerate(results)
            for name, values in {
                "probability": result.predictions.probability,
                "saw": result.fit_rows.saw,
                "seconds": np.array([result.seconds, result.useful_share]),
            }.items()
        }
        file = self._file(candidate)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as opened:
            np.savez(opened, plan=np.frombuffer(json.dumps(plan).encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
        partial.replace(file)

    def folds(self) -> int | None:
        """How many folds the results are of; None where there are none."""
        return next((len(_plan(file).efforts) for file in sorted(self.folder.glob("*.npz"))), None)

    def load(self, candidate: Candidate, data: FoldData) -> tuple[int | None, list[FoldResult]] | None:
        """The sample of rows and the results of all folds; None where the candidate is not there.

        The first fold is fitted again with its effort, since its model may be shipped. Where it does not predict what
        it did (another version of a library), nothing is used.
        """
        file = self._file(candidate)
        if not file.exists():
            return None
        plan = _plan(file)
        if len(plan.efforts) != len(data.folds.parts):
            return None
        with np.load(file, allow_pickle=False) as arrays:
            first = fit_fold(data, FoldJob(candidate, 0, plan.rows, plan.efforts[0], "repeat"))
            if not np.array_equal(first.predictions.probability, arrays["0 probability"]):
                return None
            results = [first]
            for i, (_, valid) in list(enumerate(data.folds.parts))[1:]:
                predictions = data.dev.predictions(valid, arrays[f"{i} probability"], "out-of-fold")
                fit_rows = FitRows(arrays[f"{i} saw"], predictions.rows)
                seconds, useful_share = arrays[f"{i} seconds"].tolist()
                results.append(
                    FoldResult(predictions, plan.efforts[i], {}, seconds, fit_rows, useful_share=useful_share)
                )
        return plan.rows, results

    def remove(self) -> None:
        """The run is finished."""
        shutil.rmtree(self.folder)

    def _file(self, candidate: Candidate) -> Path:
        what = json.dumps([candidate.name, candidate.family.name, dict(candidate.settings), candidate.balance])
        return self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"


def _plan(file: Path) -> Planned:
    with np.load(file, allow_pickle=False) as arrays:
        return Planned(**json.loads(arrays["plan"].tobytes()))
