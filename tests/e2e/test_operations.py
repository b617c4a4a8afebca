"""The operators' documents are true: alert rules, log lines, sizes."""

import re
import shutil
import subprocess

import pytest

import tarn

RULES = tarn.ROOT / "packaging" / "prometheus"
OPERATIONS = (tarn.ROOT / "doc" / "operations.md").read_text()
# Other commands than the server; the job side, whose lines the manual names by kind.
NOT_SERVER = re.compile(r"cleaner|/sweep/|chunk_fetch|cmd_rule|/jobs/|/archiver|/job|/retention|/nodestate")


def promtool(*args):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    r = subprocess.run(["promtool", *args], capture_output=True, text=True, cwd=RULES)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def alerts():
    names = re.findall(r"- alert: (\S+)", (RULES / "tarn.rules.yml").read_text())
    assert len(names) >= 20
    return names


def test_the_alert_rules_are_sound():
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "tarn.rules.yml")


def test_every_alert_fires_on_its_fault_and_none_on_a_sound_store():
    tests = (RULES / "tarn.rules.test.yml").read_text()
    well = tests.split("a store that is well")[1]
    for name in alerts():
        assert f"- name: {name} fires" in tests and f"alertname: {name}\n" in well
    promtool("test", "rules", "tarn.rules.test.yml")


def test_every_alert_is_in_the_manual_and_speaks_of_metrics_that_exist():
    metrics = (tarn.ROOT / "doc" / "metrics.md").read_text()
    for name in alerts():
        assert f"| `{name}` |" in OPERATIONS, name
    for name in re.findall(r"tarn_[a-z0-9_]+", (RULES / "tarn.rules.yml").read_text()):
        assert f"`{name.removesuffix('_bucket')}`" in metrics, name


def literals(call):
    """The pieces of a call's string literals between their conversions."""
    call = re.sub(r'"\s*PRI\w+\s*"', "d", call)
    return [piece for text in re.findall(r'"((?:[^"\\]|\\.)*)"', call)
            for piece in re.split(r"%[-+#0-9.*l]*(?:zu|[a-zA-Z])", text)]


def log_calls():
    for path in sorted((tarn.ROOT / "src").rglob("*.c")):
        if NOT_SERVER.search(str(path)):
            continue
        text = path.read_text()
        for m in re.finditer(r"\bta_logf\(((?:\"(?:[^\"\\]|\\.)*\"|[^\";])*);", text):
            yield path.name, literals(m.group(1))


def test_every_log_line_of_the_server_is_in_the_manual():
    n = 0
    for name, pieces in log_calls():
        for piece in pieces:
            piece = piece.strip(" .:()")
            if len(piece) >= 12:
                n += 1
                assert piece in OPERATIONS, f"{name}: {piece!r} is not in doc/operations.md"
    assert n > 50


def test_the_sizes_in_the_manual_are_those_that_the_command_prints():
    text = (tarn.ROOT / "doc" / "sizing.md").read_text()
    rows = re.findall(r"^\| `tarn (bench size [^`]*)` \| ([0-9.]+) \| ([0-9.]+) GiB \| (\d+) \|", text, re.M)
    assert len(rows) >= 4
    for command, per_sample, gib, cap in rows:
        said = tarn.run(*command.split()).stdout
        # Where the newest buffers end depends on the time of day.
        assert float(re.search(r"([0-9.]+) bytes a sample", said)[1]) == pytest.approx(float(per_sample), rel=0.05)
        size, unit = re.search(r"series: ([0-9.]+) ([MG]iB)", said).groups()
        assert float(size) / (1024 if unit == "MiB" else 1) == pytest.approx(float(gib), rel=0.05, abs=0.01), command
        assert re.search(r"memory-cap to about (\d+)", said)[1] == cap, command
