#!/usr/bin/env python3
"""Usage: stop_job.py TARN - how long stop_job takes while 1,000 jobs wait for an archiver whose every job takes 5 s.

Milliseconds of one client that starts and stops 500 jobs, one after the other, over one connection; and in turns with
it the same at a server where nothing waited, so that what else the machine does meets both alike.
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ["TARN"] = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import tarn  # noqa: E402
from test_archiver import Site  # noqa: E402

WAITING, ASKED, SLOW_S = 1000, 500, 5


def at(values, share):
    return sorted(values)[int(share * len(values))]


class Asked:
    """A server at which `waiting` jobs wait at first, and how long it took to answer."""

    def __init__(self, stack, waiting):
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hook = directory / "hook"
        hook.write_text(f"#!/bin/sh\nexec sleep {SLOW_S}\n")
        hook.chmod(0o755)
        self.site, self.waiting, self.ms = Site(directory, **{"hook-command": str(hook)}), waiting, {}
        self.server = stack.enter_context(self.site.server)
        self.site.feed()
        self.site.end_jobs(100000, waiting)
        self.connection = self.server.connect()

    def call(self, name, body):
        begin = time.perf_counter()
        answer = self.server.request("POST", f"/api/jobs/{name}/", json.dumps(body).encode(), connection=self.connection)
        self.ms.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
        assert answer.status in (200, 201), answer.text

    def start_and_stop(self, i):
        self.call("start_job", {"jobId": i, "user": "u", "project": "p", "cluster": "c", "numNodes": 1,
                                "startTime": self.site.start_s, "resources": [{"hostname": "n1"}]})
        self.call("stop_job", {"jobId": i, "cluster": "c", "stopTime": self.site.start_s + 3000})

    def report(self):
        left = sum(v == 1 for v in self.site.states().values())
        assert left >= self.waiting * 9 // 10, left
        for name, values in self.ms.items():
            print(f"{name}: {self.waiting} jobs waiting at first, {left} at last: median {at(values, 0.5):.2f} ms, "
                  f"99 % {at(values, 0.99):.2f} ms, most {max(values):.2f} ms")


def main():
    with contextlib.ExitStack() as stack:
        servers = [Asked(stack, 0), Asked(stack, WAITING)]
        for i in range(ASKED):
            for server in servers:
                server.start_and_stop(i)
        for server in servers:
            server.report()


main()
