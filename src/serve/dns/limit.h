/* Response rate limiting: a name server is not to be a gun. Who sends queries under the address of
 * a victim gets it no more than a bounded number of responses a second for each answer.
 *
 * A table of fixed size, one a thread, no allocation after limit_new. An entry is the time until
 * which a pair (network, answer) has spent its budget (the generic cell rate algorithm: one number
 * says what a bucket of tokens says). Where all four places of a pair are taken by pairs that are
 * still in debt, the newcomer takes over the smallest debt: a flood of invented pairs cannot wash
 * away what an entry knows. */
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

/* rate: responses a second for each pair, > 0. slip: one in so many of those held back; 0 = none.
 * size: entries, rounded up to a power of two. limit_free(NULL) is fine. */
struct limit *limit_new(uint32_t rate, uint32_t slip, uint32_t size);
void limit_free(struct limit *l);

/* The pair's key: the client's /24 or /56, and what is answered. */
pure_function uint64_t limit_key(const struct ip *client, uint64_t answer);
/* Asks for the memory that limit_take() of this key will read. */
void limit_prefetch(const struct limit *l, uint64_t key);
enum limit_verdict limit_take(struct limit *l, uint64_t key, usec_t now);
