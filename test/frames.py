"""Ethernet frames with UDP, to the bit as the test wants them."""

import socket
import struct

V4, V6, VLAN = 0x0800, 0x86dd, 0x8100
HOP_BY_HOP, ROUTING, FRAGMENT, UDP, DESTINATION = 0, 43, 44, 17, 60


def total(data, start=0):
    """The Internet checksum's sum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    start += sum(struct.unpack(f">{len(data) // 2}H", data))
    while start >> 16:
        start = (start >> 16) + (start & 0xffff)
    return start


class Frames:
    """Frames from one host to another. Addresses: MAC addresses as bytes, IP addresses as text."""

    def __init__(self, mac_from, mac_to, v4_from, v4_to, v6_from, v6_to, port_from, port_to):
        self.macs = mac_to + mac_from
        self.v4_from, self.v4_to = socket.inet_aton(v4_from), socket.inet_aton(v4_to)
        self.v6_from, self.v6_to = (socket.inet_pton(socket.AF_INET6, a) for a in (v6_from, v6_to))
        self.port_from, self.port_to = port_from, port_to

    def udp(self, payload, family, checksum=None, extra=0, source=None, port=None):
        """checksum: in place of the right one; extra: added to the length."""
        head = struct.pack(">HHHH", self.port_from if port is None else port, self.port_to, 8 + len(payload) + extra, 0)
        if checksum is None:
            source = source or (self.v4_from if family == V4 else self.v6_from)
            target = self.v4_to if family == V4 else self.v6_to
            pseudo = total(source + target + struct.pack(">HH", UDP, len(head) + len(payload) + extra))
            checksum = (0xffff ^ total(head + payload, pseudo)) or 0xffff
        return head[:6] + struct.pack(">H", checksum) + payload

    def v4(self, payload, flags=0, options=b"", ident=7, tos=0, ttl=64, checksum=None, extra=0, source=None):
        head = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, 20 + len(options) + len(payload) + extra, ident, flags,
                           ttl, UDP, 0, source or self.v4_from, self.v4_to) + options
        if checksum is None:
            checksum = 0xffff ^ total(head)
        return self.ethernet(V4, head[:10] + struct.pack(">H", checksum) + head[12:] + payload)

    def v6(self, payload, following=UDP, hops=64, first=0x60000000, extra=0, source=None):
        head = struct.pack(">IHBB", first, len(payload) + extra, following, hops) + (source or self.v6_from) + self.v6_to
        return self.ethernet(V6, head + payload)

    def ethernet(self, kind, payload):
        return self.macs + struct.pack(">H", kind) + payload

    @staticmethod
    def tagged(frame, vlan):
        return frame[:12] + struct.pack(">HH", VLAN, vlan) + frame[12:]
