#!/usr/bin/env python3
"""Everything `make test` runs, in an order that lets nothing disturb what measures time. A step that fails does not stop
the others; the last line is "N passed, N failed", and the status is 0 only if something passed and nothing failed.

test_run.py [STEP...] runs only the steps whose names begin so ("plain", "asan unit"...)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import test_summary
import tree

BUILD = tree.ROOT / "build"
RESULTS = BUILD / "results"
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
STEP_MAX_S = 1200
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


def threaded_tests():
    """(meson's name, target) of the unit tests that start threads, for the thread sanitizer."""
    for path in tree.files(tree.ROOT, ("src",), {".c"}):
        if path.name.endswith("_test.c") and re.search(r"\b(?:pthread|uv_thread|thrd)_create\b|\bworkers?_start\b|_server_new\b",
                                                       path.read_text()):
            folder = str(path.parent.relative_to(tree.ROOT))
            yield f"{folder}/{path.stem}", re.sub(r"\W", "_", folder) + "_" + path.stem


def no_aslr():
    """The sanitizers of clang 14 do not stand the address space of kernels from 6.5 on at random places."""
    setarch = shutil.which("setarch")
    works = setarch and subprocess.run([setarch, "-R", "true"], capture_output=True).returncode == 0
    return [setarch, "-R"] if works else []


class Run:
    def __init__(self, wanted):
        self.wanted = wanted
        self.total = dict.fromkeys(test_summary.COUNTS, 0)
        self.failures = []
        self.began = time.monotonic()

    def step(self, name, command, junit=None, env=None, empty_is_fine=False):
        """Runs a step; with `junit` its tests count, without it only its failure does."""
        if self.wanted and not any(name.startswith(w) for w in self.wanted):
            return True
        log = RESULTS / (re.sub(r"\W+", "-", name) + ".log")
        if junit:
            junit.unlink(missing_ok=True)
        began = time.monotonic()
        status = self.execute(command, log, env)
        counts, failed = dict.fromkeys(test_summary.COUNTS, 0), []
        if junit and junit.exists():
            counts, failed = test_summary.count(junit)
        nothing = junit and not sum(counts.values())
        bad = (status != 0 or nothing) and not (empty_is_fine and nothing and status in (0, 5))
        if bad and not failed:
            counts["failed"] += 1
            failed.append("nothing was run" if status == 0 else f"status {status}")
        test_summary.add(self.total, counts)
        self.failures += [f"{name}: {f}" for f in failed]
        said = test_summary.sentence(counts) if junit or bad else "done"
        print(f"{name + ' ':.<28} {said} ({time.monotonic() - began:.0f} s)", flush=True)
        if bad:
            print("".join("    " + line for line in log.read_text(errors="replace").splitlines(True)[-80:]), flush=True)
        return not bad

    def execute(self, command, log, env):
        with open(log, "wb") as out:
            process = subprocess.Popen([str(c) for c in command], cwd=tree.ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, start_new_session=True)
            try:
                return process.wait(STEP_MAX_S)
            except subprocess.TimeoutExpired:
                out.write(f"\nstopped after {STEP_MAX_S} s\n".encode())
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            return -signal.SIGKILL

    def build(self, kind, targets=()):
        return self.step(f"{kind} build", ["tools/build.sh", kind, *targets])

    def meson(self, kind, prefix=(), names=()):
        self.step(f"{kind} units", [*prefix, "meson", "test", "-C", BUILD / kind, "--no-rebuild", "--print-errorlogs", *names],
                  BUILD / kind / "meson-logs" / "testlog.junit.xml", SANITIZERS)

    def pytest(self, name, arguments, env=None, empty_is_fine=False):
        junit = RESULTS / (name.replace(" ", "-") + ".xml")
        self.step(name, [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
                         f"--junitxml={junit}", *arguments],
                  junit, {"PYTHONDONTWRITEBYTECODE": "1", **(env or {})}, empty_is_fine)

    def sanitized_system(self, arguments):
        """The supervisor restarts a role that a sanitizer ended, and the test may pass: its report fails the step."""
        reports = BUILD / "results" / "sanitizer"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        reports.chmod(0o1777)  # roles run as another user
        options = {"ASAN_OPTIONS": f"{SANITIZERS['ASAN_OPTIONS']}:log_path={reports}/report",
                   "UBSAN_OPTIONS": f"{SANITIZERS['UBSAN_OPTIONS']}:log_path={reports}/report"}
        self.pytest("asan system", arguments, {"HOLDFAST": str(BUILD / "asan" / "holdfast"), **options})
        said = sorted(reports.iterdir())
        if said:
            self.total["failed"] += len(said)
            self.failures += [f"asan system: {path.relative_to(tree.ROOT)}" for path in said]
            print(said[0].read_text(errors="replace"), flush=True)

    def finish(self):
        print(f"\n{time.monotonic() - self.began:.0f} s in all; logs are in {RESULTS.relative_to(tree.ROOT)}")
        for failure in self.failures:
            print(f"FAILED {failure}")
        print(test_summary.sentence(self.total), flush=True)
        sys.exit(0 if self.total["passed"] and not self.total["failed"] else 1)


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    run = Run(sys.argv[1:])
    workers = ["-n", os.environ.get("PYTEST_WORKERS", "2"), "--dist", "loadfile"]
    threaded, calm = list(threaded_tests()), no_aslr()
    if run.build("plain"):
        run.pytest("plain tree", ["test/tree_test.py", *workers[:2]])
        run.meson("plain")
        run.pytest("plain system", ["test", "--ignore=test/tree_test.py", *workers])
    if run.build("clang"):
        run.meson("clang")
    if run.build("asan"):
        run.meson("asan", calm)
        run.sanitized_system(["test", "--ignore=test/tree_test.py", "-m", "sanitize", *workers])
    if run.build("tsan", [target for _, target in threaded]):
        run.meson("tsan", calm, [name for name, _ in threaded])
    run.finish()


main()
