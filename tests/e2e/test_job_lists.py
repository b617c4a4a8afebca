"""Long lists of jobs: in the memory of a short one, whole, and with a limit that is named."""

import os
import re

import tarn
from test_jobs import conf, database

JOBS = int(os.environ.get("TARN_LIST_JOBS", "8000"))
PEAK_MAX = 6 << 20


def fill(directory, n):
    """Jobs of 4 KiB, four of each start time, so that pieces of a list end within one."""
    with database(directory) as d:
        d.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO job"
                  " (job_id, cluster, subcluster, start_time, hpc_user, project, cluster_partition, array_job_id,"
                  " duration, walltime, job_state, meta_data, resources, num_nodes, num_hwthreads, num_acc, smt, shared,"
                  " footprint) SELECT i, 'fritz', 'main', 1700000000 + i / 4, 'u', 'p', '', 0, 60, 60, 'completed',"
                  " json_object('jobScript', hex(zeroblob(2048))), '[]', 1, 1, 0, 1, 'none', 'null' FROM n", (n,))
    d.close()


def peak(server):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{server.process.pid}/status").read()).group(1)) * 1024


def test_a_list_of_thousands_of_jobs_is_whole_and_takes_no_memory_for_them(tmp_path):
    """The pages of the database in memory are a quarter of what is configured, for questions."""
    with tarn.Server(tmp_path, conf(tmp_path, **{"db-config": {"cache-size-mb": 4, "max-open-connections": 4}})) as s:
        fill(tmp_path, JOBS)
        assert len(s.request("GET", "/api/jobs/?with-metadata").json()["jobs"]) == 25
        before = peak(s)
        answer = s.request("GET", f"/api/jobs/?with-metadata&items-per-page={min(JOBS, 100000)}")
        grown = peak(s) - before
        assert answer.status == 200
        page = answer.json()
        assert (page["items"], page["page"]) == (min(JOBS, 100000), 1)
        assert [j["jobId"] for j in page["jobs"]] == list(range(JOBS, JOBS - page["items"], -1))
        assert len(answer.body) > page["items"] * 4096
        assert grown < PEAK_MAX
        assert s.request("GET", f"/api/jobs/?items-per-page=1000&page={(JOBS - 1) // 1000 + 1}").json()["jobs"][-1]["jobId"] == 1
        assert not list(tmp_path.rglob(".job-list"))
        print(f"{JOBS} jobs, {len(answer.body) >> 20} MiB of answer: {grown >> 10} KiB more at the peak")


def test_the_pages_of_any_size_are_the_same_list(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        fill(tmp_path, 1030)
        whole = s.request("GET", "/api/jobs/?items-per-page=5000").json()["jobs"]
        assert [j["jobId"] for j in whole] == list(range(1030, 0, -1))
        for size in (1, 255, 256, 257, 512, 1030):
            pages = [] if size > 1 else whole[:1000]
            n = 1001 if size == 1 else 1
            while True:
                jobs = s.request("GET", f"/api/jobs/?items-per-page={size}&page={n}").json()["jobs"]
                pages += jobs
                n += 1
                if len(jobs) < size:
                    break
            assert pages == whole, size


def test_a_page_has_a_limit_that_is_named(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert s.request("GET", "/api/jobs/?items-per-page=100000").status == 200
        for path in ("/api/jobs/?items-per-page=100001", "/api/jobs/?items-per-page=9223372036854775807"):
            answer = s.request("GET", path)
            assert answer.status == 400 and answer.json()["error"] == "items-per-page must be <= 100000"
        for bad in ("0", "-1", "x", "9223372036854775808", ""):
            assert s.request("GET", f"/api/jobs/?items-per-page={bad}").status == 400
        assert s.request("GET", "/api/jobs/?items-per-page=100000&page=9223372036854775807").status == 400


def test_a_list_that_cannot_be_laid_down_is_an_error_and_no_half_answer(tmp_path):
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        fill(tmp_path, 600)
        (tmp_path / ".job-list").mkdir()
        answer = s.request("GET", "/api/jobs/?with-metadata&items-per-page=600")
        assert answer.status == 500 and "listing jobs failed" in answer.json()["error"]
        assert ".job-list" in answer.json()["error"]
        assert len(s.request("GET", "/api/jobs/").json()["jobs"]) == 25
        (tmp_path / ".job-list").rmdir()
        assert len(s.request("GET", "/api/jobs/?with-metadata&items-per-page=600").json()["jobs"]) == 600
