#include "base/hash.h"
#include "base/invariant.h"
#include "model/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HASH_OFFSET = 20, HEAD_SIZE = 28 };

/* What is decoded is whole: names end, keys exist. The hash is made right, so that more than the
 * check of it is reached. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[1 << 16];
    struct access *a;
    if (size > sizeof copy || size < HEAD_SIZE)
        return 0;
    memcpy(copy, data, size);
    uint64_t hash = hash64(copy + HEAD_SIZE, size - HEAD_SIZE);
    for (unsigned i = 0; i < 8; i++)
        copy[HASH_OFFSET + i] = (uint8_t)(hash >> (56 - 8 * i));
    if (access_decode(copy, size, &a))
        return 0;
    for (uint32_t i = 0; i < a->key_count; i++)
        invariant(a->keys[i].secret_length && dname_length(a->keys[i].name) <= DNAME_MAX);
    for (uint32_t i = 0; i < a->zone_count; i++) {
        const struct access_zone *z = &a->zones[i];
        invariant(access_zone_find(a, z->origin, z->origin_length) == z);
        for (uint32_t k = 0; k < z->key_count; k++)
            invariant(z->keys[k] < a->key_count);
    }
    access_free(a);
    return 0;
}
