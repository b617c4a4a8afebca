"""Running the tarn binary in tests: start, talk, stop. Only the standard library."""

import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TARN", ROOT / "build" / "tarn")).resolve()
DEADLINE_S = 30

METRICS = {
    "cpu_load": {"frequency": 60, "aggregation": None},
    "flops_any": {"frequency": 60, "aggregation": "sum"},
    "clock": {"frequency": 60, "aggregation": "avg"},
}


def config(**sections):
    """A configuration on a free port of loopback; sections given are merged over it."""
    out = {
        "main": {"addr": "127.0.0.1:0"},
        "metric-store": {"retention-in-memory": "48h", "memory-cap": 0},
        "metrics": METRICS,
    }
    for name, keys in sections.items():
        name = name.replace("_", "-")
        out[name] = {**out.get(name, {}), **keys}
    return out


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.getheaders()
        self.body = response.read()

    def header(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Server:
    """tarn serve as a child process. Use as a context manager."""

    def __init__(self, directory, conf, args=(), name="serve", env=None, tls=None):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "config.json"
        if conf is not None:
            self.path.write_text(json.dumps(conf))
        self.log_path = self.directory / "stderr.txt"
        self.out_path = self.directory / "stdout.txt"
        self.tls = tls
        self.command = [str(BINARY), name] if name == "serve" else [name]
        if conf is not None:
            self.command += ["-config", str(self.path)]
        self.command += ["-loglevel", "info", *args]
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.port = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, failure=None, *_):
        if failure and self.process:
            self.process.kill()  # a stop that takes long would hide why the test failed
            self.process.wait()
        elif self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
            # A sanitizer speaks at the end, and a leak is a failure too.
            assert self.process.returncode == 0, self.log()[-4000:]

    def start(self):
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(
                self.command, cwd=self.directory, stdout=out, stderr=log, env=self.env,
                stdin=subprocess.DEVNULL)
        self.port = int(self.wait_log(r"listening at .* \(port (\d+)\)").group(1))

    def log(self):
        return self.log_path.read_text(errors="replace")

    def out(self):
        return self.out_path.read_text(errors="replace")

    def wait_log(self, pattern, deadline_s=DEADLINE_S):
        """Waits for a line of the log; fails when the process ends or the time is over."""
        until = time.monotonic() + deadline_s
        while True:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.log())
            if found:
                return found
            assert not ended, f"tarn ended with {self.process.returncode}:\n{self.log()}"
            assert time.monotonic() < until, f"no {pattern!r} in the log:\n{self.log()}"
            time.sleep(0.01)

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=DEADLINE_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def request(self, method, path, body=None, headers=None, connection=None):
        c = connection or self.connect()
        try:
            c.request(method, path, body=body, headers=headers or {})
            return Answer(c.getresponse())
        finally:
            if not connection:
                c.close()

    def write(self, text, cluster="c", token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.request("POST", f"/api/write?cluster={cluster}", text.encode(), headers)

    def query(self, request, token=None, method="GET"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.request(method, "/api/query", json.dumps(request).encode(), headers)

    def metrics(self):
        """The store's own numbers: {name with its labels: value}."""
        return numbers(self.request("GET", "/metrics").text)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(DEADLINE_S)


def numbers(exposition):
    """Prometheus text as {name with its labels: value}."""
    lines = (line for line in exposition.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def run(*args, cwd=None, env=None, stdin=None, timeout=60):
    """One command to its end; text output."""
    return subprocess.run(
        [str(BINARY), *map(str, args)], cwd=cwd, env={**os.environ, **(env or {})}, input=stdin,
        capture_output=True, text=True, timeout=timeout)


def insecure_tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
