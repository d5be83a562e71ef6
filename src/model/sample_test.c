#include "model/sample.h"

#include "test/check_main.h"
#include <string.h>

START_TEST(test_every_reason_has_its_words)
{
    for (unsigned i = 0; i < REASONS; i++) {
        ck_assert_uint_gt(strlen(reason_name(i)), 1);
        ck_assert_uint_gt(strlen(reason_sentence(i)), 10);
        ck_assert_uint_lt(reason_phase(i), PHASES);
        for (const char *p = reason_name(i); *p; p++)
            ck_assert_msg((*p >= 'a' && *p <= 'z') || *p == '-', "%s", reason_name(i));
        for (unsigned k = 0; k < i; k++)
            ck_assert_str_ne(reason_name(i), reason_name(k));
    }
}
END_TEST

START_TEST(test_names_carry_their_phase)
{
    ck_assert_str_eq(reason_name(REASON_TLS_WRONG_NAME), "tls-wrong-name");
    ck_assert_int_eq(reason_phase(REASON_TLS_WRONG_NAME), PHASE_TLS);
    ck_assert_int_eq(reason_phase(REASON_CONNECT_REFUSED), PHASE_CONNECT);
    ck_assert_int_eq(reason_phase(REASON_BODY_TIMEOUT), PHASE_TRANSFER);
    ck_assert_str_eq(phase_name(PHASE_PROCESSING), "processing");
}
END_TEST

START_TEST(test_numbers_from_outside_are_not_followed)
{
    ck_assert_str_eq(reason_name((enum reason)255), "unknown");
    ck_assert_str_eq(reason_name((enum reason) - 1), "unknown");
    ck_assert_int_eq(reason_phase((enum reason)255), PHASE_RESOLVE);
    ck_assert_str_eq(phase_name((enum phase)PHASES), "unknown");
}
END_TEST

CHECK_MAIN("sample", test_every_reason_has_its_words, test_names_carry_their_phase,
           test_numbers_from_outside_are_not_followed)
