"""The rule cleaner when answers are cut short, locks cannot be trusted, and the process is killed."""

import json
import random
import signal
import subprocess
import time

import pytest

from cms_site import Site
from rule_cleaner import all_writes, command, end_state, environment, load, run_once

REAL = {"enableRealMode": True, "requestFetchRetries": 0, "requestChunkSize": 8}


def undisturbed(tmp_path, world, **config):
    with Site(world) as site:
        run_once(tmp_path, site, **REAL, **config)
        return all_writes(site.calls), end_state(site.world)


def answer_size(site, method, path, body=None):
    """Bytes of that answer, to know where it can be cut."""
    import http.client
    c = http.client.HTTPConnection(site.base[7:])
    c.request(method, path, body=body)
    return len(c.getresponse().read())


CUTS = [("GET", "status=announced", "/reqmgr2/data/request?status=announced&detail=false"),
        ("POST", "bynames", "/reqmgr2/data/request/bynames"),
        ("GET", "globallocks", "/wmstatsserver/data/globallocks"),
        ("GET", "parentlocks", "/reqmgr2/data/parentlocks")]


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: c[1])
def test_an_answer_cut_anywhere_adds_no_write(tmp_path, cut, capsys):
    world = load("main", "world.json")
    allowed, _ = undisturbed(tmp_path, world)
    method, pattern, path = cut
    with Site(world) as site:
        names = sorted(world["requests"])[:8]
        size = answer_size(site, method, path, json.dumps(names) if method == "POST" else None)
    step = 1000 if size > 4000 else max(1, size // 7)
    points = list(range(0, size, step))
    points += [size - 1] if points[-1] != size - 1 else []
    n_writes = 0
    for at in points:
        with Site(world) as site:
            site.cut = (method, pattern, at)
            ended = run_once(tmp_path, site, **REAL)
            made = all_writes(site.calls)
            assert not set(made) - set(allowed), (pattern, at)
            assert len(made) == len(set(made)) or len(made) <= len(allowed), (pattern, at)
            if "locks" in pattern:
                assert not made and ended.status == 3, (pattern, at, made)
            n_writes += len(made)
    with capsys.disabled():
        print(f"\n{pattern}: cut at {len(points)} places of {size} bytes, {n_writes} writes, none "
              f"that the undisturbed run would not make")


def test_a_truncated_lock_list_leads_to_no_write(tmp_path):
    with Site(load("globallocks-truncated", "world.json")) as site:
        ended = run_once(tmp_path, site, **REAL)
        assert ended.status == 3 and "cycle skipped" in ended.report["error"]
        assert all_writes(site.calls) == []


def test_an_empty_lock_list_is_believed_only_when_a_second_look_agrees(tmp_path):
    world = {**load("list-fails", "world.json"), "globallocks": [], "faults": []}
    with Site(world) as site:
        run_once(tmp_path, site, **REAL)
        looks = [c for c in site.calls if c["path"].endswith("/globallocks")]
        assert len(looks) == 2


def test_a_failing_refresh_of_the_locks_stops_the_cycle(tmp_path):
    world = load("main", "world.json")
    with Site(world) as site:
        site.world["faults"] = [{"method": "GET", "url": "globallocks", "status": 500, "times": 0}]
        once = {"n": 0}
        serve = site.fault

        def fault(method, url, body):  # the first look is answered, the next is not
            if "globallocks" in url:
                once["n"] += 1
                site.world["faults"][0]["times"] = once["n"] > 1
            return serve(method, url, body)

        site.fault = fault
        ended = run_once(tmp_path, site, locksMaxAge=0, requestChunksInFlight=1, **REAL)
        assert ended.status == 1 and "cycle stopped" in ended.report["error"]
        assert all_writes(site.calls) == []


def test_killed_at_random_and_restarted_it_ends_as_undisturbed(tmp_path, capsys):
    world = load("main", "world.json")
    config = {**REAL, "requestChunksInFlight": 2}
    with Site(world) as site:
        for _ in range(2):
            run_once(tmp_path, site, **config)
        expected = end_state(site.world)
    rng, kills = random.Random(20261121), 0
    for _ in range(6):
        with Site(world) as site:
            words = command(tmp_path, site, "run", "--once", "--now", "1765000000", **config)
            for _ in range(4):
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, env=environment())
                wanted = rng.randrange(1, 250)  # calls of this life
                begun = len(site.calls)
                while process.poll() is None and len(site.calls) - begun < wanted:
                    time.sleep(0.0005)
                kills += process.poll() is None
                process.kill()
                process.wait()
            for _ in range(2):
                run_once(tmp_path, site, **config)
            assert end_state(site.world) == expected
    with capsys.disabled():
        print(f"\nkilled {kills} times at random calls: the end state is the undisturbed one")
    assert kills > 0


def test_a_stop_lets_running_workflows_finish_and_ends_well(tmp_path):
    with Site(load("main", "world.json"), latency_s=0.02) as site:
        words = command(tmp_path, site, "run", "--once", "--now", "1765000000",
                        **{**REAL, "requestChunkSize": 2, "requestChunksInFlight": 1})
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=environment(), text=True)
        while not site.writes():
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=40)[1]
        assert process.returncode == 0, log
        calls = len(site.calls)
        done = [w for w in log.splitlines() if "workflow=" in w and "result=" in w]
        time.sleep(0.1)
        assert len(site.calls) == calls and 0 < len(done) < 42


def fetches(site):
    return [c for c in site.calls if c["path"].startswith("/reqmgr2/data/request") and
            ("name" in c["query"] or c["path"].endswith("/bynames"))]


def test_names_go_into_urls_when_the_service_knows_no_post_by_names(tmp_path):
    world = load("main", "world.json")
    world["faults"].append({"method": "POST", "url": "bynames", "status": 405})
    with Site(world) as site:
        ended = run_once(tmp_path, site, requestChunkSize=100)
        assert ended.report["total_num_requests"] == 39 and ended.report["error"] == ""
        posts = [c for c in fetches(site) if c["method"] == "POST"]
        assert len(posts) <= 4 and len(fetches(site)) > len(posts)


def test_chunks_are_halved_for_the_rest_of_a_cycle_when_they_are_too_large(tmp_path):
    world = load("main", "world.json")
    world["faults"].append({"method": "POST", "url": "bynames", "status": 413, "min_names": 7})
    with Site(world) as site:
        ended = run_once(tmp_path, site, requestChunkSize=20, requestChunksInFlight=1)
        assert ended.report["total_num_requests"] == 39 and ended.report["error"] == ""
        sizes = [len(c["body"]) for c in fetches(site)]
        assert sizes[0] == 20 and max(sizes[-3:]) <= 6 and sizes.count(20) == 1


def test_a_service_that_is_down_ends_its_chunks_and_is_reported(tmp_path):
    world = load("main", "world.json")
    world["faults"].append({"method": "POST", "url": "bynames", "status": 500})
    with Site(world) as site:
        ended = run_once(tmp_path, site, requestFetchRetries=0)
        assert ended.status == 1 and ended.report["failed_num_requests"] == 42
        assert len(fetches(site)) < 30  # it gives up instead of trying each name


def test_a_lost_answer_to_the_status_change_is_looked_up(tmp_path):
    world = load("main", "world.json")
    with Site(world) as site:
        site.cut = ("PUT", "/reqmgr2/data/request$", 5)
        ended = run_once(tmp_path, site, **REAL)
        assert ended.report["success_request_transition"] == 18 + 1
        puts = [json.dumps(c["body"]) for c in site.calls
                if c["method"] == "PUT" and c["path"] == "/reqmgr2/data/request"]
        assert len(puts) == len(set(puts))
