#include "prog/load_alias.h"
#include "base/memory.h"
#include "prog/load_sign.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

static bool service_find(const struct config *c, const uint8_t *name, uint32_t *ret)
{
    char text[DNAME_TEXT_MAX];
    dname_format(name, text);
    for (uint32_t i = 0; i < c->service_count; i++)
        if (c->services[i].zone != CONFIG_NONE && !strcmp(c->services[i].name, text)) {
            *ret = i;
            return true;
        }
    return false;
}

/* The zone that a name lies in: the one with the longest origin. */
static bool zone_of(const struct config *c, const uint8_t *name, uint32_t *ret)
{
    size_t length = dname_length(name), longest = 0;
    for (uint32_t i = 0; i < c->zone_count; i++) {
        uint8_t origin[DNAME_MAX];
        int size = dname_parse(c->zones[i].name, strlen(c->zones[i].name), NULL, origin);
        if (size > 0 && (size_t)size > longest && dname_below(name, length, origin, (size_t)size)) {
            longest = (size_t)size;
            *ret = i;
        }
    }
    return longest > 0;
}

static void file_close(struct load_alias *a)
{
    if (a->file.data)
        mapped_close(&a->file);
    a->file.data = NULL;
}

static enum zone_alias_place alias_find(void *context, const uint8_t *name, unsigned *ret_families,
                                        struct zone *ret_zone)
{
    struct load_alias *a = context;
    const struct zone_order *o = a->order;
    uint32_t index;
    if (service_find(o->config, name, &index)) {
        *ret_families = load_families(o->config, index);
        return ALIAS_STEERED;
    }
    if (!zone_of(o->config, name, &index))
        return ALIAS_NOWHERE;
    if (index == o->zone)
        return ALIAS_OWN;
    if (!o->zones[index].file.hash)
        return ALIAS_LATER;
    *ret_families = 1u << IP_V4 | 1u << IP_V6;
    if (!o->load->data) /* only a check: no zone is kept, so what it holds cannot be looked up */
        return ALIAS_STEERED;
    uint64_t hash = o->zones[index].file.hash;
    if (!a->file.data || a->zone.header->checksum != hash) {
        file_close(a);
        if (store_map(o->load->data, PLAN_FILE_ZONE, hash, &a->file))
            return ALIAS_LATER;
        if (zone_open(a->file.data, a->file.size, &a->zone)) {
            file_close(a);
            return ALIAS_LATER;
        }
    }
    *ret_zone = a->zone;
    return ALIAS_OTHER;
}

void load_alias_open(struct load_alias *a, const struct zone_order *order)
{
    *a = (struct load_alias){.source = {.find = alias_find}, .order = order};
    a->source.context = a;
}

void load_alias_done(struct load_alias *a)
{
    file_close(a);
}

bool load_aliases_read(const struct config *c, const struct zone *z, struct loaded_aliases *ret)
{
    const uint8_t *owner, *service;
    uint32_t position = 0, index;
    size_t size = 0;
    bool whole = true;
    while (zone_alias_next(z, &position, &owner, &service)) {
        if (!service_find(c, service, &index)) {
            whole = false;
            continue;
        }
        size_t length = dname_length(owner);
        uint8_t *name = mem_new(length, 1);
        memcpy(name, owner, length);
        ret->list = mem_grow(ret->list, ret->count, &size, sizeof *ret->list);
        ret->list[ret->count++] = (struct loaded_alias){name, index};
    }
    return whole;
}

bool load_aliases_stored(const struct config *c, const char *data, uint64_t hash,
                         struct loaded_aliases *ret)
{
    struct mapped file;
    struct zone zone;
    if (!c->service_count) /* then nothing can be bound; and many zones are not opened for it */
        return true;
    if (store_map(data, PLAN_FILE_ZONE, hash, &file))
        return false;
    /* Most zones have no steered name: then there is nothing to read, and to be looked through. */
    bool whole = !zone_open_trusted(file.data, file.size, &zone) &&
                 (!zone.header->steered_count || !zone_open(file.data, file.size, &zone)) &&
                 load_aliases_read(c, &zone, ret);
    mapped_close(&file);
    if (!whole)
        load_aliases_done(ret);
    return whole;
}

void load_aliases_done(struct loaded_aliases *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        free(a->list[i].name);
    free(a->list);
    a->list = NULL;
    a->count = 0;
}
