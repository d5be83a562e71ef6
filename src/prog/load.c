#include "prog/load.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/netmap_io.h"
#include "model/zone.h"
#include "model/zone_compile.h"
#include "model/zone_compile_io.h"
#include "prog/load_ledger.h"
#include "prog/load_sign.h"
#include "prog/load_transfer.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

static int config_read(const char *path, struct text *problems, struct config **ret)
{
    char *data;
    size_t length;
    int err = disk_read(path, CONFIG_FILE_MAX, &data, &length);
    if (err) {
        text_appendf(problems, "%s: cannot read the configuration: %s\n", path, err_text(err));
        return err;
    }
    err = config_parse(path, data, length, problems, ret);
    free(data);
    return err;
}

int load_config(const char *path, FILE *out, struct config **ret)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    int err = config_read(path, &problems, ret);
    fputs(text_string(&problems), out);
    text_done(&problems);
    return err;
}

/* The compiled file that this zone was served from until now, or 0. */
static const struct plan_file *zone_served(const struct plan *served, const char *name)
{
    for (uint32_t i = 0; served && i < served->file_count; i++)
        if (served->files[i].kind == PLAN_FILE_ZONE &&
            !strcmp(plan_text(served, served->files[i].name), name))
            return &served->files[i];
    return NULL;
}

static uint64_t zone_served_hash(const struct plan *served, const char *name)
{
    const struct plan_file *file = zone_served(served, name);
    return file ? file->hash : 0;
}

static bool shrink_accepted(const struct load_request *r, const char *name)
{
    for (unsigned i = 0; i < r->accept_shrink_count; i++)
        if (!strcmp(r->accept_shrink[i], name))
            return true;
    return false;
}

/* L3: a zone that would lose a third of what it holds is refused until somebody says that it is
 * meant. */
static int shrink_check(const struct load_request *r, const struct config_zone *z,
                        const struct load_sign *s, const struct zone *next, struct text *problems)
{
    unsigned lost, total;
    if (!s->has_old || shrink_accepted(r, z->name) || !zone_shrinks(&s->old, next, &lost, &total))
        return 0;
    text_appendf(
        problems,
        "%s:1:1: zone %s would lose %u of its %u names; if that is meant, say so: holdfast "
        "reload --accept-shrink %s\n",
        z->file, z->name, lost, total, z->name);
    return ERR_REFUSED;
}

/* The names of this zone that are answered from the plan, in wire form. */
static const uint8_t **steered_names(struct arena *a, const struct config *c, uint32_t zone,
                                     unsigned *ret_count)
{
    const uint8_t **names = arena_new(a, c->service_count + 1, sizeof *names);
    unsigned count = 0;
    for (uint32_t i = 0; i < c->service_count; i++) {
        if (c->services[i].zone != (int)zone)
            continue;
        uint8_t *name = arena_new(a, DNAME_MAX, 1);
        if (dname_parse(c->services[i].name, strlen(c->services[i].name), NULL, name) > 0)
            names[count++] = name;
    }
    *ret_count = count;
    return names;
}

static bool zone_named(const struct load_request *r, const char *name)
{
    for (unsigned i = 0; i < r->only_count; i++)
        if (!strcmp(r->only[i], name))
            return true;
    return false;
}

/* Zones that would come out as they are in the store are not made again. What a signed one is made
 * from is also the time. */
static bool zone_reuse(struct loaded *l, const struct load_request *r, uint32_t index,
                       uint64_t inputs)
{
    const struct config_zone *z = &l->config->zones[index];
    struct plan_file *f = &l->files[index];
    if (!r->ledger || !r->data || r->fresh || z->dnssec.on || zone_named(r, z->name) ||
        dnssec_keys_exist(r->data, z->name)) /* signed for some time more, whatever is said now */
        return false;
    return load_ledger_reuse(r->ledger, r->data, z->name, inputs, r->only_count > 0, &f->hash,
                             &f->serial);
}

static int zone_compile_one(struct loaded *l, const struct load_request *r, uint32_t index,
                            struct text *problems)
{
    const struct config_zone *z = &l->config->zones[index];
    struct arena a = arena_init();
    unsigned steered_count;
    const uint8_t **steered = steered_names(&a, l->config, index, &steered_count);
    uint64_t inputs = load_ledger_inputs(z->name, z->file, steered, steered_count);
    uint8_t *data = NULL;
    size_t size;
    if (zone_reuse(l, r, index, inputs)) {
        arena_done(&a);
        return 0;
    }
    struct load_note note;
    load_note_open(&note);
    struct zone zone;
    struct load_sign s;
    int64_t wall = clock_wall() / USEC_PER_SEC;
    int err = load_sign_open(r, l->config, index, zone_served_hash(r->served, z->name), wall,
                             problems, &s);
    if (!err)
        err = zone_compile_file_watched(z->name, z->file, steered, steered_count,
                                        load_sign_seal(&s), &note.watch, problems, &data, &size);
    if (!err)
        err = zone_open_trusted(data, size, &zone);
    if (!err)
        err = shrink_check(r, z, &s, &zone, problems);
    if (!err && r->data) {
        err = store_put(r->data, PLAN_FILE_ZONE, zone.header->checksum, data, size);
        if (err)
            text_appendf(problems, "%s: cannot store the compiled zone: %s\n", z->file,
                         err_text(err));
    }
    if (!err) {
        l->files[index].hash = zone.header->checksum;
        l->files[index].serial = zone.header->serial;
        l->made++;
        if (r->ledger && r->data && !s.ring)
            load_note_keep(&note, r->ledger, r->data, z->name, inputs, l->files[index].hash,
                           l->files[index].serial);
        load_sign_keep(&s, &zone, wall, &l->keys[index]);
        if (l->keys[index].renew_at < l->renew_at)
            l->renew_at = l->keys[index].renew_at;
    }
    if (err && r->keep_old && s.ring) {
        enum { AGAIN_S = 3600 };
        l->keys[index] = (struct loaded_keys){
            .ring = dnssec_keyring_ref(s.ring), .renew_at = wall + AGAIN_S, .kept = true};
        if (l->keys[index].renew_at < l->renew_at)
            l->renew_at = l->keys[index].renew_at;
    }
    load_sign_done(&s);
    load_note_done(&note);
    free(data);
    arena_done(&a);
    return err;
}

/* Zones that were named and are none of the configuration's. */
static int only_check(const struct config *c, const struct load_request *r, struct text *problems)
{
    int err = 0;
    for (unsigned i = 0; i < r->only_count; i++) {
        uint32_t zone = 0;
        while (zone < c->zone_count && strcmp(c->zones[zone].name, r->only[i]))
            zone++;
        if (zone < c->zone_count)
            continue;
        text_appendf(problems, "%s:1:1: it has no zone %s\n", r->path, r->only[i]);
        err = ERR_MISSING;
    }
    return err;
}

static int zones_load(struct loaded *l, const struct load_request *r, struct text *problems)
{
    int result = only_check(l->config, r, problems);
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        const char *name = l->config->zones[i].name;
        l->files[i] = (struct plan_file){.kind = PLAN_FILE_ZONE, .name = i};
        l->names[i] = name;
        int err = zone_compile_one(l, r, i, problems);
        const struct plan_file *old = err && r->keep_old ? zone_served(r->served, name) : NULL;
        if (old) {
            text_appendf(problems, "%s: going on with zone %s as it was served before\n",
                         l->config->zones[i].file, name);
            l->files[i].hash = old->hash;
            l->files[i].serial = old->serial;
        } else if (err) {
            result = err;
        }
    }
    l->file_count = l->config->zone_count;
    return result;
}

static int map_store(struct loaded *l, const struct load_request *r, enum netmap_kind kind)
{
    struct decide_files *d = &l->decide;
    int *const indices[NETMAP_KINDS] = {&d->geo, &d->collections, &d->latency};
    const struct netmap **const views[NETMAP_KINDS] = {&d->geo_map, &d->collections_map,
                                                       &d->latency_map};
    const struct netmap_bytes *m = &l->maps[kind];
    *indices[kind] = CONFIG_NONE;
    if (!m->data)
        return 0;
    l->names[l->file_count] = netmap_kind_name(kind);
    l->files[l->file_count] =
        (struct plan_file){.kind = PLAN_FILE_NETMAP, .name = l->file_count, .hash = m->map.hash};
    *views[kind] = &m->map;
    *indices[kind] = (int)l->file_count++;
    return r->data ? store_put(r->data, PLAN_FILE_NETMAP, m->map.hash, m->data, m->size) : 0;
}

static int maps_load(struct loaded *l, const struct load_request *r, struct text *problems)
{
    int result = netmap_of_config(l->config, l->maps, problems);
    for (unsigned i = 0; i < NETMAP_KINDS && !result; i++) {
        result = map_store(l, r, (enum netmap_kind)i);
        if (result)
            text_appendf(problems, "%s: cannot store the %s map: %s\n", r->path,
                         netmap_kind_name((enum netmap_kind)i), err_text(result));
    }
    return result;
}

int load_new(const struct load_request *r, struct text *problems, struct loaded **ret)
{
    struct loaded *l = mem_new(1, sizeof *l);
    l->arena = arena_init();
    int err = config_read(r->path, problems, &l->config);
    if (!err) {
        l->targets = target_list(l->config, &l->arena, &l->target_count);
        size_t most = l->config->zone_count * (size_t)(HISTORY_KEEP + 2) + NETMAP_KINDS + 1;
        l->files = arena_new(&l->arena, most, sizeof *l->files);
        l->keys = arena_new(&l->arena, l->config->zone_count + 1u, sizeof *l->keys);
        l->renew_at = KEY_NEVER;
        l->names = arena_new(&l->arena, most, sizeof *l->names);
        err = zones_load(l, r, problems);
        int maps_err = maps_load(l, r, problems);
        int access_err = access_load(l, r, problems);
        err = err ? err : maps_err ? maps_err : access_err;
        history_load(l, r);
    }
    if (err) {
        load_free(l);
        return err;
    }
    l->decide.files = l->files;
    l->decide.names = l->names;
    l->decide.file_count = l->file_count;
    *ret = l;
    return 0;
}

void load_free(struct loaded *l)
{
    if (!l)
        return;
    netmap_bytes_done(l->maps);
    for (uint32_t i = 0; l->keys && i < l->config->zone_count; i++)
        dnssec_keyring_unref(l->keys[i].ring);
    config_free(l->config);
    arena_done(&l->arena);
    free(l);
}

void load_commit(struct loaded *l)
{
    for (uint32_t i = 0; i < l->config->service_count; i++) {
        const struct config_service *s = &l->config->services[i];
        if (s->zone != CONFIG_NONE && s->ttl_max > l->keys[s->zone].ttl_max)
            l->keys[s->zone].ttl_max = s->ttl_max;
    }
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        bool changed = l->keys[i].ring && !l->keys[i].kept;
        int err = changed ? dnssec_keyring_commit(l->keys[i].ring, l->keys[i].ttl_max) : 0;
        if (err)
            log_event(LOG_ERROR, "dnssec.state", {"zone", LOG_S(l->config->zones[i].name)},
                      {"reason", LOG_S(err_text(err))},
                      {"consequence", LOG_S("the keys' next step waits for the next load")});
    }
}
