"""doc/recipes.md and doc/migration.md: each block is run."""

import json
import os
import re
import shutil
import socket
import subprocess

import pytest

import tarn

TREE = tarn.ROOT / "tests" / "data" / "archive" / "trees" / "json"


def blocks(page, *languages):
    text = (tarn.ROOT / "doc" / page).read_text()
    return [(m.group(2), re.sub(rf"(?m)^{m.group(1)}", "", m.group(3)))
            for m in re.finditer(r"(?ms)^( *)```(\w+)\n(.*?)^ *```", text) if m.group(2) in languages]


RECIPES = blocks("recipes.md", "sql", "python")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    top = tmp_path_factory.mktemp("recipes")
    for layout, name in (("flat", "archive"), ("hive", "hive")):
        r = tarn.run("archive", "--checkpoints", TREE, "--archive", top / name, "--state", top / f"state-{name}",
                     "--layout", layout, "--keep", "--value-encoding", "plain", "--quiet")
        assert r.returncode == 0, r.stderr
    return top


@pytest.mark.parametrize("language,text", RECIPES, ids=[f"{i}-{lang}" for i, (lang, _) in enumerate(RECIPES)])
def test_a_recipe_gives_rows(archives, monkeypatch, language, text):
    monkeypatch.chdir(archives)
    if language == "sql":
        assert pytest.importorskip("duckdb").sql(text).fetchall()
        return
    for module in re.findall(r"(?m)^(?:from|import) (\w+)", text):
        pytest.importorskip(module)
    names = {}
    exec(compile(text, "doc/recipes.md", "exec"), names)  # our own document
    assert len(names["result"]) > 0


def test_every_engine_of_the_page_has_a_recipe():
    assert sum(lang == "sql" for lang, _ in RECIPES) >= 3
    for word in ("polars", "pyarrow", "pyspark"):
        assert any(word in text for _, text in RECIPES)


def test_the_migration_there_and_back_works_step_by_step(tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    shutil.copytree(TREE, tmp_path / "checkpoints")
    names = json.loads(next((tmp_path / "checkpoints").rglob("*.json")).read_text())["metrics"]
    conf = tarn.config(main={"addr": f"127.0.0.1:{port}"},
                       metric_store={"retention-in-memory": "900000h", "memory-cap": 1,
                                     "checkpoints": {"directory": "./checkpoints", "file-format": "json"}})
    conf["metrics"] = {n: {"frequency": 60, "aggregation": "avg"} for n in {*names, *tarn.METRICS}}
    (tmp_path / "config.json").write_text(json.dumps(conf))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tarn").symlink_to(tarn.BINARY)
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "URL": f"http://127.0.0.1:{port}"}
    steps, said = blocks("migration.md", "sh"), []
    assert len(steps) >= 9
    try:
        for _, step in steps:
            r = subprocess.run(["bash", "-euc", step], cwd=tmp_path, env=env, text=True, timeout=60,
                               stdin=subprocess.DEVNULL, capture_output=True)
            assert r.returncode == 0, f"{step}\n{r.stdout}\n{r.stderr}"
            said.append(r.stdout)
    finally:
        if (tmp_path / "pid").exists():
            subprocess.run(["bash", "-c", "kill -KILL $(cat pid)"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    text = "\n".join(said)
    assert "tarn_hosts 3" in text and re.search(r"(?m)^n0001 +cpu_load +node +[1-9]", text)
    assert "Graceful shutdown completed!" in text
    assert not re.search(r'(?m)^tarn_recovery_files_damaged\S* [1-9]', text)
    before = {p.relative_to(tmp_path / "checkpoints.before").parts[:2] for p in (tmp_path / "checkpoints.before").rglob("*.json")}
    after = {p.relative_to(tmp_path / "checkpoints.json").parts[:2] for p in (tmp_path / "checkpoints.json").rglob("*.json")}
    assert before == after and len(after) == 3
