"""Is every file refused or right? Spoilt model files, data files and recipes, each tried in a process with limits and
under watch.

A case is refused (one sentence, an error of the InputError tree, nothing that a terminal could be led astray by) or
right: scores are probabilities, no row is lost, and ``show``, ``evaluate``, ``predict`` and ``decide`` work. Anything
else is a fault, told with the case that shows it again: ``python -m bench fuzz --case model:123``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from bench._fuzz.pool import Pool, Trial
from bench._fuzz.seeds import train_all
from bench._outcome import Goal, Options, Outcome

CASES = {"model": 50_000, "data": 5_000, "recipe": 2_000}
FAST = {"model": 2_000, "data": 300, "recipe": 200}
TRAINED = {False: 0.2, True: 0.05}
"""The share of recipes that nothing forbids with which a model is trained, by whether it has to be fast."""
EXAMPLES = 4
TOLD_EVERY = 30.0
"""Seconds between two signs of life."""


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(os.environ.get("SORTAL_FUZZ_SEEDS", home))
        seeds = train_all(folder)
        if options.case:
            kind, _, number = options.case.partition(":")
            batches = [(kind, int(number), int(number) + 1)]
        else:
            counts = FAST if options.fast else {kind: options.reps * n for kind, n in CASES.items()}
            batches = [(kind, 0, n) for kind, n in counts.items()]
        pool = Pool(seeds, 1 if options.case else os.cpu_count() or 1, 1.0 if options.case else TRAINED[options.fast])
        return outcome(_followed(pool.run(batches), sum(last - first for _, first, last in batches)))


def _followed(cases: object, total: int) -> list[Trial]:
    """All of them, with a sign of life now and then."""
    finished: list[Trial] = []
    last = time.monotonic()
    for case in cases:  # type: ignore[attr-defined]
        finished.append(case)
        if time.monotonic() - last > TOLD_EVERY:
            last = time.monotonic()
            faults = sum(t.verdict.outcome == "fault" for t in finished)
            print(f"{len(finished):,} of {total:,} cases, {faults:,} faults", file=sys.stderr)
    return finished


def outcome(cases: list[Trial]) -> Outcome:
    kinds = list(dict.fromkeys(t.kind for t in cases))
    tally = Counter((t.kind, t.verdict.outcome) for t in cases)
    rows = [
        [kind, *(f"{n:,}" for n in (sum(tally[kind, o] for o in OUTCOMES), *(tally[kind, o] for o in OUTCOMES)))]
        for kind in kinds
    ]
    classes: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for case in cases:
        if case.verdict.outcome == "fault":
            classes[case.kind, case.verdict.what].append(case)
    ranked = sorted(classes.items(), key=lambda item: -len(item[1]))
    notes = [_note(kind, what, group) for (kind, what), group in ranked]
    faults = sum(map(len, classes.values()))
    return Outcome(
        title="Spoilt files: refused, right, or a fault",
        columns=["files", "cases", *OUTCOMES],
        rows=rows,
        goals=[Goal("outcomes other than a refusal or right numbers: 0", f"{faults:,} of {len(cases):,}", faults == 0)],
        notes=notes,
        figures=[{"files": k, **{o: tally[k, o] for o in OUTCOMES}} for k in kinds],
    )


OUTCOMES = ("refused", "right", "fault")


def _note(kind: str, what: str, group: list[Trial]) -> str:
    numbers = sorted(t.number for t in group)[:EXAMPLES]
    detail = next((t.verdict.detail for t in group if t.verdict.detail), "")
    text = ascii(detail[:160]) if detail else ""
    return f"FAULT {len(group):>5,} x {what}: --case {' '.join(f'{kind}:{n}' for n in numbers)}  {text}".rstrip()
