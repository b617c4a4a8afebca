"""The page at / in a headless Chromium (doc/page.md)."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
import tarn

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's selenium
webdriver = pytest.importorskip("selenium.webdriver")
if not shutil.which("chromedriver"):
    pytest.skip("chromium-driver is not installed (tools/needs test)", allow_module_level=True)

HOSTILE = "<img&>\"x"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    text = subprocess.check_output([str(tarn.BINARY), "bench", "demo", "--print-config", "--port", "0"])
    conf = json.loads(text)
    with tarn.Server(tmp_path_factory.mktemp("page"), conf) as s:
        subprocess.run([str(tarn.BINARY), "bench", "demo", "--url", f"http://127.0.0.1:{s.port}",
                        "--fill", "2h", "--for", "0s"], check=True, stdout=subprocess.DEVNULL)
        assert s.write(f'cpu_load,hostname={HOSTILE} value=1 {int(time.time())}', cluster="demo").status == 200
        yield s


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                 "disable-background-networking", "disable-component-update", "disable-sync",
                 f"user-data-dir={tmp_path}/profile"):
        options.add_argument("--" + flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
    b = webdriver.Chrome(service=service, options=options)
    b.set_window_size(1280, 800)
    yield b
    b.quit()


def until(browser, script, what):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = browser.execute_script("return " + script)
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {what}; the page says {browser.execute_script('return document.body.innerText')[:800]}")


def picture(browser, name):
    directory = pathlib.Path(tarn.BINARY).resolve().parent / "page"
    directory.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": theme}]})
        for kind, width in (("laptop", 1280), ("phone", 390)):
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
            time.sleep(0.4)
            browser.save_screenshot(str(directory / f"{name}-{theme}-{kind}.png"))
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_walks_from_cluster_to_host_to_scope_and_zoom_without_a_console_error(demo, browser):
    browser.get(f"http://127.0.0.1:{demo.port}/")
    until(browser, "document.querySelectorAll('.hosts a').length >= 33", "33 hosts")
    until(browser, "document.querySelectorAll('.hosts a.full').length > 20", "hosts that are well")
    names = browser.execute_script("return [...document.querySelectorAll('.hosts a')].map(a => a.textContent)")
    assert HOSTILE in names and not browser.execute_script("return document.querySelector('main img')")
    picture(browser, "hosts")

    browser.execute_script("[...document.querySelectorAll('.hosts a')].find(a => a.textContent === 'd001').click()")
    until(browser, "document.querySelectorAll('.canvas[data-points]').length > 3", "plots of d001")
    assert int(browser.execute_script("return document.querySelector('.canvas').dataset.points")) > 50
    picture(browser, "host")

    until(browser, "document.querySelector('.canvas canvas')", "a drawn plot")
    canvas = browser.find_element("css selector", ".canvas")
    webdriver.ActionChains(browser).move_to_element(canvas).perform()
    shown = until(browser, "[...document.querySelectorAll('.legend')].filter(l => l.innerText).length > 1 && "
                  "document.querySelector('.legend').innerText", "values at the cursor, in every plot")
    metric = browser.execute_script("return document.querySelector('.plot h2').textContent")
    now = int(time.time())
    answer = demo.request("POST", "/api/query", json.dumps({
        "cluster": "demo", "from": now - 4000, "to": now,
        "queries": [{"host": "d001", "metric": metric}]}).encode())
    values = [v for v in json.loads(answer.body)["results"][0][0]["data"] if v is not None]
    at_cursor = float(shown.split(":")[-1])
    assert any(abs(v - at_cursor) <= 1e-4 * max(1.0, abs(v)) for v in values), shown

    webdriver.ActionChains(browser).move_to_element_with_offset(canvas, -40, 0).click_and_hold().move_by_offset(
        80, 0).release().perform()
    until(browser, "[...document.querySelectorAll('.canvas[data-points]')].every(c => c.dataset.seconds < 3000)",
          "every plot zoomed")

    browser.execute_script("const s = document.querySelector('.tools select'); s.value = 'hwthread';"
                           "s.dispatchEvent(new Event('change'))")
    until(browser, "location.hash.includes('scope=hwthread') && document.querySelector('.canvas[data-points]')",
          "plots of hardware threads")
    picture(browser, "hwthread")

    browser.get(f"http://127.0.0.1:{demo.port}/#/store")
    until(browser, "document.querySelectorAll('table tr').length > 8", "the store's numbers")
    picture(browser, "store")
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_page_comes_with_a_strict_policy_and_is_kept_by_its_hash(server):
    a = server.request("GET", "/")
    assert a.status == 200 and "default-src 'none'" in a.header("content-security-policy")
    assert a.header("x-content-type-options") == "nosniff"
    again = server.request("GET", "/", headers={"If-None-Match": a.header("etag")})
    assert again.status == 304 and server.request("GET", "/web/none.js").status == 404


def test_page_can_be_switched_off(tmp_path):
    with tarn.Server(tmp_path, {**tarn.config(), "tarn": {"page": False}}) as s:
        assert s.request("GET", "/").status == 404 and s.request("GET", "/web/page.js").status == 404


def test_tree_lists_hosts_and_the_series_of_one(server):
    assert server.write(f"clk,hostname=h1,type=core,type-id=3 value=1 {int(time.time())}").status in (200, 400)
    hosts = json.loads(server.request("GET", "/api/tree").body)["hosts"]
    for cluster, host in hosts:
        found = json.loads(server.request("GET", f"/api/tree?cluster={cluster}&host={host}").body)["series"]
        assert all(s["freq"] > 0 for s in found)
    assert server.request("GET", "/api/tree?cluster=c&host=none").status == 404
