"""`holdfast demo`, as a new user meets it: the script judged by its own exit status, and the live view by its keys."""

import os
import pathlib
import re
import subprocess

import pexpect

from node import cmdline, open_path, wait_for  # noqa: F401


def temporary_folders(path):
    return list(pathlib.Path(path).glob("holdfast-demo-*"))


def test_script_holds_every_promise(holdfast, open_path):  # noqa: F811
    out = subprocess.run([holdfast, "demo", "--script"], capture_output=True, text=True, timeout=120,
                         stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(open_path)})
    broken = [line for line in out.stdout.splitlines() if "BROKEN:" in line]
    # The program judges times as well. A machine that is short of time may be late: no test asserts a time.
    late = [line for line in broken if re.search(r"answers (moved|returned) to \S+ after \d+\.\d+ s \(promised", line)]
    assert broken == late, out.stdout + out.stderr
    assert out.returncode == (1 if broken else 0)
    assert len(re.findall(r"answers moved to eu-west-1 after \d", out.stdout)) == 4
    assert len(re.findall(r"answers returned to us-east-1 after \d", out.stdout)) == 4
    assert f"{len(broken)} broken" in out.stdout
    assert not temporary_folders(open_path), "something was left behind"


def test_live_view_and_its_keys(holdfast, open_path):  # noqa: F811
    child = pexpect.spawn(str(holdfast), ["demo"], dimensions=(50, 120), timeout=20, encoding="utf-8",
                          env={**os.environ, "TMPDIR": str(open_path), "TERM": "xterm"})
    try:
        child.expect("lose a region, keep the name")
        child.expect(r"api\.example\.com is .*127\.0\.10\.1.* \(us-east-1\)")
        child.expect(r"\d\d+ queries/s")
        child.expect(r"dig @127\.0\.0\.1 -p (\d+) api\.example\.com")
        port = child.match.group(1)
        child.send("c")
        child.expect("us-east-1 is cut off")
        child.expect(r"clients are now told 127\.0\.20\.1 \(eu-west-1\)")
        dig = subprocess.run(["dig", "@127.0.0.1", "-p", port, "+short", "api.example.com"], capture_output=True, text=True)
        assert dig.stdout.strip() == "127.0.20.1"
        child.send("h")
        # In one frame (no clear screen between), below the line about eu-west-1: the timeline is in order.
        child.expect(r"(?s)told 127\.0\.20\.1(?:(?!\x1b\[2J).)*told 127\.0\.10\.1 \(us-east-1\)")
        child.send("b")
        child.expect("us-east-1 is down: the answer had another status than accepted")
        child.send("q")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)
    assert not temporary_folders(open_path), "something was left behind"


def test_a_killed_demo_leaves_no_process(holdfast, open_path):  # noqa: F811
    demo = subprocess.Popen([holdfast, "demo", "--script"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                            env={**os.environ, "TMPDIR": str(open_path)})
    assert "are up" in demo.stdout.readline()
    (folder,) = temporary_folders(open_path)

    def processes():
        return [p for p in pathlib.Path("/proc").glob("[0-9]*") if str(folder) in cmdline(p.name)]

    assert len(processes()) == 4  # supervisor and three roles
    demo.kill()
    demo.wait()
    assert wait_for(lambda: not processes(), 8), [cmdline(p.name) for p in processes()]
