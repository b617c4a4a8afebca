"""Packages for Debian and for distributions with RPM: built, installed, upgraded, removed."""

import os
import re
import subprocess
import time

import pytest
from conftest import ROOT, Service, needs, tool

UNIT = ROOT / "packaging/systemd/tarn.service"


def installed_share():
    """What `make install` puts below share: manual pages, completions, documents."""
    stage = ROOT / "build/package-stage"
    tool("make", "-s", "install", f"DESTDIR={stage}", "PREFIX=/usr")
    return {"/" + str(p.relative_to(stage)) for p in (stage / "usr/share").rglob("*") if not p.is_dir()}


def plain(paths):
    """Without compression and without the folder of zsh, which distributions name differently."""
    return {re.sub(r"/zsh/[^/]*/", "/zsh/", re.sub(r"\.gz$", "", p)) for p in paths}


def test_the_unit_gives_the_service_little_and_a_watchdog():
    needs("systemd-analyze")
    out = tool("systemd-analyze", "security", "--offline=true", UNIT)
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", out).group(1))
    assert exposure <= 1.5
    text = UNIT.read_text()
    assert "Type=notify" in text and re.search(r"^WatchdogSec=\d+", text, re.M)


def test_debian_packages_please_lintian(debs):
    needs("lintian")
    assert set(debs) == {"tarn", "libtarn0", "libtarn-dev"}
    out = tool("lintian", "--allow-root", "--fail-on", "error,warning", "--display-info", *debs.values())
    assert not re.search(r"^[EW]: ", out, re.M), out


def test_debian_package_holds_all_that_is_installed(debs):
    there = plain(line.split()[-1].lstrip(".") for line in tool("dpkg-deb", "-c", debs["tarn"]).splitlines())
    assert {p for p in plain(installed_share()) if not p.endswith("/LICENSE")} <= there
    assert "/lib/systemd/system/tarn.service" in there and "/usr/share/doc/tarn/copyright" in there
    assert "/etc/tarn/config.json" in tool("dpkg-deb", "--ctrl-tarfile", debs["tarn"], errors="replace")


def test_debian_packages_install_upgrade_remove_and_purge(debs, chroot):
    files = [chroot.take(f) for f in debs.values()]
    assert chroot.fails("getent", "passwd", "tarn")
    chroot.run("dpkg", "-i", *files)
    assert "/var/lib/tarn" in chroot.run("getent", "passwd", "tarn")
    assert chroot.run("stat", "-c", "%a %U:%G", "/etc/tarn/config.json").strip() == "640 root:tarn"
    assert chroot.run("stat", "-c", "%a %U:%G", "/var/lib/tarn").strip() == "750 tarn:tarn"
    chroot.run("tarn", "serve", "--check-config", "-config", "/etc/tarn/config.json")
    flags = chroot.run("pkg-config", "--cflags", "--libs", "tarn").split()
    chroot.file("/tmp/embed.c").write_text((ROOT / "examples/embed.c").read_text())
    chroot.run("cc", "-o", "/tmp/embed", "/tmp/embed.c", *flags)
    assert "61 values" in chroot.run("/tmp/embed")

    now = int(time.time())
    with Service(chroot) as s:
        s.write(now)
    config = chroot.file("/etc/tarn/config.json").read_text()
    assert "127.0.0.1:8082" not in config  # changed by the administrator
    chroot.run("dpkg", "-i", "--force-confdef", "--force-confold", *files)
    assert chroot.file("/etc/tarn/config.json").read_text() == config
    with Service(chroot) as s:
        assert s.has(now)

    chroot.run("dpkg", "-r", "tarn")
    assert not chroot.file("/usr/bin/tarn").exists()
    assert chroot.file("/etc/tarn/config.json").exists() and any(chroot.file("/var/lib/tarn").iterdir())
    chroot.run("dpkg", "-P", "tarn", "libtarn-dev", "libtarn0")
    assert not chroot.file("/etc/tarn").exists() and not chroot.file("/var/lib/tarn").exists()
    assert not [p for p in chroot.file("/usr/share").rglob("*tarn*") if "packages" not in str(p)]


def test_rpm_packages_hold_all_that_is_installed(rpms):
    assert set(rpms) == {"tarn", "tarn-libs", "tarn-devel"}
    there = plain(tool("rpm", "-qlp", "--nosignature", rpms["tarn"]).split())
    assert plain(installed_share()) <= there
    assert "/usr/lib/systemd/system/tarn.service" in there
    assert "/etc/tarn/config.json" in tool("rpm", "-qcp", "--nosignature", rpms["tarn"])


def test_rpm_packages_install_upgrade_and_remove(rpms, chroot):
    files = [chroot.take(f) for f in rpms.values()]
    # The database of this machine's rpm knows none of Debian's packages.
    chroot.run("rpm", "-i", "--nodeps", "--nosignature", *files)
    assert chroot.run("stat", "-c", "%a %U:%G", "/etc/tarn/config.json").strip() == "640 root:tarn"
    assert chroot.run("stat", "-c", "%a %U:%G", "/var/lib/tarn").strip() == "750 tarn:tarn"
    now = int(time.time())
    with Service(chroot) as s:
        s.write(now)
    config = chroot.file("/etc/tarn/config.json").read_text()
    chroot.run("rpm", "-U", "--force", "--nodeps", "--nosignature", *files)
    assert chroot.file("/etc/tarn/config.json").read_text() == config
    with Service(chroot) as s:
        assert s.has(now)
    chroot.run("rpm", "-e", "--nodeps", "tarn", "tarn-libs", "tarn-devel")
    assert not chroot.file("/usr/bin/tarn").exists()
    assert chroot.file("/etc/tarn/config.json.rpmsave").read_text() == config
    assert any(chroot.file("/var/lib/tarn").iterdir())


@pytest.mark.skipif(not os.environ.get("TARN_CLEAN_ROOT"), reason="long: TARN_CLEAN_ROOT=1, as make soak does")
def test_debian_packages_install_in_a_clean_root_with_what_they_depend_on(debs):
    needs("debootstrap")
    out = subprocess.run(["tools/try-deb"], cwd=ROOT, capture_output=True, text=True)
    assert out.returncode == 0 and "purged: they are gone" in out.stdout, out.stdout + out.stderr
