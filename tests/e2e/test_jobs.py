"""Jobs over REST: the recorded session, repetitions, tokens, and what a kill leaves."""

import concurrent.futures
import gzip
import json
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import nats_site
import tarn
from test_auth import Issuer

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
GOLDEN = tarn.ROOT.parent / "shared" / "golden" / "job-archive"
CLUSTERS = [str(DATA / "archiver" / "archive" / name / "cluster.json") for name in ("fritz", "alex")]
STEPS = [json.loads(line) for line in (DATA / "jobs" / "transcript.jsonl").read_text().splitlines()]
DEVIATIONS = json.loads((HERE / "job_deviations.json").read_text())


def conf(directory, **main):
    return tarn.config(main={"db": str(directory / "job.db"), **main},
                       tarn={"cluster-files": CLUSTERS})


def job(job_id=1, start=1700000000, **more):
    return {"jobId": job_id, "user": "u", "project": "p", "cluster": "fritz", "numNodes": 1,
            "walltime": 60, "resources": [{"hostname": "f0101"}], "startTime": start, **more}


def post(server, path, body, method="POST", **headers):
    return server.request(method, path, json.dumps(body).encode(), headers)


def database(directory):
    return sqlite3.connect(directory / "job.db", timeout=30)


def archive(directory):
    """Writes into the rows what the archiver of the recording wrote, before its step 29."""
    with database(directory) as d:
        for row in json.loads((DATA / "jobs" / "archived.json").read_text()):
            d.execute("UPDATE job SET monitoring_status = ?, energy = ?, energy_footprint = ?, "
                      "footprint = ? WHERE job_id = ?", row)
    d.close()


# ---- the recording ---------------------------------------------------------------------------------


def test_the_recorded_session_replays_but_for_what_is_listed(tmp_path):
    # The reference gives rows to jobs with tags at once and to the others two minutes later.
    order = sorted(STEPS, key=lambda step: 0.5 if step["step"] == 2 else step["step"])
    different, used = [], set()
    issuer = Issuer(tmp_path)
    headers = {"Authorization": "Bearer " + issuer.token(sub="recorder", roles=["api"])}

    def replay(s, steps):
        for step in steps:
            number = str(step["step"])
            got = s.request(step["method"], step["path"], step["request"].encode() or None, headers)
            wanted = (step["status"], step["response"])
            if number in DEVIATIONS:
                used.add(number)
                assert wanted != (DEVIATIONS[number]["status"], DEVIATIONS[number]["body"])
                wanted = (DEVIATIONS[number]["status"], DEVIATIONS[number]["body"])
            elif (step["contentType"] or None) != got.header("Content-Type"):
                different.append((number, "type", step["contentType"]))
            if (got.status, got.text) != wanted:
                different.append((number, wanted, (got.status, got.text)))

    plain = conf(tmp_path, **{"jwt-public-key": issuer.public})
    with tarn.Server(tmp_path, plain) as s:
        replay(s, [step for step in order if step["step"] < 29])
    # Before its step 29 the jobs were archived.
    with tarn.Server(tmp_path, {**plain, **with_archive(tmp_path)}) as s:
        replay(s, [step for step in order if step["step"] >= 29])
    assert not different, json.dumps(different, indent=1)
    assert used == set(DEVIATIONS)
    assert len(STEPS) == 56


def test_lists_have_the_statistics_that_the_archive_has(tmp_path):
    """As recorded; a job whose metadata are gone says so, and the others are still listed."""
    kept = kept_archive(tmp_path)
    wanted = {j["jobId"]: j["statistics"] for step in STEPS if step["step"] in (30, 31)
              for j in json.loads(step["response"])["jobs"]}
    assert sum(bool(w) for w in wanted.values()) >= 3
    with tarn.Server(tmp_path, kept) as s:
        listed = {j["jobId"]: j for j in s.request("GET", "/api/jobs/").json()["jobs"]}
        assert {i: listed[i]["statistics"] for i in wanted} == wanted
        assert not any("statisticsError" in listed[i] for i in wanted)
        (tmp_path / "archive" / "fritz" / "5" / "001" / "1700000000" / "meta.json").unlink()
        again = {j["jobId"]: j for j in s.request("GET", "/api/jobs/").json()["jobs"]}
        assert again[5001]["statistics"] is None and again[5001]["statisticsError"]
        assert again[5002] == listed[5002]


def kept_archive(tmp_path):
    """The recorded jobs in the database and in an archive; the configuration that names both."""
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        for step in sorted(STEPS[:28], key=lambda step: 0.5 if step["step"] == 2 else step["step"]):
            s.request(step["method"], step["path"], step["request"].encode() or None)
    return {**conf(tmp_path), **with_archive(tmp_path)}


def with_archive(tmp_path):
    """The rows and the archive that the recording's archiver made."""
    archive(tmp_path)
    shutil.copytree(DATA / "archiver" / "archive", tmp_path / "archive")
    (tmp_path / "archive" / "version.txt").write_text("3\n")
    return {"archive": {"kind": "file", "path": str(tmp_path / "archive")}}


SCOPES = ("node", "socket", "memoryDomain", "core", "hwthread", "accelerator")


def document(place):
    packed = place / "data.json.gz"
    return json.loads(gzip.decompress(packed.read_bytes()) if packed.exists()
                      else (place / "data.json").read_bytes())


def test_an_archived_job_comes_with_the_data_of_the_archive(tmp_path):
    kept = kept_archive(tmp_path)
    with tarn.Server(tmp_path, kept) as s:
        jobs = [j for j in s.request("GET", "/api/jobs/?items-per-page=100").json()["jobs"]
                if j.get("monitoringStatus") == 3]
        assert len(jobs) >= 3
        for job in jobs:
            i = job["jobId"]
            place = tmp_path / "archive" / job["cluster"] / str(i // 1000) / f"{i % 1000:03}" / str(job["startTime"])
            everything = "".join(f"&scope={scope}" for scope in SCOPES) + "&resolution=0"
            answer = s.request("GET", f"/api/jobs/{job['id']}?all-metrics=true{everything}")
            assert answer.status == 200 and answer.header("Content-Type") == "application/json"
            assert answer.json()["Data"] == document(place)
            assert answer.json()["Meta"]["jobId"] == i
            assert s.request("GET", f"/api/jobs/{job['id']}").json()["Data"] is None
        assert not list(tmp_path.rglob(".job-answer"))


def test_damaged_or_missing_data_are_an_error_that_says_so_and_no_half_answer(tmp_path):
    kept = kept_archive(tmp_path)
    with tarn.Server(tmp_path, kept) as s:
        job = next(j for j in s.request("GET", "/api/jobs/").json()["jobs"] if j["jobId"] == 5001)
        path = f"/api/jobs/{job['id']}?all-metrics=true"
        place = tmp_path / "archive" / "fritz" / "5" / "001" / "1700000000"
        data = next(p for p in place.iterdir() if p.name.startswith("data.json"))
        whole = data.read_bytes()
        for broken in whole[:len(whole) // 2], whole[:40] + b"\x00" * 8 + whole[48:]:
            data.write_bytes(broken)
            answer = s.request("GET", path)
            assert answer.status == 500 and "data failed" in answer.json()["error"]
        data.unlink()
        assert s.request("GET", path).status == 500
        data.write_bytes(whole)
        assert s.request("GET", path).status == 200


def test_sixteen_answers_that_nobody_takes_are_the_most(tmp_path):
    kept = kept_archive(tmp_path)
    place = tmp_path / "archive" / "fritz" / "5" / "001" / "1700000000"
    data = document(place)
    series = next(iter(next(iter(data.values())).values()))["series"]
    series[0]["data"] = [1.25] * 1_600_000  # 8 MB: more than sockets hold
    for old in place.glob("data.json*"):
        old.unlink()
    (place / "data.json.gz").write_bytes(gzip.compress(json.dumps(data).encode(), 1))
    with tarn.Server(tmp_path, kept) as s:
        job = next(j for j in s.request("GET", "/api/jobs/").json()["jobs"] if j["jobId"] == 5001)
        path = f"/api/jobs/{job['id']}?all-metrics=true"
        waiting = [s.connect() for _ in range(16)]
        for c in waiting:
            c.connect()
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            c.request("GET", path)
        answers = [c.getresponse() for c in waiting]
        assert [a.status for a in answers] == [200] * 16
        assert s.request("GET", path).status == 503
        assert json.loads(answers[0].read())["Data"] == data
        for c in waiting:
            c.close()
        until = time.monotonic() + tarn.DEADLINE_S
        while s.request("GET", path).status == 503:
            assert time.monotonic() < until


def test_the_rows_after_the_session_are_those_of_the_reference(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        for step in sorted(STEPS[:51], key=lambda step: 0.5 if step["step"] == 2 else step["step"]):
            if step["step"] == 29:
                archive(tmp_path)
            s.request(step["method"], step["path"], step["request"].encode() or None)
    with database(tmp_path) as d:
        got = {t: [list(r) for r in d.execute(q)] for t, q in ROWS.items()}
    assert got == json.loads((DATA / "jobs" / "rows.json").read_text())


ROWS = {
    "job": "SELECT id, job_id, cluster, subcluster, submit_time, start_time, hpc_user, project, "
           "cluster_partition, array_job_id, duration, walltime, job_state, "
           "CAST(meta_data AS TEXT), CAST(resources AS TEXT), num_nodes, num_hwthreads, num_acc, "
           "smt, shared, monitoring_status, energy, energy_footprint, CAST(footprint AS TEXT) "
           "FROM job ORDER BY id",
    "node": "SELECT hostname, cluster, subcluster, meta_data FROM node",
    "node_state": "SELECT jobs_running, cpus_allocated, memory_allocated, gpus_allocated, "
                  "node_state, health_state, health_metrics, node_id FROM node_state",
    "version": "SELECT version, dirty FROM schema_migrations",
}


@pytest.mark.skipif(not GOLDEN.exists(), reason="the recorded databases are not here")
def test_a_database_of_the_reference_is_served(tmp_path):
    shutil.copy(GOLDEN / "archiver" / "job-after-transcript-step51.db", tmp_path / "job.db")
    (tmp_path / "job.db").chmod(0o644)
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        jobs = s.request("GET", "/api/jobs/").json()["jobs"]
        assert [j["jobId"] for j in jobs] == [9003, 9002, 9001, 6001, 5002, 5001]
        assert post(s, "/api/jobs/start_job/", job()).status == 201


def test_an_older_database_is_refused_and_then_brought_up_to_date(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        post(s, "/api/jobs/start_job/", job())
    with database(tmp_path) as d:
        d.execute("UPDATE schema_migrations SET version = 10")
    command = [str(tarn.BINARY), "serve", "-config", str(tmp_path / "config.json")]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "-migrate-db" in refused.stderr
    done = subprocess.run([*command, "-migrate-db"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/job.db: version 11\n"), done.stderr
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert [j["jobId"] for j in s.request("GET", "/api/jobs/").json()["jobs"]] == [1]


# ---- life ------------------------------------------------------------------------------------------


def test_of_many_equal_starts_at_once_one_succeeds(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(
                lambda i: post(s, "/api/jobs/start_job/", job(start=1700000000 + i)).status,
                range(24)))
        assert sorted(answers) == [201] + [422] * 23


def test_what_was_answered_is_there_after_a_kill(tmp_path):
    server = tarn.Server(tmp_path, conf(tmp_path))
    with server as s:
        for i in range(1, 21):
            assert post(s, "/api/jobs/start_job/", job(i)).status == 201
            stop = {"jobId": i, "stopTime": 1700000000 + i}
            assert i % 2 or post(s, "/api/jobs/stop_job/", stop).status == 200
        assert s.stop(signal.SIGKILL) == -signal.SIGKILL
        s.start()
        jobs = s.request("GET", "/api/jobs/?items-per-page=50").json()["jobs"]
        assert {j["jobId"]: j["jobState"] for j in jobs} == {
            i: "running" if i % 2 else "completed" for i in range(1, 21)}
        assert all(j["duration"] == j["jobId"] for j in jobs if j["jobState"] == "completed")


@pytest.mark.parametrize("state", ["running", "pending", "suspended"])
def test_a_job_does_not_stop_into_a_state_that_goes_on(tmp_path, state):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        post(s, "/api/jobs/start_job/", job())
        answer = post(s, "/api/jobs/stop_job/",
                      {"jobId": 1, "jobState": state, "stopTime": 1700000001})
        assert answer.status == 400 and state in answer.json()["error"]
        answer = post(s, "/api/jobs/stop_job/", {"jobId": 1, "stopTime": 1700000001})
        assert answer.status == 200
        answer = post(s, "/api/jobs/stop_job/", {"jobId": 1, "stopTime": 1700000001})
        assert answer.status == 422


@pytest.mark.parametrize("change, word", [
    ({"numNodes": 0, "resources": []}, "resources"), ({"user": ""}, "user"),
    ({"numAcc": -1}, "numAcc"), ({"shared": "all"}, "shared"), ({"smt": -1}, "smt"),
    ({"subCluster": "nope"}, "nope"), ({"monitoringStatus": 3}, "monitoringStatus"),
    ({"startTime": "x"}, "startTime")])
def test_a_job_that_is_none_is_refused_by_its_fault(tmp_path, change, word):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        answer = post(s, "/api/jobs/start_job/", job(**change))
        assert answer.status == 400, answer.text
        assert word in answer.text or "number" in answer.text
        assert s.request("GET", "/api/jobs/").json()["jobs"] == []


def test_pages_are_the_list_in_pieces(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        for i in range(1, 8):
            post(s, "/api/jobs/start_job/", job(i, 1700000000 + i))
        seen = []
        for page in (1, 2, 3, 4):
            answer = s.request("GET", f"/api/jobs/?items-per-page=3&page={page}").json()
            assert (answer["items"], answer["page"]) == (3, page)
            seen += [j["jobId"] for j in answer["jobs"]]
        assert seen == [7, 6, 5, 4, 3, 2, 1]
        assert s.request("GET", "/api/jobs/?state=failed&state=timeout").json()["jobs"] == []


def test_without_a_database_there_are_no_routes_about_jobs(tmp_path):
    with tarn.Server(tmp_path, tarn.config()) as s:
        assert s.request("GET", "/api/jobs/").status == 404
        assert post(s, "/api/nodestate/", {}).status == 404


# ---- nodes -----------------------------------------------------------------------------------------


def test_nodes_are_as_well_as_their_metrics(tmp_path):
    cluster = {"name": "c", "metricConfig": [
        {"name": m, "unit": {"base": "x"}, "scope": "node", "timestep": 60,
         "subClusters": []} for m in ("cpu_load", "clock")],
        "subClusters": [{"name": "s", "nodes": "h[1-3]", "topology": {
            "node": [0], "socket": [[0]], "memoryDomain": [[0]], "die": [[0]], "core": [[0]]}}]}
    (tmp_path / "cluster.json").write_text(json.dumps(cluster))
    settings = tarn.config(main={"db": str(tmp_path / "job.db")},
                           tarn={"cluster-files": [str(tmp_path / "cluster.json")]})
    now = int(time.time())
    with tarn.Server(tmp_path, settings) as s:
        s.write(f"cpu_load,hostname=h1 value=1 {now}\nclock,hostname=h1 value=1 {now}\n"
                f"cpu_load,hostname=h2 value=1 {now}\n")
        nodes = [{"hostname": "h1", "states": ["ALLOCATED", "idle"], "cpusAllocated": 4},
                 {"hostname": "h2", "states": ["mixed"]}, {"hostname": "h3", "states": ["odd"]},
                 {"hostname": "other", "states": ["idle"]}]
        answer = post(s, "/api/nodestate/", {"cluster": "c", "nodes": nodes})
        assert (answer.status, answer.json()) == (207, {
            "status": "Multi-Status", "error": "3 of 4 nodes stored; in no subcluster of c: other"})
        answer = post(s, "/api/nodestate/", {"cluster": "c", "nodes": nodes[3:] + [{"hostname": "", "states": []}]})
        assert (answer.status, answer.json()["error"]) == (
            422, "0 of 2 nodes stored; in no subcluster of c: other, ")
        answer = post(s, "/api/nodestate/", {"cluster": "c", "nodes": []})
        assert (answer.status, answer.text) == (200, "")
        assert post(s, "/api/healthcheck", {"cluster": "c", "nodes": nodes[:1]}).status == 200
        assert post(s, "/api/nodestate/", {"cluster": "d", "nodes": nodes}).status == 400
    with database(tmp_path) as d:
        rows = d.execute("SELECT hostname, node_state, health_state, health_metrics, "
                         "cpus_allocated FROM node_state JOIN node ON node.id = node_id "
                         "ORDER BY node_state.id").fetchall()
    none = '{"degraded":[],"missing":[]}'
    assert rows == [("h1", "allocated", "full", none, 4),
                    ("h2", "mixed", "partial", '{"degraded":[],"missing":["clock"]}', 0),
                    ("h3", "unknown", "failed", '{"degraded":[],"missing":["cpu_load","clock"]}', 0),
                    ("h1", "allocated", "full", none, 4)]


# ---- who may ---------------------------------------------------------------------------------------


def test_the_role_api_alone_or_with_admin_opens_the_routes_and_users_see_their_own(tmp_path):
    issuer = Issuer(tmp_path)
    with tarn.Server(tmp_path, conf(tmp_path, **{"jwt-public-key": issuer.public})) as s:
        def ask(path, roles, name="u", header="X-Auth-Token"):
            token = issuer.token(sub=name, roles=roles)
            value = token if header == "X-Auth-Token" else f"Bearer {token}"
            return s.request("GET", path, headers={header: value})

        api = {"X-Auth-Token": issuer.token(sub="x", roles=["api"])}
        for i, user in enumerate(["u", "v"], 1):
            assert post(s, "/api/jobs/start_job/", job(i, user=user), **api).status == 201
        assert s.request("GET", "/api/jobs/").status == 401
        assert ask("/api/jobs/", ["api"]).status == 200
        assert ask("/api/jobs/", ["api"], header="Authorization").status == 200
        assert ask("/api/jobs/", ["admin", "api"]).status == 200
        for roles in (["user"], ["admin"], ["api", "user"], []):
            assert ask("/api/jobs/", roles).status == 403
        mine = ask("/userapi/jobs/", ["user"]).json()["jobs"]
        assert [j["user"] for j in mine] == ["u"]
        assert ask("/userapi/jobs/1", ["user"]).status == 200
        assert ask("/userapi/jobs/2", ["user"]).status == 422


def test_a_manager_sees_the_projects_that_the_table_of_users_names_and_a_user_none_of_them(tmp_path):
    issuer = Issuer(tmp_path)
    with tarn.Server(tmp_path, conf(tmp_path, **{"jwt-public-key": issuer.public})) as s:
        def ask(path, roles, name="boss"):
            return s.request("GET", path, headers={"X-Auth-Token": issuer.token(sub=name, roles=roles)})

        def listed(roles, name="boss", more=""):
            answer = ask(f"/userapi/jobs/?items-per-page=100{more}", roles, name)
            assert answer.status == 200, answer.text
            return sorted(j["jobId"] for j in answer.json()["jobs"])

        api = {"X-Auth-Token": issuer.token(sub="x", roles=["api"])}
        for i, (user, project) in enumerate([("boss", "own"), ("u", "led"), ("v", "led"), ("v", "other")], 1):
            assert post(s, "/api/jobs/start_job/", job(i, user=user, project=project), **api).status == 201
        assert listed(["manager"]) == [1]  # of whom the table knows nothing
        with database(tmp_path) as d:
            d.execute("INSERT INTO hpc_user (username, roles, projects) VALUES "
                      "('boss', '[\"manager\"]', '[\"led\", \"empty\"]'), ('v', '[\"user\"]', '[\"led\"]')")
        d.close()
        assert listed(["manager"]) == listed(["manager", "api"]) == [1, 2, 3]
        assert listed(["manager"], more="&project=led") == [2, 3]
        assert listed(["manager"], more="&project=other") == []
        assert [ask(f"/userapi/jobs/{i}", ["manager"]).status for i in (1, 2, 3, 4)] == [200, 200, 200, 422]
        # What the table says of a user's projects counts for managers alone.
        assert listed(["user"]) == listed(["api"]) == listed(["admin", "api"]) == [1]
        assert listed(["user"], "v") == [3, 4]
        assert [ask(f"/userapi/jobs/{i}", ["user"]).status for i in (1, 2, 3, 4)] == [200, 422, 422, 422]
        for roles in ([], ["analyst"], ["boss"]):
            assert ask("/userapi/jobs/", roles).status == ask("/userapi/jobs/1", roles).status == 403
        assert ask("/userapi/jobs/", ["manager"], "").status == 403
        assert ask("/api/jobs/", ["manager"]).status == ask("/api/jobs/", ["manager", "api"]).status == 403


def test_only_the_roles_of_the_interface_change_jobs(tmp_path):
    """Every route that changes something: refused to a user, a manager, admin alone; taken from api."""
    issuer = Issuer(tmp_path)
    tag = [{"type": "t", "name": "n", "scope": "global"}]
    stop = {"jobId": 1, "cluster": "fritz", "stopTime": 1700000060}
    nodes = {"cluster": "fritz", "nodes": [{"hostname": "f0101", "states": ["idle"]}]}
    changes = [("POST", "start_job/", job(2, smt=2)), ("PUT", "stop_job/", stop), ("POST", "archive_job/failed", None),
               ("PATCH", "edit_meta/1", {"key": "k", "value": "v"}), ("POST", "tag_job/1", tag),
               ("DELETE", "tag_job/1", tag), ("DELETE", "delete_job_before/100", None), ("DELETE", "delete_job/1", None)]
    routes = [(method, f"/api/jobs/{path}", body) for method, path, body in changes]
    routes += [("DELETE", "/api/tags/", tag), ("POST", "/api/nodestate/", nodes)]
    with tarn.Server(tmp_path, conf(tmp_path, **{"jwt-public-key": issuer.public})) as s:
        def ask(route, *roles):
            method, path, body = route
            return s.request(method, path, json.dumps(body).encode() if body else None,
                             {"X-Auth-Token": issuer.token(sub="u", roles=roles)}).status

        assert ask(("POST", "/api/jobs/start_job/", job(1)), "api") == 201
        for route in routes:
            for roles in (["user"], ["manager"], ["admin"], ["api", "user"], ["api", "manager"], ["api", "support"], []):
                assert ask(route, *roles) == 403, (route, roles)
            assert s.request(route[0], route[1], b"{}").status == 401, route
        with database(tmp_path) as d:
            assert d.execute("SELECT job_id, job_state, meta_data FROM job").fetchall() == [(1, "running", "null")]
            assert d.execute("SELECT count(*) FROM tag").fetchone() == (0,)
        d.close()
        for i, route in enumerate(routes):
            # Without an archive nothing can be archived again.
            wanted = (503,) if "archive_job" in route[1] else (200, 201)
            assert ask(route, *(["api"] if i % 2 else ["admin", "api"])) in wanted, route
        with database(tmp_path) as d:  # more threads to a core than the reference takes
            assert d.execute("SELECT job_id, smt FROM job").fetchall() == [(2, 2)]
        d.close()


def test_only_addresses_that_are_named_may_ask(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path, **{"api-allowed-ips": ["192.0.2.1"]})) as s:
        assert s.request("GET", "/api/jobs/").status == 403
        assert post(s, "/api/jobs/start_job/", job()).status == 403
        assert s.request("GET", "/api/jobs/", headers={"X-Real-Ip": "192.0.2.1"}).status == 200
    (tmp_path / "all").mkdir()
    with tarn.Server(tmp_path / "all", conf(tmp_path, **{"api-allowed-ips": ["*"]})) as s:
        assert s.request("GET", "/api/jobs/").status == 200


# ---- over NATS -------------------------------------------------------------------------------------


def event(function, body):
    text = json.dumps(body).replace("\\", "\\\\").replace('"', '\\"')
    head = f"job,function={function}" if function else "nodestate"
    return f'{head} event="{text}" 1700000000000000000'


def until(condition, what):
    end = time.monotonic() + tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_jobs_come_over_nats_in_their_order_and_then_there_is_no_other_way_in(tmp_path):
    nats_site.needed()
    with nats_site.NatsServer(tmp_path / "nats") as broker:
        settings = conf(tmp_path, **{"api-subjects": {
            "subject-job-event": "cc.job.event", "subject-node-state": "cc.node.state",
            "job-concurrency": 8, "node-concurrency": 2}})
        settings["nats"] = {"address": broker.url}
        with tarn.Server(tmp_path, settings) as s:
            assert post(s, "/api/jobs/start_job/", job()).status == 405
            until(lambda: s.metrics().get("tarn_nats_connected") == 1, "no connection")
            # Both subscriptions stand once something has come through each.
            nodes = {"cluster": "fritz", "nodes": [{"hostname": "f0101", "states": ["down"]}]}

            def there():
                nats_site.publish(broker, [("cc.job.event", event("start_job", job(999, 1))),
                                           ("cc.node.state", event(None, nodes))])
                with database(tmp_path) as d:
                    return (d.execute("SELECT count(*) FROM job").fetchone()[0]
                            and d.execute("SELECT count(*) FROM node_state").fetchone()[0])
            until(there, "nothing comes")
            messages = []
            for i in range(1, 101):
                start = job(i, tags=[{"type": "t", "name": "a \"b\"", "scope": "global"}])
                lines = [event("start_job", start),
                         event("stop_job", {"jobId": i, "cluster": "fritz", "stopTime": 1700000009})]
                messages += [("cc.job.event", "\n".join(lines))] if i % 2 else [
                    ("cc.job.event", line) for line in lines]
            messages += [("cc.job.event", "job,function=stop_job nothing=1"),
                         ("cc.job.event", "no line\n" + event("start_job", job(500))),
                         ("cc.job.event", event("dance_job", {})),
                         ("cc.job.event", event("stop_job", {"jobId": 12345, "stopTime": 1})),
                         ("cc.job.event", event("start_job", job(600)))]
            nats_site.publish(broker, messages)

            def jobs():
                page = s.request("GET", "/api/jobs/?items-per-page=500&start-time=1700000000-1700000001")
                return {j["jobId"]: j for j in page.json()["jobs"]}
            until(lambda: 600 in jobs(), "the last job does not come")
            got = jobs()
            assert set(got) == {*range(1, 101), 600}
            assert all(got[i]["jobState"] == "completed" and got[i]["duration"] == 9
                       for i in range(1, 101))
            assert got[1]["tags"][0]["name"] == 'a "b"'
            for words in ("dance_job", "no rows", "a field without a value"):
                assert words in s.log()
            until(lambda: counts(s, "starts", "nats").get("201") == 102, "starts are not counted")
            m = s.metrics()
            assert counts(s, "stops", "nats") == {"200": 100, "404": 1}
            assert counts(s, "starts", "rest") == {"201": 0} and counts(s, "nodestates", "nats")["200"] >= 1
            assert m["tarn_job_events_unusable_total"] == 2 and m["tarn_job_events_dropped_total"] == 0


def counts(s, what, way):
    """What the server counts of starts, stops or nodestates over that way: {status: how many}."""
    text = s.request("GET", "/metrics").text
    return {code: int(n) for code, n in re.findall(
        rf'^tarn_job_{what}_total\{{input="{way}",code="(\w+)"\}} (\d+)$', text, re.M)}


def test_starts_stops_and_reports_are_counted_by_their_status(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert counts(s, "starts", "rest") == {"201": 0} and counts(s, "stops", "rest") == {"200": 0}
        for body in (job(1), job(2), job(1), {**job(3), "cluster": "nowhere"}):
            post(s, "/api/jobs/start_job/", body)
        for job_id in (1, 1, 7):
            post(s, "/api/jobs/stop_job/", {"jobId": job_id, "cluster": "fritz", "stopTime": 1700000009})
        post(s, "/api/nodestate/", {"cluster": "fritz", "nodes": [{"hostname": "f0101", "states": ["down"]}]})
        assert counts(s, "starts", "rest") == {"201": 2, "400": 1, "422": 1}
        assert counts(s, "stops", "rest") == {"200": 1, "404": 1, "422": 1}
        assert counts(s, "nodestates", "rest") == {"200": 1} and counts(s, "starts", "nats") == {"201": 0}
        assert s.metrics()['tarn_job_calls_waiting{line="change"}'] == 0
        manual = (tarn.ROOT / "doc" / "metrics.md").read_text()
        for name in re.findall(r"^# TYPE (tarn_job_\w+|tarn_retention_\w+)", s.request("GET", "/metrics").text, re.M):
            assert f"`{name}`" in manual, name


# ---- the store -------------------------------------------------------------------------------------


def test_nodes_of_running_jobs_keep_their_samples_beyond_the_retention(tmp_path):
    settings = conf(tmp_path)
    settings["metric-store"]["retention-in-memory"] = "2s"
    settings["metrics"] = {"cpu_load": {"frequency": 1, "aggregation": None}}
    with tarn.Server(tmp_path, settings) as s:
        assert post(s, "/api/jobs/start_job/", job(start=1)).status == 201
        until(lambda: s.metrics()["tarn_used_nodes"] == 1, "the node is not known")
        s.write("cpu_load,hostname=f0101 value=1\ncpu_load,hostname=f0102 value=1\n",
                cluster="fritz")

        def has(host):
            answer = s.query({"cluster": "fritz", "from": 0, "to": int(time.time()) + 10,
                              "queries": [{"metric": "cpu_load", "host": host}]})
            entries = answer.json()["results"][0]
            return bool(entries) and not entries[0].get("error")
        until(lambda: not has("f0102"), "the other node keeps its samples")
        assert has("f0101")
        # It has ended, but waits to be archived: its samples are needed.
        assert post(s, "/api/jobs/stop_job/", {"jobId": 1, "stopTime": 2}).status == 200
        asked = s.metrics()["tarn_used_nodes_asked_total"]
        until(lambda: s.metrics()["tarn_used_nodes_asked_total"] > asked + 1, "nobody asks again")
        assert has("f0101") and s.metrics()["tarn_used_nodes"] == 1
        with database(tmp_path) as d:
            d.execute("UPDATE job SET monitoring_status = 3")
        until(lambda: not has("f0101"), "the node keeps its samples for ever")
