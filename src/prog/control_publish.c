/* Door one, the publishing side. Disks stall and signing takes its time: encoding is done in the
 * loop, signing and writing in a worker, so that they delay the next publication and nothing else.
 */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/plan_alias.h"
#include "prog/control.h"
#include "prog/control_transfer.h"
#include "seam/clock.h"
#include <errno.h>
#include <stdlib.h>

static void publish_work(uv_work_t *work)
{
    struct publication *p = work->data;
    struct control *c = (struct control *)((char *)p - offsetof(struct control, publication));
    const struct dnssec_zone_keys **keys = mem_new(p->ring_count + (size_t)1, sizeof *keys);
    struct plan plan, with_signatures;
    for (uint32_t i = 0; i < p->ring_count; i++)
        keys[i] = p->rings[i] ? &p->rings[i]->keys : NULL;
    p->err = snapshot_decode(p->bytes, p->size, &plan, NULL);
    if (!p->err)
        p->err = plan_sign(p->signer, &plan, keys, p->wall, &with_signatures, &p->making);
    if (!p->err)
        p->err = snapshot_publish(c->options->data, &with_signatures);
    if (p->err == -ENOENT) /* the folders themselves are gone: the retry finds new ones */
        p->err = snapshot_folders_create(c->options->data) ? -ENOENT : ERR_MISSING;
    free(keys);
}

/* ---- keys for the worker ---- */

/* The plan is of this configuration's files: not so between a reload and the step after it. */
static bool plan_is_current(const struct control *c)
{
    const struct loaded *l = c->loaded;
    if (c->plan.file_count != l->file_count)
        return false;
    for (uint32_t i = 0; i < l->file_count; i++)
        if (c->plan.files[i].hash != l->files[i].hash)
            return false;
    return true;
}

static void rings_take(struct publication *p, const struct loaded *l)
{
    p->ring_count = l->file_count;
    p->rings = mem_new(p->ring_count + (size_t)1, sizeof(struct dnssec_keyring *));
    invariant(l->file_count >= l->config->zone_count);
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        p->rings[i] = dnssec_keyring_ref(l->zones[i].keys.ring);
}

static void rings_drop(struct publication *p)
{
    for (uint32_t i = 0; i < p->ring_count; i++)
        dnssec_keyring_unref(p->rings[i]);
    free(p->rings);
    p->rings = NULL;
    p->ring_count = 0;
}

bool control_publish_stale(const struct control *c)
{
    const struct publication *p = &c->publication;
    if (!p->signer || p->running || p->wanted || p->made.refresh == INT64_MAX)
        return false;
    int64_t wall = clock_wall() / USEC_PER_SEC;
    return wall >= p->made.refresh || wall < p->made.since;
}

/* ---- publishing ---- */

/* A plan that this process did not make lies above ours, whole or not: ours goes above it (L2). */
static bool generation_raise(struct control *c)
{
    uint64_t highest;
    if (snapshot_highest(c->options->data, &highest) || highest < c->plan.generation)
        return false;
    log_event(LOG_WARN, "plan.generation", {"found", LOG_U(highest)},
              {"ours", LOG_U(c->plan.generation)}, {"next", LOG_U(highest + 1)});
    c->plan.generation = highest + 1;
    return true;
}

static void publish_done(uv_work_t *work, int status)
{
    struct publication *p = work->data;
    struct control *c = (struct control *)((char *)p - offsetof(struct control, publication));
    usec_t now = clock_now();
    (void)status;
    p->running = false;
    free(p->bytes);
    p->bytes = NULL;
    rings_drop(p);
    if (p->err == ERR_MISSING && !c->reload.running && !c->remake.running) {
        log_event(LOG_ERROR, "plan.publish", {"reason", LOG_S("a file of the store is gone")},
                  {"consequence", LOG_S("everything is compiled again")});
        control_reload(c, (struct reload_order){0}, NULL);
    }
    if (p->err == ERR_OLDER && generation_raise(c)) {
        control_publish(c, now);
        return;
    }
    if (p->err) {
        stats_add(c->stats.threads, CONTROL_PUBLISH_FAILED, 1);
        log_event(LOG_ERROR, "plan.publish", {"generation", LOG_U(p->generation)},
                  {"reason", LOG_S(err_text(p->err))},
                  {"consequence", LOG_S("the plan before it stays in service; trying again")});
        p->wanted = true;
        p->retry_at = now + PUBLISH_RETRY_MS * USEC_PER_MSEC;
        return;
    }
    p->made = p->making;
    control_transfer_published(c);
    if (p->made.made)
        control_dnssec_look(c);
    stats_add(c->stats.threads, CONTROL_PUBLISHED, 1);
    stats_set(c->stats.threads, PLAN_GENERATION, p->generation);
    log_event(LOG_DEBUG, "plan.published", {"generation", LOG_U(p->generation)},
              {"signed", LOG_U(p->made.made)}, {"reused", LOG_U(p->made.reused)});
    if (p->wanted)
        control_publish(c, now);
    else if (plan_is_current(c))
        control_zones_published(c);
}

/* The plan with the names that zones bind to its services, encoded. */
static uint8_t *plan_encode(const struct control *c, size_t *ret_size)
{
    const struct loaded *l = c->loaded;
    struct arena a = arena_init();
    struct plan whole = c->plan;
    size_t count = 0, at = 0;
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        count += l->zones[i].aliases.count;
    struct plan_alias *aliases = arena_new(&a, count, sizeof *aliases);
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        for (uint32_t k = 0; k < l->zones[i].aliases.count; k++)
            aliases[at++] = (struct plan_alias){l->zones[i].aliases.list[k].name, i,
                                                l->zones[i].aliases.list[k].service};
    if (count)
        plan_alias(&c->plan, aliases, count, &a, &whole);
    uint8_t *bytes = snapshot_encode(&whole, ret_size);
    arena_done(&a);
    return bytes;
}

void control_publish(struct control *c, usec_t now)
{
    struct publication *p = &c->publication;
    p->wanted = true;
    if (p->running || now < p->retry_at || !plan_is_current(c))
        return;
    invariant(c->plan.generation > 0);
    if (!p->signer) {
        p->signer = plan_signer_new();
        p->made.refresh = INT64_MAX;
    }
    rings_take(p, c->loaded);
    p->wall = clock_wall() / USEC_PER_SEC;
    p->bytes = plan_encode(c, &p->size);
    p->generation = c->plan.generation;
    control_transfer_begin(c);
    p->wanted = false;
    p->running = true;
    p->work.data = p;
    int err = uv_queue_work(&c->loop, &p->work, publish_work, publish_done);
    invariant(err == 0);
}
