// The hosts of a cluster by name. One stop of the Tab key; arrows move.
import { link, make } from "/web/dom.js";
import { WORDS } from "/web/health.js";

export const NAMED = 160; // up to so many, names are legible; more become a mosaic

export function describe(host, known) {
  const { state, why } = known || { state: "unknown" };
  return [make("b", { textContent: host || "(no name)" }), ` ${WORDS[state].toLowerCase()}${why ? ": " + why : ""}`];
}

export class Grid {
  constructor(cluster, hosts) {
    this.caption = make("p", { className: "caption", "aria-live": "polite", textContent: "Point at a host, or go there with Tab and the arrow keys." });
    this.cells = new Map();
    this.element = make("div", { className: "grid", role: "group", "aria-label": `Hosts of ${cluster}` });
    for (const host of hosts) {
      const cell = make("a", { href: link("host", cluster, host), className: "unknown", tabIndex: -1, textContent: host || "(no name)" });
      cell.node = host;
      this.cells.set(host, cell);
      this.element.append(cell);
    }
    this.element.firstChild.tabIndex = 0;
    const say = (event) => { if (event.target.node !== undefined) this.say(event.target); };
    this.element.addEventListener("pointerover", say);
    this.element.addEventListener("focusin", say);
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  mark(host, state, why) {
    const cell = this.cells.get(host);
    cell.className = state;
    cell.why = why;
  }

  say(cell) {
    this.caption.replaceChildren(...describe(cell.node, { state: cell.className, why: cell.why }));
    cell.title = this.caption.textContent;
  }

  // which(host, state): is it to be seen?
  filter(which) {
    for (const [host, cell] of this.cells) cell.hidden = !which(host, cell.className);
    for (const cell of this.cells.values()) cell.tabIndex = -1;
    const first = this.element.querySelector("a:not([hidden])");
    if (first) first.tabIndex = 0;
  }

  key(event) {
    const seen = [...this.element.children].filter((c) => !c.hidden);
    const at = seen.indexOf(event.target);
    if (at < 0) return;
    const below = seen.findIndex((c) => c.offsetTop > seen[0].offsetTop);
    const columns = below < 0 ? seen.length : below;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: seen.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = seen[Math.min(Math.max(to, 0), seen.length - 1)];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
