"""A server whose system calls the test has in its hand: seam.c, compiled once and preloaded."""

import functools
import os
import pathlib
import shlex
import struct
import subprocess
import tempfile

import tarn

LAYOUT = "=iiiiq"
KINDS = ("write", "sync", "space", "change")


@functools.cache
def library():
    """The path of the compiled library, for this run of the tests."""
    out = pathlib.Path(tempfile.mkdtemp(prefix="tarn-seam-")) / "seam.so"
    source = pathlib.Path(__file__).with_name("seam.c")
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                    "-Werror", "-O1", "-fPIC", "-shared", "-o", str(out), str(source), "-ldl"], check=True)
    return out


class Seam:
    """What the calls of the servers with this environment do; it may change at any time."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "seam.page"
        self.failing = dict.fromkeys(KINDS, 0)
        self.clock_s = 0
        self._put()
        self.env = {"LD_PRELOAD": str(library()), "TARN_SEAM": str(self.path)}

    def _put(self):
        bytes_ = struct.pack(LAYOUT, *(self.failing[k] for k in KINDS), self.clock_s)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(fd, bytes_, 0)
        os.close(fd)

    def fail(self, **kinds):
        """Calls of these kinds fail with this errno from now on: write, sync, space, change."""
        self.failing.update(kinds)
        self._put()

    def heal(self):
        self.failing = dict.fromkeys(KINDS, 0)
        self._put()

    def step_clock(self, seconds):
        self.clock_s += seconds
        self._put()


class Server(tarn.Server):
    def __init__(self, directory, conf, seam, **more):
        super().__init__(directory, conf, env=seam.env, **more)
        self.seam = seam
