/* `holdfast user`: who may call the API, and their access keys. Keys are made here, told once, and
 * known to the node alone from then on. */
#include "base/attr.h"
#include "model/user.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "seam/entropy.h"
#include "wire/http1.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast user list\n"
    "       holdfast user add NAME [MAY]\n"
    "       holdfast user permit NAME MAY\n"
    "       holdfast user remove NAME\n"
    "       holdfast user key add NAME\n"
    "       holdfast user key enable|disable|remove NAME KEYID\n"
    "                     [--reason TEXT] [--config FILE | --data DIR]\n\n"
    "Users call the API of a node (api in the configuration) with requests signed as AWS's\n"
    "are. add and key add print an access key and its secret, which is never shown again; a\n"
    "user has at most two keys.\n\n"
    "MAY says what the user may do; nothing, where it is not said:\n"
    "  --role reader|operator|admin  look; switch routing controls too; everything\n"
    "  --allow ACTION[,ACTION]       as AWS names actions, with * and ?, for example\n"
    "                                route53-recovery-cluster:Update*\n"
    "  --on RESOURCE[,RESOURCE]      what --role and --allow are about: PANEL, PANEL/NAME or an\n"
    "                                ARN, with * and ?; default *\n"
    "  --deny ACTION[,ACTION]        never, whatever is allowed\n"
    "  --policy FILE                 a policy document of IAM (JSON) instead of all these\n";

struct user_options {
    const char *role, *allow, *on, *deny, *policy;
};

enum { ID_SIZE = 20, SECRET_SIZE = 40 };
#define ID_PREFIX "HFAK"

/* ---- what a user may do ---- */

static const struct {
    const char *role, *actions;
} roles[] = {
    {"reader", "route53-recovery-cluster:Get*,route53-recovery-cluster:List*,"
               "route53-recovery-control-config:Describe*,route53-recovery-control-config:List*"},
    {"operator", "route53-recovery-cluster:Get*,route53-recovery-cluster:List*,"
                 "route53-recovery-control-config:Describe*,route53-recovery-control-config:List*,"
                 "route53-recovery-cluster:Update*"},
    {"admin", "*"},
};

static void statement_add(json_t *list, const char *effect, const char *actions, const char *on)
{
    if (actions)
        json_array_append_new(list, json_pack("{s:s,s:o,s:o}", "Effect", effect, "Action",
                                              names_split(actions), "Resource",
                                              names_split(on ? on : "*")));
}

static json_t *policy_read(const char *path)
{
    json_error_t error;
    json_t *policy = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_t *statements = json_incref(json_object_get(policy, "Statement"));
    if (!policy)
        fprintf(stderr, "holdfast: %s:%d:%d: %s\n", path, error.line, error.column, error.text);
    else if (json_is_object(statements))
        statements = json_pack("[o]", statements);
    else if (!json_is_array(statements))
        fprintf(stderr, "holdfast: %s: a policy has a \"Statement\"\n", path);
    json_decref(policy);
    if (json_is_array(statements))
        return statements;
    json_decref(statements);
    return NULL;
}

/* The statements; NULL: they make no sense, and why was printed. */
static json_t *statements_make(const struct user_options *o)
{
    const char *actions = NULL;
    bool plain = o->role || o->allow || o->on || o->deny;
    if (o->policy && !plain)
        return policy_read(o->policy);
    for (size_t i = 0; o->role && i < array_length(roles); i++)
        if (!strcmp(roles[i].role, o->role))
            actions = roles[i].actions;
    if (o->policy || (o->role && !actions)) {
        fputs(o->policy ? "holdfast: --policy stands alone\n"
                        : "holdfast: a role is reader, operator or admin\n",
              stderr);
        return NULL;
    }
    json_t *list = json_array();
    statement_add(list, "Allow", actions, o->on);
    statement_add(list, "Allow", o->allow, o->on);
    statement_add(list, "Deny", o->deny, NULL);
    return list;
}

/* ---- keys ---- */

struct key {
    char id[ID_SIZE + 1], secret[SECRET_SIZE + 1];
};

static void letters_make(char *to, size_t length, const char *letters, unsigned count)
{
    for (size_t i = 0; i < length;) {
        uint8_t byte;
        entropy_fill(&byte, sizeof byte);
        if (byte < 256 / count * count) /* each letter as often as any other */
            to[i++] = letters[byte % count];
    }
    to[length] = 0;
}

static struct key key_make(void)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct key key = {.id = ID_PREFIX};
    letters_make(key.id + strlen(ID_PREFIX), ID_SIZE - strlen(ID_PREFIX), capitals, 32);
    letters_make(key.secret, SECRET_SIZE, all, 64);
    return key;
}

/* Sends the request with a new key, and shows the key once the node has it. */
static int key_send(const struct change_options *o, json_t *request)
{
    struct key key = key_make();
    json_object_set_new(request, "key", json_pack("{s:s,s:s}", "id", key.id, "secret", key.secret));
    int status = change_send(o, request);
    if (!status)
        printf("aws_access_key_id = %s\naws_secret_access_key = %s\n"
               "The secret is not shown again.\n",
               key.id, key.secret);
    explicit_bzero(&key, sizeof key);
    return status;
}

static json_t *user_request(const char *what, const char *name)
{
    return json_pack("{s:s,s:s,s:s}", "op", "user", "do", what, "user", name);
}

static int user_set(const struct change_options *o, const struct user_options *u, const char *what,
                    const char *name)
{
    json_t *statements = statements_make(u);
    if (!statements)
        return 1;
    json_t *request = user_request(what, name);
    json_object_set_new(request, "statements", statements);
    return strcmp(what, "add") ? change_send(o, request) : key_send(o, request);
}

static int key_change(const struct change_options *o, const char *verb, const char *name,
                      const char *id)
{
    char what[32];
    snprintf(what, sizeof what, "key-%s", verb);
    json_t *request = user_request(what, name);
    json_object_set_new(request, "id", json_string(id));
    return change_send(o, request);
}

/* ---- the list ---- */

static void patterns_print(const json_t *patterns)
{
    json_t *one;
    size_t i;
    if (json_is_string(patterns))
        fputs(json_string_value(patterns), stdout);
    json_array_foreach(patterns, i, one) printf("%s%s", i ? ", " : "", json_string_value(one));
}

static void user_print(const json_t *object)
{
    const json_t *value = json_object_get(object, "value");
    json_t *one;
    size_t i;
    char date[HTTP1_DATE_MAX];
    printf("%s  ", json_string_value(json_object_get(object, "name")));
    change_words_print(object);
    json_array_foreach(json_object_get(value, "keys"), i, one)
        printf("  key %s, %s, made on %s\n", json_string_value(json_object_get(one, "id")),
               json_string_value(json_object_get(one, "status")),
               http1_date_format(json_integer_value(json_object_get(one, "made_ms")) / 1000, date));
    json_array_foreach(json_object_get(value, "statements"), i, one)
    {
        printf("  %s ", strcmp(json_string_value(json_object_get(one, "Effect")), "Deny")
                            ? "may"
                            : "may never");
        patterns_print(json_object_get(one, "Action"));
        fputs(" on ", stdout);
        patterns_print(json_object_get(one, "Resource"));
        putchar('\n');
    }
}

static int user_list(const struct change_options *o)
{
    json_t *users = change_objects(o, "user"), *user;
    size_t i;
    if (!users)
        return 1;
    json_array_foreach(users, i, user) user_print(user);
    if (!json_array_size(users))
        puts("there are no users; holdfast user add NAME makes one");
    json_decref(users);
    return 0;
}

int cmd_user(int argc, char **argv)
{
    struct change_options o = {0};
    struct user_options u = {0};
    const struct option_spec specs[] = {
        CHANGE_OPTIONS(&o),
        {.name = "role", .value = &u.role},
        {.name = "allow", .value = &u.allow},
        {.name = "on", .value = &u.on},
        {.name = "deny", .value = &u.deny},
        {.name = "policy", .value = &u.policy},
    };
    struct words words;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    const char *verb = words.count ? words.list[0] : "", *of = words.list[1];
    if (words.count == 1 && !strcmp(verb, "list"))
        return user_list(&o);
    if (words.count == 2 && (!strcmp(verb, "add") || !strcmp(verb, "permit")))
        return user_set(&o, &u, verb, of);
    if (words.count == 2 && !strcmp(verb, "remove"))
        return change_remove(&o, "user", of);
    if (words.count == 3 && !strcmp(verb, "key") && !strcmp(of, "add"))
        return key_send(&o, user_request("key-add", words.list[2]));
    if (words.count == 4 && !strcmp(verb, "key") &&
        (!strcmp(of, "enable") || !strcmp(of, "disable") || !strcmp(of, "remove")))
        return key_change(&o, of, words.list[2], words.list[3]);
    return options_wrong(usage, "say what is to be done, and with which user");
}
