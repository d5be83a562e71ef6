"""Queries behind the PROXY protocol: who asks is who the proxy says, where the proxy is one that is believed."""

import contextlib
import socket
import struct
import subprocess

import dns.message
import dns.rcode

from node import DNS_PORT, ZONE, nodes, open_path, wait_for  # noqa: F401 (fixtures)

PROXY_PORT = 5400
TRUSTED, STRANGER = "127.88.0.1", "127.89.0.1"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:
  listen: ["%DNS%"]
  threads: 2
  proxy: {listen: ["%ADDRESS%:5400"], from: [127.88.0.0/16]}
  tcp: {clients_each: 2}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, transfer: {allow: 198.51.100.0/24}}
collections: {far: [198.51.100.0/24, "2001:db8:9::/48"]}
services:
  - name: api.example.com
    policy: ip_based
    endpoints:
      - {name: far, address: 192.0.2.1, collections: [far]}
      - {name: other, address: 192.0.2.2, collections: ["*"]}
"""


def start(nodes):  # noqa: F811
    node = nodes(CONFIG, {"example.com.zone": ZONE})
    node.write(CONFIG.replace("%ADDRESS%", node.address))
    return node.start()


def header(client, stream=False, command=0x21):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    address = socket.inet_pton(family, client)
    rest = address * 2 + struct.pack("!HH", 1234, 53)
    kind = (0x20 if family == socket.AF_INET6 else 0x10) | (1 if stream else 2)
    return SIGNATURE + struct.pack("!BBH", command, kind, len(rest)) + rest


def udp(node, prefix, name="api.example.com", source=TRUSTED, port=PROXY_PORT, **query):
    """The addresses answered, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.settimeout(0.3)
        q = dns.message.make_query(name, "A", **query)
        s.sendto(prefix + q.to_wire(), (node.address, port))
        try:
            reply = dns.message.from_wire(s.recv(4096))
        except socket.timeout:
            return None
        return [r.address for rrset in reply.answer for r in rrset]


def tcp(node, stack, pieces, source=TRUSTED, name="api.example.com", rtype="A"):
    """The same over TCP, the header and the query in pieces; None: closed."""
    s = stack.enter_context(socket.create_connection((node.address, PROXY_PORT), timeout=3, source_address=(source, 0)))
    wire = dns.message.make_query(name, rtype).to_wire()
    try:
        for piece in pieces:
            s.sendall(piece)
        s.sendall(struct.pack("!H", len(wire)) + wire)
        head = s.recv(2)
        if len(head) < 2:
            return None
        reply = dns.message.from_wire(s.recv(struct.unpack("!H", head)[0]))
    except OSError:
        return None
    return [r.address for rrset in reply.answer for r in rrset if hasattr(r, "address")] or reply.rcode()


def refused(node):
    return node.metric("holdfast_dns_proxy_refused_total")


def test_datagrams(nodes):  # noqa: F811
    node = start(nodes)
    assert udp(node, header("198.51.100.7")) == ["192.0.2.1"]
    assert udp(node, header("203.0.113.7")) == ["192.0.2.2"]
    assert udp(node, header("2001:db8:9::1")) == ["192.0.2.1"]
    assert udp(node, SIGNATURE + b"\x20\0\0\0") == ["192.0.2.2"]  # the proxy for itself
    assert refused(node) == 0
    assert udp(node, b"") is None
    assert udp(node, header("198.51.100.7")[:11]) is None
    assert udp(node, header("198.51.100.7", command=0x31)) is None
    assert udp(node, header("198.51.100.7"), source=STRANGER) is None
    assert wait_for(lambda: refused(node) == 4)
    # where no proxy is expected nobody is believed
    assert udp(node, header("198.51.100.7"), port=DNS_PORT) in (None, [])
    assert udp(node, b"", port=DNS_PORT) == ["192.0.2.2"]


def test_streams(nodes):  # noqa: F811
    node = start(nodes)
    head = header("198.51.100.7", True)
    with contextlib.ExitStack() as stack:
        assert tcp(node, stack, [head]) == ["192.0.2.1"]
        assert tcp(node, stack, [head[:3], head[3:17], head[17:]]) == ["192.0.2.1"]
        assert tcp(node, stack, [head]) is None  # a third of one client: the limit counts who asks, not the proxy
        assert tcp(node, stack, [header("203.0.113.7", True)]) == ["192.0.2.2"]
        assert tcp(node, stack, []) is None
        assert tcp(node, stack, [head], source=STRANGER) is None
        assert wait_for(lambda: refused(node) == 2)
        # rules of transfers are about the client as well
        assert tcp(node, stack, [header("203.0.113.9", True)], name="example.com", rtype="AXFR") == dns.rcode.REFUSED
        assert tcp(node, stack, [header("198.51.100.99", True)], name="example.com", rtype="AXFR") != dns.rcode.REFUSED


def test_kdig_as_proxy(nodes):  # noqa: F811
    node = start(nodes)
    for transport in ("+notcp", "+tcp"):
        out = subprocess.run(["kdig", f"@{node.address}", "-p", str(PROXY_PORT), "-b", TRUSTED, "+proxy=198.51.100.7-192.0.2.53",
                              transport, "+retry=0", "+short", "api.example.com"], capture_output=True, text=True, timeout=10)
        assert out.stdout.split() == ["192.0.2.1"], out.stdout + out.stderr
