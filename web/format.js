// Numbers and times for people.
const BIG = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

export function number(v, digits = 4) {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  if (v === 0) return "0";
  const size = Math.abs(v);
  const unit = BIG.find(([from]) => size >= from * 10);
  if (unit) return trim(v / unit[0], digits) + " " + unit[1];
  if (size < 1e-3) return v.toExponential(2);
  return trim(v, digits);
}

const trim = (v, digits) => String(Number(v.toPrecision(digits)));

export function bytes(n) {
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
    if (n >= size) return (n / size).toFixed(n >= size * 100 ? 0 : 1) + " " + unit;
  return Math.round(n) + " B";
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return s + " s";
  if (s < 7200) return Math.round(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h" + (s % 3600 >= 60 ? " " + Math.floor(s % 3600 / 60) + " min" : "");
  return Math.round(s / 86400) + " days";
}

export const ago = (t) => t > 0 ? span(Date.now() / 1000 - t) + " ago" : "not yet";

export const whole = (n) => Math.round(n).toLocaleString("en");

export const moment = (seconds) => new Date(seconds * 1000).toLocaleString(undefined,
  { dateStyle: "medium", timeStyle: "medium" });

// A clock time, with the day only when it is not today's.
export function clock(ms) {
  const t = new Date(ms);
  const time = t.toLocaleTimeString();
  return t.toDateString() === new Date().toDateString() ? time : t.toLocaleDateString() + " " + time;
}
