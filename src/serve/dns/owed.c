#include "serve/dns/owed.h"
#include "base/invariant.h"
#include <stddef.h>

/* The slot is the low part of the token. */
static unsigned slot_of(uint64_t token)
{
    return (unsigned)(token % OWED_MAX);
}

uint64_t owed_add(struct owed *o, struct stream *stream, usec_t until)
{
    if (o->count == OWED_MAX)
        return 0;
    uint64_t token = o->last;
    do
        token++;
    while (!token || o->slots[slot_of(token)].token);
    o->last = token;
    o->slots[slot_of(token)].token = token;
    o->slots[slot_of(token)].stream = stream;
    o->slots[slot_of(token)].until = until;
    o->count++;
    return token;
}

static struct stream *slot_free(struct owed *o, unsigned slot)
{
    invariant(o->slots[slot].token && o->count);
    o->slots[slot].token = 0;
    o->count--;
    return o->slots[slot].stream;
}

struct stream *owed_take(struct owed *o, uint64_t token)
{
    unsigned slot = slot_of(token);
    return token && o->slots[slot].token == token ? slot_free(o, slot) : NULL;
}

struct stream *owed_late(struct owed *o, usec_t now)
{
    for (unsigned i = 0; o->count && i < OWED_MAX; i++)
        if (o->slots[i].token && o->slots[i].until <= now)
            return slot_free(o, i);
    return NULL;
}

void owed_forget(struct owed *o, const struct stream *stream)
{
    for (unsigned i = 0; o->count && i < OWED_MAX; i++)
        if (o->slots[i].token && o->slots[i].stream == stream)
            slot_free(o, i);
}
