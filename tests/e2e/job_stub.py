"""A stand-in for the job side in front of a tarn: answers the calls about jobs as the specification has them, from
invented jobs that are archived and whose hosts the store has forgotten, and passes everything else on."""

import http.client
import http.server
import json
import math
import threading
import urllib.parse

START = 1_790_000_000
HOSTILE = "<b>&\"user"


def job(number):
    return {"cluster": "demo", "subCluster": "main", "partition": "main", "project": "proj" + str(number % 3),
            "user": HOSTILE if number == 60 else "user" + str(number % 5), "shared": "none",
            "jobState": "completed" if number >= 58 else ("failed", "timeout", "cancelled")[number % 3],
            "tags": [{"type": "app", "name": "gromacs", "scope": "global", "id": 1}] if number % 2 else [],
            "resources": [{"hostname": f"gone{i}"} for i in range(1, 3)], "numNodes": 2, "numAcc": 0, "jobId": 7000 + number, "id": number,
            "startTime": START + 1000 * number, "duration": 3600, "walltime": 7200, "energy": 3.77, "monitoringStatus": 3,
            "footprint": {"cpu_load_avg": 30.25, "flops_any_avg": 696.9}, "metaData": None,
            "statistics": {m: {"avg": 31.0, "min": 11.0, "max": 51.0, "unit": {"base": "F/s", "prefix": "G"}} for m in METRICS}}


METRICS = ("cpu_load", "flops_any")
JOBS = [job(n) for n in range(60, 0, -1)]


def level(hosts, ids, height):
    series = []
    for h in range(hosts):
        for i in range(ids) or [None]:
            data = [round(height + 20 * math.sin(k / 9 + h + (i or 0)), 2) for k in range(60)] + [None]
            known = [v for v in data if v is not None]
            series.append({"hostname": f"gone{h + 1}", **({} if i is None else {"id": str(i)}), "data": data,
                           "statistics": {"avg": round(sum(known) / len(known), 2), "min": min(known), "max": max(known)}})
    return {"unit": {"base": "F/s", "prefix": "G"}, "timestep": 60, "series": series}


def data():
    return {m: {"node": level(2, 0, 31), "core": level(2, 8, 31)} for m in METRICS}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, value, status=200):
        self.answer(status, "application/json", json.dumps(value).encode())

    def jobs(self, path, wanted):
        if path != "/api/jobs/":
            found = [j for j in JOBS if str(j["id"]) == path.rsplit("/", 1)[1]]
            if not found:
                return self.json({"status": "Unprocessable Entity", "error": "finding job failed: no rows"}, 422)
            if found[0]["id"] == 2 and "all-metrics" in wanted:
                return self.json({"status": "Internal Server Error", "error": "the archive is away"}, 500)
            return self.json({"Meta": found[0], "Data": data() if wanted.get("all-metrics") == ["true"] else None})
        found = [j for j in JOBS if all(j[key] in wanted[name] for name, key in (("state", "jobState"), ("cluster", "cluster"), ("project", "project"))
                                        if name in wanted)]
        if "start-time" in wanted:
            first, last = map(int, wanted["start-time"][0].split("-"))
            found = [j for j in found if first <= j["startTime"] <= last]
        size, page = int(wanted["items-per-page"][0]), int(wanted["page"][0])
        return self.json({"jobs": found[size * (page - 1):size * page], "items": size, "page": page})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/web/about.json":
            return self.json({"jobs": True})
        if url.path.startswith("/api/jobs/"):
            return self.jobs(url.path, urllib.parse.parse_qs(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        c = http.client.HTTPConnection("127.0.0.1", self.server.behind)
        try:
            c.request(self.command, self.path, body or None)
            a = c.getresponse()
            return self.answer(a.status, a.getheader("Content-Type") or "text/plain", a.read())
        finally:
            c.close()

    do_POST = do_GET


class Front:
    """Use as a context manager; `port` is where it listens."""

    def __init__(self, server):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.behind = server.port
        self.port = self.http.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()
