// Plots that share one cursor and one time window.
// The library's legend builds markup with inline style, which the policy forbids; ours is text.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((p) => p !== Dygraph.Plugins.Legend);
const all = new Set();
let busy = false;

export function clear() {
  for (const g of all) g.destroy();
  all.clear();
}

export function zoomTo(window) {
  busy = true;
  for (const g of all) g.updateOptions({ dateWindow: window });
  busy = false;
}

function legend(box, points, time) {
  box.textContent = "";
  const add = (text, color) => {
    const s = document.createElement("span");
    s.textContent = text;
    if (color) s.style.color = color;
    box.append(s);
  };
  if (time === undefined) return;
  add(new Date(time).toLocaleString());
  for (const p of points.slice(0, 12)) add(`${p.label}: ${p.value.toPrecision(5)}`, p.color);
  if (points.length > 12) add(`and ${points.length - 12} more`);
}

// lines: [{label, from, step, data}] in seconds; rows of the union of their times.
function rows(lines) {
  const at = new Map();
  lines.forEach((line, i) => line.data.forEach((v, k) => {
    const t = line.from + k * line.step;
    if (!at.has(t)) at.set(t, new Array(lines.length + 1).fill(null));
    at.get(t)[i + 1] = v;
  }));
  return [...at.keys()].sort((a, b) => a - b).map((t) => {
    const row = at.get(t);
    row[0] = new Date(t * 1000);
    return row;
  });
}

export function draw(canvas, legendBox, lines, range) {
  const style = getComputedStyle(document.documentElement);
  // A label of the library is a key: our own names stay outside of it.
  const keys = lines.map((_, i) => "s" + i);
  const show = (g, row, x) => {
    const points = [];
    if (row >= 0)
      lines.forEach((line, i) => {
        const value = g.getValue(row, i + 1);
        if (value !== null) points.push({ label: line.label, value, color: g.getColors()[i] });
      });
    legend(legendBox, points, row >= 0 ? x : undefined);
  };
  const graph = new Dygraph(canvas, rows(lines), {
    labels: ["time", ...keys],
    dateWindow: range,
    axisLineColor: style.getPropertyValue("--line").trim(),
    gridLineColor: style.getPropertyValue("--line").trim(),
    labelsKMB: true,
    colorValue: matchMedia("(prefers-color-scheme: dark)").matches ? 0.9 : 0.5,
    drawCallback(g) {
      const [from, to] = g.xAxisRange();
      canvas.dataset.seconds = String(Math.round((to - from) / 1000));
    },
    highlightCircleSize: lines.length > 16 ? 0 : 3,
    strokeWidth: lines.length > 16 ? 0.7 : 1.4,
    highlightCallback(event, x, points, row) {
      show(graph, row, x);
      for (const g of all) if (g !== graph) g.showAt(x);
    },
    unhighlightCallback() {
      for (const g of all) g.showAt(undefined);
    },
    zoomCallback(from, to) {
      if (!busy) zoomTo([from, to]);
    },
  });
  graph.showAt = (x) => {
    let row = -1;
    if (x !== undefined) {
      let high = graph.numRows() - 1;
      row = 0;
      while (row < high) {
        const middle = (row + high) >> 1;
        if (graph.getValue(middle, 0) < x) row = middle + 1;
        else high = middle;
      }
    }
    show(graph, row, row >= 0 ? graph.getValue(row, 0) : undefined);
  };
  all.add(graph);
  canvas.dataset.points = String(lines.reduce((n, l) => n + l.data.filter((v) => v !== null).length, 0));
  return graph;
}
