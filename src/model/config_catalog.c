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

static void member_link(struct linking *l, const struct draft_zone *d, int last,
                        struct config_zone *z)
{
    struct problems *problems = l->reading->problems;
    if (d->catalog_group && !d->catalog_zone)
        problem_add(problems, place_under(&d->head, "catalog_group"),
                    "catalog_group without catalog_zone; name the catalog that lists the zone, or "
                    "leave the group out");
    if (!d->catalog_zone)
        return;
    int catalog = catalog_find(l->config, d->catalog_zone, last);
    struct config_place place = place_under(&d->head, "catalog_zone");
    if (catalog == CONFIG_NONE)
        problem_add(problems, place,
                    "there is no zone %s; add it with catalog: generate, or correct "
                    "the name",
                    d->catalog_zone);
    else if (l->config->zones[catalog].catalog != CATALOG_GENERATE)
        problem_add(problems, place,
                    "the zone %s is no catalog; give it catalog: generate instead of "
                    "a file",
                    d->catalog_zone);
    else if (&l->config->zones[catalog] == z)
        problem_add(problems, place, "a catalog does not list itself; leave catalog_zone out");
    z->catalog_zone = catalog;
    z->catalog_group = d->catalog_group;
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
