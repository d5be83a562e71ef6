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

/* Said when it begins: at a start, or when the plan before did without less. */
static void lacking_tell(const struct served *s)
{
    static const char *const consequences[] = {
        [SERVED_FILE_BEFORE] = "the zone is answered as it was before",
        [SERVED_FILE_DARK] = "the zone is not answered (SERVFAIL); all others are",
    };
    for (uint32_t i = 0; i < s->plan.file_count && s->lacking; i++) {
        enum served_file_state state = served_file_state(s, i);
        if (state != SERVED_FILE_OWN)
            log_event(LOG_ERROR, "zone.lacking",
                      {"zone", LOG_S(plan_text(&s->plan, s->plan.files[i].name))},
                      {"reason", LOG_S(served_file_lack(s, i))},
                      {"consequence", LOG_S(consequences[state])});
    }
}

static int plan_build(struct plans *p, const struct served *current, const struct plan *plan,
                      bool whole, struct served **ret, char sentence[static SERVED_WHERE_MAX])
{
    if (whole)
        return served_build(plan, &p->source, current, ret, sentence);
    int err = served_build_lacking(plan, &p->source, current, ret, sentence);
    if (err || !current || plan->generation > current->generation ||
        (*ret)->lacking < current->lacking)
        return err;
    served_free(*ret);
    snprintf(sentence, SERVED_WHERE_MAX, "it lacks as much as before");
    return ERR_OLDER;
}

/* Takes the file over: into *ret, or closed. The plan that is served, once more, is no change to
 * it: it lacks less. */
static int plan_take(struct plans *p, const struct served *current, const char *path, bool whole,
                     struct mapped *file, const struct plan *plan, struct served **ret)
{
    const char *where = "";
    char sentence[SERVED_WHERE_MAX] = "";
    struct served *s = NULL;
    bool again = current && current->generation == plan->generation;
    int err = again ? 0 : snapshot_succeeds(current ? &current->plan : NULL, plan, &where);
    if (!err) {
        where = sentence;
        err = plan_build(p, current, plan, whole, &s, sentence);
    }
    if (err) {
        if (!again)
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

static int plan_load(struct plans *p, const struct served *current, bool whole, uint64_t above,
                     uint64_t below, struct mapped *ret_file, struct plan *ret_plan)
{
    if (!whole)
        return snapshot_load_bare(p->data, above, below, ret_file, ret_plan, plan_refused, p);
    return snapshot_load_between(p->data, above, below, current ? &current->plan : NULL, ret_file,
                                 ret_plan, plan_refused, p);
}

/* The newest plan above; where it cannot be built, the next best below it. */
static int plans_find(struct plans *p, const struct served *current, bool whole, uint64_t above,
                      struct served **ret)
{
    uint64_t below = UINT64_MAX;
    for (unsigned i = 0; i < PLANS_LOOKED_AT_MAX; i++) {
        struct mapped file;
        struct plan plan;
        char path[PATH_MAX];
        int err = plan_load(p, current, whole, above, below, &file, &plan);
        if (err)
            return err;
        below = plan.generation;
        err = plan_path(p, below, path);
        if (err) {
            mapped_close(&file);
            return err;
        }
        if (plan_take(p, current, path, whole, &file, &plan, ret) == 0)
            return 0;
    }
    return ERR_MISSING;
}

/* Can a file be had now that was lacking? Whether it is right is seen when the plan is built. */
static bool plan_mends(struct plans *p, const struct served *s)
{
    struct served_bytes bytes;
    for (uint32_t i = 0; i < s->plan.file_count; i++)
        if (served_file_state(s, i) != SERVED_FILE_OWN &&
            !store_get(p, &s->plan.files[i], &bytes)) {
            store_release(p, &bytes);
            return true;
        }
    return false;
}

/* Whole ones first (L2); where there is none, one in which zones lack their files: a damaged file
 * must not keep health from steering all the others. */
int plans_next(struct plans *p, const struct served *current, struct served **ret)
{
    uint64_t above = current ? current->generation : 0;
    p->answering = current != NULL;
    if (current && current->lacking && plan_mends(p, current))
        above--; /* its own plan once more */
    int err = plans_find(p, current, true, above, ret);
    if (err == ERR_MISSING)
        err = plans_find(p, current, false, above, ret);
    if (!err)
        lacking_tell(*ret);
    return err;
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
