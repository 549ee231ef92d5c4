"""The page of a look: all in one file, escaped, and with what the look says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sortal.core.interval import Interval
from sortal.monitor import page
from sortal.monitor.estimate import FigureEstimate
from sortal.monitor.state import Alarm, Look
from sortal.monitor.status import Day, Period, Status, WatchedStream


def a_status() -> Status:
    periods = tuple(
        Period(f"2026-11-{day:02d}", 1, 100, (FigureEstimate("errors", 100, 10, Interval(0.1, 0.05, 0.2), observed),))
        for day, observed in ((1, Interval(0.3, 0.1, 0.6)), (2, None))
    )
    traffic = (Day("2026-11-01", 100, 0.002, 0.004, 0.0), Day("2026-11-02", 50, 0.002, 0.004, 0.5))
    columns = (WatchedStream("<b>evil</b>", 9_999_999.0, 800.0, ""),)
    look = Look(1_793_000_000.0, 150, {"errors": (0.3, 10)}, ())
    return Status(
        "ab" * 32, 2, 150, 0.002, 0.2, 0.05, columns, (), (), periods=periods, traffic=traffic, looks=(look, look)
    )


def test_a_page_is_whole_and_nothing_in_it_reaches_outside(tmp_path: Path) -> None:
    page.write(tmp_path / "m.html", a_status())
    html = (tmp_path / "m.html").read_text("utf-8")
    assert "<h1>No alarm</h1>" in html
    assert "&lt;b&gt;evil&lt;/b&gt;" in html
    assert "<b>evil" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href|action)\s*=|https?://|url\(|@import|<script", html)
    assert html.count('class="dot"') == 1
    assert html.count('class="bar"') == 2
    assert ".10 [.05 .20]" in html
    assert "over 1,000,000" in html


def test_alarms_come_first() -> None:
    alarm = Alarm("plan", 1.0, 1_793_000_000.0, "plan: pro in 90 % of the rows")
    html = page.render(replace(a_status(), alarms=(alarm,), kind="covariate shift: rows are of another mix"))
    assert "<h1>1 alarm: something has changed</h1>" in html
    assert "Covariate shift: rows are of another mix." in html
    assert "since about 2026-10-26" in html


def test_a_look_at_nothing_has_a_page() -> None:
    nothing = Status("ab" * 32, 0, 0, 0.0, 0.0, 0.05, (), (), ())
    assert "No alarm" in page.render(nothing)


def test_what_is_expected_of_the_only_period_is_an_area_and_a_line() -> None:
    status = a_status()
    html = page.render(replace(status, periods=status.periods[:1]))
    (band,) = re.findall(r'class="band" points="([^"]*)"', html)
    (line,) = re.findall(r'class="line" points="([^"]*)"', html)
    corners, ends = ([tuple(map(float, pair.split(","))) for pair in points.split()] for points in (band, line))
    assert len({x for x, _ in corners}) == len({y for _, y in corners}) == 2
    assert ends[1][0] - ends[0][0] > page.WIDTH / 2
