#include "model/dnssec_keys_io.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_folder.h"
#include "seam/disk.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    OTHERS = 077,
    TAG_TRIES = 16,
    JITTER_PART = 8, /* signatures live up to an eighth shorter, so that they do not end together */
};

/* ---- where ---- */

struct path {
    char text[PATH_MAX];
};

static int state_path(const char *folder, struct path *ret)
{
    int n = snprintf(ret->text, sizeof ret->text, "%s/state.json", folder);
    return n < 0 || (size_t)n >= sizeof ret->text ? -ENAMETOOLONG : 0;
}

static int key_path(const char *folder, const struct key_record *k, struct path *ret)
{
    int n = snprintf(ret->text, sizeof ret->text, "%s/%s-%03u-%05u.pem", folder,
                     key_use_name((enum key_use)k->use), k->algorithm, k->tag);
    return n < 0 || (size_t)n >= sizeof ret->text ? -ENAMETOOLONG : 0;
}

/* ---- is it ours alone? ---- */

/* A key that others can read is no longer a secret: said, never repaired in silence. */
static int private_check(const char *path, bool folder, struct text *problems)
{
    struct stat st;
    if (stat(path, &st))
        return -errno;
    if (st.st_mode & OTHERS) {
        text_appendf(problems,
                     "%s: others than its owner may use this %s (mode %04o); if nobody did, chmod "
                     "%s it, else roll the key\n",
                     path, folder ? "folder" : "key", (unsigned)st.st_mode & 07777,
                     folder ? "0700" : "0600");
        return ERR_REFUSED;
    }
    if (st.st_uid != geteuid()) {
        text_appendf(problems,
                     "%s: belongs to uid %u; give it to the node's user (chown), uid %u\n", path,
                     (unsigned)st.st_uid, (unsigned)geteuid());
        return ERR_REFUSED;
    }
    return 0;
}

/* ---- state.json ---- */

static int pem_find(void *context, const char *name)
{
    size_t length = strlen(name);
    (void)context;
    return length > 4 && !strcmp(name + length - 4, ".pem") ? 1 : 0;
}

/* -ENOENT: there is no key yet. Keys without their state are not thrown away for new ones. */
static int state_missing(const char *folder, struct text *problems)
{
    int found = disk_list(folder, pem_find, NULL);
    if (found <= 0)
        return found == 0 ? -ENOENT : found;
    text_appendf(problems,
                 "%s: there are keys but no state.json that says how they are used; restore it "
                 "from a backup, or move the keys away to start with new ones\n",
                 folder);
    return ERR_MISSING;
}

static int state_load(const char *folder, struct text *problems, struct key_state *ret)
{
    struct path path;
    char *data;
    size_t length;
    const char *why = "";
    int err = state_path(folder, &path);
    if (!err && access(folder, F_OK)) {
        err = -errno;
        if (err != -ENOENT)
            text_appendf(problems, "%s: cannot be looked into: %s\n", folder, err_text(err));
        return err;
    }
    err = err ? err : private_check(folder, true, problems);
    if (err)
        return err;
    err = disk_read(path.text, KEY_STATE_FILE_MAX, &data, &length);
    if (err == -ENOENT)
        return state_missing(folder, problems);
    if (!err) {
        err = key_state_decode(data, length, ret, &why);
        free(data);
    }
    if (err)
        text_appendf(problems, "%s: cannot be used: %s; restore it from a backup\n", path.text,
                     *why ? why : err_text(err));
    return err;
}

bool dnssec_keys_exist(const char *data, const char *zone)
{
    struct path folder;
    return !zone_folder(data, "keys", zone, folder.text) && disk_may_exist(folder.text);
}

static int state_save(const char *folder, const struct key_state *s)
{
    struct path path;
    int err = state_path(folder, &path);
    if (err)
        return err;
    char *text = key_state_encode(s);
    err = disk_write_atomic(path.text, text, strlen(text), FILE_MODE);
    free(text);
    return err;
}

/* ---- keys ---- */

uint16_t dnssec_key_flags(enum key_use use)
{
    return use == KEY_ZSK ? DNSSEC_FLAG_ZONE : DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP;
}

static int key_write(const char *folder, const struct key_record *k, const struct dnssec_key *key)
{
    char pem[DNSSEC_PEM_MAX];
    struct path path;
    int err = key_path(folder, k, &path);
    err = err ? err : dnssec_key_format(key, pem);
    if (!err)
        err = disk_write_atomic(path.text, pem, strlen(pem), FILE_MODE);
    explicit_bzero(pem, sizeof pem);
    return err;
}

/* The key is on disk before the state names it. */
static int key_make(const char *folder, struct key_state *s, struct key_need need, int64_t now)
{
    int err = ERR_CONFLICT;
    for (unsigned i = 0; i < TAG_TRIES && err == ERR_CONFLICT; i++) {
        struct dnssec_key *key;
        err = dnssec_key_generate(need.algorithm, dnssec_key_flags(need.use), &key);
        if (err)
            return err;
        err = key_state_add(s, need, dnssec_key_tag(key), now);
        if (!err)
            err = key_write(folder, &s->keys[s->count - 1], key);
        dnssec_key_free(key);
    }
    return err;
}

static int key_read(const char *folder, const struct key_record *k, struct text *problems,
                    struct dnssec_key **ret)
{
    struct path path;
    char *pem;
    size_t length;
    int err = key_path(folder, k, &path);
    if (!err && access(path.text, F_OK))
        err = -errno;
    else if (!err && (err = private_check(path.text, false, problems)) == ERR_REFUSED)
        return err;
    err = err ? err : disk_read(path.text, DNSSEC_PEM_MAX, &pem, &length);
    if (err) {
        text_appendf(problems, "%s: cannot be read: %s; restore the key from a backup\n", path.text,
                     err_text(err));
        return err;
    }
    err = dnssec_key_parse(pem, length, k->algorithm, dnssec_key_flags((enum key_use)k->use), ret);
    explicit_bzero(pem, length);
    free(pem);
    if (!err && dnssec_key_tag(*ret) != k->tag) {
        dnssec_key_free(*ret);
        err = ERR_INVALID;
    }
    if (err)
        text_appendf(problems,
                     "%s: is not the private key that its name says; restore it from a backup\n",
                     path.text);
    return err;
}

/* ---- a ring ---- */

static void ring_list(struct dnssec_keyring *r, unsigned list,
                      bool (*chosen)(const struct key_record *), struct dnssec_key *const **ret,
                      unsigned *ret_count)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->state.count; i++)
        if (chosen(&r->state.keys[i]))
            r->lists[list][count++] = r->pairs[i];
    *ret = r->lists[list];
    *ret_count = count;
}

/* The active one first: where an answer has to be short of signatures, it is not of the best. */
static void zone_signers_list(struct dnssec_keyring *r)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->state.count; i++)
        if (key_signs_zone(&r->state.keys[i]))
            r->lists[2][count++] = r->pairs[i];
    for (unsigned i = 0; i < r->state.count; i++)
        if (!key_signs_zone(&r->state.keys[i]) &&
            key_state_signs_zone(&r->state, &r->state.keys[i]))
            r->lists[2][count++] = r->pairs[i];
    r->keys.zone_signers = r->lists[2];
    r->keys.zone_signer_count = count;
}

static bool key_is_published(const struct key_record *k)
{
    return k->stage != KEY_MADE;
}

static void ring_fill(struct dnssec_keyring *r, const struct config_dnssec *d)
{
    struct dnssec_zone_keys *k = &r->keys;
    ring_list(r, 0, key_is_published, &k->published, &k->published_count);
    ring_list(r, 1, key_signs_keys, &k->key_signers, &k->key_signer_count);
    zone_signers_list(r);
    ring_list(r, 3, key_delegated, &k->delegated, &k->delegated_count);
    k->delete_delegation = r->state.unsign;
    k->nsec3 = d->nsec3;
    k->dnskey_ttl = (uint32_t)r->policy.dnskey_ttl;
    k->now = (uint32_t)r->made;
    k->lifetime = (uint32_t)(d->lifetime / USEC_PER_SEC);
    k->refresh = (uint32_t)(d->refresh / USEC_PER_SEC);
    k->jitter = k->lifetime / JITTER_PART;
    invariant(k->lifetime > k->refresh + k->jitter);
    invariant(k->zone_signer_count >= 1 && k->key_signer_count >= 1); /* L3: never unsigned */
    invariant(k->published_count >= k->key_signer_count);
}

static int ring_read(struct dnssec_keyring *r, struct text *problems)
{
    for (unsigned i = 0; i < r->state.count; i++) {
        int err = key_read(r->folder, &r->state.keys[i], problems, &r->pairs[i]);
        if (err)
            return err;
    }
    return 0;
}

/* Makes what is missing, and moves what is due, until nothing is left to be done now. */
static int ring_advance(struct dnssec_keyring *r, struct text *problems)
{
    struct key_need need;
    for (;;) {
        struct key_record removed[KEY_RECORDS_MAX];
        unsigned count;
        int err = 0;
        while (!err && key_state_needs(&r->state, &r->policy, r->made, &need)) {
            err = key_make(r->folder, &r->state, need, r->made);
            /* Kept at once: a load that fails later finds it again instead of making another. */
            err = err ? err : state_save(r->folder, &r->state);
            r->saved = r->state;
        }
        if (err) {
            text_appendf(problems, "%s: cannot make a key here: %s\n", r->folder, err_text(err));
            return err;
        }
        r->next_event = key_state_step(&r->state, &r->policy, r->made, removed, &count);
        invariant(r->removed_count + count <= KEY_RECORDS_MAX);
        memcpy(r->removed + r->removed_count, removed, count * sizeof *removed);
        r->removed_count += count;
        if (!key_state_needs(&r->state, &r->policy, r->made, &need))
            return 0;
    }
}

static void ring_free(struct dnssec_keyring *r)
{
    for (unsigned i = 0; i < KEY_RECORDS_MAX; i++)
        dnssec_key_free(r->pairs[i]);
    free(r->folder);
    free(r);
}

static struct dnssec_keyring *ring_new(const struct dnssec_keys_request *q, const char *folder,
                                       const struct key_state *on_disk, const struct key_state *s)
{
    struct dnssec_keyring *r = mem_new(1, sizeof *r);
    r->references = 1;
    r->saved = *on_disk;
    r->state = *s;
    r->policy = key_policy_of(&q->zone->dnssec);
    r->made = q->wall;
    r->folder = mem_string(folder);
    return r;
}

/* What the configuration says and what is so. */
static void differences_tell(const struct dnssec_keys_request *q, const struct key_state *s,
                             struct text *problems)
{
    const struct config_dnssec *d = &q->zone->dnssec;
    bool split = s->keys[0].use != KEY_CSK;
    if (!d->on && s->unsign)
        return; /* on its way; status says how far it is */
    if (!d->on)
        text_appendf(
            problems,
            "%s: zone %s goes on being signed, since the parent may have a DS for it; have it "
            "removed with: holdfast dnssec unsign %s\n",
            q->zone->file, q->zone->name, q->zone->name);
    else if (split != d->split || s->keys[0].algorithm != d->algorithm)
        text_appendf(
            problems,
            "%s: the keys of zone %s are on their way from %s %s to %s %s; what the parent has to "
            "do is said by: holdfast dnssec status %s\n",
            q->zone->file, q->zone->name, dnssec_algorithm_name(s->keys[0].algorithm),
            split ? "split" : "csk", dnssec_algorithm_name(d->algorithm),
            d->split ? "split" : "csk", q->zone->name);
}

static const char keys_gone[] =
    "%s: the keys of zone %s are gone, but it is served signed; restore them from a backup (new "
    "ones would not fit the parent's DS)";

/* Nothing is on disk yet. */
static int first_check(const struct dnssec_keys_request *q, const char *folder,
                       struct text *problems)
{
    if (q->served_signed) {
        text_appendf(problems, keys_gone, folder, q->zone->name);
        text_append(problems, "\n");
        return ERR_MISSING;
    }
    int err = disk_folder_create(folder, FOLDER_MODE);
    err = err ? err : private_check(folder, true, problems);
    if (err && err != ERR_REFUSED)
        text_appendf(problems, "%s: cannot be made: %s\n", folder, err_text(err));
    return err;
}

static int ring_make(const struct dnssec_keys_request *q, const char *folder,
                     const struct key_state *on_disk, const struct key_state *s,
                     struct text *problems, struct dnssec_keyring **ret)
{
    struct dnssec_keyring *r = ring_new(q, folder, on_disk, s);
    int err = ring_advance(r, problems);
    err = err ? err : ring_read(r, problems);
    if (err) {
        ring_free(r);
        return err;
    }
    ring_fill(r, &q->zone->dnssec);
    int64_t unsigned_at = key_state_unsign_time(&r->state, &r->policy);
    if (unsigned_at < r->next_event)
        r->next_event = unsigned_at;
    *ret = r;
    return 0;
}

int dnssec_keys_load(const struct dnssec_keys_request *q, struct text *problems,
                     struct dnssec_keyring **ret)
{
    struct key_state s = {0};
    struct path folder;
    bool on = q->zone->dnssec.on;
    int err = zone_folder(q->data, "keys", q->zone->name, folder.text);
    err = err ? err : state_load(folder.text, problems, &s);
    bool none = err == -ENOENT;
    if (none && !on && !q->served_signed) {
        *ret = NULL;
        return 0;
    }
    if (none)
        err = first_check(q, folder.text, problems);
    if (err)
        return err;
    struct key_policy policy = key_policy_of(&q->zone->dnssec);
    if (!on && s.count && q->wall >= key_state_unsign_time(&s, &policy)) {
        *ret = NULL;
        return 0;
    }
    if (s.count)
        differences_tell(q, &s, problems);
    struct key_state on_disk = s;
    if (on)
        key_state_unsign_cancel(&s, q->served_signed, q->wall);
    return ring_make(q, folder.text, &on_disk, &s, problems, ret);
}

struct dnssec_keyring *dnssec_keyring_shared(const struct config_zone *zone,
                                             const struct key_state *state,
                                             struct dnssec_key *const *pairs, int64_t epoch,
                                             int64_t wall)
{
    struct dnssec_keyring *r = mem_new(1, sizeof *r);
    struct key_record removed[KEY_RECORDS_MAX];
    unsigned count;
    *r = (struct dnssec_keyring){.references = 1,
                                 .saved = *state,
                                 .state = *state,
                                 .policy = key_policy_of(&zone->dnssec),
                                 .made = epoch};
    memcpy(r->pairs, pairs, state->count * sizeof(struct dnssec_key *));
    ring_fill(r, &zone->dnssec);
    struct key_state next = *state;
    r->next_event = key_state_step(&next, &r->policy, wall, removed, &count);
    return r;
}

int dnssec_keyring_commit(struct dnssec_keyring *r, int64_t ttl_max)
{
    if (dnssec_keyring_is_shared(r))
        return 0;
    key_state_served(&r->state, &r->policy, ttl_max, r->made);
    int err = memcmp(&r->state, &r->saved, sizeof r->state) ? state_save(r->folder, &r->state) : 0;
    for (unsigned i = 0; !err && i < r->removed_count; i++) {
        struct path path;
        if (!key_path(r->folder, &r->removed[i], &path))
            (void)!disk_remove(path.text); /* a leftover does no harm */
    }
    if (!err) {
        r->saved = r->state;
        r->removed_count = 0;
    }
    return err;
}

struct dnssec_keyring *dnssec_keyring_ref(struct dnssec_keyring *ring)
{
    if (ring)
        ring->references++;
    return ring;
}

void dnssec_keyring_unref(struct dnssec_keyring *ring)
{
    if (!ring)
        return;
    invariant(ring->references > 0);
    if (--ring->references == 0)
        ring_free(ring);
}

/* ---- orders ---- */

void dnssec_ds_text(const uint8_t ds[static DNSSEC_DS_SIZE], struct text *out)
{
    text_appendf(out, "%u %u %u ", ds[0] << 8 | ds[1], ds[2], ds[3]);
    for (size_t i = 4; i < DNSSEC_DS_SIZE; i++)
        text_appendf(out, "%02X", ds[i]);
}

struct ds_context {
    const char *folder;
    const uint8_t *zone;
    struct text line;
};

static const char *ds_text(void *context, const struct key_record *k)
{
    struct ds_context *c = context;
    struct dnssec_key *key;
    struct text problems = text_init(1 << 16);
    uint8_t ds[DNSSEC_DS_SIZE];
    int err = key_read(c->folder, k, &problems, &key);
    text_done(&problems);
    if (err)
        return NULL;
    dnssec_key_ds(key, c->zone, ds);
    dnssec_key_free(key);
    text_reset(&c->line);
    dnssec_ds_text(ds, &c->line);
    return text_string(&c->line);
}

/* Keys that cannot be used stand before all else: nothing that follows happens without them. */
static void unusable_tell(const char *folder, const struct key_state *s, struct text *out)
{
    struct text problems = text_init(1 << 16);
    for (unsigned i = 0; i < s->count; i++) {
        struct dnssec_key *key;
        if (!key_read(folder, &s->keys[i], &problems, &key))
            dnssec_key_free(key);
    }
    if (problems.length)
        text_appendf(out,
                     "The zone goes on as it was, and cannot be signed anew until this is "
                     "mended:\n%s\n",
                     text_string(&problems));
    text_done(&problems);
}

static int status(const struct dnssec_keys_request *q, const char *folder,
                  const struct key_state *s, struct text *out)
{
    uint8_t zone[DNAME_MAX];
    struct key_policy policy = key_policy_of(&q->zone->dnssec);
    if (dname_parse(q->zone->name, strlen(q->zone->name), NULL, zone) <= 0)
        return ERR_INVALID;
    unusable_tell(folder, s, out);
    struct ds_context c = {folder, zone, text_init(1 << 10)};
    key_state_describe(s, &policy, q->zone->name, ds_text, &c, out);
    text_done(&c.line);
    return 0;
}

int dnssec_keys_order(const struct dnssec_keys_request *q, enum dnssec_order order,
                      enum key_use use, struct text *out)
{
    struct key_policy policy = key_policy_of(&q->zone->dnssec);
    struct key_state s;
    struct path folder;
    int err = zone_folder(q->data, "keys", q->zone->name, folder.text);
    err = err ? err : state_load(folder.text, out, &s);
    if (err == -ENOENT && q->served_signed)
        text_appendf(out, keys_gone, folder.text, q->zone->name);
    else if (err == -ENOENT)
        text_appendf(out, "%s has no keys%s", q->zone->name,
                     q->zone->dnssec.on ? " yet" : "; say dnssec: on in its configuration");
    if (err)
        return err;
    switch (order) {
    case DNSSEC_STATUS:
        return status(q, folder.text, &s, out);
    case DNSSEC_ROLL:
        err = key_state_roll(&s, &policy, use, out);
        break;
    case DNSSEC_DS_SEEN:
        err = key_state_ds_seen(&s, &policy, q->wall, out);
        break;
    case DNSSEC_DS_GONE:
        err = key_state_ds_gone(&s, &policy, q->wall, out);
        break;
    case DNSSEC_UNSIGN:
        if (q->zone->dnssec.on) {
            text_appendf(out,
                         "the configuration says that %s is to be signed; set its dnssec to off "
                         "first (it stays signed until no cache wants signatures)",
                         q->zone->name);
            return ERR_CONFLICT;
        }
        err = key_state_unsign(&s, q->wall, out);
        break;
    }
    if (err)
        return err;
    err = state_save(folder.text, &s);
    if (err) {
        text_reset(out);
        text_appendf(out, "%s: the state could not be saved: %s", folder.text, err_text(err));
    }
    return err;
}
