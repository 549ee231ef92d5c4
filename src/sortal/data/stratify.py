"""Dealing rows out to parts: the one algorithm behind the split, the folds and the holdout.

What must stay together is a *unit*: a row, the copies of a row, a group. Units are dealt so that every
part gets its share of every class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Ints

_MOST_SIGNATURES = 2000
_LARGE = 0.5


def connected_groups(first: Ints, second: Ints) -> Ints:
    """(n,) ids of the smallest units that hold the units of both whole (connected components).

    >>> connected_groups(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(first.max()) + 1
    nodes = size + int(second.max()) + 1
    edges = coo_array((np.ones(len(first)), (first, second + size)), shape=(nodes, nodes))
    component = connected_components(edges, directed=False)[1]
    return np.unique(component[first], return_inverse=True)[1].astype(np.int64)


def allocate(sizes: Ints, shares: Floats) -> Ints:
    """(K, P) whole numbers near ``sizes`` (K,) times ``shares`` (P,), which sum to one.

    Each number is the floor or the ceiling of its quota, each row sums to the size of its class, and what
    rounding owes a part is carried from class to class (error diffusion, smallest class first), so that the
    sizes of parts hold too.

    >>> allocate(np.array([7, 3]), np.array([0.75, 0.25])).tolist()
    [[6, 1], [2, 1]]
    """
    quota = np.outer(sizes, shares)
    counts: Ints = np.floor(quota + 1e-9).astype(np.int64)
    fraction = quota - counts
    remainder = np.zeros(len(shares))
    for c in np.argsort(sizes, kind="stable"):
        remainder += fraction[c]
        spare = int(sizes[c] - counts[c].sum())
        wants = np.where(fraction[c] > 1e-9, remainder, -np.inf)
        extra = np.argsort(-wants, kind="stable")[:spare]
        counts[c, extra] += 1
        remainder[extra] -= 1
    return counts


def targets(codes: Ints, shares: Floats, keep: int = 0, among: NDArray[np.bool_] | None = None) -> Ints:
    """(K, P) rows of each class that each part should get of all rows, or of those ``among`` which (n,) is true.

    Classes of at most ``keep`` rows go to the first part.
    """
    classes: Ints = np.bincount(codes)
    sizes = classes if among is None else np.bincount(codes[among], minlength=len(classes))
    target = allocate(sizes, shares)
    rare = classes <= keep
    target[rare] = 0
    target[rare, 0] = sizes[rare]
    return target


def stratified_assign(codes: Ints, units: Ints, shares: Floats, seed: int | list[int], keep: int = 0) -> Ints:
    """(n,) the part 0..P-1 of every row; ``shares`` (P,) are the wished sizes of parts, the first is the main one.

    Classes of at most ``keep`` rows go to the first part. A unit that is large for a part takes of the room of its
    part for all classes alike: what is left is dealt in proportion, so that features mean the same in every part.
    Other units of several rows follow, the largest first, each to the part whose deficits it fills best (as
    scikit-learn's StratifiedGroupKFold does, here with unequal shares and a chi-square distance); units alike in
    their classes are dealt in bulk. Single rows then fill what is left exactly. No part stays empty where there
    are units enough.
    """
    rng = np.random.default_rng(seed)
    unit_sizes = np.bincount(units)
    part = np.full(len(unit_sizes), -1, dtype=np.int64)
    target = targets(codes, shares, keep)
    large = unit_sizes > max(1, _LARGE * shares.min() * len(codes))
    if large.any():
        _assign_several(codes, units, np.flatnonzero(large), part, target.astype(np.float64), rng)
    if large.any() and not large.all():
        sizes = np.bincount(part[units[large[units]]], minlength=len(shares))
        room = np.maximum(shares * len(codes) - sizes, 0)
        target = targets(codes, room / room.sum(), keep, among=~large[units])
    deficit = target.astype(np.float64)
    if (several := np.flatnonzero((unit_sizes > 1) & ~large)).size:
        _assign_several(codes, units, several, part, deficit, rng)
    single = np.flatnonzero(unit_sizes[units] == 1)
    for c in np.unique(codes[single]):
        members = rng.permutation(single[codes[single] == c])
        wish = np.clip(deficit[c], 0, None)
        counts = allocate(np.array([len(members)]), wish / wish.sum())[0]
        part[units[members]] = np.repeat(np.arange(len(counts)), counts)
    _fill_empty(codes, units, part, len(shares))
    return part[units]


def _assign_several(
    codes: Ints, units: Ints, selected: Ints, part: Ints, deficit: Floats, rng: np.random.Generator
) -> None:
    """Deals the ``selected`` units: writes their ``part`` and takes their rows from ``deficit`` (K, P)."""
    classes, parts = deficit.shape
    place = np.full(len(part), -1)
    place[selected] = np.arange(len(selected))
    inside = place[units] >= 0
    cells = place[units[inside]] * classes + codes[inside]
    counts = np.bincount(cells, minlength=len(selected) * classes).reshape(-1, classes)

    weight = 1 / np.maximum(deficit, 0.5)
    shares = deficit.sum(axis=0) / deficit.sum()
    shuffled = rng.permutation(len(selected))
    alike = _signatures(counts)[shuffled]
    order = np.lexsort((alike, -counts.sum(axis=1)[shuffled]))
    starts = np.flatnonzero(np.diff(alike[order], prepend=-1))
    for bunch in np.split(shuffled[order], starts[1:]):
        quota = np.floor(len(bunch) * shares).astype(np.int64)
        bulk = np.repeat(np.arange(parts), quota)
        part[selected[bunch[: len(bulk)]]] = bulk
        for p in np.flatnonzero(quota):
            deficit[:, p] -= counts[bunch[: len(bulk)][bulk == p]].sum(axis=0)
        for unit in bunch[len(bulk) :]:
            rows = counts[unit][:, None]
            best = int(np.argmin((weight * rows * (rows - 2 * deficit)).sum(axis=0)))
            part[selected[unit]] = best
            deficit[:, best] -= counts[unit]


def _signatures(counts: Ints) -> Ints:
    """(m,) ids that units share when they hold the same number of rows of each class.

    Where almost all differ, units of one size and one main class pass for alike, which keeps dealing fast.
    """
    salt = np.random.default_rng(0).integers(1, 2**62, counts.shape[1])
    alike: Ints = np.unique(counts @ salt, return_inverse=True)[1]
    if alike.max() >= _MOST_SIGNATURES:
        coarse = counts.sum(axis=1) * counts.shape[1] + counts.argmax(axis=1)
        alike = np.unique(coarse, return_inverse=True)[1]
    return alike


def _fill_empty(codes: Ints, units: Ints, part: Ints, parts: int) -> None:
    """Gives every empty part the smallest unit, of the commonest classes, of the part with the most units."""
    rarest = np.full(len(part), len(codes))
    np.minimum.at(rarest, units, np.bincount(codes)[codes])
    unit_sizes = np.bincount(units)
    for empty in np.flatnonzero(np.bincount(part, minlength=parts) == 0):
        sizes = np.bincount(part, minlength=parts)
        giver = np.flatnonzero(part == sizes.argmax())
        if len(giver) < 2:
            return
        part[giver[np.lexsort((-rarest[giver], unit_sizes[giver]))[0]]] = empty
