"""A checkpoint directory as the reference's loader reads it, to the letter (spec: formats 2, 3, 4, 6 and 7).

Independent of tarn's code and unforgiving: whatever would make the reference refuse to start, or skip data, raises
Refused here. Only the standard library.
"""

import json
import math
import struct
import zlib

SNAPSHOT_MAGIC = 0xCC5B0001
WAL_MAGIC = 0xCC1DA701
RECORD_MAGIC = 0xCC1DA7A1


class Refused(Exception):
    """The reference would not start on this directory."""


class Bytes:
    def __init__(self, data, path):
        self.data, self.at, self.path = data, 0, path

    def take(self, layout):
        size = struct.calcsize("<" + layout)
        if self.at + size > len(self.data):
            raise Refused(f"{self.path}: ends at {len(self.data)}, {size} more bytes wanted at {self.at}")
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += size
        return values

    def name(self):
        (n,) = self.take("H")
        return bytes(self.take(f"{n}s")[0]).decode()


def read_snapshot(path):
    """(from, to, [(level path, metric, frequency, start, values)])"""
    b = Bytes(path.read_bytes(), path)
    magic, lower, upper = b.take("Iqq")
    if magic != SNAPSHOT_MAGIC:
        raise Refused(f"{path}: bad magic {magic:#x}")
    arrays = []

    def level(where):
        for _ in range(b.take("I")[0]):
            metric = b.name()
            frequency, start, n = b.take("qqI")
            arrays.append((where, metric, frequency, start, b.take(f"{n}f")))
        for _ in range(b.take("I")[0]):
            name = b.name()
            level(where + (name,))

    level(())
    return lower, upper, arrays


def read_json(path):
    text = path.read_text()
    try:
        tree, _ = json.JSONDecoder().raw_decode(text.lstrip())  # the first value is what counts
    except ValueError as e:
        raise Refused(f"{path}: {e}") from e
    arrays = []

    def level(where, node):
        if not {"metrics", "children", "from", "to"} <= node.keys():
            raise Refused(f"{path}: a level lacks one of its four keys")
        if (node["from"], node["to"]) != (tree["from"], tree["to"]):
            raise Refused(f"{path}: levels of different ranges")
        for metric, m in node["metrics"].items():
            arrays.append((where, metric, m["frequency"], m["start"],
                           [math.nan if v is None else v for v in m["data"]]))
        for name, child in node["children"].items():
            level(where + (name,), child)

    level((), tree)
    return tree["from"], tree["to"], arrays


def read_wal(path):
    """Records up to the first problem, as the reference replays: [(level path, metric, time, value)]"""
    data = path.read_bytes()
    out = []
    if not data:
        return out
    if len(data) < 4 or struct.unpack_from("<I", data)[0] != WAL_MAGIC:
        return out
    at = 4
    while at + 8 <= len(data):
        magic, n = struct.unpack_from("<II", data, at)
        payload = data[at + 8:at + 8 + n]
        if magic != RECORD_MAGIC or not 15 <= n <= 1 << 20 or at + 12 + n > len(data):
            break
        if struct.unpack_from("<I", data, at + 8 + n)[0] != zlib.crc32(payload):
            break
        b = Bytes(payload, path)
        (time,) = b.take("q")
        metric = b.name()
        where = tuple(b.take(f"{b.take('B')[0]}s")[0].decode() for _ in range(b.take("B")[0]))
        out.append((where, metric, time, b.take("f")[0]))
        at += 12 + n
    return out


def choose(names, threshold):
    """findFiles(entries, threshold, newer) of the reference: the names to load, ascending."""
    numbered = []
    for name in names:
        stem, dot, extension = name.partition(".")
        if dot and extension in ("json", "bin"):
            try:
                numbered.append((int(stem), name))
            except ValueError as e:
                raise Refused(f"{name}: no number") from e
    numbered.sort()
    chosen = []
    for i, (number, name) in enumerate(numbered):
        following = numbered[i + 1][0] if i + 1 < len(numbered) else None
        if number >= threshold or (following is not None and number < threshold < following):
            chosen.append(name)
    return chosen


def read_host(directory, metrics, threshold, samples):
    """Adds {(level path, metric, time): value} of one host directory to `samples`."""
    entries = [e for e in sorted(directory.iterdir()) if e.is_file()]
    heads = {}
    for name in choose([e.name for e in entries], threshold):
        path = directory / name
        lower, upper, arrays = (read_snapshot if name.endswith(".bin") else read_json)(path)
        if str(lower) != name.partition(".")[0]:
            raise Refused(f"{path}: covers from {lower}")
        if upper != 0 and upper < threshold:
            continue
        for where, metric, frequency, start, values in arrays:
            if metric not in metrics:
                continue
            if frequency != metrics[metric]:
                raise Refused(f"{path}: {metric} every {frequency} s, configured is {metrics[metric]}")
            if heads.get((where, metric), start) > start:
                raise Refused(f"{path}: {metric} of {where} begins before the file loaded before it")
            heads[where, metric] = start
            for i, v in enumerate(values):
                if not math.isnan(v):
                    samples[where, metric, start + i * frequency] = v
    if directory.joinpath("current.wal").exists():
        for where, metric, time, v in read_wal(directory / "current.wal"):
            if metric in metrics and time >= threshold:
                samples[where, metric, time] = v


def read_tree(root, metrics, threshold):
    """{(cluster, host): {(level path, metric, time): value}}. `metrics`: name -> frequency."""
    out = {}
    for cluster in sorted(root.iterdir()):
        if not cluster.is_dir():
            raise Refused(f"{cluster}: a file where only directories may be")
        for host in sorted(cluster.iterdir()):
            if not host.is_dir():
                raise Refused(f"{host}: a file where only directories may be")
            read_host(host, metrics, threshold, out.setdefault((cluster.name, host.name), {}))
    return {k: v for k, v in out.items() if v}
