/* The PROXY protocol, version 2: what a proxy in front says of whom it speaks for (HAProxy's
 * proxy-protocol.txt, 2.2 and 2.3). The first version, in text, is not read. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"

enum {
    PROXY2_HEAD = 16,
    PROXY2_MAX = 2048, /* longer ones, by what is added to the addresses, are refused */
};

struct proxy2 {
    bool speaks_for; /* false: for itself; the client is who is connected */
    struct ip client;
    uint16_t port;
    size_t length; /* of the header: what is said follows */
};

/* 0; ERR_TRUNCATED: it goes on after these bytes; ERR_SYNTAX: it is none, or of a kind that tells
 * no address of the internet. */
must_check int proxy2_parse(const uint8_t *data, size_t length, struct proxy2 *ret);
