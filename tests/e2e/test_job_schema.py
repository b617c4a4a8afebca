"""The job database, object by object, beside cc-backend's: either program finds in the other's file what it expects.

tests/data/jobs/schema-11.json is what `shape` says of a database that cc-backend 1.5.4 has made.
"""

import json
import re
import shutil
import sqlite3

import pytest

import tarn
from test_jobs import DATA, GOLDEN, conf, job, post

RECORDED = DATA / "jobs" / "schema-11.json"
REFERENCE = GOLDEN / "archiver" / "job-after-transcript-step51.db"
OURS = "tarn_"  # so begin the names of what is tarn's alone
INCREMENTAL = 2  # a new file gives the room of deleted rows back bit by bit: how pages are laid, no part of the schema
WITHOUT_STATISTICS = "name NOT LIKE 'sqlite_stat%'"  # of ANALYZE, which anybody may run


def plain(sql):
    """One spelling of an expression or default: no comments, one space, one kind of quotes, no letter case."""
    sql = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql or "", flags=re.S)
    sql = re.sub(r"\s+", " ", sql).replace('"', "'").strip().lower()
    return re.sub(r"\s*([(),])\s*", r"\1", sql)


def checks(sql):
    """The CHECK constraints of a table's statement."""
    return re.findall(r"check\((\w+ in\([^)]*\))\)", plain(sql))


def shape(db):
    """Everything a program can tell of a schema but how its statements are laid out."""
    def ask(text, *args):
        return [list(row) for row in db.execute(text, args)]

    out = {"tables": {}, "indexes": {}, "others": ask("SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"),
           "user_version": ask("PRAGMA user_version")[0][0], "application_id": ask("PRAGMA application_id")[0][0],
           "encoding": ask("PRAGMA encoding")[0][0], "auto_vacuum": ask("PRAGMA auto_vacuum")[0][0],
           "migrations": ask("SELECT version, dirty FROM schema_migrations")}
    for name, sql in ask(f"SELECT name, sql FROM sqlite_master WHERE type = 'table' AND {WITHOUT_STATISTICS}"):
        out["tables"][name] = {
            "columns": [[c, t.upper(), notnull, plain(default), pk, hidden]
                        for _, c, t, notnull, default, pk, hidden in ask("SELECT * FROM pragma_table_xinfo(?)", name)],
            "foreign": sorted(row[2:] for row in ask("SELECT * FROM pragma_foreign_key_list(?)", name)),
            "checks": checks(sql), "strict": ask("SELECT wr, strict FROM pragma_table_list(?)", name)[0]}
        for _, index, unique, origin, partial in ask("SELECT * FROM pragma_index_list(?)", name):
            where = ask("SELECT sql FROM sqlite_master WHERE name = ?", index)[0][0]
            out["indexes"][index] = {
                "table": name, "unique": unique, "origin": origin, "partial": partial,
                "columns": [row[2:5] for row in ask("SELECT * FROM pragma_index_xinfo(?)", index) if row[5]],
                "where": plain(where).partition(" where ")[2]}
    return json.loads(json.dumps(out))


def shape_of(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return shape(db)
    finally:
        db.close()


def recorded():
    return json.loads(RECORDED.read_text())


def with_tables(directory, **keys):
    """What `tarn serve` has made of an empty directory, with a job in it."""
    c = conf(directory)
    c["tarn"].update(keys)
    c["archive"] = {"kind": "file", "path": str(directory / "archive")}
    with tarn.Server(directory, c) as s:
        assert post(s, "/api/jobs/start_job/", job()).status == 201
    return shape_of(directory / "job.db")


def only_theirs(found):
    assert "tarn_archive" in found["tables"] and "tarn_jobs_unarchived" in found["indexes"]
    assert found["auto_vacuum"] == INCREMENTAL
    return {**found, "auto_vacuum": 0, **{kind: {name: v for name, v in found[kind].items() if not name.startswith(OURS)}
                        for kind in ("tables", "indexes")}}


def test_a_new_database_has_all_that_cc_backend_has_but_for_indexes_of_its_lists(tmp_path):
    found, wanted = only_theirs(with_tables(tmp_path)), recorded()
    left_out = set(wanted["indexes"]) - set(found["indexes"])
    assert left_out and all(name.startswith("jobs_") and not wanted["indexes"][name]["unique"] for name in left_out)
    assert found == {**wanted, "indexes": {k: v for k, v in wanted["indexes"].items() if k not in left_out}}


def test_it_has_all_of_them_when_asked_also_later(tmp_path):
    with_tables(tmp_path)
    assert only_theirs(with_tables_again(tmp_path)) == recorded()


def with_tables_again(directory):
    c = conf(directory)
    c["tarn"]["all-job-indexes"] = True
    with tarn.Server(directory, c) as s:
        assert len(s.request("GET", "/api/jobs/").json()["jobs"]) == 1
    return shape_of(directory / "job.db")


def test_the_constraints_hold(tmp_path):
    """What is refused is refused by the database, whoever writes."""
    with_tables(tmp_path)
    db = sqlite3.connect(tmp_path / "job.db")
    db.execute("PRAGMA foreign_keys = ON")
    row = {"job_id": 7, "cluster": "c", "subcluster": "s", "start_time": 1, "hpc_user": "u", "project": "p", "duration": 0,
           "walltime": 0, "job_state": "running", "resources": "[]", "num_nodes": 1, "shared": "none"}

    def put(table, values):
        db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                   list(values.values()))

    for table in ("job", "job_cache"):
        put(table, row)
        for bad in ({}, {"start_time": 2, "job_state": "out-of-memory"}, {"start_time": 2, "shared": "all"},
                    {"start_time": 2, "monitoring_status": 4}, {"start_time": 2, "cluster": None}):
            with pytest.raises(sqlite3.IntegrityError):
                put(table, {**row, **bad})
    with pytest.raises(sqlite3.IntegrityError):
        put("job_cache", {**row, "start_time": 2, "smt": 2})
    put("job", {**row, "start_time": 2, "smt": 2})
    with pytest.raises(sqlite3.IntegrityError):
        put("jobtag", {"job_id": 999, "tag_id": 999})
    node = {"hostname": "h", "cluster": "c", "subcluster": "s"}
    put("node", node)
    with pytest.raises(sqlite3.IntegrityError):
        put("node", node)
    for bad in ({"node_state": "lost"}, {"health_state": "ill"}, {"node_id": 999}):
        with pytest.raises(sqlite3.IntegrityError):
            put("node_state", {"time_stamp": 1, "node_state": "idle", "health_state": "full", "node_id": 1, **bad})
    db.close()


def everything(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    master = dict(db.execute(f"SELECT name, sql FROM sqlite_master WHERE {WITHOUT_STATISTICS}"))
    rows = {name: db.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name, in db.execute(
        f"SELECT name FROM sqlite_master WHERE type = 'table' AND {WITHOUT_STATISTICS}")}
    db.close()
    return master, rows


@pytest.mark.skipif(not GOLDEN.exists(), reason="the recorded databases are not here")
def test_the_record_is_of_the_reference_and_its_database_stays_as_it_is(tmp_path):
    shutil.copy(REFERENCE, tmp_path / "job.db")
    (tmp_path / "job.db").chmod(0o644)
    assert shape_of(tmp_path / "job.db") == recorded()
    master, rows = everything(tmp_path / "job.db")
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert len(s.request("GET", "/api/jobs/").json()["jobs"]) == 6
    after_master, after_rows = everything(tmp_path / "job.db")
    # To the byte: no statement of the reference's is touched, no row either.
    assert {k: v for k, v in after_master.items() if k in master} == master
    assert all(name.startswith(OURS) for name in set(after_master) - set(master))
    assert {k: v for k, v in after_rows.items() if not k.startswith(OURS)} == rows
