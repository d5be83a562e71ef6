#include "decide/near.h"

#include "decide/quorum.h"
#include "decide/scratch.h"
#include <string.h>

enum { NEAR_TIMES = 2 /* as far as the nearest region: still near */ };

/* The networks of these vantages. */
static uint64_t networks_of(const struct step *step, uint64_t vantages)
{
    const struct quorum *q = step->quorum;
    uint64_t set = 0;
    for (uint32_t n = 0; n < q->network_count; n++)
        set |= (uint64_t)((q->networks[n] & vantages) != 0) << n;
    return set;
}

/* Those who are named so, by their network, their site or themselves. */
static uint64_t vantages_named(const struct step *step, const char *name)
{
    const struct store *next = step->next;
    uint64_t set = 0;
    for (uint32_t i = 0; i < next->vantage_count; i++) {
        const struct plan_vantage *v = &next->vantages[i];
        bool named = strcmp(next->text + v->network, name) == 0 ||
                     strcmp(next->text + v->site, name) == 0 ||
                     strcmp(next->text + v->node, name) == 0;
        set |= (uint64_t)named << i;
    }
    return set;
}

/* ---- rows ---- */

static uint64_t row_by_collections(const struct step *step, const uint32_t *keys, uint32_t count)
{
    const struct config *c = step->layout->config;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t set =
            keys[k] < c->collection_count ? vantages_named(step, c->collections[keys[k]].name) : 0;
        if (set)
            return networks_of(step, set);
    }
    return 0;
}

static uint64_t row_by_latency(const struct step *step, const uint32_t *keys, uint32_t count)
{
    const struct layout *l = step->layout;
    uint64_t nearest = 0;
    usec_t least = USEC_NEVER, least_seen = USEC_NEVER;
    if (!count || keys[0] >= l->config->latency_count)
        return 0;
    for (uint32_t i = keys[0]; i != PLAN_NONE; i = l->latency_next[i]) {
        usec_t latency = l->config->latencies[i].latency;
        uint64_t inside = step->quorum->inside[l->latency_region[i]];
        if (latency < least)
            least = latency;
        if (inside && latency < least_seen) {
            least_seen = latency;
            nearest = inside;
        }
    }
    return nearest && least_seen <= NEAR_TIMES * least ? networks_of(step, nearest) : 0;
}

static uint64_t row_by_site(const struct step *step, const uint32_t *keys, uint32_t count)
{
    const struct config *c = step->layout->config;
    const struct store *next = step->next;
    uint64_t set = 0;
    for (uint32_t i = 0; i < next->vantage_count && count && keys[0] < c->site_count; i++)
        set |= (uint64_t)(strcmp(next->text + next->vantages[i].site, c->sites[keys[0]].name) == 0)
               << i;
    return networks_of(step, set);
}

static struct near_map source_map(const struct step *step, enum near_source source)
{
    const struct decide_files *f = step->input->files;
    if (!f)
        return (struct near_map){0};
    switch (source) {
    case NEAR_SITES:
        return (struct near_map){f->sites == CONFIG_NONE ? NULL : f->sites_map, (uint32_t)f->sites,
                                 NULL};
    case NEAR_LATENCY:
        return (struct near_map){f->latency == CONFIG_NONE ? NULL : f->latency_map,
                                 (uint32_t)f->latency, NULL};
    case NEAR_COLLECTIONS:
        return (struct near_map){f->collections == CONFIG_NONE ? NULL : f->collections_map,
                                 (uint32_t)f->collections, NULL};
    }
    return (struct near_map){0};
}

static uint64_t row_networks(const struct step *step, enum near_source source, const uint32_t *keys,
                             uint32_t count)
{
    switch (source) {
    case NEAR_SITES:
        return row_by_site(step, keys, count);
    case NEAR_LATENCY:
        return row_by_latency(step, keys, count);
    case NEAR_COLLECTIONS:
        return row_by_collections(step, keys, count);
    }
    return 0;
}

struct near_map near_map(const struct step *step, enum near_source source)
{
    struct near_map m = source_map(step, source);
    if (!m.map)
        return m;
    bool known;
    uint64_t *rows = scratch_near(step->scratch, source, m.map->row_count, &known);
    for (uint32_t i = 0; i < m.map->row_count && !known; i++) {
        uint32_t count;
        const uint32_t *keys = netmap_keys(m.map, i, &count);
        rows[i] = row_networks(step, source, keys, count);
    }
    m.networks = rows;
    return m;
}
