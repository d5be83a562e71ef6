/* Record data: presentation form and wire form of every type, from one table of fields.
 *
 * "Canonical" here: uncompressed, domain names lower (RFC 4034 6.2), but for those of NSEC
 * and newer types, over which signatures are made as they are written (RFC 6840 5.1). Types that
 * the table does not know are read and written as RFC 3597 says: \# length hex. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include "wire/lexer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RDATA_MAX = 65535, DNS_TYPE_TEXT_MAX = 12 };

/* "MX" or "TYPE15", in any case: 0 or ERR_SYNTAX. Query-only types (ANY, AXFR) are known too. */
must_check int dns_type_parse(const char *text, size_t length, uint16_t *ret_type);
/* "MX", or "TYPE65400" where there is no name; returns buffer. */
char *dns_type_format(uint16_t type, char buffer[static DNS_TYPE_TEXT_MAX]);
/* Types that can only be asked for or are part of the protocol (OPT, TSIG, AXFR, ANY...). */
const_function bool dns_type_is_meta(uint16_t type);

/* What was wrong; strings are static. One of the two is set. */
struct rdata_problem {
    const char *wanted;   /* "an IPv4 address": what should stand where the lexer's last token is */
    const char *sentence; /* or a whole sentence */
};

/* Reads what remains of an entry as data of `type`, its end included. origin: lower wire form.
 * 0, or ERR_SYNTAX; then the lexer's last token is where the problem lies. */
must_check int rdata_parse(struct lexer *l, uint16_t type, const uint8_t *origin,
                           uint8_t ret_data[static RDATA_MAX], uint16_t *ret_length,
                           struct rdata_problem *ret_problem);
/* Appends the presentation form on one line, names absolute. Data that is not well-formed for its
 * type comes out as \# length hex, so it takes any bytes. */
void rdata_format(uint16_t type, const uint8_t *data, uint16_t length, struct text *out);
/* Is this well-formed, canonical data of its type? Unknown types: always. */
pure_function bool rdata_check(uint16_t type, const uint8_t *data, uint16_t length);
/* Makes data that came in a message, its names uncompressed, canonical; false (and maybe half
 * lowered) where it is not well-formed. */
must_check bool rdata_lower(uint16_t type, uint8_t *data, uint16_t length);
/* Where the names lie that may be compressed in messages (RFC 3597 4: only those of RFC 1035's
 * types): their number, 0..2. The data must have passed rdata_check. */
unsigned rdata_compressible(uint16_t type, const uint8_t *data, uint16_t ret_offsets[static 2]);
/* A name whose addresses belong in the additional section. */
struct rdata_target {
    uint8_t name[DNAME_MAX]; /* lower */
    uint8_t length;          /* 0: the record's owner (RFC 9460 2.5.2) */
    uint8_t offset;          /* of the name in the data */
    bool alias; /* its records of the same type belong there, too (RFC 9460 2.4.2, 4.1) */
};
/* May data of this type point at such a name? NS, MX, SRV, SVCB, HTTPS. */
const_function bool rdata_has_target(uint16_t type);
/* False where it points at none. The data must have passed rdata_check. */
bool rdata_target(uint16_t type, const uint8_t *data, struct rdata_target *ret);
