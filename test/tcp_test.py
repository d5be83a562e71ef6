"""TCP by RFC 7766: limits that hold whatever clients do, and good queries that go on meanwhile."""

import contextlib
import socket
import struct
import time

import dns.message
import dns.query

from node import DNS_PORT, ZONE, nodes, open_path, wait_for  # noqa: F401 (fixtures)

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 2, tcp: {%TCP%}}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, transfer: {allow: 127.0.0.0/8}}
"""
BIG = ZONE + "\n".join(f'big TXT "{"x" * 250}{i:05}"' for i in range(200)) + "\n"
ASKED = dns.message.make_query("static.example.com", "A")


def start(nodes, tcp):  # noqa: F811
    return nodes(CONFIG.replace("%TCP%", tcp), {"example.com.zone": BIG}).start()


def frame(query):
    wire = query.to_wire()
    return struct.pack("!H", len(wire)) + wire


class Many:
    """Connections of one address."""

    def __init__(self, node, stack, source=None):
        self.node, self.stack, self.source = node, stack, source

    def open(self, count=1):
        made = [self.stack.enter_context(socket.create_connection(
            (self.node.address, DNS_PORT), timeout=5, source_address=(self.source, 0) if self.source else None)) for _ in range(count)]
        return made[0] if count == 1 else made


def is_open(s):
    """Whether a query on it is answered."""
    try:
        s.sendall(frame(ASKED))
        head = s.recv(2)
        return len(head) == 2 and len(s.recv(struct.unpack("!H", head)[0])) > 12
    except OSError:
        return False


def works(node):
    return dns.query.tcp(ASKED, node.address, port=DNS_PORT, timeout=5, source="127.77.77.77").answer[0][0].address == "192.0.2.80"


def closed(node, reason):
    return node.metric("holdfast_dns_connections_closed_total", f'reason="{reason}"')


def test_connections_of_one_client(nodes):  # noqa: F811
    node = start(nodes, "clients_each: 5, client_v4: 24")
    with contextlib.ExitStack() as stack:
        mine = Many(node, stack, "127.66.66.1").open(5)
        assert all(is_open(s) for s in mine)
        assert not is_open(Many(node, stack, "127.66.66.2").open())  # of the same /24
        assert is_open(Many(node, stack, "127.66.67.1").open())
        assert wait_for(lambda: closed(node, "client") == 1)
        mine[0].close()
        assert wait_for(lambda: is_open(Many(node, stack, "127.66.66.3").open()))


def test_slow_senders_and_takers(nodes):  # noqa: F811
    """Single bytes are no activity; responses that are not taken hold nothing for long."""
    node = start(nodes, "idle: 1s, patience: 1s")
    big = dns.message.make_query("big.example.com", "TXT")
    with contextlib.ExitStack() as stack:
        for _ in range(3):  # one after the other: who is slow to ask is idle
            s = Many(node, stack).open()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(3000):
                    s.send(frame(big))
        drips, begun = Many(node, stack).open(10), time.monotonic()
        while time.monotonic() - begun < 1.5:
            for s in drips:
                with contextlib.suppress(OSError):
                    s.send(b"\1")  # a message of 257 bytes that never gets whole
            assert works(node)
            time.sleep(0.1)
        assert wait_for(lambda: closed(node, "idle") >= 10 and closed(node, "slow") == 3), node.metrics()


def test_memory(nodes):  # noqa: F811
    """However many hold half a query of 64 KiB, what they hold together is bounded."""
    node = start(nodes, "memory_mib: 1, clients_each: 0, idle: 30s")
    with contextlib.ExitStack() as stack:
        for s in Many(node, stack).open(60):
            with contextlib.suppress(OSError):
                s.sendall(b"\xff\xff" + b"\0" * 60000)
        assert wait_for(lambda: closed(node, "memory") >= 60 - 1024 // 58 - 2), node.metrics()
        assert closed(node, "memory") < 60
        assert works(node)


def test_who_asks_stays_and_who_does_not_goes(nodes):  # noqa: F811
    node = start(nodes, "clients: 40, clients_each: 0, idle: 30s")
    with contextlib.ExitStack() as stack:
        asking = Many(node, stack).open(6)
        assert all(is_open(s) for s in asking)
        Many(node, stack).open(200)
        assert wait_for(lambda: node.metric("holdfast_dns_tcp_refused_total") >= 150)
        assert works(node)
        assert all(is_open(s) for s in asking)


def test_what_is_no_message_ends_the_connection(nodes):  # noqa: F811
    """It would pass for activity otherwise; what was asked before it is answered."""
    node = start(nodes, "idle: 30s")
    with contextlib.ExitStack() as stack:
        for nothing in (b"\0\0", b"\0\x0b" + bytes(11)):
            s = Many(node, stack).open()
            s.sendall(frame(ASKED) + nothing + frame(ASKED))
            head = s.recv(2)
            assert len(s.recv(struct.unpack("!H", head)[0])) > 12
            try:
                assert s.recv(1) == b""
            except ConnectionError:
                pass
        assert works(node)
