"""The checklist of a run: every item is judged from what the run counted, and shows its evidence.

The first eleven items are the discipline of a classification project, the others its common traps. An item that does
not hold says what to do. Nothing here is true by assertion: what a check of the audit would have to show, and could not
look for, is said to be so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sortal.artifact.card import Item, Status
from sortal.record import discipline, traps
from sortal.record.facts import UNSEEN, Facts, Verdict
from sortal.record.run import Outcome

STATUS: Final[dict[bool | str | None, Status]] = {
    True: "holds",
    False: "fails",
    None: "not applicable",
    UNSEEN: "not looked for",
}


def checklist(outcome: Outcome, facts: Facts) -> tuple[Item, ...]:
    """All items, judged from what a run found and from what it counted.

    >>> [name for name, _ in ITEMS][3]
    'baselines beaten'
    """
    verdicts = [(name, *judge(outcome, facts)) for name, judge in ITEMS]
    return tuple(Item(name, STATUS[holds], evidence) for name, holds, evidence in verdicts)


ITEMS: tuple[tuple[str, Callable[[Outcome, Facts], Verdict]], ...] = (
    ("objective and metric tied to cost", discipline.objective),
    ("stratified split and proper cross-validation", discipline.split),
    ("one pipeline with its preprocessing", discipline.pipeline),
    ("baselines beaten", discipline.baselines),
    ("imbalance strategy decided", discipline.imbalance),
    ("hyperparameters by cross-validation, not on the test", discipline.selection),
    ("threshold tuned off the test", discipline.threshold),
    ("what was promised is certified", discipline.promise),
    ("the test is as promised", traps.as_promised),
    ("refit and calibration", discipline.refit),
    ("model, preprocessing, metrics and version saved", discipline.saved),
    ("monitoring ready", discipline.monitoring),
    ("everything fitted on training rows only", traps.train_only),
    ("parts are stratified", traps.stratified),
    ("no accuracy on skewed classes", traps.accuracy),
    ("label order kept", traps.label_order),
    ("test opened once", traps.opened_once),
    ("parts share no rows, groups or time", traps.apart),
    ("no column known only after the outcome", traps.no_future),
    ("nothing else severe in the audit", traps.sound),
)
