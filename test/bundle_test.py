"""Answers to clients that send many queries from one port leave in bundles that the kernel cuts: each query still gets its own answer,
once, from the address it asked, through interfaces of any MTU."""

import contextlib
import signal
import socket

import dns.flags
import dns.message
import dns.rcode
import pytest

from node import Node, free_port, loopback, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from wires import ip, server4, wire  # noqa: F401 (fixtures)

PORT = 5353
MTU = 700

ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
other A 192.0.2.81
much TXT """ + "\nmuch TXT ".join(f'"{i:02} {"x" * 60}"' for i in range(15)) + "\n" + "".join(
    f"w{i} A 192.0.2.{i}\n" for i in range(1, 100))

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: [%LISTEN%], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone}
"""


def queries(first, count):
    """With what each is to be answered: names that are there and are not, short answers and long ones."""
    for i in range(first, first + count):
        name, rtype, expected = [(f"w{i % 99 + 1}", "A", [f"192.0.2.{i % 99 + 1}"]), (f"missing{i}", "A", []),
                                 ("other", "A", ["192.0.2.81"]), ("much", "TXT", None)][i % 4]
        q = dns.message.make_query(f"{name}.example.com", rtype, use_edns=0, payload=1232)
        q.id = i
        yield q, expected


def burst(node, clients, count):
    """Many queries of each client (socket -> addresses it asks in turn), so that they wait together, and exactly their answers."""
    node.kill("dns", signal.SIGSTOP)
    asked = {s: {q.id: (q, e, to[i % len(to)]) for i, (q, e) in enumerate(queries(1000 * (n + 1), count))}
             for n, (s, to) in enumerate(clients.items())}
    for turn in zip(*(list(of.values()) for of in asked.values())):
        for s, (q, _, to) in zip(clients, turn):
            s.sendto(q.to_wire(), to)
    node.kill("dns", signal.SIGCONT)
    for s, of in asked.items():
        while of:
            data, source = s.recvfrom(4096)
            reply = dns.message.from_wire(data)
            q, expected, to = of.pop(reply.id)
            assert source[:2] == to and q.is_response(reply), (source, to, reply)
            assert reply.flags & dns.flags.AA and not reply.flags & dns.flags.TC, reply
            answers = [r.to_text() for rrset in reply.answer for r in rrset]
            assert reply.rcode() == (dns.rcode.NXDOMAIN if expected == [] else dns.rcode.NOERROR), reply
            assert answers == expected if expected is not None else len(answers) == 15, reply
    for s in clients:
        s.settimeout(0.05)
        with pytest.raises(socket.timeout):
            s.recv(4096)


@contextlib.contextmanager
def clients_of(places):
    """A socket for each list of addresses."""
    with contextlib.ExitStack() as stack:
        clients = {}
        for to in places:
            family = socket.AF_INET6 if ":" in to[0][0] else socket.AF_INET
            s = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            s.settimeout(5)
            clients[s] = to
        yield clients


def test_each_query_its_answer(nodes):  # noqa: F811
    """From one address of ours, and from all of them; over IPv4 and IPv6; one client that asks two addresses of ours."""
    port = free_port()
    node = nodes(CONFIG.replace("%LISTEN%", f'"0.0.0.0:{port}", "[::]:{port}"'), {"example.com.zone": ZONE}).start()
    with clients_of([[(loopback(), port)], [(loopback(), port), ("127.0.0.1", port)], [("::1", port)]]) as clients:
        burst(node, clients, 80)
    assert wait_for(lambda: node.metric("holdfast_dns_bundled_total") > 60), node.metrics()
    assert node.metric("holdfast_dns_bundles_refused_total") == 0
    assert node.metric("holdfast_dns_send_failed_total") == 0
    assert node.metric("holdfast_dns_queries_total", 'transport="udp"') == 240


def test_interface_that_is_too_narrow(wire, holdfast, open_path):  # noqa: F811
    """Long answers leave as fragments, as they do without bundles; short ones go on to be bundled."""
    for ns, dev in ((wire.server, "s0"), (wire.client, "c0")):
        ip("-n", ns, "link", "set", dev, "mtu", str(MTU))
    node = Node(holdfast, open_path / "node", CONFIG.replace("%LISTEN%", f'"{server4()}:{PORT}"').replace("%TELL%", f"{server4()}:8080"),
                {"example.com.zone": ZONE})
    try:
        with wire.inside(wire.server):
            node.start()
        with wire.inside(wire.client), clients_of([[(server4(), PORT)]] * 2) as clients:
            burst(node, clients, 60)
        assert wait_for(lambda: wire.metric("holdfast_dns_bundled_total") > 30)
        assert 0 < wire.metric("holdfast_dns_bundles_refused_total") < 5
        assert wire.metric("holdfast_dns_send_failed_total") == 0
    finally:
        node.stop()
