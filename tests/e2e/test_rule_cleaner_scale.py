"""The rule cleaner at size: memory that does not grow, chunks in parallel. Figures are printed.

The site makes documents on the fly, from one text, in a process of its own, so that its work and memory are not
the cleaner's. All documents have drifted (their status is not swept), so what is measured is listing, fetching and
reading."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import threading
import time

import pytest

import tarn
from cms_site import Answer, Site
from rule_cleaner import NOW, command, environment, load

MIB = 1 << 20

# Their own memory and time would be measured.
pytestmark = pytest.mark.skipif(
    any(mark in tarn.BINARY.read_bytes() for mark in (b"__asan_init", b"__tsan_init")),
    reason="figures count only without sanitizers")


def filler(size):
    """Members as they are in request documents, `size` bytes of them."""
    row = '"Task%d": {"TaskName": "step", "Memory": 2300, "Campaign": "Run3Summer22", "Multicore": 4, ' \
          '"LumiList": {"1": [[1, 27], [29, 41]]}, "Site": ["T1_US_FNAL", "T2_CH_CERN"]}, '
    return ", ".join((row % i).rstrip(", ") for i in range(max(1, size // len(row))))


def make_docs(size, status="completed"):
    """An answer made of documents of that many bytes each; the text in the middle is made once."""
    middle, status = filler(size).encode(), status.encode()

    def docs(names):
        parts = [b'{"result": [\n {']
        for i, name in enumerate(names):
            n = name.encode()
            parts.append(b'%s"%s": {"RequestName": "%s", "RequestStatus": "%s", '
                         b'"RequestType": "TaskChain", "OutputDatasets": ["/A/B/C"], %s}'
                         % (b", " if i else b"", n, n, status, middle))
        parts.append(b"}\n]}\n")
        return Answer(200, b"".join(parts), headers={"X-REST-Status": "100"})

    return docs


def names_of(n):
    return [f"pdmvserv_task_HIG-RunIISummer20UL18wmLHEGEN-{i:07d}__v1_T_220822_105010_{i % 9999:04d}"
            for i in range(n)]


def serve(pipe, n, size, latency_s, status):
    world = {**load("list-fails", "world.json"), "requests": {}, "faults": [],
             "list_extra": {"announced": names_of(n)}}
    site = Site({**world, "list_extra": {}}, latency_s=latency_s, docs=make_docs(size, status))
    site.world["list_extra"] = world["list_extra"]  # a copy of a large list would only cost time
    site.keeps_calls = False
    with site:
        pipe.send(site.config())
        pipe.recv()


class Remote:
    """A site in another process; only its configuration is known here."""

    def __init__(self, conf):
        self.conf = conf

    def config(self, **data):
        return {**self.conf, "data": {**self.conf["data"], **data}}


@contextlib.contextmanager
def remote_site(n, size, latency_s=0, status="completed"):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, n, size, latency_s, status),
                                      daemon=True)
    process.start()
    try:
        yield Remote(here.recv())
    finally:
        here.send(None)
        process.join(10)
        process.kill()


def watch_peak(pid, peaks):
    """The kernel's own high-water mark, as long as there is one. (ru_maxrss would count what this
    interpreter held when it forked.)"""
    with contextlib.suppress(OSError, StopIteration):
        while True:
            with open(f"/proc/{pid}/status") as f:
                peaks.append(next(int(line.split()[1]) for line in f if line.startswith("VmHWM")))
            time.sleep(0.005)


class Measured:
    def __init__(self, words):
        began = time.monotonic()
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=environment()) as process:
            peaks, last = [], b""
            watcher = threading.Thread(target=watch_peak, args=(process.pid, peaks))
            watcher.start()
            for line in process.stdout:
                last = line
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            watcher.join()
        self.seconds = time.monotonic() - began
        self.peak = max(peaks) * 1024
        self.cpu = usage.ru_utime + usage.ru_stime
        self.user = usage.ru_utime
        self.status = process.returncode
        self.report = json.loads(last)["report"]


def sweep(tmp_path, site, **config):
    return Measured(command(tmp_path, site, "run", "--once", "--json", "--now", NOW, **config))


# Workflows, bytes of a document, bound on the peak of resident memory. The last size is not that of documents.
SIZES = [(10_000, 14_000, 24 * MIB), (50_000, 14_000, 24 * MIB), (300, 8 * MIB, 32 * MIB)]


@pytest.mark.parametrize("n,size,bound", SIZES, ids=lambda v: str(v))
def test_memory_depends_on_neither_number_nor_size_of_documents(tmp_path, capsys, n, size, bound):
    with remote_site(n, size) as site:
        chunk = 100 if size < MIB else 4  # the site holds a whole answer, the cleaner does not
        m = sweep(tmp_path, site, requestChunkSize=chunk)
        with capsys.disabled():
            print(f"\n{n} workflows of {size} bytes: peak {m.peak / MIB:.1f} MiB (bound "
                  f"{bound / MIB:.0f}), {m.seconds:.1f} s, {m.cpu / n * 1000:.3f} ms CPU a "
                  f"workflow ({m.user / n * 1000:.3f} ms of it user)")
        assert m.report["drifted_num_requests"] == n and m.report["error"] == ""
        assert m.peak <= bound


def test_workflows_that_are_worked_off_cost_no_more(tmp_path, capsys):
    n, bound = 1_500, 24 * MIB
    with remote_site(n, 14_000, status="rejected") as site:
        m = sweep(tmp_path, site, workflowWorkers=8)
        with capsys.disabled():
            print(f"\n{n} workflows with all their calls: peak {m.peak / MIB:.1f} MiB (bound "
                  f"{bound / MIB:.0f}), {m.seconds:.1f} s, {m.cpu / n * 1000:.2f} ms CPU a workflow")
        assert m.report["total_num_requests"] == m.report["clean_num_requests"] == n
        assert m.peak <= bound


def test_a_million_listed_names_cost_their_filter(tmp_path, capsys):
    n, size, bound = 1_200_000, 0, 48 * MIB
    with remote_site(n, size) as site:
        words = command(tmp_path, site, "run", "--once", "--json", "--now", NOW,
                        requestChunkSize=1000)
        m = Measured(words)
        with capsys.disabled():
            print(f"\n{n} listed names: peak {m.peak / MIB:.1f} MiB (bound {bound / MIB:.0f}), "
                  f"{m.seconds:.1f} s, {m.report['drifted_num_requests']} documents")
        assert m.report["drifted_num_requests"] == n
        assert m.peak <= bound


def test_four_chunks_in_flight_take_at_most_a_third_of_the_time_of_one(tmp_path, capsys):
    seconds = {}
    with remote_site(2_000, 2_000, latency_s=0.05) as site:
        for k in (1, 4):
            m = sweep(tmp_path, site, requestChunksInFlight=k, requestChunkSize=20)
            seconds[k] = m.report["execution_time"]
    with capsys.disabled():
        print(f"\n100 chunks, 50 ms latency: K=1 {seconds[1]:.2f} s, K=4 {seconds[4]:.2f} s, "
              f"ratio {seconds[4] / seconds[1]:.2f}")
    assert seconds[4] <= seconds[1] / 3
