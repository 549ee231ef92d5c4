"""report.html: one file, safe and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from sortal.checks.audit import Finding
from sortal.core.interval import Estimate
from sortal.decide.certificate import Bound, Certificate
from sortal.record.parts import ColumnWeight, Example, Examples, Imbalance, Importance
from sortal.record.run import RunRecord
from sortal.report import html
from sortal.report.plots import draw_all

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that are not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open[-1] != "style":
            self.text.append(" ".join(data.split()))


def page(example: Any, **changes: Any) -> Page:
    record: RunRecord = replace(example.record, **changes)
    return Page(render(record, example.oof, example.test))


def render(record: RunRecord, *predictions: Any) -> str:
    return html.render(record, draw_all(record, *predictions).figures)


@pytest.fixture(scope="module")
def of_two(binary: Any) -> str:
    return render(binary.record, binary.oof, binary.test)


@pytest.fixture(scope="module")
def of_many(many: Any) -> str:
    return render(many.record, many.oof, many.test)


def test_nothing_runs_and_nothing_is_fetched(of_two: str, of_many: str) -> None:
    for source in (of_two, of_many):
        document = Page(source)
        assert not {"script", "iframe", "object", "embed", "link", "img", "form", "base", "b:kind"} & set(document.tags)
        assert not re.search(r"https?://|@import|javascript:", source)
        for _, name, value in document.attributes:
            assert not name.startswith("on")
            if name in {"href", "xlink:href", "src"}:
                assert value.startswith(("#", "data:image/png"))
        assert ("meta", "http-equiv", "Content-Security-Policy") in document.attributes


def test_hostile_names_are_text(of_many: str) -> None:
    text = Page(of_many).text
    assert any("<script>alert(1)</script>" in line for line in text)
    assert any("<img src=x>.parquet" in line for line in text)
    assert any("<b>kind</b>" in line for line in text)
    assert "\x1b" not in of_many


def test_every_section_is_there_and_every_link_leads_somewhere(of_two: str, of_many: str) -> None:
    for source in (of_two, of_many):
        attributes = Page(source).attributes
        ids = [value for tag, name, value in attributes if name == "id" and tag == "section"]
        severe = ["severe"] if source is of_two else []
        slices = [] if source is of_two else ["slices"]
        assert ids == [
            *severe,
            *("decision", "leaderboard", "errors", *slices, "curves", "probabilities", "importance"),
            *("audit", "data", "time", "checklist", "ledger"),
        ]
        names = {value for _, name, value in attributes if name == "id"}
        assert all(value[1:] in names for _, name, value in attributes if name.endswith("href"))


def test_the_page_says_what_was_found(of_two: str, binary: Any) -> None:
    text = " ".join(Page(of_two).text)
    for words in (
        "Say yes from p = .077 on",
        "opened once",
        ".32",
        "[.29 .35]",
        ".945",
        "fp=1 fn=12",
        "18 of 19 checks hold",
        "2 findings, 1 severe",
        "A104",
        "sortal train ... --ignore duration",
        "kernel svm",
        "38 s predicted, 9 s left",
        "better by .0500 [.0471 .0529]",
        "text with 12 different values",
        "3 numbers, 1 category",
        binary.record.artifact.sha256,
        binary.record.data.sha256,
    ):
        assert words in text
    for item in binary.record.checklist:
        assert item.item in text
        assert " ".join(item.evidence.split()) in text


def test_severe_findings_come_first(binary: Any) -> None:
    order = ("note", "severe", "warning", "severe")
    findings = tuple(Finding(f"A{i}", severity, None, f"finding {i}") for i, severity in enumerate(order))
    text = [line for line in page(binary, audit=findings).text if line.startswith("finding ")]
    assert text == ["finding 1", "finding 3", "finding 0", "finding 2"]


def test_long_tables_are_folded(of_two: str, of_many: str) -> None:
    assert "details" not in Page(of_two).tags
    assert "All 41 columns, their kinds and the reasons" in Page(of_many).text


def test_slices_that_are_worse_or_asked_for_are_a_table_and_the_others_are_folded(of_many: str) -> None:
    lines = Page(of_many).text
    text = " ".join(lines)
    assert "161 slices of 40 columns on 1,000 rows (test) ; 12 more of too few rows to tell".replace(" ;", ";") in text
    assert text.count("too few rows") == 2 * 8 + 1
    assert "a & b = a & b worse 298 .90 [.85 .95] .800 .10 [.02 .18] .001 .810" in text
    assert "The 16 that look worst, chance or not" in text
    assert lines.count("age >= 52") == 1
    assert "None is worse beyond chance." not in text


def test_where_no_slice_is_worse_that_is_said(many: Any) -> None:
    slices = many.record.slices
    text = " ".join(page(many, slices=replace(slices, slices=slices.slices[-1:])).text)
    assert "None is worse beyond chance." in text
    assert "#slices" not in " ".join(value for _, _, value in page(many, slices=None).attributes)


def test_a_run_with_nothing_to_say_still_renders(binary: Any) -> None:
    bare = RunRecord(
        sortal_version="0.1.0",
        seed=0,
        data=replace(binary.record.data, notes=(), sha256=None),
        task=binary.record.task,
        split=binary.record.split,
        leaderboard=(),
        selection=replace(binary.record.selection, explanation=""),
        calibration=replace(binary.record.calibration, log_loss_before=None, explanation=""),
        decision=replace(binary.record.decision, comparison={}, expected_cost=None),
        timing=replace(binary.record.timing, budget_seconds=None, phases=(), skipped=()),
        ledger=replace(binary.record.ledger, opens=0, entries=()),
    )
    text = " ".join(Page(render(bare, binary.oof)).text)
    assert "The test is still sealed." in text
    assert "No findings." in text
    assert "None" not in text


def test_how_much_a_refit_would_vary_is_told(binary: Any) -> None:
    sentence = (
        "Learned from other samples of as many rows, its score would vary by about .0012 (one standard deviation)."
    )
    unknown = replace(binary.record.selection, corrected=Estimate(0.1886, 0.1852, 0.1920))
    with_spread = replace(unknown, refit_spread=0.0012)
    assert sentence in " ".join(page(binary, selection=with_spread).text)
    text = " ".join(page(binary, selection=unknown).text)
    assert "would vary by about" not in text
    assert "if it learned from other samples is not known, and not in the interval" in text


def test_a_second_look_is_told(binary: Any) -> None:
    ledger = replace(binary.record.ledger, opens=2, blind=False)
    text = " ".join(page(binary, ledger=ledger).text)
    assert "opened twice and so no longer blind" in text


@pytest.mark.parametrize(("low", "words"), [(-0.1, "is not clearly better than"), (0.01, "is better than")])
def test_what_treating_rare_classes_brought_stands_in_whole_words(binary: Any, low: float, words: str) -> None:
    imbalance = Imbalance("a", "no weights", "b", "class weights", "log_loss", Estimate(0.02, low, 0.2))
    assert words in html.render(replace(binary.record, imbalance=imbalance), {})


def test_what_is_decided_in_words(binary: Any, many: Any) -> None:
    assert html.headline(many.record) == "Take the most probable class"
    assert html.headline(binary.record) == "Say yes from p = .077 on"


@pytest.mark.parametrize("target", [0.9, 0.95])
def test_a_promise_stands_with_its_proof(binary: Any, target: float) -> None:
    bound = Bound("precision", target, 0.9, 0.93, target == 0.9)
    proof = Certificate("yes", 0.6, 0.95, 1300, 300, 200, (bound,), 0.2)
    decision = replace(binary.record.decision, kind="promise", certificate=proof, explanation=proof.explanation)
    page = render(replace(binary.record, decision=decision), binary.oof, binary.test)
    assert ('good">certified<' in page) == proof.holds
    assert ('severe">refused<' in page) != proof.holds
    assert "precision &gt;= " in page
    assert "The confidence is of attempts, not of certificates" in page
    shifts = dict(html.shifts(replace(binary.record, decision=decision)))
    assert shifts[0.2] == pytest.approx(0.9)
    assert sorted(shifts.values()) == list(shifts.values())
    for share in (0.0, 1.0):
        one_class = replace(decision, certificate=replace(decision.certificate, prevalence=share))
        assert html.shifts(replace(binary.record, decision=one_class)) == ()


def test_bars_are_shares_of_the_largest(binary: Any) -> None:
    bars = html.comparison(binary.record)
    assert [bar.name for bar in bars if bar.selected] == ["chosen"]
    assert max(bar.width for bar in bars) == 100
    assert {bar.name: bar.width for bar in bars}["at .5"] == pytest.approx(100 * 0.71 / 1.40)
    assert sum(bar.width for bar in html.phases(binary.record)) == pytest.approx(100, abs=1)


def test_unknown_figures_are_dashes(binary: Any) -> None:
    rows = tuple(
        replace(row, mean=None, std=None, score=Estimate(None), fit_seconds=None) for row in binary.record.leaderboard
    )
    importance = Importance("gain", (ColumnWeight("a", None),))
    text = " ".join(page(binary, leaderboard=rows, importance=importance).text)
    assert "nan" not in text.split()
    assert "None" not in text


def test_rows_to_look_at_have_their_number_and_no_value(binary: Any) -> None:
    one = Example(4_711, "yes", "no", 0.013, 0.987)
    other = Example(12, "no", "reject", 0.51)
    report = page(binary, examples=Examples("out-of-fold", 30, (one,), (other,)))
    text = " ".join(report.text)
    assert "row 4,711 yes .013 no .987" in text
    assert "row 12 no .510 reject –" in text
    assert "1 of 30 rows decided wrongly and 1 of the others, out of fold" in text
    assert "examples.html" not in text
    with_file = page(binary, examples=Examples("valid", 30, (one,), (other,), "examples.html"))
    assert "is in examples.html beside this page, which is not to be given away" in " ".join(with_file.text)
    assert "Rows to look at" not in " ".join(page(binary).text)


def test_what_columns_add_stands_beside_what_they_weigh(binary: Any) -> None:
    importance = Importance("log-loss lost where the column is shuffled", (ColumnWeight("age", 0.02, 0.01, 0.03),))
    text = " ".join(page(binary, permutation=importance).text)
    assert "The 1 columns that add most of 1, each with its interval" in text
    assert "log-loss lost where the column is shuffled" in text
    assert "that weigh most in the model of 4" in text
