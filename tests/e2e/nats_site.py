"""A real nats-server on loopback, and publishers for it."""

import asyncio
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

BINARY = shutil.which("nats-server")
DEADLINE_S = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def needed():
    """Skips the calling test where the server or its client is not installed."""
    if not BINARY:
        pytest.skip("nats-server is not installed")
    return pytest.importorskip("nats")


class NatsServer:
    """The port stays over restarts, and so does what JetStream stored."""

    def __init__(self, directory, more=""):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.conf = self.directory / "server.conf"
        self.conf.write_text(
            f"listen: 127.0.0.1:{self.port}\n"
            f"jetstream {{ store_dir: {json.dumps(str(self.directory / 'jetstream'))} }}\n{more}\n")
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop(hard=True)

    def start(self):
        with open(self.directory / "log.txt", "ab") as log:
            self.process = subprocess.Popen([BINARY, "-c", str(self.conf)], stdout=log, stderr=log)
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.directory / "log.txt").read_text()
                assert time.monotonic() < until, "nats-server does not answer"
                time.sleep(0.01)

    def stop(self, hard=False):
        if self.process:
            self.process.kill() if hard else self.process.terminate()
            self.process.wait(DEADLINE_S)
            self.process = None


async def _quiet(error):
    """Lost connections are what these tests are about."""


async def _connected(server, **options):
    import nats
    return await nats.connect(server.url, error_cb=_quiet, max_reconnect_attempts=-1,
                              reconnect_time_wait=0.05, **options)


def publish(server, messages, **options):
    """Plain messages, [(subject, text)]; returns when the server has them."""
    async def run():
        c = await _connected(server, **options)
        for subject, text in messages:
            await c.publish(subject, text.encode())
        await c.flush()
        await c.close()
    asyncio.run(run())


def add_stream(server, name, subjects, **options):
    async def run():
        c = await _connected(server)
        js = c.jetstream()
        await js.add_stream(name=name, subjects=subjects, **options)
        await c.close()
    asyncio.run(run())


def js_publish(server, messages, window=256):
    """Messages with acknowledgement, `window` of them under way."""
    async def run():
        c = await _connected(server)
        js = c.jetstream()
        for at in range(0, len(messages), window):
            await asyncio.gather(*[js.publish(subject, text.encode(), timeout=DEADLINE_S)
                                   for subject, text in messages[at:at + window]])
        await c.close()
    asyncio.run(run())


class Publisher(threading.Thread):
    """Publishes into a stream until told to stop, through outages of the server: a message without
    acknowledgement is sent again. `acked` has what the server answered for."""

    def __init__(self, server, make, pause_s=0.002):
        super().__init__(daemon=True)
        self.server, self.make, self.pause_s = server, make, pause_s
        self.acked, self.ending, self.trouble = [], threading.Event(), None

    def run(self):
        try:
            asyncio.run(self.publish())
        except Exception as e:  # shown by the test, in its own thread
            self.trouble = e

    async def publish(self):
        c = await _connected(self.server)
        js = c.jetstream()
        k = 0
        while not self.ending.is_set():
            subject, text = self.make(k)
            while True:
                try:
                    await js.publish(subject, text.encode(), timeout=0.5)
                    break
                except Exception:
                    if self.ending.is_set():
                        await c.close()
                        return
                    await asyncio.sleep(0.02)
            self.acked.append(k)
            k += 1
            await asyncio.sleep(self.pause_s)
        await c.close()

    def end(self):
        self.ending.set()
        self.join(DEADLINE_S)
        assert not self.trouble, self.trouble
        return self.acked
