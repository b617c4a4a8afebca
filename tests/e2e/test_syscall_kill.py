"""SIGKILL at system calls of a whole life: start, writes, checkpoint, late data, checkpoint, stop.

strace counts the calls of each thread and kills at the n-th of a kind; what was answered with 200 before is there
after the next start. TARN_SYSKILL_DEPTH says how many n of each kind are tried (default 4; each costs about a second).
"""

import http.client
import os
import shutil
import subprocess
import time

import pytest

import tarn

DEPTH = int(os.environ.get("TARN_SYSKILL_DEPTH", "4"))
CALLS = ["pwrite64", "fdatasync", "fsync", "openat", "rename", "unlink", "mkdir", "ftruncate", "fallocate", "close"]
POINTS = [(call, n) for call in CALLS for n in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144][:DEPTH]]


class Killed(tarn.Server):
    """The server under strace, which kills it at the n-th call of a kind that a thread makes."""

    def __init__(self, directory, conf, call, n):
        super().__init__(directory, conf)
        self.command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={n}", *self.command]

    def ended(self):
        return self.process.poll() is not None


def write(server, acked, samples):
    text = "".join(f"cpu_load,hostname={h} value={v} {t}\n" for h, t, v in samples)
    if server.write(text).status == 200:
        acked.update({(h, t): v for h, t, v in samples})


def life(server, acked, now):
    """Everything a store does; ends early, in silence, when the process is killed."""
    try:
        server.start()
        for k in range(6):
            write(server, acked, [(f"h{i}", now - 7200 + 60 * k, 10 * k + i) for i in range(3)])
        server.request("POST", "/api/checkpoint")
        for k in range(6, 12):
            write(server, acked, [(f"h{i}", now - 7200 + 60 * k, 10 * k + i) for i in range(3)])
        write(server, acked, [("h0", now - 7200 - 600, 0.5)])  # late: its file is written again
        server.request("POST", "/api/checkpoint")
        children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True)
        subprocess.run(["kill", "-TERM", *children.stdout.split()], check=False)
        server.process.wait(tarn.DEADLINE_S)
    except (AssertionError, OSError, http.client.HTTPException):
        server.process.wait(tarn.DEADLINE_S)


def lost(server, acked):
    missing = dict(acked)
    for host in {h for h, _ in acked}:
        times = [t for h, t in acked if h == host]
        answer = server.query({"cluster": "c", "from": min(times) - 60, "to": max(times) + 120,
                               "with-padding": False, "queries": [{"metric": "cpu_load", "host": host}]}).json()
        for entry in answer["results"][0]:
            for k, v in enumerate(entry.get("data", [])):
                key = (host, entry["from"] + 60 * k)
                if key in missing and missing[key] == v:
                    del missing[key]
    return missing


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_what_was_acknowledged_survives_a_kill_at_any_call(tmp_path):
    killed = acked_all = 0
    for call, n in POINTS:
        directory = tmp_path / f"{call}-{n}"
        directory.mkdir()
        acked = {}
        now = int(time.time()) // 60 * 60
        server = Killed(directory, tarn.config(tarn={"workers": 1}), call, n)
        life(server, acked, now)
        killed += server.process.returncode != 0
        acked_all += len(acked)
        with tarn.Server(directory, tarn.config()) as again:
            missing = lost(again, acked)
            assert not missing, f"killed at {call} number {n}: {missing}"
    print(f"syskill: points={len(POINTS)} killed={killed} acked={acked_all} lost=0 unopenable=0")
    assert killed > len(POINTS) / 3
