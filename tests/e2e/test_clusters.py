"""/api/clusters: the configuration with what holds for each subcluster worked out."""

import json

import pytest

import tarn
from test_jobs import CLUSTERS, GOLDEN

FIGURES = ("peak", "normal", "caution", "alert", "footprint", "energy", "lowerIsBetter", "restrict")


def metric(name, **more):
    return {"name": name, "unit": {"base": "B/s", "prefix": "G"}, "scope": "node", "aggregation": "sum", "timestep": 60,
            "peak": 10, "normal": 7.5, "caution": 2, "alert": 1e-3, **more}


CLUSTER = {
    "name": "c",
    "metricConfig": [
        metric("plain", footprint="avg", energy="power"),
        metric("other", footprint="max", energy="power", lowerIsBetter=True, restrict=True, subClusters=[
            {"name": "a", "peak": 99, "footprint": "min"}, {"name": "b", "remove": True}]),
        metric("scopeless", scope="", unit={"base": ""}, subClusters=[{"name": "nowhere", "remove": True}])],
    "subClusters": [
        {"name": name, "nodes": nodes, "processorType": "x<y>", "socketsPerNode": 1, "coresPerSocket": 2, "threadsPerCore": 1,
         "flopRateScalar": {"unit": {"base": "F/s", "prefix": "G"}, "value": 14.5},
         "flopRateSimd": {"unit": {"base": "F/s", "prefix": "G"}, "value": 112},
         "memoryBandwidth": {"unit": {"base": "B/s", "prefix": "G"}, "value": 24},
         "topology": {"node": [0, 1], "socket": [[0, 1]], "memoryDomain": [[0, 1]], "core": [[0], [1]], **more}}
        for name, nodes, more in (("a", "a[1-2]", {"die": [[0], [1]]}), ("b", "b1", {}),
                                  ("d", "*", {"accelerators": [{"id": "0:1", "type": "t", "model": "m"}]}))]}


def ask(directory, files, query=""):
    conf = tarn.config(main={"db": str(directory / "job.db")}, tarn={"cluster-files": [str(f) for f in files]})
    with tarn.Server(directory, conf) as s:
        answer = s.request("GET", "/api/clusters/" + query)
        assert answer.header("Content-Type") == "application/json"
        return answer.status, answer.json()


def merged(cluster, subcluster):
    """What the specification says of a subcluster's metrics, written anew."""
    for m in cluster["metricConfig"]:
        over = next((o for o in m.get("subClusters") or [] if o["name"] == subcluster), None)
        if over and over.get("remove"):
            continue
        of = over if over else m
        zero = {"footprint": "", "energy": "", "lowerIsBetter": False, "restrict": False}
        yield {"name": m["name"], "unit": m["unit"], "scope": m["scope"] or "node", "aggregation": m["aggregation"],
               "timestep": m["timestep"], **{k: of.get(k, zero.get(k, 0)) for k in FIGURES}}


def assert_merged(got, cluster):
    for sub in got["subClusters"]:
        wanted = list(merged(cluster, sub["name"]))
        assert [{"footprint": "", **m} for m in sub["metricConfig"]] == wanted
        assert sub.get("footprint", []) == [m["name"] for m in wanted if m["footprint"]]
        assert sub.get("energyFootprint", []) == [m["name"] for m in wanted if m["energy"]]


def test_each_subcluster_has_the_metrics_and_figures_that_hold_for_it(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(CLUSTER))
    status, answer = ask(tmp_path, [tmp_path / "c.json"])
    assert status == 200 and [c["name"] for c in answer["clusters"]] == ["c"]
    got = answer["clusters"][0]
    assert_merged(got, CLUSTER)
    a, b, d = got["subClusters"]
    assert [m["name"] for m in a["metricConfig"]] == ["plain", "other", "scopeless"]
    assert [m["name"] for m in b["metricConfig"]] == ["plain", "scopeless"]
    changed = a["metricConfig"][1]
    assert (changed["peak"], changed["normal"], changed["footprint"], changed["energy"]) == (99, 0, "min", "")
    assert a["energyFootprint"] == ["plain"] and d["energyFootprint"] == ["plain", "other"]
    for mine, given in zip(got["subClusters"], CLUSTER["subClusters"]):
        assert {k: mine[k] for k in given} == given
    assert got["metricConfig"][1]["subClusters"][1] == {
        "name": "b", "unit": {"base": ""}, "peak": 0, "normal": 0, "caution": 0, "alert": 0, "energy": "",
        "lowerIsBetter": False, "restrict": False, "remove": True}


def test_one_of_several_clusters_is_asked_for_by_name(tmp_path):
    status, answer = ask(tmp_path, CLUSTERS, "?cluster=alex")
    assert status == 200 and [c["name"] for c in answer["clusters"]] == ["alex"]
    status, answer = ask(tmp_path, CLUSTERS)
    assert [c["name"] for c in answer["clusters"]] == ["fritz", "alex"]
    for got, path in zip(answer["clusters"], CLUSTERS):
        with open(path) as f:
            assert_merged(got, json.load(f))
    assert ask(tmp_path, CLUSTERS, "?cluster=nope") == (400, {"status": "Bad Request", "error": "unknown cluster: nope"})


@pytest.mark.skipif(not GOLDEN.exists(), reason="the recorded archives are not here")
@pytest.mark.parametrize("cluster", ["alex", "emmy", "fritz"])
def test_what_is_not_worked_out_is_as_the_reference_writes_it(tmp_path, cluster):
    given = GOLDEN / "archive-v3" / cluster / "cluster.json"
    got = ask(tmp_path, [given])[1]["clusters"][0]
    for sub in got["subClusters"]:
        for made in ("metricConfig", "footprint", "energyFootprint"):
            sub.pop(made, None)
    # Their order, too.
    assert json.dumps(got) == json.dumps(json.loads((GOLDEN / "reencoded" / cluster / "cluster.json").read_text()))
