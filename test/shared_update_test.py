"""DNS UPDATE into zones that nodes share: three real nodes, any of which takes it and all of which serve it."""

import json
import signal
import socket
import threading
import time

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from cluster_test import crash, is_cut_off, leads
from mesh_test import Cluster, ask, sees
from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401
from update_test import SECRET, nsupdate

TSIG = "}\ntsig: {all: {secret: " + SECRET + "}, acme: {secret: " + SECRET + "}"
KEYS = dns.tsigkeyring.from_text({k: ("hmac-sha256", SECRET) for k in ("all.", "acme.")})
ZONE = """$ORIGIN example.org.
$TTL 300
@ SOA ns1.example.net. hostmaster.example.net. 10 3600 600 86400 60
@ NS ns1.example.net.
www A 192.0.2.1
www A 192.0.2.2
"""
ORG = "example.org"
RULES = [{"key": "all"}, {"key": "acme", "names": "_acme-challenge.*", "types": "TXT"}]


def share(node, rules=RULES, zone=ZONE):
    folder = node.folder / "share"
    folder.mkdir(exist_ok=True)
    (folder / "z").write_text(zone)
    (folder / "shared.yaml").write_text(json.dumps({"zones": [{"name": "example.org", "file": "z", "update": {"rules": rules}}]}))
    return node.cli("share", str(folder / "shared.yaml"), "--data", str(node.data))


@pytest.fixture
def three(nodes):
    cluster = Cluster(nodes)
    a = cluster.first(TSIG)
    among = [a, cluster.joined(a, extra=TSIG), cluster.joined(a)]  # the third one has no key
    for n in among:
        assert wait_for(lambda n=n: sees(n, *[m.name for m in among if m is not n])), n.log()
    assert wait_for(lambda: all(n.metric("holdfast_replica_quorum") for n in among)), a.log()
    assert wait_for(lambda: len({n.metric("holdfast_replica_applied") for n in among}) == 1), a.log()
    assert wait_for(lambda: share(a).returncode == 0, 15), share(a)
    for n in among:
        assert wait_for(lambda n=n: n.short("www.example.org") == ["192.0.2.1", "192.0.2.2"]), n.log()
    return among


def raw(wire, node):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(wire, (node.address, DNS_PORT))
        return s.recv(65535)


def send(node, build, key="all", timeout=10):
    u = dns.update.Update("example.org", keyring=KEYS, keyname=key + ".")
    u.use_edns(0)
    build(u)
    return dns.query.tcp(u, node.address, port=DNS_PORT, timeout=timeout)


def sure(node, build):
    """The answer, and how often it had to be asked again: a node whose leader was lost meanwhile does not know what was done."""
    for again in range(5):
        rcode = send(node, build).rcode()
        if rcode != dns.rcode.SERVFAIL:
            break
    return rcode, again


def add(name, *values, rtype="TXT"):
    return lambda u: u.add(name, 60, rtype, *values)


def all_have(among, name, rtype, values):
    for n in among:
        assert wait_for(lambda n=n: n.short(name, rtype) == values), (n.name, n.short(name, rtype), n.log())


def serial(node):
    return int(node.dig("+short", "example.org", "SOA").split()[2])


def changes(node):
    return ask(node, {"op": "intent"})["intent"]["history"]


def test_any_node_takes_updates_for_all(three):
    a, b, c = three
    assert nsupdate(a, "prereq nxdomain new.example.org\nupdate add new.example.org 60 A 192.0.2.9", zone=ORG) == "NOERROR"
    all_have(three, "new.example.org", "A", ["192.0.2.9"])
    # What the other node was told of a moment ago is what this one looks at.
    for i in range(10):
        first, second = (a, b) if i % 2 else (b, a)
        assert sure(first, add("turn", f"v{i}"))[0] == dns.rcode.NOERROR
        rcode, again = sure(second, lambda u: (u.present("turn"), u.delete("turn", "TXT", f"v{i}")))
        assert rcode == dns.rcode.NOERROR or again and rcode == dns.rcode.NXDOMAIN, (rcode, again)
    assert sure(a, lambda u: u.absent("turn"))[0] == dns.rcode.NOERROR
    assert nsupdate(b, "prereq yxdomain turn.example.org\nupdate add x.example.org 60 A 192.0.2.9", zone=ORG) == "NXDOMAIN"
    assert nsupdate(b, "update add www.example.org 60 MX 10 mail", "acme", zone=ORG) == "REFUSED"
    # What certbot does: a challenge that one node takes and another takes away
    assert nsupdate(b, "update add _acme-challenge.www.example.org 60 TXT token", "acme", zone=ORG) == "NOERROR"
    all_have(three, "_acme-challenge.www.example.org", "TXT", ['"token"'])
    assert nsupdate(a, "update delete _acme-challenge.www.example.org TXT token", "acme", zone=ORG) == "NOERROR"
    all_have(three, "_acme-challenge.www.example.org", "TXT", [])
    assert wait_for(lambda: len({serial(n) for n in three}) == 1)
    newest = changes(c)[-1]
    assert (newest["author"], newest["reason"]) == ("tsig:acme", "DNS UPDATE")
    assert [e["name"] for e in newest["edits"]] == ["example.org _acme-challenge.www.example.org TXT"]
    log = c.cli("log", "--data", str(c.data)).stdout
    assert "tsig:acme" in log and "DNS UPDATE" in log
    # Each change can be taken back as any other.
    assert a.cli("undo", str(newest["version"]), "--data", str(a.data)).returncode == 0
    all_have(three, "_acme-challenge.www.example.org", "TXT", ['"token"'])
    # The node that has no key says so.
    with pytest.raises(dns.tsig.PeerBadKey):
        send(c, add("x", "y"))
    assert "this node has no TSIG key of that name" in c.log()
    assert "this node has no key all" in c.log() and c.short("new.example.org") == ["192.0.2.9"]


def test_the_same_message_twice_changes_nothing_twice(three):
    a, b, _ = three
    u = dns.update.Update("example.org", keyring=KEYS, keyname="all.")
    u.absent("once")
    u.add("once", 60, "A", "192.0.2.77")
    wire = u.to_wire()
    answers = [dns.message.from_wire(raw(wire, n), keyring=KEYS, request_mac=u.mac) for n in (a, a, b)]
    assert [r.rcode() for r in answers] == [dns.rcode.NOERROR] * 3
    assert len([c for c in changes(a) if any("once" in e["name"] for e in c["edits"])]) == 1
    assert "YXDOMAIN" == nsupdate(b, "prereq nxdomain once.example.org\nupdate add x.example.org 60 A 192.0.2.9", zone=ORG)


def test_many_at_once(three):
    """Two nodes, eight clients, and the leader's control dies meanwhile: nothing told to be done is lost."""
    a, b, _ = three
    told, lock = [], threading.Lock()
    lead = leads(three)

    def client(number):
        for i in range(8):
            name = f"c{number}-{i}"
            try:
                r = send((a, b)[number % 2], lambda u: u.add("many", 60, "TXT", name), timeout=5)
            except (dns.exception.DNSException, OSError, EOFError):
                continue
            if r.rcode() == dns.rcode.NOERROR:
                with lock:
                    told.append(name)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for t in clients:
        t.start()
    assert wait_for(lambda: len(told) >= 8, 30)
    lead.kill("control", signal.SIGKILL)
    before = len(told)
    for t in clients:
        t.join()
    assert len(told) > before, (len(told), a.log())
    wanted = {f'"{n}"' for n in told}
    for n in three:
        assert wait_for(lambda n=n: wanted <= set(n.short("many.example.org", "TXT", "+tcp"))), n.log()


def test_who_was_ended_serves_nothing_older(three):
    """L2: what was agreed on is saved a moment later; a control that is killed in between begins with less than it serves."""
    a, b, _ = three
    for i in range(2):
        for value in ("first", "second"):  # the second one is not saved yet
            assert send(a, lambda u: u.replace("www", 60, "TXT", f"{value}-{i}")).rcode() == dns.rcode.NOERROR
        assert wait_for(lambda: b.short("www.example.org", "TXT") == [f'"second-{i}"']), b.log()
        pid = b.pid("control")
        b.kill("control", signal.SIGKILL)
        seen, until = set(), time.monotonic() + 1.5
        while time.monotonic() < until:
            seen.add((tuple(b.short("www.example.org", "TXT")), serial(b)))
        b.wait_restart("control", pid)
        assert seen == {((f'"second-{i}"',), serial(a))}, (seen, b.log()[-3000:])


def test_without_a_majority_nothing_is_said_to_be_done(three):
    lead = leads(three)
    alone = three[1] if lead is not three[1] else three[0]
    crash(lead)  # the leader's machine dies: the two others go on
    assert wait_for(lambda: send(alone, add("after", "x")).rcode() == dns.rcode.NOERROR, 15), alone.log()
    other = next(n for n in three if n not in (lead, alone))
    all_have([alone, other], "after.example.org", "TXT", ['"x"'])
    crash(other)
    assert wait_for(lambda: is_cut_off(alone)), alone.log()
    r = send(alone, add("lost", "x"))
    assert r.rcode() == dns.rcode.SERVFAIL
    assert [(o.code, "voters are needed" in o.text) for o in r.options if isinstance(o, dns.edns.EDEOption)] == [(14, True)], r
    assert alone.short("lost.example.org", "TXT") == [] and alone.short("after.example.org", "TXT") == ['"x"']
    lead.start()
    assert wait_for(lambda: send(alone, add("again", "x")).rcode() == dns.rcode.NOERROR, 15), alone.log()
    all_have([alone, lead], "again.example.org", "TXT", ['"x"'])


def test_rules_and_what_cannot_be_served(nodes):  # noqa: F811
    """One node: no others are asked. L3, what would not load, and a key that nobody has."""
    a = nodes("""node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {all: {secret: """ + SECRET + "}}\n", zones={"unused": ""}).start()
    why = share(a, RULES).stderr
    assert "this node has no key acme" in why, why
    many = "".join(f"h{i} A 192.0.2.7\n" for i in range(60))
    assert share(a, [{"key": "all", "types": ["A", "NS", "TXT"]}], ZONE + many).returncode == 0
    assert wait_for(lambda: a.short("h1.example.org"))
    r = send(a, lambda u: [u.delete(f"h{i}") for i in range(40)])
    assert r.rcode() == dns.rcode.REFUSED and "third of the zone" in r.options[0].text, r
    r = send(a, lambda u: u.add("sub", 60, "NS", "ns.sub"))
    assert r.rcode() == dns.rcode.REFUSED and "sub.example.org" in r.options[0].text, r
    assert send(a, add("fine", "x")).rcode() == dns.rcode.NOERROR
    assert wait_for(lambda: a.short("fine.example.org", "TXT") == ['"x"'])
    before = serial(a)
    a.kill("control", signal.SIGKILL)
    assert wait_for(lambda: a.short("fine.example.org", "TXT") == ['"x"'])
    time.sleep(0.3)
    assert wait_for(lambda: (send(a, add("fine", "y")).rcode() == dns.rcode.NOERROR), 15)
    assert wait_for(lambda: a.short("fine.example.org", "TXT") == ['"x"', '"y"']) and serial(a) > before
