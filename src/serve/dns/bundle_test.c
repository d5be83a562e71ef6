#include "base/random.h"
#include "serve/dns/bundle.h"
#include "test/check_main.h"
#include <stdio.h>

enum { ALL = UINT16_MAX };

static struct bundle_answer answer(const char *client, const char *local, unsigned length)
{
    return (struct bundle_answer){.client = {(const uint8_t *)client, strlen(client)},
                                  .local = {(const uint8_t *)local, strlen(local)},
                                  .length = (uint16_t)length};
}

/* "0 2/1": answers 0 and 2 in one bundle, 1 in the next. */
static const char *shape(const struct bundle_answer *answers, unsigned count, size_t most)
{
    static char text[1024];
    struct bundles b;
    size_t at = 0;
    bundles_make(answers, count, most, &b);
    text[0] = '\0';
    for (unsigned i = 0; i < b.count; i++)
        for (unsigned k = bundle_begin(&b, i); k < b.end[i]; k++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%u",
                                   k > bundle_begin(&b, i) ? " "
                                   : i                     ? "/"
                                                           : "",
                                   b.order[k]);
    return text;
}

START_TEST(test_clients)
{
    const struct bundle_answer a[] = {answer("one", "", 90), answer("two", "", 90),
                                      answer("one", "", 90), answer("three", "", 90),
                                      answer("two", "", 90), answer("one", "", 90)};
    ck_assert_str_eq(shape(a, 6, ALL), "0 2 5/1 4/3");
    ck_assert_str_eq(shape(a, 1, ALL), "0");
    ck_assert_str_eq(shape(a, 0, ALL), "");
}
END_TEST

/* One client, asking two addresses of ours: each answers for itself. */
START_TEST(test_local_addresses)
{
    const struct bundle_answer a[] = {answer("one", "here", 90), answer("one", "there", 90),
                                      answer("one", "here", 90), answer("one", "", 90),
                                      answer("one", "there", 90)};
    ck_assert_str_eq(shape(a, 5, ALL), "0 2/1 4/3");
}
END_TEST

/* Only the last may be shorter. */
START_TEST(test_lengths)
{
    const struct bundle_answer a[] = {answer("one", "", 100), answer("one", "", 400),
                                      answer("one", "", 100), answer("one", "", 400),
                                      answer("one", "", 100), answer("one", "", 50)};
    ck_assert_str_eq(shape(a, 6, ALL), "1 3 0/2 4 5");
    const struct bundle_answer falling[] = {answer("one", "", 4), answer("one", "", 3),
                                            answer("one", "", 2), answer("one", "", 1)};
    ck_assert_str_eq(shape(falling, 4, ALL), "0 1/2 3");
    const struct bundle_answer rising[] = {answer("one", "", 1), answer("one", "", 2),
                                           answer("one", "", 3), answer("one", "", 4)};
    ck_assert_str_eq(shape(rising, 4, ALL), "3 2/1 0");
}
END_TEST

START_TEST(test_limits)
{
    const struct bundle_answer a[] = {answer("one", "", 1400), answer("one", "", 1200),
                                      answer("one", "", 1400), answer("one", "", 1200),
                                      answer("one", "", 90)};
    ck_assert_str_eq(shape(a, 5, 1399), "0/2/1 3 4");
    ck_assert_str_eq(shape(a, 5, 1400), "0 2 1/3 4");
    ck_assert_str_eq(shape(a, 5, 0), "0/1/2/3/4");
    const struct bundle_answer large[] = {answer("one", "", 30000), answer("one", "", 30000),
                                          answer("one", "", 30000), answer("one", "", 30000),
                                          answer("one", "", 5001),  answer("one", "", 10)};
    ck_assert_str_eq(shape(large, 6, ALL), "0 1/2 3/4 5");
}
END_TEST

/* Each answer once, to its client, from its address; and in each bundle what the kernel can cut. */
static void bundles_check(const struct bundle_answer *answers, unsigned count, size_t most,
                          const struct bundles *b)
{
    bool seen[BUNDLE_ANSWERS_MAX] = {false};
    ck_assert_uint_eq(b->end[b->count - 1], count);
    for (unsigned i = 0; i < b->count; i++) {
        unsigned begin = bundle_begin(b, i), end = b->end[i];
        const struct bundle_answer *first = &answers[b->order[begin]];
        size_t bytes = 0;
        ck_assert_uint_lt(begin, end);
        for (unsigned k = begin; k < end; k++) {
            const struct bundle_answer *a = &answers[b->order[k]];
            ck_assert(!seen[b->order[k]]);
            seen[b->order[k]] = true;
            ck_assert_ptr_eq(a->client.data, first->client.data);
            ck_assert_ptr_eq(a->local.data, first->local.data);
            if (k + 1 < end)
                ck_assert_uint_eq(a->length, first->length);
            ck_assert_uint_le(a->length, first->length);
            bytes += a->length;
        }
        if (end - begin > 1) {
            ck_assert_uint_le(first->length, most);
            ck_assert_uint_le(bytes, BUNDLE_BYTES_MAX);
        }
    }
}

START_TEST(test_any_batch)
{
    static const char *const clients[] = {"a", "b", "c", "dd", "ee", "ff", "ggg", "hhh", "iii"};
    static const char *const locals[] = {"", "x", "y"};
    static const unsigned lengths[] = {12, 90, 173, 496, 1232, 1400, 4096, 65000, 65507};
    static const size_t mosts[] = {ALL, ALL, 1399, 173, 0};
    struct random dice = random_init(11);
    for (unsigned round = 0; round < 2000; round++) {
        struct bundle_answer answers[BUNDLE_ANSWERS_MAX];
        unsigned count = 1 + (unsigned)(random_u64(&dice) % BUNDLE_ANSWERS_MAX);
        unsigned many = 1 + (unsigned)(random_u64(&dice) % array_length(clients));
        unsigned sizes = 1 + (unsigned)(random_u64(&dice) % array_length(lengths));
        size_t most = mosts[random_u64(&dice) % array_length(mosts)];
        for (unsigned i = 0; i < count; i++)
            answers[i] = answer(clients[random_u64(&dice) % many],
                                locals[random_u64(&dice) % array_length(locals)],
                                lengths[random_u64(&dice) % sizes]);
        struct bundles b;
        bundles_make(answers, count, most, &b);
        bundles_check(answers, count, most, &b);
    }
}
END_TEST

CHECK_MAIN("bundle", test_clients, test_local_addresses, test_lengths, test_limits, test_any_batch)
