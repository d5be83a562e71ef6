#include "serve/dns/bundle.h"

#include "base/hash.h"
#include "base/invariant.h"

enum {
    SLOTS = 2 * BUNDLE_ANSWERS_MAX, /* a power of two; half of them stay empty */
    NONE = UINT8_MAX,
};

/* The answers to one client, the longest first. */
struct party {
    uint8_t first, last;
};

struct sorting {
    const struct bundle_answer *answers;
    uint8_t next[BUNDLE_ANSWERS_MAX];
    struct party parties[BUNDLE_ANSWERS_MAX];
    unsigned party_count;
    uint8_t slots[SLOTS]; /* 1 + the party's number; 0: none */
};

static bool same(const struct bytes *a, const struct bytes *b)
{
    return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

/* The party an answer belongs to; a new one has no answers yet. */
static struct party *party_of(struct sorting *s, const struct bundle_answer *a)
{
    uint64_t at = hash64(a->client.data, a->client.length);
    for (;; at++) {
        uint8_t *slot = &s->slots[at % SLOTS];
        if (!*slot) {
            s->parties[s->party_count] = (struct party){NONE, NONE};
            *slot = (uint8_t)++s->party_count;
            return &s->parties[*slot - 1];
        }
        struct party *p = &s->parties[*slot - 1];
        const struct bundle_answer *other = &s->answers[p->first];
        if (same(&a->client, &other->client) && same(&a->local, &other->local))
            return p;
    }
}

/* Behind those that are as long: the order of equals stays, and where all are equal nothing is
 * looked for. */
static void party_add(struct sorting *s, struct party *p, uint8_t answer)
{
    uint16_t length = s->answers[answer].length;
    uint8_t before = p->last;
    if (before != NONE && s->answers[before].length < length) {
        before = NONE;
        for (uint8_t i = p->first; s->answers[i].length >= length; i = s->next[i])
            before = i;
    }
    if (before == NONE) {
        s->next[answer] = p->first;
        p->first = answer;
    } else {
        s->next[answer] = s->next[before];
        s->next[before] = answer;
    }
    if (s->next[answer] == NONE)
        p->last = answer;
}

static void party_cut(const struct sorting *s, const struct party *p, size_t segment_most,
                      struct bundles *b)
{
    unsigned at = bundle_begin(b, b->count);
    size_t segment = 0, bytes = 0;
    bool closed = true;
    for (uint8_t i = p->first; i != NONE; i = s->next[i]) {
        size_t length = s->answers[i].length;
        if (closed || bytes + length > BUNDLE_BYTES_MAX) {
            segment = length;
            bytes = 0;
            closed = length > segment_most;
            b->count++;
        } else {
            closed = length < segment;
        }
        bytes += length;
        b->order[at++] = i;
        b->end[b->count - 1] = (uint8_t)at;
    }
}

void bundles_make(const struct bundle_answer *answers, unsigned count, size_t segment_most,
                  struct bundles *ret)
{
    invariant(count <= BUNDLE_ANSWERS_MAX);
    ret->count = 0;
    if (!segment_most || count < 2) {
        for (; ret->count < count; ret->count++) {
            ret->order[ret->count] = (uint8_t)ret->count;
            ret->end[ret->count] = (uint8_t)(ret->count + 1);
        }
        return;
    }
    struct sorting s;
    s.answers = answers;
    s.party_count = 0;
    memset(s.slots, 0, sizeof s.slots);
    for (unsigned i = 0; i < count; i++)
        party_add(&s, party_of(&s, &answers[i]), (uint8_t)i);
    for (unsigned i = 0; i < s.party_count; i++)
        party_cut(&s, &s.parties[i], segment_most, ret);
    invariant(ret->count && ret->end[ret->count - 1] == count);
}
