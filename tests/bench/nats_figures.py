#!/usr/bin/env python3
"""Samples a second from a publisher through nats-server's JetStream into tarn's log, on one machine.

Messages of --lines lines (the forms that a collector sends) are published with acknowledgement, and the clock runs
from the first publish until tarn has acknowledged the last message, which it does after its log's sync. With
--waiting all is published before tarn starts, so that tarn and the server's delivery are measured alone.
"""

import argparse
import asyncio
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import nats_site  # noqa: E402
import tarn  # noqa: E402
from test_metrics import numbers  # noqa: E402


def messages(n, lines):
    """A host's batches: node metrics and threads, one minute a message."""
    now = int(time.time()) // 60 * 60
    hosts = 100
    out = []
    for k in range(n):
        t = now - 60 * (n // hosts) + 60 * (k // hosts)
        host = f"f{k % hosts:04}"
        out.append((f"ccm.{host}", "".join(
            f"clock,cluster=f,hostname={host},type=hwthread,type-id={i} value={2400 + (i * 7 + k) % 90}.5 {t}\n"
            for i in range(lines)).encode()))
    return out


async def publish(server, batch, window):
    import nats
    c = await nats.connect(server.url)
    js = c.jetstream()
    for at in range(0, len(batch), window):
        await asyncio.gather(*[js.publish(s, b, timeout=60) for s, b in batch[at:at + window]])
    await c.close()


def acked(s):
    m = numbers(s.request("GET", "/metrics").text)
    return sum(v for k, v in m.items() if k.startswith("tarn_nats_acked_total"))


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--messages", type=int, default=6000)
    p.add_argument("--lines", type=int, default=500)
    p.add_argument("--window", type=int, default=256, help="publishes under way")
    p.add_argument("--waiting", action="store_true", help="publish all before tarn starts")
    p.add_argument("--max-ack-pending", type=int, default=1000)
    a = p.parse_args()
    batch = messages(a.messages, a.lines)
    n = a.messages * a.lines
    with tempfile.TemporaryDirectory() as d, nats_site.NatsServer(pathlib.Path(d) / "nats") as server:
        nats_site.add_stream(server, "CCM", ["ccm.>"])
        conf = tarn.config(nats={"address": server.url},
                           metric_store={"checkpoints": {"directory": "./checkpoints"}},
                           tarn={"jetstream": [{"stream": "CCM", "durable": "tarn",
                                                "max-ack-pending": a.max_ack_pending}]})
        if a.waiting:
            asyncio.run(publish(server, batch, a.window))
        began = time.monotonic()
        with tarn.Server(d, conf) as s:
            if not a.waiting:
                began = time.monotonic()
                asyncio.run(publish(server, batch, a.window))
                print(f"published: {n / (time.monotonic() - began):,.0f} samples/s")
            while acked(s) < a.messages:
                time.sleep(0.02)
            took = time.monotonic() - began
            print(f"{n:,} samples in {a.messages:,} messages: {took:.2f} s, {n / took:,.0f} samples/s end to end; "
                  f"tarn {n / cpu_s(s.process.pid):,.0f} samples a second of its CPU, peak {rss_mib(s.process.pid):.0f} MiB; "
                  f"nats-server {n / cpu_s(server.process.pid):,.0f} samples a second of its CPU")


if __name__ == "__main__":
    main()
