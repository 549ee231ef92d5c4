// Figures over time: lines, or shares that stand on each other. What is pointed at, or gone to with the arrow keys, is read out below.

import { h, s, fill, clock } from "./dom.js";

const HEIGHT = 190;
const ROOM = { left: 52, right: 8, top: 10, bottom: 24 };
const MOST_TICKS = 4;

/** A chart that stays while its figures change. */
export class Timeline {
  constructor(title, { stacked = false, format }) {
    Object.assign(this, { title, stacked, format, at: undefined, drawn: undefined });
    this.svg = s("svg", { class: "chart", role: "img", tabindex: "0" });
    this.caption = h("figcaption");
    this.element = h("figure", {}, h("h3", {}, title), this.svg, this.caption);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.go(undefined));
    this.svg.addEventListener("blur", () => this.go(undefined));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** `series`: a name, a colour, and a value (or null) for each `step` seconds since `from`. */
  update({ from, step, series }) {
    this.drawn = { from, step, series };
    this.draw();
  }

  draw() {
    const width = Math.round(this.element.clientWidth);
    if (this.drawn === undefined || width === 0) return;
    const { from, step, series } = this.drawn;
    const n = Math.max(0, ...series.map((each) => each.values.length));
    const layers = this.stacked ? onEachOther(series, n) : series.map((each) => ({ ...each, top: each.values }));
    const ticks = nice(Math.max(0, ...layers.flatMap((each) => each.top.map((value) => value ?? 0))));
    const last = ticks[ticks.length - 1];
    const right = width - ROOM.right;
    const foot = HEIGHT - ROOM.bottom;
    this.x = (at) => ROOM.left + ((right - ROOM.left) * (at + 0.5)) / Math.max(1, n);
    const edge = (at) => this.x(at - 0.5);
    const y = (value) => foot - (foot - ROOM.top) * (value / last);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", `${this.title}: ${this.readout(n - 1)}. Arrow keys read other times.`);
    this.rule = s("line", { class: "at", y1: ROOM.top, y2: foot, visibility: "hidden" });
    fill(this.svg,
      ticks.map((tick) => [
        s("line", { class: "grid", x1: ROOM.left, x2: right, y1: y(tick), y2: y(tick) }),
        s("text", { x: ROOM.left - 8, y: y(tick) + 4, "text-anchor": "end" }, this.format(tick)),
      ]),
      [0, n].map((at, end) => s("text", { x: edge(at), y: HEIGHT - 6, "text-anchor": end ? "end" : "start" }, clock(from + step * at))),
      layers.map((each) => (this.stacked
        ? s("path", { d: area(each, edge, y), fill: each.colour, "fill-opacity": 0.85 })
        : [
          s("path", { class: "line", d: line(each.top, this.x, y), stroke: each.colour, "stroke-dasharray": each.dash }),
          alone(each.top).map((at) => s("circle", { cx: this.x(at), cy: y(each.top[at]), r: 3, fill: each.colour })),
        ])),
      this.rule);
    this.go(this.at);
  }

  point(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const n = this.drawn?.series[0]?.values.length ?? 0;
    const share = (event.clientX - left - ROOM.left) / Math.max(1, width - ROOM.left - ROOM.right);
    if (n > 0) this.go(Math.min(n - 1, Math.max(0, Math.floor(share * n))));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const n = this.drawn?.series[0]?.values.length ?? 0;
    if (steps === undefined || n === 0) return;
    event.preventDefault();
    this.go(Math.min(n - 1, Math.max(0, (this.at ?? n - 1) + steps)));
  }

  go(at) {
    if (this.drawn === undefined || this.x === undefined) return;
    this.at = at;
    const n = this.drawn.series[0]?.values.length ?? 0;
    if (at !== undefined) {
      this.rule.setAttribute("x1", this.x(at));
      this.rule.setAttribute("x2", this.x(at));
    }
    this.rule.setAttribute("visibility", at === undefined ? "hidden" : "visible");
    const shown = at ?? n - 1;
    fill(this.caption, n > 0 && h("span", { class: "legend" },
      h("span", {}, clock(this.drawn.from + this.drawn.step * shown)),
      this.drawn.series.map((each) => h("span", {}, s("svg", { width: 10, height: 10, "aria-hidden": true }, s("rect", { width: 10, height: 10, rx: 2, fill: each.colour })),
        " ", h("bdi", { class: "data" }, each.name), ` ${this.format(each.values[shown])}`))));
  }

  readout(at) {
    return this.drawn.series.map((each) => `${each.name} ${this.format(each.values[at])}`).join(", ");
  }
}

function onEachOther(series, n) {
  const base = new Array(n).fill(0);
  return series.map((each) => {
    const bottom = [...base];
    each.values.forEach((value, at) => { base[at] += value ?? 0; });
    return { ...each, bottom, top: [...base] };
  });
}

/** Round figures from zero to beyond the largest. */
export function nice(largest) {
  if (!(largest > 0)) return [0, 1];
  const raw = largest / (MOST_TICKS - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= raw * 0.999);
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, at) => at * step);
}

const there = (value) => value !== null && value !== undefined;

/** Points with a value, joined where neighbours have one. */
function line(values, x, y) {
  return values.map((value, at) => (there(value) ? `${there(values[at - 1]) ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}` : "")).join("");
}

/** Points whose neighbours have no value. */
function alone(values) {
  return [...values.keys()].filter((at) => there(values[at]) && !there(values[at - 1]) && !there(values[at + 1]));
}

/** A band of steps, each as wide as the time that it is about. */
function area({ bottom, top }, edge, y) {
  const steps = (values) => values.flatMap((value, at) => [edge(at), edge(at + 1)].map((x) => `${x.toFixed(1)} ${y(value).toFixed(1)}`));
  return top.length === 0 ? "" : `M${[...steps(top), ...steps(bottom).reverse()].join("L")}Z`;
}
