/* ICMP echo, both families (RFC 792, RFC 4443): packets out, packets in. Pure.
 *
 * A reply is ours by a cookie in the payload: a secret that nobody off the path knows, and which
 * probe it belongs to. Error messages may carry back no more than the first 8 bytes of what we sent
 * (RFC 792): they are ours by identifier, sequence and destination. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ICMP_COOKIE_SIZE = 16, ICMP_ECHO_SIZE = 8 + ICMP_COOKIE_SIZE };

struct icmp_echo {
    uint16_t identifier, sequence;
    bool has_cookie;
    uint64_t secret;
    uint32_t slot, serial;
};

/* The request's packet. The checksum is filled for IPv4; for IPv6 the kernel does it. */
void icmp_echo_write(enum ip_family family, const struct icmp_echo *echo,
                     uint8_t ret_packet[static ICMP_ECHO_SIZE]);

enum icmp_kind {
    ICMP_FOREIGN,     /* broken, or nothing that we asked for */
    ICMP_REPLY,       /* echo reply with a cookie */
    ICMP_UNREACHABLE, /* an error about an echo request; *ret_to is where that was sent */
};

/* What a raw socket (header: an IPv4 header stands before the message) or a datagram socket
 * received. ret_ untouched for ICMP_FOREIGN; ret_to only set for ICMP_UNREACHABLE. */
enum icmp_kind icmp_read(enum ip_family family, bool header, const void *data, size_t length,
                         struct icmp_echo *ret_echo, struct ip *ret_to);

/* A message of ours that comes back from a socket's error queue: true when it is an echo request.
 */
bool icmp_request_read(enum ip_family family, const void *data, size_t length,
                       struct icmp_echo *ret_echo);
