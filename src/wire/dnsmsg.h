/* Reading and asking DNS messages (RFC 1035 4.1, RFC 6891) from outside: for `holdfast query` and
 * checks, not for the name server's own query path. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/ip.h"
#include "base/text.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include <stdbool.h>
#include <stdint.h>

enum dnsmsg_section { DNSMSG_QUESTION, DNSMSG_ANSWER, DNSMSG_AUTHORITY, DNSMSG_ADDITIONAL };
enum { DNSMSG_SECTIONS = 4 };

/* A message and how far it was read; views the bytes. */
struct dnsmsg {
    struct reader reader;
    uint16_t id, flags;
    uint16_t counts[DNSMSG_SECTIONS];
    unsigned section; /* of the next entry */
    uint16_t taken;   /* entries of that section so far */
};

/* A question, or a record. */
struct dnsmsg_entry {
    enum dnsmsg_section section;
    uint8_t name[DNAME_MAX]; /* uncompressed, letters as they were sent */
    uint16_t type, class;
    uint32_t ttl;        /* 0 for a question */
    size_t rdata_offset; /* in the message */
    struct bytes rdata;  /* as sent, names in it may be compressed; empty for a question */
};

/* Reads the header: 0 or ERR_TRUNCATED. */
must_check int dnsmsg_open(const void *data, size_t length, struct dnsmsg *ret);
static inline unsigned dnsmsg_rcode(const struct dnsmsg *m)
{
    return m->flags & 0xf; /* without the upper bits that EDNS carries */
}
/* 1: *ret is the next entry; 0: the end; ERR_TRUNCATED or ERR_SYNTAX (and so at each further call).
 */
must_check int dnsmsg_next(struct dnsmsg *m, struct dnsmsg_entry *ret);

/* Reads a name at the reader's position, following compression pointers, which must lead backwards
 * (so that no loop is possible); the position moves past the name. The length, or ERR_SYNTAX,
 * ERR_TRUNCATED; ERR_LIMIT where it would be longer than 255 bytes. */
must_check int dnsmsg_name(struct reader *r, uint8_t ret_name[static DNAME_MAX]);

/* The entry's data with the names in it uncompressed, as wire/rdata.h takes it; the length, or an
 * error where the data does not have the form of its type. */
enum { DNSMSG_RDATA_MAX = 65535 };
must_check int dnsmsg_rdata(const struct dnsmsg *m, const struct dnsmsg_entry *e,
                            uint8_t ret_data[static DNSMSG_RDATA_MAX]);

/* Letters in a name in wire form to lower case. */
void dnsmsg_name_lower(uint8_t *name);

struct dnsmsg_query {
    uint16_t id;
    const uint8_t *name; /* wire form */
    uint16_t type, class;
    bool recursion;     /* RD */
    uint16_t edns_size; /* UDP size that we take; 0: no EDNS, and none of what follows */
    bool dnssec, nsid;
    const struct ip_prefix *subnet; /* RFC 7871, or NULL */
};
/* Writes a whole query; w->failed where there is no room (512 bytes always suffice). */
void dnsmsg_query_write(struct writer *w, const struct dnsmsg_query *q);

/* What the OPT record of a reply says. */
struct dnsmsg_edns {
    uint16_t size;
    uint8_t version, rcode_high; /* rcode = rcode_high << 4 | dnsmsg_rcode() */
    bool dnssec;
    struct bytes nsid; /* or empty */
    bool has_subnet;
    struct ip_prefix subnet;
    uint8_t subnet_scope;
    bool has_error; /* RFC 8914 */
    uint16_t error;
    struct bytes error_text;
};
/* e: an entry of type OPT. 0, or ERR_SYNTAX where its options are malformed. */
must_check int dnsmsg_edns_parse(const struct dnsmsg_entry *e, struct dnsmsg_edns *ret);
