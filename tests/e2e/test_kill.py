"""kill -9 at random moments under load: what was acknowledged is there after the restart, nothing else is.

TARN_KILLS says how many kills (default 12), TARN_SEED where the random moments begin.
"""

import http.client
import os
import random
import signal
import threading
import time

import tarn

KILLS = int(os.environ.get("TARN_KILLS", "12"))
SEED = int(os.environ.get("TARN_SEED", "1"))
WRITERS = 3
METRICS = {f"m{i}": {"frequency": 1, "aggregation": None} for i in range(20)}


class Ledger:
    """Per writer (one host each): the ticks that were tried and those that were acknowledged."""

    def __init__(self):
        self.tried = {}
        self.acked = {}


def value(host, tick, i):
    return host * 1000 + (tick * 7 + i) % 997 + 0.5


def body(host, tick):
    return "".join(f"m{i},cluster=c,hostname=h{host} value={value(host, tick, i)} {tick}\n"
                   for i in range(len(METRICS)))


def write_until_dead(port, host, first, ledger, stop):
    tick = first
    tried, acked = ledger.tried[host], ledger.acked[host]
    try:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not stop.is_set():
            tried.append(tick)
            c.request("POST", "/api/write", body(host, tick))
            r = c.getresponse()
            r.read()
            if r.status == 200:
                acked.append(tick)
            tick += 1
    except (OSError, http.client.HTTPException):
        pass


def check(server, ledger, base):
    lost = phantom = 0
    for host in range(WRITERS):
        tried, acked = set(ledger.tried[host]), set(ledger.acked[host])
        if not tried:
            continue
        lo, hi = min(tried), max(tried) + 1
        for name in ("m0", "m19"):
            i = int(name[1:])
            q = {"cluster": "c", "from": lo, "to": hi,
                 "queries": [{"metric": name, "host": f"h{host}"}]}
            row = server.query(q).json()["results"]
            row = row[0][0] if row and row[0] else {}
            found = {}
            if "data" in row:
                for k, v in enumerate(row["data"]):
                    if v is not None:
                        found[lo + k] = v
            lost += sum(1 for t in acked if t not in found)
            phantom += sum(1 for t, v in found.items()
                           if t not in tried or abs(v - value(host, t, i)) > 1e-3)
    return lost, phantom


def test_acknowledged_samples_survive_kill_9(tmp_path):
    rng = random.Random(SEED)
    conf = tarn.config(metrics=METRICS, metric_store={
        "retention-in-memory": "48h", "checkpoint-interval": "1s",
        "checkpoints": {"file-format": "wal", "directory": str(tmp_path / "data")}})
    conf["metrics"] = METRICS
    base = int(time.time()) - 20000
    ledger = Ledger()
    for host in range(WRITERS):
        ledger.tried[host], ledger.acked[host] = [], []
    lost = phantom = 0
    started = time.monotonic()
    for kill in range(KILLS):
        server = tarn.Server(tmp_path, conf)
        server.start()
        if kill % 10 == 0:
            a, b = check(server, ledger, base)
            lost, phantom = lost + a, phantom + b
        stop = threading.Event()
        threads = []
        for host in range(WRITERS):
            first = (ledger.tried[host][-1] + 1) if ledger.tried[host] else base
            threads.append(threading.Thread(target=write_until_dead, args=(
                server.port, host, first, ledger, stop)))
        for t in threads:
            t.start()
        if rng.random() < 0.3:
            try:
                server.request("POST", "/api/checkpoint") if rng.random() < 0.5 else \
                    server.process.send_signal(signal.SIGUSR1)
            except OSError:
                pass
        time.sleep(rng.uniform(0.005, 0.25))
        server.process.kill()
        server.process.wait()
        stop.set()
        for t in threads:
            t.join()
    with tarn.Server(tmp_path, conf) as server:
        a, b = check(server, ledger, base)
        lost, phantom = lost + a, phantom + b
    acked = sum(len(v) for v in ledger.acked.values()) * len(METRICS)
    print(f"kill9: kills={KILLS} acked={acked} lost={lost} phantom={phantom} "
          f"seconds={time.monotonic() - started:.0f}")
    assert lost == 0 and phantom == 0 and acked > 0
