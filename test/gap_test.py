"""Changes without a gap: while zones are reloaded, fetched and sent, plans swapped, keys rolled, the name server killed and
the program replaced, a client that asks without a pause (thousands of times a second) loses nothing, and no answer is of two
versions. What the client does not forgive is tried on a server that does it all wrong."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import threading
import time

import dns.message
import dns.query
import dns.rrset
import dns.zone
import pytest

from node import DNS_PORT, loopback, nodes, open_path, wait_for  # noqa: F401
from primary import primaries  # noqa: F401

WINDOW, LOST_S = 16, 1.5
ENOUGH = 15000  # questions: a thousand for each second that the changes take
CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, dnssec: on, transfer: {allow: 127.0.0.0/8}}
  - {name: example.net, primaries: "PRIMARY"}
services:
  - name: api.example.com
    policy: weighted
    ttl: 5s
    endpoints:
      - {name: a, address: 198.51.100.1}
      - {name: b, address: 198.51.100.2}
"""
STEERED = {bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2])}


def zone(version):
    """Two records in one answer, and one alone, that say the version."""
    return f"""$TTL 300
@ SOA ns1 hostmaster {version} 1 1 86400 60
@ NS ns1
ns1 A 192.0.2.53
pair A 192.0.2.{version}
pair A 203.0.113.{version}
one A 192.0.2.{version}
""" + "".join(f"n{i} A 192.0.2.{i % 250}\n" for i in range(3000))


def addresses(reply):
    """Of a response to a question for A without EDNS: the data of its answer, from behind, which has no compression."""
    count = int.from_bytes(reply[6:8], "big")
    return [reply[len(reply) - 16 * (i + 1):][12:16] for i in range(count)]


class Stream:
    """So many questions under way at any time, without a pause; what is lost is counted, what is wrong is kept."""

    NAMES = ("pair.example.com", "one.example.com", "api.example.com", "pair.example.net", "one.example.net")

    def __init__(self, address, names=NAMES):
        self.address, self.asked, self.lost, self.wrong, self.waiting = address, 0, 0, [], {}
        self.versions = dict.fromkeys((n.partition(".")[2] for n in names), 0)
        self.wires = {n: dns.message.make_query(n, "A").to_wire()[2:] for n in names}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        seconds = time.monotonic() - self.began
        print(f"{self.asked} questions in {seconds:.1f} s, {self.asked / seconds:.0f} a second; {self.lost} lost")

    def judge(self, name, reply):
        if reply[3] & 15 or not reply[6] << 8 | reply[7]:
            self.wrong.append((name, "rcode or empty", reply.hex()))
            return
        got, (label, _, origin) = addresses(reply), name.partition(".")
        if label == "api":
            if not set(got) <= STEERED:
                self.wrong.append((name, got))
            return
        versions = {a[3] for a in got}
        if len(versions) != 1 or len(got) != (2 if label == "pair" else 1):
            self.wrong.append((name, "of two versions", got))
        elif min(versions) < self.versions[origin]:
            self.wrong.append((name, "older than what was answered before", got, self.versions))
        self.versions[origin] = max(self.versions[origin], *versions)

    def go_on(self):
        """Until what was asked before now is answered or known to be lost."""
        asked = self.asked
        assert wait_for(lambda: self.asked > asked + WINDOW and min(self.waiting, default=asked) >= asked, 10)

    def send(self, s, name):
        while any((n ^ self.asked) & 0xffff == 0 for n in self.waiting):
            self.asked += 1  # a question that a killed process held still waits under this id
        number, self.asked = self.asked, self.asked + 1
        try:
            s.send((number & 0xffff).to_bytes(2, "big") + self.wires[name])
            self.waiting[number] = name, time.monotonic()
        except OSError:
            self.lost += 1

    def receive(self, s):
        try:
            reply = s.recv(4096)
        except OSError:
            reply = None
        if reply:
            low = int.from_bytes(reply[:2], "big")
            number = next((n for n in self.waiting if n & 0xffff == low), None)
            if number is not None:
                self.judge(self.waiting.pop(number)[0], reply)
        while self.waiting and time.monotonic() - next(iter(self.waiting.values()))[1] > LOST_S:
            del self.waiting[next(iter(self.waiting))]
            self.lost += 1

    def run(self):
        names = itertools.cycle(self.wires)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((self.address, DNS_PORT))
            s.settimeout(0.1)
            while not self.stop.is_set():
                while len(self.waiting) < WINDOW:
                    self.send(s, next(names))
                self.receive(s)


def reload(node, version):
    (node.folder / "example.com.zone").write_text(zone(version))
    assert wait_for(lambda: node.cli("reload", "--data", str(node.data)).returncode == 0, 10), node.log()
    assert wait_for(lambda: node.short("one.example.com") == [f"192.0.2.{version}"], 8), node.log()


def transferred(node, version):
    """The whole zone, of one version (AXFR)."""
    z = dns.zone.from_xfr(dns.query.xfr(node.address, "example.com", port=DNS_PORT, lifetime=10), relativize=True)
    said = {r.address for name in ("pair", "one") for r in z.get_rdataset(name, "A")}
    assert said == {f"192.0.2.{version}", f"203.0.113.{version}"} and len(z.nodes) > 3000, said


def fetched(node, primary, version):
    """The other zone changes where it comes from, and here (IXFR)."""
    primary.change("example.net", zone(version))
    assert wait_for(lambda: node.short("one.example.net") == [f"192.0.2.{version}"], 15), node.log()


def reloads(node, primary):
    for version in range(2, 6):
        reload(node, version)
        transferred(node, version)
    fetched(node, primary, 2)
    for order in ("drain", "auto"):  # plans are swapped, and each is signed
        assert node.cli("endpoint", order, "api.example.com/a", "--data", str(node.data)).returncode == 0
        time.sleep(0.2)
    assert node.cli("dnssec", "roll", "example.com", "--data", str(node.data)).returncode == 0
    reload(node, 6)
    fetched(node, primary, 3)
    assert "how=IXFR" in node.log(), node.log()


def upgrade(node, holdfast, program, folder):
    aside = folder / "new"
    shutil.copy2(holdfast, aside)
    os.rename(aside, program)
    assert node.cli("upgrade", "--data", str(node.data), timeout=60).returncode == 0


def test_nothing_is_lost_and_nothing_is_half(nodes, open_path, holdfast, primaries):  # noqa: F811
    program = open_path / "holdfast"
    shutil.copy2(holdfast, program)
    primary = primaries("knot", {"example.net": zone(1)})
    node = nodes(CONFIG.replace("PRIMARY", f"{primary.address}:{DNS_PORT}"), {"example.com.zone": zone(1)})
    node.binary = str(program)
    node.start()
    assert wait_for(lambda: node.short("one.example.net") == ["192.0.2.1"], 15), node.log()
    with Stream(node.address) as stream:
        reloads(node, primary)
        assert stream.lost == 0 and not stream.wrong, (stream.lost, stream.wrong[:3])
        for kills in (1, 2):
            pid = node.kill("dns", signal.SIGKILL)
            node.wait_restart("dns", pid)
            assert wait_for(lambda: node.short("one.example.com") == ["192.0.2.6"], 5)
        stream.go_on()
        assert stream.lost <= kills * WINDOW, "more was lost than what the killed process held"
        lost = stream.lost
        upgrade(node, holdfast, program, open_path)
        reload(node, 7)
        fetched(node, primary, 4)
        stream.go_on()
        assert stream.lost == lost, "the upgrade lost something"
        assert wait_for(lambda: stream.versions == {"example.com": 7, "example.net": 4} and stream.asked >= ENOUGH, 60), \
            (stream.versions, stream.asked, stream.wrong[:3], node.log())
    assert not stream.wrong, stream.wrong[:3]


# ---- the stream is judged ----

class Liar:
    """Answers `one.example.com` with version 5, but for what it is told to do wrong once in a hundred answers."""

    def __init__(self, sin):
        self.sin, self.address, self.count = sin, loopback(), 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, DNS_PORT))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                query, client = self.socket.recvfrom(512)
            except OSError:
                return
            self.count += 1
            sin = self.sin if self.count % 100 == 0 else None
            if sin != "lost":
                with contextlib.suppress(OSError):  # it was closed meanwhile
                    self.socket.sendto(self.answer(dns.message.from_wire(query), sin), client)

    def answer(self, query, sin):
        reply = dns.message.make_response(query)
        name = query.question[0].name
        if sin == "refused":
            reply.set_rcode(2)
        elif sin != "empty":
            versions = {"older": [4], "half": [5, 6], None: [5]}[sin]
            both = str(name).startswith("pair")
            reply.answer.append(dns.rrset.from_text(
                name, 60, "IN", "A", f"192.0.2.{versions[0]}", *[f"203.0.113.{versions[-1]}"] * both))
        return reply.to_wire()


@pytest.mark.parametrize("sin", ["lost", "refused", "empty", "older", "half", None])
def test_the_stream_notices(sin):
    liar = Liar(sin)
    with Stream(liar.address, ["one.example.com", "pair.example.com"]) as stream:
        assert wait_for(lambda: stream.asked > 450, 20)
        stream.go_on()
    liar.socket.close()
    if sin == "lost":
        assert stream.lost >= 2 and not stream.wrong
    else:
        assert stream.lost == 0 and bool(stream.wrong) == (sin is not None), stream.wrong[:3]


def niceness(pid):
    """Of each thread of a process; the first is the main thread's."""
    return [os.getpriority(os.PRIO_PROCESS, int(t)) for t in sorted(os.listdir(f"/proc/{pid}/task"), key=int)]


def test_those_that_answer_go_before_the_rest_of_the_node(nodes):  # noqa: F811
    """On a core that something else of the node wants as well, answers have three quarters of it."""
    config = "".join(l for l in CONFIG.splitlines(True) if "primaries" not in l)
    node = nodes(config, {"example.com.zone": zone(1)}).start()
    for _ in range(2):  # the second name server is a supervisor's that runs for a while
        first = niceness(node.process.pid)[0]

        def ordered():
            """The main thread steps back once those that answer have begun."""
            main, *workers = niceness(node.pid("dns"))
            return main == first + 5 and workers.count(first) >= 2
        assert wait_for(ordered, 10), (first, niceness(node.pid("dns")))
        for role in ("control", "tell"):
            assert min(niceness(node.pid(role))) == first + 5, role
        pid = node.kill("dns", signal.SIGKILL)
        node.wait_restart("dns", pid)
