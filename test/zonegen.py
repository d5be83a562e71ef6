"""Random zones, valid in every detail and full of what name servers find hard, and the questions to ask about them.

A world is a handful of zones made from one seed: a zone, a child that it delegates, a child that it does not, a
stranger, now and then the parent of them all. All zones of a world lie below one label ("w17"), so that one server can
hold many worlds side by side. The same seed gives the same world, on every machine.

    zonegen.py SEED [FOLDER]     writes the master files of a world, as Holdfast gets them and plain
"""

import pathlib
import random
import sys

import zonerdata

COMMON = [b"a", b"b", b"c", b"d", b"www", b"mail", b"ns", b"x", b"_sip", b"_tcp", b"xn--bcher-kva", b"0", b"-"]
ODD = [b"\0", b"\xff", b".", b"a.b", b"\\", b'"', b" ", b";", b"(", b"@", b"$", b"*x", b"x*", b"**", b"a\x80z", b"\t", b"\n",
       b"[", b"{", b"`", b"^", b"~\x7f", b"\\000", b"l" * 63, b"#", b"/", b"'"]
FOREIGN = [(b"ns", b"example", b"net"), (b"www", b"example", b"org")]
LABEL_MAX, NAME_MAX = 63, 255
CHAIN_MAX = 20
TTLS = [0, 1, 5, 30, 60, 300, 3600, 86400, 604800, 2147483647]


def length(name):
    """Bytes on the wire."""
    return sum(len(label) + 1 for label in name) + 1


def below(name, origin):
    """Is the name the origin or below it?"""
    return len(name) >= len(origin) and name[len(name) - len(origin):] == tuple(origin)


def label_text(label, rng=None):
    """With a random generator, one of the many ways to write it."""
    out = []
    for b in label:
        c = chr(b)
        if b < 128 and c.isalnum() or c in "-_*":
            out.append(f"\\{b:03d}" if rng and rng.random() < 0.02 else c.upper() if rng and rng.random() < 0.1 else c)
        elif not rng or not 33 <= b <= 126:
            out.append(f"\\{b:03d}")
        else:
            out.append("\\" + c if c in '."\\;()@$' else c)
    return "".join(out)


def name_wire(name):
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def name_text(name, rng=None):
    return ".".join(label_text(label, rng) for label in name) + "."


class Zone:
    """Records by name and type: {name: {type: (ttl, [rdata, ...])}}; an rdata is a list of texts and names (tuples)."""

    def __init__(self, origin):
        self.origin = tuple(origin)
        self.records = {}
        self.nodes = set()  # names that exist, empty non-terminals included

    def add(self, name, rtype, ttl, rdata):
        types = self.records.setdefault(name, {})
        types.setdefault(rtype, (ttl, []))[1].append(rdata)
        for i in range(len(name) - len(self.origin) + 1):
            self.nodes.add(name[i:])

    def types(self, name):
        return self.records.get(name, {})

    def cut(self, name):
        """The delegation that the name lies at or below, the highest one."""
        for i in range(len(name) - len(self.origin) - 1, -1, -1):
            if "NS" in self.types(name[i:]):
                return name[i:]
        return None

    def redirected(self, name):
        """Does the name lie below a DNAME, or has it one itself?"""
        return any("DNAME" in self.types(name[i:]) for i in range(len(name) - len(self.origin) + 1))

    def answering(self, name):
        """The node that answers for a name of the zone, by RFC 4592; None for none."""
        if name in self.nodes:
            return name
        for i in range(1, len(name) - len(self.origin) + 1):
            if name[i:] in self.nodes:
                star = (b"*",) + name[i:]
                return star if star in self.nodes else None
        return None

    def alias(self, name):
        """What the name is an alias of, in this zone; None where it is none."""
        node = self.answering(name) if below(name, self.origin) else None
        return self.types(node)["CNAME"][1][0][0] if node is not None and "CNAME" in self.types(node) else None

    def text(self, rng):
        return zonerdata.MasterFile(self, rng).write()

    def plain(self):
        return zonerdata.plain(self)


class World:
    def __init__(self, seed, root=False, longest=NAME_MAX):
        """root: with the root zone; longest: bytes of the longest name in a zone."""
        self.seed, self.longest = seed, longest
        self.rng = random.Random(f"world {seed}")
        self.top = (f"w{seed}".encode(),)
        rng, top = self.rng, self.top
        main = (b"main",) + top
        origins = [main, (b"other",) + top, (b"child",) + main]
        if rng.random() < 0.5:
            origins.append((b"hidden",) + main)  # served, but not delegated
        if rng.random() < 0.3:
            origins.append((b"far", b"deep") + main)  # below an empty non-terminal or a cut
        if rng.random() < 0.3:
            origins.append((b"grand", b"child") + main)
        if rng.random() < 0.4:
            origins.append(top)  # the parent of all
        if root:
            origins.append(())
        self.zones = [Zone(o) for o in sorted(origins, key=len)]
        makers = [Maker(self, zone) for zone in self.zones]
        for maker in makers:
            maker.make()
        for _ in range(rng.choice([2, 4, 8])):
            self.cross(makers)
        for maker in makers:
            maker.repair()
        self.files = {zone.origin: (zone.text(rng), zone.plain()) for zone in self.zones}

    def cross(self, makers):
        """A chain from zone to zone: aliases, names below a DNAME, at wildcards, at and below cuts; it ends anywhere."""
        rng = self.rng
        target = rng.choice(makers).end()
        for maker in rng.choices(makers, k=rng.choice([1, 2, 3, 5])):
            name = maker.fresh()
            if maker.zone.types(name) or length(name) > NAME_MAX - 70:
                continue
            kind = rng.random()
            if kind < 0.6:
                maker.zone.add(name, "CNAME", rng.choice(TTLS), [target])
            elif kind < 0.75 and not any(below(n, name) for z in self.zones for n in z.nodes):
                maker.zone.add(name, "DNAME", rng.choice(TTLS), [target])
                name = (rng.choice(COMMON),) + name
            elif kind < 0.85:
                name = (b"*",) + name
                if not maker.zone.redirected(name) and not maker.zone.types(name):
                    maker.zone.add(name, "CNAME", rng.choice(TTLS), [target])
                    name = (rng.choice(COMMON),) + name[1:]
            else:
                maker.zone.add(name, rng.choice(["SVCB", "HTTPS"]), rng.choice(TTLS), ["0", target])
            target = name

    def outside(self):
        return self.rng.choice([(b"nowhere",) + self.top, (b"a", b"b", b"elsewhere") + self.top, *FOREIGN])


class Maker:
    """Fills one zone."""

    def __init__(self, world, zone):
        self.world, self.zone, self.rng = world, zone, world.rng
        self.names = [zone.origin]  # to hang more names on
        self.hosts = []

    # ---- names ----

    def label(self):
        rng, dice = self.rng, self.rng.random()
        if dice < 0.7:
            return rng.choice(COMMON)
        if dice < 0.85:
            return rng.choice(ODD)
        if dice < 0.93:
            return bytes(rng.randrange(256) for _ in range(rng.randint(1, 5))).lower()
        return f"h{rng.randrange(1000)}".encode()

    def under(self, parent, depth=None):
        """A name below the parent, as deep as fits."""
        name = parent
        for _ in range(depth or self.rng.choice([1, 1, 1, 1, 2, 2, 3])):
            longer = (self.label(),) + name
            if length(longer) > NAME_MAX - 12:
                break
            name = longer
        return name

    def fresh(self, free_of_cuts=True):
        """A name without records that may get some."""
        for _ in range(50):
            name = self.under(self.rng.choice(self.names))
            if name == self.zone.origin or self.zone.types(name) or name[:1] == (b"*",) or self.zone.redirected(name):
                continue
            if free_of_cuts and self.zone.cut(name):
                continue
            return name
        return (f"u{self.rng.randrange(10**9)}".encode(),) + self.zone.origin

    def keep(self, name):
        self.names.append(name)
        return name

    def target(self):
        """Where records point: anything, existing or not."""
        rng, zone, dice = self.rng, self.zone, self.rng.random()
        if dice < 0.45:
            return rng.choice(sorted(zone.nodes))
        if dice < 0.65:
            return self.under(rng.choice(sorted(zone.nodes)))
        if dice < 0.85:
            other = rng.choice(self.world.zones)
            return self.under(other.origin) if not other.nodes else rng.choice(sorted(other.nodes))
        if dice < 0.9:
            return ()
        return self.world.outside()

    def end(self):
        """What a chain may lead to in this zone."""
        rng, nodes = self.rng, sorted(self.zone.nodes)
        kinds = [[n for n in nodes if want & set(self.zone.types(n))] for want in ({"NS"}, {"DNAME"}, {"CNAME"})]
        kinds += [[n[1:] for n in nodes if n[:1] == (b"*",)], self.hosts, nodes]
        name = rng.choice(rng.choice([k for k in kinds if k]))
        return self.under(name) if rng.random() < 0.4 else name

    # ---- records ----

    def add(self, name, rtype, ttl=None, count=1):
        types = self.zone.types(name)
        if "CNAME" in types or (rtype == "CNAME" and types) or length(name) > NAME_MAX:
            return
        ttl = types[rtype][0] if rtype in types else self.rng.choice(TTLS) if ttl is None else ttl
        for _ in range(count):
            rdata = zonerdata.make(rtype, self.rng, self.target)
            if rdata not in self.zone.types(name).get(rtype, (0, []))[1]:
                self.zone.add(name, rtype, ttl, rdata)

    def host(self, name):
        rng = self.rng
        kinds = rng.choice([("A",), ("AAAA",), ("A", "AAAA")])
        for rtype in kinds:
            self.add(name, rtype, count=rng.choice([1, 1, 2, 4]))
        if not self.zone.cut(name) and name[:1] != (b"*",) and "CNAME" not in self.zone.types(name):
            self.hosts.append(name)

    def mixed(self, name):
        for rtype in self.rng.sample(sorted(zonerdata.MAKERS), self.rng.randint(1, 5)):
            parents = rtype == "DS" and name == self.zone.origin  # RFC 4035 2.4
            if rtype not in ("NS", "SOA", "CNAME", "DNAME") and not parents:
                self.add(name, rtype, count=self.rng.choice([1, 1, 2, 3]))

    def pointers(self, name):
        self.add(name, self.rng.choice(["MX", "SRV", "MX", "SRV", "KX", "AFSDB", "RT", "NAPTR", "SVCB", "HTTPS"]),
                 count=self.rng.randint(1, 4))

    def big(self, name):
        """A set that does not fit everywhere."""
        rng = self.rng
        ttl, size = rng.choice(TTLS), rng.choice([400, 600, 1100, 1300, 2000, 5000, 20000])
        while size > 0:
            text = "".join(rng.choice("abcdefgh ") for _ in range(rng.randint(1, 255)))
            self.zone.add(name, "TXT", ttl, [text.encode()])
            size -= len(text)

    def crowd(self, name):
        """Many addresses, or many pointers, so that sections outgrow a message."""
        rng = self.rng
        rtype = rng.choice(["A", "AAAA", "MX", "SRV", "PTR"])
        self.add(name, rtype, count=rng.choice([20, 35, 60, 100]))

    # ---- shapes ----

    def alias(self):
        name = self.keep(self.fresh())
        if not self.zone.types(name):
            self.zone.add(name, "CNAME", self.rng.choice(TTLS), [self.target()])

    def chain(self):
        """Aliases of aliases; the last leads anywhere, or back."""
        rng = self.rng
        links = []
        for _ in range(rng.choice([2, 3, 4, 8, CHAIN_MAX])):
            name = self.fresh()
            if name not in links:
                links.append(name)
        ends = [self.target(), self.target(), rng.choice(links), self.world.outside()]
        for name, target in zip(links, links[1:] + [rng.choice(ends)]):
            self.zone.add(name, "CNAME", rng.choice(TTLS), [target])
            self.keep(name)

    def wildcard(self):
        rng = self.rng
        parent = rng.choice(self.names)
        name = (b"*",) + (parent if rng.random() < 0.5 else self.under(parent))
        if self.zone.types(name) or self.zone.redirected(name) or length(name) > NAME_MAX - 70:
            return
        kind = rng.random()
        if kind < 0.1 and not self.zone.cut(name):  # the wildcard itself is empty
            name = self.under(name)
            if not self.zone.types(name) and not self.zone.redirected(name):
                self.host(name)
        elif kind < 0.4:
            self.host(name)
        elif kind < 0.7:
            ends = [self.target(), self.target(), self.under(name[1:]), (b"*",) + name[1:], self.under(name)]
            self.zone.add(name, "CNAME", rng.choice(TTLS), [rng.choice(ends)])
        elif kind < 0.8:
            self.pointers(name)
        elif kind < 0.9:
            self.mixed(name)
        else:
            self.big(name)
        if rng.random() < 0.3:
            self.keep(name)  # names below a wildcard exist too

    def dname(self):
        name = self.fresh()
        # NSD takes what another of its zones has below it, occluded there, for its own.
        if self.zone.redirected(name) or any(below(n, name) for z in self.world.zones for n in z.nodes):
            return
        self.zone.add(name, "DNAME", self.rng.choice(TTLS), [self.target()])
        if self.rng.random() < 0.5:
            self.add(name, "TXT")

    # ---- delegations ----

    def server_of(self, cut):
        """A name server for a delegation: with glue, with an address elsewhere, a sibling's, or far away."""
        rng, zone, dice = self.rng, self.zone, self.rng.random()
        if dice < 0.45:
            name = rng.choice([cut, (b"ns",) + cut, (rng.choice(ODD),) + cut, (b"ns1", b"net") + cut])
            if length(name) < NAME_MAX and "CNAME" not in zone.types(name):
                if not {"A", "AAAA"} & set(zone.types(name)):
                    self.glue(name)
                return name
        if dice < 0.6 and self.hosts:
            return rng.choice(self.hosts)
        if dice < 0.75:  # below another cut, with or without glue
            cuts = sorted(n for n in zone.records if "NS" in zone.types(n) and n != zone.origin and zone.cut(n) == n)
            if cuts:
                other = rng.choice(cuts)
                known = [n for n in sorted(zone.records) if below(n, other) and {"A", "AAAA"} & set(zone.types(n))]
                if not below(other, cut) and not below(cut, other):
                    return rng.choice(known + [(b"unknown",) + other]) if length(other) < 240 else other
        return self.world.outside()

    def glue(self, name):
        ttl = self.rng.choice(TTLS)
        for rtype in self.rng.choice([("A",), ("AAAA",), ("A", "AAAA")]):
            for _ in range(self.rng.choice([1, 1, 2])):
                self.zone.add(name, rtype, ttl, zonerdata.make(rtype, self.rng, self.target))

    def cut_at(self, name):
        rng, zone = self.rng, self.zone
        if length(name) > 200 or zone.types(name) or zone.redirected(name) or name[:1] == (b"*",):
            return
        if b"*" in name and zone.cut(name):
            return
        ttl = rng.choice(TTLS)
        for _ in range(rng.choice([1, 2, 2, 3, 13])):
            server = self.server_of(name)
            if below(server, zone.origin) and not zone.cut(server) and zone.alias(server) is not None:
                continue
            rdata = [server]
            if rdata not in zone.types(name).get("NS", (0, []))[1]:
                zone.add(name, "NS", ttl, rdata)
        if "NS" not in zone.types(name):
            zone.add(name, "NS", ttl, [self.world.outside()])
        if rng.random() < 0.4:
            self.add(name, "DS", count=rng.randint(1, 2))
        if rng.random() < 0.2:
            self.mixed(name)  # occluded, but for DS
        for _ in range(rng.choice([0, 0, 1, 3])):
            self.occluded(self.under(name))
        self.keep(name)

    def occluded(self, name):
        """Below a delegation, so never an answer."""
        rng, zone = self.rng, self.zone
        if zone.types(name) or zone.redirected(name):
            return
        kind = rng.random()
        if kind < 0.5:
            self.glue(name)
        elif kind < 0.7:
            zone.add(name, "CNAME", 60, [self.target()])
        elif kind < 0.8 and length(name) < 250 and (b"*",) + name not in zone.records:
            zone.add((b"*",) + name, "A", 60, ["192.0.2.99"])
        elif kind < 0.9:
            zone.add(name, "NS", 60, [self.world.outside()])
        else:
            self.mixed(name)

    # ---- the whole ----

    def apex(self):
        rng, zone = self.rng, self.zone
        soa = [(b"ns",) + zone.origin, (b"host.master",) + zone.origin, str(rng.randrange(2**32)), "7200", "3600",
               "1209600", str(rng.choice([0, 5, 60, 300, 86400]))]
        zone.add(zone.origin, "SOA", rng.choice(TTLS), soa)
        servers = [(b"ns",) + zone.origin, (b"ns2", b"servers") + zone.origin]
        for server in servers:
            self.host(server)
        ttl = rng.choice(TTLS)
        foreign = FOREIGN if zone.origin else servers  # nothing is foreign to the root
        for server in dict.fromkeys(rng.choice([servers, servers[:1], servers + foreign[:1], foreign])):
            zone.add(zone.origin, "NS", ttl, [server])
        for _ in range(rng.choice([0, 1, 3])):
            rng.choice([self.mixed, self.pointers, self.host])(zone.origin)

    def make(self):
        rng, zone = self.rng, self.zone
        self.apex()
        others = [z.origin for z in self.world.zones if z is not zone and below(z.origin, zone.origin)]
        for origin in others:
            if origin[0] != b"hidden" and rng.random() < 0.85 and not zone.cut(origin):
                self.cut_at(origin)
        shapes = [(12, lambda: self.host(self.keep(self.fresh()))), (5, self.alias), (3, self.chain),
                  (5, lambda: self.cut_at(self.fresh())), (6, self.wildcard),
                  (4, lambda: self.pointers(self.keep(self.fresh()))), (4, lambda: self.mixed(self.keep(self.fresh()))),
                  (2, lambda: self.big(self.keep(self.fresh()))), (2, lambda: self.crowd(self.keep(self.fresh()))),
                  (2, lambda: self.occluded(self.fresh(free_of_cuts=False))), (1, self.deep), (3, self.dname)]
        for _ in range(rng.choice([10, 25, 50])):
            rng.choices([s for _, s in shapes], [w for w, _ in shapes])[0]()
        self.repair()

    def deep(self):
        """As many labels, or as many bytes, as a name can have."""
        rng = self.rng
        name = self.zone.origin
        labels = rng.choice([[b"d"], [b"l" * LABEL_MAX], [b"a", b"\xfe" * 20]])
        while length(name) + len(labels[0]) + 1 <= self.world.longest:
            name = (rng.choice(labels),) + name
            if length(name) > self.world.longest:
                return
        if not self.zone.types(name) and not self.zone.cut(name) and not self.zone.redirected(name):
            rng.choice([self.host, self.mixed])(name)

    def repair(self):
        """What was added later may have made a name server an alias."""
        zone = self.zone
        spare = [(b"ns",) + zone.origin]
        for name in sorted(zone.records):
            types = zone.types(name)
            if "NS" in types:
                ttl, servers = types["NS"]
                types["NS"] = (ttl, [s for s in servers if self.serves(name, s[0])] or [spare])

    def serves(self, owner, server):
        zone = self.zone
        if not below(server, zone.origin):
            return True
        if owner != zone.origin and below(server, owner):
            return bool({"A", "AAAA"} & set(zone.types(server)))
        if zone.cut(server):
            return True
        node = zone.answering(server)
        if node is not None and "CNAME" in zone.types(node):
            return False
        return owner != zone.origin or (node is not None and bool({"A", "AAAA"} & set(zone.types(node))))


# ---- questions ----

class Question:
    """One query: what dig would be told."""

    __slots__ = ("name", "rtype", "edns", "dnssec", "recurse", "tcp", "wire_name", "rclass")

    def __init__(self, name, rtype, edns=None, dnssec=False, recurse=False, tcp=False, rng=None, rclass=1):
        self.name, self.rtype, self.edns, self.dnssec, self.recurse, self.tcp = name, rtype, edns, dnssec, recurse, tcp
        self.rclass = rclass
        wire = name_wire(name)
        if rng:  # lengths are below the letters
            wire = bytes(b ^ 0x20 if (65 <= b <= 90 or 97 <= b <= 122) and rng.random() < 0.3 else b for b in wire)
        self.wire_name = wire

    def again(self, wire_name=None, rtype=None, tcp=False):
        """The same about another name or type, or over TCP."""
        other = Question(self.name, rtype or self.rtype, self.edns, self.dnssec, self.recurse, tcp, rclass=self.rclass)
        other.wire_name = wire_name or self.wire_name
        return other

    def wire(self, number):
        """The message, with this id."""
        out = number.to_bytes(2, "big") + (b"\1\0" if self.recurse else b"\0\0") + b"\0\1\0\0\0\0"
        out += (b"\0\1" if self.edns else b"\0\0") + self.wire_name + self.rtype.to_bytes(2, "big") + (
            self.rclass.to_bytes(2, "big"))
        if self.edns:
            out += b"\0\0\x29" + self.edns.to_bytes(2, "big") + b"\0\0" + (b"\x80\0" if self.dnssec else b"\0\0") + b"\0\0"
        return out

    def dig(self):
        options = ["+rec" if self.recurse else "+norec", f"+bufsize={self.edns}" if self.edns else "+noedns"]
        options += ["+dnssec"] * self.dnssec + ["+tcp" if self.tcp else "+ignore"] + ["+nocookie"] * bool(self.edns)
        name = name_text(self.name).replace("'", "'\\''")
        return f"dig '{name}' CLASS{self.rclass} TYPE{self.rtype} {' '.join(options)}"


OFTEN = ["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SOA", "SRV", "DS", "ANY"]
SELDOM = [65280, 10, 99, 46, 47, 48, 50, 51, 39, 64, 65, 257, 12, 6, 65535, 130, 31337]

CLASSES = [0, 2, 3, 4, 254, 255, 256, 65535]  # CH 3, HS 4, NONE 254, ANY 255


class Questioner:
    """Questions about a world: its names, their parents, children and siblings, and names of no one."""

    def __init__(self, world, signed=False):
        self.world, self.signed = world, signed
        self.rng = random.Random(f"questions {world.seed}")
        self.known = sorted({n for z in world.zones for n in z.nodes})
        self.types = {}
        for zone in world.zones:
            for name, types in zone.records.items():
                self.types.setdefault(name, set()).update(types)

    def name(self):
        rng = self.rng
        name, dice = rng.choice(self.known), rng.random()
        if dice < 0.45:
            return name
        if dice < 0.6:  # a child
            return self.fit((rng.choice([*COMMON, *ODD, b"*", b"nx", b"zz"]),) + name)
        if dice < 0.68:
            return self.fit((b"p", rng.choice(COMMON)) + name)
        if dice < 0.78:  # a sibling
            return self.fit((rng.choice([*COMMON, b"*", b"\xff\xff", bytes([rng.randrange(256)])]),) + name[1:])
        if dice < 0.86:  # an ancestor
            return name[rng.randint(0, len(name)):]
        if dice < 0.9:  # one byte off
            return self.fit((name[0][:-1] + bytes([(name[0][-1] + 1) % 256]),) + name[1:]) if name else name
        if dice < 0.94:  # very long
            return self.fill(name)
        if dice < 0.97:
            targets = [p for z in self.world.zones for t in z.records.values() for _, rs in t.values() for r in rs for p in r
                       if isinstance(p, tuple)]
            return rng.choice(targets)
        return self.world.outside()

    def fit(self, name):
        while length(name) > NAME_MAX:
            name = name[1:]
        return name

    def fill(self, name):
        label = self.rng.choice([b"q", b"q" * 9, b"q" * LABEL_MAX])
        while length(name) + len(label) + 1 <= NAME_MAX:
            name = (label,) + name
        return name

    def rtype(self, name):
        rng, dice = self.rng, self.rng.random()
        held = sorted(self.types.get(name, ()) or self.types.get((b"*",) + name[1:], ()))
        if dice < 0.5 and held:
            return zonerdata.number(rng.choice(held))
        if dice < 0.9:
            return zonerdata.number(rng.choice(OFTEN))
        if dice < 0.95:
            return zonerdata.number(rng.choice(sorted(zonerdata.MAKERS)))
        return rng.choice(SELDOM)

    def question(self):
        rng = self.rng
        name = self.name()
        edns = rng.choice([None, None, 512, 1232, 1232, 4096, 0, 65535, 700])
        if edns == 0:
            edns = 100  # less than what everybody must take: counts as 512
        return Question(name, self.rtype(name), edns, dnssec=bool(edns) and rng.random() < (0.8 if self.signed else 0.4),
                        recurse=rng.random() < 0.3, tcp=rng.random() < 0.03, rng=rng,
                        rclass=1 if rng.random() < 0.99 else rng.choice(CLASSES))

    def questions(self, count):
        return [self.question() for _ in range(count)]


def main():
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    for origin, (text, plain) in World(int(sys.argv[1])).files.items():
        for end, content in (("zone", text), ("plain", plain)):
            path = folder / (name_text(origin) + end)
            path.write_text(content)
            print(path)


if __name__ == "__main__":
    main()
