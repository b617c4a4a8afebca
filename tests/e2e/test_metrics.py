"""GET /metrics: Prometheus text that promtool accepts, and true."""

import re
import shutil
import signal
import subprocess
import time

import pytest

import tarn
from test_auth import Issuer


def test_the_text_passes_promtool(server):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    server.write("cpu_load,hostname=h value=1\n")
    answer = server.request("GET", "/metrics")
    assert answer.header("Content-Type").startswith("text/plain; version=0.0.4")
    check = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True)
    assert check.returncode == 0, check.stdout + check.stderr
    assert not check.stderr.strip(), check.stderr


def test_what_was_stored_refused_and_skipped_is_counted(server):
    now = int(time.time())
    answer = server.write(
        f"cpu_load,hostname=h value=1 {now}\ncpu_load,hostname=h value=x\nnobody,hostname=h value=1 {now}\n"
        f"clock,hostname=h,type=socket,type-id=0 value=2 {now}\n")
    assert answer.status == 400
    n = server.metrics()
    assert n['tarn_ingest_samples_total{source="http"}'] == 2
    assert sum(v for k, v in n.items() if k.startswith("tarn_ingest_lines_refused_total")) == 1
    assert n['tarn_ingest_lines_skipped_total{reason="unknown_metric"}'] == 1
    assert n["tarn_hosts"] == 1 and n["tarn_series"] == 2
    assert n['tarn_http_requests_total{route="/api/write",code="400"}'] == 1
    assert n["tarn_auth_required"] == 0
    assert n["tarn_store_bytes"] > 0


def test_a_kill_shows_after_the_next_start_and_a_clean_stop_does_not(tmp_path):
    now = int(time.time())
    with tarn.Server(tmp_path, tarn.config()) as s:
        s.write(f"cpu_load,hostname=h value=1 {now}\n")
        s.process.kill()
        s.process.wait()
        s.start()
        n = s.metrics()
        assert n["tarn_ready"] == 1
        assert n["tarn_unclean_shutdown"] == 1
        assert n['tarn_recovery_samples{kind="log"}'] == 1
        assert s.stop() == 0
        s.start()
        n = s.metrics()
        assert n["tarn_unclean_shutdown"] == 0
        assert n['tarn_recovery_samples{kind="bin"}'] == 1


def test_a_token_is_needed_unless_the_configuration_opens_it(tmp_path):
    issuer = Issuer(tmp_path)
    closed = tarn.config(main={"jwt-public-key": issuer.public})
    with tarn.Server(tmp_path, closed) as s:
        assert s.request("GET", "/metrics").status == 401
        token = issuer.token(sub="prometheus")
        answer = s.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200
        assert tarn.numbers(answer.text)["tarn_auth_required"] == 1
    with tarn.Server(tmp_path, {**closed, "tarn": {"open-metrics": True}}) as s:
        assert s.request("GET", "/metrics").status == 200


def test_names_are_documented(server):
    text = server.request("GET", "/metrics").text
    manual = (tarn.ROOT / "doc" / "metrics.md").read_text()
    for name in re.findall(r"^# TYPE (\S+)", text, re.M):
        assert f"`{name}`" in manual, f"{name} is not in doc/metrics.md"


def test_log_lines_that_were_held_back_are_counted(server):
    suppressed = lambda: server.metrics()["tarn_log_lines_suppressed_total"]  # noqa: E731
    assert suppressed() == 0
    server.path.write_text("{")
    end = time.monotonic() + tarn.DEADLINE_S
    while suppressed() < 3 and time.monotonic() < end:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    assert suppressed() >= 3
    assert server.log().count("reload: nothing is changed") < 40
