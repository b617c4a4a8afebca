"""The rule cleaner against recordings of the reference: flags, rules, writes, reports."""

import pytest

from cms_site import Site
from rule_cleaner import (all_writes, compare_flow, compare_report, end_state, expected_writes,
                          load, run_once)

# Chunks in flight, workers, bytes of one socket write (0: whole answers), compressed.
WAYS = [(1, 1, 0, False), (4, 8, 0, False), (4, 8, 0, True), (1, 8, 7, False), (4, 1, 4096, False),
        (4, 8, 1, False)]
SMALL = ["list-fails", "one-bad-doc", "globallocks-truncated", "parentlocks-empty",
         "locks-unavailable"]


def required(world):
    """What must come out: the reference's answer where it is right, else `required`."""
    try:
        return load(world, "required", "expected.json")
    except FileNotFoundError:
        return load(world, "expected.json")


def check_cycle(ended, calls, cycle):
    for name, want in cycle["requests"].items():
        compare_flow(name, ended.flows[name], want)
    compare_report(ended.report, cycle["required_report"])
    assert sorted(all_writes(calls)) == sorted(expected_writes(cycle["requests"]))


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("mode", ["dryrun", "real"])
def test_every_workflow_of_the_main_world_ends_as_recorded(tmp_path, mode, way, capsys):
    expected = load("main", mode, "expected.json")
    chunks, workers, piece, compress = way
    with Site(load("main", "world.json"), piece=piece, compress=compress) as site:
        for cycle in expected["cycles"]:
            del site.calls[:]
            ended = run_once(tmp_path, site, requestChunksInFlight=chunks,
                             workflowWorkers=workers, requestChunkSize=10, **expected["config"])
            check_cycle(ended, site.calls, cycle)
            with capsys.disabled():
                print(f"\n{mode} K={chunks} W={workers} piece={piece}: {len(cycle['requests'])} "
                      f"workflows, {len(all_writes(site.calls))} writes as recorded")


def test_one_chunk_and_one_worker_write_in_the_recorded_order(tmp_path):
    expected = load("main", "real", "expected.json")
    with Site(load("main", "world.json")) as site:
        ended = run_once(tmp_path, site, requestChunksInFlight=1, workflowWorkers=1,
                         **expected["config"])
        requests = expected["cycles"][0]["requests"]
        order = [line["RequestName"] for line in ended.lines if "RequestName" in line]
        wanted = expected_writes({n: requests[n] for n in order})
        loose = {n for n in order if isinstance(requests[n].get("InputDataset"), list)}
        assert len(all_writes(site.calls)) == len(wanted)
        if not loose:
            assert all_writes(site.calls) == wanted


@pytest.mark.parametrize("way", [(1, 1), (4, 8)], ids=str)
@pytest.mark.parametrize("world", SMALL)
def test_a_world_with_one_fault_ends_as_required(tmp_path, world, way):
    expected = required(world)
    with Site(load(world, "world.json")) as site:
        ended = run_once(tmp_path, site, requestChunksInFlight=way[0], workflowWorkers=way[1],
                         **expected["config"])
        check_cycle(ended, site.calls, expected["cycles"][0])
        skipped = world in ("globallocks-truncated", "parentlocks-empty", "locks-unavailable")
        assert ended.status == (3 if skipped else 1 if world == "list-fails" else ended.status)


@pytest.mark.parametrize("way", [(1, 1), (4, 8)], ids=str)
def test_chunks_isolate_poisoned_and_vanished_names(tmp_path, way):
    expected = load("chunked", "expected.json")
    with Site(load("chunked", "world.json")) as site:
        ended = run_once(tmp_path, site, requestChunksInFlight=way[0], workflowWorkers=way[1],
                         **expected["config"])
        by = {}
        for line in ended.lines:
            if "RequestName" in line:
                by.setdefault(line["result"], []).append(line["RequestName"])
        assert sorted(by.get("missing", [])) == sorted(expected["missing"])
        assert sorted(by.get("drifted", [])) == sorted(expected["drifted"])
        assert sorted(by.get("failed", [])) == sorted(expected["fetch_failed"])
        rest = [n for k, v in by.items() if k not in ("missing", "drifted", "failed") for n in v]
        assert sorted(rest) == sorted(expected["processed"])
        for name, want in expected["requests"].items():
            compare_flow(name, ended.flows[name], want)
        compare_report(ended.report, expected["required_report"])
        for words in expected["error_mentions"]:
            assert words in ended.report["error"]
        sizes = [len(c["body"]) for c in site.calls if c["path"].endswith("/bynames")]
        assert max(sizes) <= expected["max_names_per_fetch"]
        first_write = min([i for i, c in enumerate(site.calls) if c["method"] == "PUT"])
        for path in expected["lock_calls_before_any_change"]:
            assert path in [c["path"] for c in site.calls[:first_write]]


def test_a_second_cycle_in_dry_run_changes_nothing(tmp_path):
    with Site(load("main", "world.json")) as site:
        before = end_state(site.world)
        run_once(tmp_path, site)
        assert end_state(site.world) == before
        assert not site.writes()
