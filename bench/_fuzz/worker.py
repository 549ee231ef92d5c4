"""A process that tries cases: it reads ``KIND FIRST LAST`` lines and answers with a line of JSON before and after each
case."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench._fuzz.cases import TRAINED, Cases
from bench._fuzz.guard import FOLDER, Watch, limit_addresses
from bench._fuzz.judge import Judge
from bench._fuzz.seeds import Seed


def main() -> None:
    seeds = [Seed(Path(model), Path(rows)) for model, rows in json.loads(sys.argv[1])]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        cases = Cases(
            seeds, Judge(Watch(), Path(folder), nowhere), float(sys.argv[2]) if len(sys.argv) > 2 else TRAINED
        )
        warm_up(cases)
        limit_addresses()
        answers.write(json.dumps({"ready": True}) + "\n")
        for line in sys.stdin:
            kind, first, last = line.split()
            for number in range(int(first), int(last)):
                answers.write(json.dumps({"begins": [kind, number]}) + "\n")
                answers.write(json.dumps(_answer(cases, kind, number)) + "\n")
            answers.write(json.dumps({"ready": True}) + "\n")


def warm_up(cases: Cases) -> None:
    """The seeds themselves have to be right, and whatever is imported late is imported now."""
    for seed in (cases.seeds[0], *cases.seeds):
        for path, door in ((seed.model, cases.judge.model), (seed.rows, cases.judge.table)):
            verdict = cases.judge.verdict(partial(door, path, seed))
            if verdict.outcome != "right" and seed is not cases.seeds[0]:
                raise SystemExit(f"the seed {path} is not right: {verdict.what} {verdict.detail}")
    for number in range(8):
        cases.verdict("recipe", number)


def _answer(cases: Cases, kind: str, number: int) -> dict[str, Any]:
    verdict = cases.verdict(kind, number)
    return {"ends": [kind, number], "outcome": verdict.outcome, "what": verdict.what, "detail": verdict.detail}


if __name__ == "__main__":
    main()
