"""A look at a log: every row and every label counts once, whenever it came and however often somebody looks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.cli import main
from sortal.core.errors import DataError
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.certificate import Bound, Certificate
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.monitor import state as states
from sortal.monitor.losses import losses_of
from sortal.monitor.state import DAY, State
from sortal.monitor.watch import SETTLE_SECONDS, Watcher
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord, PredictionRecord
from sortal.serve.log.store import LogStore

SHA256 = "cd" * 32
NOW = 400 * DAY


def a_model(**others: Any) -> Model:
    """Reads a number and a category, which 100 rows of training are watched by, half of them of each level."""
    schema = Schema((Column("x", "number"), Column("plan", "category"), Column("y", "category", role="target")))
    number = ColumnProfile(
        "x", "number", rows=100, missing=0, distinct=100, quantiles=(1.0, 5.0, 9.0), reached=(10, 50, 100)
    )
    levels = ("basic", "pro")
    halves: dict[str, Any] = {"half_levels": levels, "half_counts": (50, 50)}
    plan = ColumnProfile(
        "plan", "category", rows=200, missing=0, distinct=2, levels=levels, counts=(100, 100), **halves
    )
    columns = (
        Program("number", {"column": "x"}),
        Program("lookup", {"column": "plan", "categories": ["basic", "pro"]}, {"table": np.eye(4)[:, :2]}),
    )
    fill = Program("fill", {}, {"value": np.zeros(3), "indicator": np.zeros(0, dtype=np.int32)})
    linear = Program("linear", {"link": "sigmoid"}, {"coef": np.array([[0.1, 0, 0]]), "intercept": np.zeros(1)})
    classes = ("no", "yes")
    defaults: dict[str, Any] = {
        "schema": schema,
        "task": Task("y", classes, (0.5, 0.5), "yes", "log_loss", ("accuracy",), ()),
        "decision": Decision("argmax", classes, "yes"),
        "program": Program("chain", steps=(Program("table", steps=columns), fill, linear)),
        "metrics": {"test": {"accuracy": Estimate(0.9, 0.85, 0.95)}},
        "profile": {"x": number, "plan": plan},
    }
    return Model(**{**defaults, **others})


def digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def prediction(row_id: str, at: float, **others: Any) -> PredictionRecord:
    defaults: dict[str, Any] = {"model": SHA256, "role": "champion", "inputs": {"x": 4.0, "plan": "pro"}}
    answer: dict[str, Any] = {"prediction": "yes", "probabilities": (0.4, 0.6), "decision": "yes", "set": None}
    return PredictionRecord(row_id, at, **{**defaults, **answer, "warnings": (), "seconds": 0.001, **others})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    log_store = open_store(f"sqlite:///{tmp_path}/served.db")
    yield log_store
    log_store.close()


def summary(state: State) -> tuple[Any, ...]:
    """What is counted, but for how ties fell."""
    columns = {name: (days.bins, [sum(day) for day in days.places]) for name, days in state.columns.items()}
    risks = {name: (days.rows, days.loss, np.round(days.gains, 9).tolist()) for name, days in state.risks.items()}
    return state.rows, columns, risks


events = st.lists(
    st.tuples(
        *(st.integers(0, 5), st.integers(0, 200), st.sampled_from([0, 0, 0, 30, 90])),
        *(st.integers(0, 200), st.booleans(), st.booleans()),
    ),
    max_size=12,
)


@given(events, st.lists(st.integers(0, 220), max_size=4))
@settings(max_examples=40)
def test_every_row_and_label_counts_once_however_often_one_looks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int, int, bool, bool]], looks: list[int]
) -> None:
    """Hours: of the prediction, until it could be stored, and of its label, which may come first, or never."""
    hour, watcher = 3600.0, Watcher.of(a_model())
    url = f"sqlite:///{tmp_path_factory.mktemp('log')}/served.db"
    many_looks, one_look = State(SHA256), State(SHA256)
    store = open_store(url)
    added_records: set[tuple[str, int]] = set()
    for look in [*sorted(looks), 300]:
        for at, (x, prediction_hour, delay, label_hour, has_label, right) in enumerate(rows):
            if prediction_hour + delay <= look and ("p", at) not in added_records:
                store.add_predictions([prediction(f"r{at}", prediction_hour * hour, inputs={"x": float(2 * x)})])
                added_records.add(("p", at))
            if has_label and label_hour <= look and ("l", at) not in added_records:
                store.add_labels([LabelRecord(f"r{at}", "yes" if right else "no", label_hour * hour)])
                added_records.add(("l", at))
        watcher.look(store, many_looks, look * hour + SETTLE_SECONDS + 1)
    watcher.look(store, one_look, 300 * hour + SETTLE_SECONDS + 1)
    store.close()
    assert summary(many_looks) == summary(one_look)
    assert sum(many_looks.rows) == len(rows)
    labels = [right for *_, there, right in rows if there]
    errors = many_looks.risks.get("errors")
    assert (0 if errors is None else sum(errors.rows)) == len(labels)
    assert (0 if errors is None else sum(errors.loss)) == labels.count(False)


def test_a_log_that_was_moved_is_not_counted_again(tmp_path: Path) -> None:
    """Its rows have other numbers there, by which those that were stored late are told."""
    state, watcher = State(SHA256), Watcher.of(a_model())
    for name, others in (("old.db", 0), ("new.db", 5)):
        url = f"sqlite:///{tmp_path}/{name}"
        store = open_store(url)
        store.add_predictions([prediction(f"other {at}", 2 * NOW) for at in range(others)])
        store.add_predictions([prediction(f"r{at}", NOW + at) for at in range(3)])
        state.use_log(url)
        watcher.look(store, state, NOW + DAY)
        store.close()
        assert state.rows == [3]


def test_a_state_without_numbers_counts_nothing_again(store: LogStore) -> None:
    """As a former sortal wrote it: of rows that are as old as those that were counted, the newly stored ones count."""
    store.add_predictions([prediction(f"r{at}", NOW + at) for at in range(3)])
    state, watcher = State(SHA256, first=400, until=NOW + DAY, rows=[3]), Watcher.of(a_model())
    for more in (1, 2):
        store.add_predictions([prediction(f"new {more}", NOW + (more + 0.5) * DAY), prediction("late", NOW)])
        watcher.look(store, state, NOW + (more + 1) * DAY)
    assert state.rows == [5, 1, 1]


def test_only_what_this_model_answered_counts(store: LogStore) -> None:
    store.add_predictions(
        [
            prediction("a", NOW),
            prediction("b", NOW, model="ef" * 32),
            prediction("c", NOW, role="shadow"),
            prediction("d", NOW + DAY),
        ]
    )
    state = State(SHA256)
    Watcher.of(a_model()).look(store, state, NOW + SETTLE_SECONDS + 1)
    assert state.rows == [1]


def test_what_is_redacted_is_not_watched(store: LogStore) -> None:
    rows = [prediction(f"r{at}", NOW, inputs={"x": 1.0 + at % 9}, redacted=("plan",)) for at in range(90)]
    store.add_predictions(rows)
    state = State(SHA256)
    Watcher.of(a_model()).look(store, state, NOW + DAY)
    assert (set(state.columns), state.rows) == ({"x"}, [90])


def test_a_change_is_an_alarm_that_stays(store: LogStore) -> None:
    watcher, state = Watcher.of(a_model()), State(SHA256)
    rng = np.random.default_rng(0)
    for day in range(20):
        plans = ["pro" if day >= 10 or rng.random() < 0.5 else "basic" for _ in range(20)]
        store.add_predictions(
            [
                prediction(f"{day}-{at}", NOW + day * DAY + at, inputs={"x": float(rng.uniform(1, 9)), "plan": plan})
                for at, plan in enumerate(plans)
            ]
        )
        watcher.look(store, state, NOW + (day + 1) * DAY)
        assert day >= 10 or not state.alarms
    assert set(state.alarms) == {"plan"}
    assert state.alarms["plan"].message.startswith("plan: pro in ")
    assert state.alarms["plan"].since == pytest.approx(NOW + 10 * DAY, abs=2 * DAY)
    before = state.alarms["plan"]
    watcher.look(store, state, NOW + 30 * DAY)
    assert state.alarms["plan"] == before


def test_scores_are_watched_beside_columns(store: LogStore) -> None:
    scores = ColumnProfile(
        "yes", "number", rows=100, missing=0, distinct=100, quantiles=(0.1, 0.5, 0.9), reached=(10, 50, 100)
    )
    watcher, state = Watcher.of(a_model(scores={"yes": scores})), State(SHA256)
    rng = np.random.default_rng(0)
    for at in range(60):
        inputs = {"x": float(rng.uniform(1, 9)), "plan": str(rng.choice(["basic", "pro"]))}
        store.add_predictions([prediction(f"r{at}", NOW + at, inputs=inputs, probabilities=(0.05, 0.95))])
    watcher.look(store, state, NOW + DAY)
    assert set(state.alarms) == {"probability of yes"}
    assert state.alarms["probability of yes"].message == (
        "probability of yes: above 0.9 in 100 % of the rows, 0 % in training"
    )


def test_losses_are_those_that_were_promised() -> None:
    [errors] = losses_of(a_model())
    assert errors.level == pytest.approx(0.15)
    assert [errors.of_row(row) for row in (("yes", "yes"), ("no", "yes"), ("no", "reject"))] == [0.0, 1.0, None]
    rule = Decision("cost", ("no", "yes"), "yes", cost=((0.0, 1.0), (8.0, 0.0)))
    [cost] = losses_of(a_model(decision=rule, metrics={"test": {"expected_cost": Estimate(0.5, 0.4, 0.6)}}))
    assert (cost.top, cost.level) == (8.0, pytest.approx(0.6 / 8))
    assert [cost.of_row(row) for row in (("no", "yes"), ("yes", "no"), ("yes", "yes"))] == [1.0, 8.0, 0.0]
    assert losses_of(a_model(metrics={})) == ()


@pytest.mark.parametrize(
    ("names", "label_type", "labels"),
    [
        (("no", "yes"), "str", ("no", "yes")),
        (("false", "true"), "bool", (False, True)),
        (("0", "1"), "float", (0.0, 1.0)),
    ],
)
def test_a_certified_precision_is_watched_whatever_type_labels_have(
    store: LogStore, names: tuple[str, str], label_type: Any, labels: tuple[Any, Any]
) -> None:
    certificate = Certificate(
        names[1], 0.5, 0.95, 90, 40, 30, (Bound("precision", 0.8, 0.8, 0.9, holds=True),), 40 / 90
    )
    model = a_model(
        task=Task("y", names, (0.5, 0.5), names[1], "log_loss", ("accuracy",), (), label_type=label_type),
        decision=Decision("threshold", names, names[1], threshold=0.5, certificate=certificate),
    )
    rows = [(f"r{at}", labels[at % 5 > 0], labels[at % 3 > 0]) for at in range(30)]
    store.add_predictions([prediction(row, NOW, decision=decision) for row, decision, _ in rows])
    store.add_labels([LabelRecord(row, truth, NOW + 1) for row, _, truth in rows])
    state, watcher = State(SHA256), Watcher.of(model)
    watcher.look(store, state, NOW + DAY)
    means = {loss.name: (mean, rows) for loss, mean, rows in watcher.means(state)}
    assert means[f"wrong among those decided {names[1]}"] == (pytest.approx(8 / 24), 24)


def test_a_state_is_of_one_model(tmp_path: Path) -> None:
    state = State(SHA256, first=3, rows=[2])
    states.save(tmp_path / "state.json", state)
    assert states.load(tmp_path / "state.json", SHA256) == state
    with pytest.raises(DataError, match="another model"):
        states.load(tmp_path / "state.json", "00" * 32)
    states.save(tmp_path / "state.json", replace(state, protocol=99))
    with pytest.raises(DataError, match="protocol 99"):
        states.load(tmp_path / "state.json", SHA256)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DataError, match="no state of sortal monitor"):
        states.load(tmp_path / "state.json", SHA256)


def test_the_command_says_what_it_knows_and_ends_with_3_after_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    a_model().save("m.sortal")
    sha256 = digest("m.sortal")
    store, now = open_store("sqlite:///served.db"), time.time() - 60
    store.add_predictions([prediction(f"r{at}", now - 1, model=sha256) for at in range(60)])
    store.add_labels([LabelRecord(f"r{at}", "yes", now) for at in range(60)])
    store.close()
    arguments = ["monitor", "m.sortal", "--log", "sqlite:///served.db"]
    code = run([*arguments, "--false-alarms", "1%", "--json"], capsys)
    status = json.loads(code[1])
    assert (code[0], status["rows"], status["losses"][0]["name"]) == (3, 60, "errors")
    assert [alarm["what"] for alarm in status["alarms"]] == ["x", "plan"]
    code = run(arguments, capsys)
    assert code[0] == 3
    assert "ALARM      plan: pro in 100 % of the rows, 50 % in training" in code[1]
    assert "60 in 1 day," in code[1]
    code = run(["monitor", "m.sortal", "--log", "sqlite:///none.db"], capsys)
    assert (code[0], "none.db" in code[2]) == (2, True)
    assert not Path("none.db").exists()
    a_model(version="9.9").save("other.sortal")
    code = run(["monitor", "other.sortal", "--log", "sqlite:///served.db"], capsys)
    assert (code[0], f"no row that this model (SHA-256 {digest('other.sortal')[:12]}) answered" in code[2]) == (0, True)
    assert f"its first ones are of {sha256[:12]}: give the file that the service has" in code[2]
    code = run([*arguments, "--false-alarms", "often"], capsys)
    assert (code[0], "is no chance between 0 and 1" in code[2]) == (2, True)


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    try:
        main(arguments)
        code: Any = 0
    except SystemExit as end:
        code = end.code
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_status_is_json() -> None:
    from sortal.monitor.status import status, text

    watcher, state = Watcher.of(a_model()), State(SHA256)
    current_status = status(watcher, state, 0.05)
    assert msgspec.json.decode(msgspec.json.encode(current_status))["rows"] == 0
    assert any(line.startswith("alarm      none") for line in text(current_status))


def test_late_labels_belong_to_the_period_of_their_prediction(store: LogStore) -> None:
    from sortal.core.reliability import Reliability
    from sortal.monitor.status import LENGTHS, MOST_PERIODS, status, text

    reliable = Reliability((0.5,), (50, 50), (10.0, 35.0), (10, 35))
    watcher, state = Watcher.of(a_model(reliability={"yes": reliable})), State(SHA256)
    for day in range(MOST_PERIODS + 1):
        store.add_predictions([prediction(f"{day}-{at}", NOW + day * DAY + at) for at in range(10)])
    store.add_labels([LabelRecord(f"0-{at}", "no", NOW + 9 * DAY) for at in range(4)])
    watcher.look(store, state, NOW + 20 * DAY)
    first, second = status(watcher, state, 0.05).periods
    assert (first.date, first.days, first.rows, second.days) == ("1971-02-05", LENGTHS[1], 70, 4)
    errors = {period.date: period.figures[0] for period in (first, second)}[first.date]
    assert (errors.rows, errors.labelled, second.figures[0].labelled) == (70, 4, 0)
    assert errors.expected is not None
    assert errors.seen is not None
    assert (errors.expected.value, errors.seen.value) == (pytest.approx(0.4), 1.0)
    lines = list(text(status(watcher, state, 0.05)))
    assert lines[2] == "1971-02-05        70 rows errors .40 [.23 .57] expected, 1.00 [.51 1.00] of 4 labelled"
    assert not any(line.startswith("estimate") for line in lines)
    assert any(line.startswith("estimate   nothing") for line in text(status(Watcher.of(a_model()), state, 0.05)))


def test_a_watch_looks_again_until_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sortal.monitor import commands

    monkeypatch.chdir(tmp_path)
    a_model().save("m.sortal")
    sha256 = digest("m.sortal")
    open_store("sqlite:///served.db").close()
    monkeypatch.setattr("sortal.monitor.watch.SETTLE_SECONDS", 0.0)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        """Rows come between the looks; the log is away at one of them; the third pause is ended by Ctrl-C."""
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt
        if len(pauses) == 2:
            Path("away.db").rename("served.db")
            return
        store = open_store("sqlite:///served.db")
        store.add_predictions([prediction("r", time.time(), model=sha256)])
        store.close()
        Path("served.db").rename("away.db")

    monkeypatch.setattr(commands.clock, "sleep", sleep)
    arguments = ["monitor", "m.sortal", "--log", "sqlite:///served.db"]
    code, out, err = run([*arguments, "--watch", "--every", "30m", "--report", "m.html", "--state", "s.json"], capsys)
    assert (code, pauses) == (0, [1_800.0] * 3)
    assert "the next look is in 30m" in err
    assert [line[:17] for line in out.splitlines() if line.startswith("rows")] == [
        "rows       none y",
        "rows       1 in 1",
    ]
    state = states.load(Path("s.json"), sha256)
    assert [look.rows for look in state.looks] == [0, 1]
    assert "No alarm" in Path("m.html").read_text("utf-8")
    for wrong in (["--every", "1h"], ["--watch", "--every", "often"], ["--watch", "--every", "0s"]):
        code, _, err = run([*arguments, *wrong], capsys)
        assert (code, "--every" in err) == (2, True)


def test_of_labels_that_are_no_text_the_reliability_is_of_the_same_class() -> None:
    from sortal.core.reliability import Reliability
    from sortal.monitor.estimate import Estimator

    task = Task("y", ("false", "true"), (0.5, 0.5), "true", "log_loss", ("accuracy",), (), label_type="bool")
    model = a_model(
        task=task,
        decision=Decision("argmax", task.classes, "true"),
        reliability={"true": Reliability((), (50,), (20.0,), (30,))},
    )
    assert set(Estimator.of(model).reliability) <= set(Estimator.of(model).classes)
