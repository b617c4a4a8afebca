"""A server under attack serves who behaves, within its memory.

TARN_OVERLOAD=full: 2,000 connections, 1,500 of them slow, for a minute or TARN_OVERLOAD_S seconds; else a small
one of the same kind.
"""

import gzip
import itertools
import os
import resource
import socket
import threading
import time

import pytest

import tarn


FULL = os.environ.get("TARN_OVERLOAD") == "full"
SLOW = 1500 if FULL else 60
BUSY = 499 if FULL else 20
SECONDS = int(os.environ.get("TARN_OVERLOAD_S", 60 if FULL else 6))
CAP_BYTES = 10**9
THREADS = 8
FLOOD = 20000 if FULL else 3000


def rss_peak(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


class Attack(threading.Thread):
    """Does one thing over and over until the end; what the server answers to it is its own affair."""

    def __init__(self, ending, one):
        super().__init__(daemon=True)
        self.ending, self.one, self.rounds = ending, one, 0

    def run(self):
        while not self.ending.is_set():
            try:
                self.one(self.rounds)
            except (OSError, tarn.http.client.HTTPException):
                pass
            self.rounds += 1


def slow_clients(port, n):
    """Each begins a request and then sends next to nothing."""
    out = []
    for k in range(n):
        s = socket.create_connection(("127.0.0.1", port))
        s.setblocking(False)
        head = b"POST /api/write?cluster=c HTTP/1.1\r\nHost: x\r\n"
        s.send(head if k % 2 else head + b"Content-Length: 100000\r\n\r\ncpu_load,hostname=slow")
        out.append(s)
    return out


def drip(ending, sockets):
    while not ending.wait(0.5):
        for s in sockets:
            try:
                s.send(b"a")
            except OSError:
                pass  # it was cut, as it should be


def test_a_good_client_is_served_while_others_attack(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < SLOW + BUSY + 500:
        pytest.skip("too few descriptors allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    conf = tarn.config(metric_store={"memory-cap": CAP_BYTES // 10**9,
                                     "checkpoints": {"directory": "./checkpoints"}},
                       tarn={"limits": {"connections-per-address": 0, "body": "4MiB",
                                        "head-timeout": "5s"}})
    # A step of a second: the good client's series have a past before the cap is reached.
    conf["metrics"] = {**conf["metrics"], "clock": {"frequency": 1, "aggregation": "avg"}}
    bomb = gzip.compress(b"0" * (64 << 20))
    huge = b"cpu_load,hostname=h value=1\n" * 300_000
    try:
        with tarn.Server(tmp_path, conf) as s:
            ending, names = threading.Event(), itertools.count()
            slow = slow_clients(s.port, SLOW)
            idle = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(BUSY)]

            def oversized(k):
                assert s.request("POST", "/api/write?cluster=c", huge).status in (413, 503)

            def explode(k):
                answer = s.request("POST", "/api/write?cluster=c", bomb, {"Content-Encoding": "gzip"})
                assert answer.status in (400, 408, 413, 503)

            def new_series(k):
                first = next(names)
                text = "".join(f"cpu_load,hostname=flood{first}-{i},type=t,type-id=x{i % 64} value={i}\n"
                               for i in range(FLOOD))
                s.write(text)

            attacks = [Attack(ending, one) for one in
                       (oversized, oversized, explode, explode, *[new_series] * (THREADS - 4))]
            dripping = threading.Thread(target=drip, args=(ending, slow), daemon=True)
            for t in (*attacks, dripping):
                t.start()
            good, gone, waits, end = 0, 0, [], time.monotonic() + SECONDS
            while time.monotonic() < end:
                began = time.monotonic()
                now = int(time.time())
                text = "".join(f"clock,hostname=good,type=hwthread,type-id={i} value={good} {now}\n"
                               for i in range(100))
                assert s.write(text).status == 200
                answer = s.query({"cluster": "c", "from": now - 60, "to": now + 60, "queries": [
                    {"metric": "clock", "host": "good", "type": "hwthread", "type-ids": ["7"]}]})
                assert answer.status == 200
                gone += not answer.json()["results"][0]
                waits.append(time.monotonic() - began)
                good += 1
            ending.set()
            for t in (*attacks, dripping):
                t.join(30)
            n = s.metrics()
            peak = rss_peak(s.process.pid)
            for c in slow + idle:
                c.close()
            waits.sort()
            print(f"good client: {good} of {good} served, median {waits[good // 2] * 1e3:.0f} ms, "
                  f"longest {waits[-1] * 1e3:.0f} ms; series {n['tarn_series']:.0f}, memory peak {peak / 2**20:.0f} MiB, "
                  f"freed early {n['tarn_buffers_freed_early_total']:.0f}, good client's samples gone {gone} times; "
                  f"cut for slowness {n['tarn_http_timed_out_total']:.0f}; "
                  f"attacks {[a.rounds for a in attacks]}")
            assert all(a.rounds > 1 for a in attacks)
            # At the cap the flood's series go, not those that are written to all the time.
            assert gone == 0
            assert n["tarn_http_timed_out_total"] > 0 or SECONDS < 10
            assert peak <= CAP_BYTES * 1.05 + (32 << 20)
            # A last checkpoint would be a file for each of the flood's hosts; that is not what is tested.
            assert s.process.poll() is None, s.log()[-4000:]
            s.process.kill()
            s.process.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
