/* IP addresses and prefixes, without sockets. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ip_family { IP_V4 = 0, IP_V6 = 1 };
enum { IP_FAMILIES = 2 };

/* Network byte order; a v4 address uses the first 4 bytes and the rest is zero, so that two
 * addresses of one family compare with memcmp. */
struct ip {
    uint8_t bytes[16];
    uint8_t family; /* enum ip_family */
};

struct ip_prefix {
    struct ip ip;   /* host bits are zero */
    uint8_t length; /* 0..32 or 0..128 */
};

enum { IP_TEXT_MAX = 46, IP_PREFIX_TEXT_MAX = 50, IP_PORT_TEXT_MAX = 56 };

/* "192.0.2.1" or "2001:db8::1" (no zone, no brackets): 0 or ERR_SYNTAX. */
must_check int ip_parse(const char *string, struct ip *ret);
char *ip_format(const struct ip *ip, char buffer[static IP_TEXT_MAX]);
/* "192.0.2.0/24"; ERR_INVALID where bits are set below the length (the text says 192.0.2.1/24). */
must_check int ip_prefix_parse(const char *string, struct ip_prefix *ret);
char *ip_prefix_format(const struct ip_prefix *p, char buffer[static IP_PREFIX_TEXT_MAX]);
/* "127.0.0.1:53" or "[::1]:53": 0, ERR_SYNTAX. */
must_check int ip_port_parse(const char *string, struct ip *ret_ip, uint16_t *ret_port);
char *ip_port_format(const struct ip *ip, uint16_t port, char buffer[static IP_PORT_TEXT_MAX]);

static inline size_t ip_size(const struct ip *ip)
{
    return ip->family == IP_V6 ? 16 : 4;
}
static inline unsigned ip_bits(const struct ip *ip)
{
    return ip->family == IP_V6 ? 128 : 32;
}
pure_function bool ip_equal(const struct ip *a, const struct ip *b);
pure_function bool ip_prefix_contains(const struct ip_prefix *p, const struct ip *ip);
/* The address with all bits past `length` cleared. */
struct ip ip_mask(const struct ip *ip, unsigned length);
