/* Steering by locality: a path that is broken for some moves only the clients behind it.
 *
 *  1. Clients are near a vantage's network when the collection of the configuration that holds them
 *     has the name of that network, or of the site or the node there.
 *  2. A member that is up, and that a network is led past (detour.h: it cannot be reached from
 * there, or could not a moment ago), is no member for the clients near that network: for them the
 *     policy chooses again among the others.
 *  3. Clients whose only member that would be keep it (L3), and so do all others.
 *  4. Those who are moved are a minority of the networks: else the verdict is another. Beyond the
 *     service's velocity limit, by networks, the rest stays where it is (L4); one may always be
 *     moved, and those who were moved first stay moved. */
#pragma once

#include "decide/face.h"

/* The choice of a face in normal mode, whose policy has chosen `root`. */
uint32_t locality_choice(struct face *f, uint32_t root);
