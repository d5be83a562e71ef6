/* Whose turn it is to be told to the other nodes.
 *
 * A table goes out in slices, SAMPLE_SLICES of them a second, each of so many entries as the
 * configuration says and nothing that happens (L6). Which targets a slice speaks of:
 *
 *  1. First those with a sample that was not told yet, in the order in which it came. A target
 *     stands in that queue once, so none waits longer than a table takes.
 *  2. Then those that were told the longest ago, so that a table is whole about once a second
 *     whatever is probed how often.
 *
 * There is room for a quarter more than is probed, and three, so that the queue stays short and (2)
 * is never starved. What is probed oftener than once a second is told oftener, up to once a slice.
 *
 * Taking and noting are O(1). Pure. */
#pragma once

#include "model/target.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    SAMPLE_SLICES = 10,         /* a second */
    SAMPLE_SLICE_MAX = 1 << 15, /* entries of one */
};
#define SAMPLE_SLICE_EVERY (USEC_PER_SEC / SAMPLE_SLICES)

struct sample_turns {
    uint32_t count;            /* targets */
    uint32_t slice;            /* entries of each slice; not more than there are targets */
    uint32_t *next, *previous; /* two rings: behind the targets are their heads */
    bool *waits;               /* in the queue of (1) */
};

/* All targets wait. Give back with sample_turns_done. */
struct sample_turns sample_turns_init(const struct target *targets, uint32_t count);
void sample_turns_done(struct sample_turns *t);
/* There is a new sample of it. */
void sample_turns_note(struct sample_turns *t, uint32_t target);
/* The next one to be told; there must be a target. */
uint32_t sample_turns_take(struct sample_turns *t);
