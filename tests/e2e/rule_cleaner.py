"""Running `tarn rule-cleaner` against a Site, and holding its outcome against a recording."""

import json
import os
import pathlib
import subprocess

import tarn

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "rule-cleaner"
NOW = "1765000000"
FLAGS = ["TransferDone", "TransferTape", "TapeRulesStatus", "PlineMarkers", "CleanupStatus",
         "TargetStatus", "ForceArchive", "IsClean", "IsLogDBClean", "IsArchivalDelayExpired"]


def load(*parts):
    return json.loads(DATA.joinpath(*parts).read_text())


class Ended:
    """What a run printed: workflows by name, the report, the log."""

    def __init__(self, process):
        self.status, self.log = process.returncode, process.stderr
        assert "Sanitizer" not in self.log and self.status in (0, 1, 2, 3), self.log[-4000:]
        self.lines = [json.loads(line) for line in process.stdout.splitlines()]
        self.flows = {line["RequestName"]: line for line in self.lines if "RequestName" in line}
        self.report = next((line["report"] for line in self.lines if "report" in line), None)


def environment():
    """The caller's, without credentials that would be sent along."""
    hidden = ("X509", "RUCIO", "IAM_TOKEN")
    return {k: v for k, v in os.environ.items() if not k.startswith(hidden)}


def command(tmp_path, site, *words, **config):
    path = tmp_path / "rule-cleaner.json"
    path.write_text(json.dumps(site.config(**config)))
    return [str(tarn.BINARY), "rule-cleaner", *words[:1], "--config", str(path), *words[1:]]


def run_once(tmp_path, site, now=NOW, timeout=120, **config):
    words = command(tmp_path, site, "run", "--once", "--json", "--now", now, **config)
    return Ended(subprocess.run(words, capture_output=True, text=True, timeout=timeout,
                                env=environment()))


def name_of(call):
    """The workflow a write is about; rules are found through the world's dids by the caller."""
    body = call.get("body")
    if call["path"] == "/alerts":
        return body[0]["labels"]["alertname"].rsplit(": ", 1)[1]
    return body["RequestName"] if call["path"] == "/reqmgr2/data/request" else None


def end_state(world):
    return {
        "status": {n: d.get("RequestStatus") for n, d in world["requests"].items()},
        "expired": sorted(i for i, r in world["rules"].items() if "expires_at" in r),
        "rules": sorted(world["rules"]),
        "logdb": sorted(world["logdb"]),
    }


def compare_flow(name, got, want):
    """Flags, rules and result of one workflow (README of the recordings, "How to compare")."""
    want = {**want, **want.get("required", {})}
    result = want["archive"]["result"]
    assert got["result"] == result, (name, got, want)
    if result == "drifted":
        return
    for key in FLAGS:
        assert got[key] == want[key], (name, key, got[key], want[key])
    many = isinstance(want.get("InputDataset"), list)
    order = sorted if many else list
    assert order(got["ParentDataset"]) == order(want["ParentDataset"]), (name, got)
    assert got["RulesToClean"].keys() == want["RulesToClean"].keys(), name
    for p, rules in want["RulesToClean"].items():
        assert order(got["RulesToClean"][p]) == order(rules), (name, p)
    if "target" in want["archive"] and result == "archived":
        assert got["TargetStatus"] == want["archive"]["target"], name


def compare_report(report, required):
    assert report is not None
    wrong = {k: (report.get(k), v) for k, v in required.items() if report.get(k) != v}
    assert not wrong, wrong


def as_write(call):
    """A write without what differs each time."""
    if call["path"] != "/alerts":
        return call["method"], call["path"].rstrip("/"), json.dumps(call.get("body"), sort_keys=True)
    alert = call["body"][0]
    labels = {k: v for k, v in alert["labels"].items() if k != "uuid"}
    return "POST", "/alerts", json.dumps([labels, alert["annotations"]["summary"]], sort_keys=True)


def all_writes(calls):
    return [as_write(c) for c in calls
            if c["method"] == "PUT" or c["path"].rstrip("/").endswith("/_bulk_docs") or
            c["path"] == "/alerts"]


def expected_writes(requests):
    out = []
    for want in requests.values():
        want = {**want, **want.get("required", {})}
        for m in want["mutations"]:
            out.append(as_write(m))
    return out
