#include "model/sample_turns.h"

#include "test/check_main.h"

static struct config_check checks[] = {
    {.interval = 100 * USEC_PER_MSEC}, {.interval = USEC_PER_SEC}, {.interval = 10 * USEC_PER_SEC}};
static struct target targets[2000];

static struct sample_turns turns_of(uint32_t fast, uint32_t normal, uint32_t slow)
{
    uint32_t count = fast + normal + slow;
    for (uint32_t i = 0; i < count; i++)
        targets[i].check = &checks[i < fast ? 0 : i < fast + normal ? 1 : 2];
    return sample_turns_init(targets, count);
}

START_TEST(test_size_is_the_configurations)
{
    static const struct {
        uint32_t fast, normal, slow, slice;
    } rows[] = {{0, 0, 0, 0},       {0, 1, 0, 1},    {0, 8, 0, 4},    {0, 1000, 0, 128},
                {0, 500, 500, 128}, {10, 90, 0, 27}, {100, 0, 0, 100}};
    for (unsigned i = 0; i < array_length(rows); i++) {
        struct sample_turns t = turns_of(rows[i].fast, rows[i].normal, rows[i].slow);
        ck_assert_uint_eq(t.slice, rows[i].slice);
        sample_turns_done(&t);
    }
}
END_TEST

START_TEST(test_new_ones_first)
{
    struct sample_turns t = turns_of(0, 6, 0);
    static const uint32_t wanted[] = {4, 1, 0, 2, 3, 5, 4, 1};
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_uint_eq(sample_turns_take(&t), i); /* all wait at first */
    sample_turns_note(&t, 4);
    sample_turns_note(&t, 1);
    sample_turns_note(&t, 4); /* it waits already */
    for (unsigned i = 0; i < array_length(wanted); i++)
        ck_assert_uint_eq(sample_turns_take(&t), wanted[i]);
    sample_turns_done(&t);
}
END_TEST

/* Probed at any rate, in step or not: what is seen is told within a table's time, and a table is
 * whole about once a second. */
START_TEST(test_nobody_waits)
{
    static const struct {
        uint32_t fast, normal, slow;
    } rows[] = {{0, 1000, 0}, {0, 3, 0}, {30, 600, 400}, {200, 0, 200}, {0, 0, 50}};
    for (unsigned r = 0; r < array_length(rows); r++) {
        struct sample_turns t = turns_of(rows[r].fast, rows[r].normal, rows[r].slow);
        static unsigned seen[2000], told[2000];
        unsigned seen_most = 0, told_most = 0;
        for (uint32_t i = 0; i < t.count; i++)
            seen[i] = told[i] = 0;
        for (unsigned beat = 1; beat < 600; beat++) {
            for (uint32_t i = 0; i < t.count; i++) {
                unsigned every = (unsigned)(targets[i].check->interval / SAMPLE_SLICE_EVERY);
                if ((beat + i * 7) % every == 0) {
                    seen[i] = seen[i] ? seen[i] : beat;
                    sample_turns_note(&t, i);
                }
            }
            for (uint32_t n = 0; n < t.slice; n++) {
                uint32_t i = sample_turns_take(&t);
                if (beat > 20 && seen[i] && beat - seen[i] > seen_most)
                    seen_most = beat - seen[i];
                if (beat > 20 && beat - told[i] > told_most)
                    told_most = beat - told[i];
                seen[i] = 0;
                told[i] = beat;
            }
        }
        ck_assert_msg(seen_most <= 2, "row %u: seen %u", r, seen_most);
        ck_assert_msg(told_most <= 12, "row %u: told %u", r, told_most);
        sample_turns_done(&t);
    }
}
END_TEST

CHECK_MAIN("sample_turns", test_size_is_the_configurations, test_new_ones_first, test_nobody_waits)
