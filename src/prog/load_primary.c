#include "prog/load_primary.h"
#include "base/err.h"
#include "model/zone_held_io.h"
#include "prog/load_held.h"
#include "wire/dns.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int builder_steer(struct zone_builder *b, const uint8_t *const *names, unsigned count)
{
    int err = 0;
    for (unsigned i = 0; i < count && !err; i++)
        err = zone_builder_steer(b, names[i]);
    return err;
}

int primary_compile(const struct held_content *content, const char *path,
                    const uint8_t *const *steered, unsigned steered_count,
                    const struct zone_seal *seal, struct text *problems, uint8_t **ret_data,
                    size_t *ret_size)
{
    struct zone_builder *b = zone_builder_new(content->origin);
    zone_builder_seal(b, seal);
    zone_builder_glue_later(b);
    int err = builder_steer(b, steered, steered_count);
    if (!err)
        err = held_content_feed(content, b);
    if (err)
        text_appendf(problems, "%s:1:1: its content cannot be used: %s\n", path, err_text(err));
    else
        err = zone_builder_finish(b, path, problems, ret_data, ret_size);
    zone_builder_free(b);
    return err;
}

/* SOA and NS, so that it is a zone; no server ever sends them. */
int zone_dark_compile(const struct config_zone *zone, const uint8_t *const *steered,
                      unsigned steered_count, struct text *problems, uint8_t **ret_data,
                      size_t *ret_size)
{
    static const uint8_t soa[2 + 20], ns[1];
    uint8_t origin[DNAME_MAX];
    if (dname_parse(zone->name, strlen(zone->name), NULL, origin) < 0)
        return ERR_INVALID;
    struct zone_builder *b = zone_builder_new(origin);
    int err = builder_steer(b, steered, steered_count);
    if (!err)
        err = zone_builder_add(b, origin, DNS_SOA, 0, soa, sizeof soa, 1);
    if (!err)
        err = zone_builder_add(b, origin, DNS_NS, 0, ns, sizeof ns, 1);
    if (!err)
        err = zone_builder_finish(b, zone->file, problems, ret_data, ret_size);
    zone_builder_free(b);
    return err;
}

int primary_zone_compile(const char *data, const struct config_zone *zone,
                         const uint8_t *const *steered, unsigned steered_count,
                         const struct zone_seal *seal, const struct zone_watch *watch,
                         struct text *problems, uint8_t **ret_data, size_t *ret_size,
                         bool *ret_dark)
{
    struct held_content *content;
    struct zone_seal how = *seal;
    if (how.zonemd != ZONEMD_GENERATE) /* it was looked at when it came, and is held now (L1) */
        how.zonemd = ZONEMD_IGNORE;
    if (data)
        load_held_watch(data, zone, watch);
    int err = data ? zone_held_read(data, zone->name, problems, &content, NULL) : -ENOENT;
    *ret_dark = err != 0;
    if (err) /* none yet; or damaged, which the problems say: fetched anew, that is mended */
        return zone_dark_compile(zone, steered, steered_count, problems, ret_data, ret_size);
    err = primary_compile(content, zone->file, steered, steered_count, &how, problems, ret_data,
                          ret_size);
    held_content_free(content);
    return err;
}
