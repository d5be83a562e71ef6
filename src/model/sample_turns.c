#include "model/sample_turns.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>

/* Heads of the rings, behind the targets. */
enum ring { RING_WAITING, RING_TOLD, RINGS };

static void unlink_from(struct sample_turns *t, uint32_t target)
{
    t->next[t->previous[target]] = t->next[target];
    t->previous[t->next[target]] = t->previous[target];
}

static void append_to(struct sample_turns *t, enum ring ring, uint32_t target)
{
    uint32_t head = t->count + (uint32_t)ring, last = t->previous[head];
    t->next[last] = target;
    t->previous[target] = last;
    t->next[target] = head;
    t->previous[head] = target;
    t->waits[target] = ring == RING_WAITING;
}

/* How often in a second a target is to be told. */
static uint32_t times_of(const struct target *t)
{
    usec_t times = t->check ? USEC_PER_SEC / t->check->interval : 1;
    return times < 1 ? 1 : times > SAMPLE_SLICES ? SAMPLE_SLICES : (uint32_t)times;
}

/* A quarter more than falls due in one tenth of a second, and some for what falls due together. */
static uint32_t slice_of(const struct target *targets, uint32_t count)
{
    enum { TOGETHER = 3 };
    uint64_t times = 0;
    for (uint32_t i = 0; i < count; i++)
        times += times_of(&targets[i]);
    uint64_t room = SAMPLE_SLICES * 4 / 5, slice = (times + room - 1) / room + TOGETHER;
    slice = slice < count ? slice : count;
    return slice < SAMPLE_SLICE_MAX ? (uint32_t)slice : SAMPLE_SLICE_MAX;
}

struct sample_turns sample_turns_init(const struct target *targets, uint32_t count)
{
    struct sample_turns t = {.count = count,
                             .slice = slice_of(targets, count),
                             .next = mem_new(count + (size_t)RINGS, sizeof *t.next),
                             .previous = mem_new(count + (size_t)RINGS, sizeof *t.previous),
                             .waits = mem_new(count + (size_t)1, sizeof *t.waits)};
    for (uint32_t head = count; head < count + RINGS; head++)
        t.next[head] = t.previous[head] = head;
    for (uint32_t i = 0; i < count; i++)
        append_to(&t, RING_WAITING, i);
    return t;
}

void sample_turns_done(struct sample_turns *t)
{
    free(t->next);
    free(t->previous);
    free(t->waits);
    *t = (struct sample_turns){0};
}

void sample_turns_note(struct sample_turns *t, uint32_t target)
{
    invariant(target < t->count);
    if (t->waits[target])
        return;
    unlink_from(t, target);
    append_to(t, RING_WAITING, target);
}

uint32_t sample_turns_take(struct sample_turns *t)
{
    uint32_t target = t->next[t->count + RING_WAITING];
    if (target >= t->count)
        target = t->next[t->count + RING_TOLD];
    invariant(target < t->count);
    unlink_from(t, target);
    append_to(t, RING_TOLD, target);
    return target;
}
