"""Signed zones that nodes share: one set of keys, sealed in what all want, rolled once for all."""

import json
import stat
import subprocess

import dns.rdatatype
import pytest

from dnssec_keys_test import DAY, Clock, ask as query, rrset
from cluster_test import leads
from mesh_test import Cluster, ask, sees
from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401
from shared_update_test import TSIG
from update_test import nsupdate

ORG = "example.org"
FAST = {"dnskey_ttl": "1s", "ds_ttl": "1s", "propagation": "1s"}
ZONE = """$ORIGIN example.org.
$TTL 1
@ SOA ns1.example.net. hostmaster.example.net. 10 3600 600 86400 1
@ NS ns1.example.net.
www A 192.0.2.1
"""


def share(node, dnssec, *words, **more):
    folder = node.folder / "share"
    folder.mkdir(exist_ok=True)
    (folder / "z").write_text(ZONE)
    service = {"name": "api.example.org", "ttl": "1s", "endpoints": [{"name": "e1", "address": "192.0.2.80"}]}
    (folder / "shared.yaml").write_text(json.dumps({"zones": [{"name": ORG, "file": "z", "dnssec": dnssec, **more}],
                                                    "services": [service]}))
    return node.cli("share", str(folder / "shared.yaml"), *words, "--data", str(node.data))


def dnssec(node, *words):
    return node.cli("dnssec", *words, "--data", str(node.data))


def keys(node):
    """The DNSKEY set, and that it is signed by itself."""
    try:
        found, signatures = rrset(query(node, ORG, "DNSKEY"), ORG, dns.rdatatype.DNSKEY)
    except (KeyError, OSError):
        return frozenset()
    return frozenset(k.to_text() for k in found)


def times(node, name, rtype="A"):
    """From when until when the set's signatures are valid."""
    found = rrset(query(node, name, rtype), name, dns.rdatatype.from_text(rtype))[1]
    return {(s.inception, s.expiration, s.key_tag) for s in found}


def serial(node):
    return int((node.dig("+short", ORG, "SOA").split() + [0] * 3)[2])


def valid(node, folder, name="www.example.org", rtype="A"):
    """delv, which trusts the keys of the set alone that have the SEP bit."""
    anchors = folder / f"anchors-{node.folder.name}"
    words = [k.split() for k in keys(node) if k.startswith("257")]
    anchors.write_text("trust-anchors {" + " ".join(f'{ORG} static-key {" ".join(w[:3])} "{"".join(w[3:])}";' for w in words) + "};\n")
    out = subprocess.run(["delv", f"@{node.address}", "-p", str(DNS_PORT), "-a", str(anchors), f"+root={ORG}", name, rtype],
                         capture_output=True, text=True, timeout=20)
    return "; fully validated" in out.stdout


def alike(among, count):
    """All serve the same DNSKEY set of so many keys, and the same version."""
    return len({keys(n) for n in among}) == 1 and len(keys(among[0])) == count and len({serial(n) for n in among}) == 1


@pytest.fixture
def cluster(nodes):
    return Cluster(nodes)


def three_of(cluster):
    a = cluster.first(TSIG)
    among = [a, cluster.joined(a), cluster.joined(a)]
    for n in among:
        assert wait_for(lambda n=n: sees(n, *[m.name for m in among if m is not n])), n.log()
    assert wait_for(lambda: all(n.metric("holdfast_replica_quorum") for n in among)), a.log()
    rules = {"update": {"rules": [{"key": "all"}]}}
    assert wait_for(lambda: share(a, FAST, **rules).returncode == 0, 15), share(a, FAST)
    for n in among:
        assert wait_for(lambda: alike(among, 1), 15), [(keys(m), serial(m), m.log()[-2000:]) for m in among]
    return among


def secrets_in(folder):
    """Files below it that hold a private key in the clear."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()}


def test_all_nodes_sign_with_the_same_keys(cluster, open_path):
    among = a, b, c = three_of(cluster)
    assert all(valid(n, open_path) and valid(n, open_path, "api.example.org") for n in among), a.log()
    # A change of the records is signed everywhere.
    new = ("record", "set", "new.example.org", "A", "192.0.2.7", "--data", str(b.data))
    assert wait_for(lambda: b.cli(*new).returncode == 0), b.cli(*new)
    assert wait_for(lambda: all(n.short("new.example.org") == ["192.0.2.7"] and valid(n, open_path, "new.example.org") for n in among))
    assert nsupdate(a, "update add up.example.org 60 TXT x", zone=ORG) == "NOERROR"
    assert nsupdate(a, "update delete example.org DNSKEY", zone=ORG) == "REFUSED"
    assert wait_for(lambda: all(valid(n, open_path, "up.example.org", "TXT") for n in among))
    assert wait_for(lambda: alike(among, 1))
    # Nobody reads a private key: not in what is wanted, not in its log, not on the disk but sealed.
    wanted = ask(a, {"op": "intent"})
    objects = {o["kind"]: o["value"] for o in wanted["intent"]["objects"] if o["kind"] in ("keys", "seal")}
    assert [p["sealed"] for p in objects["keys"]["pairs"]] == ["(sealed)"]
    assert [m["wrap"] for m in objects["seal"]["members"]] == ["(sealed)"] * 3

    def on_disk():
        """intent.json follows what is agreed within a second."""
        raw = json.loads((a.data / "intent.json").read_text())
        return [o["value"]["pairs"][0]["sealed"] for o in raw["objects"] if o["kind"] == "keys"]
    sealed = wait_for(on_disk)[0]
    for words in (["log", "--json"], ["log"], ["share", "show"], ["status"]):
        out = a.cli(*words, "--data", str(a.data))
        assert sealed not in out.stdout and "PRIVATE KEY" not in out.stdout
    assert sealed not in json.dumps(wanted)
    for n in among:
        assert secrets_in(n.data) <= {"mesh/node.pem", "mesh/authority.pem"}
        for path in ("seal.key", "intent.json"):
            assert stat.S_IMODE((n.data / path).stat().st_mode) == 0o600, path
    # Nobody but a node hands keys out, and what was made is not taken back.
    seal = {"members": [{"node": "node-1", "key": "ab" * 32}]}
    assert not ask(a, {"op": "keys", "do": "seal", "value": seal, "change": 1})["ok"]
    assert "nodes' own" in ask(a, {"op": "change", "edits": [{"kind": "seal", "name": "seal", "value": seal}]})["message"]
    made = [h["version"] for h in wanted["intent"]["history"] if any(e["kind"] == "keys" for e in h["edits"])]
    assert "nodes' own" in a.cli("undo", str(made[-1]), "--data", str(a.data)).stderr
    assert alike(among, 1)


def test_a_roll_is_one_for_all_and_who_joins_gets_the_keys(cluster, open_path):
    among = a, b, c = three_of(cluster)
    first = keys(a)
    assert wait_for(lambda: "IN DS" in dnssec(c, "status", ORG).stdout), dnssec(c, "status", ORG)
    assert dnssec(c, "ds-seen", ORG).returncode == 0
    leads(among).kill("control")  # the others go on, and it comes back
    assert wait_for(lambda: "under way" in dnssec(b, "roll", ORG).stderr, 15), dnssec(b, "roll", ORG)
    assert wait_for(lambda: alike(among, 2)), [keys(n) for n in among]
    both = keys(a)
    assert first < both
    statuses = {dnssec(n, "status", ORG).stdout for n in among}
    assert len(statuses) == 1, statuses
    d = cluster.joined(b)
    among = [*among, d]
    assert wait_for(lambda: alike(among, 2), 15), (keys(d), d.log())
    assert valid(d, open_path)
    # It signed later than the others, and as of the same moment.
    assert len({frozenset(times(n, "www.example.org")) for n in among}) == 1, [times(n, "www.example.org") for n in among]
    # The parent has the second DS, then no more the first: each said to another node.
    assert wait_for(lambda: dnssec(d, "ds-seen", ORG).returncode == 0, 10), dnssec(d, "ds-seen", ORG)
    assert wait_for(lambda: dnssec(a, "ds-gone", ORG).returncode == 0, 15), dnssec(a, "status", ORG)
    assert all(valid(n, open_path) for n in among)
    assert wait_for(lambda: alike(among, 1), 15), [keys(n) for n in among]
    assert keys(d) == both - first and all(valid(n, open_path) for n in among)
    log = c.cli("log", "--data", str(c.data)).stdout
    assert "keys example.org" in log
    # Who is expelled is no member of the seal any more.
    assert a.cli("nodes", "expel", d.name, "--data", str(a.data)).returncode == 0

    def members():
        objects = ask(a, {"op": "intent"})["intent"]["objects"]
        return sorted(m["node"] for o in objects if o["kind"] == "seal" for m in o["value"]["members"])

    assert wait_for(lambda: members() == ["node-1", "node-2", "node-3"]), members()


def test_signatures_are_renewed_and_lost_keys_lose_nothing(nodes, open_path, holdfast):  # noqa: F811
    """One node, alone, with a clock of its own."""
    clock = Clock(open_path, holdfast)
    a = nodes('node: {name: n1, site: here, network: AS64500, data: "%DATA%"}\ndns: {listen: ["%DNS%"], threads: 1}\n'
              'tell: {listen: ["%TELL%"]}\n', zones={"unused": ""}, env=clock.env)
    a.start()
    assert share(a, "on").returncode == 0
    assert wait_for(lambda: len(keys(a)) == 1), a.log()
    made = keys(a)

    def ends():
        return rrset(query(a, "www.example.org", "A"), "www.example.org", dns.rdatatype.A)[1][0].expiration

    assert 11 * DAY < ends() - clock.now() <= 14 * DAY
    before, end = serial(a), ends()
    clock.step(11 * DAY)
    assert wait_for(lambda: ends() > end), a.log()
    assert serial(a) > before and ends() - clock.now() > 11 * DAY and keys(a) == made
    # A restart makes nothing anew.
    version = serial(a)
    a.stop()
    a.start()
    assert wait_for(lambda: keys(a) == made) and serial(a) == version
    # L3: without its own key the node serves what it served, signed, and says so.
    key = a.data / "seal.key"
    was = key.read_text()
    a.stop()
    key.unlink()
    a.start()
    assert wait_for(lambda: "cannot be opened on this node" in a.log()), a.log()
    assert keys(a) == made and "RRSIG" in a.dig("+dnssec", "www.example.org")
    out = a.cli("record", "set", "new.example.org", "A", "192.0.2.7", "--data", str(a.data))
    assert out.returncode == 0
    assert "RRSIG" in a.dig("+dnssec", "www.example.org") and a.short("new.example.org") == []
    a.stop()
    key.write_text(was)
    key.chmod(0o600)
    subprocess.run(["chown", "--reference", str(a.data / "intent.json"), str(key)], check=True)
    a.start()
    assert wait_for(lambda: a.short("new.example.org") == ["192.0.2.7"]), a.log()
    assert "RRSIG" in a.dig("+dnssec", "new.example.org") and keys(a) == made
    # Unsigned only when the parent knows.
    assert share(a, "off").returncode == 0
    assert "RRSIG" in a.dig("+dnssec", "www.example.org")
    assert wait_for(lambda: dnssec(a, "unsign", ORG).returncode == 0), dnssec(a, "unsign", ORG)  # once it has taken that up
    assert wait_for(lambda: a.dig("+short", ORG, "CDS").strip() == "0 0 0 00"), a.log()
    dnssec(a, "ds-gone", ORG)
    clock.step(2 * DAY)
    assert wait_for(lambda: "RRSIG" not in a.dig("+dnssec", "www.example.org")), a.log()
