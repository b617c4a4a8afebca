"""The metrics of one job: out of the store while it is not archived, out of the archive afterwards."""

import json
import time

import pytest

import tarn

START = int(time.time()) // 60 * 60 - 1800
METRICS = (("cpu_load", "", "node"), ("flops_any", "F/s", "hwthread"), ("clock", "Hz", "socket"))


def cluster_file(directory):
    """Four threads on two sockets; a metric of nodes, one of threads, one of sockets."""
    threads = list(range(4))
    halves = [threads[:2], threads[2:]]
    path = directory / "cluster.json"
    path.write_text(json.dumps({
        "name": "c",
        "metricConfig": [{"name": n, "unit": {"base": u}, "scope": s, "aggregation": "sum", "timestep": 60,
                          "subClusters": []} for n, u, s in METRICS],
        "subClusters": [{"name": "main", "nodes": "n[1-9]", "topology": {
            "node": threads, "socket": halves, "memoryDomain": halves, "core": [[t] for t in threads]}}]}))
    return str(path)


def conf(directory, **more):
    return tarn.config(main={"db": str(directory / "job.db")},
                       tarn={"cluster-files": [cluster_file(directory)]}, **more)


def lines(hosts, n=30, start=START):
    for h in hosts:
        for k in range(n):
            at = start + 60 * k
            yield f"cpu_load,hostname=n{h} value={h * 10 + k} {at}"
            for t in range(4):
                yield f"flops_any,hostname=n{h},type=hwthread,type-id={t} value={t + k} {at}"
            for t in range(2):
                yield f"clock,hostname=n{h},type=socket,type-id={t} value={100 * t + k} {at}"


def begin(s, hosts, job_id=1, start=START):
    body = {"jobId": job_id, "user": "u", "project": "p", "cluster": "c", "numNodes": len(hosts), "walltime": 7200,
            "startTime": start, "resources": [{"hostname": f"n{h}"} for h in hosts]}
    assert s.request("POST", "/api/jobs/start_job/", json.dumps(body)).status == 201
    return s.request("GET", "/api/jobs/").json()["jobs"][0]["id"]


def end(s, job_id=1, stop=START + 1800):
    answer = s.request("POST", "/api/jobs/stop_job/", json.dumps({"jobId": job_id, "stopTime": stop}))
    assert answer.status == 200, answer.text


def test_a_job_that_is_not_archived_comes_with_what_the_store_has(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        row = begin(s, [1, 2])
        path = f"/api/jobs/{row}?all-metrics=true"
        assert s.request("GET", path).json()["Data"] == {}  # nothing yet
        assert s.write("\n".join(lines([1, 2]))).status == 200
        running = s.request("GET", path)
        assert running.status == 200 and running.header("Content-Type") == "application/json"
        assert running.json()["Meta"]["jobState"] == "running"
        data = running.json()["Data"]
        assert {m: list(at) for m, at in data.items()} == {m: ["node"] for m in ("clock", "cpu_load", "flops_any")}
        series = data["cpu_load"]["node"]["series"]
        assert [x["hostname"] for x in series] == ["n1", "n2"]
        assert series[1]["data"][:30] == [20 + k for k in range(30)]
        assert data["flops_any"]["node"]["series"][0]["data"][3] == 0 + 1 + 2 + 3 + 4 * 3
        end(s)
        ended = s.request("GET", path).json()
        assert (ended["Meta"]["jobState"], ended["Meta"]["duration"]) == ("completed", 1800)
        assert ended["Data"]["cpu_load"]["node"]["series"][0]["data"][:30] == [10 + k for k in range(30)]
        assert s.request("GET", f"/api/jobs/{row}").json()["Data"] is None
        assert not list(tmp_path.rglob(".job-answer"))


def test_scopes_are_those_asked_for_and_for_one_node_its_cores(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert s.write("\n".join(lines([1]))).status == 200
        row = begin(s, [1])

        def scopes(query=""):
            answer = s.request("GET", f"/api/jobs/{row}?all-metrics=true{query}")
            assert answer.status == 200, answer.text
            return {m: sorted(at) for m, at in answer.json()["Data"].items()}
        # One more for a metric that job lists need at node scope.
        assert scopes() == {"clock": ["socket"], "cpu_load": ["node"], "flops_any": ["core", "node"]}
        assert scopes("&scope=node") == {"clock": ["node"], "cpu_load": ["node"], "flops_any": ["node"]}
        assert scopes("&scope=hwthread&scope=node") == {
            "clock": ["node", "socket"], "cpu_load": ["node"], "flops_any": ["hwthread", "node"]}
        bad = s.request("GET", f"/api/jobs/{row}?all-metrics=true&scope=bogus")
        assert bad.status == 400 and "bogus is not a valid MetricScope" in bad.json()["error"]


def test_a_job_of_many_nodes_has_statistics_over_them(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert s.write("\n".join(lines(range(1, 10)))).status == 200
        row = begin(s, range(1, 10))
        load = s.request("GET", f"/api/jobs/{row}?all-metrics=true").json()["Data"]["cpu_load"]["node"]
        assert load["statisticsSeries"]["median"][:30] == [50 + k for k in range(30)]
        assert load["statisticsSeries"]["max"][0] == 90


def test_long_series_are_thinned_out_as_asked_for(tmp_path):
    start = START - 60 * 1200
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert s.write("\n".join(lines([1, 2], 1200, start))).status == 200
        row = begin(s, [1, 2], start=start)
        end(s, stop=start + 60 * 1200)
        path = f"/api/jobs/{row}?all-metrics=true"
        whole = s.request("GET", path).json()["Data"]["cpu_load"]["node"]
        thin = s.request("GET", path + "&resolution=600").json()["Data"]["cpu_load"]["node"]
        assert (whole["timestep"], thin["timestep"]) == (60, 600)
        assert len(thin["series"][0]["data"]) == len(whole["series"][0]["data"]) // 10
        assert s.request("GET", path + "&resolution=30").json()["Data"]["cpu_load"]["node"] == whole
        for bad in ("90", "-1", "x", ""):
            answer = s.request("GET", f"{path}&resolution={bad}")
            assert answer.status == 400 and "resolution" in answer.json()["error"], bad
