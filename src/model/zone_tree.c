/* From sorted records to the tree of names: empty non-terminals, delegations and what lies below
 * them, wildcards; and the hash table that finds them. */
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include <stdlib.h>

enum { LEVELS_MAX = DNAME_LABELS_MAX + 1 };

/* The nodes on the way from the apex to the name at hand: levels[i] has i labels more than it. */
struct tree {
    struct zone_builder *b;
    uint32_t levels[LEVELS_MAX];
    unsigned depth; /* labels of the last name below the apex */
};

/* ---- sets ---- */

bool build_set_next(const struct zone_builder *b, const struct build_node *n, uint32_t *position,
                    struct build_set *ret_set)
{
    const struct zone_item *items = b->items + n->first;
    uint32_t start = *position;

    while (start < n->count && items[start].entry->type == ZONE_ENTRY_STEERED)
        start++;
    if (start == n->count)
        return false;
    *ret_set = (struct build_set){
        .type = items[start].entry->type, .ttl = items[start].entry->ttl, .items = items + start};
    uint32_t end = start;
    for (; end < n->count && items[end].entry->type == ret_set->type; end++)
        if (items[end].entry->ttl < ret_set->ttl)
            ret_set->ttl = items[end].entry->ttl;
    ret_set->count = end - start;
    *position = end;
    return true;
}

bool build_set_find(const struct zone_builder *b, const struct build_node *n, uint16_t type,
                    struct build_set *ret_set)
{
    struct build_set set;
    uint32_t position = 0;

    while (build_set_next(b, n, &position, &set))
        if (set.type == type) {
            *ret_set = set;
            return true;
        }
    return false;
}

size_t build_sets_count(const struct zone_builder *b)
{
    struct build_set set;
    size_t count = 0;

    for (size_t i = 0; i < b->node_count; i++)
        for (uint32_t position = 0; build_set_next(b, &b->nodes[i], &position, &set);)
            count++;
    return count;
}

/* ---- nodes ---- */

static bool is_wildcard(const uint8_t *label)
{
    return label[0] == '*' && label[1] == 0;
}

/* Adds a node with no records yet; label: its first label within the key, NULL for the apex. */
static void node_add(struct tree *t, const uint8_t *key, size_t key_length, const uint8_t *label)
{
    struct zone_builder *b = t->b;
    uint8_t name[DNAME_MAX];

    b->nodes = mem_grow(b->nodes, b->node_count, &b->node_size, sizeof *b->nodes);
    struct build_node *n = &b->nodes[b->node_count];
    *n = (struct build_node){.key = key, .key_length = (uint16_t)key_length};
    n->name_length = (uint8_t)zone_key_name(b, key, key_length, name);
    n->labels = (uint8_t)(b->origin_labels + t->depth);
    if (!label) {
        n->flags = NODE_APEX;
    } else {
        uint32_t parent = t->levels[t->depth - 1];
        struct build_node *up = &b->nodes[parent];
        n->parent = parent;
        if (is_wildcard(label)) {
            n->flags |= NODE_WILDCARD;
            up->flags |= NODE_HAS_WILDCARD_CHILD;
        }
        if (up->flags & (NODE_CUT | NODE_BELOW_CUT)) {
            n->flags |= NODE_BELOW_CUT;
            n->cut = up->cut;
        }
        n->flags |= up->flags & BUILD_BELOW_DNAME;
    }
    t->levels[t->depth] = (uint32_t)b->node_count++;
}

/* Adds the nodes of a key that are not there yet: its empty ancestors and itself. */
static void path_add(struct tree *t, const struct zone_entry *last, const struct zone_entry *e)
{
    const uint8_t *key = e->bytes;
    unsigned common = 0, depth = 0;
    size_t start = 0;

    if (last)
        for (size_t i = 0; i < last->key_length && i < e->key_length && last->bytes[i] == key[i];
             i++)
            common += key[i] == 0;
    for (size_t i = 0; i < e->key_length; i++) {
        if (key[i])
            continue;
        if (++depth > common) {
            t->depth = depth;
            node_add(t, key, i + 1, key + start);
        }
        start = i + 1;
    }
    invariant(t->depth == depth && depth > common);
}

/* What a node is by the records it holds, known once all are there. */
static void node_finish(struct zone_builder *b, uint32_t index)
{
    struct build_node *n = &b->nodes[index];
    struct build_set set;

    if (n->count && b->items[n->first].entry->type == ZONE_ENTRY_STEERED) {
        n->flags |= NODE_STEERED;
        n->steered = b->items[n->first].entry->ttl;
    }
    if (n->count == 0)
        n->flags |= NODE_EMPTY;
    if (build_set_find(b, n, DNS_CNAME, &set))
        n->flags |= NODE_CNAME;
    if (build_set_find(b, n, DNS_DNAME, &set))
        n->flags |= BUILD_BELOW_DNAME;
    if (!(n->flags & (NODE_APEX | NODE_BELOW_CUT)) && build_set_find(b, n, DNS_NS, &set)) {
        n->flags |= NODE_CUT;
        n->cut = index;
    }
}

/* The same record twice is one (RFC 2181 5); steering marks stay for the check to complain of. */
static bool is_duplicate(const struct zone_entry *a, const struct zone_entry *b)
{
    return a->type == b->type && a->type != ZONE_ENTRY_STEERED &&
           a->rdata_length == b->rdata_length &&
           memcmp(zone_entry_rdata(a), zone_entry_rdata(b), a->rdata_length) == 0;
}

static bool same_name(const struct zone_entry *a, const struct zone_entry *b)
{
    return a->key_length == b->key_length && memcmp(a->bytes, b->bytes, a->key_length) == 0;
}

/* Moves the records from `start` on that have one name together at `to`, without duplicates, as
 * those of the newest node. Returns how many were read. */
static uint32_t records_take(struct zone_builder *b, uint32_t start, uint32_t *to)
{
    struct build_node *n = &b->nodes[b->node_count - 1];
    const struct zone_entry *owner = b->items[start].entry, *last = NULL;
    uint32_t at = start;

    n->first = *to;
    for (; at < b->item_count; at++) {
        const struct zone_entry *e = b->items[at].entry;
        invariant(e && owner);
        if (at + 16 < b->item_count)
            __builtin_prefetch(b->items[at + 16].entry);
        if (e != owner && !same_name(e, owner))
            break;
        if (!last || !is_duplicate(last, e))
            b->items[(*to)++].entry = e;
        last = e;
    }
    n->count = *to - n->first;
    return at - start;
}

void zone_tree_make(struct zone_builder *b)
{
    struct tree t = {.b = b};
    const struct zone_entry *last = NULL;
    uint32_t to = 0;

    b->node_size = b->item_count + b->item_count / 8 + 16u;
    b->nodes = mem_new(b->node_size, sizeof *b->nodes);
    node_add(&t, (const uint8_t *)"", 0, NULL);
    if (!b->item_count || b->items[0].entry->key_length)
        node_finish(b, 0);
    for (uint32_t at = 0; at < b->item_count;) {
        const struct zone_entry *e = b->items[at].entry;
        if (e->key_length)
            path_add(&t, last, e);
        /* Empty ancestors were added before the name itself. */
        at += records_take(b, at, &to);
        node_finish(b, (uint32_t)b->node_count - 1);
        last = e;
    }
    for (size_t i = 1; i < b->node_count; i++)
        if (!b->nodes[i].count)
            b->nodes[i].flags |= NODE_EMPTY;
    b->item_count = to;
}

/* ---- index ---- */

/* Slots lie in no order: they are asked for together, so that they are waited for together. */
enum { INDEX_BATCH = 32 };

static void index_put(struct zone_builder *b, uint64_t hash, size_t node)
{
    uint32_t at = (uint32_t)hash & b->slot_mask;
    while (b->slots[at])
        at = (at + 1) & b->slot_mask;
    b->slots[at] = zone_slot(hash, (node + 1) * 8);
}

void zone_index_make(struct zone_builder *b)
{
    uint64_t slots = 2;
    uint8_t name[DNAME_MAX];

    while (slots < b->node_count * 2)
        slots *= 2;
    invariant(slots <= UINT32_MAX);
    b->slot_mask = (uint32_t)(slots - 1);
    b->slots = mem_new(slots, sizeof *b->slots);
    uint64_t hashes[INDEX_BATCH];
    for (size_t first = 0; first < b->node_count; first += INDEX_BATCH) {
        size_t left = b->node_count - first;
        unsigned count = left < INDEX_BATCH ? (unsigned)left : INDEX_BATCH;
        for (unsigned i = 0; i < count; i++) {
            const struct build_node *n = &b->nodes[first + i];
            unsigned length = zone_key_name(b, n->key, n->key_length, name);
            hashes[i] = dname_hash(name, length);
            __builtin_prefetch(&b->slots[(uint32_t)hashes[i] & b->slot_mask]);
        }
        for (unsigned i = 0; i < count; i++)
            index_put(b, hashes[i], first + i);
    }
}

struct build_node *zone_index_find(const struct zone_builder *b, const uint8_t *name, size_t length)
{
    uint8_t key[ZONE_KEY_MAX];

    if (!dname_below(name, length, b->origin, b->origin_length))
        return NULL;
    unsigned key_length = zone_key_make(name, length - b->origin_length, key);
    uint64_t hash = dname_hash(name, length);
    for (uint32_t i = (uint32_t)hash & b->slot_mask; b->slots[i]; i = (i + 1) & b->slot_mask) {
        if ((b->slots[i] ^ hash) >> 32)
            continue;
        struct build_node *n = &b->nodes[(uint32_t)b->slots[i] - 1];
        if (n->key_length == key_length && memcmp(n->key, key, key_length) == 0)
            return n;
    }
    return NULL;
}
