/* Who may do what with a zone over DNS: TSIG keys and rules, in one file of the store.
 *
 * The configuration is read by control alone; the name server learns the rules as it learns zones:
 * a file that the plan names by its hash, so a plan and its rules come and go together (L2). As it
 * holds secrets it is readable by the roles' user only (mode 0600), and nothing of it is logged.
 *
 *   "HFACCESS" | version u32 | count of keys u32, of zones u32 | hash u64 over what follows | keys
 * | zones
 *
 * All big-endian; names in lower wire form. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "model/config.h"
#include "wire/tsig.h"
#include <stdbool.h>
#include <stdint.h>

/* Version 1 said nothing of tls_only, 2 nothing of pins; they are read, since a new program begins
 * with the plan of the one before. */
enum { ACCESS_VERSION = 3, ACCESS_ITEMS_MAX = 65535 };

struct access_zone {
    const uint8_t *origin; /* lower wire form */
    uint16_t origin_length;
    const struct ip_prefix *allow;   /* AXFR and IXFR: from these networks; none: from anywhere */
    const uint32_t *keys;            /* signed with one of these; none: unsigned too */
    uint32_t allow_count, key_count; /* both 0, and no pins: nobody */
    bool tls_only;                   /* RFC 9103: over TLS 1.3 alone */
    const uint8_t *pins; /* CONFIG_PIN_SIZE bytes each: who shows one of these keys, and over TLS
                            1.3 alone */
    uint32_t pin_count;
};

/* Immutable; owns what it points to. */
struct access {
    struct arena arena;
    struct tsig_key *keys;
    uint32_t key_count;
    struct access_zone *zones; /* in canonical order */
    uint32_t zone_count;
    uint64_t hash;
};

/* The bytes of the file (free()) for what a configuration says. keys: one for each of the config's,
 * with its secret. */
uint8_t *access_encode(const struct config *config, const struct tsig_key *keys, size_t *ret_size,
                       uint64_t *ret_hash) __attribute__((returns_nonnull));
/* ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM, ERR_BOUNDS. */
must_check int access_decode(const uint8_t *data, size_t size, struct access **ret);
void access_free(struct access *a); /* secrets are wiped */

/* NULL where nothing was said about it. */
pure_function const struct access_zone *access_zone_find(const struct access *a,
                                                         const uint8_t *origin, size_t length);
/* By its name; *ret_index is its number. NULL: unknown. */
const struct tsig_key *access_key_find(const struct access *a, const uint8_t *name,
                                       uint32_t *ret_index);
/* May this client have the zone? key: number of the key that its request was signed with, or -1.
 * xot: it comes over TLS 1.3. pin: of the key that it showed there, CONFIG_PIN_SIZE bytes; NULL:
 * none. */
pure_function bool access_transfer(const struct access_zone *z, const struct ip *client,
                                   int64_t key, bool xot, const uint8_t *pin);
/* Does somebody have to show a certificate for any zone? */
pure_function bool access_pins(const struct config *config);
