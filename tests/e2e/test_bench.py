"""tarn bench and ./demo."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import tarn


@pytest.fixture
def fleet(tmp_path):
    conf = json.loads(tarn.run("bench", "ingest", "--print-config").stdout)
    conf["main"]["addr"] = "127.0.0.1:0"
    with tarn.Server(tmp_path, conf) as s:
        s.url = f"http://127.0.0.1:{s.port}"
        yield s


def test_ingest_stores_every_line_and_query_finds_them(fleet):
    r = tarn.run("bench", "ingest", "--url", fleet.url, "--hosts", 10, "--ticks", 30, "--json",
                 "--server-pid", fleet.process.pid)
    assert r.returncode == 0, r.stderr
    report = json.loads(r.stdout)
    assert report["requests"] == 300 and report["bad"] == 0
    assert report["lines"] == 300 * 580
    assert report["server_anon_bytes"] > 0
    assert report["latency_ms_p50"] <= report["latency_ms_p99"] <= report["latency_ms_max"]
    answer = fleet.query({"cluster": "fleet", "from": 0, "to": int(time.time()) + 60,
                          "for-all-nodes": ["cpu_load"], "with-padding": False}).json()
    assert [len(r[0]["data"]) for r in answer["results"]] == [30] * 10
    r = tarn.run("bench", "query", "--url", fleet.url, "--requests", 500, "--json")
    assert json.loads(r.stdout)["queries"] == 500
    r = tarn.run("bench", "query", "--url", fleet.url, "--requests", 50, "--metric", "cpu_user",
                 "--type", "hwthread", "--ids", "0,1,2,3", "--aggregate", "--no-data")
    assert r.returncode == 0 and "50 queries" in r.stdout


def test_a_paced_load_takes_its_time(fleet):
    r = tarn.run("bench", "ingest", "--url", fleet.url, "--hosts", 4, "--ticks", 5, "--json",
                 "--rate", 580 * 20)
    assert r.returncode == 0, r.stderr
    report = json.loads(r.stdout)
    assert report["requests"] == 20 and report["lines"] == 20 * 580
    assert report["wall_s"] >= 0.95  # the last is due 19/20 s after the first


def test_many_connections_are_served_at_once(fleet):
    r = tarn.run("bench", "ingest", "--url", fleet.url, "--hosts", 1000, "--series", 76,
                 "--ticks", 2, "--connections", 1000, "--json")
    assert r.returncode == 0, r.stderr
    report = json.loads(r.stdout)
    assert report["requests"] == 2000 and report["bad"] == 0


def test_a_refusing_store_is_status_1(fleet):
    r = tarn.run("bench", "ingest", "--url", fleet.url + "/nowhere", "--hosts", 1, "--ticks", 1,
                 "--from", int(time.time()) + 86400)
    assert r.returncode == 1
    assert "400" in r.stdout and "refused" in r.stderr
    r = tarn.run("bench", "ingest", "--url", "https://127.0.0.1:1")
    assert r.returncode == 1 and "http://" in r.stderr


def test_size_grows_with_hosts_and_shrinks_with_rounding():
    def size(*args):
        r = tarn.run("bench", "size", "--json", "--series", 100, "--retention", "6h", *args)
        assert r.returncode == 0, r.stderr
        return json.loads(r.stdout)

    one, ten = size("--hosts", 100), size("--hosts", 1000)
    assert ten["bytes_per_host"] == one["bytes_per_host"]
    assert ten["bytes"] - one["bytes"] == pytest.approx(900 * one["bytes_per_host"], rel=1e-3)
    assert size("--decimals", 2)["bytes_per_sample"] < one["bytes_per_sample"]
    assert 0 < one["bytes_per_series_at_first"] < 4240


def test_the_demo_cluster_is_sent_and_lives_on(tmp_path):
    conf = json.loads(tarn.run("bench", "demo", "--print-config", "--interval", "1s").stdout)
    conf["main"]["addr"] = "127.0.0.1:0"
    with tarn.Server(tmp_path, conf) as s:
        url = f"http://127.0.0.1:{s.port}"
        r = tarn.run("bench", "demo", "--url", url, "--interval", "1s", "--fill", "1m", "--for",
                     "3s", "--json")
        assert r.returncode == 0, r.stderr
        assert json.loads(r.stdout)["requests"] == 60 * 32
        now = int(time.time())
        answer = s.query({"cluster": "demo", "from": now - 60, "to": now + 10,
                          "for-all-nodes": ["cpu_load"], "with-padding": False}).json()
        assert len(answer["results"]) == 32
        assert all(len(r[0]["data"]) >= 60 for r in answer["results"])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


needs_demo = pytest.mark.skipif("SAN" in os.environ, reason="the demo builds without sanitizers")


@needs_demo
def test_the_demo_runs_ends_by_itself_and_runs_again():
    port = free_port()
    for _ in range(2):
        r = subprocess.run(["./demo", "--for", "2s", "--port", str(port)], cwd=tarn.ROOT,
                           capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        assert r.returncode == 0, r.stdout + r.stderr
        assert "┤" in r.stdout and "d001" in r.stdout
        assert "Things to try" in r.stdout
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


@needs_demo
def test_ctrl_c_ends_the_demo_and_its_server():
    port = free_port()
    p = subprocess.Popen(["./demo", "--port", str(port)], cwd=tarn.ROOT, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         stdin=subprocess.DEVNULL, start_new_session=True)
    for line in p.stdout:
        if "Ctrl-C ends it" in line:
            break
    os.killpg(p.pid, signal.SIGINT)
    rest = p.stdout.read()
    assert p.wait(60) == 0, rest
    assert "stopping" in rest
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_wrong_flag_of_the_demo_is_usage():
    r = subprocess.run(["./demo", "--nonsense"], cwd=tarn.ROOT, capture_output=True, text=True)
    assert r.returncode == 2 and "usage" in r.stderr
