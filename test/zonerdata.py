"""Random record data of many types as text, and the many ways to write a master file (RFC 1035 5, RFC 3597)."""

import base64

import rawdns
import zonegen

NUMBERS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "PTR": 12, "HINFO": 13, "MINFO": 14, "MX": 15,
           "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "RT": 21, "PX": 26, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35,
           "KX": 36, "CERT": 37, "DNAME": 39, "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "DHCID": 49, "TLSA": 52,
           "SMIMEA": 53, "OPENPGPKEY": 61, "SVCB": 64, "HTTPS": 65, "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107,
           "EUI48": 108, "EUI64": 109, "ANY": 255, "URI": 256, "CAA": 257}


CASED = {"IPSECKEY", "SVCB", "HTTPS", "LP"}  # whose names keep their case (RFC 6840 5.1)


def number(rtype):
    return NUMBERS[rtype] if rtype in NUMBERS else int(rtype[4:])


# ---- data ----

def address4(rng):
    return ".".join(str(rng.randrange(256)) for _ in range(4))


def address6(rng):
    groups = [rng.choice([0, 0, 1, 0xdb8, rng.randrange(65536)]) for _ in range(8)]
    if rng.random() < 0.5:
        return ":".join(f"{g:x}" for g in groups)
    return f"2001:db8::{rng.randrange(65536):X}" if rng.random() < 0.8 else f"::ffff:{address4(rng)}"


def hexes(rng, low, high):
    return bytes(rng.randrange(256) for _ in range(rng.randint(low, high))).hex()


def base64s(rng, low, high):
    return base64.b64encode(bytes.fromhex(hexes(rng, low, high))).decode()


def string(rng, longest=40):
    """The bytes of a character-string."""
    return bytes(rng.randrange(256) if rng.random() < 0.1 else rng.choice(b'abcXYZ019-_=;. "\\')
                 for _ in range(rng.choice([0, 1, 5, rng.randint(1, longest)])))


def u16(rng):
    return str(rng.choice([0, 1, 10, 10, 20, 443, 65535]))


def generic(rng):
    size = rng.choice([0, 1, 4, rng.randint(1, 40)])
    return ["\\#", str(size), hexes(rng, size, size)] if size else ["\\#", "0"]


def service(rng, target):
    """SVCB, HTTPS: an alias, or a service with parameters in order."""
    where = rng.choice([target(), ()])
    if rng.random() < 0.3:
        return ["0", where]
    params = [p for p in ["alpn=h2,h3", "port=8443", "ipv4hint=192.0.2.1,192.0.2.2", "ipv6hint=2001:db8::1"]
              if rng.random() < 0.5]
    return [str(rng.randint(1, 9)), where, *params]


def location(rng):
    return (f"{rng.randrange(90)} {rng.randrange(60)} {rng.randrange(60)}.{rng.randrange(1000):03d} {rng.choice('NS')} "
            f"{rng.randrange(180)} {rng.randrange(60)} {rng.randrange(60)} {rng.choice('EW')} "
            f"{rng.randrange(-100, 9000)}m {rng.choice(['1m', '20m', '3000m'])} 10000m 10m").split()


def naptr(rng, target):
    return [u16(rng), u16(rng), '"u"', '"E2U+sip"', '"!^.*$!sip:x@example.com!"', rng.choice([target(), ()])]


def digest(rng, first):
    return first + [hexes(rng, 32, 32)]


def eui(rng, count):
    return "-".join(f"{rng.randrange(256):02x}" for _ in range(count))


def node64(rng):
    return ":".join(f"{rng.randrange(65536):04x}" for _ in range(4))


MAKERS = {
    "A": lambda r, t: [address4(r)],
    "NS": lambda r, t: [t()],
    "CNAME": lambda r, t: [t()],
    "MB": lambda r, t: [t()],
    "MG": lambda r, t: [t()],
    "MR": lambda r, t: [t()],
    "PTR": lambda r, t: [t()],
    "HINFO": lambda r, t: [string(r), string(r)],
    "MINFO": lambda r, t: [t(), t()],
    "MX": lambda r, t: [u16(r), t()],
    "TXT": lambda r, t: [string(r, 200) for _ in range(r.choice([1, 1, 2, 5]))],
    "RP": lambda r, t: [t(), t()],
    "AFSDB": lambda r, t: [u16(r), t()],
    "X25": lambda r, t: [str(r.randrange(10**9)).encode()],
    "RT": lambda r, t: [u16(r), t()],
    "PX": lambda r, t: [u16(r), t(), t()],
    "AAAA": lambda r, t: [address6(r)],
    "LOC": lambda r, t: location(r),
    "SRV": lambda r, t: [u16(r), u16(r), u16(r), t()],
    "NAPTR": naptr,
    "KX": lambda r, t: [u16(r), t()],
    "CERT": lambda r, t: [r.choice(["1", "PGP", "65534"]), u16(r), "8", base64s(r, 1, 60)],
    "APL": lambda r, t: r.choice([["1:192.168.32.0/21", "!1:192.168.38.0/28"], ["2:ff00::/8"], ["1:0.0.0.0/0"]]),
    "DS": lambda r, t: digest(r, [str(r.randrange(65536)), r.choice(["8", "13", "15"]), "2"]),
    "SSHFP": lambda r, t: ["4", "2", hexes(r, 32, 32)],
    "DHCID": lambda r, t: [base64s(r, 10, 40)],
    "TLSA": lambda r, t: digest(r, ["3", "1", "1"]),
    "SMIMEA": lambda r, t: digest(r, ["3", "0", "1"]),
    "OPENPGPKEY": lambda r, t: [base64s(r, 3, 80)],
    "SVCB": service,
    "HTTPS": service,
    "SPF": lambda r, t: [string(r)],
    "NID": lambda r, t: [u16(r), node64(r)],
    "L32": lambda r, t: [u16(r), address4(r)],
    "L64": lambda r, t: [u16(r), node64(r)],
    "LP": lambda r, t: [u16(r), t()],
    "EUI48": lambda r, t: [eui(r, 6)],
    "EUI64": lambda r, t: [eui(r, 8)],
    "URI": lambda r, t: [u16(r), u16(r), '"https://example.com/path"'],
    "CAA": lambda r, t: [r.choice(["0", "128"]), r.choice(["issue", "iodef", "issuewild"]), string(r)],
    "TYPE65280": lambda r, t: generic(r),
    "TYPE300": lambda r, t: generic(r),
}


def make(rtype, rng, target):
    return MAKERS[rtype](rng, target)


# ---- files ----

UNITS = [(604800, "w"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")]


def string_plain(data):
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 or b == 32 else f"\\{b:03d}" for b in data) + '"'


def string_free(data, rng):
    """Quoted or bare, with either kind of escape."""
    quoted = not data or rng.random() < 0.6
    out = []
    for b in data:
        c = chr(b)
        if not 32 <= b <= 126 or rng.random() < 0.02 or (c == " " and not quoted):
            out.append(f"\\{b:03d}")
        elif c in '"\\' or (not quoted and c in ";()@$"):
            out.append("\\" + c)
        else:
            out.append(c)
    return f'"{"".join(out)}"' if quoted else "".join(out)


# Knot 3.2 knows these only by number.
UNKNOWN = {"MB", "MG", "MR", "X25", "PX"}


def wire(rdata):
    """The bytes of data that is made of names, strings and numbers of 16 bits."""
    return b"".join(zonegen.name_wire(p) if isinstance(p, tuple) else bytes([len(p)]) + p if isinstance(p, bytes)
                    else int(p).to_bytes(2, "big") for p in rdata)


def plain(zone):
    """The zone as every server can read it: a record a line, names absolute, odd bytes by their number."""
    def part(p):
        return zonegen.name_text(p) if isinstance(p, tuple) else string_plain(p) if isinstance(p, bytes) else p

    def data(rtype, rdata):
        if rtype in UNKNOWN:
            return f"TYPE{NUMBERS[rtype]} \\# {len(wire(rdata))} {wire(rdata).hex()}"
        return f"{rtype} {' '.join(part(p) for p in rdata)}"

    sets = [(n, t, ttl, rs) for n, types in zone.records.items() for t, (ttl, rs) in types.items()]
    sets.sort(key=lambda s: (s[0] != zone.origin, s[1] != "SOA"))
    return "".join(f"{zonegen.name_text(n)} {ttl} IN {data(t, rdata)}\n"
                   for n, t, ttl, rs in sets for rdata in rs)


def generic_file(records):
    """Records of the wire as a file that needs no knowledge of types (RFC 3597 5)."""
    return "".join(f"{zonegen.name_text(rawdns.labels(owner))} {ttl} IN TYPE{rtype} \\# {len(rdata)} {rdata.hex()}\n"
                   for owner, rtype, _, ttl, rdata in records)


class MasterFile:
    """One zone as text, each record written in one of the many ways that mean the same."""

    def __init__(self, zone, rng):
        self.zone, self.rng = zone, rng
        self.lines = []
        self.origin = zone.origin
        self.default = rng.choice(zonegen.TTLS)
        self.last = None  # owner of the line before

    def name(self, name):
        rng, relative = self.rng, len(name) - len(self.origin)
        if name == self.origin and rng.random() < 0.7:
            return "@"
        if relative > 0 and zonegen.below(name, self.origin) and rng.random() < 0.7:
            return zonegen.name_text(name[:relative], rng)[:-1]
        return zonegen.name_text(name, rng)

    def part(self, p):
        return self.name(p) if isinstance(p, tuple) else string_free(p, self.rng) if isinstance(p, bytes) else p

    def ttl(self, seconds):
        if self.rng.random() < 0.8:
            return str(seconds)
        out = ""
        for unit, letter in UNITS:
            if seconds >= unit:
                out += f"{seconds // unit}{letter}"
                seconds %= unit
        return out or "0"

    def owner(self, name):
        if name == self.last and self.rng.random() < 0.6:
            return self.rng.choice([" ", "\t", "   "])
        return self.name(name)

    def head(self, name, rtype, ttl):
        rng = self.rng
        parts = [[self.ttl(ttl)] if ttl != self.default or rng.random() < 0.5 else [],
                 [rng.choice(["IN", "in"])] if rng.random() < 0.5 else []]
        rng.shuffle(parts)
        if rng.random() < 0.1:
            rtype = rtype.lower()
        elif rtype == "A" and rng.random() < 0.1:
            rtype = "TYPE1"
        return [self.owner(name), *parts[0], *parts[1], rtype]

    def record(self, name, rtype, ttl, rdata):
        rng = self.rng
        if rng.random() < 0.04:
            self.move(rng.choice(sorted(self.zone.nodes)))
        head = self.head(name, rtype, ttl)
        data = [self.part(p) for p in rdata]
        if head[-1] == "TYPE1" and rng.random() < 0.5:
            data = ["\\#", "4", bytes(int(b) for b in rdata[0].split(".")).hex()]
        if rng.random() < 0.1:
            data = ["(", *[d + rng.choice(["", "\n   ", " ; note ( \" \n\t"]) for d in data], ")"]
        self.lines.append(rng.choice([" ", "\t", "  "]).join(head + data) + rng.choice(["", "", "", " ", " ; end \" ("]))
        self.last = name

    def move(self, origin):
        self.lines.append(f"$ORIGIN {zonegen.name_text(origin, self.rng)}")
        self.origin = origin

    def write(self):
        rng, zone = self.rng, self.zone
        # Some servers want to know their zone before anything else.
        self.move(zone.origin)
        self.lines.append(f"$TTL {self.ttl(self.default)}")
        sets = [(n, t, ttl, rs) for n, types in zone.records.items() for t, (ttl, rs) in types.items()]
        sets.sort(key=lambda s: (s[0] != zone.origin, s[1] != "SOA"))
        head, rest = sets[:1], sets[1:]
        if rng.random() < 0.5:
            rng.shuffle(rest)
        for name, rtype, ttl, rdatas in head + rest:
            for rdata in rdatas:
                self.record(name, rtype, ttl, rdata)
                # Names in newer types keep their case, so once more may be another.
                if rng.random() < 0.02 and rtype not in CASED | {"SOA"}:
                    self.record(name, rtype, ttl, rdata)  # once more is once
            if rng.random() < 0.05:
                self.lines.append(rng.choice(["", ";", "   ; nothing", "\t"]))
        return "\n".join(self.lines) + "\n"
