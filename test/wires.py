"""Two network namespaces and cables (veth pairs) between them, for tests of raw packets (AF_XDP).

Cable n connects s<n> in the server's namespace with c<n> in the client's; its addresses are server4(n), client4(n) and so on."""

import contextlib
import ctypes
import os
import random
import socket
import subprocess

import pytest

CLONE_NEWNET = 0x40000000
AF_XDP = 44


def server4(cable=0):
    return f"10.99.{cable}.1"


def client4(cable=0):
    return f"10.99.{cable}.2"


def server6(cable=0):
    return f"fd99:{cable}::1"


def client6(cable=0):
    return f"fd99:{cable}::2"


def run(*words, **kw):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, **kw)


def ip(*words):
    done = run("ip", *words)
    assert done.returncode == 0, done.stderr


def refused(af_xdp=True):
    """Why this machine cannot have the test, or None."""
    if os.geteuid() != 0:
        return "namespaces and AF_XDP need root"
    name = f"hfprobe{os.getpid()}"
    made = run("ip", "netns", "add", name)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    try:
        made = run("ip", "-n", name, "link", "set", "lo", "up")
        if made.returncode:
            return f"network namespaces cannot be entered here: {made.stderr.strip()}"
        made = run("ip", "link", "add", "p0", "netns", name, "type", "veth", "peer", "name", "p1", "netns", name)
        if made.returncode:
            return f"no veth here: {made.stderr.strip()}"
        if af_xdp:
            socket.socket(AF_XDP, socket.SOCK_RAW, 0).close()
        return None
    except OSError as e:
        return f"this kernel has no AF_XDP: {e}"
    finally:
        run("ip", "netns", "del", name)


class Wire:
    def __init__(self, cables):
        tag = f"{os.getpid()}{random.randrange(1000)}"
        self.server, self.client = f"hfs{tag}", f"hfc{tag}"
        for ns in (self.server, self.client):
            ip("netns", "add", ns)
            ip("-n", ns, "link", "set", "lo", "up")
        for n in range(cables):
            ip("link", "add", f"s{n}", "netns", self.server, "type", "veth", "peer", "name", f"c{n}", "netns", self.client)
            for ns, dev, v4, v6 in ((self.server, f"s{n}", server4(n), server6(n)), (self.client, f"c{n}", client4(n), client6(n))):
                ip("-n", ns, "addr", "add", f"{v4}/24", "dev", dev)
                ip("-n", ns, "addr", "add", f"{v6}/64", "dev", dev, "nodad")
                ip("-n", ns, "link", "set", dev, "up")

    def close(self):
        for ns in (self.server, self.client):
            run("ip", "netns", "del", ns)

    @contextlib.contextmanager
    def inside(self, ns):
        """This thread, and what it starts, in a namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/var/run/netns/{ns}", os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            assert libc.setns(there, CLONE_NEWNET) == 0
            yield
        finally:
            assert libc.setns(home, CLONE_NEWNET) == 0
            os.close(there)
            os.close(home)

    def metric(self, name, labels=""):
        """Sum of the samples of a metric whose labels contain the text, of the node that tells at port 8080."""
        with self.inside(self.client):
            out = run("curl", "-sS", "--max-time", "5", f"http://{server4()}:8080/metrics").stdout
        return sum(float(l.rsplit(" ", 1)[1]) for l in out.splitlines() if l.split("{")[0].split(" ")[0] == name and labels in l)

    def counted(self, transport):
        """Queries over a transport."""
        return self.metric("holdfast_dns_queries_total", f'transport="{transport}"')


@pytest.fixture
def wire(request):
    """request.param: how many cables (1)."""
    why = refused()
    if why:
        pytest.skip(why)
    w = Wire(getattr(request, "param", 1))
    yield w
    w.close()
