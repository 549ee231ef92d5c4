from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench import serve
from bench._load import Load
from bench.serve import AT_BUSY, AT_BUSY_UNLOGGED, AT_STEADY, ONE, Figure

GOOD = [
    Figure(ONE, rate=3_000.0, p50=0.003, p99=0.005, cpu=300e-6, bad=0),
    Figure(AT_STEADY, rate=1_000.0, p50=0.001, p99=0.004, cpu=300e-6, bad=0),
    Figure(AT_BUSY, rate=2_000.0, p50=0.001, p99=0.004, cpu=320e-6, bad=0, cpu_of_turns=(320e-6,) * 20),
    Figure(AT_BUSY_UNLOGGED, rate=2_000.0, p50=0.001, p99=0.004, cpu=300e-6, bad=0, cpu_of_turns=(300e-6,) * 20),
    Figure("fastapi", rate=900.0, p50=0.01, p99=0.02, cpu=1_100e-6, bad=0),
    Figure("mlflow", rate=100.0, p50=0.1, p99=0.2, cpu=10_000e-6, bad=0),
]


def goals_hold(figures: list[Figure]) -> list[bool]:
    return [goal.holds for goal in serve.outcome(figures, False, [], 0).goals]


def with_one(name: str, **changes: Any) -> list[Figure]:
    return [replace(figure, **changes) if figure.name == name else figure for figure in GOOD]


def test_each_goal_is_judged_by_its_own_figure() -> None:
    assert goals_hold(GOOD) == [True] * 5
    assert goals_hold(with_one(AT_STEADY, bad=1)) == [False, True, True, True, True]
    assert goals_hold(with_one("fastapi", rate=1_100.0)) == [True, False, True, True, True]
    assert goals_hold(with_one("mlflow", rate=130.0)) == [True, True, False, True, True]
    assert goals_hold(with_one(AT_BUSY, cpu_of_turns=(340e-6,) * 20)) == [True, True, True, False, True]
    assert goals_hold(with_one(AT_STEADY, p99=0.006)) == [True, True, True, True, False]


def test_a_turn_is_held_against_the_one_beside_it() -> None:
    """The machine slows down threefold, and a log costs a twentieth all the while."""
    turns = [300e-6 * (1 + at / 10) for at in range(20)]
    figures = [
        replace(
            figure, cpu_of_turns=tuple(turns) if figure.name == AT_BUSY_UNLOGGED else tuple(1.05 * t for t in turns)
        )
        for figure in GOOD
    ]
    goal = serve.outcome(figures, False, [], 0).goals[3]
    assert (goal.holds, goal.figure) == (True, "+5% [+5%, +5%] of the server's CPU at 2,000/s")


def test_a_rate_that_was_not_reached_holds_no_goal() -> None:
    assert goals_hold(with_one(AT_BUSY, rate=1_500.0))[3] is False
    assert goals_hold(with_one(AT_STEADY, rate=900.0))[4] is False


def test_peers_that_are_not_there_are_named_and_not_judged() -> None:
    result = serve.outcome(GOOD[:4], False, ["fastapi", "mlflow"], None)
    assert len(result.goals) == 3
    assert [note for note in result.notes if note.startswith(("not installed", "one core"))] == [
        "one core: client and server share it",
        "not installed: fastapi (below --peers, environment 'serve')",
        "not installed: mlflow (below --peers, environment 'serve')",
    ]


def test_what_fails_at_a_peer_is_no_fault_of_ours() -> None:
    assert goals_hold(with_one("mlflow", bad=7)) == [True] * 5


def test_services_are_asked_in_turns_and_their_medians_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "REST", 0.0)
    names: list[str] = []
    cpu = {"a": 0.0, "b": 0.0}

    def turn(name: str, durations: list[float]) -> serve._Turn:
        def load() -> Load:
            names.append(name)
            seconds = durations[names.count(name) - 1]
            cpu[name] += 10 * seconds
            result = Load(latencies=[seconds] * 10, seconds=1.0)
            result.statuses[200] = 10
            return result

        return serve._Turn(name, load, lambda: cpu[name])

    figures = serve.in_turns([turn("a", [1.0, 9.0, 2.0]), turn("b", [3.0, 1.0, 4.0])], 3)
    assert names == ["a", "b"] * 3
    assert [(figure.name, figure.p50, round(figure.cpu, 9)) for figure in figures] == [("a", 2.0, 2.0), ("b", 3.0, 3.0)]
    assert [round(cpu, 9) for cpu in figures[0].cpu_of_turns] == [1.0, 9.0, 2.0]
