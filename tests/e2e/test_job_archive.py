"""tarn job-archive: files, database, bucket and Parquet hold the same jobs; damage is found, nothing is lost."""
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

import tarn
from job_schemas import valid_cluster

GOLDEN = tarn.ROOT.parent / "shared" / "golden" / "job-archive"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the recorded archives are not here")


def run(*args, env=None, ok=True):
    r = subprocess.run([tarn.BINARY, "job-archive", *map(str, args)], capture_output=True, text=True,
                       timeout=300, env={**os.environ, **(env or {})})
    if ok:
        assert r.returncode == 0, r.stderr + r.stdout
    return r


def meta(cluster, job_id, start, **more):
    unit = {"base": "B/s", "prefix": "G"}
    numbers = {"unit": unit, "avg": 1.5, "min": 0.25, "max": 3.0}
    names = ("cpu_user", "cpu_load", "mem_used", "flops_any", "mem_bw")
    return {
        "cluster": cluster, "subCluster": "main", "project": "p", "user": "u<&>", "shared": "none",
        "jobState": "completed", "resources": [{"hostname": "n01", "hwthreads": [0, 1]}],
        "energyFootprint": None, "footprint": {"mem_bw_avg": 1.5}, "metaData": {"jobName": "ü"},
        "concurrentJobs": {"items": None, "count": 0}, "energy": 0, "arrayJobId": 7, "walltime": 3600,
        "requestedMemory": 100, "jobId": job_id, "duration": 120, "smt": 1, "monitoringStatus": 1,
        "numHwthreads": 2, "numNodes": 1, "statistics": {n: numbers for n in names},
        "submitTime": start - 5, "startTime": start, **more,
    }


def data(n):
    series = [{"hostname": "n01", "statistics": {"min": 0.0, "avg": 1.0, "max": 2.0},
               "data": [round(i * 0.25 % 7, 2) if i % 11 else None for i in range(n)]}]
    return {"mem_bw": {"node": {"unit": {"base": "B/s", "prefix": "G"}, "series": series, "timestep": 60}}}


def place(root, m, d, compress=True):
    job = root / m["cluster"] / str(m["jobId"] // 1000) / f"{m['jobId'] % 1000:03d}" / str(m["startTime"])
    job.mkdir(parents=True)
    text = json.dumps(d, separators=(",", ":")).encode()
    if compress and len(text) > 2000:
        (job / "data.json.gz").write_bytes(gzip.compress(text, mtime=0))
    else:
        (job / "data.json").write_bytes(text)
    (job / "meta.json").write_text(json.dumps(m))
    return job


@pytest.fixture
def archive(tmp_path):
    """Three jobs of two clusters; one of them is short, one plain although it is long."""
    root = tmp_path / "files"
    root.mkdir()
    (root / "version.txt").write_text("3\n")
    for cluster in ("alex", "fritz"):
        (root / cluster).mkdir()
        (root / cluster / "cluster.json").write_text(json.dumps(valid_cluster(cluster)))
    place(root, meta("fritz", 1403244, 1608923076), data(5000))
    place(root, meta("fritz", 7, 1608923999), data(10))
    place(root, meta("alex", 12001, 1700000000), data(3000), compress=False)
    return root


def content(root):
    """{(cluster, id, start): (meta, data, is compressed)} of a tree of files."""
    found = {}
    for path in root.glob("*/*/*/*/meta.json"):
        m = json.loads(path.read_text())
        packed = path.parent / "data.json.gz"
        plain = path.parent / "data.json"
        assert packed.exists() != plain.exists()
        d = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
        key = (m["cluster"], m["jobId"], m["startTime"])
        found[key] = (m, json.loads(d), packed.exists())
    return found


def test_each_form_and_back_is_the_same_archive(archive, tmp_path):
    before = content(archive)
    run("convert", archive, tmp_path / "a.db")
    run("convert", f"sqlite:{tmp_path}/a.db", tmp_path / "b")
    run("convert", tmp_path / "b", f"parquet:{tmp_path}/p")
    r = run("convert", f"parquet:{tmp_path}/p", tmp_path / "c", "--json")
    assert json.loads(r.stdout) == {"copied": 3, "there": 0, "failed": 0, "files": 2}
    for form in ("b", "c"):
        after = content(tmp_path / form)
        assert {k: v[:2] for k, v in after.items()} == {k: v[:2] for k, v in before.items()}
        assert [after[k][2] for k in sorted(after)] == [True, False, True]  # more than 2,000 bytes or not
        assert (tmp_path / form / "version.txt").read_bytes() == b"3\n"
        for cluster in ("alex", "fritz"):
            assert json.loads((tmp_path / form / cluster / "cluster.json").read_text())["name"] == cluster
    assert content(archive) == before
    left = [p for p in tmp_path.rglob("*") if p.name.endswith((".new", ".tmp"))]
    assert left == []


def test_a_second_run_passes_over_what_is_there_unless_told_to_overwrite(archive, tmp_path):
    to = tmp_path / "to"
    run("import", archive, to)
    job = next(to.glob("alex/*/*/*"))
    (job / "meta.json").write_text((job / "meta.json").read_text().replace('"project":"p"', '"project":"other"'))
    r = run("import", archive, to)
    assert r.stdout == "0 jobs copied, 3 there before, 0 failed\n"
    assert "other" in (job / "meta.json").read_text()
    r = run("import", archive, to, "--overwrite", "--cluster", "alex")
    assert r.stdout == "1 jobs copied, 0 there before, 0 failed\n"
    assert "other" not in (job / "meta.json").read_text()


def test_a_database_has_the_tables_and_rows_of_the_specification(archive, tmp_path):
    run("convert", archive, tmp_path / "a.db")
    db = sqlite3.connect(tmp_path / "a.db")
    rows = db.execute("SELECT cluster, job_id, start_time, meta_json, data_json, data_compressed FROM jobs")
    for cluster, job_id, start, m, d, packed in rows:
        assert isinstance(m, bytes) and isinstance(d, bytes)
        m = json.loads(m)
        assert (m["cluster"], m["jobId"], m["startTime"]) == (cluster, job_id, start)
        assert json.loads(gzip.decompress(d) if packed else d) == content(archive)[cluster, job_id, start][1]
    assert db.execute("SELECT value FROM metadata WHERE key = 'version'").fetchall() == [("3",)]
    assert db.execute("SELECT name FROM clusters ORDER BY name").fetchall() == [("alex",), ("fritz",)]


def test_a_bucket_is_written_read_listed_and_emptied_on_a_server_that_checks_signatures(archive, tmp_path):
    pytest.importorskip("moto.server")
    from test_archive_s3 import Server

    server = Server()
    try:
        env = {"AWS_ACCESS_KEY_ID": server.access, "AWS_SECRET_ACCESS_KEY": server.secret,
               "AWS_ENDPOINT_URL_S3": server.url, "TMPDIR": str(tmp_path)}
        server.s3.create_bucket(Bucket="jobs")
        for i in range(4):
            place(archive, meta("alex", 500000 + i, 1700000000 + i), data(3))
        run("convert", archive, "s3://jobs", env=env)
        keys = set()
        for page in server.s3.get_paginator("list_objects_v2").paginate(Bucket="jobs"):
            keys |= {o["Key"] for o in page["Contents"]}
        assert {"version.txt", "alex/cluster.json", "fritz/1403/244/1608923076/meta.json",
                "fritz/1403/244/1608923076/data.json.gz", "fritz/0/007/1608923999/data.json"} <= keys
        assert len(keys) == 3 + 2 * 7
        for i in range(450):  # more than a page of a listing, in front of and between what counts
            server.s3.put_object(Bucket="jobs", Key=f"alex/{i % 2 * 13}/a&{i}/meta.json", Body=b"")
        assert json.loads(run("validate", "s3://jobs", "--json", env=env).stdout)["sound"] == 7
        run("convert", "s3://jobs", tmp_path / "back", env=env)
        assert {k: v[:2] for k, v in content(tmp_path / "back").items()} == {
            k: v[:2] for k, v in content(archive).items()}
        r = run("remove", "s3://jobs", "--before", "1700000002", "--cluster", "alex", "--json", env=env)
        assert json.loads(r.stdout) == {"jobs": 5, "removed": 3, "failed": 0}
        assert len(run("list", "s3://jobs", env=env).stdout.splitlines()) == 4
        wrong = {**env, "AWS_SECRET_ACCESS_KEY": "wrong"}
        r = run("list", "s3://jobs", env=wrong, ok=False)
        assert r.returncode == 1 and "403" in r.stderr and "wrong" not in r.stderr
        r = run("list", "s3://none", env=env, ok=False)
        assert r.returncode == 1 and "404" in r.stderr
        assert not list(tmp_path.glob("tarn-job-archive.*"))
    finally:
        server.stop()


def test_damage_is_found_and_named_and_the_other_jobs_are_read(archive, tmp_path):
    job = archive / "fritz/1403/244/1608923076"
    whole = (job / "data.json.gz").read_bytes()
    text = gzip.decompress(whole)

    def fault():
        r = run("validate", archive, ok=False)
        assert r.returncode == 1
        lines = r.stdout.splitlines()
        assert lines[-1].startswith("3 jobs, 2 sound, 1 failed")
        assert lines[0].startswith("fritz 1403244 1608923076: ")
        return lines[0].split(": ", 1)[1]

    assert run("validate", archive).stdout.startswith("3 jobs, 3 sound, 0 failed")
    (job / "data.json.gz").write_bytes(whole[:-9])
    assert "end too early" in fault()
    (job / "data.json.gz").write_bytes(whole[:300] + bytes([whole[300] ^ 0x10]) + whole[301:])
    assert fault().startswith("data: ")
    for old, new, say in ((b'"timestep":60', b'"timestep":0', "time step"), (b'"node"', b'"rack"', "no scope"),
                          (b'"hostname"', b'"hostnam"', "hostname"), (b"null", b'"x"', "a number or null"),
                          (b'"min":0.0,', b"", "min, avg and max"), (b"]", b"}", "line 1")):
        (job / "data.json.gz").write_bytes(gzip.compress(text.replace(old, new, 1)))
        assert say in fault()
    (job / "data.json.gz").write_bytes(whole)
    m = json.loads((job / "meta.json").read_text())
    (job / "meta.json").write_text(json.dumps({**m, "jobId": 1403245}))
    assert "1403245" in fault()
    (job / "meta.json").write_text('{"jobId": ')
    assert fault().startswith("metadata: ")
    r = run("convert", archive, f"parquet:{tmp_path}/p", ok=False)
    assert r.returncode == 1 and r.stdout.startswith("2 jobs copied, 0 there before, 1 failed")
    assert "fritz 1403244 1608923076: " in r.stderr


def test_compressing_packs_long_plain_data_and_changes_nothing_else(archive):
    place(archive, meta("alex", 12002, 1700000100), data(3000), compress=False)
    before = content(archive)
    r = run("compress", archive, "--before", "1700000100")
    assert r.stdout == "4 jobs, 1 compressed, 0 failed\n"
    assert content(archive)["alex", 12001, 1700000000][2]
    assert not content(archive)["alex", 12002, 1700000100][2]
    bare = archive / "alex/12/003/1700000200"
    bare.mkdir(parents=True)
    (bare / "meta.json").write_text(json.dumps(meta("alex", 12003, 1700000200)))
    r = run("compress", archive, "--json", ok=False)  # one has no data
    assert r.returncode == 1
    fault, totals = map(json.loads, r.stdout.splitlines())
    assert fault["jobId"] == 12003 and totals == {"jobs": 5, "compressed": 1, "failed": 1}
    shutil.rmtree(bare)
    after = content(archive)
    assert {k: v[:2] for k, v in after.items()} == {k: v[:2] for k, v in before.items()}
    assert [after[k][2] for k in sorted(after)] == [True, True, False, True]
    assert run("compress", archive).stdout == "4 jobs, 0 compressed, 0 failed\n"


OLD_AVERAGES = ("mem_used_max", "flops_any_avg", "mem_bw_avg", "load_avg", "net_bw_avg", "net_data_vol_total",
                "file_bw_avg", "file_data_vol_total")


@pytest.mark.parametrize("exclusive,shared", [(0, "multi_user"), (1, "none"), (2, "single_user")])
def test_an_archive_of_version_2_is_migrated_in_place_once_all_its_jobs_are(archive, exclusive, shared):
    (archive / "version.txt").write_text("2\n")
    path = archive / "fritz/0/007/1608923999/meta.json"
    m = json.loads(path.read_text())
    del m["shared"], m["submitTime"], m["energy"]
    old = json.dumps({**m, "exclusive": exclusive, "stopTime": 5, **dict.fromkeys(OLD_AVERAGES, 1.5)})
    path.write_text(old)
    r = run("list", archive)
    assert len(r.stdout.splitlines()) == 3
    r = run("validate", archive, ok=False)
    assert r.returncode == 1 and "tarn job-archive migrate" in r.stderr
    assert run("migrate", archive, "--dry-run").stdout == "3 jobs, 1 to migrate, 0 failed\n"
    assert path.read_text() == old
    assert run("migrate", archive).stdout == "3 jobs, 1 migrated, 0 failed\n"
    assert json.loads(path.read_text()) == {**m, "shared": shared, "submitTime": 1608923999, "energy": 0}
    assert (archive / "version.txt").read_text() == "3\n"
    assert run("migrate", archive).stdout == "3 jobs, 0 migrated, 0 failed\n"
    run("validate", archive)


def test_each_thing_that_is_old_about_a_job_is_put_right_alone_and_what_is_there_stays(archive):
    """(spec: job-archive 12.2) Member by member; the rest of the document and the data are as before."""
    path = archive / "fritz/0/007/1608923999/meta.json"
    m = json.loads(path.read_text())
    before = (path.parent / "data.json").read_bytes()

    def without(*names):
        return {k: v for k, v in m.items() if k not in names}

    old_unit = {**m, "exclusive": 1, "statistics": {**m["statistics"], "ipc": {"unit": "IPC", "avg": 1, "min": 0, "max": 2},
                                                    "bw": {"unit": "MB/s", "avg": 1, "min": 0, "max": 2}}}
    new_unit = {**m, "statistics": {**m["statistics"], "ipc": {"unit": {"base": "IPC"}, "avg": 1, "min": 0, "max": 2},
                                    "bw": {"unit": {"base": "B/s", "prefix": "M"}, "avg": 1, "min": 0, "max": 2}}}
    cases = [(without("shared"), {**m, "shared": "none"}),
             (without("submitTime"), {**m, "submitTime": m["startTime"]}),
             (without("energy"), {**m, "energy": 0}),
             ({**without("submitTime"), "requestedMemory": 0}, {**without("requestedMemory"), "submitTime": m["startTime"]}),
             ({**m, "exclusive": 2, "shared": "none"}, {**m, "shared": "single_user"}),
             *(({**m, name: 3}, m) for name in OLD_AVERAGES), (old_unit, new_unit)]
    for old, new in cases:
        (archive / "version.txt").write_text("2\n")
        path.write_text(json.dumps(old))
        assert run("migrate", archive, "--dry-run").stdout == "3 jobs, 1 to migrate, 0 failed\n", old
        assert json.loads(path.read_text()) == old and (archive / "version.txt").read_text() == "2\n"
        assert run("migrate", archive).stdout == "3 jobs, 1 migrated, 0 failed\n", old
        assert json.loads(path.read_text()) == new
        assert (archive / "version.txt").read_text() == "3\n"
        assert run("migrate", archive).stdout == "3 jobs, 0 migrated, 0 failed\n"
    assert (path.parent / "data.json").read_bytes() == before
    for wrong in (3, -1, 1.5, "1", None, True):
        path.write_text(json.dumps({**m, "exclusive": wrong}))
        r = run("migrate", archive, ok=False)
        assert r.returncode == 1 and "\"exclusive\" to be 0, 1 or 2" in r.stdout
        assert json.loads(path.read_text())["exclusive"] == wrong


def test_an_archive_with_a_job_that_cannot_be_migrated_keeps_its_version(archive):
    (archive / "version.txt").write_text("2\n")
    path = archive / "fritz/0/007/1608923999/meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "exclusive": 3}))
    r = run("migrate", archive, ok=False)
    assert r.returncode == 1 and "exclusive" in r.stdout
    assert (archive / "version.txt").read_text() == "2\n"


def test_jobs_of_a_time_are_removed_after_a_dry_run_that_removes_none(archive):
    r = run("remove", archive, "--before", "1608923999", "--dry-run")
    assert r.stdout.splitlines() == ["fritz 1403244 1608923076: would be removed", "3 jobs, 1 to remove, 0 failed"]
    assert len(content(archive)) == 3
    run("remove", archive, "--before", "1608923999")
    assert sorted(content(archive)) == [("alex", 12001, 1700000000), ("fritz", 7, 1608923999)]
    assert not (archive / "fritz/1403/244").exists() and (archive / "fritz/1403").exists()
    run("remove", archive, "--after", "2021-01-01")
    assert sorted(content(archive)) == [("fritz", 7, 1608923999)]
    assert run("remove", archive, ok=False).returncode == 2


def test_info_counts_jobs_by_cluster(archive):
    lines = [json.loads(line) for line in run("info", archive, "--json").stdout.splitlines()]
    assert sorted((x["cluster"], x["jobs"], x["firstStart"], x["lastStart"]) for x in lines) == [
        ("alex", 1, 1700000000, 1700000000), ("fritz", 2, 1608923076, 1608923999),
        ("total", 3, 1608923076, 1700000000)]


def test_what_is_no_archive_is_refused(archive, tmp_path):
    (archive / "version.txt").write_text("4\n")
    for address, say in ((archive, "version 4"), (tmp_path / "none", "none"), (tmp_path / "none.db", "none.db"),
                         (tmp_path, "no job archive")):
        r = run("validate", address, ok=False)
        assert r.returncode == 1 and say in r.stderr
    assert not (tmp_path / "none.db").exists()
    assert run("convert", archive, ok=False).returncode == 2


# Started from a small process: a process counts what the one that started it had, too.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(*args):
    command = [sys.executable, "-c", PEAK, tarn.BINARY, "job-archive", *args]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)


def test_a_job_of_64_nodes_with_128_threads_is_handled_in_a_fixed_memory(tmp_path):
    root = tmp_path / "files"
    (root / "big").mkdir(parents=True)
    (root / "version.txt").write_text("3\n")
    (root / "big/cluster.json").write_text(json.dumps(valid_cluster("big")))
    m = meta("big", 1, 1700000000)
    job = place(root, m, {})
    values = ",".join(f"{i % 97}.{i % 100:02d}" for i in range(1440)).encode()
    with open(job / "data.json", "wb") as f:
        f.write(b'{"flops_any":{"hwthread":{"unit":{"base":"F/s"},"series":[')
        for i in range(64 * 128):
            f.write(b'%s{"hostname":"n%02d","id":"%d","statistics":{"min":0.00,"avg":1.00,"max":2.00},"data":[%s]}'
                    % (b"," if i else b"", i // 128, i % 128, values))
        f.write(b'],"timestep":60}}}')
    bytes_in = (job / "data.json").stat().st_size
    peaks = {
        "files": peak_kib("convert", root, tmp_path / "to"),
        "database": peak_kib("convert", tmp_path / "to", tmp_path / "a.db"),
        "Parquet": peak_kib("convert", tmp_path / "to", f"parquet:{tmp_path}/p"),
        "back": peak_kib("convert", f"parquet:{tmp_path}/p", tmp_path / "back"),
        "validate": peak_kib("validate", tmp_path / "back"),
    }
    packed = next((tmp_path / "back").rglob("data.json.gz")).stat().st_size
    print(f"{bytes_in >> 20} MiB of data, {packed >> 10} KiB compressed; peak KiB: {peaks}")
    assert bytes_in > 50 << 20
    for form, kib in peaks.items():
        assert kib < 24 << 10, form


@golden
@pytest.mark.parametrize("source", ["reencoded", "sqlite-backend/job-archive.db", "archiver/archive"])
def test_archives_of_the_reference_are_read_and_written_byte_by_byte_alike(source, tmp_path):
    source = GOLDEN / source
    address = tmp_path / ("from.db" if source.suffix else "from")
    (shutil.copy if source.suffix else shutil.copytree)(source, address)
    expected = GOLDEN / "reencoded" if source.suffix else source
    run("validate", address)
    run("convert", address, tmp_path / "x.db")
    run("convert", tmp_path / "x.db", f"parquet:{tmp_path}/p")
    run("convert", f"parquet:{tmp_path}/p", tmp_path / "to")
    n = 0
    for path in expected.rglob("*"):
        if path.is_dir():
            continue
        other = tmp_path / "to" / path.relative_to(expected)
        a, b = path.read_bytes(), other.read_bytes()
        if path.suffix == ".gz":
            a, b = gzip.decompress(a), gzip.decompress(b)
        assert a == b, path
        n += 1
    assert n > 5


@golden
def test_parquet_files_of_the_reference_become_an_archive(tmp_path):
    run("convert", f"parquet:{GOLDEN / 'parquet'}", tmp_path / "to")
    after, expected = content(tmp_path / "to"), content(GOLDEN / "reencoded")
    assert after.keys() == expected.keys()
    for key, (m, d, _) in after.items():
        assert d == expected[key][1]
        # What the reference's files have no column for.
        missing = ("submitTime", "monitoringStatus", "id", "requestedMemory", "arrayJobId")
        assert m == {k: v for k, v in expected[key][0].items() if k not in missing}


@golden
def test_a_job_of_the_first_version_is_migrated(tmp_path):
    root = tmp_path / "old"
    shutil.copytree(GOLDEN / "legacy-v1", root)
    (root / "version.txt").write_text("1\n")
    assert run("migrate", root).stdout == "1 jobs, 1 migrated, 0 failed\n"
    m = next(iter(content(root).values()))[0]
    assert m["shared"] == "none" and m["submitTime"] == m["startTime"] and "exclusive" not in m
    assert m["statistics"]["mem_bw"]["unit"] == {"base": "B/s", "prefix": "G"}
    r = run("validate", root, ok=False)  # what is left: a configuration of those days, which nobody can read now
    assert r.stdout.startswith("emmy: configuration: ")
    assert "1 jobs, 1 sound, 0 failed; 1 configurations of clusters failed" in r.stdout
