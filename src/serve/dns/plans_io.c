#include "serve/dns/plans_io.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/snapshot_io.h"
#include "model/stats.h"
#include "seam/clock.h"
#include "seam/thread.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PLANS_LOOKED_AT_MAX = 16 };

/* ---- the store ---- */

/* Small files are copied: each mapping would cost a page at least and one of the some 65,000 that
 * the kernel grants a process (vm.max_map_count), and a copy outlives its disk (L1). They are
 * looked through at each start, which takes microseconds. */
enum { COPIED_MAX = 1 << 16 };

static int store_copy(struct mapped *m, struct served_bytes *ret)
{
    void *copy = mem_new(m->size + 1, 1);
    memcpy(copy, m->data, m->size);
    *ret = (struct served_bytes){.data = copy, .size = m->size};
    mapped_close(m);
    return 0;
}

static int store_get(void *context, const struct plan_file *file, struct served_bytes *ret)
{
    struct plans *p = context;
    struct mapped m;
    struct disk_identity identity;
    int err =
        store_map_identified(p->data, (enum plan_file_kind)file->kind, file->hash, &m, &identity);
    if (err)
        return err;
    bool zone = file->kind == PLAN_FILE_ZONE;
    enum verdict verdict = zone ? trust_verdict(&p->trust, file->hash, &identity) : VERDICT_NONE;
    if (verdict == VERDICT_WRONG) {
        mapped_close(&m);
        return ERR_CHECKSUM;
    }
    if (m.size <= COPIED_MAX) {
        p->copied_hash = zone ? file->hash : 0;
        p->copied = identity;
        p->copied_ns = clock_wall() * 1000;
        return store_copy(&m, ret);
    }
    *ret = (struct served_bytes){.data = m.data, .size = m.size};
    if (!zone)
        return 0;
    ret->trusted =
        verdict == VERDICT_RIGHT || (!p->answering && trust_recognises(&p->trust, file->hash, &m));
    ret->owner = trust_add(&p->trust, file->hash, &identity, m);
    return 0;
}

static void store_release(void *context, const struct served_bytes *bytes)
{
    struct plans *p = context;
    struct mapped m = {bytes->data, bytes->size};
    if (bytes->owner)
        trust_remove(&p->trust, bytes->owner); /* and closes it */
    else if (bytes->size <= COPIED_MAX)
        free((void *)(uintptr_t)bytes->data);
    else
        mapped_close(&m);
}

static void part_check(void *opening, unsigned part)
{
    zone_opening_part(opening, part);
}

/* Every byte is looked at by the process that serves it (L2): on all cores where nothing can be
 * answered before, else behind the answers. */
static int store_open_zone(void *context, const struct served_bytes *bytes, struct zone *ret)
{
    struct plans *p = context;
    struct zone_opening *o;
    if (!bytes->owner)
        return zone_open(bytes->data, bytes->size, ret);
    int err = zone_opening_new(bytes->data, bytes->size, &o);
    if (err)
        return err;
    if (p->answering)
        threads_aside(part_check, o, zone_opening_parts(o));
    else
        threads_spread(part_check, o, zone_opening_parts(o));
    return zone_opening_end(o, ret);
}

/* The check has read the whole file into this process's memory. The kernel keeps it cached; what is
 * asked for comes back a page at a time. Before the first answer there is no time for that: the
 * thread that looks through the file again lets go of it. */
static void store_opened(void *context, const struct served_bytes *bytes, int err)
{
    struct plans *p = context;
    if (err && !bytes->owner && bytes->size <= COPIED_MAX && p->copied_hash)
        trust_copy_wrong(&p->trust, p->copied_hash, &p->copied, p->copied_ns);
    if (!bytes->owner || bytes->trusted)
        return;
    trust_checked(&p->trust, bytes->owner, err);
    if (p->answering)
        (void)madvise((void *)(uintptr_t)bytes->data, bytes->size, MADV_DONTNEED);
}

int plans_open(struct plans *p, const char *data, struct stats_thread *stats)
{
    *p = (struct plans){.data = data,
                        .stats = stats,
                        .source = {store_get, store_release, p, store_open_zone, store_opened}};
    return trust_open(&p->trust, data);
}

void plans_close(struct plans *p)
{
    trust_close(&p->trust);
}

/* ---- refusals ---- */

static void plan_refused(void *context, const char *path, int err, const char *where)
{
    struct plans *p = context;
    uint64_t key = hash64(path, strlen(path));
    for (unsigned i = 0; i < PLANS_REFUSED_MAX; i++)
        if (p->refused[i] == key)
            return;
    p->refused[p->refused_next++ % PLANS_REFUSED_MAX] = key;
    stats_add(p->stats, PLAN_REFUSED, 1);
    log_event(LOG_ERROR, "plan.refused", {"file", LOG_S(path)}, {"reason", LOG_S(err_text(err))},
              {"where", LOG_S(where)});
}

/* ---- from a decoded plan ---- */

/* Takes the file over: into *ret, or closed. */
static int plan_take(struct plans *p, const struct served *current, const char *path,
                     struct mapped *file, const struct plan *plan, struct served **ret)
{
    const char *where = "";
    char sentence[SERVED_WHERE_MAX] = "";
    struct served *s = NULL;
    int err = snapshot_succeeds(current ? &current->plan : NULL, plan, &where);
    if (!err) {
        where = sentence;
        err = served_build(plan, &p->source, current, &s, sentence);
    }
    if (err) {
        plan_refused(p, path, err, where);
        mapped_close(file);
        return err;
    }
    struct mapped *owned = mem_new(1, sizeof *owned);
    *owned = *file;
    s->owned = owned;
    *ret = s;
    return 0;
}

static int plan_path(const struct plans *p, uint64_t generation, char path[static PATH_MAX])
{
    int n =
        snprintf(path, PATH_MAX, "%s/plan/%020llu.plan", p->data, (unsigned long long)generation);
    return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The newest plan above what is served; where it cannot be built, the next best below it. */
int plans_next(struct plans *p, const struct served *current, struct served **ret)
{
    uint64_t above = current ? current->generation : 0, below = UINT64_MAX;
    p->answering = current != NULL;
    for (unsigned i = 0; i < PLANS_LOOKED_AT_MAX; i++) {
        struct mapped file;
        struct plan plan;
        char path[PATH_MAX];
        int err = snapshot_load_between(p->data, above, below, current ? &current->plan : NULL,
                                        &file, &plan, plan_refused, p);
        if (err)
            return err;
        below = plan.generation;
        err = plan_path(p, below, path);
        if (err) {
            mapped_close(&file);
            return err;
        }
        if (plan_take(p, current, path, &file, &plan, ret) == 0)
            return 0;
    }
    return ERR_MISSING;
}

void plans_free(struct served *s)
{
    if (!s)
        return;
    struct mapped *file = s->owned;
    served_free(s);
    mapped_close(file);
    free(file);
}
