#include "model/zone_form.h"
#include "base/err.h"
#include "model/zone_walk.h"
#include "wire/dns.h"
#include <stdio.h>

/* What signing makes anew each time; signatures are no sets. */
static bool is_made(uint16_t type)
{
    return type == DNS_NSEC || type == DNS_NSEC3PARAM;
}

static int set_add(const struct zone *z, const struct zone_node *n, const struct zone_set *s,
                   struct zone_builder *b)
{
    struct zone_record r = zone_record_first(z, s);
    int err;
    do
        err = zone_builder_add(b, zone_node_name(n), s->type, s->ttl, r.rdata, r.length, 0);
    while (!err && zone_record_next(&r));
    return err;
}

static int records_add(const struct zone *z, bool is_signed, struct zone_builder *b)
{
    int err = 0;
    for (const struct zone_node *n = zone_node_at(z, z->header->apex); n && !err;
         n = zone_node_next(z, n))
        for (unsigned i = 0; i < n->set_count && !err; i++)
            if (n->sets[i].type != DNS_ALIAS && (!is_signed || !is_made(n->sets[i].type)))
                err = set_add(z, n, &n->sets[i], b);
    return err;
}

/* Does the name hold more than what the plan answers? */
static bool name_is_taken(const struct zone *z, const uint8_t *name)
{
    size_t length = dname_length(name);
    const struct zone_node *n = zone_find(z, name, length, dname_hash(name, length));
    for (unsigned i = 0; n && i < n->set_count; i++)
        if (!is_made(n->sets[i].type) && n->sets[i].type != DNS_ALIAS)
            return true;
    return false;
}

static int answer_add(const struct zone *z, const uint8_t *name, const struct form_answer *a,
                      struct zone_builder *b)
{
    static const uint16_t types[IP_FAMILIES] = {[IP_V4] = DNS_A, [IP_V6] = DNS_AAAA};
    static const uint16_t sizes[IP_FAMILIES] = {[IP_V4] = 4, [IP_V6] = 16};
    if (a->has_alias && !name_is_taken(z, name))
        return zone_builder_add(b, name, DNS_CNAME, a->ttl, a->alias,
                                (uint16_t)dname_length(a->alias), 0);
    int err = 0;
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        for (unsigned i = 0; i < a->count[f] && !err; i++)
            err = zone_builder_add(b, name, types[f], a->ttl, a->addresses[f][i], sizes[f], 0);
    return err;
}

/* Is it a service's own name? It may also lie elsewhere, or below a cut of this zone. */
static bool name_is_service(const struct zone *z, const uint8_t *name)
{
    size_t length = dname_length(name);
    const struct zone_node *n = zone_find(z, name, length, dname_hash(name, length));
    return n && n->flags & NODE_STEERED && !zone_node_set(n, DNS_ALIAS);
}

/* Names that have a service's addresses by an ALIAS record. */
static int aliases_add(const struct zone *z, const struct form_answer *answers, uint32_t count,
                       struct zone_builder *b)
{
    const uint8_t *owner, *service;
    uint32_t position = 0;
    int err = 0;
    while (!err && zone_alias_next(z, &position, &owner, &service)) {
        size_t length = dname_length(service);
        uint32_t i = 0;
        while (i < count &&
               !dname_equal(answers[i].name, dname_length(answers[i].name), service, length))
            i++;
        err = i < count ? answer_add(z, owner, &answers[i], b) : ERR_MISSING;
    }
    return err;
}

int form_make(const struct zone *z, const struct form_answer *answers, uint32_t count,
              const struct zone_seal *seal, struct text *problems, uint8_t **ret_data,
              size_t *ret_size)
{
    char name[DNAME_TEXT_MAX], path[DNAME_TEXT_MAX + 32];
    struct zone_builder *b = zone_builder_new(z->header->origin);
    snprintf(path, sizeof path, "transfers of %s", dname_format(z->header->origin, name));
    /* A zone with steered names has a digest only where it was made here. */
    struct zone_seal how = seal ? *seal : (struct zone_seal){0};
    how.zonemd = zone_node_set(zone_node_at(z, z->header->apex), DNS_ZONEMD) ? ZONEMD_GENERATE
                                                                             : ZONEMD_IGNORE;
    zone_builder_seal(b, &how);
    zone_builder_glue_later(b);
    int err = records_add(z, seal, b);
    for (uint32_t i = 0; i < count && !err; i++)
        if (name_is_service(z, answers[i].name))
            err = answer_add(z, answers[i].name, &answers[i], b);
    if (!err)
        err = aliases_add(z, answers, count, b);
    if (err)
        text_appendf(problems, "%s:1:1: a record does not fit: %s\n", path, err_text(err));
    else
        err = zone_builder_finish(b, path, problems, ret_data, ret_size);
    zone_builder_free(b);
    return err;
}
