/* Any bytes: what decodes can be walked to its last index, and succeeds itself. The checksum is
 * made right first, so that changes reach what lies behind it. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/snapshot.h"
#include "model/snapshot_format.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t text_walk(const struct plan *p, uint32_t offset)
{
    return strlen(plan_text(p, offset));
}

/* The number of addresses that a client may be led to; bounded, since paths multiply. */
static size_t choice_walk(const struct plan *p, uint32_t index, unsigned depth, size_t *budget)
{
    const struct plan_choice *c = &p->choices[index];
    invariant(depth < PLAN_DEPTH_MAX);
    if (*budget == 0)
        return 1;
    --*budget;
    if (c->kind == CHOICE_ADDRESSES) {
        for (uint32_t i = 0; i < c->count; i++)
            invariant(p->targets[p->addresses[c->first + i].target].address.family == c->family);
        return c->count;
    }
    if (c->kind == CHOICE_CNAME)
        return dname_length((const uint8_t *)p->text + c->first);
    if (c->kind == CHOICE_NODATA)
        return 0;
    size_t n = c->kind == CHOICE_NETWORK ? choice_walk(p, c->otherwise, depth + 1, budget) : 0;
    for (uint32_t i = 0; i < c->count; i++)
        n += choice_walk(p, p->branches[c->first + i].choice, depth + 1, budget);
    return n;
}

static void service_walk(const struct plan *p, const struct plan_service *s)
{
    text_walk(p, s->name);
    invariant(dname_length((const uint8_t *)p->text + s->wire_name) <= DNAME_MAX);
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        text_walk(p, e->name), text_walk(p, e->region), text_walk(p, e->provider);
        text_walk(p, e->author), text_walk(p, e->why);
    }
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        const struct plan_face *f = &s->faces[family];
        size_t budget = 10000;
        for (uint32_t i = 0; i < f->good_count; i++)
            invariant(p->goods[f->good_first + i] < p->target_count);
        size_t n = f->choice == PLAN_NONE ? 0 : choice_walk(p, f->choice, 0, &budget);
        invariant(n > 0 || s->zone == PLAN_NONE || f->mode == FACE_ABSENT ||
                  s->when_all_down > ALL_DOWN_LAST_GOOD || s->endpoint_count > 0);
    }
}

/* Every signature is found from what it signs, and its last byte can be read. */
static size_t signatures_walk(const struct plan *p, uint32_t service)
{
    const struct plan_service *s = &p->services[service];
    size_t sum = 0;
    for (uint32_t i = 0; i < s->signature_count; i++) {
        const struct plan_signature *g = &p->signatures[s->signature_first + i];
        uint32_t count = 0;
        const struct plan_signature *first = plan_signatures(p, service, g->choice, &count);
        invariant(first && first <= g && g < first + count && count <= PLAN_SIGNERS_MAX);
        sum += plan_signature_rdata(p, g, g->windows - 1u)[g->length - 1];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_new(size + 1, 1);
    struct snapshot_header *h = (struct snapshot_header *)copy;
    struct plan p;
    const char *where = NULL;
    if (size)
        memcpy(copy, data, size);
    if (size >= sizeof *h) {
        h->size = size;
        h->checksum = snapshot_checksum(copy, size);
    }
    if (snapshot_decode(copy, size, &p, &where) == 0) {
        for (uint32_t i = 0; i < p.service_count; i++) {
            service_walk(&p, &p.services[i]);
            invariant(signatures_walk(&p, i) <= 255u * (size_t)p.services[i].signature_count);
        }
        for (uint32_t i = 0; i < p.detour_count; i++)
            invariant(p.detours[i].target < p.target_count &&
                      text_walk(&p, p.vantages[p.detours[i].vantage].network) < p.text_size);
        struct plan next = p;
        invariant(snapshot_succeeds(&p, &next, NULL) == ERR_OLDER);
        if (p.generation < UINT64_MAX) {
            next.generation++;
            invariant(snapshot_succeeds(&p, &next, NULL) == 0);
        }
    } else
        invariant(where && *where);
    free(copy);
    return 0;
}
