"""Answers over raw packets (AF_XDP) and over sockets are the same to the byte, for questions and for packets of all kinds.

One node listens on the addresses of two cables and reads raw packets from the first alone; what is asked over the first is asked
over the second too. So there is one plan and one copy of every zone, and what differs is the way. Sockets are what
differential_test.py compares with NSD and Knot.

    DIFFERENTIAL_QUERIES=200000   questions in all (30,000)
    DIFFERENTIAL_SEED=1000        the first world's seed (1)
"""

import contextlib
import operator
import os
import random
import socket
import struct
import time

import pytest

import differ
import rawdns
import zonegen
from frames import DESTINATION, HOP_BY_HOP, UDP, V4, V6, Frames, total
from node import START_S, Node, open_path, wait_for  # noqa: F401
from wires import client4, client6, run, server4, server6, wire  # noqa: F401

QUERIES = int(os.environ.get("DIFFERENTIAL_QUERIES", "30000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "1"))
WORLDS = 4
RAW, PLAIN = 0, 1  # cables
MTU = 1500
ROOM = {V4: MTU - 28, V6: MTU - 48}  # for a message in one packet
UDP_SIZE = 4096

pytestmark = pytest.mark.parametrize("wire", [2], indirect=True)


def config(zones):
    listens = [f'"{a}:53", "[{b}]:53"' for a, b in ((server4(c), server6(c)) for c in (RAW, PLAIN))]
    return f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns: {{listen: [{", ".join(listens)}], threads: 1, udp_size: {UDP_SIZE}, xdp: [s0]}}
tell: {{listen: ["{server4()}:8080"]}}
zones:
""" + "".join(zones)


@contextlib.contextmanager
def serving(holdfast, folder, wire, zones, files):  # noqa: F811
    node = Node(holdfast, folder / "node", config(zones), files)
    try:
        with wire.inside(wire.server):
            node.start()
        assert "event=xdp.open interface=s0" in node.log(), node.log()
        yield node
    finally:
        node.stop()


# ---- questions ----

LONGEST = 60
EXACT = range(1445, 1480)


def exact(size):
    """A TXT record, its answer with OPT being so many bytes."""
    data = size - 12 - (len(f"x{size}.big") + 6) - 12 - 11
    strings = [255] * (data // 256) + [data % 256 - 1]
    return f"x{size} TXT {' '.join(chr(34) + 'x' * n + chr(34) for n in strings)}\n"


# t<n> has an answer of n times 110 bytes, and a little
BIG = "$ORIGIN big.\n$TTL 60\n@ SOA ns h 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n" + "".join(
    f't{n} TXT "{i:03}" "{"x" * 90}"\n' for n in range(1, LONGEST) for i in range(n)) + "".join(map(exact, EXACT))


def worlds_files(worlds):
    """({file: text}, [(origin, file)])"""
    files, zones = {}, []
    for number, (origin, texts) in enumerate((o, t) for w in worlds for o, t in w.files.items()):
        files[f"zone{number}"] = texts[0]
        zones.append((zonegen.name_text(origin), f"zone{number}"))
    return files, zones


def large(worlds, signed):
    """Questions whose answers have to be cut for a packet, a datagram, or nothing at all."""
    sizes = [512, 1232, *(room + more for room in ROOM.values() for more in (-1, 0, 1)), 2000, 4096, 65535]
    found = [zonegen.Question(z.origin, rtype, size, dnssec=True) for w in worlds for z in w.zones for rtype in (48, 255) for size in sizes]
    found += [zonegen.Question((b"x%d" % n, b"big"), 16, 4096) for n in EXACT]
    return found + [zonegen.Question((b"t%d" % n, b"big"), 16, size, dnssec=signed) for n in range(1, LONGEST) for size in sizes]


def compare(servers, questions, room):
    """servers: over raw packets, over sockets. How many there were, and how many had to be shorter than through a socket."""
    shorter = 0
    for question, (raw, plain) in zip(questions, rawdns.bulk(servers, questions)):
        assert raw and plain, f"no answer: {question.dig()}"
        if len(plain) > room:  # it came in fragments, which raw packets never are: as if the client had no room for more
            question.edns = room
            plain = servers[1].ask_udp(question.wire(0))
            raw = bytes(2) + raw[2:]
            shorter += 1
        assert raw == plain, f"{question.dig()}\nraw   {raw.hex()}\nplain {plain.hex()}"
    return len(questions), shorter


@pytest.mark.parametrize("signed", [False, True])
def test_same_questions(wire, holdfast, open_path, signed):  # noqa: F811
    worlds = [zonegen.World(SEED + i, root=i == 1) for i in range(WORLDS)]
    files, zones = worlds_files(worlds)
    files["big.zone"] = BIG
    more = ", dnssec: {}" if signed else ""
    lines = [f'  - {{name: "{o}", file: "{p}"{more}}}\n' for o, p in [*zones, ("big.", "big.zone")]]
    with serving(holdfast, open_path, wire, lines, files):
        asked, shorter = {V4: 0, V6: 0}, {V4: 0, V6: 0}
        for family, address in ((V4, server4), (V6, server6)):
            with wire.inside(wire.client):
                servers = [rawdns.Server(name, address(cable), 53) for name, cable in (("raw", RAW), ("plain", PLAIN))]
                origins = [z.origin for w in worlds for z in w.zones]
                assert wait_for(lambda: all(rawdns.Message(servers[1].ask_tcp(zonegen.Question(o, differ.SOA).wire(1))).answer
                                            for o in origins), START_S)
            batches = [zonegen.Questioner(w, signed).questions(QUERIES // (4 * WORLDS)) for w in worlds]
            for questions in [*batches, large(worlds, signed)]:
                count, cut = compare(servers, questions, ROOM[family])
                asked[family] += count
                shorter[family] += cut
            for s in servers:
                s.close()
        assert min(shorter.values()) > 50, shorter
        total_asked = sum(asked.values())
        assert wait_for(lambda: wire.counted("xdp") >= total_asked)
        assert wire.counted("xdp") == total_asked  # every one, and none of those over the other cable


# ---- packets ----

OTHER_OPCODES = [0x28, 0x20, 0x10, 0x08, 0x30]  # UPDATE, NOTIFY, STATUS, IQUERY, DSO


class Packets:
    """Sends frames over both cables and compares what comes back. Each is followed by two good queries, one for the raw way and
    one (with IP options) for the kernel's: when both are answered, so is all that came before."""

    def __init__(self, wire):  # noqa: F811
        self.wire, self.number, self.cables = wire, 0, []
        for cable in (RAW, PLAIN):
            macs = [bytes.fromhex(open_in(wire, ns, f"/sys/class/net/{dev}{cable}/address").replace(":", ""))
                    for ns, dev in ((wire.client, "c"), (wire.server, "s"))]
            with wire.inside(wire.client):
                out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                out.bind((f"c{cable}", 0))
                back = {V4: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), V6: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)}
                back[V4].bind((client4(cable), 0))
                back[V6].bind((client6(cable), back[V4].getsockname()[1]))
            frames = Frames(*macs, client4(cable), server4(cable), client6(cable), server6(cable), back[V4].getsockname()[1], 53)
            for s in back.values():
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                s.settimeout(3)
            self.cables.append((out, back, frames))

    def close(self):
        for out, back, _ in self.cables:
            for s in (out, *back.values()):
                s.close()

    def next(self):
        self.number += 1
        return self.number

    def query(self, number, flags=0, edns=b"\0\0\x29\x04\xd0\0\0\0\0\0\0"):
        return struct.pack(">HBBHHHH", number, flags, 0, 1, 0, 0, bool(edns)) + b"\3www\7example\3com\0\0\1\0\1" + edns

    def reads(self, cable, family, wanted, found, timeout):
        """What comes, by number, until all that is wanted has."""
        _, back, _ = self.cables[cable]
        deadline = time.monotonic() + timeout
        while not wanted <= set(found) and (left := deadline - time.monotonic()) > 0:
            back[family].settimeout(left)
            with contextlib.suppress(socket.timeout):
                data = back[family].recv(65535)
                found[int.from_bytes(data[:2], "big")] = data

    def exchange(self, family, batch, patience=0):
        """batch: functions from (frames, number) to frames. Returns [(answer over raw packets, over the plain cable)].
        patience: how long to wait behind the fences for what is not answered."""
        numbers, fences = [self.next() for _ in batch], [self.next(), self.next()]
        answers = []
        for cable, (out, _, f) in enumerate(self.cables):
            for make, number in zip(batch, numbers):
                for frame in make(f, number):
                    out.send(frame)
            for number, options in zip(fences, (False, True)):
                payload = f.udp(self.query(number), family)
                if family == V4:
                    out.send(f.v4(payload, options=b"\1\1\1\0" if options else b""))
                else:
                    out.send(f.v6(bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + payload, DESTINATION) if options else f.v6(payload))
            answers.append({})
            self.reads(cable, family, set(fences), answers[cable], 5)
            assert set(fences) <= set(answers[cable]), "the fence is not answered"
        for cable, found in enumerate(answers):  # on a busy machine a packet may be overtaken by the fence
            self.reads(cable, family, set(answers[1 - cable]), found, 1)
            self.reads(cable, family, set(numbers), found, patience)
        return [tuple(found.get(n) for found in answers) for n in numbers]

    def settled(self, family, make, answers, good):
        """Answers, asked for again where they are not `good`: on a busy machine a packet may be lost, and what control is asked
        for (UPDATE, NOTIFY) may take longer than the fences. What stays different after some tries is."""
        for patience in (0.1, 0.5, 2):
            if good(*answers):
                break
            answers = self.exchange(family, [make], patience)[0]
        return answers


def open_in(wire, ns, path):  # noqa: F811
    with wire.inside(ns):
        return run("ip", "netns", "exec", ns, "cat", path).stdout.strip()


RAW_WAY, KERNEL, NOBODY = "raw", "kernel", "nobody"


def kinds(p):
    """[(what, family, function to frames, who answers)]"""
    def v4(what, who, udp=None, payload=None, **ip_words):
        return what, V4, lambda f, n: [f.v4(f.udp(payload(n) if payload else p.query(n), V4, **(udp or {})), **ip_words)], who

    def v6(what, who, udp=None, payload=None, **ip_words):
        return what, V6, lambda f, n: [f.v6(f.udp(payload(n) if payload else p.query(n), V6, **(udp or {})), **ip_words)], who

    def framed(what, family, who, change):
        return what, family, lambda f, n: change(f, f.udp(p.query(n), family)), who

    def sliced(f, whole):
        return [f.v4(whole[:24], 0x2000, ident=9), f.v4(whole[24:], 3, ident=9)]

    def extended(kind):
        return lambda f, whole: [f.v6(bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + whole, kind)]

    def from_address(family, address):
        packed = socket.inet_pton(socket.AF_INET if family == V4 else socket.AF_INET6, address)
        return lambda f, n: [(f.v4 if family == V4 else f.v6)(f.udp(p.query(n), family, source=packed), source=packed)]

    both = [
        ("plain", RAW_WAY, {}, {}),
        ("no checksum, which IPv6 demands", None, {"checksum": 0}, {}),
        ("a wrong UDP checksum", NOBODY, {"checksum": 0x1234}, {}),
        ("a UDP length beyond the packet", NOBODY, {"extra": 1}, {}),
        ("port 0", NOBODY, {"port": 0}, {}),
    ]
    found = []
    for what, who, udp, words in both:
        found += [v4(what, who or RAW_WAY, udp, **words), v6(what, who or NOBODY, udp, **words)]
    found += [v4("an IP length beyond the frame", NOBODY, extra=1), v6("an IP length beyond the frame", NOBODY, extra=1)]
    found += [v4(f"the flags {flags:#x}", KERNEL, payload=lambda n, b=flags: p.query(n, b)) for flags in OTHER_OPCODES]
    found += [v6(f"the flags {flags:#x}", KERNEL, payload=lambda n, b=flags: p.query(n, b)) for flags in OTHER_OPCODES]
    found += [
        v4("a response", NOBODY, payload=lambda n: p.query(n, 0x80)),
        v4("not even a header", NOBODY, payload=lambda n: p.query(n)[:2]),
        v4("half a header", NOBODY, payload=lambda n: p.query(n)[:7]),
        v4("half a question", RAW_WAY, payload=lambda n: p.query(n)[:20]),
        v4("more behind the message", RAW_WAY, payload=lambda n: p.query(n) + b"\0" * 9),
        v4("do not fragment", RAW_WAY, flags=0x4000),
        v4("congestion marks and a last hop", RAW_WAY, tos=0x03, ttl=1),
        v4("IPv4 options", KERNEL, options=b"\1\1\1\0"),
        v4("a wrong header checksum", NOBODY, checksum=0x1234),
        v6("a flow and a class", RAW_WAY, first=0x6ff12345),
        v6("another protocol", NOBODY, following=59),
        framed("two fragments", V4, KERNEL, sliced),
        framed("options for each hop", V6, KERNEL, extended(HOP_BY_HOP)),
        framed("options for the end", V6, KERNEL, extended(DESTINATION)),
        framed("padding behind the packet", V4, RAW_WAY, lambda f, whole: [f.v4(whole) + b"\xff" * 18]),
        framed("padding behind the packet", V6, RAW_WAY, lambda f, whole: [f.v6(whole) + b"\xff" * 18]),
        framed("a shorter datagram than its packet", V4, RAW_WAY, lambda f, whole: [f.v4(whole + b"\xff" * 8)]),
        framed("a priority, no VLAN", V4, KERNEL, lambda f, whole: [f.tagged(f.v4(whole), 0xe000)]),
        framed("a priority, no VLAN", V6, KERNEL, lambda f, whole: [f.tagged(f.v6(whole), 0xe000)]),
        framed("a VLAN that is not ours", V4, NOBODY, lambda f, whole: [f.tagged(f.v4(whole), 99)]),
        framed("the broadcast address of the link", V4, KERNEL, lambda f, whole: [b"\xff" * 6 + f.v4(whole)[6:]]),
        framed("another's frame", V4, NOBODY, lambda f, whole: [b"\2\7\7\7\7\7" + f.v4(whole)[6:]]),
    ]
    found += [("from " + a, V4, from_address(V4, a), NOBODY) for a in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255")]
    found += [("from " + a, V6, from_address(V6, a), NOBODY) for a in ("::", "::1", "ff02::1")]
    return found


ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
"""


@pytest.fixture
def packets(wire, holdfast, open_path):  # noqa: F811
    zones = ["  - {name: example.com, file: example.com.zone}\n"]
    with serving(holdfast, open_path, wire, zones, {"example.com.zone": ZONE}):
        p = Packets(wire)
        for cable, (_, back, _) in enumerate(p.cables):  # both ends learn each other's MAC addresses
            for s, address in ((back[V4], server4(cable)), (back[V6], server6(cable))):
                s.sendto(p.query(0), (address, 53))
                assert s.recv(4096)
        yield p
        p.close()


@pytest.mark.parametrize("who", [RAW_WAY, KERNEL, NOBODY])
def test_packets(wire, packets, who):  # noqa: F811
    """All kinds that go one way, so that counters can tell that they do."""
    asked, fences, greetings, again = 0, 0, 2, False
    for family in (V4, V6):
        chosen = [(what, make) for what, f, make, w in kinds(packets) if f == family and w == who]
        def good(raw, plain):
            return raw == plain and bool(raw) == (who != NOBODY)

        for (what, make), (raw, plain) in zip(chosen, packets.exchange(family, [make for _, make in chosen])):
            if not good(raw, plain):
                raw, plain = packets.settled(family, make, (raw, plain), good)
                again = True
            assert good(raw, plain), f"{what}: raw {raw}, plain {plain}"
        asked += len(chosen)
        fences += 1
    if who == NOBODY or again:  # some reach a server, which does not answer; or there were more than are counted here
        return
    expected = {"xdp": greetings + fences + asked * (who == RAW_WAY), "udp": greetings + 3 * fences + asked * (1 + (who == KERNEL))}
    assert wait_for(lambda: {t: wire.counted(t) for t in expected} == expected), (wire.counted("xdp"), expected)


def test_damaged_packets(packets):
    """Bits turned anywhere but in the source's address; half of them with checksums that are right again."""
    rng = random.Random(SEED)

    def damaged(family, seed):
        def make(f, number):
            dice = random.Random(seed)
            payload = bytearray(packets.query(number))
            if dice.random() < 0.5:
                payload[dice.randrange(2, len(payload))] ^= 1 << dice.randrange(8)
                whole = f.udp(bytes(payload), family)
                return [f.v4(whole) if family == V4 else f.v6(whole)]
            frame = bytearray((f.v4 if family == V4 else f.v6)(f.udp(bytes(payload), family)))
            address = range(26, 30) if family == V4 else range(22, 38)
            at = dice.choice([i for i in range(12, len(frame)) if i not in address])
            frame[at] ^= 1 << dice.randrange(8)
            if family == V4 and dice.random() < 0.5:
                frame[24:26] = b"\0\0"
                frame[24:26] = struct.pack(">H", 0xffff ^ total(bytes(frame[14:34])))
            return [bytes(frame)]
        return make

    seeds = [rng.randrange(1 << 32) for _ in range(QUERIES // 5)]
    answered = 0
    for family in (V4, V6):
        for start in range(0, len(seeds), 40):
            batch = seeds[start:start + 40]
            for seed, (raw, plain) in zip(batch, packets.exchange(family, [damaged(family, s) for s in batch])):
                if raw != plain:
                    raw, plain = packets.settled(family, damaged(family, seed), (raw, plain), operator.eq)
                assert raw == plain, f"IPv{4 if family == V4 else 6}, seed {seed}: raw {raw}, plain {plain}"
                answered += raw is not None
    assert len(seeds) // 4 < answered < 2 * len(seeds)
