// How hosts fare: do they have the metrics that most of their cluster have, and are those fresh?
import * as api from "/web/api.js";
import { levels } from "/web/scopes.js";

export const STATES = ["failed", "partial", "full", "unknown"];
export const WORDS = { failed: "Failed", partial: "Partial", full: "Healthy", unknown: "Not known" };
const AT_ONCE = 1000; // hosts of one request
const PROBES = 7;

// The metrics that more than half of some hosts have for themselves.
async function expected(cluster, hosts, signal) {
  const step = Math.max(1, Math.floor(hosts.length / PROBES));
  const probes = hosts.filter((_, i) => i % step === step >> 1).slice(0, PROBES);
  const count = new Map();
  for (const listing of await Promise.all(probes.map((h) => api.series(cluster, h, signal).catch(() => []))))
    for (const [metric, about] of levels([listing]).get("node"))
      if (!about.below) count.set(metric, (count.get(metric) || 0) + 1);
  return [...count].filter(([, n]) => n * 2 > probes.length).map(([metric]) => metric);
}

function words(state) {
  if (state.State === "full") return "";
  let detail;
  try {
    detail = JSON.parse(state.HealthMetrics);
  } catch {
    return "no data";
  }
  return ["missing", "degraded"].filter((k) => detail[k]?.length)
    .map((k) => (k === "missing" ? "missing " : "no fresh ") + detail[k].join(", ")).join("; ");
}

// Calls tell(host, state, why) for each host, in batches; says when a batch is through.
export async function check(cluster, hosts, signal, tell, batch) {
  const metrics = await expected(cluster, hosts, signal);
  for (let i = 0; i < hosts.length; i += AT_ONCE) {
    const some = hosts.slice(i, i + AT_ONCE);
    const states = metrics.length ? await api.health(cluster, some, metrics, signal) : {};
    for (const host of some) {
      const state = Object.hasOwn(states, host) ? states[host] : undefined;
      if (state && STATES.includes(state.State)) tell(host, state.State, words(state));
      else tell(host, "unknown", "");
    }
    batch();
  }
}
