"""The page at / in a browser (doc/page.md)."""

import json
import time
import urllib.request

import pytest
import tarn
import test_jobs
from browser import Keys, PHONE, address, browser, chromium, demo_cluster  # noqa: F401
from job_stub import Front, HOSTILE as HOSTILE_USER, START
from test_auth import Issuer

HOSTILE = "<img&>\"x"
LONG = "x" * 200


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with demo_cluster(tmp_path_factory.mktemp("page"), "40m") as s:
        now = int(time.time())
        for host in (HOSTILE, LONG):
            for level in ("", f",type=hwthread,type-id={host[:100]}"):
                assert s.write(f"cpu_load,hostname={host}{level} value=1 {now}", cluster="demo").status == 200
        yield s


def hosts_text(browser):
    return browser.run("return [...document.querySelectorAll('.grid a')].map(a => a.textContent)")


def painted(browser, selector, color):
    """Which part of a canvas' columns holds a pixel close to a color."""
    return browser.run("""
        const canvas = document.querySelector(arguments[0]), probe = document.createElement('canvas').getContext('2d');
        probe.fillStyle = arguments[1]; probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        const {width, height} = canvas, at = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        let n = 0;
        for (let x = 0; x < width; x++)
            for (let y = 0; y < height; y++) {
                const i = (y * width + x) * 4;
                if (at[i + 3] > 100 && Math.abs(at[i] - r) + Math.abs(at[i + 1] - g) + Math.abs(at[i + 2] - b) < 40) { n++; break; }
            }
        return n / width;""", selector, color)


def test_walks_from_cluster_to_host_cursor_zoom_scope_and_comparison_without_a_console_error(demo, browser):
    browser.open(address(demo))
    browser.until("document.querySelectorAll('.grid a.full').length > 20", "hosts that are well")
    assert len(hosts_text(browser)) == 34
    browser.picture("clusters")
    browser.click(".grid a", "d001")

    # The host: every metric it has, drawn from one edge of the window to the other.
    browser.until("document.querySelectorAll('.canvas[data-points]').length >= 6", "plots of d001")
    names = browser.run("return [...document.querySelectorAll('.plot h2 a')].map(a => a.textContent)")
    assert "cpu_load" in names and "flops_any" in names  # of the node, and of its threads
    browser.click(".choice button", "10 min")
    browser.until("document.querySelectorAll('.canvas[data-seconds=\"600\"][data-points]').length >= 6", "ten minutes")
    assert int(browser.run("return document.querySelector('.canvas').dataset.points")) >= 18
    assert painted(browser, ".canvas canvas:nth-of-type(1)", "#0b6e99") > 0.7
    browser.picture("host")

    # The cursor: in every plot the value that the API has for that time.
    browser.point(browser.find(".canvas"), 20)
    browser.until("[...document.querySelectorAll('.legend[data-time]')].length >= 6", "values at the cursor, in every plot")
    shown = browser.run("""return [...document.querySelectorAll('.plot')].filter(p => p.querySelector('.legend[data-time] b')).map(p =>
        [p.querySelector('h2 a').textContent, Number(p.querySelector('.legend').dataset.time), p.querySelector('.legend b').textContent])""")
    assert len(shown) >= 6
    for metric, at, text in shown:
        answer = demo.query({"cluster": "demo", "from": at - 120, "to": at + 120,
                             "queries": [{"host": "d001", "metric": metric}]}).json()["results"][0][0]
        value = answer["data"][(at - answer["from"]) // answer["resolution"]]
        number, unit = (text.split() + [""])[:2]
        scaled = float(number) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]
        assert abs(scaled - value) <= 1e-5 * abs(value) + 1e-9, (metric, at, text, value)

    # Zoom: all plots, and the address is one to send to somebody.
    browser.drag(browser.find(".canvas"), -60, 120)
    browser.until("[...document.querySelectorAll('.canvas[data-points]')].every(c => c.dataset.seconds < 400)", "every plot zoomed")
    browser.until("/from=\\d+&to=\\d+/.test(location.hash)", "the window in the address")
    browser.click("button[title='Leave the zoom']")
    browser.until("document.querySelector('.canvas[data-seconds=\"600\"][data-points]')", "all of it again")

    # Scope.
    browser.click(".choice button", "hwthread")
    browser.until("document.querySelector('.canvas[data-lines=\"32\"][data-points]')", "32 hardware threads in a plot")
    browser.picture("hwthread")
    browser.click(".choice button", "node")

    # Another host in the same plots, by its name.
    browser.until("document.querySelector('.tools input[role=combobox]')", "a field to compare")
    browser.find(".tools input[role=combobox]").click()
    browser.keys("d002")
    browser.until("document.querySelector('.tools .found [aria-selected=true]')", "d002 suggested")
    browser.keys(Keys.ENTER)
    browser.until("document.querySelector('.canvas[data-lines=\"2\"][data-points]')", "two hosts in a plot")
    assert "d001" in browser.text() and "d002" in browser.text()
    browser.picture("compare")
    browser.click(".plot h2 a", "cpu_load")
    browser.until("document.querySelector('.plots.one .canvas[data-points]') && document.querySelectorAll('.plot').length === 1", "one large plot")
    browser.picture("metric")
    assert browser.console() == []
    assert browser.run("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length") == 0


def test_everything_can_be_reached_with_the_keyboard(demo, browser):
    browser.open(address(demo))
    browser.until("document.querySelector('.grid a.full')", "hosts")
    browser.keys("/", "d01")
    browser.until("document.querySelector('#find .found [aria-selected=true]')", "suggestions")
    browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
    browser.until("location.hash === '#/host/demo/d011'", "the second one")
    browser.until("document.querySelector('.canvas[data-points]')", "its plots")
    for _ in range(40):
        if browser.run("return document.activeElement.className") == "canvas":
            break
        browser.keys(Keys.TAB)
    browser.keys(Keys.ARROW_LEFT)
    first = int(browser.until("document.querySelector('.legend').dataset.time", "a cursor"))
    browser.keys(Keys.ARROW_LEFT)
    browser.until(f"document.querySelector('.legend').dataset.time < {first}", "one step to the left")
    browser.keys("+")
    browser.until("document.querySelector('.canvas').dataset.seconds === '1800'", "half of the hour")
    browser.keys("0")
    browser.until("document.querySelector('.canvas').dataset.seconds === '3600'", "the hour again")
    browser.open(address(demo))
    browser.until("document.querySelector('.grid a.full')", "hosts")
    browser.run("document.querySelector('.grid a[tabindex=\"0\"]').focus()")
    assert browser.run("return document.querySelectorAll('.grid a[tabindex=\"0\"]').length") == 1
    browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    name = browser.run("return document.activeElement.textContent")
    browser.until("document.querySelector('.caption b').textContent === document.activeElement.textContent", "the caption names it")
    browser.keys(Keys.ENTER)
    browser.until(f"decodeURIComponent(location.hash) === '#/host/demo/' + {json.dumps(name)}", "its page")
    assert browser.console() == []


def test_hostile_names_are_shown_as_text_everywhere_and_break_no_view(demo, browser):
    browser.open(address(demo))
    browser.until("document.querySelector('.grid a.full')", "hosts")
    assert {HOSTILE, LONG} <= set(hosts_text(browser))
    browser.keys("/", HOSTILE[:4])
    browser.until("document.querySelector('#find .found b')", "suggestions")
    assert browser.run("return document.querySelector('#find .found b').textContent") == HOSTILE
    browser.keys(Keys.ENTER)
    browser.until("document.querySelector('.canvas[data-points]')", "its plot")
    assert HOSTILE in browser.find("h1").text and HOSTILE in browser.run("return document.title")
    browser.click(".choice button", "hwthread")
    browser.until("document.querySelector('.choice button[value=hwthread][aria-pressed=true]')", "its threads")
    browser.until("document.querySelector('.canvas[data-points]')", "their plot")
    browser.point(browser.find(".canvas"), 0)
    assert browser.run("return document.querySelector('main img, header img[src*=\"&\"]')") is None
    for size in (PHONE, (1366, 768)):
        browser.look(size)
        for where in ("", f"#/host/demo/{LONG}", f"#/host/demo/{LONG}/d001", f"#/host/demo/{LONG}?scope=hwthread"):
            browser.open(address(demo, where))
            browser.until("document.querySelector('.canvas[data-points], .grid a.full')", where)
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), (size, where)
    browser.picture("hostile")
    assert browser.console() == []


def test_a_large_cluster_is_a_mosaic_with_its_troubled_hosts_named(tmp_path, browser):
    with tarn.Server(tmp_path, tarn.config()) as s:
        now = int(time.time())
        lines = [f"{m},hostname=n{i:04d} value=1 {now - (3000 if i in (7, 300) or (i, m) == (9, 'clock') else 0)}"
                 for i in range(600) for m in ("cpu_load", "clock")]
        assert s.write("\n".join(lines)).status == 200
        browser.open(address(s))
        browser.until("document.querySelector('.choice button.failed b')?.textContent === '2'", "two hosts failed")
        assert browser.find(".choice button.partial b").text == "1" and browser.find(".choice button.full b").text == "597"
        trouble = browser.find(".trouble").text
        assert "n0007" in trouble and "n0300" in trouble and "no fresh clock" in trouble
        assert browser.run("return document.querySelectorAll('.mosaic').length") == 1
        assert 0 < painted(browser, ".mosaic", "#c7362c") < 0.1
        browser.picture("mosaic")
        browser.click(".choice button.failed")
        browser.until("document.querySelector('.mosaic').dataset.hosts === '2'", "the failed alone")
        browser.run("document.querySelector('.mosaic').focus()")
        browser.keys(Keys.HOME, Keys.ARROW_RIGHT)
        browser.until("document.querySelector('.caption b')?.textContent === 'n0300'", "the second one")
        browser.keys(Keys.ENTER)
        browser.until("location.hash === '#/host/c/n0300'", "its page")
        browser.open(address(s, "#/cluster/c"))
        browser.until("document.querySelector('.mosaic')?.dataset.hosts === '600'", "all of them")
        browser.find(".cluster input[type=search]").send_keys("n03")
        browser.until("document.querySelector('.mosaic').dataset.hosts === '100'", "those of that name")
        assert browser.console() == []


def test_the_store_view_shows_the_numbers_of_metrics(demo, browser):
    browser.open(address(demo, "#/store"))
    browser.until("document.querySelectorAll('.panel').length >= 6", "panels")
    shown = dict(browser.run("return [...document.querySelectorAll('.panel dt')].map(d => [d.textContent, d.nextSibling.textContent])"))
    numbers = dict(line.rsplit(" ", 1) for line in demo.request("GET", "/metrics").text.splitlines() if not line.startswith("#"))
    assert shown["Hosts"] == "34" == numbers["tarn_hosts"]
    assert shown["Series"].replace(",", "") == numbers["tarn_series"]
    text = browser.text()
    assert "of 954 MiB" in text and "Last checkpoint" in text and "Last archive" in text
    browser.until("document.querySelector('.panel .main').textContent.endsWith('/s')", "a rate after a second reading")
    browser.picture("store")
    assert browser.console() == []


def test_a_token_is_asked_for_kept_in_the_tab_and_forgotten_on_request(tmp_path, browser):
    issuer = Issuer(tmp_path)
    conf = tarn.config(main={"jwt-public-key": issuer.public}, tarn={"require-auth": True})
    token = issuer.token(sub="a")
    with tarn.Server(tmp_path, conf) as s:
        assert s.write(f"cpu_load,hostname=secret-host value=1 {int(time.time())}", token=token).status == 200
        browser.open(address(s))
        browser.until("document.querySelector('#token')", "a form")
        assert "secret-host" not in browser.text()
        browser.picture("token")
        browser.find("#token").send_keys("x.y.z", Keys.ENTER)
        browser.until("document.querySelector('form .error')", "a wrong token is told")
        browser.find("#token").send_keys(token, Keys.ENTER)
        browser.until("document.querySelector('.grid a.full')", "hosts")
        for view in ("#/store", "#/host/c/secret-host"):
            browser.run("location.hash = arguments[0]", view)
            browser.until("document.querySelector('.panel, .canvas[data-points]')", view)
        assert token not in browser.run("return document.URL + document.cookie + JSON.stringify(localStorage)")
        browser.click("#leave")
        browser.until("document.querySelector('#token')", "the form again")
        assert browser.run("return sessionStorage.length") == 0
        assert all("401" in e for e in browser.console())  # the browser's own note of a refusal


def test_empty_and_failing_stores_are_explained(tmp_path, browser):
    with tarn.Server(tmp_path, tarn.config()) as s:
        browser.open(address(s))
        browser.until("document.body.innerText.includes('No hosts yet')", "an empty store")
        browser.picture("empty")
        assert s.write(f"cpu_load,hostname=h value=1 {int(time.time())}").status == 200
        browser.open(address(s, "#/host/c/h?scope=node"))
        browser.until("document.querySelector('.canvas[data-points]')", "a plot")
        browser.run("location.hash = '#/host/c/h?from=1000&to=2000'")
        browser.until("document.querySelector('.canvas p')?.textContent.startsWith('No data')", "an empty range")
        assert browser.console() == []
        browser.open(address(s, "#/host/c/none"))
        browser.until("document.body.innerText.includes('Not found')", "no such host")
        browser.open(address(s))
        browser.until("document.querySelector('.grid a')", "hosts")
        browser.online(False)
        browser.run("location.hash = '#/store'")
        browser.until("document.body.innerText.includes('does not answer')", "an outage")
        browser.picture("outage")
        browser.online(True)
        browser.until("document.querySelector('.panel')", "it comes back by itself")
        browser.console()


def test_archived_jobs_are_listed_filtered_and_shown_with_their_metrics_and_statistics(demo, browser):
    rows = "document.querySelectorAll('tbody tr').length"
    with Front(demo) as front:
        browser.open(address(front))
        browser.click("nav a[data-view=jobs]")
        browser.until(rows + " === 25", "a page of jobs")
        assert HOSTILE_USER in browser.text() and not browser.run("return document.querySelector('td b')")
        browser.picture("jobs")
        browser.click(".pages button", "Older →")
        browser.until("document.querySelector('tbody a').textContent === '7035'", "the next page")
        browser.click(".choice button", "Completed")
        browser.until(rows + " === 3", "the completed ones, from the first page")
        browser.find("input[aria-label=Project]").send_keys("proj1", Keys.ENTER)
        browser.until(rows + " === 1", "those of a project")
        browser.click("tbody a", "7058")

        browser.until("document.querySelectorAll('.canvas[data-lines=\"2\"][data-points]').length === 2", "both metrics of both hosts")
        assert browser.run("return document.querySelector('.canvas').dataset.points") == "120"
        assert "archived" in browser.text() and "60 min of 2 h" in browser.text()
        assert browser.run("return [...document.querySelectorAll('.figures tbody tr')].map(r => r.innerText.split(/\\s+/).join(' '))") == [
            "cpu_load 11 31 51 GF/s", "flops_any 11 31 51 GF/s"]
        browser.point(browser.find(".canvas"), 20)
        at = int(browser.until("document.querySelector('.legend').dataset.time", "a cursor"))
        answer = json.load(urllib.request.urlopen(address(front, "api/jobs/58?all-metrics=true")))
        series = answer["Data"]["cpu_load"]["node"]["series"]
        wanted = [f"{s['data'][(at - START - 58000) // 60]:g}" for s in series]
        assert browser.run("return [...document.querySelector('.legend').querySelectorAll('b')].map(b => b.textContent)") == wanted
        browser.drag(browser.find(".canvas"), -60, 120)
        browser.until("[...document.querySelectorAll('.canvas')].every(c => c.dataset.seconds < 3000)", "both zoomed")
        browser.click(".choice button", "core")
        browser.until("document.querySelector('.canvas[data-lines=\"16\"][data-points]')", "its cores")
        browser.picture("job")
        assert browser.console() == []
        browser.open(address(front, "#/job/2"))
        browser.until("document.body.innerText.includes('the archive is away')", "a job without its metrics")
        assert "user2" in browser.text() and "cpu_load" in browser.text()  # who, and the statistics
        browser.open(address(front, "#/job/999"))
        browser.until("document.body.innerText.includes('Not found')", "no such job")
        browser.console()
    browser.open(address(demo))
    browser.until("document.querySelector('.grid a.full')", "hosts")
    assert browser.run("return document.querySelector('nav a[data-view=jobs]').hidden") and browser.console() == []


def cluster_file(directory):
    """Eight threads in two sockets; a metric of nodes and one of threads."""
    threads = list(range(8))
    halves = [threads[:4], threads[4:]]
    path = directory / "cluster.json"
    path.write_text(json.dumps({
        "name": "c",
        "metricConfig": [{"name": name, "unit": {"base": unit}, "scope": scope, "aggregation": "sum", "timestep": 60, "peak": 100, "normal": 50,
                          "caution": 20, "alert": 10, "subClusters": []}
                         for name, unit, scope in (("cpu_load", "", "node"), ("flops_any", "F/s", "hwthread"))],
        "subClusters": [{"name": "main", "nodes": "n[1-2]", "processorType": "x", "socketsPerNode": 2, "coresPerSocket": 4, "threadsPerCore": 1,
                         **{k: {"unit": {"base": "F/s"}, "value": 1} for k in ("flopRateScalar", "flopRateSimd", "memoryBandwidth")},
                         "topology": {"node": threads, "socket": halves, "memoryDomain": halves, "core": [[t] for t in threads]}}]}))
    return str(path)


def test_a_running_job_is_found_from_the_start_page_with_the_values_of_the_store(tmp_path, browser):
    conf = tarn.config(main={"db": str(tmp_path / "job.db")}, tarn={"cluster-files": [cluster_file(tmp_path)]})
    start = int(time.time()) // 60 * 60 - 1800
    lines = [line for k in range(30) for h in (1, 2) for line in (
        f"cpu_load,hostname=n{h} value={h * 10 + k} {start + 60 * k}",
        *(f"flops_any,hostname=n{h},type=hwthread,type-id={t} value={t + k} {start + 60 * k}" for t in range(8)))]
    job = {"jobId": 4711, "user": HOSTILE, "project": "p", "cluster": "c", "numNodes": 2, "walltime": 7200, "startTime": start,
           "resources": [{"hostname": "n1"}, {"hostname": "n2"}]}
    with tarn.Server(tmp_path, conf) as s:
        assert s.write("\n".join(lines)).status == 200
        assert s.request("POST", "/api/jobs/start_job/", json.dumps(job)).status == 201
        browser.open(address(s))
        browser.click("nav a[data-view=jobs]")
        browser.click("tbody a", "4711")
        browser.until("document.querySelectorAll('.canvas[data-lines=\"2\"][data-points=\"60\"]').length === 2", "both metrics of both nodes")
        assert HOSTILE in browser.text() and "running" in browser.text()
        browser.point(browser.find(".canvas"), 0)
        at = int(browser.until("document.querySelector('.legend').dataset.time", "a cursor"))
        values = [s.query({"cluster": "c", "from": at, "to": at + 60, "queries": [{"host": h, "metric": "cpu_load"}]}).json()["results"][0][0]["data"][0]
                  for h in ("n1", "n2")]
        assert browser.run("return [...document.querySelector('.legend').querySelectorAll('b')].map(b => Number(b.textContent))") == values
        browser.click(".choice button", "hwthread")
        browser.until("document.querySelector('.canvas[data-lines=\"16\"][data-points=\"480\"]')", "its threads")
        browser.picture("running")
        browser.click(".about a", "(compare)")
        browser.until("location.hash.startsWith('#/host/c/n1/n2?from=') && document.querySelector('.canvas[data-lines=\"2\"][data-points]')",
                      "its hosts in its time")
        stop = {"jobId": 4711, "cluster": "c", "startTime": start, "jobState": "failed", "stopTime": start + 1700}
        assert s.request("POST", "/api/jobs/stop_job/", json.dumps(stop)).status == 200
        browser.run("location.hash = '#/jobs?state=failed'")
        browser.until("document.querySelector('tbody .state.failed')", "its end")
        assert browser.console() == []


def test_an_archived_job_is_drawn_from_the_archive_of_the_server(tmp_path, browser):
    with tarn.Server(tmp_path, test_jobs.kept_archive(tmp_path)) as s:
        job = next(j for j in s.request("GET", "/api/jobs/").json()["jobs"] if j["jobId"] == 5001)
        data = s.request("GET", f"/api/jobs/{job['id']}?all-metrics=true").json()["Data"]
        lines = {m: [x for x in at["node"]["series"] if any(v is not None for v in x["data"])]
                 for m, at in data.items() if "node" in at}
        browser.open(address(s, f"#/job/{job['id']}"))
        browser.until(f"document.querySelectorAll('.canvas').length === {len(lines)}", "a plot of each metric")
        for metric, of in lines.items():
            points = sum(v is not None for x in of for v in x["data"])
            browser.until(f"[...document.querySelectorAll('section.plot')].some(p => p.querySelector('h2').textContent.startsWith('{metric}')"
                          f" && p.querySelector('.canvas[data-lines=\"{len(of)}\"][data-points=\"{points}\"]'))", metric)
        assert all(m in browser.text() for m in job["statistics"])
        assert browser.console() == []


def luminance(color):
    channels = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_background(server, browser, theme):
    browser.look(theme=theme)
    browser.open(address(server, "#/store"))
    browser.until("document.querySelector('.panel')", "a view")
    color = {n: browser.run("const s = getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim();"
                            "return s.length === 4 ? '#' + [...s.slice(1)].map(c => c + c).join('') : s", "--" + n)
             for n in ("back", "card", "front", "faint", "link", "accent", "failed")}
    for text, ground in (("front", "back"), ("front", "card"), ("faint", "back"), ("faint", "card"), ("link", "back"),
                         ("link", "card"), ("accent", "card"), ("failed", "card")):
        light, dark = sorted((luminance(color[text]), luminance(color[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (theme, text, ground)


def test_page_comes_with_a_strict_policy_and_is_kept_by_its_hash(server):
    a = server.request("GET", "/")
    policy = a.header("content-security-policy")
    assert a.status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert a.header("x-content-type-options") == "nosniff"
    again = server.request("GET", "/", headers={"If-None-Match": a.header("etag")})
    assert again.status == 304 and server.request("GET", "/web/none.js").status == 404


def test_page_can_be_switched_off(tmp_path):
    with tarn.Server(tmp_path, {**tarn.config(), "tarn": {"page": False}}) as s:
        assert s.request("GET", "/").status == 404 and s.request("GET", "/web/page.js").status == 404


def test_tree_lists_hosts_and_the_series_of_one(server):
    assert server.write(f"clk,hostname=h1,type=core,type-id=3 value=1 {int(time.time())}").status in (200, 400)
    assert server.write(f"clock,hostname=h1,type=core,type-id=3 value=1 {int(time.time())}").status == 200
    assert server.request("GET", "/api/tree").json()["hosts"] == [["c", "h1"]]
    found = server.request("GET", "/api/tree?cluster=c&host=h1").json()["series"]
    assert found == [{"type": "core3", "subtype": "", "metric": "clock", "freq": 60}]
    assert server.request("GET", "/api/tree?cluster=c&host=none").status == 404
