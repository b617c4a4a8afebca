"""tarn serve -init-db and -import-job: jobs out of archives and files into the database."""

import gzip
import json
import sqlite3
import subprocess

import pytest

import tarn

START = 1700000000
GOLDEN = tarn.ROOT.parent / "shared" / "golden" / "job-archive" / "importer"
CLUSTER = {"name": "c", "metricConfig": [
    {"name": "cpu_load", "unit": {"base": ""}, "scope": "node", "timestep": 60, "footprint": "avg"},
    {"name": "mem_used", "unit": {"base": "B"}, "scope": "node", "timestep": 60, "footprint": "max"},
    {"name": "power", "unit": {"base": "W"}, "scope": "node", "timestep": 60, "energy": "power"}],
    "subClusters": [{"name": "main", "nodes": "n[1-9]", "topology": {
        "node": [0], "socket": [[0]], "memoryDomain": [[0]], "core": [[0]]}}]}
DATA = {"cpu_load": {"node": {"unit": {"base": ""}, "timestep": 60, "series": [
    {"hostname": "n1", "statistics": {"min": 0, "avg": 1, "max": 2}, "data": [1.25] * 600}]}}}


def job(job_id, **more):
    stat = lambda base, avg: {"unit": {"base": base}, "avg": avg, "min": 1, "max": 9}  # noqa: E731
    return {"cluster": "c", "subCluster": "main", "jobId": job_id, "startTime": START + job_id, "user": "u", "project": "p",
            "jobState": "completed", "shared": "none", "resources": [{"hostname": "n1"}, {"hostname": "n2"}],
            "statistics": {"cpu_load": stat("", 2.5), "power": stat("W", 300), "mem_used": stat("B", 4)},
            "duration": 7200, "numNodes": 2, **more}


class Site:
    def __init__(self, directory):
        self.directory, self.db, self.archive = directory, directory / "job.db", directory / "archive"
        (self.archive / "c").mkdir(parents=True)
        (self.archive / "version.txt").write_text("3\n")
        (self.archive / "c/cluster.json").write_text(json.dumps(CLUSTER))
        self.conf = tarn.config(main={"addr": "127.0.0.1:0", "db": str(self.db)},
                                archive={"kind": "file", "path": str(self.archive)})
        self.path = directory / "config.json"
        self.path.write_text(json.dumps(self.conf))

    def serve(self, *flags):
        return tarn.run("serve", "-config", self.path, *flags, cwd=self.directory)

    def place(self, job_id):
        return self.archive / f"c/{job_id // 1000}/{job_id % 1000:03}/{START + job_id}"

    def archive_job(self, meta):
        self.place(meta["jobId"]).mkdir(parents=True, exist_ok=True)
        (self.place(meta["jobId"]) / "meta.json").write_text(json.dumps(meta))
        (self.place(meta["jobId"]) / "data.json.gz").write_bytes(gzip.compress(json.dumps(DATA).encode()))

    def ask(self, text, *args):
        with sqlite3.connect(self.db, timeout=60) as db:
            return db.execute(text, args).fetchall()

    def add_row(self, row, job_id, state="completed", status=3):
        self.ask("INSERT INTO job (id, job_id, cluster, subcluster, start_time, hpc_user, project, duration, walltime,"
                 " job_state, resources, num_nodes, shared, monitoring_status, footprint, meta_data) VALUES"
                 " (?, ?, 'c', 'main', ?, 'old', 'p', 60, 60, ?, '[]', 1, 'none', ?, 'null', 'null')",
                 row, job_id, START + job_id, state, status)

    def tags(self, job_id):
        return self.ask("SELECT tag_type, tag_name, tag_scope FROM jobtag JOIN tag ON tag.id = tag_id JOIN job ON job.id ="
                        " jobtag.job_id WHERE job.job_id = ? ORDER BY 2", job_id)


def test_the_table_of_jobs_is_made_anew_and_what_only_the_database_has_stays(tmp_path):
    site = Site(tmp_path)
    site.archive_job(job(1, tags=[{"type": "t", "name": "a", "scope": "admin"}, {"type": "t", "name": "b", "scope": "global"}],
                         footprint={"own": 1}, metaData={"jobName": "x"}, smt=2))
    for job_id in (2, 3, 4, 5):
        site.archive_job(job(job_id))
    done = site.serve("-init-db")
    assert (done.returncode, done.stdout) == (
        0, f"{site.db}: 5 jobs out of the archive, 0 left as they are newer, 0 gone, 0 failed\n"), done.stderr
    assert site.tags(1) == [("t", "a", "admin"), ("t", "b", "global")]
    row = site.ask("SELECT hpc_user, duration, smt, monitoring_status, footprint, meta_data FROM job WHERE job_id = 1")
    assert row == [("u", 7200, 2, 3, '{"own":1}', '{"jobName":"x"}')]
    (footprint,) = site.ask("SELECT footprint FROM job WHERE job_id = 2")[0]
    assert json.loads(footprint) == {"cpu_load_avg": 2.5, "mem_used_max": 9}
    # The database moves on: private tags, and jobs that the archive does not have, or has an old state of.
    rows = dict(site.ask("SELECT job_id, id FROM job"))
    site.ask("UPDATE job SET hpc_user = 'wrong' WHERE job_id IN (1, 2, 3)")
    site.ask("INSERT INTO tag (id, tag_type, tag_name, tag_scope) VALUES (50, 'mine', 'z', 'me')")
    site.ask("INSERT INTO jobtag (job_id, tag_id) VALUES (?, 50)", rows[1])
    site.ask("UPDATE job SET monitoring_status = 1 WHERE job_id = 3")  # to be archived again
    site.ask("INSERT INTO tarn_edit (job, revision) VALUES (?, 1)", rows[4])
    site.ask("UPDATE job SET hpc_user = 'edited' WHERE job_id = 4")
    site.add_row(60, 60)                # said to be archived
    site.add_row(61, 61, "running", 1)
    site.add_row(62, 62, status=1)      # waits for the archiver
    site.add_row(63, 63, status=2)      # was given up
    site.add_row(64, 64, status=0)      # is never archived
    for gone in (1, 0):
        done = site.serve("-init-db")
        assert (done.returncode, done.stdout) == (0, f"{site.db}: 3 jobs out of the archive, 2 left as they are newer, "
                                                     f"{gone} gone, 0 failed\n"), done.stderr
    assert dict(site.ask("SELECT job_id, hpc_user FROM job")) == {
        1: "u", 2: "u", 3: "wrong", 4: "edited", 5: "u", 61: "old", 62: "old", 63: "old", 64: "old"}
    assert {k: v for k, v in site.ask("SELECT job_id, id FROM job") if k <= 5} == rows
    assert site.tags(1) == [("t", "a", "admin"), ("t", "b", "global"), ("mine", "z", "me")]


def test_a_job_that_cannot_be_read_is_named_and_then_no_row_goes(tmp_path):
    site = Site(tmp_path)
    for job_id in (1, 2, 3):
        site.archive_job(job(job_id))
    assert site.serve("-init-db").returncode == 0
    site.archive_job(job(3, jobState="running"))
    (site.place(2) / "meta.json").write_text("{")
    site.add_row(60, 60)
    done = site.serve("-init-db")
    assert done.returncode == 1 and "1 jobs out of the archive" in done.stdout and "0 gone, 2 failed" in done.stdout
    assert f"job 2 of c that began at {START + 2}" in done.stderr and '"running" is no state' in done.stderr
    assert [r[0] for r in site.ask("SELECT job_id FROM job ORDER BY 1")] == [1, 2, 3, 60]


def test_a_rebuild_that_is_killed_is_begun_again(tmp_path):
    site = Site(tmp_path)
    for job_id in range(1, 401):
        site.archive_job(job(job_id))
    process = subprocess.Popen([tarn.BINARY, "serve", "-config", site.path, "-init-db"], cwd=tmp_path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (site.db.exists() and site.db.with_name("job.db-wal").exists()):
        pass
    process.kill()
    process.wait()
    done = site.serve("-init-db")
    assert done.returncode == 0 and "400 jobs out of the archive" in done.stdout, done
    assert site.ask("SELECT count(*), min(monitoring_status) FROM job") == [(400, 3)]


def write_pair(directory, meta, data=DATA, packed=True):
    path = directory / f"meta-{meta.get('jobId')}.json", directory / f"data-{meta.get('jobId')}.json"
    path[0].write_text(json.dumps(meta))
    text = json.dumps(data).encode() if not isinstance(data, bytes) else data
    path[1].write_bytes(gzip.compress(text) if packed else text)
    return f"{path[0]}:{path[1]}"


def test_jobs_are_imported_with_footprint_energy_and_tags_and_then_served(tmp_path):
    site = Site(tmp_path)
    pairs = [write_pair(tmp_path, job(1, tags=[{"type": "t", "name": "a"}], footprint={"wrong": 1}, id=77)),
             write_pair(tmp_path, job(2, subCluster=""), packed=False)]
    done = site.serve("-import-job", ",".join(pairs))
    assert (done.returncode, done.stdout) == (0, f"{site.db}: 2 jobs imported\n"), done.stderr
    rows = site.ask("SELECT job_id, subcluster, monitoring_status, energy, energy_footprint, footprint FROM job ORDER BY 1")
    assert rows == [(i, "main", 3, 1.2, '{"power":1.2}', '{"cpu_load_avg":2.5,"mem_used_max":9}') for i in (1, 2)]
    assert site.tags(1) == [("t", "a", "global")]
    for job_id in (1, 2):
        meta = json.loads((site.place(job_id) / "meta.json").read_text())
        assert meta["monitoringStatus"] == 3 and meta["energyFootprint"] == {"power": 1.2} and "id" not in meta
        assert json.loads(gzip.decompress((site.place(job_id) / "data.json.gz").read_bytes())) == DATA
    with tarn.Server(tmp_path, site.conf) as s:
        page = s.request("GET", f"/api/jobs/?start-time={START}-{START + 10}").json()
        assert {j["jobId"] for j in page["jobs"]} == {1, 2}
    # Again: it is there. A run that had died before the row is finished.
    done = site.serve("-import-job", pairs[0])
    assert done.returncode == 1 and "is in the database already" in done.stderr and "meta-1.json" in done.stderr
    site.ask("DELETE FROM job WHERE job_id = 2")
    assert site.serve("-import-job", pairs[1]).returncode == 0
    site.ask("DELETE FROM job WHERE job_id = 2")
    done = site.serve("-import-job", write_pair(tmp_path, job(2, duration=1)))
    assert done.returncode == 1 and "the archive has another job" in done.stderr


@pytest.mark.parametrize("meta, data, words", [
    (job(1, colour="red"), DATA, "colour"),
    (job(1, cluster="d"), DATA, "no such cluster: d"),
    (job(1, numNodes=3), DATA, "len(resources) does not equal numNodes"),
    (job(1, jobState="running"), DATA, "'jobState'"),
    (job(1, user=""), DATA, "'user'"),
    (job(1), b'{"cpu_load": 3}', "data-1.json"),
    (job(1), b"", "data-1.json"),
])
def test_what_cannot_be_a_job_is_refused_and_leaves_nothing(tmp_path, meta, data, words):
    site = Site(tmp_path)
    done = site.serve("-import-job", write_pair(tmp_path, meta, data))
    assert done.returncode == 1 and words in done.stderr, done
    assert not list(site.archive.glob("c/*/*/*")) and site.ask("SELECT count(*) FROM job") == [(0,)]


def test_flags_without_their_configuration_or_pairs_are_named(tmp_path):
    site = Site(tmp_path)
    for words, flags in (("is no META:DATA", ("-import-job", "only-one")), ("is no META:DATA", ("-import-job", "a:b:c,d"))):
        done = site.serve(*flags)
        assert done.returncode == 1 and (words in done.stderr or "a: " in done.stderr), done
    del site.conf["archive"]
    site.path.write_text(json.dumps(site.conf))
    for flags in (("-init-db",), ("-import-job", "a:b")):
        done = site.serve(*flags)
        assert done.returncode == 1 and "main.db and the section archive must be set" in done.stderr


def test_the_references_own_pair_is_imported(tmp_path):
    if not GOLDEN.exists():
        pytest.skip("the recorded files are not here")
    site = Site(tmp_path)
    (site.archive / "fritz").mkdir()
    (site.archive / "fritz/cluster.json").write_bytes((GOLDEN / "cluster-fritz.json").read_bytes())
    done = site.serve("-import-job", f"{GOLDEN}/meta-fritzMinimal.input:{GOLDEN}/data-fritzMinimal.json")
    assert done.returncode == 0, done.stderr
    wanted = json.loads((GOLDEN / "fritzMinimal-golden.json").read_text())
    assert site.ask("SELECT job_id, cluster, start_time, duration FROM job") == [
        tuple(wanted[k] for k in ("jobId", "cluster", "startTime", "duration"))]
