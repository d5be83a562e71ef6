#include "decide/locate.h"

#include "base/invariant.h"
#include "decide/quorum.h"

enum {
    BROWN_OUT_PERCENT = 200, /* of what is usual at this hour */
    BROWN_OUT_OVER = 150,    /* it is over below this */
};

/* Votes of one event come within a table's time: before it has passed, those who reach a target
 * that is down may be those whose vote is under way. */
#define SETTLE_US (1200 * USEC_PER_MSEC)

/* ---- slow failures ---- */

static bool slow_by(uint32_t p99_us, uint32_t usual_us, unsigned percent)
{
    return usual_us && (uint64_t)p99_us * 100 > (uint64_t)usual_us * percent;
}

static bool voter_is_slow(const struct step *step, uint32_t voter, uint32_t target,
                          unsigned percent)
{
    const struct sight *sights = step->quorum->voters[voter].sights;
    const struct plan_view *v = &step->next->views[target];
    return sights ? slow_by(sights[target].p99_us, sights[target].usual_us, percent)
                  : slow_by(v->p99_us, v->usual_us, percent);
}

/* Slow for the most of the networks that reach it. */
static bool brown_out(const struct step *step, uint32_t target)
{
    const struct quorum *q = step->quorum;
    const struct plan_view *v = &step->next->views[target];
    unsigned percent = v->slow & SLOW_BROWN_OUT ? BROWN_OUT_OVER : BROWN_OUT_PERCENT;
    unsigned slow = 0, reach = 0;
    if (!q->count)
        return slow_by(v->p99_us, v->usual_us, percent);
    for (uint32_t n = 0; n < q->network_count; n++) {
        uint64_t up = v->up & q->networks[n], slow_ones = 0;
        reach += up != 0;
        for (uint64_t rest = up; rest; rest &= rest - 1) {
            uint32_t voter = (uint32_t)__builtin_ctzll(rest);
            slow_ones |= (uint64_t)voter_is_slow(step, voter, target, percent) << voter;
        }
        slow += 2 * __builtin_popcountll(slow_ones) > __builtin_popcountll(up);
    }
    return slow * 2 > reach && slow >= quorum_floor(step);
}

static void slow_take(const struct step *step, uint32_t target)
{
    struct plan_view *v = &step->next->views[target];
    const struct slow_fact *fact = step->input->slow ? &step->input->slow[target] : NULL;
    v->p50_us = fact ? fact->p50_us : 0;
    v->p99_us = fact ? fact->p99_us : 0;
    v->usual_us = fact ? fact->usual_us : 0;
    v->loss_ppm = fact && fact->lossy ? fact->loss_ppm : 0;
    v->lossy = fact && fact->lossy ? fact->lossy_from : 0;
    bool brown = brown_out(step, target);
    bool segments = fact && fact->lossy && fact->loss_of == LOSS_OF_SEGMENTS;
    v->slow = (uint8_t)((fact && fact->lossy ? SLOW_LOSS : 0) | (segments ? SLOW_SEGMENTS : 0) |
                        (brown ? SLOW_BROWN_OUT : 0));
}

/* ---- findings ---- */

/* Those who fail, and for longer than a moment. */
static uint64_t steady(const struct step *step, uint32_t target, uint64_t down)
{
    uint64_t word = 0;
    for (; down; down &= down - 1) {
        uint32_t voter = (uint32_t)__builtin_ctzll(down);
        if (quorum_run(step, voter, target) >= 2 * quorum_rounds(step))
            word |= UINT64_C(1) << voter;
    }
    return word;
}

/* A connection comes about, so small packets pass, and what is larger than they are does not. */
static bool large_fails(enum reason reason)
{
    return reason == REASON_TLS_TIMEOUT || reason == REASON_BODY_TIMEOUT;
}

static enum finding partly(const struct plan_view *v)
{
    return large_fails((enum reason)v->far_reason) ? FINDING_PATH : FINDING_TRANSIT;
}

static enum finding finding_down(const struct plan_view *v)
{
    if (v->up & ~v->inside)
        return partly(v);
    if (v->up)
        return FINDING_CUT_OFF;
    return reason_phase((enum reason)v->far_reason) == PHASE_RESOLVE ? FINDING_NAME : FINDING_DOWN;
}

static enum finding finding_of(const struct step *step, uint32_t target)
{
    const struct plan_target *t = &step->next->targets[target];
    const struct plan_view *v = &step->next->views[target];
    if (!step->quorum->count)
        return v->slow & SLOW_LOSS        ? FINDING_LOSS
               : v->slow & SLOW_BROWN_OUT ? FINDING_BROWN_OUT
                                          : FINDING_NONE;
    if (t->state == VERDICT_DOWN)
        return v->down && step->now - t->since >= SETTLE_US ? finding_down(v)
                                                            : (enum finding)v->finding;
    if (t->state != VERDICT_UP)
        return FINDING_NONE; /* never seen healthy is no news (L4) */
    if (t->flags & TARGET_FROZEN)
        return FINDING_UNDECIDED;
    bool was = v->finding == FINDING_TRANSIT || v->finding == FINDING_PATH;
    if (v->up && (was ? v->down : steady(step, target, v->down)))
        return partly(v);
    if (v->slow & SLOW_LOSS)
        return FINDING_LOSS;
    return v->slow & SLOW_BROWN_OUT ? FINDING_BROWN_OUT : FINDING_NONE;
}

/* Vantages that fail by the name and reach the address beside it. */
static uint64_t fails_by_name(const struct step *step, uint32_t target)
{
    const struct plan_view *views = step->next->views;
    return views[target].down & views[step->layout->targets[target].beside].up;
}

/* A name that leads nowhere, or to where nobody answers, while its address does. It moves nothing,
 * so it is told as well of names that were never seen to work. */
static enum finding finding_of_name(const struct step *step, uint32_t target)
{
    const struct plan_target *t = &step->next->targets[target];
    const struct plan_view *v = &step->next->views[target];
    const struct target *name = &step->layout->targets[target];
    if (!step->quorum->count) {
        bool fails = t->state == VERDICT_DOWN || t->failures >= name->check->fall;
        return fails && step->next->targets[name->beside].state == VERDICT_UP ? FINDING_NAME
                                                                              : FINDING_NONE;
    }
    uint64_t fails = fails_by_name(step, target);
    bool settled = t->state == VERDICT_DOWN && step->now - t->since >= SETTLE_US;
    if (v->finding == FINDING_NAME || settled ? fails : steady(step, target, fails))
        return FINDING_NAME;
    return t->flags & TARGET_FROZEN ? FINDING_UNDECIDED : FINDING_NONE;
}

/* When what is found began: when the first of those who fail began to. */
static usec_t began(const struct step *step, uint32_t target, enum finding finding)
{
    const struct plan_view *v = &step->next->views[target];
    usec_t first = step->now;
    if (finding == FINDING_LOSS)
        return step->input->slow[target].lossy_since;
    if (finding < FINDING_TRANSIT)
        return finding == FINDING_UNDECIDED ? v->undecided : step->now;
    for (uint64_t rest = v->down; rest; rest &= rest - 1) {
        usec_t since = quorum_since(step, (uint32_t)__builtin_ctzll(rest), target);
        if (since < first)
            first = since;
    }
    return first;
}

static void target_locate(struct step *step, uint32_t target)
{
    struct plan_view *v = &step->next->views[target];
    if (!step->quorum->count) {
        v->own = step->next->targets[target].state;
        v->own_reason = step->next->targets[target].down_reason;
        v->own_since = step->next->targets[target].since;
        v->up = v->down = v->inside = 0;
        v->networks = v->networks_up = v->networks_down = 0;
        v->undecided = 0;
        v->far_reason = REASON_OK;
    }
    bool name = step->layout->targets[target].hostname;
    if (!name)
        slow_take(step, target);
    enum finding finding = name ? finding_of_name(step, target) : finding_of(step, target);
    if (finding != v->finding) {
        v->finding_since = began(step, target, finding);
        v->changed = step->now;
    }
    v->finding = (uint8_t)finding;
}

void locate(struct step *step)
{
    for (uint32_t i = 0; i < step->next->view_count; i++)
        target_locate(step, i);
    if (step->quorum->count)
        causes_find(step);
}
