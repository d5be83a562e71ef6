#include "replica/node_identity_io.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "replica/certificate_io.h"
#include "seam/disk.h"
#include "seam/entropy.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, IDENTITY_MAX = 4096, FORMAT = 1 };

static int path_make(const char *data, const char *file, char ret[static PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/mesh%s%s", data, *file ? "/" : "", file);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A file that need not be there: NULL then. */
static int file_read(const char *data, const char *file, char **ret)
{
    char path[PATH_MAX], *text = NULL;
    size_t length;
    int err = path_make(data, file, path);
    err = err ? err : disk_read(path, CERTIFICATE_TEXT_MAX, &text, &length);
    if (err && err != -ENOENT)
        return err;
    *ret = text;
    return 0;
}

int node_cluster_parse(const char *text, struct node_identity *identity)
{
    static const char digits[] = "0123456789abcdef";
    if (!text || strlen(text) != NODE_CLUSTER_TEXT - 1 ||
        strspn(text, digits) != NODE_CLUSTER_TEXT - 1)
        return ERR_SYNTAX;
    memcpy(identity->cluster, text, NODE_CLUSTER_TEXT);
    for (unsigned i = 0; i < LINK_CLUSTER_SIZE; i++)
        identity->cluster_bytes[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
                                               (strchr(digits, text[2 * i + 1]) - digits));
    return 0;
}

void node_cluster_new(struct node_identity *identity)
{
    entropy_fill(identity->cluster_bytes, sizeof identity->cluster_bytes);
    for (unsigned i = 0; i < LINK_CLUSTER_SIZE; i++)
        snprintf(identity->cluster + 2 * i, 3, "%02x", identity->cluster_bytes[i]);
}

static int identity_decode(const char *text, struct node_identity *out)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(root, "name"));
    const json_t *id = json_object_get(root, "id");
    int err = node_cluster_parse(json_string_value(json_object_get(root, "cluster")), out);
    if (json_integer_value(json_object_get(root, "format")) != FORMAT || !name ||
        strlen(name) >= sizeof out->name || json_integer_value(id) <= 0)
        err = ERR_SYNTAX;
    if (!err) {
        snprintf(out->name, sizeof out->name, "%s", name);
        out->id = (uint64_t)json_integer_value(id);
        out->founder = json_is_true(json_object_get(root, "founder"));
    }
    json_decref(root);
    return err;
}

int node_identity_load(const char *data, struct node_identity *ret)
{
    struct node_identity out = {0};
    char *text = NULL;
    int err = file_read(data, "identity.json", &text);
    if (!err && !text)
        return -ENOENT;
    err = err ? err : identity_decode(text, &out);
    free(text);
    err = err ? err : file_read(data, "node.pem", &out.pair);
    err = err ? err : file_read(data, "authorities.pem", &out.authorities);
    err = err ? err : file_read(data, "authority.pem", &out.authority);
    if (err)
        node_identity_done(&out);
    else
        *ret = out;
    return err;
}

int node_identity_replace(const char *data, const char *file, const char *text)
{
    char path[PATH_MAX];
    int err = path_make(data, file, path);
    return err ? err : disk_write_atomic(path, text, strlen(text), FILE_MODE);
}

int node_identity_save(const char *data, const struct node_identity *i)
{
    char path[PATH_MAX];
    int err = path_make(data, "", path);
    err = err ? err : disk_folder_create(path, FOLDER_MODE);
    if (!err && i->pair)
        err = node_identity_replace(data, "node.pem", i->pair);
    if (!err && i->authorities)
        err = node_identity_replace(data, "authorities.pem", i->authorities);
    if (!err && i->authority)
        err = node_identity_replace(data, "authority.pem", i->authority);
    if (err)
        return err;
    json_t *root = json_pack("{s:i,s:s,s:I,s:s,s:b}", "format", FORMAT, "cluster", i->cluster, "id",
                             (json_int_t)i->id, "name", i->name, "founder", i->founder);
    char *text = json_dumps(root, JSON_INDENT(1));
    err = text ? node_identity_replace(data, "identity.json", text) : -ENOMEM;
    free(text);
    json_decref(root);
    return err;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void node_identity_done(struct node_identity *i)
{
    wipe(i->pair);
    wipe(i->authority);
    free(i->authorities);
    *i = (struct node_identity){0};
}

char *node_pair_text(const char *certificate, const char *key)
{
    size_t length = strlen(certificate) + strlen(key) + 1;
    char *text = mem_new(length, 1);
    snprintf(text, length, "%s%s", certificate, key);
    return text;
}
