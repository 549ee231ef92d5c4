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

from bench._fuzz.pool import Pool, Tried
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
            wanted = [(kind, int(number), int(number) + 1)]
        else:
            counts = FAST if options.fast else {kind: options.reps * n for kind, n in CASES.items()}
            wanted = [(kind, 0, n) for kind, n in counts.items()]
        pool = Pool(seeds, 1 if options.case else os.cpu_count() or 1, 1.0 if options.case else TRAINED[options.fast])
        return outcome(_followed(pool.run(wanted), sum(last - first for _, first, last in wanted)))


def _followed(tried: object, total: int) -> list[Tried]:
    """All of them, with a sign of life now and then."""
    done: list[Tried] = []
    last = time.monotonic()
    for each in tried:  # type: ignore[attr-defined]
        done.append(each)
        if time.monotonic() - last > TOLD_EVERY:
            last = time.monotonic()
            faults = sum(t.verdict.outcome == "fault" for t in done)
            print(f"{len(done):,} of {total:,} cases, {faults:,} faults", file=sys.stderr)
    return done


def outcome(tried: list[Tried]) -> Outcome:
    kinds = list(dict.fromkeys(t.kind for t in tried))
    tally = Counter((t.kind, t.verdict.outcome) for t in tried)
    rows = [
        [kind, *(f"{n:,}" for n in (sum(tally[kind, o] for o in OUTCOMES), *(tally[kind, o] for o in OUTCOMES)))]
        for kind in kinds
    ]
    classes: dict[tuple[str, str], list[Tried]] = defaultdict(list)
    for each in tried:
        if each.verdict.outcome == "fault":
            classes[each.kind, each.verdict.what].append(each)
    ranked = sorted(classes.items(), key=lambda item: -len(item[1]))
    notes = [_told(kind, what, some) for (kind, what), some in ranked]
    faults = sum(map(len, classes.values()))
    return Outcome(
        title="Spoilt files: refused, right, or a fault",
        columns=["files", "cases", *OUTCOMES],
        rows=rows,
        goals=[Goal("outcomes other than a refusal or right numbers: 0", f"{faults:,} of {len(tried):,}", faults == 0)],
        notes=notes,
        figures=[{"files": k, **{o: tally[k, o] for o in OUTCOMES}} for k in kinds],
    )


OUTCOMES = ("refused", "right", "fault")


def _told(kind: str, what: str, some: list[Tried]) -> str:
    numbers = sorted(t.number for t in some)[:EXAMPLES]
    detail = next((t.verdict.detail for t in some if t.verdict.detail), "")
    shown = ascii(detail[:160]) if detail else ""
    return f"FAULT {len(some):>5,} x {what}: --case {' '.join(f'{kind}:{n}' for n in numbers)}  {shown}".rstrip()
