// What the page asks of the server. The token lives in this tab alone.
let token = sessionStorage.getItem("tarn-token") || "";

export function setToken(text) {
  token = text.trim();
  sessionStorage.setItem("tarn-token", token);
}

async function ask(path, body) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, body === undefined ? { headers }
    : { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) {
    const error = new Error((await answer.text()).slice(0, 300) || answer.statusText);
    error.status = answer.status;
    throw error;
  }
  return answer;
}

export const hosts = async () => (await (await ask("/api/tree")).json()).hosts;

export async function series(cluster, host) {
  const where = new URLSearchParams({ cluster, host });
  return (await (await ask("/api/tree?" + where)).json()).series;
}

export const health = async (cluster, nodes, metrics) =>
  (await ask("/api/health", { cluster, nodes, "metric-names": metrics })).json();

export const query = async (body) => (await ask("/api/query", body)).json();

// name -> sum over its labels
export async function numbers() {
  const sums = new Map();
  for (const line of (await (await ask("/metrics")).text()).split("\n")) {
    const found = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (found) sums.set(found[1], (sums.get(found[1]) || 0) + Number(found[2]));
  }
  return sums;
}
