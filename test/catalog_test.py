"""Catalog zones (RFC 9432): Knot is told of one zone and serves all that the node lists there."""

import os
import pathlib

import dns.rdatatype

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from secondaries import SECRET, secondaries  # noqa: F401
from serial_test import newer, serial, text
from transfer_test import axfr

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig:
  k1: {secret: """ + SECRET + """}
zones:
  - {name: catalog.example, catalog: generate, transfer: {keys: [k1]NOTIFY}}
  - {name: one.example, file: z.zone, catalog_zone: catalog.example, transfer: {keys: [k1]NOTIFY}}
  - {name: two.example, file: z.zone, catalog_zone: catalog.example, catalog_group: eu, dnssec: on,
     transfer: {keys: [k1]NOTIFY}}
  - {name: apart.example, file: z.zone, transfer: {keys: [k1]NOTIFY}}
services:
  - {name: www.one.example, endpoints: [{name: a, address: 192.0.2.1}]}
"""
THREE = "  - {name: three.example, file: z.zone, catalog_zone: catalog.example, transfer: {keys: [k1]NOTIFY}}\n"


def members(node):
    """id -> name of the zones that the catalog lists."""
    z = axfr(node, "catalog.example", "k1")
    return {name.labels[0]: rdata.target.to_text() for name, _, rdata in z.iterate_rdatas(dns.rdatatype.PTR)}


def test_ids_and_serials(nodes):  # noqa: F811
    config = CONFIG.replace("NOTIFY", "")
    node = nodes(config, {"z.zone": text(1)}).start()
    first, before = members(node), serial(node, "catalog.example")
    assert sorted(first.values()) == ["one.example.", "two.example."]
    z = axfr(node, "catalog.example", "k1")
    assert [r.strings for r in z.get_rdataset("version", "TXT")] == [(b"2",)]
    assert [r.strings for _, _, r in z.iterate_rdatas(dns.rdatatype.TXT)] == [(b"2",), (b"eu",)]
    (node.folder / "z.zone").write_text(text(2, "a A 192.0.2.1"))  # of the members; not of the list
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: node.short("a.one.example") == ["192.0.2.1"])
    assert serial(node, "catalog.example") == before
    node.stop()
    node.start()
    assert members(node) == first and serial(node, "catalog.example") == before
    path = pathlib.Path(node.config_path)
    path.write_text(path.read_text().replace("services:", THREE.replace("NOTIFY", "") + "services:"))
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: len(members(node)) == 3)
    assert newer(serial(node, "catalog.example"), before)
    assert {k: v for k, v in members(node).items() if v != "three.example."} == first


def test_knot_serves_what_is_listed(nodes, secondaries):  # noqa: F811
    node = nodes(CONFIG, {"z.zone": text(1, "a A 192.0.2.7")})
    knot = secondaries("catalog", node, {"catalog.example": "k1"})
    notify = f', notify: "{knot.address}:{DNS_PORT} key k1"'
    path = pathlib.Path(node.config_path)
    path.write_text(path.read_text().replace("NOTIFY", notify))
    node.start()

    def theirs(name):
        reply = knot.ask(name, "A")
        return [r.address for r in reply.answer[0]] if reply and reply.answer else []
    assert wait_for(lambda: theirs("a.one.example") == ["192.0.2.7"], 20), node.log()[-3000:]
    assert wait_for(lambda: theirs("a.two.example") == ["192.0.2.7"], 10)
    assert theirs("www.one.example") == ["192.0.2.1"]  # steered
    assert wait_for(lambda: os.path.exists(f"{knot.folder}/eu-two.example.zone"), 5)  # the group's settings
    assert theirs("a.apart.example") == []
    path.write_text(path.read_text().replace("services:", THREE.replace("NOTIFY", notify) + "services:"))
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: theirs("a.three.example") == ["192.0.2.7"], 15), node.log()[-3000:]
    path.write_text(path.read_text().replace(THREE.replace("NOTIFY", notify), ""))
    node.cli("reload", "--data", str(node.data), "--accept-shrink", "catalog.example", check=True)
    assert wait_for(lambda: theirs("a.three.example") == [], 15)
    assert theirs("a.one.example") == ["192.0.2.7"]
