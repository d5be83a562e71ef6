"""Catalog zones with BIND 9: it consumes ours, and we consume what it serves: groups, ownership and labels (RFC 9432)."""

import os

import pytest

from bind import binds  # noqa: F401 (fixture)
from catalog_test import CONFIG as PRODUCER
from catalog_test import THREE
from node import nodes, open_path, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, zone_text
from serial_test import serial, text


def test_bind_serves_what_is_listed(nodes, binds):  # noqa: F811
    node = nodes(PRODUCER, {"z.zone": text(1, "a A 192.0.2.7")})
    bind = binds(catalogs=["catalog.example"], node=node, start=False)
    notify = f', notify: "{bind.address}:{bind.port} key k1"'
    node.config_path.write_text(node.config_path.read_text().replace("NOTIFY", notify))
    node.start()
    bind.start()
    for name in ("one", "two"):
        assert wait_for(lambda n=name: bind.values(f"a.{n}.example") == ["192.0.2.7"], 30), bind.text()[-3000:]
    assert bind.values("www.one.example") == ["192.0.2.1"]  # steered
    config = node.config_path.read_text()
    node.config_path.write_text(config.replace("services:", THREE.replace("NOTIFY", notify) + "services:"))
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: bind.values("a.three.example") == ["192.0.2.7"], 30), bind.text()[-3000:]
    node.config_path.write_text(config)
    node.cli("reload", "--data", str(node.data), "--accept-shrink", "catalog.example", check=True)
    assert wait_for(lambda: bind.ask("a.three.example").rcode() == 5, 30), bind.text()[-3000:]
    assert bind.values("a.one.example") == ["192.0.2.7"]


def test_bind_takes_over_what_is_handed_over(nodes, binds):  # noqa: F811
    """A zone moves from one of our catalogs to another (RFC 9432 4.3.1). Without coo BIND refuses the second, and loses the zone
    when it leaves the first."""
    node = nodes(PRODUCER, {"z.zone": text(1, "a A 192.0.2.7")})
    bind = binds(catalogs=["catalog.example", "next.example"], node=node, start=False)
    notify = f', notify: "{bind.address}:{bind.port} key k1"'
    both = "catalog: generate, transfer: {keys: [k1]NOTIFY}}\n  - {name: next.example, catalog: generate, transfer: {keys: [k1]NOTIFY}}"
    first = node.config_path.read_text().replace("catalog: generate, transfer: {keys: [k1]NOTIFY}}", both).replace("NOTIFY", notify)
    node.config_path.write_text(first)
    node.start()
    bind.start()
    assert wait_for(lambda: bind.values("a.one.example") == ["192.0.2.7"], 30), bind.text()[-3000:]

    def step(catalogs, catalog):
        one = "one.example, file: z.zone, catalog_zone: "
        before = serial(node, catalog)
        node.config_path.write_text(first.replace(one + "catalog.example", one + catalogs))
        node.cli("reload", "--data", str(node.data), "--accept-shrink", "catalog.example", check=True)
        assert wait_for(lambda: serial(node, catalog) != before)
        read = f"updating catalog zone '{catalog}' with serial {serial(node, catalog)}"
        assert wait_for(lambda: read in bind.text(), 30), bind.text()[-3000:]

    step("catalog.example, catalog_next: next.example", "catalog.example")
    step("next.example, catalog_before: catalog.example", "next.example")
    assert wait_for(lambda: "adding zone 'one.example' from catalog 'next.example' - success" in bind.text())
    assert wait_for(lambda: bind.values("a.one.example") == ["192.0.2.7"], 10), bind.text()[-3000:]
    step("next.example", "catalog.example")
    assert not wait_for(lambda: bind.values("a.one.example") != ["192.0.2.7"], 0.5), bind.text()[-3000:]


HEAD = """$TTL 0
@ SOA invalid. invalid. SERIAL 2 1 604800 0
@ NS invalid.
version TXT "2"
"""


def catalog(serial, **members):
    """label: name, or (name, property lines with the label before them)."""
    lines = []
    for label, said in members.items():
        name, *properties = said if isinstance(said, tuple) else (said,)
        lines += [f"{label}.zones PTR {name}.", *(f"{p.split()[0]}.{label}.zones {p.split(None, 1)[1]}" for p in properties)]
    return HEAD.replace("SERIAL", str(serial)) + "\n".join(lines) + "\n"


CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: """ + SECRET + """}}
zones:
  - name: cat.example
    catalog: consume
    accept_shrink: true
    primaries: "BIND"
    catalog_groups:
      signed: {dnssec: on, transfer: {allow: 127.0.0.0/8}}
      open: {transfer: {allow: 127.0.0.0/8}}
  - {name: other.example, catalog: consume, primaries: "BIND"}
"""

QUICK = "2 1 604800 60"


def a(node, name):
    return node.short(f"www.{name}")


@pytest.fixture
def pair(nodes, binds):  # noqa: F811
    zones = {f"m{i}.example": zone_text(i, f"own A 192.0.2.{i}", timers=QUICK) for i in range(1, 5)}
    zones["cat.example"] = catalog(1, a="m1.example", b=("m2.example", 'group TXT "Signed"'), c=("m3.example", "group TXT unknown"))
    zones["other.example"] = catalog(1, z="m4.example")
    bind = binds(zones)
    node = nodes(CONFIG.replace("BIND", f"{bind.address}:{bind.port}"), {}).start()
    for i in range(1, 5):
        assert wait_for(lambda n=i: node.short(f"own.m{n}.example") == [f"192.0.2.{n}"], 30), node.log()[-3000:]
    return bind, node


def signed(node, zone):
    return bool(node.short(zone, "DNSKEY"))


def transferred(node, zone):
    return "XFR size" in node.dig("+tcp", zone, "AXFR")


def test_groups_choose_the_settings(pair):
    bind, node = pair
    assert [signed(node, f"m{i}.example") for i in (1, 2, 3)] == [False, True, False]
    assert [transferred(node, f"m{i}.example") for i in (1, 2, 3)] == [False, True, False]
    bind.change("cat.example", catalog(2, a=("m1.example", 'group TXT "open"'), b=("m2.example", 'group TXT "signed"'), c="m3.example"))
    assert wait_for(lambda: transferred(node, "m1.example"), 20), node.log()[-3000:]
    assert [signed(node, f"m{i}.example") for i in (1, 2, 3)] == [False, True, False]
    # a catalog that is broken changes nothing, groups neither; nor a restart
    bind.change("cat.example", catalog(3, a="m1.example", b="m2.example", c="m3.example").replace('TXT "2"', 'TXT "7"'))
    assert wait_for(lambda: "it is no catalog of version 2" in node.log(), 20), node.log()[-3000:]
    node.stop()
    node.start()
    assert wait_for(lambda: transferred(node, "m1.example")) and signed(node, "m2.example")
    assert node.short("own.m3.example") == ["192.0.2.3"]


def test_a_change_of_ownership(pair):
    """A zone stays with its catalog until that says who may have it (4.4.1)."""
    bind, node = pair
    held = (node.data / "zones" / "m4.example" / "base").open("rb")  # open: no other file gets its inode meanwhile
    bind.change("cat.example", catalog(2, a="m1.example", b="m2.example", c="m3.example", d=("m4.example", 'group TXT "open"')))
    assert wait_for(lambda: node.log().count("event=reload.done") >= 2, 20)
    assert wait_for(lambda: "m4.example d" not in (node.data / "zones" / "cat.example" / "members").read_text())
    assert not transferred(node, "m4.example")  # other.example's still
    bind.change("other.example", catalog(2, z=("m4.example", "coo PTR cat.example.")))
    assert wait_for(lambda: transferred(node, "m4.example"), 20), node.log()[-3000:]
    assert node.short("own.m4.example") == ["192.0.2.4"] and "event=catalog.left" not in node.log()
    bind.change("other.example", catalog(3))
    assert wait_for(lambda: "m4" not in (node.data / "zones" / "other.example" / "members").read_text(), 20)
    assert node.short("own.m4.example") == ["192.0.2.4"]
    with held:  # d is not z: another zone of that name, nothing kept of the other
        assert "event=catalog.reset" in node.log() and os.fstat(held.fileno()).st_nlink == 0


def test_another_label_starts_the_zone_anew(pair):
    bind, node = pair
    bind.change("m3.example", zone_text(1, "own A 192.0.2.33", timers=QUICK))  # an older serial: another zone of that name
    bind.change("cat.example", catalog(2, a="m1.example", b="m2.example", x9="m3.example"))
    assert wait_for(lambda: node.short("own.m3.example") == ["192.0.2.33"], 20), node.log()[-3000:]
    assert "event=catalog.reset" in node.log()
    assert node.short("own.m1.example") == ["192.0.2.1"]
