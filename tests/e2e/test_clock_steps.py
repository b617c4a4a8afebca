"""The wall clock steps back and forth under a running server: checkpoints, log, clean-up and restarts go on, and every
acknowledged sample is in memory or in the archive.
"""

import time

import duckdb

import seam
import tarn

HOUR, DAY = 3600, 86400
STEPS = [-2 * HOUR, +3 * DAY, -400 * DAY, +397 * DAY + HOUR]
KILLED = [True, False, True, False]  # the end of the life that met the step


def wait_until(condition, what, server):
    until = time.monotonic() + 2 * tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}:\n{server.log()[-3000:]}"
        time.sleep(0.05)


class Site:
    def __init__(self, tmp_path):
        self.root = tmp_path
        self.seam = seam.Seam(tmp_path)
        self.conf = tarn.config(
            metric_store={"retention-in-memory": "48h", "checkpoint-interval": "1s",
                          "checkpoints": {"file-format": "wal", "directory": str(tmp_path / "data")},
                          "cleanup": {"mode": "archive", "directory": str(tmp_path / "archive")}},
            tarn={"cleanup-interval": "1s"})
        self.conf["metrics"] = {"m": {"frequency": 1, "aggregation": None}}
        self.acked = {}

    def now(self):
        return int(time.time()) + self.seam.clock_s

    def write(self, server, n):
        """Samples of the present, as collectors with the same clock send them."""
        now = self.now()
        for i in range(n):
            tick = now - n + i
            v = float(len(self.acked) + 1)
            assert server.write(f"m,hostname=h value={v} {tick}\n").status == 200
            self.acked[tick] = v

    def in_memory(self, server):
        """Around every acknowledged tick: the range as a whole is longer than a query may be."""
        found = {}
        for tick in self.acked:
            if tick in found:
                continue
            answer = server.query({"cluster": "c", "from": tick, "to": tick + 60, "with-padding": False,
                                   "queries": [{"metric": "m", "host": "h"}]}).json()
            for entry in answer["results"][0]:
                found.update({entry["from"] + i: v for i, v in enumerate(entry.get("data", [])) if v is not None})
        return found

    def archived(self):
        files = [str(p) for p in (self.root / "archive" / "c").glob("*.parquet")]
        rows = duckdb.sql(f"select timestamp, value from read_parquet({files})").fetchall() if files else []
        return dict(rows)

    def missing(self, server):
        found = {**self.archived(), **self.in_memory(server)}
        return {t: v for t, v in self.acked.items() if found.get(t) != v}


def goes_on(site, server):
    """New samples, a checkpoint on demand, one by the interval, a clean-up."""
    site.write(server, 5)
    before = server.metrics()
    assert server.request("POST", "/api/checkpoint").status == 200
    for name in ("tarn_checkpoints_total", "tarn_cleanup_runs_total"):
        wait_until(lambda: server.metrics()[name] >= before[name] + 1, name, server)
    site.write(server, 5)
    after = server.metrics()
    assert after["tarn_checkpoints_failed_total"] == after["tarn_cleanup_failed_total"] == 0
    assert after["tarn_log_failing"] == after["tarn_log_failures_total"] == 0
    assert not site.missing(server)


def test_a_clock_that_steps_breaks_and_loses_nothing(tmp_path):
    site = Site(tmp_path)
    server = None
    for step, killed in zip(STEPS, KILLED):
        if server is None:
            server = seam.Server(tmp_path, site.conf, site.seam)
            server.start()
            assert not site.missing(server)
        site.seam.step_clock(step)
        goes_on(site, server)
        if killed:
            server.process.kill()
            server.process.wait()
            server = None
    assert server.stop() == 0
    site.seam.step_clock(-site.seam.clock_s)
    with seam.Server(tmp_path, site.conf, site.seam) as server:
        goes_on(site, server)
        # And memory has what its retention says, whatever the clock said in between.
        young = {t: v for t, v in site.acked.items() if t > site.now() - 47 * HOUR}
        found = {**site.archived(), **site.in_memory(server)}
        assert len(young) > 20 and all(found.get(t) == v for t, v in young.items())
    print(f"clocksteps: steps={len(STEPS) + 1} acked={len(site.acked)} lost=0")
