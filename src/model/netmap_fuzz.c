/* Any bytes: in what opens, every address is found in a row that exists, and the whole of its scope
 * in the same. The checksum is made right first. The end of the input is the addresses looked up.
 */
#include "base/invariant.h"
#include "base/memory.h"
#include "model/netmap.h"
#include "model/netmap_format.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct netmap *m, struct ip ip)
{
    unsigned scope, other_scope;
    uint32_t count, row = netmap_find(m, &ip, &scope);
    if (row != NETMAP_NO_ROW) {
        const uint32_t *keys = netmap_keys(m, row, &count);
        char text[LOCATION_TEXT_MAX];
        for (uint32_t i = 0; i < count; i++)
            invariant(strlen(location_format(keys[i], text)) < sizeof text);
    }
    struct ip low = ip_mask(&ip, scope), high = low;
    for (unsigned bit = scope; bit < ip_bits(&high); bit++)
        high.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    invariant(netmap_find(m, &low, &other_scope) == row && other_scope == scope);
    invariant(netmap_find(m, &high, &other_scope) == row && other_scope == scope);
}

static void walk(const struct netmap *m, const uint8_t *end, size_t size)
{
    struct ip v4 = {.family = IP_V4}, v6 = {.family = IP_V6};
    look(m, v4);
    look(m, v6);
    memset(v4.bytes, 255, 4);
    memset(v6.bytes, 255, 16);
    look(m, v4);
    look(m, v6);
    memcpy(v4.bytes, end - 4, 4);
    memcpy(v6.bytes, end - (size < 16 ? size : 16), size < 16 ? size : 16);
    look(m, v4);
    look(m, v6);
    for (uint32_t i = 0; i < m->v4_count && i < 1000; i++) {
        uint32_t start = m->v4[i].start;
        for (unsigned j = 0; j < 4; j++)
            v4.bytes[j] = (uint8_t)(start >> (24 - 8 * j));
        look(m, v4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_new(size + 1, 1);
    struct netmap_header *h = (struct netmap_header *)copy;
    struct netmap m;
    if (size)
        memcpy(copy, data, size);
    if (size >= sizeof *h) {
        h->size = size;
        h->checksum = netmap_checksum(copy, size);
    }
    if (netmap_open(copy, size, &m) == 0)
        walk(&m, copy + size, size);
    free(copy);
    return 0;
}
