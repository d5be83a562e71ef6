#include "wire/tsig.h"
#include "base/digits.h"
#include "base/err.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/dnsmsg.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { TIME_BYTES = 6, ADDITIONAL_COUNT = 10, ID_BYTES = 2 };

static const struct {
    const char *digest; /* OpenSSL's name */
    const char *wire;
    uint8_t mac_length;
} algorithms[TSIG_ALGORITHMS] = {
    [TSIG_SHA224] = {"SHA224", "\013hmac-sha224", 28},
    [TSIG_SHA256] = {"SHA256", "\013hmac-sha256", 32},
    [TSIG_SHA384] = {"SHA384", "\013hmac-sha384", 48},
    [TSIG_SHA512] = {"SHA512", "\013hmac-sha512", 64},
};
enum { ALGORITHM_WIRE_LENGTH = 13 };

int tsig_secret_parse(const char *text, struct tsig_key *key)
{
    uint32_t bits = 0;
    unsigned count = 0, digits = 0;
    const char *p = text;
    uint8_t secret[TSIG_SECRET_MAX];
    for (; base64_digit(*p) >= 0; p++, digits++) {
        bits = bits << 6 | (uint32_t)base64_digit(*p);
        if (digits % 4 == 0)
            continue;
        if (count == TSIG_SECRET_MAX)
            return ERR_LIMIT;
        secret[count++] = (uint8_t)(bits >> (6 - 2 * (digits % 4)));
    }
    unsigned padding = 0;
    for (; *p == '='; p++)
        padding++;
    if (*p || digits % 4 == 1 || (digits + padding) % 4 || padding > 2)
        return ERR_SYNTAX;
    if (!count)
        return ERR_LIMIT;
    memcpy(key->secret, secret, count);
    key->secret_length = (uint8_t)count;
    return 0;
}

/* ---- finding ---- */

static int rdata_read(struct reader *r, struct tsig *t)
{
    int length = dnsmsg_name(r, t->algorithm);
    if (length < 0)
        return length;
    dnsmsg_name_lower(t->algorithm);
    t->time = (uint64_t)reader_u16(r) << 32;
    t->time |= reader_u32(r);
    t->fudge = reader_u16(r);
    t->mac.length = reader_u16(r);
    t->mac.data = reader_take(r, t->mac.length);
    t->original_id = reader_u16(r);
    t->error = reader_u16(r);
    t->other.length = reader_u16(r);
    t->other.data = reader_take(r, t->other.length);
    return r->failed ? ERR_TRUNCATED : 0;
}

/* Steps over one record; *ret_tsig: it is a TSIG, whose data lie from r->position. */
static int record_step(struct reader *r, uint8_t name[static DNAME_MAX], bool *ret_tsig,
                       size_t *ret_end)
{
    int length = dnsmsg_name(r, name);
    if (length < 0)
        return length;
    uint16_t type = reader_u16(r), class = reader_u16(r);
    uint32_t ttl = reader_u32(r);
    uint16_t size = reader_u16(r);
    if (r->failed || reader_left(r) < size)
        return ERR_TRUNCATED;
    *ret_end = r->position + size;
    *ret_tsig = type == DNS_TSIG;
    return *ret_tsig && (class != DNS_CLASS_ANY || ttl) ? ERR_SYNTAX : 0;
}

int tsig_find(const uint8_t *wire, size_t length, struct tsig *ret)
{
    struct reader r = reader_init(wire, length);
    struct tsig t;
    unsigned counts[DNSMSG_SECTIONS], records;
    reader_take(&r, 4);
    for (unsigned i = 0; i < DNSMSG_SECTIONS; i++)
        counts[i] = reader_u16(&r);
    for (unsigned i = 0; i < counts[0] && !r.failed; i++) {
        if (dnsmsg_name(&r, t.name) < 0)
            return ERR_SYNTAX;
        reader_take(&r, 4);
    }
    if (r.failed)
        return ERR_TRUNCATED;
    records = counts[1] + counts[2] + counts[3];
    for (unsigned i = 0; i < records; i++) {
        bool found;
        size_t end;
        t.offset = r.position;
        int err = record_step(&r, t.name, &found, &end);
        if (err)
            return err;
        if (!found) {
            r.position = end;
            continue;
        }
        /* RFC 8945 5.1: the last record of the additional section */
        if (i + 1 < records || !counts[3] || end != length)
            return ERR_SYNTAX;
        dnsmsg_name_lower(t.name);
        r.length = end;
        err = rdata_read(&r, &t);
        if (err || r.position != end)
            return err ? err : ERR_SYNTAX;
        *ret = t;
        return 0;
    }
    return ERR_MISSING;
}

/* ---- digests ---- */

static EVP_MAC_CTX *digest_begin(const struct tsig_key *key)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    invariant(mac && key->secret_length && key->algorithm < TSIG_ALGORITHMS);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char *)algorithms[key->algorithm].digest, 0),
        OSSL_PARAM_construct_end()};
    int good = ctx && EVP_MAC_init(ctx, key->secret, key->secret_length, params);
    invariant(good);
    return ctx;
}

static void digest_add(EVP_MAC_CTX *ctx, const void *data, size_t length)
{
    int good = EVP_MAC_update(ctx, data, length);
    invariant(good);
}

static void digest_add_u16(EVP_MAC_CTX *ctx, size_t v)
{
    digest_add(ctx, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void digest_end(EVP_MAC_CTX *ctx, uint8_t mac[static TSIG_MAC_MAX])
{
    size_t length;
    int good = EVP_MAC_final(ctx, mac, &length, TSIG_MAC_MAX);
    invariant(good);
    EVP_MAC_CTX_free(ctx);
}

/* The message as it was before its TSIG came: with the original id, and one record less where one
 * is counted already (RFC 8945 4.3.2). */
static void digest_message(EVP_MAC_CTX *ctx, const uint8_t *wire, size_t length, unsigned id,
                           bool counted)
{
    unsigned records = (unsigned)(wire[ADDITIONAL_COUNT] << 8 | wire[ADDITIONAL_COUNT + 1]);
    digest_add_u16(ctx, id);
    digest_add(ctx, wire + ID_BYTES, ADDITIONAL_COUNT - ID_BYTES);
    digest_add_u16(ctx, records - counted);
    digest_add(ctx, wire + DNS_HEADER_SIZE, length - DNS_HEADER_SIZE);
}

static void time_write(struct writer *w, uint64_t time)
{
    writer_u16(w, (uint16_t)(time >> 32));
    writer_u32(w, (uint32_t)time);
}

struct variables {
    uint64_t time;
    uint16_t fudge, error;
    struct bytes other;
};

static void digest_variables(EVP_MAC_CTX *ctx, const struct tsig_key *key,
                             const struct variables *v, bool timers_only)
{
    uint8_t timers[TIME_BYTES + 2];
    struct writer w = writer_init(timers, sizeof timers);
    time_write(&w, v->time);
    writer_u16(&w, v->fudge);
    if (!timers_only) {
        digest_add(ctx, key->name, dname_length(key->name));
        digest_add(ctx, "\0\377\0\0\0", 6); /* class ANY, TTL 0 */
        digest_add(ctx, algorithms[key->algorithm].wire, ALGORITHM_WIRE_LENGTH);
    }
    digest_add(ctx, timers, sizeof timers);
    if (timers_only)
        return;
    digest_add_u16(ctx, v->error);
    digest_add_u16(ctx, v->other.length);
    if (v->other.length)
        digest_add(ctx, v->other.data, v->other.length);
}

/* A digest that goes on from the MAC before. */
static EVP_MAC_CTX *digest_continue(const struct tsig_session *s)
{
    EVP_MAC_CTX *ctx = digest_begin(s->key);
    if (s->state != TSIG_STATE_REQUEST) {
        digest_add_u16(ctx, s->mac_length);
        digest_add(ctx, s->mac, s->mac_length);
    }
    return ctx;
}

static void session_step(struct tsig_session *s, const uint8_t *mac, size_t length)
{
    invariant(length <= TSIG_MAC_MAX);
    memcpy(s->mac, mac, length);
    s->mac_length = (uint8_t)length;
    s->state = s->state == TSIG_STATE_REQUEST ? TSIG_STATE_FIRST : TSIG_STATE_LATER;
    s->unsigned_count = 0;
}

void tsig_session_done(struct tsig_session *s)
{
    EVP_MAC_CTX_free(s->running);
    s->running = NULL;
    OPENSSL_cleanse(s->mac, sizeof s->mac);
}

/* ---- verifying ---- */

static bool algorithm_is(const struct tsig *t, const struct tsig_key *key)
{
    return dname_length(t->algorithm) == ALGORITHM_WIRE_LENGTH &&
           !memcmp(t->algorithm, algorithms[key->algorithm].wire, ALGORITHM_WIRE_LENGTH);
}

static bool name_is(const struct tsig *t, const struct tsig_key *key)
{
    return dname_equal(t->name, dname_length(t->name), key->name, dname_length(key->name));
}

static bool time_is(const struct tsig *t, uint64_t now)
{
    uint64_t apart = t->time > now ? t->time - now : now - t->time;
    return apart <= t->fudge;
}

static bool mac_is(struct tsig_session *s, EVP_MAC_CTX *ctx, const uint8_t *wire,
                   const struct tsig *t)
{
    uint8_t mac[TSIG_MAC_MAX];
    struct variables v = {t->time, t->fudge, t->error, t->other};
    digest_message(ctx, wire, t->offset, t->original_id, true);
    digest_variables(ctx, s->key, &v, s->state == TSIG_STATE_LATER);
    digest_end(ctx, mac);
    return t->mac.length <= algorithms[s->key->algorithm].mac_length &&
           !CRYPTO_memcmp(mac, t->mac.data, t->mac.length);
}

static bool mac_is_whole(const struct tsig_session *s, const struct tsig *t)
{
    return t->mac.length == algorithms[s->key->algorithm].mac_length;
}

/* RFC 8945 5.2: key, then MAC, then time, then whether so short a MAC is taken. It is not, but who
 * sent it has the key: the answer is signed (5.3.2). */
int tsig_request_verify(struct tsig_session *s, const struct tsig_key *key, const uint8_t *wire,
                        const struct tsig *t, uint64_t now)
{
    *s = (struct tsig_session){.request_time = t->time};
    if (!key || !name_is(t, key) || !algorithm_is(t, key))
        return s->error = TSIG_BADKEY;
    size_t full = algorithms[key->algorithm].mac_length;
    if (t->mac.length > full || t->mac.length < 10 || t->mac.length < full / 2)
        return ERR_SYNTAX; /* 5.2.2.1 */
    s->key = key;
    if (!mac_is(s, digest_continue(s), wire, t)) {
        s->key = NULL;
        return s->error = TSIG_BADSIG;
    }
    session_step(s, t->mac.data, t->mac.length);
    if (!time_is(t, now))
        return s->error = TSIG_BADTIME;
    return mac_is_whole(s, t) ? 0 : (s->error = TSIG_BADTRUNC);
}

static int reply_unsigned(struct tsig_session *s, const uint8_t *wire, size_t length)
{
    if (s->state != TSIG_STATE_LATER || s->unsigned_count == TSIG_UNSIGNED_MAX)
        return ERR_MISSING;
    if (!s->running)
        s->running = digest_continue(s);
    digest_add(s->running, wire, length);
    s->unsigned_count++;
    return 0;
}

int tsig_reply_verify(struct tsig_session *s, const uint8_t *wire, size_t length, uint64_t now,
                      size_t *ret_length)
{
    struct tsig t;
    invariant(s->key && s->state != TSIG_STATE_REQUEST);
    int err = tsig_find(wire, length, &t);
    if (err == ERR_MISSING && !(err = reply_unsigned(s, wire, length)))
        *ret_length = length;
    else if (err)
        return err;
    else {
        if (!name_is(&t, s->key) || !algorithm_is(&t, s->key))
            return ERR_INVALID;
        EVP_MAC_CTX *ctx = s->running ? s->running : digest_continue(s);
        s->running = NULL;
        if (!mac_is(s, ctx, wire, &t) || !mac_is_whole(s, &t) || t.error)
            return ERR_INVALID;
        session_step(s, t.mac.data, t.mac.length);
        if (!time_is(&t, now))
            return ERR_OLDER;
        *ret_length = t.offset;
    }
    return 0;
}

/* ---- signing ---- */

static void record_write(struct writer *w, const struct tsig_key *key, const uint8_t *name,
                         const uint8_t *algorithm, const struct variables *v,
                         const struct bytes *mac, const uint8_t *id)
{
    size_t algorithm_length = key ? ALGORITHM_WIRE_LENGTH : dname_length(algorithm);
    writer_bytes(w, name, dname_length(name));
    writer_u16(w, DNS_TSIG);
    writer_u16(w, DNS_CLASS_ANY);
    writer_u32(w, 0);
    writer_u16(w, (uint16_t)(algorithm_length + TIME_BYTES + 10 + mac->length + v->other.length));
    writer_bytes(w, key ? (const uint8_t *)algorithms[key->algorithm].wire : algorithm,
                 algorithm_length);
    time_write(w, v->time);
    writer_u16(w, v->fudge);
    writer_u16(w, (uint16_t)mac->length);
    writer_bytes(w, mac->data, mac->length);
    writer_bytes(w, id, ID_BYTES);
    writer_u16(w, v->error);
    writer_u16(w, (uint16_t)v->other.length);
    writer_bytes(w, v->other.data, v->other.length);
}

static int record_count(uint8_t *wire, const struct writer *w)
{
    unsigned records = (unsigned)(wire[ADDITIONAL_COUNT] << 8 | wire[ADDITIONAL_COUNT + 1]) + 1;
    if (w->failed || records > UINT16_MAX)
        return ERR_LIMIT;
    wire[ADDITIONAL_COUNT] = (uint8_t)(records >> 8);
    wire[ADDITIONAL_COUNT + 1] = (uint8_t)records;
    return (int)w->position;
}

int tsig_sign(struct tsig_session *s, uint8_t *wire, size_t length, size_t size, uint64_t now)
{
    uint8_t mac[TSIG_MAC_MAX], server_time[TIME_BYTES];
    struct writer w = writer_init(server_time, sizeof server_time);
    struct variables v = {now, TSIG_FUDGE_S, s->error, {NULL, 0}};
    invariant(s->key && length >= DNS_HEADER_SIZE && length <= size);
    if (s->error == TSIG_BADTIME) { /* RFC 8945 5.2.3: the client's time, and ours beside it */
        time_write(&w, now);
        v.time = s->request_time;
        v.other = (struct bytes){server_time, sizeof server_time};
    }
    w = writer_init(wire, size);
    w.position = length;
    EVP_MAC_CTX *ctx = digest_continue(s);
    digest_message(ctx, wire, length, (unsigned)(wire[0] << 8 | wire[1]), false);
    digest_variables(ctx, s->key, &v, s->state == TSIG_STATE_LATER);
    digest_end(ctx, mac);
    struct bytes view = {mac, algorithms[s->key->algorithm].mac_length};
    record_write(&w, s->key, s->key->name, NULL, &v, &view, wire);
    int result = record_count(wire, &w);
    if (result > 0)
        session_step(s, mac, view.length);
    return result;
}

size_t tsig_request_size(const struct tsig_key *key)
{
    enum { FIXED = 2 + 2 + 4 + 2 + TIME_BYTES + 10 }; /* all but the names and the MAC */
    return dname_length(key->name) + ALGORITHM_WIRE_LENGTH + FIXED +
           algorithms[key->algorithm].mac_length;
}

int tsig_refuse(const struct tsig_session *s, const struct tsig *t, uint8_t *wire, size_t length,
                size_t size)
{
    struct variables v = {t->time, t->fudge, s->error, {NULL, 0}};
    struct writer w = writer_init(wire, size);
    w.position = length;
    record_write(&w, NULL, t->name, t->algorithm, &v, &(struct bytes){NULL, 0}, wire);
    return record_count(wire, &w);
}
