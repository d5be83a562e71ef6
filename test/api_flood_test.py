"""Floods at the API's port: the control loop sees, decides and answers friends meanwhile (L4, L9)."""

import contextlib
import multiprocessing
import socket
import ssl
import time

import pytest

from arc_test import API_PORT, DATA, Site
from node import loopback, nodes, open_path, origins, wait_for  # noqa: F401

FLOOD_S = 3
SHARE_MAX = 0.45  # of a core: what control needs by itself, and the API's quarter


def client_hello():
    """The first bytes of a handshake: cheap for who sends them again and again."""
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="api")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def flood(address, source, first, until, sent):
    """Connections as fast as one process can, each with the same first bytes, each left alone."""
    held = []
    while time.monotonic() < until:
        s = socket.socket()
        s.settimeout(0.2)
        with contextlib.suppress(OSError):
            s.bind((source or loopback(), 0))
            s.connect((address, API_PORT))
            s.sendall(first)
        held.append(s)
        sent.value += 1
        if len(held) > 100:
            held.pop(0).close()


def cpu_s(node):
    with open(f"/proc/{node.pid('control')}/stat") as f:
        return sum(map(int, f.read().split()[13:15])) / 100


def unwell(node):
    """Verdicts that are frozen, since the prober was late, or down."""
    return [line for line in node.metrics().splitlines()
            if (line.startswith("holdfast_endpoint_frozen{") and line.endswith(" 1"))
            or (line.startswith("holdfast_endpoint_up{") and line.endswith(" 0"))]


@pytest.mark.parametrize("networks", ["one", "many"])
def test_a_flood_of_handshakes(nodes, origins, capsys, networks):  # noqa: F811
    site = Site(nodes, origins, tls=True)
    admin = site.key("add", "root", "--role", "admin")
    site.node.said("control", "add", "web/us", "--gates", "endpoint:api.example.com/use1")
    site.client(DATA, admin, verify=str(site.node.folder / "api.pem")).list_routing_controls()
    assert wait_for(lambda: not unwell(site.node))
    sent, waits = multiprocessing.Value("i", 0), []
    began, before = time.monotonic(), cpu_s(site.node)
    attacker = multiprocessing.Process(target=flood, args=(
        site.node.address, loopback() if networks == "one" else None, client_hello(), began + FLOOD_S, sent))
    attacker.start()
    while time.monotonic() < began + FLOOD_S:
        assert not unwell(site.node)
        since = time.monotonic()
        friend = site.client(DATA, admin, verify=str(site.node.folder / "api.pem"))  # another connection each time
        assert friend.list_routing_controls()["RoutingControls"]
        waits.append(time.monotonic() - since)
        time.sleep(0.02)
    attacker.join()
    share = (cpu_s(site.node) - before) / (time.monotonic() - began)
    refused = site.node.metric("holdfast_api_connections_refused_total")
    with capsys.disabled():
        print(f"\n  {sent.value / FLOOD_S:.0f} handshakes a second asked for by {networks}, {refused:.0f} turned away; control took "
              f"{100 * share:.0f} % of a core; a friend waited {1000 * max(waits):.0f} ms at most")
    assert share < SHARE_MAX
    if networks == "one":
        assert refused > sent.value / 2 - 100
