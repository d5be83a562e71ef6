#include "prog/load_transfer.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/access.h"
#include "seam/disk.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_FILE_MAX = 4096 };

static bool zone_is_transferred(const struct config_zone *z)
{
    return z->transfer.allow_count || z->transfer.key_count;
}

/* ---- keys and rules ---- */

static int secret_read(const struct config_key *k, struct tsig_key *key)
{
    char *text;
    size_t length;
    int err = disk_read(k->file, SECRET_FILE_MAX, &text, &length);
    if (err)
        return err;
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
    err = tsig_secret_parse(text, key);
    explicit_bzero(text, length);
    free(text);
    return err;
}

int load_key(const struct config_key *k, struct tsig_key *ret)
{
    ret->algorithm = k->algorithm;
    int err = dname_parse(k->name, strlen(k->name), NULL, ret->name);
    if (err > 0)
        err = k->secret ? tsig_secret_parse(k->secret, ret) : secret_read(k, ret);
    return err;
}

static int keys_read(const struct loaded *l, const struct load_request *r, struct tsig_key *keys,
                     struct text *problems)
{
    int result = 0;
    for (uint32_t i = 0; i < l->config->key_count; i++) {
        const struct config_key *k = &l->config->keys[i];
        int err = load_key(k, &keys[i]);
        if (!err)
            continue;
        text_appendf(problems, "%s:%u:%u: the secret of the key %s cannot be read%s%s: %s\n",
                     r->path, k->place.line, k->place.column, k->name, k->file ? " from " : "",
                     k->file ? k->file : "",
                     err == ERR_SYNTAX ? "it is not base64; write the key in base64"
                                       : err_text(err));
        result = ERR_INVALID;
    }
    return result;
}

static int access_store(struct loaded *l, const struct load_request *r, const struct tsig_key *keys,
                        struct text *problems)
{
    size_t size;
    uint64_t hash;
    uint8_t *data = access_encode(l->config, keys, &size, &hash);
    int err = r->data ? store_put(r->data, PLAN_FILE_ACCESS, hash, data, size) : 0;
    explicit_bzero(data, size);
    free(data);
    if (err) {
        text_appendf(problems, "%s: cannot store the keys: %s\n", r->path, err_text(err));
        return err;
    }
    load_other(l, PLAN_FILE_ACCESS, "access", hash);
    return 0;
}

/* Told, but no reason not to serve the zone. */
static void steered_warn(const struct loaded *l, const struct load_request *r,
                         struct text *problems)
{
    const struct config *c = l->config;
    bool *told = mem_new(c->zone_count + (size_t)1, sizeof *told);
    for (uint32_t i = 0; i < c->service_count; i++) {
        int zone = c->services[i].zone;
        const struct config_zone *z = zone < 0 ? NULL : &c->zones[zone];
        if (!z || told[zone] || !zone_is_transferred(z))
            continue;
        told[zone] = true;
        text_appendf(problems,
                     "%s:%u:%u: transfers of the zone %s will fail, because %s in it is "
                     "steered; give secondaries zones without services\n",
                     r->path, z->place.line, z->place.column, z->name, c->services[i].name);
    }
    free(told);
}

int access_load(struct loaded *l, const struct load_request *r, struct text *problems)
{
    bool wanted = l->config->key_count > 0;
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        wanted |= zone_is_transferred(&l->config->zones[i]);
    steered_warn(l, r, problems);
    if (!wanted)
        return 0;
    size_t size = (l->config->key_count + (size_t)1) * sizeof(struct tsig_key);
    struct tsig_key *keys = mem_new(1, size);
    int err = keys_read(l, r, keys, problems);
    if (!err)
        err = access_store(l, r, keys, problems);
    explicit_bzero(keys, size);
    free(keys);
    return err;
}

/* ---- earlier versions ---- */

static bool file_is_there(const struct load_request *r, const struct plan_file *f)
{
    struct mapped file;
    if (store_map(r->data, PLAN_FILE_ZONE, f->hash, &file))
        return false;
    mapped_close(&file);
    return true;
}

static void version_add(struct loaded_zone *z, const struct plan_file *f)
{
    if (z->version_count == HISTORY_KEEP)
        memmove(z->versions, z->versions + 1, --z->version_count * sizeof *z->versions);
    z->versions[z->version_count++] =
        (struct plan_file){.kind = PLAN_FILE_HISTORY, .serial = f->serial, .hash = f->hash};
}

static bool zone_is_steered(const struct config *c, uint32_t zone)
{
    return c->zones[zone].first_service != CONFIG_NONE;
}

/* The versions of one zone, oldest first: its history, then what was served until now. Where
 * answers come from the plan the history alone has them filled in. */
static void versions_add(struct loaded *l, const struct load_request *r,
                         const struct load_served *served, uint32_t zone)
{
    static const enum plan_file_kind kinds[] = {PLAN_FILE_HISTORY, PLAN_FILE_ZONE};
    uint32_t first = load_served_first(served, l->config->zones[zone].name);
    struct loaded_zone *z = &l->zones[zone];
    unsigned passes = zone_is_steered(l->config, zone) ? 1 : array_length(kinds);
    for (unsigned pass = 0; pass < passes; pass++)
        for (uint32_t i = first; i; i = served->next[i - 1]) {
            const struct plan_file *f = &served->plan->files[i - 1];
            if (f->kind == kinds[pass] && f->hash != z->file.hash && file_is_there(r, f))
                version_add(z, f);
        }
}

void history_load(struct loaded *l, const struct load_request *r, const struct load_served *served)
{
    for (uint32_t i = 0; r->served && r->data && i < l->config->zone_count; i++)
        if (zone_is_transferred(&l->config->zones[i]))
            versions_add(l, r, served, i);
}

void history_add(struct loaded *l, uint32_t zone, const struct plan_file *was)
{
    if (zone_is_transferred(&l->config->zones[zone]) && !zone_is_steered(l->config, zone))
        version_add(&l->zones[zone], was);
}
