/* The memory of requests: how long, how many, and what sharing it does. */
#include "model/told.h"

#include "base/err.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1767225600000)

static struct told told;

static const char *token(unsigned number)
{
    static char text[32];
    snprintf(text, sizeof text, "t%u", number);
    return text;
}

static void add(unsigned number, int64_t wall_ms)
{
    told_add(&told, token(number), number + 1, 0, NULL, wall_ms);
}

static bool known(unsigned number)
{
    const struct told_one *t = told_find(&told, token(number));
    ck_assert(!t || t->version == number + 1);
    return t;
}

/* A thousand changes a second: a retry within a quarter of an hour is known, up to the bound. */
START_TEST(test_by_time)
{
    for (unsigned i = 0; i < TOLD_MAX; i++)
        add(i, T0 + i);
    ck_assert(known(0) && known(TOLD_MAX - 1) && !known(TOLD_MAX));
    ck_assert_uint_eq(told.forgotten, 0);
    add(TOLD_MAX,
        T0 + TOLD_MAX); /* one too many: the oldest goes before its time, and is counted */
    ck_assert(!known(0) && known(1) && known(TOLD_MAX));
    ck_assert_uint_eq(told.forgotten, 1);
    ck_assert_uint_eq(told.count, TOLD_MAX);
    /* its time over, all but the newest thousand go; nothing of that is before its time */
    add(TOLD_MAX + 1, T0 + TOLD_MAX + TOLD_FOR_MS + 1);
    ck_assert_uint_eq(told.count, TOLD_MIN);
    ck_assert(known(TOLD_MAX) && known(TOLD_MAX + 3 - TOLD_MIN - 1) &&
              !known(TOLD_MAX + 2 - TOLD_MIN - 1));
    ck_assert_uint_eq(told.forgotten, 1);
    told_done(&told);
}
END_TEST

/* A late retry: the last millisecond counts, the next does not. */
START_TEST(test_edge)
{
    add(0, T0);
    for (unsigned i = 1; i <= TOLD_MIN; i++)
        add(i, T0 + TOLD_FOR_MS);
    ck_assert(known(0));
    add(TOLD_MIN + 1, T0 + TOLD_FOR_MS + 1);
    ck_assert(!known(0) && known(1));
    /* a clock that steps back makes nothing older */
    add(TOLD_MIN + 2, T0);
    ck_assert_int_eq(told_at(&told, told.count - 1)->wall_ms, T0 + TOLD_FOR_MS + 1);
    told_done(&told);
}
END_TEST

/* Whoever shares it sees what was there, whatever becomes of the rest; two may go on apart. */
START_TEST(test_sharing)
{
    for (unsigned i = 0; i < TOLD_CHUNK + TOLD_CHUNK / 2; i++)
        add(i, T0);
    struct told before = told_share(&told), other = told_share(&told);
    told_add(&told, "mine", 9, 0, NULL, T0);
    told_add(&other, "its", 0, ERR_CONFLICT, "no", T0);
    ck_assert(told_find(&told, "mine") && !told_find(&told, "its"));
    ck_assert(told_find(&other, "its") && !told_find(&other, "mine"));
    ck_assert(!told_find(&before, "mine") && !told_find(&before, "its"));
    ck_assert_uint_eq(before.count, TOLD_CHUNK + TOLD_CHUNK / 2);
    told_done(&told);
    ck_assert_str_eq(told_at(&before, before.count - 1)->token,
                     token(TOLD_CHUNK + TOLD_CHUNK / 2 - 1));
    told_done(&before);
    ck_assert_str_eq(told_find(&other, "its")->sentence, "no");
    ck_assert_int_eq(told_find(&other, "its")->err, ERR_CONFLICT);
    told_done(&other);
}
END_TEST

/* A sentence is cut, and never within a character. */
START_TEST(test_sentence)
{
    char text[2 * TOLD_SENTENCE_MAX];
    memset(text, 'x', sizeof text);
    memcpy(text + TOLD_SENTENCE_MAX - 1, "\xc3\xa9", 2);
    text[sizeof text - 1] = 0;
    told_add(&told, "t", 0, 0, text, T0);
    ck_assert_uint_eq(strlen(told_find(&told, "t")->sentence), TOLD_SENTENCE_MAX - 1);
    ck_assert_ptr_null(told_find(&told, NULL));
    told_done(&told);
}
END_TEST

CHECK_MAIN("told", test_by_time, test_edge, test_sharing, test_sentence)
