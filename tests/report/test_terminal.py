"""The printed story, at any width, and the live line."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from sortal.artifact.card import Data, Item
from sortal.checks.audit import Finding, SkippedCheck
from sortal.core.interval import Estimate
from sortal.core.observer import Observer
from sortal.core.schema import Column
from sortal.record.parts import ColumnWeight, Importance
from sortal.record.run import RunRecord
from sortal.report import terminal
from sortal.report.live import TerminalObserver


def lines_of(part: Any, *arguments: Any, width: int = 100, **options: Any) -> list[str]:
    stream = io.StringIO()
    part(Console(file=stream, width=width), *arguments, **options)
    return stream.getvalue().splitlines()


def tell(console: Console, record: RunRecord) -> None:
    """All that a person sees of a run."""
    observer = TerminalObserver(console)
    observer.framed(record.data, record.columns, record.task, record.split)
    observer.audited(record.audit, ())
    observer.finished(record, Path("runs/bank-1"))


def story(record: RunRecord, width: int) -> list[str]:
    return lines_of(tell, record, width=width)


def test_of_very_many_candidates_the_first_and_what_they_are_compared_with_are_shown(binary: Any) -> None:
    one = replace(binary.record.leaderboard[0], selected=False, baseline=False)
    rows = [replace(one, name=f"lightgbm {i}") for i in range(terminal.MOST_CANDIDATES + 3)]
    rows += [replace(one, name="majority", baseline=True), replace(one, name="last", selected=True)]
    lines = lines_of(terminal.leaderboard, rows, binary.record.selection)
    names = [f"lightgbm {i}" for i in range(terminal.MOST_CANDIDATES)] + ["majority", "last"]
    models = [re.split(r"  +", line.replace("*", " ").strip())[0] for line in lines[3:]]
    assert models[: len(names)] == names
    assert any("and 3 behind them, in the report" in line for line in lines)


def test_the_story_in_order(binary: Any) -> None:
    lines = story(binary.record, 110)
    starts = [
        "bank.csv",
        "target y",
        "sealed",
        "AUDIT",
        "TRAIN",
        "DECIDE",
        "TEST",
        "CHECKLIST",
        "58.4 s of 60.",
    ]
    positions = [next(i for i, line in enumerate(lines) if line.startswith(start)) for start in starts]
    assert positions == sorted(positions)


def test_the_story_has_every_figure(binary: Any) -> None:
    text = " ".join(" ".join(story(binary.record, 110)).split())
    for words in (
        "4,800 rows, 8 columns: 3 numbers, 1 category, 1 boolean, 1 datetime",
        "-> imbalanced: reporting average precision",
        "800 test rows (17 %, stratified); opened 0 times",
        "AUDIT 2 findings ! A104 duration predicts alone",
        "known only afterwards? sortal train ... --ignore duration A301",
        "* catboost .1881 [.1851 .1911] .943 19 µs 17 s tie with the ensemble (p = .31)",
        "majority .3609 [.3597 .3621] .808 0.4 µs 0.0 s baseline",
        "skipped: kernel svm (38 s predicted, 9 s left), network (extra 'neural' not installed)",
        "chosen: catboost: not distinguishable from the ensemble",
        "calibration: none (beta would gain .0002 ± .0004)",
        "say yes from p = .077 on: expected cost per row .31 [.29 .33]; always yes .88, never yes 1.40, ",
        "TEST opened once, on the saved model expected cost .32 [.29 .35]",
        "ROC-AUC .945 [.939 .951]",
        "CHECKLIST 18 of 19 hold x no column known only after the outcome A104 duration: if it is known only "
        "afterwards, --ignore it "
        "18 more hold, 1 does not apply: see report.html",
        "58.4 s of 60. runs/bank-1: report.html model.sortal (1.9 MB, 612 µs a row) run.json",
    ):
        assert words in text


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_lines_fit_the_console_and_have_no_trailing_space(binary: Any, many: Any, width: int) -> None:
    for example in (binary, many):
        lines = story(example.record, width)
        assert max(cell_len(line) for line in lines[:-1]) <= width
        assert all(line == line.rstrip() for line in lines)


def test_a_pipe_gets_no_colour_codes_and_a_terminal_does(binary: Any) -> None:
    assert "\x1b" not in "".join(story(binary.record, 80))
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="truecolor")
    tell(console, binary.record)
    assert "\x1b[" in stream.getvalue()


def test_narrow_tables_lose_columns_from_the_right(binary: Any) -> None:
    arguments = (binary.record.leaderboard, binary.record.selection)
    wide, narrow = (lines_of(terminal.leaderboard, *arguments, width=w)[2].split() for w in (100, 46))
    assert wide == ["model", "log-loss", "ROC-AUC", "program", "fit"]
    assert narrow == ["model", "log-loss"]


def test_columns_of_the_table_are_aligned(binary: Any) -> None:
    rows = [
        line
        for line in lines_of(terminal.leaderboard, binary.record.leaderboard, binary.record.selection)
        if "[" in line
    ]
    assert len(rows) == 7
    assert len({line.index("[") for line in rows}) == 1
    assert [("*" in row) for row in rows] == [False, True, *[False] * 5]


def test_what_ships_is_told_with_how_much_a_refit_would_vary(binary: Any) -> None:
    without_spread = replace(binary.record.selection, refit_gain=-0.0003, corrected=Estimate(0.1886, 0.1852, 0.1920))
    selection = replace(without_spread, refit_spread=0.0012)
    text = " ".join(" ".join(lines_of(terminal.leaderboard, binary.record.leaderboard, selection)).split())
    out_of_fold = "log-loss .1881 out of fold, which orders the rows"
    estimate_text = f"{out_of_fold}; corrected for the choice and the refit .1886 [.1852 .1920]"
    assert f"{estimate_text}; over other samples of as many rows it would vary by .0012" in text
    text = " ".join(" ".join(lines_of(terminal.leaderboard, binary.record.leaderboard, without_spread)).split())
    left_out = "which leaves out how much the model would vary over other samples: that is not known"
    assert text.endswith(f"{estimate_text}, {left_out}")


def test_names_are_text_and_not_markup() -> None:
    finding = Finding("A1", "severe", "[red]a[/red]", "[bold]a[/bold] \x1b[31m [link=x]")
    text = "\n".join(lines_of(terminal.audit, [finding]))
    assert "[bold]a[/bold]" in text
    assert "\x1b" not in text


def test_findings_severe_first_and_not_too_many() -> None:
    findings = [Finding(f"A{i:03}", "severe" if i == 30 else "note", None, f"finding {i}") for i in range(40)]
    lines = lines_of(terminal.audit, findings)
    assert lines[2].startswith("! A030 finding 30")
    assert lines[-1].strip() == "and 28 more, in the report"
    assert lines_of(terminal.audit, []) == ["", "AUDIT  no findings"]


def test_what_does_not_hold_is_shown_and_the_rest_is_one_line() -> None:
    items = [
        Item("good", "holds", "proof"),
        Item("fine", "holds", "proof"),
        Item("unseen", "not looked for", "no time"),
        Item("odd", "not applicable", "why"),
        Item("bad", "fails", "reason"),
    ]
    lines = lines_of(terminal.checklist, items)
    assert lines[1] == "CHECKLIST  2 of 4 hold"
    assert [line.strip() for line in lines[2:]] == [
        "x bad     reason",
        "? unseen  no time",
        "2 more hold, 1 does not apply: see report.html",
    ]
    assert lines_of(terminal.checklist, items[:1], where="the card")[2].strip() == "1 holds: see the card"
    assert lines_of(terminal.checklist, ()) == []


def test_what_the_test_does_not_bear_out_comes_before_what_was_promised(binary: Any) -> None:
    warning = (
        "the rule costs more than always yes (190.000 a row) on the test: by 11.00 [-5.00 27.00], which may be chance"
    )
    trial = replace(
        binary.record.verification, warnings=(warning,), notes=("no row is x: averages over classes leave it out",)
    )
    record = replace(binary.record, verification=trial)
    lines = story(record, 160)
    first = next(i for i, line in enumerate(lines) if warning in line)
    assert lines[first - 1].startswith("NOT AS PROMISED")
    assert all(
        first < next(i for i, line in enumerate(lines) if line.startswith(part)) for part in ("TRAIN", "DECIDE", "TEST")
    )
    assert "averages over classes leave it out" in " ".join(lines)
    assert warning in " ".join(lines_of(terminal.headline, record, width=160))
    assert not lines_of(terminal.shortfall, binary.record.verification)


def test_with_rejects_figures_of_decided_rows_stand_beside_the_share_left_to_a_person(binary: Any) -> None:
    task = replace(binary.record.task, headline=("expected_cost", "recall", "log_loss"), reject_cost=0.2)
    trial = replace(binary.record.verification, rejected=Estimate(0.24, 0.2163, 0.2789))
    lines = lines_of(terminal.sealed_test, binary.record.test, trial, task, binary.record.ledger, width=120)
    assert lines[2].strip() == "expected cost .32 [.29 .35] · log-loss .188 [.180 .196]"
    assert lines[3].strip() == (
        "left to a person 24 % [21.6 27.9] of the rows; of the others: accuracy .861 [.853 .869] · recall .93 [.91 .95]"
    )


def test_a_long_file_name_moves_out_of_the_margin() -> None:
    columns = [Column("a", "number"), Column("b", "text", "ignore", "texts are left out")]
    lines = lines_of(terminal.data_line, Data("customers_of_2026.parquet", 10, 2), columns, 0.31)
    assert lines[0] == "data       customers_of_2026.parquet: 10 rows, 2 columns: 1 number   0.3 s"
    assert lines[1] == "left out   b (texts are left out)"


def test_time_and_validation_parts_are_told(binary: Any) -> None:
    split = replace(binary.record.split, method="time", column="day", valid=700, notes=("ties went to the test",))
    lines = lines_of(terminal.sealed_line, split)
    assert "by time (day)" in lines[0]
    assert "700 rows to validate on; opened 0 times" in lines[0]
    assert lines[1].strip() == "ties went to the test"


def test_f1_and_argmax_decisions(binary: Any, many: Any) -> None:
    f1 = replace(
        binary.record.decision,
        kind="f1",
        rule="say yes from p = .400 on",
        threshold=0.4,
        expected_cost=None,
        measure="f1",
        comparison={"chosen": 0.6, "at .5": 0.5},
    )
    text = " ".join(lines_of(terminal.decision, binary.record.task, binary.record.calibration, f1))
    assert "say yes from p = .400 on; F1: chosen .60, at .5 .50" in text
    text = " ".join(lines_of(terminal.decision, many.record.task, many.record.calibration, many.record.decision))
    assert "take the most probable class: share of errors .31 [.30 .32]" in text


def test_a_sealed_test_stays_sealed(binary: Any) -> None:
    assert (
        lines_of(terminal.sealed_test, None, None, binary.record.task, binary.record.ledger)[1] == "TEST   still sealed"
    )
    second = replace(binary.record.ledger, opens=2, blind=False)
    lines = lines_of(terminal.sealed_test, binary.record.test, binary.record.verification, binary.record.task, second)
    assert lines[1] == "TEST   opened twice, on the saved model, no longer blind"


def test_the_headline_is_short(binary: Any) -> None:
    lines = lines_of(terminal.headline, binary.record)
    assert lines[0] == "bank.csv, target y: say yes from p = .077 on; by catboost"
    assert len(lines) <= 4


@settings(max_examples=40)
@given(st.text(max_size=80), st.integers(30, 120))
def test_any_names_print_on_any_width(binary: Any, name: str, width: int) -> None:
    task = replace(binary.record.task, target=name, classes=(name + "a", name + "b"), positive=name + "a")
    rows = tuple(replace(row, name=name, note=name) for row in binary.record.leaderboard)
    record = replace(binary.record, task=task, leaderboard=rows, data=replace(binary.record.data, name=name))
    assert all(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line) is None for line in story(record, width))


def test_the_live_line_says_what_runs() -> None:
    progress = TerminalObserver(Console(file=io.StringIO()), budget=60.0)
    progress.phase("TRAIN")
    progress.running("catboost fold 4/5")
    progress.best("lightgbm .1873")
    expected = "TRAIN  |################----|  47 s of 60   now catboost fold 4/5   best lightgbm .1873"
    assert progress.line(47.2).plain == expected
    assert progress.line(99).plain.startswith("TRAIN  |####################|  99 s of 60")
    progress.phase("TEST")
    assert progress.line(50).plain == "TEST   |#################---|  50 s of 60   best lightgbm .1873"


def test_without_a_budget_there_is_no_bar() -> None:
    progress = TerminalObserver(Console(file=io.StringIO()), started=time.monotonic() - 7)
    progress.phase("TRAIN")
    assert progress.__rich__().plain == "TRAIN  7 s"


def test_a_terminal_sees_the_line_live_and_it_goes_away() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, force_interactive=True)
    with TerminalObserver(console, budget=60.0) as progress:
        progress.phase("TRAIN")
        progress.running("logistic fold 1/5")
        deadline = time.monotonic() + 5
        while "logistic fold 1/5" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
        console.print("said meanwhile")
    output = stream.getvalue()
    assert "now logistic fold 1/5" in re.sub(r"\x1b\[[\d;?]*\w", "", output)
    assert "said meanwhile" in output
    assert output.rindex("\x1b[2K") > output.rindex("logistic fold")


def test_a_pipe_sees_nothing_of_it() -> None:
    stream = io.StringIO()
    with TerminalObserver(Console(file=stream), budget=60.0) as progress:
        progress.phase("TRAIN")
        progress.best("x")
    assert stream.getvalue() == ""


def test_the_line_goes_away_when_interrupted() -> None:
    stream = io.StringIO()
    progress = TerminalObserver(Console(file=stream, force_terminal=True, force_interactive=True))
    with pytest.raises(KeyboardInterrupt), progress:
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()


@pytest.mark.parametrize("observer", [Observer(), TerminalObserver(Console(file=io.StringIO()))])
def test_nobody_and_a_pipe_hear_nothing_of_the_steps(observer: Observer, capsys: pytest.CaptureFixture[str]) -> None:
    observer.phase("TRAIN")
    observer.running("logistic")
    observer.best("logistic .2")
    assert capsys.readouterr() == ("", "")


def test_checks_that_were_not_made_are_listed_by_reason() -> None:
    stream = io.StringIO()
    timed_out = [SkippedCheck(f"A10{i}", "a title", "no time left", blind=True) for i in range(2)]
    no_group = SkippedCheck("A003", "groups", "no group column was named", blind=False)
    terminal.unchecked(Console(file=stream, width=120), [*timed_out, no_group])
    assert " ".join(stream.getvalue().split()) == (
        "not looked for: A100, A101 (no time left); A003 (no group column was named)"
    )
    terminal.unchecked(Console(file=stream), [])
    assert stream.getvalue().count("not looked for") == 1


def test_the_front_says_what_can_be_picked(binary: Any) -> None:
    best, second, *others = binary.record.leaderboard
    rows = [replace(best, front=True, file="front/1.sortal", bytes=2_000_000), replace(second, front=True), *others]
    text = " ".join(" ".join(lines_of(terminal.leaderboard, rows, binary.record.selection, width=160)).split())
    assert f"; sortal pick ships {best.name} instead" in text
    assert "2.0 MB" in text
    assert "sortal pick" not in " ".join(lines_of(terminal.leaderboard, others, binary.record.selection))


def test_what_a_model_takes_too_much_of_is_told_in_the_end(binary: Any) -> None:
    artifact = replace(binary.record.artifact, exceeds=("a row takes 2 ms, more than the 1 ms of --max-latency",))
    text = "\n".join(lines_of(terminal.closing, binary.record.timing, Path("runs/x"), artifact))
    assert "! a row takes 2 ms, more than the 1 ms of --max-latency" in " ".join(text.split())


def test_the_page_of_examples_is_named_where_there_is_one(binary: Any) -> None:
    timing = binary.record.timing
    (without,), (with_page,) = (
        lines_of(terminal.closing, timing, Path("runs/x"), None, file) for file in (None, "examples.html")
    )
    assert without.endswith("runs/x:  report.html  run.json")
    assert with_page.endswith("runs/x:  report.html  examples.html  run.json")


def test_what_columns_add_is_said_in_a_line() -> None:
    weights = (
        ColumnWeight("review", 0.121, 0.096, 0.148),
        *(ColumnWeight(f"c{i}", 0.0, -0.01, 0.01) for i in range(6)),
    )
    lines = lines_of(terminal.adding, Importance("log-loss lost where the column is shuffled", weights), width=200)
    assert lines == [
        "",
        "COLUMNS  review .12 [.10 .15], c0 .00 [-.01 .01], c1 .00 [-.01 .01], c2 .00 [-.01 .01] and 3 more: log-loss "
        "lost where the column is shuffled",
    ]
    assert lines_of(terminal.adding, None) == []
