"""A client that means harm: hostile.py KIND ADDRESS PORT SECONDS SEED does one kind of it for so long, and prints what it did as JSON.

Everything is bounded and comes from the seed, so that what is found can be found again.
"""

import contextlib
import json
import random
import select
import socket
import struct
import sys
import time

NAMES = [b"\3www\7example\3com\0", b"\3api\7example\3com\0", b"\7missing\7example\3com\0", b"\7example\3com\0", b"\0",
         b"\1a" * 120 + b"\0", b"\3www\7example\3org\0", b"\4deep\1b\1c\7example\3com\0"]
TYPES = [1, 2, 5, 6, 15, 16, 28, 33, 39, 41, 43, 46, 47, 48, 64, 65, 249, 250, 251, 252, 253, 254, 255, 0, 65535]
PACE_S = 0.002


def header(number, flags=0, counts=(1, 0, 0, 0)):
    return struct.pack(">HHHHHH", number & 0xffff, flags, *counts)


def question(rng):
    return rng.choice(NAMES) + struct.pack(">HH", rng.choice(TYPES), rng.choice([1, 1, 1, 3, 255, 0]))


def good(rng):
    return header(rng.randrange(65536)) + NAMES[0] + b"\0\1\0\1"


def opt(options, size=1232, ttl=0):
    return b"\0" + struct.pack(">HHIH", 41, size, ttl, len(options)) + options


def option(code, data, size=None):
    return struct.pack(">HH", code, len(data) if size is None else size) + data


# ---- datagrams: each a query's bytes ----

def noise(rng):
    return rng.randbytes(rng.choice([0, 1, 2, 11, 12, 13, 17, 100, 512, 1232, 1536, 1537, 9000]))


def truncated(rng):
    whole = good(rng)
    return whole[:rng.randrange(len(whole))]


def oversized(rng):
    return good(rng) + rng.randbytes(rng.choice([1, 400, 1400, 8000, 60000]))


def looped(rng):
    """Compression that leads to itself, ahead, or round."""
    pointers = [b"\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xff\xff", b"\1a\xc0\x0c", b"\xc0\0", b"\x40a", b"\x80a", b"\x3f" + b"a" * 63]
    return header(1) + rng.choice(pointers) + b"\0\1\0\1"


def long_name(rng):
    label = bytes([rng.choice([1, 2, 31, 63])])
    return header(2) + (label + b"x" * label[0]) * rng.randrange(3, 130) + b"\0\0\1\0\1"


def counts(rng):
    """More, or fewer, records than there are."""
    return header(3, 0, [rng.choice([0, 1, 2, 255, 65535]) for _ in range(4)]) + question(rng)


def opcodes(rng):
    return header(4, rng.randrange(1, 16) << 11 | rng.randrange(2) << 8, (1, 0, 0, 0)) + question(rng)


def responses(rng):
    """QR=1: whoever answers one of these can be made to talk to itself for ever."""
    return header(5, 0x8000 | rng.randrange(0x8000)) + question(rng)


def edns(rng):
    tails = [opt(b"", ttl=rng.randrange(1 << 32)), opt(b"") * 2, opt(rng.randbytes(40)), opt(b"", rng.randrange(65536)),
             opt(option(3, rng.randbytes(5))), opt(option(65001, b"x" * 1000)), opt(b"\0\3\xff\xff"), b"\1x" + opt(b"")[1:],
             opt(option(12, b"\0" * 500)), opt(option(14, b"\0\1")), opt(option(11, b"\0")), opt(b"")[:-1]]
    tail = rng.choice(tails)
    return header(6, 0, (1, 0, 0, rng.choice([1, 1, 2]))) + question(rng) + tail


def subnets(rng):
    body = struct.pack(">HBB", rng.choice([0, 1, 2, 3, 65535]), rng.randrange(256), rng.choice([0, 0, 1, 255]))
    return (header(7, 0, (1, 0, 0, 1)) + NAMES[1] + b"\0\1\0\1"
            + opt(option(8, body + rng.randbytes(rng.randrange(20)), rng.choice([None, None, 0, 3, 4, 65535]))))


def cookies(rng):
    return (header(8, 0, (1, 0, 0, 1)) + question(rng)
            + opt(option(10, rng.randbytes(rng.choice([0, 1, 7, 8, 9, 15, 16, 24, 32, 40, 41, 300])))))


def tsig(rng):
    """Signatures by known and unknown keys, whole and cut."""
    algorithm = rng.choice([b"\x0bhmac-sha256\0", b"\x08hmac-md5\7sig-alg\3reg\3int\0", b"\1x\0", b"\xc0\x0c"])
    mac = rng.randbytes(rng.choice([0, 8, 16, 32, 64, 200]))
    body = (algorithm + rng.randbytes(6) + struct.pack(">HH", 300, rng.choice([len(mac), len(mac), 65535])) + mac
            + struct.pack(">HHH", 8, rng.randrange(30), 0))
    record = rng.choice([b"\2k1\0", b"\7unknown\0", b"\0"]) + struct.pack(">HHIH", 250, 255, 0, len(body)) + body
    return header(9, 0, (1, 0, 0, 1)) + question(rng) + record[:rng.choice([None, None, -1, 20])]


def flipped(rng):
    whole = bytearray(rng.choice([good, edns, cookies, subnets, tsig])(rng))
    for _ in range(rng.randrange(1, 8)):
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    return bytes(whole)


DATAGRAMS = [noise, truncated, oversized, looped, long_name, counts, opcodes, responses, edns, subnets, cookies, tsig, flipped]


def udp(address, port, seconds, rng):
    """All of the above, and what comes back is thrown away late, so that the server's sends meet full buffers."""
    sent = got = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((address, port))
        s.setblocking(False)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(10):
                with contextlib.suppress(OSError):
                    s.send(rng.choice(DATAGRAMS)(rng))
                    sent += 1
            if rng.random() < 0.3:
                got += drain(s)
            time.sleep(PACE_S)
    return {"sent": sent, "got": got}


def drain(s):
    got = 0
    with contextlib.suppress(OSError):
        while s.recv(65535):
            got += 1
    return got


def silence(address, port, seconds, rng):
    """Responses sent as queries, and packets without a header: whatever comes back is too much."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((address, port))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(10):
                s.send(responses(rng) if rng.random() < 0.8 else rng.randbytes(rng.randrange(12)))
                sent += 1
            time.sleep(PACE_S)
        s.settimeout(0.5)
        with contextlib.suppress(OSError):
            return {"sent": sent, "got": s.recv(65535).hex()}
    return {"sent": sent, "got": ""}


# ---- raw packets: false sources and fragments ----

def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    return ~(total % 65535 or (65535 if total else 0)) & 0xffff


def ipv4(source, target, number, offset, more, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number & 0xffff, more << 13 | offset // 8, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def datagram(port_from, port, body):
    return struct.pack(">HHHH", port_from, port, 8 + len(body), 0) + body


def raw(address, port, seconds, rng):
    """Sources that lie (ports 0, 7, 19 and 53), and fragments: whole, missing, twice, overlapping, out of order."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body = rng.choice(DATAGRAMS)(rng)[:3000]
            source = f"127.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
            packet = datagram(rng.choice([0, 7, 19, 53, 53, port, 40000]), port, body)
            pieces = [(at, packet[at:at + 64]) for at in range(0, len(packet), 64)]
            if len(pieces) > 1 and rng.random() < 0.7:
                trouble = rng.randrange(5)
                if trouble == 0:
                    pieces.pop(rng.randrange(len(pieces)))
                elif trouble == 1:
                    pieces.append(rng.choice(pieces))
                elif trouble == 2:
                    at, piece = rng.choice(pieces)
                    pieces.insert(0, (max(0, at - 8), piece[::-1]))
                elif trouble == 3:
                    rng.shuffle(pieces)
            number, last = rng.randrange(65536), pieces[-1][0]
            if rng.random() < 0.3:
                pieces, last = [(0, packet)], 0
            for at, piece in pieces:
                with contextlib.suppress(OSError):
                    s.sendto(ipv4(source, address, number, at, at != last, piece), (address, 0))
                    sent += 1
            time.sleep(PACE_S)
    return {"sent": sent}


def reflect(address, port, seconds, rng):
    """Queries that seem to come from another server's own port: ADDRESS is two addresses, "one,other"."""
    one, other = address.split(",")
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body = rng.choice([good, opcodes, looped, edns])(rng)
            s.sendto(ipv4(other, one, sent, 0, 0, datagram(port, port, body)), (one, 0))
            sent += 1
            time.sleep(PACE_S)
    return {"sent": sent}


# ---- connections ----

def frame(wire):
    return struct.pack(">H", len(wire) & 0xffff) + wire


def axfr(rng):
    return header(rng.randrange(65536)) + NAMES[3] + struct.pack(">HH", rng.choice([252, 252, 251]), 1)


def streams(rng):
    """What a connection sends before it is left alone, broken or closed."""
    return rng.choice([
        b"", b"\0", b"\xff\xff", b"\xff\xff" + rng.randbytes(3000), frame(b""), frame(b"") * 500, frame(good(rng))[:9],
        frame(good(rng)) * 200, frame(axfr(rng)) * 20, frame(opcodes(rng)) * 50, frame(rng.randbytes(60000)),
        frame(rng.choice(DATAGRAMS)(rng)[:60000]) * 3, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + rng.randbytes(300)])


def connected(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little of what is never read fits
    s.settimeout(1)
    s.connect((address, port))
    s.setblocking(False)
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def tcp(address, port, seconds, rng, most=900):
    """Thousands of connections: silent, dripping, never reading, ended and reset in the middle, more than the server takes."""
    opened, mine = 0, []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            s = connected(address, port)
            opened += 1
            mine.append(s)
            s.send(streams(rng))
        for s in rng.sample(mine, min(4, len(mine))):
            with contextlib.suppress(OSError):
                act = rng.randrange(6)
                if act < 3:
                    s.send(b"\0" if act else frame(axfr(rng)))  # a drop now and then
                elif act == 3:
                    s.shutdown(socket.SHUT_WR)
                else:
                    mine.remove(s)
                    reset(s) if act == 4 else s.close()
        while len(mine) > most:
            reset(mine.pop(0))
        time.sleep(PACE_S / 4)
    for s in mine:
        s.close()
    return {"opened": opened}


def transfers(address, port, seconds, rng, most=100):
    """AXFR after AXFR, allowed ones too, by clients that never read."""
    asked, mine = 0, []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            s = connected(address, port)
            mine.append(s)
            s.send(frame(axfr(rng)) * 5)
            asked += 5
        for s in select.select(mine, [], [], 0)[0][:10] if rng.random() < 0.2 else ():
            with contextlib.suppress(OSError):
                s.recv(1000)
        while len(mine) > most:
            reset(mine.pop(rng.randrange(len(mine))))
        time.sleep(PACE_S)
    for s in mine:
        reset(s)
    return {"asked": asked}


KINDS = {"udp": udp, "silence": silence, "raw": raw, "reflect": reflect, "tcp": tcp, "transfers": transfers}


if __name__ == "__main__":
    _, kind, where, port_text, seconds_text, seed = sys.argv
    print(json.dumps(KINDS[kind](where, int(port_text), float(seconds_text), random.Random(f"{kind} {seed}"))))
