/* Is what was published still on disk? It may be lost behind our back: a clean-up by hand, a disk
 * replaced. The answers would go on until the name server restarts, and then be gone (L1): so it is
 * looked for on a beat (L6), and made again from the full desired state (L2). */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "model/run_io.h"
#include "prog/control.h"
#include "seam/clock.h"
#include "serve/dns/verified.h"
#include <errno.h>
#include <string.h>

/* The name server looks at every byte and tells what it found (serve/dns/verified.h). */
static void damage_look(struct look *l, const char *data)
{
    struct run_file f;
    struct verified v;
    size_t position = 0;
    if (run_file_open_kept(data, VERIFIED_NAME, &f))
        return;
    int err = verified_decode(f.map, f.size, 0, 0, &v);
    run_file_close(&f);
    if (err) /* being written: the next look finds it whole */
        return;
    for (const struct verified_entry *e;
         l->damaged_count < LOOK_DAMAGED_MAX && (e = verified_wrong_next(&v, &position));) {
        struct mapped file;
        struct disk_identity now;
        if (store_map_identified(data, PLAN_FILE_ZONE, e->hash, &file, &now))
            continue;
        mapped_close(&file);
        if (!memcmp(&now, &e->identity, sizeof now))
            l->damaged[l->damaged_count++] = e->hash;
    }
    verified_done(&v);
}

static void look_work(uv_work_t *work)
{
    struct look *l = work->data;
    struct control *c = (struct control *)((char *)l - offsetof(struct control, look));
    uint64_t highest;
    int err = snapshot_highest(c->options->data, &highest);
    l->plan_lost = err == -ENOENT || (!err && highest < l->generation);
    for (unsigned i = 0; i < l->file_count; i++) {
        struct mapped file;
        err = store_map(c->options->data, (enum plan_file_kind)l->files[i].kind, l->files[i].hash,
                        &file);
        if (!err)
            mapped_close(&file);
        l->lost[i] = err == -ENOENT;
    }
    l->damaged_count = 0;
    damage_look(l, c->options->data);
}

/* A zone is made anew alone; what is no zone, or is one no longer, with all the rest. */
static void file_make(struct control *c, const struct plan_file *lost)
{
    const struct loaded *loaded = c->loaded;
    for (uint32_t i = 0; i < loaded->config->zone_count; i++)
        if (lost->kind == PLAN_FILE_ZONE && loaded->zones[i].file.hash == lost->hash) {
            control_zone_changed(c, i);
            return;
        }
    if (!c->reload.running)
        control_reload(c, (struct reload_order){0}, NULL);
}

/* The name server takes the file as soon as it is another. */
static void damaged_make(struct control *c, struct look *l)
{
    usec_t now = clock_now();
    if (!l->damaged_count || now < l->repair_due)
        return;
    l->repair_due = now + REPAIR_EVERY_S * USEC_PER_SEC;
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++)
        for (unsigned k = 0; k < l->damaged_count; k++) {
            if (c->loaded->zones[i].file.hash != l->damaged[k])
                continue;
            log_event(LOG_ERROR, "zone.repair", {"zone", LOG_S(c->loaded->config->zones[i].name)},
                      {"reason", LOG_S("the name server found its compiled file damaged")});
            control_zone_changed(c, i);
        }
}

static void look_done(uv_work_t *work, int status)
{
    struct look *l = work->data;
    struct control *c = (struct control *)((char *)l - offsetof(struct control, look));
    bool file_lost = false;
    (void)status;
    l->running = false;
    for (unsigned i = 0; i < l->file_count; i++) {
        if (l->lost[i])
            file_make(c, &l->files[i]);
        file_lost |= l->lost[i];
    }
    damaged_make(c, l);
    if (!l->plan_lost && !file_lost)
        return;
    log_event(LOG_ERROR, "plan.lost", {"generation", LOG_U(l->generation)},
              {"what", LOG_S(file_lost ? "a file that it reaches" : "the plan itself")},
              {"consequence", LOG_S("it is made again")});
    c->publication.wanted = true;
    if (!l->plan_lost && c->plan.generation <= l->generation)
        c->plan.generation =
            l->generation + 1; /* the one on disk leads nowhere: ours goes above it */
}

void control_look(struct control *c, usec_t now)
{
    struct look *l = &c->look;
    if (l->running || c->publication.running || now < l->due || c->first_round)
        return;
    l->due = now + LOOK_EVERY_MS * USEC_PER_MSEC;
    l->generation = c->plan.generation;
    l->file_count = 0;
    for (uint32_t i = 0; i < c->plan.file_count && i < LOOK_FILES; i++)
        l->files[l->file_count++] = c->plan.files[(l->next + i) % c->plan.file_count];
    l->next = c->plan.file_count ? (l->next + l->file_count) % c->plan.file_count : 0;
    l->running = true;
    l->work.data = l;
    int err = uv_queue_work(&c->loop, &l->work, look_work, look_done);
    invariant(err == 0);
}
