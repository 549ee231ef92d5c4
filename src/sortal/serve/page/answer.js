// What the service says of a row: the decision first, then how sure it is, why, and a way to tell it the truth later.

import { ask } from "./api.js";
import { bar } from "./live.js";
import { busy, h, isBusy, s, fill, named, number, count, counted, duration, plain, short, visible } from "./dom.js";

const MOST_CLASSES = 8;
const MOST_COLUMNS = 10;
const FEW_CLASSES = 4; // A label of so many is chosen from buttons, of more from a list.
const LONG = 16; // Letters of a decision from which on it is written smaller.
const LEAST_EFFECT = 0.02; // Log-odds below which nothing is marked: a probability of .5 moves by half a percent.
const FAINT = 0.08; // Of the strongest word, below which another is not marked.

export class Answer {
  constructor(model) {
    this.model = model;
    this.said = h("p", { class: "visually", role: "status" });
    this.shown = h("div");
    this.element = h("div", { class: "answer", role: "region", "aria-label": "What the model says" }, this.said, this.shown);
    this.empty();
  }

  empty() {
    fill(this.said);
    fill(this.shown, h("p", { class: "none" }, `Fill in what you know of a row; what is left empty counts as missing. What the model says of it stands here.`));
  }

  wait() {
    fill(this.said);
    fill(this.shown, h("p", { class: "none" }, "Asking …"));
  }

  /** Show a prediction, and then what moved it, which takes longer. */
  async show({ content, seconds, stages }, row) {
    const [said] = content.predictions;
    const why = h("div", {}, h("p", { class: "none small" }, "Asking what moved it …"));
    fill(this.said, inShort(said));
    fill(this.shown,
      decision(said, this.model),
      content.notes.map((note) => h("p", { class: "notice warn" }, h("bdi", { class: "data" }, plain(note)))),
      warnings(said.warnings ?? []),
      h("h3", {}, "How probable"), probabilities(said, this.model), members(said.set),
      h("h3", {}, "What moved it"), why,
      h("h3", {}, "How long it took"), times(seconds, stages),
      this.truth(said.id));
    const { top } = this.element.getBoundingClientRect();
    if (top < 0 || top > 0.7 * innerHeight) this.element.scrollIntoView({ block: "start" });
    try {
      fill(why, reasons((await ask("v1/explain", { row, label: this.model.classes.includes(said.decision) ? said.decision : said.label })).content, row, this.model));
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
      if (isBusy(send)) return;
      const at = choice.chosen();
      if (at === undefined) {
        fill(receipt, "Choose a class first.");
        choice.first.focus();
        return;
      }
      busy(send, true);
      try {
        fill(receipt, received((await ask("v1/labels", { labels: [{ id, label: classes[at] }] })).content));
      } catch (refusal) {
        fill(receipt, h("span", { class: "error" }, plain(refusal.message)));
      } finally {
        busy(send, false);
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

/** What a screen reader says, at once: not the whole answer. */
function inShort({ decision: decided, probabilities: byName, warnings: odd = [] }) {
  const p = byName[String(decided)];
  return `Decision: ${plain(decided)}${p === undefined ? "" : `, probability ${number(p)}`}${odd.length > 0 ? `, ${counted(odd.length, "warning")}` : ""}.`;
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

/** What each column adds to the class that is asked about, the strongest first; of texts each word, of images each part. */
function reasons({ label, effects, unexplained }, row, model) {
  const largest = Math.max(LEAST_EFFECT, ...effects.map((each) => Math.abs(each.effect)));
  const line = (each) => [
    h("span", {}, named(each.field, 60), " ", h("span", { class: "value" }, valueOf(row[each.field], model.columns.find(({ name }) => name === each.field)))),
    axis(each.effect / largest), h("span", { class: "num" }, signed(each.effect)),
  ];
  const felt = effects.filter((each) => Math.abs(each.effect) >= LEAST_EFFECT);
  const rest = effects.length - Math.min(felt.length, MOST_COLUMNS) + unexplained.length;
  return [
    h("p", { class: "key" }, h("span", {}, h("i", { class: "for" }), "speaks for ", named(label)), h("span", {}, h("i", { class: "against" }), "against it")),
    felt.length === 0 && h("p", { class: "none small" }, "Nothing much: no column alone changes what it says."),
    h("div", { class: "signed" }, felt.slice(0, MOST_COLUMNS).map(line)),
    rest > 0 && felt.length > 0 && h("p", { class: "none small" }, `${counted(rest, "more column")} add less${unexplained.length > 0 ? `, ${count(unexplained.length)} of them not looked at` : ""}.`),
    effects.filter((each) => each.words?.length > 0).map((each) => [h("p", { class: "small muted" }, named(each.field, 60), ", word by word"), text(row[each.field], each.words)]),
    effects.filter((each) => each.parts?.length > 0).map((each) => [h("p", { class: "small muted" }, named(each.field, 60), ", part by part"), picture(each.field, row[each.field], each.parts)]),
    felt.length > 0 && h("p", { class: "none small" }, "By so much the log-odds would fall with something usual, or nothing, in its place; one column at a time."),
  ];
}

const signed = (effect) => `${effect < 0 ? "−" : "+"}${number(Math.abs(effect), 2)}`;

function valueOf(value, column) {
  if (value === null || value === undefined) return "missing";
  if (column?.input === "image") return "an image";
  if (typeof value === "boolean") return plain(column.words[Number(value)]);
  return h("bdi", { class: "data" }, short(value, 30));
}

/** A bar to the right of the middle for what speaks for, to the left for what speaks against. */
function axis(share) {
  const element = h("i", { class: share < 0 ? "against" : "for" });
  const width = 50 * Math.min(1, Math.abs(share));
  element.style.width = `${width}%`;
  element.style.left = `${share < 0 ? 50 - width : 50}%`;
  return h("span", { class: "axis", "aria-hidden": true }, element);
}

/** A text with its words marked; places are counted in characters, of which some take two places in a string. */
function text(value, words) {
  const letters = [...String(value)];
  const largest = Math.max(LEAST_EFFECT, ...words.map((word) => Math.abs(word.effect)));
  let at = 0;
  const parts = words.flatMap(({ begin, end, effect }) => {
    const before = letters.slice(at, begin).join("");
    at = end;
    const strength = Math.abs(effect) / largest;
    const word = visible(letters.slice(begin, end).join(""));
    if (strength < FAINT) return [visible(before), word];
    const mark = h("mark", { class: effect < 0 ? "against" : "for", title: signed(effect) }, word);
    mark.style.setProperty("--weight", `${Math.round(10 + 60 * strength)}%`);
    return [visible(before), mark];
  });
  return h("p", { class: "words", tabindex: "0" }, h("bdi", { class: "data" }, parts, visible(letters.slice(at).join(""))));
}

/** An image under the colours of its parts. */
function picture(name, value, parts) {
  const bytes = Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
  const image = h("img", { alt: `the image in ${plain(name)}; what speaks for the class is orange, what speaks against it blue`, src: URL.createObjectURL(new Blob([bytes])) });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  const largest = Math.max(LEAST_EFFECT, ...parts.flat().map(Math.abs));
  return h("div", { class: "parts" }, image, s("svg", { viewBox: `0 0 ${parts[0].length} ${parts.length}`, preserveAspectRatio: "none", "aria-hidden": true },
    parts.map((line, y) => line.map((effect, x) => s("rect", { x, y, width: 1, height: 1, fill: effect < 0 ? "var(--c1)" : "var(--c2)", "fill-opacity": (0.65 * Math.abs(effect)) / largest })))));
}
