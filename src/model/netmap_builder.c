/* From prefixes that nest to ranges that do not.
 *
 * Sorted by start, the wider first, prefixes open and close like brackets: a stack holds those
 * around the current address, each with the row that holds inside it. Prefixes never overlap in
 * part, so one pass over the sorted list writes the ranges in order. */
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/netmap.h"
#include "model/netmap_format.h"
#include <stdlib.h>
#include <string.h>

/* An address of either family as a number. */
__extension__ typedef unsigned __int128 number;

struct item {
    number start;
    uint32_t sequence; /* in order of adding */
    uint32_t key;
    uint8_t length;
};

struct range {
    number start;
    uint32_t row;
};

struct family {
    unsigned bits;
    struct item *items;
    size_t item_count, item_capacity;
    struct range *ranges;
    size_t range_count, range_capacity;
};

struct netmap_builder {
    struct family families[IP_FAMILIES];
    struct arena arena;  /* of the keys of `rows` */
    struct map rows;     /* a row's keys -> its number + 1 */
    uint32_t *row_first; /* row_count + 1 */
    size_t row_count, row_capacity;
    uint32_t *keys;
    size_t key_count, key_capacity;
};

struct netmap_builder *netmap_builder_new(void)
{
    struct netmap_builder *b = mem_new(1, sizeof *b);
    b->families[IP_V4].bits = 32;
    b->families[IP_V6].bits = 128;
    b->arena = arena_init();
    b->rows = map_init();
    return b;
}

void netmap_builder_free(struct netmap_builder *b)
{
    if (!b)
        return;
    for (unsigned i = 0; i < IP_FAMILIES; i++) {
        free(b->families[i].items);
        free(b->families[i].ranges);
    }
    arena_done(&b->arena);
    map_done(&b->rows);
    free(b->row_first);
    free(b->keys);
    free(b);
}

static number number_of(const struct ip *ip)
{
    number n = 0;
    for (size_t i = 0; i < ip_size(ip); i++)
        n = n << 8 | ip->bytes[i];
    return n;
}

/* The last address of a prefix. */
static number number_end(const struct family *f, const struct item *i)
{
    unsigned host = f->bits - i->length;
    return host == 128 ? ~(number)0 : i->start | (((number)1 << host) - 1);
}

void netmap_builder_add(struct netmap_builder *b, const struct ip_prefix *prefix, uint32_t key)
{
    struct family *f = &b->families[prefix->ip.family];
    invariant(prefix->ip.family < IP_FAMILIES && prefix->length <= f->bits);
    invariant(f->item_count < UINT32_MAX);
    struct ip start = ip_mask(&prefix->ip, prefix->length);
    f->items = mem_grow(f->items, f->item_count, &f->item_capacity, sizeof *f->items);
    f->items[f->item_count] = (struct item){.start = number_of(&start),
                                            .sequence = (uint32_t)f->item_count,
                                            .key = key,
                                            .length = prefix->length};
    f->item_count++;
}

static int item_compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->sequence < y->sequence ? -1 : 1;
}

/* ---- rows ---- */

static bool has_key(const uint32_t *keys, uint32_t count, uint32_t key)
{
    for (uint32_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

/* The row with the keys of these items, in their order, and then those of the row around. */
static uint32_t row_make(struct netmap_builder *b, const struct item *items, size_t count,
                         uint32_t around)
{
    size_t inherited =
        around == NETMAP_NO_ROW ? 0 : b->row_first[around + 1] - b->row_first[around];
    while (b->key_count + count + inherited > b->key_capacity) {
        b->key_capacity = b->key_capacity ? b->key_capacity * 2 : 1024;
        b->keys = mem_resize(b->keys, b->key_capacity, sizeof *b->keys);
    }
    /* Written where a new row would lie; it becomes one if there is none like it. */
    uint32_t *keys = b->keys + b->key_count, n = 0;
    for (size_t i = 0; i < count; i++)
        if (!has_key(keys, n, items[i].key))
            keys[n++] = items[i].key;
    for (size_t i = 0; i < inherited; i++)
        if (!has_key(keys, n, b->keys[b->row_first[around] + i]))
            keys[n++] = b->keys[b->row_first[around] + i];
    void *known = map_get(&b->rows, keys, n * sizeof *keys);
    if (known)
        return (uint32_t)((uintptr_t)known - 1);

    if (b->row_count + 2 > b->row_capacity) {
        b->row_capacity = b->row_capacity ? b->row_capacity * 2 : 256;
        b->row_first = mem_resize(b->row_first, b->row_capacity, sizeof *b->row_first);
    }
    uint32_t *name = arena_new(&b->arena, n, sizeof *keys);
    memcpy(name, keys, n * sizeof *keys);
    uint32_t row = (uint32_t)b->row_count++;
    b->row_first[row] = (uint32_t)b->key_count;
    b->key_count += n;
    b->row_first[row + 1] = (uint32_t)b->key_count;
    map_put(&b->rows, name, n * sizeof *keys, (void *)((uintptr_t)row + 1));
    return row;
}

/* ---- ranges ---- */

/* From `start` on the row is `row`; whatever was said of the same start before is replaced, and a
 * range like its neighbour becomes one with it. */
static void range_put(struct family *f, number start, uint32_t row)
{
    if (f->range_count && f->ranges[f->range_count - 1].start == start)
        f->range_count--;
    if (f->range_count && f->ranges[f->range_count - 1].row == row)
        return;
    f->ranges = mem_grow(f->ranges, f->range_count, &f->range_capacity, sizeof *f->ranges);
    f->ranges[f->range_count++] = (struct range){start, row};
}

struct open_prefix {
    number end;
    uint32_t row;
};

struct nest {
    struct open_prefix items[130]; /* one a prefix length, and the space around them all */
    unsigned count;
};

/* Closes what ends before `start`. */
static void nest_close(struct family *f, struct nest *n, number start)
{
    while (n->count > 1 && n->items[n->count - 1].end < start) {
        number end = n->items[--n->count].end;
        range_put(f, end + 1, n->items[n->count - 1].row);
    }
}

static void family_flatten(struct netmap_builder *b, struct family *f)
{
    f->range_count = 0;
    if (!f->item_count)
        return;
    qsort(f->items, f->item_count, sizeof *f->items, item_compare);
    number last = f->bits == 128 ? ~(number)0 : ((number)1 << f->bits) - 1;
    struct nest nest = {.items = {{last, NETMAP_NO_ROW}}, .count = 1};
    range_put(f, 0, NETMAP_NO_ROW);
    for (size_t i = 0, next; i < f->item_count; i = next) {
        const struct item *first = &f->items[i];
        for (next = i + 1; next < f->item_count && f->items[next].start == first->start &&
                           f->items[next].length == first->length;)
            next++;
        nest_close(f, &nest, first->start);
        const struct open_prefix *around = &nest.items[nest.count - 1];
        uint32_t row = row_make(b, first, next - i, around->row);
        invariant(nest.count < array_length(nest.items) && number_end(f, first) <= around->end);
        nest.items[nest.count++] = (struct open_prefix){number_end(f, first), row};
        range_put(f, first->start, row);
    }
    while (nest.count > 1) {
        number end = nest.items[--nest.count].end;
        if (end < last)
            range_put(f, end + 1, nest.items[nest.count - 1].row);
    }
}

/* ---- the file ---- */

static void ranges_write(const struct netmap_builder *b, struct netmap_range4 *v4,
                         struct netmap_range6 *v6)
{
    const struct family *f = &b->families[IP_V4];
    for (size_t i = 0; i < f->range_count; i++)
        v4[i] = (struct netmap_range4){(uint32_t)f->ranges[i].start, f->ranges[i].row};
    f = &b->families[IP_V6];
    for (size_t i = 0; i < f->range_count; i++)
        v6[i] = (struct netmap_range6){(uint64_t)(f->ranges[i].start >> 64),
                                       (uint64_t)f->ranges[i].start, f->ranges[i].row, 0};
}

uint8_t *netmap_builder_finish(struct netmap_builder *b, size_t *ret_size)
{
    for (unsigned i = 0; i < IP_FAMILIES; i++)
        family_flatten(b, &b->families[i]);
    invariant(b->row_count < NETMAP_NO_ROW && b->key_count <= UINT32_MAX);
    struct netmap_header h = {
        .version = NETMAP_VERSION,
        .v4_count = (uint32_t)b->families[IP_V4].range_count,
        .v6_count = (uint32_t)b->families[IP_V6].range_count,
        .row_count = (uint32_t)b->row_count,
        .key_count = (uint32_t)b->key_count,
    };
    memcpy(h.magic, NETMAP_MAGIC, sizeof h.magic);
    uint64_t parts[NETMAP_PARTS + 1];
    netmap_layout(&h, parts);
    h.size = parts[NETMAP_PARTS];

    uint8_t *data = mem_new(1, h.size);
    memcpy(data, &h, sizeof h);
    ranges_write(b, (struct netmap_range4 *)(data + parts[PART_V4]),
                 (struct netmap_range6 *)(data + parts[PART_V6]));
    if (b->row_count)
        memcpy(data + parts[PART_ROWS], b->row_first, (b->row_count + 1) * sizeof *b->row_first);
    if (b->key_count)
        memcpy(data + parts[PART_KEYS], b->keys, b->key_count * sizeof *b->keys);
    h.checksum = netmap_checksum(data, h.size);
    memcpy(data, &h, sizeof h);
    *ret_size = h.size;
    return data;
}
