#include "decide/verdict.h"

#include "base/invariant.h"
#include <string.h>

enum { CONNECT_DAMPING = 8 }; /* a new measurement moves the damped one by an eighth */

usec_t verdict_fresh_us(const struct config_check *check)
{
    return 3 * check->interval + check->timeout;
}

static void state_set(struct plan_target *t, enum verdict_state state, usec_t at)
{
    t->state = (uint8_t)state;
    t->since = at;
}

static void state_advance(struct plan_target *t, const struct config_check *check, usec_t at)
{
    switch ((enum verdict_state)t->state) {
    case VERDICT_UNREADY:
        if (t->successes >= check->rise)
            state_set(t, VERDICT_UP, at);
        break;
    case VERDICT_UP:
        if (t->failures >= check->fall) {
            state_set(t, VERDICT_DOWN, at);
            t->down_reason = t->reason;
            t->hold_until = at + check->hold_down;
        }
        break;
    case VERDICT_DOWN:
        if (t->successes >= check->rise && at >= t->hold_until) {
            state_set(t, VERDICT_UP, at);
            t->down_reason = REASON_OK;
        }
        break;
    case VERDICT_UNCHECKED:
        break;
    }
    invariant(t->state != VERDICT_DOWN || t->down_reason != REASON_OK);
}

static void count(uint16_t *up, uint16_t *reset)
{
    if (*up < UINT16_MAX)
        ++*up;
    *reset = 0;
}

/* Checks without a connection are answered in their processing phase. */
static void connect_damp(struct plan_target *t, const struct sample *s)
{
    uint32_t measured =
        s->phase_us[PHASE_CONNECT] ? s->phase_us[PHASE_CONNECT] : s->phase_us[PHASE_PROCESSING];
    if (measured == 0)
        return;
    if (t->connect_us == 0) {
        t->connect_us = measured;
        return;
    }
    int64_t difference = (int64_t)measured - t->connect_us;
    t->connect_us = (uint32_t)(t->connect_us + difference / CONNECT_DAMPING);
    if (t->connect_us == 0)
        t->connect_us = 1;
}

bool verdict_note(struct plan_target *t, const struct config_check *check, const struct sample *s,
                  usec_t now)
{
    if (s->late || s->reason == REASON_INTERNAL || s->reason == REASON_NOT_YET ||
        s->reason >= REASONS)
        return false;
    usec_t at = s->ended < now ? s->ended : now, fresh = verdict_fresh_us(check);
    if (at < t->sampled || now - at > fresh)
        return false; /* overtaken by a newer one, or so old that it says nothing about now */
    if (t->sampled && at - t->sampled > fresh)
        t->successes = t->failures = 0; /* what lies before a gap is not "in a row" */
    t->sampled = at;
    t->reason = s->reason;
    t->status = s->status;
    memcpy(t->phase_us, s->phase_us, sizeof t->phase_us);
    if (s->certificate_end)
        t->certificate_end = s->certificate_end;
    if (s->reason == REASON_OK) {
        count(&t->successes, &t->failures);
        connect_damp(t, s);
    } else {
        count(&t->failures, &t->successes);
    }
    invariant(t->successes == 0 || t->failures == 0);
    return true;
}

void verdict_sample(struct plan_target *t, const struct config_check *check, const struct sample *s,
                    usec_t now)
{
    if (verdict_note(t, check, s, now))
        state_advance(t, check, t->sampled);
}

static void flag_set(struct plan_target *t, enum target_flag flag, bool on)
{
    t->flags = (uint8_t)(on ? t->flags | flag : t->flags & ~flag);
}

void verdict_void(struct plan_target *t, usec_t now)
{
    if (t->state != VERDICT_UNREADY)
        state_set(t, VERDICT_UNREADY, now);
    t->down_reason = REASON_OK;
    t->hold_until = 0;
}

void verdict_settle(struct plan_target *t, const struct config_check *check, bool paused,
                    usec_t now, int64_t wall)
{
    bool stale = false, expiring = false;
    if (check) {
        stale = now - (t->sampled ? t->sampled : t->since) > verdict_fresh_us(check);
        if (stale)
            t->successes = t->failures = 0;
        else
            state_advance(t, check, now);
        if (stale && paused)
            verdict_void(t, now);
        expiring = t->certificate_end &&
                   t->certificate_end - wall / USEC_PER_SEC < check->expiry_warn / USEC_PER_SEC;
    }
    flag_set(t, TARGET_FROZEN, stale && !paused);
    flag_set(t, TARGET_EXPIRING, expiring);
    flag_set(t, TARGET_HOLDING_DOWN,
             check && t->state == VERDICT_DOWN && t->successes >= check->rise &&
                 now < t->hold_until);
}

static usec_t rounds_us(unsigned wanted, unsigned have, const struct config_check *check)
{
    return have < wanted ? (wanted - have) * check->interval : 0;
}

usec_t verdict_change_us(const struct plan_target *t, const struct config_check *check, usec_t now)
{
    if (!check || t->state == VERDICT_UNCHECKED)
        return USEC_NEVER;
    if (t->state == VERDICT_UP)
        return rounds_us(check->fall, t->failures, check);
    usec_t rise = rounds_us(check->rise, t->successes, check);
    usec_t hold = t->state == VERDICT_DOWN ? t->hold_until - now : 0;
    return rise > hold ? rise : hold;
}
