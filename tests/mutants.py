#!/usr/bin/env python3
"""Usage: mutants.py [--list] [NAME...] - plants each defect in a copy of the source and runs the test that must fail.

A test that passes with its defect proves nothing. Each row names a place in the source (the text must be there exactly
once), what stands there instead, and the test that must notice. The sound copy must pass all of them first. The copy
lies under build/mutants; CC is respected. The last line: planted, caught. Status 1 when a defect went unnoticed.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "mutants"
PARTS = ["Makefile", "src", "include", "tests", "tools", "web"]
POWERCUT = "tests/fault/test_vault_powercut 300"
AUDIT = "e2e test_ack_audit.py -k leaves_after"
KILLED = "e2e test_kill.py"


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    sound: str
    planted: str
    test: str  # a program of tests/ with its arguments, or "e2e" and arguments of pytest


MUTANTS = [
    # ---- sync removed
    Mutant("log-not-synced", "src/persist/wal_commit.c",
           "    int r = ta_sync(w->file, err);\n\n    w->synced_mono_ns",
           "    int r = err ? TA_OK : TA_OK;\n\n    w->synced_mono_ns", POWERCUT),
    Mutant("checkpoint-not-synced", "src/persist/checkpoint_file.c",
           "return r < 0 ? r : ta_sync(file, err);", "return r;", POWERCUT),
    Mutant("sync-does-nothing", "src/io/vfs_posix.c",
           "return fdatasync(p->fd) < 0 ?", "return p->fd < -1 ?", AUDIT),
    # ---- answer before append, or before the sync
    Mutant("ticket-settled-at-once", "src/persist/wal.c",
           "return w->conf.durability == TA_DURABILITY_INTERVAL ? TA_TICKET_DURABLE : TA_TICKET_PENDING;",
           "return TA_TICKET_DURABLE;", POWERCUT),
    Mutant("answer-before-sync", "src/app/write_body.c",
           "    if (ticket == TA_TICKET_PENDING)\n        return TA_EAGAIN;\n    ta_http_wake(s->req);",
           "    if (ticket == TA_TICKET_PENDING)\n        ticket = TA_TICKET_DURABLE;\n    ta_http_wake(s->req);",
           AUDIT),
    Mutant("stored-and-not-logged", "src/persist/wal.c",
           "    if (accepted->n > 0)\n        ticket = commit_locked(w, accepted);",
           "    if (accepted->n > 1000000)\n        ticket = commit_locked(w, accepted);", KILLED),
    # ---- sync of the directory removed
    Mutant("segment-without-directory-sync", "src/persist/wal_commit.c",
           "r = vfs->sync_dir(vfs, w->dir, err);", "r = TA_OK;", POWERCUT),
    Mutant("checkpoint-without-directory-sync", "src/persist/checkpoint.c",
           "r = conf->vfs->sync_dir(conf->vfs, job->dir, err);", "r = TA_OK;", POWERCUT),
    # ---- checksums ignored
    Mutant("log-checksum-ignored", "src/persist/log_format.c",
           "if (crc != record_checksum(p, payload, salt))", "if (crc != record_checksum(p, payload, salt) && !crc)",
           "tests/unit/test_vault"),
    Mutant("log-checksum-ignored-by-the-reader", "src/persist/log_format.c",
           "if (crc != record_checksum(p, payload, salt))", "if (crc != record_checksum(p, payload, salt) && !crc)",
           "tests/unit/test_log_damage"),
    Mutant("snapshot-checksum-ignored", "src/persist/seal.c",
           "if (found != right && !mend(", "if (found != right && !s->sums && !mend(",
           "tests/fault/test_checkpoint_damage"),
    Mutant("reference-log-checksum-ignored", "src/persist/ref_wal.c",
           "if (ta_get_u32(p + HEAD + payload) != ta_crc32(p + HEAD, payload) ||",
           "if (ta_get_u32(p + HEAD + payload) == 1u + ta_crc32(p + HEAD, payload) ||",
           "tests/unit/test_ref_wal"),
    # ---- what the log holds goes too early
    Mutant("log-dropped-at-the-cut", "src/persist/vault.c",
           "keep = needed < cut ? needed : cut;", "keep = needed ? cut : cut;", POWERCUT),
    Mutant("log-dropped-after-a-failed-checkpoint", "src/persist/vault.c",
           "    if (r < 0)\n        return r;\n    /* Not behind the cut",
           "    if (r < 0 && !cut)\n        return r;\n    /* Not behind the cut", "tests/fault/test_vault_io"),
    Mutant("old-samples-of-the-log-skipped", "src/persist/recover_log.c",
           "TA_RECOVER_ANY_AGE, NULL)", "j->r->now_s, NULL)", "tests/unit/test_vault"),
    Mutant("late-samples-not-written-again", "src/persist/checkpoint.c",
           "if (r == TA_OK && touched_s < f->to_s)", "if (r == TA_OK && touched_s < f->from_s)",
           "tests/unit/test_checkpoint"),
]


def places_that_moved():
    """Rows whose text is not in its file exactly once."""
    return [m.name for m in MUTANTS if (ROOT / m.file).read_text().count(m.sound) != 1]


def files(root):
    return {p.relative_to(root) for part in PARTS for p in [root / part, *(root / part).rglob("*")]
            if p.is_file() and "__pycache__" not in p.parts}


def copy_tree():
    """What is the same keeps its time, so that make does again only what it must."""
    here = files(ROOT)
    for gone in files(COPY) - here:
        (COPY / gone).unlink()
    for path in here:
        to = COPY / path
        if not to.exists() or to.read_bytes() != (ROOT / path).read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, to)


def make(*targets):
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", *targets], cwd=COPY, check=True, stdout=subprocess.DEVNULL)


def passes(test):
    program, *args = shlex.split(test)
    if program != "e2e":
        make(f"build/{program}")
        return not subprocess.run([f"build/{program}", *args], cwd=COPY, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=900, check=False).returncode
    make("all")
    return not subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/e2e/{args[0]}", *args[1:]],
        cwd=COPY, env={**os.environ, "TARN": str(COPY / "build" / "tarn"), "TARN_KILLS": "3"},
        stdout=subprocess.DEVNULL, timeout=900, check=False).returncode


def is_caught(mutant):
    path = COPY / mutant.file
    sound = path.read_text()
    path.write_text(sound.replace(mutant.sound, mutant.planted))
    try:
        return not passes(mutant.test)
    finally:
        path.write_text(sound)


def main(wanted):
    moved = places_that_moved()
    if moved:
        sys.exit(f"the source has changed: these defects have no place any more: {', '.join(moved)}")
    mutants = [m for m in MUTANTS if not wanted or m.name in wanted]
    if "--list" in wanted:
        print(*(m.name for m in MUTANTS), sep="\n")
        return 0
    copy_tree()
    for test in sorted({m.test for m in mutants}):
        if not passes(test):
            sys.exit(f"{test}: fails without any defect")
    missed = []
    for mutant in mutants:
        caught = is_caught(mutant)
        missed += [] if caught else [mutant.name]
        outcome = "fails, as it must" if caught else "PASSES"
        print(f"mutant {mutant.name}: {mutant.test.split(' -k')[0]} {outcome}", flush=True)
    print(f"mutants: planted={len(mutants)} caught={len(mutants) - len(missed)} missed={len(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
