/* Types of values that say how a service is steered: ttl, velocity, when_all_down. */
#include "base/err.h"
#include "model/config_table.h"
#include <string.h>

static const usec_t ttl_limit = 7 * USEC_PER_DAY;

static bool ttl_seconds(struct reading *r, const struct tree *node, const struct key *key,
                        uint32_t *ret)
{
    usec_t us;
    if (!reading_duration(r, node, key, 0, ttl_limit, &us))
        return false;
    if (us % USEC_PER_SEC)
        return reading_refuse(r, node, key,
                              "whole seconds: 1s, 30s, 5m (a DNS TTL counts in them)");
    *ret = (uint32_t)(us / USEC_PER_SEC);
    return true;
}

static bool ttl_value_read(struct reading *r, const struct tree *node, const struct key *key,
                           void *slot)
{
    return ttl_seconds(r, node, key, slot);
}

static void ttl_value_schema(const struct key *key, struct text *out)
{
    type_duration.schema(key, out);
}

static const struct type type_ttl_bound = {"whole seconds such as 5s", ttl_value_read,
                                           ttl_value_schema};

static const struct key ttl_keys[] = {
    {.name = "max",
     .type = &type_ttl_bound,
     .offset = offsetof(struct draft_ttl, max),
     .required = true,
     .help = "the TTL while nothing is about to change"},
    {.name = "min",
     .type = &type_ttl_bound,
     .offset = offsetof(struct draft_ttl, min),
     .help = "the TTL while the answer may change soon; default half of max, rounded up"},
};

const struct shape shape_ttl = {.name = "ttl",
                                .what = "ttl",
                                .keys = ttl_keys,
                                .key_count = array_length(ttl_keys),
                                .help = "The bounds of the computed TTL."};

static bool ttl_read(struct reading *r, const struct tree *node, const struct key *key, void *slot)
{
    struct draft_ttl *ttl = slot, d = {0};
    if (node->kind != TREE_MAPPING) {
        if (!ttl_seconds(r, node, key, &d.max))
            return false;
    } else if (!shape_read(r, node, &shape_ttl, &d)) {
        return false;
    }
    const struct tree *min = tree_get(node, "min");
    if (!min)
        d.min = (d.max + 1) / 2;
    if (d.min > d.max) {
        problem_add(r->problems, min->place,
                    "the smallest ttl, %us, is above the largest, %us; make min at most %us", d.min,
                    d.max, d.max);
        return false;
    }
    *ttl = d;
    return true;
}

static void ttl_schema(const struct key *key, struct text *out)
{
    text_append(out, "\"anyOf\":[{");
    type_duration.schema(key, out);
    text_append(out, "},{\"$ref\":\"#/$defs/ttl\"}]");
}

const struct type type_ttl = {"whole seconds such as 5s, or {min: 2s, max: 10s}", ttl_read,
                              ttl_schema};

static const struct key velocity_keys[] = {
    {.name = "remove",
     .type = &type_percent,
     .offset = offsetof(struct draft_velocity, remove),
     .standard = "50%",
     .help = "most of the service's capacity that checks may take out of the answers within the "
             "window"},
    {.name = "window",
     .type = &type_duration,
     .offset = offsetof(struct draft_velocity, window),
     .min = USEC_PER_SEC,
     .max = USEC_PER_DAY,
     .standard = "60s",
     .help = "how long a removal counts"},
};

const struct shape shape_velocity = {.name = "velocity",
                                     .what = "velocity",
                                     .keys = velocity_keys,
                                     .key_count = array_length(velocity_keys),
                                     .help = "How fast health checks may remove capacity; beyond "
                                             "it they hold and raise the alarm. Operators' "
                                             "orders are not bounded."};

/* "off" is also what some editors write as false. */
static bool is_off(const struct tree *node)
{
    return node->kind == TREE_SCALAR &&
           (strcmp(node->text, "off") == 0 || (!node->quoted && strcmp(node->text, "false") == 0));
}

static bool velocity_read(struct reading *r, const struct tree *node, const struct key *key,
                          void *slot)
{
    struct draft_velocity d = {.remove = 100};
    if (node->kind != TREE_MAPPING && !is_off(node))
        return reading_refuse(r, node, key, type_velocity.wanted);
    if (node->kind == TREE_MAPPING && !shape_read(r, node, &shape_velocity, &d))
        return false;
    *(struct draft_velocity *)slot = d;
    return true;
}

static void velocity_schema(const struct key *key, struct text *out)
{
    (void)key;
    text_append(out, "\"anyOf\":[{\"enum\":[\"off\",false]},{\"$ref\":\"#/$defs/velocity\"}]");
}

const struct type type_velocity = {"{remove: 50%, window: 60s}, or off", velocity_read,
                                   velocity_schema};

static const struct key fallback_keys[] = {
    {.name = "fallback",
     .type = &type_name,
     .offset = offsetof(struct draft_all_down, fallback),
     .required = true,
     .help = "the name that is answered as a CNAME"},
};

const struct shape shape_fallback = {
    .name = "fallback",
    .what = "when_all_down",
    .keys = fallback_keys,
    .key_count = array_length(fallback_keys),
    .help = "Answer a CNAME to another name while every endpoint looks dead."};

static const struct choice all_down_choices[] = {{"preferred", ALL_DOWN_PREFERRED},
                                                 {"last_good", ALL_DOWN_LAST_GOOD},
                                                 {"nodata", ALL_DOWN_NODATA},
                                                 {NULL, 0}};

static bool all_down_read(struct reading *r, const struct tree *node, const struct key *key,
                          void *slot)
{
    struct draft_all_down d = {.mode = ALL_DOWN_FALLBACK};
    struct key plain = {.name = key->name, .detail = all_down_choices};
    bool good = false;
    if (node->kind == TREE_MAPPING)
        good = shape_read(r, node, &shape_fallback, &d);
    else if (node->kind == TREE_LIST || strcmp(node->text, "fallback") == 0)
        reading_refuse(r, node, key, type_all_down.wanted);
    else
        good = type_choice.read(r, node, &plain, &d.mode);
    if (!good)
        return false;
    *(struct draft_all_down *)slot = d;
    return true;
}

static void all_down_schema(const struct key *key, struct text *out)
{
    struct key plain = {.name = key->name, .detail = all_down_choices};
    text_append(out, "\"anyOf\":[{");
    type_choice.schema(&plain, out);
    text_append(out, "},{\"$ref\":\"#/$defs/fallback\"}]");
}

const struct type type_all_down = {"preferred, last_good, nodata or {fallback: name}",
                                   all_down_read, all_down_schema};
