"""Limits, bad input and slow clients; what is refused is answered, counted and harms nobody."""

import gzip
import json
import pathlib
import re
import socket
import threading
import time

import pytest

import tarn

LINE = "cpu_load,hostname=h value=1\n"


def metrics(server, headers=None):
    text = server.request("GET", "/metrics", headers=headers).text
    return {m.group(1): float(m.group(2))
            for m in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def raw(server, data, until_closed=True, timeout=20):
    """Sends bytes as they are; returns what comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as s:
        s.sendall(data)
        if until_closed:
            s.shutdown(socket.SHUT_WR)
        out = b""
        try:
            while piece := s.recv(65536):
                out += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return out


@pytest.fixture
def small(tmp_path):
    """A server with small limits."""
    conf = tarn.config(tarn={"limits": {
        "body": "100KiB", "line": "1KiB", "header": "4KiB", "uri": "2KiB", "connections": 20,
        "queries": 10, "time-range": "24h", "head-timeout": "2s", "idle-timeout": "2s",
        "total-timeout": "10s", "request-memory": "1MiB"}})
    with tarn.Server(tmp_path, conf) as s:
        yield s


def still_works(server):
    assert server.write(LINE).status == 200


def test_a_bad_line_is_named_and_costs_itself(server):
    now = int(time.time())
    r = server.write(f"cpu_load,hostname=h value=1 {now - 120}\n"
                     f"cpu_load,hostname=h value=x {now - 60}\n"
                     f"cpu_load,hostname=h value=3 {now}\n")
    assert r.status == 400
    assert "at line 2:27" in r.json()["error"] and r.json()["status"] == "Bad Request"
    got = server.query({"cluster": "c", "from": now - 120, "to": now + 60, "queries": [
        {"metric": "cpu_load", "host": "h"}]}).json()["results"][0][0]["data"]
    assert got == [1, None, 3]


def test_what_is_refused_and_skipped_is_counted_by_reason(server):
    server.write(LINE + "unknown,hostname=h value=1\nclock,hostname=h valu=1\nclock value=1\n"
                 "clock,hostname=../x value=1\n"
                 f"clock,hostname=h value=1 {int(time.time()) + 90000}\n")
    got = metrics(server)
    assert got["tarn_samples_stored_total"] == 1

    def count(what):
        return sum(v for k, v in got.items() if k.startswith(f"tarn_ingest_lines_{what}_total"))

    assert count("refused") == 3 and count("skipped") == 2
    assert got['tarn_http_requests_total{route="/api/write",code="400"}'] == 1
    assert got["tarn_auth_required"] == 0 and got["tarn_hosts"] == 1 and got["tarn_store_bytes"] > 0


def test_a_body_over_the_limit_is_413(small):
    r = small.write(LINE * 10000)
    assert r.status == 413
    packed = gzip.compress((LINE * 10000).encode())
    r = small.request("POST", "/api/write?cluster=c", packed, {"Content-Encoding": "gzip"})
    assert r.status == 413
    still_works(small)


def test_compressed_bodies_and_answers_are_understood(server):
    now = int(time.time())
    lines = "".join(f"cpu_load,hostname=h{i} value={i} {now}\n" for i in range(500))
    r = server.request("POST", "/api/write?cluster=c", gzip.compress(lines.encode()),
                       {"Content-Encoding": "gzip"})
    assert r.status == 200
    body = json.dumps({"cluster": "c", "from": now - 60, "to": now + 60,
                       "for-all-nodes": ["cpu_load"]}).encode()
    plain = server.request("GET", "/api/query", body)
    packed = server.request("GET", "/api/query", body, {"Accept-Encoding": "gzip"})
    assert packed.header("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(plain.json()["results"]) == 500


def test_a_line_over_the_limit_is_refused_and_the_others_stored(small):
    r = small.write(LINE + "cpu_load,hostname=" + "x" * 2000 + " value=1\n" + LINE)
    assert r.status == 400 and "at line 2:" in r.json()["error"]
    assert metrics(small)["tarn_samples_stored_total"] == 2


def test_headers_and_targets_over_the_limit_are_refused(small):
    assert small.request("GET", "/healthz", headers={"X": "y" * 20000}).status == 431
    assert small.request("GET", "/healthz?" + "x" * 3000).status in (414, 431)
    still_works(small)


def test_absurd_queries_are_refused_without_taking_memory(small):
    now = int(time.time())
    small.write(f"cpu_load,hostname=h value=1 {now}\n")
    q = {"metric": "cpu_load", "host": "h"}
    assert small.query({"cluster": "c", "from": 0, "to": now, "queries": [q]}).status == 400
    r = small.query({"cluster": "c", "from": now - 10, "to": now, "queries": [q] * 11})
    assert r.status in (400, 413)
    assert small.query({"cluster": "c", "from": -2**63, "to": 2**63 - 1,
                        "queries": [q]}).status == 400
    r = small.query({"cluster": "c", "from": now - 10, "to": now, "queries": [
        {**q, "type": "hwthread", "type-ids": ["x" * 500] * 100000}]})
    assert r.status in (400, 413, 503)
    still_works(small)


def test_any_range_is_answered_from_what_is_stored(server):
    now = int(time.time())
    server.write(f"cpu_load,hostname=h value=1 {now}\n")
    for first, last in ((0, 10**12), (-2**63, 2**63 - 1), (now - 60, 2**62)):
        r = server.query({"cluster": "c", "from": first, "to": last, "with-padding": False,
                          "queries": [{"metric": "cpu_load", "host": "h"}]})
        assert r.status == 200
        assert r.json()["results"][0][0]["data"] == [1]


def test_a_truncated_body_is_refused_and_its_last_line_dropped(server):
    now = int(time.time())
    body = f"cpu_load,hostname=h value=1 {now}\ncpu_load,hostname=g value=12".encode()
    head = b"POST /api/write?cluster=c HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
    answer = raw(server, head + body)
    assert b" 400 " in answer.split(b"\r\n")[0] or not answer
    until = time.monotonic() + 10
    while metrics(server)["tarn_http_truncated_total"] < 1 and time.monotonic() < until:
        time.sleep(0.02)
    got = metrics(server)
    assert got["tarn_http_truncated_total"] == 1
    assert got["tarn_samples_stored_total"] == 1 and got["tarn_hosts"] == 1


@pytest.mark.parametrize("data", [
    b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /api/write HTTP/1.1\r\n"
    b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_bytes_that_are_no_request_harm_nobody(small, data):
    answer = raw(small, data)
    assert not answer or b"root:" not in answer
    still_works(small)


def test_selectors_of_any_length_get_an_answer(server):
    for n in (1, 100, 280, 290, 291, 292, 293, 300, 400, 1000, 4000):
        for unit in ("a", "%01", "a:", "%22"):
            r = server.request("GET", f"/api/debug?selector={unit * n}")
            assert r.status in (400, 414), (n, unit)
    assert server.request("POST", f"/api/free?to={'x' * 1000}", b"[]").status == 500
    still_works(server)


def test_hostile_names_never_become_files(server):
    names = ["../../tmp/x", "a/b", "..", ".", "a\\\\b", "/etc"]
    body = "".join(f"cpu_load,cluster={n},hostname={n} value=1\n" for n in names)
    server.write(body)
    assert metrics(server)["tarn_hosts"] == 0
    assert sorted(p.name for p in server.directory.iterdir()) == [
        "config.json", "stderr.txt", "stdout.txt", "var"]
    data = server.directory / "var" / "checkpoints"
    assert [p.name for p in data.iterdir()] == [".tarn"]


def test_connections_over_the_limit_are_refused_and_others_served(small):
    held = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(40)]
    try:
        time.sleep(0.2)
        refused = 0
        for s in held:
            s.settimeout(0.3)
            try:
                refused += s.recv(100) != b"nothing"
            except TimeoutError:
                pass
            except OSError:
                refused += 1
        assert refused >= 15
    finally:
        for s in held:
            s.close()
    time.sleep(0.1)
    still_works(small)
    assert metrics(small)["tarn_http_connections_refused_total"] >= 15


def test_slow_clients_hold_up_nobody(small):
    head = b"POST /api/write?cluster=c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    slow = []
    for i in range(15):
        s = socket.create_connection(("127.0.0.1", small.port))
        s.sendall(head if i % 2 else head[:20])
        slow.append(s)
    try:
        for _ in range(50):
            begun = time.monotonic()
            still_works(small)
            assert time.monotonic() - begun < 2
        # And they are cut: the limit of connections is free again.
        until = time.monotonic() + 25
        while metrics(small)["tarn_http_connections"] > 3 and time.monotonic() < until:
            time.sleep(0.2)
        assert metrics(small)["tarn_http_connections"] <= 3
    finally:
        for s in slow:
            s.close()


def test_a_reader_that_stops_reading_holds_up_nobody(server):
    now = int(time.time())
    for k in range(20):
        server.write("".join(f"cpu_load,hostname=h{i} value=1.5 {now - 60 * k}\n"
                             for i in range(2000)))
    body = json.dumps({"cluster": "c", "from": now - 1200, "to": now + 60,
                       "for-all-nodes": ["cpu_load"] * 20}).encode()
    lazy = []
    try:
        for _ in range(8):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", server.port))
            s.sendall(b"GET /api/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                      % len(body) + body)
            lazy.append(s)
        time.sleep(0.3)
        begun = time.monotonic()
        for _ in range(20):
            still_works(server)
        assert time.monotonic() - begun < 10
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        assert int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) < 150 * 1024
    finally:
        for s in lazy:
            s.close()


def test_writers_readers_and_frees_work_side_by_side(server):
    stop = threading.Event()
    failures = []

    def work(what):
        c = server.connect()
        try:
            while not stop.is_set():
                status = what(c)
                if status != 200:
                    failures.append(status)
        except Exception as e:  # noqa: BLE001 - whatever it is, the test must see it
            failures.append(repr(e))
        finally:
            c.close()

    def write(c):
        now = int(time.time())
        text = "".join(f"flops_any,hostname=h{i},type=hwthread,type-id={t} value={i}.25 {now}\n"
                       for i in range(20) for t in range(4))
        return server.request("POST", "/api/write?cluster=c", text.encode(), connection=c).status

    def query(c):
        now = int(time.time())
        body = json.dumps({"cluster": "c", "from": now - 600, "to": now,
                           "for-all-nodes": ["flops_any"]}).encode()
        r = server.request("GET", "/api/query", body, connection=c)
        json.loads(r.body)
        return r.status

    def free(c):
        time.sleep(0.02)
        return server.request("POST", f"/api/free?to={int(time.time()) + 100}",
                              b'[["c","h1"],["c","h2"]]', connection=c).status

    threads = [threading.Thread(target=work, args=(w,)) for w in (write, write, query, query, free)]
    for t in threads:
        t.start()
    time.sleep(2)
    stop.set()
    for t in threads:
        t.join()
    assert not failures


def test_memory_stays_below_the_cap_while_samples_keep_coming(tmp_path):
    conf = json.loads(tarn.run("bench", "ingest", "--print-config").stdout)
    conf["main"]["addr"] = "127.0.0.1:0"
    conf["metric-store"]["memory-cap"] = 1
    with tarn.Server(tmp_path, conf) as s:
        r = tarn.run("bench", "ingest", "--url", f"http://127.0.0.1:{s.port}", "--hosts", 8,
                     "--ticks", 60, "--json")
        assert r.returncode == 0
        got = metrics(s)
        assert got["tarn_store_cap_bytes"] == 1e9
        assert got["tarn_store_bytes"] < 1e9


def test_an_idle_server_is_small(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    assert int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) <= 6 * 1024
    assert int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) <= 20 * 1024
