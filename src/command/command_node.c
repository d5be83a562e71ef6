/* Nodes of the cluster: who they are, invitations, and what becomes of them. */
#include "command/command_parts.h"

#include "base/err.h"
#include <stdio.h>
#include <string.h>

enum { INVITE_STANDARD_MS = 3600 * 1000, INVITE_MAX_MS = 7 * 24 * 3600 * 1000 };

static const char *const words[COMMAND_NODE_DOS] = {
    [COMMAND_NODE_LIST] = "list",           [COMMAND_NODE_INVITE] = "invite",
    [COMMAND_NODE_EXPEL] = "expel",         [COMMAND_NODE_PROMOTE] = "promote",
    [COMMAND_NODE_DEMOTE] = "demote",       [COMMAND_NODE_RENEW] = "renew",
    [COMMAND_NODE_AUTHORITY] = "authority",
};

static bool do_read(const json_t *request, enum command_node_do *ret)
{
    const char *word = json_string_value(json_object_get(request, "do"));
    for (unsigned i = 0; word && i < COMMAND_NODE_DOS; i++)
        if (!strcmp(word, words[i])) {
            *ret = (enum command_node_do)i;
            return true;
        }
    return false;
}

static bool invite_read(const json_t *request, struct command_node *n)
{
    const char *role = json_string_value(json_object_get(request, "role"));
    const json_t *length = json_object_get(request, "for_ms");
    n->learner = role && !strcmp(role, "learner");
    n->for_ms = length ? json_integer_value(length) : INVITE_STANDARD_MS;
    return (!role || n->learner || !strcmp(role, "voter")) && n->for_ms > 0 &&
           n->for_ms <= INVITE_MAX_MS;
}

void command_node(const struct command_input *input, const json_t *request,
                  struct command_result *ret)
{
    struct command_node n = {0};
    const char *name = json_string_value(json_object_get(request, "name"));
    (void)input;
    if (!do_read(request, &n.what)) {
        command_say(ret, ERR_INVALID,
                    "node wants \"do\": list, invite, expel, promote, demote, renew or authority");
        return;
    }
    bool named = n.what == COMMAND_NODE_EXPEL || n.what == COMMAND_NODE_PROMOTE ||
                 n.what == COMMAND_NODE_DEMOTE;
    if (named && (!name || !*name || strlen(name) >= sizeof n.name)) {
        command_say(ret, ERR_INVALID, "\"name\" wants the name of a node");
        return;
    }
    if (named)
        snprintf(n.name, sizeof n.name, "%s", name);
    if (n.what == COMMAND_NODE_INVITE && !invite_read(request, &n)) {
        command_say(ret, ERR_INVALID,
                    "an invitation is for a voter or a learner, and holds for at most a week");
        return;
    }
    n.force = json_is_true(json_object_get(request, "force"));
    ret->node = n;
    ret->effect = COMMAND_NODE;
}
