"""Archive runs that real troubles stop: full disks, no inodes, SIGKILL in every phase, an S3 server that dies.

After each: no source is gone whose rows are not published, every published file is whole, and the next run leaves every
row in the archive exactly once. TARN_TROUBLES runs in all (default 16, `make soak`: 200); one line counts them. Where
mounting or strace is not to be had the line says so; tests/fault/test_archive_fault does the same on its own file system.
"""
import concurrent.futures
import itertools
import os
import re
import shutil
import signal
import subprocess

import pytest

import test_archive as site

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")
duckdb, np, pq = site.duckdb, site.np, site.pq

import test_archive_s3 as s3_site  # noqa: E402 - after its needs are known

RUNS = int(os.environ.get("TARN_TROUBLES", "16"))
CLUSTERS = ("a", "b", "c")
BEFORE = site.START + 10**6
OF_A_HOST = 2
# Every call of a run that leaves a trace in a file or reads one.
CALLS = "openat,mkdir,fstat,newfstatat,pread64,pwrite64,write,getdents64,fdatasync,fsync,rename,renameat2,unlink,close"

count = {
    "full_disks": 0, "no_inodes": 0, "kills": 0, "s3_deaths": 0, "went_through": 0, "not_tried": 0,
    "early_delete": 0, "partial_visible": 0, "rows_lost": 0, "rows_twice": 0,
}
phases_killed = {}


def share(part):
    """Of the runs; 200 = 60 full disks, 20 without inodes, 75 kills, 45 deaths of the S3 server."""
    return max(2, RUNS * part // 200)


def spread(low, high, n):
    """n whole numbers from low to high, both taken."""
    return [low + (high - low) * i // max(1, n - 1) for i in range(n)]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    tree = tmp_path_factory.mktemp("pristine") / "tree"
    for seed, (cluster, host) in enumerate(itertools.product(CLUSTERS, ("h0", "h1"))):
        metrics, threads = site.series_of(seed, 40, 720)
        for f in range(OF_A_HOST):
            start = site.START + f * 43200
            site.write_bin(tree / f"{cluster}/{host}/{start}.bin", start, 60, metrics, threads)
    return tree


def sums(paths):
    """Rows and the sum of their hashes, by cluster: equal only when the rows are."""
    if not paths:
        return {}
    query = f"select cluster, count(*), sum(hash({site.COLUMNS})) from read_parquet($1) group by 1"
    with duckdb.connect(config={"threads": 1}) as db:
        return {c: (n, h) for c, n, h in db.execute(query, [[str(p) for p in paths]]).fetchall()}


@pytest.fixture(scope="module")
def want(pristine, tmp_path_factory):
    out = tmp_path_factory.mktemp("want")
    site.archive(pristine, out, "--keep", before=BEFORE)
    return sums(list(out.glob("*/*.parquet")))


def copy(pristine, place, clusters=CLUSTERS):
    """Links: a removed source leaves the pristine one."""
    for cluster in clusters:
        shutil.copytree(pristine / cluster, place / "tree" / cluster, copy_function=os.link)
    return place / "tree"


def whole(paths):
    good = []
    for path in paths:
        try:
            pq.read_table(path, page_checksum_verification=True)
            good.append(path)
        except (OSError, ValueError):
            count["partial_visible"] += 1
    return good


def check_stopped(tree, paths, want, clusters=CLUSTERS):
    """What a stopped run left: `paths` are the files that a reader of the archive sees."""
    seen = sums(whole(paths))
    for cluster in clusters:
        if len(list((tree / cluster).rglob("*.bin"))) < 2 * OF_A_HOST and seen.get(cluster) != want[cluster]:
            count["early_delete"] += 1


def check_rerun(tree, paths, want, clusters=CLUSTERS):
    found = sums(whole(paths))
    for cluster in clusters:
        n, wanted = found.get(cluster, (0, 0))[0], want[cluster][0]
        count["rows_lost"] += max(0, wanted - n)
        count["rows_twice"] += max(0, n - wanted)
        if n == wanted:
            assert found[cluster] == want[cluster], "other rows than the checkpoints hold"
    assert not list(tree.rglob("*.bin"))


def flawless():
    return not any(count[k] for k in ("early_delete", "partial_visible", "rows_lost", "rows_twice"))


ON_A_SMALL_DISK = """
mount -t tmpfs -o $1 none "$2/disk" || exit 77
"$4" archive --checkpoints "$2/tree" --archive "$2/disk/out" --before $3 >/dev/null 2>&1
echo $?
mkdir "$2/first" && cp -r "$2/disk/out/." "$2/first/" 2>/dev/null
cp -rl "$2/tree" "$2/left"
mount -o remount,size=64m,nr_inodes=1000 "$2/disk" || exit 1
"$4" archive --checkpoints "$2/tree" --archive "$2/disk/out" --before $3 >/dev/null || exit 1
mkdir "$2/then" && cp -r "$2/disk/out/." "$2/then/"
"""


def on_a_small_disk(place, pristine, want, options, what):
    (place / "disk").mkdir(parents=True)
    copy(pristine, place)
    command = ["unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK, "sh", options, place, str(BEFORE), site.TARN]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode == 77 or "unshare failed" in run.stderr:
        return False
    assert run.returncode == 0, run.stderr
    count[what if int(run.stdout) else "went_through"] += 1
    check_stopped(place / "left", list(place.glob("first/*/*.parquet")), want)
    check_rerun(place / "tree", list(place.glob("then/*/*.parquet")), want)
    shutil.rmtree(place)
    return True


@pytest.mark.parametrize("what", ["full_disks", "no_inodes"])
def test_a_small_disk_loses_and_doubles_nothing(what, pristine, want, tmp_path):
    if what == "full_disks":
        points = [f"size={k}k" for k in spread(64, 560, share(60))]
    else:
        points = [f"size=64m,nr_inodes={k}" for k in spread(2, 11, share(20))]
    for i, options in enumerate(points):
        if not on_a_small_disk(tmp_path / str(i), pristine, want, options, what):
            count["not_tried"] += len(points)
            pytest.skip("mounting is not allowed: the disks of tests/fault/test_archive_fault alone")
    assert flawless()
    assert count[what] > len(points) // 3


def phases(trace):
    """The calls of a whole run, by the phase they stand in: (name, how many of that name came before)."""
    found, of_name, phase = {}, {}, None
    for line in trace.read_text().splitlines():
        call = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if not call:
            continue
        name = call[1]
        of_name[name] = of_name.get(name, 0) + 1
        if "/.tarn/lock" in line:
            phase = "gather"
        elif phase == "gather" and name == "fdatasync":
            phase = "verify"
        elif phase == "verify" and name == "rename" and "/journal" in line:
            phase = "publish"
        elif phase == "publish" and name == "unlink" and ".bin" in line:
            phase = "delete"
        elif phase == "delete" and "/.tarn/out-" in line:
            phase = "gather"  # of the next cluster
        if phase:
            found.setdefault(phase, []).append((name, of_name[name]))
    return found


def test_a_kill_in_every_phase_loses_and_doubles_nothing(pristine, want, tmp_path):
    n = share(75)
    if not shutil.which("strace"):
        count["not_tried"] += n
        pytest.skip("strace is not installed")

    def under_strace(place, *options):
        tree = copy(pristine, place)
        command = ["strace", "-qq", "-f", *options, site.TARN, "archive", "--checkpoints", tree,
                   "--archive", place / "out", "--before", str(BEFORE)]
        run = subprocess.run(command, capture_output=True)
        return tree, run.returncode

    (tmp_path / "whole").mkdir()
    _, code = under_strace(tmp_path / "whole", "-o", tmp_path / "trace", "-e", f"trace={CALLS}")
    assert code == 0
    of_phase = phases(tmp_path / "trace")
    assert set(of_phase) == {"gather", "verify", "publish", "delete"}
    for k, (phase, calls) in enumerate(of_phase.items()):
        mine = max(1, n * (k + 1) // 4 - n * k // 4)
        for i in range(mine):
            name, nth = calls[(2 * i + 1) * len(calls) // (2 * mine)]
            place = tmp_path / f"{phase}{i}"
            place.mkdir()
            tree, code = under_strace(place, "-o", "/dev/null", "-e", f"trace={name}", "-e",
                                      f"inject={name}:signal=KILL:when={nth}")
            count["kills" if code else "went_through"] += 1
            phases_killed[phase] = phases_killed.get(phase, 0) + (code != 0)
            check_stopped(tree, list(place.glob("out/*/*.parquet")), want)
            site.archive(tree, place / "out", before=BEFORE)
            check_rerun(tree, list(place.glob("out/*/*.parquet")), want)
            shutil.rmtree(place)
    assert flawless()
    assert min(phases_killed.values()) > 0


class Death(s3_site.Cutter):
    """A server that dies after a number of bytes from the client; the client with it when `takes` is its process."""

    takes = None

    def pump(self, a, b, counts):
        super().pump(a, b, counts)
        if self.takes and self.left <= 0:
            self.takes.send_signal(signal.SIGKILL)


class Counter(s3_site.Cutter):
    """Lets all pass, and knows how much it was."""

    def __init__(self, port):
        self.room = 1 << 40
        super().__init__(port, self.room)

    def seen(self):
        return self.room - self.left


@pytest.fixture(scope="module")
def server():
    s = s3_site.Server()
    yield s
    s.stop()


def start_s3(server, tree, url, prefix):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": server.access, "AWS_SECRET_ACCESS_KEY": server.secret}
    command = [site.TARN, "archive", "--checkpoints", tree, "--archive", f"s3://metrics/{prefix}", "--s3-endpoint", url]
    return subprocess.Popen([*command, "--before", str(BEFORE)], env=env, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def fetch(server, prefix, place):
    place.mkdir()
    paths = []
    for i, item in enumerate(server.s3.list_objects_v2(Bucket="metrics", Prefix=f"{prefix}/").get("Contents", [])):
        paths.append(place / f"{i}.parquet")
        server.s3.download_file("metrics", item["Key"], str(paths[-1]))
    return paths


def test_an_s3_server_that_dies_loses_and_doubles_nothing(server, pristine, want, tmp_path):
    n, place, one = share(45), tmp_path / "whole", CLUSTERS[:1]  # each takes seconds to be given up
    place.mkdir()
    counter = Counter(server.port)
    with start_s3(server, copy(pristine, place, one), counter.url, "whole") as process:
        assert process.wait() == 0
    counter.stop()

    def die(i, after):
        place = tmp_path / str(i)
        place.mkdir()
        death = Death(server.port, after)
        with start_s3(server, copy(pristine, place, one), death.url, f"dies{i}") as process:
            if i % 4 == 1:
                death.takes = process
            code = process.wait()
        death.stop()
        return place, f"dies{i}", code

    # Most of the time goes into trying again.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        stopped = list(pool.map(die, range(n), spread(1, counter.seen() - 1, n)))
    for place, prefix, code in stopped:
        tree = place / "tree"
        if code == -signal.SIGKILL:
            count["kills"] += 1
            phases_killed["upload"] = phases_killed.get("upload", 0) + 1
        else:
            count["s3_deaths" if code else "went_through"] += 1
        check_stopped(tree, fetch(server, prefix, place / "first"), want, one)
        with start_s3(server, tree, server.url, prefix) as process:
            assert process.wait() == 0
        check_rerun(tree, fetch(server, prefix, place / "then"), want, one)
        shutil.rmtree(place)
    assert flawless()
    assert count["s3_deaths"] > 0


def test_the_runs_are_counted_in_one_line():
    of_phase = " ".join(f"{k}:{v}" for k, v in phases_killed.items())
    stopped = sum(count[k] for k in ("full_disks", "no_inodes", "kills", "s3_deaths"))
    print(
        f"count: archive runs={stopped + count['went_through']} stopped={stopped} (full_disks={count['full_disks']} "
        f"no_inodes={count['no_inodes']} kills={count['kills']} [{of_phase}] s3_deaths={count['s3_deaths']}) "
        + " ".join(f"{k}={count[k]}" for k in ("not_tried", "early_delete", "partial_visible", "rows_lost", "rows_twice"))
    )
    assert flawless()
