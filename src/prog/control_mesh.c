#include "prog/control_mesh.h"

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "prog/control_intent.h"
#include "prog/control_replica.h"
#include "prog/control_vantage.h"
#include "replica/certificate_io.h"
#include "seam/clock.h"
#include "seam/entropy.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AUTHORITIES_MAX = 16 * AUTHORITY_TEXT_MAX, WHY_MAX = 1024, LINE_MAX_BYTES = 32 << 10 };

/* ---- what the links say ---- */

void control_mesh_say(struct control *c, uint64_t id, json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    int err = mesh_send(c->mesh->mesh, id, MESH_IDENTITY, text, strlen(text));
    if (err)
        log_event(LOG_DEBUG, "mesh.say", {"node", LOG_U(id)}, {"reason", LOG_S(err_text(err))});
    explicit_bzero(text, strlen(text));
    free(text);
}

static void identity_take(struct control *c, uint64_t id, const uint8_t *data, size_t size)
{
    json_t *message = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    control_renew_take(c, id, message);
    control_authority_take(c, id, message);
    json_decref(message);
}

static void on_take(void *context, uint64_t id, enum mesh_channel channel, const uint8_t *data,
                    size_t size)
{
    struct control *c = context;
    struct bytes bytes = {data, size};
    if (channel == MESH_SAMPLES)
        control_vantage_take(c, id, data, size);
    else if (channel == MESH_IDENTITY)
        identity_take(c, id, data, size);
    else if (channel == MESH_RAFT || channel == MESH_REQUESTS)
        control_replica_take(c, id, channel == MESH_RAFT ? REPLICA_RAFT : REPLICA_REQUESTS, bytes);
    else
        log_event(LOG_DEBUG, "mesh.message", {"node", LOG_U(id)}, {"channel", LOG_U(channel)});
}

static void on_linked(void *context, uint64_t id, bool up)
{
    log_event(LOG_DEBUG, "mesh.linked", {"node", LOG_U(id)}, {"up", LOG_B(up)});
    control_replica_linked(context, id, up);
}

/* ---- who belongs to the cluster ---- */

const struct intent_object *control_mesh_own(const struct control *c)
{
    if (!c->mesh)
        return NULL;
    const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, c->mesh->identity.name);
    return o && o->node->id == c->mesh->identity.id ? o : NULL;
}

bool control_mesh_expelled(const struct control *c)
{
    const struct intent_object *own = control_mesh_own(c);
    return own && own->node->role == NODE_EXPELLED;
}

static struct mesh_member member_make(const struct intent_object *o)
{
    const struct node *n = o->node;
    struct mesh_member m = {.id = n->id, .ip = n->ip, .port = n->port};
    snprintf(m.name, sizeof m.name, "%s", o->name);
    memcpy(m.keys[m.key_count++], n->key, NODE_KEY_SIZE);
    if (n->has_next_key)
        memcpy(m.keys[m.key_count++], n->next_key, NODE_KEY_SIZE);
    return m;
}

/* An expelled node knows nobody. */
static void members_take(struct control *c)
{
    struct mesh_member members[MESH_PEERS_MAX];
    bool expelled = control_mesh_expelled(c);
    unsigned count = 0;
    uint32_t all;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &all);
    for (uint32_t i = 0; i < all && count < MESH_PEERS_MAX && !expelled; i++)
        if (nodes[i]->node->role != NODE_EXPELLED && nodes[i]->node->id != c->mesh->identity.id)
            members[count++] = member_make(nodes[i]);
    if (expelled)
        log_event(LOG_ERROR, "node.expelled", {"name", LOG_S(c->mesh->identity.name)},
                  {"consequence", LOG_S("it answers and decides on its own; to come back it needs "
                                        "an invitation")});
    mesh_members(c->mesh->mesh, members, count);
}

/* Those that the intent lists, or those that this node came with. free() */
static char *authorities_text(const struct control *c)
{
    struct text out = text_init(AUTHORITIES_MAX);
    uint32_t count;
    struct intent_object *const *list = intent_list(&c->intent, INTENT_AUTHORITY, &count);
    for (uint32_t i = 0; i < count; i++) {
        json_t *value = json_loads(list[i]->value, 0, NULL);
        const char *text = json_string_value(json_object_get(value, "certificate"));
        text_append(&out, text ? text : "");
        json_decref(value);
    }
    if (!count && c->mesh->identity.authorities)
        text_append(&out, c->mesh->identity.authorities);
    char *copy = mem_string(text_string(&out));
    text_done(&out);
    return copy;
}

/* Reads identity and trust anew, and has the links go over to them. */
int control_mesh_credentials(struct control *c, char *authorities)
{
    struct control_mesh *m = c->mesh;
    struct mesh_credentials next;
    struct text why = text_init(WHY_MAX);
    int err = mesh_credentials_read(c->loaded->config, &m->identity, authorities, &next, &why);
    if (err) {
        log_event(LOG_ERROR, "mesh.certificate", {"reason", LOG_S(text_string(&why))},
                  {"consequence", LOG_S("what was shown before is shown, if anything was")});
        free(authorities);
    } else {
        secure_context_unref(m->credentials.secure);
        free(m->authorities);
        m->credentials = next;
        m->authorities = authorities;
        if (m->mesh)
            mesh_secure(m->mesh, next.secure);
    }
    text_done(&why);
    return err;
}

static void authorities_take(struct control *c)
{
    struct control_mesh *m = c->mesh;
    char *now = authorities_text(c);
    if (m->authorities && !strcmp(now, m->authorities)) {
        free(now);
        return;
    }
    if (control_mesh_credentials(c, now))
        return;
    int err = node_identity_replace(c->options->data, "authorities.pem", m->authorities);
    if (err)
        log_event(LOG_ERROR, "mesh.authorities", {"reason", LOG_S(err_text(err))});
}

/* ---- the first node tells the intent of itself ---- */

static void change_answer(void *context, int err, const char *message)
{
    struct control *c = context;
    c->mesh->asked = false;
    if (!err)
        return;
    c->mesh->ask_due = clock_now() + MESH_RETRY_MS * USEC_PER_MSEC;
    log_event(LOG_WARN, "mesh.change", {"reason", LOG_S(message)});
}

void control_mesh_change(struct control *c, json_t *edits, const char *reason)
{
    char author[sizeof "node " + NODE_NAME_MAX];
    json_t *request = json_pack("{s:s,s:o,s:s}", "op", "change", "edits", edits, "reason", reason);
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    snprintf(author, sizeof author, "node %s", c->mesh->identity.name);
    c->mesh->asked = true;
    control_intent_submit(c, line, strlen(line), author, change_answer, c);
    free(line);
}

void control_mesh_describe(const struct control *c, json_t *value)
{
    const struct config *config = c->loaded->config;
    char address[IP_PORT_TEXT_MAX], url[CONFIG_API_URL_MAX + 1];
    const char *api = config_api_address(config, url);
    ip_port_format(&config->mesh.address.ip, config->mesh.address.port, address);
    json_object_set_new(value, "address", json_string(address));
    json_object_set_new(value, "site", json_string(config->site));
    json_object_set_new(value, "network", json_string(config->network));
    if (api)
        json_object_set_new(value, "api", json_string(api));
    else
        json_object_del(value, "api");
}

static json_t *own_node(const struct control *c)
{
    const struct control_mesh *m = c->mesh;
    char key[NODE_KEY_TEXT];
    json_t *value = json_pack("{s:I,s:s,s:s}", "id", (json_int_t)m->identity.id, "key",
                              node_key_format(m->credentials.key, key), "role", "voter");
    control_mesh_describe(c, value);
    return value;
}

static json_t *authority_edit(const char *certificate, char name[static NODE_KEY_TEXT])
{
    uint8_t hash[NODE_KEY_SIZE];
    struct x509_st *authority = certificate_read(certificate);
    if (!authority)
        return NULL;
    certificate_hash(authority, hash);
    char *text = certificate_text(authority);
    json_t *edit = json_pack("{s:s,s:s,s:{s:s}}", "kind", "authority", "name",
                             node_key_format(hash, name), "value", "certificate", text);
    free(text);
    certificate_free(authority);
    return edit;
}

static void founder_tell(struct control *c, usec_t now)
{
    struct control_mesh *m = c->mesh;
    char name[NODE_KEY_TEXT];
    uint32_t count;
    intent_list(&c->intent, INTENT_NODE, &count);
    if (!m->identity.founder || count || m->asked || now < m->ask_due)
        return;
    json_t *edits = json_array(), *node = own_node(c);
    json_t *authority =
        m->identity.authorities ? authority_edit(m->identity.authorities, name) : NULL;
    if (authority) {
        json_array_append_new(edits, authority);
        json_object_set_new(node, "authority", json_string(name));
    }
    json_array_append_new(
        edits, json_pack("{s:s,s:s,s:o}", "kind", "node", "name", m->identity.name, "value", node));
    control_mesh_change(c, edits, "holdfast init");
}

/* ---- beginning ---- */

static int mesh_open(struct control *c)
{
    struct control_mesh *m = c->mesh;
    const struct config_mesh *config = &c->loaded->config->mesh;
    struct mesh_listen listen[CONFIG_LISTENS_MAX];
    struct link_self self = {.id = m->identity.id, .software = HOLDFAST_VERSION};
    const struct mesh_calls calls = {on_take, on_linked, control_join, c};
    memcpy(self.cluster, m->identity.cluster_bytes, sizeof self.cluster);
    for (uint32_t i = 0; i < config->listen_count; i++)
        listen[i] = (struct mesh_listen){config->listen[i].ip, config->listen[i].port};
    int err = control_mesh_credentials(c, authorities_text(c));
    if (!err)
        err = mesh_new(&c->loop, &self, listen, config->listen_count, m->credentials.secure, &calls,
                       entropy_u64(), &m->mesh);
    if (err)
        log_event(LOG_ERROR, "mesh.open", {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("this node is alone; it is tried again")});
    return err;
}

static void mesh_close(struct control *c)
{
    struct control_mesh *m = c->mesh;
    node_identity_done(&m->identity);
    secure_context_unref(m->credentials.secure);
    free(m->authorities);
    free(m);
    c->mesh = NULL;
}

static void mesh_begin(struct control *c, usec_t now)
{
    struct node_identity identity;
    if (!c->loaded->config->mesh.listen_count || now < c->mesh_due)
        return;
    c->mesh_due = now + MESH_LOOK_MS * USEC_PER_MSEC;
    int err = node_identity_load(c->options->data, &identity);
    if (err == -ENOENT)
        return; /* not yet: holdfast init or join */
    if (err) {
        c->mesh_due = now + MESH_RETRY_MS * USEC_PER_MSEC;
        log_event(LOG_ERROR, "mesh.identity", {"reason", LOG_S(err_text(err))});
        return;
    }
    c->mesh = mem_new(1, sizeof *c->mesh);
    c->mesh->identity = identity;
    if (mesh_open(c)) {
        c->mesh_due = now + MESH_RETRY_MS * USEC_PER_MSEC;
        mesh_close(c);
        return;
    }
    log_event(LOG_INFO, "mesh.begun", {"cluster", LOG_S(identity.cluster)},
              {"id", LOG_U(identity.id)}, {"name", LOG_S(identity.name)});
    members_take(c);
    c->mesh->version = c->intent.version;
}

/* ---- the beat ---- */

static void counts_take(struct control *c)
{
    struct control_mesh *m = c->mesh;
    struct mesh_counts now = mesh_counts(m->mesh), *was = &m->counted;
    struct stats_thread *stats = c->stats.threads;
    stats_set(stats, CONTROL_LINKS, mesh_count(m->mesh));
    stats_set(stats, CONTROL_LINKS_UP, now.up);
    stats_set(stats, CONTROL_MESH_CERTIFICATE_END, (uint64_t)(m->credentials.end * USEC_PER_SEC));
    stats_add(stats, CONTROL_LINK_BYTES_IN, now.bytes_in - was->bytes_in);
    stats_add(stats, CONTROL_LINK_BYTES_OUT, now.bytes_out - was->bytes_out);
    stats_add(stats, CONTROL_LINKS_CONNECTED, now.connected - was->connected);
    stats_add(stats, CONTROL_LINKS_REFUSED, now.refused - was->refused);
    stats_add(stats, CONTROL_LINK_DROPPED, now.dropped - was->dropped);
    *was = now;
}

void control_mesh_beat(struct control *c, usec_t now)
{
    if (!c->mesh)
        mesh_begin(c, now);
    struct control_mesh *m = c->mesh;
    if (!m)
        return;
    founder_tell(c, now);
    if (m->version != c->intent.version) {
        m->version = c->intent.version;
        members_take(c);
        if (!c->loaded->config->mesh.certificate)
            authorities_take(c);
    }
    control_renew_beat(c, now);
    control_authority_beat(c, now);
    mesh_state(m->mesh, c->intent.version, m->credentials.end);
    counts_take(c);
}
