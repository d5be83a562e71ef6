#include "serve/dns/limit.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SIZE_MIN = 64, PREFIX_V4 = 3, PREFIX_V6 = 7 }; /* bytes */

struct entry {
    uint64_t key;
    usec_t spent; /* the budget is whole again at this time */
};

struct limit {
    uint64_t mask; /* sets - 1 */
    usec_t interval, burst;
    uint32_t slip, held;
    struct entry *entries;
};

struct limit *limit_new(uint32_t rate, uint32_t slip, uint32_t size)
{
    struct limit *l = mem_new(1, sizeof *l);
    uint64_t sets = SIZE_MIN / WAYS;
    invariant(rate > 0);
    while (sets * WAYS < size)
        sets *= 2;
    *l = (struct limit){.mask = sets - 1,
                        .interval = rate < USEC_PER_SEC ? USEC_PER_SEC / rate : 1,
                        .burst = USEC_PER_SEC,
                        .slip = slip};
    l->entries = mem_new(sets * WAYS, sizeof *l->entries);
    return l;
}

void limit_free(struct limit *l)
{
    if (l)
        free(l->entries);
    free(l);
}

uint64_t limit_key(const struct ip *client, uint64_t answer)
{
    uint64_t h = client->family == IP_V6 ? 1 : 2, v = 0;
    memcpy(&v, client->bytes, client->family == IP_V6 ? PREFIX_V6 : PREFIX_V4);
    h = (h ^ v) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
    h = (h ^ answer) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

static struct entry *entry_of(struct limit *l, uint64_t key)
{
    struct entry *set = l->entries + (key & l->mask) * WAYS, *least = set;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (e->key == key)
            return e;
        if (e->spent < least->spent)
            least = e;
    }
    least->key = key;
    return least;
}

void limit_prefetch(const struct limit *l, uint64_t key)
{
    __builtin_prefetch(l->entries + (key & l->mask) * WAYS, 1);
}

enum limit_verdict limit_take(struct limit *l, uint64_t key, usec_t now)
{
    struct entry *e = entry_of(l, key);
    invariant(e->key == key && l->interval > 0);
    if (e->spent < now)
        e->spent = now;
    if (e->spent + l->interval <= now + l->burst) {
        e->spent += l->interval;
        return LIMIT_PASS;
    }
    return l->slip && ++l->held % l->slip == 0 ? LIMIT_SLIP : LIMIT_DROP;
}
