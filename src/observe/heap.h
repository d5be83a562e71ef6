/* A binary heap of moments, indexed by small numbers: what comes next, with any member moved or
 * removed in O(log n). */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    usec_t when;
    uint32_t id;
};

struct heap {
    struct heap_node *nodes;
    size_t count, size;
    uint32_t *places; /* by id: index in nodes + 1, 0 = not in the heap */
    size_t place_count;
};

void heap_done(struct heap *h); /* frees; a zeroed heap is empty and ready */
/* Puts id at `when`, or moves it there. ids should be dense: memory goes by the largest one. */
void heap_put(struct heap *h, uint32_t id, usec_t when);
void heap_remove(struct heap *h, uint32_t id); /* nothing where it is not in the heap */
/* The earliest member, or NULL. */
static inline const struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? &h->nodes[0] : NULL;
}
static inline usec_t heap_when(const struct heap *h)
{
    return h->count ? h->nodes[0].when : USEC_NEVER;
}
/* When this member is due; USEC_NEVER where it is not in the heap. */
static inline usec_t heap_when_of(const struct heap *h, uint32_t id)
{
    return id < h->place_count && h->places[id] ? h->nodes[h->places[id] - 1].when : USEC_NEVER;
}
