"""A job archive in a bucket, on a server that verifies signatures: the server fills it, retention empties it."""
import gzip
import io
import json
import subprocess
import time
import uuid

import pytest

import tarn
from test_archive_s3 import Server
from test_archiver import CLUSTER, Site


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.stop()


@pytest.fixture
def bucket(server):
    name = f"jobs-{uuid.uuid4().hex[:12]}"
    server.s3.create_bucket(Bucket=name)
    return name


def section(server, bucket, **more):
    return {"kind": "s3", "endpoint": server.url, "access-key": server.access, "secret-key": server.secret,
            "bucket": bucket, "region": "us-east-1", "use-path-style": True, **more}


def keys(server, bucket):
    return sorted(o["Key"] for o in server.s3.list_objects_v2(Bucket=bucket).get("Contents", []))


def read(server, bucket, key):
    body = server.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return json.loads(gzip.decompress(body) if key.endswith(".gz") else body)


def check_jobs(server, bucket, start_s, job_ids):
    folders = [f"c/{i // 1000}/{i % 1000:03}/{start_s}" for i in job_ids]
    assert [k for k in keys(server, bucket) if k.endswith("meta.json")] == [f"{f}/meta.json" for f in folders]
    for job_id, folder in zip(job_ids, folders):
        assert read(server, bucket, f"{folder}/meta.json")["jobId"] == job_id
        assert sorted(read(server, bucket, f"{folder}/data.json.gz")) == ["cpu_load", "flops_any"]


def retain(site, server, *args, secret=None):
    env = {"AWS_ACCESS_KEY_ID": server.access, "AWS_SECRET_ACCESS_KEY": secret or server.secret}
    return tarn.run("retention", "jobs", "--db", site.directory / "job.db", "--age", "1s", "--json",
                    "--s3-endpoint", server.url, *args, env=env)


def test_ended_jobs_come_into_the_bucket_and_retention_takes_them_out(server, bucket, tmp_path):
    (tmp_path / "cluster.json").write_text(json.dumps(CLUSTER))
    server.s3.put_object(Bucket=bucket, Key="version.txt", Body=b"3\n")
    server.s3.put_object(Bucket=bucket, Key="c/cluster.json", Body=json.dumps(CLUSTER).encode())
    site = Site(tmp_path, archive=section(server, bucket))
    conf = json.loads(site.server.path.read_text())
    del conf["tarn"]["cluster-files"]  # those of the bucket do
    site.server.path.write_text(json.dumps(conf))
    with site.server as s:
        site.feed()
        site.end_jobs(4001, 3)
        site.wait([4001, 4002, 4003])
        check_jobs(server, bucket, site.start_s, [4001, 4002, 4003])
        assert server.secret not in s.log()
    assert not list(tmp_path.glob(".archive-upload-*"))

    address, other = f"s3://{bucket}", f"{bucket}-cold"
    server.s3.create_bucket(Bucket=other)
    run = retain(site, server, "--job-archive", address, "--policy", "move", "--target", address)
    assert run.returncode == 2 and "the archive itself" in run.stderr
    run = retain(site, server, "--job-archive", address, "--policy", "move", "--target", f"s3://{other}", secret="wrong")
    assert run.returncode == 1 and "403" in run.stderr and len(site.states()) == 3
    run = retain(site, server, "--job-archive", address, "--policy", "move", "--target", f"s3://{other}")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"copied": 3, "removed": 3, "files": 0, "absent": 0, "failed": 0, "error": ""}
    assert keys(server, bucket) == ["c/cluster.json", "version.txt"] and site.states() == {}
    check_jobs(server, other, site.start_s, [4001, 4002, 4003])


def test_a_secret_that_is_wrong_stops_the_start_and_is_not_told(server, bucket, tmp_path):
    site = Site(tmp_path, archive=section(server, bucket, **{"secret-key": "not-the-one"}))
    run = subprocess.run(site.server.command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode != 0
    assert "403" in run.stderr and f"s3://{bucket}" in run.stderr and "not-the-one" not in run.stderr


def test_a_bucket_that_is_not_named_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(tarn.config(archive={"kind": "s3"})))
    run = tarn.run("serve", "-config", tmp_path / "config.json", "--check-config")
    assert run.returncode != 0 and "archive.bucket: missing" in run.stderr


def test_the_server_itself_moves_old_jobs_and_states_of_nodes_into_a_bucket(server, bucket, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    cold = f"{bucket}-cold"
    server.s3.create_bucket(Bucket=cold)
    server.s3.put_object(Bucket=bucket, Key="version.txt", Body=b"3\n")
    server.s3.put_object(Bucket=bucket, Key="c/cluster.json", Body=json.dumps(CLUSTER).encode())
    target = {"policy": "move", "target-kind": "s3", "target-endpoint": server.url, "target-bucket": cold,
              "target-access-key": server.access, "target-secret-key": server.secret, "target-use-path-style": True}
    site = Site(tmp_path, archive=section(server, bucket, retention={**target, "age": 30, "format": "parquet"}))
    conf = json.loads(site.server.path.read_text())
    conf["main"]["nodestate-retention"] = target
    conf["tarn"]["retention-interval"] = "1s"
    site.server.path.write_text(json.dumps(conf))
    with site.server as s:
        site.feed()
        site.end_jobs(4001, 3)
        site.wait([4001, 4002, 4003])
        assert len([k for k in keys(server, bucket) if k.endswith("meta.json")]) == 3
        old = site.start_s - 40 * 86400
        for job_id in (4001, 4002):  # archived in this life, and old by the database and the archive
            base = f"c/4/{job_id % 1000:03}"
            meta = read(server, bucket, f"{base}/{site.start_s}/meta.json")
            data = server.s3.get_object(Bucket=bucket, Key=f"{base}/{site.start_s}/data.json.gz")["Body"].read()
            server.s3.put_object(Bucket=bucket, Key=f"{base}/{old}/data.json.gz", Body=data)
            server.s3.put_object(Bucket=bucket, Key=f"{base}/{old}/meta.json", Body=json.dumps({**meta, "startTime": old}).encode())
            for name in ("data.json.gz", "meta.json"):
                server.s3.delete_object(Bucket=bucket, Key=f"{base}/{site.start_s}/{name}")
        with site.database() as db:
            db.execute("INSERT INTO node (id, hostname, cluster, subcluster) VALUES (1, 'n1', 'c', 'main')")
            db.executemany("INSERT INTO node_state (time_stamp, node_state, health_state, node_id) VALUES (?, 'idle', 'full', 1)",
                           [(old,), (old + 60,), (site.start_s,)])
            db.execute("UPDATE job SET start_time = ? WHERE job_id IN (4001, 4002)", (old,))
        until = time.monotonic() + 60
        while len(site.states()) > 1 or s.metrics()["tarn_retention_states_moved_total"] < 2:
            assert time.monotonic() < until, s.log()[-3000:]
            time.sleep(0.05)
        assert server.secret not in s.log()
    (jobs,) = [k for k in keys(server, cold) if k.startswith("c/cc-archive-")]
    (nodes,) = [k for k in keys(server, cold) if k.startswith("cc-nodestate-")]

    def table(key):
        return pq.read_table(io.BytesIO(server.s3.get_object(Bucket=cold, Key=key)["Body"].read()))
    assert sorted(table(jobs).column("job_id").to_pylist()) == [4001, 4002]
    assert table(nodes).column("time_stamp").to_pylist() == [old, old + 60]
    assert [k for k in keys(server, bucket) if k.endswith("meta.json")] == [f"c/4/003/{site.start_s}/meta.json"]
