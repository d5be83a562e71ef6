/* DNS cookies (RFC 7873) as all servers make them (RFC 9018): version, time, and SipHash-2-4 over
 * these, the client's half and its address. Nothing is remembered of any client. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COOKIE_SECRET_SIZE = 16, /* a SipHash key */
    COOKIE_SECRETS_MAX = 3,
    COOKIE_SECRETS_TEXT_MAX = 4096,
    COOKIE_CLIENT_SIZE = 8,
    COOKIE_SERVER_SIZE = 16,
    COOKIE_SIZE = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE,
    COOKIE_SIZE_MAX = 40,  /* of anybody's (RFC 7873 4) */
    COOKIE_LIFE_S = 3600,  /* RFC 9018 4.3 */
    COOKIE_FUTURE_S = 300, /* clocks of a fleet differ */
    COOKIE_RENEW_S = 1800, /* an older one is replaced */
};

/* Cookies are made with the first and accepted with each; none: no cookies. */
struct cookie_secrets {
    uint8_t list[COOKIE_SECRETS_MAX][COOKIE_SECRET_SIZE];
    uint8_t count;
};

/* One secret a line, 32 hexadecimal digits; empty lines and what follows a # count for nothing. 0;
 * ERR_SYNTAX with the line's number, from 1; ERR_LIMIT: too many; ERR_MISSING: none. */
must_check int cookie_secrets_parse(const char *text, size_t length, struct cookie_secrets *ret,
                                    unsigned *ret_line);

/* J.-P. Aumasson, D. J. Bernstein: SipHash, a fast short-input PRF (2012). */
pure_function uint64_t cookie_siphash(const uint8_t key[static COOKIE_SECRET_SIZE],
                                      const void *data, size_t length);

/* Is the size of a COOKIE option one that RFC 7873 5.2.2 allows? */
static inline bool cookie_well_formed(size_t size)
{
    return size == COOKIE_CLIENT_SIZE ||
           (size >= COOKIE_CLIENT_SIZE + 8 && size <= COOKIE_SIZE_MAX);
}

/* Did this server, or another with the same secret, give it to that client in the last hour? now:
 * seconds since 1970. */
bool cookie_good(const struct cookie_secrets *s, const uint8_t *cookie, size_t length,
                 const struct ip *client, uint32_t now);

/* What goes into the response: a good and young cookie as it is, else a new one. */
void cookie_answer(const struct cookie_secrets *s, const uint8_t *cookie, size_t length,
                   const struct ip *client, uint32_t now, uint8_t ret_cookie[static COOKIE_SIZE]);
