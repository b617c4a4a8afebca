"""Hooks of archived jobs, an address and an executable: what they get, and that what they do costs no job."""

import contextlib
import http.server
import json
import socket
import threading
import time

import tarn
from test_archiver import Site

FAILED = "tarn_jobs_hooks_failed_total"
TIMEOUT_S = 4
# What the endpoint does, by the job's number; and the words about it in the log, None where all is well.
OF_URL = {
    4001: ("ok", None), 4002: ("no content", None), 4003: ("500", "the hook's endpoint answered 500"),
    4004: ("redirect", "the hook's endpoint answered 302"), 4005: ("cut", "mpty reply from server"),
    4006: ("cut head", "the answer ends within its head"), 4007: ("hang", "timed out"), 4008: ("drip", "timed out"),
    4009: ("endless", None), 4010: ("babble", "HTTP/0.9"), 4011: ("ok", None),
}
OF_COMMAND = {
    4012: ("cat >/dev/null", None), 4013: ("exit 3", "ended with status 3"), 4014: ("kill -9 $$", "ended with signal 9"),
    4015: ("exec <&-", None), 4016: ("sleep 1000", f"took longer than {TIMEOUT_S}000 ms"),
    4017: ("sleep 1000 & exit 4", "ended with status 4"), 4018: ("cat >/dev/null", None),
}


class Endpoint:
    """Notes each request whole, and what the database and the archive say of its job meanwhile."""

    def __init__(self, acts=None):
        self.seen, self.acts, self.site, self.ended = [], acts or {}, None, threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                outer.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *args):  # the other side gives some of these up
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/archived?by=tarn"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, h):
        body = h.rfile.read(int(h.headers["Content-Length"]))
        job_id = json.loads(body)["jobId"]
        self.seen.append({"path": h.path, "type": h.headers["Content-Type"], "body": json.loads(body),
                          "state": self.site.states()[job_id], "archived": self.site.read(job_id)[0]})
        getattr(self, self.acts.get(job_id, ("ok", None))[0].replace(" ", "_").replace("500", "error"))(h)
        h.close_connection = True

    def raw(self, h, text):
        h.wfile.write(text.encode())
        h.wfile.flush()

    def ok(self, h):
        self.raw(h, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def no_content(self, h):
        self.raw(h, "HTTP/1.1 204 No Content\r\n\r\n")

    def error(self, h):
        self.raw(h, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")

    def redirect(self, h):
        self.raw(h, f"HTTP/1.1 302 Found\r\nLocation: {self.url}\r\nContent-Length: 0\r\n\r\n")

    def cut(self, h):
        h.connection.shutdown(socket.SHUT_RDWR)

    def cut_head(self, h):
        self.raw(h, "HTTP/1.1 200 OK\r\nContent-Le")
        h.connection.shutdown(socket.SHUT_RDWR)

    def hang(self, h):
        self.ended.wait()

    def drip(self, h):
        self.raw(h, "HTTP/1.1 200 OK\r\nX: ")
        while not self.ended.wait(0.2):
            self.raw(h, "x")

    def endless(self, h):
        self.raw(h, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not self.ended.is_set():
            self.raw(h, "x" * 65536)

    def babble(self, h):
        self.raw(h, "this is no HTTP\r\n\r\n")


def until(condition, why=""):
    end = time.monotonic() + 4 * tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < end, why() if callable(why) else why
        time.sleep(0.02)


def check_all(site, acts):
    """Every job is archived whole and once, each failure is counted and told, nothing else is."""
    s = site.server
    site.wait(list(acts))
    failures = {job_id: words for job_id, (_, words) in acts.items() if words}
    until(lambda: s.metrics()[FAILED] == len(failures), lambda: (s.metrics()[FAILED], s.log()[-3000:]))
    numbers = s.metrics()
    assert numbers["tarn_jobs_archived_total"] == len(acts)
    assert numbers["tarn_jobs_failed_total"] == numbers["tarn_jobs_retried_total"] == 0
    with site.database() as db:
        rows = dict(db.execute("SELECT id, job_id FROM job"))
        assert db.execute("SELECT count(*) FROM tarn_archive").fetchone()[0] == 0
    warned = {}
    for line in s.log().splitlines():
        if "[ARCHIVER]> job with id" in line and "archived without" not in line:
            row, words = line.split("job with id ")[1].split(": ", 1)
            warned[rows[int(row)]] = words
    assert warned  # of many within ten seconds the log leaves some out
    for job_id, words in warned.items():
        assert failures[job_id] in words, (job_id, words)
    for job_id in acts:
        site.check_whole(job_id)


def test_both_get_each_archived_job_once_and_nothing_that_they_do_costs_one(tmp_path):
    hook, acts = tmp_path / "hook", {**OF_URL, **OF_COMMAND}
    cases = "".join(f"{job_id}) {script};;\n" for job_id, (script, _) in OF_COMMAND.items())
    hook.write_text("#!/bin/sh\nread -r line\nid=${line#*\\\"jobId\\\":}\nid=${id%%,*}\n"
                    f"echo $id >>{tmp_path}/seen\ncase $id in\n{cases}esac\n")
    hook.chmod(0o755)
    with Endpoint(OF_URL) as endpoint:
        site = endpoint.site = Site(tmp_path, workers=6, **{
            "hook-command": str(hook), "hook-url": endpoint.url, "hook-timeout": f"{TIMEOUT_S}s"})
        with site.server:
            site.feed()
            site.end_jobs(min(acts), len(acts))
            check_all(site, acts)
        assert sorted(seen["body"]["jobId"] for seen in endpoint.seen) == sorted(acts)
        for seen in endpoint.seen:
            assert (seen["path"], seen["type"], seen["state"]) == ("/archived?by=tarn", "application/json", 3)
            assert seen["body"] == seen["archived"]
    assert sorted(map(int, (tmp_path / "seen").read_text().split())) == sorted(acts)


def test_an_address_at_which_nobody_listens_costs_no_job_and_is_told_without_its_secret(tmp_path):
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))  # and does not listen: nobody else gets the port meanwhile
        url = f"http://hook:open-sesame@127.0.0.1:{s.getsockname()[1]}/?token=open-sesame"
        site = Site(tmp_path, **{"hook-url": url})
        with site.server:
            site.feed()
            site.end_jobs(4001, 3)
            check_all(site, {job_id: ("refused", "connect") for job_id in (4001, 4002, 4003)})
        assert "open-sesame" not in site.server.log()


def test_a_server_that_ends_while_a_hook_hangs_has_the_job_archived_and_does_not_call_again(tmp_path):
    with Endpoint({4001: ("hang", None), 4002: ("hang", None)}) as endpoint:
        site = endpoint.site = Site(tmp_path, workers=1, **{
            "hook-url": endpoint.url, "hook-timeout": "1h", "stop-timeout": "0s"})
        with site.server as s:
            site.feed()
            site.end_jobs(4001, 3)
            until(lambda: endpoint.seen, lambda: s.log()[-3000:])
            s.process.kill()
            s.process.wait()
            assert site.states() == {4001: 3, 4002: 1, 4003: 1}
            s.start()
            until(lambda: len(endpoint.seen) == 2, lambda: s.log()[-3000:])
            assert s.stop() == 0
            assert site.states() == {4001: 3, 4002: 3, 4003: 1}
            s.start()
            site.wait([4003])
            until(lambda: len(endpoint.seen) == 3, lambda: s.log()[-3000:])
        assert [seen["body"]["jobId"] for seen in endpoint.seen] == [4001, 4002, 4003]
        for job_id in (4001, 4002, 4003):
            site.check_whole(job_id)
