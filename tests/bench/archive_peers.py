#!/usr/bin/env python3
"""Rows a second and core, and bytes a row, of pyarrow and DuckDB on the rows of an archive file.

Usage: archive_peers.py FILE.parquet - prints each peer's best setting. CPU time of this process (user and
system, one thread), best of three; rows are in memory already (pyarrow: strings as dictionaries), sorted as in FILE.
"""
import os
import sys
import tempfile
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

STRINGS = ["cluster", "hostname", "metric", "scope", "scope_id"]


def best(work, path):
    took = []
    for _ in range(3):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took), os.path.getsize(path)


def show(name, rows, took, size):
    print(f"{name:24s} Mrows/s/core={rows / took / 1e6:.2f} bytes/row={size / rows:.3f}")


def main(source):
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    table = pq.read_table(source, read_dictionary=STRINGS)
    out = tempfile.mktemp(suffix=".parquet")
    split = {"timestamp": "DELTA_BINARY_PACKED", "frequency": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}
    for name, options in {
        "pyarrow default zstd": {},
        "pyarrow tuned": {"use_dictionary": STRINGS, "column_encoding": split},
        "pyarrow tuned, no stats": {"use_dictionary": STRINGS, "column_encoding": split, "write_statistics": False},
    }.items():
        work = lambda: pq.write_table(table, out, compression="zstd", compression_level=1, **options)
        show(name, table.num_rows, *best(work, out))
    db = duckdb.connect(config={"threads": 1})
    db.execute(f"create table rows as select * from read_parquet('{source}')")
    for version in "v1", "v2":
        query = f"copy rows to '{out}' (format parquet, compression zstd, compression_level 1, parquet_version {version})"
        show(f"duckdb copy {version}", table.num_rows, *best(lambda: db.execute(query), out))
    os.unlink(out)


if __name__ == "__main__":
    main(sys.argv[1])
