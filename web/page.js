// The views, chosen by the part of the address behind "#".
import * as api from "/web/api.js";
import * as plot from "/web/plot.js";
import { levels } from "/web/scopes.js";

const view = document.getElementById("view");
const search = document.getElementById("search");
const token = document.getElementById("token");
const RANGES = [["10 min", 600], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400], ["7 d", 604800]];
const POINTS = 1500; // of one line: more do not fit a screen
let turn = 0;        // a view that is left must not draw any more

function make(tag, text, properties = {}) {
  const e = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) e.textContent = text;
  return e;
}

const link = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

function choice(label, options, value, change) {
  const box = make("label", label);
  const select = make("select");
  for (const [text, v] of options) select.append(make("option", text, { value: v }));
  select.value = value;
  select.onchange = () => change(select.value);
  box.append(select);
  return box;
}

async function showHosts(mine, wanted) {
  const clusters = new Map();
  for (const [cluster, host] of await api.hosts()) {
    if (wanted !== undefined && cluster !== wanted) continue;
    if (!clusters.has(cluster)) clusters.set(cluster, []);
    clusters.get(cluster).push(host);
  }
  if (mine !== turn) return;
  view.replaceChildren();
  if (clusters.size === 0) view.append(make("p", "No hosts are stored yet."));
  for (const [cluster, hosts] of clusters) {
    const title = make("h1");
    title.append(make("a", cluster || "(no name)", { href: link("cluster", cluster) }), ` – ${hosts.length} hosts`);
    const list = make("ul", undefined, { className: "hosts" });
    const marks = new Map();
    for (const host of hosts) {
      const a = make("a", host || "(no name)", { href: link("host", cluster, host), title: host });
      const item = make("li");
      item.append(a);
      list.append(item);
      marks.set(host, a);
    }
    view.append(title, list);
    filter();
    await markHealth(mine, cluster, hosts, marks);
  }
}

async function markHealth(mine, cluster, hosts, marks) {
  // What one of them has is expected of all.
  const node = levels(await api.series(cluster, hosts[hosts.length >> 1])).get("node");
  const metrics = node ? [...node.keys()] : [];
  for (let i = 0; i < hosts.length && mine === turn; i += 500) {
    const states = await api.health(cluster, hosts.slice(i, i + 500), metrics);
    for (const [host, state] of Object.entries(states)) {
      const mark = marks.get(host);
      if (!mark || !["full", "partial", "failed"].includes(state.State)) continue;
      mark.className = state.State;
      mark.title = `${host}: ${state.State} ${state.HealthMetrics}`;
    }
  }
}

function filter() {
  const text = search.value.toLowerCase();
  for (const a of view.querySelectorAll(".hosts a"))
    a.parentNode.hidden = !a.textContent.toLowerCase().includes(text);
}

async function showHost(mine, cluster, hosts, options) {
  const all = levels(await api.series(cluster, hosts[0]));
  if (mine !== turn) return;
  const scope = all.has(options.get("scope")) ? options.get("scope") : [...all.keys()][0];
  const seconds = Number(options.get("last")) || 3600;
  const go = (key, value) => {
    options.set(key, value);
    location.hash = link("host", cluster, ...hosts) + "?" + options;
  };
  const more = make("input", undefined, { placeholder: "another host", ariaLabel: "Compare with" });
  more.onchange = () => { location.hash = link("host", cluster, ...hosts, more.value) + "?" + options; };
  const compare = make("label", "Compare");
  compare.append(more);
  const tools = make("div", undefined, { className: "tools" });
  const whole = make("button", "Whole range");
  tools.append(choice("Scope", [...all.keys()].map((k) => [k, k]), scope, (v) => go("scope", v)),
    choice("Last", RANGES, String(seconds), (v) => go("last", v)), compare, whole);
  const plots = make("div", undefined, { className: "plots" });
  view.replaceChildren(make("h1", `${cluster} / ${hosts.join(", ")}`), tools, plots);
  const to = Math.floor(Date.now() / 1000);
  whole.onclick = () => plot.zoomTo([(to - seconds) * 1000, to * 1000]);
  for (const [metric, about] of all.get(scope) || []) {
    if (mine !== turn) return;
    await showMetric({ mine, plots, cluster, hosts, scope, metric, about, from: to - seconds, to });
  }
}

async function showMetric({ mine, plots, cluster, hosts, scope, metric, about, from, to }) {
  const card = make("section", undefined, { className: "plot" });
  const canvas = make("div", undefined, { className: "canvas" });
  const legend = make("div", undefined, { className: "legend" });
  card.append(make("h2", metric), canvas, legend);
  plots.append(card);
  const coarse = Math.ceil((to - from) / about.freq / POINTS);
  const level = scope === "node" ? {} : { type: scope, "type-ids": about.ids };
  const answer = await api.query({ cluster, from, to, "with-stats": false, "with-padding": false, "with-ids": true,
    queries: hosts.map((host) => ({ host, metric, resolution: coarse > 1 ? coarse * about.freq : 0, ...level })) });
  if (mine !== turn) return;
  const lines = [];
  answer.results.forEach((entries, i) => entries.forEach((e) => {
    if (e.error || !e.data) return;
    const id = e["type-id"] ?? "";
    lines.push({ label: [hosts.length > 1 || !id ? hosts[i] : "", id].filter((t) => t).join(" "),
      from: e.from, step: e.resolution || about.freq, data: e.data });
  }));
  if (lines.length) plot.draw(canvas, legend, lines, [from * 1000, to * 1000]);
  else canvas.textContent = "No data in this range.";
}

const bytes = (n) => n >= 2 ** 30 ? (n / 2 ** 30).toFixed(2) + " GiB" : (n / 2 ** 20).toFixed(1) + " MiB";
const ago = (t) => t > 0 ? Math.max(0, Math.round(Date.now() / 1000 - t)) + " s ago" : "never";

async function showStore(mine, before) {
  const n = await api.numbers();
  if (mine !== turn) return;
  const get = (name) => n.get("tarn_" + name) || 0;
  const now = { at: performance.now(), samples: get("ingest_samples_total") };
  const rate = before ? (now.samples - before.samples) * 1000 / (now.at - before.at) : undefined;
  const table = make("table");
  for (const [name, value] of [
    ["Hosts", get("hosts")], ["Series", get("series")], ["Samples taken", now.samples],
    ["Samples a second", rate === undefined ? "…" : Math.round(rate)],
    ["Samples refused", get("samples_refused_total")], ["Lines refused", get("ingest_lines_refused_total")],
    ["Memory", bytes(get("store_bytes")) + (get("store_cap_bytes") ? " of " + bytes(get("store_cap_bytes")) : "")],
    ["Log on disk", bytes(get("log_segment_bytes"))], ["Log failing", get("log_failing") ? "yes" : "no"],
    ["Last checkpoint", ago(get("checkpoint_last_time_seconds"))],
    ["Checkpoints failed", get("checkpoints_failed_total")]]) {
    const row = make("tr");
    row.append(make("th", name, { scope: "row" }), make("td", String(value)));
    table.append(row);
  }
  view.replaceChildren(make("h1", "The store"), table);
  setTimeout(() => { if (mine === turn) run(mine, () => showStore(mine, now)); }, 2000);
}

async function run(mine, show) {
  try {
    await show();
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401 || error.status === 403) token.hidden = false;
    view.replaceChildren(make("p", error.message, { className: "error" }));
  }
}

function route() {
  const mine = ++turn;
  const [path, options] = location.hash.slice(1).split("?");
  let parts;
  try {
    parts = path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    parts = [];
  }
  plot.clear();
  run(mine, () => parts[0] === "store" ? showStore(mine)
    : parts[0] === "host" && parts.length > 2 ? showHost(mine, parts[1], parts.slice(2), new URLSearchParams(options))
      : showHosts(mine, parts[0] === "cluster" ? parts[1] : undefined));
}

search.oninput = () => {
  if (view.querySelector(".hosts")) filter();
  else location.hash = "#/";
};
token.onchange = () => { api.setToken(token.value); route(); };
addEventListener("hashchange", route);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", route);
route();
