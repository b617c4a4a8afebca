"""The packages, built from this tree, and a root to try them in."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE_S = 60


def tool(*command, **more):
    """A command that must succeed; what it said."""
    out = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, **more)
    assert out.returncode == 0, f"{command}:\n{out.stdout[-3000:]}"
    return out.stdout


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed (tools/needs packages)")


@pytest.fixture(scope="session")
def debs():
    """Package name -> file."""
    needs("dpkg-buildpackage", "dh")
    files = [pathlib.Path(line) for line in tool("make", "-s", "deb").split() if line.endswith(".deb")]
    return {f.name.split("_")[0]: f for f in files if "dbgsym" not in f.name}


@pytest.fixture(scope="session")
def rpms():
    """Package name -> file. Not optimized: what is tried is the package."""
    needs("rpmbuild")
    files = [pathlib.Path(line) for line in tool("make", "-s", "rpm", env={**os.environ, "OPTFLAGS": "-O0"}).split()
             if line.endswith(".rpm")]
    return {f.name.split("-0")[0]: f for f in files if "debug" not in f.name}


class Chroot:
    """This machine's files as they were, in memory: what is installed there changes nothing here."""

    def __init__(self, directory):
        self.top = directory
        tool("mount", "-t", "tmpfs", "-o", "size=512m", "tarn-packages", self.top)
        self.path = self.top / "root"
        for name in ("upper", "work", "root"):
            (self.top / name).mkdir()
        tool("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={self.top}/upper,workdir={self.top}/work", "overlay", self.path)
        tool("mount", "-t", "proc", "proc", self.path / "proc")
        tool("mount", "--bind", "/dev", self.path / "dev")

    def close(self):
        for place in ("root/dev", "root/proc", "root", ""):
            subprocess.run(["umount", "-l", self.top / place], capture_output=True)

    def command(self, *words):
        return ["chroot", str(self.path), "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                "DEBIAN_FRONTEND=noninteractive", *map(str, words)]

    def run(self, *words):
        return tool(*self.command(*words))

    def fails(self, *words):
        return subprocess.run(self.command(*words), capture_output=True).returncode != 0

    def take(self, file):
        shutil.copy(file, self.path / "tmp")
        return f"/tmp/{file.name}"

    def file(self, path):
        return self.path / path.lstrip("/")


@pytest.fixture
def chroot(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a root to try packages in")
    try:
        c = Chroot(tmp_path)
    except AssertionError as e:
        subprocess.run(["umount", "-l", tmp_path], capture_output=True)
        pytest.skip(f"no overlay can be mounted here: {e}")
    try:
        yield c
    finally:
        c.close()


class Service:
    """The installed store, run as its user in its directory, as the unit does."""

    def __init__(self, chroot):
        self.chroot = chroot
        path = chroot.file("/etc/tarn/config.json")
        if "127.0.0.1:8082" in path.read_text():
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            path.write_text(path.read_text().replace("127.0.0.1:8082", f"127.0.0.1:{port}"))
        self.port = int(json.loads(path.read_text())["main"]["addr"].split(":")[1])

    def __enter__(self):
        self.log = self.chroot.top / "serve.log"
        self.process = subprocess.Popen(self.chroot.command(
            "setpriv", "--reuid", "tarn", "--regid", "tarn", "--init-groups", "sh", "-c",
            "umask 0027; cd /var/lib/tarn && exec /usr/bin/tarn serve -config /etc/tarn/config.json"),
            stdout=open(self.log, "wb"), stderr=subprocess.STDOUT)
        end = time.monotonic() + DEADLINE_S
        while True:
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.05)

    def __exit__(self, *exc):
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0, self.log.read_text()

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            c.request(method, path, body)
            a = c.getresponse()
            return a.status, a.read()
        finally:
            c.close()

    def write(self, now):
        assert self.ask("POST", "/api/write?cluster=c", f"cpu_load,hostname=h value=42 {now}")[0] == 200

    def has(self, now):
        request = {"cluster": "c", "from": now - 120, "to": now + 120, "queries": [{"metric": "cpu_load", "host": "h"}]}
        return b"42.000" in self.ask("GET", "/api/query", json.dumps(request))[1]
