"""Other people's readers see in our Parquet files the rows that were written.

The rows are those of tests/support/pq_sample.c: change both.
"""
import json
import os
import pathlib
import subprocess

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
ROWS = 200000


def mixed(i):
    """Stretches of few values, of many, of few others."""
    return i if i // 5000 % 2 else (i * i * 2654435761 % 2**32 >> 13) % 20 + i // 20000


def expected():
    rows = range(ROWS)
    return {
        "flag": [i % 3 == 0 for i in rows],
        "i32": [i * 7 - 1000 for i in rows],
        "i32_opt": [-i if i % 5 else None for i in rows],
        "i64": [1700000000 + 60 * i for i in rows],
        "f32": [i / 4 for i in rows],
        "f64": [(i % 100) * 0.5 for i in rows],
        "f64_opt": [i / 8 if i % 7 >= 3 else None for i in rows],
        "name": [f"host{i // 1000}" for i in rows],
        "text": [f"t{i}" if i % 4 != 1 else None for i in rows],
        "blob": [bytes([i % 251]) * (i % 17) for i in rows],
        "i64_dict": [i // 100 for i in rows],
        "flag_opt": [i % 3 == 0 if i // 10 % 2 else None for i in rows],
        "all_null": [None] * ROWS,
        "mixed": [mixed(i) / 4 for i in rows],
        "mixed_opt": [mixed(i) / 4 if i % 13 else None for i in rows],
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "sample.parquet"
    program = BUILD / "tests/unit/test_parquet_file"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    subprocess.run(
        [program],
        check=True,
        capture_output=True,
        env={**os.environ, "TARN_PARQUET_SAMPLE": str(path)},
    )
    return path


@pytest.fixture(scope="module")
def want():
    return expected()


def test_pyarrow_reads_every_column_and_checks_every_page(sample, want):
    table = pq.read_table(sample, page_checksum_verification=True)
    assert table.num_rows == ROWS
    for name in want:
        assert table.column(name).to_pylist() == want[name], name


def test_pyarrow_finds_schema_statistics_order_and_indexes(sample):
    meta = pq.ParquetFile(sample).metadata
    assert meta.num_row_groups > 1
    assert meta.created_by.startswith("tarn version ")
    assert meta.metadata[b"made.by"] == b"a test"
    names = [meta.schema.column(i).name for i in range(meta.num_columns)]
    group = meta.row_group(0)
    chunk = {n: group.column(i) for i, n in enumerate(names)}
    assert chunk["name"].statistics.min == "host0"
    assert chunk["i64"].statistics.min == 1700000000
    assert chunk["i64"].statistics.null_count == 0
    assert not chunk["blob"].is_stats_set or not chunk["blob"].statistics.has_min_max
    assert chunk["all_null"].statistics.null_count == group.num_rows
    assert [c.column_index for c in group.sorting_columns] == [names.index("i64")]
    assert chunk["i64"].has_column_index and chunk["i64"].has_offset_index
    assert chunk["blob"].has_offset_index and not chunk["blob"].has_column_index
    assert "BYTE_STREAM_SPLIT" in chunk["f32"].encodings
    assert "DELTA_BINARY_PACKED" in chunk["i64"].encodings
    assert "RLE_DICTIONARY" in chunk["name"].encodings
    assert {"RLE_DICTIONARY", "BYTE_STREAM_SPLIT"} <= set(chunk["mixed"].encodings)
    assert {"RLE_DICTIONARY", "PLAIN"} <= set(chunk["mixed_opt"].encodings)


def test_duckdb_reads_every_column(sample, want):
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(f"select * from read_parquet('{sample}')").fetchall()
    for i, name in enumerate(want):
        assert [r[i] for r in rows] == want[name], name


def test_duckdb_leaves_out_row_groups_by_their_statistics(sample):
    duckdb = pytest.importorskip("duckdb")
    groups = duckdb.sql(
        f"select row_group_id, stats_min_value, stats_max_value from parquet_metadata('{sample}') "
        "where path_in_schema = 'i64' order by 1"
    ).fetchall()
    assert all(int(a[2]) < int(b[1]) for a, b in zip(groups, groups[1:]))
    found = duckdb.sql(
        f"select name from read_parquet('{sample}') where i64 = 1700000000 + 60 * 150000"
    ).fetchall()
    assert found == [("host150",)]


def test_polars_reads_every_column(sample, want):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(sample)
    for name in want:
        assert frame[name].to_list() == want[name], name


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A file of 1,000 jobs: tests/unit/test_job_parquet.c writes it, job i with id i."""
    program = BUILD / "tests/unit/test_job_parquet"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    where = tmp_path_factory.mktemp("jobs")
    made = subprocess.run(
        [program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TARN_JOB_PARQUET_SAMPLE": str(where)},
    )
    return where / made.stdout.strip()


JOB_NAMES = ["fritz-5001", "fritz-5002", "alex-6001", "fritz-9002"]


def wanted_jobs():
    metas = [json.loads((ROOT / f"tests/data/jobs/{n}.meta.json").read_text()) for n in JOB_NAMES]
    for i in range(1000):
        yield i, metas[i % 4]


def assert_jobs(rows):
    assert len(rows) == 1000
    for row, (i, meta) in zip(rows, wanted_jobs()):
        assert row["id"] == (i or None)
        assert row["job_id"] == meta["jobId"]
        assert row["cluster"] == meta["cluster"]
        assert row["energy"] == meta.get("energy", 0)
        assert row["shared"] == meta["shared"]
        assert json.loads(row["resources_json"]) == meta["resources"]
        assert json.loads(row["statistics_json"]) == meta["statistics"]
        assert len(row["metric_data_gz"]) == (0 if i % 7 == 6 else i * 37 % 3000)


def test_pyarrow_reads_jobs_and_no_statistics_of_their_data(jobs):
    assert_jobs(pq.read_table(jobs, page_checksum_verification=True).to_pylist())
    meta = pq.ParquetFile(jobs).metadata
    group = meta.row_group(0)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(meta.num_columns)}
    assert not chunks["metric_data_gz"].is_stats_set or not chunks["metric_data_gz"].statistics.has_min_max
    assert chunks["start_time"].statistics.has_min_max
    assert group.sorting_columns == ()


def test_duckdb_reads_jobs(jobs):
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select * from read_parquet('{jobs}')").to_arrow_table()
    assert_jobs(found.to_pylist())


def test_polars_reads_jobs(jobs):
    polars = pytest.importorskip("polars")
    assert_jobs(polars.read_parquet(jobs).to_dicts())


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """States of nodes moved by tests/unit/test_node_retention.c: state i has memory_allocated i + 1."""
    program = BUILD / "tests/unit/test_node_retention"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    where = tmp_path_factory.mktemp("states")
    made = subprocess.run(
        [program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "TARN_NODE_PARQUET_SAMPLE": str(where)},
    )
    return where / made.stdout.strip()


def assert_states(rows):
    """The formulas of the test's database; in the order that the file declares."""
    assert len(rows) > 1500
    order = [(r["cluster"], r["subcluster"], r["hostname"], r["time_stamp"]) for r in rows]
    assert order == sorted(order)
    for row in rows:
        i = row["memory_allocated"] - 1
        node = i % 10
        metrics = '{"missing":["m%d"]}' % (i % 9) if i % 4 > 1 else None
        stray = i % 50 == 49
        assert row == {
            "time_stamp": 1700000000 + i // 10 * 60,
            "node_state": ["allocated", "idle", "down"][i % 3],
            "health_state": ["full", "partial"][i % 2],
            "health_metrics": metrics,
            "cpus_allocated": i % 64,
            "memory_allocated": i + 1,
            "gpus_allocated": i % 4,
            "jobs_running": i % 5,
            "hostname": "" if stray else "n%04d" % (node * 7 % 10),
            "cluster": "" if stray else "c%d" % (node % 2),
            "subcluster": "" if stray else "s%d" % (node % 3),
        }


def test_pyarrow_reads_states_of_nodes_in_the_declared_order(states):
    assert_states(pq.read_table(states, page_checksum_verification=True).to_pylist())
    meta = pq.ParquetFile(states).metadata
    names = [meta.schema.column(i).name for i in range(meta.num_columns)]
    sorting = [names[c.column_index] for c in meta.row_group(0).sorting_columns]
    assert sorting == ["cluster", "subcluster", "hostname", "time_stamp"]


def test_duckdb_and_polars_read_states_of_nodes(states):
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    assert_states(duckdb.sql(f"select * from read_parquet('{states}')").to_arrow_table().to_pylist())
    assert_states(polars.read_parquet(states).to_dicts())
