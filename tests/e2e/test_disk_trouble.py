"""Trouble with the disk, made by the kernel and by failing calls: nothing false is acknowledged, queries go on, the
state shows, and it heals by itself when the disk does.

Each trouble runs the same life of a server: samples, trouble until writes are refused, repair until they are taken
again, kill -9, restart. What the kernel does not let this user do is skipped and said.
"""

import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import seam
import tarn

METRICS = {"m": {"frequency": 1, "aggregation": None}}


class Healthy:
    """A data directory on an ordinary disk, and a server on it. The base of all troubles."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"

    def open(self):
        """Raises pytest.skip when this system does not allow it."""

    def close(self):
        pass

    def server(self):
        conf = tarn.config(metric_store={"checkpoints": {"file-format": "wal", "directory": str(self.data)}})
        conf["metrics"] = METRICS
        return self.start(conf)

    def start(self, conf):
        return tarn.Server(self.directory, conf)


class Prefixed(tarn.Server):
    """The server as what a command becomes: the command replaces itself by it."""

    def __init__(self, directory, conf, prefix):
        super().__init__(directory, conf)
        self.command = [*prefix, *self.command]


class Namespace(Healthy):
    """The data directory is seen through mounts of our own, in a mount namespace that a sleeping process holds."""

    SETUP = "true"

    def open(self):
        self.data.mkdir()
        self.user = [] if os.geteuid() == 0 else ["-Ur"]
        self.holder = subprocess.Popen(
            ["unshare", "-m", *self.user, "sh", "-c", f"{self.SETUP} && echo ready && exec sleep 600", "sh",
             str(self.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            why = self.holder.stderr.read().strip()
            self.close()
            pytest.skip(f"no file system can be mounted here ({why}); the simulated disk shows the same in "
                        "tests/unit/test_vfs_mem.c and tests/fault/test_vault_io.c")

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()

    def enter(self):
        return ["nsenter", "-t", str(self.holder.pid), "-m", *(["-U", "--preserve-credentials"] if self.user else [])]

    def run(self, script):
        subprocess.run([*self.enter(), "sh", "-ec", script, "sh", str(self.data)], check=True)

    def start(self, conf):
        return Prefixed(self.directory, conf, self.enter())


class Full(Namespace):
    """A file system of 48 MiB without room."""

    SETUP = 'mount -t tmpfs -o size=48m tarn-test "$1"'

    def break_(self):
        self.run('dd if=/dev/zero of="$1/ballast" bs=64k 2>/dev/null || true; dd if=/dev/zero bs=1k >>"$1/ballast" '
                 '2>/dev/null || true')

    def repair(self):
        self.run('rm "$1/ballast"')


class ReadOnly(Namespace):
    """The log and the hosts' directories lie on a mount that was made read-only.

    (The kernel refuses that while a file of this mount is open for writing, so a second mount of the same
    directories is laid over them: every path leads to it.)
    """

    def break_(self):
        self.run('for d in "$1/.tarn/log" "$1/c"; do mkdir -p "$d"; mount --bind "$d" "$d"; '
                 'mount -o remount,bind,ro "$d"; done')

    def repair(self):
        self.run('umount "$1/.tarn/log"; umount "$1/c"')


class Forbidden(Healthy):
    """Directories that the server's user may not write. For root that needs to give up being above permissions."""

    def open(self):
        self.prefix = []
        if os.geteuid() == 0:
            self.prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
            if not shutil.which("setpriv") or subprocess.run([*self.prefix, "true"], check=False).returncode:
                pytest.skip("root is above permissions here")

    def start(self, conf):
        return Prefixed(self.directory, conf, self.prefix)

    def break_(self):
        (self.data / "c").mkdir(exist_ok=True)
        for d in (self.data / ".tarn" / "log", self.data / "c"):
            d.chmod(0o500)

    def repair(self):
        for d in (self.data / ".tarn" / "log", self.data / "c"):
            d.chmod(0o755)


class Failing(Healthy):
    """Calls that fail, on files that are open already too."""

    CALLS = {}

    def open(self):
        self.seam = seam.Seam(self.directory)

    def start(self, conf):
        return seam.Server(self.directory, conf, self.seam)

    def break_(self):
        self.seam.fail(**self.CALLS)

    def repair(self):
        self.seam.heal()


class WritesFail(Failing):
    CALLS = {"write": errno.EIO}


class SyncsFail(Failing):
    CALLS = {"sync": errno.EIO}


class DiskFillsWhileOpen(Failing):
    CALLS = {"write": errno.ENOSPC, "space": errno.ENOSPC}


class TurnsReadOnlyWhileOpen(Failing):
    """What a file system does to itself after an error."""

    CALLS = {"write": errno.EROFS, "sync": errno.EROFS, "space": errno.EROFS, "change": errno.EROFS}


TROUBLES = [Full, ReadOnly, Forbidden, WritesFail, SyncsFail, DiskFillsWhileOpen, TurnsReadOnlyWhileOpen]


class Life:
    """Samples that were tried and those that were acknowledged: one tick after the other, two hosts."""

    def __init__(self):
        self.next = self.base = int(time.time()) - 30000
        self.tried, self.acked = {}, {}

    def write(self, server):
        tick, self.next = self.next, self.next + 1
        samples = {("a", tick): tick % 1000 + 0.25, ("b", tick): tick % 1000 + 0.75}
        self.tried.update(samples)
        answer = server.write("".join(f"m,hostname={h} value={v} {t}\n" for (h, t), v in samples.items()))
        if answer.status == 200:
            self.acked.update(samples)
        return answer

    def write_until(self, server, status):
        until = time.monotonic() + 2 * tarn.DEADLINE_S
        while (answer := self.write(server)).status != status:
            assert answer.status in (200, 503), answer.text
            assert time.monotonic() < until, f"no {status} comes, but {answer.status} {answer.text}"
            time.sleep(0.01)
        return answer

    def found(self, server):
        answer = server.query({"cluster": "c", "from": self.base, "to": self.next, "with-padding": False,
                               "queries": [{"metric": "m", "host": h} for h in "ab"]})
        assert answer.status == 200, answer.text
        out = {}
        for host, entry in zip("ab", answer.json()["results"]):
            for series in entry:
                out.update({(host, series["from"] + i): v for i, v in enumerate(series["data"]) if v is not None})
        return out

    def check(self, server):
        found = self.found(server)
        lost = {k: v for k, v in self.acked.items() if found.get(k) != v}
        invented = {k: v for k, v in found.items() if self.tried.get(k) != v}
        assert not lost and not invented


def wait_until(condition, what):
    until = time.monotonic() + tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)


def in_trouble(server, life):
    """Writes are refused; everything else works and says so."""
    answer = life.write_until(server, 503)
    assert answer.header("Retry-After")
    life.check(server)
    ready = server.request("GET", "/readyz")
    assert ready.status == 503 and "writes are refused: " in ready.text and len(ready.text) > 30
    assert server.request("GET", "/healthz").status == 200
    metrics = server.metrics()
    assert metrics["tarn_log_failing"] == 1 and metrics["tarn_log_failures_total"] >= 1
    assert metrics["tarn_ready"] == 1  # loaded: queries are answered
    assert metrics["tarn_checkpoints_failed_total"] >= 1
    assert server.request("POST", "/api/checkpoint").status == 503
    for _ in range(3):
        assert life.write(server).status == 503
    assert server.log().count("samples are refused until it can be written") == 1


def healed(server, life):
    life.write_until(server, 200)
    wait_until(lambda: server.request("GET", "/readyz").status == 200, "/readyz")
    assert server.metrics()["tarn_log_failing"] == 0
    assert "log: can be written again, samples are accepted" in server.log()
    for _ in range(3):
        assert life.write(server).status == 200


@pytest.mark.parametrize("kind", TROUBLES, ids=lambda kind: kind.__name__)
def test_writes_are_refused_while_the_disk_fails_and_nothing_acknowledged_is_lost(tmp_path, kind):
    trouble, life = kind(tmp_path), Life()
    trouble.open()
    with contextlib.ExitStack() as stack:
        stack.callback(trouble.close)
        server = trouble.server()
        server.start()
        stack.callback(server.process.kill)
        for _ in range(5):
            assert life.write(server).status == 200
        trouble.break_()
        # A new segment of the log and a file of the host are what a checkpoint needs.
        assert server.request("POST", "/api/checkpoint").status == 503
        in_trouble(server, life)
        trouble.repair()
        healed(server, life)
        life.check(server)
        assert server.request("POST", "/api/checkpoint").status == 200
        assert life.write(server).status == 200
        server.process.kill()
        server.process.wait()
        with trouble.server() as again:
            life.check(again)
            assert life.write(again).status == 200
    print(f"disktrouble {kind.__name__.lower()}: acked={len(life.acked)} refused={len(life.tried) - len(life.acked)} "
          "lost=0 invented=0")


def test_a_kill_while_the_disk_fails_loses_nothing_that_was_acknowledged(tmp_path):
    disk, life = SyncsFail(tmp_path), Life()
    disk.open()
    for _ in range(3):
        server = disk.server()
        server.start()
        life.check(server)
        for _ in range(5):
            assert life.write(server).status == 200
        disk.break_()
        life.write_until(server, 503)
        server.process.kill()
        server.process.wait()
        disk.repair()
    with disk.server() as server:
        life.check(server)


def test_half_written_calls_are_completed(tmp_path):
    disk, life = Failing(tmp_path), Life()
    disk.open()
    disk.seam.fail(write=-1)
    server = disk.server()
    server.start()
    for _ in range(20):
        assert life.write(server).status == 200
    assert server.request("POST", "/api/checkpoint").status == 200
    assert life.write(server).status == 200
    server.process.kill()
    server.process.wait()
    disk.repair()
    with disk.server() as again:
        life.check(again)


def test_a_stop_while_the_disk_fails_ends_in_time_and_says_so(tmp_path):
    disk, life = WritesFail(tmp_path), Life()
    disk.open()
    server = disk.server()
    server.start()
    for _ in range(5):
        assert life.write(server).status == 200
    disk.break_()
    life.write_until(server, 503)
    server.stop()
    assert "the last checkpoint failed, the log has what it lacks: " in server.log()
    disk.repair()
    with disk.server() as again:
        life.check(again)
