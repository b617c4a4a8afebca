// One host, or several in the same plots: #/host/CLUSTER/HOST[/HOST...]?scope=&last=|from=&to=&metric=
import * as api from "/web/api.js";
import { Card, lazily } from "/web/card.js";
import { choice, link, make } from "/web/dom.js";
import { field } from "/web/find.js";
import { Group } from "/web/plot.js";
import { levels } from "/web/scopes.js";

const RANGES = [["10 min", "600"], ["1 h", "3600"], ["6 h", "21600"], ["24 h", "86400"], ["2 d", "172800"], ["7 d", "604800"]];
const HOSTS_MAX = 16;
const REFRESH_MS = 30000;

export async function show(context, [cluster, ...asked], options) {
  const hosts = [...new Set(asked)].slice(0, HOSTS_MAX);
  const listings = await Promise.all(hosts.map((h) => api.series(cluster, h, context.signal)));
  if (context.signal.aborted) return;
  const all = levels(listings);
  const scope = all.has(options.get("scope")) ? options.get("scope") : "node";
  const metrics = [...all.get(scope)].filter(([m]) => !options.get("metric") || m === options.get("metric"));
  const here = (change, names = hosts) => {
    const o = new URLSearchParams(options);
    for (const [key, value] of Object.entries(change))
      if (value === undefined) o.delete(key);
      else o.set(key, value);
    const text = o.toString();
    return link("host", cluster, ...names) + (text ? "?" + text : "");
  };
  const go = (...of) => { location.hash = here(...of); };

  const times = range(options);
  const group = new Group((from, to) => {
    whole.hidden = false;
    const o = { from: Math.floor(from / 1000), to: Math.ceil(to / 1000), last: undefined };
    history.replaceState(null, "", here(o)); // a link to what is seen; the views do not begin anew
    for (const [key, value] of Object.entries(o)) value === undefined ? options.delete(key) : options.set(key, value);
    ranges.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", "false"));
    clearTimeout(group.later);
    group.later = setTimeout(again, 120);
  });
  group.window = times.window;
  group.reset = () => go({ from: undefined, to: undefined, last: times.last });
  context.signal.addEventListener("abort", () => { clearTimeout(group.later); group.done(); });

  const button = (text, label, act) => make("button", { type: "button", textContent: text, title: label, "aria-label": label, onclick: act });
  const whole = button("Reset", "Leave the zoom", () => group.reset());
  whole.hidden = !options.has("from");
  const ranges = choice("Time", RANGES, options.has("from") ? "" : times.last, (v) => go({ last: v, from: undefined, to: undefined }));
  const back = options.get("metric") ? make("a", { href: here({ metric: undefined }), textContent: "All metrics" }) : "";
  const tools = make("div", { className: "tools" },
    choice("Scope", [...all.keys()].map((k) => [k, k]), scope, (v) => go({ scope: v, metric: undefined })), ranges,
    make("div", { className: "choice" }, button("−", "Zoom out", () => group.scale(2)), button("+", "Zoom in", () => group.scale(0.5)), whole),
    between(group), back, compare(context, cluster, hosts, here));
  const cards = metrics.map(([metric, about]) => new Card(context, group, { cluster, hosts, scope }, metric, about,
    here({ metric: options.get("metric") ? undefined : metric })));
  const again = lazily(context, cards);
  const plots = make("div", { className: options.get("metric") ? "plots one" : "plots" }, ...cards.map((c) => c.element));
  if (!cards.length) plots.append(make("p", { className: "quiet", textContent: "There is no such metric at this level." }));
  context.put(title(cluster, hosts, here), tools, plots);
  context.every(REFRESH_MS, () => {
    if (options.has("from") || document.hidden) return;
    group.window = range(options).window;
    again();
  });
}

function range(options) {
  const now = Date.now();
  const from = Number(options.get("from")) * 1000;
  const to = Number(options.get("to")) * 1000;
  const last = RANGES.some(([, v]) => v === options.get("last")) ? options.get("last") : "3600";
  return { last, window: from > 0 && to > from ? [from, to] : [now - Number(last) * 1000, now] };
}

// Two times of one's own.
function between(group) {
  const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const from = make("input", { type: "datetime-local", ariaLabel: "From" });
  const to = make("input", { type: "datetime-local", ariaLabel: "To" });
  const form = make("form", {}, from, "–", to, make("button", { textContent: "Show" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    const [a, b] = [from, to].map((f) => new Date(f.value).getTime());
    if (b > a) group.zoom(a, b);
  };
  const box = make("details", { className: "between" }, make("summary", { textContent: "From – to" }), form);
  box.ontoggle = () => { [from.value, to.value] = group.window.map(local); };
  return box;
}

function title(cluster, hosts, here) {
  const line = make("div", { className: "title" }, make("h1", {}, make("a", { href: link("cluster", cluster), textContent: cluster || "(no name)" }), " / "));
  for (const host of hosts) {
    const rest = hosts.filter((h) => h !== host);
    const name = make("span", { className: "tag", title: host }, make("span", { textContent: host || "(no name)" }));
    if (rest.length) name.append(make("a", { href: here({}, rest), textContent: "×", "aria-label": "Without " + host }));
    line.firstChild.append(name);
  }
  return line;
}

function compare(context, cluster, hosts, here) {
  if (hosts.length === HOSTS_MAX) return "";
  return field({ label: "Compare with another host", placeholder: "Compare with …",
    source: async () => (await context.hosts()).filter(([c, h]) => c === cluster && !hosts.includes(h)).map(([, h]) => ({ text: h, about: "", value: h })),
    take: (host) => { location.hash = here({}, [...hosts, host]); } });
}
