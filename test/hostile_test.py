"""Item "hard to kill": while clients mean harm, good queries get their right answers in time, memory stays below what the
configuration allows, nothing leaks, nobody crashes, and no more bytes go out than rate limiting permits."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import dns.edns
import dns.exception
import dns.message
import dns.query
import pytest

from node import DNS_PORT, Asker, loopback, nodes, open_path, wait_for  # noqa: F401

HOSTILE = pathlib.Path(__file__).with_name("hostile.py")
SECONDS = 2.0
ANSWER_S = 2.0
TRY_S = 0.7  # as resolvers do: what was lost in a full buffer is asked again
CLIENTS, THREADS = 120, 2

ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
a.b.deep A 192.0.2.81
""" + "".join(f"big TXT \"{i:03d}{'x' * 200}\"\n" for i in range(5)) + "".join(f"n{i} A 192.0.2.{i % 250}\n" for i in range(20000))

CONFIG = f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: {THREADS}, tcp: {{clients: {CLIENTS}, idle: 2s}}%MORE%}}
tell: {{listen: ["%TELL%"]}}
tsig:
  k1: {{secret: c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh}}
zones:
  - {{name: example.com, file: example.com.zone, transfer: {{allow: [127.0.0.0/8]}}}}
  - {{name: signed.example, file: signed.zone, dnssec: on, transfer: {{keys: [k1]}}}}
collections: {{office: [10.0.0.0/8]}}
services:
  - name: api.signed.example
    policy: ip_based
    endpoints:
      - {{name: a, address: 198.51.100.1, collections: [office]}}
      - {{name: b, address: 198.51.100.2, collections: ["*"]}}
"""
SIGNED = """$ORIGIN signed.example.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
"""


def start(nodes, more=""):  # noqa: F811
    return nodes(CONFIG.replace("%MORE%", more), {"example.com.zone": ZONE, "signed.zone": SIGNED}).start()


@contextlib.contextmanager
def harm(node, *kinds, seconds=SECONDS, address=None):
    """These kinds of harm, side by side; gives a function that waits for their end and says what they did."""
    running = {k: subprocess.Popen([sys.executable, HOSTILE, k, address or node.address, str(DNS_PORT), str(seconds), str(i)],
                                   stdout=subprocess.PIPE, text=True) for i, k in enumerate(kinds)}
    try:
        yield lambda: {k: json.loads(p.communicate(timeout=seconds + 30)[0]) for k, p in running.items()}
    finally:
        for p in running.values():
            p.kill()
            p.wait()


def resident_kib(pid):
    """Memory of its own. (A transfer maps the zone's file, which is counted for each though it is in memory once.)"""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def most_kib():
    """What clients can make the server hold, by the bounds that doc/internals/dns.md states: each connection some 80 KiB of
    queries and 80 KiB of responses, each thread 32 transfers of 128 KiB; and as much again for the allocator's gaps."""
    return 2 * (CLIENTS * 160 + THREADS * 32 * 128)


class Good:
    """Asks over UDP and TCP all the while: every answer right, none later than ANSWER_S. Watches the server's memory."""

    def __init__(self, node):
        self.node, self.times, self.wrong, self.again, self.peak_kib, self.peak_files = node, [], [], 0, 0, 0
        self.pid, self.source = node.pid("dns"), loopback()

    def exchange(self, query, tcp, began):
        while True:
            try:
                if tcp:
                    # From an address of its own: what one client may hold is limited, and shared by all who come from there.
                    return dns.query.tcp(query, self.node.address, port=DNS_PORT, timeout=ANSWER_S, source=self.source)
                return dns.query.udp(query, self.node.address, port=DNS_PORT, timeout=TRY_S, ignore_unexpected=True)
            except (dns.exception.Timeout, ConnectionResetError):  # a full server closes who has not asked yet
                if time.monotonic() - began > ANSWER_S:
                    raise
                self.again += 1

    def ask(self, tcp):
        query = dns.message.make_query("www.example.com", "A")
        began = time.monotonic()
        try:
            reply = self.exchange(query, tcp, began)
            if [r.address for s in reply.answer for r in s] != ["192.0.2.80"]:
                self.wrong.append(reply.to_text())
        except Exception as e:  # whatever it is, it is no answer
            self.wrong.append(f"tcp {tcp}: {e!r}")
        self.times.append(time.monotonic() - began)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ask(len(self.times) % 4 == 3)
            self.peak_kib = max(self.peak_kib, resident_kib(self.pid))
            self.peak_files = max(self.peak_files, descriptors(self.pid))
            time.sleep(0.005)


@pytest.mark.sanitize
@pytest.mark.parametrize("kinds", [("udp", "raw"), ("tcp", "udp"), ("transfers", "tcp")], ids="-".join)
def test_good_queries_go_on(nodes, kinds):  # noqa: F811
    if "raw" in kinds and os.getuid():
        pytest.skip("raw packets need root")
    node = start(nodes)
    pid = node.pid("dns")
    good = Good(node)
    good.run(0.3)
    # The socket to control is opened with the first UPDATE or NOTIFY, and stays.
    node.dig("example.com", "SOA", "+opcode=NOTIFY")
    before, files = resident_kib(pid), descriptors(pid)
    with harm(node, *kinds) as done:
        good.run(SECONDS + 0.3)
        did = done()
    assert all(n > 30 for d in did.values() for k, n in d.items() if k != "got"), did
    assert not good.wrong, (len(good.wrong), len(good.times), good.wrong[:3])
    assert len(good.times) > 10 and max(good.times) < ANSWER_S, max(good.times)
    assert good.again <= 2 + len(good.times) // 50, (good.again, len(good.times))
    assert node.pid("dns") == pid and node.metric("holdfast_restarts_total") == 0, node.log()[-2000:]
    if "asan" not in str(node.binary):  # which keeps what was freed
        assert good.peak_kib - before < most_kib(), (before, good.peak_kib, most_kib())
    # A transfer has files of its own: the plan and the zones that it reads.
    assert good.peak_files <= files + CLIENTS + THREADS * (32 * 4 + 1), (files, good.peak_files)
    # Idle connections are closed in time and nothing of them stays.
    assert wait_for(lambda: descriptors(pid) <= files, 8), (files, descriptors(pid))
    assert wait_for(lambda: node.metric("holdfast_dns_tcp_clients") == 0, 5)


def test_memory_does_not_grow_with_the_number_of_clients(nodes):  # noqa: F811
    """A second wave of the same harm needs no more than the first."""
    node = start(nodes)
    pid = node.pid("dns")
    sizes = []
    for _ in range(3):
        with harm(node, "tcp", "transfers", seconds=0.8) as done:
            done()
        sizes.append(resident_kib(pid))
    assert sizes[2] - sizes[0] < most_kib() / 8, sizes


@pytest.mark.sanitize
def test_responses_are_never_answered(nodes):  # noqa: F811
    node = start(nodes)
    with harm(node, "silence", seconds=1) as done:
        did = done()["silence"]
    assert did["sent"] > 100 and did["got"] == "", did
    assert wait_for(lambda: node.metric("holdfast_dns_dropped_total") >= did["sent"])


def test_two_servers_cannot_be_set_on_each_other(nodes):  # noqa: F811
    """A query to one in the name of the other: one answer, which the other drops, and that is the end."""
    if os.getuid():
        pytest.skip("raw packets need root")
    one, other = start(nodes), start(nodes)

    def responses(node):
        return node.metric("holdfast_dns_responses_total")

    with harm(one, "reflect", seconds=1, address=f"{one.address},{other.address}") as done:
        sent = done()["reflect"]["sent"]
    assert sent > 30
    assert wait_for(lambda: responses(one) > sent * 0.9), (sent, responses(one))
    time.sleep(0.3)
    assert responses(one) <= sent and responses(other) == 0
    assert other.metric("holdfast_dns_dropped_total") >= responses(one) * 0.9


# ---- amplification ----

RATE, SLIP = 20, 2
VICTIMS = 8  # addresses of one network of 24 bits
QUERIES_S = 700  # from each of them


def flood(node, seconds, wires):
    """Queries from addresses of one network at a steady pace: (bytes in, bytes out, largest whole response, seconds)."""
    net = f"127.{node.address.split('.')[1]}.254."
    socks, sent, got, largest = [], 0, 0, 0
    with contextlib.ExitStack() as stack:
        for i in range(VICTIMS):
            s = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            s.bind((net + str(i + 1), 0))
            s.connect((node.address, DNS_PORT))
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            socks.append(s)
        began, rounds = time.monotonic(), 0
        while time.monotonic() - began < seconds + 0.3:
            # Who was held up sends what has been due since: what comes in has to be much more than the rate.
            behind = int(min(time.monotonic() - began, seconds) * QUERIES_S / len(wires)) - rounds
            rounds += behind
            for s in socks:
                for wire in wires * behind:
                    sent += s.send(wire)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        data = s.recv(65535)
                        got += len(data)
                        largest = max(largest, len(data))
            time.sleep(0.001)
    return sent, got, largest, time.monotonic() - began  # a busy machine takes longer than it was told


def wire(name, rtype, **options):
    return dns.message.make_query(name, rtype, use_edns=0, payload=4096, **options).to_wire()


@pytest.mark.parametrize("cookie", [False, True], ids=["bare", "false-cookie"])
def test_amplification_is_bounded(nodes, cookie):  # noqa: F811
    """One answer over and over: what goes out is at most the rate's whole answers, and of the rest no more than came in."""
    node = start(nodes, f", rrl: {{rate: {RATE}, slip: {SLIP}}}")
    extra = {"options": [dns.edns.GenericOption(10, bytes(range(24)))]} if cookie else {}
    sent, got, largest, seconds = flood(node, 1.0, [wire("big.example.com", "TXT", **extra)])
    assert sent > 5000 and largest > 1000, (sent, largest)
    whole = RATE * (seconds + 2) * largest  # a burst of a second at the start, and one for what was cut at the end
    assert got <= whole + sent / SLIP, (sent, got, whole)
    assert got < sent, "more came out than went in"
    assert node.metric("holdfast_dns_limited_total") > 0


def test_amplification_through_many_names_that_are_not_there(nodes):  # noqa: F811
    """Random names of a signed zone: large proofs, but all one answer to the limit."""
    node = start(nodes, f", rrl: {{rate: {RATE}, slip: {SLIP}}}")
    wires = [wire(f"r{i}.signed.example", "A", want_dnssec=True) for i in range(200)]
    sent, got, largest, seconds = flood(node, 1.0, wires[:40])
    assert largest > 400, largest
    assert got <= RATE * (seconds + 2) * largest + sent / SLIP, (sent, got, largest)


def test_amplification_through_many_names_that_are_there(nodes):  # noqa: F811
    """Each within its own rate, and all together within the network's (`rrl.all`)."""
    node = start(nodes, f", rrl: {{rate: {RATE}, all: {2 * RATE}, slip: {SLIP}}}")
    sent, got, largest, seconds = flood(node, 1.0, [wire(f"n{i}.example.com", "A") for i in range(200)])
    assert largest > 50 and sent > 100000, (sent, largest)
    assert got <= 2 * RATE * (seconds + 2) * largest + sent / SLIP, (sent, got, largest)


def test_without_a_limit_one_response_a_query_at_most(nodes):  # noqa: F811
    """The bound that always holds: one response, and no larger than what the server offers (dns.udp_size)."""
    node = start(nodes, ", udp_size: 600")
    query = wire("big.example.com", "TXT")
    sent, got, largest, _ = flood(node, 0.5, [query])
    assert 0 < got <= sent // len(query) * 600 and largest <= 600


@pytest.mark.sanitize
def test_the_asker_of_the_other_tests_sees_nothing(nodes):  # noqa: F811
    """All kinds at once against steered names of a signed zone."""
    node = start(nodes)
    kinds = ["udp", "tcp"] + ([] if os.getuid() else ["raw"])
    with Asker(node, ["api.signed.example.", "www.signed.example."], {"198.51.100.2", "192.0.2.80"}, pause=0.005) as asker:
        with harm(node, *kinds, seconds=1.5) as done:
            done()
    assert asker.answered > 20 and not asker.wrong and not asker.lost, (asker.wrong[:3], asker.lost[:3])
    assert node.metric("holdfast_restarts_total") == 0
