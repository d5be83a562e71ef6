/* A DNS query and what its answer says: as much of RFC 1035 as a probe needs. Pure. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "wire/dname.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNSPROBE_QUERY_MAX = 12 + DNAME_MAX + 4 + 11,
    DNSPROBE_ADDRESSES_MAX = 8, /* of an answer; more are counted */
    DNSPROBE_UDP_SIZE = 1232,   /* offered by EDNS(0) (RFC 6891): more may be fragmented */
};

struct dnsprobe {
    uint8_t name[DNAME_MAX]; /* lower wire form */
    size_t name_length;
    uint16_t type;
    bool has_expect;
    struct ip expect; /* an address that must be among the answers */
};

/* The query, recursion desired (an authoritative server does not mind); returns its length. */
size_t dnsprobe_write(const struct dnsprobe *p, uint16_t id,
                      uint8_t ret_query[static DNSPROBE_QUERY_MAX]);

struct dnsprobe_reply {
    uint8_t rcode;
    bool truncated;
    bool expected;                               /* the expected address was there */
    unsigned answers;                            /* records of the type asked for */
    struct ip addresses[DNSPROBE_ADDRESSES_MAX]; /* where that is A or AAAA: each once */
    unsigned address_count;
};

/* 0; ERR_MISSING: not an answer to this query (wait on); ERR_SYNTAX: ours, but broken. */
must_check int dnsprobe_read(const struct dnsprobe *p, uint16_t id, const void *data, size_t length,
                             struct dnsprobe_reply *ret);
