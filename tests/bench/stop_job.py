#!/usr/bin/env python3
"""Usage: stop_job.py TARN - how long stop_job takes while 1,000 jobs wait for an archiver whose every job takes 5 s.

Milliseconds of one client that starts and stops 500 jobs, one after the other, over one connection; first with an
empty queue, for comparison in the same run.
"""

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


def call(server, connection, path, body):
    begin = time.perf_counter()
    answer = server.request("POST", path, json.dumps(body).encode(), connection=connection)
    assert answer.status in (200, 201), answer.text
    return (time.perf_counter() - begin) * 1000


def measure(directory, waiting):
    hook = directory / "hook"
    hook.write_text(f"#!/bin/sh\nexec sleep {SLOW_S}\n")
    hook.chmod(0o755)
    site = Site(directory, **{"hook-command": str(hook)})
    starts, stops = [], []
    with site.server as s:
        site.feed()
        site.end_jobs(100000, waiting)
        connection = s.connect()
        for i in range(ASKED):
            starts.append(call(s, connection, "/api/jobs/start_job/", {
                "jobId": i, "user": "u", "project": "p", "cluster": "c", "numNodes": 1,
                "startTime": site.start_s, "resources": [{"hostname": "n1"}]}))
            stops.append(call(s, connection, "/api/jobs/stop_job/",
                              {"jobId": i, "cluster": "c", "stopTime": site.start_s + 3000}))
        left = sum(v == 1 for v in site.states().values())
    assert left >= waiting * 9 // 10, left
    for name, values in (("start_job", starts), ("stop_job", stops)):
        print(f"{name}: {waiting} jobs waiting at first, {left} at last: median {at(values, 0.5):.2f} ms, "
              f"99 % {at(values, 0.99):.2f} ms, most {max(values):.2f} ms")


def main():
    for waiting in (0, WAITING):
        with tempfile.TemporaryDirectory() as directory:
            measure(pathlib.Path(directory), waiting)


main()
