"""ALIAS records: a zone's apex, or any other name, with the addresses of a service or of another name."""

import subprocess

import dns.message
import dns.query
import pytest

from node import DNS_PORT, nodes, open_path, origins, wait_for  # noqa: F401

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone%SIGN%, transfer: {allow: [127.0.0.0/8]}}
  - {name: example.net, file: example.net.zone}
checks:
  web: {http: "http://{address}:8081/", interval: 250ms, timeout: 200ms, rise: 1, fall: 2, hold_down: 1s}
collections: {office: [10.0.0.0/8]}
services:
  - name: api.example.com
    policy: failover
    ttl: 7s
    endpoints:
      - {name: a, address: %A%, role: primary, check: web}
      - {name: b, address: %B%, role: secondary, check: web}
  - name: near.example.net
    policy: ip_based
    ttl: 9s
    endpoints:
      - {name: office, address: 198.51.100.1, collections: [office]}
      - {name: rest, address: [198.51.100.2, "2001:db8::2"], collections: ["*"]}
"""
COM = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
@ ALIAS api
@ MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
near ALIAS near.example.net.
*.wild ANAME near.example.net.
toapex CNAME @
copy 60 ALIAS host.example.net.
"""
NET = """$ORIGIN example.net.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
@ ALIAS host
host A 192.0.2.99
"""


@pytest.fixture(params=["", ", dnssec: on", ", dnssec: {denial: nsec3}"], ids=["plain", "nsec", "nsec3"])
def node(nodes, origins, request):  # noqa: F811
    a, b = origins(2)
    config = CONFIG.replace("%A%", a.address).replace("%B%", b.address).replace("%SIGN%", request.param)
    n = nodes(config, {"example.com.zone": COM, "example.net.zone": NET})
    n.origins, n.signed = (a, b), bool(request.param)
    n.start()
    assert wait_for(lambda: n.short("api.example.com") == [a.address]), n.log()
    return n


def ask(node, name, rtype="A", subnet=None, **options):
    if subnet:
        options["options"] = [dns.edns.ECSOption.from_text(subnet)]
    return dns.query.udp(dns.message.make_query(name, rtype, **options), node.address, port=DNS_PORT, timeout=5)


def plain(section, name):
    """Records without their owner, which has to be this one."""
    assert all(str(s.name) == name + "." for s in section), section
    return sorted((s.ttl, s.rdtype, str(r)) for s in section for r in s if s.rdtype != 46)


def same(node, alias, service, rtype="A", **options):
    one, other = ask(node, alias, rtype, **options), ask(node, service, rtype, **options)
    assert plain(one.answer, alias) == plain(other.answer, service), one.to_text() + other.to_text()
    assert one.rcode() == other.rcode() == 0
    scopes = [[o.scopelen for o in m.options if o.otype == 8] for m in (one, other)]
    assert scopes[0] == scopes[1]
    return plain(one.answer, alias)


def test_answers_are_the_services(node):
    a, b = node.origins
    assert [r[2] for r in same(node, "example.com", "api.example.com")] == [a.address]  # its TTL moves
    assert same(node, "example.com", "api.example.com", "AAAA") == []
    for subnet, address in (("10.1.2.0/24", "198.51.100.1"), ("203.0.113.0/24", "198.51.100.2")):
        for alias in ("near.example.com", "x.wild.example.com"):
            assert same(node, alias, "near.example.net", subnet=subnet) == [(9, 1, address)]
    assert same(node, "near.example.com", "near.example.net", "AAAA") == [(9, 28, "2001:db8::2")]
    assert [str(r) for s in ask(node, "toapex.example.com").answer for r in s if s.rdtype == 1] == [a.address]
    # Copies of other names' addresses, with the lower TTL.
    assert plain(ask(node, "copy.example.com").answer, "copy.example.com") == [(60, 1, "192.0.2.99")]
    assert plain(ask(node, "example.net").answer, "example.net") == [(300, 1, "192.0.2.99")]
    # Other types are as if it were not there.
    assert plain(ask(node, "example.com", "MX").answer, "example.com") == [(300, 15, "10 mail.example.com.")]
    for rtype in ("TXT", "TYPE65401"):
        r = ask(node, "example.com", rtype)
        assert r.rcode() == 0 and not r.answer and r.authority[0].rdtype == 6, r.to_text()
    # Health moves it.
    a.cut()
    assert wait_for(lambda: node.short("example.com") == [b.address], 6), node.log()
    assert same(node, "example.com", "api.example.com")[0][2] == b.address
    status = node.cli("status", "--data", str(node.data))
    assert status.returncode == 0, status.stderr
    said = node.cli("explain", "--data", str(node.data), "example.com").stdout
    assert "api.example.com" in said, said
    # And an order to answer nothing counts for it too.
    for e in ("a", "b"):
        assert node.cli("endpoint", "disable", "--force", f"api.example.com/{e}", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("example.com") == [] and node.short("api.example.com") == [], 6), node.log()


def test_every_variant_is_signed(node, open_path):  # noqa: F811
    if not node.signed:
        pytest.skip("the zone is not signed")
    keys = node.dig("example.com", "DNSKEY", "+short").splitlines()
    anchor = open_path / "anchor"
    anchor.write_text("trust-anchors {\n" + "".join(
        f'"example.com" static-key {k.split()[0]} {k.split()[1]} {k.split()[2]} "{"".join(k.split()[3:])}";\n' for k in keys) + "};\n")
    for name, rtype, says in (("example.com", "A", "fully validated"), ("near.example.com", "A", "fully validated"),
                              ("near.example.com", "AAAA", "fully validated"), ("y.wild.example.com", "A", "fully validated"),
                              ("example.com", "AAAA", "negative response, fully validated"),
                              ("example.com", "TYPE65401", "negative response, fully validated"),
                              ("near.example.com", "TXT", "negative response, fully validated"),
                              ("copy.example.com", "A", "fully validated")):
        out = subprocess.run(["delv", "-a", anchor, "+root=example.com", f"@{node.address}", "-p", str(DNS_PORT), name, rtype],
                             capture_output=True, text=True, timeout=20)
        assert says in out.stdout, (name, rtype, out.stdout + out.stderr)


def test_reloads_follow(node):
    path = node.folder / "example.net.zone"
    path.write_text(NET.replace("192.0.2.99", "192.0.2.100"))
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 0, reply.stderr
    assert wait_for(lambda: node.short("copy.example.com") == ["192.0.2.100"], 5), node.log()
    com = node.folder / "example.com.zone"
    com.write_text(COM.replace("near ALIAS near.example.net.", "near A 192.0.2.7").replace(" 1 3600", " 2 3600"))
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("near.example.com") == ["192.0.2.7"], 5), node.log()
    # What leads nowhere is refused, with its place, and nothing changes.
    com.write_text(COM.replace("@ ALIAS api", "@ ALIAS www.example.org."))
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 1
    assert f"{com}:5:1: example.com has an ALIAS record onto www.example.org, which lies in no zone" in reply.stderr + reply.stdout
    assert node.short("near.example.com") == ["192.0.2.7"] and node.short("example.com") == [node.origins[0].address]


def test_restart_and_kept_zones(node):
    """Zones that are not compiled again know their aliases; a service that is gone makes them anew."""
    node.stop()
    node.start()
    assert wait_for(lambda: node.short("example.com") == [node.origins[0].address]), node.log()
    pid = node.kill("control")
    node.wait_restart("control", pid)
    assert wait_for(lambda: node.short("near.example.com") == ["198.51.100.2"]), node.log()
    config = node.config_path.read_text()
    node.config_path.write_text(config.replace("near.example.net", "far.example.net"))
    assert wait_for(lambda: "no node answers" not in node.cli("zone", "status", "--data", str(node.data)).stderr)
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 1 and "near.example.net, which is no service and not in its zone" in reply.stderr + reply.stdout, reply


def test_zones_that_have_their_addresses_from_each_other(nodes):  # noqa: F811
    node = nodes(CONFIG.replace("%A%", "192.0.2.1").replace("%B%", "192.0.2.2").replace("%SIGN%", ""),
                 {"example.com.zone": COM, "example.net.zone": NET})
    node.start()
    net = node.folder / "example.net.zone"
    net.write_text(NET.replace("@ ALIAS host", "@ ALIAS mail.example.com."))
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 1 and "example.com has ALIAS records onto a zone that has some onto it" in reply.stderr + reply.stdout
    # One of them first, and it is a matter of order alone.
    (node.folder / "example.com.zone").write_text(COM.replace("copy 60 ALIAS host.example.net.", "copy A 192.0.2.9"))
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("example.net") == ["192.0.2.25"], 5), node.log()
