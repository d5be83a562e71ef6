"""The command line as a stranger meets it."""

import subprocess

import pytest

from node import ZONE, failover_config, nodes, open_path, origins, wait_for  # noqa: F401

COMMANDS = ["run", "check", "reload", "status", "explain", "query", "endpoint", "control", "rule", "shift", "log", "undo", "zone", "upgrade", "schema", "demo"]


def run(holdfast, *args):
    return subprocess.run([holdfast, *args], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)


def test_help_lists_every_command(holdfast):
    out = run(holdfast, "--help")
    assert out.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in out.stdout
    assert " role " not in out.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(holdfast, command):
    out = run(holdfast, command, "--help")
    assert out.returncode == 0 and "usage: holdfast " + command in out.stdout, out
    assert run(holdfast, command, "--no-such-option").returncode == 2
    assert run(holdfast, "help", command).stdout == out.stdout


def test_wrong_words(holdfast):
    assert run(holdfast).returncode == 2
    out = run(holdfast, "frobnicate")
    assert out.returncode == 2 and '"frobnicate"' in out.stderr
    assert run(holdfast, "--version").stdout.startswith("holdfast ")


def test_check_finds_problems_of_configuration_and_zone_at_once(holdfast, tmp_path):
    (tmp_path / "example.com.zone").write_text(ZONE + "bad A 300.1.2.3\n")
    config = tmp_path / "holdfast.yaml"
    config.write_text("""node: {name: n1, site: here, network: AS64500, data: "/nowhere"}
dns:  {listen: ["127.0.0.1:5353"]}
zones:
  - {name: example.com, file: example.com.zone}
""")
    out = run(holdfast, "check", str(config))
    assert out.returncode == 1
    line = len(ZONE.splitlines()) + 1
    assert f"example.com.zone:{line}:7: " in out.stderr, out.stderr
    (tmp_path / "example.com.zone").write_text(ZONE)
    out = run(holdfast, "check", str(config))
    assert out.returncode == 0 and "ok: 1 zones, 0 services" in out.stdout, out


def test_zone_check_and_show(holdfast, tmp_path):
    zone = tmp_path / "z"
    zone.write_text(ZONE)
    assert run(holdfast, "zone", "check", str(zone), "example.com").returncode == 0
    out = run(holdfast, "zone", "show", str(zone), "example.com")
    assert "static.example.com" in out.stdout and "192.0.2.80" in out.stdout
    zone.write_text(ZONE.replace("NS ns1", "NS"))
    out = run(holdfast, "zone", "check", str(zone), "example.com")
    assert out.returncode == 1 and f"{zone}:4:" in out.stderr


def test_zone_diff_of_two_files(holdfast, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(ZONE)
    new.write_text(ZONE.replace("static A 192.0.2.80", "static A 192.0.2.81\nmore TXT x") + "zz A 192.0.2.9\n")
    out = run(holdfast, "zone", "diff", str(old), str(new), "Example.com.")
    assert out.returncode == 1
    assert [line.split()[:2] + line.split()[-1:] for line in out.stdout.splitlines()] == [
        ["+", "more.example.com.", '"x"'], ["-", "static.example.com.", "192.0.2.80"],
        ["+", "static.example.com.", "192.0.2.81"], ["+", "zz.example.com.", "192.0.2.9"]], out.stdout
    same = run(holdfast, "zone", "diff", str(old), str(old), "example.com")
    assert same.returncode == 0 and not same.stdout
    new.write_text("nonsense\n")
    out = run(holdfast, "zone", "diff", str(old), str(new), "example.com")
    assert out.returncode == 2 and f"{new}:1:" in out.stderr


def test_zone_served_diff_and_reload(nodes, origins):  # noqa: F811
    node = nodes(failover_config(*origins(2))).start()
    data = ["--data", str(node.data)]
    zone = node.folder / "example.com.zone"
    assert wait_for(lambda: node.cli("zone", "served", "Example.com.", *data).returncode == 0)
    served = node.cli("zone", "served", "example.com", *data).stdout
    assert "static.example.com." in served and "192.0.2.80" in served
    assert node.said("zone", "list") == "example.com 1 current unsigned\n"
    assert node.cli("zone", "diff", str(zone), "example.com", *data).returncode == 0

    (node.folder / "canonical").write_text(served)  # what is printed compiles to the same zone
    out = node.cli("zone", "diff", str(node.folder / "canonical"), "example.com", *data)
    assert out.returncode == 0 and not out.stdout, out

    zone.write_text(ZONE.replace("192.0.2.80", "192.0.2.81"))
    out = node.cli("zone", "diff", str(zone), "example.com", *data)
    lines = out.stdout.splitlines()
    assert out.returncode == 1 and len(lines) == 2, out
    assert lines[0].startswith("- static.example.com.") and lines[0].endswith("192.0.2.80")
    assert lines[1].startswith("+ static.example.com.") and lines[1].endswith("192.0.2.81")
    assert "(1 made anew)" in node.cli("zone", "reload", "example.com", *data).stdout
    assert wait_for(lambda: node.short("static.example.com") == ["192.0.2.81"])
    assert wait_for(lambda: node.cli("zone", "diff", str(zone), "example.com", *data).returncode == 0)

    zone.write_text("nonsense\n")
    out = node.cli("zone", "diff", str(zone), "example.com", *data)
    assert out.returncode == 2 and f"{zone}:1:" in out.stderr, out
    assert node.cli("zone", "served", "nowhere.example", *data).returncode == 1
    assert node.cli("zone", "reload", "nowhere.example", *data).returncode == 1


def test_run_with_a_bad_file_says_where(holdfast, tmp_path):
    config = tmp_path / "holdfast.yaml"
    config.write_text("node: {name: n1}\nsurprise: 1\n")
    out = run(holdfast, "run", str(config))
    assert out.returncode == 1 and f"{config}:2:1: " in out.stderr, out.stderr
    out = run(holdfast, "run", str(tmp_path / "missing.yaml"))
    assert out.returncode == 1 and "missing.yaml" in out.stderr


def test_run_on_a_taken_port_says_so(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    first = nodes(failover_config(primary, secondary)).start()
    second = nodes(failover_config(primary, secondary))
    second.address = first.address
    second.write(failover_config(primary, secondary))
    out = second.cli("run", str(second.config_path))
    assert out.returncode == 1 and "holdfast.yaml:2:" in out.stderr and "cannot listen on" in out.stderr


def test_orders(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary)).start()
    data = ["--data", str(node.data)]
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    out = node.cli("endpoint", "drain", "use1", "--reason", "maintenance", *data)
    assert out.returncode == 0, out.stderr
    assert wait_for(lambda: node.short("api.example.com") == [secondary.address])
    assert "DRAINED" in node.cli("status", *data).stdout.upper()
    out = node.cli("endpoint", "disable", "api.example.com/euw1", *data)
    assert out.returncode == 0, out.stderr  # use1 is drained but not disabled: it answers again
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    out = node.cli("endpoint", "disable", "use1", *data)
    assert out.returncode == 1 and "last" in out.stderr, out
    assert node.cli("endpoint", "auto", "euw1", *data).returncode == 0
    assert node.cli("endpoint", "auto", "use1", *data).returncode == 0
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    out = node.cli("endpoint", "drain", "use2", *data)
    assert out.returncode == 1 and "use1" in out.stderr, out  # did you mean
    # Forced up beats the checks; and orders outlive control.
    primary.cut()
    assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5)
    assert node.cli("endpoint", "up", "use1", *data).returncode == 0
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    pid = node.kill("control")
    node.wait_restart("control", pid)
    assert "FORCED" in node.cli("status", *data).stdout.upper()
    assert node.short("api.example.com") == [primary.address]


def test_orders_without_a_node(holdfast, tmp_path):
    out = run(holdfast, "endpoint", "drain", "x", "--data", str(tmp_path))
    assert out.returncode == 1 and str(tmp_path) in out.stderr
    out = run(holdfast, "reload", "--data", str(tmp_path))
    assert out.returncode == 1 and str(tmp_path) in out.stderr
