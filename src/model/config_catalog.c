/* Catalog zones: what the zones of a configuration say of them has to fit together. */
#include "model/config_link.h"
#include <string.h>

/* Most zones name the same one: `last`. */
static int catalog_find(const struct config *c, const char *name, int last)
{
    if (last != CONFIG_NONE && c->zones[last].name && !strcmp(c->zones[last].name, name))
        return last;
    for (uint32_t i = 0; i < c->zone_count; i++)
        if (c->zones[i].name && !strcmp(c->zones[i].name, name))
            return (int)i;
    return CONFIG_NONE;
}

/* The generated catalog of this name, or CONFIG_NONE with a problem. */
static int catalog_named(struct linking *l, const struct draft_zone *d, const char *key,
                         const char *name, int last, const struct config_zone *z)
{
    struct problems *problems = l->reading->problems;
    struct config_place place = place_under(&d->head, key);
    int catalog = catalog_find(l->config, name, last);
    if (catalog == CONFIG_NONE)
        problem_add(problems, place,
                    "there is no zone %s; add it with catalog: generate, or correct "
                    "the name",
                    name);
    else if (l->config->zones[catalog].catalog != CATALOG_GENERATE)
        problem_add(problems, place,
                    "the zone %s is no catalog; give it catalog: generate instead of "
                    "a file",
                    name);
    else if (&l->config->zones[catalog] == z)
        problem_add(problems, place, "a catalog does not list itself; leave %s out", key);
    return catalog;
}

/* What has a meaning only for a zone that a catalog lists. */
static void member_needs(struct linking *l, const struct draft_zone *d, const char *key,
                         const char *what)
{
    problem_add(l->reading->problems, place_under(&d->head, key),
                "%s without catalog_zone; name the catalog that lists the zone, or leave the %s "
                "out",
                key, what);
}

/* The other catalog of a zone that changes from one to another; CONFIG_NONE where none is said. */
static int other_named(struct linking *l, const struct draft_zone *d, const char *key,
                       const char *name, const struct config_zone *z)
{
    int catalog = name ? catalog_named(l, d, key, name, CONFIG_NONE, z) : CONFIG_NONE;
    if (catalog != CONFIG_NONE && catalog == z->catalog_zone)
        problem_add(l->reading->problems, place_under(&d->head, key),
                    "this is the catalog_zone; name another catalog, or leave %s out", key);
    return catalog;
}

static void member_link(struct linking *l, const struct draft_zone *d, int last,
                        struct config_zone *z)
{
    if (!d->catalog_zone) {
        if (d->catalog_group)
            member_needs(l, d, "catalog_group", "group");
        if (d->catalog_next)
            member_needs(l, d, "catalog_next", "next one");
        if (d->catalog_before)
            member_needs(l, d, "catalog_before", "one before");
        return;
    }
    z->catalog_zone = catalog_named(l, d, "catalog_zone", d->catalog_zone, last, z);
    z->catalog_group = d->catalog_group;
    z->catalog_next = other_named(l, d, "catalog_next", d->catalog_next, z);
    z->catalog_before = other_named(l, d, "catalog_before", d->catalog_before, z);
}

void link_catalogs(struct linking *l)
{
    const struct draft_zone *drafts = l->root->zones.items;
    int last = CONFIG_NONE;
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        const struct draft_zone *d = &drafts[i];
        struct config_zone *z = &l->config->zones[i];
        bool generated = z->catalog == CATALOG_GENERATE;
        if (d->file && generated)
            problem_add(l->reading->problems, place_under(&d->head, "file"),
                        "a catalog that is generated has no file; leave one of the two out");
        /* A number that begins anew with a node would be behind that of its consumers. */
        if (generated && !tree_get(d->head.node, "serial"))
            z->serial = SERIAL_UNIXTIME;
        member_link(l, d, last, z);
        last = z->catalog_zone;
    }
}
