/* Digests of whole zones (RFC 8976), scheme SIMPLE: over all records in canonical form and order.
 * Who gives the records sees to both, and leaves out what is not digested (3.3.1: the ZONEMD set of
 * the apex and its signatures). */
#pragma once

#include "base/bytes.h"

enum zonemd_scheme { ZONEMD_SIMPLE = 1 };
enum zonemd_algorithm { ZONEMD_SHA384 = 1, ZONEMD_SHA512 = 2 };
enum {
    ZONEMD_DIGEST_MAX = 64,
    ZONEMD_DIGEST_AT = 6, /* in the data; before it the serial, scheme and algorithm (2.2) */
};

/* What a record says; views its data. */
struct zonemd {
    uint32_t serial;
    uint8_t scheme, algorithm; /* as they stand there, known or not */
    struct bytes digest;
};
/* False where the data is too short to be one. */
bool zonemd_read(const uint8_t *rdata, size_t length, struct zonemd *ret);
/* Bytes of a digest; 0 for an algorithm that is not known. */
const_function size_t zonemd_digest_size(uint8_t algorithm);

struct zonemd_hash;
/* algorithm: one that is known. */
must_check struct zonemd_hash *zonemd_hash_new(uint8_t algorithm);
/* owner: lower wire form of that many bytes; rdata: canonical. */
void zonemd_hash_record(struct zonemd_hash *h, struct bytes owner, uint16_t type, uint32_t ttl,
                        struct bytes rdata);
/* Writes zonemd_digest_size() bytes and frees. */
void zonemd_hash_end(struct zonemd_hash *h, uint8_t ret_digest[static ZONEMD_DIGEST_MAX]);
