"""What ``bench gate`` makes of challengers."""

from __future__ import annotations

import numpy as np
import pytest

from bench import gate


def test_errors_are_those_that_were_asked_for() -> None:
    champion, challenger = gate.errors(0.02, 0.08, 200_000, np.random.default_rng(0))
    assert champion.mean() == pytest.approx(0.12, abs=0.003)
    assert challenger.mean() == pytest.approx(0.10, abs=0.003)
    assert (champion != challenger).mean() == pytest.approx(0.08, abs=0.003)


def test_each_goal_can_fall_short() -> None:
    def challenges(n_worse: int, n_alike: int, n_better: int) -> list[gate.Challenge]:
        counts = {-0.01: n_worse, 0.0: n_alike, 0.02: n_better}
        return [
            gate.Challenge(gap, gate.USUAL, seed, 100 if seed < count else None)
            for gap, count in counts.items()
            for seed in range(100)
        ]

    assert [goal.holds for goal in gate.outcome(challenges(1, 5, 90)).goals] == [True, True, True]
    assert [goal.holds for goal in gate.outcome(challenges(2, 6, 89)).goals] == [False, False, False]


def test_a_challenger_that_is_much_better_is_promoted_at_some_look() -> None:
    challenge = gate._challenge(0.08, 0.08, 0)
    assert challenge.labels is not None
    assert challenge.labels % gate.LOOK == 0
