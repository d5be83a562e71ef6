"""A writer of small MaxMind DB files (format 2.0), for tests.

Only what geography needs: maps, arrays, strings, unsigned integers; the tree is built bit by bit in
memory. IPv4 networks lie under ::/96, and ::ffff:0:0/96 and 2002::/16 are aliases of that place, as
in the files that users have.

    python3 test/mmdb_writer.py test/data/small.mmdb
    python3 test/mmdb_writer.py test/data/cities.mmdb
"""
import ipaddress
import struct
import sys

MAP, ARRAY, STRING, DOUBLE, UINT16, UINT32, UINT64 = 7, 11, 2, 3, 5, 6, 9


def control(kind, size):
    if size < 29:
        short, more = size, b""
    else:
        short, more = 29, bytes([size - 29])
        assert size - 29 < 256
    if kind <= 7:
        return bytes([kind << 5 | short]) + more
    return bytes([short, kind - 7]) + more


def integer(kind, value):
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(data)) + data


def encode(value, kind=UINT32):
    if isinstance(value, str):
        data = value.encode()
        return control(STRING, len(data)) + data
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(encode(v) for v in value)
    return integer(kind, value)


class Tree:
    """Nodes of two records; a record is None, ("node", i) or ("data", offset)."""

    def __init__(self):
        self.nodes = [[None, None]]

    def descend(self, bits):
        """The node and side where the last bit ends, splitting what covered it."""
        at = 0
        for bit in bits[:-1]:
            record = self.nodes[at][bit]
            if record is None or record[0] == "data":
                self.nodes.append([record, record])
                self.nodes[at][bit] = ("node", len(self.nodes) - 1)
            at = self.nodes[at][bit][1]
        return at, bits[-1]

    def put(self, bits, record):
        at, side = self.descend(bits)
        self.nodes[at][side] = record


def bits_of(network, version):
    network = ipaddress.ip_network(network)
    width = 32 if network.version == 4 else 128
    number = int(network.network_address)
    bits = [number >> (width - 1 - i) & 1 for i in range(network.prefixlen)]
    return [0] * 96 + bits if version == 6 and network.version == 4 else bits


def make(networks, version=6, record_size=24, aliases=True, epoch=1700000000):
    """The bytes of a file. networks: {"192.0.2.0/24": {...}}; wider ones first where they nest."""
    tree, data, offsets = Tree(), b"", {}
    for network, value in networks.items():
        encoded = encode(value)
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        tree.put(bits_of(network, version), ("data", offsets[encoded]))
    if version == 6 and aliases:
        at, side = tree.descend([0] * 96)
        start = tree.nodes[at][side]
        if start and start[0] == "node":
            tree.put(bits_of("::ffff:0:0/96", 6), start)
            tree.put(bits_of("2002::/16", 6), start)

    count = len(tree.nodes)

    def number(record):
        if record is None:
            return count
        return record[1] if record[0] == "node" else count + 16 + record[1]

    search = b""
    for left, right in tree.nodes:
        a, b = number(left), number(right)
        if record_size == 24:
            search += a.to_bytes(3, "big") + b.to_bytes(3, "big")
        elif record_size == 28:
            search += ((a & 0xffffff).to_bytes(3, "big") + bytes([(a >> 24) << 4 | b >> 24])
                       + (b & 0xffffff).to_bytes(3, "big"))
        else:
            search += struct.pack(">II", a, b)
    metadata = control(MAP, 9)
    for key, value in [("binary_format_major_version", integer(UINT16, 2)),
                       ("binary_format_minor_version", integer(UINT16, 0)),
                       ("build_epoch", integer(UINT64, epoch)),
                       ("database_type", encode("Test-City")),
                       ("description", encode({"en": "networks for tests"})),
                       ("ip_version", integer(UINT16, version)),
                       ("languages", encode(["en"])),
                       ("node_count", integer(UINT32, count)),
                       ("record_size", integer(UINT16, record_size))]:
        metadata += encode(key) + value
    return search + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + metadata


def place(continent=None, country=None, subdivision=None, at=None):
    value = {}
    if at:
        value["location"] = {"latitude": float(at[0]), "longitude": float(at[1])}
    if continent:
        value["continent"] = {"code": continent, "names": {"en": continent}}
    if country:
        value["country"] = {"geoname_id": 1, "iso_code": country}
    if subdivision:
        value["subdivisions"] = [{"iso_code": subdivision}]
    return value


# Networks for documentation (RFC 5737, RFC 3849) and tests only.
SMALL = {
    "198.51.100.0/24": place("NA", "US"),
    "198.51.100.0/26": place("NA", "US", "CA"),
    "198.51.100.64/26": place("NA", "US", "OR"),
    "203.0.113.0/24": place("EU", "DE"),
    "203.0.113.128/25": place("EU", "FR"),
    "192.0.2.0/25": place("AF", "NA"),
    "192.0.2.128/26": place("EU"),
    "192.0.2.192/26": {"location": {"time_zone": "UTC"}},
    "2001:db8::/32": place("AS", "JP"),
    "2001:db8:1::/48": place("AS", "JP", "13"),
    "2001:db8:2::/48": place("EU", "GB", "ENG"),
}

# What has coordinates, and what has a country alone.
CITIES = {
    "198.51.100.0/26": place("NA", "US", "CA", (37.8, -122.4)),   # San Francisco
    "198.51.100.64/26": place("NA", "US", "NY", (40.7, -74.0)),   # New York
    "198.51.100.128/26": place("OC", "NZ", None, (-36.8, 174.8)),  # Auckland
    "203.0.113.0/26": place("EU", "BE"),
    "203.0.113.64/26": place("AS", "KR"),
    "203.0.113.128/26": place("EU", "ZZ"),
    "203.0.113.192/26": {"location": {"latitude": 95.5, "longitude": "east"}},
    "2001:db8::/32": place("EU", "FR", None, (48.9, 2.4)),
}

if __name__ == "__main__":
    with open(sys.argv[1], "wb") as f:
        f.write(make(CITIES if "cities" in sys.argv[1] else SMALL))
