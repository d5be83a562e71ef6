/* The name servers that a host's resolv.conf(5) names. Pure. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include <stddef.h>
#include <stdint.h>

enum {
    RESOLVERS_MAX = 3, /* more are not looked at, as in the C library */
    RESOLVERS_FILE_MAX = 1 << 16,
    RESOLVERS_PORT = 53,
};

struct resolver {
    struct ip ip;
    uint16_t port;
};

/* Reads "nameserver ADDRESS" lines; others, and addresses with a zone (fe80::1%eth0), are passed
 * over. Returns how many there are; where there is none, this host is its own. */
uint32_t resolvers_parse(const char *text, size_t length,
                         struct resolver ret[static RESOLVERS_MAX]);
