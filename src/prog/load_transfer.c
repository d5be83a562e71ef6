#include "prog/load_transfer.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/access.h"
#include "model/zone.h"
#include "prog/load_zone.h"
#include "seam/disk.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_FILE_MAX = 4096 };

bool zone_is_transferred(const struct config_zone *z)
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

int access_load(struct loaded *l, const struct load_request *r, struct text *problems)
{
    bool wanted = l->config->key_count > 0;
    for (uint32_t i = 0; i < l->config->zone_count; i++)
        wanted |= zone_is_transferred(&l->config->zones[i]);
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

/* Is the file there still, and can it be handed out? Not with names whose answers it lacks. */
static bool file_is_version(const struct load_request *r, const struct plan_file *f)
{
    struct mapped file;
    struct zone zone;
    if (store_map(r->data, PLAN_FILE_ZONE, f->hash, &file))
        return false;
    bool whole = !zone_open_trusted(file.data, file.size, &zone) && !zone.header->steered_count;
    mapped_close(&file);
    return whole;
}

static void version_add(struct loaded_zone *z, const struct plan_file *f)
{
    if (z->version_count == HISTORY_KEEP)
        memmove(z->versions, z->versions + 1, --z->version_count * sizeof *z->versions);
    z->versions[z->version_count++] =
        (struct plan_file){.kind = PLAN_FILE_HISTORY, .serial = f->serial, .hash = f->hash};
}

bool zone_is_steered(const struct config *c, uint32_t zone)
{
    return c->zones[zone].first_service != CONFIG_NONE;
}

static void version_offer(struct loaded_zone *z, const struct load_request *r,
                          const struct plan_file *f)
{
    if (f->hash && f->hash != z->file.hash && f->hash != z->form.hash && file_is_version(r, f))
        version_add(z, f);
}

/* The versions of one zone, oldest first: its history, then what was served until now. */
static void versions_of_current(struct loaded *l, const struct load_request *r, uint32_t zone)
{
    const struct loaded_zone *was = load_zone_find(r->current, zone, l->config->zones[zone].name);
    struct loaded_zone *z = &l->zones[zone];
    for (unsigned i = 0; was && i < was->version_count; i++)
        version_offer(z, r, &was->versions[i]);
    if (was) {
        version_offer(z, r, &was->form);
        version_offer(z, r, &was->file);
    }
}

static void versions_of_plan(struct loaded *l, const struct load_request *r,
                             const struct load_served *served, uint32_t zone)
{
    static const enum plan_file_kind kinds[] = {PLAN_FILE_HISTORY, PLAN_FILE_ZONE};
    uint32_t first = load_served_first(served, l->config->zones[zone].name);
    for (unsigned pass = 0; pass < array_length(kinds); pass++)
        for (uint32_t i = first; i; i = served->next[i - 1])
            if (served->plan->files[i - 1].kind == kinds[pass])
                version_offer(&l->zones[zone], r, &served->plan->files[i - 1]);
}

const struct plan_file *history_form(const struct load_served *served, const char *name,
                                     uint32_t serial)
{
    const struct plan_file *found = NULL;
    for (uint32_t i = load_served_first(served, name); i; i = served->next[i - 1]) {
        const struct plan_file *f = &served->plan->files[i - 1];
        if (f->kind == PLAN_FILE_HISTORY && f->serial == serial)
            found = f;
    }
    return found;
}

void history_load(struct loaded *l, const struct load_request *r, const struct load_served *served)
{
    for (uint32_t i = 0; r->data && i < l->config->zone_count; i++) {
        if (!zone_is_transferred(&l->config->zones[i]))
            continue;
        if (r->current)
            versions_of_current(l, r, i);
        else
            versions_of_plan(l, r, served, i);
    }
}

void history_add(struct loaded *l, uint32_t zone, const struct zone_made *made)
{
    struct loaded_zone *z = &l->zones[zone];
    if (z->form.hash) {
        if (z->form.hash != made->form.hash)
            version_add(z, &z->form);
    } else if (z->file.hash != made->file.hash && zone_is_transferred(&l->config->zones[zone]) &&
               !zone_is_steered(l->config, zone) && !z->aliases.count) {
        version_add(z, &z->file);
    }
}
