#include "model/shared_keys.h"

#include "base/digits.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes as digits ---- */

static bool hex_text_good(const char *text, size_t max)
{
    size_t length = text ? strlen(text) : 0;
    if (!length || length % 2 || length > 2 * max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    return true;
}

static bool hex_take(const json_t *value, uint8_t *ret, size_t size)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == 2 * size && hex_bytes(text, size, ret);
}

static json_t *hex_json(const uint8_t *data, size_t size)
{
    struct text text = text_init(2 * size + 1);
    for (size_t i = 0; i < size; i++)
        text_appendf(&text, "%02x", data[i]);
    json_t *out = json_string(text_string(&text));
    text_done(&text);
    return out;
}

static bool number_take(const json_t *object, const char *key, int64_t max, int64_t *ret)
{
    const json_t *value = json_object_get(object, key);
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0 && *ret <= max;
}

/* ---- pairs ---- */

static void pair_done(struct shared_pair *p)
{
    free(p->dnskey);
    free(p->sealed);
    *p = (struct shared_pair){0};
}

void shared_keys_done(struct shared_keys *k)
{
    for (unsigned i = 0; i < KEY_RECORDS_MAX; i++)
        pair_done(&k->pairs[i]);
    *k = (struct shared_keys){0};
}

json_t *shared_pair_json(const struct shared_pair *p)
{
    return json_pack("{s:s,s:i,s:i,s:s,s:s}", "use", key_use_name((enum key_use)p->use),
                     "algorithm", (int)p->algorithm, "tag", (int)p->tag, "dnskey", p->dnskey,
                     "sealed", p->sealed);
}

static bool use_take(const json_t *value, uint8_t *ret)
{
    enum key_use use;
    bool known = key_use_parse(json_string_value(value), &use);
    if (known)
        *ret = (uint8_t)use;
    return known;
}

bool shared_pair_read(const json_t *value, struct shared_pair *ret)
{
    const char *dnskey = json_string_value(json_object_get(value, "dnskey"));
    const char *sealed = json_string_value(json_object_get(value, "sealed"));
    int64_t algorithm, tag;
    if (!use_take(json_object_get(value, "use"), &ret->use) ||
        !number_take(value, "algorithm", UINT8_MAX, &algorithm) ||
        !number_take(value, "tag", UINT16_MAX, &tag) || !hex_text_good(dnskey, SHARED_DNSKEY_MAX) ||
        !hex_text_good(sealed, SHARED_SEALED_MAX))
        return false;
    ret->algorithm = (uint8_t)algorithm;
    ret->tag = (uint16_t)tag;
    ret->dnskey = mem_string(dnskey);
    ret->sealed = mem_string(sealed);
    return true;
}

/* ---- the object ---- */

static bool pair_fits(const struct shared_pair *p, const struct key_record *k)
{
    return p->tag == k->tag && p->algorithm == k->algorithm && p->use == k->use;
}

static const char *keys_take(const json_t *root, struct shared_keys *k)
{
    const json_t *pairs = json_object_get(root, "pairs");
    const char *why = "has no state of keys";
    char *state = json_dumps(json_object_get(root, "state"), JSON_COMPACT);
    int err = state ? key_state_decode(state, strlen(state), &k->state, &why) : ERR_SYNTAX;
    free(state);
    if (err)
        return why;
    if (!number_take(root, "epoch", INT64_MAX / 2, &k->epoch))
        return "wants an \"epoch\", seconds since 1970";
    if (!k->state.count || json_array_size(pairs) != k->state.count)
        return "wants as many \"pairs\" as its state has keys";
    for (unsigned i = 0; i < k->state.count; i++)
        if (!shared_pair_read(json_array_get(pairs, i), &k->pairs[i]) ||
            !pair_fits(&k->pairs[i], &k->state.keys[i]))
            return "has a pair that is none of its state's keys";
    return NULL;
}

int shared_keys_decode(const char *value, struct shared_keys *ret, const char **ret_why)
{
    struct shared_keys k = {0};
    json_t *root = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    const char *why = keys_take(root, &k);
    json_decref(root);
    if (!why) {
        *ret = k;
        return 0;
    }
    shared_keys_done(&k);
    *ret_why = why;
    return ERR_INVALID;
}

char *shared_keys_encode(const struct shared_keys *k)
{
    char *state = key_state_encode(&k->state);
    json_t *pairs = json_array();
    for (unsigned i = 0; i < k->state.count; i++)
        json_array_append_new(pairs, shared_pair_json(&k->pairs[i]));
    json_t *root = json_pack("{s:I,s:o,s:o}", "epoch", (json_int_t)k->epoch, "state",
                             json_loads(state, 0, NULL), "pairs", pairs);
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    invariant(text != NULL);
    json_decref(root);
    free(state);
    return text;
}

bool shared_keys_same(const struct shared_keys *a, const struct shared_keys *b)
{
    char *x = shared_keys_encode(a), *y = shared_keys_encode(b);
    bool same = !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/* ---- steps ---- */

static int pair_add(struct shared_keys *k, const struct shared_step *s, struct key_need need,
                    int64_t now)
{
    struct shared_pair pair = {0};
    int err = s->make(s->context, &need, &pair);
    if (err)
        return err;
    err = pair.use == need.use && pair.algorithm == need.algorithm
              ? key_state_add(&k->state, need, pair.tag, now)
              : ERR_INVALID;
    if (err)
        pair_done(&pair);
    else
        k->pairs[k->state.count - 1] = pair;
    return err;
}

/* The pairs of the keys that are left, in their order. */
static void pairs_follow(struct shared_keys *k)
{
    struct shared_pair kept[KEY_RECORDS_MAX] = {{0}};
    for (unsigned i = 0; i < k->state.count; i++)
        for (unsigned j = 0; j < KEY_RECORDS_MAX; j++)
            if (k->pairs[j].sealed && pair_fits(&k->pairs[j], &k->state.keys[i])) {
                kept[i] = k->pairs[j];
                k->pairs[j] = (struct shared_pair){0};
                break;
            }
    for (unsigned j = 0; j < KEY_RECORDS_MAX; j++)
        pair_done(&k->pairs[j]);
    memcpy(k->pairs, kept, sizeof kept);
    for (unsigned i = 0; i < k->state.count; i++)
        invariant(k->pairs[i].sealed != NULL);
}

int shared_keys_step(struct shared_keys *k, const struct shared_step *s, int64_t now,
                     bool *ret_gone)
{
    struct key_need need;
    bool begins = !k->state.count;
    *ret_gone = !s->on && !begins && now >= key_state_unsign_time(&k->state, &s->policy);
    if (*ret_gone || (begins && !s->on))
        return 0;
    if (s->on)
        key_state_unsign_cancel(&k->state, true, now);
    for (bool more = true; more;) {
        struct key_record removed[KEY_RECORDS_MAX];
        unsigned count;
        while (key_state_needs(&k->state, &s->policy, now, &need)) {
            int err = pair_add(k, s, need, now);
            if (err)
                return err;
        }
        (void)key_state_step(&k->state, &s->policy, now, removed, &count);
        pairs_follow(k);
        more = key_state_needs(&k->state, &s->policy, now, &need);
    }
    if (s->ttl_max)
        key_state_served(&k->state, &s->policy, s->ttl_max, now);
    if (s->resign || begins)
        k->epoch = now;
    return 0;
}

/* ---- policies ---- */

json_t *shared_policy_json(const struct key_policy *p, bool on)
{
    return json_pack("{s:b,s:b,s:i,s:I,s:I,s:I,s:I}", "on", (int)on, "split", (int)p->split,
                     "algorithm", (int)p->algorithm, "dnskey_ttl", (json_int_t)p->dnskey_ttl,
                     "ds_ttl", (json_int_t)p->ds_ttl, "propagation", (json_int_t)p->propagation,
                     "zsk_lifetime", (json_int_t)p->zsk_lifetime);
}

bool shared_policy_read(const json_t *value, struct key_policy *ret, bool *ret_on)
{
    enum { TIME_MAX = INT32_MAX };
    int64_t algorithm;
    *ret = (struct key_policy){0};
    if (!json_is_boolean(json_object_get(value, "on")) ||
        !json_is_boolean(json_object_get(value, "split")) ||
        !number_take(value, "algorithm", UINT8_MAX, &algorithm) ||
        !number_take(value, "dnskey_ttl", TIME_MAX, &ret->dnskey_ttl) ||
        !number_take(value, "ds_ttl", TIME_MAX, &ret->ds_ttl) ||
        !number_take(value, "propagation", TIME_MAX, &ret->propagation) ||
        !number_take(value, "zsk_lifetime", TIME_MAX, &ret->zsk_lifetime))
        return false;
    *ret_on = json_is_true(json_object_get(value, "on"));
    ret->split = json_is_true(json_object_get(value, "split"));
    ret->algorithm = (uint8_t)algorithm;
    return true;
}

/* ---- the seal ---- */

static bool member_take(const json_t *value, struct seal_member *m)
{
    const char *node = json_string_value(json_object_get(value, "node"));
    const json_t *wrap = json_object_get(value, "wrap");
    m->has_wrap = wrap != NULL;
    if (!node || !*node || strlen(node) >= sizeof m->node ||
        !hex_take(json_object_get(value, "key"), m->key, sizeof m->key) ||
        (wrap && !hex_take(wrap, m->wrap, sizeof m->wrap)))
        return false;
    memcpy(m->node, node, strlen(node) + 1);
    return true;
}

int seal_decode(const char *value, struct seal *ret, const char **ret_why)
{
    struct seal s = {.count = 0};
    json_t *root = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    const json_t *members = json_object_get(root, "members");
    size_t count = json_array_size(members);
    bool good = json_is_array(members) && count <= SEAL_MEMBERS_MAX;
    for (size_t i = 0; good && i < count; i++) {
        good = member_take(json_array_get(members, i), &s.members[i]) &&
               !seal_find(&s, s.members[i].key);
        s.count++;
    }
    json_decref(root);
    if (good)
        *ret = s;
    else
        *ret_why = "wants \"members\", each with a \"node\" and a \"key\", and perhaps a \"wrap\"";
    return good ? 0 : ERR_INVALID;
}

char *seal_encode(const struct seal *s)
{
    json_t *members = json_array();
    for (unsigned i = 0; i < s->count; i++) {
        const struct seal_member *m = &s->members[i];
        json_t *value =
            json_pack("{s:s,s:o}", "node", m->node, "key", hex_json(m->key, sizeof m->key));
        if (m->has_wrap)
            json_object_set_new(value, "wrap", hex_json(m->wrap, sizeof m->wrap));
        json_array_append_new(members, value);
    }
    json_t *root = json_pack("{s:o}", "members", members);
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    invariant(text != NULL);
    json_decref(root);
    return text;
}

struct seal_member *seal_find(struct seal *s, const uint8_t key[static SEAL_KEY_SIZE])
{
    for (unsigned i = 0; i < s->count; i++)
        if (!memcmp(s->members[i].key, key, SEAL_KEY_SIZE))
            return &s->members[i];
    return NULL;
}
