/* `holdfast join`: this host becomes a node of a cluster. */
#include "base/attr.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/intent_io.h"
#include "model/intent_node.h"
#include "prog/account.h"
#include "prog/commands.h"
#include "prog/load.h"
#include "prog/mesh_files.h"
#include "prog/options.h"
#include "replica/certificate_io.h"
#include "replica/join_io.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include "seam/net.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { WHY_MAX = 2048, ROUNDS = 3 /* of all addresses */ };

static const char usage[] =
    "usage: holdfast join TOKEN CONFIG\n\n"
    "Makes this host a node of the cluster that the token is from (holdfast invite there): makes "
    "a\n"
    "key, has it signed, and takes over who belongs to the cluster and what its operators want. A\n"
    "token works once. The node must not run meanwhile; start it with holdfast run CONFIG then.\n"
    "With - as TOKEN it is read from standard input, where no list of processes shows it.\n";

struct joining {
    const struct config *config;
    struct invite invite;
    struct node_identity identity;
    struct join_call call;
    char *key;     /* PEM; NULL with certificates of the operator's */
    char *request; /* JSON */
};

/* ---- before ---- */

static int token_read(const char *word, struct invite *ret)
{
    static const char *const shapes[] = {
        "this is no token: it begins with hf1, as holdfast invite prints it",
        "this token is of a newer program than this one: install the same version here",
        "something in the token is missing or mistyped: copy it again, whole",
    };
    char line[2 * INVITE_TOKEN_MAX];
    if (!strcmp(word, "-")) {
        size_t length = fread(line, 1, sizeof line - 1, stdin);
        line[length] = 0;
        word = line;
    }
    int err = invite_parse(word, ret);
    if (err)
        fprintf(stderr, "holdfast: %s\n",
                shapes[err == ERR_VERSION    ? 1
                       : err == ERR_CHECKSUM ? 2
                                             : 0]);
    return err;
}

/* A node that runs has an intent of its own in its hands. */
static int node_is_down(const char *data)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/run/lock", data);
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    bool held = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
    close(fd);
    if (held)
        fprintf(stderr,
                "holdfast: a node runs on %s; end it first: what it wants gives way to what the "
                "cluster wants\n",
                data);
    return held ? ERR_CONFLICT : 0;
}

static int listens_open(struct joining *j)
{
    const struct config_mesh *m = &j->config->mesh;
    char text[IP_PORT_TEXT_MAX];
    for (uint32_t i = 0; i < m->listen_count && i < JOIN_LISTENS_MAX; i++) {
        int *fd = &j->call.listens[j->call.listen_count];
        int err = net_tcp_listen(&m->listen[i].ip, m->listen[i].port, false, 16, fd);
        err = err ? err : net_nonblocking(*fd, true);
        if (err) {
            fprintf(stderr, "holdfast: mesh.listen: %s: %s\n",
                    ip_port_format(&m->listen[i].ip, m->listen[i].port, text), err_text(err));
            return err;
        }
        j->call.listen_count++;
    }
    return 0;
}

static void nonce_make(char ret[static JOIN_NONCE_SIZE])
{
    uint8_t bytes[(JOIN_NONCE_SIZE - 1) / 2];
    entropy_fill(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

/* What the certificate is to be for: a request for a new key, or the operator's own key. */
static int key_say(struct joining *j, json_t *request)
{
    if (!j->config->mesh.certificate) {
        struct evp_pkey_st *key = certificate_key_new();
        char *text = certificate_request_new(key);
        json_object_set_new(request, "request", json_string(text));
        j->key = certificate_key_text(key);
        free(text);
        certificate_key_free(key);
        return 0;
    }
    struct mesh_credentials own;
    struct text why = text_init(WHY_MAX);
    char hash[NODE_KEY_TEXT];
    int err = mesh_credentials_read(j->config, &j->identity, NULL, &own, &why);
    if (err) {
        fprintf(stderr, "holdfast: mesh: %s\n", text_string(&why));
    } else {
        json_object_set_new(request, "key", json_string(node_key_format(own.key, hash)));
        secure_context_unref(own.secure);
    }
    text_done(&why);
    return err;
}

static int request_make(struct joining *j)
{
    const struct config *c = j->config;
    char address[IP_PORT_TEXT_MAX], name[INVITE_NAME_SIZE];
    uint8_t key[INVITE_KEY_SIZE];
    invite_public(j->invite.secret, name, key);
    nonce_make(j->call.nonce);
    json_t *request = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "cluster", j->identity.cluster,
                                "invite", name, "name", c->node_name, "address",
                                ip_port_format(&c->mesh.address.ip, c->mesh.address.port, address),
                                "site", c->site, "network", c->network, "nonce", j->call.nonce,
                                "wall_ms", (json_int_t)(clock_wall() / USEC_PER_MSEC));
    int err = key_say(j, request);
    j->request = err ? NULL : json_dumps(request, JSON_COMPACT);
    j->call.request = j->request;
    json_decref(request);
    return err;
}

/* ---- the answer ---- */

static int intent_take(const struct joining *j, const json_t *value)
{
    struct intent intent;
    const char *why = "there is none";
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    int err = text ? intent_decode(text, strlen(text), &intent, &why) : ERR_SYNTAX;
    free(text);
    if (err) {
        fprintf(stderr, "holdfast: the cluster's intent cannot be read: %s\n", why);
        return err;
    }
    err = intent_save(j->config->data, &intent);
    intent_done(&intent);
    return err;
}

/* The text of this name, copied; NULL: there is none. */
static char *text_copy(const json_t *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text ? mem_string(text) : NULL;
}

static int answer_take(struct joining *j, const json_t *answer)
{
    const char *data = j->config->data,
               *certificate = json_string_value(json_object_get(answer, "certificate"));
    const char *user;
    char folder[PATH_MAX];
    j->identity.id = (uint64_t)json_integer_value(json_object_get(answer, "id"));
    snprintf(j->identity.name, sizeof j->identity.name, "%s", j->config->node_name);
    if (j->key && certificate) {
        j->identity.pair = node_pair_text(certificate, j->key);
        j->identity.authorities = text_copy(answer, "authorities");
        j->identity.authority = text_copy(answer, "authority");
    }
    int err = account_choose(j->config, &user);
    err = err ? err : disk_folder_create(data, 0755);
    err = err ? err : intent_take(j, json_object_get(answer, "intent"));
    err = err ? err : node_identity_save(data, &j->identity);
    if (err) {
        fprintf(stderr, "%s: %s\n", data, err_text(err));
        return err;
    }
    snprintf(folder, sizeof folder, "%s/mesh", data);
    if (user) {
        account_give(folder, user);
        account_give(data, user);
    }
    return 0;
}

/* ---- asking ---- */

/* 0: done; ERR_REFUSED: it was told why not; else another address may know better. */
static int ask_one(struct joining *j)
{
    char *text, at[IP_PORT_TEXT_MAX];
    const struct invite_address *to = &j->invite.addresses[j->call.address];
    struct text why = text_init(WHY_MAX);
    int err = join_call(&j->call, &text, &why);
    json_t *answer = err ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!err)
        free(text);
    if (answer && json_is_true(json_object_get(answer, "ok"))) {
        err = answer_take(j, answer) ? ERR_REFUSED : 0;
    } else {
        const char *said = json_string_value(json_object_get(answer, "message"));
        fprintf(stderr, "holdfast: %s: %s\n", ip_port_format(&to->ip, to->port, at),
                said  ? said
                : err ? text_string(&why)
                      : "its answer makes no sense");
        err = said && !json_is_true(json_object_get(answer, "retry")) ? ERR_REFUSED : ERR_MISSING;
    }
    json_decref(answer);
    text_done(&why);
    return err;
}

static int ask(struct joining *j)
{
    int err = ERR_MISSING;
    for (unsigned round = 0; round < ROUNDS && err == ERR_MISSING; round++) {
        if (round)
            sleep(1);
        for (unsigned i = 0; i < j->invite.address_count && err == ERR_MISSING; i++) {
            j->call.address = i;
            err = ask_one(j);
        }
    }
    return err;
}

static void cluster_take(struct joining *j)
{
    char text[NODE_CLUSTER_TEXT];
    for (unsigned i = 0; i < LINK_CLUSTER_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", j->invite.cluster[i]);
    int err = node_cluster_parse(text, &j->identity);
    (void)err; /* it was written a line above */
}

static int join(const struct config *c, const char *token)
{
    struct joining j = {.config = c};
    int err = token_read(token, &j.invite);
    err = err ? err : mesh_files_free(c, &j.identity);
    err = err ? err : node_is_down(c->data);
    if (!err)
        cluster_take(&j);
    j.call.invite = &j.invite;
    err = err ? err : request_make(&j);
    err = err ? err : listens_open(&j);
    err = err ? err : ask(&j);
    if (!err)
        printf("%s is node %llu of the cluster %.8s now\nnext: holdfast run %s\n", c->node_name,
               (unsigned long long)j.identity.id, j.identity.cluster, c->path);
    for (unsigned i = 0; i < j.call.listen_count; i++)
        close(j.call.listens[i]);
    if (j.key)
        explicit_bzero(j.key, strlen(j.key));
    free(j.key);
    free(j.request);
    explicit_bzero(&j.invite, sizeof j.invite);
    node_identity_done(&j.identity);
    return err ? 1 : 0;
}

int cmd_join(int argc, char **argv)
{
    struct words words;
    struct config *c;
    int status = options_parse(argc, argv, usage, NULL, 0, &words);
    if (status >= 0)
        return status;
    if (words.count != 2)
        return options_wrong(usage, "name the token and one configuration file");
    if (load_config(words.list[1], stderr, &c))
        return 1;
    status = join(c, words.list[0]);
    config_free(c);
    return status;
}
