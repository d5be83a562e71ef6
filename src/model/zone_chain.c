#include "model/zone_chain.h"
#include "base/invariant.h"
#include "base/ip.h"
#include "wire/nsec3.h"
#include <stdlib.h>

enum {
    TYPES_MAX = ZONE_BITMAP_TYPES,
    WINDOW_MAX = ZONE_BITMAP_WINDOW,
    NSEC3_FIXED = 6 + NSEC3_HASH_SIZE, /* algorithm, flags, iterations, no salt, hash with length */
};

/* ---- types ---- */

struct types {
    uint16_t list[TYPES_MAX]; /* ascending */
    unsigned count;
};

static void type_add(struct types *t, uint16_t type)
{
    unsigned at = t->count;

    invariant(t->count < TYPES_MAX);
    for (; at && t->list[at - 1] > type; at--)
        ;
    if (at && t->list[at - 1] == type)
        return;
    memmove(t->list + at + 1, t->list + at, (t->count - at) * sizeof *t->list);
    t->list[at] = type;
    t->count++;
}

enum { FAMILIES = 2 };

/* At a delegation only what is ours, and the NS records that make it one (RFC 4035 2.3). A steered
 * name has the families that its endpoints have, whatever the plan answers just now. */
static void types_of(const struct zone_builder *b, const struct build_node *n, unsigned families,
                     struct types *ret)
{
    struct build_set set;

    ret->count = 0;
    for (uint32_t position = 0; build_set_next(b, n, &position, &set);)
        if (!zone_type_is_hidden(set.type) &&
            (!(n->flags & NODE_CUT) || set.type == DNS_NS || set.type == DNS_DS))
            type_add(ret, set.type);
    if (!(n->flags & NODE_STEERED))
        return;
    if (families & 1u << IP_V4)
        type_add(ret, DNS_A);
    if (families & 1u << IP_V6)
        type_add(ret, DNS_AAAA);
}

static unsigned families_of(const struct zone_builder *b, const struct build_node *n,
                            const uint8_t *families)
{
    if (!(n->flags & NODE_STEERED))
        return 0;
    if (b->alias_families && n->steered >= b->alias_first)
        return b->alias_families[n->steered - b->alias_first];
    return families ? families[n->steered] : 1u << IP_V4 | 1u << IP_V6;
}

/* RFC 4034 4.1.2. */
static size_t bitmap_write(const struct types *t, uint8_t *to)
{
    size_t used = 0;

    for (unsigned i = 0; i < t->count;) {
        uint8_t *window = to + used, length = 0;
        unsigned number = t->list[i] >> 8;
        memset(window, 0, WINDOW_MAX);
        for (; i < t->count && t->list[i] >> 8 == (int)number; i++) {
            unsigned byte = (t->list[i] & 0xff) / 8;
            window[2 + byte] |= (uint8_t)(0x80 >> t->list[i] % 8);
            length = (uint8_t)(byte + 1);
        }
        window[0] = (uint8_t)number;
        window[1] = length;
        used += 2u + length;
    }
    return used;
}

size_t zone_chain_bitmap(const struct zone_builder *b, const struct build_node *n,
                         unsigned families, bool hashed, uint8_t ret[static ZONE_BITMAP_MAX])
{
    struct types types;

    types_of(b, n, families, &types);
    bool insecure = types.count == 1 && n->flags & NODE_CUT;
    if (!hashed)
        type_add(&types, DNS_NSEC);
    if (!hashed || (types.count && !insecure)) /* something is signed */
        type_add(&types, DNS_RRSIG);
    return bitmap_write(&types, ret);
}

/* ---- NSEC ---- */

static bool is_named(const struct build_node *n)
{
    return !(n->flags & NODE_BELOW_CUT) && n->count;
}

static const struct zone_entry *nsec_make(struct zone_builder *b, const struct build_node *n,
                                          const struct build_node *next, uint32_t ttl,
                                          unsigned families)
{
    uint8_t rdata[DNAME_MAX + ZONE_BITMAP_MAX];

    size_t length = zone_key_name(b, next->key, next->key_length, rdata);
    length += zone_chain_bitmap(b, n, families, false, rdata + length);
    return zone_entry_make(b, n->key, n->key_length, DNS_NSEC, ttl, rdata, (uint16_t)length);
}

static void variants_take(struct zone_builder *b)
{
    b->variant_count = (size_t)b->steered_count * FAMILIES;
    b->variants = arena_new(&b->arena, b->variant_count + 1, sizeof *b->variants);
}

/* Where the variant for a family without an answer goes, or NULL where it is not there anyway. */
static struct build_link *variant_of(struct zone_builder *b, const struct build_node *n,
                                     unsigned family, unsigned families)
{
    struct build_link *v = &b->variants[(size_t)n->steered * FAMILIES + family];

    if (!(n->flags & NODE_STEERED) || !(families & 1u << family))
        return NULL;
    v->node = (uint32_t)(n - b->nodes);
    return v;
}

void zone_chain_named(struct zone_builder *b, const uint8_t *steered_families)
{
    uint32_t ttl = zone_negative_ttl(b), to = 0;
    struct zone_item *items = mem_new(b->item_count + b->node_count, sizeof *items);
    size_t next = 0;

    variants_take(b);
    for (size_t i = 0; i < b->node_count; i++) {
        struct build_node *n = &b->nodes[i];
        uint32_t from = n->first, end = n->first + n->count, start = to;
        const struct zone_entry *nsec = NULL;
        if (is_named(n)) {
            for (next = i + 1; next < b->node_count && !is_named(&b->nodes[next]);)
                next++;
            const struct build_node *after = &b->nodes[next < b->node_count ? next : 0];
            unsigned families = families_of(b, n, steered_families);
            nsec = nsec_make(b, n, after, ttl, families);
            for (unsigned f = 0; f < FAMILIES; f++) {
                struct build_link *v = variant_of(b, n, f, families);
                if (v)
                    v->entry = nsec_make(b, n, after, ttl, families & ~(1u << f));
            }
        }
        while (from < end && b->items[from].entry->type < DNS_NSEC)
            items[to++] = b->items[from++];
        if (nsec)
            items[to++].entry = nsec;
        while (from < end)
            items[to++] = b->items[from++];
        n->first = start;
        n->count = to - start;
    }
    free(b->items);
    b->items = items;
    b->item_count = to;
}

/* ---- NSEC3 ---- */

static int link_compare(const void *x, const void *y)
{
    const struct build_link *a = x, *b = y;
    return memcmp(a->hash, b->hash, ZONE_HASH_SIZE);
}

static const struct zone_entry *nsec3_make(struct zone_builder *b, const struct build_node *n,
                                           const struct build_link *next, uint32_t ttl,
                                           unsigned families)
{
    uint8_t rdata[NSEC3_FIXED + ZONE_BITMAP_MAX] = {[0] = 1, [5] = NSEC3_HASH_SIZE};

    memcpy(rdata + 6, next->hash, NSEC3_HASH_SIZE);
    size_t length = NSEC3_FIXED + zone_chain_bitmap(b, n, families, true, rdata + NSEC3_FIXED);
    return zone_entry_make(b, n->key, n->key_length, DNS_NSEC3, ttl, rdata, (uint16_t)length);
}

void zone_chain_hashed(struct zone_builder *b, const uint8_t *steered_families)
{
    uint32_t ttl = zone_negative_ttl(b);
    uint8_t name[DNAME_MAX];

    variants_take(b);
    b->links = arena_new(&b->arena, b->node_count, sizeof *b->links);
    for (size_t i = 0; i < b->node_count; i++) {
        const struct build_node *n = &b->nodes[i];
        if (n->flags & NODE_BELOW_CUT)
            continue;
        size_t length = zone_key_name(b, n->key, n->key_length, name);
        struct build_link *l = &b->links[b->link_count++];
        l->node = (uint32_t)i;
        nsec3_hash(name, length, l->hash);
    }
    qsort(b->links, b->link_count, sizeof *b->links, link_compare);
    for (size_t i = 0; i < b->link_count; i++) {
        struct build_link *l = &b->links[i];
        const struct build_link *after = &b->links[(i + 1) % b->link_count];
        const struct build_node *n = &b->nodes[l->node];
        unsigned families = families_of(b, n, steered_families);
        l->entry = nsec3_make(b, n, after, ttl, families);
        for (unsigned f = 0; f < FAMILIES; f++) {
            struct build_link *v = variant_of(b, n, f, families);
            if (!v)
                continue;
            memcpy(v->hash, l->hash, ZONE_HASH_SIZE);
            v->entry = nsec3_make(b, n, after, ttl, families & ~(1u << f));
        }
    }
}
