/* Response rate limiting: a name server is not to be a gun. Who sends queries under the address of
 * a victim gets it no more than a bounded number of responses a second for each answer, and, since
 * there are as many answers as names, of all answers together.
 *
 * Tables of fixed size, a set for each thread, no allocation after limit_new. An entry is the time
 * until which a pair (network, answer), or a network, has spent its budget (the generic cell rate
 * algorithm: one number says what a bucket of tokens says). Where all four places of an entry are
 * taken by others that are still in debt, the newcomer takes over the smallest debt: a flood of
 * invented ones cannot wash away what an entry knows. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "base/time.h"

struct limit;

enum limit_verdict {
    LIMIT_PASS,
    LIMIT_SLIP, /* send it empty, with TC: a client that is there comes back over TCP */
    LIMIT_DROP,
};

/* Responses a second to one network; 0: no bound. */
struct limit_rates {
    uint32_t each; /* for one answer */
    uint32_t all;  /* for all together */
};

/* rates: not both 0. slip: one in so many of those held back; 0 = none. size: entries of each
 * table, rounded up to a power of two. limit_free(NULL) is fine. */
struct limit *limit_new(struct limit_rates rates, uint32_t slip, uint32_t size);
void limit_free(struct limit *l);

/* Asks for the memory that limit_take() will read. */
void limit_prefetch(const struct limit *l, const struct ip *client, uint64_t answer);
/* client: its /24 or /56 counts. answer: what is answered. */
enum limit_verdict limit_take(struct limit *l, const struct ip *client, uint64_t answer,
                              usec_t now);
