/* The memory of one plan that decide makes: growing arrays, kept from step to step. What a
 * configuration and the operator's orders settle is written once and stays; the rest is written in
 * every step. */
#pragma once

#include "decide/decide.h"
#include "decide/layout.h"

struct store {
    /* What the settled part was made from. */
    const struct config *config;
    uint64_t fingerprint, intent_version;
    uint32_t epoch;
    int64_t settled_ms, settled_until_ms; /* wall clock: shifts end by it */

    struct plan_service *services;
    struct plan_endpoint *endpoints;
    struct plan_target *targets;
    uint32_t *fallback; /* of each service: text offset of the fallback name in wire form */
    size_t service_capacity, endpoint_capacity, target_capacity, fallback_capacity;

    struct plan_view *views; /* none unless the input gives something to see */
    uint32_t view_count;
    size_t view_capacity;
    struct plan_vantage vantages[PLAN_VANTAGES_MAX];
    uint32_t vantage_count;
    struct plan_cause causes[PLAN_CAUSES_MAX];
    uint32_t cause_count;
    struct plan_detour detours[PLAN_DETOURS_MAX];
    uint32_t detour_count;

    struct plan_choice *choices;
    uint8_t *heights; /* of each choice: choices from it to the addresses, itself included */
    struct plan_branch *branches;
    struct plan_address *addresses;
    uint32_t *goods;
    struct plan_file *files;
    size_t choice_count, branch_count, address_count, good_count, file_count;
    size_t choice_capacity, height_capacity, branch_capacity, address_capacity, good_capacity,
        file_capacity;

    char *text;
    size_t text_length, text_capacity, text_settled;
    uint32_t node, site, network;
};

/* Empties the arrays of the step and sees to it that the settled part is that of the input. */
void store_begin(struct store *st, const struct layout *layout, const struct decide_input *input);
void store_done(struct store *st);
/* A view of it all; generation, times and origin are left for the caller. */
struct plan store_plan(const struct store *st, const struct layout *layout);

/* A text of this step alone. */
uint32_t store_text(struct store *st, const char *string);
/* The array with room for `more` elements after `count`; what is new is not zeroed. */
void *store_reserve(void *array, size_t count, size_t more, size_t *capacity, size_t size);
