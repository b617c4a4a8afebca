"""SIGHUP: what of the configuration changes while the server runs. New metrics: test_process; certificates: test_auth."""

import json
import signal
import time

import tarn
from test_auth import Issuer


def reload(s, conf):
    s.path.write_text(json.dumps(conf))
    s.process.send_signal(signal.SIGHUP)


def until(condition):
    end = time.monotonic() + tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_key_of_tokens_is_changed(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Issuer(tmp_path / "old"), Issuer(tmp_path / "new")
    headers = {k: {"Authorization": f"Bearer {v.token(sub='me')}"} for k, v in (("old", old), ("new", new))}
    with tarn.Server(tmp_path, tarn.config(main={"jwt-public-key": old.public})) as s:
        status = lambda k: s.request("GET", "/metrics", headers=headers[k]).status  # noqa: E731
        assert (status("old"), status("new")) == (200, 401)
        reload(s, tarn.config(main={"jwt-public-key": new.public}))
        s.wait_log("reload: done")
        assert (status("old"), status("new")) == (401, 200)
        reload(s, tarn.config())
        s.wait_log("authentication is switched only by a restart")
        assert (status("old"), status("new")) == (401, 200)


def test_the_level_of_the_log_is_changed(tmp_path):
    quiet = tarn.config(tarn={"log-level": "err"})
    quiet["metrics"] = {**quiet["metrics"], "new": {"frequency": 1, "aggregation": None}}
    s = tarn.Server(tmp_path, tarn.config(tarn={"log-level": "info"}))
    s.command = s.command[:s.command.index("-loglevel")]  # the flag would win over the file
    with s:
        reload(s, tarn.config(tarn={"log-level": "info"}))
        s.wait_log("reload: done")
        lines = s.log().count("reload: done")
        reload(s, quiet)

        def is_known():
            now = int(time.time())
            s.write(f"new,hostname=h value=1 {now}\n")
            series = s.query({"cluster": "c", "from": now - 5, "to": now + 5, "queries": [
                {"metric": "new", "host": "h"}]}).json()["results"][0]
            return series and "error" not in series[0]
        until(is_known)
        s.path.write_text("{ broken")
        s.process.send_signal(signal.SIGHUP)
        s.wait_log("reload: nothing is changed")  # an error is still said
        assert s.log().count("reload: done") == lines
