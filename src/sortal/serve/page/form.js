// A form for one row, made from the columns of the model.

import { h, fill, plain, short, count } from "./dom.js";
import { CHOICES } from "./model.js";

const FEW = 24; // Columns that are shown at once; of more, the first dozen, by how much the model leans on them.
const FIRST = 12;
const SUGGESTED = 200;
const LARGEST_IMAGE = 8 * 2 ** 20; // Bytes; in base64 a third more, which the service still takes.

/** `element`, and what a page does with it: `row()`, `example()`, `clear()`, `show(errors)`. */
export class Form {
  constructor(columns, onsubmit) {
    this.fields = new Map(columns.map((column, at) => [column.name, fieldOf(column, `f${at}`)]));
    this.summary = h("div", { class: "notice bad", role: "alert", tabindex: "-1", hidden: true });
    this.submit = h("button", { type: "submit", class: "main" }, "Decide");
    this.element = h("form", { novalidate: true, autocomplete: "off", "aria-labelledby": "try-title", onsubmit: (event) => {
      event.preventDefault();
      onsubmit();
    } },
    this.summary,
    this.laidOut([...this.fields.values()]),
    h("div", { class: "buttons" },
      this.submit,
      h("button", { type: "button", onclick: () => this.example() }, "Fill in an example"),
      h("button", { type: "button", class: "plain", onclick: () => this.clear() }, "Empty it")));
  }

  laidOut(fields) {
    if (fields.length <= FEW) return h("div", { class: "fields" }, fields.map((field) => field.element));
    this.more = h("details", { class: "more" },
      h("summary", {}, `${count(fields.length - FIRST)} more columns, missing where nothing is filled in`),
      h("div", { class: "fields" }, fields.slice(FIRST).map((field) => field.element)));
    const none = h("p", { class: "muted", role: "status" });
    const find = h("input", { id: "find", type: "search", placeholder: `among ${count(fields.length)} columns`, oninput: () => {
      const wanted = find.value.trim().toLowerCase();
      for (const field of fields) field.element.hidden = !field.column.name.toLowerCase().includes(wanted);
      if (wanted) this.more.open = true;
      fill(none, fields.every((field) => field.element.hidden) ? "No column has that in its name." : null);
    } });
    return [
      h("div", { class: "find" }, h("label", { htmlFor: "find", class: "small muted" }, "Find a column"), find, none),
      h("div", { class: "fields" }, fields.slice(0, FIRST).map((field) => field.element), this.more),
    ];
  }

  /** The row as the service takes it; what is not filled in is missing. */
  row() {
    return Object.fromEntries([...this.fields].map(([name, field]) => [name, field.read() ?? null]));
  }

  /** Usual values; asked again, others that are made up. */
  example() {
    this.show([]);
    for (const field of this.fields.values()) field.write(field.column.example(!this.exampled));
    this.exampled = true;
  }

  clear() {
    this.show([]);
    for (const field of this.fields.values()) field.write(undefined);
    this.fields.values().next().value.control.focus();
  }

  /** A field whose name the service shortens. */
  byShort(name) {
    return [...this.fields.values()].find((field) => short(field.column.name, 60) === name);
  }

  /** Say what is wrong at its field; what belongs to none is said above all. */
  show(errors, title = "") {
    for (const field of this.fields.values()) field.fail("");
    const strays = [];
    let first;
    for (const { field: name, detail } of errors) {
      const field = this.fields.get(name) ?? this.byShort(name);
      if (field === undefined) {
        strays.push(name ? `${plain(name)}: ${plain(detail)}` : plain(detail));
        continue;
      }
      field.fail(plain(detail));
      field.element.hidden = false;
      if (this.more?.contains(field.element)) this.more.open = true;
      first ??= field;
    }
    this.summary.hidden = !title && strays.length === 0;
    fill(this.summary, title && h("span", {}, plain(title)), strays.length > 0 && h("ul", {}, strays.map((text) => h("li", {}, text))));
    if (first !== undefined) first.control.focus();
    else if (!this.summary.hidden) this.summary.focus();
  }
}

function fieldOf(column, id) {
  const make = { number, boolean, category, text, image }[column.input] ?? line;
  return new Field(column, id, make(column, id));
}

class Field {
  constructor(column, id, parts) {
    Object.assign(this, { column, id, ...parts });
    this.error = h("p", { class: "error", id: `${id}-error` });
    const hint = h("p", { class: "hint", id: `${id}-hint` }, column.hint);
    const name = h("bdi", { class: "data" }, plain(column.name));
    this.control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
    this.element = parts.group
      ? h("fieldset", { class: `field ${parts.wide ? "wide" : ""}` }, h("legend", {}, name), parts.group, hint, this.error)
      : h("div", { class: `field ${parts.wide ? "wide" : ""}` }, h("label", { htmlFor: id }, name), parts.shown ?? this.control, hint, this.error);
  }

  fail(text) {
    fill(this.error, text);
    if (text) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

/** One line of text, for numbers, dates and what else is typed. */
function line(column, id) {
  const control = h("input", { id, type: "text", placeholder: column.placeholder, autocomplete: "off", spellcheck: "false" });
  return {
    control,
    read: () => control.value.trim() === "" ? undefined : control.value.trim(),
    write: (value) => { control.value = value ?? ""; },
  };
}

/** What is a number goes as one; what is none goes as it is, for the service to say what is wrong with it. */
function number(column, id) {
  const parts = line(column, id);
  parts.control.setAttribute("inputmode", "decimal");
  const typed = parts.read;
  return { ...parts, read: () => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(typed() ?? "") ? Number(typed()) : typed()) };
}

function text(column, id) {
  const parts = line(column, id);
  const control = h("textarea", { id, placeholder: column.placeholder, rows: "4" });
  return {
    ...parts, control, wide: true,
    read: () => control.value === "" ? undefined : control.value,
    write: (value) => { control.value = value ?? ""; },
  };
}

function category(column, id) {
  if (column.levels.length > CHOICES) {
    const parts = line(column, id);
    parts.control.setAttribute("list", `${id}-list`);
    const list = h("datalist", { id: `${id}-list` }, column.levels.slice(0, SUGGESTED).map((level) => h("option", { value: level })));
    return { ...parts, shown: [parts.control, list] };
  }
  // An option has its place as its value: levels may be empty or alike to the eye.
  const other = h("input", { type: "text", "aria-label": `another value of ${plain(column.name)}`, hidden: true, autocomplete: "off" });
  const control = h("select", { id, onchange: () => { other.hidden = control.value !== "other"; if (!other.hidden) other.focus(); } },
    h("option", { value: "" }, "missing"),
    column.levels.map((level, at) => h("option", { value: String(at) }, plain(level))),
    h("option", { value: "other" }, "another value …"));
  return {
    control,
    shown: [control, other],
    read: () => control.value === "" ? undefined : control.value === "other" ? other.value || undefined : column.levels[Number(control.value)],
    write: (value) => {
      const at = column.levels.indexOf(value);
      control.value = value === undefined ? "" : at < 0 ? "other" : String(at);
      other.hidden = control.value !== "other";
      other.value = other.hidden ? "" : value;
    },
  };
}

function boolean(column, id) {
  const words = column.words;
  const options = [[true, words[1]], [false, words[0]], [undefined, "missing"]].map(([value, word], at) => {
    const input = h("input", { type: "radio", name: id, id: at === 0 ? id : `${id}-${at}`, checked: value === undefined });
    return { value, input, label: h("label", {}, input, h("bdi", { class: "data" }, plain(word))) };
  });
  return {
    control: options[0].input,
    group: h("div", { class: "choices" }, options.map((option) => option.label)),
    read: () => options.find((option) => option.input.checked).value,
    write: (value) => { for (const option of options) option.input.checked = option.value === value; },
  };
}

/** A file, chosen or dropped, shown as it will be sent. */
function image(column, id) {
  let content;
  const preview = h("img", { alt: "", hidden: true });
  const said = h("span", { class: "hint", role: "status" }, "Choose an image, or drop one here.");
  const take = async (file) => {
    if (file === undefined) return;
    if (file.size > LARGEST_IMAGE) {
      fill(said, `${plain(file.name)} is larger than ${LARGEST_IMAGE / 2 ** 20} MB.`);
      return;
    }
    show(new Uint8Array(await file.arrayBuffer()), file.name);
  };
  const show = (bytes, name) => {
    URL.revokeObjectURL(preview.src);
    content = bytes;
    preview.hidden = false;
    preview.src = URL.createObjectURL(new Blob([bytes]));
    preview.alt = `the image chosen for ${plain(column.name)}`;
    remove.hidden = false;
    fill(said, `${plain(name)}, ${count(Math.max(1, Math.round(bytes.length / 1000)))} kB`);
  };
  preview.addEventListener("error", () => {
    preview.hidden = true;
    said.append(": this browser cannot show it; the service may still read it");
  });
  const control = h("input", { id, type: "file", accept: "image/*", onchange: () => take(control.files[0]) });
  const write = (bytes) => {
    if (bytes instanceof Uint8Array) {
      show(bytes, "a drawing");
      return;
    }
    content = undefined;
    control.value = "";
    URL.revokeObjectURL(preview.src);
    preview.removeAttribute("src");
    preview.hidden = remove.hidden = true;
    fill(said, "Choose an image, or drop one here.");
  };
  const remove = h("button", { type: "button", class: "plain", hidden: true, onclick: () => { write(undefined); control.focus(); } }, "Take it away");
  const over = (on) => (event) => { event.preventDefault(); drop.classList.toggle("over", on); };
  const drop = h("div", { class: "drop", ondragover: over(true), ondragleave: over(false), ondrop: (event) => {
    over(false)(event);
    take(event.dataTransfer.files[0]);
  } }, preview, control, said, remove);
  return { control, shown: drop, wide: true, write, read: () => content && base64(content) };
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
