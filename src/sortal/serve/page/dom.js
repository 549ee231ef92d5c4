// Elements, and how figures are written: the notation of the report (.93 [.91 .95]). Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected", "htmlFor", "className"]);

/** An element with attributes, handlers (`onclick`) and children: elements, texts, lists of them, nothing. */
export function h(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

/** The same of SVG. */
export function s(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return append(element, children);
}

/** Add children; there may be nothing in the place of one. */
export function append(element, ...children) {
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/** Put children in the place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A button that works on something stays where it is for whoever uses the keyboard: a disabled one loses the focus. */
export const busy = (button, on) => button.setAttribute("aria-disabled", String(on));
export const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

export const byId = (id) => document.getElementById(id);

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}]/gu;
const JOINERS = "\u200c\u200d";

/** Text with what cannot be seen as Python writes it: controls, marks that turn the direction of reading. */
export function visible(text) {
  return text.replace(HIDDEN, (letter) => {
    if (JOINERS.includes(letter)) return letter;
    const code = letter.codePointAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
}

/** Text from data in one line, `visible`; of what is empty it is said. */
export function plain(value) {
  return visible(String(value).replace(/\s+/g, " ")).trim() || "(empty)";
}

/** `plain`, cut in the middle when long. */
export function short(value, most = 40) {
  const text = [...plain(value)];
  const half = Math.floor(most / 2);
  return text.length <= most ? text.join("") : [...text.slice(0, half), "…", ...text.slice(text.length - (most - half - 1))].join("");
}

/** A name from data: apart from the direction of the text around it, whole when pointed at. */
export function named(value, most = 40) {
  const shown = short(value, most);
  return h("bdi", { class: "data", title: shown === plain(value) ? undefined : plain(value) }, shown);
}

const known = (value) => typeof value === "number" && Number.isFinite(value);
const pointed = (text) => text.replace(/^(-?)0\./, "$1.");

export function decimals(low, high) {
  return known(low) && known(high) && high > low
    ? Math.min(5, Math.max(2, Math.ceil(-Math.log10((high - low) / 2) - 1e-9))) : 3;
}

/** A figure, without a zero before its point; a dash where it is unknown. */
export function number(value, digits = 3) {
  if (!known(value)) return "–";
  const text = pointed(value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return Number(text) === 0 ? text.replace("-", "") : text;
}

export function interval(figure) {
  if (!figure) return "–";
  const digits = decimals(figure.low, figure.high);
  const value = number(figure.value, digits);
  return known(figure.low) && known(figure.high)
    ? `${value} [${number(figure.low, digits)}\u00a0${number(figure.high, digits)}]` : value;
}

export const count = (n) => Number(n).toLocaleString("en");
export const counted = (n, thing) =>
  `${count(n)} ${n === 1 ? thing : thing.endsWith("y") ? `${thing.slice(0, -1)}ies` : `${thing}s`}`;

export function percent(share) {
  if (!known(share)) return "–";
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  if (share >= 0.9995 && share < 1) return "> 99.9 %";
  return `${(100 * share).toFixed(1).replace(/\.0$/, "")} %`;
}

/** Seconds, in the unit that suits them. */
export function duration(seconds) {
  if (!known(seconds)) return "–";
  if (seconds === 0) return "0";
  const [value, unit] = seconds < 0.9995e-3 ? [seconds * 1e6, "µs"] : seconds < 0.9995 ? [seconds * 1e3, "ms"] : [seconds, "s"];
  return `${value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)} ${unit}`;
}

/** A rate in a second. */
export const rate = (perSecond) => (!known(perSecond) ? "–" : perSecond >= 9.95 ? count(Math.round(perSecond)) : perSecond.toFixed(1).replace(/\.0$/, ""));

export const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");
export const day = (seconds) => new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " ") + " UTC";

/** The colour of the nth class, as the report has them. */
export const colour = (n) => `var(--c${(n % 8) + 1})`;
