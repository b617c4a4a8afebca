"""tarn query against a running store."""

import csv
import io
import json
import time

import pytest

import tarn


@pytest.fixture
def filled(server):
    # The window that ends now holds all 120 minutes from the second after the newest one on, and only while this
    # minute lasts: wait for that when it is not so.
    second = time.time() % 60
    if second < 2 or second > 45:
        time.sleep((62 - second) % 60)
    now = int(time.time()) // 60 * 60
    lines = []
    for k in range(120):
        t = now - 60 * k
        lines.append(f"cpu_load,hostname=h1 value={100 + k} {t}")
        for i in range(4):
            lines.append(f"flops_any,hostname=h1,type=hwthread,type-id={i} value={k}.5 {t}")
    # Oldest first, as a collector sends.
    assert server.write("\n".join(reversed(lines)) + "\n").status == 200
    server.now = now
    return server


def query(server, *args):
    return tarn.run("query", "--url", f"http://127.0.0.1:{server.port}/", "--cluster", "c", *args,
                    env={"LC_ALL": "C.UTF-8", "TZ": "UTC"})


def test_a_table_has_one_row_per_series(filled):
    r = query(filled, "--host", "h1,absent", "--metric", "cpu_load", "--metric", "nope")
    assert r.returncode == 0, r.stderr
    rows = [line.split() for line in r.stdout.splitlines()]
    assert rows[0][:4] == ["HOST", "METRIC", "SCOPE", "SAMPLES"]
    assert rows[1][:8] == ["h1", "cpu_load", "node", "120", "159.5", "100", "219", "100"]
    assert "unknown metric" in r.stdout
    assert not any(row[:2] == ["absent", "cpu_load"] for row in rows)


def test_ids_keep_their_names_when_one_has_no_data(filled):
    r = query(filled, "--host", "h1", "--metric", "flops_any", "--type", "hwthread", "--ids",
              "0,7,3", "--format", "csv")
    assert r.returncode == 0, r.stderr
    rows = list(csv.DictReader(io.StringIO(r.stdout)))
    assert {row["id"] for row in rows} == {"0", "3"}
    assert len(rows) == 240
    assert int(rows[-1]["time"]) == filled.now
    assert float(rows[-1]["value"]) == 0.5


def test_an_aggregate_is_one_series(filled):
    r = query(filled, "--host", "h1", "--metric", "flops_any", "--type", "hwthread", "--ids",
              "0,1,2,3", "--aggregate", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(r.stdout)))
    assert len(rows) == 120 and float(rows[-1]["value"]) == 2.0


def test_json_is_the_answer_of_the_store(filled):
    r = query(filled, "--host", "h1", "--metric", "cpu_load", "--format", "json", "--last", "10m")
    data = json.loads(r.stdout)["results"][0][0]
    assert data["resolution"] == 60 and data["data"][-1] in (100, 101)


def test_a_plot_fits_the_width_and_has_no_colour_without_a_terminal(filled):
    r = query(filled, "--host", "h1", "--metric", "cpu_load", "--format", "plot", "--width", "70")
    lines = r.stdout.splitlines()
    assert "cpu_load  h1  node" in lines[0] and "avg 159.5  min 100  max 219" in lines[0]
    assert all(len(line) <= 70 for line in lines[1:])
    assert "\033" not in r.stdout
    assert any("\u2800" <= c <= "\u28ff" for c in r.stdout)
    r = query(filled, "--host", "h1", "--metric", "cpu_load", "--format", "plot", "--style",
              "ascii")
    assert r.stdout.isascii() and "*" in r.stdout


def test_times_are_seconds_or_rfc_3339(filled):
    t = filled.now - 600
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    outputs = [query(filled, "--host", "h1", "--metric", "cpu_load", "--format", "csv", "--from",
                     start, "--to", str(t + 300)).stdout for start in (str(t), text)]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 6


def test_a_store_that_is_not_there_is_status_1():
    r = tarn.run("query", "--url", "http://127.0.0.1:1", "--cluster", "c", "--host", "h",
                 "--metric", "m")
    assert r.returncode == 1
    assert "127.0.0.1:1" in r.stderr
