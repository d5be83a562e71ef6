/* EDNS options, CHAOS names and rate limits as a client sees them. */
#include "serve/dns/cookie.h"
#include "serve/dns/query_ask.h"
#include "test/check_main.h"

#define expect(r, text, ...) ck_assert_str_eq(rig_ask((r), (struct ask){__VA_ARGS__}), (text))
#define WWW                                                                          \
    "qd www.example.com A\nan www.example.com 300 A 192.0.2.80\nan www.example.com " \
    "300 A 192.0.2.81\n"
#define OPTIONS(...)                                 \
    .size = 1232, .options = (uint8_t[])__VA_ARGS__, \
    .options_length = sizeof((uint8_t[])__VA_ARGS__)
#define CLIENT_COOKIE                       \
    {                                       \
        0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 \
    }

enum { NOW = 1700000000 };

static uint64_t now_fixed(void)
{
    return NOW;
}

static struct query_policy policy = {
    .nsid = "ams1", .nsid_length = 4, .version = "holdfast", .id = "ams1"};
static const struct cookie_secrets secrets = {{{1, 2, 3}, {4, 5, 6}}, 2};

static struct rig *rig_granting(const struct query_policy *p)
{
    struct rig *r = rig_new();
    r->ctx.policy = p;
    r->ctx.cookies = secrets;
    r->ctx.wall = now_fixed;
    return r;
}

START_TEST(test_extended_errors)
{
    struct rig *r = rig_new();
    expect(r, "REFUSED qr\nqd www.example.org A\nopt 1232 ede 20\n", "www.example.org", DNS_A,
           .size = 1232);
    expect(r, "REFUSED qr\nqd www.example.org A\n", "www.example.org", DNS_A);
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A, .size = 1232);
    /* other classes, types that are none, transfers over UDP: not supported; those over TCP, and
     * with no right to them: prohibited; and EDNS is answered with EDNS (RFC 6891 6.1.1) */
    expect(r, "REFUSED qr\nqd www.example.com A class 4\nopt 1232 ede 21\n", "www.example.com",
           DNS_A, .class = 4, .size = 1232);
    expect(r, "REFUSED qr\nqd version.bind TXT class 3\nopt 1232 ede 21\n", "version.bind", 16,
           .class = 3, .size = 1232);
    expect(r, "NOTIMP qr\nqd www.example.com TYPE253\nopt 1232 ede 21\n", "www.example.com", 253,
           .size = 1232);
    expect(r, "REFUSED qr\nqd example.com TYPE252\nopt 1232 do ede 21\n", "example.com", DNS_AXFR,
           .size = 1232, .dnssec_ok = true);
    expect(r, "REFUSED qr\nqd example.com TYPE252\nopt 1232 ede 18\n", "example.com", DNS_AXFR,
           .size = 1232, .tcp = true);
    expect(r, "REFUSED qr\nqd example.com TYPE252\n", "example.com", DNS_AXFR, .tcp = true);
    served_free(r->served);
    r->served = NULL;
    expect(r, "SERVFAIL qr\nqd www.example.com A\nopt 1232 ede 14\n", "www.example.com", DNS_A,
           .size = 1232);
    expect(r, "SERVFAIL qr\nqd www.example.com A\n", "www.example.com", DNS_A);
    rig_free(r);
}
END_TEST

START_TEST(test_nsid)
{
    struct rig *r = rig_granting(&policy);
    expect(r, "NOERROR qr aa\n" WWW "opt 1232 option 3 616d7331\n", "www.example.com", DNS_A,
           OPTIONS({0, 3, 0, 0}));
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A, .size = 1232);
    expect(r, "REFUSED qr\nqd x.example.org A\nopt 1232 option 3 616d7331 ede 20\n",
           "x.example.org", DNS_A, OPTIONS({0, 3, 0, 0}));
    /* together with a client subnet */
    expect(r, "NOERROR qr aa\n" WWW "opt 1232 subnet 1/24/0 10.1.2.0 option 3 616d7331\n",
           "www.example.com", DNS_A, OPTIONS({0, 3, 0, 0, 0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2}));
    r->ctx.policy = NULL;
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A, OPTIONS({0, 3, 0, 0}));
    rig_free(r);
}
END_TEST

#define CHAOS(n, t) .name = n, .type = t, .class = DNS_CH
START_TEST(test_chaos)
{
    struct rig *r = rig_new();
    expect(r, "REFUSED qr\nqd version.bind TXT class 3\n", CHAOS("version.bind", DNS_TXT));
    r->ctx.policy = &policy;
    expect(r,
           "NOERROR qr aa\nqd VERSION.bind TXT class 3\n"
           "an VERSION.bind 0 TXT class 3 08686f6c6466617374\n",
           CHAOS("VERSION.bind", DNS_TXT));
    expect(r,
           "NOERROR qr aa\nqd version.server TXT class 3\n"
           "an version.server 0 TXT class 3 08686f6c6466617374\n",
           CHAOS("version.server", DNS_TXT));
    expect(r, "NOERROR qr aa\nqd id.server TXT class 3\nan id.server 0 TXT class 3 04616d7331\n",
           CHAOS("id.server", DNS_TXT));
    expect(r,
           "NOERROR qr aa\nqd hostname.bind TXT class 3\n"
           "an hostname.bind 0 TXT class 3 04616d7331\n",
           CHAOS("hostname.bind", DNS_TXT));
    expect(r, "REFUSED qr\nqd version.bind A class 3\n", CHAOS("version.bind", DNS_A));
    expect(r, "REFUSED qr\nqd authors.bind TXT class 3\n", CHAOS("authors.bind", DNS_TXT));
    expect(r, "REFUSED qr\nqd www.example.com TXT class 3\n", CHAOS("www.example.com", DNS_TXT));
    expect(r, "REFUSED qr\nqd version.bind TXT class 4\n", "version.bind", DNS_TXT, .class = 4);
    rig_free(r);
}
END_TEST

/* The COOKIE option of the response, 24 bytes, or NULL. */
static const char *cookie_text(const char *response)
{
    const char *at = strstr(response, " option 10 ");
    return at ? at + strlen(" option 10 ") : NULL;
}

static const char *ask_cookie(struct rig *r, const uint8_t *cookie, size_t length, const char *from,
                              bool tcp)
{
    uint8_t option[4 + 64] = {0, 10, 0, (uint8_t)length};
    memcpy(option + 4, cookie, length);
    return rig_ask(r, (struct ask){"www.example.com", DNS_A, .size = 1232, .options = option,
                                   .options_length = 4 + length, .from = from, .tcp = tcp});
}

static void cookie_learn(struct rig *r, const char *from, uint8_t ret_cookie[static COOKIE_SIZE])
{
    static const uint8_t client[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const char *text = cookie_text(ask_cookie(r, client, sizeof client, from, false));
    ck_assert_ptr_nonnull(text);
    for (unsigned i = 0, v; i < COOKIE_SIZE; i++) {
        ck_assert_int_eq(sscanf(text + (size_t)i * 2, "%2x", &v), 1);
        ret_cookie[i] = (uint8_t)v;
    }
    ck_assert_mem_eq(ret_cookie, client, sizeof client);
}

START_TEST(test_cookies)
{
    struct rig *r = rig_granting(&policy);
    uint8_t cookie[COOKIE_SIZE], long_one[41] = {0};
    cookie_learn(r, "192.0.2.5", cookie);
    const char *got = ask_cookie(r, cookie, sizeof cookie, "192.0.2.5", false);
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa\n" WWW));
    ck_assert_ptr_nonnull(strstr(got, " option 10 0102030405060708"));
    /* the same client over a socket for both families has the same cookie */
    uint8_t mapped[COOKIE_SIZE];
    cookie_learn(r, "::ffff:192.0.2.5", mapped);
    ck_assert_mem_eq(mapped, cookie, sizeof mapped);
    /* RFC 7873 5.2.2 */
    for (size_t n = 0; n <= 41; n++) {
        got = ask_cookie(r, long_one, n, "192.0.2.5", false);
        bool fine = n == 8 || (n >= 16 && n <= 40);
        ck_assert_msg(!strncmp(got, fine ? "NOERROR" : "FORMERR", 7), "%zu: %s", n, got);
    }
    r->ctx.cookies.count = 0;
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A, OPTIONS(CLIENT_COOKIE));
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A,
           OPTIONS({0, 10, 0, 1, 1}));
    rig_free(r);
}
END_TEST

/* The RCODE and the cookie of the response to a message without a question. */
static unsigned bare_ask(struct rig *r, const uint8_t *cookie, size_t length, unsigned options,
                         uint8_t *ret_cookie)
{
    enum { HEAD = 12, OPT = 11, AT_COOKIE = HEAD + OPT + 4 };
    uint8_t wire[128] = {0, 9, [11] = 1, [14] = DNS_OPT, [15] = 4, [22] = 0, [24] = 10};
    uint8_t response[512];
    struct query_client client = {(const uint8_t *)"\300\0\2\5", IP_V4, false, 0, NULL};
    wire[22] = (uint8_t)(options * (4 + length));
    wire[26] = (uint8_t)length;
    memcpy(wire + AT_COOKIE, cookie, length);
    size_t size = AT_COOKIE - 4 + options * (4 + length);
    size = query_answer(&r->ctx, r->served, wire, size, &client, response, sizeof response);
    ck_assert_uint_ge(size, HEAD);
    ck_assert_uint_eq(response[2] << 8 | response[5] | response[7] | response[9], 0x8000);
    if (size > HEAD && ret_cookie) {
        ck_assert_uint_eq(size, AT_COOKIE + COOKIE_SIZE);
        memcpy(ret_cookie, response + AT_COOKIE, COOKIE_SIZE);
    }
    return size > HEAD ? (unsigned)(response[HEAD + 5] << 4 | (response[3] & 15))
                       : 100u + (response[3] & 15);
}

/* RFC 7873 5.4: no question, to learn a cookie, or whether one is good still. */
START_TEST(test_cookie_alone)
{
    enum { HEADER_ALONE = 100, BAD = 23 };
    struct query_policy strict = policy;
    strict.cookie_required = true;
    struct rig *r = rig_granting(&strict);
    uint8_t cookie[COOKIE_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8}, again[COOKIE_SIZE];
    ck_assert_uint_eq(bare_ask(r, cookie, 8, 1, cookie), DNS_NOERROR);
    ck_assert_uint_eq(bare_ask(r, cookie, sizeof cookie, 1, again), DNS_NOERROR);
    ck_assert_mem_eq(again, cookie, sizeof again);
    again[23] ^= 1;
    ck_assert_uint_eq(bare_ask(r, again, sizeof again, 1, again), BAD);
    ck_assert_mem_eq(again, cookie, sizeof again); /* the good one comes with it */
    ck_assert_uint_eq(bare_ask(r, cookie, 9, 1, NULL), HEADER_ALONE + DNS_FORMERR);
    ck_assert_uint_eq(bare_ask(r, cookie, 8, 0, NULL), HEADER_ALONE + DNS_FORMERR);
    r->ctx.cookies.count = 0;
    ck_assert_uint_eq(bare_ask(r, cookie, 8, 1, NULL), HEADER_ALONE + DNS_FORMERR);
    rig_free(r);
}
END_TEST

START_TEST(test_cookie_required)
{
    struct query_policy strict = policy;
    strict.cookie_required = true;
    struct rig *r = rig_granting(&strict);
    uint8_t cookie[COOKIE_SIZE];
    cookie_learn(r, "192.0.2.5", cookie);
    const char *got = ask_cookie(r, cookie, sizeof cookie, "192.0.2.6", false);
    ck_assert_ptr_nonnull(strstr(got, "qd www.example.com A\nopt 1232 high 256 option 10 "));
    ck_assert_ptr_null(strstr(got, "\nan "));
    ck_assert_ptr_nonnull(strstr(ask_cookie(r, cookie, 8, "192.0.2.6", false), " high 256 "));
    ck_assert_ptr_nonnull(strstr(ask_cookie(r, cookie, 8, "192.0.2.6", true), "NOERROR qr aa\n"));
    ck_assert_ptr_nonnull(
        strstr(ask_cookie(r, cookie, sizeof cookie, "192.0.2.5", false), "NOERROR qr aa\n" WWW));
    /* who knows no cookies is served */
    expect(r, "NOERROR qr aa\n" WWW, "www.example.com", DNS_A);
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_RESPONSES_BADCOOKIE]), 3);
    rig_free(r);
}
END_TEST

static unsigned bytes_of(struct rig *r, struct ask a, unsigned count)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++) {
        rig_ask(r, a);
        sum += (unsigned)r->length;
    }
    return sum;
}

/* A flood under a victim's address: what it gets is bounded by the rate, and what slips through is
 * no larger than what was asked. */
START_TEST(test_bounded_amplification)
{
    enum { FLOOD = 20000, RATE = 20 };
    struct rig *r = rig_granting(&policy);
    struct ask a = {"www.example.com", DNS_A, .size = 1232};
    unsigned whole = bytes_of(r, a, 1);
    r->ctx.limit = limit_new((struct limit_rates){.each = RATE}, 2, 4096);
    r->ctx.now = 50 * USEC_PER_SEC;
    unsigned asked = DNS_HEADER_SIZE + 17 + 4 + 11;
    unsigned got = bytes_of(r, a, FLOOD);
    ck_assert_uint_gt(whole, asked);
    ck_assert_uint_le(got, RATE * whole + FLOOD / 2 * asked);
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_LIMITED_DROPPED]) +
                          atomic_load(&r->stats->values[DNS_LIMITED_SLIPPED]),
                      FLOOD - RATE);
    /* another network, another name and TCP are not touched by it */
    expect(r, "NOERROR qr aa\n" WWW, "www.example.com", DNS_A, .from = "198.51.100.1");
    expect(r, "NOERROR qr aa\n" WWW, "www.example.com", DNS_A, .tcp = true);
    expect(r, "NOERROR qr aa\nqd mail.example.com A\nan mail.example.com 3600 A 192.0.2.25\n",
           "mail.example.com", DNS_A);
    limit_free(r->ctx.limit);
    rig_free(r);
}
END_TEST

/* Names without end are one answer: those that are not there, and those that a wildcard makes. */
START_TEST(test_random_names)
{
    static const char *const parents[] = {"example.com", "wild.example.com", "sub.example.com",
                                          "example.org", "moved.example.com"};
    for (size_t f = 0; f < array_length(parents); f++) {
        struct rig *r = rig_granting(NULL);
        unsigned answered = 0;
        r->ctx.limit = limit_new((struct limit_rates){.each = 5}, 0, 4096);
        r->ctx.now = 50 * USEC_PER_SEC;
        for (unsigned i = 0; i < 1000; i++) {
            char name[64];
            snprintf(name, sizeof name, "x%u.%s", i, parents[f]);
            answered += strcmp(rig_ask(r, (struct ask){name, DNS_A}), "dropped") != 0;
        }
        ck_assert_msg(answered == 5, "%s: %u", parents[f], answered);
        limit_free(r->ctx.limit);
        rig_free(r);
    }
}
END_TEST

START_TEST(test_good_cookies_are_not_limited)
{
    struct rig *r = rig_granting(&policy);
    uint8_t cookie[COOKIE_SIZE];
    cookie_learn(r, "192.0.2.5", cookie);
    r->ctx.limit = limit_new((struct limit_rates){.each = 1}, 0, 64);
    r->ctx.now = 50 * USEC_PER_SEC;
    for (unsigned i = 0; i < 100; i++)
        ck_assert_str_ne(ask_cookie(r, cookie, sizeof cookie, "192.0.2.5", false), "dropped");
    cookie[20] ^= 1;
    ck_assert_str_ne(ask_cookie(r, cookie, sizeof cookie, "192.0.2.5", false), "dropped");
    ck_assert_str_eq(ask_cookie(r, cookie, sizeof cookie, "192.0.2.5", false), "dropped");
    limit_free(r->ctx.limit);
    rig_free(r);
}
END_TEST

/* Over a stream: tls as in struct query_client. */
static const char *stream_ask(struct rig *r, uint8_t tls, struct ask a)
{
    uint8_t wire[1024];
    struct ip ip;
    size_t length = ask_write(&a, wire, sizeof wire);
    ck_assert_int_eq(ip_parse("192.0.2.200", &ip), 0);
    struct query_client client = {ip.bytes, ip.family, true, tls};
    r->length =
        query_answer(&r->ctx, r->served, wire, length, &client, r->response, DNS_MESSAGE_MAX);
    text_reset(&r->text);
    const char *wrong = message_text(r->response, r->length, &r->text);
    return wrong ? wrong : text_string(&r->text);
}

/* RFC 7828: told over streams, to who asks. */
START_TEST(test_keepalive)
{
    struct rig *r = rig_new();
    r->ctx.keepalive = 100;
    struct ask asks = {"www.example.com", DNS_A, OPTIONS({0, 11, 0, 0})};
    struct ask plain = {"www.example.com", DNS_A, .size = 1232};
    ck_assert_str_eq(stream_ask(r, 0, asks), "NOERROR qr aa\n" WWW "opt 1232 option 11 0064\n");
    ck_assert_str_eq(stream_ask(r, 0, plain), "NOERROR qr aa\n" WWW "opt 1232\n");
    ck_assert_str_eq(rig_ask(r, asks), "NOERROR qr aa\n" WWW "opt 1232\n");
    rig_free(r);
}
END_TEST

/* RFC 7830, RFC 8467: over TLS alone, where the client pads, whatever else is in the message. */
START_TEST(test_padding)
{
    enum { BLOCK = 468 };
    struct rig *r = rig_granting(&policy);
    struct ask pads = {"www.example.com", DNS_A, OPTIONS({0, 12, 0, 2, 0, 0})};
    struct ask more = {"multi.example.com", DNS_AAAA, OPTIONS({0, 12, 0, 0, 0, 3, 0, 0})};
    struct ask none = {"www.example.com", DNS_A, .size = 1232};
    ck_assert_ptr_nonnull(
        strstr(stream_ask(r, 13, pads), "NOERROR qr aa\n" WWW "opt 1232 option 12 00"));
    ck_assert_uint_eq(r->length, BLOCK);
    ck_assert_ptr_nonnull(strstr(stream_ask(r, 12, more), "option 3 616d7331"));
    ck_assert_uint_gt(r->length, BLOCK);
    ck_assert_uint_eq(r->length % BLOCK, 0);
    ck_assert_str_eq(stream_ask(r, 13, none), "NOERROR qr aa\n" WWW "opt 1232\n");
    ck_assert_str_eq(stream_ask(r, 0, pads), "NOERROR qr aa\n" WWW "opt 1232\n");
    ck_assert_str_eq(rig_ask(r, pads), "NOERROR qr aa\n" WWW "opt 1232\n");
    rig_free(r);
}
END_TEST

/* RFC 8914 4.4: where control has been silent for long, answers that health decides say so. */
START_TEST(test_stale)
{
    struct rig *r = rig_new();
    struct ask steered = {"api.example.com", DNS_A, .size = 1232};
    ck_assert_ptr_null(strstr(rig_ask(r, steered), "ede"));
    r->ctx.stale = true;
    ck_assert_ptr_nonnull(strstr(rig_ask(r, steered), "opt 1232 ede 3\n"));
    expect(r, "NOERROR qr aa\n" WWW "opt 1232\n", "www.example.com", DNS_A, .size = 1232);
    expect(r, "NOERROR qr aa\n" WWW, "www.example.com", DNS_A);
    rig_free(r);
}
END_TEST

/* One set of several (RFC 8482), and it says so. */
START_TEST(test_any)
{
    struct rig *r = rig_new();
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"www.example.com", DNS_ANY, .size = 1232}),
                                 "opt 1232 ede 21\n"));
    ck_assert_ptr_null(
        strstr(rig_ask(r, (struct ask){"missing.example.com", DNS_ANY, .size = 1232}), "ede"));
    rig_free(r);
}
END_TEST

CHECK_MAIN("extra", test_extended_errors, test_nsid, test_chaos, test_cookies, test_cookie_alone,
           test_cookie_required, test_bounded_amplification, test_random_names,
           test_good_cookies_are_not_limited, test_keepalive, test_padding, test_stale, test_any)
