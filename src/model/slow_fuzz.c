/* Any bytes: what decodes is encoded to the same bytes again. The checksum is made right first, so
 * that changes reach what lies behind it. */
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/slow.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slow_history *list;
    uint32_t count;
    size_t again_size;
    if (size < 8)
        return 0;
    uint8_t *copy = mem_new(1, size);
    memcpy(copy, data, size);
    uint64_t hash = hash64(copy, size - 8);
    for (unsigned i = 0; i < 8; i++)
        copy[size - 8 + i] = (uint8_t)(hash >> (56 - 8 * i));
    if (!slow_decode(copy, size, &list, &count)) {
        uint8_t *again = slow_encode(list, count, &again_size);
        invariant(again_size == size && memcmp(copy, again, size) == 0);
        free(again);
        free(list);
    }
    free(copy);
    return 0;
}
