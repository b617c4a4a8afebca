"""make install, and a program that embeds the installed library."""

import os
import shutil
import subprocess

import pytest

import tarn


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    root = tmp_path_factory.mktemp("stage")
    subprocess.run(["make", "-s", "install", f"DESTDIR={root}", "PREFIX=/opt/tarn"],
                   cwd=tarn.ROOT, check=True, capture_output=True, timeout=600)
    return root


def test_everything_is_installed_below_the_prefix(stage):
    found = {str(p.relative_to(stage)) for p in stage.rglob("*") if not p.is_dir()}
    for path in ("bin/tarn", "lib/libtarn.a", "lib/libtarn.so", "lib/libtarn.so.0",
                 "lib/pkgconfig/tarn.pc", "include/tarn/tarn.h",
                 "include/tarn/files.h", "include/tarn/load.h", "share/doc/tarn/config.md",
                 "share/man/man1/tarn.1", "share/man/man1/tarn-serve.1", "share/man/man5/tarn.json.5",
                 "share/bash-completion/completions/tarn", "share/zsh/site-functions/_tarn",
                 "share/fish/vendor_completions.d/tarn.fish"):
        assert f"opt/tarn/{path}" in found
    assert all(p.startswith("opt/tarn/") for p in found)
    out = subprocess.run([stage / "opt/tarn/bin/tarn", "--version"], capture_output=True, text=True)
    assert out.stdout.startswith("tarn ")


def test_the_shared_library_shows_public_names_only(stage):
    out = subprocess.run(["nm", "-D", "--defined-only", stage / "opt/tarn/lib/libtarn.so"],
                         capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    assert "tarn_open" in names
    assert all(name.lower().startswith("tarn_") for name in names)


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_a_program_embeds_the_store(stage, tmp_path, kind):
    env = {**os.environ, "PKG_CONFIG_PATH": str(stage / "opt/tarn/lib/pkgconfig"),
           "PKG_CONFIG_SYSROOT_DIR": str(stage)}
    lib = stage / "opt/tarn/lib"
    if kind == "static":
        shutil.copytree(lib, tmp_path / "lib", ignore=shutil.ignore_patterns("*.so*"))
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), "tarn"],
        env=env, capture_output=True, text=True, check=True).stdout.split()
    if kind == "static":
        flags = [f"-L{tmp_path / 'lib'}" if f.startswith("-L") else f for f in flags]
    subprocess.run(["cc", "-Wall", "-Werror", "-o", tmp_path / "embed",
                    tarn.ROOT / "examples/embed.c", *flags], check=True)
    out = subprocess.run([tmp_path / "embed", tmp_path / "data"], env={**env, "LD_LIBRARY_PATH": str(lib)},
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert "cpu_load: 61 values, one every 60 s" in out.stdout
    assert "flops_any of the node: 8.0" in out.stdout
    assert "checkpoint: 65 samples written, 65 read back" in out.stdout
    assert "below the node: hwthread0 hwthread1 hwthread2 hwthread3" in out.stdout
