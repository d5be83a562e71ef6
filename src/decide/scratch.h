/* Room to work on one face at a time, enough for the largest service; kept from step to step. */
#pragma once

#include "decide/face.h"
#include "decide/near.h"
#include "decide/velocity.h"

#define KEY_ANY         UINT32_MAX       /* "*": sorts after every key */
#define LATENCY_UNKNOWN (UINT32_MAX - 1) /* not looked at yet; PLAN_NONE is a result */

/* policy_keyed.c: a key that a member names, and all members of one key and tier. */
struct key_member {
    uint32_t key, member;
    uint8_t tier;
};
struct key_group {
    uint32_t key, first, count;
    uint32_t choice; /* PLAN_NONE: not made yet */
    uint8_t tier;
};

struct scratch {
    struct member *members;
    uint32_t *list, *targets;
    struct plan_branch *branches;
    struct removal *removals;
    struct key_member *key_members;
    struct key_group *key_groups;
    uint32_t *region_choice, *latency_choice, *rows;
    uint64_t *near[NEAR_SOURCES]; /* of each row (near.h) */
    size_t near_capacity[NEAR_SOURCES];
    bool near_known[NEAR_SOURCES]; /* in this step */
    uint32_t *good_marks; /* of each target: the mark of the face that was last good with it */
    uint32_t good_mark;
    size_t member_capacity, list_capacity, target_capacity, branch_capacity, removal_capacity,
        key_member_capacity, key_group_capacity, region_capacity, latency_capacity, row_capacity,
        good_capacity;
};

/* Once a step. */
void scratch_begin(struct scratch *s, const struct layout *l);
void scratch_done(struct scratch *s);
/* Room for the keys of all members of the face. */
void scratch_keys(struct scratch *s, const struct face *f);
/* Forgets the choices of regions and networks. */
void scratch_latency(struct scratch *s, const struct layout *l);
uint32_t *scratch_rows(struct scratch *s, uint32_t count);
/* Room for what a source says of its rows; *ret_known: it was asked for in this step already, and
 * what was written then is there. */
uint64_t *scratch_near(struct scratch *s, enum near_source source, uint32_t count, bool *ret_known);
