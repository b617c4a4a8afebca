"""Tags and metadata of archived jobs: what REST changes in the database, the archive says too. Deletion, which it
does not learn of."""

import gzip
import json
import sqlite3
import time
import uuid

import pytest

import tarn
from test_archive_s3 import Server
from test_archiver import Site


class Files:
    """An archive as a directory; the others have the same methods."""

    def __init__(self, directory):
        self.directory = directory / "archive"

    def section(self):
        return {"kind": "file", "path": str(self.directory)}

    def place(self, site, job_id):
        return f"c/{job_id // 1000}/{job_id % 1000:03}/{site.start_s}"

    def read(self, site, job_id):
        folder = self.directory / self.place(site, job_id)
        return (folder / "meta.json").read_bytes(), (folder / "data.json.gz").read_bytes()

    def write(self, site, job_id, meta):
        (self.directory / self.place(site, job_id) / "meta.json").write_bytes(meta)

    def close(self):
        pass


class Sqlite(Files):
    def section(self):
        return {"kind": "sqlite", "db-path": f"{self.directory}.db"}

    def run(self, text, *values):
        with sqlite3.connect(f"{self.directory}.db", timeout=60) as db:
            rows = db.execute(text, values).fetchall()
        db.close()
        return rows

    def read(self, site, job_id):
        return self.run("SELECT meta_json, data_json FROM jobs WHERE job_id = ?", job_id)[0]

    def write(self, site, job_id, meta):
        self.run("UPDATE jobs SET meta_json = ? WHERE job_id = ?", meta, job_id)


class Bucket(Files):
    def __init__(self, directory):
        self.server = Server()
        self.name = f"edits-{uuid.uuid4().hex[:12]}"
        self.server.s3.create_bucket(Bucket=self.name)

    def section(self):
        return {"kind": "s3", "endpoint": self.server.url, "access-key": self.server.access,
                "secret-key": self.server.secret, "bucket": self.name, "region": "us-east-1", "use-path-style": True}

    def read(self, site, job_id):
        return tuple(self.server.s3.get_object(Bucket=self.name, Key=f"{self.place(site, job_id)}/{name}")["Body"].read()
                     for name in ("meta.json", "data.json.gz"))

    def write(self, site, job_id, meta):
        self.server.s3.put_object(Bucket=self.name, Key=f"{self.place(site, job_id)}/meta.json", Body=meta)

    def close(self):
        self.server.stop()


@pytest.fixture(params=[Files, Sqlite, Bucket], ids=["files", "sqlite", "s3"])
def kept(request, tmp_path):
    archive = request.param(tmp_path)
    yield archive
    archive.close()


def until(condition, server):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, server.log()[-3000:]
        time.sleep(0.02)


def archive(site, job_ids):
    site.feed()
    site.end_jobs(job_ids[0], len(job_ids))
    assert site.server.request("POST", "/api/jobs/archive_job/failed").status == 200  # look at once
    site.wait(job_ids)


def settled(site):
    """The archive has what the database has."""
    with site.database() as db:
        return db.execute("SELECT count(*) FROM tarn_edit").fetchone() == (0,)


def tags_of(meta):
    return {(t["type"], t["name"], t["scope"]) for t in json.loads(meta).get("tags", [])}


def ask(server, method, path, body):
    answer = server.request(method, path, json.dumps(body).encode())
    assert answer.status == 200, answer.text
    return answer


def test_a_change_of_an_archived_job_is_in_the_archive_and_nothing_else_has_changed(kept, tmp_path):
    site = Site(tmp_path, archive=kept.section())
    mine = [{"type": "note", "name": "slow", "scope": "global"}, {"type": "note", "name": "seen", "scope": "admin"}]
    with site.server as s:
        archive(site, [4001, 4002])
        meta, data = kept.read(site, 4001)
        other = kept.read(site, 4002)
        # What another program added, or a later version will.
        kept.write(site, 4001, meta.replace(b'"metaData":{', b'"later": [1.50, {"x":null}],"metaData":{"theirs":"t",'))
        before = json.loads(kept.read(site, 4001)[0])

        ask(s, "POST", "/api/jobs/tag_job/1", mine)
        ask(s, "PATCH", "/api/jobs/edit_meta/1", {"key": "note", "value": "a <b> \u00e9"})
        ask(s, "PATCH", "/api/jobs/edit_meta/",
            {"jobId": 4001, "cluster": "c", "payload": {"key": "jobName", "value": "x"}})
        until(lambda: settled(site), s)
        meta, same = kept.read(site, 4001)
        after = json.loads(meta)
        assert after.pop("metaData") == {**before.pop("metaData"), "note": "a <b> \u00e9", "jobName": "x"}
        assert tags_of(meta) == {("note", "slow", "global"), ("note", "seen", "admin")}
        after.pop("tags")
        assert after == before and b'"later":[1.50, {"x":null}]' in meta
        assert same == data and gzip.decompress(same)
        assert kept.read(site, 4002) == other

        ask(s, "DELETE", "/api/jobs/tag_job/1", mine[:1])
        until(lambda: settled(site), s)
        assert tags_of(kept.read(site, 4001)[0]) == {("note", "seen", "admin")}
        ask(s, "POST", "/api/jobs/tag_job/2", mine)
        ask(s, "DELETE", "/api/tags/", mine)
        until(lambda: settled(site), s)
        assert b'"tags"' not in kept.read(site, 4001)[0] + kept.read(site, 4002)[0]
        assert kept.read(site, 4002)[1] == other[1]
        assert s.metrics()["tarn_jobs_edits_failed_total"] == 0


def test_a_change_that_the_archive_does_not_take_is_told_and_made_up_for_after_a_kill(tmp_path):
    kept = Files(tmp_path)
    site = Site(tmp_path, archive=kept.section(), **{"retry-after": "1s"})
    with site.server as s:
        archive(site, [4001])
        meta, _ = kept.read(site, 4001)
        kept.write(site, 4001, meta[:-10])
        ask(s, "PATCH", "/api/jobs/edit_meta/1", {"key": "note", "value": "n"})
        until(lambda: "changing the archived job with id 1, attempt 1" in s.log(), s)
        assert kept.read(site, 4001)[0] == meta[:-10]
        s.process.kill()
        s.process.wait()
    with site.database() as db:
        assert db.execute("SELECT job FROM tarn_edit").fetchall() == [(1,)]
    kept.write(site, 4001, meta)
    with site.server as s:
        until(lambda: settled(site), s)
        assert json.loads(kept.read(site, 4001)[0])["metaData"]["note"] == "n"


def test_deleting_a_job_takes_it_out_of_the_database_with_its_tags_and_leaves_the_archive(tmp_path):
    kept = Files(tmp_path)
    site = Site(tmp_path, archive=kept.section())
    with site.server as s:
        archive(site, [4001, 4002, 4003])
        before = [kept.read(site, i) for i in (4001, 4002, 4003)]
        ask(s, "POST", "/api/jobs/tag_job/3", [{"type": "note", "name": "n", "scope": "global"}])
        until(lambda: settled(site), s)
        before[2] = kept.read(site, 4003)

        answer = s.request("DELETE", "/api/jobs/delete_job/1")
        assert (answer.status, answer.json()) == (200, {"msg": "Successfully deleted job 1"})
        answer = ask(s, "DELETE", "/api/jobs/delete_job/", {"jobId": 4002, "cluster": "c", "startTime": site.start_s})
        assert answer.json() == {"msg": "Successfully deleted job 2"}
        answer = s.request("DELETE", f"/api/jobs/delete_job_before/{site.start_s + 1}?omit-tagged=user")
        assert answer.json() == {"msg": "Successfully deleted 0 jobs"}
        answer = s.request("DELETE", f"/api/jobs/delete_job_before/{site.start_s + 1}?omit-tagged=none")
        assert answer.json() == {"msg": "Successfully deleted 1 jobs"}

        assert s.request("GET", "/api/jobs/").json()["jobs"] == []
        with site.database() as db:
            for table in ("job", "jobtag", "tarn_edit", "tarn_archive"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
            assert db.execute("SELECT count(*) FROM tag").fetchone() == (1,)
        assert [kept.read(site, i) for i in (4001, 4002, 4003)] == before

        # Unknown and misnamed ones.
        assert s.request("DELETE", "/api/jobs/delete_job/1").status == 200
        assert s.request("DELETE", "/api/jobs/delete_job/x").status == 400
        assert s.request("DELETE", "/api/jobs/delete_job/", b'{"jobId": 4002}').status == 422
        assert s.request("DELETE", "/api/jobs/delete_job/", b'{"cluster": "c"}').status == 400
        assert s.request("DELETE", "/api/jobs/delete_job_before/1?omit-tagged=some").status == 400
        assert s.request("DELETE", "/api/jobs/delete_job_before/").status == 400
