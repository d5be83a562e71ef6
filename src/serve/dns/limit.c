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

struct table {
    uint64_t mask;   /* sets - 1 */
    usec_t interval; /* 0: nothing is bounded, and there are no entries */
    struct entry *entries;
};

struct limit {
    struct table each, all; /* by network and answer, by network */
    uint32_t slip, held;
};

static struct table table_of(uint32_t rate, uint32_t size)
{
    uint64_t sets = SIZE_MIN / WAYS;

    if (!rate)
        return (struct table){0};
    while (sets * WAYS < size)
        sets *= 2;
    return (struct table){.mask = sets - 1,
                          .interval = rate < USEC_PER_SEC ? USEC_PER_SEC / rate : 1,
                          .entries = mem_new(sets * WAYS, sizeof(struct entry))};
}

struct limit *limit_new(struct limit_rates rates, uint32_t slip, uint32_t size)
{
    struct limit *l = mem_new(1, sizeof *l);
    invariant(rates.each || rates.all);
    *l = (struct limit){
        .each = table_of(rates.each, size), .all = table_of(rates.all, size), .slip = slip};
    return l;
}

void limit_free(struct limit *l)
{
    if (l) {
        free(l->each.entries);
        free(l->all.entries);
    }
    free(l);
}

static uint64_t key_of(const struct ip *client, uint64_t answer)
{
    uint64_t h = client->family == IP_V6 ? 1 : 2, v = 0;
    memcpy(&v, client->bytes, client->family == IP_V6 ? PREFIX_V6 : PREFIX_V4);
    h = (h ^ v) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
    h = (h ^ answer) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

static struct entry *entry_of(const struct table *t, uint64_t key)
{
    struct entry *set = t->entries + (key & t->mask) * WAYS, *least = set;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (e->key == key)
            return e;
        if (e->spent < least->spent)
            least = e;
    }
    least->key = key;
    return least;
}

static void table_prefetch(const struct table *t, uint64_t key)
{
    if (t->interval)
        __builtin_prefetch(t->entries + (key & t->mask) * WAYS, 1);
}

void limit_prefetch(const struct limit *l, const struct ip *client, uint64_t answer)
{
    table_prefetch(&l->each, key_of(client, answer));
    table_prefetch(&l->all, key_of(client, 0));
}

static bool table_take(const struct table *t, uint64_t key, usec_t now)
{
    if (!t->interval)
        return true;
    struct entry *e = entry_of(t, key);
    invariant(e->key == key);
    if (e->spent < now)
        e->spent = now;
    if (e->spent + t->interval > now + USEC_PER_SEC)
        return false;
    e->spent += t->interval;
    return true;
}

enum limit_verdict limit_take(struct limit *l, const struct ip *client, uint64_t answer, usec_t now)
{
    /* What is held back for its own sake costs the network nothing. */
    if (table_take(&l->each, key_of(client, answer), now) &&
        table_take(&l->all, key_of(client, 0), now))
        return LIMIT_PASS;
    return l->slip && ++l->held % l->slip == 0 ? LIMIT_SLIP : LIMIT_DROP;
}
