/* UDP datagrams in Ethernet frames: what a name server that reads raw packets (AF_XDP) needs of
 * RFC 894, 791, 8200 and 768. Pure.
 *
 * Only the plain form is read: no VLAN tag, no IP options or extension headers, no fragment. All
 * else is for the kernel's own stack, which reads everything. */
#pragma once

#include "base/attr.h"
#include <stddef.h>
#include <stdint.h>

enum {
    PACKET_MAC_SIZE = 6,
    PACKET_ETHERNET_SIZE = 14,
    PACKET_IPV4_SIZE = 20,
    PACKET_IPV6_SIZE = 40,
    PACKET_UDP_SIZE = 8,
    PACKET_HEAD_V4 = PACKET_ETHERNET_SIZE + PACKET_IPV4_SIZE + PACKET_UDP_SIZE,
    PACKET_HEAD_V6 = PACKET_ETHERNET_SIZE + PACKET_IPV6_SIZE + PACKET_UDP_SIZE,
    PACKET_HEAD_MAX = PACKET_HEAD_V6,
    PACKET_HOPS = 64, /* time to live, hop limit of what is sent */
};

/* A view of a frame; the pointers point into it. */
struct packet {
    const uint8_t *frame;
    const uint8_t *source, *destination; /* addresses in network order, 4 or 16 bytes */
    const uint8_t *payload;
    uint16_t payload_length;
    uint16_t source_port, destination_port; /* host order */
    uint8_t family;                         /* enum ip_family */
    uint8_t head_length;                    /* of Ethernet, IP and UDP together */
};

/* Reads a frame. What the kernel would not deliver to a socket either is refused: wrong lengths,
 * wrong checksums, a source that nobody may answer (no unicast address, loopback, port 0). A UDP
 * checksum that only covers the pseudo-header passes: a sender on the same machine leaves the rest
 * to a network card that is not there (veth). ERR_INVALID, ERR_TRUNCATED, ERR_CHECKSUM. */
must_check int packet_parse(const uint8_t *frame, size_t length, struct packet *ret);

/* Writes the headers of a reply to `query` in front of a payload that lies at
 * reply + query->head_length, checksums included, and returns the length of the whole frame. The
 * two frames do not overlap; payload_length <= 65535 - 48. identification: IPv4's, different from
 * one packet to the next, for they may be fragmented on their way (RFC 6864 4.2). */
size_t packet_reply(const struct packet *query, uint8_t *reply, size_t payload_length,
                    uint16_t identification);
