"""Zones to other name servers: AXFR, IXFR and TSIG with dig, kdig and dnspython; NSD and Knot as secondaries."""

import socket
import stat
import struct
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pytest

from node import DNS_PORT, loopback, nodes, open_path, origins, wait_for  # noqa: F401 (fixtures)
from secondaries import SECRET, secondaries  # noqa: F401

KEYRING = dns.tsigkeyring.from_text({"k1.": ("hmac-sha256", SECRET), "k2.": ("hmac-sha512", SECRET)})

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 2}
tell: {listen: ["%TELL%"]}
tsig:
  k1: {secret: """ + SECRET + """}
  k2: {algorithm: hmac-sha512, file: k2.secret}
zones:
  - {name: example.com, file: example.com.zone, transfer: {keys: [k1, k2]}}
  - {name: open.example, file: open.zone, transfer: {allow: 127.0.0.0/8}}
  - {name: closed.example, file: open.zone}
"""


def zone_text(serial, *lines):
    return "\n".join([
        "$TTL 300", f"@ SOA ns1.example.net. hostmaster.example.net. {serial} 3600 600 86400 60",
        "@ NS ns1.example.net.", "@ MX 10 mail", "mail A 192.0.2.25", "*.w TXT \"wild \\\" one\"",
        "sub NS ns.sub", "ns.sub A 192.0.2.99", "alias CNAME www.sub", "_s._tcp SRV 0 1 443 mail",
        "x TYPE65400 \\# 4 01020304", *lines]) + "\n"


def start(nodes, config=CONFIG, **zones):  # noqa: F811
    files = {"example.com.zone": zone_text(10), "open.zone": zone_text(1), "k2.secret": SECRET + "\n"}
    files.update({k.replace("_", "."): v for k, v in zones.items()})
    return nodes(config, files).start()


def axfr(node, name, key=None, **more):
    keys = {"keyring": KEYRING, "keyname": key, "keyalgorithm": KEYRING[dns.name.from_text(key)].algorithm} if key else {}
    z = dns.zone.Zone(name, relativize=False)
    dns.query.inbound_xfr(node.address, z, port=DNS_PORT, timeout=10, lifetime=30,
                          query=xfr_query(name, "AXFR", **keys), **more)
    return z


def xfr_query(name, rtype, keyring=None, keyname=None, keyalgorithm=None, serial=None):
    q = dns.message.make_query(name, rtype)
    if serial is not None:
        q.index = None  # rrsets that are appended are found too
        q.authority.append(dns.rrset.from_text(dns.name.from_text(name), 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    if keyring:
        q.use_tsig(keyring, keyname, algorithm=keyalgorithm)
    return q


def same_as_file(z, name, text):
    return z == dns.zone.from_text(text, name, relativize=False)


def test_axfr_by_key_and_by_address(nodes):  # noqa: F811
    node = start(nodes)
    for key in ("k1", "k2"):
        assert same_as_file(axfr(node, "example.com", key), "example.com", zone_text(10))
    assert same_as_file(axfr(node, "open.example"), "open.example", zone_text(1))
    for name, key in [("example.com", None), ("closed.example", "k1"), ("closed.example", None)]:
        with pytest.raises(dns.exception.DNSException):
            axfr(node, name, key)
    assert "REFUSED" in node.dig("+tcp", "+noall", "+comments", "closed.example", "AXFR") or \
        "Transfer failed" in node.dig("closed.example", "AXFR")
    assert node.metric("holdfast_dns_transfers_total", "started") >= 3
    assert node.metric("holdfast_dns_transfers_total", "refused") >= 3


def test_ixfr_over_udp(nodes):  # noqa: F811
    """RFC 1995 2: the SOA says what could be had over TCP, to who may have it; AXFR over UDP is nothing."""
    node = start(nodes)

    def ask(name, key=None, serial=0, rtype="IXFR"):
        keys = {"keyring": KEYRING, "keyname": key, "keyalgorithm": "hmac-sha256"} if key else {}
        return dns.query.udp(xfr_query(name, rtype, serial=serial, **keys), node.address, port=DNS_PORT, timeout=3)

    for name, key, serial in (("open.example", None, 1), ("example.com", "k1", 10)):
        for known in (0, serial, serial + 5):
            reply = ask(name, key, known)
            assert reply.rcode() == 0 and [r.rdtype for r in reply.answer] == [dns.rdatatype.SOA]
            assert reply.answer[0][0].serial == serial and reply.question[0].rdtype == dns.rdatatype.IXFR
            assert reply.had_tsig == bool(key)
    for name, key in (("closed.example", None), ("example.com", None), ("closed.example", "k1")):
        assert ask(name, key).rcode() == dns.rcode.REFUSED and not ask(name, key).answer
    assert ask("www.open.example").rcode() == dns.rcode.NOTAUTH
    assert ask("open.example", rtype="AXFR").rcode() == dns.rcode.REFUSED
    assert ask("open.example", serial=None).rcode() == dns.rcode.FORMERR


def test_dig_and_kdig_verify(nodes):  # noqa: F811
    node = start(nodes)
    out = node.dig("-y", f"hmac-sha256:k1:{SECRET}", "example.com", "AXFR")
    assert "XFR size: 11 records" in out and "NOERROR" in out and "Transfer failed" not in out, out
    out = node.dig("-y", f"hmac-sha512:k2:{SECRET}", "mail.example.com", "A")
    assert "192.0.2.25" in out and "verify" not in out and "status: NOERROR" in out, out
    out = node.dig("-y", "hmac-sha256:k1:" + SECRET[::-1].replace("=", "A"), "mail.example.com", "A")
    assert "status: NOTAUTH" in out and "BADSIG" in out, out
    out = node.dig("-y", f"hmac-sha256:k9:{SECRET}", "mail.example.com", "A")
    assert "BADKEY" in out, out
    k = subprocess.run(["kdig", f"@{node.address}", "-p", str(DNS_PORT), "-y", f"hmac-sha256:k1:{SECRET}",
                        "example.com", "AXFR"], capture_output=True, text=True, timeout=20)
    assert "11 records" in k.stdout and not k.stderr and not k.returncode, k.stdout + k.stderr


def test_signed_reply_that_does_not_fit_is_truncated(nodes):  # noqa: F811
    texts = "\n".join(f'big TXT "{i} {"x" * 40}"' for i in range(9))
    node = start(nodes, example_com_zone=zone_text(10, texts))
    q = xfr_query("big.example.com", "TXT", keyring=KEYRING, keyname="k1", keyalgorithm="hmac-sha256")
    reply = dns.query.udp(q, node.address, port=DNS_PORT, timeout=5)
    assert len(reply.to_wire()) <= 512 and reply.flags & dns.flags.TC and reply.had_tsig
    assert len(dns.query.tcp(q, node.address, port=DNS_PORT, timeout=5).answer[0]) == 9


def test_time_and_replay(nodes):  # noqa: F811
    """A request from ten minutes ago gets BADTIME, signed, with the server's time."""
    node = start(nodes)
    q = xfr_query("mail.example.com", "A", keyring=KEYRING, keyname="k1", keyalgorithm="hmac-sha256")
    real = time.time
    try:
        time.time = lambda: real() - 600
        wire = q.to_wire()
    finally:
        time.time = real
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(wire, (node.address, DNS_PORT))
        reply = s.recv(4096)
    assert reply[3] & 15 == 9  # NOTAUTH
    at = reply.index(b"\x0bhmac-sha256\0") + 13
    length = struct.unpack_from("!H", reply, at + 8)[0]
    error, other = struct.unpack_from("!HH", reply, at + 10 + length + 2)
    assert length == 32 and error == 18 and other == 6
    assert abs(int.from_bytes(reply[-6:], "big") - real()) < 5


def test_secrets_stay_secret(nodes):  # noqa: F811
    node = start(nodes)
    files = list(node.data.rglob("*.access"))
    assert len(files) == 1
    for path in [p for p in node.data.rglob("*") if p.is_file()]:
        if b"secret of this test" in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert SECRET not in node.log()
    for tool in (["status", "--json"], ["zone", "show", "example.com"]):
        assert SECRET not in node.cli(tool[0], str(node.config_path), *tool[1:]).stdout


def test_ixfr_after_reloads(nodes):  # noqa: F811
    node = start(nodes)
    before = axfr(node, "example.com", "k1")
    old = axfr(node, "example.com", "k1")
    for serial, lines in [(11, ["new A 192.0.2.1"]), (12, ["new A 192.0.2.2", "other 60 AAAA 2001:db8::1"])]:
        (node.folder / "example.com.zone").write_text(zone_text(serial, *lines).replace("192.0.2.25", f"192.0.2.{serial}"))
        node.cli("reload", "--data", str(node.data), check=True)
        assert wait_for(lambda: f" {serial} " in node.dig("+short", "example.com", "SOA"))
        assert same_as_file(axfr(node, "example.com", "k1"), "example.com", (node.folder / "example.com.zone").read_text())
        q = xfr_query("example.com", "IXFR", KEYRING, "k1", "hmac-sha256", serial=serial - 1)
        dns.query.inbound_xfr(node.address, before, port=DNS_PORT, query=q, timeout=10)
        assert same_as_file(before, "example.com", (node.folder / "example.com.zone").read_text())
    q = xfr_query("example.com", "IXFR", KEYRING, "k1", "hmac-sha256", serial=10)  # two versions back, in one step
    dns.query.inbound_xfr(node.address, old, port=DNS_PORT, query=q, timeout=10)
    assert same_as_file(old, "example.com", (node.folder / "example.com.zone").read_text())
    y = ("-y", f"hmac-sha256:k1:{SECRET}")
    assert "XFR size: 1 records" in node.dig("+tcp", *y, "example.com", "IXFR=12")
    assert "XFR size: 13 records" in node.dig("+tcp", *y, "example.com", "IXFR=5")  # unknown: the whole
    differences = node.dig("+tcp", *y, "+noall", "+answer", "example.com", "IXFR=11").splitlines()
    assert len([line for line in differences if " SOA" in line.replace("\t", " ")]) == 4
    assert not [line for line in differences if "sub.example.com" in line]


def test_large_zone_streams_beside_queries(nodes):  # noqa: F811
    """A secondary that reads slowly holds up nobody, and a plan that comes meanwhile is taken into service."""
    lines = [f'h{i} TXT "{i} {"x" * 240}"' for i in range(25000)]  # more than any buffer on the way takes
    node = start(nodes, open_zone=zone_text(1, *lines))
    with socket.create_connection((node.address, DNS_PORT)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        wire = dns.message.make_query("open.example", "AXFR").to_wire()
        slow.sendall(struct.pack("!H", len(wire)) + wire + struct.pack("!H", len(wire)) + wire)
        time.sleep(0.3)
        for i in range(50):
            q = dns.message.make_query(f"h{i}.open.example", "TXT")
            assert dns.query.tcp(q, node.address, port=DNS_PORT, timeout=3).answer
        (node.folder / "open.zone").write_text(zone_text(2, *lines))
        node.cli("reload", "--data", str(node.data), check=True)
        assert wait_for(lambda: " 2 " in node.dig("+short", "open.example", "SOA"))
        serials, records = [], 0
        slow.settimeout(20)
        stream = slow.makefile("rb")
        while len(serials) < 4:
            size = struct.unpack("!H", stream.read(2))[0]
            m = dns.message.from_wire(stream.read(size), xfr=True, one_rr_per_rrset=True)
            records += len(m.answer)
            serials += [r[0].serial for r in m.answer if r.rdtype == dns.rdatatype.SOA]
    assert serials == [1, 1, 2, 2]  # the second question was answered after the first, from the new plan
    assert records == 2 * (len(lines) + 11)


@pytest.mark.parametrize("kind", ["nsd", "knot"])
def test_a_real_secondary_answers_the_same(nodes, secondaries, kind):  # noqa: F811
    node = start(nodes)
    s = secondaries(kind, node, {"example.com": "k1", "open.example": None})
    for zone, serial in [("example.com", 10), ("open.example", 1)]:
        assert wait_for(lambda: s.serial(zone) == serial, 20), zone
        for name, rtype in [("", "SOA"), ("", "NS"), ("", "MX"), ("mail.", "A"), ("a.w.", "TXT"), ("alias.", "CNAME"),
                            ("_s._tcp.", "SRV"), ("x.", "TYPE65400"), ("nothere.", "A"), ("www.sub.", "A")]:
            q = dns.message.make_query(name + zone, rtype)
            ours, theirs = dns.query.udp(q, node.address, port=DNS_PORT, timeout=3), s.ask(name + zone, rtype)
            assert ours.rcode() == theirs.rcode() and ours.answer == theirs.answer, (name, rtype)
            assert {x.to_text() for x in ours.authority} == {x.to_text() for x in theirs.authority} or ours.answer


@pytest.mark.parametrize("kind", ["nsd", "knot"])
def test_secondaries_are_told(nodes, secondaries, kind):  # noqa: F811
    """The SOA's refresh is an hour: only NOTIFY can bring the change in seconds; then it comes as IXFR."""
    zones = {"example.com.zone": zone_text(10), "open.zone": zone_text(1), "k2.secret": SECRET}
    node = nodes(CONFIG, zones)
    s = secondaries(kind, node, {"example.com": "k1", "open.example": None})
    text = node.config_path.read_text().replace("keys: [k1, k2]", f'keys: [k1, k2], notify: "{s.address}:{DNS_PORT} key k1"')
    node.config_path.write_text(text.replace("127.0.0.0/8", f'127.0.0.0/8, notify: ["{s.address}:{DNS_PORT}"]'))
    node.start()
    assert wait_for(lambda: s.serial("example.com") == 10 and s.serial("open.example") == 1, 20)
    (node.folder / "example.com.zone").write_text(zone_text(11, "new A 192.0.2.1"))
    (node.folder / "open.zone").write_text(zone_text(2, "new A 192.0.2.2"))
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: s.serial("example.com") == 11 and s.serial("open.example") == 2, 10), node.log()
    assert [r.address for r in s.ask("new.example.com", "A").answer[0]] == ["192.0.2.1"]
    assert "notify.unanswered" not in node.log() and "notify.refused" not in node.log()


SO_TIMESTAMPNS = 35


def received(s):
    """A datagram, where it is from, and when it came: not when this process got round to it."""
    data, ancillary, _, peer = s.recvmsg(4096, 100)
    seconds, nanoseconds = struct.unpack("qq", next(value for _, kind, value in ancillary if kind == SO_TIMESTAMPNS))
    return data, peer, seconds + nanoseconds / 1e9


def test_notify_is_said_again_until_answered(nodes):  # noqa: F811
    address = loopback()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, DNS_PORT))
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.settimeout(8)
        node = start(nodes, CONFIG.replace("keys: [k1, k2]", f'keys: [k1], notify: "{address}:{DNS_PORT} key k1"'))
        first, _, began = received(s)
        m = dns.message.from_wire(first, keyring=KEYRING)
        assert m.opcode() == dns.opcode.NOTIFY and m.had_tsig and m.flags & dns.flags.AA
        assert (m.question[0].name.to_text(), m.question[0].rdtype) == ("example.com.", dns.rdatatype.SOA)
        second, at, again = received(s)
        assert 0.8 < again - began < 3
        question = second[12:12 + len("example.com") + 6]
        s.sendto(second[:2] + b"\xa4\0\0\1\0\0\0\0\0\0" + question, at)  # not signed: does not count
        third, at = s.recvfrom(4096)
        q = dns.message.from_wire(third, keyring=KEYRING)
        reply = dns.message.make_response(q)
        s.sendto(reply.to_wire(), at)
        s.settimeout(6)
        with pytest.raises(socket.timeout):
            s.recvfrom(4096)
        assert SECRET not in node.log()
