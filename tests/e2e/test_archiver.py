"""Ended jobs come from the database into the archive, also when the process is killed meanwhile."""

import contextlib
import gzip
import json
import os
import random
import sqlite3
import time

import pytest

import tarn

JOBS = int(os.environ.get("TARN_ARCHIVE_JOBS", "25"))
KILLS = int(os.environ.get("TARN_ARCHIVE_KILLS", "8"))
CLUSTER = {
    "name": "c",
    "metricConfig": [
        {"name": "cpu_load", "unit": {"base": ""}, "scope": "node", "timestep": 60, "footprint": "avg"},
        {"name": "flops_any", "unit": {"base": "F/s"}, "scope": "hwthread", "timestep": 60},
        {"name": "clock", "unit": {"base": "Hz"}, "scope": "node", "timestep": 60},
    ],
    "subClusters": [{
        "name": "main", "nodes": "*",
        "topology": {"node": [0, 1], "socket": [[0, 1]], "memoryDomain": [[0, 1]], "core": [[0], [1]]}}],
}


class Site:
    """A server with jobs: a store with an hour of two hosts, a database, an archive of files."""

    def __init__(self, directory, archive=None, **archiver):
        self.directory = directory
        (directory / "cluster.json").write_text(json.dumps(CLUSTER))
        self.start_s = int(time.time()) // 60 * 60 - 3600
        self.server = tarn.Server(directory, tarn.config(
            main={"addr": "127.0.0.1:0", "db": str(directory / "job.db")},
            archive=archive or {"kind": "file", "path": str(directory / "archive")},
            tarn={"cluster-files": [str(directory / "cluster.json")], "archiver": archiver}))

    def feed(self):
        lines = []
        for host in ("n1", "n2"):
            for i in range(60):
                at = self.start_s + 60 * i
                lines.append(f"cpu_load,hostname={host},type=node value={i % 7} {at}")
                lines += [f"flops_any,hostname={host},type=hwthread,type-id={t} value={t + i} {at}"
                          for t in (0, 1)]
        assert self.server.write("\n".join(lines) + "\n").status == 200

    def database(self):
        db = sqlite3.connect(self.directory / "job.db", timeout=60)
        db.isolation_level = None
        return db

    def end_jobs(self, first, n):
        with self.database() as db:
            db.executemany(
                "INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, project,"
                " cluster_partition, array_job_id, duration, walltime, job_state, meta_data, resources,"
                " num_nodes, num_hwthreads, num_acc, smt, shared, footprint) VALUES"
                " (?, 'c', 'main', ?, 'u', 'p', '', 0, 3540, 7200, 'completed', 'null', ?, 2, 4, 0, 1, 'none', 'null')",
                [(first + i, self.start_s, json.dumps([{"hostname": "n1"}, {"hostname": "n2"}]))
                 for i in range(n)])

    def states(self):
        with self.database() as db:
            return dict(db.execute("SELECT job_id, monitoring_status FROM job"))

    def wait(self, job_ids, state=3):
        until = time.monotonic() + 120
        while any(self.states().get(i) != state for i in job_ids):
            assert time.monotonic() < until, (self.states(), self.server.log()[-3000:])
            time.sleep(0.02)

    def place(self, job_id):
        return self.directory / "archive" / "c" / str(job_id // 1000) / f"{job_id % 1000:03}" / str(self.start_s)

    def begun(self, job_id):
        return self.place(job_id).exists() and any(self.place(job_id).iterdir())

    def read(self, job_id):
        """The two documents of a job, None for one that is not there."""
        place = self.place(job_id)
        meta, data = place / "meta.json", place / "data.json.gz"
        return (json.loads(meta.read_text()) if meta.exists() else None,
                json.loads(gzip.decompress(data.read_bytes())) if data.exists() else None)

    def check_whole(self, job_id):
        meta, data = self.read(job_id)
        assert meta["jobId"] == job_id and meta["monitoringStatus"] == 3
        assert meta["metaData"] == {"tarn.missingMetrics": "clock"}
        assert meta["footprint"] == {"cpu_load_avg": 2.9}
        assert sorted(data) == ["cpu_load", "flops_any"]
        assert sorted(data["flops_any"]) == ["core", "node"]
        assert [len(s["data"]) for s in data["cpu_load"]["node"]["series"]] == [59, 59]


def test_an_ended_job_comes_into_the_archive_and_is_counted(tmp_path):
    site = Site(tmp_path)
    with site.server as s:
        site.feed()
        site.end_jobs(4001, 2)
        site.wait([4001, 4002])
        site.check_whole(4001)
        until = time.monotonic() + tarn.DEADLINE_S
        while s.metrics()["tarn_jobs_archived_total"] != 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        seen = s.metrics()
        assert seen["tarn_jobs_archived_bytes_total"] > 2000 and seen["tarn_jobs_archive_seconds_total"] > 0
        assert seen["tarn_jobs_failed_total"] == seen["tarn_jobs_retried_total"] == 0
        text = s.request("GET", "/metrics").text
        manual = (tarn.ROOT / "doc" / "metrics.md").read_text()
        names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE tarn_jobs_")}
        assert len(names) == 13
        assert all(f"`{name}`" in manual for name in names), names


def test_the_configuration_of_a_cluster_goes_into_an_archive_that_has_none_and_stays_as_it_is_then(tmp_path):
    site = Site(tmp_path)
    kept = tmp_path / "archive" / "c" / "cluster.json"
    with site.server:
        site.feed()
        site.end_jobs(4001, 1)
        site.wait([4001])
        assert json.loads(kept.read_text()) == CLUSTER
    kept.write_text(json.dumps({**CLUSTER, "note": "by hand"}))
    with site.server:
        site.end_jobs(4002, 1)
        site.wait([4002])
    assert json.loads(kept.read_text())["note"] == "by hand"
    checked = tarn.run("job-archive", "validate", str(tmp_path / "archive"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_clusters_of_the_archive_do_when_none_are_configured(tmp_path):
    site = Site(tmp_path)
    conf = json.loads(site.server.path.read_text())
    del conf["tarn"]["cluster-files"]
    site.server.path.write_text(json.dumps(conf))
    (tmp_path / "archive" / "c").mkdir(parents=True)
    (tmp_path / "archive" / "version.txt").write_text("3\n")
    (tmp_path / "archive" / "c" / "cluster.json").write_text(json.dumps(CLUSTER))
    with site.server:
        site.feed()
        site.end_jobs(4001, 1)
        site.wait([4001])
        site.check_whole(4001)


def test_a_hook_gets_the_metadata_and_rules_give_tags(tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ncat >{tmp_path}/seen.new && mv {tmp_path}/seen.new {tmp_path}/seen\n")
    hook.chmod(0o755)
    (tmp_path / "rules.json").write_text(json.dumps({"rules": [
        {"type": "jobClass", "name": "calm", "if": [{"field": "cpu_load_max", "is": "<", "value": 10}]}]}))
    site = Site(tmp_path, **{"hook-command": str(hook), "tag-rules": str(tmp_path / "rules.json")})
    with site.server:
        site.feed()
        site.end_jobs(4001, 1)
        site.wait([4001])
        until = time.monotonic() + tarn.DEADLINE_S
        while not (tmp_path / "seen").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        seen = json.loads((tmp_path / "seen").read_text())
        assert seen == site.read(4001)[0]
        assert [(t["type"], t["name"]) for t in seen["tags"]] == [("jobClass", "calm")]


def test_a_job_is_archived_again_when_asked(tmp_path):
    site = Site(tmp_path)
    with site.server as s:
        site.feed()
        site.end_jobs(4001, 1)
        site.wait([4001])
        (tmp_path / "archive" / "c" / "4" / "001" / str(site.start_s) / "meta.json").unlink()
        assert s.request("POST", "/api/jobs/archive_job/1").status == 200
        site.wait([4001])
        site.check_whole(4001)
        with site.database() as db:
            db.execute("UPDATE job SET monitoring_status = 2")
        answer = s.request("POST", "/api/jobs/archive_job/failed")
        assert answer.json() == {"msg": "1 jobs to archive"}
        site.wait([4001])
        assert s.request("POST", "/api/jobs/archive_job/99").status == 404
        assert s.request("POST", "/api/jobs/archive_job/x").status == 400
        with site.database() as db:
            db.execute("UPDATE job SET start_time = 1000")
        answer = s.request("POST", "/api/jobs/archive_job/1")
        assert answer.status == 422 and "does not have all of its data any more" in answer.text


def redo(site, *args):
    return tarn.run("job-archive", "redo", "--config", str(site.server.path), *args)


def test_the_command_redo_archives_a_job_beside_the_running_server(tmp_path):
    site = Site(tmp_path)
    with site.server:
        site.feed()
        site.end_jobs(4001, 2)
        site.wait([4001, 4002])
        (tmp_path / "archive" / "c" / "4" / "001" / str(site.start_s) / "meta.json").unlink()
        done = redo(site, "99", "1")
        assert (done.returncode, done.stdout) == (1, "1 jobs to archive, 1 refused\n")
        assert "there is no job with id 99" in done.stderr
        site.wait([4001])
        site.check_whole(4001)
        with site.database() as db:
            db.execute("UPDATE job SET monitoring_status = 2")
        done = redo(site, "--failed", "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, {"toArchive": 2, "refused": 0})
        site.wait([4001, 4002])


def test_the_command_redo_refuses_what_cannot_be_archived_and_changes_nothing_then(tmp_path):
    site = Site(tmp_path)
    done = redo(site, "--failed")
    assert done.returncode == 1 and "main.db" in done.stderr and "No such file" in done.stderr
    assert not (tmp_path / "job.db").exists()
    with site.server:
        site.feed()
        site.end_jobs(4001, 2)
        site.wait([4001, 4002])
    with site.database() as db:
        db.execute("UPDATE job SET start_time = 1000 WHERE job_id = 4001")
        db.execute("UPDATE job SET job_state = 'running', monitoring_status = 0 WHERE job_id = 4002")
    before = site.states()
    for args, status, why in ((["1"], 1, "does not have all of its data any more"), (["2"], 1, "job 2 is running"),
                              ([], 2, "or --failed"), (["--failed", "1"], 2, "or --failed"),
                              (["1", "x"], 2, "x is not the ID of a job"), (["0"], 2, "0 is not the ID of a job")):
        done = redo(site, *args)
        assert done.returncode == status and why in done.stderr, (args, done)
    assert site.states() == before


def test_ending_a_job_over_rest_archives_it(tmp_path):
    site = Site(tmp_path)
    with site.server as s:
        site.feed()
        job = {"jobId": 4001, "user": "u", "project": "p", "cluster": "c", "subCluster": "main", "numNodes": 2,
               "shared": "none", "startTime": site.start_s, "walltime": 7200,
               "resources": [{"hostname": "n1"}, {"hostname": "n2"}]}
        assert s.request("POST", "/api/jobs/start_job/", json.dumps(job)).status == 201
        stop = {"jobId": 4001, "stopTime": site.start_s + 3540, "jobState": "completed"}
        assert s.request("POST", "/api/jobs/stop_job/", json.dumps(stop)).status == 200
        site.wait([4001])
        site.check_whole(4001)


def test_a_bad_file_of_rules_ends_the_start_and_is_named(tmp_path):
    (tmp_path / "rules.json").write_text('{"rules":[{"type":"a","name":"b"}]}')
    site = Site(tmp_path, **{"tag-rules": str(tmp_path / "rules.json")})
    done = tarn.run("serve", "--config", str(site.server.path), cwd=tmp_path)
    assert done.returncode == 1
    assert "rules.json: rule 1 (b): a rule needs 1 to 64 conditions" in done.stderr


class SqliteSite(Site):
    """The same with an archive in a database."""

    def __init__(self, directory):
        super().__init__(directory, {"kind": "sqlite", "db-path": str(directory / "archive.db")})

    def documents(self, job_id):
        with contextlib.closing(sqlite3.connect(self.directory / "archive.db", timeout=60)) as db:
            return db.execute("SELECT meta_json, data_json, data_compressed FROM jobs WHERE job_id = ?"
                              " AND cluster = 'c' AND start_time = ?", (job_id, self.start_s)).fetchone()

    def begun(self, job_id):
        return self.documents(job_id) is not None

    def read(self, job_id):
        found = self.documents(job_id)
        return found and (json.loads(found[0]), json.loads(gzip.decompress(found[1]) if found[2] else found[1]))


@pytest.mark.parametrize("kind, jobs_min, kills_min", [(Site, JOBS, KILLS), (SqliteSite, JOBS // 2, KILLS // 2)],
                         ids=["files", "a database"])
def test_a_kill_at_any_point_leaves_each_job_archived_whole_or_waiting(tmp_path, kind, jobs_min, kills_min):
    """Killed at random moments while it archives, until there were as many kills, and as many jobs."""
    site = kind(tmp_path)
    jobs = kills = in_the_middle = 0
    seen = set()
    with site.server as s:
        site.feed()
        s.stop()
        # The tables are there; the jobs are not, and nobody archives before the first kill.
        while jobs < jobs_min or kills < kills_min or any(v != 3 for v in site.states().values()):
            waiting = sum(v != 3 for v in site.states().values())
            if waiting < 10 and (jobs < jobs_min or kills < kills_min):
                site.end_jobs(5000 + jobs, 25)
                jobs += 25
            s.start()
            time.sleep(random.uniform(0, 0.12))  # a random moment, not a condition
            s.process.kill()
            s.process.wait()
            kills += 1
            begun = False
            for job_id, state in site.states().items():
                assert state in (1, 3), (job_id, state)
                if state == 3 and job_id not in seen:
                    site.check_whole(job_id)
                    seen.add(job_id)
                elif state == 1:
                    begun |= site.begun(job_id)
            in_the_middle += begun
            assert kills < 20 * (jobs_min + kills_min)
        s.start()
        assert len(site.states()) == jobs
        site.wait(range(5000, 5000 + jobs))
        for job_id in range(5000, 5000 + jobs):
            site.check_whole(job_id)
        with site.database() as db:
            assert db.execute("SELECT count(*) FROM tarn_archive").fetchone()[0] == 0
        print(f"{jobs} jobs archived over {kills} kills, {in_the_middle} of them between the archive and the row"
              " of a job, none lost and none in part")
