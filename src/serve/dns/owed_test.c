#include "serve/dns/owed.h"
#include "test/check_main.h"
#include <stddef.h>

static struct stream *stream_number(uintptr_t n)
{
    return (struct stream *)(n * 64);
}

START_TEST(test_a_token_is_good_once)
{
    static struct owed o;
    uint64_t a = owed_add(&o, stream_number(1), 10), b = owed_add(&o, stream_number(2), 10);
    ck_assert_uint_ne(a, b);
    ck_assert_ptr_eq(owed_take(&o, b), stream_number(2));
    ck_assert_ptr_null(owed_take(&o, b));
    ck_assert_ptr_null(owed_take(&o, 0));
    ck_assert_ptr_null(owed_take(&o, a + OWED_MAX));
    ck_assert_ptr_eq(owed_take(&o, a), stream_number(1));
}
END_TEST

/* Also where a slot is used again by another stream. */
START_TEST(test_no_token_comes_twice)
{
    static struct owed o;
    uint64_t old = owed_add(&o, stream_number(1), 10);
    owed_forget(&o, stream_number(1));
    for (unsigned i = 0; i < 4 * OWED_MAX; i++) {
        uint64_t token = owed_add(&o, stream_number(2), 10);
        ck_assert_uint_ne(token, old);
        ck_assert_ptr_null(owed_take(&o, old));
        ck_assert_ptr_eq(owed_take(&o, token), stream_number(2));
    }
}
END_TEST

START_TEST(test_bound)
{
    static struct owed o;
    uint64_t tokens[OWED_MAX];
    for (unsigned i = 0; i < OWED_MAX; i++)
        ck_assert_uint_ne(tokens[i] = owed_add(&o, stream_number(1 + i % 3), 10), 0);
    ck_assert_uint_eq(owed_add(&o, stream_number(9), 10), 0);
    ck_assert_ptr_nonnull(owed_take(&o, tokens[77]));
    ck_assert_uint_ne(owed_add(&o, stream_number(9), 10), 0);
    owed_forget(&o, stream_number(1));
    owed_forget(&o, stream_number(2));
    owed_forget(&o, stream_number(3));
    ck_assert_uint_eq(o.count, 1);
}
END_TEST

START_TEST(test_late)
{
    static struct owed o;
    uint64_t soon = owed_add(&o, stream_number(1), 10);
    owed_add(&o, stream_number(2), 20);
    ck_assert_ptr_null(owed_late(&o, 9));
    ck_assert_ptr_eq(owed_late(&o, 10), stream_number(1));
    ck_assert_ptr_null(owed_late(&o, 10));
    ck_assert_ptr_null(owed_take(&o, soon));
    ck_assert_ptr_eq(owed_late(&o, 20), stream_number(2));
    ck_assert_uint_eq(o.count, 0);
}
END_TEST

CHECK_MAIN("owed", test_a_token_is_good_once, test_no_token_comes_twice, test_bound, test_late)
