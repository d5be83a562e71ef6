"""Zones that come from other name servers: Knot, NSD and a liar as primaries."""

import subprocess
import time

import dns.message
import dns.query
import dns.rrset
import pytest

from bind import binds  # noqa: F401 (fixture)
from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, framed, primaries, zone_text  # noqa: F401 (fixtures)

ZONE = "example.com"
QUICK = "2 1 604800 60"  # refresh, retry, expire, minimum
SHORT = "2 1 5 60"


def config(primary, more="", zones=""):
    return f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns:  {{listen: ["%DNS%"], threads: 2}}
tell: {{listen: ["%TELL%"]}}
tsig:
  k1: {{secret: {SECRET}}}
zones:
  - name: {ZONE}
    primaries: ["{primary}"]
    transfer: {{allow: 127.0.0.0/8}}
    {more}
{zones}"""


def at(server, port=DNS_PORT):
    return f"{server.address}:{port}"


def serial(node, zone=ZONE):
    words = node.short(zone, "SOA")
    return next((int(w) for w in node.dig("+short", zone, "SOA").split()[2:3]), None) if words else None


def has(node, number, timeout=15):
    assert wait_for(lambda: serial(node) == number, timeout), f"serial {serial(node)}\n{node.log()}"


def rcode(node, name=f"www.{ZONE}"):
    return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), node.address, port=DNS_PORT, timeout=3)


def errors(reply):
    return [int(o.code) for o in reply.options if o.otype == 15]


@pytest.mark.parametrize("kind", ["knot", "nsd"])
def test_comes_changes_and_outlives_its_primary(nodes, primaries, kind):  # noqa: F811
    """Signed AXFR, then IXFR at the refresh; a restart with every primary dead serves at once (L1)."""
    p = primaries(kind, {ZONE: zone_text(1, timers=QUICK)}, key=True)
    node = nodes(config(f"{at(p)} key k1"), {}).start()
    has(node, 1)
    p.change(ZONE, zone_text(2, "new A 192.0.2.77", timers=QUICK))
    has(node, 2)
    assert node.short(f"new.{ZONE}") == ["192.0.2.77"]
    assert "how=AXFR" in node.log() and "how=IXFR" in node.log(), node.log()
    out = node.dig("+noall", "+answer", ZONE, "IXFR=1")
    assert "192.0.2.77" in out and "192.0.2.25" not in out  # a secondary gives differences, too
    done = node.cli("zone", "status", ZONE, "--data", str(node.data))
    assert done.returncode == 0 and f"{ZONE}: serial 2, confirmed" in done.stdout and at(p) in done.stdout, done.stdout
    p.kill()
    node.stop()
    node.start()
    assert node.short(f"new.{ZONE}") == ["192.0.2.77"]
    assert node.metric("holdfast_zones_secondary") == 1


def test_what_brings_the_question_forward(nodes, primaries, binds):  # noqa: F811
    """An unsigned NOTIFY of a primary that has a key, as BIND sends it; a reload that names another primary."""
    node = nodes(config("127.0.0.1:1 key k1"), {})
    text = node.config_path.read_text()
    bind = binds({ZONE: zone_text(1)}, notify=[node.address])
    assert " 3600 " in zone_text(1), "its refresh is to be longer than this test"
    node.config_path.write_text(text.replace("127.0.0.1:1 ", f"127.0.0.1:{bind.port} "))
    node.start()
    has(node, 1)
    bind.change(ZONE, zone_text(2))
    has(node, 2)
    other = primaries("nsd", {ZONE: zone_text(3)}, key=True)
    node.config_path.write_text(text.replace("127.0.0.1:1 ", f"{at(other)} "))
    node.cli("reload", "--data", str(node.data), check=True)
    has(node, 3, 5)


def test_a_zone_of_primaries_becomes_one_of_a_file_that_takes_updates(nodes, primaries):  # noqa: F811
    """What came from the primaries goes on, since updates may have come on top of it; that the file is not read is said
    until it is imported, and is no news where it says the same."""
    node = nodes(config(f"{at(primaries('nsd', {ZONE: zone_text(1)}, key=True))} key k1"), {}).start()
    has(node, 1)
    text = node.folder / "new.zone"
    text.write_text(node.said("zone", "served", ZONE))
    node.config_path.write_text(node.config_path.read_text().replace("primaries: ", "file: new.zone #").replace(
        "    transfer:", "    update: {rules: [{key: k1}]}\n    transfer:"))
    assert "not read" not in node.said("reload")
    text.write_text(zone_text(9, "new A 192.0.2.77"))
    said = node.said("reload")
    assert "is not read" in said and f"holdfast zone import {ZONE}" in said, said
    assert not node.short(f"new.{ZONE}")
    node.said("zone", "import", ZONE, str(text))
    has(node, 9)
    assert node.short(f"new.{ZONE}") == ["192.0.2.77"]
    assert "not read" not in node.said("reload")


def test_past_its_time(nodes, primaries):  # noqa: F811
    p = primaries("knot", {ZONE: zone_text(1, timers=SHORT)})
    node = nodes(config(at(p)), {}).start()
    keep = nodes(config(at(p), "expire: keep"), {}).start()
    has(node, 1)
    has(keep, 1)
    p.kill()
    assert wait_for(lambda: rcode(node).rcode() == 2, 15), node.log()
    assert errors(rcode(node)) == [24]
    assert "EXPIRED: no primary has confirmed 1 zone(s)" in node.said("status")
    assert node.metric("holdfast_zones_expired") == 1 and "event=zone.expired" in node.log()
    assert wait_for(lambda: errors(rcode(keep)) == [3], 15), keep.log()
    assert keep.short(f"www.{ZONE}") == ["192.0.2.1"]
    node.stop()
    node.start()  # it knows how old the zone is
    assert rcode(node).rcode() == 2
    p.start()
    assert wait_for(lambda: node.short(f"www.{ZONE}") == ["192.0.2.1"], 15), node.log()
    assert wait_for(lambda: errors(rcode(keep)) == [], 15), keep.log()
    assert "event=zone.revived" in node.log()


def test_a_signed_zone_keeps_its_signatures(nodes, primaries, tmp_path):  # noqa: F811
    """What Knot signed is served as it is, by IXFR too, and passes where zones are verified."""
    p = primaries("knot", {ZONE: zone_text(1, timers=QUICK)}, signed=True)
    node = nodes(config(at(p)), {}).start()
    assert wait_for(lambda: serial(node) and serial(node) == p.serial(ZONE), 15), node.log()
    p.change(ZONE, zone_text(50, "new A 192.0.2.77", timers=QUICK))
    assert wait_for(lambda: node.short(f"new.{ZONE}") == ["192.0.2.77"], 15), node.log()
    assert "how=IXFR" in node.log()
    out = node.dig("+noall", "+answer", ZONE, "AXFR")
    lines = [line for line in out.splitlines() if line and line[0] != ";"]
    (tmp_path / "z").write_text("\n".join(lines[:-1]) + "\n")  # the SOA comes twice
    done = subprocess.run(["ldns-verify-zone", str(tmp_path / "z")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "verified and complete" in done.stdout, done.stdout + done.stderr
    assert "RRSIG" in node.dig("+dnssec", f"new.{ZONE}") and "NSEC" in node.dig("+dnssec", f"none.{ZONE}")


def test_no_content_yet_is_no_answer(nodes, primaries):  # noqa: F811
    liar = primaries("liar")
    node = nodes(config(at(liar)), {}).start()
    reply = rcode(node)
    assert reply.rcode() == 2 and errors(reply) == [24]


def test_a_third_less_is_refused_until_accepted(nodes, primaries):  # noqa: F811
    many = [f"n{i} A 192.0.2.{i}" for i in range(30)]
    p = primaries("knot", {ZONE: zone_text(1, *many, timers=QUICK)})
    node = nodes(config(at(p)), {}).start()
    has(node, 1)
    p.change(ZONE, zone_text(2, timers=QUICK))
    assert wait_for(lambda: "event=zone.shrinks" in node.log(), 15), node.log()
    time.sleep(4)
    assert serial(node) == 1 and node.short(f"n7.{ZONE}") == ["192.0.2.7"]
    assert node.log().count("event=zone.shrinks ") == 1  # not fetched again and again
    done = node.cli("reload", "--accept-shrink", ZONE, "--data", str(node.data))
    assert done.returncode == 0, done.stderr
    has(node, 2)
    assert node.short(f"n7.{ZONE}") == []


def test_over_tls(nodes, primaries):  # noqa: F811
    p = primaries("knot", {ZONE: zone_text(1, timers=QUICK)})
    front, other = primaries("tls", p), primaries("tls", p, name="other.example")
    tls = at(front, front.PORT)
    wrong = at(other, other.PORT)
    by_name = nodes(config(f"{tls} tls ns1.example ca {front.ca}"), {}).start()
    by_pin = nodes(config(f"{tls} tls pin {front.pin}"), {}).start()
    any_of = nodes(config(f"{wrong} tls opportunistic"), {}).start()
    bad_name = nodes(config(f"{wrong} tls ns1.example ca {other.ca}"), {}).start()
    bad_pin = nodes(config(f"{wrong} tls pin {front.pin}"), {}).start()
    for node in (by_name, by_pin, any_of):
        has(node, 1)
    p.change(ZONE, zone_text(2, timers=QUICK))
    has(by_name, 2)
    # questions tell nothing by their length (RFC 8467), and ask for padding
    asked = [dns.message.from_wire(a[2:]) for a in front.asked if a]
    assert len(asked) > 2 and all(len(a) == 2 + 128 for a in front.asked if a)
    assert all(o.otype == 12 for m in asked for o in m.options) and all(m.options for m in asked)
    assert wait_for(lambda: "hostname mismatch" in bad_name.log() and "pinned" in bad_pin.log(), 10)
    assert serial(bad_name) is None and serial(bad_pin) is None


def test_lies_change_nothing(nodes, primaries):  # noqa: F811
    """Wrong ids, a stream without an end, names of others, half a zone: the zone stays what it was."""
    liar = primaries("liar", serial=1)
    name = ZONE + "."
    good = [dns.rrset.from_text(name, 300, "IN", "NS", f"ns.{name}"),
            dns.rrset.from_text(f"ns.{name}", 300, "IN", "A", "192.0.2.53"),
            dns.rrset.from_text(f"www.{name}", 300, "IN", "A", "192.0.2.1")]

    def whole(self, query, connection):
        connection.sendall(framed(self.reply(query, self.soa(name), *good, self.soa(name))))

    def wrong_id(self, query, connection):
        wire = bytearray(self.reply(query, self.soa(name), *good, self.soa(name)))
        wire[0] ^= 1
        connection.sendall(framed(bytes(wire)))

    def endless(self, query, connection):
        connection.sendall(framed(self.reply(query, self.soa(name))))
        record = dns.rrset.from_text(f"x.{name}", 300, "IN", "TXT", *["x" * 250] * 60)
        while True:
            connection.sendall(framed(self.reply(query, record)))

    def outside(self, query, connection):
        theirs = dns.rrset.from_text("www.example.org.", 300, "IN", "A", "192.0.2.66")
        connection.sendall(framed(self.reply(query, self.soa(name), *good, theirs, self.soa(name))))

    def half(self, query, connection):
        connection.sendall(framed(self.reply(query, self.soa(name), *good)))

    def garbage(self, query, connection):
        connection.sendall(b"\0\x40" + b"\xff" * 64)

    liar.script = whole
    node = nodes(config(at(liar), "max_bytes: 1000000"), {}).start()
    has(node, 1)
    for number, lie in enumerate([wrong_id, endless, outside, half, garbage], 2):
        liar.script, before = lie, liar.transfers
        liar.serial = number
        assert wait_for(lambda b=before: liar.transfers >= b + 2, 20), node.log()
        assert serial(node) == 1 and node.short(f"www.{ZONE}") == ["192.0.2.1"], lie.__name__
    liar.script = whole
    liar.serial = 50
    has(node, 50)
    assert node.pid("control") and node.log().count("event=role.died") == 0


def test_members_of_a_catalog(nodes, primaries):  # noqa: F811
    """Knot makes a catalog; its members come and go here, after a restart, too; never by the dozen."""
    zones = {f"m{i}.example": zone_text(i + 1, timers=QUICK) for i in range(8)}
    p = primaries("knot", zones, catalog="catz.example")
    text = config(at(p), zones="  - {name: big.example, file: big.zone}").replace(f"name: {ZONE}", "name: catz.example\n    catalog: consume")
    big = zone_text(1) + "".join(f"b{i} A 192.0.2.1\n" for i in range(60000))
    node = nodes(text, {"big.zone": big}).start()
    for i in range(8):
        assert wait_for(lambda n=i: serial(node, f"m{n}.example") == n + 1, 20), node.log()
    p.change("m3.example", zone_text(77, timers=QUICK))
    assert wait_for(lambda: serial(node, "m3.example") == 77, 10), node.log()
    more = {**zones, "new.example": zone_text(5, timers=QUICK)}
    del more["m0.example"]
    p.have(more)
    ask = ("zone", "reload", "catz.example", "--data", str(node.data))  # Knot's SOA says an hour

    def asked(condition):  # again and again: Knot's catalog may be the old one still
        return wait_for(lambda: node.cli(*ask).returncode == 0 and wait_for(condition, 2), 20)

    assert asked(lambda: serial(node, "new.example") == 5), node.log()
    assert wait_for(lambda: rcode(node, "www.m0.example").rcode() == 5, 10)
    p.have({n: more[n] for n in list(more)[:3]})  # five of eight are gone: not without being asked
    assert asked(lambda: "event=zone.shrinks " in node.log()), node.log()
    assert [serial(node, n) for n in ("m3.example", "new.example")] == [77, 5]
    node.stop()
    node.start()
    assert [serial(node, n) for n in ("m3.example", "new.example")] == [77, 5]
    # the catalog comes while this reload, which takes its time, is still on its way
    done = node.cli("reload", "--fresh", "--accept-shrink", "catz.example", "--data", str(node.data))
    assert done.returncode == 0, done.stderr
    assert wait_for(lambda: rcode(node, "www.new.example").rcode() == 5, 10), node.log()
    assert serial(node, "m3.example") == 77
    assert not (node.data / "zones" / "new.example" / "base").exists()
