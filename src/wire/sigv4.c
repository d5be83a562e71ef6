#include "wire/sigv4.h"

#include "base/date.h"
#include "base/invariant.h"
#include "wire/sigv4_canonical.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
enum { HASH_SIZE = 32, HASH_TEXT = 2 * HASH_SIZE + 1, TIME_TEXT = 20 };

/* For "%.*s". */
#define BYTES(b) (int)(b).length, (const char *)(b).data

/* ---- times ---- */

static bool digits_read(const uint8_t *at, unsigned count, unsigned *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *ret = *ret * 10 + (at[i] - '0');
    }
    return true;
}

/* Of a date whose year was read by itself. */
static bool time_make(unsigned year, struct date *d, int64_t *ret)
{
    d->year = (int)year;
    if (year < 1970 || !date_exists(d))
        return false;
    *ret = date_seconds(d);
    return true;
}

/* "20150830T123600Z" */
static bool time_basic(struct bytes b, int64_t *ret)
{
    struct date d;
    unsigned year;
    return b.length == 16 && b.data[8] == 'T' && b.data[15] == 'Z' &&
           digits_read(b.data, 4, &year) && digits_read(b.data + 4, 2, &d.month) &&
           digits_read(b.data + 6, 2, &d.day) && digits_read(b.data + 9, 2, &d.hour) &&
           digits_read(b.data + 11, 2, &d.minute) && digits_read(b.data + 13, 2, &d.second) &&
           time_make(year, &d, ret);
}

/* "Sun, 30 Aug 2015 12:36:00 GMT": the Date header (RFC 9110 5.6.7). */
static bool time_http(struct bytes b, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date d = {.month = 1};
    unsigned year;
    if (b.length != 29 || memcmp(b.data + 3, ", ", 2) || memcmp(b.data + 25, " GMT", 4))
        return false;
    while (d.month <= 12 && memcmp(b.data + 8, months + (size_t)3 * (d.month - 1), 3))
        d.month++;
    return digits_read(b.data + 5, 2, &d.day) && digits_read(b.data + 12, 4, &year) &&
           digits_read(b.data + 17, 2, &d.hour) && digits_read(b.data + 20, 2, &d.minute) &&
           digits_read(b.data + 23, 2, &d.second) && time_make(year, &d, ret);
}

static const char *time_format(int64_t wall, char buffer[static TIME_TEXT])
{
    struct date d = date_of(wall);
    snprintf(buffer, TIME_TEXT, "%04d%02u%02uT%02u%02u%02uZ", d.year % 10000, d.month % 100,
             d.day % 100, d.hour % 100, d.minute % 100, d.second % 100);
    return buffer;
}

/* ---- finding ---- */

static const struct http1_header *header_find(const struct sigv4_request *r, const char *name)
{
    for (unsigned i = 0; i < r->header_count; i++)
        if (sigv4_is(r->headers[i].name, name))
            return &r->headers[i];
    return NULL;
}

static bool parameter_find(const struct sigv4_request *r, const char *name, struct bytes *ret)
{
    struct bytes rest = r->query, one, key;
    while (sigv4_next(&rest, '&', &one))
        if (sigv4_next(&one, '=', &key) && sigv4_is(key, name)) {
            *ret = one;
            return true;
        }
    return false;
}

static enum sigv4_outcome incomplete(struct text *why, const char *what, const char *where)
{
    text_appendf(why, "%s requires %s.", where, what);
    return SIGV4_INCOMPLETE;
}

/* "AKID/20150830/us-east-1/service/aws4_request", the slashes escaped where it comes in a query. */
static bool credential_read(struct bytes b, struct sigv4 *s)
{
    struct bytes *const parts[] = {&s->key_id, &s->date, &s->region, &s->service};
    size_t at = 0;
    for (unsigned i = 0; i < array_length(parts); i++) {
        size_t begin = at;
        while (at < b.length && b.data[at] != '/' &&
               !(s->presigned && b.length - at >= 3 &&
                 sigv4_is((struct bytes){b.data + at, 3}, "%2F")))
            at++;
        if (at == begin || at == b.length)
            return false;
        *parts[i] = (struct bytes){b.data + begin, at - begin};
        at += b.data[at] == '/' ? 1 : 3;
    }
    return b.length - at == 12 && !memcmp(b.data + at, "aws4_request", 12);
}

static enum sigv4_outcome credential_take(struct bytes b, struct sigv4 *s, struct text *why)
{
    if (credential_read(b, s))
        return SIGV4_GOOD;
    text_append(why, "Credential must have exactly 5 slash-delimited elements, e.g. "
                     "keyid/date/region/service/term.");
    return SIGV4_INCOMPLETE;
}

static struct bytes without_blanks(struct bytes b)
{
    while (b.length && (*b.data == ' ' || *b.data == '\t')) {
        b.data++;
        b.length--;
    }
    while (b.length && (b.data[b.length - 1] == ' ' || b.data[b.length - 1] == '\t'))
        b.length--;
    return b;
}

static enum sigv4_outcome header_date(const struct sigv4_request *r, struct sigv4 *s,
                                      struct text *why)
{
    const struct http1_header *amz = header_find(r, "x-amz-date"), *date = header_find(r, "date");
    const struct http1_header *h = amz ? amz : date;
    if (!h)
        return incomplete(why, "existence of either a 'X-Amz-Date' or a 'Date' header",
                          "Authorization header");
    if (time_basic(h->value, &s->wall) || (!amz && time_http(h->value, &s->wall)))
        return SIGV4_GOOD;
    text_appendf(why,
                 "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                 "http://en.wikipedia.org/wiki/ISO_8601",
                 BYTES(h->value));
    return SIGV4_INCOMPLETE;
}

static enum sigv4_outcome header_form(const struct sigv4_request *r, struct bytes value,
                                      struct sigv4 *s, struct text *why)
{
    struct bytes part, key, credential = {0}, names = {0};
    size_t skip = strlen(ALGORITHM);
    if (value.length < skip || memcmp(value.data, ALGORITHM, skip)) {
        text_append(why, "Authorization header requires the algorithm '" ALGORITHM "'.");
        return SIGV4_INCOMPLETE;
    }
    value.data += skip;
    value.length -= skip;
    while (sigv4_next(&value, ',', &part)) {
        part = without_blanks(part);
        if (!sigv4_next(&part, '=', &key))
            continue;
        if (sigv4_is(key, "Credential"))
            credential = part;
        else if (sigv4_is(key, "SignedHeaders"))
            names = part;
        else if (sigv4_is(key, "Signature"))
            s->signature = part;
    }
    if (!credential.length || !names.length || !s->signature.length)
        return incomplete(why,
                          !credential.length     ? "'Credential' parameter"
                          : !s->signature.length ? "'Signature' parameter"
                                                 : "'SignedHeaders' parameter",
                          "Authorization header");
    enum sigv4_outcome outcome = credential_take(credential, s, why);
    snprintf(s->signed_headers, sizeof s->signed_headers, "%.*s", BYTES(names));
    s->has_token = header_find(r, "x-amz-security-token") != NULL;
    return outcome ? outcome : header_date(r, s, why);
}

static enum sigv4_outcome query_form(const struct sigv4_request *r, struct sigv4 *s,
                                     struct text *why)
{
    static const char where[] = "AWS query-string authentication";
    struct bytes algorithm, credential, names, date, expires, token;
    unsigned seconds;
    s->presigned = true;
    if (!parameter_find(r, "X-Amz-Algorithm", &algorithm) || !sigv4_is(algorithm, ALGORITHM))
        return incomplete(why, "'X-Amz-Algorithm' to be " ALGORITHM, where);
    if (!parameter_find(r, "X-Amz-Credential", &credential))
        return incomplete(why, "a valid 'X-Amz-Credential' parameter", where);
    if (!parameter_find(r, "X-Amz-SignedHeaders", &names) || !names.length)
        return incomplete(why, "a valid 'X-Amz-SignedHeaders' parameter", where);
    if (!parameter_find(r, "X-Amz-Date", &date) || !time_basic(date, &s->wall))
        return incomplete(why, "a valid 'X-Amz-Date' parameter", where);
    if (!parameter_find(r, "X-Amz-Expires", &expires) || !expires.length || expires.length > 6 ||
        !digits_read(expires.data, (unsigned)expires.length, &seconds) || !seconds ||
        seconds > SIGV4_EXPIRES_MAX_S)
        return incomplete(why, "'X-Amz-Expires' to be 1 to 604800 seconds", where);
    s->expires = seconds;
    http1_decode(names, s->signed_headers, sizeof s->signed_headers);
    s->has_token = parameter_find(r, "X-Amz-Security-Token", &token);
    return credential_take(credential, s, why);
}

enum sigv4_outcome sigv4_find(const struct sigv4_request *r, struct sigv4 *ret, struct text *why)
{
    const struct http1_header *header = header_find(r, "authorization");
    struct sigv4 s = {0};
    enum sigv4_outcome outcome;
    bool presigned = parameter_find(r, "X-Amz-Signature", &s.signature);
    if (header && presigned) {
        text_append(why, "There is a signature both in the query and in the Authorization header; "
                         "only one is allowed.");
        return SIGV4_INCOMPLETE;
    }
    if (!header && !presigned) {
        text_append(why, "Missing Authentication Token");
        return SIGV4_MISSING;
    }
    outcome = header ? header_form(r, header->value, &s, why) : query_form(r, &s, why);
    if (!outcome)
        *ret = s;
    return outcome;
}

/* ---- verifying ---- */

static void hex_append(struct text *out, const uint8_t hash[static HASH_SIZE])
{
    for (unsigned i = 0; i < HASH_SIZE; i++)
        text_appendf(out, "%02x", hash[i]);
}

static void sha256(const void *data, size_t length, char hex[static HASH_TEXT])
{
    uint8_t hash[HASH_SIZE];
    struct text out = text_init(HASH_TEXT);
    int done = EVP_Digest(data ? data : "", length, hash, NULL, EVP_sha256(), NULL);
    invariant(done == 1);
    hex_append(&out, hash);
    memcpy(hex, text_string(&out), HASH_TEXT);
    text_done(&out);
}

static void hmac(const uint8_t *key, size_t key_length, struct bytes data,
                 uint8_t ret[static HASH_SIZE])
{
    unsigned length = 0;
    const void *made =
        HMAC(EVP_sha256(), key, (int)key_length, data.data, data.length, ret, &length);
    invariant(made && length == HASH_SIZE);
}

/* The key of one day, region and service, and what it makes of the text. */
static void signature_make(const char *secret, const struct sigv4 *s, const struct text *text,
                           char hex[static HASH_TEXT])
{
    uint8_t first[4 + SIGV4_SECRET_MAX] = "AWS4", key[HASH_SIZE];
    size_t length = strlen(secret);
    invariant(length <= SIGV4_SECRET_MAX);
    memcpy(first + 4, secret, length);
    hmac(first, 4 + length, s->date, key);
    hmac(key, HASH_SIZE, s->region, key);
    hmac(key, HASH_SIZE, s->service, key);
    hmac(key, HASH_SIZE, sigv4_bytes("aws4_request"), key);
    hmac(key, HASH_SIZE, sigv4_bytes(text_string(text)), key);
    struct text out = text_init(HASH_TEXT);
    hex_append(&out, key);
    memcpy(hex, text_string(&out), HASH_TEXT);
    text_done(&out);
    OPENSSL_cleanse(first, sizeof first);
    OPENSSL_cleanse(key, sizeof key);
}

static enum sigv4_outcome time_check(const struct sigv4 *s, const struct sigv4_rules *rules,
                                     struct text *why)
{
    char is[TIME_TEXT], now[TIME_TEXT], limit[TIME_TEXT];
    int64_t until = s->presigned ? s->wall + s->expires : s->wall + SIGV4_SKEW_S;
    time_format(s->wall, is);
    time_format(rules->wall, now);
    if (s->date.length != 8 || memcmp(s->date.data, is, 8)) {
        text_appendf(why,
                     "Date in Credential scope does not match YYYYMMDD from ISO-8601 version "
                     "of date from HTTP: '%.*s' != '%.8s', from '%s'.",
                     BYTES(s->date), is, is);
        return SIGV4_INVALID;
    }
    if (rules->wall > until) {
        text_appendf(why, "Signature expired: %s is now earlier than %s (%s - %s.)",
                     time_format(until - (s->presigned ? 0 : SIGV4_SKEW_S), is),
                     s->presigned ? now : time_format(rules->wall - SIGV4_SKEW_S, limit), now,
                     s->presigned ? "0 min" : "15 min");
        return SIGV4_INVALID;
    }
    if (s->wall > rules->wall + SIGV4_SKEW_S) {
        text_appendf(why, "Signature not yet current: %s is still later than %s (%s + 15 min.)", is,
                     time_format(rules->wall + SIGV4_SKEW_S, limit), now);
        return SIGV4_INVALID;
    }
    return SIGV4_GOOD;
}

static bool is_signed(const struct sigv4 *s, struct bytes name)
{
    struct bytes rest = sigv4_bytes(s->signed_headers), one;
    while (sigv4_next(&rest, ';', &one)) {
        size_t k = 0;
        while (k < one.length && k < name.length && (one.data[k] | 0x20) == (name.data[k] | 0x20))
            k++;
        if (k == one.length && k == name.length)
            return true;
    }
    return false;
}

static bool is_amz(struct bytes name)
{
    return name.length > 6 && sigv4_is((struct bytes){name.data, 6}, "x-amz-") &&
           !sigv4_is(name, "x-amz-security-token");
}

static enum sigv4_outcome coverage_check(const struct sigv4_request *r, const struct sigv4 *s,
                                         struct text *why)
{
    const char *lacks = is_signed(s, sigv4_bytes("host")) ? NULL : "Host";
    for (unsigned i = 0; i < r->header_count && !lacks; i++)
        if (is_amz(r->headers[i].name) && !is_signed(s, r->headers[i].name)) {
            text_appendf(why, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.",
                         BYTES(r->headers[i].name));
            return SIGV4_INVALID;
        }
    if (!lacks)
        return SIGV4_GOOD;
    text_appendf(why, "'%s' must be a 'SignedHeader' in the AWS Authorization.", lacks);
    return SIGV4_INVALID;
}

/* What stands for the body in the canonical request: its hash, which the client may have said as
 * well. False: the client has said another. */
static bool payload_find(const struct sigv4_request *r, const struct sigv4_rules *rules,
                         char hash[static HASH_TEXT], struct bytes *ret)
{
    const struct http1_header *said = header_find(r, "x-amz-content-sha256");
    sha256(r->body.data, r->body.length, hash);
    *ret = sigv4_bytes(hash);
    if (!said)
        return true;
    if (rules->unsigned_payload && sigv4_is(said->value, "UNSIGNED-PAYLOAD")) {
        *ret = said->value;
        return true;
    }
    return said->value.length == SIGV4_SIGNATURE_SIZE &&
           !CRYPTO_memcmp(said->value.data, hash, SIGV4_SIGNATURE_SIZE);
}

static bool signature_is(const struct sigv4_request *r, const struct sigv4 *s,
                         const struct sigv4_rules *rules)
{
    char hash[HASH_TEXT], time[TIME_TEXT], expected[HASH_TEXT];
    struct text canonical = text_init(SIGV4_CANONICAL_MAX), sign = text_init(1024);
    struct bytes payload;
    bool good =
        payload_find(r, rules, hash, &payload) && sigv4_canonical(r, s, payload, &canonical);
    if (good) {
        sha256(text_string(&canonical), canonical.length, hash);
        text_appendf(&sign, ALGORITHM "\n%s\n%.*s/%.*s/%.*s/aws4_request\n%s",
                     time_format(s->wall, time), BYTES(s->date), BYTES(s->region),
                     BYTES(s->service), hash);
        signature_make(rules->secret, s, &sign, expected);
        good = !sign.failed && s->signature.length == SIGV4_SIGNATURE_SIZE &&
               !CRYPTO_memcmp(s->signature.data, expected, SIGV4_SIGNATURE_SIZE);
    }
    text_done(&canonical);
    text_done(&sign);
    return good;
}

enum sigv4_outcome sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s,
                                const struct sigv4_rules *rules, struct text *why)
{
    size_t length = strlen(rules->service);
    if (s->service.length != length || memcmp(s->service.data, rules->service, length)) {
        text_appendf(why, "Credential should be scoped to correct service: '%s'.", rules->service);
        return SIGV4_INVALID;
    }
    enum sigv4_outcome outcome = time_check(s, rules, why);
    outcome = outcome ? outcome : coverage_check(r, s, why);
    if (outcome || signature_is(r, s, rules))
        return outcome;
    text_append(why, "The request signature we calculated does not match the signature you "
                     "provided. Check your AWS Secret Access Key and signing method. Consult the "
                     "service documentation for details.");
    return SIGV4_INVALID;
}
