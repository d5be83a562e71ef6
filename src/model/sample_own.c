#include "model/sample_own.h"

#include <string.h>

static uint32_t age_ms(usec_t since, usec_t now)
{
    usec_t age = since < now ? (now - since) / USEC_PER_MSEC : 0;
    return age < SAMPLE_AGE_NONE ? (uint32_t)age : SAMPLE_AGE_NONE - 1;
}

static void judgement_put(const struct plan *p, uint32_t i, usec_t now, struct sample_entry *e)
{
    const struct plan_target *t = &p->targets[i];
    const struct plan_view *v = p->view_count ? &p->views[i] : NULL;
    e->state = v ? v->own : t->state;
    e->down_reason = v ? v->own_reason : t->down_reason;
    e->since_ms = age_ms(v ? v->own_since : t->since, now);
}

struct sample_entry sample_own(const struct plan *plan, uint32_t target, uint64_t identity,
                               const struct slow_fact *slow, usec_t now)
{
    const struct plan_target *t = &plan->targets[target];
    bool paused = plan->endpoints[t->endpoint].admin == ADMIN_DISABLED;
    struct sample_entry e = {
        .identity = identity,
        .reason = t->reason,
        .flags = paused ? SAMPLE_PAUSED : 0,
        .run = t->successes ? t->successes : t->failures,
        .status = t->status,
        .sampled_ms = t->sampled ? age_ms(t->sampled, now) : SAMPLE_AGE_NONE,
        .connect_us = t->connect_us,
    };
    judgement_put(plan, target, now, &e);
    if (!slow)
        return e;
    memcpy(e.counts, slow->counts, sizeof e.counts);
    e.p50_us = slow->p50_us;
    e.p99_us = slow->p99_us;
    e.usual_us = slow->usual_us;
    return e;
}
