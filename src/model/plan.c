#include "model/plan.h"

#include "base/invariant.h"

const char *verdict_state_name(enum verdict_state s)
{
    static const char *const names[VERDICT_STATES] = {
        [VERDICT_UNREADY] = "unready",
        [VERDICT_UP] = "up",
        [VERDICT_DOWN] = "down",
        [VERDICT_UNCHECKED] = "unchecked",
    };
    invariant((unsigned)s < VERDICT_STATES);
    return names[s];
}

const char *face_mode_name(enum face_mode m)
{
    static const char *const names[FACE_MODES] = {
        [FACE_ABSENT] = "absent",       [FACE_NORMAL] = "normal", [FACE_PREFERRED] = "preferred",
        [FACE_LAST_GOOD] = "last-good", [FACE_NODATA] = "nodata", [FACE_FALLBACK] = "fallback",
    };
    invariant((unsigned)m < FACE_MODES);
    return names[m];
}

const char *finding_name(enum finding f)
{
    static const char *const names[FINDINGS] = {
        [FINDING_NONE] = "none",       [FINDING_UNDECIDED] = "undecided",
        [FINDING_LOSS] = "loss",       [FINDING_BROWN_OUT] = "brown-out",
        [FINDING_TRANSIT] = "transit", [FINDING_PATH] = "path",
        [FINDING_NAME] = "name",       [FINDING_CUT_OFF] = "cut-off",
        [FINDING_DOWN] = "down",
    };
    invariant((unsigned)f < FINDINGS);
    return names[f];
}

const char *vantage_state_name(enum vantage_state s)
{
    static const char *const names[VANTAGE_STATES] = {
        [VANTAGE_VOTES] = "votes",
        [VANTAGE_SILENT] = "silent",
        [VANTAGE_BEHIND] = "behind",
        [VANTAGE_SICK] = "sick",
    };
    invariant((unsigned)s < VANTAGE_STATES);
    return names[s];
}

uint32_t plan_target_by_name(const struct plan *p, uint32_t endpoint, unsigned family)
{
    uint32_t first = p->endpoints[endpoint].target[family];
    if (first == PLAN_NONE)
        return PLAN_NONE;
    for (uint32_t i = first + 1; i < p->target_count && p->targets[i].endpoint == endpoint; i++)
        if (p->targets[i].address.family == family && plan_target_is_name(p, &p->targets[i]))
            return i;
    return PLAN_NONE;
}

const char *plan_target_text(const struct plan *p, const struct plan_target *t,
                             char buffer[static IP_TEXT_MAX])
{
    return plan_target_is_name(p, t) ? plan_text(p, t->hostname) : ip_format(&t->address, buffer);
}
