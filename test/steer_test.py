"""Every policy, end to end: a running node, real origins, and clients told apart by EDNS client subnet."""

import collections
import pathlib
import shutil
import re
import time

import dns.edns
import dns.message
import dns.query
import pytest

from node import DNS_PORT, ZONE, nodes, open_path, origins, wait_for  # noqa: F401

GEO = pathlib.Path(__file__).resolve().parent / "data" / "small.mmdb"

HEAD = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone}
checks:
  web: {http: "http://{address}:8081/healthz", interval: 200ms, timeout: 150ms, rise: 1, fall: 2, hold_down: 0s}
"""


def ask(node, name, subnet=None, rtype="A"):
    """Addresses, ECS scope (None where the answer has no ECS option), and the whole reply."""
    options = []
    if subnet:
        address, length = subnet.split("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    query = dns.message.make_query(name, rtype, use_edns=0, options=options)
    reply = dns.query.udp(query, node.address, timeout=3, port=DNS_PORT)
    scope = next((o.scopelen for o in reply.options if o.otype == dns.edns.ECS), None)
    return [r.address for rr in reply.answer for r in rr if r.rdtype in (1, 28)], scope, reply


def endpoints(lines):
    return "    endpoints:\n" + "".join(f"      - {{{line}, check: web}}\n" for line in lines)


def start(nodes, body):  # noqa: F811
    node = nodes(HEAD + body)
    shutil.copy(GEO, node.folder / "geo.mmdb")  # roles run as another user, who may not enter the tree
    return node.start()


def healthy(node, count):
    """Waits until that many addresses are up."""
    assert wait_for(lambda: node.metric("holdfast_endpoint_up") == count, 8), node.metrics() + node.log()
    time.sleep(0.3)


def test_weighted(nodes, origins):  # noqa: F811
    a, b, c = origins(3)
    node = start(nodes, "services:\n  - name: w.example.com\n    policy: weighted\n    velocity: off\n" + endpoints([
        f"name: a, address: {a.address}, weight: 1", f"name: b, address: {b.address}, weight: 3",
        f"name: c, address: {c.address}, weight: 0"]))
    healthy(node, 3)
    seen = collections.Counter(ask(node, "w.example.com")[0][0] for _ in range(800))
    assert c.address not in seen
    assert 130 < seen[a.address] < 270, seen  # 200 expected; 6 standard deviations are 73
    b.cut()
    assert wait_for(lambda: {ask(node, "w.example.com")[0][0] for _ in range(30)} == {a.address}, 5)
    a.cut()  # weight 0 only when nothing else is left
    assert wait_for(lambda: {ask(node, "w.example.com")[0][0] for _ in range(30)} == {c.address}, 5)


def test_simple_and_multivalue(nodes, origins):  # noqa: F811
    made = origins(10)
    lines = [f"name: e{i}, address: {o.address}" for i, o in enumerate(made)]
    node = start(nodes, "services:\n  - name: s.example.com\n    policy: simple\n    velocity: off\n" + endpoints(lines)
                 + "  - name: m.example.com\n    policy: multivalue\n    velocity: off\n" + endpoints(lines))
    healthy(node, 20)
    everyone = {o.address for o in made}
    answers = [ask(node, "s.example.com")[0] for _ in range(60)]
    assert all(set(x) == everyone for x in answers)
    assert len({x[0] for x in answers}) > 5, "the order is rotated"
    answers = [ask(node, "m.example.com")[0] for _ in range(60)]
    assert all(len(set(x)) == 8 and set(x) <= everyone for x in answers)
    assert set().union(*map(set, answers)) == everyone
    for o in made[:3]:
        o.cut()
    assert wait_for(lambda: set(ask(node, "s.example.com")[0]) == {o.address for o in made[3:]}, 5)
    assert wait_for(lambda: set(ask(node, "m.example.com")[0]) == {o.address for o in made[3:]}, 5)


def test_geolocation(nodes, origins):  # noqa: F811
    us, ca, eu, world = origins(4)
    body = f"geo: {{database: geo.mmdb}}\nservices:\n  - name: g.example.com\n    policy: geolocation\n    velocity: off\n" + endpoints([
        f"name: us, address: {us.address}, locations: [US]", f"name: ca, address: {ca.address}, locations: US-CA",
        f"name: eu, address: {eu.address}, locations: EU", f'name: world, address: {world.address}, locations: "*"'])
    node = start(nodes, body)
    healthy(node, 4)
    for subnet, want, scope in [("198.51.100.0/26", ca, 26), ("198.51.100.64/27", us, 26), ("198.51.100.200/32", us, 25),
                                ("203.0.113.5/32", eu, 24), ("203.0.113.200/24", eu, 24), ("192.0.2.1/32", world, None),
                                ("2001:db8:2::/56", eu, 48), ("2001:db8:1::1/128", world, None)]:
        addresses, got, _ = ask(node, "g.example.com", subnet)
        assert addresses == [want.address], subnet
        assert got is not None and (scope is None or got == scope), (subnet, got)
    addresses, scope, reply = ask(node, "g.example.com")  # from loopback: nowhere
    assert addresses == [world.address] and scope is None
    # The most specific that is healthy; then the next wider one.
    ca.cut()
    assert wait_for(lambda: ask(node, "g.example.com", "198.51.100.0/26")[0] == [us.address], 5)
    us.cut()
    assert wait_for(lambda: ask(node, "g.example.com", "198.51.100.0/26")[0] == [world.address], 5)
    assert ask(node, "g.example.com", "203.0.113.5/32")[0] == [eu.address]
    explain = node.cli("explain", "g.example.com", "--from", "198.51.100.1", "--data", str(node.data)).stdout
    assert world.address in explain and "US" in explain


def test_geolocation_without_default_is_nodata(nodes, origins):  # noqa: F811
    eu, = origins(1)
    node = start(nodes, f"geo: {{database: geo.mmdb}}\nservices:\n  - name: g.example.com\n    policy: geolocation\n"
                 + endpoints([f"name: eu, address: {eu.address}, locations: EU"]))
    healthy(node, 1)
    assert ask(node, "g.example.com", "203.0.113.5/32")[0] == [eu.address]
    addresses, _, reply = ask(node, "g.example.com", "198.51.100.1/32")
    assert not addresses and reply.rcode() == 0 and reply.authority[0].rdtype == 6


def test_ip_based(nodes, origins):  # noqa: F811
    office, lab, rest = origins(3)
    node = start(nodes, "collections:\n  office: [192.0.2.0/24, \"2001:db8:100::/40\"]\n  lab: [192.0.2.128/26]\n"
                 "services:\n  - name: i.example.com\n    policy: ip_based\n    velocity: off\n" + endpoints([
                     f"name: office, address: {office.address}, collections: [office]",
                     f"name: lab, address: {lab.address}, collections: [lab]",
                     f'name: rest, address: {rest.address}, collections: "*"']))
    healthy(node, 3)
    assert ask(node, "i.example.com", "192.0.2.1/32")[0] == [office.address]
    assert ask(node, "i.example.com", "192.0.2.130/32")[:2] == ([lab.address], 26)
    assert ask(node, "i.example.com", "198.51.100.1/32")[0] == [rest.address]
    assert ask(node, "i.example.com", "2001:db8:100::1/128")[:2] == ([office.address], 40)
    lab.cut()  # longest match among the healthy
    assert wait_for(lambda: ask(node, "i.example.com", "192.0.2.130/32")[0] == [office.address], 5)


def test_latency(nodes, origins):  # noqa: F811
    use1, euw1 = origins(2)
    node = start(nodes, "latency:\n  192.0.2.0/24: {us-east-1: 12ms, eu-west-1: 85ms}\n"
                 "  203.0.113.0/24: {us-east-1: 160ms, eu-west-1: 9.5ms}\n"
                 "services:\n  - name: l.example.com\n    policy: latency\n    velocity: off\n" + endpoints([
                     f"name: use1, address: {use1.address}, region: us-east-1",
                     f"name: euw1, address: {euw1.address}, region: eu-west-1"]))
    healthy(node, 2)
    assert ask(node, "l.example.com", "192.0.2.1/32")[:2] == ([use1.address], 24)
    assert ask(node, "l.example.com", "203.0.113.1/32")[:2] == ([euw1.address], 24)
    assert ask(node, "l.example.com", "198.51.100.1/32")[0] in ([use1.address], [euw1.address])
    euw1.cut()
    assert wait_for(lambda: ask(node, "l.example.com", "203.0.113.1/32")[0] == [use1.address], 5)


def test_nested(nodes, origins):  # noqa: F811
    ie, de, us = origins(3)
    node = start(nodes, f"""geo: {{database: geo.mmdb}}
services:
  - name: n.example.com
    policy: geolocation
    endpoints:
      - {{name: europe, service: europe.pool, locations: EU}}
      - {{name: elsewhere, service: america.pool, locations: "*"}}
  - name: europe.pool
    policy: weighted
    velocity: off
""" + endpoints([f"name: ie, address: {ie.address}, weight: 60", f"name: de, address: {de.address}, weight: 40"]) + f"""
  - name: america.pool
    policy: failover
    endpoints:
      - {{name: use1, address: {us.address}, role: primary, check: web}}
      - {{name: abroad, service: europe.pool, role: secondary}}
""")
    healthy(node, 3)
    seen = collections.Counter(ask(node, "n.example.com", "203.0.113.5/32")[0][0] for _ in range(200))
    assert set(seen) == {ie.address, de.address} and 80 < seen[ie.address] < 160
    assert ask(node, "n.example.com", "198.51.100.1/32")[0] == [us.address]
    us.cut()  # america goes abroad, by europe's weights
    assert wait_for(lambda: ask(node, "n.example.com", "198.51.100.1/32")[0][0] in (ie.address, de.address), 5)
    ie.cut()
    de.cut()  # europe's names go to ... nothing is healthy: the preferred set of each
    time.sleep(1.5)
    assert ask(node, "n.example.com", "203.0.113.5/32")[0], "never empty (L3)"
    us.heal()  # europe is dead, america lives: europe's clients go there
    assert wait_for(lambda: ask(node, "n.example.com", "203.0.113.5/32")[0] == [us.address], 5)


@pytest.mark.parametrize("mode", ["preferred", "last_good", "nodata", "{fallback: sorry.example.net}"])
def test_all_down(nodes, origins, mode):  # noqa: F811
    primary, secondary = origins(2)
    node = start(nodes, f"services:\n  - name: f.example.com\n    policy: failover\n    velocity: off\n    when_all_down: {mode}\n" + endpoints([
        f"name: p, address: {primary.address}, role: primary", f"name: s, address: {secondary.address}, role: secondary"]))
    healthy(node, 2)
    primary.cut()
    assert wait_for(lambda: ask(node, "f.example.com")[0] == [secondary.address], 5)
    secondary.cut()
    want = {"preferred": [primary.address], "last_good": [secondary.address]}.get(mode, [])
    assert wait_for(lambda: node.metric("holdfast_endpoint_up") == 0, 5)
    assert wait_for(lambda: ask(node, "f.example.com")[0] == want)
    addresses, _, reply = ask(node, "f.example.com")
    if mode.startswith("{"):
        assert reply.answer[0].to_text().endswith("CNAME sorry.example.net.")
    elif mode == "nodata":
        assert reply.rcode() == 0 and not reply.answer and reply.authority[0].rdtype == 6
    primary.heal()
    assert wait_for(lambda: ask(node, "f.example.com")[0] == [primary.address], 5)


def test_both_families_are_judged_apart(nodes, origins):  # noqa: F811
    v4, = origins(1)
    node = start(nodes, f"""services:
  - name: d.example.com
    policy: simple
    endpoints:
      - {{name: two, address: [{v4.address}, "::1"], check: web}}
""")
    assert wait_for(lambda: ask(node, "d.example.com")[0] == [v4.address], 5)
    assert ask(node, "d.example.com", rtype="AAAA")[0] == ["::1"]  # nothing listens there: open, not empty (L3)
    assert wait_for(lambda: re.search(r"two +::1 .*DOWN|two +::1 .*unready", node.cli("status", "--data", str(node.data)).stdout), 5)


def test_velocity_limit_holds_back_and_says_so(nodes, origins):  # noqa: F811
    made = origins(4)
    node = start(nodes, "services:\n  - name: v.example.com\n    policy: simple\n    velocity: {remove: 50%, window: 4s}\n" + endpoints(
        [f"name: e{i}, address: {o.address}" for i, o in enumerate(made)]))
    healthy(node, 4)
    for o in made[:3]:
        o.cut()
    assert wait_for(lambda: len(ask(node, "v.example.com")[0]) == 2, 5)
    assert wait_for(lambda: "HELD" in node.cli("status", "--data", str(node.data)).stdout.upper())
    assert made[3].address in ask(node, "v.example.com")[0]
    assert "velocity.held" in node.log()
    # As the window passes, the last dead one goes too.
    assert wait_for(lambda: ask(node, "v.example.com")[0] == [made[3].address], 10), node.log()
