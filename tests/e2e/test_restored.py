"""The reference's recorded sessions on restored checkpoint trees, replayed against tarn.

The reference takes a saved start, the centre of value 0, for the left edge of its slot: what it restored moves by
half an interval (spec: metric-store, weakness 3). tarn's answers are compared without that: SHIFT_S before the
recorded times; or, where a window begins inside the data, as the recording of the same samples that were not moved
(session 13, restored from the log). Cases that agree with neither stand in DEVIATIONS with the reason.
"""

import json
import shutil

import pytest

import tarn
import test_golden as golden

DATA = tarn.ROOT / "tests" / "data" / "restored"
TREES = tarn.ROOT / "tests" / "data" / "recovery"
SHIFT_S = {"10-restored-bin": 30, "11-restored-json": 30, "12-restored-two-bin-plus-wal": 30,
           "13-restored-wal": 0}
CASES = [(s, p.stem) for s in sorted(SHIFT_S) for p in sorted((DATA / s).glob("[0-9]*.json"))]
UNMOVED = "13-restored-wal"
TOLERANCE = {"11-restored-json": 0.05 + 1e-3}  # the reference's JSON keeps one decimal
EDGE = "spec: metric-store, weakness 3: chunks begin half an interval earlier, where their first slot does"
DECIMAL = ("spec: formats 4: sums over eight threads and means of values that the reference's JSON rounded to one "
           "decimal, at the slots they belong to")
DEVIATIONS = {
    "10-restored-bin/013-debug": EDGE,
    "11-restored-json/013-debug": EDGE,
    "12-restored-two-bin-plus-wal/013-debug": EDGE,
    "11-restored-json/002-hwthread-n0001": DECIMAL,
    "11-restored-json/006-hwthread-n0002": DECIMAL,
    "11-restored-json/010-hwthread-n0003": DECIMAL,
    "11-restored-json/017-append-late-read": DECIMAL,
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    running = {}

    def of(session):
        if session not in running:
            for old in running.values():
                old.__exit__()
            running.clear()
            directory = tmp_path_factory.mktemp(session)
            shutil.copytree(TREES / session.split("-restored-")[1], directory / "checkpoints")
            conf = json.loads((DATA / session / "config.json").read_text())
            conf["main"]["addr"] = "127.0.0.1:0"
            running[session] = tarn.Server(directory, conf)
            running[session].start()
        return running[session]

    yield of
    for server in running.values():
        server.__exit__()


def difference_to_unmoved(name, answer, tolerance):
    recorded = json.loads((DATA / UNMOVED / f"{name}.json").read_text())["response"]
    want, got = golden.as_json(recorded["body"]), golden.as_json(answer.text)
    if want is None or got is None:
        return None if sorted(answer.text.splitlines()) == sorted(
            recorded["body"].splitlines()) else f"body\n  got  {answer.text[:3000]}"
    return None if golden.is_near(want, got, tolerance) else f"body\n  got  {answer.text[:3000]}"


@pytest.mark.parametrize("session,name", CASES, ids=[f"{s}/{n}" for s, n in CASES])
def test_answer_is_that_of_the_reference(servers, session, name):
    case = json.loads((DATA / session / f"{name}.json").read_text())
    server = servers(session)
    request, recorded = case["request"], case["response"]
    answer = server.request(request["method"], request["path"], request["body"].encode(),
                            request["headers"])
    body = recorded["body"]
    as_json = golden.as_json(body)
    if as_json is not None:
        body = json.dumps(golden.shifted(as_json, -SHIFT_S[session]))
    found = golden.difference(case, recorded["status"], golden.content_type_of(recorded), body,
                              answer, 0)
    if found is not None and session != UNMOVED:
        found = difference_to_unmoved(name, answer, TOLERANCE.get(session, 1e-3 + 1e-9))
    reason = DEVIATIONS.get(f"{session}/{name}")
    if reason is None:
        assert found is None, found
    else:
        assert found is not None, "listed as a deviation, but the answer is the recording's"
