"""The manual pages: well-formed, complete, and true where that can be checked."""

import json
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "doc/man").glob("*.[1-8]"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_mandoc_finds_nothing(page):
    lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", str(page)], capture_output=True, text=True, timeout=20)
    assert lint.returncode == 0 and not lint.stdout, lint.stdout


def rendered(page):
    out = subprocess.run(["mandoc", "-Tascii", "-Owidth=200", str(page)], capture_output=True, text=True, timeout=20)
    return re.sub(r".\x08", "", out.stdout)


def test_every_command_and_its_options_are_described(holdfast):
    text = rendered(ROOT / "doc/man/holdfast.1")
    help_text = subprocess.run([holdfast, "help"], capture_output=True, text=True, timeout=20).stdout
    commands = re.findall(r"^  (\w+) ", help_text, re.M)
    assert len(commands) >= 10
    for command in commands:
        assert re.search(rf"holdfast {command}\b", text), command
        usage = subprocess.run([holdfast, command, "--help"], capture_output=True, text=True, timeout=20).stdout
        for option in set(re.findall(r"--[a-z][a-z-]+", usage)):
            assert option in text, f"{command} {option}"


def test_the_example_passes_the_check(holdfast, tmp_path):
    source = (ROOT / "doc/man/holdfast.yaml.5").read_text()
    example = re.search(r"\.Bd -literal\n(.*?)\.Ed", source, re.S).group(1)
    (tmp_path / "holdfast.yaml").write_text(example)
    (tmp_path / "example.com.zone").write_text("$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n")
    out = subprocess.run([holdfast, "check", str(tmp_path / "holdfast.yaml")], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0, out.stderr


def test_every_top_level_key_is_described():
    schema = json.loads((ROOT / "doc/holdfast.schema.json").read_text())
    source = (ROOT / "doc/man/holdfast.yaml.5").read_text()
    for key in schema["properties"]:
        assert f".It Cm {key}\n" in source, key
