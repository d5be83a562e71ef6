/* Steering by locality: a path that is broken for some moves only the clients behind it.
 *
 *  1. Which clients are near which networks says near.h, from several sources; the one that says it
 *     best counts.
 *  2. A member that is up, and that every network which clients are near is led past (detour.h: it
 *     cannot be reached from there, or could not a moment ago), is no member for these clients: for
 *     them the policy chooses again among the others.
 *  3. Clients whose only member that would be keep it (L3), and so do all others.
 *  4. Those who are moved are a minority of the networks: else the verdict is another. Beyond the
 *     service's velocity limit, by networks, the rest stays where it is (L4); one may always be
 *     moved, and those who were moved first stay moved. */
#pragma once

#include "decide/face.h"

/* The choice of a face in normal mode, whose policy has chosen `root`. */
uint32_t locality_choice(struct face *f, uint32_t root);
