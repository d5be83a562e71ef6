#include "observe/heap.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

void heap_done(struct heap *h)
{
    free(h->nodes);
    free(h->places);
    *h = (struct heap){0};
}

static void node_set(struct heap *h, size_t at, struct heap_node node)
{
    h->nodes[at] = node;
    h->places[node.id] = (uint32_t)at + 1;
}

static void node_up(struct heap *h, size_t at, struct heap_node node)
{
    while (at > 0 && h->nodes[(at - 1) / 2].when > node.when) {
        node_set(h, at, h->nodes[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    node_set(h, at, node);
}

static void node_down(struct heap *h, size_t at, struct heap_node node)
{
    for (size_t child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && h->nodes[child + 1].when < h->nodes[child].when)
            child++;
        if (h->nodes[child].when >= node.when)
            break;
        node_set(h, at, h->nodes[child]);
    }
    node_set(h, at, node);
}

static void places_reach(struct heap *h, uint32_t id)
{
    if (id < h->place_count)
        return;
    size_t count = h->place_count ? h->place_count : 16;
    while (count <= id)
        count *= 2;
    h->places = mem_resize(h->places, count, sizeof *h->places);
    memset(h->places + h->place_count, 0, (count - h->place_count) * sizeof *h->places);
    h->place_count = count;
}

void heap_put(struct heap *h, uint32_t id, usec_t when)
{
    places_reach(h, id);
    struct heap_node node = {when, id};
    size_t at;
    if (h->places[id]) {
        at = h->places[id] - 1;
    } else {
        h->nodes = mem_grow(h->nodes, h->count, &h->size, sizeof *h->nodes);
        at = h->count++;
    }
    invariant(at < h->count);
    if (at > 0 && h->nodes[(at - 1) / 2].when > when)
        node_up(h, at, node);
    else
        node_down(h, at, node);
}

void heap_remove(struct heap *h, uint32_t id)
{
    if (id >= h->place_count || !h->places[id])
        return;
    size_t at = h->places[id] - 1;
    invariant(at < h->count && h->nodes[at].id == id);
    h->places[id] = 0;
    struct heap_node last = h->nodes[--h->count];
    if (at == h->count)
        return;
    if (at > 0 && h->nodes[(at - 1) / 2].when > last.when)
        node_up(h, at, last);
    else
        node_down(h, at, last);
}
