#include "serve/dns/cookie.h"
#include "base/bytes.h"
#include "base/digits.h"
#include "base/err.h"
#include "base/invariant.h"
#include <string.h>

/* ---- SipHash-2-4 ---- */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static uint64_t load_le(const uint8_t *p, size_t length)
{
    uint64_t v = 0;
    for (size_t i = 0; i < length; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    sip_round(s);
    s->a ^= word;
}

uint64_t cookie_siphash(const uint8_t key[static COOKIE_SECRET_SIZE], const void *data,
                        size_t length)
{
    uint64_t low = load_le(key, 8), high = load_le(key + 8, 8);
    struct sip s = {low ^ 0x736f6d6570736575u, high ^ 0x646f72616e646f6du,
                    low ^ 0x6c7967656e657261u, high ^ 0x7465646279746573u};
    const uint8_t *p = data;
    size_t whole = length / 8 * 8;
    for (size_t i = 0; i < whole; i += 8)
        sip_word(&s, load_le(p + i, 8));
    sip_word(&s, (uint64_t)length << 56 | load_le(p + whole, length - whole));
    s.c ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* ---- cookies ---- */

enum { HEAD_SIZE = 8, VERSION = 1 }; /* version, three reserved bytes, time */

/* RFC 9018 4.4: the hash over client cookie, head and address, low byte first. */
static void cookie_hash(const uint8_t *secret, const uint8_t *cookie, const struct ip *client,
                        uint8_t ret_hash[static 8])
{
    uint8_t data[COOKIE_CLIENT_SIZE + HEAD_SIZE + 16];
    memcpy(data, cookie, COOKIE_CLIENT_SIZE + HEAD_SIZE);
    memcpy(data + COOKIE_CLIENT_SIZE + HEAD_SIZE, client->bytes, ip_size(client));
    uint64_t h = cookie_siphash(secret, data, COOKIE_CLIENT_SIZE + HEAD_SIZE + ip_size(client));
    for (int i = 0; i < 8; i++)
        ret_hash[i] = (uint8_t)(h >> (8 * i));
}

/* Number of the secret that it was made with, or -1. */
static int cookie_secret(const struct cookie_secrets *s, const uint8_t *cookie,
                         const struct ip *client)
{
    invariant(s->count <= COOKIE_SECRETS_MAX);
    for (int i = 0; i < s->count; i++) {
        uint8_t hash[8], different = 0;
        cookie_hash(s->list[i], cookie, client, hash);
        for (int k = 0; k < 8; k++) /* in constant time */
            different |= hash[k] ^ cookie[COOKIE_CLIENT_SIZE + HEAD_SIZE + k];
        if (!different)
            return i;
    }
    return -1;
}

/* Serial number arithmetic (RFC 9018 4.3): the time in a cookie wraps in 2106. */
static int32_t cookie_age(const uint8_t *cookie, uint32_t now)
{
    const uint8_t *t = cookie + COOKIE_CLIENT_SIZE + 4;
    uint32_t made = (uint32_t)t[0] << 24 | (uint32_t)t[1] << 16 | (uint32_t)t[2] << 8 | t[3];
    return (int32_t)(now - made);
}

static bool cookie_timely(const uint8_t *cookie, size_t length, uint32_t now)
{
    if (length != COOKIE_SIZE || cookie[COOKIE_CLIENT_SIZE] != VERSION)
        return false;
    int32_t age = cookie_age(cookie, now);
    return age <= COOKIE_LIFE_S && age >= -COOKIE_FUTURE_S;
}

bool cookie_good(const struct cookie_secrets *s, const uint8_t *cookie, size_t length,
                 const struct ip *client, uint32_t now)
{
    return cookie_timely(cookie, length, now) && cookie_secret(s, cookie, client) >= 0;
}

void cookie_answer(const struct cookie_secrets *s, const uint8_t *cookie, size_t length,
                   const struct ip *client, uint32_t now, uint8_t ret_cookie[static COOKIE_SIZE])
{
    invariant(s->count > 0 && length >= COOKIE_CLIENT_SIZE);
    if (cookie_timely(cookie, length, now) && cookie_age(cookie, now) <= COOKIE_RENEW_S &&
        cookie_secret(s, cookie, client) == 0) {
        memcpy(ret_cookie, cookie, COOKIE_SIZE);
        return;
    }
    memcpy(ret_cookie, cookie, COOKIE_CLIENT_SIZE);
    const uint8_t head[HEAD_SIZE] = {
        VERSION,     0, 0, 0, (uint8_t)(now >> 24), (uint8_t)(now >> 16), (uint8_t)(now >> 8),
        (uint8_t)now};
    memcpy(ret_cookie + COOKIE_CLIENT_SIZE, head, sizeof head);
    cookie_hash(s->list[0], ret_cookie, client, ret_cookie + COOKIE_CLIENT_SIZE + HEAD_SIZE);
}

/* ---- secrets as text ---- */

static bool secret_parse(const char *text, size_t length, uint8_t *ret)
{
    return length == (size_t)COOKIE_SECRET_SIZE * 2 && hex_bytes(text, COOKIE_SECRET_SIZE, ret);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What a line says, without its comment and the blanks around. */
static size_t line_trim(const char **line, size_t length)
{
    const char *comment = memchr(*line, '#', length);
    length = comment ? (size_t)(comment - *line) : length;
    while (length && is_blank((*line)[length - 1]))
        length--;
    for (; length && is_blank(**line); length--)
        ++*line;
    return length;
}

int cookie_secrets_parse(const char *text, size_t length, struct cookie_secrets *ret,
                         unsigned *ret_line)
{
    struct cookie_secrets s = {.count = 0};
    const char *end = text + length;
    for (unsigned number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *line = text;
        size_t size = line_trim(&line, (size_t)((newline ? newline : end) - text));
        text = newline ? newline + 1 : end;
        *ret_line = number;
        if (!size)
            continue;
        if (s.count == COOKIE_SECRETS_MAX)
            return ERR_LIMIT;
        if (!secret_parse(line, size, s.list[s.count++]))
            return ERR_SYNTAX;
    }
    if (!s.count)
        return ERR_MISSING;
    *ret = s;
    return 0;
}
