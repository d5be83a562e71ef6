#include "observe/schedule.h"

#include "test/check_main.h"
#include <string.h>

START_TEST(test_empty)
{
    struct schedule s = schedule_init(1);
    uint32_t id;
    ck_assert(!schedule_take(&s, USEC_PER_HOUR, &id));
    ck_assert_int_eq(schedule_next(&s), USEC_NEVER);
    schedule_done(&s);
}
END_TEST

CHECK_MAIN("schedule", test_empty)
