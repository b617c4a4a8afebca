// The frame: which view the part of the address behind "#" names, the search, the token.
import * as api from "/web/api.js";
import { link, make, notice } from "/web/dom.js";
import { field } from "/web/find.js";
import * as clusters from "/web/view_clusters.js";
import * as host from "/web/view_host.js";
import * as job from "/web/view_job.js";
import * as jobs from "/web/view_jobs.js";
import * as store from "/web/view_store.js";

const view = document.getElementById("view");
const leave = document.getElementById("leave");
const VIEWS = { "": clusters, cluster: clusters, host, job, jobs, store };
const TABS = { "": "clusters", cluster: "clusters", host: "clusters", job: "jobs", jobs: "jobs", store: "store" };
const HOSTS_KEPT_MS = 30000;
const RETRY_MS = 3000;
let now; // the context of the view that is shown
let place; // its path

let known; // the listing of all hosts: a promise
function hosts(fresh) {
  if (!known || fresh || performance.now() - known.at > HOSTS_KEPT_MS) {
    known = api.hosts();
    known.at = performance.now();
    known.catch(() => { known = undefined; });
  }
  return known;
}

// What a view may use; all of it ends when the view is left.
class Context {
  constructor() {
    this.end = new AbortController();
    this.signal = this.end.signal;
    this.hosts = hosts;
    performance.clearMarks();
    performance.mark("asked");
  }

  put(...nodes) {
    if (this.signal.aborted) return;
    view.replaceChildren(...nodes);
    view.removeAttribute("aria-busy");
  }

  // The first plot of a view is a number that the benchmark reads.
  drawn() {
    if (!performance.getEntriesByName("first-plot").length) performance.mark("first-plot");
  }

  every(ms, act) {
    const again = async () => {
      if (this.signal.aborted) return;
      try {
        await act();
      } catch (error) {
        return this.fail(error);
      }
      if (!this.signal.aborted) this.timer = setTimeout(again, ms);
    };
    this.timer = setTimeout(again, ms);
    this.signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  fail(error) {
    if (this.signal.aborted || error.name === "AbortError") return;
    this.end.abort();
    view.removeAttribute("aria-busy");
    if (error.status === 401 || error.status === 403) return view.replaceChildren(askToken(error));
    const again = make("button", { type: "button", textContent: "Try again", onclick: route });
    if (error.status === 404 || error.status === 422)
      return view.replaceChildren(notice("Not found", error.message, make("a", { href: "#/", textContent: "All clusters" })));
    if (error.status && error.status !== 503) return view.replaceChildren(notice("That failed", error.message, again));
    view.replaceChildren(notice(error.status ? "Not ready yet" : "The store does not answer",
      error.status ? error.message : "It may be restarting; this page tries again by itself.", again));
    const mine = now;
    setTimeout(() => { if (now === mine) route(); }, RETRY_MS);
  }
}

function askToken(error) {
  const input = make("input", { type: "password", id: "token", autocomplete: "off", spellcheck: false });
  const form = make("form", { className: "notice" }, make("h1", { textContent: error.status === 403 ? "This token may not do that" : "A token, please" }),
    make("p", { textContent: "This store answers to holders of a token (JWT) that may read. It stays in this browser tab." }),
    make("label", { for: "token", textContent: "Token" }), input, make("button", { textContent: "Open" }));
  if (api.hasToken()) form.append(make("p", { className: "error", textContent: error.message }));
  form.onsubmit = (event) => {
    event.preventDefault();
    api.setToken(input.value);
    known = undefined;
    route();
  };
  setTimeout(() => input.focus());
  return form;
}

function route() {
  now?.end.abort();
  const context = now = new Context();
  const [path, options] = location.hash.slice(1).split("?");
  let parts;
  try {
    parts = path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    parts = [];
  }
  const name = Object.hasOwn(VIEWS, parts[0] || "") ? parts[0] || "" : "";
  for (const a of document.querySelectorAll("nav a"))
    if (a.dataset.view === TABS[name]) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  leave.hidden = !api.hasToken();
  document.title = [...parts.slice(1), "tarn"].join(" – ").slice(0, 200);
  // The same host at another scope stays where it is on the screen.
  if (path !== place || name === "jobs") scrollTo(0, 0);
  place = path;
  view.setAttribute("aria-busy", "true");
  VIEWS[name].show(context, parts.slice(1), new URLSearchParams(options)).catch((error) => context.fail(error));
}

document.getElementById("find").append(field({ label: "Find a host", placeholder: "Find a host  ( / )",
  source: async () => (await hosts()).map(([cluster, name]) => ({ text: name, about: cluster, value: [cluster, name] })),
  take: (of) => { location.hash = link("host", ...of); } }));
addEventListener("keydown", (event) => {
  if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  event.preventDefault();
  document.querySelector("#find input").focus();
});
document.querySelector(".skip").onclick = (event) => {
  event.preventDefault();
  view.focus();
};
leave.onclick = () => {
  api.setToken("");
  known = undefined;
  route();
};
addEventListener("hashchange", route);
api.about().then((has) => { document.querySelector("nav a[data-view=jobs]").hidden = !has.jobs; }, () => {});
route();
