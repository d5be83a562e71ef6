/* A netmap: from a client's address to a row, and from a row to the keys that hold there, the most
 * specific first. Geolocation, IP-based and latency routing are all "look up the row, go to the
 * branch of the row"; what a key means is known to whoever built the map.
 *
 * Prefixes given to the builder may nest; the built map is a sorted list of disjoint ranges per
 * family, so a look-up is one binary search and the widest prefix with the same answer (the scope
 * of RFC 7871) falls out of the range found. One immutable file per map, named by its checksum. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "model/config.h"
#include <stddef.h>
#include <stdint.h>

#define NETMAP_NO_ROW UINT32_MAX

struct netmap_range4 {
    uint32_t start, row;
}; /* until the next start */
struct netmap_range6 {
    uint64_t high, low;
    uint32_t row, unused;
};

/* A view over mapped or built bytes; owns nothing. */
struct netmap {
    const struct netmap_range4 *v4;
    uint32_t v4_count;
    const struct netmap_range6 *v6;
    uint32_t v6_count;
    const uint32_t *row_first; /* row_count + 1 offsets into keys */
    uint32_t row_count;
    const uint32_t *keys;
    uint64_t hash;
};

struct netmap_builder;
must_check struct netmap_builder *netmap_builder_new(void);
void netmap_builder_free(struct netmap_builder *b);
/* All addresses of the prefix have `key`, beside the keys of prefixes around it. */
void netmap_builder_add(struct netmap_builder *b, const struct ip_prefix *prefix, uint32_t key);
/* Bytes of a netmap file (free with free()). */
must_check uint8_t *netmap_builder_finish(struct netmap_builder *b, size_t *ret_size);

/* Checks everything (magic, version, checksum, order, bounds) and fills the view; the bytes stay
 * the caller's. */
must_check int netmap_open(const void *data, size_t size, struct netmap *ret);

/* The row of an address or NETMAP_NO_ROW; *ret_scope: length of the widest prefix around it with
 * the same row. */
uint32_t netmap_find(const struct netmap *m, const struct ip *ip, unsigned *ret_scope);
static inline const uint32_t *netmap_keys(const struct netmap *m, uint32_t row, uint32_t *ret_count)
{
    *ret_count = m->row_first[row + 1] - m->row_first[row];
    return m->keys + m->row_first[row];
}

/* Keys. collections: index of the collection in the config. latency: index in config->latencies of
 * the first entry with that network. geo: a packed location, so that it needs no table: */
pure_function uint32_t location_key(const struct config_location *l); /* "*" gives 0 */
/* "US-CA", "US", "EU", "*" */
enum { LOCATION_TEXT_MAX = 8 };
char *location_format(uint32_t key, char buffer[static LOCATION_TEXT_MAX]);
