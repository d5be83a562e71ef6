/* The step, in the order in which a plan comes about:
 *
 *   layout    what the configuration settles                              layout.c
 *   carry     which of the previous plan's things are ours                carry.c
 *   verdicts  the samples of each target                                  verdict.c
 *   votes     of several vantages, where this node is not alone           quorum.c
 *   findings  what broke and where, by who sees it and who does not       locate.c
 *   detours   for whose clients a path is broken, and still held so       detour.c
 *   faces     services that others stand for come first                   face.c
 *   reach     who is in some answer, from the names in zones downwards    here
 *   compare   what changed, and the sentences about it                    change.c, sentence.c
 *
 * 1. The result depends on the input alone. What the decider keeps from step to step is memory, and
 *    facts that it knows again by configuration, orders and epoch.
 * 2. The plan lies in one of two stores; the other one holds the plan before (`previous`, as a
 *    rule). */
#include "decide/decide.h"

#include "base/invariant.h"
#include "decide/change.h"
#include "decide/detour.h"
#include "decide/face.h"
#include "decide/locate.h"
#include "decide/quorum.h"
#include "decide/scratch.h"
#include "decide/sentence.h"
#include "decide/verdict.h"
#include <stdlib.h>
#include <string.h>

struct decider {
    struct layout layout;
    struct store stores[2];
    unsigned current; /* the store of the newest plan */
    struct scratch scratch;
    struct quorum quorum;
    struct events events;
    struct face_fact *facts;
    uint8_t *inside;
    size_t fact_capacity, inside_capacity;
};

struct decider *decider_new(void)
{
    return mem_new(1, sizeof(struct decider));
}

void decider_free(struct decider *d)
{
    if (!d)
        return;
    layout_done(&d->layout);
    store_done(&d->stores[0]);
    store_done(&d->stores[1]);
    scratch_done(&d->scratch);
    quorum_done(&d->quorum);
    events_done(&d->events);
    free(d->facts);
    free(d->inside);
    free(d);
}

/* ---- verdicts ---- */

static void targets_begin(struct step *step)
{
    const struct layout *l = step->layout;
    for (uint32_t i = 0; i < l->target_count; i++) {
        const struct config_service *s = &l->config->services[l->targets[i].service];
        carry_target(step->carry, i, l->targets[i].check, s->velocity_window, step->now,
                     &step->next->targets[i]);
    }
}

static void samples_take(struct step *step)
{
    const struct decide_input *in = step->input;
    for (uint32_t i = 0; i < in->sample_count; i++) {
        const struct sample *s = &in->samples[i];
        if (s->epoch != in->epoch || s->target >= step->layout->target_count)
            continue;
        const struct config_check *check = step->layout->targets[s->target].check;
        if (!check)
            continue;
        if (step->quorum->count)
            quorum_sample(step, s);
        else
            verdict_sample(&step->next->targets[s->target], check, s, step->now);
    }
}

static void targets_settle(struct step *step)
{
    for (uint32_t i = 0; i < step->layout->target_count; i++) {
        struct plan_target *t = &step->next->targets[i];
        bool paused = step->next->endpoints[t->endpoint].admin == ADMIN_DISABLED;
        t->flags &= (uint8_t) ~(TARGET_HELD | TARGET_SERVED);
        if (step->quorum->count)
            quorum_settle(step, i, paused);
        else
            verdict_settle(t, step->layout->targets[i].check, paused, step->now, step->input->wall);
    }
}

static void endpoints_begin(struct step *step)
{
    const struct layout *l = step->layout;
    for (uint32_t i = 0; i < l->endpoint_count; i++) {
        struct plan_endpoint *e = &step->next->endpoints[i];
        const struct plan_endpoint *old = carry_endpoint(step->carry, i);
        usec_t window = l->config->services[e->service].velocity_window;
        e->served = e->held = 0;
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            e->removed[f] =
                old ? carry_removed(step->carry, old->removed[f], window, step->now) : 0;
    }
}

/* ---- reach ---- */

/* Is an endpoint that is in a choice of its face in some answer? Either its service's own name is
 * asked, and not closed by its mode, or a service that stands for it is. */
static bool face_reached(const struct step *step, uint32_t service, unsigned family)
{
    const struct plan_face *face = &step->next->services[service].faces[family];
    bool closed = face->mode == FACE_NODATA || face->mode == FACE_FALLBACK;
    return step->facts[(size_t)service * IP_FAMILIES + family].reached ||
           (step->layout->config->services[service].zone != CONFIG_NONE && !closed);
}

static void endpoint_reach(struct step *step, uint32_t index, unsigned family)
{
    struct plan_endpoint *e = &step->next->endpoints[index];
    if (!(step->inside[index] & (1u << family)))
        return;
    if (e->nested != PLAN_NONE)
        step->facts[(size_t)e->nested * IP_FAMILIES + family].reached = true;
    else
        step->next->targets[e->target[family]].flags |= TARGET_SERVED;
    e->served |= (uint8_t)(1u << family);
}

static void reach_mark(struct step *step)
{
    const struct layout *l = step->layout;
    for (uint32_t i = l->config->service_count; i-- > 0;) {
        uint32_t s = l->order[i]; /* parents first */
        for (unsigned f = 0; f < IP_FAMILIES; f++) {
            if (!face_reached(step, s, f))
                continue;
            for (uint32_t e = l->endpoint_first[s]; e < l->endpoint_first[s + 1]; e++)
                endpoint_reach(step, e, f);
        }
    }
}

/* ---- the step ---- */

static void work_begin(struct decider *d)
{
    size_t faces = (size_t)d->layout.config->service_count * IP_FAMILIES;
    d->facts = store_reserve(d->facts, 0, faces, &d->fact_capacity, sizeof *d->facts);
    d->inside = store_reserve(d->inside, 0, d->layout.endpoint_count, &d->inside_capacity, 1);
    memset(d->inside, 0, d->layout.endpoint_count);
    scratch_begin(&d->scratch, &d->layout);
    events_begin(&d->events);
}

static void plan_number(struct plan *p, const struct plan *previous,
                        const struct decide_input *input, struct decide_output *ret)
{
    p->boot_id = input->boot_id;
    p->config_fingerprint = input->intent->config->fingerprint;
    p->intent_version = input->intent->version;
    ret->changes = plan_compare(previous, p, input->now);
    p->generation = ret->changes ? previous->generation + 1 : previous->generation;
    p->made = ret->changes ? input->now : previous->made;
    p->made_wall = ret->changes ? input->wall : previous->made_wall;
    invariant(p->generation > 0 && p->generation >= previous->generation); /* L2 */
}

static void step_run(struct step *step)
{
    const struct layout *l = step->layout;
    targets_begin(step);
    quorum_begin(step);
    samples_take(step);
    quorum_vantages(step);
    targets_settle(step);
    locate(step);
    detours_update(step);
    endpoints_begin(step);
    for (uint32_t i = 0; i < l->config->service_count; i++)
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            face_decide(step, l->order[i], f);
    reach_mark(step);
    sentences_add(step);
}

void plan_step(struct decider *d, const struct decide_input *input, struct decide_output *ret)
{
    static const struct plan nothing = {.text = "", .text_size = 1};
    const struct plan *previous = input->previous ? input->previous : &nothing;
    struct store *next = &d->stores[d->current ^ 1];
    struct carry carry;
    invariant(previous->targets == NULL || previous->targets != next->targets);
    layout_update(&d->layout, input->intent->config, input->epoch);
    carry_begin(&carry, previous, &d->layout, input->boot_id);
    store_begin(next, &d->layout, input);
    work_begin(d);
    struct step step = {.input = input,
                        .layout = &d->layout,
                        .carry = &carry,
                        .next = next,
                        .events = &d->events,
                        .facts = d->facts,
                        .inside = d->inside,
                        .scratch = &d->scratch,
                        .quorum = &d->quorum,
                        .now = input->now};
    step_run(&step);
    carry_done(&carry);
    ret->plan = store_plan(next, &d->layout);
    plan_number(&ret->plan, previous, input, ret);
    ret->events = d->events.list;
    ret->event_count = d->events.count;
    d->current ^= 1;
}
