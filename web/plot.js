// Plots that share one cursor and one time window.
import { make } from "/web/dom.js";
import { clock, number } from "/web/format.js";

// The library's legend builds markup with inline style, which the policy forbids; ours is text.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((p) => p !== Dygraph.Plugins.Legend);
// Fingers scroll the page; the mouse zooms.
const { touchstart, touchmove, touchend, ...MOUSE } = Dygraph.defaultInteractionModel;
const FEW = 8; // lines that a legend can name
const HUES = { light: ["#0b6e99", "#c2571a", "#3d8b37", "#9a3fa5", "#b58a00", "#c2304a", "#4b5bb5", "#5f6b7a"],
  dark: ["#5cc3ee", "#f29b5f", "#7fd077", "#d58be0", "#e6c34d", "#f27d90", "#98a6f5", "#a9b5c2"] };

const dark = matchMedia("(prefers-color-scheme: dark)");

// A host has its color in every plot: `slot` of its line.
function colors(lines) {
  const few = HUES[dark.matches ? "dark" : "light"];
  const n = lines.length;
  if (n <= FEW) return lines.map((l, i) => few[(l.slot ?? i) % few.length]);
  return Array.from({ length: n }, (_, i) => {
    const turn = Math.round(190 + 150 * i / (n - 1));
    return dark.matches ? `hsla(${turn}, 70%, 68%, .75)` : `hsla(${turn}, 65%, 40%, .7)`;
  });
}

export class Group {
  // zoomed(from, to) in milliseconds, when somebody has chosen another window.
  constructor(zoomed) {
    this.plots = new Set();
    this.zoomed = zoomed;
    this.repaint = () => this.plots.forEach((p) => p.graph && p.redraw());
    dark.addEventListener("change", this.repaint);
  }

  zoom(from, to, source) {
    this.window = [from, to];
    for (const p of this.plots) if (p !== source) p.graph?.updateOptions({ dateWindow: this.window });
    this.zoomed(from, to);
  }

  // Around its middle, or the cursor.
  scale(factor) {
    const [from, to] = this.window;
    const fixed = this.at !== undefined && this.at > from && this.at < to ? this.at : (from + to) / 2;
    this.zoom(fixed - (fixed - from) * factor, fixed + (to - fixed) * factor);
  }

  shift(part) {
    const [from, to] = this.window;
    this.zoom(from + (to - from) * part, to + (to - from) * part);
  }

  show(x, source, series) {
    this.at = x;
    for (const p of this.plots) p.show(x, p === source ? series : undefined);
  }

  done() {
    dark.removeEventListener("change", this.repaint);
    for (const p of this.plots) p.graph?.destroy();
    this.plots.clear();
  }
}

// lines: [{label, from, step, data}] in seconds -> rows of the union of their times. A place without a value is a gap
// (NaN); a time that only other lines have is none (null).
export function rows(lines) {
  const [first] = lines;
  if (lines.every((l) => l.from === first.from && l.step === first.step)) {
    const longest = Math.max(...lines.map((l) => l.data.length));
    return Array.from({ length: longest }, (_, k) =>
      [(first.from + k * first.step) * 1000, ...lines.map((l) => l.data[k] ?? NaN)]);
  }
  const at = new Map();
  lines.forEach((line, i) => line.data.forEach((v, k) => {
    const t = line.from + k * line.step;
    if (!at.has(t)) at.set(t, new Array(lines.length + 1).fill(null));
    at.get(t)[i + 1] = v ?? NaN;
  }));
  return [...at.keys()].sort((a, b) => a - b).map((t) => {
    const row = at.get(t);
    row[0] = t * 1000;
    return row;
  });
}

export class Plot {
  constructor(group, title) {
    this.group = group;
    this.canvas = make("div", { className: "canvas", tabIndex: 0, role: "img", "aria-label": title });
    this.cursor = make("div", { className: "cursor", hidden: true });
    this.legend = make("div", { className: "legend" });
    this.canvas.onkeydown = (event) => this.key(event);
    group.plots.add(this);
  }

  draw(lines) {
    this.lines = lines;
    this.legend.classList.toggle("short", lines.length === 1);
    this.colors = colors(lines);
    const data = rows(lines);
    if (this.graph && this.graph.numColumns() === lines.length + 1)
      this.graph.updateOptions({ file: data, dateWindow: this.group.window });
    else this.make(data);
    this.canvas.dataset.points = String(lines.reduce((n, l) => n + l.data.filter((v) => v !== null).length, 0));
    this.canvas.dataset.lines = String(lines.length);
    this.idle();
  }

  redraw() {
    this.colors = colors(this.lines);
    this.make(rows(this.lines));
    this.idle();
  }

  make(data) {
    const { group, lines } = this;
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const many = lines.length > FEW;
    this.graph?.destroy();
    this.graph = new Dygraph(this.canvas, data, {
      labels: ["time", ...lines.map((_, i) => "s" + i)], // keys; the names stay outside of the library
      dateWindow: group.window,
      colors: this.colors,
      connectSeparatedPoints: true,
      includeZero: true,
      strokeWidth: many ? 0.8 : 1.5,
      highlightCircleSize: many ? 0 : 3,
      highlightSeriesOpts: lines.length > 1 ? { strokeWidth: 2.2, highlightCircleSize: 3 } : null,
      highlightSeriesBackgroundAlpha: many ? 0.35 : 1,
      highlightSeriesBackgroundColor: of("--card"),
      axisLineColor: of("--line"), gridLineColor: of("--grid"), axisLabelFontSize: 11, rightGap: 8,
      axes: {
        x: { ticker: Dygraph.dateTicker, axisLabelFormatter: Dygraph.dateAxisLabelFormatter, pixelsPerLabel: 70 },
        y: { axisLabelFormatter: (v) => number(v, 3), axisLabelWidth: 46, pixelsPerLabel: 30 },
      },
      interactionModel: { ...MOUSE, dblclick: () => group.reset() },
      highlightCallback: (event, x, points, row, series) => group.show(x, this, series),
      unhighlightCallback: () => group.show(undefined),
      zoomCallback: (from, to) => group.zoom(from, to, this), // it has redrawn itself
      drawCallback: (g) => {
        const [from, to] = g.xAxisRange();
        this.canvas.dataset.seconds = String(Math.round((to - from) / 1000));
      },
    });
    this.canvas.append(this.cursor);
  }

  // The row nearest to x.
  row(x) {
    let low = 0;
    let high = this.graph.numRows() - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.graph.getValue(middle, 0) < x) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && x - this.graph.getValue(low - 1, 0) < this.graph.getValue(low, 0) - x) low--;
    return low;
  }

  show(x, series) {
    if (!this.graph) return;
    this.cursor.hidden = x === undefined;
    if (x === undefined) return this.idle();
    this.cursor.style.transform = `translateX(${this.graph.toDomXCoord(x)}px)`;
    const row = this.row(x);
    const values = this.lines.map((line, i) => ({ label: line.label, color: this.colors[i], value: this.graph.getValue(row, i + 1) }))
      .map((v, i) => ({ ...v, at: "s" + i })).filter((v) => v.value !== null && !Number.isNaN(v.value));
    this.legend.dataset.time = String(Math.round(this.graph.getValue(row, 0) / 1000));
    const parts = [make("time", { textContent: clock(this.graph.getValue(row, 0)) })];
    if (this.lines.length <= FEW) {
      for (const v of values) parts.push(this.entry(v.color, v.label, number(v.value, 6)));
    } else if (values.length) {
      const chosen = values.find((v) => v.at === series);
      if (chosen) parts.push(this.entry(chosen.color, chosen.label, number(chosen.value, 6)));
      values.sort((a, b) => a.value - b.value);
      const [low, middle, high] = [values[0], values[values.length >> 1], values[values.length - 1]];
      parts.push(this.entry("", "lowest " + low.label, number(low.value)), this.entry("", "median", number(middle.value)),
        this.entry("", "highest " + high.label, number(high.value)));
    }
    this.legend.replaceChildren(...parts);
  }

  entry(color, label, value) {
    const mark = make("i");
    if (color) mark.style.background = color;
    return make("span", {}, color ? mark : "", label ? label + " " : "", make("b", { textContent: value }));
  }

  // Nobody points: what is drawn, in numbers.
  idle() {
    delete this.legend.dataset.time;
    if (!this.lines) return;
    const known = this.lines.filter((l) => l.avg !== null && l.avg !== undefined);
    const mean = known.reduce((sum, l) => sum + l.avg, 0) / known.length;
    const all = [this.entry("", "min", number(Math.min(...known.map((l) => l.min)))), this.entry("", "avg", number(mean)),
      this.entry("", "max", number(Math.max(...known.map((l) => l.max))))];
    if (!known.length) this.legend.replaceChildren();
    else if (this.lines.length === 1) this.legend.replaceChildren(...all);
    else if (this.lines.length <= FEW)
      this.legend.replaceChildren(...this.lines.map((l, i) => this.entry(this.colors[i], l.label, "avg " + number(l.avg))));
    else this.legend.replaceChildren(make("span", { textContent: `${this.lines.length} lines` }), ...all);
  }

  // Left and right move the cursor, with Shift the window; + and - zoom, 0 shows all.
  key(event) {
    const { group, graph } = this;
    if (!graph || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (side && event.shiftKey) group.shift(side / 4);
    else if (side) {
      const [from, to] = group.window;
      const row = group.at === undefined ? this.row((from + to) / 2) : this.row(group.at) + side;
      group.show(graph.getValue(Math.min(Math.max(row, 0), graph.numRows() - 1), 0));
    } else if (event.key === "+") group.scale(0.5);
    else if (event.key === "-") group.scale(2);
    else if (event.key === "0") group.reset();
    else if (event.key === "Escape") group.show(undefined);
    else return;
    event.preventDefault();
  }
}
