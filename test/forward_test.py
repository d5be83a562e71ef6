"""DNS UPDATE at a secondary: passed on to the primary as it came, and the answer as it came from there (RFC 2136 6)."""

import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from node import DNS_PORT, loopback, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, primaries, zone_text  # noqa: F401 (fixtures)
from update_test import dns_read

KEYRING = dns.tsigkeyring.from_text({"u1": ("hmac-sha256", SECRET), "k1": ("hmac-sha256", SECRET)})

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, primaries: [PRIMARIES], forward_updates: 127.0.0.0/8}
  - {name: closed.example, primaries: [PRIMARIES]}
"""

PRIMARY = """node: {name: p1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {u1: {secret: """ + SECRET + """}}
zones:
  - {name: example.com, file: example.com.zone, transfer: {allow: 127.0.0.0/8}, update: {rules: [{key: u1, types: [A, TXT]}]}}
"""


def start(nodes, *addresses, config=CONFIG):  # noqa: F811
    return nodes(config.replace("PRIMARIES", ", ".join(f'"{a}:{DNS_PORT}"' for a in addresses))).start()


def update(node, name="new", key="u1", zone="example.com", tcp=False, secret=None, value="192.0.2.9", rdtype="A"):
    ring = KEYRING if not secret else dns.tsigkeyring.from_text({key: ("hmac-sha256", secret)})
    u = dns.update.Update(zone, keyring=ring if key else None, keyname=key)
    u.add(name, 60, rdtype, value)
    u.use_edns(0)
    return (dns.query.tcp if tcp else dns.query.udp)(u, node.address, port=DNS_PORT, timeout=10)


@pytest.fixture
def pair(nodes):  # noqa: F811
    """A primary that takes updates, and a secondary of it."""
    p = nodes(PRIMARY, {"example.com.zone": zone_text(10, timers="2 1 604800 60")}).start()
    return p, start(nodes, p.address)


@pytest.mark.parametrize("tcp", [False, True])
def test_an_update_reaches_the_primary(pair, tcp):
    primary, node = pair
    assert wait_for(lambda: node.short("www.example.com") == ["192.0.2.1"])
    assert update(node, tcp=tcp).rcode() == dns.rcode.NOERROR  # its signature is the primary's, and was verified by dnspython
    assert wait_for(lambda: node.short("new.example.com") == ["192.0.2.9"], 8)
    assert primary.short("new.example.com") == ["192.0.2.9"]
    refused = update(node, "mail", rdtype="MX", value="10 www", tcp=tcp)
    assert refused.rcode() == dns.rcode.REFUSED and "no rule lets this key" in refused.options[0].text
    with pytest.raises(dns.tsig.PeerBadSignature):
        update(node, secret="bm90IHRoZSBzZWNyZXQ=", tcp=tcp)
    assert "event=update.forwarded" in node.log() and wait_for(lambda: node.metric("holdfast_updates_total", "forwarded") == 3)


def test_what_is_not_passed_on(pair, nodes):  # noqa: F811
    primary, node = pair
    reply = update(node, key=None)
    assert reply.rcode() == dns.rcode.REFUSED and "have to be signed" in reply.options[0].text
    reply = update(node, zone="closed.example", key=None)
    assert reply.rcode() == dns.rcode.REFUSED and "not changed by updates" in reply.options[0].text
    far = start(nodes, primary.address, config=CONFIG.replace("127.0.0.0/8", "192.0.2.0/24"))
    assert update(far).rcode() == dns.rcode.REFUSED
    assert "not passed on from this address" in far.log()
    assert primary.metric("holdfast_updates_total") == 0


def test_knot_as_the_primary(nodes, primaries):  # noqa: F811
    p = primaries("knot", {"example.com": zone_text(10)}, update="u1")
    node = start(nodes, p.address)
    assert wait_for(lambda: node.short("www.example.com") == ["192.0.2.1"])
    assert update(node).rcode() == dns.rcode.NOERROR
    assert wait_for(lambda: node.short("new.example.com") == ["192.0.2.9"], 8)


def test_the_next_primary_is_asked_where_the_first_was_not_reached(nodes):  # noqa: F811
    p = nodes(PRIMARY, {"example.com.zone": zone_text(10)}).start()
    node = start(nodes, loopback(), p.address)
    assert update(node).rcode() == dns.rcode.NOERROR
    assert wait_for(lambda: p.short("new.example.com") == ["192.0.2.9"])


class Silent:
    """Takes messages over TCP and says nothing, or something else."""

    def __init__(self, answer=None):
        self.address, self.answer, self.got = loopback(), answer, []
        self.listener = socket.create_server((self.address, DNS_PORT), backlog=200)
        threading.Thread(target=self._serve, daemon=True).start()
        self.kept = []

    def _serve(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.kept.append(c)
            threading.Thread(target=self._read, args=(c,), daemon=True).start()

    def _read(self, c):
        try:
            wire = dns_read(c)
            if wire[2] >> 3 & 15 == 5:
                self.got.append(wire)
                if self.answer:
                    reply = self.answer(wire)
                    c.sendall(struct.pack("!H", len(reply)) + reply)
        except (OSError, struct.error, AssertionError):
            pass

    def stop(self):
        self.listener.close()


def test_a_message_is_passed_on_byte_by_byte_and_once(nodes, request):  # noqa: F811
    """A primary that may have read it and says nothing: no other is asked, and the client is told."""
    silent, other = Silent(), Silent()
    request.addfinalizer(silent.stop)
    request.addfinalizer(other.stop)
    node = start(nodes, silent.address, other.address)
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="u1")
    u.add("new", 60, "A", "192.0.2.9")
    wire = u.to_wire()
    with socket.create_connection((node.address, DNS_PORT), 5) as s:
        s.settimeout(12)
        began = time.monotonic()
        s.sendall(struct.pack("!H", len(wire)) + wire)
        reply = dns_read(s)
        assert 6 < time.monotonic() - began < 10 and reply[3] & 15 == dns.rcode.SERVFAIL and reply[:2] == wire[:2]
    assert silent.got == [wire] and not other.got


def test_answers_that_are_none(nodes, request):  # noqa: F811
    wrong = Silent(lambda wire: bytes([wire[0] ^ 1]) + wire[1:])
    request.addfinalizer(wrong.stop)
    node = start(nodes, wrong.address)
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="u1")
    u.add("new", 60, "A", "192.0.2.9")
    wire = u.to_wire()
    for answer in (lambda w: bytes([w[0] ^ 1]) + w[1:2] + bytes([w[2] | 0x80]) + w[3:12], lambda w: w, lambda w: w[:2],
                   lambda w: w[:2] + b"\x80" + w[3:12]):
        wrong.answer = answer
        with socket.create_connection((node.address, DNS_PORT), 5) as s:
            s.settimeout(5)
            s.sendall(struct.pack("!H", len(wire)) + wire)
            assert dns_read(s)[3] & 15 == dns.rcode.SERVFAIL


def test_many_at_once_are_bounded(nodes, request):  # noqa: F811
    silent = Silent()
    request.addfinalizer(silent.stop)
    node = start(nodes, silent.address)
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="u1")
    u.add("new", 60, "A", "192.0.2.9")
    wire = u.to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((node.address, DNS_PORT))
        s.settimeout(5)
        for _ in range(100):
            s.send(wire)
        assert s.recv(512)[3] & 15 == dns.rcode.SERVFAIL  # at once: more than 64 are under way
        assert wait_for(lambda: len(silent.got) == 64)
        time.sleep(0.3)
    assert len(silent.got) == 64
    assert node.dig("+short", "closed.example", "SOA") is not None
