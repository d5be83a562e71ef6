#include "prog/load.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/netmap_io.h"
#include "model/shrink.h"
#include "prog/load_alias.h"
#include "prog/load_catalog.h"
#include "prog/load_form.h"
#include "prog/load_shared.h"
#include "prog/load_transfer.h"
#include "prog/load_zone.h"
#include "seam/disk.h"
#include "seam/thread.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Compiling takes some ten times as much memory as the text has, so that of larger zones one is
 * compiled at a time. */
#define LARGE_ZONE_SIZE ((uint64_t)8 << 20)

static int config_read(const char *path, const struct load_shared *shared, struct text *problems,
                       struct config **ret)
{
    char *data;
    size_t length;
    int err = disk_read(path, CONFIG_FILE_MAX, &data, &length);
    if (err) {
        text_appendf(problems, "%s: cannot read the configuration: %s\n", path, err_text(err));
        return err;
    }
    err = config_parse(path, data, length, load_shared_parts(shared), problems, ret);
    free(data);
    return err;
}

int load_config(const char *path, FILE *out, struct config **ret)
{
    struct text problems = text_init(LOAD_PROBLEMS_MAX);
    int err = config_read(path, NULL, &problems, ret);
    fputs(text_string(&problems), out);
    text_done(&problems);
    return err;
}

static struct load_served served_index(const struct plan *served)
{
    struct load_served s = {.plan = served, .first = map_init()};
    uint32_t count = served ? served->file_count : 0;
    s.next = mem_new(count + (size_t)1, sizeof *s.next);
    for (uint32_t i = count; i-- > 0;) {
        const char *name = plan_text(served, served->files[i].name);
        if (served->files[i].kind == PLAN_FILE_ZONE || served->files[i].kind == PLAN_FILE_HISTORY)
            s.next[i] = (uint32_t)(uintptr_t)map_put(&s.first, name, strlen(name),
                                                     (void *)(uintptr_t)(i + 1));
    }
    return s;
}

static void served_index_done(struct load_served *s)
{
    map_done(&s->first);
    free(s->next);
}

uint32_t load_served_first(const struct load_served *s, const char *name)
{
    return (uint32_t)(uintptr_t)map_get(&s->first, name, strlen(name));
}

/* The compiled file that this zone was served from until now, or NULL. */
static const struct plan_file *zone_served(const struct load_served *s, const char *name)
{
    for (uint32_t i = load_served_first(s, name); i; i = s->next[i - 1])
        if (s->plan->files[i - 1].kind == PLAN_FILE_ZONE)
            return &s->plan->files[i - 1];
    return NULL;
}

const struct loaded_zone *load_zone_find(const struct loaded *l, uint32_t hint, const char *name)
{
    if (hint < l->config->zone_count && !strcmp(l->config->zones[hint].name, name))
        return &l->zones[hint];
    int index = config_zone_find(l->config, name);
    return index == CONFIG_NONE ? NULL : &l->zones[index];
}

/* What this zone was until now; NULL = nothing. What is in use may be newer than any plan that is
 * out. */
struct was {
    const struct plan_file *file, *form;
    bool is_signed;
};

static struct was zone_was(const struct load_request *r, const struct load_served *served,
                           uint32_t hint, const char *name)
{
    struct was w = {0};
    const struct loaded_zone *z = r->current ? load_zone_find(r->current, hint, name) : NULL;
    if (z) {
        w.file = &z->file;
        w.form = z->form.hash ? &z->form : NULL;
        w.is_signed = z->keys.signatures_end;
    } else if (!r->current) {
        w.file = zone_served(served, name);
        w.form = w.file ? history_form(served, name, w.file->serial) : NULL;
    }
    return w;
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

bool load_zone_behind(int err)
{
    return err < 0 && err > ERR_BASE && err != -ENOENT; /* who lays a missing file there reloads */
}

static void zone_kept(struct loaded *l, uint32_t zone, const struct load_request *r,
                      const struct plan_file *old, struct text *problems)
{
    struct loaded_zone *z = &l->zones[zone];
    text_appendf(problems, "%s: going on with zone %s as it was served before\n", r->path,
                 l->config->zones[zone].name);
    z->file.hash = old->hash;
    z->file.serial = old->serial;
    if (!load_aliases_stored(l->config, r->data, old->hash, &z->aliases))
        text_appendf(problems, "%s: what ALIAS records of zone %s lead to is gone\n", r->path,
                     l->config->zones[zone].name);
    z->file.state = old->state;
}

/* Its form goes on as well. */
static void form_kept(const struct zone_order *o, struct loaded_zone *z)
{
    if (!o->load->data || !load_form_wanted(o->config, o->zone, &z->aliases))
        return;
    z->answers = load_form_answers(o, &z->aliases, &z->answer_count);
    z->form_stale = true;
    if (o->was_form)
        z->form = *o->was_form;
}

/* One zone that is tried to be made, beside others. */
struct attempt {
    struct zone_order order;
    struct zone_made made;
    struct text problems;
    int err;
};

static bool zone_is_large(const struct config_zone *z)
{
    struct disk_identity file;
    return z->file && !disk_identify(z->file, &file) && file.size > LARGE_ZONE_SIZE;
}

static void attempt_make(void *attempts, unsigned i)
{
    static pthread_mutex_t large = PTHREAD_MUTEX_INITIALIZER;
    struct attempt *a = (struct attempt *)attempts + i;
    bool alone = zone_is_large(&a->order.config->zones[a->order.zone]);
    if (alone)
        pthread_mutex_lock(&large);
    a->err = load_zone(&a->order, &a->problems, &a->made);
    if (alone)
        pthread_mutex_unlock(&large);
}

static int attempt_take(struct loaded *l, struct attempt *a, struct text *problems)
{
    const struct zone_made *made = &a->made;
    struct loaded_zone *z = &l->zones[a->order.zone];
    text_append(problems, text_string(&a->problems));
    text_done(&a->problems);
    if (a->err == -EAGAIN)
        return a->err;
    z->file = made->file;
    z->form = made->form;
    z->keys = made->keys;
    z->aliases = made->aliases;
    z->answers = made->answers;
    z->answer_count = made->answer_count;
    z->text_serial = made->text_serial;
    l->made += made->anew;
    if (!a->err || !(a->order.load->keep_old || made->locked) || !a->order.was)
        return a->err;
    zone_kept(l, a->order.zone, a->order.load, a->order.was, problems);
    z->behind = load_zone_behind(a->err);
    form_kept(&a->order, z);
    return 0;
}

/* What is not made yet. */
static struct attempt *attempts_new(const struct loaded *l, const struct load_request *r,
                                    const struct load_served *served, unsigned *ret_count)
{
    struct attempt *attempts = mem_new(l->config->zone_count + (size_t)1, sizeof *attempts);
    unsigned count = 0;
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        if (l->zones[i].file.hash)
            continue;
        struct was was = zone_was(r, served, i, l->config->zones[i].name);
        attempts[count++] = (struct attempt){.order = {.load = r,
                                                       .config = l->config,
                                                       .zones = l->zones,
                                                       .zone = i,
                                                       .was = was.file,
                                                       .was_form = was.form,
                                                       .was_signed = was.is_signed},
                                             .problems = text_init(LOAD_PROBLEMS_MAX)};
    }
    *ret_count = count;
    return attempts;
}

/* A round: all that is not made yet is tried, on all cores, and then all that came out is taken. So
 * nobody sees a zone that is being made. *ret_waiting: zones that have to come after others. */
static int zones_try(struct loaded *l, const struct load_request *r,
                     const struct load_served *served, struct text *problems, uint32_t *ret_waiting)
{
    unsigned count;
    struct attempt *attempts = attempts_new(l, r, served, &count);
    int result = 0;
    if (r->current || r->served) /* answers go on meanwhile */
        threads_aside(attempt_make, attempts, count);
    else
        threads_spread(attempt_make, attempts, count);
    for (unsigned i = 0; i < count; i++) {
        int err = attempt_take(l, &attempts[i], problems);
        if (err == -EAGAIN)
            (*ret_waiting)++;
        else if (err)
            result = err;
    }
    free(attempts);
    return result;
}

static void loop_tell(const struct config_zone *z, struct text *problems)
{
    text_appendf(problems, "%s:1:1: zone %s has ALIAS records onto a zone that has some onto it\n",
                 z->file, z->name);
}

/* Zones that wait for each other: each was fine when it was changed, as the other was there
 * (updates, reloads of one zone). At a start the first that was served goes on as it was, so that
 * the others have something to begin with (L1). It is made anew on the first beat. */
static bool loop_break(struct loaded *l, const struct load_request *r,
                       const struct load_served *served, struct text *problems)
{
    for (uint32_t i = 0; r->keep_old && i < l->config->zone_count; i++) {
        struct was was = zone_was(r, served, i, l->config->zones[i].name);
        struct zone_order order = {
            .load = r, .config = l->config, .zones = l->zones, .zone = i, .was_form = was.form};
        if (l->zones[i].file.hash || !was.file)
            continue;
        loop_tell(&l->config->zones[i], problems);
        zone_kept(l, i, r, was.file, problems);
        form_kept(&order, &l->zones[i]);
        return true;
    }
    return false;
}

/* Zones whose ALIAS records lead to others are made after those. */
static int zones_load(struct loaded *l, const struct load_request *r,
                      const struct load_served *served, struct text *problems)
{
    int result = only_check(l->config, r, problems);
    uint32_t waiting = l->config->zone_count + 1, before;
    do {
        before = waiting;
        waiting = 0;
        int err = zones_try(l, r, served, problems, &waiting);
        result = result ? result : err;
    } while (waiting && !result && (waiting < before || loop_break(l, r, served, problems)));
    for (uint32_t i = 0; waiting && !result && i < l->config->zone_count; i++)
        if (!l->zones[i].file.hash)
            loop_tell(&l->config->zones[i], problems);
    return waiting && !result ? ERR_LOOP : result;
}

static int map_store(struct loaded *l, const struct load_request *r, enum netmap_kind kind)
{
    struct decide_files *d = &l->decide;
    int *const indices[NETMAP_KINDS] = {&d->geo, &d->collections, &d->latency, &d->sites};
    const struct netmap **const views[NETMAP_KINDS] = {&d->geo_map, &d->collections_map,
                                                       &d->latency_map, &d->sites_map};
    const struct netmap_bytes *m = &l->maps[kind];
    *indices[kind] = CONFIG_NONE;
    if (!m->data)
        return 0;
    *views[kind] = &m->map;
    *indices[kind] = (int)load_other(l, PLAN_FILE_NETMAP, netmap_kind_name(kind), m->map.hash);
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

uint32_t load_other(struct loaded *l, enum plan_file_kind kind, const char *name, uint64_t hash)
{
    invariant(l->other_count < LOAD_OTHERS_MAX);
    l->others[l->other_count] = (struct plan_file){.kind = kind, .hash = hash};
    l->other_names[l->other_count] = name;
    return l->config->zone_count + l->other_count++;
}

static void list_add(struct loaded *l, struct plan_file file, const char *name)
{
    l->names[l->file_count] = name;
    file.name = l->file_count;
    l->files[l->file_count++] = file;
}

/* Decisions know files by their place: zones come in the order of the configuration, then the
 * others; versions, of which there are more and fewer, come last, those of one zone together and
 * its newest the last of them. */
void load_list(struct loaded *l)
{
    l->file_count = 0;
    l->renew_at = KEY_NEVER;
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        list_add(l, l->zones[i].file, l->config->zones[i].name);
        if (l->zones[i].keys.renew_at < l->renew_at)
            l->renew_at = l->zones[i].keys.renew_at;
    }
    for (uint32_t i = 0; i < l->other_count; i++)
        list_add(l, l->others[i], l->other_names[i]);
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        for (unsigned k = 0; k < l->zones[i].version_count; k++)
            list_add(l, l->zones[i].versions[k], l->config->zones[i].name);
        if (l->zones[i].form.hash)
            list_add(l, l->zones[i].form, l->config->zones[i].name);
    }
    l->decide.files = l->files;
    l->decide.names = l->names;
    l->decide.file_count = l->file_count;
}

static int everything_load(struct loaded *l, const struct load_request *r, struct text *problems)
{
    size_t zones = l->config->zone_count;
    size_t most = zones * (HISTORY_KEEP + 2) + LOAD_OTHERS_MAX;
    l->targets = target_list(l->config, &l->arena, &l->target_count);
    l->zones = arena_new(&l->arena, zones + 1, sizeof *l->zones);
    l->files = arena_new(&l->arena, most, sizeof *l->files);
    l->names = arena_new(&l->arena, most, sizeof *l->names);
    struct load_served served = served_index(r->served);
    int err = zones_load(l, r, &served, problems);
    int maps_err = maps_load(l, r, problems);
    int access_err = access_load(l, r, problems);
    err = err ? err : maps_err ? maps_err : access_err;
    if (!err) {
        history_load(l, r, &served);
        load_list(l);
    }
    served_index_done(&served);
    return err;
}

/* L3: what writes configurations may have written half of one. Zones that nodes share have a guard
 * of their own, and so have catalogs. */
static int zones_shrink_check(const struct load_request *r, const struct config *next,
                              struct text *problems)
{
    uint32_t total = 0, lost = 0;
    if (!r->current || load_shrink_accepted(r, "zones"))
        return 0;
    struct map names = map_init();
    for (uint32_t i = 0; i < next->zone_count; i++)
        map_put(&names, next->zones[i].name, strlen(next->zones[i].name), &next->zones[i]);
    for (uint32_t i = 0; i < r->current->own_zones; i++) {
        const struct config_zone *z = &r->current->config->zones[i];
        total += !config_zone_is_shared(z);
        lost += !config_zone_is_shared(z) && !map_get(&names, z->name, strlen(z->name));
    }
    map_done(&names);
    if (!shrink_is_large(lost, total))
        return 0;
    text_appendf(problems,
                 "%s:1:1: %u of the %u zones that are served are no longer in it; if that is "
                 "meant, say so: holdfast reload --accept-shrink zones\n",
                 r->path, lost, total);
    return ERR_REFUSED;
}

int load_new(const struct load_request *r, struct text *problems, struct loaded **ret)
{
    struct loaded *l = mem_new(1, sizeof *l);
    l->arena = arena_init();
    l->shared = r->shared;
    int err = config_read(r->path, r->shared, problems, &l->config);
    l->own_zones = err ? 0 : l->config->zone_count;
    struct load_catalogs *catalogs = err ? NULL : load_catalogs_open(r, l->config, problems);
    if (!err)
        err = zones_shrink_check(r, l->config, problems);
    if (!err)
        err = everything_load(l, r, problems);
    if (!err && r->ledger)
        ledger_sweep(r->ledger); /* zones that are none any more */
    if (!err)
        load_catalogs_commit(catalogs);
    load_catalogs_close(catalogs);
    if (err)
        load_free(l);
    else
        *ret = l;
    return err;
}

/* Keys that the world now sees start their lives. */
static void load_zone_commit(struct loaded *l, uint32_t zone)
{
    struct loaded_keys *k = &l->zones[zone].keys;
    if (!k->ring || k->kept)
        return;
    const struct config *c = l->config;
    for (int i = c->zones[zone].first_service; i != CONFIG_NONE; i = c->services[i].next_in_zone)
        if (c->services[i].ttl_max > k->ttl_max)
            k->ttl_max = c->services[i].ttl_max;
    int err = dnssec_keyring_commit(k->ring, k->ttl_max);
    if (err)
        log_event(LOG_ERROR, "dnssec.state", {"zone", LOG_S(l->config->zones[zone].name)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("the keys' next step waits for the next load")});
}

void load_zone_take(struct loaded *l, uint32_t zone, const struct zone_made *made)
{
    struct loaded_zone *z = &l->zones[zone];
    bool same_keys = made->keys.ring == z->keys.ring;
    invariant(made->file.hash && zone < l->config->zone_count);
    history_add(l, zone, made);
    dnssec_keyring_unref(z->keys.ring);
    load_aliases_done(&z->aliases);
    z->file = made->file;
    z->form = made->form;
    z->keys = made->keys;
    z->aliases = made->aliases;
    free(z->answers);
    z->answers = made->answers;
    z->answer_count = made->answer_count;
    z->text_serial = made->text_serial;
    z->behind = false;
    if (!same_keys)
        load_zone_commit(l, zone);
}

void load_free(struct loaded *l)
{
    if (!l)
        return;
    netmap_bytes_done(l->maps);
    for (uint32_t i = 0; l->zones && i < l->config->zone_count; i++) {
        dnssec_keyring_unref(l->zones[i].keys.ring);
        load_aliases_done(&l->zones[i].aliases);
        free(l->zones[i].answers);
    }
    config_free(l->config);
    load_shared_free(l->shared);
    arena_done(&l->arena);
    free(l);
}

void load_commit(struct loaded *l)
{
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        load_zone_commit(l, i);
}
