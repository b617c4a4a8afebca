// What the store itself does: #/store. The numbers are those of /metrics.
import * as api from "/web/api.js";
import { make } from "/web/dom.js";
import { ago, bytes, moment, number, span, whole } from "/web/format.js";
import { Spark } from "/web/spark.js";

const REFRESH_MS = 2000;
const WINDOW_MS = 60000; // rates are those of the last minute

// One reading of /metrics.
class Reading {
  constructor(samples) {
    this.samples = samples;
    this.at = performance.now();
  }
  has(name) { return this.samples.has("tarn_" + name); }
  get(name, which = {}) {
    return (this.samples.get("tarn_" + name) || [])
      .filter((s) => Object.entries(which).every(([k, v]) => s.labels[k] === v)).reduce((sum, s) => sum + s.value, 0);
  }
  // Growth a second since an earlier reading.
  rate(name, before) {
    return before && (this.get(name) - before.get(name)) * 1000 / (this.at - before.at);
  }
  parts(name) {
    return (this.samples.get("tarn_" + name) || []).filter((s) => s.value > 0)
      .map((s) => [Object.values(s.labels).join(" ").replaceAll("_", " "), s.value]);
  }
}

// The time that `part` of the syncs since `before` stayed below.
function quantile(now, before, name, part) {
  const buckets = (now.samples.get(`tarn_${name}_bucket`) || []).map((b, i) => [b.labels.le === "+Inf" ? Infinity : Number(b.labels.le),
    b.value - (before?.samples.get(`tarn_${name}_bucket`)?.[i]?.value || 0)]);
  const total = buckets.length ? buckets[buckets.length - 1][1] : 0;
  if (total === 0 && before) return quantile(now, undefined, name, part);
  return total > 0 ? buckets.find(([, n]) => n >= part * total)[0] : undefined;
}

const perSecond = (v) => v === undefined ? "…" : number(v, 3) + "/s";
const time = (s) => s === undefined ? "none" : s === Infinity ? "very long" : s < 1 ? number(s * 1000, 3) + " ms" : number(s, 3) + " s";

function panel(title, state, main, rows, extra) {
  const list = make("dl");
  for (const [name, value] of rows)
    if (value !== undefined) list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  return make("section", { className: "card panel" }, make("h2", {}, title, state ? make("span", { className: "state " + state[0], textContent: state[1] }) : ""),
    make("p", { className: "main", textContent: main }), extra || "", list);
}

export async function show(context) {
  const spark = new Spark("Samples a second in the last minutes");
  const board = make("div", { className: "panels" });
  const title = make("h1", { textContent: "Store" });
  const readings = []; // the newest last; a collector's beat is up to a minute
  const turn = async () => {
    const now = new Reading(await api.numbers(context.signal));
    if (context.signal.aborted) return;
    const newest = readings.length && readings[readings.length - 1];
    if (newest) spark.add(now.rate("ingest_samples_total", newest));
    paint(now, readings[0], title, board, spark);
    readings.push(now);
    if (readings.length * REFRESH_MS > WINDOW_MS) readings.shift();
  };
  context.put(title, board);
  await turn();
  context.every(REFRESH_MS, turn);
}

function paint(n, before, title, board, spark) {
  const version = n.samples.get("tarn_build_info")?.[0].labels.version || "";
  title.replaceChildren("Store", make("span", { className: "note", textContent: `tarn ${version}, up for ${span(Date.now() / 1000 - n.get("start_time_seconds"))}` }));
  const rate = n.rate("ingest_samples_total", before);
  const panels = [ingest(n, rate, spark), memory(n), log(n, before), checkpoint(n)];
  if (n.has("cleanup_runs_total")) panels.push(archive(n));
  panels.push(http(n, before));
  if (n.has("nats_connected")) panels.push(nats(n, before));
  panels.push(start(n));
  const refused = [...n.parts("samples_refused_total").map(([r, v]) => ["samples " + r, v]), ...n.parts("ingest_lines_refused_total").map(([r, v]) => ["lines with bad " + r, v]),
    ...n.parts("ingest_lines_skipped_total").map(([r, v]) => ["lines skipped: " + r, v])];
  panels.push(panel("Refused since the start", undefined, refused.length ? whole(refused.reduce((sum, [, v]) => sum + v, 0)) : "nothing",
    refused.sort((a, b) => b[1] - a[1]).map(([name, v]) => [name, whole(v)])));
  board.replaceChildren(...panels);
  spark.paint();
}

function ingest(n, rate, spark) {
  return panel("Ingest", undefined, perSecond(rate), [["Samples", whole(n.get("ingest_samples_total"))], ["Hosts", whole(n.get("hosts"))],
    ["Series", whole(n.get("series"))], ["Late", whole(n.get("samples_late_total"))]], spark.canvas);
}

function memory(n) {
  const [used, cap] = [n.get("store_bytes"), n.get("store_cap_bytes")];
  const early = n.get("buffers_freed_early_total");
  const meter = cap ? make("meter", { min: 0, max: cap, high: cap * 0.9, value: used, ariaLabel: "Memory against its cap" }) : undefined;
  return panel("Memory", early ? ["partial", "cap cuts retention"] : cap && used > cap * 0.9 ? ["partial", "near the cap"] : undefined,
    bytes(used) + (cap ? " of " + bytes(cap) : ""), [["Highest", bytes(n.get("store_peak_bytes"))], ["Compressed", bytes(n.get("store_sealed_bytes"))],
      ["Bytes a slot", number(used / Math.max(1, n.get("slots")), 3)], ["Freed by retention", whole(n.get("buffers_freed_total")) + " buffers"],
      ["Freed early", whole(early) + " buffers"], ["Kept for jobs", n.has("used_nodes") ? whole(n.get("used_nodes")) + " hosts" : undefined]], meter);
}

function log(n, before) {
  const kept = n.has("log_segments");
  const state = !kept ? undefined : n.get("log_failing") ? ["failed", "failing: writes are refused"] : ["full", "good"];
  return panel("Log", state, kept ? bytes(n.get("log_segment_bytes")) : "off", kept ? [["Segments", whole(n.get("log_segments"))],
    ["Sync, median", time(quantile(n, before, "log_sync_seconds", 0.5))], ["Sync, 99 of 100", time(quantile(n, before, "log_sync_seconds", 0.99))],
    ["Written", perSecond(n.rate("log_bytes_total", before)).replace(/(\S+) ?(\w?)\/s/, "$1 $2B/s")], ["Failures", whole(n.get("log_failures_total"))]] : []);
}

function checkpoint(n) {
  const failed = n.get("checkpoints_failed_total");
  const last = n.get("checkpoint_last_time_seconds");
  const state = n.get("checkpoint_running") ? ["full", "being written"] : failed ? ["partial", `${whole(failed)} failed`] : undefined;
  return panel("Last checkpoint", state, ago(last), last ? [["At", moment(last)], ["Took", span(n.get("checkpoint_last_duration_seconds"))],
    ["Size", `${bytes(n.get("checkpoint_last_bytes"))} in ${whole(n.get("checkpoint_last_files"))} files`]] : [["Until then", "the log has all"]]);
}

function archive(n) {
  const failed = n.get("cleanup_failed_total");
  const last = n.get("cleanup_last_time_seconds");
  const state = n.get("cleanup_running") ? ["full", "running"] : failed ? ["partial", `${whole(failed)} failed`] : undefined;
  return panel("Last archive or clean-up", state, ago(last), last ? [["At", moment(last)], ["Took", span(n.get("cleanup_last_duration_seconds"))],
    ["Checkpoint files", whole(n.get("cleanup_files_total"))], ["Rows archived", whole(n.get("archive_rows_total"))],
    ["Parquet", bytes(n.get("archive_bytes_total"))], ["Set aside as damaged", whole(n.get("cleanup_damaged_total"))]] : []);
}

function http(n, before) {
  return panel("HTTP", undefined, perSecond(n.rate("http_request_duration_seconds_count", before)).replace("/s", " requests/s"),
    [["Connections", whole(n.get("http_connections"))], ["Memory of requests", bytes(n.get("http_memory_bytes"))],
      ["Refused: memory", whole(n.get("http_memory_refused_total"))], ["Refused: connections", whole(n.get("http_connections_refused_total"))],
      ["Refused: token", whole(n.get("http_auth_refused_total"))], ["Cut for slowness", whole(n.get("http_timed_out_total"))]]);
}

function nats(n, before) {
  return panel("NATS", n.get("nats_connected") ? ["full", "connected"] : ["failed", "not connected"], perSecond(n.rate("nats_messages_total", before)),
    [["Not delivered yet", whole(n.get("nats_lag_messages")) + " messages"], ["Not acknowledged", whole(n.get("nats_ack_pending"))],
      ["Lost", whole(n.get("nats_dropped_total"))], ["Put aside", whole(n.get("nats_poison_total"))]]);
}

function start(n) {
  const damaged = n.get("recovery_files_damaged") + n.get("recovery_damaged_places");
  return panel("Last start", damaged || n.get("recovery_lost_records") ? ["partial", "damage found"] : n.get("unclean_shutdown") ? ["partial", "after a crash"] : undefined,
    time(n.get("recovery_seconds")), [["At", moment(n.get("start_time_seconds"))], ["Samples loaded", whole(n.get("recovery_samples"))],
      ["Files read", whole(n.get("recovery_files"))], ["Damaged", whole(damaged)], ["Records lost", whole(n.get("recovery_lost_records"))]]);
}
