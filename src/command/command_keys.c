/* Keys of signed zones that nodes share (model/shared_keys.h), and what they are sealed with. The
 * nodes' own proposals: no request of a client becomes one, so that nobody is let in to read keys
 * but by a node that has them.
 *
 *   {"op": "keys", "do": "seal", "value": {"members": [...]}, "change": 7}
 *   {"op": "keys", "do": "step", "zone": "example.com", "policy": {...}, "ttl": 3600,
 *    "resign": false, "pairs": [...]}
 *   {"op": "keys", "do": "roll", "zone": "example.com", "policy": {...}, "key": "zsk"}
 *
 * and ds-seen, ds-gone, unsign as roll, without "key". "change": what the seal's newest change has
 * to be. What is due, and since when it is so, goes by the time of the change alone. */
#include "base/err.h"
#include "base/memory.h"
#include "command/command_parts.h"
#include "model/shared_keys.h"
#include <stdlib.h>
#include <string.h>

static int wants(struct text *why)
{
    text_append(why, "keys wants \"do\", \"zone\" and \"policy\", or the seal's \"value\"");
    return ERR_INVALID;
}

static int edit_carry_out(const struct intent *old, const struct intent_request *words,
                          enum intent_kind kind, const char *name, const char *value,
                          struct intent *ret, struct text *why)
{
    struct intent_request r = *words;
    const struct intent_edit edit = {kind, name, value};
    r.edits = &edit;
    r.edit_count = 1;
    int err = intent_apply(old, &r, ret, why);
    if (!err && ret->version == old->version)
        text_append(why, "nothing was to be changed");
    return err;
}

/* ---- the seal ---- */

static int seal_apply(const struct intent *old, const json_t *p, const struct intent_request *words,
                      struct intent *ret, struct text *why)
{
    const json_t *value = json_object_get(p, "value"), *change = json_object_get(p, "change");
    struct intent_request r = *words;
    if (!json_is_object(value) || !json_is_integer(change) || json_integer_value(change) < 0)
        return wants(why);
    const struct intent_expected expected = {INTENT_SEAL, "seal",
                                             (uint64_t)json_integer_value(change)};
    r.expects = &expected;
    r.expect_count = 1;
    char *text = json_dumps(value, JSON_COMPACT);
    int err = edit_carry_out(old, &r, INTENT_SEAL, "seal", text, ret, why);
    free(text);
    return err;
}

/* ---- steps ---- */

/* The pairs that the proposal brings, in the order in which they are needed. */
struct brought {
    const json_t *pairs;
    size_t next;
};

static int pair_take(void *context, const struct key_need *need, struct shared_pair *ret)
{
    struct brought *b = context;
    (void)need; /* shared_keys_step() compares */
    return shared_pair_read(json_array_get(b->pairs, b->next++), ret) ? 0 : ERR_CONFLICT;
}

static int step(struct shared_keys *k, const json_t *p, const struct shared_step *how, int64_t now,
                bool *ret_gone, struct text *why)
{
    struct brought brought = {json_object_get(p, "pairs"), 0};
    struct shared_step s = *how;
    const json_t *ttl = json_object_get(p, "ttl");
    s.make = pair_take;
    s.context = &brought;
    s.resign = json_is_true(json_object_get(p, "resign"));
    s.ttl_max = json_integer_value(ttl);
    if (!json_is_integer(ttl) || s.ttl_max < 0 || s.ttl_max > INTENT_TTL_MAX)
        return wants(why);
    int err = shared_keys_step(k, &s, now, ret_gone);
    if (!err && brought.next != json_array_size(brought.pairs))
        err = ERR_CONFLICT;
    if (err)
        text_append(why, "other keys are needed than those that are brought");
    return err;
}

/* What an operator says. */
static int order(struct shared_keys *k, const json_t *p, const char *what,
                 const struct shared_step *how, int64_t now, struct text *why)
{
    enum key_use use;
    if (!strcmp(what, "roll"))
        return key_use_parse(json_string_value(json_object_get(p, "key")), &use)
                   ? key_state_roll(&k->state, &how->policy, use, why)
                   : wants(why);
    if (!strcmp(what, "ds-seen"))
        return key_state_ds_seen(&k->state, &how->policy, now, why);
    if (!strcmp(what, "ds-gone"))
        return key_state_ds_gone(&k->state, &how->policy, now, why);
    if (strcmp(what, "unsign"))
        return wants(why);
    return key_state_unsign(&k->state, now, why);
}

static int keys_begin(const struct intent *old, const char *zone, bool step,
                      struct shared_keys *ret, struct text *why)
{
    const struct intent_object *o = intent_find(old, INTENT_KEYS, zone);
    const char *wrong = NULL;
    *ret = (struct shared_keys){0};
    if (!o && (!step || !intent_find(old, INTENT_ZONE, zone))) {
        text_appendf(why, "%s has no keys that nodes share", zone);
        return ERR_MISSING;
    }
    if (!o || !shared_keys_decode(o->value, ret, &wrong))
        return 0;
    text_appendf(why, "the keys of %s cannot be read: it %s", zone, wrong);
    return ERR_INVALID;
}

static int zone_apply(const struct intent *old, const json_t *p, const char *what,
                      const struct intent_request *words, struct intent *ret, struct text *why)
{
    const char *zone = json_string_value(json_object_get(p, "zone"));
    int64_t now = intent_wall(old, words->wall_ms) / 1000;
    bool is_step = what && !strcmp(what, "step"), gone = false;
    struct shared_step how = {.on = false};
    struct shared_keys k;
    if (!zone || !what || !shared_policy_read(json_object_get(p, "policy"), &how.policy, &how.on))
        return wants(why);
    int err = keys_begin(old, zone, is_step, &k, why);
    if (!err)
        err = is_step ? step(&k, p, &how, now, &gone, why) : order(&k, p, what, &how, now, why);
    if (!err && (gone || k.state.count)) {
        char *value = gone ? NULL : shared_keys_encode(&k);
        if (why->length)
            text_append(why, "; ");
        err = edit_carry_out(old, words, INTENT_KEYS, zone, value, ret, why);
        free(value);
    } else if (!err) {
        *ret = intent_share(old);
        text_append(why, "nothing was to be changed");
    }
    shared_keys_done(&k);
    return err;
}

int command_keys_apply(const struct intent *old, const json_t *proposal,
                       const struct intent_request *words, struct intent *ret, struct text *why)
{
    const char *what = json_string_value(json_object_get(proposal, "do"));
    if (what && !strcmp(what, "seal"))
        return seal_apply(old, proposal, words, ret, why);
    return zone_apply(old, proposal, what, words, ret, why);
}

bool command_keys_own(enum intent_kind kind, struct text *why)
{
    bool own = kind == INTENT_SEAL || kind == INTENT_KEYS;
    if (own)
        text_append(why, "keys of zones and their seal are the nodes' own to change, and only go "
                         "on from where they are; see holdfast dnssec");
    return own;
}

bool command_keys_among(const struct intent_edit *edits, unsigned count, struct text *why)
{
    for (unsigned i = 0; i < count; i++)
        if (command_keys_own(edits[i].kind, why))
            return true;
    return false;
}

void command_keys_hide(json_t *value)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(value, "pairs"), i, one)
        json_object_set_new(one, "sealed", json_string("(sealed)"));
    json_array_foreach(json_object_get(value, "members"), i, one) if (json_object_get(one, "wrap"))
        json_object_set_new(one, "wrap", json_string("(sealed)"));
}
