#!/usr/bin/env python3
"""Usage: page.py TARN - how fast the page is in a headless Chromium on loopback, graphics by the CPU.

A view is timed by the page itself, from the change of its address to the first plot drawn (marks "asked" and
"first-plot"). A stutter is a task of the page that holds the screen for longer than 50 ms; the longest one is told.
Each figure is the median of five.
"""

import math
import os
import pathlib
import statistics
import sys
import tempfile
import time

if len(sys.argv) != 2:
    sys.exit(__doc__.splitlines()[0])
os.environ["TARN"] = sys.argv[1]
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
try:
    from browser import Browser, address, demo_cluster
except BaseException as e:  # a skip of pytest is no Exception
    print("page: not measured, no browser or pytest is installed:", e)
    sys.exit(0)

HOUR, DAY, STEP = 3600, 86400, 30


def fill(server):
    now = int(time.time())
    for t in range(128):
        lines = (f"cpu_user,hostname=fat,type=hwthread,type-id={t} value={50 + 40 * math.sin(k / 300 + t / 9):.3f} "
                 f"{now - DAY + STEP * k}" for k in range(DAY // STEP))
        assert server.write("\n".join(lines), cluster="big").status == 200
    for part in range(0, 5000, 1000):
        lines = (f"cpu_load,hostname=n{i:04d} value=1 {now - (5000 if i % 97 == 0 else 0)}" for i in range(part, part + 1000))
        assert server.write("\n".join(lines), cluster="big").status == 200


class Watch:
    def __init__(self, browser):
        self.browser = browser
        browser.run("""window.tasks = [];
            new PerformanceObserver((l) => l.getEntries().forEach((e) => tasks.push(e.duration))).observe({type: "longtask"});""")

    def plot(self, view):
        """Milliseconds from the address to the first plot, and the longest stutter."""
        self.browser.run("tasks.length = 0; location.hash = '#/store'")
        self.browser.until("document.querySelector('.panel')", "another view")
        self.browser.run("tasks.length = 0; location.hash = arguments[0]", view)
        ms = self.browser.until("performance.getEntriesByName('first-plot').length && "
                                "performance.getEntriesByName('first-plot')[0].startTime - performance.getEntriesByName('asked')[0].startTime", view)
        time.sleep(0.5)
        return ms, self.stutter()

    def stutter(self):
        worst = self.browser.run("return Math.max(0, ...tasks)")
        self.browser.run("tasks.length = 0")
        return worst


def median(pairs):
    return [statistics.median(column) for column in zip(*pairs)]


def say(what, ms, stutter):
    held = f"longest task {stutter:.0f} ms" if stutter else "no task over 50 ms"
    print(f"page: {what:58} {f'{ms:.0f} ms' if ms is not None else '':>7}  {held}")


with tempfile.TemporaryDirectory() as directory, demo_cluster(pathlib.Path(directory), "6h") as server:
    fill(server)
    browser = Browser(directory)
    try:
        browser.open(address(server))
        browser.until("document.querySelector('.mosaic')", "the page")
        watch = Watch(browser)
        say("a host, first of its plots, 6 h", *median([watch.plot(f"#/host/demo/d00{i}?last=21600") for i in range(1, 6)]))
        say("32 hardware threads, first of 4 plots, 6 h", *median([watch.plot(f"#/host/demo/d00{i}?last=21600&scope=hwthread") for i in range(1, 6)]))
        fat = "#/host/big/fat?scope=hwthread&last=86400&metric=cpu_user"
        say("128 threads x 24 h in one plot", *median([watch.plot(fat) for _ in range(5)]))
        canvas = browser.find(".canvas")
        for x in range(-300, 300, 20):
            browser.point(canvas, x)
        say("moving the cursor over them", None, watch.stutter())
        browser.drag(canvas, -200, 300)
        time.sleep(1)
        say("zooming into them", None, watch.stutter())
        stutters = []
        for _ in range(5):
            browser.run("location.hash = '#/store'")
            browser.until("document.querySelector('.panel')", "another view")
            watch.stutter()
            browser.run("location.hash = '#/cluster/big'")
            browser.until("document.querySelector('.choice button.failed b')", "health of 5,000 hosts")
            time.sleep(0.5)
            stutters.append(watch.stutter())
        say("5,000 hosts with their health", None, statistics.median(stutters))
    finally:
        browser.quit()
