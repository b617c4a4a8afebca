"""Each key of tarn.limits: beyond it there is a status, words that say why, and a counter that moves."""

import json
import re
import socket
import time

import pytest

import tarn

LINE = "cpu_load,hostname=h value=1\n"
QUERY = {"metric": "cpu_load", "host": "h"}


def talk(server, *pieces):
    """Sends the pieces and returns what comes until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=tarn.DEADLINE_S) as s:
        for piece in pieces:
            s.sendall(piece)
        out = b""
        try:
            while piece := s.recv(65536):
                out += piece
        except ConnectionResetError:
            pass
        return out.decode()


def post(server, path, body):
    answer = server.request("POST", path, body)
    return f"HTTP/1.1 {answer.status} \r\n\r\n{answer.text}"


def query(server, **request):
    return post(server, "/api/query", json.dumps(
        {"cluster": "c", "from": 0, "to": 10, "queries": [QUERY], **request}))


def crowd(server):
    """More connections than are allowed; what the last one is told."""
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    try:
        return talk(server)
    finally:
        for s in held:
            s.close()


def many_ids(server):
    # Several thousand names, no two of them equal: they must be kept to be looked up.
    ids = [f"{i:0200d}" for i in range(4000)]
    return query(server, queries=[{**QUERY, "type": "hwthread", "type-ids": ids}])


def slow_body(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=tarn.DEADLINE_S) as s:
        s.sendall(b"POST /api/write?cluster=c HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
        s.settimeout(0.05)
        out, until = b"", time.monotonic() + tarn.DEADLINE_S
        while time.monotonic() < until:
            try:
                s.sendall(b" " * 100)
                piece = s.recv(65536)
                if not piece:
                    break
                out += piece
            except TimeoutError:
                continue
            except OSError:
                break
        return out.decode()


LIMITS = [
    # key, value, what goes beyond it, status, words, counter (a part of its name with labels)
    ("body", "1KiB", lambda s: post(s, "/api/write?cluster=c", " " * 2000), 413, "body is larger than 1024", "413"),
    ("line", "1KiB", lambda s: post(s, "/api/write?cluster=c", LINE.replace("=h ", f"=h,x={'y' * 2000} ")), 400,
     "at line 1:.*long", 'tarn_ingest_lines_refused_total{reason="long_line"}'),
    ("header", "1KiB", lambda s: talk(s, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2000 + b"\r\n\r\n"), 431,
     "headers are too large", "431"),
    ("uri", "1KiB", lambda s: talk(s, b"GET /healthz?" + b"y" * 2000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
     414, "target is too long", "414"),
    ("request-memory", "64KiB", many_ids, 503, "more than its 65536 bytes of memory", "503"),
    ("total-memory", "256KiB", many_ids, 503, "no memory is left",
     "tarn_http_memory_refused_total"),
    ("connections", 4, crowd, 503, "connections", "tarn_http_connections_refused_total"),
    ("connections-per-address", 4, crowd, 503, "connections", "tarn_http_connections_refused_total"),
    ("queries", 10, lambda s: query(s, queries=[QUERY] * 11), 413, "more than 10 entries", "413"),
    ("time-range", "1h", lambda s: query(s, to=7200), 400, "range", "400"),
    ("head-timeout", "300ms", lambda s: talk(s, b"GET /healthz HTTP/1.1\r\n"), 408, "did not come in time",
     "tarn_http_timed_out_total"),
    ("idle-timeout", "300ms", lambda s: talk(s, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200, "ok", "200"),
    ("total-timeout", "500ms", slow_body, 503, "took too long", "tarn_http_timed_out_total"),
]
# Ten seconds of grace are too long for here.
ELSEWHERE = {"min-rate": "test_http_slow.c"}


@pytest.mark.parametrize("key,value,beyond,status,words,counter", LIMITS, ids=[row[0] for row in LIMITS])
def test_beyond_the_limit_there_is_a_status_a_reason_and_a_counter(tmp_path, key, value, beyond, status, words, counter):
    with tarn.Server(tmp_path, tarn.config(tarn={"limits": {key: value}})) as s:
        before = s.metrics() if key not in ("connections", "connections-per-address") else {}
        text = beyond(s)
        assert re.match(r"HTTP/1\.1 (\d+)", text), text
        assert int(text.split()[1]) == status, text[:300]
        assert re.search(words, text), text[:300]
        pattern = counter if counter.startswith("tarn_") else rf'code="({counter})"|status="({counter})"'
        until = time.monotonic() + tarn.DEADLINE_S
        while True:
            try:
                after = s.metrics()
                moved = {k for k, v in after.items() if v > before.get(k, 0)}
                if any(re.search(pattern, k) or k == counter for k in moved):
                    break
            except (OSError, ValueError, KeyError):
                moved = set()  # the crowd has not left yet
            assert time.monotonic() < until, sorted(moved)
            time.sleep(0.05)
        assert s.write(LINE).status == 200


def test_no_limit_is_left_out():
    section = (tarn.ROOT / "doc" / "config.md").read_text().split("### `tarn.limits`")[1].split("\n### ")[0]
    keys = re.findall(r"^\| `([^`]+)` \|", section, re.M)
    assert len(keys) > 12
    assert set(keys) == {row[0] for row in LIMITS} | set(ELSEWHERE)
    for name in ELSEWHERE.values():
        assert (tarn.ROOT / "tests" / "unit" / name).exists()
