"""The process: flags, exit statuses, signals, logs, the service manager, privileges."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import tarn


def test_version_and_help_go_to_stdout():
    assert tarn.run("--version").stdout.startswith("tarn ")
    r = tarn.run("serve", "-version")
    assert r.returncode == 0
    assert [line.split(":\t")[0] for line in r.stdout.splitlines()] == [
        "Version", "Git hash", "Build time"]
    r = tarn.run("--help")
    assert r.returncode == 0 and "serve" in r.stdout
    for command in ("serve", "query", "bench ingest", "bench query", "bench demo", "bench size"):
        r = tarn.run(*command.split(), "--help")
        assert r.returncode == 0 and "usage: tarn " + command in r.stdout and not r.stderr


@pytest.mark.parametrize("args,words", [
    ([], "usage"),
    (["serv"], "did you mean `tarn serve`"),
    (["bench", "ingets"], "did you mean `tarn bench ingest`"),
    (["bench", "size", "--interval", "0"], "--interval"),
    (["bench", "demo", "--interval", "10ms"], "--interval"),
    (["serve", "-confg", "x"], "did you mean --config"),
    (["serve", "-config"], "needs a value"),
    (["serve", "-logdate=maybe"], "logdate"),
    (["query"], "--cluster is required"),
    (["query", "--cluster", "c", "--host", "h", "--metric", "m", "--last", "soon"], "--last"),
    (["query", "--cluster", "c", "--host", "h", "--metric", "m", "x"], "unexpected word"),
    (["query", "--cluster", "c", "--host", "h", "--metric", "m", "--type", "socket"], "--ids"),
])
def test_wrong_usage_is_status_2_and_says_what(args, words):
    r = tarn.run(*args)
    assert r.returncode == 2
    assert words in r.stderr
    assert not r.stdout


def test_check_config_names_file_line_column_and_key(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(tarn.config()))
    r = tarn.run("serve", "--config", path, "--check-config")
    assert r.returncode == 0 and "good (3 metrics)" in r.stdout
    path.write_text('{\n  "main": { "addr": 5 }\n}')
    r = tarn.run("serve", "--config", path, "--check-config")
    assert r.returncode == 1
    assert f"{path}:2:21: main.addr: expected a string, found a number" in r.stderr


def test_a_missing_file_is_an_error_and_no_file_is_the_default(tmp_path):
    r = tarn.run("serve", "-config", "absent.json", cwd=tmp_path)
    assert r.returncode == 1 and "absent.json" in r.stderr
    r = tarn.run("serve", "-check-config", cwd=tmp_path)
    assert r.returncode == 0 and "built-in" in r.stdout
    (tmp_path / "config.json").write_text("{}")
    r = tarn.run("serve", "-check-config", cwd=tmp_path)
    assert r.returncode == 1 and "main configuration must be present" in r.stderr


def test_a_link_named_cc_metric_store_behaves_like_it(tmp_path):
    link = tmp_path / "cc-metric-store"
    link.symlink_to(tarn.BINARY)

    def run(*args):
        return subprocess.run([link, *args], cwd=tmp_path, capture_output=True, text=True,
                              timeout=60)

    r = run("-version")
    assert r.returncode == 0 and r.stdout.startswith("Version:\t")
    r = run()
    assert r.returncode == 1 and "main configuration must be present" in r.stderr
    r = run("-nonsense")
    assert r.returncode == 2
    assert run("-h").returncode == 0
    with tarn.Server(tmp_path, tarn.config(), name=str(link)) as s:
        assert s.write("cpu_load,hostname=h value=1\n").status == 200


def test_bad_addresses_and_files_end_the_start_with_status_1(tmp_path):
    path = tmp_path / "c.json"
    for main, words in [
        ({"addr": "127.0.0.1:99999"}, "main.addr"),
        ({"addr": "256.1.1.1:1"}, "256.1.1.1"),
        ({"addr": "127.0.0.1:0", "https-cert-file": "no.pem", "https-key-file": "no.pem"},
         "https-cert-file"),
        ({"addr": "127.0.0.1:0", "jwt-public-key": "AAAA"}, "jwt-public-key"),
        ({"addr": "127.0.0.1:0", "user": "no-such-user"}, "no-such-user"),
        ({"addr": "127.0.0.1:0", "group": "no-such-group"}, "no-such-group"),
    ]:
        path.write_text(json.dumps(tarn.config(main=main)))
        r = tarn.run("serve", "-config", path, cwd=tmp_path)
        assert r.returncode == 1, main
        assert words in r.stderr
        assert "<2>[CRITICAL] " in r.stderr
    path.write_text(json.dumps(tarn.config(tarn={"require-auth": True})))
    r = tarn.run("serve", "-config", path, cwd=tmp_path)
    assert r.returncode == 1 and "require-auth" in r.stderr


def test_a_taken_port_is_status_1(server, tmp_path):
    path = tmp_path / "second.json"
    path.write_text(json.dumps(tarn.config(main={"addr": f"127.0.0.1:{server.port}"})))
    r = tarn.run("serve", "-config", path, cwd=tmp_path)
    assert r.returncode == 1 and str(server.port) in r.stderr


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_gracefully(server, sig):
    assert server.write("cpu_load,hostname=h value=1\n").status == 200
    assert server.stop(sig) == 0
    assert "Graceful shutdown completed!" in server.out()


def test_a_stop_lets_a_running_request_finish(server):
    c = server.connect()
    c.putrequest("POST", "/api/write?cluster=c")
    c.putheader("Content-Length", "60")
    c.endheaders()
    c.send(b"cpu_load,hostname=a value=1\n")
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    rest = b"cpu_load,hostname=b value=1\n"
    c.send(rest + b"\n" * (60 - 28 - len(rest)))
    assert c.getresponse().status == 200
    c.close()
    assert server.process.wait(tarn.DEADLINE_S) == 0


def test_a_second_signal_aborts_a_stop_that_hangs(server):
    c = server.connect()  # a request that never ends keeps the stop waiting
    c.putrequest("POST", "/api/write?cluster=c")
    c.putheader("Content-Length", "1000")
    c.endheaders()
    c.send(b"cpu_load")
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)  # too soon to be meant
    time.sleep(2.2)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 1
    assert "second signal" in server.log()
    c.close()


def test_sighup_adds_metrics_and_keeps_the_rest(server):
    assert server.write("new,hostname=h value=1\n").status == 200
    assert server.query({"cluster": "c", "from": 0, "to": 1, "queries": [
        {"metric": "new", "host": "h"}]}).json()["results"][0][0]["error"]
    conf = tarn.config(metrics={"new": {"frequency": 1, "aggregation": None}})
    server.path.write_text(json.dumps(conf))
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("reload: done")
    now = int(time.time())
    assert server.write(f"new,hostname=h value=7 {now}\n").status == 200
    got = server.query({"cluster": "c", "from": now - 5, "to": now + 5, "queries": [
        {"metric": "new", "host": "h"}]}).json()
    assert 7 in got["results"][0][0]["data"]
    server.path.write_text("{ broken")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("reload: nothing is changed")
    assert server.write(f"new,hostname=h value=8 {now}\n").status == 200


def test_the_log_has_the_reference_prefixes_and_an_open_api_is_warned_of(tmp_path):
    with tarn.Server(tmp_path, tarn.config(), args=["-logdate"]) as s:
        lines = s.log().splitlines()
    assert any(line.startswith("<4>[WARNING]  ") and "EVERYBODY" in line for line in lines)
    assert all(line[:14] in ("<4>[WARNING]  ", "<6>[INFO]     ") for line in lines)
    assert all(line[14:18] == "2026" or line[14:16] == "20" for line in lines)


def test_a_flood_of_bad_lines_does_not_flood_the_log(server):
    body = "cpu_load,hostname=h valu=1\n" * 1000
    for _ in range(50):
        assert server.write(body).status == 400
    assert len(server.log().splitlines()) < 100


def test_the_service_manager_hears_ready_reloading_and_stopping(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "500000"}
        with tarn.Server(tmp_path, tarn.config(), env=env) as s:
            assert b"READY=1" in listener.recv(1000)
            assert listener.recv(1000) == b"WATCHDOG=1"
            s.process.send_signal(signal.SIGHUP)
            heard = [listener.recv(1000) for _ in range(3)]
            assert any(m.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for m in heard)
            assert any(b"READY=1" in m for m in heard)
            s.process.send_signal(signal.SIGTERM)
            while b"STOPPING=1" not in (message := listener.recv(1000)):
                assert message == b"WATCHDOG=1" or b"READY" in message
            assert b"STATUS=Shutting down ..." in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
@pytest.mark.parametrize("keys,uid,gid", [
    ({"user": "nobody", "group": "nogroup"}, "nobody", "nogroup"),
    ({"user": "nobody"}, "nobody", None),
    ({"group": "nogroup"}, "root", "nogroup"),
])
def test_privileges_are_dropped_with_supplementary_groups(tmp_path, keys, uid, gid):
    import grp
    import pwd
    want_uid = pwd.getpwnam(uid).pw_uid
    want_gid = grp.getgrnam(gid).gr_gid if gid else pwd.getpwnam(uid).pw_gid
    data = tempfile.mkdtemp()  # reached by others than root, unlike tmp_path
    os.chown(data, want_uid, want_gid)
    conf = tarn.config(main={"addr": "127.0.0.1:0", **keys},
                       metric_store={"checkpoints": {"directory": data}})
    with tarn.Server(tmp_path, conf) as s:
        for task in pathlib.Path(f"/proc/{s.process.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in
                          (task / "status").read_text().splitlines() if ":\t" in line)
            assert status["Uid"].split() == [str(want_uid)] * 4
            assert status["Gid"].split() == [str(want_gid)] * 4
            assert set(status["Groups"].split()) <= {str(want_gid)}
        assert s.write("cpu_load,hostname=h value=1\n").status == 200
    shutil.rmtree(data)
