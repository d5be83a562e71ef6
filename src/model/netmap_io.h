/* The netmaps of a configuration: what is read from a MaxMind DB file, and what is said in the
 * configuration itself. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/config.h"
#include "model/netmap.h"

enum netmap_kind { NETMAP_GEO, NETMAP_COLLECTIONS, NETMAP_LATENCY, NETMAP_SITES };
enum { NETMAP_KINDS = 4, NETMAP_NEAR_KM = 3000 };
const_function const char *
netmap_kind_name(enum netmap_kind kind); /* "geo" "collections" "latency" "sites" */

/* The bytes of a netmap file and a view of them. */
struct netmap_bytes {
    uint8_t *data; /* NULL: the configuration needs no such map */
    size_t size;
    struct netmap map; /* map.hash names the file in the store */
};

/* Builds the maps that a configuration needs, indexed by enum netmap_kind; undo with
 * netmap_bytes_done(). On failure nothing is left to free and `problems` has a line "path: what is
 * wrong\n".
 *
 * collections, latency: when there are any. geo: when a database is named and an endpoint has a
 * location but "*". It is a MaxMind DB file, country or city style (continent.code,
 * country.iso_code, subdivisions[0].iso_code); its networks get those of their location_key()s that
 * the configuration names, the most specific first, and those without any are left out. IPv4
 * networks inside an IPv6 tree become IPv4 prefixes. A damaged file is a problem, and so is one
 * that has no network for any location named (L3: a source that suddenly returns nothing):
 * ERR_MISSING, ERR_INVALID, ERR_BOUNDS, ERR_REFUSED.
 *
 * sites: when there are any. Of the same file; a network has the index of the site that is nearest
 * to its place, within NETMAP_NEAR_KM: its own coordinates (location.latitude, location.longitude)
 * or, where it has none, the middle of its country. */
must_check int netmap_of_config(const struct config *config,
                                struct netmap_bytes ret[static NETMAP_KINDS],
                                struct text *problems);
void netmap_bytes_done(struct netmap_bytes maps[static NETMAP_KINDS]);
