#include "base/err.h"
#include "base/invariant.h"
#include "test/check_main.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

START_TEST(test_every_own_error_has_name_and_sentence)
{
    ck_assert_int_eq(ERR_SYNTAX, -4096);
    for (int err = ERR_BASE; err > ERR_BASE - ERR_COUNT; err--) {
        ck_assert(strncmp(err_name(err), "ERR_", 4) == 0);
        ck_assert_str_ne(err_name(err), "ERR_UNKNOWN");
        ck_assert_uint_gt(strlen(err_text(err)), 10);
    }
    ck_assert_str_eq(err_name(ERR_LOOP), "ERR_LOOP");
    ck_assert_str_eq(err_text(ERR_LOOP), "the references form a loop");
}
END_TEST

START_TEST(test_errno_zero_and_unknown)
{
    ck_assert_str_eq(err_name(-ENOSPC), "ENOSPC");
    ck_assert_str_eq(err_text(-ENOSPC), "No space left on device");
    ck_assert_str_eq(err_text(0), "no error");
    const int unknown[] = {1, -4095, ERR_BASE - ERR_COUNT, -2147483647 - 1};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        ck_assert_str_eq(err_name(unknown[i]), "ERR_UNKNOWN");
        ck_assert_str_eq(err_text(unknown[i]), "an unknown error");
    }
}
END_TEST

/* Has to survive the abort: exit(42) from the hook shows that it ran, with which sentence. */
static void hook_exits(const char *sentence)
{
    exit(strstr(sentence, "1 == 2") && strstr(sentence, "err_test.c") ? 42 : 43);
}

START_TEST(test_invariant_calls_the_hook)
{
    invariant_hook_set(hook_exits);
    invariant(1 == 1);
    invariant(1 == 2);
}
END_TEST

static void hook_breaks_again(const char *sentence)
{
    invariant(sentence == NULL);
}

START_TEST(test_invariant_aborts)
{
    invariant_hook_set(hook_breaks_again); /* must not recurse for ever */
    invariant(1 == 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("err");
    TCase *tcase = tcase_create("err");
    tcase_add_test(tcase, test_every_own_error_has_name_and_sentence);
    tcase_add_test(tcase, test_errno_zero_and_unknown);
    tcase_add_exit_test(tcase, test_invariant_calls_the_hook, 42);
    tcase_add_test_raise_signal(tcase, test_invariant_aborts, SIGABRT);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
