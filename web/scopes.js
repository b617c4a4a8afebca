// The levels of a host: a stored element is a type and its id in one word ("hwthread12").
const TYPES = ["socket", "memoryDomain", "core", "hwthread", "accelerator"];

export function split(element) {
  if (!element) return { type: "node", id: "" };
  const type = TYPES.find((t) => element.startsWith(t)) || element.replace(/\d+$/, "") || element;
  return { type, id: element.slice(type.length) };
}

// type -> metric -> ids, in the order of the listing
export function levels(series) {
  const out = new Map();
  for (const s of series) {
    if (s.subtype) continue;
    const { type, id } = split(s.type);
    if (!out.has(type)) out.set(type, new Map());
    const metrics = out.get(type);
    if (!metrics.has(s.metric)) metrics.set(s.metric, { freq: s.freq, ids: [] });
    metrics.get(s.metric).ids.push(id);
  }
  for (const metrics of out.values())
    for (const m of metrics.values()) m.ids.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return out;
}
