"""Ways in which the reference loses data, tried on the binary; and the table in doc/durability.md that names a test for
each of the 24 is held: the tests are there.
"""

import json
import re
import shutil
import subprocess
import sys
import time

import pytest

import strict_reader
import tarn

sys.path.append(str(tarn.ROOT / "tests"))
import mutants  # noqa: E402

TABLE = tarn.ROOT / "doc" / "durability.md"
METRICS = {"m": {"frequency": 1, "aggregation": None}, "core": {"frequency": 1, "aggregation": "sum"}}


def config(tmp_path, file_format="wal", **checkpoints):
    conf = tarn.config(metric_store={"checkpoints": {
        "file-format": file_format, "directory": str(tmp_path / "data"), **checkpoints}})
    conf["metrics"] = METRICS
    return conf


def kill(server):
    server.process.kill()
    server.process.wait()


def series(server, host, base, metric="m", **more):
    """{time: value} of one host around `base`."""
    answer = server.query({"cluster": "c", "from": base - 600, "to": base + 3600, "with-padding": False,
                           "queries": [{"metric": metric, "host": host, **more}]}).json()
    return {entry["from"] + i: v for entry in answer["results"][0]
            for i, v in enumerate(entry.get("data", [])) if v is not None}


class Writer:
    """One sample of one host after the other."""

    def __init__(self, host="h"):
        self.host, self.base, self.acked = host, int(time.time()) - 3000, {}

    def write(self, server, n):
        ticks = [self.base + len(self.acked) + i for i in range(n)]
        text = "".join(f"m,hostname={self.host} value={t % 1000 + 0.5} {t}\n" for t in ticks)
        assert server.write(text).status == 200
        self.acked.update({t: t % 1000 + 0.5 for t in ticks})

    def check(self, server):
        assert series(server, self.host, self.base) == self.acked


@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_crash_restart_checkpoint_crash_restart_keeps_everything(tmp_path, file_format):
    conf, w = config(tmp_path, file_format), Writer()
    for end in (kill, kill, tarn.Server.stop, kill, tarn.Server.stop):
        server = tarn.Server(tmp_path, conf)
        server.start()
        w.check(server)
        w.write(server, 20)
        if end is kill and len(w.acked) == 40:
            assert server.request("POST", "/api/checkpoint").status == 200
            w.write(server, 20)
        end(server)
    tree = strict_reader.read_tree(tmp_path / "data", {m: c["frequency"] for m, c in METRICS.items()}, 0)
    assert tree == {("c", "h"): {((), "m", t): v for t, v in w.acked.items()}}


def test_a_log_of_any_size_is_kept_until_files_have_its_samples(tmp_path):
    conf, w = config(tmp_path, **{"max-wal-size": 1}), Writer()
    for _ in range(2):
        server = tarn.Server(tmp_path, conf)
        server.start()
        w.check(server)
        for _ in range(10):
            w.write(server, 50)
        kill(server)
    with tarn.Server(tmp_path, conf) as server:
        w.check(server)


def test_names_that_the_log_could_not_hold_are_refused_and_nothing_around_them(tmp_path):
    now = int(time.time()) - 100
    long_names = [f"core,hostname=h,type=core,type-id={'x' * 252} value=1 {now}",
                  f"core,hostname=h,type=core,type-id=0,stype={'y' * 256} value=2 {now}",
                  f"core,hostname={'z' * 256} value=3 {now}"]
    good = [f"core,hostname=h,type=core,type-id=1 value=4 {now}", f"m,hostname=h value=5 {now}"]
    server = tarn.Server(tmp_path, config(tmp_path))
    server.start()
    for line in long_names:
        server.write("\n".join([good[0], line, good[1], ""]))
    before = server.request("GET", "/api/debug").text
    assert "xxx" not in before and "yyy" not in before and "zzz" not in before
    assert series(server, "h", now) == {now: 5}
    kill(server)
    with tarn.Server(tmp_path, config(tmp_path)) as again:
        assert again.request("GET", "/api/debug").text == before
        assert series(again, "h", now) == {now: 5}
        assert series(again, "h", now, "core", type="core", **{"type-ids": ["1"]}) == {now: 4}


def test_lines_without_host_or_cluster_leave_no_path_and_the_log_agrees_with_memory(tmp_path):
    now = int(time.time()) - 100
    text = "\n".join([f"m,cluster=c,hostname=h value=1 {now}", f"m,cluster=c value=2 {now}",
                      f"m,hostname=h value=3 {now}", f"m value=4 {now}", f"m,cluster=c,hostname=i value=5 {now}", ""])
    server = tarn.Server(tmp_path, config(tmp_path))
    server.start()
    assert server.request("POST", "/api/write", text.encode()).status == 400  # the good lines count all the same
    before = server.request("GET", "/api/debug").text
    assert series(server, "h", now) == {now: 1} and series(server, "i", now) == {now: 5}
    kill(server)
    with tarn.Server(tmp_path, config(tmp_path)) as again:
        assert again.request("GET", "/api/debug").text == before
        assert again.request("POST", "/api/checkpoint").status == 200
        below = {p.relative_to(tmp_path / "data").as_posix() for p in (tmp_path / "data").glob("[!.]*/*")}
        assert below == {"c/h", "c/i"}


def test_no_file_in_the_directory_stops_a_start(tmp_path):
    conf, w = config(tmp_path), Writer()
    with tarn.Server(tmp_path, conf) as server:
        w.write(server, 20)
    data = tmp_path / "data"
    for bad in ("c/other/1700000000.bin", "c/other/1700000001.json", "c/h/17.bin", "c/h/nonsense.json", "c/current.wal",
                "current.wal", "stray", "c/h/current.wal"):
        (data / bad).parent.mkdir(exist_ok=True)
        (data / bad).write_bytes(b"")
    (data / "c" / "h" / "18.bin").write_bytes(b"\x01\x00\x5b\xcc" + b"\x7f" * 40)
    server = tarn.Server(tmp_path, conf)
    server.start()
    w.check(server)
    w.write(server, 5)
    assert server.stop() == 0
    # What is left is a tree of the reference's again.
    tree = strict_reader.read_tree(data, {m: c["frequency"] for m, c in METRICS.items()}, 0)
    assert tree == {("c", "h"): {((), "m", t): v for t, v in w.acked.items()}}


def test_a_host_directory_that_cannot_be_listed_holds_up_no_other(tmp_path):
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if not shutil.which("setpriv") or subprocess.run([*prefix, "true"], check=False).returncode:
        prefix = []
    now, old = int(time.time()), int(time.time()) - 72 * 3600
    for host in ("a", "b", "c"):
        d = tmp_path / "data" / "c" / host
        d.mkdir(parents=True)
        (d / f"{old}.json").write_text(json.dumps({
            "from": old, "to": old + 60, "children": {},
            "metrics": {"m": {"frequency": 1, "start": old, "data": [1, 2]}}}))
    locked = tmp_path / "data" / "c" / "b"
    locked.chmod(0)
    try:
        if subprocess.run([*prefix, "ls", str(locked)], capture_output=True, check=False).returncode == 0:
            pytest.skip("this user can list every directory")
        conf = config(tmp_path)
        conf["metric-store"]["cleanup"] = {"mode": "archive", "directory": str(tmp_path / "archive")}
        (tmp_path / "c.json").write_text(json.dumps(conf))
        subprocess.run([*prefix, str(tarn.BINARY), "serve", "-config", str(tmp_path / "c.json"),
                        "-cleanup-checkpoints"], capture_output=True, timeout=60, check=False)
    finally:
        locked.chmod(0o755)
    left = {p.parent.name for p in (tmp_path / "data" / "c").glob("*/*.json")}
    assert left == {"b"} and now > old
    assert list((tmp_path / "archive" / "c").glob("*.parquet"))


def test_the_table_names_tests_that_are_there_for_all_24():
    rows = dict(re.findall(r"^\| (\d+) [^|]*\| ([^|]*) \|$", TABLE.read_text(), re.M))
    assert [int(n) for n in rows] == list(range(1, 25))
    for number, tests in rows.items():
        named = re.findall(r"`(tests/\w+/\w+\.(?:c|py))`: ((?:`\w+`(?:, )?)+)", tests)
        assert named, f"weakness {number} has no test"
        for path, names in named:
            text = (tarn.ROOT / path).read_text()
            for name in re.findall(r"`(\w+)`", names):
                runs = rf"^def {name}\("
                if path.endswith(".c"):
                    runs = rf"(cmocka_unit_test(_setup_teardown)?|TEST)\({name}\b"
                assert re.search(runs, text, re.M), f"weakness {number}: {path} has no {name}"


def test_every_planted_defect_has_its_place_in_the_source():
    assert mutants.places_that_moved() == []
    assert len({m.name for m in mutants.MUTANTS}) == len(mutants.MUTANTS)
    assert all((tarn.ROOT / f"{m.test.split()[0]}.c").exists() for m in mutants.MUTANTS if not m.test.startswith("e2e"))
