"""The options of a run, each written down once, on three sheets: what is decided, what the rows are, how a model is
searched for.

An option's name is the name of its field everywhere: ``cost_column`` in Python and in a recipe, ``--cost-column`` on
the command line. The command line, ``sortal.train`` and docs/options.md take names, defaults and help from here. A
field without help is no option: a run writes it into its recipe.
"""

from __future__ import annotations

import math
import re
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, get_type_hints

from sortal.core.disclosure import SMALLEST_COUNT, Disclosure
from sortal.core.plan import Planned

NESTED = "cv"
"""The split that sets no rows apart: nested cross-validation."""
USUAL_SECONDS = 120.0
"""Of a run of which nothing else is said."""


def option(default: Any, help: str, text: str | None = None, *, unit: bool = False) -> Any:
    """A field of a sheet: its default and what it is for. ``text``: the default as a person writes it, where that is
    another form. ``unit``: a number that is written with its unit.
    """
    metadata = {"help": help, "written": default if text is None else text, "unit": unit}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class GoalOptions:
    """What is decided, and what is promised of it.

    ``cost`` as it was given: ``"fp=1,fn=8"``, the path of a CSV file, or costs by truth and decision.
    """

    target: str = field(metadata={"help": "The column to predict.", "written": None, "unit": False})
    metric: str = option("auto", "What candidates are selected by.")
    cost: Any = option(None, '"fp=1,fn=8,tp=-2", or a CSV by true and decided class; benefits are negative.')  # noqa: RUF009
    cost_column: tuple[str, ...] = option((), "fn=COLUMN: a cost that stands in each row; may repeat.")
    reject_cost: float | None = option(None, "What leaving a row to a person costs.")
    precision: float | None = option(None, "Promise at least this precision, or refuse to.")
    recall: float | None = option(None, "Promise at least this recall, or refuse to.")
    fpr: float | None = option(None, "Promise at most this false positive rate, or refuse to.")
    confidence: float = option(0.95, "Of what is promised.")
    capacity: str | int | float | None = option(None, "How many can be decided positive: 500 at once, or 5%.")
    f1: bool = option(False, "Decide at the threshold of the largest F1.")
    f_beta: float | None = option(None, "The same for F-beta: 2 where recall weighs more.")
    sets: float | None = option(None, "Sets of classes that hold the true one this often.")
    positive: str | None = option(None, "The class of interest of two; else the rarer.")

    @property
    def beta(self) -> float:
        """How much more recall weighs than precision in F-beta."""
        return 1.0 if self.f_beta is None else self.f_beta

    @property
    def promises(self) -> bool:
        """Whether something is promised that must be proven on rows that the shipped model never saw."""
        return any(value is not None for value in (self.precision, self.recall, self.fpr, self.sets))


@dataclass(frozen=True)
class RowOptions:
    """How the rows are read, what their columns are for, how they are split, and what may be quoted of them.

    ``missing`` are the texts that mean "no value", beside an empty one; None for those that usually do. ``split``:
    train/valid/test or train/test in percent, or the name of a column that says which part a row is in, or ``cv``: no
    rows are set apart, and figures are of nested cross-validation.

    ``smallest_count``: a value of a column that fewer rows hold leaves with no file, and is as unseen to every model.
    ``private``: no value, row or row number is quoted at all, in a finding or reason or anywhere in the report.
    """

    kind: dict[str, str] = option({}, "COLUMN=KIND or COLUMN=KIND:FORMAT, where what is inferred is wrong; may repeat.")  # noqa: RUF009
    missing: tuple[str, ...] | None = option(
        None, "A text that means 'no value', instead of the usual ones; may repeat."
    )
    ignore: tuple[str, ...] = option((), "A column to leave out; may repeat.")
    time: str | None = option(None, "Column of dates or numbers: the newest rows are the test.")
    group: str | None = option(None, "Column whose groups are never torn apart.")
    weight: str | None = option(None, "Column that says how much a row counts in every fit.")
    split: str | None = option(
        None, "train/valid/test in percent, a column that says it, or cv: no test; 85/15, with promises 65/20/15."
    )
    slice: tuple[str, ...] = option((), "A column by which figures are shown, ignored or not; may repeat.")
    smallest_count: int = option(
        SMALLEST_COUNT, "A value of fewer rows leaves with no file, and is as unseen to every model; 1 keeps all."
    )
    private: bool = option(False, "Quote no value and no row, however many share it; no oof.parquet, no examples.html.")

    @property
    def disclosure(self) -> Disclosure:
        """What files may hold of the data."""
        return Disclosure(self.smallest_count, self.private)

    @property
    def split_column(self) -> str | None:
        """The column that says which part a row is in, where ``split`` names one.

        >>> RowOptions(split="fold").split_column, RowOptions(split="70/15/15").split_column
        ('fold', None)
        """
        is_column = self.split is not None and self.split != NESTED and not re.fullmatch(r"[\d./\s+-]+", self.split)
        return self.split if is_column else None


@dataclass(frozen=True)
class SearchOptions:
    """How a model is searched for, and what was run. ``budget`` in seconds; with ``effort``, in units of work that are
    about as long, no clock decides anything.

    ``plan`` is empty until a run has been made; ``refit`` says whether there was time to fit its model again on all
    rows, and ``halved`` in how many folds on half of the rows, too. ``unchecked`` has the checks of the audit that it
    had no time for, ``uncompared`` the baselines that it had no time to fit for the test, ``outer`` the outer folds
    that it had time for (0: as many as it gets through), ``permuted`` the rows on which it measured what columns add,
    and ``sampled`` how many rows of a table it had time for that is large for its budget (0: all of them). With them
    the same data and recipe give the same model, byte for byte, whatever the clock says.
    """

    select: int | None = option(None, "How many prepared columns to keep.")
    models: tuple[str, ...] = option((), "Families to try beside the baselines, with commas.", text="")
    backbone: tuple[str, ...] = option((), "Folder of a pretrained network that reads texts or images; may repeat.")
    embed_backbone: bool = option(True, "Whether a pretrained network is in the model file, or beside.", text="yes")
    max_latency: float | None = option(None, "What a row may take: 2ms, 500us; read, and through the model.", unit=True)
    max_size: int | None = option(None, "What the model may take in its file: 5MB.", unit=True)
    budget: float | None = option(None, "Time for everything: 60s, 2m, 1h; 2m unless given.", unit=True)
    effort: float | None = option(None, "Work instead of time: 60 for about as much; the same on every machine.")
    device: str = option("auto", "Where networks are trained: cpu, cuda, or auto for what there is.")
    seed: int = option(0, "For everything random.")
    plan: tuple[Planned, ...] = ()
    refit: bool = True
    halved: int = 0
    unchecked: tuple[str, ...] = ()
    uncompared: tuple[str, ...] = ()
    outer: int = 0
    permuted: int = 0
    sampled: int = 0

    @property
    def allowance(self) -> float:
        """Seconds of the budget, or units of the effort: how large a run it is to be."""
        return self.effort or self.budget or USUAL_SECONDS

    @property
    def seconds(self) -> float:
        """When the run has to be over: never, where work is what limits it.

        >>> SearchOptions().seconds, SearchOptions(effort=60.0).seconds
        (120.0, inf)
        """
        return self.allowance if self.effort is None else math.inf


SHEETS = (GoalOptions, RowOptions, SearchOptions)
FIELDS: tuple[Field[Any], ...] = tuple(f for sheet in SHEETS for f in fields(sheet))
"""What stands in a recipe, in order."""
RAN = tuple(f.name for f in FIELDS if not f.metadata)
"""What a run adds to its recipe: not what was asked, but what was done for it."""
TRAIN_OPTIONS = tuple(f for f in FIELDS if f.metadata)
AUDIT_OPTIONS = tuple(f for f in TRAIN_OPTIONS if f.name == "seed" or f not in fields(SearchOptions))
"""An audit neither prepares nor fits anything; which rows it may look at is a matter of the seed."""


@cache
def option_types() -> dict[str, Any]:
    """What the sheets hold, by the names of their fields."""
    return {name: hint for sheet in SHEETS for name, hint in get_type_hints(sheet).items()}
