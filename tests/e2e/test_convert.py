"""tarn inspect and tarn convert on the reference's files."""

import json
import subprocess
import time

import tarn

DATA = tarn.ROOT / "tests" / "data" / "recovery"


def run(*args):
    return subprocess.run([str(tarn.BINARY), *map(str, args)], capture_output=True, text=True,
                          timeout=60)


def test_a_tree_goes_through_json_and_comes_back_byte_for_byte(tmp_path):
    assert run("convert", DATA / "bin", tmp_path / "json", "--format", "json").returncode == 0
    assert run("convert", tmp_path / "json", tmp_path / "bin", "--format", "bin").returncode == 0
    name = "taurus/n0003/1699920000"
    assert (tmp_path / "bin" / f"{name}.bin").read_bytes() == (
        DATA / "bin" / f"{name}.bin").read_bytes()
    tree = json.loads((tmp_path / "json" / f"{name}.json").read_text())
    assert tree["from"] == 1699920000 and tree["metrics"]


def test_a_reference_log_holds_every_sample_of_a_snapshot(tmp_path):
    source = DATA / "bin" / "taurus" / "n0003" / "1699920000.bin"
    target = tmp_path / "current.wal"
    assert run("convert", source, target, "--format", "wal").returncode == 0
    shown = json.loads(run("inspect", "--json", source).stdout)
    log = json.loads(run("inspect", "--json", target).stdout)
    assert log["records"] == shown["samples"] == 8091
    assert (log["first"], log["last"]) == (shown["first"], shown["last"])


def test_inspect_tells_where_a_file_is_damaged(tmp_path):
    log = DATA / "wal-damaged" / "taurus" / "crc-bad-middle" / "current.wal"
    r = run("inspect", "--json", log)
    assert r.returncode == 1
    assert json.loads(r.stdout)["damage"] == [{"at": 805, "bytes": 45, "why": "no record"}]
    cut = tmp_path / "1699920000.bin"
    whole = (DATA / "bin" / "taurus" / "n0003" / "1699920000.bin").read_bytes()
    cut.write_bytes(whole[:5000])
    r = run("inspect", "--json", cut)
    shown = json.loads(r.stdout)
    assert r.returncode == 1 and shown["samples"] > 1000
    assert shown["damage"][0]["at"] + shown["damage"][0]["bytes"] == 5000


def test_convert_refuses_what_it_does_not_know(tmp_path):
    assert run("convert", "a").returncode == 2
    assert run("convert", "a", "b", "--format", "xml").returncode == 2
    assert run("convert", tmp_path / "none.bin", tmp_path / "x.json", "--format",
               "json").returncode == 1
    (tmp_path / "bad.bin").write_bytes(b"not a snapshot")
    r = run("convert", tmp_path / "bad.bin", tmp_path / "x.json", "--format", "json")
    assert r.returncode == 1 and not (tmp_path / "x.json").exists()


def test_inspect_and_convert_look_at_the_checksums_of_our_own_files(tmp_path):
    for name, file_format in (("bin", "wal"), ("json", "json")):
        site = tmp_path / name
        site.mkdir()
        conf = tarn.config(metric_store={"checkpoints": {"file-format": file_format,
                                                         "directory": str(site / "data")}})
        now = int(time.time()) // 60 * 60
        with tarn.Server(site, conf) as server:
            for k in range(30):
                server.write(f"cpu_load,hostname=h value={k}.5 {now - 60 * (29 - k)}\n")
            assert server.stop() == 0
        (file,) = (site / "data" / "c" / "h").glob(f"*.{name}")
        shown = json.loads(run("inspect", "--json", file).stdout)
        assert shown["checksums"] is True and shown["samples"] == 30 and "damage" not in shown
        whole = bytearray(file.read_bytes())
        whole[60 if name == "bin" else 70] ^= 4  # a bit of a value
        file.write_bytes(whole)
        r = run("inspect", "--json", file)
        assert r.returncode == 1
        assert "flipped bit" in json.loads(r.stdout)["damage"][0]["why"]
        r = run("convert", file, site / "again.json", "--format", "json")
        again = json.loads((site / "again.json").read_text())["metrics"]["cpu_load"]["data"]
        assert [v for v in again if v is not None] == [k + 0.5 for k in range(30)]
        (site / "again.json").unlink()
