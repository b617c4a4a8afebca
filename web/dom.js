// Elements. Text goes in as text, never as markup: names come from the network.
export function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name.includes("-") || name === "role" || name === "for") e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children.filter((c) => c !== undefined));
  return e;
}

export const link = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

// A row of buttons of which one is chosen.
export function choice(label, options, value, change) {
  const row = make("div", { className: "choice", role: "group", "aria-label": label });
  for (const [text, key] of options) {
    const button = make("button", { type: "button", textContent: text, value: key, "aria-pressed": String(key === value) });
    button.onclick = () => {
      for (const b of row.children) b.setAttribute("aria-pressed", String(b === button));
      change(key);
    };
    row.append(button);
  }
  return row;
}

export function notice(title, text, ...more) {
  return make("section", { className: "notice" }, make("h1", { textContent: title }),
    make("p", { textContent: text }), ...more);
}
