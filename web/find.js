// A field that suggests names while one types: arrows choose, Enter takes, Escape closes.
import { make } from "/web/dom.js";
const SHOWN = 12;
let count = 0;

// source(): a promise of [{text, about, value}]; take(value) when one is chosen.
export function field({ label, placeholder, source, take }) {
  const id = "found" + ++count;
  const list = make("ul", { id, className: "found", role: "listbox", "aria-label": label, hidden: true });
  const input = make("input", { type: "search", placeholder, autocomplete: "off", spellcheck: false,
    role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" });
  const box = make("div", { className: "find" }, input, list);
  let shown = [];
  let at = -1;
  let asked = 0;

  const mark = () => {
    [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
    if (at >= 0) input.setAttribute("aria-activedescendant", id + "-" + at);
    else input.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    at = -1;
  };
  const choose = (i) => {
    const chosen = shown[i];
    input.value = "";
    close();
    if (chosen) take(chosen.value);
  };
  const open = async () => {
    const mine = ++asked;
    const text = input.value.trim().toLowerCase();
    if (!text) return close();
    const all = await source().catch(() => []);
    if (mine !== asked) return;
    // Names that begin with the text come first.
    const fits = all.filter((e) => e.text.toLowerCase().includes(text));
    fits.sort((a, b) => b.text.toLowerCase().startsWith(text) - a.text.toLowerCase().startsWith(text));
    shown = fits.slice(0, SHOWN);
    at = shown.length ? 0 : -1;
    list.replaceChildren(...shown.map((e, i) => {
      const li = make("li", { id: id + "-" + i, role: "option" }, make("b", { textContent: e.text }), make("span", { textContent: e.about }));
      li.onmousedown = (event) => { event.preventDefault(); choose(i); };
      return li;
    }));
    if (!shown.length) list.append(make("li", { className: "none", textContent: "Nothing of that name." }));
    else if (fits.length > SHOWN) list.append(make("li", { className: "none", textContent: `and ${fits.length - SHOWN} more` }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  };
  input.oninput = open;
  input.onfocus = () => { if (input.value) open(); };
  input.onblur = close;
  input.onkeydown = (event) => {
    if (event.key === "Enter") { event.preventDefault(); if (!list.hidden && at >= 0) choose(at); }
    else if (event.key === "Escape") close();
    else if (!list.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp") && shown.length) {
      event.preventDefault();
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length;
      mark();
    }
  };
  return box;
}
