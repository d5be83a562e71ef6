/* `holdfast init`: the first node of a cluster. */
#include "base/attr.h"
#include "base/err.h"
#include "prog/account.h"
#include "prog/commands.h"
#include "prog/load.h"
#include "prog/mesh_files.h"
#include "prog/options.h"
#include "replica/certificate_io.h"
#include "replica/node_identity_io.h"
#include "seam/clock.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast init CONFIG\n\n"
    "Begins a cluster, whose first node this one is: makes the cluster's authority, which signs\n"
    "the certificates of its nodes, and this node's identity, in DATA/mesh. A node that runs goes\n"
    "on and takes it into use by itself. With `mesh: {certificate, key, ca}` your own "
    "certificates\n"
    "are used, and no authority is made.\n\n"
    "Next: holdfast run CONFIG, holdfast invite here and holdfast join TOKEN CONFIG there.\n";

/* The cluster's authority, and this node's certificate by it. */
static void identity_make(struct node_identity *i)
{
    int64_t now = clock_wall() / USEC_PER_SEC;
    struct evp_pkey_st *authority_key = certificate_key_new(), *key = certificate_key_new();
    struct x509_st *authority = certificate_authority_new(authority_key, i->cluster, now), *own;
    const struct certificate_subject subject = {i->name, i->cluster, i->id};
    char *request = certificate_request_new(key);
    int err = certificate_sign(request, authority_key, authority, &subject, now,
                               CERTIFICATE_NODE_DAYS, &own);
    if (!err) {
        char *key_text = certificate_key_text(key), *own_text = certificate_text(own);
        char *authority_key_text = certificate_key_text(authority_key);
        i->authorities = certificate_text(authority);
        i->pair = node_pair_text(own_text, key_text);
        i->authority = node_pair_text(i->authorities, authority_key_text);
        explicit_bzero(key_text, strlen(key_text));
        explicit_bzero(authority_key_text, strlen(authority_key_text));
        free(key_text);
        free(own_text);
        free(authority_key_text);
        certificate_free(own);
    }
    free(request);
    certificate_free(authority);
    certificate_key_free(key);
    certificate_key_free(authority_key);
}

static int identity_save(const struct config *c, const struct node_identity *i)
{
    const char *user;
    char folder[PATH_MAX];
    int err = account_choose(c, &user);
    if (err)
        return err;
    err = disk_folder_create(c->data, 0755);
    err = err ? err : node_identity_save(c->data, i);
    if (err) {
        fprintf(stderr, "%s/mesh: %s\n", c->data, err_text(err));
        return err;
    }
    snprintf(folder, sizeof folder, "%s/mesh", c->data);
    if (user)
        account_give(folder, user);
    return 0;
}

/* The operator's own files are tried before anything is begun with them. */
static int credentials_check(const struct config *c, const struct node_identity *i)
{
    struct mesh_credentials tried;
    struct text why = text_init(1024);
    int err = mesh_credentials_read(c, i, i->authorities, &tried, &why);
    if (err)
        fprintf(stderr, "%s: mesh: %s\n", c->path, text_string(&why));
    else
        secure_context_unref(tried.secure);
    text_done(&why);
    return err;
}

static int init(const struct config *c)
{
    struct node_identity i = {0};
    int err = mesh_files_free(c, &i);
    if (err)
        return 1;
    node_cluster_new(&i);
    i.id = 1;
    i.founder = true;
    snprintf(i.name, sizeof i.name, "%s", c->node_name);
    if (!c->mesh.certificate)
        identity_make(&i);
    err = credentials_check(c, &i);
    err = err ? err : identity_save(c, &i);
    if (!err)
        printf("the cluster %.8s has begun, and %s is its first node\n"
               "next: holdfast run %s, then holdfast invite for the second one\n",
               i.cluster, i.name, c->path);
    node_identity_done(&i);
    return err ? 1 : 0;
}

int cmd_init(int argc, char **argv)
{
    struct words words;
    struct config *c;
    int status = options_parse(argc, argv, usage, NULL, 0, &words);
    if (status >= 0)
        return status;
    if (words.count != 1)
        return options_wrong(usage, "name one configuration file");
    if (load_config(words.list[0], stderr, &c))
        return 1;
    status = init(c);
    config_free(c);
    return status;
}
