"""Jobs archived with a resolution: what is left of their series, against an own computation from the text of the method."""

import json
import math
import time

import pytest

import tarn
from test_archiver import CLUSTER, Site

MINUTES = 1200
RESOLUTION = 600
LATE = 430  # minutes after which the second host joins: fewer values than are ever thinned out


def lttb(data, step):
    """Largest triangle, three buckets; None stands for no sample."""
    v = [math.nan if x is None else x for x in data]
    n, m = len(v), len(v) // step
    if n < 1000:
        return data
    size = (n - 2) / (m - 2)
    out, low, mid, prev = [v[0]], 1, math.floor(size) + 1, 0
    for i in range(m - 2):
        high = math.floor((i + 2) * size) + 1
        high = n - 2 if high >= n - 1 else high
        around = range(mid, high + 1)
        x, y = sum(around) / len(around), sum(v[k] for k in around) / len(around)
        best, pick = -1.0, 0
        for k in range(low, mid):
            area = abs(((prev - k) * (y - v[prev]) - (prev - x) * (v[k] - v[prev])) * 0.5)
            if area > best or math.isnan(area):
                best, pick = area, k
        out.append(v[pick])
        prev, low, mid = pick, mid, high
    out.append(v[-1])
    return [None if math.isnan(x) else x for x in out]


def load(host, i):
    return (i * i * 7 + i * 3 + 50 * host) % 101


def flops(host, thread, i):
    return (i * 13 + i // 50 * 29 + 10 * thread + host) % 97


class Days(Site):
    """Samples of twenty hours; the clock every 45 s, which no resolution of whole minutes fits."""

    def __init__(self, directory):
        super().__init__(directory, resolution=f"{RESOLUTION}s")
        cluster = json.loads(json.dumps(CLUSTER))
        cluster["metricConfig"][2]["timestep"] = 45
        (directory / "cluster.json").write_text(json.dumps(cluster))
        conf = json.loads(self.server.path.read_text())
        conf["metrics"] = {**tarn.METRICS, "clock": {"frequency": 45, "aggregation": "avg"}}
        self.server.path.write_text(json.dumps(conf))
        self.start_s = int(time.time()) // 1800 * 1800 - 60 * MINUTES

    def feed(self):
        for host in (1, 2):
            lines = []
            for i in range(LATE if host == 2 else 0, MINUTES):
                at = self.start_s + 60 * i
                lines.append(f"cpu_load,hostname=n{host},type=node value={load(host, i)} {at}")
                lines += [f"flops_any,hostname=n{host},type=hwthread,type-id={t} value={flops(host, t, i)} {at}"
                          for t in (0, 1)]
            if host == 1:
                lines += [f"clock,hostname=n1,type=node value={i % 50} {self.start_s + 45 * i}"
                          for i in range(MINUTES * 60 // 45)]
            assert self.server.write("\n".join(lines) + "\n").status == 200

    def archive(self, job_id, minutes):
        self.end_jobs(job_id, 1)
        with self.database() as db:
            db.execute("UPDATE job SET duration = ? WHERE job_id = ?", (60 * minutes, job_id))
        self.wait([job_id])
        return self.read(job_id)


def figures(values):
    return {"avg": pytest.approx(sum(values) / len(values), abs=0.00501), "min": min(values), "max": max(values)}


def check_series(level, wanted):
    """Statistics are of all values, whatever is left of them."""
    assert [(s["hostname"], s.get("id")) for s in level["series"]] == [key for key, _ in wanted]
    for series, (_, whole) in zip(level["series"], wanted):
        assert series["data"] == lttb(whole, RESOLUTION // 60)
        assert series["statistics"] == figures([x for x in whole if x is not None])


def test_long_series_are_thinned_out_and_what_is_known_of_the_job_stays_the_same(tmp_path):
    site = Days(tmp_path)
    with site.server:
        site.feed()
        # The last value of a job is the one before its end.
        meta, data = site.archive(4001, MINUTES)
        short_meta, short = site.archive(4002, 900)
    late = [None] * LATE
    loads = [[load(1, i) for i in range(MINUTES)], late + [load(2, i) for i in range(LATE, MINUTES)]]
    assert data["cpu_load"]["node"]["timestep"] == RESOLUTION
    check_series(data["cpu_load"]["node"], [(("n1", None), loads[0]), (("n2", None), loads[1])])
    assert [len(s["data"]) for s in data["cpu_load"]["node"]["series"]] == [MINUTES // 10] * 2
    cores = [((f"n{h}", str(t)), (late if h == 2 else []) +
              [flops(h, t, i) for i in range(LATE if h == 2 else 0, MINUTES)]) for h in (1, 2) for t in (0, 1)]
    assert data["flops_any"]["core"]["timestep"] == data["flops_any"]["node"]["timestep"] == RESOLUTION
    check_series(data["flops_any"]["core"], cores)
    check_series(data["flops_any"]["node"], [((f"n{h + 1}", "0"), [
        None if a is None else a + b for a, b in zip(cores[2 * h][1], cores[2 * h + 1][1])]) for h in (0, 1)])
    # A time step that does not divide the resolution: as it is stored.
    assert data["clock"]["node"]["timestep"] == 45
    assert data["clock"]["node"]["series"][0]["data"] == [i % 50 for i in range(MINUTES * 60 // 45)]
    whole = [[x for x in v if x is not None] for v in loads]
    assert meta["statistics"]["cpu_load"] == {
        "unit": {"base": ""}, "min": min(map(min, whole)), "max": max(map(max, whole)),
        "avg": pytest.approx(sum(sum(v) / len(v) for v in whole) / 2, abs=0.0101)}
    assert meta["footprint"] == {"cpu_load_avg": meta["statistics"]["cpu_load"]["avg"]}
    # Too short to be thinned out.
    assert short["cpu_load"]["node"]["timestep"] == 60
    assert short["cpu_load"]["node"]["series"][0]["data"] == loads[0][:900]
    assert short["cpu_load"]["node"]["series"][1]["data"] == loads[1][:900]
    assert short_meta["duration"] == 54000
