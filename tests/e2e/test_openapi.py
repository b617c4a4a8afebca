"""/openapi.json: valid, of all routes, and true: a client made from it asks a running server."""

import json
import re
import time

import hypothesis
import pytest
import schemathesis
from openapi_spec_validator import validate
from schemathesis.specs.openapi import checks as openapi_checks

import tarn
from test_job_data import cluster_file

DOCUMENT = json.loads((tarn.ROOT / "web" / "openapi.json").read_text())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What is answered otherwise than with success where there are no cluster.json, no archive, no tokens with a user; and
# the status of a job that starts.
STATUSES = {"/api/load": 400, "/api/jobs/archive_job/{id}": 503, "/userapi/jobs": 403, "/userapi/jobs/{id}": 403,
            "/userapi/jobs/metrics/{id}": 403, "/api/jobs/start_job": 201}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    now = int(time.time())
    directory = tmp_path_factory.mktemp("openapi")
    conf = tarn.config(main={"db": str(directory / "job.db"), "machine-state-dir": str(directory / "machines")},
                       tarn={"cluster-files": [cluster_file(directory)]})
    with tarn.Server(directory, conf) as s:
        text = "".join(f"cpu_load,hostname=f0101 value={i} {now - i * 60}\n"
                       f"flops_any,hostname=f0101,type=hwthread,type-id={i} value=1 {now}\n"
                       for i in range(8))
        assert s.write(text, cluster="fritz").status == 200
        yield s


def routes():
    """(path, methods) of src/app/routes.c."""
    rows = re.findall(r'^    \{"(/[^"]*)", ([A-Z_ |]+), NEED', (tarn.ROOT / "src/app/routes.c").read_text(), re.M)
    assert len(rows) >= 18
    return {path: methods_of(methods) for path, methods in rows}


def job_routes():
    """(path, methods) of src/app/job_routes.c: what answers at a path and below it."""
    rows = re.findall(r'^    \{"(/[^"]*)", ([A-Z_ |]+), TA_JOB', (tarn.ROOT / "src/app/job_routes.c").read_text(), re.M)
    assert len(rows) >= 17
    return {path: methods_of(methods) for path, methods in rows}


def methods_of(text):
    assert set(re.findall(r"TA_HTTP_([A-Z]+)", text)) <= set(METHODS)
    return {m.lower() for m in re.findall(r"TA_HTTP_([A-Z]+)", text)}


def test_the_document_is_valid_and_served_to_anybody(stocked):
    answer = stocked.request("GET", "/openapi.json")
    assert answer.status == 200 and answer.header("Content-Type") == "application/json"
    assert answer.json() == DOCUMENT
    validate(DOCUMENT)
    again = stocked.request("GET", "/openapi.json", headers={"If-None-Match": answer.header("ETag")})
    assert again.status == 304 and not again.body


def test_it_is_served_when_the_page_is_not(tmp_path):
    with tarn.Server(tmp_path, tarn.config(tarn={"page": False})) as s:
        assert s.request("GET", "/").status == 404
        assert s.request("GET", "/openapi.json").status == 200


def test_every_route_with_its_methods_is_in_it_and_no_other():
    described = {path: set(item) for path, item in DOCUMENT["paths"].items()}
    known = {("/web/{file}" if path == "/web" else path): methods for path, methods in routes().items()}
    of_jobs = job_routes()
    found = {path: set() for path in of_jobs}
    for path, methods in list(described.items()):
        route = re.sub("(/{[a-z]+})+$", "", path)
        if route in of_jobs and path != "/api/healthcheck":
            found[route] |= described.pop(path)
    # One path for both: asked of the store, told by nodes.
    found["/api/healthcheck"] = described["/api/healthcheck"] & of_jobs["/api/healthcheck"]
    described["/api/healthcheck"] -= of_jobs["/api/healthcheck"]
    assert described == known
    assert found == of_jobs


def test_the_examples_are_answered_as_described(stocked):
    """Each operation with the examples of the document, and 200 or 204 for it."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            media = next(iter(content), None)
            body = content[media]["example"] if media else None
            if body is not None and media == "application/json":
                body = json.dumps(body)
            parameters = [p for p in operation.get("parameters", []) if "example" in p]
            target = path
            for p in parameters:
                target = target.replace("{%s}" % p["name"], str(p["example"]))
            query = "&".join(f"{p['name']}={p['example']}" for p in parameters if p["in"] == "query")
            if path in ("/write", "/api/v2/write", "/api/write"):
                query = "cluster=fritz"
            answer = stocked.request(method.upper(), f"{target}?{query}" if query else target, body)
            wanted = (STATUSES[path],) if path in STATUSES else (200, 204)
            if path.startswith("/api/machine_state") and method != "get":
                wanted = (201,)
            assert answer.status in wanted, (path, method, answer.status, answer.text)
            assert str(answer.status) in operation["responses"]
            if answer.status >= 400:  # in the form described
                assert set(answer.json()) == {"status", "error"}


@SCHEMA.parametrize()
@hypothesis.settings(max_examples=5, deadline=None, database=None, derandomize=True,
                     suppress_health_check=list(hypothesis.HealthCheck))
def test_what_is_generated_from_it_is_answered_as_it_says(case, stocked):
    case.call_and_validate(base_url=f"http://127.0.0.1:{stocked.port}", checks=[
        openapi_checks.status_code_conformance, openapi_checks.content_type_conformance,
        openapi_checks.response_headers_conformance, openapi_checks.response_schema_conformance])
