/* Sites: where on the globe nodes stand. */
#include "base/err.h"
#include "model/config_link.h"
#include <stdio.h>

#define AT(type, field) offsetof(struct type, field)

enum { DECIMALS = 3 };

/* "-33.86" as thousandths of a degree; more decimals are passed over. */
static bool degrees_parse(const char *text, int32_t *ret)
{
    bool south = *text == '-';
    int64_t value = 0;
    unsigned digits = 0, decimals = 0;
    const char *at = text + south;
    for (; *at >= '0' && *at <= '9' && digits < 4; at++, digits++)
        value = value * 10 + (*at - '0');
    if (*at == '.' && digits)
        for (at++; *at >= '0' && *at <= '9'; at++)
            if (decimals < DECIMALS) {
                value = value * 10 + (*at - '0');
                decimals++;
            }
    for (; decimals < DECIMALS; decimals++)
        value *= 10;
    *ret = (int32_t)(south ? -value : value);
    return digits && !*at;
}

static bool degrees_read(struct reading *r, const struct tree *node, const struct key *key,
                         void *slot)
{
    char wanted[80];
    int32_t value;
    snprintf(wanted, sizeof wanted, "degrees from %lld to %lld, such as 48.86", (long long)key->min,
             (long long)key->max);
    const char *text = reading_scalar(r, node, key, wanted);
    if (!text)
        return false;
    if (node->quoted || !degrees_parse(text, &value) || value < key->min * DEGREE ||
        value > key->max * DEGREE)
        return reading_refuse(r, node, key, wanted);
    *(int32_t *)slot = value;
    return true;
}

static void degrees_schema(const struct key *key, struct text *out)
{
    text_appendf(out, "\"type\":\"number\",\"minimum\":%lld,\"maximum\":%lld", (long long)key->min,
                 (long long)key->max);
}

static const struct type type_degrees = {"degrees such as 48.86", degrees_read, degrees_schema};

static const struct key site_keys[] = {
    {"latitude", &type_degrees, AT(draft_site, site.at.latitude), .min = -90, .max = 90,
     .required = true, .help = "degrees north; south is negative"},
    {"longitude", &type_degrees, AT(draft_site, site.at.longitude), .min = -180, .max = 180,
     .required = true, .help = "degrees east; west is negative"},
};

const struct shape shape_site = {.name = "site",
                                 .what = "site",
                                 .keys = site_keys,
                                 .key_count = array_length(site_keys),
                                 .help = "Where a site of nodes stands."};

const struct names_of sites = {
    .element = {.name = "site", .type = &type_mapping, .detail = &shape_site},
    .size = sizeof(struct draft_site),
    .label = {.name = "a site's name", .type = &type_label, .offset = AT(draft_site, site.name)},
    .schema_name = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"};

void link_sites(struct linking *l)
{
    struct config *c = l->config;
    const struct draft_site *drafts = l->root->sites.items;
    c->site_count = l->root->sites.count;
    c->sites = arena_new(l->reading->keep, c->site_count + (size_t)1, sizeof *c->sites);
    for (uint32_t i = 0; i < c->site_count; i++)
        c->sites[i] = drafts[i].site;
    if (c->site_count && !l->root->geo.database && !tree_get(l->reading->root, "geo"))
        problem_add(l->reading->problems, drafts[0].head.key->place,
                    "who is near a site can only be told with a database; add geo: {database: "
                    "FILE.mmdb}");
}
