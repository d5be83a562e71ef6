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
    p->err = snapshot_publish_bytes(c->options->data, p->generation, p->bytes, p->size);
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
