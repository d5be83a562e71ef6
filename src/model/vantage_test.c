#include "model/vantage.h"

#include "base/err.h"
#include "model/plan.h"
#include "test/check_main.h"
#include <string.h>

#define SEC USEC_PER_SEC
#define MS  USEC_PER_MSEC

static const uint64_t ours[] = {11, 22, 33};

static struct vantages vantages_of_two(void)
{
    struct vantages v = vantages_init();
    ck_assert_int_eq(vantages_member(&v, 9, "n9", "paris", "AS9"), 0);
    ck_assert_int_eq(vantages_member(&v, 5, "n5", "tokyo", "AS5"), 0);
    vantages_targets(&v, ours, 3);
    return v;
}

/* A table of two slots: one of ours that is down, and one that we do not have. */
static int send_from(struct vantages *v, uint64_t id, uint64_t boot, uint64_t sequence, usec_t made,
                     usec_t now)
{
    uint8_t data[SAMPLE_PART_SIZE_MAX];
    struct sample_head head = {.vantage = id,
                               .boot = boot,
                               .sequence = sequence,
                               .made = made,
                               .wall = 5000,
                               .node = "new",
                               .site = "paris",
                               .network = "AS9"};
    struct sample_entry entries[2] = {{.identity = 22,
                                       .state = VERDICT_DOWN,
                                       .reason = REASON_CLOSED,
                                       .down_reason = REASON_CLOSED,
                                       .run = 4,
                                       .since_ms = 3000,
                                       .sampled_ms = 200},
                                      {.identity = 77, .sampled_ms = SAMPLE_AGE_NONE}};
    size_t size = sample_slice_encode(&head, entries, 2, data);
    /* twice behind one another, as tables of several parts are */
    memcpy(data + size, data, size);
    return vantages_take(v, 9, data, 2 * size, now, 1000);
}

START_TEST(test_take)
{
    struct vantages v = vantages_of_two();
    ck_assert_uint_eq(v.list[0].id, 5);
    ck_assert_int_eq(send_from(&v, 9, 1, 1, 500 * SEC, 100 * SEC), 0);
    const struct vantage *m = vantages_find(&v, 9);
    ck_assert_uint_eq(m->sights[0].state, VERDICT_UNREADY);
    ck_assert_uint_eq(m->sights[1].state, VERDICT_DOWN);
    ck_assert_uint_eq(m->sights[1].run, 4);
    ck_assert_int_eq(m->sights[1].since, 97 * SEC);
    ck_assert_int_eq(m->sights[1].sampled, 100 * SEC - 200 * MS);
    ck_assert_int_eq(m->wall_offset, 4000);
    ck_assert_str_eq(m->node, "new");
    ck_assert(vantage_fresh(m, 103 * SEC));
    ck_assert(!vantage_fresh(m, 104 * SEC));
    ck_assert(!vantage_fresh(vantages_find(&v, 5), 100 * SEC));
    vantages_done(&v);
}
END_TEST

/* What waited in a queue is as old as it is, though it has only just come. */
START_TEST(test_delayed)
{
    struct vantages v = vantages_of_two();
    ck_assert_int_eq(send_from(&v, 9, 1, 1, 500 * SEC, 100 * SEC), 0);
    ck_assert_int_eq(send_from(&v, 9, 1, 2, 501 * SEC, 106 * SEC), 0);
    const struct vantage *m = vantages_find(&v, 9);
    ck_assert_int_le(m->heard, 101 * SEC + 2 * MS);
    ck_assert(!vantage_fresh(m, 106 * SEC));
    ck_assert_int_eq(send_from(&v, 9, 1, 3, 507 * SEC, 107 * SEC), 0);
    ck_assert_int_eq(m->heard, 107 * SEC);
    vantages_done(&v);
}
END_TEST

/* A clock that runs slower than ours does not make its tables stale for ever. */
START_TEST(test_clocks_apart)
{
    struct vantages v = vantages_of_two();
    for (uint64_t i = 0; i < 100000; i++) {
        usec_t now = 100 * SEC + (usec_t)i * SEC, made = 500 * SEC + (usec_t)i * (SEC - 50);
        ck_assert_int_eq(send_from(&v, 9, 1, i, made, now), 0);
        ck_assert(vantage_fresh(vantages_find(&v, 9), now));
    }
    vantages_done(&v);
}
END_TEST

START_TEST(test_refused)
{
    struct vantages v = vantages_of_two();
    uint64_t five[] = {5};
    ck_assert_int_eq(send_from(&v, 8, 1, 1, SEC, SEC), ERR_REFUSED); /* it speaks for another */
    ck_assert_int_eq(send_from(&v, 9, 1, 5, SEC, SEC), 0);
    ck_assert_int_eq(send_from(&v, 9, 1, 4, SEC, SEC), ERR_OLDER);
    ck_assert_int_eq(send_from(&v, 9, 2, 1, SEC, 50 * SEC), 0); /* started anew */
    ck_assert_int_eq(vantages_find(&v, 9)->heard, 50 * SEC);
    vantages_keep(&v, five, 1);
    ck_assert_uint_eq(v.count, 1);
    ck_assert_int_eq(send_from(&v, 9, 2, 2, SEC, SEC), ERR_REFUSED);
    vantages_done(&v);
}
END_TEST

START_TEST(test_another_configuration)
{
    struct vantages v = vantages_of_two();
    static const uint64_t next[] = {44, 22};
    ck_assert_int_eq(send_from(&v, 9, 1, 1, SEC, 10 * SEC), 0);
    vantages_targets(&v, next, 2);
    const struct vantage *m = vantages_find(&v, 9);
    ck_assert_uint_eq(m->sights[0].state, VERDICT_UNREADY);
    ck_assert_uint_eq(m->sights[1].state, VERDICT_DOWN);
    vantages_done(&v);
}
END_TEST

START_TEST(test_limit)
{
    struct vantages v = vantages_init();
    for (uint64_t i = 1; i < VANTAGES_MAX; i++)
        ck_assert_int_eq(vantages_member(&v, i, "n", "s", "a"), 0);
    ck_assert_int_eq(vantages_member(&v, 1000, "n", "s", "a"), ERR_LIMIT);
    ck_assert_int_eq(vantages_member(&v, 1, "other", "s", "a"), 0);
    vantages_done(&v);
}
END_TEST

CHECK_MAIN("vantage", test_take, test_delayed, test_clocks_apart, test_refused,
           test_another_configuration, test_limit)
