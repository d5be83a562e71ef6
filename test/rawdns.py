"""DNS messages at speed: a compact reader that brings them to one form, and a client that asks in bulk.

Names are brought to lower case without compression, sections to sorted lists; everything else is kept to the bit. A
message that is malformed in the least raises ValueError."""

import select
import socket
import struct
import time

WINDOW = 40  # questions under way at once
CNAME, SOA, OPT = 5, 6, 41
# Bytes before the names in the data of a type, and how many names there are. RFC 1035's types may be compressed (RFC 3597 4).
COMPRESSED = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
              15: (2, 1)}
UNCOMPRESSED = {17: (0, 2), 18: (2, 1), 21: (2, 1), 26: (2, 2), 33: (6, 1), 36: (2, 1), 39: (0, 1), 64: (2, 1), 65: (2, 1),
                107: (2, 1), 47: (0, 1)}
NAPTR, RRSIG = 35, 46
FIXED = struct.Struct(">HHIH")
HEADER = struct.Struct(">HHHHHH")


def name_read(data, at):
    """(lower name without compression, position behind it, was it compressed)"""
    out, end, limit = [], None, at
    while True:
        size = data[at]
        if size >= 0xc0:
            to = (size & 0x3f) << 8 | data[at + 1]
            if end is None:
                end = at + 2
            if to >= limit or to < 12:
                raise ValueError(f"a pointer at {at} does not lead back")
            at = limit = to
            continue
        if size > 63:
            raise ValueError(f"a label of type {size >> 6}")
        out.append(data[at:at + size + 1])
        at += size + 1
        if not size:
            break
    name = b"".join(out)
    if len(name) > 255:
        raise ValueError("a name of more than 255 bytes")
    return name.lower(), at if end is None else end, end is not None


def labels(wire):
    """A name of the wire as a tuple of labels."""
    out, at = [], 0
    while wire[at]:
        out.append(wire[at + 1:at + 1 + wire[at]])
        at += wire[at] + 1
    return tuple(out)


def rdata_read(data, rtype, at, size):
    """Data in one form, and whether a name was compressed that may not be."""
    if rtype in COMPRESSED or rtype in UNCOMPRESSED:
        skip, count = COMPRESSED.get(rtype) or UNCOMPRESSED[rtype]
        end = at + size
        out, wrong, at = [data[at:at + skip]], False, at + skip
        for _ in range(count):
            name, at, compressed = name_read(data, at)
            wrong |= compressed and rtype in UNCOMPRESSED
            out.append(name)
        if at > end:
            raise ValueError("data longer than told")
        return b"".join(out) + data[at:end], wrong
    if rtype == NAPTR:
        start, end, at = at, at + size, at + 4
        for _ in range(3):
            at += data[at] + 1
        name, after, wrong = name_read(data, at)
        if after != end:
            raise ValueError("data longer than told")
        return data[start:at] + name, wrong
    if rtype == RRSIG:
        name, after, wrong = name_read(data, at + 18)
        return data[at:at + 18] + name + data[after:at + size], wrong
    return data[at:at + size], False


class Message:
    """A response. Sections are sorted lists of (owner, type, class, ttl, data); `order` is the answer as it came."""

    __slots__ = ("data", "flags", "rcode", "question", "answer", "authority", "additional", "order", "opt", "options",
                 "miscompressed", "hops")

    def __init__(self, data):
        try:
            self.read(data)
        except (IndexError, struct.error) as e:
            raise ValueError("it ends too early") from e

    def read(self, data):
        self.data = data
        _, flags, questions, *counts = HEADER.unpack_from(data)
        self.flags, self.rcode = flags, flags & 15
        self.opt, self.options, self.miscompressed = None, b"", False
        at = 12
        if questions:
            _, at, _ = name_read(data, at)
            at += 4
        self.question = data[12:at]
        sections = []
        for count in counts:
            section = []
            for _ in range(count):
                owner, at, _ = name_read(data, at)
                rtype, rclass, ttl, size = FIXED.unpack_from(data, at)
                at += 10
                if at + size > len(data):
                    raise ValueError("data beyond the end")
                if rtype == OPT:
                    self.opt_read(owner, rclass, ttl, data[at:at + size])
                else:
                    rdata, wrong = rdata_read(data, rtype, at, size)
                    self.miscompressed |= wrong
                    section.append((owner, rtype, rclass, ttl, rdata))
                at += size
            sections.append(section)
        if at != len(data):
            raise ValueError("bytes after the last record")
        self.order = sections[0]
        self.answer, self.authority, self.additional = (sorted(s) for s in sections)

    def opt_read(self, owner, size, ttl, options):
        if self.opt or owner != b"\0":
            raise ValueError("a second OPT, or one that is not the root's")
        self.opt, self.options = (size, ttl >> 16 & 255, ttl & 0xffff), options
        self.rcode |= ttl >> 24 << 4

    @property
    def truncated(self):
        return bool(self.flags & 0x200)

    @property
    def authoritative(self):
        return bool(self.flags & 0x400)


class Server:
    """What is asked: a name to print and an address. revive(): starts it anew, for those that may hang."""

    def __init__(self, label, address, port, revive=None):
        self.label, self.address, self.port, self.revive = label, address, port, revive
        self.udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.udp.connect((address, port))
        self.udp.setblocking(False)
        self.tcp = None

    def close(self):
        self.udp.close()
        self.close_tcp()

    def ask_udp(self, wire):
        """One question, where nothing else is under way."""
        self.udp.send(wire)
        assert select.select([self.udp], [], [], 3)[0], f"no answer from {self.label}"
        return self.udp.recv(65535)

    def ask_tcp(self, wire, tries=2):
        for left in reversed(range(tries)):
            try:
                if not self.tcp:
                    self.tcp = socket.create_connection((self.address, self.port), 5)
                self.tcp.sendall(len(wire).to_bytes(2, "big") + wire)
                return self.take(int.from_bytes(self.take(2), "big"))
            except OSError:  # an idle connection may have been closed
                self.close_tcp()
                if not left:
                    raise

    def axfr(self, name):
        """The zone whole, over a connection of its own: [(owner, type, class, ttl, data), ...] with the SOA once."""
        wire = b"\0\1\0\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(x)]) + x for x in name) + b"\0\0\xfc\0\1"
        self.close_tcp()
        self.tcp = socket.create_connection((self.address, self.port), 5)
        self.tcp.sendall(len(wire).to_bytes(2, "big") + wire)
        records = []
        while len(records) < 2 or records[-1][1] != SOA:
            m = Message(self.take(int.from_bytes(self.take(2), "big")))
            if m.rcode or not m.order:
                raise ValueError(f"AXFR: RCODE {m.rcode}")
            records += m.order
        self.close_tcp()
        return records[:-1]

    def close_tcp(self):
        if self.tcp:
            self.tcp.close()
        self.tcp = None

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.tcp.recv(size - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data


def bulk(servers, questions, tries=3):
    """Asks every server every question over UDP: [[answer, ...], ...] by question, then server; None = no answer."""
    answers = [[None] * len(servers) for _ in questions]
    for start in range(0, len(questions), WINDOW):
        left = [dict.fromkeys(range(start, min(start + WINDOW, len(questions)))) for _ in servers]
        for _ in range(tries):
            send(servers, questions, left)
            collect(servers, left, answers)
            if not any(left):
                break
        for at, server in enumerate(servers):
            if server.revive:
                one_by_one(at, servers, questions, left, answers)
    return answers


def one_by_one(at, servers, questions, left, answers):
    """A server that hangs over one question has not heard the others."""
    for i in list(left[at]):
        servers[at].revive()
        alone = [{i: None} if n == at else {} for n in range(len(servers))]
        send(servers, questions, alone)
        collect(servers, alone, answers)


def send(servers, questions, left):
    for server, missing in zip(servers, left):
        for i in missing:
            server.udp.send(questions[i].wire(i & 0xffff))


def collect(servers, left, answers, timeout=1.0):
    deadline = time.monotonic() + timeout
    waiting = {s.udp: i for i, s in enumerate(servers) if left[i]}
    while waiting and time.monotonic() < deadline:
        for sock in select.select(list(waiting), [], [], 0.1)[0]:
            at = waiting[sock]
            missing = left[at]
            try:
                data = sock.recv(65535)
            except OSError:
                continue
            number = int.from_bytes(data[:2], "big")
            found = next((i for i in missing if i & 0xffff == number), None)
            if found is not None:
                answers[found][at] = data
                del missing[found]
            if not missing:
                del waiting[sock]
