"""The metrics of one job: out of the store while it is not archived, out of the archive afterwards."""

import json
import sqlite3
import time

import tarn
from test_auth import Issuer

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


# ---- archived --------------------------------------------------------------------------------------


def series(values, host="n1", **more):
    return {"hostname": host, **more, "statistics": {"min": 1.0, "avg": 2.0, "max": 3.0}, "data": values}


def part(*of, **more):
    return {**more, "unit": {"base": "B/s", "prefix": "G"}, "series": list(of), "timestep": 60}


def archived(directory, document, nodes=2):
    """A server's configuration with one job of its archive; its row is 1."""
    with tarn.Server(directory, conf(directory)) as s:
        row = begin(s, range(1, nodes + 1))
        end(s)
        meta = s.request("GET", f"/api/jobs/{row}").json()["Meta"]
    with sqlite3.connect(directory / "job.db", timeout=30) as d:
        d.execute("UPDATE job SET monitoring_status = 3")
    d.close()
    place = directory / "archive" / "c" / "0" / "001" / str(START)
    place.mkdir(parents=True)
    (directory / "archive" / "version.txt").write_text("3\n")
    (directory / "archive" / "c" / "cluster.json").write_text((directory / "cluster.json").read_text())
    (place / "meta.json").write_text(json.dumps(meta))
    (place / "data.json").write_text(json.dumps(document))
    return conf(directory, archive={"kind": "file", "path": str(directory / "archive")})


def test_of_an_archived_metric_come_the_scopes_asked_for_or_all_of_them(tmp_path):
    cores = [series([1.0], id=str(i)) for i in range(4)]
    document = {"a": {"node": part(series([1.0])), "core": part(*cores), "hwthread": part(*cores)},
                "b": {"socket": part(series([1.0], id="0"))},
                "c": {"hwthread": part(*cores), "accelerator": part(series([1.0], id="g"))},
                "flops_any": {"core": part(*cores)},
                "gone": {"node": part()}}
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        def scopes(query=""):
            answer = s.request("GET", f"/api/jobs/1?all-metrics=true{query}")
            assert answer.status == 200, answer.text
            return {m: " ".join(at) for m, at in answer.json()["Data"].items()}
        rest = {"b": "socket", "c": "accelerator hwthread", "flops_any": "core node"}
        assert scopes() == {"a": "node", **rest}
        assert scopes("&scope=core") == {"a": "core", **rest}
        assert scopes("&scope=socket") == {"a": "core hwthread node", **rest}
        assert scopes("&scope=core&scope=hwthread") == {"a": "core hwthread", **rest, "c": "hwthread"}
        sums = s.request("GET", "/api/jobs/1?all-metrics=true").json()["Data"]["flops_any"]["node"]["series"]
        assert sums == [series([4.0])]


def test_an_archived_metric_is_thinned_out_as_a_whole(tmp_path):
    up, short = [float(i) for i in range(1200)], [5.0] * 700
    document = {"a": {"node": part(series(up), series(short, "n2"), statisticsSeries={
                          "percentiles": {"10": up, "90": up}, "mean": up, "median": None, "min": up, "max": up})},
                "b": {"node": part(series(up[:900]))}}
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        whole = s.request("GET", "/api/jobs/1?all-metrics=true").json()["Data"]
        assert whole == document
        thin = s.request("GET", "/api/jobs/1?all-metrics=true&resolution=300").json()["Data"]
        assert thin["b"] == document["b"]  # fewer values than are worth it
        node = thin["a"]["node"]
        assert node["timestep"] == 300
        assert [len(x["data"]) for x in node["series"]] == [240, 240]
        assert node["series"][0]["data"][0] == 0 and node["series"][0]["data"][-1] == 1199
        assert node["series"][1]["data"][:100] == [5.0] * 100 and node["series"][1]["data"][-1] is None
        assert [x["statistics"] for x in node["series"]] == [series([])["statistics"]] * 2
        kept = node["statisticsSeries"]
        assert list(kept) == ["percentiles", "mean", "median", "min", "max"] and kept["median"] is None
        assert kept["percentiles"] == {"10": kept["mean"], "90": kept["mean"]} and len(kept["mean"]) == 240
        refused = s.request("GET", "/api/jobs/1?all-metrics=true&resolution=90")
        assert refused.status == 400 and "no multiple" in refused.json()["error"]


def test_statistics_over_eight_series_are_made_where_the_archive_has_none(tmp_path):
    document = {"a": {"node": part(*(series([float(i), None], f"n{i}") for i in range(1, 10)))}}
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        made = s.request("GET", "/api/jobs/1?all-metrics=true").json()["Data"]["a"]["node"].pop("statisticsSeries")
        assert made == {"mean": None, "median": [5.0, None], "min": [1.0, None], "max": [9.0, None]}


def test_an_early_document_is_read(tmp_path):
    """Units as words, no statistics, the time step first."""
    document = {"a": {"node": {"timestep": 60, "unit": "GB/s", "series": [{"data": [1, None, 4.5], "hostname": "n1"}]}}}
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        assert s.request("GET", "/api/jobs/1?all-metrics=true").json()["Data"] == {"a": {"node": {
            "unit": {"base": "GB/s"}, "timestep": 60,
            "series": [{"hostname": "n1", "statistics": {"min": 1.0, "avg": 2.75, "max": 4.5}, "data": [1.0, None, 4.5]}]}}}


# ---- some metrics ----------------------------------------------------------------------------------


def selected(s, body, path="/api/jobs/1"):
    answer = s.request("POST", path, body if isinstance(body, str) else json.dumps(body))
    return answer.json()["Data"] if answer.status == 200 else (answer.status, answer.json()["error"])


def test_a_list_selects_metrics_of_a_job_in_either_place(tmp_path):
    document = {m: {"node": part(series([1.0, None]))} for m in ("a", "b", "c")}
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        def of(*names):
            return [{"metric": document[m]["node"], "name": m, "scope": "node"} for m in names]
        assert selected(s, ["c", "a", "nope", "a"]) == of("a", "c")
        assert selected(s, []) == [] and selected(s, None) == of("a", "b", "c")
        assert s.request("POST", "/api/jobs/1", "[]").json()["Meta"]["jobId"] == 1
        for bad in ("", "{}", '["a"', "[1]", "[] []"):
            status, error = selected(s, bad)
            assert status == 400 and "parsing request body failed" in error, bad
        status, error = selected(s, [str(i) for i in range(5000)])
        assert status == 413 and "4096" in error
        assert selected(s, [], "/api/jobs/9")[0] == 422
        assert s.request("POST", "/api/jobs/", "[]").status == 405
        begin(s, [1], job_id=2, start=START + 10)
        assert s.write("\n".join(lines([1]))).status == 200
        live = selected(s, ["cpu_load", "flops_any"], "/api/jobs/2")
        assert [(m["name"], m["scope"]) for m in live] == [("cpu_load", "node"), ("flops_any", "core"), ("flops_any", "node")]


def test_metrics_come_by_themselves_and_what_is_wrong_with_them_in_the_answer(tmp_path):
    document = {"a": {"node": part(series([1.0])), "core": part(series([2.0], id="0"))}, "b": {"node": part(series([3.0]))}}

    def of(*names):
        return [{"name": m, "scope": at, "metric": document[m][at]} for m, at in names]
    with tarn.Server(tmp_path, archived(tmp_path, document)) as s:
        def metrics(path):
            answer = s.request("GET", "/api/jobs/metrics/" + path)
            assert answer.status == 200 and answer.header("Content-Type") == "application/json"
            got = answer.json()
            assert list(got) == ["data", "error"] and (got["data"] is None) != (got["error"] is None)
            return got["data"]["jobMetrics"] if got["data"] else got["error"]["message"]
        assert metrics("1") == of(("a", "core"), ("a", "node"), ("b", "node"))
        assert metrics("1?metric=a&scope=node&metric=x") == of(("a", "node"))
        assert metrics("9") == "sql: no rows in result set" and "invalid syntax" in metrics("x")
        assert s.request("GET", "/api/jobs/metrics/1?scope=bogus").status == 400


def test_a_user_sees_metrics_of_jobs_of_their_own(tmp_path):
    issuer = Issuer(tmp_path)
    settings = archived(tmp_path, {"a": {"node": part(series([1.0]))}})
    settings["main"]["jwt-public-key"] = issuer.public
    with tarn.Server(tmp_path, settings) as s:
        def message(path, **claims):
            answer = s.request("GET", path, None, {"Authorization": "Bearer " + issuer.token(**claims)})
            return (answer.json()["error"] or {}).get("message") if answer.status == 200 else answer.status
        assert message("/userapi/jobs/metrics/1", sub="u", roles=["user"]) is None
        assert message("/userapi/jobs/metrics/1", sub="v", roles=["user"]) == "sql: no rows in result set"
        assert message("/api/jobs/metrics/1", sub="v", roles=["api"]) == "you are not allowed to see this job"
        assert message("/api/jobs/metrics/1", sub="v", roles=["api", "admin"]) is None
        assert s.request("POST", "/userapi/jobs/1", "[]", {
            "Authorization": "Bearer " + issuer.token(sub="v", roles=["user"])}).status == 422
