#include "base/err.h"
#include "base/random.h"
#include "base/text.h"
#include "test/check_main.h"
#include <inttypes.h>
#include <string.h>

START_TEST(test_grows_to_its_max_and_not_past_it)
{
    struct text t = text_init(10);
    ck_assert_str_eq(text_string(&t), "");
    text_append(&t, "0123456789");
    ck_assert(!t.failed);
    ck_assert_uint_le(t.size, 11);
    text_append(&t, "");
    ck_assert(!t.failed);
    text_append(&t, "x");
    ck_assert(t.failed);
    ck_assert_str_eq(text_string(&t), "0123456789");
    text_done(&t);
    ck_assert(!t.failed);
    ck_assert_uint_eq(t.max, 10);
    text_done(&t);
}
END_TEST

START_TEST(test_what_does_not_fit_is_left_out_whole)
{
    struct text t = text_init(6);
    text_append(&t, "abcd");
    text_append(&t, "efg");
    ck_assert_str_eq(text_string(&t), "abcd");
    text_append(&t, "e"); /* would fit, but the failure sticks */
    ck_assert_str_eq(text_string(&t), "abcd");
    text_reset(&t);
    ck_assert(!t.failed);
    ck_assert_str_eq(text_string(&t), "");
    text_appendf(&t, "%d-%s", 12, "abc");
    ck_assert_str_eq(text_string(&t), "12-abc");
    text_appendf(&t, "%d", 1);
    ck_assert(t.failed);
    ck_assert_str_eq(text_string(&t), "12-abc");
    text_done(&t);
}
END_TEST

START_TEST(test_max_zero_and_huge)
{
    struct text none = text_init(0), all = text_init(SIZE_MAX);
    text_append(&none, "");
    ck_assert(!none.failed);
    text_append(&none, "a");
    ck_assert(none.failed);
    for (int i = 0; i < 10000; i++)
        text_append(&all, "0123456789");
    ck_assert(!all.failed);
    ck_assert_uint_eq(strlen(text_string(&all)), 100000);
    text_append_bytes(&all, "", SIZE_MAX - 50000); /* must not wrap round */
    ck_assert(all.failed);
    text_done(&none);
    text_done(&all);
}
END_TEST

static void assert_json(const char *string, size_t length, const char *expected)
{
    struct text t = text_init(200);
    text_append_json(&t, string, length);
    ck_assert_str_eq(text_string(&t), expected);
    text_done(&t);
}

START_TEST(test_json)
{
    assert_json("", 0, "\"\"");
    assert_json("a\"b\\c\n\r\t\b\f", 10, "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\"");
    assert_json("\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
    assert_json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
                "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
}
END_TEST

#define REPLACED "\xef\xbf\xbd"

START_TEST(test_json_broken_utf8)
{
    assert_json("\x80", 1, "\"" REPLACED "\"");
    assert_json("a\xc3", 2, "\"a" REPLACED "\"");            /* cut off */
    assert_json("\xc3(", 2, "\"" REPLACED "(\"");            /* no continuation */
    assert_json("\xc0\xaf", 2, "\"" REPLACED REPLACED "\""); /* overlong '/' */
    assert_json("\xe0\x80\xaf", 3, "\"" REPLACED REPLACED REPLACED "\"");
    assert_json("\xed\xa0\x80", 3, "\"" REPLACED REPLACED REPLACED "\""); /* a surrogate */
    assert_json("\xf4\x90\x80\x80", 4, "\"" REPLACED REPLACED REPLACED REPLACED "\"");
    assert_json("\xff\xfe", 2, "\"" REPLACED REPLACED "\"");
}
END_TEST

static void assert_duration(const char *string, int err, usec_t us)
{
    usec_t got = -7;
    ck_assert_msg(duration_parse(string, &got) == err, "%s", string);
    ck_assert_msg(got == (err ? -7 : us), "%s gave %" PRId64, string, got);
}

START_TEST(test_duration_parse)
{
    assert_duration("250ms", 0, 250000);
    assert_duration("5s", 0, 5000000);
    assert_duration("2m", 0, 120000000);
    assert_duration("1h", 0, USEC_PER_HOUR);
    assert_duration("1d", 0, USEC_PER_DAY);
    assert_duration("1500us", 0, 1500);
    assert_duration("1.5s", 0, 1500000);
    assert_duration("0.000001s", 0, 1);
    assert_duration("0s", 0, 0);
    assert_duration("3650d", 0, 3650 * USEC_PER_DAY);
}
END_TEST

START_TEST(test_duration_parse_refuses)
{
    const char *const syntax[] = {"",     "5",    "s",      "-1s",    "+1s",       " 1s",  "1s ",
                                  "1 s",  "1.s",  ".5s",    "1.5.5s", "1S",        "1sec", "1e3s",
                                  "0x1s", "1,5s", "five s", "1..5s",  "1.1234567s"};
    for (size_t i = 0; i < array_length(syntax); i++)
        assert_duration(syntax[i], ERR_SYNTAX, 0);
    const char *const invalid[] = {
        "3651d",     "3650.000001d", "0.5us", "99999999999999999999s", "18446744073709551617s",
        "315360001s"};
    for (size_t i = 0; i < array_length(invalid); i++)
        assert_duration(invalid[i], ERR_INVALID, 0);
}
END_TEST

static void assert_formats(usec_t us, const char *expected)
{
    char buffer[DURATION_TEXT_MAX];
    ck_assert_str_eq(duration_format(us, buffer), expected);
}

START_TEST(test_duration_format)
{
    assert_formats(0, "0s");
    assert_formats(1, "1us");
    assert_formats(250000, "250ms");
    assert_formats(100000, "100ms");
    assert_formats(1200000, "1.2s");
    assert_formats(1234567, "1.23s");
    assert_formats(999600, "1s");
    assert_formats(60 * USEC_PER_SEC, "1m");
    assert_formats(90 * USEC_PER_SEC, "90s");
    assert_formats(3 * USEC_PER_MIN, "3m");
    assert_formats(2 * USEC_PER_HOUR, "2h");
    assert_formats(USEC_PER_DAY - 1, "1d");
    assert_formats(3650 * USEC_PER_DAY, "3650d");
    assert_formats(-1500, "-1.5ms");
    assert_formats(USEC_NEVER, "never");
    assert_formats(INT64_MIN, "never");
    assert_formats(USEC_NEVER - 1, "106751991d");
}
END_TEST

/* What is formatted parses back to within half a percent (three digits). */
START_TEST(test_duration_round_trip)
{
    struct random r = random_init(1);
    for (int i = 0; i < 20000; i++) {
        usec_t us = (usec_t)(random_u64(&r) >> (10 + random_below(&r, 50)));
        if (us > 998 * USEC_PER_DAY)
            continue;
        char buffer[DURATION_TEXT_MAX];
        usec_t back;
        ck_assert_msg(!duration_parse(duration_format(us, buffer), &back), "%s", buffer);
        usec_t off = back > us ? back - us : us - back;
        ck_assert_msg(off <= us / 200 + 1, "%" PRId64 " became %s", us, buffer);
    }
}
END_TEST

START_TEST(test_integer_parse)
{
    int64_t n = 7;
    ck_assert_int_eq(integer_parse("0", 0, 10, &n), 0);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(integer_parse("-9223372036854775808", INT64_MIN, INT64_MAX, &n), 0);
    ck_assert_int_eq(n, INT64_MIN);
    ck_assert_int_eq(integer_parse("9223372036854775807", 0, INT64_MAX, &n), 0);
    ck_assert_int_eq(n, INT64_MAX);
    n = 7;
    ck_assert_int_eq(integer_parse("9223372036854775808", 0, INT64_MAX, &n), ERR_INVALID);
    ck_assert_int_eq(integer_parse("11", 0, 10, &n), ERR_INVALID);
    ck_assert_int_eq(integer_parse("-3", -2, 10, &n), ERR_INVALID);
    const char *const syntax[] = {"", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0", "--1", "-1"};
    for (size_t i = 0; i < array_length(syntax); i++)
        ck_assert_msg(integer_parse(syntax[i], 0, 100, &n) == ERR_SYNTAX, "%s", syntax[i]);
    ck_assert_int_eq(n, 7);
}
END_TEST

START_TEST(test_distance)
{
    ck_assert_uint_eq(text_distance("", ""), 0);
    ck_assert_uint_eq(text_distance("interval", "interval"), 0);
    ck_assert_uint_eq(text_distance("intreval", "interval"), 2);
    ck_assert_uint_eq(text_distance("", "abc"), 3);
    ck_assert_uint_eq(text_distance("kitten", "sitting"), 3);
    ck_assert_uint_eq(text_distance("sitting", "kitten"), 3);
    char big[66];
    memset(big, 'a', 65);
    big[65] = '\0';
    ck_assert_uint_eq(text_distance(big, "a"), 64);
    ck_assert_uint_eq(text_distance("a", big), 64);
    ck_assert_uint_eq(text_distance(big + 1, big + 1), 0);
    ck_assert_uint_eq(text_distance(big + 1, ""), 64);
}
END_TEST

CHECK_MAIN("text", test_grows_to_its_max_and_not_past_it, test_what_does_not_fit_is_left_out_whole,
           test_max_zero_and_huge, test_json, test_json_broken_utf8, test_duration_parse,
           test_duration_parse_refuses, test_duration_format, test_duration_round_trip,
           test_integer_parse, test_distance)
