"""AF_XDP: queries read as raw packets from a veth pair between two network namespaces: what starts, stops, fails and takes over.

What the filter does not take (TCP) and what it cannot take (an interface that refuses) is served by sockets. That answers
are the same is for xdp_answers_test.py."""

import contextlib
import json
import signal
import socket
import threading
import time

import dns.flags
import dns.message
import pytest

from node import Node, open_path, wait_for  # noqa: F401  (open_path is a fixture)
from proxy_test import header
from wires import client4, run, server4, server6, wire  # noqa: F401

SERVER4, SERVER6 = server4(), server6()
PLAIN_PORT, XDP_PORT, TELL_PORT = 5354, 53, 8080

ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
many TXT """ + "\nmany TXT ".join(f'"{i:03} {"x" * 60}"' for i in range(40)) + "\n"


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

    def begin(text, binary=holdfast):
        node = Node(binary, open_path / f"node{len(made)}", text, {"example.com.zone": ZONE})
        made.append(node)
        with wire.inside(wire.server):
            node.start()
        return node

    yield begin
    for node in made:
        node.stop()


@contextlib.contextmanager
def asking(wire):
    with wire.inside(wire.client):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
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


LISTENS = [f"{SERVER4}:{XDP_PORT}", f"[{SERVER6}]:{XDP_PORT}"]
PLAIN = [f"{SERVER4}:{PLAIN_PORT}", f"[{SERVER6}]:{PLAIN_PORT}"]


def test_truncated_then_tcp(wire, start):
    start(config(LISTENS, ["s0"]))
    q = dns.message.make_query("many.example.com", "TXT", use_edns=0, payload=4096)
    with asking(wire) as s:
        assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, XDP_PORT)).flags & dns.flags.TC
    with wire.inside(wire.client):
        out = run("dig", f"@{SERVER4}", "many.example.com", "TXT", "+tries=1", "+time=3").stdout
    assert "Truncated, retrying in TCP" in out and "ANSWER: 40" in out, out
    assert wait_for(lambda: wire.counted("xdp") == 2 and wire.counted("tcp") == 1)


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
    assert notes(node) == ["dns: lo through sockets: it is no Ethernet interface, or its MTU is not between 1280 and 3822; "
                           "nowhere0 through sockets: there is no such interface"]
    assert notes(second) == ["dns: s0 by raw packets, queues 1 of 1, native, copied"]
    assert notes(third) == ["dns: s0 through sockets: another program has a filter on it"]
    q = dns.message.make_query("www.example.com", "A")
    with asking(wire) as s:
        for port in (XDP_PORT, PLAIN_PORT, 5355):
            assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, port)).answer


def notes(node):
    """What status says of raw packets, as text and as JSON."""
    shown = node.cli("status", "--data", str(node.data))
    said = json.loads(node.cli("status", "--json", "--data", str(node.data)).stdout)
    lines = [l for l in shown.stdout.splitlines() if l.startswith("dns: ")]
    assert lines == [f"dns: {r['note']}" for r in said["roles"] if "note" in r]
    return lines


def test_without_privileges(wire, start, holdfast, open_path):  # noqa: F811
    """Who may not have raw packets serves through sockets, and says what is missing."""
    binary = open_path / "unprivileged"
    binary.write_text('#!/bin/sh\nchown nobody "${2%/*}"\nexec setpriv --reuid=nobody --regid=nogroup --clear-groups '
                      f'--bounding-set=-all "{holdfast}" "$@"\n')
    binary.chmod(0o755)
    node = start(config(PLAIN, ["s0"]), binary)
    assert "event=xdp.refused interface=s0" in node.log() and "CAP_NET_ADMIN" in node.log(), node.log()
    with asking(wire) as s:
        q = dns.message.make_query("www.example.com", "A")
        assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, PLAIN_PORT)).answer
    node.binary = holdfast
    assert notes(node) == ["dns: s0 through sockets: this needs root, or CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK"]


def test_reload_says_what_it_cannot_change(wire, start):
    node = start(config(LISTENS, ["s0"]))
    node.config_path.write_text(node.config_path.read_text().replace("xdp: [s0]", "xdp: []"))
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 0 and "not in effect yet: dns.xdp;" in reply.stdout, reply
    assert wait_for(lambda: wire.metric("holdfast_dns_xdp_queues") == 1)


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
            s.settimeout(3)  # more than a start takes: what waits in the kernel meanwhile is not lost
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


BURST = 100


def burst(wire, count):
    """Asks all at once, once; how many were answered."""
    with asking(wire) as s:
        for number in range(count):
            q = dns.message.make_query("www.example.com", "A")
            q.id = number
            s.sendto(q.to_wire(), (SERVER4, XDP_PORT))
        heard = set()
        with contextlib.suppress(socket.timeout):
            while len(heard) < count:
                heard.add(s.recv(4096)[:2])
        return len(heard)


def test_killed(wire, start):
    """Without its reader the queue's packets wait in the sockets; the next one has the queue again."""
    node = start(config(LISTENS, ["s0"]))
    ended = 0
    with Stream(wire) as stream:
        for _ in range(2):
            assert wait_for(lambda: wire.counted("xdp") > 20)
            old = node.kill("dns")
            ended += 1
            assert wait_for(lambda: node.log().count("event=role.ended of=dns") == ended, step=0.001)
            assert burst(wire, BURST) == BURST  # from now on, whom nobody reads, sockets keep
            node.wait_restart("dns", old)
    assert wait_for(lambda: node.log().count("event=xdp.open") == 3), node.log()
    assert stream.lost <= 4, (stream.lost, stream.answered)  # what lay in the rings
    with asking(wire) as s:
        q = dns.message.make_query("www.example.com", "A")
        assert dns.message.from_wire(ask(s, q.to_wire(), SERVER4, XDP_PORT)).answer
    assert wait_for(lambda: wire.counted("xdp") > 0)


def test_upgraded(wire, start):
    """The old name server leaves the queue, sockets serve meanwhile, the new one takes it; nothing is lost."""
    node = start(config(LISTENS, ["s0"]))
    with Stream(wire) as stream:
        assert wait_for(lambda: wire.counted("xdp") > 20)
        old = node.pid("dns")
        node.process.send_signal(signal.SIGUSR2)
        assert wait_for(lambda: node.log().count("event=xdp.open") == 2, 20), node.log()
        node.wait_restart("dns", old)
        assert wait_for(lambda: wire.counted("xdp") > 20), node.log()
    assert node.log().count("event=xdp.refused") == 0, node.log()
    assert stream.lost == 0, (stream.lost, stream.answered)


def test_behind_a_proxy(wire, start):
    """On an interface that is read as raw packets, what proxies pass on is the sockets', who may be a proxy is asked there,
    and a header is believed nowhere else."""
    text = config(LISTENS, ["s0"]).replace("threads: 1", f"threads: 1, proxy: {{listen: ['{SERVER4}:5300'], from: [{client4()}/32]}}")
    text += """collections: {far: [198.51.100.0/24]}
services:
  - name: api.example.com
    policy: ip_based
    endpoints:
      - {name: far, address: 192.0.2.1, collections: [far]}
      - {name: other, address: 192.0.2.2, collections: ["*"]}
"""
    node = start(text)
    assert wait_for(lambda: "event=xdp.open" in node.log()), node.log()
    query = dns.message.make_query("api.example.com", "A")
    wire_query = query.to_wire()

    def answered(s, prefix, port):
        s.settimeout(0.5)
        s.sendto(prefix + wire_query, (SERVER4, port))
        try:
            reply = s.recv(4096)
        except TimeoutError:
            return None
        return [r.address for rrset in dns.message.from_wire(reply).answer for r in rrset] if reply[:2] == wire_query[:2] else "other"

    with asking(wire) as s:
        before = wire.counted("xdp")
        assert answered(s, header("198.51.100.7"), 5300) == ["192.0.2.1"]
        assert answered(s, header("203.0.113.7"), 5300) == ["192.0.2.2"]
        assert answered(s, b"", 5300) is None, "without a header nothing is taken there"
        assert wire.counted("xdp") == before, "these are the sockets'"
        assert answered(s, b"", XDP_PORT) == ["192.0.2.2"]
        assert answered(s, header("198.51.100.7"), XDP_PORT) != ["192.0.2.1"]
        assert wait_for(lambda: wire.counted("xdp") > before)
    assert wire.metric("holdfast_dns_proxy_refused_total") >= 1
