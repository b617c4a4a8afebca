"""Hosts with running jobs keep their samples: main.backend-url."""

import http.server
import json
import threading
import time

import pytest

import tarn

METRICS = {"cpu_load": {"frequency": 1, "aggregation": None}}


class Backend(http.server.ThreadingHTTPServer):
    """Answers as told: status, body, and how long it takes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.delay_s, self.seen = 200, "{}", 0, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        time.sleep(self.server.delay_s)
        body = self.server.body.encode()
        try:
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # it gave up

    def log_message(self, *args):
        pass


@pytest.fixture
def backend():
    with Backend() as b:
        yield b


def conf(url, retention="2s", **more):
    out = tarn.config(main={"backend-url": url},
                      metric_store={"retention-in-memory": retention,
                                    "checkpoints": {"directory": "./checkpoints"}}, **more)
    out["metrics"] = METRICS
    return out


def own(s):
    return s.metrics()


def until(condition, deadline_s=20):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition does not come true"
        time.sleep(0.05)


def has(s, host):
    answer = s.query({"cluster": "c", "from": 0, "to": int(time.time()) + 10,
                      "queries": [{"metric": "cpu_load", "host": host}]})
    entries = answer.json()["results"][0]
    return bool(entries) and not entries[0].get("error")


def write(s, *hosts):
    assert s.write("".join(f"cpu_load,hostname={h} value=1\n" for h in hosts)).status == 200


@pytest.mark.parametrize("body", ['{"c": ["busy"], "other": null}',
                                  '{"usedNodes": {"c": ["busy"]}}'])
def test_a_host_with_a_job_is_kept_beyond_the_retention(tmp_path, backend, body):
    backend.body = body
    token = tmp_path / "token"
    token.write_text("abc.def.ghi\n")
    with tarn.Server(tmp_path, conf(backend.url + "/", tarn={"backend-token-file": str(token)})) as s:
        write(s, "busy", "idle")
        until(lambda: not has(s, "idle"))
        assert has(s, "busy")
        assert own(s)["tarn_used_nodes"] == 1 and own(s)["tarn_used_nodes_failed_total"] == 0
        path, authorization = backend.seen[0]
        assert path.startswith("/api/jobs/used_nodes?ts=") and authorization == "Bearer abc.def.ghi"
        # The job ends.
        backend.body = "{}"
        until(lambda: not has(s, "busy"))


def test_when_the_backend_fails_the_last_answer_counts_also_after_a_restart(tmp_path, backend):
    backend.body = '{"c": ["busy"]}'
    s = tarn.Server(tmp_path, conf(backend.url))
    s.start()
    write(s, "busy", "idle")
    until(lambda: own(s)["tarn_used_nodes"] == 1)
    backend.status = 500
    until(lambda: not has(s, "idle") and own(s)["tarn_used_nodes_failed_total"] > 1)
    assert has(s, "busy")
    assert "the last answer counts" in s.log()
    assert s.stop() == 0
    kept = tmp_path / "checkpoints" / ".tarn" / "state" / "used-nodes.json"
    assert json.loads(kept.read_text()) == {"c": ["busy"]}
    time.sleep(2.5)  # everything is older than the retention now
    with s:
        until(lambda: own(s)["tarn_used_nodes_failed_total"] > 1)
        assert has(s, "busy")
        assert own(s)["tarn_used_nodes_answer_time_seconds"] == 0


@pytest.mark.parametrize("status, body", [(401, "{}"), (200, "[1, 2"), (200, '{"c": 7}'), (404, "")])
def test_a_useless_answer_is_counted_and_said(tmp_path, backend, status, body):
    backend.status, backend.body = status, body
    with tarn.Server(tmp_path, conf(backend.url)) as s:
        until(lambda: own(s)["tarn_used_nodes_failed_total"] > 0)
        s.wait_log("nodes with running jobs: ")


def test_a_backend_that_hangs_holds_up_neither_requests_nor_the_stop(tmp_path, backend):
    backend.delay_s = 3600
    with tarn.Server(tmp_path, conf(backend.url)) as s:
        until(lambda: backend.seen)
        write(s, "h")
        assert has(s, "h")
        began = time.monotonic()
        assert s.stop() == 0
        assert time.monotonic() - began < 8
    backend.delay_s = 0
