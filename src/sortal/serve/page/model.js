// What the model is, as the service tells it: in the form that this page works with, and for people.

import { ask, hasToken } from "./api.js";
import { count, counted, h, interval, named, number, percent, plain } from "./dom.js";

const LISTED = 6; // Classes that are named in a sentence.
const HEADLINES = 4; // Figures that are shown large.
export const CHOICES = 40; // Levels that a list shows; of more a person types, with the most frequent ones suggested.
const PARTS = { test: "test, which was opened once", nested: "folds of a nested cross-validation", "out-of-fold": "out-of-fold rows", valid: "valid rows" };
const DATES = { datetime: "date" };
const INPUTS = ["number", "boolean", "category", "text", "image"];

/** Columns as a form shows them, those first that the model leans on most, and how it decides. */
export function described(told) {
  const rank = new Map((told.card?.by_importance ?? []).map((name, at) => [name, at]));
  const columns = told.columns.map(field);
  columns.sort((one, other) => (rank.get(one.name) ?? rank.size) - (rank.get(other.name) ?? rank.size));
  return { ...told, columns, rejects: typeof told.decision.reject_cost === "number", rule: rule(told.decision) };
}

/** A decision rule in words, as the report has it. */
function rule({ kind, positive, threshold, capacity, reject_cost: reject, cost_columns: costs }) {
  const rejected = typeof reject === "number" ? ", or leave the row to a person where that is cheaper" : "";
  if (capacity) return `say ${plain(positive)} for ${capacity.count ? `at most ${count(capacity.count)} rows` : percent(capacity.share)} of a batch`;
  if (typeof threshold === "number") return `say ${plain(positive)} from p = ${number(threshold)} on`;
  if (kind === "cost") return `take the class of least expected cost${rejected}${costs?.length > 0 ? ", by the costs in each row" : ""}`;
  return "take the most probable class";
}

function field(column) {
  const input = DATES[column.kind] ?? (INPUTS.includes(column.kind) ? column.kind : "line");
  const [low, high] = column.range ?? [];
  const levels = input === "category" ? column.levels ?? [] : [];
  const hints = [
    column.required && "needed",
    column.range && `${shownAs(low)} to ${shownAs(high)} in training`,
    levels.length > CHOICES && `${count(levels.length)}${column.more_levels ? " and more" : ""} values in training`,
    input === "date" || input === "line" ? column.expected : "",
  ];
  return {
    name: column.name,
    input,
    levels,
    words: column.levels?.length === 2 ? column.levels : ["no", "yes"],
    hint: hints.filter(Boolean).join("; "),
    placeholder: ["number", "date", "line"].includes(input) && column.example !== undefined ? `such as ${shownAs(column.example)}` : "",
    example: (first) => (first ? usual(column, input) : other(column, input, levels)),
  };
}

const shownAs = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : plain(value));

function usual(column, input) {
  return input === "image" ? drawing() : input === "number" && typeof column.example === "number" ? shownAs(column.example) : column.example;
}

/** A value that is made up: within what training saw, each column by itself. */
function other(column, input, levels) {
  if (input === "boolean") return Math.random() < 0.5;
  if (levels.length > 0) return levels[Math.floor(levels.length * Math.random() ** 2)]; // frequent ones stand first
  const [low, high] = column.range ?? [];
  if (input === "number" && typeof low === "number" && typeof high === "number") {
    const middle = typeof column.example === "number" ? column.example : (low + high) / 2;
    const value = middle + (Math.random() < 0.5 ? low - middle : high - middle) * Math.random() ** 2;
    return shownAs(Number.isInteger(low) && Number.isInteger(high) && Number.isInteger(middle) ? Math.round(value) : value);
  }
  if (column.range) return [low, column.example, high][Math.floor(3 * Math.random())];
  return usual(column, input);
}

/** An image of nothing, as the bytes of a PNG. */
function drawing() {
  const canvas = h("canvas", { width: 64, height: 64 });
  const pen = canvas.getContext("2d");
  for (let at = 0; at < 12; at += 1) {
    pen.fillStyle = `hsl(${Math.floor(360 * Math.random())} 60% 50%)`;
    pen.fillRect(64 * Math.random() - 16, 64 * Math.random() - 16, 40, 40);
  }
  return Uint8Array.from(atob(canvas.toDataURL("image/png").split(",")[1]), (letter) => letter.charCodeAt(0));
}

/** What is asked, in a sentence. */
export function question({ classes, rule: decides }) {
  const more = classes.length - LISTED;
  return [
    `Which of ${count(classes.length)} classes is a row? `,
    classes.slice(0, LISTED).map((name, at) => [at > 0 && ", ", named(name)]), more > 0 && ` and ${count(more)} more`, ". ",
    h("span", { class: "muted" }, "It decides so: ", h("bdi", { class: "data" }, decides), "."),
  ];
}

/** The model for people: what it promises, where it is from, what was checked. */
export function shown(model) {
  const part = ["test", "nested", ...Object.keys(model.metrics)].find((name) => name in model.metrics);
  const figures = part === undefined ? {} : model.metrics[part];
  const first = [...new Set([...model.headline, ...Object.keys(figures)])].filter((name) => name in figures);
  const { card } = model;
  return [
    h("p", { class: "muted" }, part === undefined ? "It has no figures of its own." : `What it promises was measured on the ${plain(PARTS[part] ?? part)}. Labels that come are held against it above.`),
    first.length > 0 && h("div", { class: "tiles figures" }, first.slice(0, HEADLINES).map((name, at) => h("div", { class: at === 0 ? "tile first" : "tile" },
      h("span", {}, words(name)), h("b", {}, interval({ ...figures[name], low: undefined })), h("span", {}, brackets(figures[name]))))),
    model.promise && h("p", { class: `notice ${model.decision.certificate.bounds.every((bound) => bound.holds) ? "good" : "warn"}` }, h("bdi", { class: "data" }, plain(model.promise)), model.caveat && ` ${plain(model.caveat)}`),
    h("dl", {},
      line("name", named(model.name, 80)),
      line("file", h("code", {}, `SHA-256 ${model.sha256}`)),
      card && line("trained on", [h("bdi", { class: "data" }, plain(card.data.name)), `, ${count(card.data.rows)} rows of ${count(card.data.columns)} columns; seed ${card.seed}`]),
      card && line("is a", h("bdi", { class: "data" }, plain(card.chosen))),
      line("decides", h("bdi", { class: "data" }, model.rule)),
      model.set_notes.length > 0 && line("sets", model.set_notes.map((note) => h("div", {}, plain(note)))),
      line("reads", counted(model.columns.length, "column")),
      line("written by", `sortal ${plain(model.version)}`)),
    first.length > HEADLINES && h("details", {}, h("summary", {}, `All ${count(first.length)} figures`),
      h("dl", { class: "tight" }, first.map((name) => line(words(name), interval(figures[name]))))),
    card?.checklist?.length > 0 && h("details", {}, h("summary", {}, `Checklist of its training: ${count(card.checklist.filter((item) => item.status === "holds").length)} of ${count(card.checklist.filter((item) => item.status !== "not applicable").length)} hold`),
      h("ul", { class: "plain" }, card.checklist.map(checked))),
    h("p", { class: "small" }, "For programs: ", description(), ". ", h("code", {}, "POST /v1/predict"), ", ", h("code", {}, "POST /v1/labels"), ", ", h("code", {}, "GET /metrics"), "."),
  ];
}

const LABELS = { roc_auc: "ROC-AUC", log_loss: "log-loss", f1: "F1", fbeta: "F-beta", fpr: "false positive rate", ece: "calibration error", brier: "Brier score" };
const words = (name) => LABELS[name] ?? plain(name.replaceAll("_", " "));
const line = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

function brackets(figure) {
  const whole = interval(figure);
  return whole.includes("[") ? whole.slice(whole.indexOf("[")) : "";
}

function checked({ item, status, evidence }) {
  const [kind, mark] = { holds: ["holds", "✓"], fails: ["fails", "✕"], "not applicable": ["none", "–"] }[status] ?? ["unseen", "?"];
  return h("li", { class: kind }, h("span", { class: "mark", "aria-hidden": true }, mark),
    h("span", {}, h("b", {}, plain(item)), h("span", { class: "visually" }, ` ${status}`), h("span", { class: "evidence" }, h("bdi", {}, plain(evidence)))));
}

/** The description of the interface. A link shows no token, so that it is fetched where one is needed. */
function description() {
  return h("a", { href: "openapi.json", target: "_blank", rel: "noopener", onclick: async (event) => {
    if (!hasToken()) return;
    event.preventDefault();
    const { content } = await ask("openapi.json");
    const address = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
    h("a", { href: address, download: "openapi.json" }).click();
    URL.revokeObjectURL(address);
  } }, "openapi.json");
}
