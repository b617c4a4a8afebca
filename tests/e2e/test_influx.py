"""The routes that InfluxDB clients write to: doc/influx.md."""

import gzip
import socket
import time

import pytest

import tarn
from test_auth import Issuer


METRICS = {name: {"frequency": 60, "aggregation": "avg"}
           for name in ("cpu_usage_user", "cpu_usage_system", "cpu_load", "gpu_power")}
NS = {"ns": 10**9, "n": 10**9, "us": 10**6, "u": 10**6, "ms": 1000, "s": 1}


@pytest.fixture
def server(tmp_path):
    conf = tarn.config(tarn={"influx-tags": [{"tag": "cpu", "type": "hwthread"},
                                             {"tag": "gpu", "type": "accelerator"}],
                             "limits": {"body": "64KiB"}})
    conf["metrics"] = METRICS
    with tarn.Server(tmp_path, conf) as s:
        yield s


def post(s, text, path="/api/v2/write?bucket=c", headers=None):
    return s.request("POST", path, text if isinstance(text, bytes) else text.encode(), headers)


def value(s, metric, host, t, type_=None, id_=None, cluster="c"):
    query = {"metric": metric, "host": host}
    if type_:
        query |= {"type": type_, "type-ids": [id_]}
    answer = s.query({"cluster": cluster, "from": t, "to": t + 60, "queries": [query]}).json()
    entries = answer["results"][0]
    return entries[0]["data"][0] if entries and entries[0].get("data") else None


@pytest.mark.parametrize("path", ["/write?db=c", "/api/v2/write?org=o&bucket=c",
                                  "/write?db=other&cluster=c"])
def test_fields_become_metrics(server, path):
    t = int(time.time()) // 60 * 60
    answer = post(server, f"cpu,host=h usage_user=1.5,usage_system=2i,note=\"x\",on=true {t * 10**9}\n"
                          f"cpu_load,host=h value=3 {t * 10**9}\nmem,host=h used=7 {t * 10**9}\n", path)
    assert answer.status == 204 and answer.body == b""
    assert value(server, "cpu_usage_user", "h", t) == 1.5
    assert value(server, "cpu_usage_system", "h", t) == 2
    assert value(server, "cpu_load", "h", t) == 3
    n = server.metrics()
    assert n['tarn_ingest_lines_skipped_total{reason="unknown_metric"}'] == 1


def test_a_tag_names_a_type(server):
    t = int(time.time()) // 60 * 60
    text = "".join(f"cpu,cpu={c},host=h usage_user={v} {t}\n"
                   for c, v in (("cpu0", 1), ("cpu12", 2), ("7", 3), ("cpu-total", 4)))
    text += f"gpu,gpu=0000:01:00.0,host=h power=5 {t}\ncpu,cpu=cpu1,type=core,type-id=9,host=h usage_user=6 {t}\n"
    text += f"cpu,type=core,type-id=8,cpu=cpu1,host=h usage_user=7 {t}\n"
    assert post(server, text).status == 204
    for id_, v in (("0", 1), ("12", 2), ("7", 3)):
        assert value(server, "cpu_usage_user", "h", t, "hwthread", id_) == v
    assert value(server, "gpu_power", "h", t, "accelerator", "0000:01:00.0") == 5
    assert value(server, "cpu_usage_user", "h", t, "core", "9") == 6
    assert value(server, "cpu_usage_user", "h", t, "core", "8") == 7
    assert value(server, "cpu_usage_user", "h", t) == pytest.approx(4)


@pytest.mark.parametrize("word", NS)
def test_precision_is_obeyed_and_guessed_when_missing(server, word):
    t = int(time.time()) // 60 * 60
    for k, path in enumerate((f"/write?db=c&precision={word}", "/write?db=c")):
        assert post(server, f"cpu_load,host=h{k} value={k} {t * NS[word]}\n", path).status == 204
        assert value(server, "cpu_load", f"h{k}", t) == k


def test_minutes_and_hours_and_unknown_precisions(server):
    t = int(time.time()) // 3600 * 3600
    assert post(server, f"cpu_load,host=m value=1 {t // 60}\n", "/write?db=c&precision=m").status == 204
    assert post(server, f"cpu_load,host=h value=1 {t // 3600}\n", "/write?db=c&precision=h").status == 204
    assert value(server, "cpu_load", "m", t) == 1 and value(server, "cpu_load", "h", t) == 1
    assert post(server, "cpu_load,host=h value=1\n", "/write?db=c&precision=fortnight").status == 400


def test_bodies_may_be_gzipped_and_are_bounded(server):
    t = int(time.time()) // 60 * 60
    line = f"cpu_load,host=h value=1 {t}\n".encode()
    gz = {"Content-Encoding": "gzip"}
    assert post(server, gzip.compress(line), headers=gz).status == 204
    assert value(server, "cpu_load", "h", t) == 1
    assert post(server, line * 10000).status == 413
    assert post(server, gzip.compress(line * 10000), headers=gz).status == 413


def test_bad_lines_are_named_and_the_good_ones_stored(server):
    t = int(time.time()) // 60 * 60
    answer = post(server, f"cpu_load,host=h value=1 {t}\ncpu_load,host=h value=\n")
    assert answer.status == 400 and "line 2" in answer.text
    assert value(server, "cpu_load", "h", t) == 1
    assert post(server, "cpu_load,host=h value=1\n", "/write").status == 400, "no cluster"


def test_ping_answers(server):
    assert server.request("GET", "/ping").status == 204
    assert server.request("HEAD", "/ping").status == 204


def test_tokens_come_under_either_name(tmp_path):
    issuer = Issuer(tmp_path)
    with tarn.Server(tmp_path, tarn.config(main={"jwt-public-key": issuer.public})) as s:
        token = issuer.token(sub="telegraf")
        for path in ("/write?db=c", "/api/v2/write?bucket=c"):
            for scheme, status in (("Token", 204), ("Bearer", 204), ("Basic", 401)):
                answer = post(s, "cpu_load,host=h value=1\n", path, {"Authorization": f"{scheme} {token}"})
                assert answer.status == status, (path, scheme)
            assert post(s, "cpu_load,host=h value=1\n", path).status == 401
        assert s.write("cpu_load,host=h value=1\n").status == 401
        assert s.request("POST", "/api/write?cluster=c", b"cpu_load,host=h value=1\n",
                         {"Authorization": f"Token {token}"}).status == 401


def test_too_much_at_once_is_429_with_a_time_to_come_back(tmp_path):
    """Unfinished lines of others hold the memory; when they let go of it the same batch is taken."""
    conf = tarn.config(tarn={"limits": {"total-memory": "300KiB", "line": "64KiB"}})
    head = b"POST /write?db=c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    line = b"cpu_load,hostname=" + b"h" * 40000
    batch = line + b" value=1 1\n" + b"cpu_load,hostname=h value=1\n"
    with tarn.Server(tmp_path, conf) as s:
        held, answer = [], None
        while len(held) < 20 and (answer is None or answer.status != 429):
            c = socket.create_connection(("127.0.0.1", s.port))
            c.sendall(head + line)
            held.append(c)
            answer = post(s, batch, "/write?db=c")
        assert answer.status == 429 and answer.header("Retry-After") == "1"
        assert s.request("POST", "/api/write?cluster=c", batch).status == 503
        for c in held:
            c.close()
        until = time.monotonic() + tarn.DEADLINE_S
        while answer.status == 429 and time.monotonic() < until:
            answer = post(s, batch, "/write?db=c")
        assert answer.status in (204, 400)  # 400: the name is too long, which is known now
        n = tarn.numbers(s.request("GET", "/metrics").text)
        assert n['tarn_http_requests_total{route="/write",code="429"}'] >= 1
