"""tarn serve -cleanup-checkpoints: one clean-up of old checkpoint files, in the reference's words."""

import json
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
