/* Nodes of the cluster, invitations to it and its authorities: objects of the intent. */
#include "model/intent_node.h"

#include "base/err.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_names[NODE_ROLES] = {"voter", "learner", "expelled"};

const char *node_role_name(enum node_role role)
{
    return role_names[role];
}

static int node_role_parse(const char *name, enum node_role *ret)
{
    for (unsigned i = 0; name && i < NODE_ROLES; i++)
        if (!strcmp(name, role_names[i])) {
            *ret = (enum node_role)i;
            return 0;
        }
    return ERR_INVALID;
}

/* ---- values ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int node_key_parse(const char *text, uint8_t ret[static NODE_KEY_SIZE])
{
    uint8_t key[NODE_KEY_SIZE];
    if (!text || strlen(text) != NODE_KEY_TEXT - 1)
        return ERR_INVALID;
    for (unsigned i = 0; i < NODE_KEY_SIZE; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_INVALID;
        key[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret, key, sizeof key);
    return 0;
}

char *node_key_format(const uint8_t key[static NODE_KEY_SIZE], char ret[static NODE_KEY_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < NODE_KEY_SIZE; i++) {
        ret[2 * i] = digits[key[i] >> 4];
        ret[2 * i + 1] = digits[key[i] & 15];
    }
    ret[NODE_KEY_TEXT - 1] = 0;
    return ret;
}

static bool members_known(const json_t *value, const char *const *known, size_t count)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        size_t i = 0;
        while (i < count && strcmp(key, known[i]))
            i++;
        if (i == count)
            return false;
    }
    return true;
}

static bool text_read(const json_t *value, const char *key, char ret[static NODE_TEXT_SIZE])
{
    const char *text = json_string_value(json_object_get(value, key));
    if (!text || !*text || strlen(text) >= NODE_TEXT_SIZE)
        return false;
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

const char *node_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"id",   "address", "key",       "next_key", "role",
                                        "site", "network", "authority", "api"};
    const json_t *id = json_object_get(value, "id"), *next = json_object_get(value, "next_key"),
                 *authority = json_object_get(value, "authority");
    const char *address = json_string_value(json_object_get(value, "address"));
    struct node *n = o->node = mem_new(1, sizeof *n);
    if (!members_known(value, known, array_length(known)) || !json_is_integer(id) ||
        json_integer_value(id) <= 0)
        return "wants an \"id\" above 0, \"address\", \"key\", \"role\", \"site\" and \"network\"";
    n->id = (uint64_t)json_integer_value(id);
    if (!address || ip_port_parse(address, &n->ip, &n->port) || !n->port)
        return "wants an \"address\" with its port, such as 192.0.2.1:7443";
    if (node_key_parse(json_string_value(json_object_get(value, "key")), n->key) ||
        (next && node_key_parse(json_string_value(next), n->next_key)) ||
        (authority && node_key_parse(json_string_value(authority), n->authority)))
        return "wants as \"key\" 64 hexadecimal digits, the SHA-256 of its public key";
    n->has_next_key = next != NULL;
    n->has_authority = authority != NULL;
    if (node_role_parse(json_string_value(json_object_get(value, "role")), &n->role))
        return "wants as \"role\" voter, learner or expelled";
    if (!text_read(value, "site", n->site) || !text_read(value, "network", n->network))
        return "wants a \"site\" and a \"network\"";
    if (json_object_get(value, "api") && !text_read(value, "api", n->api))
        return "wants as \"api\" where clients reach its API";
    return NULL;
}

const char *invite_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"key", "expires_ms", "role"};
    const json_t *expires = json_object_get(value, "expires_ms");
    struct node *n = o->node = mem_new(1, sizeof *n);
    if (!members_known(value, known, array_length(known)) || !json_is_integer(expires) ||
        json_integer_value(expires) <= 0 ||
        node_key_parse(json_string_value(json_object_get(value, "key")), n->key) ||
        node_role_parse(json_string_value(json_object_get(value, "role")), &n->role) ||
        n->role == NODE_EXPELLED)
        return "wants a \"key\", \"expires_ms\" and a \"role\", voter or learner";
    o->expires_ms = json_integer_value(expires);
    return NULL;
}

const char *authority_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"certificate"};
    const char *certificate = json_string_value(json_object_get(value, "certificate"));
    uint8_t key[NODE_KEY_SIZE];
    if (node_key_parse(o->name, key))
        return "is named by the SHA-256 of its public key";
    if (!members_known(value, known, array_length(known)) || !certificate ||
        strlen(certificate) > AUTHORITY_TEXT_MAX)
        return "wants a \"certificate\" in PEM";
    return NULL;
}

/* ---- what the values are together ---- */

static const struct intent_object *node_by_id(const struct intent *i, uint64_t id)
{
    uint32_t count;
    struct intent_object *const *nodes = intent_list(i, INTENT_NODE, &count);
    for (uint32_t k = 0; k < count; k++)
        if (nodes[k]->node->id == id)
            return nodes[k];
    return NULL;
}

uint64_t intent_node_highest(const struct intent *i)
{
    uint64_t highest = 0;
    uint32_t count;
    struct intent_object *const *nodes = intent_list(i, INTENT_NODE, &count);
    for (uint32_t k = 0; k < count; k++)
        if (nodes[k]->node->id > highest)
            highest = nodes[k]->node->id;
    return highest;
}

static bool keys_meet(const struct node *a, const struct node *b)
{
    return !memcmp(a->key, b->key, NODE_KEY_SIZE) ||
           (a->has_next_key && !memcmp(a->next_key, b->key, NODE_KEY_SIZE)) ||
           (b->has_next_key && !memcmp(a->key, b->next_key, NODE_KEY_SIZE)) ||
           (a->has_next_key && b->has_next_key && !memcmp(a->next_key, b->next_key, NODE_KEY_SIZE));
}

/* A key and a number belong to one node. */
static int node_alone_check(const struct intent *next, const struct intent_object *o,
                            struct text *why)
{
    uint32_t count;
    struct intent_object *const *nodes = intent_list(next, INTENT_NODE, &count);
    for (uint32_t k = 0; k < count; k++) {
        const struct node *a = o->node, *b = nodes[k]->node;
        if (nodes[k] == o)
            continue;
        if (a->id == b->id) {
            text_appendf(why, "the number %" PRIu64 " belongs to the node %s", a->id,
                         nodes[k]->name);
            return ERR_CONFLICT;
        }
        if (keys_meet(a, b)) {
            text_appendf(why, "the key of %s belongs to the node %s as well", o->name,
                         nodes[k]->name);
            return ERR_CONFLICT;
        }
    }
    return 0;
}

/* What one node may become: numbers are never used again, and who is expelled stays so. */
static int node_change_check(const struct intent *old, const struct intent *next,
                             const struct intent_object *o, struct text *why)
{
    const struct intent_object *was = intent_find(old, INTENT_NODE, o->name);
    bool same = was && was->node->id == o->node->id;
    if (was && !same && was->node->role != NODE_EXPELLED) {
        text_appendf(why, "the name %s is taken by node %" PRIu64 "; choose another node.name",
                     o->name, was->node->id);
        return ERR_CONFLICT;
    }
    if (same && was->node->role == NODE_EXPELLED && o->node->role != NODE_EXPELLED) {
        text_appendf(why, "%s was expelled; it comes back with an invitation, as another node",
                     o->name);
        return ERR_CONFLICT;
    }
    if (!same && (node_by_id(old, o->node->id) || o->node->id <= intent_node_highest(old))) {
        text_appendf(why, "the number %" PRIu64 " was given before", o->node->id);
        return ERR_CONFLICT;
    }
    return node_alone_check(next, o, why);
}

static unsigned role_count(const struct intent *i, enum node_role role)
{
    unsigned found = 0;
    uint32_t count;
    struct intent_object *const *nodes = intent_list(i, INTENT_NODE, &count);
    for (uint32_t k = 0; k < count; k++)
        found += nodes[k]->node->role == role;
    return found;
}

/* Nobody is forgotten. */
static int nodes_kept_check(const struct intent *old, const struct intent *next, struct text *why)
{
    uint32_t count;
    struct intent_object *const *before = intent_list(old, INTENT_NODE, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!intent_find(next, INTENT_NODE, before[i]->name)) {
            text_appendf(why,
                         "the node %s cannot be forgotten, only expelled: its number must never be "
                         "used again",
                         before[i]->name);
            return ERR_CONFLICT;
        }
    return 0;
}

/* An invitation is used up by the change that makes the node; not after its time. */
static int invites_check(const struct intent *old, const struct intent *next, int64_t wall_ms,
                         struct text *why)
{
    uint32_t count;
    struct intent_object *const *before = intent_list(old, INTENT_INVITE, &count);
    if (intent_node_highest(old) == intent_node_highest(next))
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (before[i]->expires_ms <= wall_ms &&
            !intent_find(next, INTENT_INVITE, before[i]->name)) {
            text_append(why, "the invitation has expired; ask for another one");
            return ERR_CONFLICT;
        }
    return 0;
}

int intent_nodes_check(const struct intent *old, const struct intent *next, int64_t wall_ms,
                       struct text *why)
{
    uint32_t count;
    struct intent_object *const *nodes = intent_list(next, INTENT_NODE, &count);
    int err = nodes_kept_check(old, next, why);
    err = err ? err : invites_check(old, next, wall_ms, why);
    for (uint32_t i = 0; i < count && !err; i++)
        if (intent_find(old, INTENT_NODE, nodes[i]->name) != nodes[i])
            err = node_change_check(old, next, nodes[i], why);
    if (!err && count - role_count(next, NODE_EXPELLED) > NODES_MAX) {
        text_appendf(why, "a cluster is of at most %d nodes; expel one first", NODES_MAX);
        err = ERR_LIMIT;
    }
    if (!err && count && !role_count(next, NODE_VOTER)) {
        text_append(why, "the last voter cannot go: nobody could change anything any more");
        err = ERR_CONFLICT;
    }
    return err;
}
