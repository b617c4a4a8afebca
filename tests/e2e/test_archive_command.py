"""tarn archive as a person or a script meets it: what it prints where, what it takes, and its exit codes."""
import json
import os
import pty
import re
import subprocess
import time

import pytest

import test_archive as site

START, TARN = site.START, site.TARN


def make(tree, cluster="c", hosts=3, start=START):
    for h in range(hosts):
        metrics, threads = site.series_of(h, 8, 60)
        site.write_bin(tree / f"{cluster}/h{h}/{start}.bin", start, 60, metrics, threads)


def run(tree, out, *flags, **more):
    command = [TARN, "archive", "--checkpoints", tree, "--archive", out, *flags]
    return subprocess.run(command, text=True, **{"capture_output": True, **more})


def on_a_terminal(tree, out, *flags):
    """What the command writes to a terminal, and its standard output."""
    ours, theirs = pty.openpty()
    done = run(tree, out, *flags, capture_output=False, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert done.returncode == 0
    return shown.decode(), done.stdout


def test_a_terminal_sees_progress_and_a_pipe_does_not(tmp_path):
    make(tmp_path / "tree")
    shown, line = on_a_terminal(tmp_path / "tree", tmp_path / "a", "--keep")
    assert re.search(r"\r3/3 hosts  0\.0 M rows  [\d.]+ ([KMG]i)?B/s  0 s left", shown)
    assert shown.endswith("\r\x1b[K"), "the line of progress is wiped out at the end"
    assert re.fullmatch(r"archived \d+ rows of 3 hosts \([^)]+\) into 1 Parquet files \([^)]+\), removed 0 .*\n", line)
    for flag in "--quiet", "--json":
        assert on_a_terminal(tmp_path / "tree", tmp_path / flag, "--keep", flag)[0] == ""
    piped = run(tmp_path / "tree", tmp_path / "b", "--keep")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout.count("\n") == 1


def test_json_tells_what_was_done(tmp_path):
    make(tmp_path / "tree")
    done = json.loads(run(tmp_path / "tree", tmp_path / "out", "--json").stdout)
    (path,) = (tmp_path / "out").glob("c/*.parquet")
    assert done["rows"] == site.pq.ParquetFile(path).metadata.num_rows
    assert done["bytes_out"] == path.stat().st_size
    known = {"files": 3, "outputs": 1, "hosts": 3, "damaged": 0, "hosts_failed": 0, "clusters": 1, "clusters_failed": 0,
             "failed": ""}
    assert {k: done[k] for k in known} == known


def test_without_before_what_has_ended_goes(tmp_path):
    now = int(time.time())
    make(tmp_path / "tree", hosts=1, start=now - 7200)
    make(tmp_path / "tree", hosts=1, start=now - 60)
    assert run(tmp_path / "tree", tmp_path / "out").returncode == 0
    assert [p.name for p in (tmp_path / "tree").rglob("*.bin")] == [f"{now - 60}.bin"]


def test_one_cluster_can_be_chosen(tmp_path):
    for cluster in "one", "two":
        make(tmp_path / "tree", cluster)
    assert run(tmp_path / "tree", tmp_path / "out", "--cluster", "two").returncode == 0
    assert [p.name for p in (tmp_path / "out").iterdir() if p.name != ".tarn"] == ["two"]
    assert len(list((tmp_path / "tree/one").rglob("*.bin"))) == 3


def test_a_cluster_that_fails_is_status_1_and_holds_up_no_other(tmp_path):
    for cluster in "one", "two":
        make(tmp_path / "tree", cluster)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/one").write_text("in the way")
    done = run(tmp_path / "tree", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert "one" in done.stderr
    told = json.loads(done.stdout)
    assert (told["clusters_failed"], told["failed"]) == (1, "one")
    assert len(list((tmp_path / "tree/one").rglob("*.bin"))) == 3
    assert not list((tmp_path / "tree/two").rglob("*.bin"))
    (tmp_path / "out/one").unlink()
    assert run(tmp_path / "tree", tmp_path / "out").returncode == 0
    assert not list((tmp_path / "tree").rglob("*.bin"))


def test_a_damaged_file_is_status_1(tmp_path):
    make(tmp_path / "tree")
    (tmp_path / f"tree/c/h0/{START}.bin").write_bytes(b"no checkpoint")
    done = run(tmp_path / "tree", tmp_path / "out")
    assert done.returncode == 1
    assert f"{START}.bin" in done.stderr and "1 damaged files set aside" in done.stdout
    assert [p.name for p in (tmp_path / "tree").rglob("*") if p.is_file()] == [f"{START}.bin.corrupt"]


@pytest.mark.parametrize(
    "flags, word",
    [
        (["--before", "yesterday-ish"], "--before"),
        (["--memory", "1MiB"], "--memory"),
        (["--level", "20"], "--level"),
        (["--layout", "round"], "--layout"),
        (["--value-encoding", "zip"], "--value-encoding"),
        (["--no-such"], "--no-such"),
    ],
)
def test_wrong_usage_is_status_2_and_touches_nothing(flags, word, tmp_path):
    make(tmp_path / "tree")
    done = run(tmp_path / "tree", tmp_path / "out", *flags)
    assert done.returncode == 2
    assert word in done.stderr and done.stdout == ""
    assert len(list((tmp_path / "tree").rglob("*.bin"))) == 3
    assert not (tmp_path / "out").exists()


def test_missing_places_are_wrong_usage():
    for flags in [], ["--checkpoints", "x"], ["--archive", "x"]:
        assert subprocess.run([TARN, "archive", *flags], capture_output=True).returncode == 2
