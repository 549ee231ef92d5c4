"""What the checklist is judged on beyond the record, and what a judgement is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sortal.artifact.model import Parity
from sortal.core.predictions import Part
from sortal.record.wording import count_of, tiny
from sortal.training.finalize import NoRefit


@dataclass(frozen=True)
class SavedModel:
    """What was read back from the model file ``file``, and its ``parity`` with the trained model.

    ``operations``: the ops of its program in the order in which they run. ``classes``: in its order.
    ``features``: how many columns it expects, ``profiled``: how many of them carry a profile of the
    training data. ``metrics``: the names of those in it.
    """

    file: str
    version: str
    parity: Parity
    operations: tuple[str, ...]
    classes: tuple[str, ...]
    features: int
    profiled: int
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What the run counted while it ran, beyond run.json.

    ``fits``: how often anything was fitted. ``out_of_fold_rows``: rows with an out-of-fold prediction;
    ``sealed_rows_scored``: sealed ones among the rows that candidates were compared on. ``decision_part``,
    ``decision_rows``, ``sealed_rows_decided``: the rows that the decision rule was chosen on, and the sealed ones among
    them. ``refit_rows``: rows of the final fit; ``no_refit``: why it is that of the first fold, None where it is one
    of its own. ``imbalance``: what was compared against imbalance, the chosen way first.
    ``ledger_intact``: whether the ledger's hash chain was verified. ``saved``: None where no model was saved.
    """

    fits: int
    out_of_fold_rows: int
    sealed_rows_scored: int
    decision_part: Part
    decision_rows: int
    sealed_rows_decided: int
    refit_rows: int
    no_refit: NoRefit | None
    imbalance: tuple[str, ...]
    ledger_intact: bool
    saved: SavedModel | None


UNSEEN: Final = "not looked for"
Verdict = tuple[bool | Literal["not looked for"] | None, str]
"""Whether an item holds (None: it does not apply; or nobody looked), and the evidence."""


def agreement(parity: Parity) -> str:
    difference = f"probabilities differ by at most {tiny(parity.max_difference)}"
    return f"on {count_of(parity.rows, 'row')} {difference}, {count_of(parity.label_flips, 'label')} changed"
