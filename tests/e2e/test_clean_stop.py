"""After a clean stop under load the directory holds every acknowledged sample, for the reference's loader too.

What is on disk is read by strict_reader.py, which shares nothing with tarn. TARN_STOPS says how many stops (default 3).
"""

import http.client
import os
import struct
import threading
import time

import pytest

import strict_reader
import tarn

STOPS = int(os.environ.get("TARN_STOPS", "3"))
HOSTS = 4
METRICS = {"node": {"frequency": 1, "aggregation": None},
           "thread": {"frequency": 1, "aggregation": "sum"},
           "deep": {"frequency": 1, "aggregation": "avg"}}


def value(host, tick, i):
    return host + tick % 977 + i / 3  # not a binary32


def lines(host, tick):
    head = f"cluster=c,hostname=h{host}"
    text = [f"node,{head} value={value(host, tick, 0)!r} {tick}"]
    text += [f"thread,{head},type=hwthread,type-id={i} value={value(host, tick, i)!r} {tick}"
             for i in range(3)]
    text += [f"deep,{head},type=socket,type-id=0,stype=memctrl,stype-id=1 value={value(host, tick, 9)!r} {tick}"]
    return "\n".join(text) + "\n"


def expected(host, tick):
    yield (), "node", value(host, tick, 0)
    for i in range(3):
        yield (f"hwthread{i}",), "thread", value(host, tick, i)
    yield ("socket0", "memctrl1"), "deep", value(host, tick, 9)


def post_until_refused(server, host, tick, acked):
    try:
        c = server.connect()
        while True:
            c.request("POST", "/api/write", lines(host, tick))
            answer = c.getresponse()
            answer.read()
            if answer.status == 200:
                acked.append(tick)
            tick += 1
    except (OSError, http.client.HTTPException):
        pass


def binary32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_a_clean_stop_under_load_leaves_every_sample_to_the_reference(tmp_path, file_format):
    root = tmp_path / "data"
    conf = tarn.config(metric_store={
        "retention-in-memory": "48h", "checkpoint-interval": "1s",
        "checkpoints": {"file-format": file_format, "directory": str(root)}})
    conf["metrics"] = METRICS
    started = int(time.time())
    base = started - 30000
    acked = {h: [] for h in range(HOSTS)}
    for stop in range(STOPS):
        with tarn.Server(tmp_path, conf) as server:
            server.wait_log("recovered|loaded|recovery")
            # Late data: before everything, and in the middle of what files cover already.
            for late in (base - 500 + stop, base + 5 + 997 * stop):
                if server.request("POST", "/api/write", lines(0, late)).status == 200:
                    acked[0].append(late)
            counts = [len(a) for a in acked.values()]
            threads = [threading.Thread(target=post_until_refused, args=(
                server, h, max([base, *acked[h]]) + 1, acked[h])) for h in range(HOSTS)]
            for t in threads:
                t.start()
            until = time.monotonic() + tarn.DEADLINE_S
            while (any(len(a) < n + 60 for a, n in zip(acked.values(), counts)) and
                   time.monotonic() < until):
                time.sleep(0.01)
            assert server.stop() == 0
            for t in threads:
                t.join()
    tree = strict_reader.read_tree(root, {m: c["frequency"] for m, c in METRICS.items()},
                                   started - 48 * 3600)
    lost = wrong = 0
    for host, ticks in acked.items():
        found = tree.get(("c", f"h{host}"), {})
        for tick in ticks:
            for where, metric, v in expected(host, tick):
                got = found.get((where, metric, tick))
                lost += got is None
                wrong += got is not None and got != (v if file_format == "json" else binary32(v))
    n = sum(len(t) for t in acked.values())
    files = len(list(root.glob("c/*/*")))
    print(f"cleanstop: format={file_format} stops={STOPS} acked={5 * n} files={files} lost={lost} wrong={wrong}")
    assert n > STOPS * HOSTS * 60
    assert lost == 0 and wrong == 0


def test_the_strict_reader_refuses_what_the_reference_refuses(tmp_path):
    source = tarn.ROOT / "tests" / "data" / "recovery" / "bin" / "taurus" / "n0003" / "1699920000.bin"
    whole = source.read_bytes()
    host = tmp_path / "c" / "h"
    host.mkdir(parents=True)
    (host / source.name).write_bytes(whole)
    _, _, arrays = strict_reader.read_snapshot(source)
    metrics = {metric: frequency for _, metric, frequency, _, _ in arrays}
    assert strict_reader.read_tree(tmp_path, metrics, 0)
    (host / source.name).write_bytes(whole[:-5])
    with pytest.raises(strict_reader.Refused):
        strict_reader.read_tree(tmp_path, metrics, 0)
    (host / source.name).write_bytes(whole)
    (host / "1699930000.bin").write_bytes(  # a later name whose arrays begin earlier
        whole[:4] + struct.pack("<q", 1699930000) + whole[12:20] + whole[20:].replace(
            struct.pack("<q", arrays[0][3]), struct.pack("<q", arrays[0][3] - 60)))
    with pytest.raises(strict_reader.Refused):
        strict_reader.read_tree(tmp_path, metrics, 0)
    (host / "1699930000.bin").unlink()
    (tmp_path / "c" / "stray").write_bytes(b"")
    with pytest.raises(strict_reader.Refused):
        strict_reader.read_tree(tmp_path, metrics, 0)
