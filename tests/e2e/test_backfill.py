"""Whole days that are sent afterwards, and late samples: each stands in the checkpoint file that covers its time, which
is written again as a whole, and the tree stays one that the reference loads (strict_reader.py).
"""

import math
import struct
import time

import pytest

import strict_reader
import tarn

DAY, FREQ = 86400, 60
SERIES = [((), "node"), (("hwthread0",), "thread"), (("hwthread1",), "thread")]
METRICS = {"node": {"frequency": FREQ, "aggregation": None}, "thread": {"frequency": FREQ, "aggregation": "sum"}}


def line(where, metric, tick, v):
    type_ = f",type=hwthread,type-id={where[0][8:]}" if where else ""
    return f"{metric},cluster=c,hostname=h{type_} value={v!r} {tick}\n"


class Site:
    def __init__(self, tmp_path, file_format):
        self.root, self.format = tmp_path / "data", file_format
        self.conf = tarn.config(metric_store={
            "retention-in-memory": "240h", "checkpoints": {"file-format": file_format, "directory": str(self.root)}})
        self.conf["metrics"] = METRICS
        self.base = int(time.time()) // FREQ * FREQ - 5 * DAY
        self.acked = {}

    def write(self, server, ticks):
        samples = {(where, metric, t): (t // FREQ) % 1009 + i / 3 + 0.1
                   for t in ticks for i, (where, metric) in enumerate(SERIES)}
        text = "".join(line(*key, v) for key, v in samples.items())
        assert server.request("POST", "/api/write", text.encode()).status == 200
        self.acked.update(samples)

    def day(self, n, step=1):
        return range(self.base + n * DAY, self.base + (n + 1) * DAY, step * FREQ)

    def stored(self, v):
        return v if self.format == "json" else struct.unpack("<f", struct.pack("<f", v))[0]

    def files(self):
        """{path: (from, to, {(level, metric, time): value})}, ascending."""
        out = {}
        paths = (self.root / "c" / "h").glob("*.json" if self.format == "json" else "*.bin")
        for path in sorted(paths, key=lambda p: int(p.stem)):
            lower, upper, arrays = (strict_reader.read_json if self.format == "json" else
                                    strict_reader.read_snapshot)(path)
            out[path] = lower, upper, {(where, metric, start + i * freq): v
                                       for where, metric, freq, start, values in arrays
                                       for i, v in enumerate(values) if not math.isnan(v)}
        return out

    def check_files(self):
        """Each sample in the one file that covers its time, and nothing else in any."""
        found, end = {}, 0
        for path, (lower, upper, samples) in self.files().items():
            assert end <= lower < upper, path
            end = upper
            assert all(lower <= t < upper for _, _, t in samples), path
            assert not found.keys() & samples.keys(), path
            found.update(samples)
        assert found == {key: self.stored(v) for key, v in self.acked.items()}
        tree = strict_reader.read_tree(self.root, {m: c["frequency"] for m, c in METRICS.items()}, 0)
        assert tree == {("c", "h"): found}

    def check_answers(self, server):
        queries = [{"metric": metric, "host": "h",
                    **({"type": where[0][:8], "type-ids": [where[0][8:]]} if where else {})}
                   for where, metric in SERIES]
        found = {}
        for n in range(-1, 5):
            rows = server.query({"cluster": "c", "from": self.base + n * DAY, "to": self.base + (n + 1) * DAY,
                                 "with-padding": False, "queries": queries}).json()["results"]
            for (where, metric), row in zip(SERIES, rows):
                for series in row:
                    found.update({(where, metric, series["from"] + i * FREQ): v
                                  for i, v in enumerate(series.get("data", [])) if v is not None})
        wrong = {key for key in found.keys() | self.acked.keys()
                 if key not in found or key not in self.acked or
                 not math.isclose(found[key], self.acked[key], abs_tol=0.001)}  # answers have three decimals
        assert not wrong


@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_late_and_back_filled_samples_are_in_the_file_that_covers_their_time(tmp_path, file_format):
    site = Site(tmp_path, file_format)

    def checkpoint(server):
        assert server.request("POST", "/api/checkpoint").status == 200
        site.check_files()

    server = tarn.Server(tmp_path, site.conf)
    server.start()
    late = [t for t in site.day(1)[1:-1] if t // FREQ % 7 == 0]  # not its ends: they are those of the file
    site.write(server, [t for t in site.day(1) if t not in set(late)])
    checkpoint(server)
    site.write(server, site.day(3))
    checkpoint(server)
    before = {path: (lower, upper) for path, (lower, upper, _) in site.files().items()}
    inodes = {path: path.stat().st_ino for path in before}
    site.write(server, late)          # into a file that is there
    site.write(server, site.day(2))   # between two files
    site.write(server, site.day(0))   # before all of them
    checkpoint(server)
    after = site.files()
    assert before.keys() < after.keys()  # the old ones kept their names
    first = min(before, key=lambda p: int(p.stem))
    assert first.stat().st_ino != inodes[first]  # and this one was replaced by a whole one
    assert {t for _, _, t in after[first][2]} == set(site.day(1))
    site.check_answers(server)
    server.process.kill()
    server.process.wait()
    with tarn.Server(tmp_path, site.conf) as server:
        site.check_answers(server)
        site.write(server, [site.base - FREQ, site.base + 2 * DAY + 30 * FREQ])
        site.check_answers(server)
    site.check_files()  # of the clean stop
    print(f"backfill: format={file_format} samples={len(site.acked)} files={len(site.files())} lost=0 misplaced=0")
