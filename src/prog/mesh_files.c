#include "prog/mesh_files.h"

#include "base/err.h"
#include "replica/certificate_io.h"
#include "seam/disk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mesh_files_free(const struct config *c, struct node_identity *ret)
{
    struct node_identity old;
    int err = node_identity_load(c->data, &old);
    if (!c->mesh.listen_count) {
        if (!err)
            node_identity_done(&old);
        fprintf(
            stderr,
            "%s: a node of a cluster listens for the others; add mesh: {listen: \"0.0.0.0:7443\","
            " address: \"192.0.2.1:7443\"}, with the address at which they reach it\n",
            c->path);
        return ERR_MISSING;
    }
    *ret = (struct node_identity){0};
    if (err == -ENOENT)
        return 0;
    if (err) {
        fprintf(stderr, "%s/mesh: %s\n", c->data, err_text(err));
        return err;
    }
    fprintf(
        stderr,
        "%s/mesh: this node is node %llu (%s) of the cluster %.8s already; to leave that one for "
        "good, have it expelled there, end this node and remove the folder\n",
        c->data, (unsigned long long)old.id, old.name, old.cluster);
    node_identity_done(&old);
    return ERR_CONFLICT;
}

/* One of the operator's own files. */
static int own_read(const char *path, char **ret, struct text *why)
{
    size_t length;
    int err = disk_read(path, CERTIFICATE_TEXT_MAX, ret, &length);
    if (err)
        text_appendf(why, "%s: %s", path, err_text(err));
    return err;
}

/* The key of the authority that signed, or of the first one. */
static void authority_find(struct x509_st *certificate, const char *authorities,
                           uint8_t ret[static SECURE_HASH_SIZE])
{
    bool found = false, first = true;
    for (const char *at = authorities; !found && (at = strstr(at, "-----BEGIN CERTIFICATE"));
         at++) {
        struct x509_st *authority = certificate_read(at);
        if (!authority)
            continue;
        found = certificate_is_by(certificate, authority);
        if (found || first)
            certificate_hash(authority, ret);
        first = false;
        certificate_free(authority);
    }
}

static int own_credentials(const char *certificate, const char *key, const char *authorities,
                           struct mesh_credentials *ret, struct text *why)
{
    struct mesh_credentials out = {0};
    int err = secure_context_new(certificate, key, authorities, &out.secure, why);
    if (err)
        return err;
    struct x509_st *c = certificate_read(certificate);
    certificate_hash(c, out.key);
    authority_find(c, authorities, out.authority);
    out.begin = certificate_begin(c);
    out.end = certificate_end(c);
    certificate_free(c);
    *ret = out;
    return 0;
}

int mesh_credentials_read(const struct config *c, const struct node_identity *identity,
                          const char *authorities, struct mesh_credentials *ret, struct text *why)
{
    if (!c->mesh.certificate) {
        if (identity->pair && authorities)
            return own_credentials(identity->pair, identity->pair, authorities, ret, why);
        text_append(why, "a certificate is missing in DATA/mesh: join the cluster anew");
        return ERR_MISSING;
    }
    char *certificate = NULL, *key = NULL, *ca = NULL;
    int err = own_read(c->mesh.certificate, &certificate, why);
    err = err ? err : own_read(c->mesh.key, &key, why);
    err = err ? err : own_read(c->mesh.ca, &ca, why);
    err = err ? err : own_credentials(certificate, key, ca, ret, why);
    if (key)
        explicit_bzero(key, strlen(key));
    free(certificate);
    free(key);
    free(ca);
    return err;
}
