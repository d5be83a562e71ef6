#include "observe/schedule.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

struct schedule schedule_init(uint64_t seed)
{
    return (struct schedule){.seed = seed, .place = {.of = 1}};
}

void schedule_done(struct schedule *s)
{
    heap_done(&s->heap);
    free(s->entries);
    *s = (struct schedule){.seed = s->seed};
}

/* A share of `range` chosen by hash: in [0, range), 0 where range is 0. */
static usec_t share(uint64_t hash, usec_t range)
{
    return range > 0 ? (usec_t)(hash_mix(hash) % (uint64_t)range) : 0;
}

static usec_t entry_when(const struct schedule_entry *e, int64_t moment)
{
    uint64_t salt = e->identity ^ ((uint64_t)moment * 0x9e3779b97f4a7c15u);
    return moment * e->interval + e->phase + share(salt, e->interval / SCHEDULE_JITTER);
}

/* The first moment that is not before `when`. */
static int64_t entry_moment(const struct schedule_entry *e, usec_t when)
{
    int64_t moment = (when - e->phase) / e->interval - 1;
    while (entry_when(e, moment) < when)
        moment++;
    return moment;
}

static usec_t entry_phase(const struct schedule *s, const struct schedule_entry *e)
{
    const struct schedule_place *p = &s->place;
    usec_t phase = p->origin % e->interval + share(e->identity, e->interval) +
                   e->interval * (usec_t)p->rank / (usec_t)p->of;
    return (phase + e->interval) % e->interval;
}

void schedule_add(struct schedule *s, uint32_t id, uint64_t identity, usec_t interval, usec_t now)
{
    invariant(interval > 0);
    if (id >= s->entry_count) {
        size_t count = s->entry_count ? s->entry_count : 16;
        while (count <= id)
            count *= 2;
        s->entries = mem_resize(s->entries, count, sizeof *s->entries);
        memset(s->entries + s->entry_count, 0, (count - s->entry_count) * sizeof *s->entries);
        s->entry_count = count;
    }
    struct schedule_entry *e = &s->entries[id];
    *e = (struct schedule_entry){.interval = interval, .identity = hash_mix(identity ^ s->seed)};
    e->phase = entry_phase(s, e);
    usec_t first =
        now + share(e->identity + 1, interval < SCHEDULE_START ? interval : SCHEDULE_START);
    e->moment = entry_moment(e, first + interval / 2);
    heap_put(&s->heap, id, first);
}

void schedule_move(struct schedule *s, struct schedule_place place, usec_t now)
{
    invariant(place.rank < place.of);
    s->place = place;
    for (uint32_t id = 0; id < s->entry_count; id++) {
        struct schedule_entry *e = &s->entries[id];
        usec_t due = heap_when_of(&s->heap, id);
        if (due == USEC_NEVER)
            continue;
        e->phase = entry_phase(s, e);
        due -= e->interval / 2;
        /* where a clock was set back a little, what was due just now still is */
        usec_t still = now - e->interval / SCHEDULE_LATE + 1;
        e->moment = entry_moment(e, due > still ? due : still);
        heap_put(&s->heap, id, entry_when(e, e->moment));
        e->moment++;
    }
}

void schedule_remove(struct schedule *s, uint32_t id)
{
    heap_remove(&s->heap, id);
}

bool schedule_take(struct schedule *s, usec_t now, uint32_t *ret_id)
{
    while (heap_when(&s->heap) <= now) {
        struct heap_node due = *heap_first(&s->heap);
        invariant(due.id < s->entry_count);
        struct schedule_entry *e = &s->entries[due.id];
        bool late = now - due.when >= e->interval / SCHEDULE_LATE;
        if (late) {
            int64_t moment = entry_moment(e, now);
            s->skipped += 1 + (uint64_t)(moment > e->moment ? moment - e->moment : 0);
            e->moment = moment > e->moment ? moment : e->moment;
        }
        heap_put(&s->heap, due.id, entry_when(e, e->moment));
        e->moment++;
        if (late)
            continue;
        *ret_id = due.id;
        return true;
    }
    return false;
}
