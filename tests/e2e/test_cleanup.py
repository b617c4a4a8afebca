"""tarn serve -cleanup-checkpoints: one clean-up of old checkpoint files, in the reference's words."""

import json
import os
import time

import tarn


def checkpoint(directory, host, start):
    path = directory / "checkpoints" / "c" / host
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{start}.json").write_text(json.dumps({
        "from": start, "to": start + 180, "children": {},
        "metrics": {"cpu_load": {"frequency": 60, "start": start, "data": [1.0, 2.0, 3.0]}}}))


def clean_up(root, **cleanup):
    conf = tarn.config(metric_store={
        "retention-in-memory": "48h", "checkpoints": {"directory": str(root / "checkpoints")},
        "cleanup": cleanup})
    (root / "c.json").write_text(json.dumps(conf))
    return tarn.run("serve", "-config", root / "c.json", "-cleanup-checkpoints")


def test_old_checkpoints_are_deleted_and_young_ones_stay(tmp_path):
    now = int(time.time())
    for host in ("a", "b"):
        checkpoint(tmp_path, host, now - 72 * 3600)
    checkpoint(tmp_path, "a", now - 3600)
    r = clean_up(tmp_path)
    assert r.returncode == 0, r.stderr
    assert r.stdout == "Cleanup done: 2 checkpoint files deleted."
    assert [p.parent.name for p in (tmp_path / "checkpoints").rglob("*.json")] == ["a"]


def test_old_checkpoints_become_parquet(tmp_path):
    now = int(time.time())
    checkpoint(tmp_path, "a", now - 72 * 3600)
    checkpoint(tmp_path, "a", now - 3600)
    r = clean_up(tmp_path, mode="archive", directory=str(tmp_path / "archive"))
    assert r.returncode == 0, r.stderr
    assert r.stdout == "Cleanup done: 1 checkpoint files archived to parquet."
    files = list((tmp_path / "archive" / "c").glob("*.parquet"))
    assert len(files) == 1 and files[0].read_bytes()[:4] == b"PAR1"
    r = clean_up(tmp_path, mode="archive", directory=str(tmp_path / "archive"))
    assert r.stdout == "Cleanup done: 0 checkpoint files archived to parquet."


def test_nothing_to_clean_up_is_no_error(tmp_path):
    r = clean_up(tmp_path)
    assert r.returncode == 0 and r.stdout == "Cleanup done: 0 checkpoint files deleted."


def serve(root, runs, **more):
    """A server that cleans up every second; returns its metrics once that many runs are done."""
    conf = tarn.config(metric_store={
        "retention-in-memory": "48h", "checkpoints": {"directory": str(root / "checkpoints")},
        "cleanup": {"mode": "archive", "directory": str(root / "archive")}},
        tarn={"cleanup-interval": "1s"}, **more)
    with tarn.Server(root, conf) as s:
        until = time.monotonic() + 60
        while s.metrics()["tarn_cleanup_runs_total"] < runs:
            assert time.monotonic() < until, s.log()
            time.sleep(0.1)
        return s.metrics()


def test_the_server_archives_by_itself_again_and_again(tmp_path):
    now = int(time.time())
    checkpoint(tmp_path, "a", now - 72 * 3600)
    checkpoint(tmp_path, "b", now - 3600)
    m = serve(tmp_path, 2)
    assert m["tarn_cleanup_files_total"] == 1 and m["tarn_archive_rows_total"] == 3
    assert m["tarn_cleanup_failed_total"] == 0 and m["tarn_cleanup_last_time_seconds"] >= now
    assert len(list((tmp_path / "archive" / "c").glob("*.parquet"))) == 1
    assert not list((tmp_path / "checkpoints" / "c" / "a").glob("*.json"))


def test_restarts_do_not_put_a_clean_up_off(tmp_path):
    now = int(time.time())
    checkpoint(tmp_path, "a", now - 72 * 3600)
    mark = tmp_path / "checkpoints/.tarn/state/cleaned-up"
    mark.parent.mkdir(parents=True)
    mark.touch()
    long_ago = now - 49 * 3600
    os.utime(mark, (long_ago, long_ago))
    conf = tarn.config(metric_store={
        "retention-in-memory": "48h", "checkpoints": {"directory": str(tmp_path / "checkpoints")}})
    with tarn.Server(tmp_path, conf) as s:
        until = time.monotonic() + 60
        while s.metrics()["tarn_cleanup_runs_total"] < 1:
            assert time.monotonic() < until, s.log()
            time.sleep(0.1)
    assert not list((tmp_path / "checkpoints" / "c" / "a").glob("*.json"))
    assert mark.stat().st_mtime >= now - 1


def test_a_host_with_a_job_keeps_its_checkpoints(tmp_path):
    now = int(time.time())
    for host in ("busy", "idle"):
        checkpoint(tmp_path, host, now - 72 * 3600)
    state = tmp_path / "checkpoints/.tarn/state"
    state.mkdir(parents=True)
    (state / "used-nodes.json").write_text(json.dumps({"c": ["busy"]}))
    serve(tmp_path, 1, main={"backend-url": "http://127.0.0.1:9"})
    assert {p.parent.name for p in (tmp_path / "checkpoints" / "c").rglob("*.json")} == {"busy"}
