#include "prog/restart.h"
#include "test/check_main.h"

START_TEST(first_restart_is_immediate)
{
    struct random random = random_init(1);
    struct restart r = {0};
    restart_began(&r, 0);
    ck_assert_int_le(restart_delay(&r, 5, &random), RESTART_FIRST_MS * USEC_PER_MSEC);
}
END_TEST

START_TEST(delays_grow_to_the_limit_and_no_further)
{
    struct random random = random_init(2);
    struct restart r = {0};
    usec_t last = 0;
    for (int i = 0; i < 100; i++) {
        restart_began(&r, 0);
        last = restart_delay(&r, 1, &random);
        ck_assert_int_ge(last, RESTART_FIRST_MS * USEC_PER_MSEC / 2);
        ck_assert_int_le(last, RESTART_MAX_MS * USEC_PER_MSEC);
    }
    ck_assert_int_ge(last, RESTART_MAX_MS * USEC_PER_MSEC / 2);
}
END_TEST

START_TEST(a_role_that_settled_starts_from_the_beginning)
{
    struct random random = random_init(3);
    struct restart r = {0};
    for (int i = 0; i < 8; i++) {
        restart_began(&r, 0);
        ck_assert_int_gt(restart_delay(&r, 1, &random), 0);
    }
    restart_began(&r, 0);
    usec_t delay = restart_delay(&r, RESTART_SETTLED_MS * USEC_PER_MSEC, &random);
    ck_assert_int_le(delay, RESTART_FIRST_MS * USEC_PER_MSEC);
}
END_TEST

CHECK_MAIN("restart", first_restart_is_immediate, delays_grow_to_the_limit_and_no_further,
           a_role_that_settled_starts_from_the_beginning)
