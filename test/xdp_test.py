"""AF_XDP: queries read as raw packets from a veth pair between two network namespaces.

The node runs in one namespace and listens on two addresses of one interface; the filter takes both. A second node on the
same zones without dns.xdp is the measure: every answer is compared byte for byte. What the filter does not take (VLAN,
fragments, TCP) and what it cannot take (an interface that refuses) is served by sockets.
"""

import contextlib
import os
import random
import socket
import struct
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import pytest

from node import Node, open_path, wait_for  # noqa: F401  (open_path is a fixture)

SERVER4, CLIENT4, SERVER6, CLIENT6 = "10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2"
PLAIN_PORT, XDP_PORT, TELL_PORT = 5354, 53, 8080

ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
@ MX 10 mail
@ TXT "v=spf1 -all"
ns1 A 192.0.2.53
ns1 AAAA 2001:db8::53
mail A 192.0.2.25
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
*.wild A 192.0.2.99
a.deep.empty A 192.0.2.1
sub NS ns.sub
ns.sub A 192.0.2.54
many TXT """ + "\nmany TXT ".join(f'"{i:03} {"x" * 60}"' for i in range(40)) + "\n"


def run(*words, **kw):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, **kw)


def refused():
    """Why this machine cannot have the test, or None."""
    if os.geteuid() != 0:
        return "namespaces and AF_XDP need root"
    name = f"hfprobe{os.getpid()}"
    made = run("ip", "netns", "add", name)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    try:
        made = run("ip", "link", "add", "p0", "netns", name, "type", "veth", "peer", "name", "p1", "netns", name)
        if made.returncode:
            return f"no veth here: {made.stderr.strip()}"
        with socket.socket(44, socket.SOCK_RAW, 0):  # AF_XDP
            return None
    except OSError as e:
        return f"this kernel has no AF_XDP: {e}"
    finally:
        run("ip", "netns", "del", name)


class Wire:
    """Two namespaces and a cable between them."""

    def __init__(self):
        tag = f"{os.getpid()}{random.randrange(1000)}"
        self.server, self.client = f"hfs{tag}", f"hfc{tag}"
        for ns in (self.server, self.client):
            self.ip("netns", "add", ns)
        self.ip("link", "add", "s0", "netns", self.server, "type", "veth", "peer", "name", "c0", "netns", self.client)
        for ns, dev, v4, v6 in ((self.server, "s0", SERVER4, SERVER6), (self.client, "c0", CLIENT4, CLIENT6)):
            self.ip("-n", ns, "link", "set", "lo", "up")
            self.ip("-n", ns, "addr", "add", f"{v4}/24", "dev", dev)
            self.ip("-n", ns, "addr", "add", f"{v6}/64", "dev", dev, "nodad")
            self.ip("-n", ns, "link", "set", dev, "up")

    @staticmethod
    def ip(*words):
        done = run("ip", *words)
        assert done.returncode == 0, done.stderr

    def close(self):
        for ns in (self.server, self.client):
            run("ip", "netns", "del", ns)

    @contextlib.contextmanager
    def inside(self, ns):
        """This thread, and what it starts, in a namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/var/run/netns/{ns}", os.O_RDONLY)
        libc = __import__("ctypes").CDLL(None, use_errno=True)
        try:
            assert libc.setns(there, 0x40000000) == 0
            yield
        finally:
            assert libc.setns(home, 0x40000000) == 0
            os.close(there)
            os.close(home)


@pytest.fixture
def wire():
    why = refused()
    if why:
        pytest.skip(why)
    w = Wire()
    yield w
    w.close()


def config(listens, xdp):
    return f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns: {{listen: [{", ".join(f'"{l}"' for l in listens)}], threads: 1, xdp: [{", ".join(xdp)}]}}
tell: {{listen: ["{SERVER4}:{TELL_PORT}"]}}
zones:
  - {{name: example.com, file: example.com.zone}}
"""


@pytest.fixture
def start(holdfast, open_path, wire):  # noqa: F811
    made = []

    def begin(text):
        node = Node(holdfast, open_path / f"node{len(made)}", text, {"example.com.zone": ZONE})
        made.append(node)
        with wire.inside(wire.server):
            node.start()
        return node

    yield begin
    for node in made:
        node.stop()


def counted(wire, transport):
    with wire.inside(wire.client):
        out = run("curl", "-sS", "--max-time", "5", f"http://{SERVER4}:{TELL_PORT}/metrics").stdout
    return sum(float(l.split()[1]) for l in out.splitlines()
               if l.startswith("holdfast_dns_queries_total{") and f'transport="{transport}"' in l)


@contextlib.contextmanager
def asking(wire, v6=False):
    with wire.inside(wire.client):
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    with s:
        yield s


def ask(s, message, address, port):
    s.sendto(message, (address, port))
    while True:
        reply, source = s.recvfrom(65535)
        if reply[:2] == message[:2]:
            assert source[0] == address and source[1] == port
            return reply


def queries(rng, count):
    names = ["example.com", "www.example.com", "WWW.eXample.com", "alias.example.com", "x.wild.example.com", "a.b.wild.example.com",
             "empty.example.com", "deep.empty.example.com", "nothing.example.com", "x.sub.example.com", "sub.example.com",
             "many.example.com", "other.test", ".", "mail.example.com"]
    for i in range(count):
        q = dns.message.make_query(rng.choice(names), rng.choice(["A", "AAAA", "MX", "TXT", "NS", "SOA", "ANY", "TYPE65280"]),
                                   use_edns=rng.choice([-1, 0, 0, 1]), payload=rng.choice([512, 1232, 4096]),
                                   want_dnssec=False)
        q.id = i
        wire = bytearray(q.to_wire())
        if rng.random() < 0.1:  # damaged, and long enough to be answered
            wire[rng.randrange(2, len(wire))] ^= 1 << rng.randrange(8)
        if wire[2] & 0x80:
            wire[2] &= 0x7f
        yield bytes(wire)


LISTENS = [f"{SERVER4}:{XDP_PORT}", f"[{SERVER6}]:{XDP_PORT}"]
PLAIN = [f"{SERVER4}:{PLAIN_PORT}", f"[{SERVER6}]:{PLAIN_PORT}"]


def test_same_answers(wire, start):
    node = start(config(LISTENS, ["s0"]))
    assert "event=xdp.open" in node.log(), node.log()
    assert "interface=s0" in node.log()
    text = config(PLAIN, []).replace(f":{TELL_PORT}", ":8089")
    start(text)
    rng = random.Random(9)
    for v6, server in ((False, SERVER4), (True, SERVER6)):
        with asking(wire, v6) as s:
            for q in queries(rng, 600):
                try:
                    plain = ask(s, q, server, PLAIN_PORT)
                except socket.timeout:
                    pytest.fail(f"no answer from sockets to {q.hex()}")
                assert ask(s, q, server, XDP_PORT) == plain, q.hex()
    assert wait_for(lambda: counted(wire, "xdp") >= 1200)
    assert counted(wire, "udp") == 0


def test_truncated_then_tcp(wire, start):
    start(config(LISTENS, ["s0"]))
    q = dns.message.make_query("many.example.com", "TXT", use_edns=0, payload=4096)
    with asking(wire) as s:
        assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, XDP_PORT)).flags & dns.flags.TC
    with wire.inside(wire.client):
        out = run("dig", f"@{SERVER4}", "many.example.com", "TXT", "+tries=1", "+time=3").stdout
    assert "Truncated, retrying in TCP" in out and "ANSWER: 40" in out, out
    assert wait_for(lambda: counted(wire, "xdp") == 2 and counted(wire, "tcp") == 1)


def checksum(data, total=0):
    data += b"\0" * (len(data) % 2)
    total += sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return total


def ipv4(payload, flags=0, options=b"", ident=7):
    head = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident, flags, 64, 17, 0,
                       socket.inet_aton(CLIENT4), socket.inet_aton(SERVER4)) + options
    return head[:10] + struct.pack(">H", 0xffff ^ checksum(head)) + head[12:] + payload


def udp(port, payload, good=True):
    head = struct.pack(">HHHH", port, XDP_PORT, 8 + len(payload), 0)
    pseudo = checksum(socket.inet_aton(CLIENT4) + socket.inet_aton(SERVER4) + struct.pack(">HH", 17, len(head) + len(payload)))
    value = 0xffff ^ checksum(head + payload, pseudo) ^ (0 if good else 0x100)
    return head[:6] + struct.pack(">H", value) + payload


def test_unusual_packets(wire, start):
    """Options and fragments go the usual way and are answered; damaged ones are not answered by anybody."""
    start(config(LISTENS, ["s0"]))
    with wire.inside(wire.client):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw, asking(wire) as s:
        s.bind((CLIENT4, 0))
        port = s.getsockname()[1]

        def answered(packets, number, timeout=3.0):
            for p in packets:
                raw.sendto(p, (SERVER4, 0))
            s.settimeout(timeout)
            try:
                return s.recv(4096)[:2] == struct.pack(">H", number)
            except socket.timeout:
                return False

        def query(number):
            q = dns.message.make_query("www.example.com", "A", use_edns=0)
            q.id = number
            return q.to_wire()

        assert answered([ipv4(udp(port, query(1)))], 1)
        assert wait_for(lambda: (counted(wire, "xdp"), counted(wire, "udp")) == (1, 0))
        assert answered([ipv4(udp(port, query(2)), options=b"\x01\x01\x01\x00")], 2)
        whole = udp(port, query(3))
        assert answered([ipv4(whole[:24], 0x2000, ident=9), ipv4(whole[24:], 3, ident=9)], 3)
        assert wait_for(lambda: (counted(wire, "xdp"), counted(wire, "udp")) == (1, 2))
        assert not answered([ipv4(udp(port, query(4), good=False))], 4, 0.5)
        assert answered([ipv4(udp(port, query(5)))], 5)


def test_refusing_interfaces(wire, start):
    """What cannot be had is said, and served all the same."""
    node = start(config(LISTENS, ["lo", "nowhere0"]))
    log = node.log()
    assert "event=xdp.refused interface=nowhere0" in log, log
    assert "event=xdp.refused interface=lo" in log and "its queries are served through sockets" in log, log
    second = start(config(PLAIN, ["s0"]).replace(f":{TELL_PORT}", ":8088"))
    assert "event=xdp.open" in second.log()
    third = start(config([f"{SERVER4}:5355"], ["s0"]).replace(f":{TELL_PORT}", ":8087"))
    assert "another program has a filter on it" in third.log(), third.log()
    q = dns.message.make_query("www.example.com", "A")
    with asking(wire) as s:
        for port in (XDP_PORT, PLAIN_PORT, 5355):
            assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, port)).answer


class Stream:
    """A client that asks without a pause; every query that was not answered in time is asked once more."""

    def __init__(self, wire):
        self.wire, self.answered, self.lost, self.stop = wire, 0, 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.go)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def go(self):
        with asking(self.wire) as s:
            s.settimeout(1)
            number = 0
            while not self.stop.is_set():
                number = (number + 1) & 0xffff
                q = dns.message.make_query("www.example.com", "A")
                q.id = number
                try:
                    self.answered += bool(dns.message.from_wire(ask(s, q.to_wire(), SERVER4, XDP_PORT)).answer)
                except socket.timeout:
                    self.lost += 1
                time.sleep(0.001)


def test_killed(wire, start):
    """Without its reader the queue's packets wait in the sockets; the next one has the queue again."""
    node = start(config(LISTENS, ["s0"]))
    with Stream(wire) as stream:
        for _ in range(2):
            assert wait_for(lambda: counted(wire, "xdp") > 20)
            old = node.kill("dns")
            node.wait_restart("dns", old)
    assert wait_for(lambda: node.log().count("event=xdp.open") == 3), node.log()
    assert stream.lost <= 4, (stream.lost, stream.answered)  # what lay in the rings
    with asking(wire) as s:
        q = dns.message.make_query("www.example.com", "A")
        assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, XDP_PORT)).answer
    assert wait_for(lambda: counted(wire, "xdp") > 0)


def test_upgraded(wire, start):
    """The old name server leaves the queue, sockets serve meanwhile, the new one takes it; nothing is lost."""
    node = start(config(LISTENS, ["s0"]))
    with Stream(wire) as stream:
        assert wait_for(lambda: counted(wire, "xdp") > 20)
        old = node.pid("dns")
        node.process.send_signal(__import__("signal").SIGUSR2)
        assert wait_for(lambda: node.log().count("event=xdp.open") == 2, 20), node.log()
        node.wait_restart("dns", old)
        assert wait_for(lambda: counted(wire, "xdp") > 20), node.log()
    assert node.log().count("event=xdp.refused") == 0, node.log()
    assert stream.lost <= 2, (stream.lost, stream.answered)
