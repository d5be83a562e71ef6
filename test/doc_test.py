"""What the documentation shows is run: the README's tour, in a network namespace of its own, and every example."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from node import open_path  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parent.parent


def tour_blocks():
    readme = (ROOT / "README.md").read_text()
    tour = readme[readme.index("## A tour"):readme.index("## For real names")]
    return re.findall(r"```sh\n(.*?)```", tour, re.S)


def namespace():
    """The command that gives what follows a loopback of its own, or None where that is not permitted."""
    for prefix in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*prefix, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
            return prefix
    return None


def test_tour(holdfast, open_path):  # noqa: F811
    prefix = namespace()
    if not prefix:
        pytest.skip("network namespaces are not permitted here")
    check, start, ask, after, explain, maintain = tour_blocks()
    shutil.copytree(ROOT / "examples/tour", open_path / "examples/tour")
    config = open_path / "examples/tour/holdfast.yaml"
    data = re.search(r"data: ([^}]+)}", config.read_text()).group(1)
    config.write_text(config.read_text().replace(data, str(open_path / "data")))
    told = "until [ \"$(dig @127.0.0.1 -p 5300 +short +time=1 +tries=1 api.example.com)\" = {} ]; do sleep 0.1; done"
    both_up = ("until [ \"$(holdfast status --config examples/tour/holdfast.yaml | grep -cE ' up +auto ')\" = 2 ]; "
               "do sleep 0.1; done")  # a busy machine takes its time to start two servers
    script = "\n".join([
        "set -m", "ip link set lo up", "trap 'kill $(jobs -p)' EXIT", "echo ==check", check, "echo ==start", start,
        both_up, told.format("127.0.10.1"), "echo ==ask", ask, "echo ==after", "kill %1", told.format("127.0.20.1"), after,
        "echo ==explain", explain, "echo ==maintain", maintain, "echo ==end"])
    out = subprocess.run(["timeout", "60", *prefix, "bash", "-c", script], cwd=open_path, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=90,
                         env={**os.environ, "PATH": f"{pathlib.Path(holdfast).parent}:{os.environ['PATH']}"})
    parts = dict(re.findall(r"==(\w+)\n(.*?)(?===|\Z)", out.stdout, re.S))
    assert "end" in parts, out.stdout + out.stderr
    assert "ok: 1 zones, 1 services" in parts["check"]
    assert parts["ask"].count("127.0.10.1") >= 3 and "us-east-1" in parts["ask"]
    assert parts["after"].strip().endswith("127.0.20.1")  # the servers greet when they get round to it
    assert "refused" in parts["explain"] and "use1" in parts["explain"]
    assert "holdfast_plan_generation" in parts["maintain"] and "use1 is drained" in parts["maintain"]


@pytest.mark.parametrize("config", sorted(ROOT.glob("examples/**/*.yaml")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_example_is_right(holdfast, config):
    out = subprocess.run([holdfast, "check", str(config)], capture_output=True, text=True, timeout=30)
    assert out.returncode == 0, out.stderr


def test_every_command_in_the_readme_exists(holdfast):
    text = (ROOT / "README.md").read_text()
    listed = subprocess.run([holdfast, "help"], capture_output=True, text=True).stdout
    for command in set(re.findall(r"(?:^|`)(?:build/plain/)?holdfast ([a-z]+)", text, re.M)):
        assert f"\n  {command} " in listed, command


def test_links_in_the_documentation_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("doc/**/*.md"), *ROOT.glob("bench/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} names {target}"
