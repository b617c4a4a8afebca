"""POST /api/load: scopes and topology from a cluster.json (doc/load-api.md)."""

import json
import time

import tarn

CLUSTER = {
    "name": "c",
    "metricConfig": [
        {"name": "cpu_load", "unit": {"base": ""}, "scope": "node", "aggregation": "avg", "timestep": 60,
         "peak": 1, "normal": 1, "caution": 1, "alert": 1},
        {"name": "clock", "unit": {"base": "Hz", "prefix": "M"}, "scope": "hwthread", "aggregation": "avg",
         "timestep": 60, "peak": 1, "normal": 1, "caution": 1, "alert": 1},
    ],
    "subClusters": [{
        "name": "main", "nodes": "n[1-2]", "processorType": "x", "socketsPerNode": 1, "coresPerSocket": 2,
        "threadsPerCore": 1,
        "flopRateScalar": {"unit": {"base": "F/s"}, "value": 1},
        "flopRateSimd": {"unit": {"base": "F/s"}, "value": 1},
        "memoryBandwidth": {"unit": {"base": "B/s"}, "value": 1},
        "topology": {"node": [0, 1], "socket": [[0, 1]], "memoryDomain": [[0, 1]], "core": [[0], [1]]},
    }],
}


def started(tmp_path):
    (tmp_path / "cluster.json").write_text(json.dumps(CLUSTER))
    return tarn.Server(tmp_path, tarn.config(tarn={"cluster-files": [str(tmp_path / "cluster.json")]}))


def test_node_data_comes_at_node_scope(tmp_path):
    now = int(time.time()) // 60 * 60
    with started(tmp_path) as s:
        for host in ("n1", "n2"):
            for k in range(5):
                t = now - 300 + 60 * k
                s.write(f"cpu_load,hostname={host} value={k} {t}\n"
                        f"clock,hostname={host},type=hwthread,type-id=0 value={1000 + k} {t}\n"
                        f"clock,hostname={host},type=hwthread,type-id=1 value={3000 + k} {t}\n")
        body = {"function": "node-data", "cluster": "c", "metrics": ["cpu_load", "clock"],
                "from": now - 300, "to": now}
        answer = s.request("POST", "/api/load", json.dumps(body).encode())
        assert answer.status == 200, answer.text
        data = answer.json()["data"]
        assert sorted(data) == ["n1", "n2"]
        assert data["n1"]["cpu_load"]["series"][0]["data"] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert data["n2"]["clock"]["series"][0]["data"] == [2000.0 + k for k in range(5)]


def test_an_unknown_cluster_is_an_error_and_bad_json_too(tmp_path):
    with started(tmp_path) as s:
        body = {"function": "node-data", "cluster": "x", "metrics": ["cpu_load"], "from": 0, "to": 1}
        assert s.request("POST", "/api/load", json.dumps(body).encode()).status == 400
        assert s.request("POST", "/api/load", b"{").status == 400


def test_a_cluster_file_that_is_none_stops_the_start(tmp_path):
    (tmp_path / "bad.json").write_text('{"name": 1}')
    conf = tarn.config(tarn={"cluster-files": ["bad.json"]})
    (tmp_path / "config.json").write_text(json.dumps(conf))
    done = tarn.run("serve", "-config", "config.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "bad.json" in done.stderr
