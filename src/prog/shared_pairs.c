#include "prog/shared_pairs.h"

#include "base/digits.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/seal_io.h"
#include "seam/entropy.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

enum { PURPOSE_MAX = DNAME_TEXT_MAX + 32 };

/* A box is of this key of this zone alone. */
static const char *purpose_of(const char *zone, const struct shared_pair *p, struct text *out)
{
    text_appendf(out, "%s %s %u %u", zone, key_use_name((enum key_use)p->use), p->algorithm,
                 p->tag);
    return text_string(out);
}

static char *hex_text(const uint8_t *data, size_t size)
{
    char *text = mem_new(2 * size + 1, 1);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    return text;
}

/* Bytes of digits that shared_keys_decode() has looked at; free(). */
static uint8_t *hex_decode(const char *text, size_t *ret_size)
{
    size_t size = strlen(text) / 2;
    uint8_t *data = mem_new(size + 1, 1);
    bool good = hex_bytes(text, size, data);
    invariant(good);
    *ret_size = size;
    return data;
}

int shared_pair_new(const uint8_t secret[static SEAL_KEY_SIZE], const char *zone,
                    const struct key_need *need, struct shared_pair *ret)
{
    struct dnssec_key *key;
    char pem[DNSSEC_PEM_MAX];
    uint8_t nonce[SEAL_NONCE_SIZE], box[DNSSEC_PEM_MAX + SEAL_BOX_MORE];
    size_t length;
    int err = dnssec_key_generate(need->algorithm, dnssec_key_flags(need->use), &key);
    if (err)
        return err;
    err = dnssec_key_format(key, pem);
    if (!err) {
        const uint8_t *rdata = dnssec_key_rdata(key, &length);
        struct text purpose = text_init(PURPOSE_MAX);
        struct shared_pair p = {.use = (uint8_t)need->use,
                                .algorithm = need->algorithm,
                                .tag = dnssec_key_tag(key),
                                .dnskey = hex_text(rdata, length)};
        entropy_fill(nonce, sizeof nonce);
        seal_box(secret, nonce, purpose_of(zone, &p, &purpose), pem, strlen(pem), box);
        p.sealed = hex_text(box, strlen(pem) + SEAL_BOX_MORE);
        text_done(&purpose);
        *ret = p;
    }
    explicit_bzero(pem, sizeof pem);
    dnssec_key_free(key);
    return err;
}

/* The private key of a pair: 0, or ERR_CHECKSUM, ERR_INVALID. Free with dnssec_key_free. */
static int pair_open(const uint8_t secret[static SEAL_KEY_SIZE], const char *zone,
                     const struct shared_pair *pair, struct dnssec_key **ret)
{
    struct text purpose = text_init(PURPOSE_MAX);
    size_t size;
    uint8_t *box = hex_decode(pair->sealed, &size);
    char *pem = mem_new(size + 1, 1);
    int err = seal_open(secret, purpose_of(zone, pair, &purpose), box, size, (uint8_t *)pem);
    if (!err)
        err = dnssec_key_parse(pem, size - SEAL_BOX_MORE, pair->algorithm,
                               dnssec_key_flags((enum key_use)pair->use), ret);
    if (!err && dnssec_key_tag(*ret) != pair->tag) {
        dnssec_key_free(*ret);
        err = ERR_INVALID;
    }
    explicit_bzero(pem, size);
    free(pem);
    free(box);
    text_done(&purpose);
    return err;
}

/* ---- what is said of them ---- */

struct described {
    const struct shared_keys *keys;
    const uint8_t *zone;
    struct text line;
};

static const char *ds_of(void *context, const struct key_record *k)
{
    struct described *d = context;
    uint8_t ds[DNSSEC_DS_SIZE];
    for (unsigned i = 0; i < d->keys->state.count; i++) {
        const struct shared_pair *p = &d->keys->pairs[i];
        size_t size;
        if (p->tag != k->tag)
            continue;
        uint8_t *rdata = hex_decode(p->dnskey, &size);
        int err = dnssec_rdata_ds(rdata, size, k->tag, d->zone, ds);
        free(rdata);
        if (err)
            return NULL;
        text_reset(&d->line);
        dnssec_ds_text(ds, &d->line);
        return text_string(&d->line);
    }
    return NULL;
}

void shared_keys_describe(const struct shared_keys *k, const struct config_zone *zone,
                          struct text *out)
{
    struct key_policy policy = key_policy_of(&zone->dnssec);
    uint8_t name[DNAME_MAX];
    struct described d = {k, name, text_init(1 << 10)};
    if (dname_parse(zone->name, strlen(zone->name), NULL, name) > 0)
        key_state_describe(&k->state, &policy, zone->name, ds_of, &d, out);
    text_done(&d.line);
}

/* ---- a ring ---- */

static int pairs_open(const struct shared_ring_request *q, const struct shared_keys *k,
                      struct dnssec_key **pairs, struct text *why)
{
    uint8_t secret[SEAL_KEY_SIZE];
    int err = seal_secret(q->data, q->seal, secret, why);
    for (unsigned i = 0; !err && i < k->state.count; i++) {
        err = pair_open(secret, q->zone->name, &k->pairs[i], &pairs[i]);
        if (err)
            text_appendf(why, "key %u is sealed with another secret or damaged", k->pairs[i].tag);
    }
    explicit_bzero(secret, sizeof secret);
    return err;
}

/* L3: what is served signed never goes on unsigned because its keys are not there. */
static int none_check(const struct shared_ring_request *q, struct text *problems)
{
    if (!q->served_signed || !q->zone->dnssec.on)
        return 0;
    text_appendf(problems,
                 "%s: zone %s is served signed, but nodes share no keys of it; take dnssec out of "
                 "it only after holdfast dnssec unsign\n",
                 q->zone->file, q->zone->name);
    return ERR_MISSING;
}

int shared_ring_open(const struct shared_ring_request *q, struct text *problems,
                     struct dnssec_keyring **ret)
{
    struct shared_keys k = {0};
    struct dnssec_key *pairs[KEY_RECORDS_MAX] = {NULL};
    struct text why = text_init(1 << 12);
    const char *wrong = "";
    *ret = NULL;
    if (!q->keys)
        return none_check(q, problems);
    int err = shared_keys_decode(q->keys, &k, &wrong);
    if (err)
        text_append(&why, wrong);
    else
        err = pairs_open(q, &k, pairs, &why);
    if (!err) {
        *ret = dnssec_keyring_shared(q->zone, &k.state, pairs, k.epoch, q->wall);
    } else {
        text_appendf(problems,
                     "%s: the keys of zone %s cannot be opened on this node: %s; it serves no "
                     "other version of it until they can\n",
                     q->zone->file, q->zone->name, text_string(&why));
        for (unsigned i = 0; i < KEY_RECORDS_MAX; i++)
            dnssec_key_free(pairs[i]);
    }
    shared_keys_done(&k);
    text_done(&why);
    return err;
}
