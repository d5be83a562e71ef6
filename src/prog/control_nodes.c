/* What operators ask and order about the nodes of the cluster. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_node.h"
#include "prog/control_intent.h"
#include "prog/control_mesh.h"
#include "prog/control_override.h"
#include "prog/control_replica.h"
#include "seam/clock.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct mesh_peer_view *peer_of(const struct control *c, uint64_t id,
                                            struct mesh_peer_view *ret)
{
    for (unsigned i = 0; i < mesh_count(c->mesh->mesh); i++) {
        *ret = mesh_peer(c->mesh->mesh, i);
        if (ret->member->id == id)
            return ret;
    }
    return NULL;
}

static const char *name_of(const struct control *c, uint64_t id)
{
    uint32_t count;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i]->node->id == id)
            return nodes[i]->name;
    return NULL;
}

/* ---- who sees whom ---- */

static void seen_add(const struct control *c, json_t *out, const uint64_t *seen, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const char *name = name_of(c, seen[i]);
        if (name)
            json_array_append_new(list, json_string(name));
    }
    json_object_set_new(out, "sees", list);
}

static void self_add(const struct control *c, json_t *out)
{
    uint64_t seen[MESH_PEERS_MAX];
    uint32_t count = 0;
    for (unsigned i = 0; i < mesh_count(c->mesh->mesh); i++) {
        struct mesh_peer_view p = mesh_peer(c->mesh->mesh, i);
        if (p.link)
            seen[count++] = p.member->id;
    }
    json_object_set_new(out, "self", json_true());
    json_object_set_new(out, "linked", json_true());
    json_object_set_new(out, "version", json_string(HOLDFAST_VERSION));
    json_object_set_new(out, "lag", json_integer(0));
    json_object_set_new(out, "certificate_end", json_integer(c->mesh->credentials.end));
    seen_add(c, out, seen, count);
}

static void link_add(const struct control *c, json_t *out, const struct link_view *l)
{
    json_object_set_new(out, "version", json_string(l->self.software));
    if (l->round_trip) {
        json_object_set_new(out, "round_trip_us", json_integer(l->round_trip));
        json_object_set_new(out, "clock_offset_us", json_integer(l->clock_offset));
    }
    if (!l->has_state)
        return;
    /* in changes; one that is ahead has seen what is on its way here */
    json_object_set_new(out, "lag",
                        json_integer((json_int_t)(control_override_base(c) - l->state.applied)));
    json_object_set_new(out, "certificate_end", json_integer(l->state.certificate_end));
    seen_add(c, out, l->state.seen, l->state.seen_count);
}

static json_t *node_tell(const struct control *c, const struct intent_object *o, usec_t now)
{
    const struct node *n = o->node;
    struct mesh_peer_view p;
    char address[IP_PORT_TEXT_MAX];
    json_t *out =
        json_pack("{s:s,s:I,s:s,s:s,s:s,s:s}", "name", o->name, "id", (json_int_t)n->id, "role",
                  node_role_name(n->role), "address", ip_port_format(&n->ip, n->port, address),
                  "site", n->site, "network", n->network);
    invariant(out != NULL);
    if (*n->api)
        json_object_set_new(out, "api", json_string(n->api));
    if (n->id == c->mesh->identity.id) {
        self_add(c, out);
        return out;
    }
    bool known = peer_of(c, n->id, &p);
    json_object_set_new(out, "linked", json_boolean(known && p.link));
    if (known) {
        json_object_set_new(out, "since_s", json_integer((now - p.since) / USEC_PER_SEC));
        if (p.link)
            link_add(c, out, p.link);
        else
            json_object_set_new(out, "reason", json_string(p.reason));
    }
    return out;
}

struct voters {
    unsigned all, seen; /* seen: linked with, and this node itself */
};

/* Those that would be left without `but`. */
static struct voters voters_count(const struct control *c, const char *but)
{
    struct voters v = {0};
    struct mesh_peer_view p;
    uint32_t count;
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct node *n = nodes[i]->node;
        if (n->role != NODE_VOTER || (but && !strcmp(nodes[i]->name, but)))
            continue;
        v.all++;
        v.seen += n->id == c->mesh->identity.id || (peer_of(c, n->id, &p) && p.link);
    }
    return v;
}

static void nodes_tell(const struct control *c, struct command_reply_to *to)
{
    json_t *list = json_array();
    uint32_t count;
    usec_t now = clock_now();
    struct voters v = voters_count(c, NULL);
    struct intent_object *const *nodes = intent_list(&c->intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, node_tell(c, nodes[i], now));
    json_t *out = json_pack(
        "{s:b,s:s,s:s,s:I,s:i,s:i,s:b,s:o}", "ok", 1, "message", "the nodes", "cluster",
        c->mesh->identity.cluster, "change", (json_int_t)control_override_base(c), "voters",
        (int)v.all, "voters_seen", (int)v.seen, "cut_off", 2 * v.seen <= v.all, "nodes", list);
    struct replica_view r = {.halted = ""};
    bool decides = control_replica_look(c, &r);
    const char *leader = r.leader ? name_of(c, r.leader) : NULL;
    json_object_set_new(out, "overrides", json_integer(c->overrides));
    json_object_set_new(out, "expelled", json_boolean(control_mesh_expelled(c)));
    json_object_set_new(out, "leader", leader ? json_string(leader) : json_null());
    json_object_set_new(out, "halted", decides && *r.halted ? json_string(r.halted) : json_null());
    char *reply = json_dumps(out, JSON_COMPACT);
    json_decref(out);
    command_reply(to, reply);
    free(reply);
}

/* ---- what becomes of a node ---- */

struct node_order {
    struct command_reply_to *to;
    char *sentence; /* where it is done */
};

static void order_answer(void *context, int err, const char *message)
{
    struct node_order *o = context;
    control_reply(o->to, err, err ? message : o->sentence);
    free(o->sentence);
    free(o);
}

/* The node's object with another role; the reply follows the change. */
static void role_change(struct control *c, const struct intent_object *o, enum node_role role,
                        const char *author, const char *sentence, struct command_reply_to *to)
{
    struct node_order *order = mem_new(1, sizeof *order);
    *order = (struct node_order){to, mem_string(sentence)};
    json_t *value = json_loads(o->value, 0, NULL);
    json_object_set_new(value, "role", json_string(node_role_name(role)));
    json_object_del(value, "next_key");
    json_t *request = json_pack("{s:s,s:[{s:s,s:s,s:o}]}", "op", "change", "edits", "kind", "node",
                                "name", o->name, "value", value);
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    control_intent_submit(c, line, strlen(line), author, order_answer, order);
    free(line);
}

/* Would those that stay be able to change anything? */
static bool expel_allowed(const struct control *c, const struct command_node *wish,
                          const struct intent_object *o, struct command_reply_to *to)
{
    struct voters left = voters_count(c, o->name);
    struct text why = text_init(512);
    if (o->node->role != NODE_VOTER || wish->force || 2 * left.seen > left.all)
        return true;
    text_appendf(&why,
                 "without %s there would be %u voters, of whom only %u can be seen from here: no "
                 "majority, and nothing could be changed any more; heal the others first, or say "
                 "--force",
                 o->name, left.all, left.seen);
    control_reply(to, ERR_REFUSED, text_string(&why));
    text_done(&why);
    return false;
}

static void node_order(struct control *c, const struct command_node *wish,
                       const struct intent_object *o, const char *author,
                       struct command_reply_to *to)
{
    enum node_role role = wish->what == COMMAND_NODE_EXPEL     ? NODE_EXPELLED
                          : wish->what == COMMAND_NODE_PROMOTE ? NODE_VOTER
                                                               : NODE_LEARNER;
    struct text sentence = text_init(512);
    if (role == o->node->role) {
        text_appendf(&sentence, "%s is %s%s already", o->name, role == NODE_EXPELLED ? "" : "a ",
                     node_role_name(role));
        control_reply(to, 0, text_string(&sentence));
    } else if (role != NODE_EXPELLED || expel_allowed(c, wish, o, to)) {
        text_appendf(&sentence, "%s is %s%s now", o->name, role == NODE_EXPELLED ? "" : "a ",
                     node_role_name(role));
        if (role == NODE_EXPELLED)
            text_append(&sentence, ": all links to it are cut, and its certificate opens nothing "
                                   "any more");
        role_change(c, o, role, author, text_string(&sentence), to);
    }
    text_done(&sentence);
}

static void renew(struct control *c, struct command_reply_to *to)
{
    if (c->loaded->config->mesh.certificate) {
        control_reply(to, ERR_INVALID,
                      "this node's certificate is a file of yours: replace it, and it is taken");
        return;
    }
    c->mesh->renewal.wanted = true;
    control_reply(to, 0, "another certificate is on its way; holdfast nodes shows when it ends");
}

void control_nodes(struct control *c, const struct command_node *wish, const char *author,
                   struct command_reply_to *to)
{
    if (!c->mesh) {
        control_reply(to, ERR_MISSING,
                      "this node is alone; see holdfast init and holdfast join, and `mesh` in its "
                      "configuration");
        return;
    }
    const struct intent_object *o = intent_find(&c->intent, INTENT_NODE, wish->name);
    if (wish->what == COMMAND_NODE_LIST)
        nodes_tell(c, to);
    else if (wish->what == COMMAND_NODE_INVITE)
        control_invite(c, wish, author, to);
    else if (wish->what == COMMAND_NODE_AUTHORITY)
        control_authority_replace(c, author, to);
    else if (wish->what == COMMAND_NODE_RENEW)
        renew(c, to);
    else if (!o)
        control_reply(to, ERR_MISSING, "there is no node of this name; see holdfast nodes");
    else
        node_order(c, wish, o, author, to);
}
