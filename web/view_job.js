// One job with its metrics and statistics, running or archived: #/job/ID?scope=
import * as api from "/web/api.js";
import { choice, link, make } from "/web/dom.js";
import { moment, number, span, whole } from "/web/format.js";
import { Group, Plot } from "/web/plot.js";
import { levels, TYPES } from "/web/scopes.js";
import { state } from "/web/view_jobs.js";

const COMPARED = 16; // hosts that the view of hosts takes
const POINTS = 600; // of a line

export async function show(context, [id], options) {
  const job = await api.job(id, context.signal);
  if (context.signal.aborted) return;
  const group = new Group(() => { reset.hidden = false; });
  group.window = [job.startTime * 1000, (job.startTime + Math.max(1, job.duration)) * 1000];
  const all = [...group.window];
  group.reset = () => { group.zoom(...all); reset.hidden = true; };
  context.signal.addEventListener("abort", () => group.done());
  const reset = make("button", { type: "button", textContent: "Reset", title: "Leave the zoom", hidden: true, onclick: () => group.reset() });
  const plots = make("div", { className: "plots" });
  const figures = make("div", {}, statistics(job, []));
  const tools = make("div", { className: "tools" });
  context.put(title(job), about(job), figures, tools, plots);

  let found;
  try {
    found = await metricsOf(context, id, job, options.get("scope"));
  } catch (error) {
    if (error.name === "AbortError" || error.status === 401 || error.status === 403) throw error;
    return plots.append(make("p", { className: "error", textContent: "The metrics cannot be loaded: " + error.message }));
  }
  const { data, scopes, scope } = found;
  if (context.signal.aborted) return;
  const metrics = Object.entries(data).sort((a, b) => a[0] < b[0] ? -1 : 1);
  figures.replaceChildren(statistics(job, metrics));
  if (!metrics.length)
    return plots.append(make("p", { className: "quiet", textContent: job.jobState === "running" ? "The store has no samples of this job yet." : "No metrics of this job are kept." }));
  tools.append(choice("Scope", scopes.map((s) => [s, s]), scope, (v) => { location.hash = link("job", id) + "?scope=" + encodeURIComponent(v); }), reset);
  for (const [metric, at] of metrics) if (Object.hasOwn(at, scope)) plot(context, group, plots, metric, scope, at[scope], job);
}

// From the store as long as it knows the job's hosts, at one scope; else, or when it has forgotten, from the archive.
async function metricsOf(context, id, job, wanted) {
  const known = new Set((await context.hosts()).filter(([c]) => c === job.cluster).map(([, h]) => h));
  const host = (job.resources || []).map((r) => r.hostname).find((h) => known.has(h));
  if (host !== undefined) {
    const at = levels([await api.series(job.cluster, host, context.signal)]);
    const scopes = [...at.keys()];
    const scope = at.has(wanted) ? wanted : "node";
    const metrics = new Map([...at.values()].flatMap((m) => [...m]));
    const step = Math.max(...[...metrics.values()].map((m) => m.freq));
    const coarse = Math.ceil(job.duration / step / POINTS);
    const data = await api.load({ ...job, function: "job-data", metrics: [...metrics.keys()].sort(), scopes: [scope],
      resolution: coarse > 1 ? coarse * step : 0 }, context.signal);
    if (Object.keys(data).length || job.monitoringStatus !== 3) return { data, scopes, scope };
  } else if (job.monitoringStatus !== 3) return { data: {}, scopes: [], scope: "" };
  const data = await api.archived(id, context.signal);
  const scopes = TYPES.filter((t) => Object.values(data).some((s) => Object.hasOwn(s, t)));
  return { data, scopes, scope: scopes.includes(wanted) ? wanted : scopes[0] };
}

function plot(context, group, plots, metric, scope, level, job) {
  const lines = (level.series || []).filter((s) => s.data?.some((v) => v !== null)).map((s, i) => ({
    label: [job.numNodes > 1 || !s.id ? s.hostname : "", s.id !== undefined && s.id !== null ? `${scope} ${s.id}` : ""].filter((t) => t).join(" "),
    slot: scope === "node" ? i : undefined, from: job.startTime, step: level.timestep, data: s.data, ...s.statistics }));
  const p = new Plot(group, `${metric} of the job: arrow keys move the cursor, plus and minus zoom`);
  const unit = level.unit ? (level.unit.prefix || "") + (level.unit.base || "") : "";
  plots.append(make("section", { className: "card plot" }, make("h2", {}, make("span", { textContent: metric }), make("span", { className: "note", textContent: unit })), p.canvas, p.legend));
  if (!lines.length) return p.canvas.append(make("p", { textContent: "No data." }));
  p.draw(lines);
  context.drawn();
}

function title(job) {
  return make("div", { className: "title" }, make("h1", {}, make("a", { href: "#/jobs", textContent: "Jobs" }), ` / ${job.jobId} `, state(job)));
}

// The hosts, each and together, in the time of the job.
function hosts(job) {
  const time = `?from=${job.startTime}&to=${job.startTime + Math.max(60, job.duration)}`;
  const names = (job.resources || []).map((r) => r.hostname);
  const list = make("span", {});
  for (const name of names.slice(0, COMPARED)) list.append(make("a", { href: link("host", job.cluster, name) + time, textContent: name }), " ");
  if (names.length > COMPARED) list.append(`and ${whole(names.length - COMPARED)} more`);
  else if (names.length > 1) list.append(make("a", { href: link("host", job.cluster, ...names) + time, textContent: "(compare)" }));
  return list;
}

function about(job) {
  const list = make("dl", { className: "about" });
  const tags = (job.tags || []).map((t) => `${t.type}: ${t.name}`).join(", ");
  for (const [name, value] of [["User", job.user], ["Project", job.project], ["Cluster", [job.cluster, job.subCluster, job.partition].filter((t) => t).join(" / ")],
    ["Started", moment(job.startTime)], ["Duration", span(job.duration) + (job.walltime ? ` of ${span(job.walltime)}` : "")],
    ["Nodes", whole(job.numNodes)], ["Accelerators", job.numAcc ? whole(job.numAcc) : ""], ["Energy", job.energy ? number(job.energy) + " kWh" : ""],
    ["Tags", tags], ["Monitoring", job.monitoringStatus === 2 ? "archiving failed" : job.monitoringStatus === 3 ? "archived" : job.monitoringStatus === 0 ? "off" : ""]])
    if (value) list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  list.append(make("dt", { textContent: "Hosts" }), make("dd", {}, hosts(job)));
  return make("section", { className: "card" }, list);
}

// Of the job where it has been computed, else from its series.
function statistics(job, metrics) {
  const known = new Map(Object.entries(job.statistics || {}));
  for (const [metric, levels] of metrics) {
    const series = Object.values(levels)[0]?.series?.filter((s) => s.statistics) || [];
    if (known.has(metric) || !series.length) continue;
    known.set(metric, { avg: series.reduce((sum, s) => sum + s.statistics.avg, 0) / series.length, min: Math.min(...series.map((s) => s.statistics.min)), max: Math.max(...series.map((s) => s.statistics.max)) });
  }
  if (!known.size) return "";
  const rows = [...known].sort((a, b) => a[0] < b[0] ? -1 : 1).map(([metric, s]) => make("tr", {}, make("th", { textContent: metric, scope: "row" }),
    ...[s.min, s.avg, s.max].map((v) => make("td", { textContent: number(v) })), make("td", { className: "quiet", textContent: s.unit ? (s.unit.prefix || "") + (s.unit.base || "") : "" })));
  return make("details", { className: "card list", open: true }, make("summary", { textContent: "Statistics" }), make("div", { className: "wide" }, make("table", { className: "figures" },
    make("thead", {}, make("tr", {}, ...["Metric", "Lowest", "Average", "Highest", ""].map((h) => make("th", { textContent: h, scope: "col" })))), make("tbody", {}, ...rows))));
}
