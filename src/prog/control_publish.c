/* Door one, the publishing side. Disks stall: encoding is done in the loop, writing in a worker, so
 * that a slow disk delays the next publication and nothing else. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "prog/control.h"
#include "seam/clock.h"
#include <stdlib.h>

static void publish_work(uv_work_t *work)
{
    struct publication *p = work->data;
    struct control *c = (struct control *)((char *)p - offsetof(struct control, publication));
    struct plan plan;
    p->err = snapshot_decode(p->bytes, p->size, &plan, NULL);
    if (!p->err)
        p->err = snapshot_publish(c->options->data, &plan);
}

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
    if (p->err == ERR_MISSING && !c->reload.running) {
        log_event(LOG_ERROR, "plan.publish", {"reason", LOG_S("a file of the store is gone")},
                  {"consequence", LOG_S("everything is compiled again")});
        control_reload(c, NULL, 0, NULL);
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
    stats_add(c->stats.threads, CONTROL_PUBLISHED, 1);
    stats_set(c->stats.threads, PLAN_GENERATION, p->generation);
    log_event(LOG_DEBUG, "plan.published", {"generation", LOG_U(p->generation)});
    if (p->wanted)
        control_publish(c, now);
}

void control_publish(struct control *c, usec_t now)
{
    struct publication *p = &c->publication;
    p->wanted = true;
    if (p->running || now < p->retry_at)
        return;
    invariant(c->plan.generation > 0);
    p->bytes = snapshot_encode(&c->plan, &p->size);
    p->generation = c->plan.generation;
    p->wanted = false;
    p->running = true;
    p->work.data = p;
    int err = uv_queue_work(&c->loop, &p->work, publish_work, publish_done);
    invariant(err == 0);
}
