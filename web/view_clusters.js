// All clusters, or one: #/ and #/cluster/CLUSTER. Each host a square with its health.
import { link, make, notice } from "/web/dom.js";
import { whole } from "/web/format.js";
import { Grid, NAMED } from "/web/grid.js";
import { check, STATES, WORDS } from "/web/health.js";
import { Mosaic } from "/web/mosaic.js";

const REFRESH_MS = 30000;
const TROUBLED = 8; // hosts that are named with what they lack

export async function show(context, [wanted]) {
  const clusters = new Map();
  for (const [cluster, host] of await context.hosts(true)) {
    if (wanted !== undefined && cluster !== wanted) continue;
    if (!clusters.has(cluster)) clusters.set(cluster, []);
    clusters.get(cluster).push(host);
  }
  if (context.signal.aborted) return;
  if (!clusters.size)
    return context.put(wanted === undefined
      ? notice("No hosts yet", "Hosts appear here with the first samples that a collector sends.", make("pre", {
        textContent: `curl '${location.origin}/api/write?cluster=mine' \\\n  --data-binary "cpu_load,hostname=node1 value=0.5"` }))
      : notice("No such cluster", `Nothing is stored under the name ${wanted}.`, make("a", { href: "#/", textContent: "All clusters" })));
  const sections = [...clusters].map(([cluster, hosts]) => new Section(context, cluster, hosts, wanted !== undefined));
  context.put(...sections.map((s) => s.element));
  const all = async () => { for (const s of sections) await s.check(); };
  await all();
  context.every(REFRESH_MS, () => { if (!document.hidden) return all(); });
}

class Section {
  constructor(context, cluster, hosts, alone) {
    Object.assign(this, { context, cluster, hosts });
    this.states = new Map();
    this.only = undefined;
    this.grid = hosts.length <= NAMED ? new Grid(cluster, hosts) : new Mosaic(cluster, hosts, context.signal);
    this.bar = make("div", { className: "bar", "aria-hidden": "true" });
    this.chips = make("div", { className: "choice", role: "group", "aria-label": "Show only" });
    this.chip = new Map(STATES.map((s) => [s, make("button", { type: "button", className: s, hidden: true, "aria-pressed": "false", onclick: () => this.toggle(s) })]));
    this.chips.append(...this.chip.values());
    this.trouble = make("ul", { className: "trouble" });
    const name = cluster || "(no name)";
    const filter = make("input", { type: "search", placeholder: "Filter hosts", ariaLabel: `Filter the hosts of ${name}` });
    filter.oninput = () => { this.text = filter.value.toLowerCase(); this.filter(); };
    this.element = make("section", { className: "card cluster" },
      make("div", { className: "title" }, make("h1", {}, alone ? name : make("a", { href: link("cluster", cluster), textContent: name }),
        make("span", { className: "note", textContent: hosts.length === 1 ? "1 host" : `${whole(hosts.length)} hosts` })), this.chips, hosts.length > 1 ? filter : ""),
      this.bar, this.trouble, this.grid.caption, this.grid.element);
  }

  async check() {
    await check(this.cluster, this.hosts, this.context.signal, (host, state, why) => {
      this.states.set(host, { state, why });
      this.grid.mark(host, state, why);
    }, () => this.sum());
    this.filter();
  }

  sum() {
    const counts = new Map(STATES.map((s) => [s, 0]));
    for (const { state } of this.states.values()) counts.set(state, counts.get(state) + 1);
    this.bar.replaceChildren(...STATES.filter((s) => counts.get(s)).map((s) => {
      const part = make("div", { className: s });
      part.style.flexGrow = String(counts.get(s));
      return part;
    }));
    for (const [state, chip] of this.chip) {
      chip.hidden = !counts.get(state);
      chip.replaceChildren(make("i"), `${WORDS[state]} `, make("b", { textContent: whole(counts.get(state)) }));
    }
    const bad = ["failed", "partial"].flatMap((s) => this.hosts.filter((h) => this.states.get(h)?.state === s));
    this.trouble.replaceChildren(...bad.slice(0, TROUBLED).map((host) => {
      const { state, why } = this.states.get(host);
      return make("li", {}, make("i", { className: state }), make("a", { href: link("host", this.cluster, host), textContent: host || "(no name)", title: host }),
        make("span", { textContent: why || WORDS[state].toLowerCase() }));
    }));
    if (bad.length > TROUBLED) this.trouble.append(make("li", { className: "quiet", textContent: `and ${whole(bad.length - TROUBLED)} more with trouble` }));
  }

  toggle(state) {
    this.only = this.only === state ? undefined : state;
    for (const [s, chip] of this.chip) chip.setAttribute("aria-pressed", String(s === this.only));
    this.filter();
  }

  filter() {
    if (!this.text && !this.only && !this.filtered) return;
    this.filtered = Boolean(this.text || this.only);
    this.grid.filter((host, state) => (!this.text || host.toLowerCase().includes(this.text)) && (!this.only || state === this.only));
  }
}
