"""The name server from outside: a whole node, asked by dig, dnspython and by hand."""

import contextlib
import random
import socket
import struct
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from node import DNS_PORT, Asker, free_port, loopback, nodes, open_path, wait_for  # noqa: F401 (fixtures)

ZONE = """$ORIGIN example.com.
$TTL 3600
@        SOA ns1 host.example.com. 2024010101 7200 3600 1209600 300
@        NS ns1
@        NS ns2.example.net.
@        MX 10 mail
@        CAA 0 issue "ca.example.net"
ns1      A 192.0.2.1
www  300 A 192.0.2.80
www  300 A 192.0.2.81
www      AAAA 2001:db8::80
mail     A 192.0.2.25
txt      TXT "hello" "world"
_sip._tcp SRV 1 2 5060 www
1.2.0.192 PTR www
alias    CNAME www
chain    60 CNAME alias
steered-alias CNAME api
outside  CNAME www.example.org.
nowhere  CNAME missing
loop1    CNAME loop2
loop2    CNAME loop1
sub      NS ns.sub
sub      NS ns1
sub      DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub   A 192.0.2.53
*.wild   600 A 192.0.2.99
a.b.deep A 192.0.2.7
unknown  TYPE65280 \\# 4 01020304
""" + "".join(f'big TXT "{i:03d}{"x" * 60}"\n' for i in range(30))

SECOND = """$ORIGIN example.net.
$TTL 900
@ SOA ns1.example.com. host.example.com. 7 7200 3600 1209600 60
@ NS ns1.example.com.
host A 192.0.2.77
"""

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: [%LISTEN%], threads: 2, tcp: {clients: 40, idle: 2s}}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone}
  - {name: example.net, file: example.net.zone}
collections:
  office: [10.0.0.0/8, "2001:db8::/32"]
  lab: [10.20.0.0/16]
services:
  - name: api.example.com
    ttl: 5s
    endpoints:
      - {name: a, address: 198.51.100.1}
  - name: split.example.com
    policy: weighted
    ttl: 5s
    endpoints:
      - {name: a, address: 198.51.100.10, weight: 3}
      - {name: b, address: 198.51.100.11, weight: 1}
  - name: near.example.com
    policy: ip_based
    ttl: 5s
    endpoints:
      - {name: office, address: 198.51.100.20, collections: [office]}
      - {name: lab, address: 198.51.100.21, collections: [lab]}
  - name: multi.example.com
    policy: multivalue
    ttl: 5s
    endpoints:
""" + "".join(f"      - {{name: m{i}, address: 198.51.100.{100 + i}}}\n" for i in range(12)) + """  - name: six.example.com
    ttl: 5s
    endpoints:
      - {name: a, address: ["2001:db8::1", 198.51.100.30]}
"""


@pytest.fixture
def node(nodes):  # noqa: F811
    config = CONFIG.replace("%LISTEN%", '"%DNS%"')
    return nodes(config, {"example.com.zone": ZONE, "example.net.zone": SECOND}).start()


def ask(node, name, rtype="A", tcp=False, **options):
    query = dns.message.make_query(name, rtype, **options)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, node.address, port=DNS_PORT, timeout=5)


def records(section):
    return sorted(f"{s.name} {s.ttl} {dns.rdatatype.to_text(s.rdtype)} {r}" for s in section for r in s)


def rcode(response):
    return dns.rcode.to_text(response.rcode())


POSITIVE = [
    ("www", "A", ["www 300 A 192.0.2.80", "www 300 A 192.0.2.81"]),
    ("www", "AAAA", ["www 3600 AAAA 2001:db8::80"]),
    ("@", "SOA", ["@ 3600 SOA ns1.example.com. host.example.com. 2024010101 7200 3600 1209600 300"]),
    ("@", "NS", ["@ 3600 NS ns1.example.com.", "@ 3600 NS ns2.example.net."]),
    ("@", "MX", ["@ 3600 MX 10 mail.example.com."]),
    ("@", "CAA", ['@ 3600 CAA 0 issue "ca.example.net"']),
    ("txt", "TXT", ['txt 3600 TXT "hello" "world"']),
    ("_sip._tcp", "SRV", ["_sip._tcp 3600 SRV 1 2 5060 www.example.com."]),
    ("1.2.0.192", "PTR", ["1.2.0.192 3600 PTR www.example.com."]),
    ("unknown", "TYPE65280", ["unknown 3600 TYPE65280 \\# 4 01020304"]),
    ("x.y.wild", "A", ["x.y.wild 600 A 192.0.2.99"]),
    ("alias", "A", ["alias 3600 CNAME www.example.com.", "www 300 A 192.0.2.80", "www 300 A 192.0.2.81"]),
    ("chain", "AAAA", ["alias 3600 CNAME www.example.com.", "chain 60 CNAME alias.example.com.",
                       "www 3600 AAAA 2001:db8::80"]),
    ("steered-alias", "A", ["api 5 A 198.51.100.1", "steered-alias 3600 CNAME api.example.com."]),
    ("outside", "A", ["outside 3600 CNAME www.example.org."]),
    ("loop1", "A", ["loop1 3600 CNAME loop2.example.com.", "loop2 3600 CNAME loop1.example.com."]),
    ("api", "A", ["api 5 A 198.51.100.1"]),
    ("six", "A", ["six 5 A 198.51.100.30"]),
    ("six", "AAAA", ["six 5 AAAA 2001:db8::1"]),
]


def absolute(line):
    owner, rest = line.split(" ", 1)
    return ("example.com. " if owner == "@" else f"{owner}.example.com. ") + rest


def test_answers_over_udp_and_tcp(node):
    for owner, rtype, expected in POSITIVE:
        name = "example.com." if owner == "@" else f"{owner}.example.com."
        for tcp in (False, True):
            r = ask(node, name, rtype, tcp=tcp)
            assert rcode(r) == "NOERROR" and r.flags & dns.flags.AA and not r.flags & dns.flags.RA, (name, rtype)
            assert records(r.answer) == sorted(absolute(e) for e in expected), (name, rtype, tcp)
            assert not r.authority, (name, rtype)


def test_negative_answers(node):
    soa = ["example.com. 300 SOA ns1.example.com. host.example.com. 2024010101 7200 3600 1209600 300"]
    for name, rtype, code in [("missing", "A", "NXDOMAIN"), ("below.www", "A", "NXDOMAIN"), ("www", "MX", "NOERROR"),
                              ("deep", "A", "NOERROR"), ("b.deep", "TXT", "NOERROR"), ("x.deep", "A", "NXDOMAIN"),
                              ("wild", "A", "NOERROR"), ("x.wild", "MX", "NOERROR"), ("api", "AAAA", "NOERROR"),
                              ("nowhere", "A", "NXDOMAIN")]:
        r = ask(node, f"{name}.example.com", rtype)
        assert rcode(r) == code and records(r.authority) == soa and r.flags & dns.flags.AA, (name, rtype)
    for name in ("example.org", "com", ".", "notexample.com"):
        r = ask(node, name, "A")
        assert rcode(r) == "REFUSED" and not r.flags & dns.flags.AA and not r.answer and not r.authority


def test_delegation(node):
    for name in ("sub", "x.sub", "ns.sub", "a.b.c.sub"):
        r = ask(node, f"{name}.example.com", "A")
        assert rcode(r) == "NOERROR" and not r.flags & dns.flags.AA and not r.answer
        assert records(r.authority) == ["sub.example.com. 3600 NS ns.sub.example.com.",
                                        "sub.example.com. 3600 NS ns1.example.com."]
        assert "ns.sub.example.com. 3600 A 192.0.2.53" in records(r.additional)
    r = ask(node, "sub.example.com", "DS")
    assert r.flags & dns.flags.AA and len(records(r.answer)) == 1 and not r.authority


def test_refusals_and_oddities(node):
    def header(opcode):
        q = dns.message.make_query("www.example.com", "A")
        q.set_opcode(opcode)
        return q

    for query, code in [(dns.message.make_query("version.bind", "TXT", "CH"), "REFUSED"),
                        (dns.message.make_query("example.com", "AXFR"), "REFUSED"),
                        (dns.message.make_query("example.com", "IXFR"), "REFUSED")]:
        r = dns.query.udp(query, node.address, port=DNS_PORT, timeout=5)
        assert rcode(r) == code
    # NOTIFY and UPDATE of something that is no zone here are for control, which says no; the rest is not implemented.
    for opcode, codes in ((2, {4}), (4, {1, 5, 9}), (5, {1, 5, 9})):
        wire = header(dns.opcode.from_text({2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}[opcode])).to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(wire, (node.address, DNS_PORT))
            reply = s.recv(4096)
        assert reply[:2] == wire[:2] and reply[3] & 15 in codes and reply[2] >> 3 & 15 == opcode, (opcode, reply)
        assert reply[2] & 0x80 and not any(reply[6:12])
    any_answer = ask(node, "www.example.com", "ANY")
    assert len(any_answer.answer) == 1  # RFC 8482
    r = ask(node, "WwW.eXaMpLe.CoM", "AAAA")
    assert r.question[0].name.to_text() == "WwW.eXaMpLe.CoM."
    assert r.answer[0].name.to_text() == "WwW.eXaMpLe.CoM."


def test_edns_and_truncation(node):
    r = ask(node, "www.example.com", use_edns=0, payload=4096, want_dnssec=True)
    assert r.edns == 0 and r.payload == 1232 and r.ednsflags & dns.flags.DO
    assert ask(node, "www.example.com").edns == -1
    assert "status: BADVERS" in node.dig("www.example.com", "+edns=1", "+noednsnegotiation")
    assert "192.0.2.80" in node.dig("www.example.com", "+edns=1")  # dig turns to version 0 by itself
    r = ask(node, "big.example.com", "TXT", use_edns=0, payload=4096)
    assert r.flags & dns.flags.TC and not r.answer and len(r.to_wire()) < 1232
    assert len(ask(node, "big.example.com", "TXT", tcp=True).answer[0]) == 30
    # dig sees TC and comes back over TCP by itself
    assert len(node.short("big.example.com", "TXT", "+bufsize=1232")) == 30
    for options in (["+edns=0", "+ednsopt=10:0102030405060708"], ["+nsid"], ["+padding=128"], ["+bufsize=512"]):
        assert "status: NOERROR" in node.dig("www.example.com", *options)


def subnet(node, name, text, rtype="A"):
    address, _, length = text.partition("/")
    option = dns.edns.ECSOption(address, int(length))
    r = ask(node, name, rtype, use_edns=0, options=[option])
    echoed = [o for o in r.options if isinstance(o, dns.edns.ECSOption)]
    assert len(echoed) == 1 and echoed[0].address == option.address and echoed[0].srclen == option.srclen
    return [line.split()[-1] for line in records(r.answer)], echoed[0].scopelen


def test_client_subnet(node):
    assert subnet(node, "near.example.com", "10.20.30.0/24") == (["198.51.100.21"], 16)
    assert subnet(node, "near.example.com", "10.200.0.0/16") == (["198.51.100.20"], 9)
    assert subnet(node, "near.example.com", "2001:db8:7::/48") == (["198.51.100.20"], 32)
    assert subnet(node, "near.example.com", "192.0.2.0/24") == ([], 1)
    assert subnet(node, "api.example.com", "10.20.30.0/24") == (["198.51.100.1"], 0)
    assert subnet(node, "www.example.com", "10.20.30.0/24", "AAAA") == (["2001:db8::80"], 0)
    assert "CLIENT-SUBNET: 10.20.0.0/16/16" in node.dig("near.example.com", "+subnet=10.20.0.0/16")
    assert "CLIENT-SUBNET: 0.0.0.0/0/0" in node.dig("near.example.com", "+subnet=0.0.0.0/0")
    wrong = dns.edns.GenericOption(8, b"\0\1\x18\0\x0a\x14")  # too short for its prefix
    r = ask(node, "near.example.com", use_edns=0, options=[wrong])
    assert rcode(r) == "FORMERR"


def test_chance(node):
    seen = {}
    for _ in range(600):
        address = ask(node, "split.example.com").answer[0][0].address
        seen[address] = seen.get(address, 0) + 1
    assert set(seen) == {"198.51.100.10", "198.51.100.11"}
    assert 390 < seen["198.51.100.10"] < 510  # 450 expected; 6 standard deviations
    sets = [{r.address for r in ask(node, "multi.example.com").answer[0]} for _ in range(60)]
    assert all(len(s) == 8 for s in sets) and len(set.union(*sets)) == 12


def frame(wire):
    return struct.pack("!H", len(wire)) + wire


def read_exactly(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def read_message(s):
    size = read_exactly(s, 2)
    return size and dns.message.from_wire(read_exactly(s, struct.unpack("!H", size)[0]))


def connect(node):
    return socket.create_connection((node.address, DNS_PORT), timeout=10)


def test_tcp_pipelining_pieces_and_half_close(node):
    queries = [dns.message.make_query(f"{n}.example.com", "A") for n in ["www", "missing", "api", "mail"] * 50]
    with connect(node) as s:
        stream = b"".join(frame(q.to_wire()) for q in queries)
        for at in range(0, len(stream), 333):
            s.sendall(stream[at:at + 333])
        s.shutdown(socket.SHUT_WR)
        for q in queries:
            r = read_message(s)
            assert r.id == q.id and r.question == q.question
        assert s.recv(1) == b""


def test_tcp_idle_and_dripping_clients_are_closed(node):
    wire = frame(dns.message.make_query("www.example.com", "A").to_wire())
    with connect(node) as quiet, connect(node) as drip:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in wire[:-1]:
                drip.sendall(bytes([byte]))
                if time.monotonic() - start > 6:
                    break
                time.sleep(0.15)
        quiet.settimeout(6)
        assert quiet.recv(1) == b""
        with contextlib.suppress(ConnectionResetError):
            assert drip.recv(1) == b""
        assert time.monotonic() - start < 6


def test_tcp_limit_makes_room_for_the_new(node):
    wire = frame(dns.message.make_query("www.example.com", "A").to_wire())
    with contextlib.ExitStack() as stack:
        for _ in range(120):
            s = stack.enter_context(connect(node))
            s.sendall(wire)
            assert read_message(s).answer
        assert node.metric("holdfast_dns_tcp_clients") <= 40


def garbage(rng, good):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(0, 600))
    if kind == 1:
        return good[:rng.randrange(len(good))]
    if kind == 2:
        return good + rng.randbytes(rng.randrange(1, 300))
    if kind == 3:  # loops of compression, reserved labels
        return good[:12] + bytes([rng.choice([0xc0, 0x40, 0x80]), rng.randrange(256)]) + good[14:]
    if kind == 4:
        return rng.randbytes(9000)
    broken = bytearray(good)
    for _ in range(rng.randrange(1, 8)):
        broken[rng.randrange(len(broken))] = rng.randrange(256)
    return bytes(broken)


def test_good_queries_go_on_among_bad_ones(node):
    """Malformed, oversized, half-open and slow input, while others are asking."""
    rng = random.Random(2)
    good = dns.message.make_query("www.example.com", "A", use_edns=0).to_wire()
    with Asker(node, ["api.example.com", "www.example.com"],
               {"198.51.100.1", "192.0.2.80", "192.0.2.81"}) as asker, contextlib.ExitStack() as stack:
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.connect((node.address, DNS_PORT))
        for i in range(1500):
            with contextlib.suppress(OSError):
                udp.send(garbage(rng, good))
            if i % 20 == 0:
                s = stack.enter_context(connect(node))
                with contextlib.suppress(OSError):
                    s.sendall(rng.choice([b"\xff\xff" + good, b"\0", frame(b""), frame(good[:5]), frame(good)[:9],
                                          frame(garbage(rng, good)[:60000]) * 3]))
            time.sleep(0.0005)
        time.sleep(0.3)
    assert asker.answered > 300 and not asker.wrong and not asker.lost, (asker.wrong[:3], asker.lost[:3])
    assert node.metric("holdfast_restarts_total") == 0


def test_any_address_answers_from_the_address_asked(nodes):  # noqa: F811
    """Bound to 0.0.0.0 and [::], an answer leaves from where the query came to."""
    port = free_port()
    config = CONFIG.replace("%LISTEN%", f'"0.0.0.0:{port}", "[::]:{port}"')
    node = nodes(config, {"example.com.zone": ZONE, "example.net.zone": SECOND}).start()
    query = dns.message.make_query("api.example.com", "A")
    for address in ("127.0.0.1", loopback(), loopback(), "::1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((address, port))  # takes answers from there only
            s.send(query.to_wire())
            assert records(dns.message.from_wire(s.recv(4096)).answer) == ["api.example.com. 5 A 198.51.100.1"]
        r = dns.query.tcp(query, address, port=port, timeout=5)
        assert r.answer
    out = subprocess.run(["dig", "+short", "@::1", "-p", str(port), "near.example.com", "+subnet=10.20.0.0/16"],
                         capture_output=True, text=True, timeout=20)
    assert out.stdout.split() == ["198.51.100.21"]


def test_counters(node):
    before = {k: node.metric("holdfast_dns_responses_total", f'rcode="{k}"') for k in ("NOERROR", "NXDOMAIN", "REFUSED")}
    for _ in range(10):
        ask(node, "www.example.com")
        ask(node, "missing.example.com")
        ask(node, "www.example.org", tcp=True)
    for k, n in before.items():
        assert wait_for(lambda: node.metric("holdfast_dns_responses_total", f'rcode="{k}"') == n + 10, 5), k
