// The many hosts of a cluster as squares on a canvas: thousands of elements would make the page stutter. Arrow keys
// move a mark, Enter opens its host; the caption says which one it is.
import { link, make } from "/web/dom.js";
import { describe } from "/web/grid.js";

const SIDE = 13;
const STEP = 16;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Mosaic {
  constructor(cluster, hosts, signal) {
    Object.assign(this, { cluster, hosts, shown: hosts, at: -1 });
    this.states = new Map();
    this.caption = make("p", { className: "caption", "aria-live": "polite" });
    this.element = make("canvas", { className: "mosaic", tabIndex: 0, role: "application",
      "aria-label": `Hosts of ${cluster}: arrow keys move, Enter opens` });
    this.say();
    const size = new ResizeObserver(() => this.paint());
    size.observe(this.element);
    const repaint = () => this.paint();
    dark.addEventListener("change", repaint);
    signal.addEventListener("abort", () => { size.disconnect(); dark.removeEventListener("change", repaint); });
    this.element.onpointermove = (event) => this.move(this.under(event));
    this.element.onpointerleave = () => this.move(-1);
    this.element.onclick = (event) => this.open(this.under(event), event.ctrlKey || event.metaKey);
    this.element.onkeydown = (event) => this.key(event);
    this.element.onfocus = () => { if (this.at < 0 && this.element.matches(":focus-visible")) this.move(0); };
  }

  mark(host, state, why) {
    this.states.set(host, { state, why });
    this.later();
  }

  filter(which) {
    this.shown = this.hosts.filter((h) => which(h, this.states.get(h)?.state || "unknown"));
    this.at = -1;
    this.later();
  }

  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.paint(); });
  }

  columns() { return Math.max(1, Math.floor((this.element.clientWidth + STEP - SIDE) / STEP)); }

  under(event) {
    const x = Math.floor(event.offsetX / STEP);
    const at = Math.floor(event.offsetY / STEP) * this.columns() + x;
    return x < this.columns() && at < this.shown.length ? at : -1;
  }

  move(at) {
    if (at === this.at) return;
    this.at = at;
    this.element.style.cursor = at < 0 ? "" : "pointer";
    this.say();
    this.later();
  }

  say() {
    const host = this.shown[this.at];
    if (host === undefined) this.caption.textContent = "Point at a host, or go there with Tab and the arrow keys.";
    else this.caption.replaceChildren(...describe(host, this.states.get(host)));
  }

  open(at, elsewhere) {
    if (at < 0) return;
    const to = link("host", this.cluster, this.shown[at]);
    if (elsewhere) window.open(to, "_blank", "noopener");
    else location.hash = to;
  }

  key(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns(), ArrowUp: -this.columns(), Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter") this.open(this.at);
    else if (move === undefined) return;
    else this.move(Math.min(Math.max(this.at + move, 0), this.shown.length - 1));
    event.preventDefault();
  }

  paint() {
    const { element, shown } = this;
    const columns = this.columns();
    const height = Math.max(1, Math.ceil(shown.length / columns) * STEP);
    const scale = devicePixelRatio || 1;
    if (!element.clientWidth) return;
    element.style.height = height + "px";
    element.width = Math.round(element.clientWidth * scale);
    element.height = Math.round(height * scale);
    const style = getComputedStyle(element);
    const color = Object.fromEntries(["full", "partial", "failed", "unknown", "front"].map((n) => [n, style.getPropertyValue("--" + n).trim()]));
    const c = element.getContext("2d");
    c.scale(scale, scale);
    shown.forEach((host, i) => {
      const state = this.states.get(host)?.state || "unknown";
      const [x, y] = [i % columns * STEP, Math.floor(i / columns) * STEP];
      c.fillStyle = c.strokeStyle = color[state];
      c.globalAlpha = state === "full" ? 0.55 : 1;
      // Not by color alone: an outline, a half, or whole.
      if (state === "full" || state === "failed") c.fillRect(x, y, SIDE, SIDE);
      else c.strokeRect(x + 0.5, y + 0.5, SIDE - 1, SIDE - 1);
      if (state === "partial") {
        c.beginPath();
        c.moveTo(x, y);
        c.lineTo(x + SIDE, y);
        c.lineTo(x, y + SIDE);
        c.fill();
      }
      if (i !== this.at) return;
      c.globalAlpha = 1;
      c.strokeStyle = color.front;
      c.lineWidth = 2;
      c.strokeRect(x + 1, y + 1, SIDE - 2, SIDE - 2);
      c.lineWidth = 1;
    });
    element.dataset.hosts = String(shown.length);
  }
}
