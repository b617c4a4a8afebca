"""A headless Chromium of Debian, driven by Debian's selenium: what is on the screen, and what the console says."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's selenium
webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.keys import Keys  # noqa: E402,F401

import tarn  # noqa: E402

DEADLINE_S = 30
LAPTOP, PHONE = (1366, 768), (390, 844)
PICTURES = os.environ.get("TARN_PICTURES")  # a directory: where the views are kept as PNG files


class Browser:
    def __init__(self, directory):
        options = webdriver.ChromeOptions()
        for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage",
                     "disable-background-networking", "disable-component-update", "disable-sync",
                     f"user-data-dir={directory}/profile"):
            options.add_argument("--" + flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(service=service, options=options)
        self.look()

    def quit(self):
        self.driver.quit()

    def look(self, size=LAPTOP, theme="light"):
        """The size of the window and the colors that the user wants."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": theme}]})

    def online(self, is_online):
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
            "offline": not is_online, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})

    def open(self, url):
        self.driver.get("about:blank")  # an address that differs behind its # alone loads nothing
        self.driver.get(url)

    def run(self, script, *args):
        return self.driver.execute_script(script, *args)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def click(self, selector, text=None):
        """Where a mouse would: an element that is covered does not get it."""
        self.until(f"document.querySelector({selector!r})", selector)
        for element in self.driver.find_elements("css selector", selector):
            if text is None or element.text == text:
                self.run("arguments[0].scrollIntoView({block: 'center'})", element)
                return element.click()
        raise AssertionError(f"no {selector} says {text}")

    def keys(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def point(self, element, x=0, y=0):
        webdriver.ActionChains(self.driver).move_to_element_with_offset(element, x, y).perform()

    def drag(self, element, from_x, by):
        webdriver.ActionChains(self.driver).move_to_element_with_offset(element, from_x, 0).click_and_hold().move_by_offset(
            by, 0).release().perform()

    def until(self, script, what):
        """Waits until a JavaScript expression is true; its value."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            found = self.run("return " + script)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never: {what}; the page says {self.text()[:800]}")

    def text(self):
        return self.run("return document.body.innerText")

    def console(self):
        """What went wrong since the last call."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]

    def picture(self, name):
        if not PICTURES:
            return
        pathlib.Path(PICTURES).mkdir(parents=True, exist_ok=True)
        for theme in ("light", "dark"):
            for kind, size in (("laptop", LAPTOP), ("phone", PHONE)):
                self.look(size, theme)
                time.sleep(0.7)  # for the eye alone: no test depends on it
                self.driver.save_screenshot(f"{PICTURES}/{name}-{theme}-{kind}.png")
        self.look()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if not shutil.which("chromedriver"):
        pytest.skip("chromium-driver is not installed (tools/needs test)")
    b = Browser(tmp_path_factory.mktemp("chromium"))
    yield b
    b.quit()


@pytest.fixture
def browser(chromium):
    """One for all tests of a file, as new: no token, no message, a laptop in daylight."""
    chromium.look()
    chromium.console()
    return chromium


def address(server, path=""):
    return f"http://127.0.0.1:{server.port}/{path}"


@contextlib.contextmanager
def demo_cluster(directory, fill):
    """A server with the demonstration cluster of `tarn bench demo`."""
    text = subprocess.check_output([str(tarn.BINARY), "bench", "demo", "--print-config", "--port", "0"])
    with tarn.Server(directory, json.loads(text)) as server:
        subprocess.run([str(tarn.BINARY), "bench", "demo", "--url", f"http://127.0.0.1:{server.port}",
                        "--fill", fill, "--for", "0s"], check=True, stdout=subprocess.DEVNULL)
        yield server
