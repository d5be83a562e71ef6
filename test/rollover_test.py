"""Rollovers as a validating resolver sees them that insists on every algorithm of the DS set (unbound,
harden-algo-downgrade): it asks at random moments, so that its cache holds old and new side by side, and nothing may be
bogus at any moment: neither what stands in the zone, nor what health decides, nor what is not there.

Time is the wall clock of the processes under test, unbound's too, stepped with a preloaded library.
"""

import random
import re

import dns.flags
import dns.rcode
import pytest
from dnssec_keys_test import Clock, dnssec, pass_time, state
from node import DNS_PORT, failover_config, nodes, open_path, origins, wait_for  # noqa: F401: fixtures
from validator import Unbound

ZONE_TTL, DNSKEY_TTL, DS_TTL = 300, 300, 900
POLICY = "lifetime: 14d, dnskey_ttl: 5m, ds_ttl: 15m, propagation: 10s, zsk_lifetime: 1000d"
CHILD = f"""$ORIGIN example.test.
$TTL {ZONE_TTL}
@ SOA ns.test. host.test. 1 3600 600 86400 60
@ NS ns.test.
www CNAME api
static A 192.0.2.80
*.wild A 192.0.2.81
"""
QUESTIONS = [("static", "A", 0), ("api", "A", 0), ("www", "A", 0), ("x.wild", "A", 0), ("api", "TXT", 0),
             ("missing", "A", 3), ("api", "AAAA", 0), ("@", "SOA", 0)]


def parent_text(address, ds):
    lines = [f"$ORIGIN test.\n$TTL {ZONE_TTL}\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A {address}\nexample NS ns"]
    return "\n".join([*lines, *(f"example {DS_TTL} DS {d}" for d in sorted(ds))]) + "\n"


class World:
    """A node that serves parent and child, and a resolver that trusts the parent's key."""

    def __init__(self, node, clock, folder):
        self.node, self.clock, self.ds, self.secure, self.dice = node, clock, set(), False, random.Random(7)
        self.asked = 0
        keys = node.dig("+short", "test", "DNSKEY").strip().splitlines()
        at = f"{node.address}@{DNS_PORT}"
        self.unbound = Unbound(folder, [f"test. IN DNSKEY {k}" for k in keys], {"test": at, "example.test": at},
                               ["harden-algo-downgrade: yes", "val-bogus-ttl: 0"], clock.env)
        self.log = self.unbound.log

    def ask(self, name, rtype):
        return self.unbound.ask("example.test" if name == "@" else f"{name}.example.test", rtype)

    def check(self, share):
        for name, rtype, rcode in QUESTIONS:
            if self.dice.random() > share:
                continue
            response = self.ask(name, rtype)
            said = f"{name} {rtype}: {response}\n{state(self.node, 'example.test')}\n{self.log.read_text()[-3000:]}"
            assert response.rcode() == rcode, said
            assert response.flags & dns.flags.AD or not self.secure, said
            self.asked += 1

    def pass_time(self, seconds, step):
        while seconds > 0:
            pass_time(self.node, self.clock, min(step, seconds))
            seconds -= step
            self.check(0.6)

    def stages(self):
        return {k["tag"]: (k["use"], k["stage"], k["ds"], k["algorithm"]) for k in state(self.node, "example.test")["keys"]}

    def parent_set(self, ds):
        """The parent changes; caches may hold what it had."""
        self.ds = set(ds)
        (self.node.folder / "test.zone").write_text(parent_text(self.node.address, self.ds))
        self.reload()
        self.check(0.6)

    def reload(self):
        before = self.node.log().count("event=plan.loaded")
        done = self.node.cli("reload", "--data", str(self.node.data))
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for(lambda: self.node.log().count("event=plan.loaded") > before, 2)

    def duties(self):
        """What status has the operator give to the parent, or take from it."""
        text = dnssec(self.node, "status", "example.test").stdout
        give = re.findall(r"- Give the parent this DS.*\n    example\.test\. IN DS (.+)\n", text)
        take = re.findall(r"- Have the parent remove this DS.*\n    example\.test\. IN DS (.+)\n", text)
        return {" ".join(d.split()) for d in give}, {" ".join(d.split()) for d in take}

    def operate(self, hours, step):
        """The operator does what status asks for, each time some steps later."""
        seen = 0
        for _ in range(int(hours * 3600 / step)):
            self.pass_time(step, step)
            give, take = self.duties()
            seen += bool(give) + bool(take)
            if seen % 3 != 2 or not (give or take):
                continue
            self.parent_set((self.ds | give) - take)
            order = "ds-seen" if give else "ds-gone"
            assert dnssec(self.node, order, "example.test").returncode == 0
            self.check(0.6)
            seen = 0
        return self.stages()


@pytest.fixture
def world(nodes, origins, open_path, holdfast):  # noqa: F811
    made = []

    def make(policy):
        clock = Clock(open_path, holdfast)
        config = failover_config(*origins(2)).replace("example.com", "example.test").replace(
            "file: example.test.zone}", f"file: example.test.zone, dnssec: {policy}}}\n  - {{name: test, file: test.zone, dnssec: on}}")
        node = nodes(config, {"example.test.zone": CHILD, "test.zone": parent_text("192.0.2.53", ())}, clock.env).start()
        assert wait_for(lambda: "RRSIG" in node.dig("+dnssec", "api.example.test", "A")), node.log()
        world = World(node, clock, open_path / "unbound")
        made.append(world)
        assert world.unbound.answers("static.example.test", "A"), world.log.read_text()
        world.operate(1, 450)
        world.secure = True
        assert world.ds and all(k[1] == "active" for k in world.stages().values()), world.stages()
        return world
    yield make
    for w in made:
        w.unbound.stop()


def test_algorithm(world):
    w = world(f"{{{POLICY}}}")
    path = w.node.config_path
    path.write_text(path.read_text().replace("{lifetime", "{algorithm: ed25519, lifetime"))
    w.reload()
    assert {k[3] for k in w.operate(2.5, 170).values()} == {15}
    assert w.asked > 100


def test_layout(world):
    """A CSK gives way to KSK and ZSK, and they to a CSK of another algorithm."""
    w = world(f"{{keys: csk, {POLICY}}}")
    path = w.node.config_path
    first = set(w.stages())
    path.write_text(path.read_text().replace("keys: csk", "keys: split"))
    w.reload()
    assert sorted(k[:2] for k in w.stages().values()) == [("csk", "active"), ("ksk", "published"), ("zsk", "published")]
    status = dnssec(w.node, "status", "example.test").stdout
    assert "takes over together with the KSK" in status and "and leave the one that it has" in status, status
    after = w.operate(1.5, 170)
    assert not first & set(after) and sorted(k[:2] for k in after.values()) == [("ksk", "active"), ("zsk", "active")]
    path.write_text(path.read_text().replace("keys: split", "keys: csk, algorithm: ed25519"))
    w.reload()
    back = w.operate(2, 170)
    assert [k[:2] + k[3:] for k in back.values()] == [("csk", "active", 15)]


def test_split_keys(world):
    """Pre-publication of a ZSK, then both DS of a KSK."""
    w = world(f"{{keys: split, {POLICY}}}")
    first = set(w.stages())
    assert dnssec(w.node, "roll", "example.test", "zsk").returncode == 0
    assert len(w.operate(0.5, 140)) == 2
    assert dnssec(w.node, "roll", "example.test", "ksk").returncode == 0
    after = w.operate(2, 170)
    assert not first & set(after) and sorted(k[:2] for k in after.values()) == [("ksk", "active"), ("zsk", "active")]
