// The jobs, newest first: #/jobs?state=&cluster=&project=&last=&page=
import * as api from "/web/api.js";
import { choice, link, make } from "/web/dom.js";
import { moment, number, span, whole } from "/web/format.js";

const PAGE = 25;
const REFRESH_MS = 30000;
const STATES = [["All", ""], ["Running", "running"], ["Completed", "completed"], ["Failed", "failed"], ["Time-out", "timeout"], ["Cancelled", "cancelled"]];
const TIMES = [["Any time", ""], ["1 day", "86400"], ["7 days", "604800"], ["30 days", "2592000"]];
export const MARKS = { running: "running", completed: "full", failed: "failed", timeout: "failed", out_of_memory: "failed", node_fail: "failed",
  cancelled: "partial", stopped: "partial", preempted: "partial", suspended: "unknown", pending: "unknown" };

export const state = (job) => make("span", { className: "state " + (MARKS[job.jobState] || "unknown"), textContent: job.jobState.replaceAll("_", " ") });

export async function show(context, rest, options) {
  const page = Math.max(1, Number(options.get("page")) || 1);
  const go = (key, value) => {
    const o = new URLSearchParams(options);
    if (key !== "page") o.delete("page");
    value ? o.set(key, value) : o.delete(key);
    const text = o.toString();
    location.hash = link("jobs") + (text ? "?" + text : "");
  };
  const wanted = new URLSearchParams({ "items-per-page": PAGE, page });
  for (const key of ["state", "cluster", "project"]) if (options.get(key)) wanted.set(key, options.get(key));
  const now = Math.floor(Date.now() / 1000);
  if (Number(options.get("last")) > 0) wanted.set("start-time", `${now - Number(options.get("last"))}-${now}`);

  const text = (key, label) => {
    const input = make("input", { type: "search", placeholder: label, ariaLabel: label, value: options.get(key) || "" });
    input.onchange = () => go(key, input.value.trim());
    return input;
  };
  const tools = make("div", { className: "tools filters" }, choice("State", STATES, options.get("state") || "", (v) => go("state", v)),
    choice("Started", TIMES, options.get("last") || "", (v) => go("last", v)), text("cluster", "Cluster"), text("project", "Project"));
  const board = make("div", { className: "card list" });
  const load = async () => {
    const { jobs } = await api.jobs(wanted, context.signal);
    board.replaceChildren(jobs.length ? table(jobs) : make("p", { className: "quiet", textContent: page > 1 ? "There are no more." : "No job fits." }),
      pages(page, jobs.length === PAGE, go));
  };
  await load();
  context.put(make("h1", { textContent: "Jobs" }), tools, board);
  context.every(REFRESH_MS, () => { if (!document.hidden) return load(); });
}

function table(jobs) {
  const head = ["Job", "State", "User", "Project", "Cluster", "Nodes", "Started", "Duration", "Footprint"];
  const rows = jobs.map((job) => make("tr", {}, make("td", {}, make("a", { href: link("job", String(job.id)), textContent: String(job.jobId) })), make("td", {}, state(job)),
    ...[job.user, job.project, job.cluster, whole(job.numNodes), moment(job.startTime), span(job.duration)].map((t) => make("td", { textContent: t, title: t })),
    make("td", { className: "quiet", textContent: footprint(job.footprint), title: footprint(job.footprint) })));
  return make("div", { className: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...head.map((h) => make("th", { textContent: h, scope: "col" })))), make("tbody", {}, ...rows)));
}

const footprint = (of) => Object.entries(of || {}).slice(0, 4).map(([k, v]) => `${k.replace(/_(avg|min|max)$/, " $1")} ${number(v, 3)}`).join("   ");

function pages(page, isFull, go) {
  const turn = (text, to, isOn) => make("button", { type: "button", textContent: text, disabled: !isOn, onclick: () => go("page", to > 1 ? String(to) : "") });
  return make("div", { className: "pages" }, turn("← Newer", page - 1, page > 1), make("span", { className: "note", textContent: `Page ${page}` }), turn("Older →", page + 1, isFull));
}
