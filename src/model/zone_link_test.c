/* The search in a chain of hashes, however they are spread. */
#include "base/memory.h"
#include "base/random.h"
#include "model/zone.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 3000 };

struct chain {
    struct zone_header header;
    struct zone_link links[COUNT_MAX];
    struct zone zone;
};

static int link_compare(const void *a, const void *b)
{
    return memcmp(a, b, ZONE_HASH_SIZE);
}

/* zeros: bytes that all hashes begin with. steep: the first of the others is small more often. */
static struct chain *chain_new(struct random *dice, uint32_t count, unsigned zeros, bool steep)
{
    struct chain *c = mem_new(1, sizeof *c);

    c->header.flags = ZONE_SIGNED | ZONE_NSEC3;
    c->header.chain = offsetof(struct chain, links);
    c->header.chain_count = count;
    c->zone = (struct zone){.base = (const uint8_t *)c, .header = &c->header};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *hash = c->links[i].hash;
        for (unsigned k = zeros; k < ZONE_HASH_SIZE; k++)
            hash[k] = (uint8_t)random_u64(dice);
        if (steep)
            hash[zeros] = (uint8_t)(hash[zeros] >> random_below(dice, 9));
    }
    qsort(c->links, count, sizeof *c->links, link_compare);
    return c;
}

static void find_expect(const struct chain *c, const uint8_t *hash)
{
    uint32_t count = c->header.chain_count, at = 0;

    while (at < count && memcmp(c->links[at].hash, hash, ZONE_HASH_SIZE) <= 0)
        at++;
    ck_assert_ptr_eq(zone_link_find(&c->zone, hash), &c->links[at ? at - 1 : count - 1]);
}

/* Each hash that is there, those right before and behind it, the first and last that there are. */
static void chain_expect(struct chain *c)
{
    uint8_t edge[ZONE_HASH_SIZE];

    for (uint32_t i = 0; i < c->header.chain_count; i++) {
        memcpy(edge, c->links[i].hash, sizeof edge);
        find_expect(c, edge);
        edge[ZONE_HASH_SIZE - 1]++;
        find_expect(c, edge);
        edge[ZONE_HASH_SIZE - 1] = (uint8_t)(edge[ZONE_HASH_SIZE - 1] - 2);
        find_expect(c, edge);
    }
    memset(edge, 0, sizeof edge);
    find_expect(c, edge);
    memset(edge, 0xff, sizeof edge);
    find_expect(c, edge);
}

START_TEST(test_spreads)
{
    static const uint32_t counts[] = {1, 2, 3, 7, 100, COUNT_MAX};
    struct random dice = random_init(5155);

    for (size_t i = 0; i < array_length(counts); i++)
        for (unsigned zeros = 0; zeros < 12; zeros++)
            for (int steep = 0; steep < 2; steep++) {
                struct chain *c =
                    chain_new(&dice, zeros ? counts[i] / 10 + 1 : counts[i], zeros, steep);
                chain_expect(c);
                free(c);
            }
}
END_TEST

CHECK_MAIN("zone_link", test_spreads)
