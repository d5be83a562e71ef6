#include "model/practice.h"

#include "base/date.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MINUTES = 24 * 60, EPOCH_DAY = 3 /* 1 January 1970 was a Thursday */ };
#define DAY_MS INT64_C(86400000)

const char *practice_outcome_name(enum practice_outcome outcome)
{
    static const char *const names[PRACTICE_OUTCOMES] = {"PENDING", "SUCCEEDED", "INTERRUPTED",
                                                         "FAILED", "CAPACITY_CHECK_FAILED"};
    invariant((unsigned)outcome < PRACTICE_OUTCOMES);
    return names[outcome];
}

/* ---- windows ---- */

static bool digits_read(const char **at, unsigned count, unsigned max, unsigned *ret)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (unsigned)(**at - '0');
    }
    *ret = value;
    return value <= max;
}

static bool char_read(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool date_read(const char **at, int64_t *ret)
{
    struct date d = {.hour = 0};
    unsigned year;
    if (!digits_read(at, 4, 9999, &year) || !char_read(at, '-') ||
        !digits_read(at, 2, 12, &d.month) || !char_read(at, '-') || !digits_read(at, 2, 31, &d.day))
        return false;
    d.year = (int)year;
    if (year < 1970 || !date_exists(&d))
        return false;
    *ret = date_seconds(&d) / DAY_SECONDS;
    return true;
}

static bool day_read(const char **at, unsigned *ret)
{
    static const char names[] = "MonTueWedThuFriSatSun";
    for (unsigned i = 0; i < 7; i++)
        if (!strncmp(*at, names + 3 * (size_t)i, 3)) {
            *at += 3;
            *ret = i;
            return true;
        }
    return false;
}

static bool minutes_read(const char **at, uint16_t *ret)
{
    unsigned hour, minute;
    if (!digits_read(at, 2, 24, &hour) || !char_read(at, ':') || !digits_read(at, 2, 59, &minute) ||
        hour * 60 + minute > DAY_MINUTES)
        return false;
    *ret = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool dates_read(const char *at, struct practice_window *ret)
{
    ret->dates = true;
    if (!date_read(&at, &ret->from))
        return false;
    ret->to = ret->from;
    return (!char_read(&at, '/') || date_read(&at, &ret->to)) && !*at && ret->from <= ret->to;
}

static bool week_read(const char *at, struct practice_window *ret)
{
    unsigned first, last;
    bool days = day_read(&at, &first);
    last = first = days ? first : 0;
    if (days && char_read(&at, '-') && !day_read(&at, &last))
        return false;
    for (unsigned i = first; days; i = (i + 1) % 7) {
        ret->days |= (uint8_t)(1 << i);
        if (i == last)
            break;
    }
    if (!days)
        ret->days = 0x7f;
    if (!*at)
        return days;
    return (!days || char_read(&at, ' ')) && minutes_read(&at, &ret->begins) &&
           char_read(&at, '-') && minutes_read(&at, &ret->ends) && !*at;
}

static bool window_read(const char *text, struct practice_window *ret)
{
    *ret = (struct practice_window){0};
    return text && (text[0] >= '0' && text[0] <= '9' && strlen(text) > 4 && text[4] == '-'
                        ? dates_read(text, ret)
                        : week_read(text, ret));
}

bool practice_window_holds(const struct practice_window *w, int64_t wall_ms)
{
    int64_t day = wall_ms / DAY_MS;
    unsigned minute = (unsigned)(wall_ms % DAY_MS / 60000);
    unsigned today = (unsigned)((day + EPOCH_DAY) % 7), before = (today + 6) % 7;
    if (w->dates)
        return day >= w->from && day <= w->to;
    if (w->begins == w->ends)
        return w->days >> today & 1;
    if (w->begins < w->ends)
        return w->days >> today & 1 && minute >= w->begins && minute < w->ends;
    return (w->days >> today & 1 && minute >= w->begins) ||
           (w->days >> before & 1 && minute < w->ends); /* begun yesterday */
}

static bool any_holds(const struct practice_window *list, unsigned count, int64_t wall_ms)
{
    for (unsigned i = 0; i < count; i++)
        if (practice_window_holds(&list[i], wall_ms))
            return true;
    return false;
}

/* ---- decode ---- */

static bool number(const json_t *value, const char *key, int64_t min, int64_t otherwise,
                   int64_t *ret)
{
    const json_t *n = json_object_get(value, key);
    *ret = n ? json_integer_value(n) : otherwise;
    return !n || (json_is_integer(n) && *ret >= min && *ret < INT64_MAX / 4);
}

static bool windows(const json_t *list, struct practice_window *ret, unsigned *ret_count)
{
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > PRACTICE_WINDOWS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!window_read(json_string_value(json_array_get(list, i)), &ret[i]))
            return false;
    *ret_count = (unsigned)count;
    return true;
}

static bool services(const json_t *list, struct intent_names *ret)
{
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > PRACTICE_SERVICES_MAX)
        return false;
    ret->list = mem_new(count + 1, sizeof *ret->list);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !*name || strlen(name) >= INTENT_NAME_MAX)
            return false;
        ret->list[ret->count++] = mem_string(name);
    }
    return true;
}

static bool run_read(const json_t *value, struct practice_run *ret)
{
    const char *outcome = json_string_value(json_object_get(value, "outcome"));
    const json_t *why = json_object_get(value, "why");
    unsigned i = 0;
    while (outcome && i < PRACTICE_OUTCOMES &&
           strcmp(outcome, practice_outcome_name((enum practice_outcome)i)))
        i++;
    ret->outcome = (enum practice_outcome)i;
    return outcome && i < PRACTICE_OUTCOMES && (!why || json_is_string(why)) &&
           number(value, "slot_ms", 1, 0, &ret->slot_ms) && ret->slot_ms &&
           number(value, "started_ms", 0, 0, &ret->started_ms) &&
           number(value, "ends_ms", 0, 0, &ret->ends_ms);
}

static bool runs(const json_t *list, struct practice_run *ret_last)
{
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > PRACTICE_RUNS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!run_read(json_array_get(list, i), ret_last))
            return false;
    return true;
}

static const char *practice_read(const json_t *value, struct practice *p)
{
    static const char *const known[] = {"first_ms", "every_ms", "for_ms",  "allowed",
                                        "blocked",  "blocking", "outcome", "runs"};
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        unsigned i = 0;
        while (i < array_length(known) && strcmp(known[i], key))
            i++;
        if (i == array_length(known))
            return "wants first_ms, every_ms, for_ms, allowed, blocked, blocking, outcome, runs";
    }
    if (!number(value, "first_ms", 1, 0, &p->first_ms) || !p->first_ms)
        return "wants \"first_ms\", milliseconds since 1970";
    if (!number(value, "every_ms", PRACTICE_EVERY_MIN_MS, PRACTICE_EVERY_DEFAULT_MS, &p->every_ms))
        return "wants \"every_ms\" of at least 10 s";
    if (!number(value, "for_ms", PRACTICE_FOR_MIN_MS, PRACTICE_FOR_DEFAULT_MS, &p->for_ms) ||
        p->for_ms > p->every_ms / 2 || p->for_ms > INTENT_SHIFT_MAX_MS)
        return "wants \"for_ms\" of at least 1 s, at most half of every_ms and 72 hours";
    if (!windows(json_object_get(value, "allowed"), p->allowed, &p->allowed_count) ||
        !windows(json_object_get(value, "blocked"), p->blocked, &p->blocked_count))
        return "wants windows such as \"Mon-Fri 09:00-17:00\" or \"2026-12-20/2027-01-05\", at "
               "most 32";
    if (!services(json_object_get(value, "blocking"), &p->blocking) ||
        !services(json_object_get(value, "outcome"), &p->outcome))
        return "wants \"blocking\" and \"outcome\" to be lists of at most 100 services";
    return runs(json_object_get(value, "runs"), &p->last)
               ? NULL
               : "wants at most 10 runs {\"slot_ms\", \"started_ms\", \"ends_ms\", \"outcome\", "
                 "\"why\"}";
}

struct practice *practice_decode(const json_t *value, const char **ret_why)
{
    struct practice *p = mem_new(1, sizeof *p);
    const char *why = practice_read(value, p);
    if (!why)
        return p;
    practice_free(p);
    *ret_why = why;
    return NULL;
}

void practice_free(struct practice *p)
{
    if (!p)
        return;
    names_done(&p->blocking);
    names_done(&p->outcome);
    free(p);
}

/* ---- a step ---- */

struct stepping {
    const struct intent *intent;
    const struct intent_object *object;
    const struct practice_world *world;
    int64_t wall_ms;
    struct practice_move *move;
};

static void say(struct stepping *s, struct text *why)
{
    snprintf(s->move->why, sizeof s->move->why, "%s", text_string(why));
}

static bool some_unwell(struct stepping *s, const struct intent_names *names)
{
    struct text why = text_init(PRACTICE_WHY_MAX - 1);
    bool found = false;
    for (uint32_t i = 0; i < names->count && !found; i++)
        found = s->world->unwell(s->world->context, names->list[i], &why);
    if (found)
        say(s, &why);
    text_done(&why);
    return found;
}

/* A shift that somebody ordered and that holds now. */
static const struct intent_object *ordered_shift(const struct stepping *s)
{
    uint32_t count;
    struct intent_object *const *list = intent_list(s->intent, INTENT_SHIFT, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!list[i]->practice_run && list[i]->expires_ms > s->wall_ms)
            return list[i];
    return NULL;
}

static void end(struct stepping *s, enum practice_do what, enum practice_outcome outcome)
{
    s->move->what = what;
    s->move->run = s->object->practice->last;
    s->move->run.outcome = outcome;
    s->move->run.ends_ms = s->wall_ms;
}

static void run_watch(struct stepping *s)
{
    const struct practice *p = s->object->practice;
    const struct intent_object *shift = intent_find(s->intent, INTENT_SHIFT, s->object->name);
    const struct intent_object *order = ordered_shift(s);
    bool ours = shift && shift->practice_run;
    if (order) {
        snprintf(s->move->why, sizeof s->move->why, "an operator shifted away from %.200s",
                 strchr(order->name, ':') + 1);
        end(s, ours ? PRACTICE_END : PRACTICE_NOTE, PRACTICE_INTERRUPTED);
    } else if (!ours) {
        snprintf(s->move->why, sizeof s->move->why, "an operator ended it");
        end(s, PRACTICE_NOTE, PRACTICE_INTERRUPTED);
    } else if (some_unwell(s, &p->outcome)) {
        end(s, PRACTICE_END, PRACTICE_FAILED);
    } else if (some_unwell(s, &p->blocking)) {
        end(s, PRACTICE_END, PRACTICE_INTERRUPTED);
    } else if (s->wall_ms >= p->last.ends_ms) {
        end(s, PRACTICE_END, PRACTICE_SUCCEEDED);
    }
}

/* When the newest run was or is due; 0: the first is yet to come. */
static int64_t slot_of(const struct practice *p, int64_t wall_ms)
{
    return wall_ms < p->first_ms ? 0 : wall_ms - (wall_ms - p->first_ms) % p->every_ms;
}

static void run_begin(struct stepping *s)
{
    const struct practice *p = s->object->practice;
    struct text why = text_init(PRACTICE_WHY_MAX - 1);
    int64_t slot = slot_of(p, s->wall_ms);
    /* one that was kept waiting for half of its time waits for the next */
    if (!slot || slot <= p->last.slot_ms || s->wall_ms - slot > p->every_ms / 2 ||
        (p->allowed_count && !any_holds(p->allowed, p->allowed_count, s->wall_ms)) ||
        any_holds(p->blocked, p->blocked_count, s->wall_ms) || ordered_shift(s) ||
        intent_find(s->intent, INTENT_SHIFT, s->object->name) || some_unwell(s, &p->blocking) ||
        some_unwell(s, &p->outcome)) {
        s->move->why[0] = 0;
        text_done(&why);
        return;
    }
    bool lacks = s->world->short_of(s->world->context, s->object->name, &why);
    s->move->what = lacks ? PRACTICE_NOTE : PRACTICE_BEGIN;
    s->move->run = (struct practice_run){
        .slot_ms = slot,
        .started_ms = s->wall_ms,
        .ends_ms = lacks ? s->wall_ms : s->wall_ms + p->for_ms,
        .outcome = lacks ? PRACTICE_CAPACITY_CHECK_FAILED : PRACTICE_PENDING,
    };
    say(s, &why);
    text_done(&why);
}

void practice_step(const struct intent *intent, const struct intent_object *object,
                   const struct practice_world *world, int64_t wall_ms, struct practice_move *ret)
{
    struct stepping s = {intent, object, world, wall_ms, ret};
    const struct practice_run *last = &object->practice->last;
    *ret = (struct practice_move){.what = PRACTICE_NOTHING};
    if (last->slot_ms && last->outcome == PRACTICE_PENDING)
        run_watch(&s);
    else
        run_begin(&s);
}

/* ---- as changes ---- */

static json_t *run_json(const struct practice_move *m)
{
    json_t *run =
        json_pack("{s:I,s:I,s:I,s:s}", "slot_ms", (json_int_t)m->run.slot_ms, "started_ms",
                  (json_int_t)m->run.started_ms, "ends_ms", (json_int_t)m->run.ends_ms, "outcome",
                  practice_outcome_name(m->run.outcome));
    if (m->why[0])
        json_object_set_new(run, "why", json_string(m->why));
    return run;
}

static char *value_with(const struct intent_object *object, const struct practice_move *m)
{
    json_t *value = json_loads(object->value, 0, NULL), *list = json_object_get(value, "runs");
    invariant(value != NULL);
    if (!list) {
        list = json_array();
        json_object_set_new(value, "runs", list);
    }
    size_t count = json_array_size(list);
    if (count && object->practice->last.slot_ms == m->run.slot_ms)
        json_array_remove(list, count - 1);
    json_array_append_new(list, run_json(m));
    while (json_array_size(list) > PRACTICE_RUNS_MAX)
        json_array_remove(list, 0);
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(value);
    return text;
}

unsigned practice_edits(const struct intent_object *object, const struct practice_move *move,
                        struct intent_edit **ret)
{
    struct intent_edit *edits = mem_new(2, sizeof *edits);
    unsigned count = 0;
    char shift[100];
    invariant(move->what != PRACTICE_NOTHING);
    edits[count++] =
        (struct intent_edit){INTENT_PRACTICE, mem_string(object->name), value_with(object, move)};
    if (move->what == PRACTICE_BEGIN) {
        snprintf(shift, sizeof shift, "{\"expires_ms\":%lld,\"practice\":true}",
                 (long long)move->run.ends_ms);
        edits[count++] =
            (struct intent_edit){INTENT_SHIFT, mem_string(object->name), mem_string(shift)};
    } else if (move->what == PRACTICE_END) {
        edits[count++] = (struct intent_edit){INTENT_SHIFT, mem_string(object->name), NULL};
    }
    *ret = edits;
    return count;
}
