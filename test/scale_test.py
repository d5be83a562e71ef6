"""Many zones: what costs nothing when one of them changes, and when the process that compiles them starts again."""

import contextlib
import datetime
import os
import re
import shutil
import signal
import time

from node import nodes, open_path, wait_for  # noqa: F401 (fixtures)

ZONES = 2000
ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.%d
"""


BARE = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone}
"""


def config():
    zones = "".join(f"  - {{name: z{i}.example, file: z{i}.zone}}\n" for i in range(ZONES))
    return f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns:  {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
zones:
{zones}services:
  - name: api.z0.example
    policy: simple
    ttl: 5s
    endpoints:
      - {{name: a, address: 192.0.2.1, region: r, provider: p}}
"""


def store(node):
    found = {}
    for p in (node.data / "store").glob("*.zone"):
        with contextlib.suppress(FileNotFoundError):  # cleaned up meanwhile
            found[p.name] = (p.stat().st_ino, p.stat().st_mtime_ns)
    return found


def reload(node, *args):
    out = node.cli("reload", "--data", str(node.data), *args, timeout=60)
    return out.stdout + out.stderr


def test_one_zone_among_thousands(nodes):
    node = nodes(config(), zones={f"z{i}.zone": ZONE % (i % 250) for i in range(ZONES)})
    old = time.time() - 3600  # files that were changed a moment ago are read again to be sure
    for i in range(ZONES):
        os.utime(node.folder / f"z{i}.zone", (old, old))
    node.start()
    assert wait_for(lambda: node.short("www.z1999.example") == ["192.0.2.249"], 60), node.log()[-2000:]
    assert node.short("api.z0.example") == ["192.0.2.1"]
    before = store(node)
    assert len(before) == ZONES

    (node.folder / "z77.zone").write_text(ZONE % 251)
    assert f"reloaded: {ZONES} zones (1 made anew)" in reload(node)
    assert wait_for(lambda: node.short("www.z77.example") == ["192.0.2.251"])
    after = store(node)
    assert len(after) == ZONES + 1 and all(after[f] == before[f] for f in before)

    # Of the zone files only the one that is named is read; then the others.
    (node.folder / "z78.zone").write_text(ZONE % 252)
    (node.folder / "z79.zone").write_text("this is no zone\n")
    assert "(1 made anew)" in reload(node, "--zone", "z78.example")
    assert wait_for(lambda: node.short("www.z78.example") == ["192.0.2.252"])
    assert "z79.zone:1:" in reload(node)
    (node.folder / "z79.zone").write_text(ZONE % 79)
    assert "it has no zone nowhere.example" in reload(node, "--zone", "nowhere.example")
    assert "(2 made anew)" in reload(node, "--zone", "z1.example,z2.example")
    assert node.short("www.z79.example") == ["192.0.2.79"]

    # Whoever starts again goes on with what is there.
    made = store(node)
    node.wait_restart("control", node.kill("control"))
    assert wait_for(lambda: node.log().count("event=control.started") == 2, 30), node.log()[-2000:]
    assert wait_for(lambda: "(0 made anew)" in reload(node), 30)
    assert {f: s for f, s in store(node).items() if f in made} == made

    # A compiled file that somebody damaged is made again; a ledger that somebody damaged is none.
    victim = sorted(made)[0]
    (node.data / "store" / victim).write_bytes(b"damaged")
    assert "(1 made anew)" in reload(node)
    (node.data / "zones.ledger").write_bytes(b"damaged")
    node.wait_restart("control", node.kill("control"))
    assert wait_for(lambda: "event=ledger.read" in node.log(), 30)
    assert node.short("www.z78.example") == ["192.0.2.252"]

    lines = node.cli("status", "--data", str(node.data)).stdout.splitlines()
    assert len(lines) < 30, "status names services, not zones"


def test_a_large_zone_serves_again_at_once(nodes):
    """What the name server looked through, and nobody wrote to since, is not looked through again before it answers."""
    names = "".join(f"host-{i} A 192.0.2.1\n" for i in range(20000))
    node = nodes(BARE, zones={"example.com.zone": ZONE % 7 + names}).start()
    verified = node.data / "zones.verified"
    assert node.short("host-19999.example.com") == ["192.0.2.1"]
    assert wait_for(verified.exists, 15), node.log()[-2000:]  # its content is noted at once
    before, entries = store(node), verified.stat().st_size
    changed = {p.name: p.stat().st_ctime_ns for p in (node.data / "store").glob("*.zone")}
    node.stop()
    shutil.rmtree(node.data / "run")
    node.start()
    assert node.short("host-19999.example.com") == ["192.0.2.1"]
    assert store(node) == before and verified.stat().st_size == entries
    # a start that touches the file, be it only to set the owner that it has, would make it unknown
    assert {p.name: p.stat().st_ctime_ns for p in (node.data / "store").glob("*.zone")} == changed
    assert "zone.damaged" not in node.log() and "plan.refused" not in node.log()

    # Somebody writes to it, and sets its times back: it is looked through first, and refused.
    victim = next((node.data / "store").glob("*.zone"))
    times = victim.stat()
    damaged = open(victim, "r+b")
    damaged.seek(times.st_size - 9)
    damaged.write(b"\xff")
    damaged.flush()
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    node.wait_restart("dns", node.kill("dns"))
    assert wait_for(lambda: "event=plan.refused" in node.log(), 10)
    # The name server notes that it is wrong, and control makes it again.
    assert wait_for(lambda: node.short("host-19999.example.com") == ["192.0.2.1"], 20), node.log()[-2000:]
    with damaged:  # still open: no other file got its inode meanwhile
        assert "event=zone.repair" in node.log() and os.fstat(damaged.fileno()).st_nlink == 0


def test_what_answers_has_the_cores_to_itself_at_first(nodes):
    """Where a plan is on the disk the others begin when the name server answers from it; they do not wait for one that cannot."""
    node = nodes(BARE, zones={"example.com.zone": ZONE % 7})
    (node.data / "plan").mkdir(parents=True)
    (node.data / "plan" / f"{1:020}.plan").write_bytes(b"no plan")
    node.start()
    began = [re.search(rf"time=(\S+) .*event=role.started of={role} ", node.log())[1] for role in ("dns", "control")]
    dns, control = (datetime.datetime.fromisoformat(at.rstrip("Z")) for at in began)
    assert 0.09 < (control - dns).total_seconds() < 4


def test_the_store_keeps_what_the_last_plans_need_and_no_more(nodes):
    """However many zones change, one or all, by a full reload or a named one: their old files go with the last plan that reaches them."""
    zones, kept = 100, 3
    listed = "".join(f"  - {{name: z{i}.example, file: z{i}.zone}}\n" for i in range(zones))
    node = nodes(BARE.partition("  - {name")[0] + listed, zones={f"z{i}.zone": ZONE % 1 for i in range(zones)}).start()
    assert node.short("www.z99.example") == ["192.0.2.1"]
    old = time.time() - 3600

    def change(first, end, version):
        for i in range(first, end):
            (node.folder / f"z{i}.zone").write_text(ZONE % version)
            os.utime(node.folder / f"z{i}.zone", (old + version, old + version))

    for version in range(2, 8):  # all at once
        change(0, zones, version)
        assert f"({zones} made anew)" in reload(node)
        assert wait_for(lambda: node.short("www.z99.example") == [f"192.0.2.{version}"])  # noqa: B023
        assert wait_for(lambda: len(store(node)) <= kept * zones), len(store(node))  # cleaned up behind the publication
    for version in range(8, 16):  # one by one
        change(0, 1, version)
        assert "(1 made anew)" in (reload(node, "--zone", "z0.example") if version % 2 else reload(node))
        assert wait_for(lambda: node.short("www.z0.example") == [f"192.0.2.{version}"])  # noqa: B023
    assert wait_for(lambda: len(store(node)) <= zones + kept - 1), len(store(node))


TWO = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone}
  - {name: example.net, file: example.net.zone}
services:
  - name: api.example.net
    policy: simple
    ttl: 5s
    endpoints:
      - {name: a, address: 192.0.2.9, region: r, provider: p}
"""


def test_a_damaged_zone_is_dark_alone(nodes):
    """No plan on the disk is whole, and control does nothing: all other zones and steered names are answered. Control makes the file anew."""
    names = "".join(f"host-{i} A 192.0.2.1\n" for i in range(20000))
    node = nodes(TWO, zones={"example.com.zone": ZONE % 7 + names, "example.net.zone": ZONE % 8}).start()
    assert node.short("host-19999.example.com") == ["192.0.2.1"]
    victim = max((node.data / "store").glob("*.zone"), key=lambda p: p.stat().st_size)
    old = time.time() - 3600
    node.kill("control", signal.SIGSTOP)
    with open(victim, "r+b") as f:
        f.seek(victim.stat().st_size // 2)
        f.write(b"\xff" * 64)
    os.utime(victim, (old, old))
    node.wait_restart("dns", node.kill("dns"))
    assert wait_for(lambda: node.short("www.example.net") == ["192.0.2.8"], 10), node.log()[-2000:]
    assert node.short("api.example.net") == ["192.0.2.9"]
    for args in (("host-1.example.com",), ("example.com", "SOA"), ("nowhere.example.com", "AAAA")):
        answer = node.dig(*args)
        assert "status: SERVFAIL" in answer and "EDE: 24 (Invalid Data)" in answer, answer
    assert "event=zone.lacking zone=example.com" in node.log()
    assert wait_for(lambda: node.metric("holdfast_zones_lacking", "dns") == 1, 5)
    assert "the compiled files of 1 zone(s) are damaged" in node.cli("status", "--data", str(node.data)).stdout
    os.kill(node.pid("control"), signal.SIGCONT)
    assert wait_for(lambda: node.short("host-19999.example.com") == ["192.0.2.1"], 20), node.log()[-2000:]
    assert wait_for(lambda: node.metric("holdfast_zones_lacking", "dns") == 0, 5)
    assert node.short("www.example.net") == ["192.0.2.8"]
