#include "base/bytes.h"
#include "base/err.h"
#include "serve/dns/cookie.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

static void unhex(const char *text, uint8_t *to)
{
    unsigned v;
    for (; sscanf(text, "%2x", &v) == 1; text += 2)
        *to++ = (uint8_t)v;
}

/* The paper's vector: key 00..0f, data 00..0e. */
START_TEST(test_siphash)
{
    uint8_t key[16], data[15];
    for (unsigned i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    for (unsigned i = 0; i < 15; i++)
        data[i] = (uint8_t)i;
    ck_assert_uint_eq(cookie_siphash(key, data, sizeof data), 0xa129ca6149be45e5u);
    ck_assert_uint_eq(cookie_siphash(key, data, 0), 0x726fdb47dd0e0e31u);
}
END_TEST

static const char first[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";
static const char second[] = "445536bcd2513298075a5d379663c962";

static struct cookie_secrets secrets_of(const char *newest, const char *before)
{
    struct cookie_secrets s = {.count = before ? 2 : 1};
    unhex(newest, s.list[0]);
    if (before)
        unhex(before, s.list[1]);
    return s;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(text, &ip), 0);
    return ip;
}

static void answers(const struct cookie_secrets *p, const char *client, const char *asked,
                    uint32_t now, const char *wanted)
{
    uint8_t cookie[COOKIE_SIZE_MAX], want[COOKIE_SIZE], got[COOKIE_SIZE];
    struct ip ip = ip_of(client);
    unhex(asked, cookie);
    unhex(wanted, want);
    cookie_answer(p, cookie, strlen(asked) / 2, &ip, now, got);
    ck_assert_mem_eq(got, want, sizeof got);
    ck_assert(cookie_good(p, got, sizeof got, &ip, now));
}

/* RFC 9018 A.1 to A.4 */
START_TEST(test_vectors)
{
    struct cookie_secrets p = secrets_of(first, NULL), rolled = secrets_of(second, first);
    answers(&p, "198.51.100.100", "2464c4abcf10c957", 1559731985,
            "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
    answers(&p, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385,
            "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
    answers(&p, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700,
            "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
    answers(&rolled, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298", 1559741961,
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
}
END_TEST

static bool good_at(const struct cookie_secrets *p, const char *client, uint32_t now)
{
    uint8_t cookie[COOKIE_SIZE];
    struct ip ip = ip_of(client);
    unhex("2464c4abcf10c957010000005cf79f111f8130c3eee29480", cookie);
    return cookie_good(p, cookie, sizeof cookie, &ip, now);
}

START_TEST(test_what_is_good)
{
    const uint32_t made = 1559731985;
    struct cookie_secrets p = secrets_of(first, NULL), rolled = secrets_of(second, first),
                          other = secrets_of(second, NULL);
    ck_assert(good_at(&p, "198.51.100.100", made));
    ck_assert(good_at(&p, "198.51.100.100", made + COOKIE_LIFE_S));
    ck_assert(!good_at(&p, "198.51.100.100", made + COOKIE_LIFE_S + 1));
    ck_assert(good_at(&p, "198.51.100.100", made - COOKIE_FUTURE_S));
    ck_assert(!good_at(&p, "198.51.100.100", made - COOKIE_FUTURE_S - 1));
    ck_assert(!good_at(&p, "198.51.100.101", made));
    ck_assert(good_at(&rolled, "198.51.100.100", made)); /* of the secret before */
    ck_assert(!good_at(&other, "198.51.100.100", made));
    /* RFC 9018 A.3: reserved bytes that are set */
    uint8_t cookie[COOKIE_SIZE_MAX] = {0};
    struct ip ip = ip_of("203.0.113.203");
    unhex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", cookie);
    ck_assert(cookie_good(&p, cookie, COOKIE_SIZE, &ip, 0x5cf78f71));
    ck_assert(!cookie_good(&p, cookie, COOKIE_SIZE + 1, &ip, 0x5cf78f71));
    ck_assert(!cookie_good(&p, cookie, COOKIE_CLIENT_SIZE, &ip, 0x5cf78f71));
    cookie[8] = 2;
    ck_assert(!cookie_good(&p, cookie, COOKIE_SIZE, &ip, 0x5cf78f71));
}
END_TEST

/* A young cookie of the newest secret stays as it is; one of the secret before is replaced. */
START_TEST(test_renewal)
{
    static const char young[] = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    struct cookie_secrets p = secrets_of(first, NULL), rolled = secrets_of(second, first);
    uint8_t cookie[COOKIE_SIZE], got[COOKIE_SIZE];
    struct ip ip = ip_of("198.51.100.100");
    answers(&p, "198.51.100.100", young, 1559731985 + COOKIE_RENEW_S, young);
    unhex(young, cookie);
    cookie_answer(&p, cookie, sizeof cookie, &ip, 1559731985 + COOKIE_RENEW_S + 1, got);
    ck_assert_mem_ne(got, cookie, sizeof got);
    cookie_answer(&rolled, cookie, sizeof cookie, &ip, 1559731985, got);
    ck_assert_mem_ne(got, cookie, sizeof got);
    ck_assert(cookie_good(&rolled, got, sizeof got, &ip, 1559731985));
}
END_TEST

START_TEST(test_sizes)
{
    for (size_t n = 0; n <= 50; n++)
        ck_assert_int_eq(cookie_well_formed(n), n == 8 || (n >= 16 && n <= 40));
}
END_TEST

static int parsed(const char *text, struct cookie_secrets *ret, unsigned *line)
{
    return cookie_secrets_parse(text, strlen(text), ret, line);
}

START_TEST(test_text)
{
    struct cookie_secrets s, expected = secrets_of(first, second);
    unsigned line = 0;
    ck_assert_int_eq(parsed("# of the fleet\n\n e5e973e5a6b2a43f48e7dc849e37bfcf # new\r\n"
                            "445536BCD2513298075A5D379663C962",
                            &s, &line),
                     0);
    ck_assert_mem_eq(&s, &expected, sizeof s);
    ck_assert_int_eq(parsed("\n# nothing\n", &s, &line), ERR_MISSING);
    ck_assert_int_eq(parsed("", &s, &line), ERR_MISSING);
    ck_assert_int_eq(
        parsed("e5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bf", &s, &line),
        ERR_SYNTAX);
    ck_assert_uint_eq(line, 2);
    ck_assert_int_eq(parsed("e5e973e5a6b2a43f48e7dc849e37bfcg", &s, &line), ERR_SYNTAX);
    ck_assert_int_eq(parsed("e5e973e5a6b2a43f48e7dc849e37bfcf00", &s, &line), ERR_SYNTAX);
    ck_assert_int_eq(parsed("e5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bfcf\n"
                            "e5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bfcf\n",
                            &s, &line),
                     ERR_LIMIT);
    ck_assert_uint_eq(line, 4);
    ck_assert_mem_eq(&s, &expected, sizeof s); /* untouched */
}
END_TEST

CHECK_MAIN("cookie", test_siphash, test_vectors, test_what_is_good, test_renewal, test_sizes,
           test_text)
