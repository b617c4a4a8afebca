"""`tarn completion`: what a shell offers, from the shell itself."""

import re
import shutil
import subprocess

import pytest

import tarn


def script(tmp_path, shell):
    r = tarn.run("completion", shell)
    assert r.returncode == 0 and not r.stderr
    path = tmp_path / f"tarn.{shell}"
    path.write_text(r.stdout)
    return path


def bash(path, *words, cwd=None):
    """What bash offers for the last word."""
    ask = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tarn; '
           'printf "%s\\n" "${COMPREPLY[@]}"')
    r = subprocess.run(["bash", "-c", ask, "bash", path, *words], capture_output=True, text=True,
                       check=True, cwd=cwd)
    assert not r.stderr
    return r.stdout.split()


def fish(path, line, cwd=None):
    ask = 'source $argv[1]; complete -C $argv[2]'
    r = subprocess.run(["fish", "--no-config", "-c", ask, path, line], capture_output=True,
                       text=True, check=True, cwd=cwd)
    return [offer.split("\t")[0] for offer in r.stdout.splitlines()]


def test_bash_offers_commands_flags_and_values(tmp_path):
    path = script(tmp_path, "bash")
    assert "serve" in bash(path, "tarn", "") and "bench" in bash(path, "tarn", "b")
    assert sorted(bash(path, "tarn", "bench", "")) == ["demo", "ingest", "query", "size"]
    assert bash(path, "tarn", "serve", "--conf") == ["--config"]
    assert bash(path, "tarn", "query", "--format", "") == ["table", "json", "csv", "plot"]
    assert bash(path, "tarn", "query", "--host", "") == []
    assert bash(path, "tarn", "bench", "query", "--no-d") == ["--no-data"]
    assert bash(path, "tarn", "completion", "f") == ["fish"]
    (tmp_path / "my.json").touch()
    assert bash(path, "tarn", "serve", "--config", "my", cwd=tmp_path) == ["my.json"]
    assert bash(path, "tarn", "inspect", "my", cwd=tmp_path) == ["my.json"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_offers_commands_flags_and_values(tmp_path):
    path = script(tmp_path, "fish")
    assert "serve" in fish(path, "tarn ")
    assert sorted(fish(path, "tarn bench ")) == ["demo", "ingest", "query", "size"]
    assert "--check-config" in fish(path, "tarn serve --")
    assert fish(path, "tarn query --format ") == ["csv", "json", "plot", "table"]
    assert "--no-data" in fish(path, "tarn bench query --")
    assert "--no-data" not in fish(path, "tarn query --")
    (tmp_path / "my.json").touch()
    assert fish(path, "tarn serve --config my", cwd=tmp_path) == ["my.json"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_reads_its_script_and_takes_it_for_tarn(tmp_path):
    path = script(tmp_path, "zsh")
    ask = 'autoload -U compinit && compinit -u -D && source "$1" && print $_comps[tarn]'
    r = subprocess.run(["zsh", "-f", "-c", ask, "zsh", path], capture_output=True, text=True)
    assert r.stdout.strip() == "_tarn", r.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_flag_is_in_every_script(tmp_path, shell):
    text = script(tmp_path, shell).read_text()
    for command in re.findall(r"^  ([a-z][a-z-]*(?: [a-z]+)?)  ", tarn.run("--help").stdout, re.M):
        assert command in text
        help_text = tarn.run(*command.split(), "--help").stdout
        for flag in re.findall(r"^  --([a-z0-9-]+)", help_text, re.M):
            assert flag in text, f"{command} --{flag}"


def test_an_unknown_shell_is_wrong_usage():
    for words in ([], ["tcsh"], ["bash", "zsh"]):
        r = tarn.run("completion", *words)
        assert r.returncode == 2 and "bash, zsh, fish" in r.stderr and not r.stdout
