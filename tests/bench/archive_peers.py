#!/usr/bin/env python3
"""The archiver's rows a CPU second beside those of pyarrow and DuckDB, in one run on the same rows.

Usage: archive_peers.py BUILD - BUILD/tests/bench/bench_archive makes a tree of the fleet and archives it, default settings,
from the checkpoint files to a synced file; its read-back is counted apart. Then the peers write the same rows, in the same
order, zstd level 1, one thread; theirs are in memory already (pyarrow: strings as dictionaries). CPU time, user and system.
The programs take turns, three rounds of three; the best of each counts. "same work" has what our files have: statistics,
page index, checksums.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

try:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    VENV = pathlib.Path(sys.argv[1]) / "venv/bin/python"
    if VENV.exists() and pathlib.Path(sys.prefix).resolve() != VENV.parents[1].resolve():
        os.execv(VENV, [VENV, *sys.argv])
    print("== archive_peers: not run, pyarrow and duckdb are not installed (tools/needs test brings them)")
    sys.exit(0)

STRINGS = ["cluster", "hostname", "metric", "scope", "scope_id"]
SPLIT = {"timestamp": "DELTA_BINARY_PACKED", "frequency": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}
TUNED = {"use_dictionary": STRINGS, "column_encoding": SPLIT}
PYARROW = {
    "pyarrow default": {},
    "pyarrow tuned, no statistics": {**TUNED, "write_statistics": False},
    "pyarrow tuned": TUNED,
    "pyarrow tuned, same work": {**TUNED, "write_page_index": True, "write_page_checksum": True},
}
ROUNDS, PASSES = 3, 3


def best(work):
    took = []
    for _ in range(PASSES):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took)


class Bench:
    def __init__(self, directory, program):
        self.env = {**os.environ, "TMPDIR": directory, "BENCH_DEFAULT_ONLY": "1"}
        self.program = program
        self.directory = pathlib.Path(directory)
        self.run(BENCH_KEEP="1")
        self.file = max(self.directory.glob("*/archive-zstd-1/fleet/*.parquet"))

    def run(self, **env):
        """Seconds of the archiver without and with its read-back, for the rows of the tree."""
        out = subprocess.run([self.program], env={**self.env, **env}, capture_output=True, text=True, check=True).stdout
        rows, alone, whole, size = re.search(
            r"rows=(\d+) Mrows/s/core=([\d.]+) with_read_back=([\d.]+) bytes/row=([\d.]+)", out).groups()
        return {"tarn archive": float(alone), "tarn archive, read back": float(whole)}, float(size)


def main(build):
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(directory, pathlib.Path(build).resolve() / "tests/bench/bench_archive")
        table = pq.read_table(bench.file, read_dictionary=STRINGS)
        db = duckdb.connect(config={"threads": 1})
        db.execute(f"create table rows as select * from read_parquet('{bench.file}')")
        out, rate, size = f"{directory}/out.parquet", {}, {}

        def note(name, mrows, per_row):
            rate[name], size[name] = max(mrows, rate.get(name, 0)), per_row

        for _ in range(ROUNDS):
            found, per_row = bench.run()
            for name, mrows in found.items():
                note(name, mrows, per_row)
            for name, options in PYARROW.items():
                took = best(lambda: pq.write_table(table, out, compression="zstd", compression_level=1, **options))
                note(name, table.num_rows / took / 1e6, os.path.getsize(out) / table.num_rows)
            for version in "v1", "v2":
                query = f"copy rows to '{out}' (format parquet, compression zstd, compression_level 1, parquet_version {version})"
                note(f"duckdb copy {version}", table.num_rows / best(lambda: db.execute(query)) / 1e6,
                     os.path.getsize(out) / table.num_rows)
    print(f"== archive_peers: {table.num_rows} rows")
    ours = rate["tarn archive"]
    for name, mrows in rate.items():
        print(f"{name:30s} Mrows/s/core={mrows:6.2f} bytes/row={size[name]:.3f} tarn_is_times={ours / mrows:.1f}")


if __name__ == "__main__":
    main(sys.argv[1])
