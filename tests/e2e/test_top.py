"""tarn top: the live view, on a terminal and in a pipe."""

import json
import os
import pty
import select
import subprocess
import time

import tarn


def test_a_pipe_gets_a_head_and_a_line_each_time(server):
    server.write("cpu_load,hostname=h value=1\n")
    r = tarn.run("top", "--url", f"http://127.0.0.1:{server.port}", "--interval", "100ms", "--count", 3)
    assert r.returncode == 0, r.stderr
    head, *lines = r.stdout.splitlines()
    assert head.split()[:3] == ["time", "hosts", "series"] and len(lines) == 3
    assert all(line.split()[1:3] == ["1", "1"] for line in lines)
    assert "\033" not in r.stdout


def test_json_says_what_was_sent_in_between(server):
    url = f"http://127.0.0.1:{server.port}"
    with subprocess.Popen([tarn.BINARY, "top", "--url", url, "--json", "--interval", "300ms"],
                          stdout=subprocess.PIPE, text=True) as top:
        first = json.loads(top.stdout.readline())
        assert first["ready"] == 1 and first["samples_per_s"] == 0
        seen = 0
        until = time.monotonic() + 30
        while seen == 0 and time.monotonic() < until:
            server.write("".join(f"cpu_load,hostname=h{i} value=1\n" for i in range(100)))
            seen = json.loads(top.stdout.readline())["samples_per_s"]
        top.terminate()
    assert seen > 0


def test_a_store_that_is_not_there_or_wants_a_token_is_said(server, tmp_path):
    r = tarn.run("top", "--url", "http://127.0.0.1:9", "--count", 1)
    assert r.returncode == 1 and "tarn top:" in r.stderr


class Terminal:
    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(tarn.BINARY, ["tarn", *map(str, args)], {**os.environ, "TERM": "xterm"})
        self.seen = b""

    def wait_for(self, text):
        until = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < until, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # the other end is closed
                    assert text in self.seen, self.seen
                    return

    def end(self):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal_gets_a_screen_that_q_ends(server):
    t = Terminal("top", "--url", f"http://127.0.0.1:{server.port}", "--interval", "100ms")
    t.wait_for(b"samples in")
    assert b"\033[?1049h" in t.seen
    os.write(t.fd, b"q")
    t.wait_for(b"\033[?1049l")
    assert t.end() == 0


def test_ctrl_c_leaves_the_terminal_as_it_was(server):
    t = Terminal("top", "--url", f"http://127.0.0.1:{server.port}", "--interval", "100ms")
    t.wait_for(b"samples in")
    os.write(t.fd, b"\x03")
    t.wait_for(b"\033[?25h\033[?1049l")
    assert t.end() == 0
