"""Stand-in for the services around the rule cleaner: ReqMgr2, WMStats, MSOutput, DBS, LogDB, Rucio, alerts.

A Site answers from one world (a dict, see tests/data/rule-cleaner/README.md) on a free port of loopback, keeps
every call, and can be told to be slow, to send in small pieces, to compress, or to cut answers short."""

import copy
import gzip
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote_plus, urlsplit

NOT_FOUND = {"rule": "RuleNotFound", "did": "DataIdentifierNotFound"}


class Answer:
    def __init__(self, status, body=b"", ctype="application/json", headers=None, trailer=None):
        self.status, self.ctype = status, ctype
        self.body = body if isinstance(body, bytes) else body.encode()
        self.headers, self.trailer = headers or {}, trailer


def as_json(value, status=200):
    return Answer(status, json.dumps(value))


def as_result(rows):
    """The line layout of CMS services."""
    lines = "".join((" " if i == 0 else ",") + json.dumps(r) + "\n" for i, r in enumerate(rows))
    return Answer(200, '{"result": [\n' + lines + "]}\n", headers={"X-REST-Status": "100"})


def as_lines(rows):
    return Answer(200, "".join(json.dumps(r) + "\n" for r in rows), "application/x-json-stream")


def as_error(status, app=403, detail="injected"):
    return Answer(status, f"<html>{detail}</html>", "text/html", {
        "X-REST-Status": str(app), "X-Error-HTTP": str(status), "X-Error-Detail": detail})


def as_rucio_error(status, name, detail="injected"):
    return Answer(status, json.dumps({"ExceptionClass": name, "ExceptionMessage": detail}),
                  headers={"ExceptionClass": name})


class Site:
    """Use as a context manager. `docs(names)` may stand in for world["requests"] in fetches."""

    def __init__(self, world, latency_s=0, piece=0, compress=False, docs=None):
        self.world = copy.deepcopy(world)
        self.latency_s, self.piece, self.compress, self.docs = latency_s, piece, compress, docs
        self.cut = None  # (method, url regex, bytes): matching answers end after so many bytes
        self.calls = []
        self.keeps_calls = True
        self.lock = threading.Lock()

    def __enter__(self):
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def serve(self):
                try:
                    site.serve(self)
                except OSError:  # the other side was killed, or we cut the answer
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = serve

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def config(self, **data):
        b = self.base
        return {"main": {"port": 0}, "data": {
            "reqmgr2Url": b + "/reqmgr2", "wmstatsUrl": b + "/wmstatsserver",
            "msOutputUrl": b + "/ms-output", "logDBUrl": b + "/couchdb/wmstats_logdb",
            "dbsUrl": b + "/dbs/int/global/DBSReader", "rucioUrl": b + "/rucio",
            "rucioAuthUrl": b + "/rucio-auth", "alertManagerUrl": b + "/alerts",
            "rucioAccount": "wma_test", "rucioWmaAccount": "wma_test",
            "rucioMStrAccount": "wmcore_transferor", "logDBReporter": "reqmgr2ms_ruleCleaner",
            "verbose": False, **data}}

    def writes(self):
        return [c for c in self.calls if c["method"] == "PUT" or "/_bulk_docs" in c["path"]]

    # ---- one exchange

    def serve(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        parts = urlsplit(h.path)
        query = parse_qsl(parts.query, keep_blank_values=True)
        call = {"method": h.command, "path": parts.path, "query": dict(query)}
        if body:
            call["body"] = json.loads(body)
        if self.keeps_calls and not parts.path.startswith("/rucio-auth"):
            with self.lock:
                self.calls.append(call)
        if self.latency_s:
            time.sleep(self.latency_s)
        answer = self.fault(h.command, h.path, body) or self.answer(
            h.command, parts.path, query, call.get("body"))
        call["status"] = answer.status
        self.send(h, answer)

    def send(self, h, a):
        body, headers = a.body, dict(a.headers)
        if self.compress and body and "gzip" in h.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        h.send_response(a.status)
        h.send_header("Content-Type", a.ctype)
        for name, value in headers.items():
            h.send_header(name, value)
        if a.trailer:
            h.send_header("Trailer", ", ".join(a.trailer))
            h.send_header("Transfer-Encoding", "chunked")
            end = "".join(f"{k}: {v}\r\n" for k, v in a.trailer.items()).encode()
            body = b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, end)
        else:
            h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        cut = self.cut
        if cut and h.command == cut[0] and re.search(cut[1], unquote_plus(h.path)):
            h.wfile.write(body[:cut[2]])
            h.close_connection = True
            h.connection.shutdown(socket.SHUT_RDWR)
            return
        if not self.piece:
            h.wfile.write(body)
        for i in range(0, len(body) if self.piece else 0, self.piece or 1):
            h.wfile.write(body[i:i + self.piece])

    def fault(self, method, url, body):
        for f in self.world.get("faults", []):
            if f["method"] != method or not re.search(f["url"], unquote_plus(url)):
                continue
            if f.get("body_has") and f["body_has"].encode() not in body:
                continue
            if f.get("min_names") and len(json.loads(body)) < f["min_names"]:
                continue
            if f.get("times") is not None:
                with self.lock:
                    if f["times"] <= 0:
                        continue
                    f["times"] -= 1
            if f.get("trailer"):
                return Answer(200, f["raw"], headers={"X-REST-Status": "100"},
                              trailer=f["trailer"])
            if f.get("rucio"):
                return as_rucio_error(f["status"], f["rucio"])
            if f.get("raw") is not None:
                return Answer(f["status"], f["raw"], f.get("ctype", "application/json"))
            return as_error(f["status"], f.get("app", 403), f.get("detail", "injected"))
        return None

    def answer(self, method, path, query, body):
        with self.lock:
            for prefix, call in (("/reqmgr2/data/", self.reqmgr), ("/couchdb/", self.logdb),
                                 ("/rucio/", self.rucio)):
                if path.startswith(prefix):
                    return call(method, path[len(prefix):], query, body)
            return self.others(path, dict(query))

    # ---- the services

    def fetch(self, names):
        if self.docs:
            return self.docs(names)
        return as_result([found] if (found := {
            n: self.world["requests"][n] for n in names if n in self.world["requests"]}) else [])

    def reqmgr(self, method, what, query, body):
        w = self.world
        if what == "parentlocks":
            return as_result([{"parentlocks": w["parentlocks"], "ConfigType": "PARENT_LOCKS"}])
        if what == "request/bynames" and method == "POST":
            return self.fetch(body)
        if what == "request" and method == "GET":
            status = [v for k, v in query if k == "status"]
            if not status:
                return self.fetch([v for k, v in query if k == "name"])
            names = [n for n, d in w["requests"].items()
                     if w.get("listed_status", {}).get(n, d.get("RequestStatus")) in status]
            for s in status:
                names += w.get("list_extra", {}).get(s, [])
            return as_result(names)
        if what == "request" and method == "PUT":
            return self.change_status(body["RequestName"], body["RequestStatus"])
        return as_error(404, 207, "API not supported")

    def change_status(self, name, target):
        w, doc = self.world, self.world["requests"].get(name)
        if not doc or target not in w["transitions"].get(doc["RequestStatus"], []):
            return as_error(400, 1102, "InvalidStateTransition")
        if name in w.get("put_error_names", []):
            return as_result([{name: "ERROR"}])
        doc["RequestStatus"] = target
        doc.setdefault("RequestTransition", []).append(
            {"Status": target, "UpdateTime": w["now"], "DN": ""})
        return as_result([{name: "OK"}])

    def logdb(self, method, what, query, body):
        log = self.world["logdb"]
        if "/_view/requests" in what:
            name = json.loads(dict(query)["startkey"])[0]
            rows = [{"id": i, "key": [d["request"], d["type"]], "value": None}
                    for i, d in log.items() if d["request"] == name]
            return as_json({"total_rows": len(log), "offset": 0, "rows": rows})
        if what.endswith("/_all_docs"):
            return as_json({"rows": [
                {"id": k, "key": k, "value": {"rev": "1-a"}} if k in log
                else {"key": k, "error": "not_found"} for k in body["keys"]]})
        for doc in body["docs"]:
            log.pop(doc["_id"], None)
        return as_json([{"ok": True, "id": d["_id"], "rev": "2-b"} for d in body["docs"]], 201)

    def rucio(self, method, what, query, body):
        rules, dids = self.world["rules"], self.world["dids"]
        if what == "rules/":
            return as_lines([{k: v for k, v in r.items() if k[0] != "_"} for r in rules.values()
                             if all(str(r.get(k)) == v for k, v in query)])
        if what.startswith("rules/"):
            return self.rule(method, rules.get(what[6:]), what[6:])
        found = re.match(r"dids/cms/([^/]+)(/dids)?$", what)
        did = dids.get(unquote_plus(found[1])) if found else None
        if found and found[2]:
            return as_lines([{"scope": "cms", "name": n, "type": "DATASET", "bytes": None}
                             for n in (did or {}).get("content", [])])
        if did is None:
            return as_rucio_error(404, NOT_FOUND["did"])
        return as_json({"scope": "cms", "name": unquote_plus(found[1]), "type": did["type"]})

    def rule(self, method, rule, name):
        if rule is None or (rule.get("_gone") and method == "PUT"):
            self.world["rules"].pop(name, None)
            return as_rucio_error(404, NOT_FOUND["rule"])
        if method == "GET":
            return as_json(rule)
        if rule.get("_fail"):
            return as_rucio_error(500, "RucioException")
        rule["expires_at"] = "Mon, 01 Dec 2025 00:00:00 UTC"
        return Answer(200)

    def others(self, path, query):
        w = self.world
        if path == "/wmstatsserver/data/globallocks":
            return as_result(w["globallocks"])
        if path == "/ms-output/data/info":
            name = query.get("request")
            return as_result([{"microservice": "MSManager", "request": name,
                               "transferDoc": w["msoutput"].get(name)}])
        if path.endswith("/datasetparents"):
            name = query["dataset"]
            return as_json([{"parent_dataset_id": 1000 + i, "this_dataset": name,
                             "parent_dataset": p}
                            for i, p in enumerate(w["dbsparents"].get(name, []))])
        if path.startswith("/alerts"):
            return as_json({"status": "success"})
        if path.startswith("/rucio-auth/auth/"):
            return Answer(200, headers={
                "X-Rucio-Auth-Token": "tok-1",
                "X-Rucio-Auth-Token-Expires": "Thu, 01 Jan 2099 00:00:00 UTC"})
        return as_error(404, 207, "API not supported")
