/* How many streams each client has, over all threads, without a lock: a table of fixed size. A
 * client is a prefix. Where a client finds no place it counts as one that has too many, which with
 * a table of this size is one in a great many; so what a flood can do to it is bounded by chance
 * that the flood does not know. Pure. */
#pragma once

#include "base/ip.h"
#include <stdbool.h>

struct census;

/* clients: most streams at once; each: of one client. prefix lengths in bits, 8..32 and 16..64.
 * seed: so that nobody can choose what falls together. */
struct census *census_new(uint32_t clients, uint32_t each, unsigned prefix_v4, unsigned prefix_v6,
                          uint64_t seed);
void census_free(struct census *c); /* NULL is fine */

/* False: this client has too many. True: census_leave() is owed. */
bool census_enter(struct census *c, const struct ip *client);
void census_leave(struct census *c, const struct ip *client);
