/* main() of a unit test: CHECK_MAIN("plan", test_a, test_b). Each test runs in its own process, so
 * that a crash or a sanitizer's report fails one test and is kept. */
#pragma once

#include <check.h>
#include <stdlib.h>

#define CHECK_MAIN(name, ...)                                     \
    int main(void)                                                \
    {                                                             \
        const TTest *const tests[] = {__VA_ARGS__};               \
        Suite *suite = suite_create(name);                        \
        TCase *tcase = tcase_create(name);                        \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) \
            tcase_add_test(tcase, tests[i]);                      \
        suite_add_tcase(suite, tcase);                            \
        SRunner *runner = srunner_create(suite);                  \
        srunner_run_all(runner, CK_ENV);                          \
        int failed = srunner_ntests_failed(runner);               \
        srunner_free(runner);                                     \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;              \
    }
