"""What other name servers hold of names that follow services by ALIAS, and of services in zones from primaries."""

import time

import dns.message
import dns.name
import dns.query
import dns.tsigkeyring
import dns.zone
import pytest

from node import DNS_PORT, nodes, open_path, origins, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, primaries, zone_text  # noqa: F401 (fixtures)
from secondaries import secondaries  # noqa: F401 (fixture)
from serial_test import newer
from steered_transfer_test import addresses, verify, zone_serial
from transfer_test import xfr_query

KEYRING = dns.tsigkeyring.from_text({"k1": ("hmac-sha256", SECRET)})

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: """ + SECRET + """}}
zones:
  - {name: example.com, file: example.com.zone}
  - {name: example.net, SOURCE, transfer: {keys: [k1]NOTIFY}}
checks:
  web: {http: "http://{address}:8081/", interval: 200ms, timeout: 150ms, rise: 2, fall: 2, hold_down: 1s}
services:
  - name: api.SERVICE
    policy: failover
    ttl: 5s
    endpoints:
      - {name: a, address: A, role: primary, check: web}
      - {name: b, address: B, role: secondary, check: web}
"""

# all the same names as others' zones may have them: the apex, a name, a wildcard, and one that leads on
NET = zone_text(10, "@ ALIAS api.example.com.", "shop ALIAS api.example.com.", "more ALIAS shop", "text ALIAS www", "shop TXT beside")


def start(nodes, a, b, source="file: example.net.zone", service="example.com", net=NET, notify="", wait="ready"):  # noqa: F811
    text = CONFIG.replace("SOURCE", source).replace("SERVICE", service).replace("NOTIFY", notify)
    text = text.replace("address: A", f"address: {a.address}").replace("address: B", f"address: {b.address}")
    return nodes(text, {"example.com.zone": zone_text(1), "example.net.zone": net}).start(wait=wait)


def fetch(node, name="example.net"):
    x = dns.query.xfr(node.address, name, port=DNS_PORT, keyring=KEYRING, keyname=dns.name.from_text("k1"), lifetime=10, relativize=False)
    return dns.zone.from_xfr(x, relativize=False)


def have(node, expected, *names):
    def look():
        z = fetch(node)
        return all(addresses(z, dns.name.from_text(n)) == expected for n in names) and z
    return wait_for(look, 60, 0.1)  # as steered_transfer_test.follows()


NAMES = ("example.net", "shop.example.net", "more.example.net")


@pytest.mark.parametrize("dnssec", ["off", "{denial: nsec}", "{denial: nsec3}"])
def test_aliases_onto_another_zones_service(nodes, origins, dnssec):  # noqa: F811
    """No service lies in the zone: its only steered names are ALIASes."""
    a, b = origins()
    node = start(nodes, a, b, f"file: example.net.zone, dnssec: {dnssec}")
    first = have(node, [a.address], *NAMES)
    assert first, node.log()[-2000:]
    assert addresses(first, dns.name.from_text("text.example.net")) == ["192.0.2.1"]
    assert not any(s.rdtype == 65401 for _, s in first.iterate_rdatasets())
    assert first.get_rdataset(dns.name.from_text("shop.example.net"), "A").ttl == 5
    if dnssec != "off":
        verify(first, node.folder)
    a.cut()
    second = have(node, [b.address], *NAMES)
    assert second and newer(zone_serial(second), zone_serial(first)), node.log()[-2000:]
    if dnssec != "off":
        verify(second, node.folder)
    # by steps, too
    q = xfr_query("example.net", "IXFR", KEYRING, "k1", "hmac-sha256", serial=zone_serial(first))
    old = first
    dns.query.inbound_xfr(node.address, old, port=DNS_PORT, query=q, timeout=10)
    assert old == fetch(node)
    # a restart goes on with what was handed out
    seen = zone_serial(fetch(node))
    node.stop()
    node.start()
    assert have(node, [b.address], *NAMES) and zone_serial(fetch(node)) == seen


@pytest.mark.parametrize("kind", ["knot", "nsd"])
@pytest.mark.parametrize("dnssec", ["off", "on"])
def test_other_servers_follow(nodes, origins, secondaries, kind, dnssec):  # noqa: F811
    a, b = origins()
    node = start(nodes, a, b, f"file: example.net.zone, dnssec: {dnssec}")
    second = secondaries(kind, node, {"example.net": "k1"})
    config = node.config_path.read_text()
    node.config_path.write_text(config.replace("keys: [k1]", f'keys: [k1], notify: "{second.address}:{DNS_PORT} key k1"'))
    assert node.cli("reload", "--data", str(node.data)).returncode == 0

    def seen(name):
        reply = second.ask(name, "A")
        return [r.address for s in reply.answer for r in s if r.rdtype == 1] if reply else None

    assert wait_for(lambda: all(seen(n) == [a.address] for n in NAMES), 15)
    a.cut()
    began = time.monotonic()
    assert wait_for(lambda: all(seen(n) == [b.address] for n in NAMES), 60)
    print(f"{kind}, dnssec {dnssec}: {time.monotonic() - began:.2f} s after the cut")


@pytest.mark.parametrize("dnssec", ["off", "on"])
def test_a_service_in_a_zone_from_a_primary(nodes, origins, primaries, dnssec):  # noqa: F811
    """The serial is ours then: the primary's where that is newer, else one more; what the primary says next still comes."""
    a, b = origins()
    p = primaries("knot", {"example.net": zone_text(40)})
    node = start(nodes, a, b, f"primaries: {p.address}:{DNS_PORT}, dnssec: {dnssec}", "example.net", wait="ready")
    assert wait_for(lambda: node.short("api.example.net") == [a.address], 15), node.log()
    assert have(node, [a.address], "api.example.net"), node.log()[-3000:]
    a.cut()
    z = have(node, [b.address], "api.example.net")
    assert z and zone_serial(z) > 40, node.log()[-3000:]
    ahead = zone_serial(z)
    p.change_seen("example.net", zone_text(41, "new A 192.0.2.77"))  # older than ours by now, and another one
    assert node.cli("zone", "reload", "example.net", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("new.example.net") == ["192.0.2.77"], 15), node.log()[-3000:]
    z = have(node, ["192.0.2.77"], "new.example.net")
    assert z and newer(zone_serial(z), ahead) and addresses(z, dns.name.from_text("api.example.net")) == [b.address]
    node.stop()
    p.change_seen("example.net", zone_text(42, "new A 192.0.2.78"))
    node.start()
    assert node.cli("zone", "reload", "example.net", "--data", str(node.data)).returncode == 0
    assert have(node, ["192.0.2.78"], "new.example.net"), node.log()[-3000:]
    assert "zone.expired" not in node.log()


def test_an_alias_that_comes_while_the_node_runs(nodes, origins):  # noqa: F811
    """By an update: the zone has a form from then on, and none when it goes."""
    a, b = origins()
    node = start(nodes, a, b, "file: example.net.zone, update: {rules: [{key: k1}]}", net=zone_text(10))
    plain = fetch(node)
    assert addresses(plain, dns.name.from_text("www.example.net")) == ["192.0.2.1"]

    def put(*lines):
        (node.folder / "next.zone").write_text(zone_text(10, *lines))
        done = node.cli("zone", "import", "example.net", str(node.folder / "next.zone"), "--data", str(node.data))
        assert done.returncode == 0, done.stderr

    a.cut()
    assert wait_for(lambda: node.short("api.example.com") == [b.address])
    put("shop ALIAS api.example.com.")
    z = have(node, [b.address], "shop.example.net")
    assert z and zone_serial(z) == 11  # the first form has what the plan says, so there is no second
    put("shop A 192.0.2.9")
    assert have(node, ["192.0.2.9"], "shop.example.net")
