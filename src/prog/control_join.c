/* Invitations, and the node's side of a join: looks at what the guest says, sees whether it can be
 * reached, has the intent changed in one transaction that uses the invitation up, and hands out
 * certificate, membership and intent. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "prog/control_intent.h"
#include "prog/control_mesh.h"
#include "replica/certificate_io.h"
#include "replica/invite.h"
#include "replica/join_io.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 8, REACH_MS = 3000, CLOCK_MOST_MS = 60000, SENTENCE_MAX = 1024 };

/* One guest. */
struct join {
    struct control *c;
    mesh_guest guest;
    json_t *request;
    char *certificate; /* what it will be handed; NULL with certificates of the operator's */
    char invite[INVITE_NAME_SIZE], name[MESH_NAME_MAX], address[IP_PORT_TEXT_MAX];
    char key[NODE_KEY_TEXT], nonce[JOIN_NONCE_SIZE];
    enum node_role role;
    uint64_t id;
    unsigned tries;
    usec_t asked; /* since when its change is awaited here */
    /* is it reached? */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_timer_t timer;
    unsigned handles;
    bool reached;
    char heard[JOIN_NONCE_SIZE];
    size_t heard_length;
};

/* ---- the end ---- */

static void join_free(struct join *j)
{
    json_decref(j->request);
    free(j->certificate);
    free(j);
}

/* retry: another node of the cluster may do it. */
static void join_refuse(struct join *j, bool retry, const char *sentence)
{
    json_t *answer = json_pack("{s:b,s:b,s:s}", "ok", 0, "retry", (int)retry, "message", sentence);
    char *text = json_dumps(answer, JSON_COMPACT);
    log_event(LOG_WARN, "join.refused", {"name", LOG_S(j->name)}, {"reason", LOG_S(sentence)});
    if (j->c->mesh)
        mesh_guest_reply(j->c->mesh->mesh, j->guest, text, strlen(text));
    free(text);
    json_decref(answer);
    join_free(j);
}

static void join_welcome(struct join *j)
{
    struct control_mesh *m = j->c->mesh;
    char *intent = intent_encode(&j->c->intent);
    json_t *answer = json_pack("{s:b,s:I,s:o}", "ok", 1, "id", (json_int_t)j->id, "intent",
                               json_loads(intent, 0, NULL));
    invariant(answer != NULL);
    if (j->certificate) {
        json_object_set_new(answer, "certificate", json_string(j->certificate));
        json_object_set_new(answer, "authorities", json_string(m->authorities));
    }
    if (j->certificate && j->role == NODE_VOTER) /* doc/internals/mesh.md */
        json_object_set_new(answer, "authority", json_string(m->identity.authority));
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    log_event(LOG_WARN, "join.welcome", {"name", LOG_S(j->name)}, {"id", LOG_U(j->id)});
    mesh_guest_reply(m->mesh, j->guest, text, strlen(text));
    explicit_bzero(text, strlen(text));
    free(text);
    free(intent);
    join_free(j);
}

/* ---- the change ---- */

static void join_ask(struct join *j);

/* Is it a node, with this key? */
static bool is_in(const struct join *j)
{
    char key[NODE_KEY_TEXT];
    const struct intent_object *o = intent_find(&j->c->intent, INTENT_NODE, j->name);
    return o && o->node->id == j->id && !strcmp(node_key_format(o->node->key, key), j->key);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct join *j = handle->data;
    if (is_in(j))
        join_welcome(j);
    else
        join_refuse(j, false,
                    "it is not known whether the cluster took the node in: look at holdfast nodes, "
                    "and if it is there, expel it and invite it again");
}

/* The change is decided, or may be; it may still be on its way to this node. */
static void on_awaited(uv_timer_t *timer)
{
    struct join *j = timer->data;
    if (is_in(j) || clock_now() - j->asked > MESH_GUEST_MS * USEC_PER_MSEC / 2)
        uv_close((uv_handle_t *)timer, on_timer_closed);
}

static void join_answer(void *context, int err, const char *message)
{
    struct join *j = context;
    if (err == ERR_CONFLICT && strstr(message, "the number ") && ++j->tries < TRIES_MAX) {
        join_ask(j); /* another join was faster */
        return;
    }
    if (err && err != ERR_UNSURE) {
        join_refuse(j, err == ERR_QUORUM,
                    err == ERR_MISSING ? "the invitation was used already; ask for another one"
                                       : message);
        return;
    }
    j->asked = clock_now();
    uv_timer_init(&j->c->loop, &j->timer);
    j->timer.data = j;
    uv_timer_start(&j->timer, on_awaited, 0, MESH_BEAT_MS);
}

static int certificate_make(struct join *j)
{
    const char *request = json_string_value(json_object_get(j->request, "request"));
    uint8_t hash[NODE_KEY_SIZE];
    free(j->certificate);
    j->certificate = request ? control_authority_sign(j->c, request, j->name, j->id) : NULL;
    if (!j->certificate)
        return ERR_INVALID;
    struct x509_st *made = certificate_read(j->certificate);
    certificate_hash(made, hash);
    node_key_format(hash, j->key);
    certificate_free(made);
    return 0;
}

static json_t *node_value(const struct join *j)
{
    json_t *value = json_pack("{s:I,s:s,s:s,s:s,s:O,s:O}", "id", (json_int_t)j->id, "address",
                              j->address, "key", j->key, "role", node_role_name(j->role), "site",
                              json_object_get(j->request, "site"), "network",
                              json_object_get(j->request, "network"));
    if (j->certificate)
        json_object_set_new(value, "authority", json_string(control_authority_newest(j->c)->name));
    return value;
}

/* One transaction: the invitation goes and the node comes, or neither. */
static void join_ask(struct join *j)
{
    struct control *c = j->c;
    char author[32 + MESH_NAME_MAX];
    j->id = intent_node_highest(&c->intent) + 1;
    if (!c->loaded->config->mesh.certificate && certificate_make(j)) {
        join_refuse(j, false, "its request for a certificate makes no sense");
        return;
    }
    json_t *value = node_value(j);
    json_t *request =
        value ? json_pack("{s:s,s:[{s:s,s:s,s:n},{s:s,s:s,s:o}],s:s}", "op", "change", "edits",
                          "kind", "invite", "name", j->invite, "value", "kind", "node", "name",
                          j->name, "value", value, "reason", "holdfast join")
              : NULL;
    if (!request) {
        join_refuse(j, false, "what it says of itself makes no sense");
        return;
    }
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    snprintf(author, sizeof author, "invitation %s", j->invite);
    control_intent_submit(c, line, strlen(line), author, join_answer, j);
    free(line);
}

/* ---- can it be reached? ---- */

static void on_reach_closed(uv_handle_t *handle)
{
    struct join *j = handle->data;
    char sentence[SENTENCE_MAX];
    if (--j->handles)
        return;
    if (!j->c->mesh) {
        join_free(j);
    } else if (j->reached) {
        join_ask(j);
    } else {
        snprintf(
            sentence, sizeof sentence,
            "nobody answers at %s when asked from here: open this port for the other nodes, or "
            "set mesh.address to where they reach this one",
            j->address);
        join_refuse(j, false, sentence);
    }
}

static void reach_end(struct join *j)
{
    if (uv_is_closing((uv_handle_t *)&j->tcp))
        return;
    uv_close((uv_handle_t *)&j->tcp, on_reach_closed);
    uv_close((uv_handle_t *)&j->timer, on_reach_closed);
}

static void on_reach_late(uv_timer_t *timer)
{
    reach_end(timer->data);
}

static void on_reach_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct join *j = handle->data;
    (void)suggested;
    *ret =
        uv_buf_init(j->heard + j->heard_length, (unsigned)(sizeof j->heard - 1 - j->heard_length));
}

static void on_reach_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct join *j = stream->data;
    (void)buffer;
    if (count > 0)
        j->heard_length += (size_t)count;
    j->reached =
        j->heard_length == sizeof j->nonce - 1 && !memcmp(j->heard, j->nonce, sizeof j->nonce - 1);
    if (count < 0 || j->heard_length == sizeof j->nonce - 1)
        reach_end(j);
}

static void on_reach_connected(uv_connect_t *connect, int status)
{
    struct join *j = connect->data;
    if (status || uv_read_start((uv_stream_t *)&j->tcp, on_reach_room, on_reach_read))
        reach_end(j);
}

static void reach_begin(struct join *j, const struct ip *ip, uint16_t port)
{
    struct sockaddr_storage to;
    int err = uv_tcp_init(&j->c->loop, &j->tcp);
    err |= uv_timer_init(&j->c->loop, &j->timer);
    invariant(!err);
    j->handles = 2;
    j->tcp.data = j->timer.data = j->connect.data = j;
    net_sockaddr(ip, port, &to);
    uv_timer_start(&j->timer, on_reach_late, REACH_MS, 0);
    if (uv_tcp_connect(&j->connect, &j->tcp, (struct sockaddr *)&to, on_reach_connected))
        reach_end(j);
}

/* ---- what the guest says ---- */

/* Why there is no such invitation any more, from the log of changes. */
static const char *invite_gone(const struct intent *i, const char *name)
{
    for (uint32_t k = i->history_count; k-- > 0;) {
        const struct intent_change *change = i->history[k];
        bool gone = false, joined = false;
        for (uint32_t n = 0; n < change->edit_count; n++) {
            const struct intent_edited *e = &change->edits[n];
            gone |= e->kind == INTENT_INVITE && !strcmp(e->name, name) && !e->after;
            joined |= e->kind == INTENT_NODE && e->after;
        }
        if (gone)
            return joined ? "the invitation was used already; ask for another one"
                          : "the invitation has expired; ask for another one";
    }
    return "this invitation is not known here; it may be very old, or of a cluster that was made "
           "anew";
}

static bool text_take(const json_t *request, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(request, key));
    if (!text || !*text || strlen(text) >= size)
        return false;
    snprintf(ret, size, "%s", text);
    return true;
}

/* NULL: it is good so far. */
static const char *words_check(struct join *j, char sentence[static SENTENCE_MAX])
{
    const struct control_mesh *m = j->c->mesh;
    const char *cluster = json_string_value(json_object_get(j->request, "cluster"));
    int64_t wall_ms = json_integer_value(json_object_get(j->request, "wall_ms"));
    int64_t ahead = wall_ms - clock_wall() / USEC_PER_MSEC;
    bool own = j->c->loaded->config->mesh.certificate != NULL;
    if (!text_take(j->request, "name", j->name, sizeof j->name) ||
        !text_take(j->request, "invite", j->invite, sizeof j->invite) ||
        !text_take(j->request, "address", j->address, sizeof j->address) ||
        !text_take(j->request, "nonce", j->nonce, sizeof j->nonce) || !cluster)
        return "what it says of itself makes no sense";
    if (strcmp(cluster, m->identity.cluster))
        return "the invitation is for another cluster than the one that answers at its address";
    if (own != text_take(j->request, "key", j->key, sizeof j->key))
        return own ? "the nodes of this cluster have certificates of their own: set "
                     "mesh.certificate, "
                     "mesh.key and mesh.ca"
                   : "this cluster makes its certificates itself: take mesh.certificate, mesh.key "
                     "and "
                     "mesh.ca out";
    if (ahead > CLOCK_MOST_MS || ahead < -CLOCK_MOST_MS) {
        snprintf(sentence, SENTENCE_MAX,
                 "the clock of the node that joins is %" PRId64
                 " s %s of this one's; set the one that is wrong (NTP) and join again",
                 (ahead > 0 ? ahead : -ahead) / 1000, ahead > 0 ? "ahead" : "behind");
        return sentence;
    }
    return NULL;
}

/* NULL: the invitation is good and this guest has it. */
static const char *invite_check(struct join *j, const uint8_t binding[static 32],
                                const uint8_t *data, size_t size,
                                char sentence[static SENTENCE_MAX])
{
    const struct intent *i = &j->c->intent;
    const struct intent_object *invite = intent_find(i, INTENT_INVITE, j->invite);
    if (!invite)
        return invite_gone(i, j->invite);
    if (!invite_is_proved(invite->node->key, binding, data + INVITE_PROOF_SIZE,
                          size - INVITE_PROOF_SIZE, data))
        return "the proof of the invitation is wrong";
    if (invite->expires_ms <= clock_wall() / USEC_PER_MSEC)
        return "the invitation has expired; ask for another one";
    j->role = invite->node->role;
    const struct intent_object *taken = intent_find(i, INTENT_NODE, j->name);
    if (taken && taken->node->role != NODE_EXPELLED) {
        snprintf(sentence, SENTENCE_MAX,
                 "the name %s is taken by node %" PRIu64 "; choose another node.name, or have that "
                 "one expelled first",
                 j->name, taken->node->id);
        return sentence;
    }
    return NULL;
}

static bool signs(const struct control *c)
{
    const struct intent_object *newest = control_authority_newest(c);
    const char *certificate, *key;
    return newest && control_authority_find(c, newest->name, &certificate, &key);
}

void control_join(void *context, mesh_guest guest, const uint8_t binding[SECURE_HASH_SIZE],
                  const struct ip *from, const uint8_t *data, size_t size)
{
    struct control *c = context;
    struct join *j = mem_new(1, sizeof *j);
    char sentence[SENTENCE_MAX];
    struct ip ip;
    uint16_t port;
    (void)from;
    *j = (struct join){.c = c, .guest = guest};
    if (size > INVITE_PROOF_SIZE)
        j->request = json_loadb((const char *)data + INVITE_PROOF_SIZE, size - INVITE_PROOF_SIZE,
                                JSON_REJECT_DUPLICATES, NULL);
    const char *why = words_check(j, sentence);
    why = why ? why : invite_check(j, binding, data, size, sentence);
    if (why) {
        join_refuse(j, false, why);
    } else if (!c->loaded->config->mesh.certificate && !signs(c)) {
        join_refuse(j, true, "this node signs no certificates: it is a learner");
    } else if (ip_port_parse(j->address, &ip, &port)) {
        join_refuse(j, false, "its address makes no sense");
    } else {
        reach_begin(j, &ip, port);
    }
}

/* ---- invitations ---- */

struct inviting {
    struct command_reply_to *to;
    char token[INVITE_TOKEN_MAX];
};

static void invited(void *context, int err, const char *message)
{
    struct inviting *i = context;
    if (err) {
        control_reply(i->to, err, message);
    } else {
        json_t *out = json_pack("{s:b,s:s,s:s}", "ok", 1, "message", "invited", "token", i->token);
        char *reply = json_dumps(out, JSON_COMPACT);
        json_decref(out);
        command_reply(i->to, reply);
        explicit_bzero(reply, strlen(reply));
        free(reply);
    }
    explicit_bzero(i, sizeof *i);
    free(i);
}

/* Where the joining node asks: here, then other voters that are there now. */
static void addresses_fill(const struct control *c, struct invite *invite)
{
    const struct intent_object *own = control_mesh_own(c);
    if (own && (own->node->role == NODE_VOTER || c->loaded->config->mesh.certificate))
        invite->addresses[invite->address_count++] =
            (struct invite_address){own->node->ip, own->node->port};
    for (unsigned i = 0; i < mesh_count(c->mesh->mesh); i++) {
        struct mesh_peer_view p = mesh_peer(c->mesh->mesh, i);
        const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, p.member->name);
        if (p.link && o && o->node->role == NODE_VOTER &&
            invite->address_count < INVITE_ADDRESSES_MAX)
            invite->addresses[invite->address_count++] =
                (struct invite_address){p.member->ip, p.member->port};
    }
}

static json_t *invite_edits(const struct control *c, const char *name, const char *key,
                            const struct command_node *wish, int64_t wall_ms)
{
    uint32_t count;
    json_t *edits = json_array();
    struct intent_object *const *old = intent_list(&c->intent, INTENT_INVITE, &count);
    for (uint32_t i = 0; i < count && i < INTENT_EDITS_MAX / 2; i++)
        if (old[i]->expires_ms <= wall_ms)
            json_array_append_new(
                edits, json_pack("{s:s,s:s,s:n}", "kind", "invite", "name", old[i]->name, "value"));
    json_array_append_new(edits, json_pack("{s:s,s:s,s:{s:s,s:I,s:s}}", "kind", "invite", "name",
                                           name, "value", "key", key, "expires_ms",
                                           (json_int_t)(wall_ms + wish->for_ms), "role",
                                           wish->learner ? "learner" : "voter"));
    return edits;
}

void control_invite(struct control *c, const struct command_node *wish, const char *author,
                    struct command_reply_to *to)
{
    struct invite invite = {0};
    char name[INVITE_NAME_SIZE], key[NODE_KEY_TEXT];
    uint8_t public[INVITE_KEY_SIZE];
    addresses_fill(c, &invite);
    if (!invite.address_count) {
        control_reply(to, ERR_MISSING,
                      "no voter is in sight that could take the node in; try again when one is");
        return;
    }
    memcpy(invite.cluster, c->mesh->identity.cluster_bytes, sizeof invite.cluster);
    memcpy(invite.authority, c->mesh->credentials.authority, sizeof invite.authority);
    entropy_fill(invite.secret, sizeof invite.secret);
    invite_public(invite.secret, name, public);
    struct inviting *i = mem_new(1, sizeof *i);
    struct text token = text_init(INVITE_TOKEN_MAX - 1);
    invite_format(&invite, &token);
    invariant(!token.failed);
    i->to = to;
    snprintf(i->token, sizeof i->token, "%s", text_string(&token));
    json_t *request = json_pack(
        "{s:s,s:o}", "op", "change", "edits",
        invite_edits(c, name, node_key_format(public, key), wish, clock_wall() / USEC_PER_MSEC));
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    control_intent_submit(c, line, strlen(line), author, invited, i);
    free(line);
    explicit_bzero(token.data, token.length);
    text_done(&token);
    explicit_bzero(&invite, sizeof invite);
}
