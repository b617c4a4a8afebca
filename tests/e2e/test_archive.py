"""tarn archive, seen from outside: the reference's rows, other people's readers, memory, kills."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import time

import pytest

duckdb = pytest.importorskip("duckdb")
np = pytest.importorskip("numpy")
pq = pytest.importorskip("pyarrow.parquet")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
TARN = pathlib.Path(os.environ.get("TARN", BUILD / "tarn"))
DATA = ROOT / "tests/data/archive"
SHARED = pathlib.Path(os.environ.get("TARN_SHARED", ROOT / "../shared"))
COLUMNS = "cluster, hostname, metric, scope, scope_id, timestamp, frequency, value"
START = 1700006400
# Of each of 4,096 hosts; make soak asks for more.
SERIES = int(os.environ.get("TARN_ARCHIVE_SERIES", "20"))


def archive(tree, out, *flags, before=START + 10**8, check=True):
    run = subprocess.run(
        [TARN, "archive", "--checkpoints", tree, "--archive", out, "--before", str(before), "--json", *flags],
        capture_output=True,
        text=True,
    )
    if check:
        assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def rows_of(glob):
    return duckdb.sql(f"select {COLUMNS} from read_parquet('{glob}')")


def differences(ours, theirs):
    a, b = f"select {COLUMNS} from read_parquet('{ours}')", f"select {COLUMNS} from read_parquet('{theirs}')"
    query = f"select (select count(*) from ({a} except all {b})), (select count(*) from ({b} except all {a}))"
    return duckdb.sql(query).fetchall()[0]


def sums(glob):
    return rows_of(glob).aggregate(f"count(*), sum(hash({COLUMNS}))").fetchall()


def copy_tree(name, tmp_path):
    shutil.copytree(DATA / "trees" / name, tmp_path / "tree")
    return tmp_path / "tree"


def write_bin(path, start, freq, series, levels=()):
    """A snapshot: series = {metric: values} of the host, levels = [(name, {metric: values}, levels below)]."""

    def level(metrics, children):
        out = [struct.pack("<I", len(metrics))]
        for name, values in metrics.items():
            raw = name.encode()
            out.append(struct.pack("<H", len(raw)) + raw + struct.pack("<qqI", freq, start, len(values)))
            out.append(np.asarray(values, dtype="<f4").tobytes())
        out.append(struct.pack("<I", len(children)))
        for name, metrics_below, *below in children:
            raw = name.encode()
            out.append(struct.pack("<H", len(raw)) + raw + level(metrics_below, below[0] if below else []))
        return b"".join(out)

    n = max((len(v) for v in series.values()), default=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack("<Iqq", 0xCC5B0001, start, start + freq * n)
    path.write_bytes(head + level(series, list(levels)))


def made_up(seed, n):
    noise = np.random.default_rng(seed)
    values = np.round(noise.normal(100, 20, n), 2).astype("f4")
    values[noise.random(n) < 0.01] = np.nan
    return values


def series_of(seed, n_series, n):
    metrics = {f"metric{i:02d}": made_up(seed * 1000 + i, n) for i in range(n_series // 2)}
    threads = [
        (f"hwthread{t}", {"flops": made_up(seed * 1000 + 500 + t, n)}) for t in range(n_series - n_series // 2)
    ]
    return metrics, threads


def readers_agree(glob):
    """DuckDB, pyarrow and Polars return the same rows; how many."""
    polars = pytest.importorskip("polars")
    n = 0
    for path in glob:
        arrow = pq.read_table(path, page_checksum_verification=True, columns=COLUMNS.split(", "))
        frame = polars.read_parquet(path, columns=COLUMNS.split(", ")).to_arrow()
        found = sums(path)
        for rows in arrow, frame:
            assert duckdb.sql(f"select count(*), sum(hash({COLUMNS})) from rows").fetchall() == found
        n += found[0][0]
    return n


def rows_held(cluster, host, start, freq, metrics, threads):
    """The rows that a checkpoint of write_bin holds, from what went into it."""
    of_host = [(name, "node", "", values) for name, values in metrics.items()]
    of_threads = [
        (name, "hwthread", level.removeprefix("hwthread"), values)
        for level, below in threads
        for name, values in below.items()
    ]
    return [
        (cluster, host, name, scope, scope_id, start + i * freq, freq, float(v))
        for name, scope, scope_id, values in of_host + of_threads
        for i, v in enumerate(np.asarray(values, dtype="f4"))
        if not np.isnan(v)
    ]


@pytest.mark.parametrize(
    "name, before",
    [
        ("bin", START),
        ("json", START),
        ("json-then-bin", START),
        ("two-bin-plus-wal", START),
        ("damaged-bin-truncated", START),
        ("damaged-bin-tmp-left", START),
        ("vectors", START),
    ],
)
def test_rows_are_those_of_the_reference(name, before, tmp_path):
    tree = copy_tree(name, tmp_path)
    result = archive(tree, tmp_path / "out", before=before, check=False)
    assert result["hosts_failed"] == 0 and result["clusters_failed"] == 0
    assert differences(tmp_path / "out/*/*.parquet", DATA / "reference" / name / "*.parquet") == (0, 0)
    assert readers_agree((tmp_path / "out").glob("*/*.parquet")) == result["rows"]
    left = {p.name.split(".", 1)[1] for p in tree.rglob("*") if p.is_file()}
    assert left <= {"wal", "bin.corrupt", "bin.tmp"}


def test_three_readers_see_the_same_rows(tmp_path):
    polars = pytest.importorskip("polars")
    archive(copy_tree("bin", tmp_path), tmp_path / "out", before=START)
    (path,) = (tmp_path / "out").glob("taurus/*.parquet")
    arrow = pq.read_table(path, page_checksum_verification=True).to_pylist()
    assert [tuple(r.values()) for r in arrow] == rows_of(path).fetchall()
    assert [tuple(r.values()) for r in arrow] == polars.read_parquet(path).rows()
    schema = pq.ParquetFile(path).schema
    assert [schema.column(i).physical_type for i in range(8)] == ["BYTE_ARRAY"] * 5 + ["INT64"] * 2 + ["FLOAT"]


def test_rows_ascend_as_the_file_declares(tmp_path):
    archive(copy_tree("bin", tmp_path), tmp_path / "out", before=START)
    (path,) = (tmp_path / "out").glob("taurus/*.parquet")
    meta = pq.ParquetFile(path).metadata
    assert [c.column_index for c in meta.row_group(0).sorting_columns] == [0, 1, 2, 3, 4, 5]
    rows = [r[:6] for r in rows_of(path).fetchall()]
    assert rows == sorted(rows)


def test_gaps_odd_names_empty_hosts_and_a_hundred_files(tmp_path):
    tree, want = tmp_path / "tree", []
    for i in range(100):
        metrics, threads = series_of(i, 6, 30)
        metrics["odd name, \u00fcmlaut \u4e2d"] = made_up(i, 30)
        start = START + i * 1800
        write_bin(tree / f"c/h 1 +\u00e4/{start}.bin", start, 60, metrics, threads)
        want += rows_held("c", "h 1 +\u00e4", start, 60, metrics, threads)
    write_bin(tree / f"c/empty/{START}.bin", START, 60, {"load": [float("nan")] * 5})
    (tree / "c/nothing").mkdir()
    result = archive(tree, tmp_path / "out")
    assert result["rows"] == len(want)
    assert readers_agree((tmp_path / "out").glob("c/*.parquet")) == len(want)
    in_order = sorted(want, key=lambda row: [v.encode() if isinstance(v, str) else v for v in row[:6]])
    assert rows_of(tmp_path / "out/c/*.parquet").fetchall() == in_order


def test_series_that_differ_in_their_place_alone_both_stay(tmp_path):
    links = {gpu: {"nv_link": made_up(gpu, 100)} for gpu in (0, 1)}
    gpus = [(f"accelerator{gpu}", {}, [("nvlink0", below)]) for gpu, below in links.items()]
    write_bin(tmp_path / f"tree/c/h/{START}.bin", START, 60, {"load": made_up(3, 100)}, gpus)
    archive(tmp_path / "tree", tmp_path / "out")
    found = rows_of(tmp_path / "out/c/*.parquet").filter("metric = 'nv_link'").fetchall()
    want = [
        (START + i * 60, float(v))
        for below in links.values()
        for i, v in enumerate(below["nv_link"])
        if not np.isnan(v)
    ]
    assert sorted((row[5], row[7]) for row in found) == sorted(want)
    assert {row[3:5] for row in found} == {("nvlink0", "")}


def test_plain_values_are_read_as_well_and_cost_little(tmp_path):
    for name in "split", "plain":
        metrics, threads = series_of(1, 40, 1440)
        metrics["few"] = np.random.default_rng(1).integers(0, 50, 1440) / 4
        write_bin(tmp_path / name / f"c/h/{START}.bin", START, 60, metrics, threads)
        archive(tmp_path / name, tmp_path / f"out-{name}", "--value-encoding", name)
    assert differences(tmp_path / "out-split/c/*.parquet", tmp_path / "out-plain/c/*.parquet") == (0, 0)
    (plain,) = (tmp_path / "out-plain").glob("c/*.parquet")
    chunks = pq.ParquetFile(plain).metadata.row_group(0)
    used = {e for i in range(8) for e in chunks.column(i).encodings}
    assert "BYTE_STREAM_SPLIT" not in used
    assert set(chunks.column(7).encodings) == {"PLAIN", "RLE", "RLE_DICTIONARY"}
    readers_agree([plain])


def test_a_day_of_four_hosts_is_smaller_than_the_reference_makes_it(tmp_path):
    day = SHARED / "golden/day4"
    if not day.exists():
        pytest.skip("no recordings of a day at hand")
    result = archive(day / "tree", tmp_path / "out", "--keep", before=1700092800)
    assert sums(tmp_path / "out/fritz/*.parquet") == sums(day / "archive/fritz/*.parquet")
    per_row = result["bytes_out"] / result["rows"]
    plain = archive(day / "tree", tmp_path / "plain", "--keep", "--value-encoding", "plain", before=1700092800)
    assert sums(tmp_path / "plain/fritz/*.parquet") == sums(tmp_path / "out/fritz/*.parquet")
    assert readers_agree(tmp_path.glob("*/fritz/*.parquet")) == 2 * result["rows"]
    more = plain["bytes_out"] / result["bytes_out"] - 1
    print(
        f"count: day4 rows={result['rows']} bytes_per_row={per_row:.3f} plain={plain['bytes_out'] / plain['rows']:.3f} "
        f"(+{more * 100:.1f} %) memory_peak={result['memory_peak']} plain={plain['memory_peak']}"
    )
    assert per_row <= 2.72
    assert more <= 0.12


def many_hosts(tree, n_hosts, n_series, n):
    """n_hosts hosts whose files are links to one: a large tree that costs nothing."""
    first = tree / f"c/h00000/{START}.bin"
    write_bin(first, START, 60, *series_of(0, n_series, n))
    for h in range(1, n_hosts):
        path = tree / f"c/h{h:05d}/{START}.bin"
        path.parent.mkdir()
        os.link(first, path)


def peak_anonymous(command):
    """Bytes of anonymous memory at the most, looked at every millisecond, and the result."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            try:
                for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        peak = max(peak, int(line.split()[1]) * 1024)
            except (FileNotFoundError, ProcessLookupError):
                break
            time.sleep(0.001)
        out = process.stdout.read()
    assert process.returncode == 0
    return peak, json.loads(out)


def test_memory_does_not_follow_the_hosts(tmp_path):
    peaks = {}
    for n_hosts in 16, 256, 4096:
        tree = tmp_path / f"tree{n_hosts}"
        many_hosts(tree, n_hosts, SERIES, 1440)
        command = [TARN, "archive", "--checkpoints", tree, "--archive", tmp_path / f"out{n_hosts}"]
        peaks[n_hosts], result = peak_anonymous([*command, "--keep", "--json"])
        assert result["hosts"] == n_hosts
        shutil.rmtree(tree)
        shutil.rmtree(tmp_path / f"out{n_hosts}")
    mib = {n: p / 2**20 for n, p in peaks.items()}
    slope = (mib[4096] - mib[16]) / 4.08
    text = " ".join(f"{n}:{m:.1f}" for n, m in mib.items())
    print(f"count: archive anonymous MiB by hosts of {SERIES} series {text} slope_mib_per_1000_hosts={slope:.2f}")
    assert max(mib.values()) <= 32
    assert slope <= 1


def test_memory_does_not_follow_the_threads_and_days_of_one_host(tmp_path):
    days, day, names = 30, 86400, ("flops", "ipc", "clock", "power")
    for d in range(days):
        host = {f"metric{i:02d}": made_up(d * 1000 + i, 1440) for i in range(20)}
        threads = [
            (f"hwthread{t}", {name: made_up(d * 1000 + 100 + t * 4 + i, 1440) for i, name in enumerate(names)})
            for t in range(128)
        ]
        write_bin(tmp_path / f"tree/c/h/{START + d * day}.bin", START + d * day, 60, host, threads)
    command = [TARN, "archive", "--checkpoints", tmp_path / "tree", "--archive", tmp_path / "out"]
    peak, result = peak_anonymous([*command, "--keep", "--json"])
    print(f"count: archive one host threads=128 days={days} rows={result['rows']} anonymous_mib={peak / 2**20:.1f}")
    assert result["rows"] > 0.98 * days * 1440 * (20 + 128 * len(names))
    assert peak <= 32 * 2**20


def bytes_read():
    for line in pathlib.Path("/proc/self/io").read_text().splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    raise AssertionError("no rchar")


def test_duckdb_reads_little_of_many_hosts_for_one(tmp_path):
    many_hosts(tmp_path / "tree", 256, 60, 1440)
    archive(tmp_path / "tree", tmp_path / "out", "--keep")
    size = sum(path.stat().st_size for path in (tmp_path / "out/c").glob("*.parquet"))
    with duckdb.connect(config={"threads": 1}) as db:
        db.sql("select 1").fetchall()
        before = bytes_read()
        files = f"read_parquet('{tmp_path}/out/c/*.parquet')"
        query = f"select count(*) from {files} where hostname = 'h00077' and metric = 'metric07'"
        found = db.sql(query).fetchall()[0][0]
        share = (bytes_read() - before) / size
    print(f"count: duckdb one host of 256 reads {share * 100:.2f} % of the files")
    assert found > 1000
    assert share < 0.02


def test_the_hive_layout_is_pruned_by_day_and_has_the_same_rows(tmp_path):
    for name in "flat", "hive":
        for h in range(3):
            metrics, threads = series_of(h, 20, 3000)
            write_bin(tmp_path / name / f"c/h{h}/{START}.bin", START, 60, metrics, threads)
        archive(tmp_path / name, tmp_path / f"out-{name}", "--layout", name)
    hive = f"{tmp_path}/out-hive/**/*.parquet"
    assert differences(hive, tmp_path / "out-flat/c/*.parquet") == (0, 0)
    days = sorted(p.name for p in (tmp_path / "out-hive/cluster=c").iterdir())
    assert days == ["date=2023-11-15", "date=2023-11-16", "date=2023-11-17"]
    source = f"read_parquet('{hive}', hive_partitioning = true)"
    query = f"select count(*), min(timestamp), max(timestamp) from {source} where date = '2023-11-16'"
    n, low, high = duckdb.sql(query).fetchall()[0]
    assert n > 0 and low >= START + 86400 and high < START + 2 * 86400


def test_inspect_tells_and_notices_damage(tmp_path):
    archive(copy_tree("bin", tmp_path), tmp_path / "out", before=START)
    (path,) = (tmp_path / "out").glob("taurus/*.parquet")
    run = subprocess.run([TARN, "inspect", "--json", path], capture_output=True, text=True)
    told = json.loads(run.stdout)
    assert run.returncode == 0
    assert told["rows"] == pq.ParquetFile(path).metadata.num_rows
    assert told["row_groups"][0]["chunks"][1]["min"] == "n0001"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    path.write_bytes(damaged)
    run = subprocess.run([TARN, "inspect", "--json", path], capture_output=True, text=True)
    assert run.returncode == 1
    assert "byte" in json.loads(run.stdout)["damage"]
