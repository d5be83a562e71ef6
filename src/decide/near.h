/* Which clients are near which networks of vantages: of each row of a netmap, a set of networks.
 *
 *  1. Collections say it best: one that has the name of a network, of a site or of a node holds
 *     clients near that.
 *  2. Else the latency table: clients are near the vantages in the region (a site of that name) of
 *     least latency to them among those where a vantage stands, unless another region is less than
 *     half as far: then nobody who looks is near.
 *  3. Else geography: the map of sites says which one is nearest (model/netmap_io.h).
 *
 * A site may stand in several networks; its clients are near all of them, as nobody knows behind
 * which. The sets depend on the configuration and on who looks, so they are alike on all nodes, and
 * are made at most once a step, in steps in which a path is broken. */
#pragma once

#include "decide/step.h"

/* By rising weight of what they say. */
enum near_source { NEAR_SITES, NEAR_LATENCY, NEAR_COLLECTIONS };
enum { NEAR_SOURCES = 3 };

struct near_map {
    const struct netmap *map; /* NULL: the configuration has none */
    uint32_t file;
    const uint64_t *networks; /* of each row: of quorum.networks, as bits; 0: nobody is near */
};

struct near_map near_map(const struct step *step, enum near_source source);
