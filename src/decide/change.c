#include "decide/change.h"

#include "decide/decide.h"
#include <string.h>

#define SLOW_NEWS_US (10 * USEC_PER_SEC)

static bool files_equal(const struct plan *a, const struct plan *b)
{
    if (a->file_count != b->file_count)
        return false;
    for (uint32_t i = 0; i < a->file_count; i++)
        if (a->files[i].kind != b->files[i].kind || a->files[i].hash != b->files[i].hash ||
            a->files[i].serial != b->files[i].serial || a->files[i].state != b->files[i].state)
            return false;
    return true;
}

static bool arrays_equal(const void *a, uint32_t a_count, const void *b, uint32_t b_count,
                         size_t size)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * size) == 0);
}

/* Choices are made in the same order in every step, so equal decisions are equal bytes. */
static bool choices_equal(const struct plan *a, const struct plan *b)
{
    _Static_assert(sizeof(struct plan_choice) == 24 && sizeof(struct plan_address) == 20 &&
                       sizeof(struct plan_branch) == 8,
                   "no padding, so that bytes can be compared");
    return arrays_equal(a->choices, a->choice_count, b->choices, b->choice_count,
                        sizeof *a->choices) &&
           arrays_equal(a->branches, a->branch_count, b->branches, b->branch_count,
                        sizeof *a->branches) &&
           arrays_equal(a->addresses, a->address_count, b->addresses, b->address_count,
                        sizeof *a->addresses);
}

static bool answers_equal(const struct plan *a, const struct plan *b)
{
    for (uint32_t i = 0; i < a->service_count; i++) {
        const struct plan_service *s = &a->services[i], *t = &b->services[i];
        if (s->zone != t->zone)
            return false;
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            if (s->faces[f].choice != t->faces[f].choice || s->faces[f].ttl != t->faces[f].ttl)
                return false;
    }
    return choices_equal(a, b) && files_equal(a, b);
}

static bool targets_equal(const struct plan *a, const struct plan *b)
{
    for (uint32_t i = 0; i < a->target_count; i++)
        if (a->targets[i].state != b->targets[i].state ||
            a->targets[i].flags != b->targets[i].flags)
            return false;
    return true;
}

static bool is_slow(uint8_t finding)
{
    return finding == FINDING_LOSS || finding == FINDING_BROWN_OUT;
}

/* Slow failures come and go with the weather, of a thousand targets some in every second: they are
 * no news that a plan is published for at once, and are told with the next one, which comes within
 * a while. */
static bool finding_is_news(const struct plan *a, const struct plan *b, uint32_t i, usec_t now)
{
    const struct plan_view *was = &a->views[i], *is = &b->views[i];
    bool slow = (is_slow(was->finding) || was->finding == FINDING_NONE) &&
                (is_slow(is->finding) || is->finding == FINDING_NONE);
    if (was->finding != is->finding && !slow)
        return true;
    return is->changed > a->made && now - a->made >= SLOW_NEWS_US;
}

/* Votes come and go with every probe that is lost; what they amount to is what counts. */
static bool views_equal(const struct plan *a, const struct plan *b, usec_t now)
{
    if (a->view_count != b->view_count || a->vantage_count != b->vantage_count ||
        a->cause_count != b->cause_count || a->detour_count != b->detour_count)
        return false;
    for (uint32_t i = 0; i < a->view_count; i++)
        if (finding_is_news(a, b, i, now))
            return false;
    for (uint32_t i = 0; i < a->vantage_count; i++)
        if (a->vantages[i].id != b->vantages[i].id || a->vantages[i].state != b->vantages[i].state)
            return false;
    for (uint32_t i = 0; i < a->cause_count; i++)
        if (a->causes[i].kind != b->causes[i].kind || a->causes[i].name != b->causes[i].name ||
            a->causes[i].finding != b->causes[i].finding)
            return false;
    for (uint32_t i = 0; i < a->detour_count; i++)
        if (a->detours[i].target != b->detours[i].target ||
            a->detours[i].vantage != b->detours[i].vantage)
            return false;
    return true;
}

static bool endpoints_equal(const struct plan *a, const struct plan *b)
{
    for (uint32_t i = 0; i < a->endpoint_count; i++)
        if (a->endpoints[i].served != b->endpoints[i].served ||
            a->endpoints[i].held != b->endpoints[i].held ||
            a->endpoints[i].admin != b->endpoints[i].admin)
            return false;
    return true;
}

static bool modes_equal(const struct plan *a, const struct plan *b)
{
    for (uint32_t i = 0; i < a->service_count; i++) {
        for (unsigned f = 0; f < IP_FAMILIES; f++) {
            const struct plan_face *x = &a->services[i].faces[f], *y = &b->services[i].faces[f];
            if (x->mode != y->mode || x->velocity_held != y->velocity_held)
                return false;
        }
    }
    return true;
}

unsigned plan_compare(const struct plan *previous, const struct plan *next, usec_t now)
{
    if (previous->config_fingerprint != next->config_fingerprint ||
        previous->service_count != next->service_count ||
        previous->endpoint_count != next->endpoint_count ||
        previous->target_count != next->target_count || previous->generation == 0)
        return PLAN_ANSWERS | PLAN_VERDICTS;
    unsigned changes = answers_equal(previous, next) ? 0 : PLAN_ANSWERS;
    if (previous->boot_id != next->boot_id || previous->intent_version != next->intent_version ||
        !targets_equal(previous, next) || !views_equal(previous, next, now) ||
        !endpoints_equal(previous, next) || !modes_equal(previous, next))
        changes |= PLAN_VERDICTS;
    return changes;
}
