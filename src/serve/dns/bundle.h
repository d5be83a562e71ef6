/* Which answers of a batch leave together: those to one client, from one address of ours, as one
 * message that the kernel cuts into datagrams (UDP_SEGMENT). It is routed, filtered and queued
 * once, which is most of what an answer costs. Pure: numbers of answers in, an order out. */
#pragma once

#include "base/bytes.h"

enum {
    BUNDLE_ANSWERS_MAX = 64,  /* in a batch; no kernel that cuts takes fewer in a message */
    BUNDLE_BYTES_MAX = 65000, /* of a message: below what IPv4's length field leaves for data */
};

struct bundle_answer {
    struct bytes client; /* socket address */
    struct bytes local;  /* control message that says from where; may be empty */
    uint16_t length;     /* of the answer */
};

/* In a bundle all answers but the last are as long as its first, and the last is no longer: that is
 * all the kernel can cut. */
struct bundles {
    uint8_t order[BUNDLE_ANSWERS_MAX]; /* each answer's number once, bundle after bundle */
    uint8_t end[BUNDLE_ANSWERS_MAX];   /* where in it each bundle ends */
    unsigned count;                    /* bundles */
};

/* Answers longer than `segment_most` go alone; 0: all do. count <= BUNDLE_ANSWERS_MAX. */
void bundles_make(const struct bundle_answer *answers, unsigned count, size_t segment_most,
                  struct bundles *ret);

static inline unsigned bundle_begin(const struct bundles *b, unsigned bundle)
{
    return bundle ? b->end[bundle - 1] : 0;
}
