// What the page asks of the server. The token lives in this tab alone.
let token = sessionStorage.getItem("tarn-token") || "";

export function setToken(text) {
  token = text.trim();
  if (token) sessionStorage.setItem("tarn-token", token);
  else sessionStorage.removeItem("tarn-token");
}
export const hasToken = () => token !== "";

async function ask(path, body, signal) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, body === undefined ? { headers, signal }
    : { method: "POST", headers, signal, body: JSON.stringify(body) });
  if (!answer.ok) {
    const error = new Error(reason(await answer.text()) || answer.statusText);
    error.status = answer.status;
    throw error;
  }
  return answer;
}

// Errors come as text or as {"error": text}.
function reason(text) {
  try {
    return String(JSON.parse(text).error || text).slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}

const json = async (...of) => (await ask(...of)).json();

export const hosts = async (signal) => (await json("/api/tree", undefined, signal)).hosts;

export async function series(cluster, host, signal) {
  const where = new URLSearchParams({ cluster, host });
  return (await json("/api/tree?" + where, undefined, signal)).series;
}

export const health = (cluster, nodes, metrics, signal) =>
  json("/api/health", { cluster, nodes, "metric-names": metrics }, signal);

export const query = (body, signal) => json("/api/query", body, signal);

export const jobs = (wanted, signal) => json("/api/jobs/?" + wanted, undefined, signal);

export const job = async (id, signal) => (await json(`/api/jobs/${encodeURIComponent(id)}`, undefined, signal)).Meta;

// metric -> scope -> series: from the store at a scope, or what the archive has.
export const load = async (body, signal) => (await json("/api/load", body, signal)).data;
const everything = ["node", "socket", "memoryDomain", "core", "hwthread", "accelerator"].map((s) => "&scope=" + s).join("") + "&resolution=0";
export const archived = async (id, signal) =>
  (await json(`/api/jobs/${encodeURIComponent(id)}?all-metrics=true${everything}`, undefined, signal)).Data || {};

// What this server has beside the store.
export const about = () => json("/web/about.json");

// Samples of Prometheus' text format: name -> [{labels, value}].
export async function numbers(signal) {
  const found = new Map();
  for (const line of (await (await ask("/metrics", undefined, signal)).text()).split("\n")) {
    const m = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!m) continue;
    if (!found.has(m[1])) found.set(m[1], []);
    const labels = Object.fromEntries([...(m[2] || "").matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((l) => [l[1], l[2]]));
    found.get(m[1]).push({ labels, value: Number(m[3]) });
  }
  return found;
}
