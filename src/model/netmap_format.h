/* The layout of a netmap file, for its builder, its reader and their tests only: header | v4 | v6 |
 * row_first | keys, little-endian, each part on a multiple of 8 bytes, in this order without gaps.
 */
#pragma once

#include "model/netmap.h"

#define NETMAP_MAGIC "HFNMAP\r\n"
enum { NETMAP_VERSION = 1 };

struct netmap_header {
    char magic[8];
    uint32_t version, unused;
    uint64_t size;     /* of the whole file */
    uint64_t checksum; /* netmap_checksum(); the file's name in the store */
    uint32_t v4_count, v6_count;
    uint32_t row_count, key_count;
};

enum netmap_part { PART_V4, PART_V6, PART_ROWS, PART_KEYS, NETMAP_PARTS };

/* Where each part begins, and the size of the file at [NETMAP_PARTS]; bounded by the counts' width,
 * so that no sum overflows. */
static inline void netmap_layout(const struct netmap_header *h, uint64_t ret[NETMAP_PARTS + 1])
{
    const uint64_t sizes[NETMAP_PARTS] = {
        [PART_V4] = (uint64_t)h->v4_count * sizeof(struct netmap_range4),
        [PART_V6] = (uint64_t)h->v6_count * sizeof(struct netmap_range6),
        [PART_ROWS] = ((uint64_t)h->row_count + 1) * sizeof(uint32_t),
        [PART_KEYS] = (uint64_t)h->key_count * sizeof(uint32_t),
    };
    ret[0] = sizeof *h;
    for (unsigned i = 0; i < NETMAP_PARTS; i++)
        ret[i + 1] = (ret[i] + sizes[i] + 7) & ~UINT64_C(7);
}

/* Over everything but the checksum itself. */
uint64_t netmap_checksum(const void *data, size_t size);
