/* The cluster's authority: who has its key, who signs with it, and how another takes its place
 * (doc/internals/mesh.md).
 *
 * Invariants: every voter comes to have the newest authority's key, no learner keeps one; an
 * authority leaves the intent only when no node that is not expelled shows a certificate by it. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "prog/control_intent.h"
#include "prog/control_mesh.h"
#include "replica/certificate_io.h"
#include "seam/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char certificate_begins[] = "-----BEGIN CERTIFICATE";
static const char key_begins[] = "-----BEGIN PRIVATE KEY";

const struct intent_object *control_authority_newest(const struct control *c)
{
    uint32_t count;
    struct intent_object *const *list = intent_list(&c->intent, INTENT_AUTHORITY, &count);
    const struct intent_object *newest = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (!newest || list[i]->version > newest->version)
            newest = list[i];
    return newest;
}

/* Its key's hash, as its name; false: no certificate begins there. */
static bool authority_name(const char *text, char ret[static NODE_KEY_TEXT])
{
    uint8_t hash[NODE_KEY_SIZE];
    struct x509_st *certificate = certificate_read(text);
    if (!certificate)
        return false;
    certificate_hash(certificate, hash);
    certificate_free(certificate);
    node_key_format(hash, ret);
    return true;
}

bool control_authority_find(const struct control *c, const char *name, const char **ret_certificate,
                            const char **ret_key)
{
    char found[NODE_KEY_TEXT];
    const char *at = c->mesh->identity.authority;
    for (; at && (at = strstr(at, certificate_begins)); at++) {
        const char *key = strstr(at, key_begins);
        if (!key || !authority_name(at, found) || strcmp(found, name))
            continue;
        *ret_certificate = at;
        *ret_key = key;
        return true;
    }
    return false;
}

char *control_authority_sign(const struct control *c, const char *request, const char *name,
                             uint64_t id)
{
    const struct intent_object *newest = control_authority_newest(c);
    const struct certificate_subject subject = {name, c->mesh->identity.cluster, id};
    const char *certificate_at, *key_at;
    struct x509_st *made;
    if (!newest || !control_authority_find(c, newest->name, &certificate_at, &key_at))
        return NULL;
    struct x509_st *authority = certificate_read(certificate_at);
    struct evp_pkey_st *key = certificate_key_read(key_at);
    char *text = NULL;
    if (key && !certificate_sign(request, key, authority, &subject, clock_wall() / USEC_PER_SEC,
                                 CERTIFICATE_NODE_DAYS, &made)) {
        text = certificate_text(made);
        certificate_free(made);
    }
    certificate_key_free(key);
    certificate_free(authority);
    return text;
}

/* ---- what this node keeps ---- */

/* Takes the text over: pairs, the newest first; NULL: none. */
static int authority_keep(struct control *c, char *text)
{
    struct node_identity *i = &c->mesh->identity;
    int err = node_identity_replace(c->options->data, "authority.pem", text ? text : "");
    if (err)
        log_event(LOG_ERROR, "authority.keep", {"reason", LOG_S(err_text(err))});
    if (i->authority)
        explicit_bzero(i->authority, strlen(i->authority));
    free(i->authority);
    i->authority = text;
    return err;
}

/* One pair more; those that the intent does not list any more go. */
static int authority_add(struct control *c, const char *pair)
{
    struct text all = text_init(CERTIFICATE_TEXT_MAX - 1);
    const char *certificate, *key, *newest_end;
    uint32_t count;
    struct intent_object *const *list = intent_list(&c->intent, INTENT_AUTHORITY, &count);
    text_append(&all, pair);
    for (uint32_t i = 0; i < count; i++) {
        if (!control_authority_find(c, list[i]->name, &certificate, &key))
            continue;
        newest_end = strstr(key, certificate_begins);
        text_append_bytes(&all, certificate,
                          newest_end ? (size_t)(newest_end - certificate) : strlen(certificate));
    }
    char *copy = mem_string(text_string(&all));
    if (all.data)
        explicit_bzero(all.data, all.length);
    text_done(&all);
    return authority_keep(c, copy);
}

/* ---- another one ---- */

static void replaced(void *context, int err, const char *message)
{
    control_reply(context, err,
                  err ? message
                      : "there is another authority now; every node takes a certificate by it, and "
                        "the old one goes when all have: see holdfast nodes");
}

void control_authority_replace(struct control *c, const char *author, struct command_reply_to *to)
{
    const struct intent_object *own = control_mesh_own(c);
    char name[NODE_KEY_TEXT];
    if (c->loaded->config->mesh.certificate) {
        control_reply(to, ERR_INVALID,
                      "the authority is yours: replace the file that mesh.ca names");
        return;
    }
    if (!own || own->node->role != NODE_VOTER) {
        control_reply(to, ERR_INVALID, "only voters keep the authority's key: say this on a voter");
        return;
    }
    struct evp_pkey_st *key = certificate_key_new();
    struct x509_st *authority =
        certificate_authority_new(key, c->mesh->identity.cluster, clock_wall() / USEC_PER_SEC);
    char *key_text = certificate_key_text(key), *text = certificate_text(authority);
    char *pair = node_pair_text(text, key_text);
    int err = authority_name(text, name) ? authority_add(c, pair) : ERR_INVALID;
    json_t *request = json_pack("{s:s,s:[{s:s,s:s,s:{s:s}}]}", "op", "change", "edits", "kind",
                                "authority", "name", name, "value", "certificate", text);
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (err) /* a key that is not on the disk must not be the cluster's */
        control_reply(to, err, "the key of the authority could not be written to DATA/mesh");
    else
        control_intent_submit(c, line, strlen(line), author, replaced, to);
    explicit_bzero(key_text, strlen(key_text));
    explicit_bzero(pair, strlen(pair));
    free(line);
    free(key_text);
    free(text);
    free(pair);
    certificate_free(authority);
    certificate_key_free(key);
}

/* ---- the beat ---- */

/* The voter with the lowest number that is in sight speaks for all. */
static bool speaks(const struct control *c)
{
    for (unsigned i = 0; i < mesh_count(c->mesh->mesh); i++) {
        struct mesh_peer_view p = mesh_peer(c->mesh->mesh, i);
        const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, p.member->name);
        if (p.link && o && o->node->role == NODE_VOTER && o->node->id < c->mesh->identity.id)
            return false;
    }
    return true;
}

/* Does every node show a certificate by the newest? */
static bool all_moved(const struct control *c, const char *newest)
{
    uint8_t hash[NODE_KEY_SIZE];
    uint32_t count;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &count);
    if (node_key_parse(newest, hash))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct node *n = nodes[i]->node;
        if (n->role != NODE_EXPELLED &&
            (n->has_next_key || !n->has_authority || memcmp(n->authority, hash, sizeof hash)))
            return false;
    }
    return true;
}

static void old_drop(struct control *c, const char *newest, usec_t now)
{
    uint32_t count;
    struct intent_object *const *list = intent_list(&c->intent, INTENT_AUTHORITY, &count);
    if (count < 2 || c->mesh->asked || now < c->mesh->ask_due || !all_moved(c, newest) ||
        !speaks(c))
        return;
    json_t *edits = json_array();
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, newest))
            json_array_append_new(edits, json_pack("{s:s,s:s,s:n}", "kind", "authority", "name",
                                                   list[i]->name, "value"));
    control_mesh_change(c, edits, "every node has moved to the newer authority");
}

/* One voter after the other is asked for the key. */
static void key_ask(struct control *c, const char *newest)
{
    unsigned count = mesh_count(c->mesh->mesh);
    for (unsigned i = 0; i < count; i++) {
        struct mesh_peer_view p = mesh_peer(c->mesh->mesh, c->mesh->renewal.turn++ % count);
        const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, p.member->name);
        if (!p.link || !o || o->node->role != NODE_VOTER)
            continue;
        control_mesh_say(c, p.member->id,
                         json_pack("{s:s,s:s}", "op", "authority", "name", newest));
        return;
    }
}

void control_authority_beat(struct control *c, usec_t now)
{
    const struct intent_object *own = control_mesh_own(c), *newest = control_authority_newest(c);
    const char *certificate, *key;
    if (!own || !newest || now < c->mesh->authority_due)
        return;
    c->mesh->authority_due = now + MESH_ASK_MS * USEC_PER_MSEC;
    char *mine = c->mesh->identity.authority;
    if (own->node->role != NODE_VOTER) {
        if (mine && *mine)
            authority_keep(c, NULL);
    } else if (!control_authority_find(c, newest->name, &certificate, &key)) {
        key_ask(c, newest->name);
    } else {
        old_drop(c, newest->name, now);
    }
}

/* ---- among voters ---- */

static const struct intent_object *node_by_id(const struct control *c, uint64_t id)
{
    uint32_t count;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i]->node->id == id)
            return nodes[i];
    return NULL;
}

static void key_give(struct control *c, uint64_t id, const char *name)
{
    const struct intent_object *to = node_by_id(c, id);
    const char *certificate, *key;
    if (!to || to->node->role != NODE_VOTER || !name ||
        !control_authority_find(c, name, &certificate, &key))
        return;
    const char *end = strstr(key, certificate_begins);
    int length = end ? (int)(end - certificate) : (int)strlen(certificate);
    log_event(LOG_WARN, "authority.given", {"node", LOG_S(to->name)});
    control_mesh_say(
        c, id, json_pack("{s:s,s:s%}", "op", "authority-is", "pair", certificate, (size_t)length));
}

static void key_take(struct control *c, const char *pair)
{
    const struct intent_object *own = control_mesh_own(c), *newest = control_authority_newest(c);
    char name[NODE_KEY_TEXT];
    uint8_t hash[NODE_KEY_SIZE];
    const char *certificate, *key_at;
    struct evp_pkey_st *key = pair ? certificate_key_read(pair) : NULL;
    if (key && own && own->node->role == NODE_VOTER && newest && authority_name(pair, name) &&
        !strcmp(name, newest->name) && !control_authority_find(c, name, &certificate, &key_at)) {
        char key_name[NODE_KEY_TEXT];
        certificate_key_hash(key, hash);
        if (!strcmp(node_key_format(hash, key_name), name))
            (void)authority_add(c, pair);
    }
    certificate_key_free(key);
}

void control_authority_take(struct control *c, uint64_t id, const json_t *message)
{
    const char *op = json_string_value(json_object_get(message, "op"));
    if (op && !strcmp(op, "authority"))
        key_give(c, id, json_string_value(json_object_get(message, "name")));
    else if (op && !strcmp(op, "authority-is"))
        key_take(c, json_string_value(json_object_get(message, "pair")));
}
