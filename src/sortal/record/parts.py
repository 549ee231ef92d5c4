"""The parts of a run's record that no other room has of its own, as plain data; ``record.run`` puts them together.

What the audit, the certificate, the calibration and the saved model tell of themselves goes into the record as it is.
Shares lie between 0 and 1, durations say their unit in their name, class orders are those of ``task.classes``, and a
figure that does not exist (or is not finite) is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.artifact.model import Parity
from sortal.core.interval import Estimate
from sortal.core.plain import plain
from sortal.core.predictions import Part
from sortal.core.skipped import Skipped
from sortal.core.task import Goal
from sortal.decide.certificate import Certificate

CHOSEN: Final = "chosen"
BaselineKind = Literal["majority class", "linear model"]


@dataclass(frozen=True)
class Split:
    """How rows were parted. ``method``: stratified, time or group; ``column``: the time or group column.

    ``train``, ``valid`` and ``test`` are numbers of rows; ``valid`` is 0 where out-of-fold predictions
    play its part. ``prevalence`` has the class shares of each part, ``folds`` and ``repeats`` describe
    the cross-validation, which is ``forward`` where its folds follow each other in time. ``outer``: how many outer
    folds stand in for a test, where no row is set apart. ``stratified``: each part was to have its share of every
    class.
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
    outer: int = 0
    stratified: bool = False

    @property
    def how(self) -> str:
        """The method, with the column where it does not name it itself.

        >>> Split("newest rows by 'day'", 9, 0, 1, "day").how, Split("time", 9, 0, 1, "day").how
        ("newest rows by 'day'", 'by time (day)')
        """
        if self.column is None or repr(self.column) in self.method:
            return self.method
        return f"by {self.method} ({plain(self.column)})"

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """(K,) rows of each class in all parts, where these are stratified; None else.

        >>> shares = {"train": (0.5, 0.5), "test": (0.5, 0.5)}
        >>> Split("stratified", 6, 0, 2, prevalence=shares, stratified=True).classes.tolist()
        [4, 4]
        """
        if not self.stratified:
            return None
        rows = {"train": self.train, "valid": self.valid, "test": self.test}
        counts = np.array([rows[name] * np.array(shares) for name, shares in self.prevalence.items()])
        return np.asarray(np.rint(counts.sum(axis=0)), dtype=np.int64)


@dataclass(frozen=True)
class Baseline:
    """A baseline, and by how much the chosen model is better, paired; both figures are null of the chosen one itself.

    ``margin``: out of fold, corrected for the choice: its low end holds for all candidates at once. ``on_test``: of the
    model that ships and the baseline as it would have shipped (without calibration), on the sealed test, where nothing
    was chosen; null where that was not compared. ``kind``: which of those it is that every model has to be compared
    with; null for a further one.
    """

    name: str
    family: str
    metric: str
    mean: float | None
    margin: Estimate | None = None
    kind: BaselineKind | None = None
    on_test: Estimate | None = None

    @property
    def beaten(self) -> bool:
        """Whether the chosen model is clearly better: beyond chance and choice out of fold, and no worse on the test.

        >>> margin = Estimate(0.05, 0.01, 0.09)
        >>> Baseline("tree", "tree", "log_loss", 0.4, margin, on_test=Estimate(0.02, -0.06, 0.1)).beaten
        True
        >>> Baseline("tree", "tree", "log_loss", 0.4, margin, on_test=Estimate(-0.02, -0.1, 0.06)).beaten
        False
        """
        if self.margin is None or self.margin.low is None or self.margin.low <= 0:
            return False
        return self.on_test is None or self.on_test.value is None or self.on_test.value > 0


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over folds."""

    mean: float | None
    std: float | None = None


@dataclass(frozen=True)
class Row:
    """One candidate on the leaderboard, best first. ``metric`` is what candidates are selected by.

    ``mean`` and ``std`` are of that metric over the folds, and the mean orders the rows; ``metrics`` has all of them.
    ``score``: what a model that is made so scores on fresh rows; of the chosen one that of the model that ships
    (``Selection.corrected``). ``fit_seconds`` is the time of all folds, ``program_microseconds`` that of the program
    alone on one row, whose columns are read already, and ``bytes`` about what it takes in a file.
    ``weights``: of the members of an ensemble; of all others empty. ``front``: no other is both better and faster;
    ``file``: where the program of such a one is kept, in the run's folder, for ``sortal pick``. ``note`` says what is
    special.
    """

    name: str
    family: str
    metric: str
    mean: float | None
    std: float | None
    score: Estimate
    fit_seconds: float | None
    program_microseconds: float | None
    bytes: int | None = None
    selected: bool = False
    baseline: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Spread] = field(default_factory=dict)
    front: bool = False
    file: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Selection:
    """Which candidate was taken and why.

    ``corrected`` is what the model that ships is expected to reach: the chosen one's mean over the folds after taking
    off ``bias``, by which picking the best flatters, and after adding ``refit_gain``, by which the rows that each fold
    left out change it, and ``calibration_gain`` (each null where that is not known); its interval is as wide as the
    doubt about all. ``refit_spread``: by how much the score would vary if the same procedure learned from other samples
    of as many rows (a standard deviation; null where nothing tells). ``tied`` are the candidates that cannot be told
    apart from the best; ``p_value`` compares the chosen one with ``runner_up``.
    """

    chosen: str
    metric: str
    bias: float | None = None
    refit_gain: float | None = None
    calibration_gain: float | None = None
    refit_spread: float | None = None
    corrected: Estimate | None = None
    runner_up: str | None = None
    p_value: float | None = None
    tied: tuple[str, ...] = ()
    explanation: str = ""


@dataclass(frozen=True)
class Imbalance:
    """What came of treating rare classes: the better of two candidates of one family, of which one balances the
    classes.

    ``way`` and ``rival_way`` say how. ``gain``: by how much the candidate is better on the metric of selection, paired.
    """

    candidate: str
    way: str
    rival: str
    rival_way: str
    metric: str
    gain: Estimate


@dataclass(frozen=True)
class CostAtShare:
    """What decisions cost a row where the positive class has this ``share`` and looks as it does here: by the rule ``as
    it is``, and where the model is ``moved`` to that share (``model.at_prevalence``).
    """

    share: float
    as_it_is: Estimate
    moved: Estimate


@dataclass(frozen=True)
class Decision:
    """How probabilities become a decision.

    ``kind``: "cost" (least expected cost), "f1" (the largest F-beta), "promise" (what a certificate proves), "capacity"
    (the best of so many rows) or "argmax"; ``rule`` says it in words. ``threshold``: the positive class is said from
    this probability on (of a capacity with costs: from this expected saving on); null where there is none.
    ``threshold_interval``: where other rows would have put one that was chosen on rows (F-beta, capacity).
    ``expected_cost`` is per row, on rows that the model never saw; without costs every error costs one. ``comparison``
    has the ``measure`` of the alternatives by name on the same rows, and of this rule under "chosen". Where a threshold
    was chosen on these rows, every figure of it is of thresholds that the row had no say in. ``certificate``:
    what was promised and what holds; null where nothing was. ``rejected``: the share of rows that are left to a person,
    ``decided_accuracy``: of the others, how many are decided rightly; null where no row can be rejected.
    ``at_shares``: of two classes, what it costs where the positive one has other shares.
    """

    kind: Goal
    positive: str | None = None
    rule: str = ""
    threshold: float | None = None
    threshold_interval: Estimate | None = None
    expected_cost: Estimate | None = None
    measure: str = "expected_cost"
    comparison: Mapping[str, float | None] = field(default_factory=dict)
    certificate: Certificate | None = None
    rejected: Estimate | None = None
    decided_accuracy: Estimate | None = None
    at_shares: tuple[CostAtShare, ...] = ()
    explanation: str = ""


@dataclass(frozen=True)
class Confusion:
    """Counts of rows, truth by decision. ``classes`` are the rows and the columns; a last column more counts what was
    rejected.
    """

    part: Part
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassCoverage:
    """How often the prediction set holds the class where it is true. ``neglected``: too seldom for chance."""

    label: str
    coverage: Estimate
    neglected: bool


@dataclass(frozen=True)
class Sets:
    """Prediction sets. ``asked``: the share of sets that has to hold the true class; ``rows``: those that they were
    fitted on.

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
class Nested:
    """What stands in for a test where no row is set apart: ``figures`` of the whole procedure, made once more in each
    of ``folds`` outer folds (of those that were ``planned``) and measured on the ``rows`` left out.

    The shipped model is the same procedure on all rows, and no look at it.
    """

    folds: int
    planned: int
    rows: int
    figures: Mapping[str, Estimate]


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
class Example:
    """One ``row``, as it is counted in the source from 1 on: its true class, what was decided ("reject" where it is
    left to a person), and the probability of each, which is null of what is no class.
    """

    row: int
    truth: str
    decided: str
    of_truth: float
    of_decided: float | None = None


@dataclass(frozen=True)
class Examples:
    """Rows of ``part`` to look at. ``mistakes``: those decided wrongly whose true class is least probable, of ``wrong``
    in all; ``uncertain``: others whose two most probable classes are nearest to each other. ``file``: the page in the
    run's folder that shows what they hold; null where there was no time for it.
    """

    part: Part
    wrong: int
    mistakes: tuple[Example, ...] = ()
    uncertain: tuple[Example, ...] = ()
    file: str | None = None


@dataclass(frozen=True)
class Phase:
    """A step of the run and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Timing:
    """Time asked for and time taken, of the whole process. ``budget_seconds`` is null without a deadline, ``effort``
    where no work was asked for in its place.
    """

    budget_seconds: float | None
    wall_seconds: float
    phases: tuple[Phase, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    effort: float | None = None


@dataclass(frozen=True)
class Opening:
    """One look at the sealed rows, as the ledger has it."""

    at: str
    reason: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Ledger:
    """The looks at the sealed rows. ``head`` is the last hash of its chain, ``sealed`` the SHA-256 of the file of the
    rows; a score is ``blind`` only for the first look.
    """

    opens: int
    blind: bool = True
    head: str | None = None
    sealed: str | None = None
    entries: tuple[Opening, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """The saved model. ``row_microseconds``: what ``predict_proba`` of a dict of one row takes, the median of
    thirty. ``exceeds``: what it takes more of than was asked for.
    """

    file: str
    bytes: int
    sha256: str
    parity: Parity | None = None
    row_microseconds: float | None = None
    exceeds: tuple[str, ...] = ()
