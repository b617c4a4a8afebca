"""The real binary under strace: no answer before the covering sync, and SIGKILL at its system calls.

Needs strace. TARN_KILLS says at how many system calls the server is killed (default 12).
"""

import http.client
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import tarn

KILLS = int(os.environ.get("TARN_KILLS", "12"))
METRICS = {"m0": {"frequency": 1, "aggregation": None}, "m1": {"frequency": 1, "aggregation": None}}

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def config(directory, **own):
    conf = tarn.config(metric_store={"checkpoints": {
        "file-format": "wal", "directory": str(directory / "data")}})
    conf["metrics"] = METRICS
    if own:
        conf["tarn"] = own
    return conf


class Traced(tarn.Server):
    """The server as a child of strace."""

    def __init__(self, directory, conf, options):
        super().__init__(directory, conf)
        self.trace = directory / "trace.txt"
        self.command = ["strace", "-f", "-qq", "-o", str(self.trace), *options, *self.command]

    def kill(self):
        """Ends strace's child, and with it strace."""
        children = children_of(self.process.pid)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=30)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def early_answers(trace):
    """Answers sent while a write of a log segment was not yet covered by a sync begun after it."""
    log, dirty, early, answers, syncs = set(), False, 0, 0, 0
    open_sync = {}
    for line in trace.read_text(errors="replace").splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        m = re.search(r'open(?:at)?\(.*?"([^"]*\.log)".*\)\s*= (\d+)', call)
        if m:
            log.add(m.group(2))
        elif re.match(r"pwrite64\((\d+),", call) and re.match(
                r"pwrite64\((\d+),", call).group(1) in log:
            dirty = True
        elif call.startswith("fdatasync(") and "unfinished" not in call:
            dirty, syncs = False, syncs + 1
        elif call.startswith("fdatasync("):
            open_sync[pid] = dirty
        elif "fdatasync resumed" in call:
            dirty, syncs = False, syncs + 1
        elif re.match(r"(send|sendto|sendmsg|writev|write)\(", call) and "HTTP/1.1 200" in call:
            answers += 1
            early += dirty
    return early, answers, syncs


def audit(tmp_path, **own):
    options = ["-e", "trace=openat,pwrite64,fdatasync,sendto,sendmsg,write,writev", "-s", "64"]
    s = Traced(tmp_path, config(tmp_path, **own), options)
    s.start()
    now = int(time.time())
    c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=30)
    for i in range(200):
        c.request("POST", "/api/write", f"m0,cluster=c,hostname=h value={i} {now + i % 50}\n")
        r = c.getresponse()
        r.read()
        assert r.status == 200
    s.kill()
    return early_answers(s.trace)


def test_no_answer_leaves_before_the_covering_sync(tmp_path):
    early, answers, syncs = audit(tmp_path)
    print(f"ackaudit: acks={answers} early={early} syncs={syncs}")
    assert answers >= 200 and syncs >= 200 and early == 0


def test_the_audit_sees_answers_that_do_not_wait(tmp_path):
    early, answers, _ = audit(tmp_path, durability="interval", **{"sync-interval": "50ms"})
    assert answers >= 200 and early > 0


CALLS = ("pwrite64", "fdatasync", "rename", "renameat2", "unlink", "openat", "fsync", "ftruncate",
         "mkdir", "fallocate")


def life(tmp_path, conf, options, first, acked):
    """Writes, checkpoints and stops until it is killed. Returns the next tick."""
    s = Traced(tmp_path, conf, options)
    tick = first
    try:
        s.start()
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=10)
        for i in range(12):
            c.request("POST", "/api/checkpoint" if i == 6 else "/api/write",
                      "" if i == 6 else f"m0,cluster=c,hostname=h value={tick % 900 + 0.5} {tick}\n")
            r = c.getresponse()
            r.read()
            if i != 6:
                acked += [tick] if r.status == 200 else []
                tick += 1
        for pid in children_of(s.process.pid):
            os.kill(pid, signal.SIGTERM)
        s.process.wait(timeout=30)
    except (OSError, AssertionError, http.client.HTTPException):
        tick += 1
    finally:
        if s.process.poll() is None:
            s.kill()
    return tick


def test_sigkill_at_system_calls_loses_nothing_acknowledged(tmp_path):
    conf, acked = config(tmp_path), []
    base = tick = int(time.time()) - 30000
    points = lost = 0
    for n in range(KILLS):
        call = CALLS[n % len(CALLS)]
        when = 1 + (n * 7) % 23
        tick = life(tmp_path, conf, ["-e", f"trace={call}", "-e",
                                     f"inject={call}:signal=KILL:when={when}"], tick, acked)
        points += 1
    with tarn.Server(tmp_path, conf) as s:
        q = {"cluster": "c", "from": base, "to": tick + 1,
             "queries": [{"metric": "m0", "host": "h"}]}
        row = s.query(q).json()["results"][0][0]
        found = {base + i: v for i, v in enumerate(row["data"]) if v is not None}
        shift = row["from"] - base
        assert shift >= 0
        lost = sum(1 for t in acked if abs((found.get(t) or -1) - (t % 900 + 0.5)) > 1e-3)
    print(f"syskill: points={points} acked={len(acked)} lost={lost} unopenable=0")
    assert lost == 0 and len(acked) > KILLS
