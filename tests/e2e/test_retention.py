"""tarn retention: old jobs and states of nodes leave the database, as seen from outside."""
import gzip
import json
import os
import pathlib
import sqlite3
import subprocess

import pytest

pq = pytest.importorskip("pyarrow.parquet")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
TARN = os.environ.get("TARN", str(BUILD / "tarn"))
START = 1700000000


@pytest.fixture
def database(tmp_path):
    """A job database of tarn's own making with some states of nodes, all of them old."""
    program = BUILD / "tests/unit/test_node_retention"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    where = tmp_path / "db"
    where.mkdir()
    subprocess.run([program], check=True, capture_output=True,
                   env={**os.environ, "TARN_NODE_PARQUET_SAMPLE": str(where)})
    return where / "job.db"


def tarn(*args):
    done = subprocess.run([TARN, "retention", *map(str, args), "--json"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def ask(database, text):
    with sqlite3.connect(database) as db:
        return db.execute(text).fetchall()


def test_states_of_nodes_move_into_a_directory(database, tmp_path):
    out = tmp_path / "out"
    before = {r[0] for r in ask(database, "select memory_allocated from node_state")}
    status, done, _ = tarn("nodes", "--db", database, "--policy", "move", "--target", out)
    assert status == 0 and done["files"] == 1
    after = {r[0] for r in ask(database, "select memory_allocated from node_state")}
    files = list(out.iterdir())
    assert len(files) == 1 and files[0].name.startswith("cc-nodestate-")
    moved = pq.read_table(files[0]).column("memory_allocated").to_pylist()
    assert len(moved) == done["exported"] == done["deleted"]
    assert set(moved) | after == before and not set(moved) & after
    # The newest of each node stays, and nothing more.
    assert len(after) == ask(database, "select count(distinct node_id) from node_state")[0][0]
    status, done, _ = tarn("nodes", "--db", database, "--policy", "delete")
    assert status == 0 and done["deleted"] == 0


def fill_jobs(database, archive, n):
    (archive / "fritz").mkdir(parents=True)
    (archive / "version.txt").write_text("3\n")
    (archive / "fritz/cluster.json").write_text('{"name":"fritz"}')
    with sqlite3.connect(database) as db:
        for i in range(n):
            meta = {"cluster": "fritz", "subCluster": "main", "jobId": i, "startTime": START + i,
                    "user": "u", "project": "p", "jobState": "completed", "shared": "none",
                    "resources": [{"hostname": f"n{i}"}], "statistics": {}, "duration": 60,
                    "numNodes": 1, "submitTime": START - 1}
            folder = archive / f"fritz/{i // 1000}/{i % 1000:03}/{START + i}"
            folder.mkdir(parents=True)
            (folder / "meta.json").write_text(json.dumps(meta))
            (folder / "data.json").write_text(json.dumps({"m": {"node": {"id": i}}}))
            db.execute("insert into job (job_id, cluster, subcluster, start_time, hpc_user, project, duration, "
                       "walltime, job_state, resources, num_nodes, shared, monitoring_status) values "
                       "(?, 'fritz', 'main', ?, 'u', 'p', 60, 60, 'completed', '[]', 1, 'none', 3)",
                       (i, START + i))


def test_jobs_move_into_parquet_with_their_data(database, tmp_path):
    archive, out = tmp_path / "archive", tmp_path / "out"
    fill_jobs(database, archive, 50)
    status, done, err = tarn("jobs", "--db", database, "--job-archive", archive, "--policy", "move",
                             "--age", "720h", "--format", "parquet", "--target", out)
    assert (status, err) == (0, "")
    assert done == {"copied": 50, "removed": 50, "files": 1, "absent": 0, "failed": 0, "error": ""}
    assert ask(database, "select count(*) from job") == [(0,)]
    assert not list(archive.glob("fritz/*/*/*/meta.json"))
    assert [p.name for p in out.iterdir()] == ["fritz"]
    assert json.loads((out / "fritz/cluster.json").read_text()) == {"name": "fritz"}
    (file,) = (out / "fritz").glob("cc-archive-*-001.parquet")
    rows = pq.read_table(file).to_pylist()
    assert [r["job_id"] for r in rows] == list(range(50))
    for row in rows:
        assert json.loads(gzip.decompress(row["metric_data_gz"])) == {"m": {"node": {"id": row["job_id"]}}}
        assert row["submit_time"] == START - 1


def test_jobs_copied_into_another_archive_are_the_same_twice_over(database, tmp_path):
    archive, out = tmp_path / "archive", tmp_path / "out"
    fill_jobs(database, archive, 5)
    for more, n in (((), 5), ((), 0), (("--again",), 5)):
        status, done, err = tarn("jobs", "--db", database, "--job-archive", archive, "--policy", "copy",
                                 "--age", "720h", "--target", out, *more)
        assert (status, err, done["copied"], done["removed"]) == (0, "", n, 0)
    for path in archive.rglob("*.json"):
        assert (out / path.relative_to(archive)).read_bytes() == path.read_bytes()


def test_a_damaged_job_stays_and_the_exit_status_says_so(database, tmp_path):
    archive, out = tmp_path / "archive", tmp_path / "out"
    fill_jobs(database, archive, 3)
    (archive / f"fritz/0/001/{START + 1}/meta.json").write_text("{")
    status, done, _ = tarn("jobs", "--db", database, "--job-archive", archive, "--policy", "move",
                           "--age", "720h", "--format", "parquet", "--target", out)
    assert status == 1 and done["failed"] == 1 and done["removed"] == 2
    assert "job 1 of fritz" in done["error"]
    assert ask(database, "select job_id from job") == [(1,)]


@pytest.mark.parametrize("args, words", [
    (["nodes", "--policy", "move"], "--db"),
    (["nodes", "--db", "x", "--policy", "move"], "--target is required"),
    (["nodes", "--db", "x", "--policy", "delete", "--target", "y"], "--target"),
    (["jobs", "--db", "x", "--job-archive", "y", "--policy", "copy", "--age", "1h", "--target", "y"],
     "the archive itself"),
])
def test_wrong_flags_are_named(args, words):
    done = subprocess.run([TARN, "retention", *args], capture_output=True, text=True)
    assert done.returncode == 2 and words in done.stderr


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    done = subprocess.run([TARN, "retention", "nodes", "--db", tmp_path / "job.db", "--policy", "delete"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "job.db" in done.stderr
    assert not list(tmp_path.iterdir())
