"""The recorded requests of the reference, replayed against tarn.

Equal means: status, content type and body as the recording's kind of comparison says; of error
texts only the shape and `at line L:C`. Where tarn deviates on purpose the case stands in
deviations.json with the reason and tarn's own answer, which is then what must come. A case listed
there that agrees with the recording fails as well.
"""

import json
import math
import pathlib
import re
import time

import pytest

import tarn

DATA = tarn.ROOT / "tests" / "data" / "http"
DEVIATIONS = json.loads((pathlib.Path(__file__).parent / "deviations.json").read_text())
SESSIONS = sorted(p.name for p in DATA.iterdir() if p.is_dir())
CASES = [(s, p.stem) for s in SESSIONS for p in sorted((DATA / s).glob("[0-9]*.json"))]


def fill_in(text, now):
    """{{NOW}}, {{NOW-60}}, {{NOW+5}}"""
    return re.sub(r"\{\{NOW([+-]\d+)?\}\}", lambda m: str(now + int(m.group(1) or 0)), text)


def with_same_words(value, recorded):
    """`value` with the recorded words where both have an error at the same place.

    A recording without a place is met by any words; one with a place only by the same place.
    """
    if isinstance(value, dict) and isinstance(recorded, dict):
        return {k: recorded[k] if k == "error" and k in recorded and v and is_same_place(
                    recorded[k], v) else with_same_words(v, recorded.get(k))
                for k, v in value.items()}
    if isinstance(value, list) and isinstance(recorded, list) and len(value) == len(recorded):
        return [with_same_words(v, r) for v, r in zip(value, recorded)]
    return value


def is_same_place(want, got):
    place = re.search(r"at line \d+:\d+", want)
    return not place or place.group(0) + ":" in got or place.group(0) + " " in got


def as_json(body):
    try:
        return json.loads(body)
    except ValueError:
        return None


def is_near(a, b, tolerance):
    """Same shape; numbers may differ by the tolerance."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(
            is_near(a[k], b[k], 1e-2 + 1e-9 if k in ("avg", "min", "max") else tolerance)
            for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(is_near(x, y, tolerance) for x, y in zip(a, b))
    numbers = (int, float)
    if isinstance(a, numbers) and isinstance(b, numbers) and not isinstance(a, bool):
        return math.isclose(a, b, rel_tol=0, abs_tol=tolerance)
    return a == b


def as_pairs(answer):
    """Queries and results of an answer to for-all-nodes, as pairs in any order."""
    queries = answer.get("queries") or []
    results = answer.get("results") or []
    behind = results[len(results) - len(queries):] if queries else []
    return (len(results), sorted(json.dumps(pair, sort_keys=True)
                                 for pair in zip(queries, behind)))


def shifted(value, by):
    """Times near the recording's clock, moved to ours."""
    if isinstance(value, dict):
        return {k: v + by if k in ("from", "to") and isinstance(v, int) and v else shifted(v, by)
                for k, v in value.items()}
    if isinstance(value, list):
        return [shifted(v, by) for v in value]
    return value


def is_same_body(kind, want, got, want_type, clock_shift):
    if kind == "debug":
        return sorted(want.splitlines()) == sorted(got.splitlines())
    a, b = as_json(want), as_json(got)
    if a is None or b is None:
        if want_type and want_type.startswith("text/plain") and want and got:
            return want.endswith("\n") and got.endswith("\n")
        return want == got
    b = with_same_words(b, a)
    if kind == "all-nodes":
        return as_pairs(a) == as_pairs(b)
    if kind == "float":
        return is_near(a, b, 1e-3 + 1e-9)
    if kind == "now":
        return is_near(shifted(a, clock_shift), b, 2)
    if a != b:
        return False
    # The text itself, not only its meaning: spaces, number format, escapes.
    return want == got or '"error"' in want


def difference(case, status, content_type, body, answer, clock_shift):
    """None, or how the answer differs from (status, content type, body)."""
    if answer.status != status:
        return f"status {answer.status} instead of {status}: {answer.text[:300]}"
    if content_type and answer.header("Content-Type") != content_type:
        return f"content type {answer.header('Content-Type')} instead of {content_type}"
    is_free = case["name"].startswith("free") and status == 200
    kind = "exact" if is_free else case["compare"]
    if is_free and answer.text != body:
        return f"body {answer.text!r} instead of {body!r}"
    if case["request"]["method"] != "HEAD" and not is_same_body(
            kind, body, answer.text, content_type, clock_shift):
        return f"body ({kind})\n  got  {answer.text[:3000]}\n  want {body[:3000]}"
    return None


def content_type_of(response):
    for name, value in response["headers"]:
        if name == "Content-Type":
            return value
    return None


def listed_body(listed, now):
    if "body-file" in listed:
        return (tarn.ROOT / listed["body-file"]).read_text()
    return fill_in(listed["body"], now)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """One server per session, started when its first case runs, stopped when the next one's does."""
    running = {}

    def of(session):
        if session not in running:
            for old in running.values():
                old.__exit__()
            running.clear()
            conf = json.loads((DATA / session / "config.json").read_text())
            conf["main"]["addr"] = "127.0.0.1:0"
            running[session] = tarn.Server(tmp_path_factory.mktemp(session), conf)
            running[session].start()
        return running[session]

    yield of
    for server in running.values():
        server.__exit__()


@pytest.mark.parametrize("session,name", CASES, ids=[f"{s}/{n}" for s, n in CASES])
def test_answer_is_that_of_the_reference(servers, session, name):
    case = json.loads((DATA / session / f"{name}.json").read_text())
    server, now = servers(session), int(time.time())
    request, recorded = case["request"], case["response"]
    answer = server.request(request["method"], fill_in(request["path"], now),
                            fill_in(request["body"], now).encode(), request["headers"])
    shift = now - case["now"] if case.get("now") else now - 1795228310
    found = difference(case, recorded["status"], content_type_of(recorded), recorded["body"],
                       answer, shift)
    listed = DEVIATIONS.get(f"{session}/{name}")
    if listed is None:
        assert found is None, found
        return
    assert found is not None, "listed as a deviation, but the answer is the recording's"
    own = difference(case, listed["status"], listed.get("content-type"), listed_body(listed, now),
                     answer, 0)
    assert own is None, f"neither the recording's answer nor the one listed: {own}"


def test_every_deviation_names_a_case_and_a_reason():
    known = {f"{s}/{n}" for s, n in CASES}
    for case, listed in DEVIATIONS.items():
        assert case in known
        assert len(listed["reason"]) > 20 and "spec" in listed
