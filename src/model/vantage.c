#include "model/vantage.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/plan.h"
#include <string.h>

enum { CREEP_PPM = 200 }; /* faster than any two clocks of computers run apart */

struct vantages vantages_init(void)
{
    return (struct vantages){.index = map_init()};
}

void vantages_done(struct vantages *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        free(v->list[i].sights);
    free(v->identities);
    map_done(&v->index);
    *v = vantages_init();
}

/* ---- targets ---- */

static void sights_clear(struct sight *sights, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sights[i] = (struct sight){.state = VERDICT_UNREADY, .reason = REASON_NOT_YET};
}

static struct sight *sights_new(uint32_t count)
{
    struct sight *sights = mem_new(count + (size_t)1, sizeof *sights);
    sights_clear(sights, count);
    return sights;
}

static uint32_t target_find(const struct map *index, uint64_t identity)
{
    uintptr_t place = (uintptr_t)map_get(index, &identity, sizeof identity);
    return place ? (uint32_t)(place - 1) : PLAN_NONE;
}

void vantages_targets(struct vantages *v, const uint64_t *identities, uint32_t count)
{
    uint64_t *own = mem_new(count + (size_t)1, sizeof *own);
    struct map index = map_init();
    for (uint32_t i = 0; i < count; i++) {
        own[i] = identities[i];
        (void)map_put(&index, &own[i], sizeof own[i], (void *)((uintptr_t)i + 1));
    }
    for (uint32_t i = 0; i < v->count; i++) {
        struct sight *sights = sights_new(count);
        for (uint32_t k = 0; k < count; k++) {
            uint32_t old = target_find(&v->index, own[k]);
            if (old != PLAN_NONE)
                sights[k] = v->list[i].sights[old];
        }
        free(v->list[i].sights);
        v->list[i].sights = sights;
    }
    map_done(&v->index);
    free(v->identities);
    v->identities = own;
    v->index = index;
    v->target_count = count;
}

/* ---- members ---- */

static void name_set(char to[static SAMPLE_NAME_SIZE], const char *from)
{
    size_t length = strnlen(from, SAMPLE_NAME_SIZE - 1);
    memset(to, 0, SAMPLE_NAME_SIZE);
    memcpy(to, from, length);
}

static struct vantage *member_find(struct vantages *v, uint64_t id)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->list[i].id == id)
            return &v->list[i];
    return NULL;
}

const struct vantage *vantages_find(const struct vantages *v, uint64_t id)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->list[i].id == id)
            return &v->list[i];
    return NULL;
}

int vantages_member(struct vantages *v, uint64_t id, const char *node, const char *site,
                    const char *network)
{
    struct vantage *m = member_find(v, id);
    if (!m) {
        uint32_t at = v->count;
        if (v->count == array_length(v->list))
            return ERR_LIMIT;
        while (at > 0 && v->list[at - 1].id > id)
            at--;
        m = &v->list[at];
        memmove(m + 1, m, (v->count - at) * sizeof *m);
        *m = (struct vantage){.id = id, .sights = sights_new(v->target_count)};
        v->count++;
    }
    name_set(m->node, node);
    name_set(m->site, site);
    name_set(m->network, network);
    return 0;
}

void vantages_keep(struct vantages *v, const uint64_t *ids, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        bool keep = false;
        for (uint32_t k = 0; k < count; k++)
            keep |= ids[k] == v->list[i].id;
        if (keep)
            v->list[kept++] = v->list[i];
        else
            free(v->list[i].sights);
    }
    v->count = kept;
}

/* ---- messages ---- */

/* When the message was made, on our clock. */
static usec_t made_here(struct vantage *m, const struct sample_head *head, usec_t now)
{
    usec_t offset = now - head->made;
    if (m->heard && m->boot == head->boot) {
        usec_t crept = m->offset + (now - m->came) * CREEP_PPM / 1000000;
        m->offset = offset < crept ? offset : crept;
    } else {
        m->offset = offset;
    }
    usec_t made = head->made + m->offset;
    invariant(made <= now);
    return made > 0 ? made : 1;
}

static usec_t age_before(usec_t made, uint32_t age_ms)
{
    usec_t at = made - age_ms * USEC_PER_MSEC;
    return at > 0 ? at : 1;
}

static void sight_take(struct sight *s, const struct sample_entry *e, usec_t made)
{
    *s = (struct sight){
        .state = e->state,
        .reason = e->reason,
        .down_reason = e->down_reason,
        .flags = e->flags,
        .run = e->run,
        .status = e->status,
        .since = age_before(made, e->since_ms),
        .sampled = e->sampled_ms == SAMPLE_AGE_NONE ? 0 : age_before(made, e->sampled_ms),
        .counts = {e->counts[0], e->counts[1]},
        .p50_us = e->p50_us,
        .p99_us = e->p99_us,
        .usual_us = e->usual_us,
        .connect_us = e->connect_us,
    };
}

static void part_take(struct vantages *v, struct vantage *m, const struct sample_part *p,
                      usec_t now, int64_t wall)
{
    if (m->boot != p->head.boot)
        sights_clear(m->sights, v->target_count);
    usec_t made = made_here(m, &p->head, now);
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t target = target_find(&v->index, p->entries[i].identity);
        if (target != PLAN_NONE)
            sight_take(&m->sights[target], &p->entries[i], made);
    }
    memcpy(m->node, p->head.node, sizeof m->node);
    memcpy(m->site, p->head.site, sizeof m->site);
    memcpy(m->network, p->head.network, sizeof m->network);
    m->health = p->head.health;
    m->heard = made;
    m->came = now;
    m->boot = p->head.boot;
    m->sequence = p->head.sequence;
    m->config = p->head.config;
    m->wall_offset = p->head.wall - wall;
}

static int message_take(struct vantages *v, uint64_t id, const uint8_t *data, size_t size,
                        usec_t now, int64_t wall)
{
    struct vantage *m = member_find(v, id);
    struct sample_part p;
    int err = sample_part_decode(data, size, &p);
    if (err)
        return err;
    if (!m || p.head.vantage != id)
        return ERR_REFUSED;
    if (m->heard && m->boot == p.head.boot && p.head.sequence < m->sequence)
        return ERR_OLDER;
    part_take(v, m, &p, now, wall);
    return 0;
}

int vantages_take(struct vantages *v, uint64_t id, const uint8_t *data, size_t size, usec_t now,
                  int64_t wall)
{
    int err = size ? 0 : ERR_TRUNCATED;
    while (size && !err) {
        size_t one = sample_part_size(data, size);
        if (!one || one > size)
            return ERR_TRUNCATED;
        err = message_take(v, id, data, one, now, wall);
        data += one;
        size -= one;
    }
    return err;
}
