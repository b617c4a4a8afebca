"""No byte of an answer leaves before the sync that covers its samples: the real binary under strace.

TARN_ACKS says how many answers are audited (default 200).
"""

import os
import re
import shutil
import subprocess
import time

import pytest

import tarn

ACKS = int(os.environ.get("TARN_ACKS", "200"))
CALL = re.compile(r"^(\d+) +[\d.]+ (\w+)\((\d+)<([^>]*)>")
RESUMED = re.compile(r"^(\d+) +[\d.]+ <\.\.\. (\w+) resumed>.*= (-?\d+)")


class Traced(tarn.Server):
    """The server as a child of strace."""

    def __init__(self, directory, conf, trace):
        super().__init__(directory, conf)
        self.command = ["strace", "-f", "-ttt", "-y", "-s", "64", "-o", str(trace), "-e",
                        "trace=pwrite64,fdatasync,send,sendto,sendmsg,writev,write", *self.command]

    def stop_child(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        subprocess.run(["kill", "-TERM", *children.stdout.split()], check=True)
        assert self.process.wait(tarn.DEADLINE_S) == 0


def audit(trace):
    """(answers, those that left before their sync, syncs) of writes that came one after the other.

    Each POST adds to the log: between two answers there is a write to a segment, and after the last such
    write a sync of it that has returned.
    """
    answers = early = syncs = 0
    written = False   # a segment has bytes that no completed sync covers
    since = False     # a segment was written since the last answer
    pending = {}      # thread -> file of an fdatasync that has not returned
    for line in trace.splitlines():
        resumed = RESUMED.match(line)
        if resumed:
            thread, call, result = resumed.groups()
            if call == "fdatasync" and pending.pop(thread, None) and result == "0":
                syncs += 1
                written = False
            continue
        call = CALL.match(line)
        if not call:
            continue
        thread, name, _, path = call.groups()
        is_segment = path.endswith(".log") and "/.tarn/log/" in path
        if name == "pwrite64" and is_segment:
            written = since = True
        elif name == "fdatasync" and is_segment:
            if "unfinished" in line:
                pending[thread] = path
            elif line.rstrip().endswith("= 0"):
                syncs += 1
                written = False
        elif "HTTP/1.1 200" in line:
            answers += 1
            early += written or not since
            since = False
    return answers, early, syncs


def run(tmp_path, durability):
    trace = tmp_path / "trace.txt"
    conf = tarn.config(tarn={"durability": durability, "sync-interval": "500ms", "workers": 1})
    server = Traced(tmp_path, conf, trace)
    server.start()
    connection = server.connect()
    now = int(time.time()) - ACKS
    for i in range(ACKS):
        answer = server.request("POST", "/api/write?cluster=c",
                                f"cpu_load,hostname=h{i % 7} value={i} {now + i}\n".encode(),
                                connection=connection)
        assert answer.status == 200
    connection.close()
    server.stop_child()
    return audit(trace.read_text(errors="replace"))


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_an_answer_leaves_after_the_sync_of_its_samples(tmp_path):
    answers, early, syncs = run(tmp_path, "sync")
    print(f"ackaudit: acks={answers} early={early} syncs={syncs}")
    assert answers == ACKS
    assert early == 0
    assert syncs >= ACKS


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_audit_notices_answers_that_do_not_wait(tmp_path):
    answers, early, _ = run(tmp_path, "interval")
    assert answers == ACKS
    assert early > ACKS / 2
