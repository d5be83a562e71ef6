#include "prog/load_catalog.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/catalog.h"
#include "model/shrink.h"
#include "model/zone_folder.h"
#include "model/zone_held_io.h"
#include "seam/disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MODE = 0600 };

/* One catalog. */
struct listing {
    uint32_t zone; /* of the configuration */
    struct catalog before, now;
    struct catalog_member *owned; /* of `now`, those that are this catalog's */
    uint32_t owned_count;
};

struct load_catalogs {
    const struct load_request *request;
    struct config *config;
    struct listing *listings;
    uint32_t count;
    struct map configured; /* names that the configuration itself has */
};

static const char *catalog_name(const struct load_catalogs *l, const struct listing *k)
{
    return l->config->zones[k->zone].name;
}

/* ---- what was, what is ---- */

static bool members_path(const char *data, const char *catalog, char ret[static PATH_MAX])
{
    char folder[PATH_MAX];
    if (zone_folder(data, "zones", catalog, folder))
        return false;
    int n = snprintf(ret, PATH_MAX, "%s/members", folder);
    return n > 0 && n < PATH_MAX;
}

static void before_read(const struct load_catalogs *l, struct listing *k)
{
    char path[PATH_MAX], *text;
    size_t length;
    if (!members_path(l->request->data, catalog_name(l, k), path) ||
        disk_read(path, CATALOG_FILE_MAX, &text, &length))
        return;
    int err = catalog_parse(text, length, &k->before);
    if (err)
        log_event(LOG_ERROR, "catalog.members", {"file", LOG_S(path)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("its members are taken as new ones")});
    free(text);
}

/* As if the catalog still said what it said before. */
static void now_keep(struct listing *k)
{
    struct text text = text_init(CATALOG_FILE_MAX);
    catalog_done(&k->now);
    catalog_format(k->before.members, k->before.count, &text);
    int err = catalog_parse(text_string(&text), text.length, &k->now);
    if (err)
        log_event(LOG_ERROR, "catalog.members", {"reason", LOG_S(err_text(err))});
    text_done(&text);
}

static void now_read(const struct load_catalogs *l, struct listing *k, struct text *problems)
{
    struct held_content *content;
    const char *reason = NULL, *name = catalog_name(l, k);
    int err = zone_held_read(l->request->data, name, problems, &content, NULL);
    if (!err) {
        err = catalog_read(content, &k->now, &reason);
        held_content_free(content);
    }
    if (!err)
        return;
    now_keep(k);
    if (reason)
        text_appendf(problems, "%s: %s; its %u members stay as they were\n", name, reason,
                     k->before.count);
}

/* ---- whose they are ---- */

static struct listing *listing_of(const struct load_catalogs *l, const char *catalog)
{
    for (uint32_t i = 0; catalog && i < l->count; i++)
        if (!strcmp(catalog_name(l, &l->listings[i]), catalog))
            return &l->listings[i];
    return NULL;
}

/* A member stays with the catalog it came from, until that one no longer lists it or names the one
 * that may have it (RFC 9432 4.4.1). */
static struct listing *owner_of(const struct load_catalogs *l, const char *name)
{
    struct listing *first = NULL;
    for (uint32_t i = 0; i < l->count; i++) {
        struct listing *k = &l->listings[i];
        const struct catalog_member *m = catalog_find(&k->now, name);
        if (!m)
            continue;
        if (catalog_find(&k->before, name)) {
            struct listing *heir = listing_of(l, m->coo);
            return heir && catalog_find(&heir->now, name) ? heir : k;
        }
        first = first ? first : k;
    }
    return first;
}

/* L3: zones are not lost by the dozen because a list was cut. */
static void shrink_check(const struct load_catalogs *l, struct listing *k, struct text *problems)
{
    uint32_t lost = 0, total = k->before.count;
    const struct config_zone *catalog = &l->config->zones[k->zone];
    for (uint32_t i = 0; i < total; i++)
        lost += !owner_of(l, k->before.members[i].name);
    if (!shrink_is_large(lost, total) || catalog->accept_shrink ||
        load_shrink_accepted(l->request, catalog->name))
        return;
    text_appendf(
        problems,
        "%s: the catalog would lose %u of its %u members, which stay as they were; if that "
        "is meant, say so: holdfast reload --accept-shrink %s\n",
        catalog_name(l, k), lost, total, catalog_name(l, k));
    now_keep(k);
}

/* 5.4: another label says that it is another zone of the same name. */
static void member_reset(const struct load_catalogs *l, const struct catalog_member *m)
{
    for (uint32_t i = 0; i < l->count; i++) {
        const struct catalog_member *was = catalog_find(&l->listings[i].before, m->name);
        if (!was || !strcmp(was->label, m->label))
            continue;
        int err = zone_held_remove(l->request->data, m->name);
        log_event(LOG_WARN, "catalog.reset", {"zone", LOG_S(m->name)},
                  {"reason", LOG_S(err ? err_text(err) : "the catalog gave it another label")});
        return;
    }
}

/* ---- into the configuration ---- */

/* What members in its groups are here; of several, the first of the configuration. */
static const struct config_zone *template_of(const struct config_zone *catalog,
                                             const struct catalog_member *m)
{
    for (uint32_t i = 0; i < catalog->group_count; i++)
        for (unsigned k = 0; k < m->group_count; k++)
            if (!strcasecmp(catalog->groups[i].name, m->groups[k]))
                return &catalog->groups[i];
    return catalog;
}

static void member_append(struct load_catalogs *l, const struct listing *k,
                          const struct catalog_member *m)
{
    struct config *c = l->config;
    struct config_zone *z = &c->zones[c->zone_count++];
    *z = *template_of(&c->zones[k->zone], m);
    z->name = arena_string(&c->arena, m->name, strlen(m->name));
    z->file = arena_printf(&c->arena, "%s, of the catalog %s", m->name, catalog_name(l, k));
    z->catalog_consume = false;
    z->group_count = 0;
    z->first_service = CONFIG_NONE;
}

static void members_append(struct load_catalogs *l, struct listing *k, struct text *problems)
{
    k->owned = mem_new(k->now.count + (size_t)1, sizeof *k->owned);
    for (uint32_t i = 0; i < k->now.count; i++) {
        const struct catalog_member *m = &k->now.members[i];
        if (owner_of(l, m->name) != k)
            continue;
        if (map_get(&l->configured, m->name, strlen(m->name))) {
            text_appendf(problems,
                         "%s: its member %s is a zone of the configuration; that one "
                         "counts\n",
                         catalog_name(l, k), m->name);
            continue;
        }
        if (l->config->zone_count == CONFIG_ZONES_MAX) {
            text_appendf(problems, "%s: there are too many zones for its member %s\n",
                         catalog_name(l, k), m->name);
            continue;
        }
        member_reset(l, m);
        member_append(l, k, m);
        k->owned[k->owned_count++] = *m;
    }
}

static void zones_widen(struct load_catalogs *l)
{
    struct config *c = l->config;
    size_t most = c->zone_count;
    for (uint32_t i = 0; i < l->count; i++)
        most += l->listings[i].now.count;
    struct config_zone *zones = arena_new(&c->arena, most + 1, sizeof *zones);
    memcpy(zones, c->zones, c->zone_count * sizeof *zones);
    c->zones = zones;
}

struct load_catalogs *load_catalogs_open(const struct load_request *r, struct config *config,
                                         struct text *problems)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->zone_count; i++)
        count += config->zones[i].catalog_consume;
    if (!count || !r->data)
        return NULL;
    struct load_catalogs *l = mem_new(1, sizeof *l);
    *l = (struct load_catalogs){.request = r, .config = config, .configured = map_init()};
    l->listings = mem_new(count, sizeof *l->listings);
    for (uint32_t i = 0; i < config->zone_count; i++) {
        struct config_zone *z = &config->zones[i];
        map_put(&l->configured, z->name, strlen(z->name), (void *)z->name);
        if (z->catalog_consume)
            l->listings[l->count++].zone = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        before_read(l, &l->listings[i]);
        now_read(l, &l->listings[i], problems);
    }
    for (uint32_t i = 0; i < count; i++)
        shrink_check(l, &l->listings[i], problems);
    zones_widen(l);
    for (uint32_t i = 0; i < count; i++)
        members_append(l, &l->listings[i], problems);
    return l;
}

/* ---- in use ---- */

static void members_write(const struct load_catalogs *l, const struct listing *k)
{
    struct text was = text_init(CATALOG_FILE_MAX), is = text_init(CATALOG_FILE_MAX);
    char path[PATH_MAX];
    catalog_format(k->before.members, k->before.count, &was);
    catalog_format(k->owned, k->owned_count, &is);
    int err = 0;
    if (strcmp(text_string(&was), text_string(&is)) &&
        members_path(l->request->data, catalog_name(l, k), path))
        err = disk_write_atomic(path, text_string(&is), is.length, MEMBERS_MODE);
    if (err)
        log_event(LOG_ERROR, "catalog.members", {"catalog", LOG_S(catalog_name(l, k))},
                  {"reason", LOG_S(err_text(err))});
    text_done(&was);
    text_done(&is);
}

static void member_leave(const struct load_catalogs *l, const char *name)
{
    if (owner_of(l, name) || map_get(&l->configured, name, strlen(name)))
        return;
    int err = zone_held_remove(l->request->data, name);
    log_event(LOG_WARN, "catalog.left", {"zone", LOG_S(name)},
              {"reason", LOG_S(err ? err_text(err) : "its catalog does not list it any more")});
}

void load_catalogs_commit(struct load_catalogs *l)
{
    for (uint32_t i = 0; l && i < l->count; i++) {
        const struct listing *k = &l->listings[i];
        members_write(l, k);
        for (uint32_t m = 0; m < k->before.count; m++)
            member_leave(l, k->before.members[m].name);
    }
}

void load_catalogs_close(struct load_catalogs *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        catalog_done(&l->listings[i].before);
        catalog_done(&l->listings[i].now);
        free(l->listings[i].owned);
    }
    map_done(&l->configured);
    free(l->listings);
    free(l);
}
