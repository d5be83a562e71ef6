/* The state of a zone's keys as a JSON text:
 *
 *   {"format": 1, "ttl_max": 3600, "ttl_lower": 1767225600, "ttl_since": 300,
 *    "keys_ttl": 600, "keys_lower": 0, "keys_since": 0, "roll": ["csk"], "unsign": false,
 *    "keys": [{"tag": 20326, "algorithm": 13, "use": "csk", "stage": "active", "ds": "seen",
 *              "made": 1767225600, "published": ..., "activated": ..., "retired": 0, "ds_since":
 * ...}]}
 *
 * The four behind ttl_lower may be missing: they came later. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/dnssec_state.h"
#include <jansson.h>
#include <string.h>

enum { FORMAT = 1 };

static json_t *record_json(const struct key_record *k)
{
    return json_pack("{s:i,s:i,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I}", "tag", (int)k->tag, "algorithm",
                     (int)k->algorithm, "use", key_use_name((enum key_use)k->use), "stage",
                     key_stage_name((enum key_stage)k->stage), "ds",
                     ds_stage_name((enum ds_stage)k->ds), "made", (json_int_t)k->made, "published",
                     (json_int_t)k->published, "activated", (json_int_t)k->activated, "retired",
                     (json_int_t)k->retired, "ds_since", (json_int_t)k->ds_since);
}

char *key_state_encode(const struct key_state *s)
{
    json_t *keys = json_array(), *roll = json_array();
    int err = 0;
    for (unsigned i = 0; i < s->count; i++)
        err |= json_array_append_new(keys, record_json(&s->keys[i]));
    for (unsigned use = 0; use < KEY_USES; use++)
        if (s->roll & 1u << use)
            err |= json_array_append_new(roll, json_string(key_use_name((enum key_use)use)));
    json_t *root = json_pack(
        "{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:b,s:o}", "format", FORMAT, "ttl_max",
        (json_int_t)s->ttl.longest, "ttl_lower", (json_int_t)s->ttl.lower, "ttl_since",
        (json_int_t)s->ttl.since, "keys_ttl", (json_int_t)s->keys_ttl.longest, "keys_lower",
        (json_int_t)s->keys_ttl.lower, "keys_since", (json_int_t)s->keys_ttl.since, "roll", roll,
        "unsign", (int)s->unsign, "keys", keys);
    char *text = err || !root ? NULL : json_dumps(root, JSON_INDENT(2));
    invariant(text != NULL); /* nothing but a lack of memory */
    json_decref(root);
    return text;
}

static bool number_get(const json_t *object, const char *name, int64_t max, int64_t *ret)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return false;
    *ret = json_integer_value(value);
    return true;
}

static const char *use_name(unsigned i)
{
    return key_use_name((enum key_use)i);
}

static const char *stage_name(unsigned i)
{
    return key_stage_name((enum key_stage)i);
}

static const char *ds_name(unsigned i)
{
    return ds_stage_name((enum ds_stage)i);
}

/* The index of the word under a key, or -1. */
static int word_find(const char *word, const char *(*name)(unsigned), unsigned count)
{
    for (unsigned i = 0; word && i < count; i++)
        if (!strcmp(word, name(i)))
            return (int)i;
    return -1;
}

static const char *record_decode(const json_t *value, struct key_record *ret)
{
    const char *use = json_string_value(json_object_get(value, "use"));
    const char *stage = json_string_value(json_object_get(value, "stage"));
    const char *ds = json_string_value(json_object_get(value, "ds"));
    int use_index = word_find(use, use_name, KEY_USES);
    int stage_index = word_find(stage, stage_name, KEY_STAGES);
    int ds_index = word_find(ds, ds_name, DS_STAGES);
    int64_t tag, algorithm;
    struct key_record k = {0};
    if (use_index < 0 || stage_index < 0 || ds_index < 0)
        return "a key's use, stage or ds is not one of the words known";
    if (!number_get(value, "tag", UINT16_MAX, &tag) ||
        !number_get(value, "algorithm", UINT8_MAX, &algorithm))
        return "a key has no tag or no algorithm";
    enum { WHEN_MAX_BITS = 40 };
    const int64_t latest = INT64_C(1) << WHEN_MAX_BITS;
    if (!number_get(value, "made", latest, &k.made) ||
        !number_get(value, "published", latest, &k.published) ||
        !number_get(value, "activated", latest, &k.activated) ||
        !number_get(value, "retired", latest, &k.retired) ||
        !number_get(value, "ds_since", latest, &k.ds_since))
        return "a key lacks one of its times";
    k.tag = (uint16_t)tag;
    k.algorithm = (uint8_t)algorithm;
    k.use = (uint8_t)use_index;
    k.stage = (uint8_t)stage_index;
    k.ds = (uint8_t)ds_index;
    *ret = k;
    return NULL;
}

/* What key_state_step() relies on. */
static const char *state_check(const struct key_state *s)
{
    unsigned zone = 0, sep = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct key_record *k = &s->keys[i];
        zone += key_signs_zone(k);
        sep += key_is_sep(k) && k->stage == KEY_ACTIVE;
        for (unsigned j = 0; j < i; j++)
            if (s->keys[j].tag == k->tag)
                return "two keys have one tag";
    }
    return zone > 1 || sep > 1 ? "two keys of one use are active" : NULL;
}

static const char *keys_decode(const json_t *root, struct key_state *s)
{
    const json_t *keys = json_object_get(root, "keys"), *roll = json_object_get(root, "roll");
    size_t count = json_array_size(keys);
    if (!json_is_array(keys) || count > KEY_RECORDS_MAX)
        return "it has no list of at most 8 keys";
    for (size_t i = 0; i < count; i++) {
        const char *why = record_decode(json_array_get(keys, i), &s->keys[i]);
        if (why)
            return why;
        s->count++;
    }
    for (size_t i = 0; i < json_array_size(roll); i++) {
        const char *word = json_string_value(json_array_get(roll, i));
        int use = word_find(word, use_name, KEY_USES);
        if (use < 0)
            return "roll names something that is not a use of keys";
        s->roll |= (uint8_t)(1u << use);
    }
    return state_check(s);
}

static bool ttl_decode(const json_t *root, const char *longest, const char *lower,
                       const char *since, struct ttl_memory *ret)
{
    return number_get(root, longest, UINT32_MAX, &ret->longest) &&
           number_get(root, lower, INT64_C(1) << 40, &ret->lower) &&
           (!json_object_get(root, since) || number_get(root, since, UINT32_MAX, &ret->since));
}

int key_state_decode(const char *data, size_t length, struct key_state *ret, const char **ret_why)
{
    struct key_state s = {0};
    json_t *root = json_loadb(data, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *format = json_object_get(root, "format");
    const char *why = NULL;
    int err = ERR_INVALID;
    if (!json_is_object(root)) {
        why = "it is not a JSON object";
        err = ERR_SYNTAX;
    } else if (!json_is_integer(format) || json_integer_value(format) != FORMAT) {
        why = "it is of a format that this program does not read";
        err = ERR_VERSION;
    } else if (!ttl_decode(root, "ttl_max", "ttl_lower", "ttl_since", &s.ttl)) {
        why = "it lacks ttl_max or ttl_lower";
    } else if (json_object_get(root, "keys_ttl") &&
               !ttl_decode(root, "keys_ttl", "keys_lower", "keys_since", &s.keys_ttl)) {
        why = "keys_ttl or keys_lower is wrong";
    } else {
        s.unsign = json_is_true(json_object_get(root, "unsign"));
        why = keys_decode(root, &s);
    }
    json_decref(root);
    if (!why) {
        *ret = s;
        return 0;
    }
    *ret_why = why;
    return err;
}
