/* Opening a compiled zone with every check, in parts that need not wait for one another. Most parts
 * are spans of nodes: each is walked as if all before it were right, and the walk notes what it
 * took for granted; the join compares that with where the span before it came out. So what passes
 * is what one walk over everything would pass. */
#include "base/err.h"
#include "base/memory.h"
#include "model/zone_verify.h"
#include <stdlib.h>

/* ---- spans of nodes ---- */

/* Nodes from `first` up to `end`, checked apart from the others: what the walk up to there would
 * know is taken from what the file says, and compared when the spans are joined. */
struct span {
    uint64_t first, end; /* offsets in the file */
    unsigned depth;      /* of the first: what was taken */
    uint64_t above[DNAME_LABELS_MAX];
    uint32_t links;
    bool right;
    struct verify_walk walk; /* at its end */
};

/* A node whose head, sets and name lie in the file, and that has a name; or NULL. */
static const struct zone_node *node_within(const struct zone *z, uint64_t offset)
{
    const struct zone_header *h = z->header;
    const struct zone_node *n = zone_node_at(z, offset);

    if (offset < h->nodes || offset > h->size || h->size - offset < sizeof *n ||
        h->size - offset - sizeof *n < n->set_count * sizeof(struct zone_set) + n->name_length ||
        dname_check(zone_node_name(n), n->name_length) != n->name_length)
        return NULL;
    return n;
}

/* The names above the first one. */
static bool levels_take(struct span *s)
{
    struct verify_walk *w = &s->walk;
    const struct zone_node *n = node_within(w->z, s->first);
    uint64_t at = s->first;

    while (n && at != w->z->header->apex) {
        if (s->depth == DNAME_LABELS_MAX || (uint64_t)n->parent * 8 >= at)
            return false;
        at = (uint64_t)n->parent * 8;
        s->above[s->depth++] = at;
        n = node_within(w->z, at);
    }
    for (unsigned i = 0; n && i < s->depth; i++) {
        at = s->above[s->depth - 1 - i];
        w->levels[i] = (struct verify_level){at, zone_node_at(w->z, at)};
    }
    w->depth = s->depth;
    return n != NULL;
}

/* The first link of an NSEC chain to a node that is not before this one. */
static uint32_t links_take(const struct zone *z, uint64_t offset)
{
    const uint32_t *chain = (const uint32_t *)(z->base + z->header->chain);
    uint32_t low = 0, high = verify_has_nsec(z->header) ? z->header->chain_count : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (chain[middle] < offset / 8)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void span_check(struct span *s)
{
    struct verify_walk *w = &s->walk;

    s->right = levels_take(s);
    s->links = w->links = links_take(w->z, s->first);
    w->position = s->first;
    while (s->right && w->position < s->end)
        s->right = verify_node(w);
    s->right = s->right && w->position == s->end && verify_slots_noted(w);
}

/* Does the span begin where the walk up to it has come? */
static bool span_follows(const struct span *s, const struct verify_walk *before)
{
    if (s->links != before->links || s->depth > before->depth ||
        (s->walk.heap_first && s->walk.heap_first != before->heap))
        return false;
    for (unsigned i = 0; i < s->depth; i++)
        if (before->levels[i].offset != s->above[s->depth - 1 - i])
            return false;
    if (!before->depth)
        return true;
    const struct zone_node *last = before->levels[before->depth - 1].node;
    return dname_compare(zone_node_name(last), zone_node_name(zone_node_at(before->z, s->first))) <
           0;
}

/* The walk goes on from the span's end. */
static void span_join(const struct span *s, struct verify_walk *w)
{
    struct verify_walk sum = s->walk;

    if (!sum.heap)
        sum.heap = w->heap;
    sum.nodes += w->nodes;
    sum.records += w->records;
    sum.steered += w->steered;
    sum.wildcards += w->wildcards;
    sum.wildcard_parents += w->wildcard_parents;
    sum.flags |= w->flags;
    if (w->labels_max > sum.labels_max)
        sum.labels_max = w->labels_max;
    *w = sum;
}

/* ---- where to cut ---- */

enum { SPANS_MAX = 64, SPAN_NODES = 1 << 10, SAMPLES_EACH = 16 };

static int offsets_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The table has nodes in no order, so its first slots are a sample of all. */
static unsigned samples_take(const struct zone *z, uint64_t *samples, unsigned most)
{
    unsigned count = 0;

    for (uint64_t i = 0; i <= z->header->slot_mask && count < most; i++)
        if ((uint32_t)z->slots[i])
            samples[count++] = (uint64_t)(uint32_t)z->slots[i] * 8;
    qsort(samples, count, sizeof *samples, offsets_compare);
    return count;
}

/* Where spans of about so many nodes begin; returns how many. */
static unsigned spans_cut(const struct zone *z, uint32_t nodes, uint64_t firsts[static SPANS_MAX])
{
    const struct zone_header *h = z->header;
    uint64_t samples[SPANS_MAX * SAMPLES_EACH];
    unsigned wanted = h->node_count / nodes, count = 1;

    wanted = wanted < SPANS_MAX ? wanted : SPANS_MAX;
    unsigned sampled = samples_take(z, samples, wanted * SAMPLES_EACH);
    firsts[0] = h->nodes;
    for (unsigned i = 1; i < wanted; i++) {
        uint64_t first = sampled ? samples[(size_t)i * sampled / wanted] : 0;
        if (first > firsts[count - 1] && first < h->size)
            firsts[count++] = first;
    }
    return count;
}

/* ---- the whole ---- */

enum { PART_CHECKSUM, PART_TABLE, PART_CHAIN, PARTS };

struct zone_opening {
    struct zone zone;
    bool right[PARTS];
    struct verify_walk chain; /* at its end */
    unsigned span_count;
    struct span spans[];
};

int zone_opening_cut(const void *data, size_t size, uint32_t nodes, struct zone_opening **ret)
{
    struct zone z;
    uint64_t firsts[SPANS_MAX];
    int err = zone_open_trusted(data, size, &z);

    if (err)
        return err;
    if (!verify_frame(&z))
        return zone_checksum(data, size) == z.header->checksum ? ERR_BOUNDS : ERR_CHECKSUM;
    unsigned count = spans_cut(&z, nodes, firsts);
    struct zone_opening *o = mem_new(1, sizeof *o + count * sizeof o->spans[0]);
    o->zone = z;
    o->chain.z = &o->zone;
    o->span_count = count;
    for (unsigned i = 0; i < count; i++) {
        o->spans[i].first = firsts[i];
        o->spans[i].end = i + 1 < count ? firsts[i + 1] : z.header->size;
        o->spans[i].walk.z = &o->zone;
    }
    *ret = o;
    return 0;
}

int zone_opening_new(const void *data, size_t size, struct zone_opening **ret)
{
    return zone_opening_cut(data, size, SPAN_NODES, ret);
}

unsigned zone_opening_parts(const struct zone_opening *o)
{
    return PARTS + o->span_count;
}

void zone_opening_part(struct zone_opening *o, unsigned part)
{
    const struct zone_header *h = o->zone.header;

    if (part == PART_CHECKSUM)
        o->right[part] = zone_checksum(o->zone.base, h->size) == h->checksum;
    else if (part == PART_TABLE)
        o->right[part] = verify_table(&o->zone);
    else if (part == PART_CHAIN)
        o->right[part] = verify_chain(&o->chain);
    else
        span_check(&o->spans[part - PARTS]);
}

static bool spans_join(const struct zone_opening *o, struct verify_walk *w)
{
    w->heap = verify_heap_begin(o->zone.header);
    for (unsigned i = 0; i < o->span_count; i++) {
        if (!o->spans[i].right || !span_follows(&o->spans[i], w))
            return false;
        span_join(&o->spans[i], w);
    }
    return true;
}

/* After the nodes: the records of an NSEC3 chain, and of the variants, end the heap. */
static bool heap_ends(const struct zone_opening *o, const struct verify_walk *nodes)
{
    const struct zone_header *h = o->zone.header;
    struct verify_walk w = {.z = &o->zone, .heap = nodes->heap};

    if (o->chain.heap_first && o->chain.heap_first != w.heap)
        return false;
    if (o->chain.heap)
        w.heap = o->chain.heap;
    return nodes->links == (verify_has_nsec(h) ? h->chain_count : 0) && verify_variants(&w) &&
           w.heap == h->steered;
}

static bool all_right(const struct zone_opening *o)
{
    const struct zone_header *h = o->zone.header;
    struct verify_walk w = {.z = &o->zone};

    return o->right[PART_TABLE] && o->right[PART_CHAIN] && spans_join(o, &w) && heap_ends(o, &w) &&
           w.nodes == h->node_count && w.records == h->record_count &&
           w.steered == h->steered_count && w.wildcards == w.wildcard_parents &&
           w.labels_max == h->labels_max &&
           w.flags == (h->flags & ~(ZONE_SIGNED | ZONE_NSEC3 | ZONE_GIVEN)) &&
           verify_apex(&o->zone);
}

int zone_opening_end(struct zone_opening *o, struct zone *ret)
{
    int err = !o->right[PART_CHECKSUM] ? ERR_CHECKSUM : all_right(o) ? 0 : ERR_BOUNDS;

    if (!err)
        *ret = o->zone;
    free(o);
    return err;
}

int zone_open(const void *data, size_t size, struct zone *ret)
{
    struct zone_opening *o;
    int err = zone_opening_cut(data, size, UINT32_MAX, &o); /* in one span */

    if (err)
        return err;
    for (unsigned i = 0; i < zone_opening_parts(o); i++)
        zone_opening_part(o, i);
    return zone_opening_end(o, ret);
}
