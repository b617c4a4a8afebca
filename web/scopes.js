// The levels of hosts: a stored element is a type and its id in one word ("hwthread12").
export const TYPES = ["node", "socket", "memoryDomain", "core", "hwthread", "accelerator"];

export function split(element) {
  if (!element) return { type: "node", id: "" };
  const type = TYPES.find((t) => element.startsWith(t)) || element.replace(/\d+$/, "") || element;
  return { type, id: element.slice(type.length) };
}

const rank = (type) => TYPES.includes(type) ? TYPES.indexOf(type) : TYPES.length;

// Listings of hosts -> type -> metric -> {freq, ids, below}. What a host has only further down is asked for as a
// node's value too: the store aggregates it; `below` names where from.
export function levels(listings) {
  const found = new Map();
  for (const series of listings)
    for (const s of series) {
      if (s.subtype) continue;
      const { type, id } = split(s.type);
      if (!found.has(type)) found.set(type, new Map());
      const metrics = found.get(type);
      if (!metrics.has(s.metric)) metrics.set(s.metric, { freq: s.freq, ids: new Set() });
      metrics.get(s.metric).ids.add(id);
    }
  const out = new Map([["node", new Map(found.get("node") || [])]]);
  for (const type of [...found.keys()].sort((a, b) => rank(a) - rank(b))) {
    for (const [metric, m] of found.get(type)) {
      m.ids = [...m.ids].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      if (!out.get("node").has(metric)) out.get("node").set(metric, { freq: m.freq, ids: [], below: type });
    }
    if (type !== "node") out.set(type, found.get(type));
  }
  for (const [type, metrics] of out)
    out.set(type, new Map([...metrics].sort((a, b) => a[0] < b[0] ? -1 : 1)));
  return out;
}
