/* Canonical order of a million names in a fraction of a second: sort by 8 bytes of the key at a
 * time, then each run of equals by the next 8. Names in one zone share long beginnings, and files
 * are often sorted already: a range that is in order costs one look. */
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include <stdlib.h>

enum { INSERTION_MAX = 48 };

/* Bytes depth..depth+8 of the key as a number that orders as they do; zeros behind its end (no key
 * has two zeros in a row, so no other key looks like an ended one). */
static uint64_t key_prefix(const struct zone_entry *e, unsigned depth)
{
    uint8_t bytes[8] = {0};

    if (depth < e->key_length) {
        unsigned left = e->key_length - depth;
        memcpy(bytes, e->bytes + depth, left < 8 ? left : 8);
    }
    uint64_t v;
    memcpy(&v, bytes, 8);
    return __builtin_bswap64(v);
}

static void insertion_sort(struct zone_item *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct zone_item item = items[i];
        uint32_t at = i;
        for (; at && items[at - 1].prefix > item.prefix; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* One pass of a stable counting sort by one byte. */
static void radix_pass(const struct zone_item *from, struct zone_item *to, uint32_t count,
                       unsigned shift)
{
    uint32_t starts[256] = {0}, sum = 0;

    for (uint32_t i = 0; i < count; i++)
        starts[from[i].prefix >> shift & 255]++;
    for (unsigned v = 0; v < 256; v++) {
        uint32_t here = starts[v];
        starts[v] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[starts[from[i].prefix >> shift & 255]++] = from[i];
}

static void prefix_sort(struct zone_item *items, struct zone_item *spare, uint32_t count)
{
    uint64_t varying = 0;
    bool ordered = true;
    struct zone_item *from = items, *to = spare;

    for (uint32_t i = 1; i < count; i++) {
        varying |= items[i].prefix ^ items[0].prefix;
        ordered &= items[i - 1].prefix <= items[i].prefix;
    }
    if (ordered)
        return;
    if (count <= INSERTION_MAX) {
        insertion_sort(items, count);
        return;
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(varying >> shift & 255))
            continue;
        radix_pass(from, to, count, shift);
        struct zone_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

/* Does any key of a run, whose keys agree up to `depth`, go on behind it? */
static bool run_goes_on(const struct zone_item *items, uint32_t count, unsigned depth)
{
    if (items->prefix & 0xff)
        return true;
    if (!(items->prefix & 0xffff))
        return false; /* two zeros: ended, all of them */
    for (uint32_t i = 0; i < count; i++)
        if (items[i].entry->key_length > depth)
            return true;
    return false;
}

static void range_sort(struct zone_item *items, struct zone_item *spare, uint32_t count,
                       unsigned depth)
{
    invariant(depth <= ZONE_KEY_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 16 < count)
            __builtin_prefetch(items[i + 16].entry);
        items[i].prefix = key_prefix(items[i].entry, depth);
    }
    prefix_sort(items, spare, count);
    for (uint32_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && items[end].prefix == items[start].prefix;)
            end++;
        if (end - start > 1 && run_goes_on(items + start, end - start, depth + 8))
            range_sort(items + start, spare, end - start, depth + 8);
    }
}

static int item_compare(const void *x, const void *y)
{
    const struct zone_entry *a = ((const struct zone_item *)x)->entry;
    const struct zone_entry *b = ((const struct zone_item *)y)->entry;

    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    size_t shorter = a->rdata_length < b->rdata_length ? a->rdata_length : b->rdata_length;
    int order = memcmp(zone_entry_rdata(a), zone_entry_rdata(b), shorter);
    if (order == 0)
        order = (int)a->rdata_length - (int)b->rdata_length;
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static bool same_key(const struct zone_entry *a, const struct zone_entry *b)
{
    return a->key_length == b->key_length && memcmp(a->bytes, b->bytes, a->key_length) == 0;
}

/* Within each name: by type, then data in canonical order (RFC 4034 6.3). */
static void names_sort(struct zone_item *items, uint32_t count)
{
    for (uint32_t start = 0, end; start < count; start = end) {
        if (start + 16 < count)
            __builtin_prefetch(items[start + 16].entry);
        for (end = start + 1; end < count && same_key(items[start].entry, items[end].entry);)
            end++;
        if (end - start > 1)
            qsort(items + start, end - start, sizeof *items, item_compare);
    }
}

size_t zone_entry_size(const struct zone_entry *e)
{
    return (sizeof *e + e->key_length + e->rdata_length + 3) & ~(size_t)3;
}

static bool chunk_holds(const struct zone_chunk *c, const struct zone_entry *e)
{
    const uint8_t *at = (const uint8_t *)e;
    return at >= c->data && at < c->data + c->used;
}

static bool in_order(const struct zone_item *items, uint32_t count, const struct zone_chunk *c)
{
    for (uint32_t i = 0; i < count; i++) {
        while (c && !chunk_holds(c, items[i].entry))
            c = c->next;
        if (!c || (i && items[i].entry < items[i - 1].entry && chunk_holds(c, items[i - 1].entry)))
            return false;
    }
    return true;
}

/* Copies the records into the order they will be read in from now on, several times: a walk through
 * memory rather than a million jumps. */
static void entries_lay(struct zone_builder *b, struct zone_item *items, uint32_t count)
{
    size_t size = 0;

    if (in_order(items, count, b->first))
        return;
    for (const struct zone_chunk *c = b->first; c; c = c->next)
        size += c->used;
    struct zone_chunk *laid = mem_new(1, sizeof *laid + size);
    for (uint32_t i = 0; i < count; i++) {
        struct zone_entry *to = (struct zone_entry *)(laid->data + laid->used);
        size_t length = zone_entry_size(items[i].entry);
        if (i + 16 < count)
            __builtin_prefetch(items[i + 16].entry);
        memcpy(to, items[i].entry, length);
        items[i].entry = to;
        laid->used += length;
    }
    laid->size = size;
    invariant(laid->used <= size);
    zone_chunks_free(b);
    b->first = b->last = laid;
}

void zone_entries_sort(struct zone_builder *b)
{
    struct zone_item *items = mem_new(b->entry_count + 1u, sizeof *items);
    uint32_t count = 0;

    for (const struct zone_chunk *c = b->first; c; c = c->next)
        for (size_t at = 0; at < c->used;) {
            const struct zone_entry *e = (const struct zone_entry *)(c->data + at);
            if (e->type != ZONE_ENTRY_GONE)
                items[count++].entry = e;
            at += zone_entry_size(e);
        }
    invariant(count <= b->entry_count);
    b->entry_count = count;
    struct zone_item *spare = mem_new(count + 1u, sizeof *spare);
    range_sort(items, spare, count, 0);
    free(spare);
    names_sort(items, count);
    entries_lay(b, items, count);
    b->items = items;
    b->item_count = count;
}
