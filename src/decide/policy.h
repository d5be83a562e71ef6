/* Routing policies: each builds the choice of a face from its members.
 *
 * At least one member is of TIER_SERVING; those of lower tiers matter only to policies that split
 * by network, where a row may have nobody else (L3). */
#pragma once

#include "decide/face.h"

/* The root choice of the face by its policy. */
uint32_t policy_choice(struct face *f);

/* policy_keyed.c: geolocation and ip-based: the most specific key of the client's row that a
 * member names. */
uint32_t policy_keyed(struct face *f, int file, const struct netmap *map);
/* policy_latency.c */
uint32_t policy_latency(struct face *f, int file, const struct netmap *map);
