"""The page at ``/``, in a browser: what a person sees and does, by mouse and keyboard, on a desk and on a phone."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from sortal.artifact.model import Model
from sortal.core.images import sample_image
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program
from sortal.engine.ngrams import Ngrams
from sortal.serve import live
from sortal.serve.app import App
from sortal.serve.deployment import Deployment, ServedModel
from sortal.serve.live import Live
from sortal.serve.log.address import open_store
from sortal.serve.log.writer import LogWriter
from sortal.serve.routes import ROUTES
from sortal.serve.service import Service
from tests.serve.browser import Browser, Page, browser, executable
from tests.serve.in_process import listening

TOKEN = "0123456789abcdef"
HOSTILE = {
    "age": 'age"><script>document.title="age"</script>',
    "city": "city <img src=x onerror=document.title='city'>",
    "member": 'member\'s & "others"',
    "since": "since </label></form>",
    "note": "__proto__",
    "photo": "photo " + "long" * 40,
}
LEVELS = ("</option><script>document.title='level'</script>", 'Bonn & "Ulm"', "​\u202eevil")
CLASSES = ("<b>no</b>", "yes</script><script>document.title='class'</script>")
WORDS = ("good", "bad", "late")


def a_model(names: dict[str, str], levels: tuple[str, ...], classes: tuple[str, str]) -> Model:
    """A column of every kind, of which a logistic regression and the words of a text are averaged."""
    table = np.vstack([np.eye(len(levels)), np.zeros(len(levels)), np.full(len(levels), 1 / len(levels))])
    columns = (
        Program("number", {"column": names["age"]}),
        Program("lookup", {"column": names["city"], "categories": list(levels)}, {"table": table}),
        Program("number", {"column": names["member"]}),
        Program("datetime", {"column": names["since"], "parts": ["year"]}),
        Program("pixels", {"column": names["photo"], "side": 1, "read": "grey"}),
    )
    width = 4 + len(levels)
    values = np.array([40.0, *[0.0] * len(levels), 0, 2000, 0.5])
    coef = np.array([[0.1, *np.linspace(1, -1, len(levels)), 0.5, -0.001, 6.0]])
    fields = Program(
        "chain",
        steps=(
            Program("table", steps=columns),
            Program("fill", {}, {"value": values, "indicator": np.array([], dtype=np.int32)}),
            Program("linear", {"link": "sigmoid"}, {"coef": coef[:, :width], "intercept": np.array([-5.0])}),
        ),
    )
    hashes = np.sort(Ngrams("word", 1, 1)([" ".join(WORDS)]).index).astype(np.uint64)
    options = {"column": names["note"], "kind": "word", "least": 1, "most": 1, "rows": 10}
    words = Program(
        "chain",
        steps=(
            Program("tfidf", options, {"hash": hashes, "documents": np.array([3, 4, 5], dtype=np.uint32)}),
            Program("linear", {"link": "sigmoid"}, {"coef": np.array([[3.0, -6, 1.5]]), "intercept": np.zeros(1)}),
        ),
    )
    age = ColumnProfile(
        names["age"], "number", 90, 9, 60, quantiles=(18.0, 40.0, 90.0), reached=(2, 41, 81), ends=(18.0, 90.0)
    )
    rows = tuple(range(20 + len(levels), 20, -1))
    city = ColumnProfile(names["city"], "category", 90, 0, len(levels), levels=levels, counts=rows)
    days = (1.2e9, 1.4e9, 1.5e9)
    since = ColumnProfile(
        names["since"], "datetime", 90, 0, 80, quantiles=days, reached=(2, 41, 90), ends=(1.2e9, 1.5e9)
    )
    return Model(
        schema=Schema(
            (
                Column(names["age"], "number", missing=0.1),
                Column(names["city"], "category"),
                Column(names["member"], "boolean", levels=("no", "yes")),
                Column(names["since"], "datetime", format="%d/%m/%Y"),
                Column(names["note"], "text"),
                Column(names["photo"], "image"),
                Column("y", "category", "target"),
            )
        ),
        task=Task("y", classes, (0.75, 0.25), classes[1], "log_loss", ("roc_auc", "recall"), ()),
        decision=Decision("threshold", classes, classes[1], threshold=0.2),
        program=Program("average", {}, {"weight": np.array([0.75, 0.25])}, (fields, words)),
        metrics={"test": {"roc_auc": Estimate(0.84, 0.82, 0.86), "recall": Estimate(0.9, 0.85, 0.95)}},
        profile={names["age"]: age, names["city"]: city, names["since"]: since},
    )


def a_wide_model(columns: int = 250, classes: int = 100) -> Model:
    """Very many columns and classes, with long names."""
    names = [f"column number {at:03} of the laboratory" for at in range(columns)]
    labels = tuple(f"class {at:03} {'with a rather long name ' * (at % 4)}".strip() for at in range(classes))
    steps = (
        Program("table", steps=tuple(Program("number", {"column": name}) for name in names)),
        Program("fill", {}, {"value": np.zeros(columns), "indicator": np.array([], dtype=np.int32)}),
        Program(
            "linear",
            {"link": "softmax"},
            {"coef": np.random.default_rng(0).normal(size=(classes, columns)), "intercept": np.zeros(classes)},
        ),
    )
    profile = {
        name: ColumnProfile(
            name, "number", 900, 0, 70, quantiles=(-2.0, 0.0, 2.0), reached=(9, 450, 900), ends=(-2.0, 2.0)
        )
        for name in names
    }
    return Model(
        schema=Schema((*(Column(name, "number") for name in names), Column("y", "category", "target"))),
        task=Task("y", labels, tuple([1 / classes] * classes), None, "log_loss", ("accuracy",), ()),
        decision=Decision("argmax", labels, None),
        program=Program("chain", steps=steps),
        metrics={"test": {"accuracy": Estimate(0.84, 0.82, 0.86)}},
        profile=profile,
    )


@contextmanager
def serving(
    model: Model, log: Path | None = None, token: str | None = None, deployment: Deployment | None = None
) -> Iterator[str]:
    """The address of a service of this process."""
    url = f"sqlite:///{log}"
    writer = None if log is None else LogWriter(url)
    live_view = Live() if log is None else Live(partial(open_store, url))
    deployment = deployment or Deployment(ServedModel("churn", "ab" * 32, model))
    service = Service(deployment, token=token, log=writer, live=live_view)
    config = uvicorn.Config(App(service, ROUTES), port=0, log_level="error", lifespan="off")
    try:
        with listening(config) as port:
            yield f"http://127.0.0.1:{port}/"
    finally:
        live_view.close()
        if writer is not None:
            writer.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if executable() is None and not os.environ.get("CI"):
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    with browser() as instance:
        yield instance


PLAIN = a_model({name: name for name in HOSTILE}, ("Bonn", "Ulm", "Jena"), ("no", "yes"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(PLAIN, tmp_path_factory.mktemp("log") / "served.db") as address:
        yield address


@contextmanager
def visit(chromium: Browser, address: str, **look: Any) -> Iterator[Page]:
    """A page that is there, and about which the browser does not complain, whatever is done to it."""
    with chromium.page(address, **look) as page:
        page.until("document.querySelector('#try')?.hidden === false")
        yield page
        assert page.complaints == []
        assert {url.split("/")[2] for url in page.requests if not url.startswith(("blob:", "data:"))} == {
            address.split("/")[2]
        }


def field(page: Page, name: str) -> str:
    """Where to type the value of a column."""
    element_id = page.js(
        f"[...document.querySelectorAll('.field')].find(f => f.querySelector('label, legend').innerText === {json.dumps(name)})"
        ".querySelector('input, select, textarea').id"
    )
    return f"#{element_id}"


def press_button(page: Page, text: str) -> None:
    page.js(f"[...document.querySelectorAll('button')].find(b => b.innerText === {json.dumps(text)}).click()")


def test_a_row_is_decided_and_explained(chromium: Browser, site: str) -> None:
    with visit(chromium, site) as page:
        page.fill(field(page, "age"), "85")
        page.choose(field(page, "city"), "Ulm")
        page.fill(field(page, "note"), "very good, not late")
        press_button(page, "Decide")
        assert page.text("#decision") == "yes"
        bars = page.text(".bars.classes").split()
        p = 0.75 / (1 + np.exp(5 - 0.1 * 85 - 0.0 + 2.0 - 3.0))
        assert bars[:1] + bars[2:3] == ["no", "yes"]
        assert float(bars[1]) + float(bars[3]) == pytest.approx(1.0)
        assert float(bars[3]) > p
        page.until("document.querySelectorAll('.signed .num').length > 1")
        assert page.js("document.querySelectorAll('.words mark').length") >= 1
        assert " in the service" in page.text("#took")
        assert "is missing" in page.text(".notice.warn")


def test_an_example_fills_every_field_and_another_is_another(chromium: Browser, site: str) -> None:
    values = (
        "JSON.stringify([...document.querySelectorAll('.trial input:not([type=file]):not([type=radio]), .trial select')]"
        ".map(e => e.value))"
    )
    with visit(chromium, site) as page:
        press_button(page, "Fill in an example")
        first = json.loads(page.js(values))
        assert first[0] == "40"
        assert page.until("document.querySelector('.drop img').naturalWidth") == 64
        assert any(value.count("/") == 2 for value in first)  # a date as this column's are written
        examples = set()
        for _ in range(5):
            press_button(page, "Fill in an example")
            examples.add(page.js(values))
        assert len(examples) > 1
        press_button(page, "Decide")
        page.until("document.querySelectorAll('.parts rect').length === 49")
        press_button(page, "Empty it")
        assert {*json.loads(page.js(values))} == {""}


def test_what_is_wrong_is_said_at_its_field(chromium: Browser, site: str) -> None:
    with chromium.page(site) as page:
        page.until("document.querySelector('#try')?.hidden === false")
        page.fill(field(page, "since"), "yesterday")
        page.fill(field(page, "age"), "old")
        press_button(page, "Decide")
        page.until("document.querySelectorAll('[aria-invalid]').length === 2")
        message = page.js(
            f"(e => document.getElementById(e.getAttribute('aria-describedby').split(' ')[1]).innerText)"
            f"(document.querySelector('{field(page, 'since')}'))"
        )
        assert message.startswith("expected a date")
        assert page.js("document.activeElement.getAttribute('aria-invalid')") == "true"
        assert page.js("document.querySelector('#decision')") is None
        page.fill(field(page, "since"), "01/02/2020")
        page.fill(field(page, "age"), "30")
        press_button(page, "Decide")
        page.text("#decision")
        assert page.js("document.querySelectorAll('[aria-invalid]').length") == 0
        assert [complaint for complaint in page.complaints if "422" not in complaint] == []


def test_a_label_is_sent_once_and_of_two_the_first_stays(chromium: Browser, site: str) -> None:
    with visit(chromium, site) as page:
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        page.text("#decision")
        press_button(page, "Send the label")
        assert page.text(".truth [role=status]") == "Choose a class first."
        for choice, message in ((0, "Stored."), (0, "had this label already"), (1, "another label of this row")):
            page.js(f"document.querySelectorAll('.truth input')[{choice}].click()")
            press_button(page, "Send the label")
            page.until(f"document.querySelector('.truth [role=status]').innerText.includes({json.dumps(message)})")


def test_all_of_it_by_the_keyboard(chromium: Browser, site: str) -> None:
    focus_text = "(e => e.innerText || e.labels?.[0]?.innerText || e.id)(document.activeElement)"
    with visit(chromium, site) as page:
        page.press("Tab")
        assert page.js(focus_text) == "To the form"
        page.press("Tab", 3)
        assert page.js(focus_text) == "The model"
        page.press("Tab")
        assert page.js(focus_text) == "age"
        outline = "(s => s.outlineStyle + s.outlineWidth)(getComputedStyle(document.activeElement))"
        assert page.js(outline) == "solid3px"
        page.write("85")
        page.press("Tab")
        page.press("ArrowDown", 2)
        assert page.js("document.activeElement.selectedOptions[0].text") == "Ulm"
        page.press("Tab")
        page.press("ArrowLeft")
        assert page.js("document.activeElement.labels[0].innerText") == "no"
        while page.js(focus_text) != "Decide":
            page.press("Tab")
        page.press("Enter")
        assert page.text("#decision") == "yes"
        assert page.js(focus_text) == "Decide"  # where it was: what is said is read out
        assert page.text(".answer [role=status]").startswith("Decision: yes, probability ")
        while page.js("document.activeElement.name") != "truth":
            page.press("Tab")
        page.press(" ")
        while page.js(focus_text) != "Send the label":
            page.press("Tab")
        page.press("Enter")
        page.until("document.querySelector('.truth p[role=status]').innerText.startsWith('Stored')")


@pytest.mark.parametrize(
    "model", [PLAIN, a_model(HOSTILE, LEVELS, CLASSES), a_wide_model()], ids=["plain", "hostile", "wide"]
)
def test_nothing_is_wider_than_a_phone(chromium: Browser, model: Model, tmp_path: Path) -> None:
    with serving(model, tmp_path / "log.db") as site, visit(chromium, site, width=360, height=740) as page:
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        page.text("#decision")
        page.until("document.querySelectorAll('.signed .num').length > 1")
        page.until("document.querySelectorAll('svg.chart text').length > 5")
        page.js("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.js("document.documentElement.scrollWidth") == 360
        small = page.js(
            "[...document.querySelectorAll('button, select, input:not([type=radio])')].filter(e => e.checkVisibility())"
            ".filter(e => e.getBoundingClientRect().height < 36).length"
        )
        assert small == 0


CONTRASTS = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return c.startsWith('color(') ? [...m.slice(0, 3).map(v => 255 * v), m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > .99) return c; } return [255, 255, 255, 1]; };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('svg, mark, option, .visually, .skip')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) faint.push(`${walk.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_by_day_and_by_night(chromium: Browser, site: str, dark: bool) -> None:
    with visit(chromium, site, dark=dark) as page:
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        page.text("#decision")
        page.until("document.querySelector('#live .tiles b')")
        paper = page.js("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(","))) < 150) == dark
        assert page.js(CONTRASTS) == []


def test_every_control_has_a_name_and_every_id_is_one(chromium: Browser, site: str) -> None:
    with visit(chromium, site) as page:
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        page.text("#decision")
        nameless = page.js(
            "[...document.querySelectorAll('input, select, textarea, button, a, [role=region], svg[tabindex]')].filter(e => !(e.labels?.length"
            " || e.innerText || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML)"
        )
        assert nameless == []
        assert (
            page.js("(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map(e => e.id))")
            == 0
        )
        levels = page.js("[...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))")
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_an_image_is_chosen_or_dropped_and_shown(chromium: Browser, site: str, tmp_path: Path) -> None:
    with visit(chromium, site) as page:
        file = tmp_path / "<i>one.png"
        file.write_bytes(sample_image(1))
        selector = field(page, "photo")
        page.choose_file(selector, file)
        page.until("document.querySelector('.drop img').naturalWidth > 0")
        assert "<i>one.png" in page.text(".drop .hint")
        press_button(page, "Take it away")
        assert page.js("document.querySelector('.drop img').hidden") is True
        content = b64encode(sample_image(0)).decode()
        page.js(
            "(drop => { const bytes = Uint8Array.from(atob('"
            + content
            + "'), c => c.charCodeAt(0)), data = new DataTransfer();"
            " data.items.add(new File([bytes], 'two.png', {type: 'image/png'}));"
            " drop.dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true})); })(document.querySelector('.drop'))"
        )
        page.until("document.querySelector('.drop img').naturalWidth > 0")
        press_button(page, "Decide")
        page.text("#decision")
        page.until("document.querySelectorAll('.parts rect').length === 49")
        assert (
            page.until(
                "document.querySelector('.parts img').complete && document.querySelector('.parts img').naturalWidth"
            )
            > 0
        )


def test_names_and_texts_of_data_are_shown_as_text(chromium: Browser) -> None:
    attack = "<script>document.title='text'</script><img src=x onerror=\"document.title='text'\"> good"
    with serving(a_model(HOSTILE, LEVELS, CLASSES)) as site, visit(chromium, site) as page:
        title = page.js("document.title")
        press_button(page, "Fill in an example")
        page.fill(field(page, HOSTILE["note"]), attack)
        press_button(page, "Decide")
        assert page.text("#decision") in CLASSES
        page.until("document.querySelectorAll('.words mark').length > 0")
        assert page.text(".words") == attack
        assert page.text("#lede").count("</script>") >= 1
        page.until("document.querySelectorAll('svg.chart').length === 3")
        text = page.js("document.body.innerText")
        assert HOSTILE["age"] in text
        assert HOSTILE["since"] in text
        assert page.js("[...document.querySelectorAll('option')].map(o => o.text)")[1:4] == [
            *LEVELS[:2],
            "\\u200b\\u202eevil",
        ]
        assert page.js("document.title") == title
        assert (
            page.js("document.querySelectorAll('main script, main b:not([class]) script, main img[src=x]').length") == 0
        )


def test_a_column_with_a_hostile_name_gets_its_own_error(chromium: Browser) -> None:
    with serving(a_model(HOSTILE, LEVELS, CLASSES)) as site, chromium.page(site) as page:
        page.until("document.querySelector('#try')?.hidden === false")
        page.fill(field(page, HOSTILE["age"]), "old")
        press_button(page, "Decide")
        page.until("document.querySelectorAll('[aria-invalid]').length === 1")
        assert page.js("document.activeElement.id") == field(page, HOSTILE["age"])[1:]


def test_of_many_columns_some_are_shown_and_any_is_found(chromium: Browser) -> None:
    with serving(a_wide_model()) as site, visit(chromium, site) as page:
        n_visible = (
            "[...document.querySelectorAll('.field')].filter(e => e.checkVisibility() && e.id !== 'find').length"
        )
        assert page.js(n_visible) < 20
        page.fill("#find", "number 123")
        page.until(f"{n_visible} === 2")  # the column, and the choice of a time below
        page.fill("#find", "nothing of that name")
        page.until("document.querySelector('.find [role=status]').innerText.startsWith('No column')")
        page.fill("#find", "")
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        assert page.text("#decision").startswith("class ")
        assert page.js("document.querySelectorAll('.answer > div > .bars > bdi').length") == 8
        assert "92 more classes" in page.text(".answer details summary")
        assert page.js("document.querySelectorAll('.truth option').length") == 101


def test_the_shell_tells_nothing_and_asks_for_the_token_once(chromium: Browser) -> None:
    with serving(PLAIN, token=TOKEN) as site, chromium.page(site) as page:
        page.until("document.querySelector('#token')?.hidden === false")
        assert "churn" not in page.js("document.documentElement.outerHTML")
        assert page.js("document.activeElement.id") == "token-field"
        page.fill("#token-field", "a wrong one")
        page.press("Enter")
        page.until("document.querySelector('#token-error')?.innerText.includes('not the token')")
        page.fill("#token-field", TOKEN)
        page.press("Enter")
        page.until("document.querySelector('#try')?.hidden === false")
        press_button(page, "Fill in an example")
        press_button(page, "Decide")
        page.text("#decision")
        assert (
            page.js("Object.keys(sessionStorage).length + Object.keys(localStorage).length + document.cookie.length")
            == 1
        )
        assert not [url for url in page.requests if TOKEN in url]
        assert [complaint for complaint in page.complaints if "401" not in complaint] == []
        page.call("Page.reload")
        page.until("document.querySelector('#try')?.hidden === false")


def test_a_service_that_is_gone_is_said_to_be_and_answers_again(chromium: Browser) -> None:
    with serving(PLAIN) as site, chromium.page(site) as page:
        page.until("document.querySelector('#pulse .good')")
        page.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        press_button(page, "Decide")
        page.until("document.querySelector('form .notice.bad')?.innerText.includes('does not answer')")
        page.until("document.querySelector('#pulse .bad')")
        page.call(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        page.until("document.querySelector('#pulse .good')")
        press_button(page, "Decide")
        page.text("#decision")


def test_what_goes_on_is_shown_with_what_labels_say(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FRESH", 0.2), ("FRESH_TRUTH", 0.2), ("SHARE", 0)):
        monkeypatch.setattr(live, name, value)
    with serving(PLAIN, tmp_path / "log.db") as site, visit(chromium, site) as page:
        page.until("document.querySelector('#live p.muted').innerText.startsWith('No row came')")
        page.js(
            "(async () => { const post = (path, body) => fetch(path, {method: 'POST', headers: {'content-type': 'application/json'},"
            " body: JSON.stringify(body)});"
            " const rows = [...Array(60).keys()].map(i => ({age: 20 + i, city: i % 3 ? 'Bonn' : 'Rome', note: 'good'}));"
            " const ids = rows.map((_, i) => `row ${i}`);"
            " await post('v1/predict', {rows, ids});"
            " await post('v1/labels', {labels: ids.map((id, i) => ({id, label: i % 2 ? 'yes' : 'no'}))}); })()"
        )
        page.until("document.querySelector('#live .tiles')?.innerText.includes('60')")
        assert "33.3 %" in page.text("#live .bars")
        assert "'city'" in page.text("#live .bars")
        page.until("document.querySelectorAll('#live table tbody tr').length > 1")
        table = page.text("#live table").replace("\N{NO-BREAK SPACE}", " ")
        assert "ROC-AUC" in table
        assert ".84 [.82 .86]" in table
        assert "60 labelled rows" in page.text("#live")
        page.js("document.querySelectorAll('[name=span]')[1].click()")
        page.until("document.querySelector('#live .tiles')?.innerText.includes('60')")
        page.js("document.querySelector('#live .scroll').focus()")
        n_requests = len(page.requests)
        while len(page.requests) < n_requests + 2:
            time.sleep(0.05)
        page.js("new Promise(done => setTimeout(done, 300))")
        assert page.js("document.activeElement.className") == "scroll"  # what has not changed is not made anew
        page.js("document.querySelector('svg.chart').focus()")
        page.press("ArrowLeft")
        assert "requests" in page.text("#live figcaption")


def test_that_another_model_answers_is_said_and_shown(chromium: Browser) -> None:
    deployment = Deployment(ServedModel("churn", "ab" * 32, PLAIN))
    with serving(PLAIN, deployment=deployment) as site, visit(chromium, site) as page:
        page.until("document.querySelector('#pulse .good')")
        deployment.champion = ServedModel("newer", "cd" * 32, PLAIN)
        page.until("document.querySelector('#live .notice.warn')?.checkVisibility()")
        press_button(page, "Show it")
        page.until("document.querySelector('#served')?.innerText === 'newer'")
        assert page.js("document.querySelector('#live .notice.warn').hidden") is True


def test_sets_and_decisions_that_differ_from_the_most_probable_class_are_said(chromium: Browser) -> None:
    model = replace(PLAIN, sets=Sets("lac", 0.9, (60, 39), (0.1, 0.1), 1.2))
    with serving(model) as site, visit(chromium, site) as page:
        page.fill(field(page, "age"), "40")
        press_button(page, "Decide")
        page.text("#decision")
        assert "Prediction set: no, yes" in page.text(".answer")
