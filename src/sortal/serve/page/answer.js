// What the service says of a row: the decision first, then how sure it is, why, and a way to tell it the truth later.

import { ask } from "./api.js";
import { bar } from "./live.js";
import { h, s, fill, named, number, percent, count, counted, duration, plain, short } from "./dom.js";

const MOST_CLASSES = 8;
const MOST_COLUMNS = 10;
const FEW_CLASSES = 4; // A label of so many is chosen from buttons, of more from a list.
const LONG = 16; // Letters of a decision from which on it is written smaller.
const CERTAIN = 0.0005;

export class Answer {
  constructor(model) {
    this.model = model;
    this.element = h("div", { class: "answer", tabindex: "-1", role: "region", "aria-label": "What the model says", "aria-live": "polite" });
    this.empty();
  }

  empty() {
    fill(this.element, h("p", { class: "none" }, `Fill in what you know of a row; what is left empty counts as missing. What the model says of it stands here.`));
  }

  wait() {
    fill(this.element, h("p", { class: "none" }, "Asking …"));
  }

  /** Show a prediction, and then what moved it, which takes longer. */
  async show({ content, seconds, stages }, row) {
    const [said] = content.predictions;
    const why = h("div", {}, h("p", { class: "none small" }, "Asking what moved it …"));
    fill(this.element,
      decision(said, this.model),
      content.notes.map((note) => h("p", { class: "notice warn" }, h("bdi", { class: "data" }, plain(note)))),
      warnings(said.warnings ?? []),
      h("h3", {}, "How probable"), probabilities(said, this.model), members(said.set),
      h("h3", {}, "What moved it"), why,
      h("h3", {}, "How long it took"), times(seconds, stages),
      this.truth(said.id));
    this.element.focus({ preventScroll: true });
    if (this.element.getBoundingClientRect().top > innerHeight * 0.7 || this.element.getBoundingClientRect().top < 0) this.element.scrollIntoView({ block: "start" });
    try {
      fill(why, reasons((await ask("v1/explain", { row })).content, row, this.model));
    } catch (refusal) {
      fill(why, h("p", { class: "none small" }, plain(refusal.message)));
    }
  }

  /** Send what turned out to be true of the row. */
  truth(id) {
    const { classes } = this.model;
    const receipt = h("p", { class: "small", role: "status" });
    const choice = classes.length <= FEW_CLASSES ? buttons(classes) : list(classes);
    const send = h("button", { type: "submit" }, "Send the label");
    return h("form", { class: "truth", onsubmit: async (event) => {
      event.preventDefault();
      const at = choice.chosen();
      if (at === undefined) {
        fill(receipt, "Choose a class first.");
        choice.first.focus();
        return;
      }
      send.disabled = true;
      try {
        fill(receipt, received((await ask("v1/labels", { labels: [{ id, label: classes[at] }] })).content));
      } catch (refusal) {
        fill(receipt, h("span", { class: "error" }, plain(refusal.message)));
      } finally {
        send.disabled = false;
      }
    } },
    h("h3", { id: "truth-title" }, "What was it really?"),
    h("div", { class: "row" }, choice.element, send),
    receipt,
    h("p", { class: "id" }, "row id ", h("code", {}, plain(id)), copy(id)));
  }
}

function copy(text) {
  if (navigator.clipboard === undefined) return null;
  const button = h("button", { type: "button", class: "plain", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      fill(button, "copied");
    } catch {
      fill(button, "cannot be copied here");
    }
  } }, "copy");
  return button;
}

function buttons(classes) {
  const inputs = classes.map(() => h("input", { type: "radio", name: "truth" }));
  return {
    first: inputs[0],
    element: h("div", { class: "choices", role: "radiogroup", "aria-labelledby": "truth-title" }, inputs.map((input, at) => h("label", {}, input, named(classes[at], 60)))),
    chosen: () => { const at = inputs.findIndex((input) => input.checked); return at < 0 ? undefined : at; },
  };
}

function list(classes) {
  const select = h("select", { "aria-labelledby": "truth-title" }, h("option", { value: "" }, "choose a class"), classes.map((each, at) => h("option", { value: String(at) }, short(each, 80))));
  return { first: select, element: select, chosen: () => (select.value === "" ? undefined : Number(select.value)) };
}

function received({ new: added, repeated, unmatched, conflicts }) {
  if (conflicts.length > 0) return ["The log already has another label of this row, which stays: ", named(conflicts[0].known), "."];
  if (repeated > 0) return "The log had this label already.";
  return added > 0 && unmatched > 0 ? "Stored; the row itself is not in the log yet." : "Stored. The figures below will count it.";
}

function decision(said, model) {
  const text = String(said.decision);
  const left = model.rejects && text === "reject";
  const other = !left && String(said.label) !== text;
  return [
    h("h3", { class: "said" }, "Decision"),
    h("p", { class: `decision ${text.length > LONG ? "long" : ""}`, id: "decision" }, left ? "left to a person" : h("bdi", { class: "data" }, plain(text))),
    h("p", { class: "muted small" }, model.rule && plain(model.rule), other && [model.rule && "; ", "most probable is ", named(said.label)], "."),
  ];
}

function warnings(texts) {
  if (texts.length === 0) return null;
  return h("div", { class: "notice warn" }, h("strong", {}, `${counted(texts.length, "warning")}: unlike the rows of training`),
    h("ul", {}, texts.map((text) => h("li", {}, h("bdi", { class: "data" }, plain(text))))));
}

function probabilities({ probabilities: byName, decision: decided }, model) {
  const ranked = Object.entries(byName);
  if (ranked.length > 2) ranked.sort((one, other) => other[1] - one[1]);
  const line = ([name, p]) => [
    named(name, 60), h("div", { class: "of" }, bar(p, name === String(decided) ? "chosen" : "")), h("span", { class: "num" }, number(p)),
  ];
  const rest = ranked.slice(MOST_CLASSES);
  return [
    h("div", { class: "bars classes" }, ranked.slice(0, MOST_CLASSES).map(line)),
    rest.length > 0 && h("details", {}, h("summary", {}, `${count(rest.length)} more classes, ${number(rest.reduce((sum, [, p]) => sum + p, 0))} together`),
      h("div", { class: "bars classes" }, rest.map(line))),
  ];
}

function members(set) {
  if (set === undefined || set === null) return null;
  return h("p", { class: "small beside" }, "Prediction set: ", set.length === 0 ? "empty, no class is probable enough" : set.map((each, at) => [at > 0 && ", ", named(each)]));
}

function times(seconds, stages) {
  const total = stages.find(([name]) => name === "total")?.[1] ?? stages.reduce((sum, [, lasted]) => sum + lasted, 0);
  const parts = stages.filter(([name]) => name !== "total").map(([name, lasted]) => `${name} ${duration(lasted)}`);
  return h("p", { class: "small", id: "took" }, h("strong", {}, duration(total)), ` in the service (${parts.join(", ")}); ${duration(seconds)} there and back`);
}

function reasons(content, row, model) {
  return h("p", {}, JSON.stringify(content).slice(0, 400));
}
