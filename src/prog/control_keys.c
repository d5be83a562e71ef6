#include "prog/control_keys.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "model/seal_io.h"
#include "prog/control_intent.h"
#include "prog/control_mesh.h"
#include "prog/control_replica.h"
#include "prog/shared_pairs.h"
#include "replica/replica.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 500,
    LEADER_MS = 1000,
    RETRY_MS = 5000,
    UNLOCK_MS = 60000,
    OVERDUE_MS = 10000,
    WHY_MAX = 1 << 12
};

/* One a process, like struct control itself. */
static struct {
    usec_t due;
    bool asked;     /* a proposal is under way */
    bool told;      /* that this node cannot open the keys */
    usec_t overdue; /* what is due should be done by the leader until then; 0: nothing is */
    usec_t unlock;  /* locked zones are loaded again not before */
} keys;

/* ---- asking ---- */

static void on_answer(void *context, int err, const char *message)
{
    (void)context;
    keys.asked = false;
    /* somebody else was faster, or something is not so any more: the next look shows */
    usec_t pause = !err || err == ERR_CONFLICT ? LOOK_MS : err == ERR_QUORUM ? LEADER_MS : RETRY_MS;
    keys.due = clock_now() + pause * USEC_PER_MSEC;
    if (err && err != ERR_CONFLICT && err != ERR_QUORUM)
        log_event(LOG_WARN, "keys.refused", {"reason", LOG_S(message)});
}

/* `request` is stolen. */
static void ask(struct control *c, json_t *request, const char *token, const char *reason)
{
    char author[16 + SEAL_NODE_MAX];
    snprintf(author, sizeof author, "node %.63s", c->loaded->config->node_name);
    json_object_set_new(request, "op", json_string("keys"));
    json_object_set_new(request, "author", json_string(author));
    json_object_set_new(request, "token", json_string(token));
    json_object_set_new(request, "reason", json_string(reason));
    char *line = json_dumps(request, JSON_COMPACT);
    invariant(line != NULL);
    json_decref(request);
    keys.asked = true;
    control_intent_propose(c, line, author, on_answer, NULL);
    free(line);
}

static void token_draw(char token[static INTENT_TOKEN_MAX + 1])
{
    snprintf(token, INTENT_TOKEN_MAX + 1, "keys-%016" PRIx64 "%016" PRIx64, entropy_u64(),
             entropy_u64());
}

static const char *value_of(const struct control *c, enum intent_kind kind, const char *name)
{
    const struct intent_object *o = intent_find(&c->intent, kind, name);
    return o ? o->value : NULL;
}

/* ---- the seal ---- */

static const char *own_name(const struct control *c)
{
    return c->mesh ? c->mesh->identity.name : c->loaded->config->node_name;
}

/* Is it a node, or this one, which is alone? */
static bool belongs(const struct control *c, const char *name)
{
    uint32_t count;
    const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, name);
    intent_list(&c->intent, INTENT_NODE, &count);
    return o ? o->node->role != NODE_EXPELLED : !count && !strcmp(name, own_name(c));
}

/* Members that are no nodes any more go, and so does what this node was before, once that is not
 * needed: its key may come back from a backup. */
static void seal_sweep(const struct control *c, struct seal *s, const uint8_t *public)
{
    const struct seal_member *own = seal_find(s, public);
    bool settled = own && own->has_wrap;
    unsigned kept = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct seal_member *m = &s->members[i];
        bool is_own = !memcmp(m->key, public, SEAL_KEY_SIZE);
        bool was_own = !is_own && !strcmp(m->node, own_name(c));
        if (is_own || (belongs(c, m->node) && !(was_own && settled)))
            s->members[kept++] = *m;
    }
    s->count = kept;
}

/* Is it only by a key of this node, which is gone, that the secret can be had? */
static bool seal_is_lost(const struct control *c, const struct seal *s)
{
    bool wrapped = false, others = false;
    for (unsigned i = 0; i < s->count; i++) {
        wrapped |= s->members[i].has_wrap;
        others |= s->members[i].has_wrap && belongs(c, s->members[i].node) &&
                  strcmp(s->members[i].node, own_name(c)) != 0;
    }
    return wrapped && !others;
}

static void seal_join(const struct control *c, struct seal *s, const uint8_t *public)
{
    struct seal_member *m = seal_find(s, public);
    if (!m && s->count < SEAL_MEMBERS_MAX) {
        m = &s->members[s->count++];
        *m = (struct seal_member){.has_wrap = false};
        memcpy(m->key, public, SEAL_KEY_SIZE);
    }
    if (m)
        snprintf(m->node, sizeof m->node, "%.63s", own_name(c));
}

static bool seal_is_new(const struct control *c, const struct seal *s)
{
    uint32_t count;
    intent_list(&c->intent, INTENT_KEYS, &count);
    for (unsigned i = 0; i < s->count; i++)
        if (s->members[i].has_wrap)
            return false;
    return !count; /* keys that nobody can open any more are not made worse by another secret */
}

static void seal_wrap_all(struct seal *s, const uint8_t secret[static SEAL_KEY_SIZE])
{
    for (unsigned i = 0; i < s->count; i++) {
        struct seal_member *m = &s->members[i];
        uint8_t once[SEAL_KEY_SIZE];
        if (m->has_wrap)
            continue;
        seal_draw(once);
        m->has_wrap = !seal_wrap(m->key, once, secret, m->wrap);
        explicit_bzero(once, sizeof once);
    }
}

static int private_get(const struct control *c, const struct seal *s,
                       uint8_t ret[static SEAL_KEY_SIZE])
{
    struct text why = text_init(WHY_MAX);
    int err = seal_key_load(c->options->data, ret, &why);
    if (err == -ENOENT && !seal_is_lost(c, s))
        err = seal_key_make(c->options->data, ret);
    if (err && !keys.told)
        log_event(LOG_ERROR, "keys.seal", {"reason", LOG_S(text_string(&why))},
                  {"consequence", LOG_S("this node cannot open the keys of zones that nodes "
                                        "share; it serves what it served")},
                  {"remedy", LOG_S("restore the file from a backup")});
    keys.told = err != 0;
    text_done(&why);
    return err;
}

/* True: the seal is as it has to be for now, and *ret is the secret. */
static bool seal_settle(struct control *c, uint8_t ret[static SEAL_KEY_SIZE])
{
    uint8_t private[SEAL_KEY_SIZE], public[SEAL_KEY_SIZE];
    struct text why = text_init(WHY_MAX);
    const char *value = value_of(c, INTENT_SEAL, "seal"), *wrong;
    struct seal s = {.count = 0};
    char token[INTENT_TOKEN_MAX + 1];
    if ((value && seal_decode(value, &s, &wrong)) || private_get(c, &s, private)) {
        text_done(&why);
        return false;
    }
    seal_public(private, public);
    explicit_bzero(private, sizeof private);
    bool open = !seal_secret(c->options->data, value, ret, &why);
    seal_sweep(c, &s, public);
    seal_join(c, &s, public);
    if (!open && seal_is_new(c, &s)) {
        seal_draw(ret);
        seal_wrap_all(&s, ret);
    } else if (open) {
        seal_wrap_all(&s, ret);
    }
    char *next = seal_encode(&s);
    bool settled = value && !strcmp(next, value);
    if (!settled) {
        uint64_t newest = intent_change_newest(&c->intent, INTENT_SEAL, "seal");
        token_draw(token);
        ask(c,
            json_pack("{s:s,s:o,s:I}", "do", "seal", "value", json_loads(next, 0, NULL), "change",
                      (json_int_t)newest),
            token, "nodes that may open keys");
    }
    free(next);
    text_done(&why);
    return open && settled;
}

/* ---- steps ---- */

/* A pair for each key that is needed; they go with the proposal. */
struct making_pairs {
    const uint8_t *secret; /* NULL: it is only asked whether something is needed */
    const char *zone;
    json_t *pairs;
};

static int pair_make(void *context, const struct key_need *need, struct shared_pair *ret)
{
    struct making_pairs *m = context;
    if (!m->secret)
        return ERR_MISSING;
    int err = shared_pair_new(m->secret, m->zone, need, ret);
    if (!err)
        json_array_append_new(m->pairs, shared_pair_json(ret));
    return err;
}

bool control_keys_decide(const struct control *c, uint32_t zone)
{
    const struct loaded_keys *k = &c->loaded->zones[zone].keys;
    return k->ring && !k->kept && dnssec_keyring_is_shared(k->ring);
}

static struct shared_step step_of(const struct control *c, uint32_t zone)
{
    const struct config_zone *z = &c->loaded->config->zones[zone];
    const struct loaded_keys *k = &c->loaded->zones[zone].keys;
    bool own = control_keys_decide(c, zone);
    return (struct shared_step){.policy = key_policy_of(&z->dnssec),
                                .on = z->dnssec.on,
                                .resign = own && k->renew_at <= clock_wall() / USEC_PER_SEC,
                                .ttl_max = own ? k->ttl_max : 0,
                                .make = pair_make};
}

/* Is something due? `pairs` has the keys that it needs, where there is a secret. */
static bool step_is_due(const struct control *c, const struct config_zone *z, struct shared_step *s,
                        struct making_pairs *m)
{
    const char *value = value_of(c, INTENT_KEYS, z->name), *wrong;
    struct shared_keys was = {0}, next = {0};
    bool gone = false, due = false;
    s->context = m;
    if ((value && shared_keys_decode(value, &was, &wrong)) ||
        (value && shared_keys_decode(value, &next, &wrong)) || (!value && !s->on)) {
        shared_keys_done(&was);
        return false;
    }
    int err = shared_keys_step(&next, s, clock_wall() / USEC_PER_SEC, &gone);
    due = gone || s->resign || err == ERR_MISSING ||
          (!err && (!value || !shared_keys_same(&was, &next)));
    shared_keys_done(&was);
    shared_keys_done(&next);
    return due;
}

/* The others leave it to the leader, for a while. */
static bool is_turn(const struct control *c)
{
    struct replica_view v;
    usec_t now = clock_now();
    if (!control_replica_look(c, &v) || v.state == REPLICA_LEADS)
        return true;
    if (!keys.overdue)
        keys.overdue = now + OVERDUE_MS * USEC_PER_MSEC;
    return now >= keys.overdue;
}

static void step_ask(struct control *c, const struct config_zone *z, const struct shared_step *s,
                     json_t *pairs)
{
    char token[INTENT_TOKEN_MAX + 1];
    uint64_t newest = intent_change_newest(&c->intent, INTENT_KEYS, z->name);
    enum { SLOT_S = 20 }; /* what was refused may be right later */
    snprintf(token, sizeof token, "keys-%016" PRIx64 "-%" PRIu64 "-%" PRId64,
             hash64(z->name, strlen(z->name)), newest,
             (int64_t)(clock_wall() / USEC_PER_SEC / SLOT_S));
    ask(c,
        json_pack("{s:s,s:s,s:o,s:I,s:b,s:O}", "do", "step", "zone", z->name, "policy",
                  shared_policy_json(&s->policy, s->on), "ttl", (json_int_t)s->ttl_max, "resign",
                  (int)s->resign, "pairs", pairs),
        token, s->resign ? "signatures are made anew" : "keys of a signed zone");
}

/* True: something is under way. */
static bool zone_step(struct control *c, uint32_t zone, const uint8_t *secret, bool *ret_due)
{
    const struct config_zone *z = &c->loaded->config->zones[zone];
    struct shared_step s = step_of(c, zone);
    struct making_pairs m = {NULL, z->name, json_array()};
    bool due = step_is_due(c, z, &s, &m);
    *ret_due |= due;
    if (due && is_turn(c)) {
        m.secret = secret;
        if (step_is_due(c, z, &s, &m))
            step_ask(c, z, &s, m.pairs);
    }
    json_decref(m.pairs);
    return keys.asked;
}

/* ---- on the beat ---- */

static bool is_wanted(const struct control *c)
{
    const struct config *config = c->loaded->config;
    uint32_t count;
    intent_list(&c->intent, INTENT_KEYS, &count);
    for (uint32_t i = 0; i < config->zone_count && !count; i++)
        count += config_zone_is_shared(&config->zones[i]) && config->zones[i].dnssec.on;
    return count;
}

/* Has this node all that it can know of? */
static bool is_abreast(const struct control *c)
{
    struct replica_view v;
    return !control_replica_look(c, &v) || (v.leader && v.applied >= v.agreed);
}

/* Zones whose keys could not be opened when they were loaded, or that wait since a start. */
static void unlock(struct control *c, usec_t now)
{
    const struct config *config = c->loaded->config;
    bool locked = false;
    for (uint32_t i = 0; i < config->zone_count; i++)
        locked |= config_zone_is_shared(&config->zones[i]) && !control_keys_decide(c, i) &&
                  value_of(c, INTENT_KEYS, config->zones[i].name);
    if (!locked || now < keys.unlock || !is_abreast(c))
        return;
    keys.unlock = now + UNLOCK_MS * USEC_PER_MSEC;
    control_reload(c, (struct reload_order){0}, NULL);
}

void control_keys_beat(struct control *c, usec_t now)
{
    uint8_t secret[SEAL_KEY_SIZE];
    bool due = false;
    if (keys.asked || now < keys.due || c->overrides || c->reload.running || c->remake.running)
        return;
    keys.due = now + LOOK_MS * USEC_PER_MSEC;
    if (!is_wanted(c) || !seal_settle(c, secret))
        return;
    unlock(c, now);
    for (uint32_t i = 0; i < c->loaded->config->zone_count; i++)
        if (config_zone_is_shared(&c->loaded->config->zones[i]) && zone_step(c, i, secret, &due))
            break;
    if (!due)
        keys.overdue = 0;
    explicit_bzero(secret, sizeof secret);
}

/* ---- orders ---- */

static void status(struct control *c, const struct config_zone *zone, struct command_reply_to *to)
{
    struct text out = text_init(COMMAND_REPLY_MAX / 2);
    const char *value = value_of(c, INTENT_KEYS, zone->name), *wrong = "";
    struct shared_keys k;
    int err = value ? shared_keys_decode(value, &k, &wrong) : ERR_MISSING;
    if (err) {
        text_appendf(&out, "%s has no keys%s", zone->name,
                     zone->dnssec.on ? " yet" : "; say dnssec: on in its entry");
    } else {
        shared_keys_describe(&k, zone, &out);
        shared_keys_done(&k);
    }
    control_reply(to, err, text_string(&out));
    text_done(&out);
}

static void on_ordered(void *context, int err, const char *message)
{
    control_reply(context, err, message);
    keys.due = clock_now();
}

void control_keys_order(struct control *c, const struct config_zone *zone,
                        const struct command_result *wish, const char *author,
                        struct command_reply_to *to)
{
    static const char *const words[] = {[DNSSEC_ROLL] = "roll",
                                        [DNSSEC_DS_SEEN] = "ds-seen",
                                        [DNSSEC_DS_GONE] = "ds-gone",
                                        [DNSSEC_UNSIGN] = "unsign"};
    struct key_policy policy = key_policy_of(&zone->dnssec);
    char token[INTENT_TOKEN_MAX + 1];
    if (wish->dnssec == DNSSEC_STATUS) {
        status(c, zone, to);
        return;
    }
    if (wish->dnssec == DNSSEC_UNSIGN && zone->dnssec.on) {
        control_reply(to, ERR_CONFLICT,
                      "its entry says that the zone is to be signed; share it with dnssec: off "
                      "first (it stays signed until no cache wants signatures)");
        return;
    }
    token_draw(token);
    json_t *request =
        json_pack("{s:s,s:s,s:s,s:o,s:s,s:s,s:s}", "op", "keys", "do", words[wish->dnssec], "zone",
                  zone->name, "policy", shared_policy_json(&policy, zone->dnssec.on), "key",
                  key_use_name(wish->key), "author", author, "token", token);
    char *line = json_dumps(request, JSON_COMPACT);
    invariant(line != NULL);
    json_decref(request);
    control_intent_propose(c, line, author, on_ordered, to);
    free(line);
}
