"""tarn doctor: what it says of this machine, of bad configurations and of stores."""

import json
import pathlib

import pytest

import tarn
from test_auth import Issuer


def examine(tmp_path, conf, *args):
    path = tmp_path / "doctor.json"
    path.write_text(conf if isinstance(conf, str) else json.dumps(conf))
    r = tarn.run("doctor", "--config", path, "--json", *args)
    assert r.stdout, r.stderr
    report = json.loads(r.stdout)
    assert (r.returncode == 1) == (report["worst"] == "bad")
    return report["findings"]


def of(findings, topic):
    return [f for f in findings if f["topic"] == topic]


def test_it_measures_the_disk_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "cp").mkdir()
    conf = tarn.config(metric_store={"checkpoints": {"directory": str(tmp_path / "cp")}})
    findings = examine(tmp_path, conf)
    assert {f["topic"] for f in findings} >= {"config", "tokens", "descriptors", "clock", "memory"}
    assert any("a sync takes" in f["what"] for f in of(findings, "sync"))
    assert list((tmp_path / "cp").iterdir()) == []
    assert all(f["todo"] for f in findings if f["level"] in ("warning", "bad"))


def test_a_bad_configuration_is_named_with_its_place(tmp_path):
    findings = examine(tmp_path, '{"main": {"addr": "127.0.0.1:0"},\n "metric-store": {"memory-cap": -1}}')
    assert findings[0]["level"] == "bad" and "doctor.json:2:" in findings[0]["what"]


def test_a_directory_that_cannot_be_written_is_bad(tmp_path):
    conf = tarn.config(metric_store={"checkpoints": {"directory": "/proc/nowhere/checkpoints"}})
    bad = [f for f in of(examine(tmp_path, conf), "disk") if f["level"] == "bad"]
    assert bad and "/proc" in bad[0]["what"]


def test_many_hosts_want_many_descriptors(tmp_path):
    findings = examine(tmp_path, tarn.config(), "--hosts", 100000)
    assert any(f["level"] != "good" for f in of(findings, "descriptors"))


@pytest.mark.skipif(not pathlib.Path("/dev/shm").is_dir(), reason="there is no /dev/shm")
def test_a_directory_in_memory_is_bad(tmp_path):
    conf = tarn.config(metric_store={"checkpoints": {"directory": "/dev/shm/tarn-doctor-test"}})
    assert any("reboot" in f["what"] for f in of(examine(tmp_path, conf), "disk"))


def test_a_running_store_is_asked_with_a_token_and_without(tmp_path):
    issuer = Issuer(tmp_path)
    conf = tarn.config(main={"jwt-public-key": issuer.public})
    with tarn.Server(tmp_path, conf) as s:
        url = f"http://127.0.0.1:{s.port}"
        assert any("wants a token" in f["what"] for f in examine(tmp_path, tarn.config(), "--url", url))
        (tmp_path / "token").write_text(issuer.token(user="x", roles=["admin"]))
        findings = examine(tmp_path, tarn.config(), "--url", url, "--token", tmp_path / "token")
        assert any("answers" in f["what"] for f in of(findings, "store"))
        (tmp_path / "token").write_text("not.a.token")
        findings = examine(tmp_path, tarn.config(), "--url", url, "--token", tmp_path / "token")
        assert any("does not take this token" in f["what"] for f in findings)
    assert any("no answer" in f["what"] for f in examine(tmp_path, tarn.config(), "--url", url))
