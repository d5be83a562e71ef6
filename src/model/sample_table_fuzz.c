/* Any bytes: what decodes is encoded to the same bytes again. The checksum is made right first, so
 * that changes reach what lies behind it. */
#include "base/hash.h"
#include "base/invariant.h"
#include "model/sample_table.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[SAMPLE_PART_SIZE_MAX + 1], again[SAMPLE_PART_SIZE_MAX];
    static struct sample_part p;
    if (size < 8 || size > sizeof copy)
        return 0;
    memcpy(copy, data, size);
    uint64_t hash = hash64(copy, size - 8);
    for (unsigned i = 0; i < 8; i++)
        copy[size - 8 + i] = (uint8_t)(hash >> (56 - 8 * i));
    if (sample_part_decode(copy, size, &p))
        return 0;
    invariant(sample_slice_encode(&p.head, p.entries, p.count, again) == size);
    invariant(memcmp(copy, again, size) == 0);
    return 0;
}
