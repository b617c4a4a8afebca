"""tarn job-archive import, convert --reencode: what is stored is what ClusterCockpit's import makes of the same input."""
import gzip
import json
import random
import shutil
import sqlite3
import struct
import subprocess
import sys

import pyarrow.parquet
import pytest

import job_schemas
import tarn
from test_job_archive import GOLDEN, PEAK, golden, meta, run


def files(root):
    """Path: bytes, unpacked, of a tree of files."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[str(path.relative_to(root))] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def rows(database):
    db = sqlite3.connect(database)
    found = {}
    for cluster, job_id, start, m, d, packed in db.execute(
            "SELECT cluster, job_id, start_time, meta_json, data_json, data_compressed FROM jobs"):
        at = f"{cluster}/{job_id // 1000}/{job_id % 1000:03d}/{start}"
        found[f"{at}/meta.json"] = m
        found[f"{at}/data.json.gz" if packed else f"{at}/data.json"] = gzip.decompress(d) if packed else d
    for name, text in db.execute("SELECT name, config_json FROM clusters"):
        found[f"{name}/cluster.json"] = text
    return found


def parquet_data(root):
    found = {}
    for path in root.rglob("*.parquet"):
        for row in pyarrow.parquet.read_table(path).to_pylist():
            found[row["cluster"], row["job_id"]] = (json.loads(gzip.decompress(row["metric_data_gz"])), row)
    return found


@golden
def test_what_the_reference_wrote_for_the_same_archive_comes_out_byte_for_byte(tmp_path):
    source = tmp_path / "from"
    shutil.copytree(GOLDEN / "archive-v3", source)
    expected = files(GOLDEN / "reencoded")
    run("import", source, tmp_path / "to")
    assert files(tmp_path / "to") == expected
    run("import", source, tmp_path / "a.db")
    assert rows(tmp_path / "a.db") == {k: v for k, v in expected.items() if k != "version.txt"}
    their = sqlite3.connect(GOLDEN / "sqlite-backend" / "job-archive.db").execute("SELECT meta_json FROM jobs")
    assert sorted(m for m, in their) == sorted(v for k, v in expected.items() if k.endswith("meta.json"))
    run("convert", source, f"parquet:{tmp_path}/p", "--reencode")
    mine, theirs = parquet_data(tmp_path / "p"), parquet_data(GOLDEN / "parquet")
    assert mine.keys() == theirs.keys() and len(mine) == 2
    for key, (document, row) in theirs.items():
        assert mine[key][0] == document
        for column in set(row) - {"metric_data_gz"}:
            a, b = mine[key][1][column], row[column]
            if column.endswith("_json") and a is not None and b is not None:
                a, b = json.loads(a), json.loads(b)
            assert a == b, column
    # What is written so stays so.
    run("import", tmp_path / "to", tmp_path / "again")
    assert files(tmp_path / "again") == expected
    # And as it is, when that is asked for.
    run("import", source, tmp_path / "same", "--as-is")
    assert files(tmp_path / "same").keys() == expected.keys()
    before = files(source)
    assert all(before[k.removesuffix(".gz")] == v if k not in before else before[k] == v
               for k, v in files(tmp_path / "same").items())


def number(v, single):
    """As the reference prints it: two decimals of the double, or of the nearest binary32."""
    return None if v is None else float(f"{struct.unpack('f', struct.pack('f', v))[0] if single else v:.2f}")


def expected_scope(scope):
    out = {"unit": scope["unit"], "timestep": scope["timestep"], "series": []}
    if scope.get("statisticsSeries"):
        out["statisticsSeries"] = {k: [number(v, False) for v in scope["statisticsSeries"][k]]
                                   if scope["statisticsSeries"].get(k) else None
                                   for k in ("mean", "median", "min", "max")}
    for s in scope["series"]:
        one = {"hostname": s["hostname"], "data": [number(v, True) for v in s["data"]],
               "statistics": {k: number(s.get("statistics", {}).get(k, 0), False) for k in ("min", "avg", "max")}}
        out["series"].append({**one, "id": s["id"]} if "id" in s else one)
    return out


def shuffled(value, chance):
    if isinstance(value, list):
        return [shuffled(v, chance) for v in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    chance.shuffle(keys)
    return {k: shuffled(value[k], chance) for k in keys}


def old_data(chance):
    """Of the shape of the real jobs: any order of members, many decimals, holes, members that nobody knows."""
    document = {}
    for metric in ("flops_any", "cpu_load", "mem_bw", "ipc", "acc_power"):
        document[metric] = {}
        for scope in chance.sample(["node", "socket", "core", "hwthread", "accelerator"], 2):
            series = []
            for i in range(chance.randrange(1, 9)):
                values = [None if chance.random() < 0.1 else round(chance.lognormvariate(3, 5), chance.randrange(9))
                          for _ in range(chance.randrange(1, 400))]
                known = [v for v in values if v is not None] or [0]
                series.append({"hostname": f"n{i:02d}", "data": values, "mine": {"a": [1, {"b": None}]},
                               "statistics": {"min": min(known), "avg": sum(known) / len(known), "max": max(known)}})
                if scope != "node":
                    series[-1]["id"] = str(i)
                if chance.random() < 0.2:
                    del series[-1]["statistics"]
            document[metric][scope] = {"unit": {"base": "B/s", "prefix": "G"}, "timestep": 60, "scope": scope,
                                       "series": series}
            if chance.random() < 0.6:
                values = [chance.random() * 1e6 for _ in range(50)]
                document[metric][scope]["statisticsSeries"] = {"min": values, "mean": values, "max": values}
    return shuffled(document, chance)


def test_any_order_and_any_decimals_become_the_references_document(tmp_path):
    chance = random.Random(11)
    root = tmp_path / "from"
    (root / "alex").mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    cluster = shuffled(job_schemas.valid_cluster("alex"), chance)
    (root / "alex" / "cluster.json").write_text(json.dumps(cluster, indent=4))
    source = {}
    for job_id in range(1, 21):
        job = root / "alex" / "0" / f"{job_id:03d}" / "1700000000"
        job.mkdir(parents=True)
        m = {**meta("alex", job_id, 1700000000), "stopTime": 1, "mine": {"x": [1]}}
        del m["concurrentJobs"], m["energy"], m["footprint"]
        source[job_id] = (m, old_data(chance))
        (job / "meta.json").write_text(json.dumps(shuffled(m, chance), indent=2))
        text = json.dumps(source[job_id][1], indent=chance.choice((None, 2))).encode()
        if chance.random() < 0.5:
            (job / "data.json").write_bytes(text)
        else:
            (job / "data.json.gz").write_bytes(gzip.compress(text))
    run("import", root, tmp_path / "to")
    run("convert", root, tmp_path / "a.db", "--reencode")
    run("convert", root, f"parquet:{tmp_path}/p", "--reencode")
    after = files(tmp_path / "to")
    assert rows(tmp_path / "a.db") == {k: v for k, v in after.items() if k != "version.txt"}
    in_parquet = parquet_data(tmp_path / "p")
    for job_id, (m, d) in source.items():
        at = f"alex/0/{job_id:03d}/1700000000/"
        expected = {metric: {s: expected_scope(scope) for s, scope in scopes.items()} for metric, scopes in d.items()}
        text = after.get(at + "data.json.gz") or after[at + "data.json"]
        assert json.loads(text) == expected == in_parquet["alex", job_id][0]
        assert list(json.loads(text)) == sorted(d) and b" " not in text and b'"timestep":60}' in text
        del m["stopTime"], m["mine"]
        assert json.loads(after[at + "meta.json"]) == {
            **m, "concurrentJobs": {"items": None, "count": 0}, "energy": 0, "footprint": None}
    written = json.loads(after["alex/cluster.json"])
    for one in (cluster["metricConfig"], cluster["subClusters"][0]["metricConfig"]):
        for override in one[0]["subClusters"]:
            override["unit"] = {"base": ""}
    assert written == cluster
    assert json.loads(run("validate", tmp_path / "to", "--json").stdout)["sound"] == 20


def test_what_cannot_be_written_anew_is_told_and_can_be_copied_as_it_is(tmp_path):
    root = tmp_path / "from"
    (root / "alex").mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    (root / "alex" / "cluster.json").write_text(json.dumps(job_schemas.valid_cluster("alex")))
    documents = {1: job_schemas.valid_data(), 2: {"a": {"node": {"unit": {}, "series": [], "timestep": 60}}},
                 3: {"a": {"node": {"unit": {}, "series": [{"hostname": "x", "data": ["1"]}], "timestep": 60}}}}
    for job_id, document in documents.items():
        job = root / "alex" / "0" / f"{job_id:03d}" / "1700000000"
        job.mkdir(parents=True)
        (job / "meta.json").write_text(json.dumps(meta("alex", job_id, 1700000000)))
        (job / "data.json").write_text(json.dumps(document))
    r = run("import", root, tmp_path / "to", ok=False)
    assert r.returncode == 1 and r.stdout == "1 jobs copied, 0 there before, 2 failed\n"
    one, three = sorted(r.stderr.splitlines())
    assert one.startswith("alex 1 1700000000: data: line 1:") and "found an array" in one or "list" in one
    assert three.startswith("alex 3 1700000000: data: a, node: line 1:")
    assert run("import", root, tmp_path / "same", "--as-is").stdout == "3 jobs copied, 0 there before, 0 failed\n"
    assert run("convert", f"parquet:{tmp_path}/p", tmp_path / "x", "--reencode", ok=False).returncode == 2


def test_writing_data_of_64_nodes_with_128_threads_anew_takes_a_fixed_memory(tmp_path):
    root = tmp_path / "files"
    job = root / "big" / "0" / "001" / "1700000000"
    job.mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    (root / "big/cluster.json").write_text(json.dumps(job_schemas.valid_cluster("big")))
    (job / "meta.json").write_text(json.dumps(meta("big", 1, 1700000000)))
    values = ",".join(f"{i % 97}.{i % 1000:03d}" for i in range(720)).encode()
    with open(job / "data.json", "wb") as f:
        f.write(b'{"flops_any":{"hwthread":{"timestep":60,"series":[')
        for i in range(64 * 128):
            f.write(b'%s{"data":[%s],"hostname":"n%02d","id":"%d"}' % (b"," if i else b"", values, i // 128, i % 128))
        f.write(b'],"unit":{"base":"F/s"}}}}')
    bytes_in = (job / "data.json").stat().st_size
    command = [sys.executable, "-c", PEAK, tarn.BINARY, "job-archive", "import", root, tmp_path / "to"]
    kib = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)
    print(f"{bytes_in >> 20} MiB of data written anew; peak {kib} KiB")
    assert bytes_in > 30 << 20 and kib < 24 << 10
