"""The number of open files does not grow with the hosts: 40,000 of them are written, checkpointed and loaded.

TARN_HOSTS says how many (default 40000).
"""

import os
import pathlib
import tempfile
import threading
import time

import tarn

HOSTS = int(os.environ.get("TARN_HOSTS", "40000"))
POST = 2000
OPEN_MAX = 64


class Watch(threading.Thread):
    """Counts the open files of a process again and again; remembers the most."""

    def __init__(self, pid):
        super().__init__()
        self.directory = f"/proc/{pid}/fd"
        self.most = self.looks = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.002):
            self.most = max(self.most, len(os.listdir(self.directory)))
            self.looks += 1


def memory_directory():
    """A file system without a disk: 40,000 synced files are about the server, not about the disk."""
    shm = pathlib.Path("/dev/shm")
    usable = shm.is_dir() and os.access(shm, os.W_OK) and os.statvfs(shm).f_bavail * 4096 > 1 << 30
    return tempfile.TemporaryDirectory(prefix="tarn-", dir=shm if usable else None)


def test_forty_thousand_hosts_need_few_open_files(tmp_path):
    with memory_directory() as data:
        conf = tarn.config(metric_store={
            "retention-in-memory": "48h", "checkpoint-interval": "12h",
            "checkpoints": {"file-format": "wal", "directory": data}})
        now = int(time.time()) // 60 * 60
        most = {}
        with tarn.Server(tmp_path, conf) as server:
            watch = Watch(server.process.pid)
            watch.start()
            connection = server.connect()
            for first in range(0, HOSTS, POST):
                text = "".join(f"cpu_load,hostname=n{h} value={h} {now}\n"
                               for h in range(first, min(first + POST, HOSTS)))
                answer = server.request("POST", "/api/write?cluster=c", text.encode(),
                                        connection=connection)
                assert answer.status == 200, answer.body
            most["ingest"] = watch.most
            assert server.request("POST", "/api/checkpoint").status in (200, 202)
            until = time.monotonic() + 20 * tarn.DEADLINE_S
            last = f"n{HOSTS - 1}"
            while not (os.path.isdir(f"{data}/c") and len(os.listdir(f"{data}/c")) >= HOSTS and
                       any(pathlib.Path(data, "c", last).glob("*.bin"))):
                assert time.monotonic() < until
                time.sleep(0.05)
            most["checkpoint"] = watch.most
            watch.ended.set()
            watch.join()
            server.process.kill()
            server.process.wait()
        with tarn.Server(tmp_path, conf) as server:
            watch = Watch(server.process.pid)
            watch.start()
            until = time.monotonic() + 20 * tarn.DEADLINE_S
            while server.request("GET", "/readyz").status != 200:
                assert time.monotonic() < until
                time.sleep(0.02)
            watch.ended.set()
            watch.join()
            most["recovery"] = watch.most
            for h in (0, HOSTS // 2, HOSTS - 1):
                row = server.query({"cluster": "c", "from": now - 60, "to": now + 60, "with-padding": False,
                                    "queries": [{"metric": "cpu_load", "host": f"n{h}"}]}).json()
                assert h in row["results"][0][0]["data"]
            server.process.kill()
            server.process.wait()
    print(f"openfiles: hosts={HOSTS} " + " ".join(f"{k}={n}" for k, n in most.items()))
    assert 0 < max(most.values()) <= OPEN_MAX
