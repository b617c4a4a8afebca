"""tarn job-archive validate and the published schemas: the same verdict about any document, rule by rule."""
import copy
import gzip
import json
import os
import random
import re
import shutil
import subprocess

import jsonschema
import pytest

import job_schemas as rules
import tarn
import test_archiver

GOLDEN = tarn.ROOT.parent / "shared" / "golden" / "job-archive"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the recorded archives are not here")
# Changed documents of each kind that are tried; 0: all of them (`make soak`).
COUNT = int(os.environ.get("TARN_TEST_MUTATIONS", "120"))
NEW_VALUES = (None, True, -1, 0, 0.5, 2.0, 1e400, "", "none", [], ["x"], [-1], [1], {}, {"node": 3}, {"base": "load"})
SCHEMAS = {kind: jsonschema.Draft202012Validator(schema)
           for kind, schema in (("meta", rules.META), ("data", rules.DATA), ("cluster", rules.CLUSTER))}


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def mutations(document):
    """Every value away, or another one in its place; a list with its last item twice; a member that has no name here."""
    for path in places(document):
        if not path:
            continue
        for new in ("away", "twice", "more", *NEW_VALUES):
            changed = copy.deepcopy(document)
            at = changed
            for key in path[:-1]:
                at = at[key]
            old = at[path[-1]]
            if new == "away":
                del at[path[-1]]
            elif new == "twice":
                if not isinstance(old, list) or not old:
                    continue
                old.append(copy.deepcopy(old[-1]))
            elif new == "more":
                if not isinstance(old, dict):
                    continue
                old["something else"] = -7
            elif type(old) is type(new) and old == new:
                continue
            else:
                at[path[-1]] = new
            yield "/".join(map(str, path)), new, changed


def sample(document, seed):
    every = list(mutations(document))
    return every if COUNT == 0 or COUNT >= len(every) else random.Random(seed).sample(every, COUNT)


def text(document):
    return json.dumps(document).replace("Infinity", "1e400")


def place(root, job_id, meta, data):
    job = root / "fritz" / str(job_id // 1000) / f"{job_id % 1000:03d}" / "1700000000"
    job.mkdir(parents=True)
    (job / "meta.json").write_text(text(meta))
    (job / "data.json").write_text(text(data))


def new_archive(root):
    (root / "fritz").mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    (root / "fritz" / "cluster.json").write_text(json.dumps(rules.valid_cluster("fritz")))


def verdicts(root, *flags, ok=None):
    r = subprocess.run([tarn.BINARY, "job-archive", "validate", str(root), "--json", *flags], capture_output=True,
                       text=True, timeout=300)
    assert r.returncode in (0, 1), r.stderr
    assert ok is None or (r.returncode == 0) == ok, r.stdout
    *lines, totals = map(json.loads, r.stdout.splitlines())
    return lines, totals


def compare(tried, lines, key, schema):
    """The schema refuses a document if and only if tarn names a broken rule; where the path says it is."""
    told = {}
    for line in lines:
        told.setdefault(line[key], []).append(line)
    refused = 0
    for name, (path, new, document) in tried.items():
        errors = list(schema.iter_errors(json.loads(text(document))))
        broken = [line["rule"] for line in told.get(name, ()) if "rule" in line]
        assert bool(errors) == bool(broken), (path, new, [e.message for e in errors], told.get(name))
        for e in errors:
            pointer = "/" + "/".join(map(str, e.absolute_path))
            found = [rule.split(": ")[1] for rule in broken]
            if e.validator == "uniqueItems":  # tarn names the item that is there twice
                found = [at.rpartition("/")[0] for at in found]
            assert pointer in found, (path, new, e.message, broken)
        refused += bool(errors)
    return refused


def test_metadata_and_data_are_judged_as_the_schemas_judge_them(tmp_path):
    root = tmp_path / "a"
    new_archive(root)
    tried = {"meta": {}, "data": {}}
    place(root, 1, rules.valid_meta("fritz", 1, 1700000000), rules.valid_data())
    lines, totals = verdicts(root, "--strict", ok=True)
    assert lines == [] and totals == {"jobs": 1, "sound": 1, "failed": 0, "breakRules": 0, "clustersFailed": 0,
                                      "clustersBreakRules": 0}
    job_id = 1
    for kind in tried:
        valid = rules.valid_data() if kind == "data" else rules.valid_meta("fritz", 0, 1700000000)
        for path, new, document in sample(valid, kind):
            job_id += 1
            meta = rules.valid_meta("fritz", job_id, 1700000000)
            if kind == "meta" and path != "jobId":
                document["jobId"] = job_id
            tried[kind][job_id] = (path, new, document)
            place(root, job_id, document if kind == "meta" else meta, document if kind == "data" else rules.valid_data())
    lines, totals = verdicts(root, "--strict", ok=False)
    refused = sum(compare(tried[kind], lines, "jobId", SCHEMAS[kind]) for kind in tried)
    assert totals["jobs"] == job_id and totals["breakRules"] == refused > COUNT / 4
    # What tarn refuses beside the rules no reader could use: the reasons, and no other one.
    faults = {line["fault"] for line in lines if "fault" in line}
    extra = {line["jobId"] for line in lines if "fault" in line} - {line["jobId"] for line in lines if "rule" in line}
    reasons = ("time step", "number or null", "expected", "out of range", "they are of job", "without \"", "no scope")
    assert all(any(reason in fault for reason in reasons) for fault in faults), faults
    assert totals["failed"] == refused + len(extra)
    print(f"{job_id} jobs, {refused} break rules, {len(extra)} keep them and cannot be read all the same")


def test_configurations_of_clusters_are_judged_as_the_schema_judges_them(tmp_path):
    every = list(enumerate(sample(rules.valid_cluster("x"), "cluster")))
    refused = 0
    for start in range(0, len(every), 1000):  # an archive has at most 1,024 clusters
        root = tmp_path / str(start)
        root.mkdir()
        (root / "version.txt").write_text("3\n")
        tried = {f"c{i:04d}": one for i, one in every[start:start + 1000]}
        for name, (_, _, document) in tried.items():
            (root / name).mkdir()
            (root / name / "cluster.json").write_text(text(document))
        lines, totals = verdicts(root, "--strict", ok=False)
        n = compare(tried, lines, "cluster", SCHEMAS["cluster"])
        assert totals["clustersBreakRules"] == n
        refused += n
    assert refused > len(every) / 4
    print(f"{len(every)} configurations, {refused} break rules")


def test_a_broken_rule_is_told_with_document_path_and_rule_and_fails_only_when_strict(tmp_path):
    root = tmp_path / "a"
    new_archive(root)
    meta = rules.valid_meta("fritz", 1403244, 1700000000)
    meta["statistics"]["mem_bw"]["unit"]["base"] = "load"
    meta["energyFootprint"] = None
    data = rules.valid_data()
    del data["net_bw"]
    data["cpu_user"]["node"]["statisticsSeries"]["median"] = [-1] * 40
    place(root, 1403244, meta, data)
    lines, totals = verdicts(root, ok=True)
    assert lines == [] and totals["breakRules"] == 1 and totals["failed"] == 0
    r = subprocess.run([tarn.BINARY, "job-archive", "validate", root, "--strict"], capture_output=True, text=True)
    at = "fritz 1403244 1700000000: fritz/1403/244/1700000000/"
    lines = r.stdout.splitlines()
    assert r.returncode == 1 and lines[-1].startswith("1 jobs, 0 sound, 1 failed")
    assert at + "meta.json: /energyFootprint: is null, must be an object" in lines
    assert any(line.startswith(at + "meta.json: /statistics/mem_bw/unit/base: is \"load\", must be one of \"B\", ")
               for line in lines)
    assert at + "data.json: /cpu_user/node/statisticsSeries/median/7: is below 0" in lines
    assert len(lines) == 2 + 20 + 1 + 1 and lines[-2].endswith(": 21 more rules are broken")


def test_a_cluster_without_a_configuration_that_can_be_read_is_a_fault(tmp_path):
    root = tmp_path / "a"
    new_archive(root)
    place(root, 1, rules.valid_meta("fritz", 1, 1700000000), rules.valid_data())
    for broken, says in (('{"name": "fritz"}', "a cluster needs a name, a metric and a subcluster"), ("{", "EOF")):
        (root / "fritz/cluster.json").write_text(broken)
        (line, *_), totals = verdicts(root, ok=False)
        assert line["cluster"] == "fritz" and says in line["fault"]
        assert totals["clustersFailed"] == 1 and totals["failed"] == 0 and totals["sound"] == 1


def test_a_strict_import_takes_what_keeps_the_rules_and_says_why_it_refuses_the_rest(tmp_path):
    root, to = tmp_path / "a", tmp_path / "to"
    new_archive(root)
    place(root, 1, rules.valid_meta("fritz", 1, 1700000000), rules.valid_data())
    place(root, 2, {**rules.valid_meta("fritz", 2, 1700000000), "shared": "no", "numNodes": 0}, rules.valid_data())

    def strict_import():
        return subprocess.run([tarn.BINARY, "job-archive", "import", root, to, "--strict", "--as-is"],
                              capture_output=True, text=True, timeout=300)

    r = strict_import()
    assert r.returncode == 1 and r.stdout == "1 jobs copied, 0 there before, 1 failed\n"
    assert r.stderr == ("fritz 2 1700000000: fritz/0/002/1700000000/meta.json: /numNodes: must be above 0 "
                        "(and more)\n")
    assert sorted(p.parent.parent.name for p in to.rglob("meta.json")) == ["001"]
    cluster = rules.valid_cluster("fritz")
    cluster["metricConfig"][0]["aggregation"] = ""
    (root / "fritz/cluster.json").write_text(json.dumps(cluster))
    r = strict_import()
    assert r.returncode == 1
    assert "fritz/cluster.json: /metricConfig/0/aggregation: is \"\", must be one of \"sum\", \"avg\"" in r.stderr


DEVIATIONS = json.loads((tarn.ROOT / "tests/e2e/job_schema_deviations.json").read_text())


def deviations_of(root, folders="*/*/*/*"):
    """Of every document of a tree, the rules of the schemas that it breaks: {number in DEVIATIONS}, all of them known."""
    found = set()
    documents = [("cluster", p) for p in root.glob("*/cluster.json")]
    documents += [(p.name.split(".")[0], p) for p in root.glob(folders + "/*.json*")]
    for kind, path in documents:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for e in SCHEMAS[kind].iter_errors(json.loads(text)):
            at = "/" + "/".join(map(str, e.absolute_path))
            rule = f"required: {e.message.split(chr(39))[1]}" if e.validator == "required" else e.validator
            known = [i for i, d in enumerate(DEVIATIONS) if re.fullmatch(d["document"], kind)
                     and re.fullmatch(d["at"], at) and re.fullmatch(d["rule"], rule)]
            assert known, (path, at, rule, e.message[:200])
            found.add(known[0])
    assert len(documents) > 2
    return found


def test_what_the_archiver_writes_breaks_only_rules_that_the_reference_breaks_with_a_reason(tmp_path, monkeypatch):
    cluster = {**rules.valid_cluster("c"), "metricConfig": []}
    names = ("cpu_user", "cpu_load", "mem_used", "flops_any", "mem_bw", "net_bw", "cpu_power")
    for name in names:
        fine = name in ("cpu_user", "flops_any")
        cluster["metricConfig"].append({
            "name": name, "unit": {"base": "B/s", "prefix": "G"}, "scope": "hwthread" if fine else "node", "timestep": 60,
            "aggregation": "avg", "peak": 4, "normal": 3, "caution": 2, "alert": 1, **({"footprint": "avg"} if fine else {}),
            **({"energy": "power"} if name == "cpu_power" else {})})
    cluster["subClusters"][0].update(nodes="*", topology={
        "node": [0, 1, 2, 3], "socket": [[0, 1, 2, 3]], "memoryDomain": [[0, 1, 2, 3]], "core": [[0], [1], [2], [3]]})
    monkeypatch.setattr(test_archiver, "CLUSTER", cluster)
    monkeypatch.setattr(tarn, "METRICS", {name: {"frequency": 60, "aggregation": "avg"} for name in names})
    root = tmp_path / "archive"
    (root / "c").mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    (root / "c/cluster.json").write_text(json.dumps(cluster))
    site = test_archiver.Site(tmp_path)
    with site.server as server:
        lines = []
        for name in names:
            types = [f"type=hwthread,type-id={t}" for t in range(4)] if name in ("cpu_user", "flops_any") else ["type=node"]
            lines += [f"{name},cluster=c,hostname={host},{kind} value={i % 9} {site.start_s + 60 * i}"
                      for host in ("n1", "n2") for kind in types for i in range(60)]
        assert server.write("\n".join(lines) + "\n").status == 200
        site.end_jobs(4001, 2)
        site.wait([4001, 4002])
    found = deviations_of(root)
    assert found and not any(DEVIATIONS[i]["document"] == "cluster" for i in found)
    _, data = site.read(4001)
    assert sorted(data) == sorted(names) and "statisticsSeries" in data["flops_any"]["core"]
    # tarn itself sees what jsonschema sees.
    lines, totals = verdicts(root, "--strict", ok=False)
    assert {line["jobId"] for line in lines if "rule" in line} == {4001, 4002}
    assert not [line for line in lines if "fault" in line] and totals["breakRules"] == 2


@golden
def test_the_archives_of_the_reference_break_those_rules_and_no_others():
    found = deviations_of(GOLDEN / "archiver/archive") | deviations_of(GOLDEN / "reencoded")
    assert len(found) >= 6, found


def test_configurations_of_other_days_are_read_or_refused_by_name(tmp_path):
    """Footprints were lists of words and switches once, flop rates plain numbers, energy was not there."""
    def change(**metric):
        cluster = rules.valid_cluster("c")
        cluster["metricConfig"][0].update(metric)
        del cluster["metricConfig"][0]["energy"]
        return cluster

    plain_number = rules.valid_cluster("c")
    plain_number["subClusters"][0]["flopRateScalar"] = 44
    for cluster, ok, says in ((change(), True, ""), (change(footprint=""), True, ""),
                              (change(**{"footprint-type": "avg"}), True, ""), (change(footprint=True), False, "footprint"),
                              (change(footprint=["avg"]), False, "footprint"), (change(unit="GB/s"), False, "unit"),
                              (plain_number, False, "flopRateScalar")):
        root = tmp_path / "a"
        new_archive(root)
        (root / "fritz/cluster.json").write_text(json.dumps(cluster))
        lines, totals = verdicts(root, ok=ok)
        assert totals["clustersFailed"] == (not ok)
        assert ok or (lines[0]["fault"].startswith("configuration: ") and says in lines[0]["fault"]), lines
        shutil.rmtree(root)


@golden
def test_the_rules_here_are_those_of_the_published_schemas():
    folder = GOLDEN / "schemas"

    def plain(value, root):
        if isinstance(value, list):
            return [plain(v, root) for v in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            where = value["$ref"]
            if where.startswith("#/"):
                for key in where[2:].split("/"):
                    root = root[key]
                return plain(root, root)
            return load(where.removeprefix("embedfs://"))
        return {k: sorted(v) if k in ("required", "enum") else plain(v, root) for k, v in value.items()
                if not (k in ("description", "title", "$schema", "$id") and isinstance(v, str))}

    def load(name):
        schema = json.loads((folder / name).read_text())
        return plain(schema, schema)

    for name, mine in (("job-meta", rules.META), ("job-data", rules.DATA), ("cluster", rules.CLUSTER)):
        assert load(f"{name}.schema.json") == plain(mine, mine), name
