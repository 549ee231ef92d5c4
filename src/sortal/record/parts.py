"""``run.json``: everything that a run found, decided and counted, as plain data.

The dataclasses here and ``run.schema.json`` beside them are one contract, held together by a test. Within
one ``protocol`` number no key appears, goes away or changes its meaning. Every key is always written; a
figure that does not exist (or is not finite) is null. Shares lie between 0 and 1, durations say their
unit in their name, class orders are those of ``task.classes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from sortal.core.errors import DataError
from sortal.core.predictions import Part
from sortal.core.schema import Column
from sortal.core.task import Goal, Task
from sortal.decide.certificate import Certificate
from sortal.report import notation

PROTOCOL: Final = 1
CHOSEN: Final = "chosen"
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

Severity = Literal["severe", "warning", "note"]
Status = Literal["holds", "fails", "not looked for", "not applicable"]
Standing = Literal["as promised", "better", "in doubt", "worse", "unknown"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its two-sided 95 % interval; like ``core.interval.Interval``, but any part may be
    unknown.

    >>> print(Estimate(0.9451, 0.9389, 0.9512))
    .945 [.939 .951]
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, figure: notation.Estimated) -> Estimate:
        """From an ``Interval`` or the like, with numbers of Python's own; what is not finite is unknown."""
        parts = (figure.value, figure.low, figure.high)
        return cls(*(float(part) if part is not None and notation.known(part) else None for part in parts))

    def __str__(self) -> str:
        return notation.interval(self)


@dataclass(frozen=True)
class Data:
    """What was read: its name (not its path), its size, its hash, and what was noticed while reading."""

    name: str
    rows: int
    columns: int
    sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something that the audit found, with its numbers and what can be done. ``column`` is null where it
    concerns rows or the whole table. ``columns``: those that can be left out because of it.
    """

    code: str
    severity: Severity
    column: str | None
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """How rows were parted. ``method``: stratified, time or group; ``column``: the time or group column.

    ``train``, ``valid`` and ``test`` are numbers of rows; ``valid`` is 0 where out-of-fold predictions
    play its part. ``prevalence`` has the class shares of each part, ``folds`` and ``repeats`` describe
    the cross-validation, which is ``forward`` where its folds follow each other in time.
    """

    method: str
    train: int
    valid: int
    test: int
    column: str | None = None
    folds: int = 0
    repeats: int = 1
    forward: bool = False
    prevalence: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """The method, with the column where it does not name it itself.

        >>> Split("newest rows by 'day'", 9, 0, 1, "day").how, Split("time", 9, 0, 1, "day").how
        ("newest rows by 'day'", 'by time (day)')
        """
        if self.column is None or repr(self.column) in self.method:
            return self.method
        return f"by {self.method} ({notation.plain(self.column)})"


@dataclass(frozen=True)
class Baseline:
    """A baseline; ``margin``: by how much the chosen model beats it, a paired difference."""

    name: str
    family: str
    metric: str
    mean: float | None
    margin: Estimate | None = None


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over folds."""

    mean: float | None
    std: float | None = None


@dataclass(frozen=True)
class Row:
    """One candidate on the leaderboard, best first. ``metric`` is what candidates are selected by.

    ``mean``, ``std``, ``low`` and ``high`` are of that metric over the folds (a 95 % interval);
    ``metrics`` has all of them. ``fit_seconds`` is the time of all folds, ``row_microseconds`` that of
    scoring one row. ``note`` says what is special.
    """

    name: str
    family: str
    metric: str
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    fit_seconds: float | None
    row_microseconds: float | None
    selected: bool = False
    baseline: bool = False
    metrics: Mapping[str, Spread] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Selection:
    """Which candidate was taken and why.

    ``uncorrected`` is the chosen one's figure as it was measured, ``corrected`` the same after taking off ``bias``, by which
    picking the best flatters; its interval is as wide as the doubt about both. ``corrected_estimate`` is the latter's value. ``tied`` are the candidates that cannot be told apart from the best; ``p_value`` compares
    the chosen one with ``runner_up``.
    """

    chosen: str
    metric: str
    corrected_estimate: float | None = None
    bias: float | None = None
    uncorrected: Estimate | None = None
    corrected: Estimate | None = None
    runner_up: str | None = None
    p_value: float | None = None
    tied: tuple[str, ...] = ()
    explanation: str = ""


@dataclass(frozen=True)
class Imbalance:
    """What came of treating rare classes: the better of two candidates of one family, of which one balances the classes.

    ``way`` and ``rival_way`` say how. ``gain``: by how much the candidate is better on the metric of selection, paired.
    """

    candidate: str
    way: str
    rival: str
    rival_way: str
    metric: str
    gain: Estimate


@dataclass(frozen=True)
class Calibration:
    """``method`` is "none" where nothing helped, "average" of several by their ``weights``; the log-losses are out of fold,
    ``explanation`` says what was tried. ``removable``: the log-loss that recalibration would still remove, a row, on the test (on
    what the decision was made on where the test was not opened).
    """

    method: str
    log_loss_before: float | None = None
    log_loss_after: float | None = None
    explanation: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    removable: Estimate | None = None


@dataclass(frozen=True)
class Decision:
    """How probabilities become a decision.

    ``kind``: "cost" (least expected cost), "f1" (the largest F-beta), "promise" (what a certificate proves), "capacity" (the best of
    so many rows) or "argmax"; ``rule`` says it in words. ``threshold``: the positive class is said from this probability
    on (of a capacity with costs: from this expected saving on); null where there is none. ``expected_cost`` is per row, on
    rows that the model never saw; without costs every error costs one. ``comparison`` has the ``measure`` of the
    alternatives by name on the same rows, and of this rule under "chosen". ``certificate``: what was promised and what holds; null
    where nothing was. ``rejected``: the share of rows that are left to a person, ``decided_accuracy``: of the others, how many are
    decided rightly; null where no row can be rejected.
    """

    kind: Goal
    positive: str | None = None
    rule: str = ""
    threshold: float | None = None
    expected_cost: Estimate | None = None
    measure: str = "expected_cost"
    comparison: Mapping[str, float | None] = field(default_factory=dict)
    certificate: Certificate | None = None
    rejected: Estimate | None = None
    decided_accuracy: Estimate | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Confusion:
    """Counts of rows, truth by decision. ``classes`` are the rows and the columns; a last column more counts what was rejected."""

    part: Part
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 of one class; ``support`` is how many rows truly have it.

    ``rejected``: the share of them that is left to a person, where some rows are; the other figures are of the rest then.
    """

    label: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: float | None = None
    rejected: Estimate | None = None


@dataclass(frozen=True)
class ClassCoverage:
    """How often the prediction set holds the class where it is true. ``neglected``: too seldom for chance."""

    label: str
    coverage: Estimate
    neglected: bool


@dataclass(frozen=True)
class Sets:
    """Prediction sets. ``asked``: the share of sets that has to hold the true class; ``rows``: those that they were fitted on.

    ``coverage``, ``mean_size`` and ``singles`` (sets of one class) are of the rows of ``part``.
    """

    method: str
    asked: float
    rows: int
    part: Part
    coverage: Estimate
    mean_size: float
    singles: Estimate
    per_class: tuple[ClassCoverage, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rival:
    """Deciding every row alike, on the test: its ``cost`` a row, and by how much the rule costs more (``excess``, paired)."""

    name: str
    cost: float
    excess: Estimate


@dataclass(frozen=True)
class Kept:
    """A figure as it was promised and as it is on the test.

    ``metric``: its name, or "coverage of sets". ``promised``: on rows that the model never saw, or the level that was asked for,
    which has no interval. ``change``: from one to the other, null where a level was asked for. ``standing``: "worse" and
    "better" are beyond chance, "in doubt" is worse and outside both intervals, but may be chance.
    """

    metric: str
    promised: Estimate
    found: Estimate
    change: Estimate | None
    standing: Standing


@dataclass(frozen=True)
class Trial:
    """The test against what was promised before it.

    ``absent``: classes that are true of no row, ``undecided``: those of which every row is left to a person; averages over classes
    leave them out. ``rejected``: the share of rows that is left to a person, null where none can be. ``warnings``: what falls short,
    in sentences; ``notes``: what else a reader of the figures should know.
    """

    rows: int
    absent: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    rejected: Estimate | None = None
    rivals: tuple[Rival, ...] = ()
    promises: tuple[Kept, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnWeight:
    """How much one column matters."""

    column: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Importance:
    """``measure`` says in words what the values mean; ``columns`` come largest first."""

    measure: str
    columns: tuple[ColumnWeight, ...] = ()


@dataclass(frozen=True)
class Phase:
    """A step of the run and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Skipped:
    """A candidate that was not trained, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Unchecked:
    """A check that was not made, and why. ``blind``: there may be something all the same; else there is nothing to look at."""

    code: str
    title: str
    reason: str
    blind: bool


@dataclass(frozen=True)
class Timing:
    """Time asked for and time taken, of the whole process. ``budget_seconds`` is null without a deadline."""

    budget_seconds: float | None
    wall_seconds: float
    phases: tuple[Phase, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Opening:
    """One look at the sealed rows, as the ledger has it."""

    at: str
    reason: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Ledger:
    """The looks at the sealed rows. ``head`` is the last hash of its chain, ``sealed`` the SHA-256 of the file of the rows; a
    score is ``blind`` only for the first look.
    """

    opens: int
    blind: bool = True
    head: str | None = None
    sealed: str | None = None
    entries: tuple[Opening, ...] = ()


@dataclass(frozen=True)
class Parity:
    """The saved model against the trained one: largest difference of a probability, changed labels."""

    rows: int
    max_difference: float
    label_flips: int


@dataclass(frozen=True)
class Artifact:
    """The saved model."""

    file: str
    bytes: int
    sha256: str
    parity: Parity | None = None


@dataclass(frozen=True)
class Item:
    """One line of the checklist, with the evidence for its status."""

    item: str
    status: Status
    evidence: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A whole run; ``run.json`` is this and nothing else.

    ``imbalance`` is null where no class is rare enough to be treated, ``sets`` where none were asked for.
    ``test`` and ``trial`` are null where the test was not opened. ``per_class`` and ``confusion`` are of the test then,
    else out of fold.
    """

    protocol: Literal[1] = PROTOCOL
    sortal_version: str
    seed: int
    data: Data
    columns: tuple[Column, ...] = ()
    task: Task
    audit: tuple[Finding, ...] = ()
    audit_skipped: tuple[Unchecked, ...] = ()
    split: Split
    baselines: tuple[Baseline, ...] = ()
    leaderboard: tuple[Row, ...]
    selection: Selection
    imbalance: Imbalance | None = None
    calibration: Calibration
    decision: Decision
    sets: Sets | None = None
    test: Mapping[str, Estimate] | None = None
    trial: Trial | None = None
    confusion: Confusion | None = None
    per_class: tuple[ClassFigures, ...] = ()
    importance: Importance | None = None
    timing: Timing
    ledger: Ledger
    artifact: Artifact | None = None
    checklist: tuple[Item, ...] = ()

    @property
    def chosen(self) -> Row | None:
        """The leaderboard's row of the chosen model."""
        return next((row for row in self.leaderboard if row.selected), None)

    def to_json(self) -> bytes:
        """As the content of ``run.json``: UTF-8, two spaces of indentation, figures that are not finite as
        null.
        """
        return msgspec.json.format(msgspec.json.encode(self, enc_hook=_plain), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> RunRecord:
        """The record of a ``run.json``. Raises DataError where it is not one, or is of another protocol."""
        try:
            protocol = msgspec.json.decode(content, type=_Protocol).protocol
        except msgspec.MsgspecError as error:
            raise DataError(f"this is not a run.json of sortal: {error}") from None
        if protocol != PROTOCOL:
            reads = f"this version of sortal reads {PROTOCOL}; use the version that wrote it"
            raise DataError(f"run.json has protocol {protocol}, {reads}")
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.MsgspecError as error:
            raise DataError(f"run.json does not follow its schema: {error}") from None


class _Protocol(msgspec.Struct):
    protocol: int


def _plain(value: object) -> object:
    """NumPy's scalars and arrays as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no place in run.json")


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``run.json``, made from the dataclasses; ``run.schema.json`` is its
    committed copy.

    Every object is closed (no keys beyond the named ones) and complete (all of them required), save for
    the maps: metrics, evidence, comparison, weights and prevalence.
    """
    definitions = msgspec.json.schema(RunRecord)["$defs"]
    for name, definition in definitions.items():
        if "properties" in definition:
            definition["additionalProperties"] = False
            definition["required"] = list(definition["properties"])
            for property in definition["properties"].values():
                property.pop("default", None)
        definition["description"] = " ".join(definition["description"].replace("``", "").split(">>>")[0].split())
        definition["title"] = name
    definitions["RunRecord"]["properties"]["protocol"] = {"const": PROTOCOL}
    return {
        "$schema": SCHEMA_ID,
        "title": "run.json of sortal",
        "$ref": "#/$defs/RunRecord",
        "$defs": definitions,
    }
