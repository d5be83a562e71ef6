/* Zones that were signed elsewhere: a file that a signer wrote, or what a primary sent. Signatures
 * and chain are served as they came; none is made, none is made up. What is wrong with them is
 * said, and the zone goes into service all the same: the names whose signatures are right go on
 * being valid, and of the others no more can be had here (L3).
 *
 * Whether a signature holds is not computed: that costs more than all the rest, and validators do
 * it. What is looked at is that every set has one by a key of the zone, and that the chain leaves
 * nothing out. */
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include "model/zone_chain.h"
#include "wire/dnskey.h"
#include "wire/nsec3.h"
#include <stdlib.h>

enum {
    RRSIG_ALGORITHM = 2, /* offsets in RRSIG data (RFC 4034 3.1) */
    RRSIG_TAG = 16,
    RRSIG_SIGNER = 18,
    KEY_ALGORITHM = 3, /* in DNSKEY data (RFC 4034 2.1) */
    NSEC3_FLAGS = 1,   /* in NSEC3 data (RFC 5155 3.2) */
    NSEC3_ITERATIONS = 2,
    NSEC3_SALT = 4, /* length and bytes; NSEC3 goes on with length and bytes of the next hash */
    NSEC3_OPT_OUT = 1,
    HASH_SHA1 = 1,
};

/* One kind of things that are wrong: how many, and the first of them. */
struct doubt {
    unsigned count;
    const struct zone_entry *entry;
    char name[DNAME_TEXT_MAX];
};

struct build_given {
    bool hashed;                  /* the zone says that a chain of hashes is whole */
    struct zone_item *signatures; /* RRSIG records by owner, then by data: the covered type first */
    uint32_t signature_count;
    struct zone_item *link_signatures; /* those of NSEC3 records */
    uint32_t link_signature_count;
    uint32_t *keys; /* signer_id() of each DNSKEY record, rising */
    uint32_t key_count;
    struct doubt unsigned_sets, orphans, links, strays;
};

static void doubt_add(const struct zone_builder *b, struct doubt *d, const struct zone_entry *e,
                      const uint8_t *key, size_t key_length)
{
    uint8_t name[DNAME_MAX];

    if (d->count++)
        return;
    d->entry = e;
    zone_key_name(b, key, key_length, name);
    dname_format(name, d->name);
}

/* ---- what came along ---- */

static uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* The first record of a type at the apex, or NULL. */
static const struct zone_item *apex_find(const struct zone_builder *b, uint16_t type)
{
    for (uint32_t i = 0; i < b->item_count && !b->items[i].entry->key_length; i++)
        if (b->items[i].entry->type == type)
            return &b->items[i];
    return NULL;
}

/* Does it have keys, and a signature over what is surely there? */
static bool comes_signed(const struct zone_builder *b)
{
    const struct zone_item *item = apex_find(b, DNS_RRSIG);

    if (!item || !apex_find(b, DNS_DNSKEY))
        return false;
    for (; item < b->items + b->item_count; item++) {
        const struct zone_entry *e = item->entry;
        if (e->key_length || e->type != DNS_RRSIG)
            return false;
        uint16_t covered = load_u16(zone_entry_rdata(e));
        if (covered == DNS_SOA || covered == DNS_DNSKEY)
            return true;
    }
    return false;
}

/* RFC 5155 4: which of the chains that may be there is whole. */
static const uint8_t *parameters_find(const struct zone_builder *b)
{
    const struct zone_item *item = apex_find(b, DNS_NSEC3PARAM);

    for (; item && item < b->items + b->item_count; item++) {
        const struct zone_entry *e = item->entry;
        const uint8_t *data = zone_entry_rdata(e);
        if (e->key_length || e->type != DNS_NSEC3PARAM)
            return NULL;
        if (data[0] == HASH_SHA1 && data[NSEC3_FLAGS] == 0 &&
            load_u16(data + NSEC3_ITERATIONS) <= NSEC3_ITERATIONS_MAX)
            return data;
    }
    return NULL;
}

/* Is this NSEC3 record of the chain that is served? */
static bool link_read(const struct zone_builder *b, const struct zone_entry *e,
                      uint8_t ret_hash[static ZONE_HASH_SIZE])
{
    const uint8_t *data = zone_entry_rdata(e);
    uint8_t label[NSEC3_LABEL_SIZE];

    if (e->key_length != NSEC3_LABEL_SIZE || e->bytes[NSEC3_LABEL_SIZE - 1])
        return false;
    label[0] = NSEC3_LABEL_SIZE - 1;
    memcpy(label + 1, e->bytes, NSEC3_LABEL_SIZE - 1);
    return nsec3_label_read(label, ret_hash) && data[0] == HASH_SHA1 &&
           load_u16(data + NSEC3_ITERATIONS) == b->nsec3_iterations &&
           data[NSEC3_SALT] == b->nsec3_salt_length &&
           memcmp(data + NSEC3_SALT + 1, b->nsec3_salt, b->nsec3_salt_length) == 0 &&
           data[NSEC3_SALT + 1 + b->nsec3_salt_length] == ZONE_HASH_SIZE;
}

static void link_take(struct zone_builder *b, const struct zone_entry *e)
{
    struct build_link link = {.entry = e};
    bool ours = b->given->hashed && link_read(b, e, link.hash);

    if (ours && b->link_count &&
        memcmp(b->links[b->link_count - 1].hash, link.hash, ZONE_HASH_SIZE) == 0)
        ours = false;
    if (ours)
        b->links[b->link_count++] = link;
    else
        doubt_add(b, &b->given->strays, e, e->bytes, e->key_length);
}

/* Signatures and NSEC3 records leave the list; all else moves together. */
static void items_part(struct zone_builder *b)
{
    struct build_given *g = b->given;
    uint32_t to = 0;

    for (uint32_t i = 0; i < b->item_count; i++) {
        const struct zone_entry *e = b->items[i].entry;
        if (e->type == DNS_RRSIG && load_u16(zone_entry_rdata(e)) == DNS_NSEC3)
            g->link_signatures[g->link_signature_count++].entry = e;
        else if (e->type == DNS_RRSIG)
            g->signatures[g->signature_count++].entry = e;
        else if (e->type == DNS_NSEC3)
            link_take(b, e);
        else
            b->items[to++] = b->items[i];
    }
    b->item_count = to;
}

void zone_given_take(struct zone_builder *b)
{
    size_t signatures = 0, links = 0;

    if (!comes_signed(b))
        return;
    for (uint32_t i = 0; i < b->item_count; i++) {
        signatures += b->items[i].entry->type == DNS_RRSIG;
        links += b->items[i].entry->type == DNS_NSEC3;
    }
    b->given = arena_new(&b->arena, 1, sizeof *b->given);
    b->given->signatures = arena_new(&b->arena, signatures + 1, sizeof(struct zone_item));
    b->given->link_signatures = arena_new(&b->arena, signatures + 1, sizeof(struct zone_item));
    b->links = arena_new(&b->arena, links + 1, sizeof *b->links);
    const uint8_t *p = parameters_find(b);
    b->given->hashed = p;
    if (p) {
        b->nsec3_iterations = load_u16(p + NSEC3_ITERATIONS);
        b->nsec3_salt_length = p[NSEC3_SALT];
        memcpy(b->nsec3_salt, p + NSEC3_SALT + 1, b->nsec3_salt_length);
    }
    items_part(b);
    b->seal_flags = ZONE_SIGNED | ZONE_GIVEN;
    if (b->link_count)
        b->seal_flags |= ZONE_NSEC3;
}

/* ---- signatures to their sets ---- */

static int key_compare(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static bool same_data(const struct zone_entry *a, const struct zone_entry *b)
{
    return a->rdata_length == b->rdata_length &&
           memcmp(zone_entry_rdata(a), zone_entry_rdata(b), a->rdata_length) == 0;
}

static uint32_t signer_id(uint8_t algorithm, uint16_t tag)
{
    return (uint32_t)algorithm << 16 | tag;
}

static int signer_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Once, and in order: what another server sends may have thousands of keys and a million
 * signatures, and shall not cost their product. */
static void keys_collect(struct zone_builder *b)
{
    struct build_given *g = b->given;
    struct build_set keys;

    if (!build_set_find(b, &b->nodes[0], DNS_DNSKEY, &keys))
        return;
    g->keys = arena_new(&b->arena, keys.count, sizeof *g->keys);
    for (uint32_t i = 0; i < keys.count; i++) {
        const struct zone_entry *k = keys.items[i].entry;
        const uint8_t *data = zone_entry_rdata(k);
        if (k->rdata_length > KEY_ALGORITHM)
            g->keys[g->key_count++] =
                signer_id(data[KEY_ALGORITHM], dnskey_tag(data, k->rdata_length));
    }
    qsort(g->keys, g->key_count, sizeof *g->keys, signer_compare);
}

/* Is the signature by a key that the zone publishes? */
static bool signer_is_known(const struct zone_builder *b, const struct zone_entry *e)
{
    const struct build_given *g = b->given;
    const uint8_t *rrsig = zone_entry_rdata(e);
    size_t left = e->rdata_length - (size_t)RRSIG_SIGNER;

    if (left < b->origin_length || !g->key_count ||
        memcmp(rrsig + RRSIG_SIGNER, b->origin, b->origin_length) != 0)
        return false;
    uint32_t id = signer_id(rrsig[RRSIG_ALGORITHM], load_u16(rrsig + RRSIG_TAG));
    return bsearch(&id, g->keys, g->key_count, sizeof id, signer_compare);
}

/* These RRSIG records, each once. Returns whether one of them is by a key of the zone. */
static bool signatures_join(struct zone_builder *b, const struct zone_item *items, uint32_t count,
                            struct build_signatures *ret)
{
    size_t size = 0, used = 0;
    bool known = false;

    for (uint32_t i = 0; i < count; i++)
        size += sizeof(uint16_t) + items[i].entry->rdata_length;
    uint8_t *data = arena_new(&b->arena, size + 1, 1);
    *ret = (struct build_signatures){.data = data};
    for (uint32_t i = 0; i < count && ret->count < UINT16_MAX; i++) {
        const struct zone_entry *e = items[i].entry;
        if (i && same_data(e, items[i - 1].entry))
            continue;
        memcpy(data + used, &e->rdata_length, sizeof(uint16_t));
        memcpy(data + used + sizeof(uint16_t), zone_entry_rdata(e), e->rdata_length);
        used += sizeof(uint16_t) + e->rdata_length;
        ret->count++;
        known |= signer_is_known(b, e);
    }
    ret->length = (uint32_t)used;
    return known;
}

/* The signatures of one name that cover the type, from *at on; those before it cover nothing. */
static uint32_t covering(struct zone_builder *b, uint32_t *at, uint32_t end, uint16_t type)
{
    const struct zone_item *items = b->given->signatures;
    uint32_t count = 0;

    for (; *at < end && load_u16(zone_entry_rdata(items[*at].entry)) < type; ++*at)
        doubt_add(b, &b->given->orphans, items[*at].entry, items[*at].entry->bytes,
                  items[*at].entry->key_length);
    while (*at + count < end && load_u16(zone_entry_rdata(items[*at + count].entry)) == type)
        count++;
    return count;
}

/* Puts the signatures of a node's sets at b->signatures[*index ..]. start..end: those of its name.
 */
static void node_attach(struct zone_builder *b, const struct build_node *n, uint32_t start,
                        uint32_t end, size_t *index)
{
    struct build_given *g = b->given;
    struct build_set set;

    for (uint32_t position = 0; build_set_next(b, n, &position, &set); ++*index) {
        uint32_t count = covering(b, &start, end, set.type);
        bool known =
            count && signatures_join(b, g->signatures + start, count, &b->signatures[*index]);
        start += count;
        if (!known && build_set_is_ours(n, set.type))
            doubt_add(b, &g->unsigned_sets, set.items[0].entry, n->key, n->key_length);
    }
    covering(b, &start, end, UINT16_MAX);
}

/* The signatures of names from *at on that come before the key belong to no name. Returns the end
 * of its own. */
static uint32_t name_signatures(struct zone_builder *b, uint32_t *at, const struct build_node *n)
{
    const struct build_given *g = b->given;
    uint32_t end;

    for (; *at < g->signature_count; ++*at) {
        const struct zone_entry *e = g->signatures[*at].entry;
        if (key_compare(e->bytes, e->key_length, n->key, n->key_length) >= 0)
            break;
        doubt_add(b, &b->given->orphans, e, e->bytes, e->key_length);
    }
    for (end = *at; end < g->signature_count; end++) {
        const struct zone_entry *e = g->signatures[end].entry;
        if (key_compare(e->bytes, e->key_length, n->key, n->key_length) != 0)
            break;
    }
    return end;
}

static void nodes_attach(struct zone_builder *b)
{
    uint32_t at = 0;
    size_t index = 0;

    b->signature_count = build_sets_count(b);
    b->signatures = arena_new(&b->arena, b->signature_count + 1, sizeof *b->signatures);
    for (size_t i = 0; i < b->node_count; i++) {
        uint32_t end = name_signatures(b, &at, &b->nodes[i]);
        node_attach(b, &b->nodes[i], at, end, &index);
        at = end;
    }
    for (; at < b->given->signature_count; at++)
        doubt_add(b, &b->given->orphans, b->given->signatures[at].entry,
                  b->given->signatures[at].entry->bytes,
                  b->given->signatures[at].entry->key_length);
    invariant(index == b->signature_count);
}

static void links_attach(struct zone_builder *b)
{
    struct build_given *g = b->given;
    uint32_t at = 0, end;

    for (size_t i = 0; i < b->link_count; i++) {
        const struct zone_entry *link = b->links[i].entry;
        for (; at < g->link_signature_count; at++) {
            const struct zone_entry *e = g->link_signatures[at].entry;
            if (key_compare(e->bytes, e->key_length, link->bytes, link->key_length) >= 0)
                break;
        }
        for (end = at; end < g->link_signature_count; end++) {
            const struct zone_entry *e = g->link_signatures[end].entry;
            if (key_compare(e->bytes, e->key_length, link->bytes, link->key_length) != 0)
                break;
        }
        if (!signatures_join(b, g->link_signatures + at, end - at, &b->links[i].signatures))
            doubt_add(b, &g->unsigned_sets, link, link->bytes, link->key_length);
        at = end;
    }
}

/* ---- is the chain whole? ---- */

/* The next name keeps its case (RFC 6840 5.1). lower: a lower name of that length. */
static bool names_equal(const uint8_t *data, const uint8_t *lower, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((uint8_t)(data[i] - 'A') < 26 ? data[i] | 0x20 : data[i]) != lower[i])
            return false;
    return true;
}

/* Does the NSEC record of a name lead to `next` and list what is there? */
static bool named_is_right(const struct zone_builder *b, const struct build_node *n,
                           const struct build_node *next)
{
    uint8_t wanted[DNAME_MAX + ZONE_BITMAP_MAX];
    struct build_set set;

    if (!build_set_find(b, n, DNS_NSEC, &set) || set.count != 1)
        return false;
    size_t name = zone_key_name(b, next->key, next->key_length, wanted);
    size_t length = name + zone_chain_bitmap(b, n, 0, false, wanted + name);
    const uint8_t *data = zone_entry_rdata(set.items[0].entry);
    return set.items[0].entry->rdata_length == length && names_equal(data, wanted, name) &&
           memcmp(data + name, wanted + name, length - name) == 0;
}

static void chain_named_check(struct zone_builder *b)
{
    const struct build_node *last = &b->nodes[0];

    for (size_t i = 1; i <= b->node_count; i++) {
        const struct build_node *n = &b->nodes[i % b->node_count];
        if (i < b->node_count && (n->flags & NODE_BELOW_CUT || !n->count))
            continue;
        if (!named_is_right(b, last, n))
            doubt_add(b, &b->given->links, last->count ? b->items[last->first].entry : NULL,
                      last->key, last->key_length);
        last = n;
    }
}

/* The link with the last hash up to this one, or the very last. */
static const struct build_link *link_find(const struct zone_builder *b, const uint8_t *hash)
{
    size_t low = 0, high = b->link_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(b->links[middle].hash, hash, ZONE_HASH_SIZE) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return &b->links[low ? low - 1 : b->link_count - 1];
}

static bool link_is_right(const struct zone_builder *b, const struct build_node *n,
                          const struct build_link *link)
{
    uint8_t bitmap[ZONE_BITMAP_MAX];
    size_t length = zone_chain_bitmap(b, n, 0, true, bitmap);
    size_t fixed = NSEC3_SALT + 2u + b->nsec3_salt_length + ZONE_HASH_SIZE;

    return link->entry->rdata_length == fixed + length &&
           memcmp(zone_entry_rdata(link->entry) + fixed, bitmap, length) == 0;
}

/* RFC 5155 6: with opt-out, delegations without DS and what is there for them alone may be left
 * out; all else has its link. `needed`: of each name, filled from below. */
static void chain_hashed_names_check(struct zone_builder *b, bool *needed)
{
    uint8_t name[DNAME_MAX], hash[ZONE_HASH_SIZE];
    struct build_set set;

    for (size_t i = b->node_count; i-- > 0;) {
        const struct build_node *n = &b->nodes[i];
        if (n->flags & NODE_BELOW_CUT)
            continue;
        size_t length = zone_key_name(b, n->key, n->key_length, name);
        nsec3_hash_salted(name, length, b->nsec3_iterations, b->nsec3_salt, b->nsec3_salt_length,
                          hash);
        const struct build_link *link = link_find(b, hash);
        bool there = memcmp(link->hash, hash, ZONE_HASH_SIZE) == 0;
        bool insecure = n->flags & NODE_CUT && !build_set_find(b, n, DNS_DS, &set);
        bool optional = (insecure || n->flags & NODE_EMPTY) && !needed[i] &&
                        zone_entry_rdata(link->entry)[NSEC3_FLAGS] & NSEC3_OPT_OUT;
        if (there ? !link_is_right(b, n, link) : !optional)
            doubt_add(b, &b->given->links, n->count ? b->items[n->first].entry : NULL, n->key,
                      n->key_length);
        if (i && (there || !optional))
            needed[n->parent] = true;
    }
}

static void chain_hashed_check(struct zone_builder *b)
{
    bool *needed = mem_new(b->node_count, sizeof *needed);

    chain_hashed_names_check(b, needed);
    free(needed);
    for (size_t i = 0; i < b->link_count; i++) {
        const struct zone_entry *e = b->links[i].entry;
        const uint8_t *next = zone_entry_rdata(e) + NSEC3_SALT + 2 + b->nsec3_salt_length;
        if (memcmp(next, b->links[(i + 1) % b->link_count].hash, ZONE_HASH_SIZE) != 0)
            doubt_add(b, &b->given->links, e, e->bytes, e->key_length);
    }
}

/* ---- */

static void doubt_tell(struct zone_builder *b, const struct doubt *d, const char *what)
{
    if (d->count == 1)
        zone_warning(b, d->entry, "the zone came signed, but %s: %s", what, d->name);
    else if (d->count)
        zone_warning(b, d->entry, "the zone came signed, but %s: %s and %u more", what, d->name,
                     d->count - 1);
}

void zone_given_attach(struct zone_builder *b)
{
    struct build_given *g = b->given;

    if (b->steered_count) {
        zone_problem(b, NULL,
                     "the zone came signed, so no service can be in it, as its answers would lack "
                     "signatures: leave the signatures away, or say dnssec: on");
        return;
    }
    keys_collect(b);
    nodes_attach(b);
    links_attach(b);
    if (b->seal_flags & ZONE_NSEC3)
        chain_hashed_check(b);
    else
        chain_named_check(b);
    doubt_tell(b, &g->unsigned_sets, "records have no signature by a key of the zone");
    doubt_tell(b, &g->orphans, "signatures of what is not there are left away");
    doubt_tell(b, &g->links, "what proves names and types is missing or wrong");
    doubt_tell(b, &g->strays, "NSEC3 records of no whole chain are left away");
}
