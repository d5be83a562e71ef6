#include "decide/sentence.h"

#include "base/text.h"
#include "model/finding.h"
#include <stdio.h>

/* Long names are cut, so that the rest of a sentence is never lost. */
#define TARGET_FORMAT "%.48s/%.32s %.80s "
enum { EVIDENCE_MAX = 64 };

#define FACE_FORMAT "%.80s %s: "

struct subject {
    const struct step *step;
    const struct plan_target *now, *before; /* before: NULL for a new one */
    uint32_t index;
    bool was_disabled; /* so that no sample of it is no news */
    char ip[IP_TEXT_MAX];
    const char *place; /* the address, or the name */
};

#define subject_names(s)                                                       \
    (s)->step->next->text + (s)->step->next->services[(s)->now->service].name, \
        (s)->step->next->text + (s)->step->next->endpoints[(s)->now->endpoint].name, (s)->place

#define subject_add(s, kind, format, ...)                                                         \
    event_add((s)->step->events, (kind), (s)->index, (s)->now->service, (s)->now->address.family, \
              TARGET_FORMAT format, subject_names(s), __VA_ARGS__)

static const char *age(const struct step *step, usec_t since, char *buffer)
{
    usec_t us = step->carry->same_boot && since < step->now ? step->now - since : 0;
    return duration_format(us - us % (us < USEC_PER_SEC ? USEC_PER_MSEC : 100 * USEC_PER_MSEC),
                           buffer);
}

/* How sure that is: the votes, or how often it was seen where one node decides. */
static const char *evidence(const struct subject *s, unsigned row, char buffer[static EVIDENCE_MAX])
{
    const struct store *next = s->step->next;
    struct text words = text_init(EVIDENCE_MAX - 1);
    if (next->vantage_count)
        votes_write(&next->views[s->index], &words);
    else
        text_appendf(&words, "%u in a row", row);
    snprintf(buffer, EVIDENCE_MAX, "%s", text_string(&words));
    text_done(&words);
    return buffer;
}

/* Of a name, which is not "down": nothing goes by it. */
static void name_tell(const struct subject *s)
{
    const struct plan_target *t = s->now;
    char ago[DURATION_TEXT_MAX], sure[EVIDENCE_MAX];
    if (t->state == VERDICT_DOWN)
        subject_add(s, EVENT_VERDICT, "fails by name: %s (%s)",
                    reason_sentence((enum reason)t->down_reason), evidence(s, t->failures, sure));
    else if (t->state == VERDICT_UP && s->before->state == VERDICT_DOWN)
        subject_add(s, EVENT_VERDICT, "answers by name again after %s (%s)",
                    age(s->step, s->before->since, ago), evidence(s, t->successes, sure));
    else if (t->state == VERDICT_UP)
        subject_add(s, EVENT_VERDICT, "answers by name (%s)", evidence(s, t->successes, sure));
}

static void verdict_tell(const struct subject *s)
{
    const struct plan_target *t = s->now;
    char ago[DURATION_TEXT_MAX], sure[EVIDENCE_MAX];
    switch ((enum verdict_state)t->state) {
    case VERDICT_DOWN:
        subject_add(s, EVENT_VERDICT, "is down: %s (%s)",
                    reason_sentence((enum reason)t->down_reason), evidence(s, t->failures, sure));
        break;
    case VERDICT_UP:
        if (s->before && s->before->state == VERDICT_DOWN)
            subject_add(s, EVENT_VERDICT, "is up again after %s: %s (%s)",
                        age(s->step, s->before->since, ago), reason_sentence(REASON_OK),
                        evidence(s, t->successes, sure));
        else if (t->successes || s->step->next->vantage_count)
            subject_add(s, EVENT_VERDICT, "is up: %s (%s)", reason_sentence(REASON_OK),
                        evidence(s, t->successes, sure));
        else
            subject_add(s, EVENT_VERDICT, "is now checked%s", "; it counts as up until it fails");
        break;
    case VERDICT_UNCHECKED:
        subject_add(s, EVENT_VERDICT, "is no longer checked%s", "; it counts as healthy");
        break;
    case VERDICT_UNREADY:
        break; /* nothing leads here but being new */
    }
}

static void flags_tell(const struct subject *s)
{
    const struct plan_target *t = s->now;
    uint8_t was = s->before ? s->before->flags : 0;
    uint8_t came = (uint8_t)(t->flags & ~was), went = (uint8_t)(was & ~t->flags);
    char ago[DURATION_TEXT_MAX];
    if ((came & TARGET_FROZEN) && !s->was_disabled)
        subject_add(s, EVENT_FROZEN, "is frozen as %s: no result of its check for %s",
                    verdict_state_name((enum verdict_state)t->state),
                    age(s->step, t->sampled ? t->sampled : t->since, ago));
    if (went & TARGET_FROZEN)
        subject_add(s, EVENT_FROZEN, "is checked again%s", "");
    if (came & TARGET_HELD)
        subject_add(s, EVENT_VELOCITY, "is down but kept: %s",
                    "checks have removed as much as they may for now");
    if (came & TARGET_EXPIRING) {
        usec_t left = t->certificate_end * USEC_PER_SEC - s->step->input->wall;
        if (left > 0)
            subject_add(s, EVENT_EXPIRY, "has a certificate that ends in %s",
                        duration_format(left - left % USEC_PER_HOUR, ago));
        else
            subject_add(s, EVENT_EXPIRY, "has a certificate that has %s", "expired");
    }
}

static void targets_tell(const struct step *step)
{
    const struct plan *previous = step->carry->previous;
    for (uint32_t i = 0; i < step->layout->target_count; i++) {
        const struct plan_target *t = &step->next->targets[i];
        uint32_t old = carry_target_index(step->carry, i);
        const struct plan_target *before = old == PLAN_NONE ? NULL : &previous->targets[old];
        if (before && before->state == t->state && before->flags == t->flags)
            continue;
        const struct plan_endpoint *e = carry_endpoint(step->carry, t->endpoint);
        struct subject s = {.step = step,
                            .now = t,
                            .before = before,
                            .index = i,
                            .was_disabled = e && e->admin == ADMIN_DISABLED};
        bool name = step->layout->targets[i].hostname;
        s.place =
            name ? step->layout->targets[i].hostname : (const char *)ip_format(&t->address, s.ip);
        if (before && before->state != t->state)
            (name ? name_tell : verdict_tell)(&s);
        flags_tell(&s);
    }
}

static const char *mode_sentence(enum face_mode mode, bool ready)
{
    switch (mode) {
    case FACE_ABSENT:
        return "no endpoint has such an address: nothing is answered";
    case FACE_NORMAL:
        return "healthy endpoints answer";
    case FACE_PREFERRED:
        return ready ? "nothing looks healthy: the preferred set answers as if it were"
                     : "nothing was seen healthy yet: the preferred set answers";
    case FACE_LAST_GOOD:
        return "nothing looks healthy: what was last healthy goes on answering";
    case FACE_NODATA:
        return "nothing may answer: no address is given out";
    case FACE_FALLBACK:
        return "nothing may answer: clients are sent to the fallback name";
    }
    return "";
}

static void face_tell(const struct step *step, uint32_t i, unsigned family)
{
    const struct plan_service *service = &step->next->services[i];
    const struct plan_service *was = carry_service(step->carry, i);
    const struct plan_face *face = &service->faces[family];
    const char *name = step->next->text + service->name;
    const char *type = family == IP_V4 ? "A" : "AAAA";
    enum face_mode mode = face->mode, before = was ? was->faces[family].mode : FACE_ABSENT;
    bool held_before = was && was->faces[family].velocity_held;
    const struct face_fact *fact = &step->facts[(size_t)i * IP_FAMILIES + family];
    char ago[DURATION_TEXT_MAX];
    bool again = was && was->faces[family].good_count; /* was it ever healthy? */
    if (mode != before && mode == FACE_NORMAL && again && before != FACE_ABSENT)
        event_add(step->events, EVENT_MODE, PLAN_NONE, i, family,
                  FACE_FORMAT "healthy endpoints answer again, after %s", name, type,
                  age(step, was->faces[family].since, ago));
    else if (mode != before && (was || mode != FACE_NORMAL))
        event_add(step->events, EVENT_MODE, PLAN_NONE, i, family, FACE_FORMAT "%s", name, type,
                  mode_sentence(mode, fact->verdict != VERDICT_UNREADY));
    if (face->velocity_held && !held_before)
        event_add(step->events, EVENT_VELOCITY, PLAN_NONE, i, family,
                  FACE_FORMAT "removals are held back: checks may take %u %% of it in %s", name,
                  type, step->layout->config->services[i].velocity_percent,
                  duration_format(step->layout->config->services[i].velocity_window, ago));
    else if (!face->velocity_held && held_before)
        event_add(step->events, EVENT_VELOCITY, PLAN_NONE, i, family,
                  FACE_FORMAT "no removal is held back any more", name, type);
}

void sentences_add(struct step *step)
{
    targets_tell(step);
    for (uint32_t i = 0; i < step->layout->config->service_count; i++)
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            face_tell(step, i, f);
    findings_tell(step);
    events_end(step->events);
}
