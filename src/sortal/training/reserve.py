"""How much a search may still do: until when, or how much work, with what must follow taken off."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sortal.core.interrupt import Interrupts, interrupted_after
from sortal.core.skipped import Skipped
from sortal.training.candidate import Candidate
from sortal.training.crossval import REFIT, CrossValidation, crossval, crossval_by_work, soon_fitted
from sortal.training.cv_result import CVResult, Result
from sortal.training.deadline import Busyness, Deadline
from sortal.training.embedding import embed
from sortal.training.ensemble import members
from sortal.training.fold import FoldData
from sortal.training.halving import seconds_of_halving
from sortal.training.pace import Pace, work_pace

READING = 4e-6
"""Seconds of a row of the test that is read once more, for a baseline: fifty columns on the machine of
docs/benchmarks.md."""
LATE = 0.04
"""Of the budget, what shipping may take beyond what is left: rather a moment late than the model of a moment. A trial
ends when what is in hand has to be shipped, and that is late by as long as its library needs to notice."""
LEAST_LEFT = 1e-3
"""Seconds to ship in, where none are left: what takes least comes nearest."""


@dataclass
class TimeReserve:
    """The deadline as the zoo sees it. ``closing``: seconds that calibration, evaluation, report and exit take on the
    machine as it was when that was told; the refit and scoring aside. ``closing_rows``: rows that are scored through
    the artifact after the choice, and ``seen_rows``: those of training among them. ``comparing``: the baselines are
    fitted for the test, too.

    ``again``: how many times over the work on what ships has to be done once more when it is over, in outer folds;
    ``repeated``: the seconds of such work so far, of which imports and what is remembered are no part.

    ``interrupts``: what Ctrl-C does.
    """

    deadline: Deadline
    closing: float
    closing_rows: int
    comparing: bool = False
    interrupts: Interrupts = field(default_factory=lambda: Interrupts(lambda: None))
    busyness: Busyness = field(default_factory=Busyness)
    seen_rows: int = 0
    again: float = 0.0
    repeated: float = 0.0

    used_up = "no time left"
    """Why nothing more is tried."""
    last_share = 0.85
    """Of what is left, what a candidate may take at the last: if it is chosen, a program and a file have to be made of
    it, too."""

    @property
    def importing(self) -> float:
        """Seconds until what all but the simplest work needs is imported."""
        return self.deadline.importing

    def until_closing(self) -> float:
        """Seconds until calibration and all that follows has to begin: of what is left, the share that leaves enough to
        do all once more where that is planned.
        """
        seconds_left = self.deadline.rest - self.closing * self.busyness.now() - self.importing
        return self.importing + (seconds_left - self.again * self.repeated) / (1 + self.again)

    def _once(self, seconds: float) -> float:
        """Of the seconds until closing, what so many take that nothing has to be done once more for: of each of those,
        all outer folds have a part.
        """
        return seconds / (1 + self.again)

    def shipping(self, result: CVResult) -> float:
        """Seconds from a fit to its file, proven and with the rows of the test scored."""
        new = self.closing_rows - self.seen_rows
        return result.shipping_seconds + new * result.row_seconds + self.seen_rows * result.seen_row_seconds

    def for_refit(self, final_members: Sequence[CVResult]) -> float:
        """Seconds that a refit may take of these members, with what saving and scoring takes of them taken off."""
        return self.until_closing() - self._once(sum(map(self.shipping, final_members)))

    def until_shipping(self, results: Sequence[CVResult]) -> float:
        """Seconds until the best of what is in hand has to be shipped as it is, without a refit."""
        return self.for_refit(members(results)) if results else math.inf

    def endings(self, results: Sequence[CVResult]) -> dict[str, float]:
        """By candidate, the share that shipping it takes of the time that there is for it: what comes late may be too
        slow for that. Nothing where there is time to ship all of them together.
        """
        seconds_left = max(self.until_closing() + LATE * self.deadline.budget, LEAST_LEFT)
        shares = {result.name: self._once(self.shipping(result)) / seconds_left for result in results}
        return shares if sum(shares.values()) > 1 else {}

    def for_test(self, baselines: Sequence[CVResult]) -> float:
        """Seconds that these take to read and score the rows of the test."""
        return self.closing_rows * sum(s.row_seconds + READING for s in baselines)

    def budget_left(self, results: Sequence[CVResult], final_members: Sequence[CVResult] | None = None) -> float:
        """Seconds until the refit of the model would have to begin that is shipped, and of what it is compared with on
        the test. ``final_members``: those of that model; where None, those that the candidates would be put together of
        now, and so much earlier that a fold of them can be fitted on half of its rows.
        """
        if not results:
            return self.until_closing()
        now = members(results) if final_members is None else final_members
        seconds_left = self.for_refit(now) - self.for_test(self._others(results, now))
        for step in (
            sum(s.refit_seconds for s in self._refitted(results, now)),
            self._once(seconds_of_halving(now)) if final_members is None else 0.0,
        ):
            # What does not fit any more is not done, and so neither is what would follow it.
            if step > seconds_left:
                break
            seconds_left -= step
        return seconds_left

    def left_for_more(self, results: Sequence[CVResult]) -> float:
        """The same with the time of the refits once more: rather a refit that is sure to end than another candidate of
        those that are drawn.
        """
        return self.budget_left(results) - sum(s.refit_seconds for s in members(results))

    def _others(self, results: Sequence[CVResult], final_members: Sequence[CVResult]) -> list[CVResult]:
        """The baselines that are fitted beside the ``final_members``."""
        return [s for s in results if self.comparing and s.candidate.baseline and [s] != [*final_members]]

    def _refitted(self, results: Sequence[CVResult], final_members: Sequence[CVResult]) -> list[CVResult]:
        """The ``final_members``, and the baselines beside them that are none of them: those are in it already."""
        beside = self._others(results, final_members)
        return [*final_members, *(s for s in beside if not any(s is member for member in final_members))]

    def for_halving(self, results: Sequence[CVResult], winner: Result) -> float:
        """Seconds that fits of the chosen model on half of the rows may take; none where it is not refitted."""
        refits = sum(s.refit_seconds for s in self._refitted(results, winner.results))
        seconds_left = self.budget_left(results, winner.results)
        return seconds_left if self.for_refit(winner.results) >= refits else min(seconds_left, 0.0)

    def folds_to_halve(self, results: Sequence[CVResult], winner: Result) -> int | None:
        """Of how many folds that is planned; None where the seconds say it."""
        return None

    def pace(self, candidate: Candidate, data: FoldData, seconds: float) -> Pace:
        """How long a fit takes of a candidate that may take so many seconds."""
        return data.pace(candidate, seconds)

    def at_once(self, cv: CrossValidation, candidate: Candidate) -> int:
        """How many fits of folds take as long as one."""
        return cv.executor.at_once(cv.data, candidate)

    def trial(
        self, candidate: Candidate, cv: CrossValidation, seconds: float, results: Sequence[CVResult]
    ) -> CVResult | Skipped:
        """The candidate on as much as so many seconds allow, cut short when one of ``results`` has to be shipped; but
        for the first of all, and a baseline that takes no more than a moment.
        """
        whole = candidate.baseline and (not results or soon_fitted(cv.data.size))
        with interrupted_after(math.inf if whole else self.until_shipping(results)):
            start = time.monotonic()
            new = self.closing_rows - self.seen_rows
            if why := embed(candidate, cv.data.dev, seconds, new, self.until_closing() - seconds):
                return Skipped(candidate.name, why)
            fit_start = time.monotonic()
            result = crossval(candidate, cv, seconds - (fit_start - start))
            self.repeated += time.monotonic() - fit_start if isinstance(result, CVResult) else 0.0
            return result


@dataclass
class WorkReserve(TimeReserve):
    """What the zoo may do where work is counted and not seconds: there is no deadline, and nothing is measured.

    ``units``: of work, for folds and refits (see ``models.family.Work``).
    """

    units: float = 0.0
    used_up = "no effort left"
    last_share = 1.0

    @property
    def importing(self) -> float:
        """What the machine has done before does not count."""
        return 0.0

    def budget_left(self, results: Sequence[CVResult], final_members: Sequence[CVResult] | None = None) -> float:
        """Units that are left when the folds of ``results`` are done, the refits of the ``final_members``, and half of
        the rows of a fold, where nothing is chosen yet.
        """
        if not results:
            return self.units
        if final_members is None:
            now = members(results)
            return self.budget_left(results, now) - sum(s.work for s in now)
        folds, refitted = sum(len(s.efforts) * s.work for s in results), self._refitted(results, final_members)
        return self.units - folds - sum(REFIT * s.work for s in refitted if s.refit_seconds > 0)

    def left_for_more(self, results: Sequence[CVResult]) -> float:
        """All of it: nothing takes longer than it counts."""
        return self.budget_left(results)

    def for_halving(self, results: Sequence[CVResult], winner: Result) -> float:
        """No end: it is planned."""
        return math.inf

    def folds_to_halve(self, results: Sequence[CVResult], winner: Result) -> int:
        """As many as the work that is left is enough for: half of the rows of a fold without haste, for all of them."""
        work = sum(s.work for s in winner.results)
        return min(int(max(self.budget_left(results, winner.results), 0.0) / work), int(winner.fold.max()) + 1)

    def pace(self, candidate: Candidate, data: FoldData, seconds: float) -> Pace:
        """What a fit of the candidate takes, in units."""
        return work_pace(candidate, data.size)

    def at_once(self, cv: CrossValidation, candidate: Candidate) -> int:
        """Work is the same side by side."""
        return 1

    def endings(self, results: Sequence[CVResult]) -> dict[str, float]:
        """Nothing: there is no end that anything could come too late for."""
        return {}

    def trial(
        self, candidate: Candidate, cv: CrossValidation, seconds: float, results: Sequence[CVResult]
    ) -> CVResult | Skipped:
        """The candidate on as much as so many units allow."""
        return crossval_by_work(candidate, cv, seconds)
