// One metric of one or several hosts as a plot, loaded when it comes into sight and again for each window.
import * as api from "/web/api.js";
import { make } from "/web/dom.js";
import { Plot } from "/web/plot.js";

export class Card {
  // of: {cluster, hosts, scope}; about: {freq, ids, below} (scopes.js)
  constructor(context, group, of, metric, about, href) {
    Object.assign(this, { context, group, of, metric, about });
    this.plot = new Plot(group, `${metric}: arrow keys move the cursor, with Shift the time; plus and minus zoom`);
    this.note = make("span", { className: "note", textContent: about.below ? `from ${about.below} values` : "" });
    this.element = make("section", { className: "card plot" },
      make("h2", {}, make("a", { href, textContent: metric, title: metric + ": large, or among the others" }), this.note), this.plot.canvas, this.plot.legend);
  }

  async load() {
    const { cluster, hosts, scope } = this.of;
    const { freq, ids } = this.about;
    const mine = this.turn = (this.turn || 0) + 1;
    const from = Math.floor(this.group.window[0] / 1000);
    const to = Math.ceil(this.group.window[1] / 1000) + 1; // a sample of this very second belongs to it
    // As many points of a line as the plot can show, fewer when lines cover each other; finer comes with the zoom.
    const n = Math.max(1, ids.length) * hosts.length;
    const wide = Math.max(240, this.plot.canvas.clientWidth) * (n > 64 ? 0.5 : n > 16 ? 1 : 2);
    const coarse = Math.ceil((to - from) / freq / wide);
    const level = scope === "node" ? {} : { type: scope, "type-ids": ids };
    const body = { cluster, from, to, "with-stats": true, "with-padding": false, "with-ids": true,
      queries: hosts.map((host) => ({ host, metric: this.metric, resolution: coarse > 1 ? coarse * freq : 0, ...level })) };
    let answer;
    try {
      answer = await api.query(body, this.context.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401 || error.status === 403) throw error;
      return this.empty("Cannot be loaded: " + error.message, true);
    }
    if (mine !== this.turn || this.context.signal.aborted) return;
    const lines = [];
    let trouble;
    answer.results.forEach((entries, i) => entries.forEach((e) => {
      if (e.error) trouble = e.error;
      if (!e.data?.some((v) => v !== null)) return;
      const id = e["type-id"] ?? "";
      lines.push({ label: [hosts.length > 1 ? hosts[i] : "", id && `${scope} ${id}`].filter((t) => t).join(" "),
        slot: hosts.length > 1 && scope === "node" ? i : undefined, from: e.from, step: e.resolution || freq, data: e.data, avg: e.avg, min: e.min, max: e.max });
    }));
    if (!lines.length) return this.empty(trouble ? trouble.replace(/^\[METRICSTORE\]>\s*/, "") : "No data in this time.", Boolean(trouble));
    this.element.classList.remove("empty");
    this.plot.draw(lines);
    this.context.drawn();
  }

  empty(text, isError) {
    const { plot } = this;
    plot.graph?.destroy();
    plot.graph = plot.lines = undefined;
    delete plot.canvas.dataset.points;
    plot.legend.replaceChildren();
    plot.canvas.replaceChildren(make("p", { className: isError ? "error" : "", textContent: text }));
    this.element.classList.add("empty");
  }
}

// Cards load when they come near the screen; returns a function that loads again what was loaded.
export function lazily(context, cards) {
  const live = new Set();
  const load = (card) => card.load().catch((error) => context.fail(error));
  const watch = new IntersectionObserver((entries) => {
    for (const e of entries) {
      const card = cards.find((c) => c.element === e.target);
      if (!e.isIntersecting) live.delete(card);
      else {
        live.add(card);
        load(card);
      }
    }
  }, { rootMargin: "150px" });
  for (const card of cards) watch.observe(card.element);
  context.signal.addEventListener("abort", () => watch.disconnect());
  return () => live.forEach(load);
}
