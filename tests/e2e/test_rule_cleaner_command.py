"""`tarn rule-cleaner` as a command and a service: configuration, list, explain, status interface."""

import contextlib
import hashlib
import hmac
import http.client
import json
import re
import signal
import subprocess
import time

import pytest

import tarn
from cms_site import Site
from rule_cleaner import NOW, command, end_state, environment, load, run_once

WORLD = load("main", "world.json")
FULL = "synth_task_SynA-announced-full_251101_101500_0966"


def run(words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=60,
                          env={**environment(), **more})


def test_list_prints_the_names_of_a_status(tmp_path):
    with Site(WORLD) as site:
        listed = run(command(tmp_path, site, "list", "--status", "rejected"))
        assert listed.returncode == 0 and len(listed.stdout.split()) > 5
        as_json = run(command(tmp_path, site, "list", "--status", "rejected", "--json"))
        assert json.loads(as_json.stdout) == listed.stdout.split()


def test_explain_says_what_would_happen_and_writes_nothing(tmp_path):
    with Site(WORLD) as site:
        before = end_state(site.world)
        words = command(tmp_path, site, "explain", "--now", NOW, FULL, "no_such_workflow",
                        enableRealMode=True, sendNotification=True)
        r = run(words)
        assert r.returncode == 0, r.stderr
        assert "gate dry-run" in r.stdout and "would expire" in r.stdout
        assert re.search(r"no_such_workflow\n  result +missing", r.stdout)
        assert end_state(site.world) == before
        assert not [c for c in site.calls if c["method"] == "PUT" or c["path"] == "/alerts"]


@pytest.mark.parametrize("change,words", [
    ({"rucioMStrAccount": "a", "rucioMstrAccount": "b"}, "rucioMstrAccount differ"),
    ({"rucioMStrAccount": "wma_test"}, "are the same"),
    ({"services": ["other"]}, "does not contain ruleCleaner"),
    ({"reqmgr2Url": "ftp://x"}, "http or https"),
    ({"requestChunkSize": 1001}, "too large"),
    ({"requestChunkSize": "many"}, "expected an integer"),
    ({"reqmgr2Url": "https://127.0.0.1:1/reqmgr2"}, "neither a certificate"),
])
def test_a_configuration_that_cannot_work_is_refused(tmp_path, change, words):
    with Site(WORLD) as site:
        r = run(command(tmp_path, site, "run", "--once", **change), HOME=str(tmp_path))
        assert r.returncode == 2 and words in r.stderr, r.stderr
        assert not site.calls


def test_both_spellings_of_the_account_are_read_and_printed(tmp_path):
    with Site(WORLD) as site:
        conf = site.config(rucioMstrAccount="placer", unknownKey=1)
        del conf["data"]["rucioMStrAccount"]
        path = tmp_path / "c.json"
        path.write_text(json.dumps(conf))
        r = run([str(tarn.BINARY), "rule-cleaner", "run", "--config", str(path), "--print-config"])
        printed = json.loads(r.stdout)
        assert printed["data"]["rucioMStrAccount"] == "placer"
        assert printed["data"]["requestChunkSize"] == 100
        assert "unknownKey" in r.stderr and "unknown key" in r.stderr


def test_the_manual_names_every_key(tmp_path):
    manual = (tarn.ROOT / "doc" / "rule-cleaner.md").read_text()
    with Site(WORLD) as site:
        printed = json.loads(run(command(tmp_path, site, "run", "--print-config")).stdout)
    keys = [*printed["main"], *printed["data"], *printed["data"]["tls"], *printed["data"]["rucio"]]
    assert len(keys) > 45
    assert [k for k in keys if f"`{k}`" not in manual] == []


def test_a_second_instance_is_kept_out(tmp_path):
    with Site(WORLD, latency_s=0.05) as site:
        words = command(tmp_path, site, "run", "--once", "--now", NOW, stateDir=str(tmp_path))
        first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=environment())
        while not site.calls:
            time.sleep(0.005)
        second = run(words)
        first.kill()
        first.wait()
        assert second.returncode == 2 and "stateDir" in second.stderr


def test_a_bearer_token_is_sent_and_read_again_after_a_refusal(tmp_path):
    token = tmp_path / "token"
    token.write_text("first\n")
    seen = []
    with Site(WORLD) as site:
        serve = site.serve

        def watch(h):
            if h.path.startswith("/reqmgr2"):
                seen.append(h.headers.get("Authorization"))
                if seen[-1] == "Bearer first":
                    token.write_text("second\n")
                    h.send_response(401)
                    h.send_header("Content-Length", "0")
                    h.end_headers()
                    return
            serve(h)

        site.serve = watch
        ended = run_once(tmp_path, site, tokenFile=str(token))
        assert ended.status == 0, ended.log
        assert seen[:2] == ["Bearer first", "Bearer second"] and set(seen[1:]) == {"Bearer second"}


@contextlib.contextmanager
def service(tmp_path, site, **config):
    words = command(tmp_path, site, "run", **config)
    log = tmp_path / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=out,
                                   env=environment())
    until = time.monotonic() + 20
    while not (found := re.search(r"\(port (\d+)\)", log.read_text())):
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.01)
    while " cycle total=" not in log.read_text():
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.01)

    def ask(path, method="GET", headers=None):
        c = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
        c.request(method, path, headers=headers or {})
        r = c.getresponse()
        return r, r.read().decode()

    yield ask
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0, log.read_text()


def test_the_status_interface_tells_the_last_report(tmp_path):
    with Site(WORLD) as site, service(tmp_path, site) as ask:
        r, body = ask("/ms-rulecleaner/data/status")
        assert r.status == 200 and r.getheader("X-REST-Status") == "100"
        row = json.loads(body)["result"][0]
        assert row["microservice"] == "MSManager" and row["status"] == "OK"
        assert row["total_num_requests"] == 39 and row["drifted_num_requests"] == 3
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d UTC", row["end_time"])
        short = json.loads(ask("/ms-rulecleaner/data/status?detail=false")[1])["result"][0]
        assert sorted(short) == ["microservice", "microservice_version", "status", "wmcore_version"]
        info = json.loads(ask("/ms-rulecleaner/data/info?request=x")[1])["result"][0]
        assert len(info) == 3
        r, body = ask("/ms-rulecleaner/data/status", headers={"Accept": "text/plain"})
        assert r.getheader("Content-Type").startswith("text/plain") and json.loads(body) == row
        r, _ = ask("/ms-rulecleaner/data/other")
        assert r.status == 404 and r.getheader("X-REST-Status") == "207"
        assert ask("/ms-rulecleaner/data/status", "POST")[0].status == 400
        for method in ("PUT", "DELETE"):
            r, body = ask("/ms-rulecleaner/data/status", method)
            assert r.status == 200 and json.loads(body) == {"result": []}
        assert ask("/healthz")[0].status == 200
        metrics = ask("/metrics")[1]
        assert "tarn_rulecleaner_cycles_total 1\n" in metrics
        assert re.search(r'calls_total\{upstream="rucio",status="200"\} \d+', metrics)


def test_only_the_front_end_and_loopback_are_served(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(range(20)))
    names = {"cms-auth-status": "OK", "cms-authn-dn": "/DC=ch/CN=somebody", "cms-authn-name": "S",
             "cms-authz-admin": "group:reqmgr"}
    signed = sorted((k, v) for k, v in names.items() if k != "cms-auth-status")
    text = "".join(f"h{len(k):x}v{len(v):x}" for k, v in signed) + "#" + "".join(
        k + v for k, v in signed)
    mac = hmac.new(key.read_bytes(), text.encode(), hashlib.sha1).hexdigest()
    with Site(WORLD) as site, service(tmp_path, site, cmsAuthKeyFile=str(key)) as ask:
        path = "/ms-rulecleaner/data/info"
        assert ask(path)[0].status == 200
        assert ask(path, headers={"cms-auth-status": "NONE"})[0].status == 200
        assert ask(path, headers={**names, "cms-authn-hmac": mac})[0].status == 200
        assert ask(path, headers={**names, "cms-authn-hmac": mac[::-1]})[0].status == 403
        assert ask(path, headers=names)[0].status == 403
        forged = {**names, "cms-authz-admin": "group:all", "cms-authn-hmac": mac}
        assert ask(path, headers=forged)[0].status == 403
