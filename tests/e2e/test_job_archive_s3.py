"""A job archive in a bucket, on a server that verifies signatures: the server fills it, retention empties it."""
import gzip
import json
import subprocess
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
