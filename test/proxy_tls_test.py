"""DNS over TLS behind the PROXY protocol: the header comes before the handshake, and who it names is the client in everything."""

import concurrent.futures
import contextlib
import socket
import ssl
import struct
import subprocess
import time

import dns.edns
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest

from node import DNS_PORT, ZONE, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from proxy_test import SIGNATURE, STRANGER, TRUSTED, header, refused
from tls_test import UNVERIFIED, issuer, put  # noqa: F401 (fixture)

PORT, TLS_PORT, FRONT_PORT = 8540, 8530, 8550
FAR, OTHER = "127.77.0.9", "127.78.0.9"  # clients: haproxy's connect from these

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:
  listen: ["%DNS%"]
  threads: 2
  tls: {listen: ["%ADDRESS%:8530"], certificate: tls.pem, key: tls.key}
  proxy: {tls: ["%ADDRESS%:8540"], from: [127.88.0.0/16, "%ADDRESS%/32"]}
  tcp: {clients_each: 2, idle: 10s}
  cookies: {required: true}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, transfer: {allow: 127.77.0.0/16, tls_only: true}}
collections: {far: [127.77.0.0/16, "2001:db8:9::/48"]}
services:
  - name: api.example.com
    policy: ip_based
    endpoints:
      - {name: far, address: 192.0.2.1, collections: [far]}
      - {name: other, address: 192.0.2.2, collections: ["*"]}
"""


@pytest.fixture
def node(nodes, issuer):  # noqa: F811
    return start(nodes, issuer)


def start(nodes, issuer, idle="10s"):  # noqa: F811
    node = nodes(CONFIG, {"example.com.zone": ZONE})
    node.write(CONFIG.replace("%ADDRESS%", node.address).replace("idle: 10s", f"idle: {idle}"))
    put(node, issuer.issue())
    node.start()
    assert wait_for(lambda: "role=dns event=tls.identity" in node.log()), node.log()
    return node


class Shut(Exception):
    """The server closed the connection."""


class Client:
    """TLS over a socket, with a header before it; what goes over the wire is cut as wanted."""

    def __init__(self, node, stack, head, source=TRUSTED, cut=None, port=PORT):
        """cut: gets the header and the first flight, returns the pieces that are sent."""
        self.s = stack.enter_context(socket.create_connection((node.address, port), timeout=5, source_address=(source, 0)))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = UNVERIFIED.wrap_bio(self.incoming, self.outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        first = self.outgoing.read()
        for piece in cut(head, first) if cut else [head + first]:
            self.send(piece)
            time.sleep(0.01 if cut else 0)
        self.run(self.tls.do_handshake)

    def send(self, data):
        try:
            self.s.sendall(data)
        except OSError as e:
            raise Shut from e

    def run(self, step, *args):
        while True:
            try:
                return step(*args)
            except ssl.SSLWantReadError:
                self.send(self.outgoing.read())
                try:
                    data = self.s.recv(65536)
                except ConnectionError as e:
                    raise Shut from e
                if not data:
                    raise Shut from None
                self.incoming.write(data)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            data += self.run(self.tls.read, length - len(data))
        return data

    def ask(self, query):
        wire = query.to_wire()
        self.tls.write(struct.pack("!H", len(wire)) + wire)
        self.send(self.outgoing.read())
        return dns.message.from_wire(self.exactly(struct.unpack("!H", self.exactly(2))[0]))

    def addresses(self):
        reply = self.ask(dns.message.make_query("api.example.com", "A"))
        return [r.address for rrset in reply.answer for r in rrset]


def bytewise(head, first):
    return [bytes([b]) for b in head] + [first]


def shut(node, stack, head, **more):
    try:
        Client(node, stack, head, **more)
    except Shut:
        return True
    return False


def test_header_before_handshake(node):
    far, local = header(FAR, True), SIGNATURE + b"\x20\0\0\0"
    with contextlib.ExitStack() as stack:
        assert Client(node, stack, far).addresses() == ["192.0.2.1"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # side by side, so that what is kept of one is not the other's
            several = list(pool.map(lambda i: Client(node, stack, header(f"2001:db8:{9 + i % 2}:{i + 1}00::1", True), cut=bytewise), range(8)))
        assert [c.addresses() for c in several] == [["192.0.2.1"], ["192.0.2.2"]] * 4
        split = Client(node, stack, header(OTHER, True), cut=lambda head, first: [head[:20], head[20:] + first[:30], first[30:]])
        assert split.addresses() == split.addresses() == ["192.0.2.2"]
        more = far[:14] + struct.pack("!H", 12 + 2000) + far[16:] + b"\x04" + struct.pack("!H", 1997) + bytes(1997)
        assert Client(node, stack, more).addresses() == ["192.0.2.1"]  # with what a proxy adds (TLVs)
        assert shut(node, stack, far)  # a third of one client
        assert Client(node, stack, local).addresses() == ["192.0.2.2"]  # the proxy for itself
        assert refused(node) == 0
        # no header where there has to be one, a header where nobody is believed
        assert shut(node, stack, b"")
        assert shut(node, stack, header(FAR, True, command=0x31))
        assert shut(node, stack, far[:14] + b"\xff\xff" + far[16:])
        assert shut(node, stack, far, source=STRANGER)
        assert wait_for(lambda: refused(node) == 4)
        assert shut(node, stack, far, port=TLS_PORT)
        assert Client(node, stack, b"", port=TLS_PORT).addresses() == ["192.0.2.2"]


def test_header_is_bounded_in_time(nodes, issuer):  # noqa: F811
    """Who never comes to the end of it is closed as who never asks, however often he sends something."""
    node = start(nodes, issuer, "1s")
    with contextlib.ExitStack() as stack:
        begun, head, end = time.monotonic(), header(FAR, True), None
        s = stack.enter_context(socket.create_connection((node.address, PORT), timeout=5, source_address=(TRUSTED, 0)))
        s.settimeout(0.1)
        for byte in head[:-1]:
            try:
                s.sendall(bytes([byte]))
                end = s.recv(1)
            except socket.timeout:
                continue
            except ConnectionError:
                end = b""
            break
        assert end == b"" and time.monotonic() - begun > 0.9
    assert wait_for(lambda: node.metric("holdfast_dns_connections_closed_total", 'reason="idle"') == 1)


def cookie(reply):
    return next(o for o in reply.options if o.otype == dns.edns.OptionType.COOKIE)


def test_client_in_everything(node):
    with contextlib.ExitStack() as stack:
        far = Client(node, stack, header(FAR, True))
        # cookies are made for the client, and good for it alone
        q = dns.message.make_query("static.example.com", "A", use_edns=0,
                                   options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"clientck")])
        given = cookie(far.ask(q))
        q = dns.message.make_query("static.example.com", "A", use_edns=0, options=[given])
        assert dns.query.udp(q, node.address, 5, DNS_PORT, source=FAR).rcode() == dns.rcode.NOERROR
        assert dns.query.udp(q, node.address, 5, DNS_PORT, source=OTHER).rcode() == dns.rcode.BADCOOKIE
        # so are the rules of transfers, and the stream is one over TLS 1.3
        axfr = dns.message.make_query("example.com", "AXFR")
        assert far.ask(axfr).rcode() == dns.rcode.NOERROR
        assert Client(node, stack, header(OTHER, True)).ask(axfr).rcode() == dns.rcode.REFUSED
        # and what control is told, and says in the log
        update = dns.update.UpdateMessage("example.com")
        update.add("new", 300, "A", "192.0.2.99")
        assert far.ask(update).rcode() == dns.rcode.REFUSED
        assert wait_for(lambda: f"event=update.refused zone=example.com key=- client={FAR} " in node.log()), node.log()


HAPROXY = """global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend dot
    bind {address}:{front}
    default_backend holdfast
backend holdfast
    source {address}
    server node {address}:{port} send-proxy-v2
"""


def test_haproxy(node, issuer):  # noqa: F811
    path = node.folder / "haproxy.cfg"
    path.write_text(HAPROXY.format(address=node.address, front=FRONT_PORT, port=PORT))
    with open(node.folder / "haproxy.log", "wb") as log:
        haproxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kdig(source, *args):
        out = subprocess.run(["kdig", f"@{node.address}", "-p", str(FRONT_PORT), "-b", source, "+tls-ca=" + str(issuer.ca),
                              "+tls-hostname=ns.example.com", "+retry=0", "+time=3", "+padding", *args],
                             capture_output=True, text=True, timeout=20)
        return out.stdout + out.stderr

    try:
        assert wait_for(lambda: "192.0.2." in kdig(OTHER, "api.example.com")), (node.folder / "haproxy.log").read_text()
        assert "192.0.2.1\n" in kdig(FAR, "api.example.com")
        assert "192.0.2.2\n" in kdig(OTHER, "api.example.com")
        assert "static.example.com." in kdig(FAR, "example.com", "AXFR")
        assert "static.example.com." not in kdig(OTHER, "example.com", "AXFR")
        assert refused(node) == 0
    finally:
        haproxy.kill()
        haproxy.wait()
