"""The manual pages: every command, flag and configuration key is in one, and they are sound mdoc."""

import re
import shutil
import subprocess

import pytest

import tarn

MAN = tarn.ROOT / "man"


def commands():
    found = re.findall(r"^  ([a-z][a-z-]*(?: [a-z]+)?)  ", tarn.run("--help").stdout, re.M)
    assert len(found) >= 13
    return found


def flags_of(command):
    text = tarn.run(*command.split(), "--help").stdout
    return [f for f in re.findall(r"^  --([a-z0-9-]+)", text, re.M) if f != "help"]


def test_every_command_has_a_page_that_names_its_flags():
    overview = (MAN / "tarn.1").read_text()
    for command in commands():
        first = command.split()[0]
        page = (MAN / f"tarn-{first}.1").read_text()
        assert f".Xr tarn-{first} 1" in overview, command
        heading = f".Ss tarn {command}\n"
        assert heading in page, command
        section = re.split(r"(?m)^\.S[sh] ", page.split(heading)[1])[0]
        for flag in flags_of(command):
            assert f".It Fl -{flag}" in section, f"{command} --{flag}"


def test_no_page_names_a_flag_or_command_that_is_not_there():
    known = set(commands())
    for page in MAN.glob("tarn-*.1"):
        for section in page.read_text().split(".Ss tarn ")[1:]:
            command = section.split("\n", 1)[0]
            assert command in known, page.name
            section = re.split(r"(?m)^\.Sh ", section)[0]
            named = re.findall(r"^\.It Fl -([a-z0-9-]+)", section, re.M)
            assert set(named) <= set(flags_of(command)), command


def test_the_page_of_the_configuration_has_every_section_and_key():
    """doc/config.md is held against the tables of keys by a unit test."""
    page = (MAN / "tarn.json.5").read_text()
    document = (tarn.ROOT / "doc" / "config.md").read_text()
    document = document.split("## Keys")[1].split("\n## ")[0]
    for block in re.split(r"(?m)^### ", document)[1:]:
        title = block.split("\n", 1)[0].strip("` ")
        assert f".Ss {title}\n" in page
        section = re.split(r"(?m)^\.S[sh] ", page.split(f".Ss {title}\n")[1])[0]
        keys = re.findall(r"^\| `([^`]+)` \|", block, re.M)
        assert keys
        assert re.findall(r"^\.It Ic (\S+)", section, re.M) == keys, title
        defaults = re.findall(r"^\| `([^`]+)` \|[^|]*\| `([^`]+)` \|", block, re.M)
        for key, default in defaults:
            assert re.search(rf"^\.It Ic {re.escape(key)} Pq .*default {re.escape(default)}$",
                             section, re.M), key


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_the_pages_are_sound():
    pages = sorted(MAN.glob("*.[15]"))
    r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True,
                       text=True)
    assert r.returncode == 0, r.stdout


def test_the_routes_of_jobs_are_described():
    """Those of the store itself are in the OpenAPI document, which a test of its own holds."""
    rows = (tarn.ROOT / "src" / "app" / "job_routes.c").read_text()
    paths = re.findall(r'^    \{"(/[^"]+)"', rows, re.M)
    document = (tarn.ROOT / "doc" / "jobs.md").read_text()
    assert len(paths) >= 13
    assert [p for p in paths if p not in document] == []
