#include "decide/scratch.h"

#include <stdlib.h>
#include <string.h>

#define reserve(array, count, capacity) \
    ((array) = store_reserve((array), 0, (count), &(capacity), sizeof *(array)))

void scratch_begin(struct scratch *s, const struct layout *l)
{
    size_t most = l->endpoints_max + 1u;
    reserve(s->members, most, s->member_capacity);
    reserve(s->list, most, s->list_capacity);
    reserve(s->targets, most, s->target_capacity);
    reserve(s->branches, most, s->branch_capacity);
    reserve(s->removals, most, s->removal_capacity);
    reserve(s->good_marks, l->target_count + 1u, s->good_capacity);
    memset(s->good_marks, 0, l->target_count * sizeof *s->good_marks);
    s->good_mark = 0;
    memset(s->near_known, 0, sizeof s->near_known);
}

void scratch_done(struct scratch *s)
{
    free(s->members);
    free(s->list);
    free(s->targets);
    free(s->branches);
    free(s->removals);
    free(s->key_members);
    free(s->key_groups);
    free(s->region_choice);
    free(s->latency_choice);
    free(s->rows);
    free(s->good_marks);
    for (unsigned i = 0; i < NEAR_SOURCES; i++)
        free(s->near[i]);
    *s = (struct scratch){0};
}

void scratch_keys(struct scratch *s, const struct face *f)
{
    const struct layout *l = f->step->layout;
    uint32_t first = l->endpoint_first[f->service], end = l->endpoint_first[f->service + 1];
    size_t most = (size_t)(l->key_first[end] - l->key_first[first]) + (end - first);
    reserve(s->key_members, most, s->key_member_capacity);
    reserve(s->key_groups, most, s->key_group_capacity);
}

void scratch_latency(struct scratch *s, const struct layout *l)
{
    reserve(s->region_choice, l->region_count, s->region_capacity);
    reserve(s->latency_choice, l->config->latency_count, s->latency_capacity);
    for (uint32_t i = 0; i < l->region_count; i++)
        s->region_choice[i] = PLAN_NONE;
    for (uint32_t i = 0; i < l->config->latency_count; i++)
        s->latency_choice[i] = LATENCY_UNKNOWN;
}

uint32_t *scratch_rows(struct scratch *s, uint32_t count)
{
    reserve(s->rows, count, s->row_capacity);
    return s->rows;
}

uint64_t *scratch_near(struct scratch *s, enum near_source source, uint32_t count, bool *ret_known)
{
    *ret_known = s->near_known[source];
    s->near_known[source] = true;
    if (!*ret_known)
        reserve(s->near[source], count, s->near_capacity[source]);
    return s->near[source];
}
