"""The server by itself: old states of nodes and old jobs go, plain data of the archive become compressed."""

import gzip
import json
import os
import random
import sqlite3
import time

import pytest

import tarn

pq = pytest.importorskip("pyarrow.parquet")

DAY = 86400
KILLS = int(os.environ.get("TARN_RETENTION_KILLS", "2"))
JOBS, JOB_BYTES = 120, 15000
CLUSTER = {"name": "c", "metricConfig": [{"name": "cpu_load", "unit": {"base": ""}, "scope": "node", "timestep": 60}],
           "subClusters": [{"name": "main", "nodes": "*", "topology": {
               "node": [0], "socket": [[0]], "memoryDomain": [[0]], "core": [[0]]}}]}
PLAIN = {"cpu_load": {"node": {"unit": {"base": ""}, "timestep": 60, "series": [
    {"hostname": "n1", "statistics": {"min": 0, "avg": 1, "max": 2}, "data": [1.25] * 600}]}}}


class Site:
    """A server whose retention runs every second, with a database and an archive of files."""

    def __init__(self, directory, nodes=None, jobs=None, interval="1s", **archive):
        self.directory, self.now = directory, int(time.time())
        self.archive, self.out = directory / "archive", directory / "out"
        (directory / "cluster.json").write_text(json.dumps(CLUSTER))
        (self.archive / "c").mkdir(parents=True)
        (self.archive / "version.txt").write_text("3\n")
        (self.archive / "c/cluster.json").write_text(json.dumps(CLUSTER))
        main = {"addr": "127.0.0.1:0", "db": str(directory / "job.db")}
        archive = {"kind": "file", "path": str(self.archive), **archive}
        if nodes is not None:
            main["nodestate-retention"] = nodes
        if jobs is not None:
            archive["retention"] = jobs
        with tarn.Server(directory, tarn.config(main={"addr": "127.0.0.1:0", "db": str(directory / "job.db")})):
            pass  # the tables are made
        mark = directory / "job.db.retention/ran"
        if interval == "1s":  # the first run is due at once
            mark.parent.mkdir(exist_ok=True)
            mark.write_text("")
            os.utime(mark, (0, 0))
        self.server = tarn.Server(directory, tarn.config(
            main=main, archive=archive,
            tarn={"cluster-files": [str(directory / "cluster.json")], "retention-interval": interval}))

    def ask(self, text, *args):
        with sqlite3.connect(self.directory / "job.db", timeout=60) as db:
            db.execute("PRAGMA synchronous = OFF")  # nobody cuts the power
            return db.execute(text, args).fetchall()

    def add_states(self):
        """Two nodes, each with a state a day for four days; the newest of n2 is old, too."""
        self.ask("INSERT INTO node (id, hostname, cluster, subcluster) VALUES (1, 'n1', 'c', 'main'), (2, 'n2', 'c', 'main')")
        for node, newest in ((1, 0), (2, 10)):
            for day in range(4):
                self.ask("INSERT INTO node_state (time_stamp, node_state, health_state, node_id, memory_allocated)"
                         " VALUES (?, 'idle', 'full', ?, ?)", self.now - (newest + day) * DAY, node, 10 * node + day)

    def states(self):
        return sorted(r[0] for r in self.ask("SELECT memory_allocated FROM node_state"))

    def add_job(self, job_id, days, state="completed", status=3, tag=None, plain=False, data=None):
        start = self.now - days * DAY
        meta = {"cluster": "c", "subCluster": "main", "jobId": job_id, "startTime": start, "user": "u", "project": "p",
                "jobState": state, "shared": "none", "resources": [{"hostname": "n1"}], "statistics": {},
                "duration": 60, "numNodes": 1}
        place = self.place(job_id, days)
        place.mkdir(parents=True)
        (place / "meta.json").write_text(json.dumps(meta))
        text = data or json.dumps(PLAIN).encode()
        if plain:
            (place / "data.json").write_bytes(text)
        else:
            (place / "data.json.gz").write_bytes(gzip.compress(text))
        self.ask("INSERT INTO job (id, job_id, cluster, subcluster, start_time, hpc_user, project, duration, walltime,"
                 " job_state, resources, num_nodes, shared, monitoring_status, footprint, meta_data) VALUES"
                 " (?, ?, 'c', 'main', ?, 'u', 'p', 60, 60, ?, '[{\"hostname\":\"n1\"}]', 1, 'none', ?, 'null', 'null')",
                 job_id, job_id, start, state, status)
        if tag:
            self.ask("INSERT OR IGNORE INTO tag (id, tag_type, tag_name) VALUES (1, ?, 'keep')", tag)
            self.ask("INSERT INTO jobtag (job_id, tag_id) VALUES (?, 1)", job_id)

    def place(self, job_id, days):
        return self.archive / f"c/{job_id // 1000}/{job_id % 1000:03}/{self.now - days * DAY}"

    def add_jobs(self):
        self.add_job(1, 40)
        self.add_job(2, 50)
        self.add_job(3, 60, tag="note")
        self.add_job(4, 70, state="running", status=1)
        self.add_job(5, 1)

    def jobs(self):
        rows = sorted(r[0] for r in self.ask("SELECT job_id FROM job"))
        kept = sorted(json.loads(p.read_text())["jobId"] for p in self.archive.glob("c/*/*/*/meta.json"))
        return rows, kept

    def wait_runs(self, task, n=1):
        """Until the task has run n times; the metrics then."""
        until = time.monotonic() + 60
        while True:
            m = self.server.metrics()
            if m.get(f'tarn_retention_runs_total{{task="{task}"}}', 0) >= n:
                return m
            assert time.monotonic() < until, (m, self.server.log()[-3000:])
            time.sleep(0.05)


def test_old_states_of_nodes_go_without_being_asked_for_but_the_newest_of_each(tmp_path):
    site = Site(tmp_path)
    site.add_states()
    with site.server:
        m = site.wait_runs("nodes")
    assert site.states() == [10, 20]
    assert m["tarn_retention_states_deleted_total"] == 6
    assert m['tarn_retention_failed_total{task="nodes"}'] == 0
    assert 'tarn_retention_runs_total{task="jobs"}' in m and m['tarn_retention_runs_total{task="jobs"}'] == 0


def test_states_of_nodes_move_into_parquet_and_stay_with_keep(tmp_path):
    site = Site(tmp_path, nodes={"policy": "keep"})
    site.add_states()
    with site.server:
        site.wait_runs("compression")
    assert len(site.states()) == 8
    os.utime(tmp_path / "job.db.retention/ran", (0, 0))
    conf = json.loads(site.server.path.read_text())
    conf["main"]["nodestate-retention"] = {"policy": "move", "age": 36, "target-kind": "file", "target-path": str(site.out)}
    site.server.path.write_text(json.dumps(conf))
    with site.server:
        m = site.wait_runs("nodes")
    assert site.states() == [10, 11, 20]  # 11 is of yesterday
    (file,) = site.out.glob("cc-nodestate-*.parquet")
    rows = pq.read_table(file).to_pylist()
    assert [(r["hostname"], r["memory_allocated"]) for r in rows] == [
        ("n1", 13), ("n1", 12), ("n2", 23), ("n2", 22), ("n2", 21)]
    assert m["tarn_retention_states_moved_total"] == m["tarn_retention_states_deleted_total"] == 5
    assert m["tarn_retention_files_total"] == 1


def test_old_jobs_move_into_parquet_and_tagged_running_and_young_ones_stay(tmp_path):
    site = Site(tmp_path, jobs={"policy": "move", "format": "parquet", "age": 30, "omit-tagged": "user",
                                "target-kind": "file", "target-path": str(tmp_path / "out"), "location": "unused"})
    site.add_jobs()
    with site.server:
        m = site.wait_runs("jobs")
    assert site.jobs() == ([3, 4, 5], [3, 4, 5])
    (file,) = site.out.glob("c/cc-archive-*.parquet")
    rows = pq.read_table(file).to_pylist()
    assert sorted(r["job_id"] for r in rows) == [1, 2]
    assert all(json.loads(gzip.decompress(r["metric_data_gz"])) == PLAIN for r in rows)
    assert m["tarn_retention_jobs_copied_total"] == m["tarn_retention_jobs_removed_total"] == 2


def test_a_copy_is_made_once_whenever_the_process_is_killed_or_stopped(tmp_path):
    site = Site(tmp_path, jobs={"policy": "copy", "format": "parquet", "age": 30, "target-path": str(tmp_path / "out"),
                                "max-file-size-mb": 1})
    for i in range(1, JOBS + 1):
        site.add_job(i, 40, data=os.urandom(JOB_BYTES).hex().encode())
    mark = tmp_path / "job.db.retention/ran"
    for i in range(KILLS):
        os.utime(mark, (0, 0))
        site.server.start()
        time.sleep(random.uniform(0.4, 0.9))  # anywhere: no point is waited for
        if i % 2:
            assert site.server.stop() == 0
        else:
            site.server.process.kill()
            site.server.process.wait()
    os.utime(mark, (0, 0))
    with site.server as s:
        m = site.wait_runs("jobs", 2)
        assert m["tarn_retention_jobs_copied_total"] <= JOBS
        assert s.metrics()['tarn_retention_failed_total{task="jobs"}'] == 0
    files = list(site.out.glob("c/cc-archive-*.parquet"))
    copied = sorted(i for f in files for i in pq.read_table(f, columns=["job_id"]).column(0).to_pylist())
    assert copied == list(range(1, JOBS + 1))
    assert len(files) > 1 and site.jobs() == (copied, copied)
    # One that comes later is all that is copied then.
    site.add_job(JOBS + 1, 45)
    os.utime(mark, (0, 0))
    with site.server:
        assert site.wait_runs("jobs")["tarn_retention_jobs_copied_total"] == 1
    assert sorted(p.name for p in (tmp_path / "job.db.retention").iterdir())[0].startswith("copied-")


def test_what_cc_backend_has_copied_by_its_mark_is_not_copied_again(tmp_path):
    site = Site(tmp_path, jobs={"policy": "copy", "age": 30, "target-path": str(tmp_path / "out")})
    site.add_jobs()
    site.out.mkdir()
    (site.out / "version.txt").write_text("3\n")
    (site.out / ".copy-marker").write_text(str(site.now - 45 * DAY))
    with site.server:
        m = site.wait_runs("jobs", 2)
    assert m["tarn_retention_jobs_copied_total"] == 1
    (meta,) = site.out.glob("c/*/*/*/meta.json")
    assert json.loads(meta.read_text())["jobId"] == 1
    assert sorted(p.name for p in site.out.iterdir()) == [".copy-marker", "c", "version.txt"]


def test_old_jobs_are_deleted_and_their_rows_stay_without_include_db(tmp_path):
    site = Site(tmp_path, jobs={"policy": "delete", "age": 30, "include-db": False})
    site.add_jobs()
    with site.server:
        site.wait_runs("jobs")
    assert site.jobs() == ([1, 2, 3, 4, 5], [4, 5])


def test_plain_data_are_compressed_and_only_new_jobs_are_looked_at_again(tmp_path):
    site = Site(tmp_path, compression=7)
    site.add_job(1, 40, plain=True)
    site.add_job(2, 1, plain=True)
    with site.server:
        m = site.wait_runs("compression", 2)
    assert m["tarn_retention_jobs_compressed_total"] == 1
    assert [p.name for p in sorted(site.place(1, 40).iterdir())] == ["data.json.gz", "meta.json"]
    assert json.loads(gzip.decompress((site.place(1, 40) / "data.json.gz").read_bytes())) == PLAIN
    assert (site.place(2, 1) / "data.json").exists()
    mark = int((site.archive / "compress.txt").read_text())
    assert site.now - 7 * DAY <= mark <= time.time() - 7 * DAY
    assert "compression of jobs: 1 of 1" in site.server.log() and "compression of jobs: 0 of 0" in site.server.log()


def test_what_fails_is_counted_and_told_and_holds_up_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    site = Site(tmp_path, jobs={"policy": "move", "format": "parquet", "age": 30, "target-path": str(tmp_path / "file/out")},
                nodes={"policy": "delete", "age": 24})
    site.add_states()
    site.add_jobs()
    with site.server:
        m = site.wait_runs("compression")
        assert m['tarn_retention_failed_total{task="jobs"}'] == 1
        assert "retention: jobs: " in site.server.log() and "/file: " in site.server.log()
    assert site.jobs() == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) and site.states() == [10, 20]


def test_a_run_is_neither_repeated_nor_put_off_by_a_restart(tmp_path):
    site = Site(tmp_path, interval="1h")
    site.add_states()
    mark = tmp_path / "job.db.retention/ran"
    with site.server:
        until = time.monotonic() + tarn.DEADLINE_S
        while not mark.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
    assert len(site.states()) == 8  # the first is due an hour from now
    os.utime(mark, (site.now - 3700, site.now - 3700))
    with site.server:
        site.wait_runs("compression")
    assert site.states() == [10, 20] and mark.stat().st_mtime >= site.now


@pytest.mark.parametrize("main, archive, more, words", [
    ({"nodestate-retention": {"policy": "move"}}, {}, {}, "main.nodestate-retention.target-path: missing"),
    ({"nodestate-retention": {"policy": "burn"}}, {}, {}, "main.nodestate-retention.policy"),
    ({"nodestate-retention": {"age": 0}}, {}, {}, "main.nodestate-retention.age"),
    ({}, {"retention": {"age": 3}}, {}, "missing key 'policy'"),
    ({}, {"retention": {"policy": "delete"}}, {}, "archive.retention.age: missing"),
    ({}, {"retention": {"policy": "copy", "age": 3, "target-kind": "s3"}}, {}, "archive.retention.target-bucket: missing"),
    ({}, {"path": "a", "retention": {"policy": "copy", "age": 3, "target-path": "a"}}, {}, "is the archive itself"),
    ({}, {"kind": "s3", "bucket": "b", "retention": {"policy": "copy", "age": 3, "target-kind": "s3", "target-bucket": "b"}}, {},
     "archive.retention.target-bucket: is the archive itself"),
    ({}, {}, {"retention-time": "24:00"}, "tarn.retention-time: must be HH:MM"),
])
def test_a_configuration_that_says_too_little_is_refused(tmp_path, main, archive, more, words):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tarn.config(main=main, archive=archive, tarn=more)))
    done = tarn.run("serve", "-config", str(path), "-check-config")
    assert done.returncode == 1 and words in done.stderr
