// What the service does now: asked every few seconds while somebody looks.

import { ask } from "./api.js";
import { Timeline } from "./chart.js";
import { h, fill, named, number, interval, percent, count, counted, duration, rate, clock, day, colour, plain, short } from "./dom.js";

const EVERY = 3000;
const MOST_CLASSES = 7; // Bands that a chart shows; the others are one.
const MOST_WARNED = 8;
const LONG_WAIT = 5; // Seconds after which a row that is not written is a sign of trouble.
const VERDICTS = { worse: "severe", "in doubt": "warning", "with reservation": "warning", better: "good", "as promised": "good" };

export class Live {
  constructor(element, pulse, model, refused) {
    Object.assign(this, { pulse, model, refused, span: 0 });
    this.rates = new Timeline("Rows and requests a second", { format: rate });
    this.times = new Timeline("Time of a request in the service", { format: duration });
    this.decisions = new Timeline("Decisions a second", { stacked: true, format: rate });
    this.state = h("p", { class: "muted" }, "Asking …");
    this.trouble = h("p", { class: "notice bad", role: "alert", hidden: true });
    this.other = h("p", { class: "notice warn", role: "status", hidden: true }, "Another model answers now than the one that this page shows. ",
      h("button", { type: "button", onclick: () => location.reload() }, "Show it"));
    this.tiles = h("div", { class: "tiles figures" });
    this.warnings = h("div");
    this.labelled = h("div", {}, h("p", { class: "none" }, "Counting …"));
    this.log = h("p", { class: "log" });
    const spans = ["last 5 minutes", "last hour"].map((name, at) => h("label", {},
      h("input", { type: "radio", name: "span", checked: at === 0, onchange: () => { this.span = at; this.show(); } }), name));
    this.shown = h("div", { hidden: true },
      h("fieldset", { class: "field spans" }, h("legend", { class: "small muted" }, "Time that is shown"), h("div", { class: "choices" }, spans)),
      this.tiles,
      h("div", { class: "charts" }, this.rates.element, this.times.element, this.decisions.element,
        h("div", {}, h("h3", {}, "Warnings: rows unlike those of training"), this.warnings)),
      h("h3", {}, "What labels say of it"), this.labelled, this.log);
    element.append(this.other, this.state, this.trouble, this.shown);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
    this.look();
  }

  /** Ask now, and again later while the page is seen. */
  async look() {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) return;
    this.asking = true;
    try {
      this.last = (await ask("v1/live")).content;
      this.warn(this.last.log.trouble && plain(this.last.log.trouble));
      this.other.hidden = this.last.model === this.model.sha256;
      this.show();
      once(this.pulse, "answers", () => h("span", { class: "chip good" }, "answers"));
    } catch (refusal) {
      if (refusal.status === 401) {
        this.refused();
        return;
      }
      this.warn(`${plain(refusal.message)} Trying again every few seconds.`);
      once(this.pulse, "none", () => h("span", { class: "chip bad" }, "no answer"));
    } finally {
      this.asking = false;
    }
    this.timer = setTimeout(() => this.look(), this.last?.labelled === null ? EVERY / 3 : EVERY);
  }

  warn(text) {
    this.trouble.hidden = !text;
    once(this.trouble, text, () => text);
  }

  show() {
    if (this.last === undefined) return;
    const { spans, since, time, log } = this.last;
    const seen = spans[this.span];
    const { total } = seen;
    this.shown.hidden = false;
    const from = Math.max(since, time - seen.span);
    const all = log.kept ? "all workers, from the log" : "this process, since it began; without a log it forgets when it ends";
    fill(this.state, total.rows === 0
      ? `No row came in the ${seen.span > 600 ? "last hour" : "last five minutes"} (${all}). Try one above, or POST to /v1/predict.`
      : `Since ${clock(from)}: ${all}.`);
    const recent = seen.rows.slice(-Math.ceil(15 / seen.step)); // a quarter of a minute is now
    fill(this.tiles,
      tile("rows a second, now", rate(sum(recent) / (recent.length * seen.step)), true),
      tile("rows", count(total.rows)), tile("requests", count(total.requests)),
      tile("time, p50", duration(total.p50)), tile("time, p99", duration(total.p99)),
      tile("rows warned of", total.rows ? percent(total.warned / total.rows) : "–"));
    const axis = { from: seen.from, step: seen.step };
    const perSecond = (values) => values.map((value) => value / seen.step);
    this.rates.update({ ...axis, series: [
      { name: "rows", colour: colour(0), values: perSecond(seen.rows) },
      { name: "requests", colour: colour(1), values: perSecond(seen.requests), dash: "5 3" },
    ] });
    this.times.update({ ...axis, series: [
      { name: "p50", colour: colour(0), values: seen.p50 },
      { name: "p99", colour: colour(1), values: seen.p99, dash: "5 3" },
    ] });
    this.decisions.update({ ...axis, series: bands(seen.decisions).map(({ name, rows }, at) => ({ name, colour: colour(at), values: perSecond(rows) })) });
    once(this.warnings, [seen.warnings, total.rows], () => warned(seen.warnings, total.rows));
    once(this.labelled, this.last.labelled, () => labelled(this.last));
    once(this.log, log, () => state(this.last));
  }
}

/** Fill an element when what it shows has changed: else the focus in it, and its place when scrolled, would be lost, and readers would say it again. */
function once(element, shown, make) {
  const key = JSON.stringify(shown ?? null);
  if (SHOWN.get(element) === key) return;
  SHOWN.set(element, key);
  fill(element, make());
}

const SHOWN = new WeakMap();

const sum = (values) => values.reduce((total, value) => total + value, 0);
const tile = (name, value, first = false) => h("div", { class: first ? "tile first" : "tile" }, h("span", {}, name), h("b", {}, value));

/** The classes that are decided most; with many of them the rest is one. */
function bands(decisions) {
  const ranked = decisions.length <= MOST_CLASSES + 1 ? decisions
    : [...decisions].sort((one, other) => sum(other.rows) - sum(one.rows));
  const shown = ranked.slice(0, ranked.length <= MOST_CLASSES + 1 ? ranked.length : MOST_CLASSES);
  const rest = ranked.slice(shown.length);
  const named = shown.map(({ name, rows }) => ({ name: short(name, 28), rows }));
  if (rest.length === 0) return named;
  return [...named, { name: `${count(rest.length)} others`, rows: rest[0].rows.map((_, at) => sum(rest.map((each) => each.rows[at]))) }];
}

function warned(warnings, rows) {
  if (warnings.length === 0) return h("p", { class: "none" }, rows === 0 ? "No row, no warning." : "None: all values lie within what training saw.");
  return [
    h("div", { class: "bars classes" }, warnings.slice(0, MOST_WARNED).map(({ column, rows: odd }) => [
      named(column), h("div", { class: "of" }, bar(odd / rows, "chosen")), h("span", { class: "num" }, percent(odd / rows)),
    ])),
    h("p", { class: "small muted" }, "For example: ", h("bdi", { class: "data" }, plain(warnings[0].example))),
    warnings.length > MOST_WARNED && h("p", { class: "small muted" }, `and ${counted(warnings.length - MOST_WARNED, "more column")}`),
  ];
}

export function bar(share, kind) {
  const element = h("i", { class: kind });
  element.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return element;
}

function labelled({ labelled: told, log }) {
  if (!log.kept) return h("p", { class: "none" }, "Without a log nothing is known of what turned out to be true: start it with --log.");
  if (told === null) return h("p", { class: "none" }, "Counting …");
  if (!told.evaluation) {
    return h("p", { class: "none" }, `${sentence(told.note)} Labels come by POST /v1/labels, by sortal label, or from the form above.`);
  }
  const { evaluation, names } = told;
  const promised = evaluation.promised_on === "nothing" ? "promised" : `promised (${evaluation.promised_on})`;
  return [
    h("p", { class: "muted" }, `${counted(told.rows, "labelled row")} from ${day(told.since)} to ${day(told.until)}. ${sentence(told.note)}`),
    conclusion(evaluation, names),
    evaluation.promises.length > 0 && h("ul", { class: "plain" }, evaluation.promises.map((promise) => {
      const falls = ["worse", "in doubt"].includes(promise.verdict);
      return h("li", { class: falls ? "fails" : "holds" }, h("span", { class: "mark", "aria-hidden": true }, falls ? "!" : "✓"),
        h("span", {}, h("b", {}, pledge(promise, names)), h("span", { class: "evidence" }, `found ${interval(promise.observed)}: ${promise.verdict}`)));
    })),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures of labelled rows" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "metric"), h("th", { scope: "col", class: "n" }, promised), h("th", { scope: "col", class: "n" }, "found"), h("th", { scope: "col" }, "verdict"))),
      h("tbody", {}, evaluation.comparisons.map((each) => h("tr", {},
        h("td", {}, names[each.metric]), h("td", { class: "n" }, interval(each.promised)), h("td", { class: "n" }, interval(each.observed)),
        h("td", {}, h("span", { class: `tag ${VERDICTS[each.verdict] ?? ""}` }, each.verdict))))))),
    evaluation.against && h("p", { class: evaluation.against.verdict === "worse" ? "notice bad" : "beside" }, beside(evaluation.against)),
    evaluation.rejected && h("p", { class: "beside" }, `${percent(evaluation.rejected.value)} of the rows are left to a person.`),
    evaluation.shifts.map((shift) => h("p", { class: "small muted" }, "Not as in training: ", h("bdi", { class: "data" }, plain(shift.message)))),
    evaluation.notes.map((note) => h("p", { class: "small muted" }, h("bdi", { class: "data" }, plain(note)))),
  ];
}

const sentence = (text) => (text ? `${plain(text)[0].toUpperCase()}${plain(text).slice(1)}.` : "");

function conclusion(evaluation, names) {
  const of = (verdict) => [
    ...evaluation.promises.filter((each) => each.verdict === verdict).map((each) => each.measure),
    ...evaluation.comparisons.filter((each) => each.verdict === verdict).map((each) => each.metric),
  ].map((metric) => names[metric] ?? metric);
  const worse = [...new Set(of("worse"))];
  if (worse.length > 0) return h("p", { class: "notice bad" }, `Worse than promised: ${worse.join(", ")}.`);
  const doubtful = [...new Set(of("in doubt"))];
  if (doubtful.length > 0) return h("p", { class: "notice warn" }, `Nothing is clearly worse than promised; in doubt: ${doubtful.join(", ")}.`);
  if (evaluation.shifts.length > 0 || evaluation.of_no_class > 0) return h("p", { class: "notice warn" }, "Nothing is clearly worse than promised, with reservation: rows are not like those of training, and a promise is about rows like those.");
  return h("p", { class: "notice good" }, "Nothing is worse than promised.");
}

function pledge({ measure, level, label, asked }, names) {
  const name = measure === "coverage" ? "coverage of sets" : names[measure] ?? measure;
  const figure = (value) => String(Number(value.toPrecision(3))).replace(/^0\./, ".");
  return [name, label !== null && [" of ", named(label)], ` ${measure === "fpr" ? "≤" : "≥"} ${figure(level)}`, asked !== level && ` (${figure(asked)} was asked and refused)`];
}

function beside({ measure, cost, rivals }) {
  const head = measure === "cost" ? `The decision costs ${interval(cost)} a row; ` : `The decision errs in ${interval(cost)} of the rows; `;
  return [head, rivals.slice(0, 3).map((rival, at) => [at > 0 && ", ", named(rival.name), ` ${number(rival.cost)}`]), "."];
}

/** How the log does; what was written and what waits are those of the process that answered. */
function state({ log: { kept, trouble, written = 0, labelled: labels = 0, queued = 0, waiting_seconds: waits = 0, refused = 0, failures = 0 } }) {
  if (!kept) return h("span", { class: "chip" }, "no log is kept");
  const bad = Boolean(trouble) || refused > 0 || waits > LONG_WAIT;
  return [
    h("span", { class: bad ? "chip bad" : "chip good" }, bad ? "the log is in trouble" : "the log is kept"),
    h("span", { class: "chip" }, `this worker wrote ${counted(written, "row")} and ${counted(labels, "label")}, ${count(queued)} wait`),
    waits > LONG_WAIT && h("span", { class: "chip bad" }, `the oldest for ${Math.round(waits)} s`),
    refused > 0 && h("span", { class: "chip bad" }, `${counted(refused, "row")} found no room`),
    failures > 0 && h("span", { class: "chip" }, `${counted(failures, "attempt")} failed, and were repeated`),
  ];
}
