"""A208: rows whose label looks wrong, as a queue for review."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, too_few
from sortal.checks.measures.power import held_out, ranks
from sortal.checks.target_copy import copies
from sortal.core.arrays import Floats, Ints
from sortal.core.writing import percent
from sortal.data.split import folds

_LEAST_ROWS = 200
"""Chosen, not measured: the surest quarter is then fifty rows."""
_LEAST_OF_CLASS = 20
"""Rows. Chosen, not measured: six or seven for each fold."""
_FITTED = 4_000
"""Rows, for speed."""
_LOOKED_AT = 20_000
"""Rows that are guessed, for speed."""
_CELLS = 1_000_000
"""Rows times columns that are guessed, for speed."""
_MOST_COLUMNS = 60
"""For speed: the best by themselves."""
_FOLDS = 3
"""For speed: a forest each."""
_SURE = (0.1, 0.25, 0.5)
"""Shares of the rows, the surest first. Chosen on simulations and 31 tables (decision 0017)."""
_FLOOR = 0.015
"""Share of wrong labels. With it and the next none of 144 samples is named, 6 of 288 simulated (decision 0017)."""
_FLAT = 0.7
"""Part of the misses in a half that a quarter has; chosen with the former. Overlap leaves less (decision 0017)."""
_AS_FLAT = 0.8
"""Part of the misses in a quarter that a tenth has; chosen with the former (decision 0017)."""
_DECISIVE = 0.35
"""Part of the misses of always guessing the commonest class; chosen with the former (decision 0017)."""
_LEAST_WRONG = 8
"""Rows missed in the surest quarter; chosen with the former (decision 0017)."""
_MANY = 0.05
"""Share of wrong labels for a warning. Chosen, not measured: so many bound accuracy at .95."""
_SHOWN = 50
"""Rows in the evidence; of the first 50, .74 to 1.00 are truly wrong in most tables (decision 0017)."""


@dataclass(frozen=True)
class _Guesses:
    """(n, K) probabilities by forests that did not see the row, for ``rows`` (n,) of the case with class codes (n,)."""

    rows: Ints
    codes: Ints
    probability: Floats
    labels: list[str]

    @property
    def best(self) -> Ints:
        codes: Ints = self.probability.argmax(axis=1)
        return codes


@dataclass(frozen=True)
class _Floor:
    """Shares of labels that the guess misses where it is surest: in a tenth, a quarter (``rows``) and a half of the
    rows.

    ``commonest``: the share that always guessing the commonest class misses.
    """

    tenth: float
    surest: float
    half: float
    commonest: float
    rows: int

    @property
    def like_noise(self) -> bool:
        """A share that stays the same however sure the guess is, and far from that of a guess that knows nothing.

        In doubt it is none: sampling errors count against it.
        """
        error = np.sqrt(self.surest * (1 - self.surest) / self.rows)
        clear = self.surest * self.rows >= _LEAST_WRONG and self.surest >= _FLOOR
        flat = self.surest - error >= _FLAT * self.half
        as_flat = self.tenth + error * np.sqrt(_SURE[1] / _SURE[0]) >= _AS_FLAT * self.surest
        return bool(clear and flat and as_flat and self.surest <= _DECISIVE * self.commonest)


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Out-of-fold guesses, and the rows whose label is confidently another class (Northcutt et al. 2021).

    Classes that overlap are no wrong labels: then the guess misses fewer, the surer it is. Wrong labels are missed at
    the same rate wherever it is sure. Only such a floor is reported, with as many rows to look at as it lets expect.
    Columns that are the target under another name are left out.
    """
    if len(context) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    aside = copies(context.powers, context.codes)
    names = [power.column for power in context.powers if power not in aside][:_MOST_COLUMNS]
    if not names:
        return NotApplicable("no column to guess the label from")
    guesses = _guessed(context, names)
    if guesses is None:
        return too_few(f"two classes of {_LEAST_OF_CLASS} rows")
    floor = _floor(guesses)
    if not floor.like_noise:
        return []
    queue = _queue(guesses, floor.surest)
    return [_finding(context, guesses, queue, floor)] if len(queue) else []


def _guessed(context: AuditContext, names: list[str]) -> _Guesses | None:
    """Of up to 20,000 rows; forests are fitted to 4000 of them. None where there are not two classes large enough."""
    most = min(_LOOKED_AT, max(_FITTED, _CELLS // len(names)))
    rows = np.random.default_rng(context.seed).permutation(len(context))[:most]
    sizes = np.bincount(context.codes[rows[:_FITTED]], minlength=len(context.classes))
    large = np.flatnonzero(sizes >= _LEAST_OF_CLASS)
    if len(large) < 2:
        return None
    fitted = int(np.isin(context.codes[rows[:_FITTED]], large).sum())
    rows = rows[np.isin(context.codes[rows], large)]
    codes = np.searchsorted(large, context.codes[rows])
    table = context.table.take(rows)
    same = table.copies
    if same[:fitted].max() + 1 < _FOLDS:
        return None
    spare = np.arange(fitted, len(rows))
    copy = np.isin(same[spare], same[:fitted])  # copies of fitted rows are guessed by the forest that did not see them
    fold = np.zeros(len(rows), dtype=np.int64)
    for k, (_, valid) in enumerate(folds(codes[:fitted], _FOLDS, context.seed, groups=same[:fitted])):
        fold[valid] = k
    home = np.zeros(int(same.max()) + 1, dtype=np.int64)
    home[same[:fitted]] = fold[:fitted]
    fold[spare] = np.where(copy, home[same[spare]], spare % _FOLDS)
    pairs = [(np.flatnonzero(fold[:fitted] != k), np.flatnonzero(fold == k)) for k in range(_FOLDS)]
    probability = held_out(ranks(table, names), codes, pairs, context.seed)
    return _Guesses(rows, codes, probability, [str(context.classes[k]) for k in large.tolist()])


def _floor(guesses: _Guesses) -> _Floor:
    order = np.argsort(-guesses.probability.max(axis=1), kind="stable")
    missed = (guesses.best != guesses.codes)[order]
    tenth, quarter, half = (int(share * len(missed)) for share in _SURE)
    commonest = float(1 - np.bincount(guesses.codes).max() / len(missed))
    return _Floor(
        float(missed[:tenth].mean()), float(missed[:quarter].mean()), float(missed[:half].mean()), commonest, quarter
    )


def _queue(guesses: _Guesses, share: float) -> Ints:
    """Positions of the rows to review, the surest first, at most ``share`` of all.

    A row is in it when another class is as probable as it is on average in rows that bear its label.
    """
    everyone = np.arange(len(guesses.codes))
    classes = guesses.probability.shape[1]
    usual = np.array([guesses.probability[guesses.codes == k, k].mean() for k in range(classes)])
    of_best, of_label = guesses.probability[everyone, guesses.best], guesses.probability[everyone, guesses.codes]
    flagged = np.flatnonzero((guesses.best != guesses.codes) & (of_best >= usual[guesses.best]))
    order = np.argsort((of_label - of_best)[flagged], kind="stable")
    return flagged[order][: int(np.ceil(share * len(everyone)))]


def _finding(context: AuditContext, guesses: _Guesses, queue: Ints, floor: _Floor) -> Finding:
    top = queue[:_SHOWN]
    message = (
        f"about {percent(floor.surest)} of the labels look wrong: so many contradict the other columns even where "
        f"these are clearest; {len(queue):,} of {len(guesses.codes):,} rows looked at are worth a review"
    )
    evidence: dict[str, Evidence] = {
        "share": floor.surest,
        "share_in_half": floor.half,
        "rows": len(queue),
        "rows_looked_at": len(guesses.codes),
        "source_rows": (context.table.rows[guesses.rows[top]] + 1).tolist(),
        "given": [guesses.labels[k] for k in guesses.codes[top]],
        "suggested": [guesses.labels[k] for k in guesses.best[top]],
        "probability": [round(float(p), 4) for p in guesses.probability[top, guesses.best[top]]],
    }
    severity: Severity = "warning" if floor.surest >= _MANY else "note"
    fix = (
        "look at these rows, the first ones first, and correct what is wrong; about half of such rows turn out to be "
        "right"
    )
    return Finding(check.code, severity, None, message, evidence, fix)


check = Check("A208", "labels that look wrong", find)
