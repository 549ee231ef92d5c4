"""Parts and folds: which rows train, which choose, and which are sealed.

``split`` divides the rows once, before anything else looks at them; ``folds`` and ``holdout`` divide what is
left for training. All of them keep every class in proportion, keep a record that was entered more than once (or a
group) on one side, and depend on the data and the seed only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.errors import DataError, OptionError
from sortal.core.schema import Role
from sortal.core.table import Table
from sortal.core.writing import percent
from sortal.data.stratify import connected_groups, stratified_assign, targets

FOLDS = 5
LARGE = 200_000
_WORTH_SAYING = 0.01
"""Share of rows that agree with another by chance, from which on the split says so. Chosen, not measured."""


@dataclass(frozen=True)
class SplitPlan:
    """Which shares of the rows, 0 to 1, become the valid and the test part; the rest trains.

    >>> SplitPlan.parse("70/15/15")
    SplitPlan(valid=0.15, test=0.15)
    >>> print(SplitPlan())
    85/15
    """

    valid: float = 0.0
    test: float = 0.15

    @classmethod
    def parse(cls, text: str) -> SplitPlan:
        """The plan that a text describes, in percent that sum to 100.

        ``"70/15/15"`` is train, valid and test; ``"85/15"`` train and test; ``"100"`` seals nothing.
        Raises OptionError for anything else.
        """
        try:
            percent = [float(part) for part in text.split("/")]
        except ValueError:
            percent = []
        if not 1 <= len(percent) <= 3:
            raise OptionError(f"a split is written 70/15/15 (train/valid/test) or 85/15 (train/test), not {text!r}")
        if not abs(sum(percent) - 100) < 1e-6:
            raise OptionError(f"the parts of the split {text!r} sum to {sum(percent):g}; they should sum to 100")
        if percent[0] <= 0 or min(percent) < 0:
            raise OptionError(f"the split {text!r} leaves no rows to train on, or a part is negative")
        valid = percent[1] if len(percent) == 3 else 0.0
        test = percent[-1] if len(percent) > 1 else 0.0
        return cls(valid / 100, test / 100)

    @property
    def parts(self) -> dict[str, float]:
        """Names and shares of the parts that there will be, train first."""
        shares = {"valid": self.valid, "test": self.test}
        return {"train": 1 - self.valid - self.test} | {name: share for name, share in shares.items() if share > 0}

    def __str__(self) -> str:
        train, valid, test = (f"{100 * share:g}" for share in (1 - self.valid - self.test, self.valid, self.test))
        return "/".join([train, *([valid] if self.valid else []), *([test] if self.valid or self.test else [])])


@dataclass(frozen=True)
class Parts:
    """Ascending row positions of the parts; ``valid`` and ``test`` may be empty.

    ``method`` says in words how the rows were divided, ``notes`` what a careful reader should know about it.
    ``outer``: how many outer folds stand in for a test, where nothing is set apart (nested cross-validation).
    ``stratified``: whether each part was to have its share of every class.
    """

    train: Ints
    valid: Ints
    test: Ints
    method: str
    notes: tuple[str, ...] = ()
    outer: int = 0
    stratified: bool = False


def split(table: Table, codes: Ints, plan: SplitPlan, seed: int) -> Parts:
    """Divides the rows of ``table``, with class codes (n,) 0..K-1, once and for all.

    Stratified: every part gets its share of every class to within one row. A class with no more rows than
    there are parts stays in train, where models can learn it. Exact copies of a row (the same features) go to
    one side where they are records entered more than once (``Table.records``); coincidences of coarse columns are dealt
    as rows like any others, so that the parts are like the data, and a note says so.

    The groups of the table's group column stay whole; groups that share such a record go to one side, as long as
    that leaves parts of about the asked size; a note says where it does not.

    With a time column, of dates or numbers, the newest rows are the test, the next newest the valid
    part, and rows of one time stay together. Time goes before classes and copies; notes say what that costs.
    With both, a group is as new as its newest row: no group is divided and no row of train is
    newer than the end of any test group; older rows of the newest groups are in the test too.

    Raises DataError where the columns do not allow such parts.
    """
    if len(codes) != len(table):
        raise ValueError(f"{len(table)} rows, but {len(codes)} class codes")
    names = list(plan.parts)
    shares = np.array(list(plan.parts.values()))
    if len(table) < len(names):
        raise DataError(f"{len(table)} rows cannot be divided into {' and '.join(names)}; give more rows")
    if len(names) == 1:
        everything = np.arange(len(table))
        return Parts(everything, everything[:0], everything[:0], "none: all rows train")
    stratified = table.schema.only("time") is None
    part, method, notes = _by_class(table, codes, shares, seed) if stratified else _by_time(table, shares)
    where = {name: np.flatnonzero(part == p) for p, name in enumerate(names)}
    if not all(len(rows) for rows in where.values()):
        raise DataError(
            f"column {_name(table, 'group')!r} has too few groups for {' and '.join(names)} of whole groups; "
            "leave --group out or give more groups"
        )
    notes += _size_notes(part, names, shares) + class_notes(table, codes, part, names)
    empty = np.zeros(0, dtype=np.int64)
    valid, test = where.get("valid", empty), where.get("test", empty)
    return Parts(where["train"], valid, test, method, tuple(notes), stratified=stratified)


def _name(table: Table, role: Role) -> str | None:
    column = table.schema.only(role)
    return None if column is None else column.name


def _by_class(table: Table, codes: Ints, shares: Floats, seed: int) -> tuple[Ints, str, list[str]]:
    keep = len(shares)
    notes = _group_notes(table) + _coincidence_notes(table)
    if table.groups is None:
        method, alone = "stratified", np.arange(len(table))
        together = table.records
    else:
        method, alone = f"whole groups of {_name(table, 'group')!r}, stratified", table.groups
        together = connected_groups(alone, table.records)
    if together.max() < alone.max():
        part = stratified_assign(codes, together, shares, seed, keep)
        if _near(part, codes, targets(codes, shares, keep)):
            return part, f"{method}; exact copies of a row together", notes
        reason = "parts would not be like the data" if table.groups is None else "they tie most groups together"
        notes.append(f"exact copies of a row could not be kept on one side: {reason}")
    return stratified_assign(codes, alone, shares, seed, keep), method, notes


def _coincidence_notes(table: Table) -> list[str]:
    """That copies are none, where chance explains them."""
    copied = table.coincidence.copied
    if not table.coincidence.explains or copied < _WORTH_SAYING:
        return []
    return [
        f"{percent(copied)} of the rows agree with another one in every column, as chance has it in columns this "
        f"coarse (about {percent(table.coincidence.by_chance)}): they are dealt as rows like any others"
    ]


def _near(part: Ints, codes: Ints, target: Ints) -> bool:
    """Sizes are within a quarter of what was wished (or a row), and no part lacks half of a class (and two rows)."""
    classes, parts = target.shape
    counts = np.bincount(codes * parts + part, minlength=classes * parts).reshape(classes, parts)
    sizes = np.abs(counts.sum(axis=0) - target.sum(axis=0)) <= 1 + target.sum(axis=0) / 4
    return bool(sizes.all() and (counts >= target / 2 - 2).all())


def _by_time(table: Table, shares: Floats) -> tuple[Ints, str, list[str]]:
    notes, group, time = _group_notes(table), _name(table, "group"), _name(table, "time")
    stamps, groups = table.times, table.groups
    assert stamps is not None
    moments, method = stamps, f"newest rows by {time!r}"
    if groups is not None:
        newest = np.full(int(groups.max()) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, groups, stamps)
        moments, method = newest[groups], f"newest groups of {group!r} by {time!r}"
    ordered = np.sort(moments)
    positions = len(table) * np.cumsum(shares)[:-1]
    cuts = _cuts(ordered, positions)
    if len(cuts) < len(positions):
        things = "rows" if group is None else f"groups of {group!r}"
        raise DataError(
            f"column {time!r} cannot order the parts: the {things} end at {len(np.unique(ordered))} times "
            f"only; use another time column{'' if group is None else ', or --time or --group alone'}"
        )
    part = np.searchsorted(ordered[cuts], moments, side="right")
    if group is not None and (older := int((stamps[part > 0] <= stamps[part == 0].max()).sum())):
        notes.append(f"{older:,} rows outside train are no newer than the newest of train: their groups go on longer")
    records = table.records
    if repeats := int(np.isin(records[part > 0], records[part == 0]).sum()):
        notes.append(f"{repeats:,} rows outside train repeat an older row of train exactly")
    return part.astype(np.int64), method, notes


def _cuts(ordered: Ints, positions: Floats) -> list[int]:
    """For each wished position the nearest where the ascending values change; no two the same."""
    changes = np.flatnonzero(np.diff(ordered)) + 1
    cuts: list[int] = []
    start = 0
    for later, position in zip(reversed(range(len(positions))), positions, strict=True):
        open_changes = changes[start : len(changes) - later]
        if len(open_changes) == 0:
            break
        nearest = int(np.abs(open_changes - position).argmin())
        cuts.append(int(open_changes[nearest]))
        start += nearest + 1
    return cuts


def _group_notes(table: Table) -> list[str]:
    group = _name(table, "group")
    missing = 0 if group is None else table[group].null_count()
    return [f"{missing:,} rows without {group!r} are kept together as one group"] if missing else []


def _size_notes(part: Ints, names: list[str], shares: Floats) -> list[str]:
    actual = np.bincount(part, minlength=len(names)) / len(part)
    return [
        f"{name} has {100 * share:.0f} % of the rows, not {100 * wish:.0f} %: what belongs together stays so"
        for name, share, wish in zip(names, actual, shares, strict=True)
        if abs(share - wish) > max(0.03, 1.5 / len(part))
    ]


def class_notes(table: Table, codes: Ints, part: Ints, names: list[str]) -> list[str]:
    """What the parts ``names``, (n,) ``part`` by their numbers, lack of which class."""
    column = table.schema.only("target")
    notes = []
    for code, size in enumerate(np.bincount(codes)):
        rows = np.flatnonzero(codes == code)
        present = set(part[rows].tolist())
        missing_parts = [name for p, name in enumerate(names) if p not in present]
        if size == 0 or not missing_parts:
            continue
        label = f"class {table[column.name][int(rows[0])]!r}" if column else f"class number {code}"
        rare = f"{label} has {size} row{'s' if size > 1 else ''}"
        if "train" in missing_parts:
            notes.append(f"{label} does not occur in train: no model can learn it")
        elif size == 1:
            notes.append(f"{rare}: it is in train and nothing can be said about it")
        else:
            notes.append(f"{rare}: none in {' and '.join(missing_parts)}, which can say nothing about it")
    return notes


def folds(
    codes: Ints, k: int, seed: int, groups: Ints | None = None, times: Ints | None = None, repeats: int = 1
) -> list[tuple[Ints, Ints]]:
    """``k`` pairs of (training, validation) positions, ascending, for class codes (n,).

    Stratified as scikit-learn's StratifiedKFold, with every class of two rows or more in every training part.
    ``groups`` (n,) ids are kept whole (records: ``Table.records``). ``repeats`` deals anew, for
    k * repeats pairs.

    With ``times`` (n,), windows expand: each validation block is newer than all of its training rows, rows of
    one time stay together, and rows of a group that is in the validation block do not train. The oldest rows,
    about one in k + 1, are never validated. There are fewer pairs where there are fewer than k + 1 times;
    repeats change nothing.

    Raises DataError when there are fewer rows (groups, times) than folds need.

    >>> codes, times = np.array([0, 0, 1, 1]), np.array([1, 2, 2, 3])
    >>> [valid.tolist() for _, valid in folds(codes, 2, seed=0, times=times)]
    [[1, 2], [3]]
    """
    if k < 2:
        raise OptionError(f"cross-validation needs at least 2 folds, not {k}")
    if times is not None:
        windows = list(_expanding(times, k, groups))
        if not windows:
            raise DataError(
                "each group has rows at nearly all times, so that folds in the order of time, which keep groups whole, "
                "have none to train on; leave --time or --group out"
            )
        return windows
    units = np.arange(len(codes)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(codes) == 0 or units.max() + 1 < k:
        things = "rows" if groups is None else "groups of rows that differ"
        raise DataError(f"{k} folds need at least {k} {things}")
    pairs = []
    for repeat in range(repeats):
        part = stratified_assign(codes, units, np.full(k, 1 / k), [seed, repeat])
        pairs += [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(k)]
    return pairs


def _expanding(times: Ints, k: int, groups: Ints | None) -> Iterator[tuple[Ints, Ints]]:
    ordered = np.sort(times)
    blocks = min(k + 1, len(np.unique(ordered)))
    if blocks < 2:
        raise DataError("folds in the order of time need at least two different times; use another time column")
    cuts = _cuts(ordered, len(times) * np.arange(1, blocks) / blocks)
    block = np.searchsorted(ordered[cuts], times, side="right")
    for newest in range(1, blocks):
        valid = np.flatnonzero(block == newest)
        train = np.flatnonzero(block < newest)
        if groups is not None:
            train = train[~np.isin(groups[train], groups[valid])]
        if len(train):
            yield train, valid


def holdout(codes: Ints, share: float, seed: int, groups: Ints | None = None) -> tuple[Ints, Ints]:
    """(training, held out) positions, with about ``share`` of every class held out; for early stopping.

    Classes of two rows or fewer stay in training; ``groups`` (n,) ids are kept whole.

    >>> train, held = holdout(np.array([0] * 80 + [1] * 20), share=0.1, seed=0)
    >>> len(train), len(held)
    (90, 10)
    """
    units = np.arange(len(codes)) if groups is None else np.unique(groups, return_inverse=True)[1]
    part = stratified_assign(codes, units, np.array([1 - share, share]), [seed, 1], keep=2)
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def fold_count(n_rows: int, rarest: int) -> int:
    """How many folds suit ``n_rows`` rows whose rarest class has ``rarest`` rows: five as a rule.

    As few as three where five would leave folds without the rarest class, and three where rows are so many
    that folds hardly differ.

    >>> fold_count(1_000, 200), fold_count(1_000, 4), fold_count(1_000, 1), fold_count(500_000, 9_000)
    (5, 4, 3, 3)
    """
    if n_rows > LARGE:
        return 3
    return max(2, min(FOLDS, max(3, rarest), n_rows))
