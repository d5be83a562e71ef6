#include "serve/dns/census.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A place is the upper bits of a client's hash and the count of its streams, in one word: whoever
 * brings the count to nought frees the place. Two threads that meet a client at the same moment may
 * give it two places; then it is counted in two parts until one of them is empty. */
enum { WAYS = 8, COUNT_BITS = 24 };
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct census {
    uint64_t mask, seed; /* sets - 1 */
    uint32_t each;
    unsigned prefix_v4, prefix_v6;
    _Atomic uint64_t *places;
};

struct census *census_new(uint32_t clients, uint32_t each, unsigned prefix_v4, unsigned prefix_v6,
                          uint64_t seed)
{
    struct census *c = mem_new(1, sizeof *c);
    uint64_t sets = 16;
    invariant(each > 0 && prefix_v4 <= 32 && prefix_v6 <= 64);
    while (sets * WAYS < 4 * (uint64_t)clients)
        sets *= 2;
    *c = (struct census){.mask = sets - 1,
                         .seed = seed,
                         .each = each,
                         .prefix_v4 = prefix_v4,
                         .prefix_v6 = prefix_v6};
    c->places = mem_new(sets * WAYS, sizeof *c->places);
    return c;
}

void census_free(struct census *c)
{
    if (c)
        free(c->places);
    free(c);
}

static uint64_t client_hash(const struct census *c, const struct ip *client)
{
    unsigned bits = client->family == IP_V6 ? c->prefix_v6 : c->prefix_v4;
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v = v << 8 | client->bytes[i];
    v = bits ? v >> (64 - bits) << (64 - bits) : 0;
    uint64_t h = (v ^ c->seed ^ client->family) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 32 ^ c->seed) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

/* The place of a client, or one that is free where `vacant`; NULL: none. */
static _Atomic uint64_t *place_of(struct census *c, uint64_t hash, bool vacant, uint64_t *ret_seen)
{
    _Atomic uint64_t *set = c->places + (hash & c->mask) * WAYS, *empty = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t seen = atomic_load_explicit(&set[i], memory_order_relaxed);
        if (seen && !((seen ^ hash) & ~COUNT_MASK)) {
            *ret_seen = seen;
            return &set[i];
        }
        if (!seen && !empty)
            empty = &set[i];
    }
    *ret_seen = 0;
    return vacant ? empty : NULL;
}

bool census_enter(struct census *c, const struct ip *client)
{
    uint64_t hash = client_hash(c, client), seen;
    for (;;) {
        _Atomic uint64_t *place = place_of(c, hash, true, &seen);
        uint64_t count = seen & COUNT_MASK;
        if (!place || count >= c->each || count == COUNT_MASK)
            return false;
        uint64_t next = (hash & ~COUNT_MASK) | (count + 1);
        if (atomic_compare_exchange_weak_explicit(place, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}

void census_leave(struct census *c, const struct ip *client)
{
    uint64_t hash = client_hash(c, client), seen;
    for (;;) {
        _Atomic uint64_t *place = place_of(c, hash, false, &seen);
        invariant(place && (seen & COUNT_MASK) > 0);
        uint64_t next = (seen & COUNT_MASK) == 1 ? 0 : seen - 1;
        if (atomic_compare_exchange_weak_explicit(place, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
    }
}
