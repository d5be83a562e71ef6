/* From drafts to a config: references become indices, and what no table can say is checked. */
#pragma once

#include "base/map.h"
#include "model/config_table.h"

struct linking {
    struct reading *reading;
    struct draft_root *root;
    struct config *config;
    struct map checks, collections, services; /* name -> draft; the first of that name */
};

/* The place of a key's value, or of the whole where the key is not said. */
struct config_place place_under(const struct draft *draft, const char *key);

/* The root of the file with what is shared in it; faults of a part are problems of that part. */
const struct tree *parts_merge(struct reading *r, const struct tree *root,
                               const struct config_parts *parts);

/* Fills in the config and adds problems. */
void link_networks(struct linking *l);
void link_streams(struct linking *l);
void link_mesh(struct linking *l);
void link_sites(struct linking *l);
/* What a list of struct draft_listen says. */
struct config_listen *link_listens(struct linking *l, const struct list *list, uint32_t *ret_count);
/* The API. */
void link_api(struct linking *l);
/* TSIG keys; before the zones, which refer to them. */
void link_keys(struct linking *l);
void link_transfer(struct linking *l, const struct draft_transfer *draft,
                   struct config_transfer *ret);
/* A key's index by its name; CONFIG_NONE. */
int key_find(const struct config *c, const char *name);
/* The same; a problem where there is none. */
int key_refer(struct linking *l, const char *name, struct config_place place);
/* Where the zone comes from. */
void link_primaries(struct linking *l, const struct draft_zone *draft, struct config_zone *ret);
/* After the zones are filled in. */
void link_catalogs(struct linking *l);
/* After all else of the zone. */
void link_groups(struct linking *l, const struct draft_zone *d, struct config_zone *ret);
/* zone: its name, or NULL where that could not be read. */
void link_update(struct linking *l, const struct draft_update *draft, const char *zone,
                 struct config_update *ret);
void link_checks(struct linking *l);
/* References, names and what a policy asks of its endpoints. */
void link_services(struct linking *l);
/* Loops and depth of nested services; after link_services, and only where that found no problem
 * with references. */
void link_nesting(struct linking *l);
