/* What zone_verify.c, which looks at everything, and zone_opening.c, which cuts that into parts,
 * say to each other. Used inside zone*.c only. */
#pragma once

#include "model/zone.h"

/* An ancestor of the name at hand. */
struct verify_level {
    uint64_t offset;
    const struct zone_node *node;
};

/* Slots lie in no order, so looking at one waits for memory. Each is asked for when its node is
 * seen and looked at some nodes later: that took four fifths of the whole check. */
enum { VERIFY_SLOTS_AHEAD = 16 };
struct verify_slot {
    uint64_t hash, slot; /* slot: 0 = none */
};

struct verify_walk {
    const struct zone *z;
    struct verify_slot slots[VERIFY_SLOTS_AHEAD];
    unsigned slot_next;
    uint64_t position;   /* in the nodes */
    uint64_t heap;       /* in the records; 0: where the first set says */
    uint64_t heap_first; /* what it said */
    struct verify_level levels[DNAME_LABELS_MAX + 1];
    unsigned depth; /* levels in use */
    uint32_t links; /* of an NSEC chain */
    uint32_t nodes, records, steered, wildcards, wildcard_parents;
    uint8_t labels_max, flags;
};

static inline uint64_t verify_heap_begin(const struct zone_header *h)
{
    return h->slots + ((uint64_t)h->slot_mask + 1) * sizeof(uint64_t);
}

static inline bool verify_has_nsec(const struct zone_header *h)
{
    return h->flags & ZONE_SIGNED && !(h->flags & ZONE_NSEC3);
}

/* Origin, sections, negative image: what all else is found by. */
bool verify_frame(const struct zone *z);
/* As many slots are in use as there are nodes. */
bool verify_table(const struct zone *z);
/* The apex has SOA and NS, and the header its serial. After the nodes. */
bool verify_apex(const struct zone *z);
/* The node at the walk's position, with its sets and images; the walk moves behind it. */
bool verify_node(struct verify_walk *w);
/* The slots of the last nodes, which were asked for and not looked at yet. */
bool verify_slots_noted(const struct verify_walk *w);
/* The records of an NSEC3 chain follow those of the nodes, those of variants end the heap. */
bool verify_chain(struct verify_walk *w);
bool verify_variants(struct verify_walk *w);

/* zone_opening_new with spans of about so many nodes (> 0). */
must_check int zone_opening_cut(const void *data, size_t size, uint32_t nodes,
                                struct zone_opening **ret);
