"""Documents through the reader, as they come from a socket: whole, byte by byte, compressed."""

import json
import os
import pathlib
import subprocess

import pytest

from cms_site import Site
from rule_cleaner import NOW, command, environment, load

WAYS = [(0, False), (1, False), (7, True), (1, True)]
SHARED = pathlib.Path(os.environ.get(
    "TARN_SHARED", pathlib.Path(__file__).resolve().parents[3] / "shared"))
WMCORE = SHARED / "golden" / "rule-cleaner" / "docs"


def explain(tmp_path, documents, piece, compress):
    """What `explain` makes of each document: with dry run, in a world where nothing else is known."""
    world = {**load("list-fails", "world.json"), "faults": [], "requests": documents}
    flows = {}
    with Site(world, piece=piece, compress=compress) as site:
        names = list(documents)
        for i in range(0, len(names), 40):
            words = command(tmp_path, site, "explain", "--json", "--now", NOW, *names[i:i + 40])
            r = subprocess.run(words, capture_output=True, text=True, timeout=120,
                               env=environment())
            for line in r.stdout.splitlines():
                line = json.loads(line)
                flows[line["RequestName"]] = line
    return flows


def flat(value):
    """Names of a field in any of the reference's shapes, without null and empty ones."""
    if isinstance(value, list):
        return [x for v in value for x in flat(v)]
    return [value] if value else []


def compare(name, got, want):
    for key in ("InputDataset", "OutputDatasets", "ParentDataset"):
        assert sorted(got[key]) == sorted(flat(want[key])), (name, key, got[key], want[key])
    for key in ("IncludeParents", "ParentageResolved"):
        assert got[key] == bool(want[key]), (name, key)
    assert got["RequestType"] == (want["RequestType"] or ""), name
    assert got["RequestStatus"] == (want["RequestStatus"] or ""), name


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_recorded_case_is_read_as_the_reference_reads_it(tmp_path, way, capsys):
    cases = load("parse", "cases.json")
    documents = {f"case_{i}": {**c["document"], "RequestName": f"case_{i}"}
                 for i, c in enumerate(cases) if "RequestName" in c["document"]}
    flows = explain(tmp_path, documents, *way)
    n = 0
    for i, case in enumerate(cases):
        name = f"case_{i}"
        if name not in documents:
            continue
        assert flows[name]["result"] != "failed", case["case"]
        if "raises" not in case["reference"]:
            compare(case["case"], flows[name], {**case["reference"], **case.get("required", {})})
            n += 1
    with capsys.disabled():
        print(f"\npiece={way[0]} gzip={way[1]}: {n} of {len(cases)} cases compared, the others "
              f"are read without harm")
    assert n >= 30


@pytest.mark.skipif(not WMCORE.exists(), reason="the documents of WMCore are not here")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_sample_documents_of_the_reference_are_read_as_it_reads_them(tmp_path, way, capsys):
    expected = json.loads((WMCORE / "wmcore-expected-parse.json").read_text())
    documents = {}

    def collect(value):
        if isinstance(value, dict):
            if "RequestName" in value and "RequestType" in value:
                documents[value["RequestName"]] = value
            else:
                for v in value.values():
                    collect(v)
        elif isinstance(value, list):
            for v in value:
                collect(v)

    for path in sorted((WMCORE / "wmcore").glob("*.json")):
        collect(json.loads(path.read_text()))
    flows = explain(tmp_path, documents, *way)
    wanted = []

    def find(value):
        if isinstance(value, dict):
            if "PlineMarkers" in value:
                wanted.append(value)
            else:
                for v in value.values():
                    find(v)
        elif isinstance(value, list):
            for v in value:
                find(v)

    find(expected)
    for want in wanted:
        compare(want["RequestName"], flows[want["RequestName"]], want)
    with capsys.disabled():
        print(f"\npiece={way[0]} gzip={way[1]}: {len(wanted)} documents compared")
    assert len(wanted) >= 6
