// The last minutes of one number, as far as this page has seen them.
import { make } from "/web/dom.js";
const KEPT = 150;

export class Spark {
  constructor(label) {
    this.values = [];
    this.canvas = make("canvas", { className: "spark", role: "img", "aria-label": label });
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > KEPT) this.values.shift();
    this.paint();
  }

  paint() {
    const { canvas, values } = this;
    const scale = devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (!w || values.length < 2) return;
    canvas.width = w * scale;
    canvas.height = h * scale;
    const c = canvas.getContext("2d");
    const color = getComputedStyle(canvas).color;
    const top = Math.max(...values) || 1;
    const x = (i) => w - (values.length - 1 - i) * w / (KEPT - 1);
    const y = (v) => h - 2 - (h - 4) * v / top;
    c.scale(scale, scale);
    c.beginPath();
    values.forEach((v, i) => c.lineTo(x(i), y(v)));
    c.strokeStyle = color;
    c.lineWidth = 1.5;
    c.stroke();
    c.lineTo(w, h);
    c.lineTo(x(0), h);
    c.globalAlpha = 0.15;
    c.fillStyle = color;
    c.fill();
  }
}
