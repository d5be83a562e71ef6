#include "base/err.h"
#include "base/random.h"
#include "test/check_main.h"
#include "wire/dname.h"
#include <stdio.h>

static const uint8_t example[] = "\7example\3com";

static void expect(const char *text, const uint8_t *origin, const char *wire, size_t length)
{
    uint8_t name[DNAME_MAX];
    ck_assert_int_eq(dname_parse(text, strlen(text), origin, name), (int)length);
    ck_assert_mem_eq(name, wire, length);
    ck_assert_int_eq(dname_check(name, length), (int)length);
    ck_assert_uint_eq(dname_length(name), length);
}

static void refuse(const char *text, int err)
{
    uint8_t name[DNAME_MAX];
    memset(name, 0xee, sizeof name);
    ck_assert_int_eq(dname_parse(text, strlen(text), example, name), err);
    for (size_t i = 0; i < sizeof name; i++)
        ck_assert_uint_eq(name[i], 0xee);
}

START_TEST(test_parse)
{
    expect(".", NULL, "", 1);
    expect("example.com", NULL, "\7example\3com", 13);
    expect("eXAMPLE.Com.", example, "\7example\3com", 13);
    expect("www", example, "\3www\7example\3com", 17);
    expect("a\\.b.c.", NULL, "\3a.b\1c", 7);
    expect("\\065\\000.", NULL, "\2a\0", 4);
    expect("*.x.", NULL, "\1*\1x", 5);
    expect("\\255.", NULL, "\1\377", 3);
    refuse("", ERR_SYNTAX);
    refuse("..", ERR_SYNTAX);
    refuse(".a", ERR_SYNTAX);
    refuse("a..b", ERR_SYNTAX);
    refuse("a\\", ERR_SYNTAX);
    refuse("a\\25", ERR_SYNTAX);
    refuse("a\\256", ERR_SYNTAX);
    refuse("a\\2x5", ERR_SYNTAX);
}
END_TEST

START_TEST(test_limits)
{
    char text[400];
    uint8_t name[DNAME_MAX];

    memset(text, 'a', sizeof text);
    ck_assert_int_eq(dname_parse(text, 63, NULL, name), 65);
    ck_assert_int_eq(dname_parse(text, 64, NULL, name), ERR_LIMIT);
    for (int i = 1; i < 400; i += 2)
        text[i] = '.';
    ck_assert_int_eq(dname_parse(text, 254, NULL, name), 255); /* 127 labels of one byte */
    ck_assert_uint_eq(dname_labels(name), 127);
    ck_assert_int_eq(dname_check(name, 255), 255);
    ck_assert_int_eq(dname_parse(text, 253, NULL, name), 255);
    ck_assert_int_eq(dname_parse(text, 255, NULL, name), ERR_LIMIT);
    ck_assert_int_eq(dname_parse(text, 256, NULL, name), ERR_LIMIT);
    ck_assert_int_eq(dname_parse(text, 241, example, name), 255);
    ck_assert_int_eq(dname_parse(text, 243, example, name), ERR_LIMIT);
}
END_TEST

START_TEST(test_format)
{
    char buffer[DNAME_TEXT_MAX];
    ck_assert_str_eq(dname_format((const uint8_t *)"", buffer), ".");
    ck_assert_str_eq(dname_format(example, buffer), "example.com");
    ck_assert_str_eq(dname_format((const uint8_t *)"\5a.b\\\1\1@", buffer), "a\\.b\\\\\\001.\\@");
    uint8_t long_name[DNAME_MAX];
    memset(long_name, 0xff, sizeof long_name);
    long_name[0] = long_name[64] = long_name[128] = 63;
    long_name[192] = 61;
    long_name[254] = 0;
    dname_format(long_name, buffer);
    ck_assert_uint_eq(strlen(buffer), (63 * 3 + 61) * 4 + 3);
}
END_TEST

START_TEST(test_check_refuses)
{
    ck_assert_int_eq(dname_check((const uint8_t *)"\3ww", 3), ERR_TRUNCATED);
    ck_assert_int_eq(dname_check((const uint8_t *)"\3www", 4), ERR_TRUNCATED);
    ck_assert_int_eq(dname_check((const uint8_t *)"", 0), ERR_TRUNCATED);
    ck_assert_int_eq(dname_check((const uint8_t *)"\300\14", 3), ERR_SYNTAX);
    ck_assert_int_eq(dname_check((const uint8_t *)"\3wWw", 5), ERR_INVALID);
    uint8_t name[300];
    for (int i = 0; i < 300; i += 2) {
        name[i] = 1;
        name[i + 1] = 'a';
    }
    ck_assert_int_eq(dname_check(name, sizeof name), ERR_LIMIT);
}
END_TEST

/* Every byte at every place of labels as long as words and shorter ones. */
START_TEST(test_label_lower)
{
    uint8_t label[DNAME_LABEL_MAX];
    for (size_t length = 0; length <= 19; length++)
        for (size_t at = 0; at < length; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(label, 0xff, sizeof label);
                label[at] = (uint8_t)byte;
                ck_assert_int_eq(dname_label_lower(label, length), byte < 'A' || byte > 'Z');
            }
}
END_TEST

/* Files hold it: another value is another ZONE_VERSION. */
START_TEST(test_hash_is_of_the_bytes)
{
    uint8_t name[40];
    for (size_t length = 1; length <= 32; length++) {
        memset(name, 'x', sizeof name);
        uint64_t hash = dname_hash(name + 1, length);
        name[0] = name[length + 1] = 'y'; /* what lies around it does not count */
        ck_assert_uint_eq(dname_hash(name + 1, length), hash);
        for (size_t i = 1; i <= length; i++) {
            name[i] ^= 1;
            ck_assert_uint_ne(dname_hash(name + 1, length), hash);
            name[i] ^= 1;
        }
    }
    ck_assert_uint_eq(dname_hash((const uint8_t *)"\3www\7example", 13), 0xb1eb3e06ca732f75u);
    ck_assert_uint_eq(dname_hash((const uint8_t *)"\3com", 5), 0x6f0828983b6f46a0u);
}
END_TEST

static bool below(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return dname_below((const uint8_t *)a, a_length, (const uint8_t *)b, b_length);
}

START_TEST(test_below)
{
    ck_assert(below("\3www\3com", 9, "\3com", 5));
    ck_assert(below("\3com", 5, "\3com", 5));
    ck_assert(below("\3com", 5, "", 1));
    ck_assert(!below("\3com", 5, "\3www\3com", 9));
    /* The bytes of the parent end the name, but inside one of its labels. */
    ck_assert(!below("\5x\3com", 7, "\3com", 5));
}
END_TEST

START_TEST(test_canonical_order)
{
    /* The example of RFC 4034 6.1. */
    const char *const order[] = {"example",         "a.example",      "yljkjljk.a.example",
                                 "Z.a.example",     "zABC.a.EXAMPLE", "z.example",
                                 "\\001.z.example", "*.z.example",    "\\200.z.example"};
    uint8_t names[9][DNAME_MAX];
    for (int i = 0; i < 9; i++)
        ck_assert_int_gt(dname_parse(order[i], strlen(order[i]), NULL, names[i]), 0);
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 9; j++) {
            int sign = dname_compare(names[i], names[j]);
            ck_assert_int_eq((sign > 0) - (sign < 0), (i > j) - (i < j));
        }
}
END_TEST

START_TEST(test_round_trip_at_random)
{
    struct random r = random_init(7);
    for (int n = 0; n < 20000; n++) {
        uint8_t name[DNAME_MAX], again[DNAME_MAX];
        size_t used = 0;
        for (unsigned labels = random_below(&r, 8); labels; labels--) {
            uint8_t length = (uint8_t)(1 + random_below(&r, 30));
            name[used++] = length;
            while (length--) {
                uint8_t c = (uint8_t)random_u64(&r);
                name[used++] = c >= 'A' && c <= 'Z' ? 'x' : c;
            }
        }
        name[used++] = 0;
        char text[DNAME_TEXT_MAX];
        dname_format(name, text);
        ck_assert_int_eq(dname_parse(text, strlen(text), NULL, again), (int)used);
        ck_assert_mem_eq(name, again, used);
        ck_assert_int_eq(dname_compare(name, again), 0);
    }
}
END_TEST

CHECK_MAIN("dname", test_parse, test_limits, test_format, test_check_refuses, test_label_lower,
           test_hash_is_of_the_bytes, test_below, test_canonical_order, test_round_trip_at_random)
