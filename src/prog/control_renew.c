/* This node's certificate is renewed well before its end, when the authority changed, when an
 * operator says so, and when the operator's own files changed:
 *
 *   IDLE --due--> SIGN --signed--> LIST --both keys stand in the membership--> SPREAD --a moment-->
 *   taken into use, links made anew beside the old ones --> IDLE, where the old key is taken out
 *
 * Whatever is cut off in between is gone on with from what the membership and the files say. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "prog/control_mesh.h"
#include "replica/certificate_io.h"
#include "seam/clock.h"
#include <stdlib.h>
#include <string.h>

static void renewal_end(struct renewal *r)
{
    if (r->key)
        explicit_bzero(r->key, strlen(r->key));
    if (r->pair)
        explicit_bzero(r->pair, strlen(r->pair));
    free(r->key);
    free(r->pair);
    r->key = r->pair = NULL;
    r->stage = RENEW_IDLE;
    r->wanted = false;
}

static bool key_is(const uint8_t *a, const uint8_t *b)
{
    return !memcmp(a, b, NODE_KEY_SIZE);
}

/* ---- the membership follows ---- */

/* This node as it should stand there; next: NULL = one key alone. */
static void node_submit(struct control *c, const struct intent_object *own, const uint8_t *next)
{
    const struct control_mesh *m = c->mesh;
    const struct config *config = c->loaded->config;
    char key[NODE_KEY_TEXT], next_text[NODE_KEY_TEXT], authority[NODE_KEY_TEXT];
    json_t *value = json_loads(own->value, 0, NULL), *edits = json_array();
    control_mesh_describe(c, value);
    json_object_set_new(value, "key", json_string(node_key_format(m->credentials.key, key)));
    if (next)
        json_object_set_new(value, "next_key", json_string(node_key_format(next, next_text)));
    else
        json_object_del(value, "next_key");
    if (!config->mesh.certificate)
        json_object_set_new(value, "authority",
                            json_string(node_key_format(m->credentials.authority, authority)));
    json_array_append_new(
        edits, json_pack("{s:s,s:s,s:o}", "kind", "node", "name", own->name, "value", value));
    control_mesh_change(c, edits, next ? "its next certificate" : "what it says of itself");
}

/* Does it say what is? Else what is, is said: after a renewal, and after one that broke off. */
static void node_settle(struct control *c, const struct intent_object *own, usec_t now)
{
    const struct node *n = own->node;
    const struct control_mesh *m = c->mesh;
    const struct config *config = c->loaded->config;
    bool by = config->mesh.certificate ||
              (n->has_authority && key_is(n->authority, m->credentials.authority));
    bool known = key_is(n->key, m->credentials.key) ||
                 (n->has_next_key && key_is(n->next_key, m->credentials.key));
    char url[CONFIG_API_URL_MAX + 1];
    const char *api = config_api_address(config, url);
    bool fits = ip_equal(&n->ip, &config->mesh.address.ip) &&
                n->port == config->mesh.address.port && !strcmp(n->site, config->site) &&
                !strcmp(n->network, config->network) && !strcmp(n->api, api ? api : "");
    if (!known || (key_is(n->key, m->credentials.key) && !n->has_next_key && by && fits))
        return;
    /* A link that was not made anew yet would be cut with its key. */
    if (n->has_next_key && mesh_counts(m->mesh).stale && now < m->renewal.settle_by)
        return;
    node_submit(c, own, NULL);
}

/* ---- beginning ---- */

/* Two thirds of its time are over, or it is by an authority that goes. */
static bool renewal_due(const struct control *c)
{
    const struct mesh_credentials *own = &c->mesh->credentials;
    const struct intent_object *newest = control_authority_newest(c);
    uint8_t hash[NODE_KEY_SIZE];
    int64_t now = clock_wall() / USEC_PER_SEC;
    if (c->mesh->renewal.wanted || now > own->begin + (own->end - own->begin) / 3 * 2)
        return true;
    return newest && !node_key_parse(newest->name, hash) && !key_is(hash, own->authority);
}

static void key_make(struct control *c)
{
    struct renewal *r = &c->mesh->renewal;
    struct evp_pkey_st *key = certificate_key_new();
    r->key = certificate_key_text(key);
    certificate_key_hash(key, r->hash);
    certificate_key_free(key);
    r->stage = RENEW_SIGN;
    r->due = 0;
    r->begun = clock_now();
}

/* There is much time left when it begins; but somebody should look when it does not go on. */
static void renewal_complain(struct renewal *r, usec_t now)
{
    static const char *const waits[] = {
        [RENEW_SIGN] = "no voter that can be seen has signed another certificate yet",
        [RENEW_LIST] = "the membership could not be changed yet: is there a majority?",
    };
    if (now - r->begun < MESH_RENEWAL_LATE_S * USEC_PER_SEC)
        return;
    r->begun = now;
    log_event(LOG_ERROR, "mesh.renewal", {"waits", LOG_S(waits[r->stage])},
              {"consequence", LOG_S("the present certificate is shown on; see holdfast nodes for "
                                    "its end")});
}

/* The operator's own files, when they have changed and then not any more. */
static void files_look(struct control *c, usec_t now)
{
    const struct config_mesh *config = &c->loaded->config->mesh;
    struct renewal *r = &c->mesh->renewal;
    struct disk_identity found[3] = {{0}, {0}, {0}};
    struct mesh_credentials next;
    struct text why = text_init(1024);
    if (now < r->look_due)
        return;
    r->look_due = now + MESH_LOOK_MS * USEC_PER_MSEC;
    bool there = !disk_identify(config->certificate, &found[0]) &&
                 !disk_identify(config->key, &found[1]) && !disk_identify(config->ca, &found[2]);
    bool first = !r->taken[0].inode;
    bool settled = there && !memcmp(found, r->seen, sizeof found);
    memcpy(r->seen, found, sizeof found);
    if (first || !settled || !memcmp(found, r->taken, sizeof found)) {
        if (first)
            memcpy(r->taken, found, sizeof found);
        text_done(&why);
        return;
    }
    memcpy(r->taken, found, sizeof found);
    int err = mesh_credentials_read(c->loaded->config, &c->mesh->identity, NULL, &next, &why);
    if (err) {
        log_event(LOG_ERROR, "mesh.certificate", {"reason", LOG_S(text_string(&why))},
                  {"consequence", LOG_S("what was shown before is shown")});
    } else {
        memcpy(r->hash, next.key, sizeof r->hash);
        secure_context_unref(next.secure);
        r->stage = key_is(next.key, c->mesh->credentials.key) ? RENEW_SPREAD : RENEW_LIST;
        r->due = 0;
        r->begun = now;
    }
    text_done(&why);
}

/* ---- the stages ---- */

static void certificate_take(struct control *c, const char *certificate)
{
    struct renewal *r = &c->mesh->renewal;
    uint8_t hash[NODE_KEY_SIZE];
    struct x509_st *made = certificate_read(certificate);
    if (!made)
        return;
    certificate_hash(made, hash);
    if (key_is(hash, r->hash)) {
        r->pair = node_pair_text(certificate, r->key);
        r->stage = RENEW_LIST;
        r->due = 0;
    }
    certificate_free(made);
}

/* By this node itself, or by one voter after the other. */
static void sign_ask(struct control *c)
{
    struct control_mesh *m = c->mesh;
    unsigned count = mesh_count(m->mesh);
    struct evp_pkey_st *key = certificate_key_read(m->renewal.key);
    char *request = certificate_request_new(key);
    certificate_key_free(key);
    char *certificate = control_authority_sign(c, request, m->identity.name, m->identity.id);
    for (unsigned i = 0; i < count && !certificate; i++) {
        struct mesh_peer_view p = mesh_peer(m->mesh, m->renewal.turn++ % count);
        const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, p.member->name);
        if (!p.link || !o || o->node->role != NODE_VOTER)
            continue;
        control_mesh_say(c, p.member->id, json_pack("{s:s,s:s}", "op", "sign", "request", request));
        break;
    }
    if (certificate)
        certificate_take(c, certificate);
    free(certificate);
    free(request);
}

/* Into use: on disk first. */
static void install(struct control *c, usec_t now)
{
    struct control_mesh *m = c->mesh;
    struct renewal *r = &m->renewal;
    int err = 0;
    if (r->pair) {
        err = node_identity_replace(c->options->data, "node.pem", r->pair);
        if (!err) {
            char *old = m->identity.pair;
            m->identity.pair = r->pair;
            r->pair = NULL;
            explicit_bzero(old, strlen(old));
            free(old);
        }
    }
    err =
        err ? err : control_mesh_credentials(c, m->authorities ? mem_string(m->authorities) : NULL);
    log_event(err ? LOG_ERROR : LOG_INFO, "mesh.renewed",
              {"reason", LOG_S(err ? err_text(err) : "the links are made anew with it")});
    renewal_end(r);
    r->settle_by = now + MESH_SETTLE_S * USEC_PER_SEC;
}

static void list_step(struct control *c, const struct intent_object *own, usec_t now)
{
    struct renewal *r = &c->mesh->renewal;
    if (own->node->has_next_key && key_is(own->node->next_key, r->hash)) {
        r->stage = RENEW_SPREAD;
        r->due = now + MESH_SPREAD_MS * USEC_PER_MSEC;
    } else if (!c->mesh->asked && now >= c->mesh->ask_due) {
        node_submit(c, own, r->hash);
    }
}

void control_renew_beat(struct control *c, usec_t now)
{
    struct control_mesh *m = c->mesh;
    struct renewal *r = &m->renewal;
    const struct intent_object *own = control_mesh_own(c);
    if (!own || own->node->role == NODE_EXPELLED)
        return;
    switch (r->stage) {
    case RENEW_IDLE:
        if (c->loaded->config->mesh.certificate)
            files_look(c, now);
        else if (renewal_due(c))
            key_make(c);
        if (r->stage == RENEW_IDLE && !m->asked && now >= m->ask_due)
            node_settle(c, own, now);
        break;
    case RENEW_SIGN:
        if (now < r->due)
            break;
        r->due = now + MESH_ASK_MS * USEC_PER_MSEC;
        renewal_complain(r, now);
        sign_ask(c);
        break;
    case RENEW_LIST:
        renewal_complain(r, now);
        list_step(c, own, now);
        break;
    case RENEW_SPREAD:
        if (now >= r->due)
            install(c, now);
        break;
    }
}

/* ---- what others say ---- */

static void sign_for(struct control *c, uint64_t id, const char *request)
{
    for (unsigned i = 0; request && i < mesh_count(c->mesh->mesh); i++) {
        struct mesh_peer_view p = mesh_peer(c->mesh->mesh, i);
        if (p.member->id != id)
            continue;
        char *certificate = control_authority_sign(c, request, p.member->name, id);
        if (!certificate)
            return;
        log_event(LOG_INFO, "mesh.signed", {"node", LOG_S(p.member->name)});
        control_mesh_say(c, id, json_pack("{s:s,s:s}", "op", "signed", "certificate", certificate));
        free(certificate);
        return;
    }
}

void control_renew_take(struct control *c, uint64_t id, const json_t *message)
{
    const char *op = json_string_value(json_object_get(message, "op"));
    const char *certificate = json_string_value(json_object_get(message, "certificate"));
    if (op && !strcmp(op, "sign"))
        sign_for(c, id, json_string_value(json_object_get(message, "request")));
    else if (op && !strcmp(op, "signed") && certificate && c->mesh->renewal.stage == RENEW_SIGN)
        certificate_take(c, certificate);
}
