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
    def tried(worse: int, alike: int, better: int) -> list[gate.Challenge]:
        passed = {-0.01: worse, 0.0: alike, 0.02: better}
        return [
            gate.Challenge(gap, gate.USUAL, seed, 100 if seed < many else None)
            for gap, many in passed.items()
            for seed in range(100)
        ]

    assert [goal.holds for goal in gate.outcome(tried(1, 5, 90)).goals] == [True, True, True]
    assert [goal.holds for goal in gate.outcome(tried(2, 6, 89)).goals] == [False, False, False]


def test_a_challenger_that_is_much_better_is_promoted_at_some_look() -> None:
    found = gate._challenge(0.08, 0.08, 0)
    assert found.labels is not None
    assert found.labels % gate.LOOK == 0
