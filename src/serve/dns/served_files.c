#include "serve/dns/served_files.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "wire/dns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is asked for. */
struct files {
    struct served *s;
    const struct served_source *source;
    const struct served *previous;
    char *where;
    struct map known; /* hash -> file of `previous` */
    bool lacking;
};

const char *served_file_why(int err)
{
    if (err == -ENOMEM)
        return "the kernel maps no more files for one process: raise vm.max_map_count (sysctl)";
    return err == -ENOENT || err == ERR_MISSING ? "the file is missing" : err_text(err);
}

void served_file_release(struct served_file *f)
{
    if (!f)
        return;
    invariant(f->references > 0);
    if (--f->references)
        return;
    if (!f->dark)
        f->source->release(f->source->context, &f->bytes);
    free(f->dark);
    access_free(f->access);
    free(f);
}

static int zone_file_open(struct served_file *f)
{
    const struct served_bytes *b = &f->bytes;
    int err;
    if (b->trusted)
        err = zone_open_trusted(b->data, b->size, &f->zone);
    else if (f->source->open_zone)
        err = f->source->open_zone(f->source->context, b, &f->zone);
    else
        err = zone_open(b->data, b->size, &f->zone);
    return err ? err : f->zone.header->checksum == f->hash ? 0 : ERR_CHECKSUM;
}

static int file_open(struct served_file *f)
{
    const struct served_bytes *b = &f->bytes;
    if (f->kind == PLAN_FILE_HISTORY)
        return 0; /* transfers open it themselves; nothing is answered from it */
    if (f->kind == PLAN_FILE_ACCESS) {
        int err = access_decode(b->data, b->size, &f->access);
        return err ? err : f->access->hash == f->hash ? 0 : ERR_CHECKSUM;
    }
    if (f->kind == PLAN_FILE_NETMAP) {
        int err = netmap_open(b->data, b->size, &f->netmap);
        return err ? err : f->netmap.hash == f->hash ? 0 : ERR_CHECKSUM;
    }
    return zone_file_open(f);
}

static int file_get(struct files *o, const struct plan_file *file, struct served_file **ret)
{
    struct served_file *f = mem_new(1, sizeof *f);
    *f = (struct served_file){
        .hash = file->hash, .references = 1, .kind = file->kind, .source = o->source};
    int err = o->source->get(o->source->context, file, &f->bytes);
    if (err) {
        free(f);
        return served_wrong(o->where, err, served_file_why(err),
                            plan_text(&o->s->plan, file->name));
    }
    err = file_open(f);
    if (o->source->opened)
        o->source->opened(o->source->context, &f->bytes, err);
    if (err) {
        served_file_release(f);
        return served_wrong(o->where, err, err_text(err), plan_text(&o->s->plan, file->name));
    }
    *ret = f;
    return 0;
}

/* Most files of a plan are those of the one before, in the same order; the table of all is made for
 * the first that is not where it would be. */
static struct served_file *file_known(struct files *o, uint32_t *at, const struct plan_file *file)
{
    const struct served *previous = o->previous;
    if (!previous)
        return NULL;
    uint32_t place = plan_file_find(&previous->plan, at, file);
    struct served_file *f = place == PLAN_NONE ? NULL : previous->files[place];
    if (f && !f->dark && f->hash == file->hash && f->kind == file->kind)
        return f;
    bool made = o->known.count;
    for (uint32_t i = 0; !made && i < previous->plan.file_count; i++)
        if (!previous->files[i]->dark)
            map_put(&o->known, &previous->files[i]->hash, sizeof(uint64_t), previous->files[i]);
    f = map_get(&o->known, &file->hash, sizeof file->hash);
    return f && f->kind == file->kind ? f : NULL;
}

/* ---- zones whose file is damaged ---- */

static struct served_file *zone_before(const struct files *o, const char *name)
{
    const struct served *s = o->previous;
    for (uint32_t i = 0; s && i < s->plan.file_count; i++)
        if (s->plan.files[i].kind == PLAN_FILE_ZONE && !s->files[i]->dark &&
            strcmp(plan_text(&s->plan, s->plan.files[i].name), name) == 0)
            return s->files[i];
    return NULL;
}

static struct served_file *zone_dark(const struct files *o, const char *name)
{
    uint8_t origin[DNAME_MAX];
    int length = dname_parse(name, strlen(name), NULL, origin);
    if (length < 0)
        return NULL;
    struct served_file *f = mem_new(1, sizeof *f);
    struct zone_header *h = mem_new(1, sizeof *h);
    memcpy(h->origin, origin, (size_t)length);
    h->origin_length = (uint16_t)length;
    h->labels = (uint8_t)dname_labels(origin);
    *f = (struct served_file){.kind = PLAN_FILE_ZONE, .source = o->source, .dark = h};
    f->zone = (struct zone){.base = (const uint8_t *)h, .header = h};
    return f;
}

/* L1: as it was answered until now. `err`: why its own file does not do. */
static int zone_do_without(struct files *o, uint32_t at, int err, struct served_file **ret)
{
    const struct plan_file *file = &o->s->plan.files[at];
    const char *name = plan_text(&o->s->plan, file->name);
    struct served_file *f = zone_before(o, name);
    if (!f)
        f = zone_dark(o, name);
    if (!f)
        return err;
    f->references++;
    if (!o->s->lacks)
        o->s->lacks = mem_new(o->s->plan.file_count, sizeof *o->s->lacks);
    o->s->lacks[at] = err;
    o->s->lacking++;
    *ret = f;
    return 0;
}

static int files_get(struct files *o)
{
    struct served *s = o->s;
    uint32_t at = 0;
    int err = 0;
    s->files = mem_new(s->plan.file_count + 1, sizeof(struct served_file *));
    s->maps = mem_new(s->plan.file_count + 1, sizeof(struct netmap *));
    for (uint32_t i = 0; i < s->plan.file_count && !err; i++) {
        const struct plan_file *file = &s->plan.files[i];
        struct served_file *f = file_known(o, &at, file);
        if (f) {
            f->references++;
            s->files[i] = f;
        } else {
            err = file_get(o, file, &s->files[i]);
            if (err && o->lacking && file->kind == PLAN_FILE_ZONE)
                err = zone_do_without(o, i, err, &s->files[i]);
        }
        if (!err && file->kind == PLAN_FILE_NETMAP)
            s->maps[i] = &s->files[i]->netmap;
        else if (!err && file->kind == PLAN_FILE_ACCESS)
            s->access = s->files[i]->access;
        else if (!err && file->kind == PLAN_FILE_ZONE)
            s->zone_count++;
    }
    return err;
}

int served_files_get(struct served *s, const struct served_source *source,
                     const struct served *previous, bool lacking,
                     char ret_where[static SERVED_WHERE_MAX])
{
    struct files o = {.s = s,
                      .source = source,
                      .previous = previous,
                      .where = ret_where,
                      .known = map_init(),
                      .lacking = lacking};
    int err = files_get(&o);
    map_done(&o.known);
    return err;
}
