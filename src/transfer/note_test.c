#include "base/err.h"
#include "test/check_main.h"
#include "transfer/note.h"

static const struct secondary_note note = {.serial = 4000000000,
                                           .timers = {1, 2, 3},
                                           .confirmed = 50 * USEC_PER_DAY,
                                           .boot_id = 77,
                                           .wall = 20000 * USEC_PER_DAY};

START_TEST(test_round)
{
    uint8_t bytes[NOTE_SIZE];
    struct secondary_note back;
    note_encode(&note, bytes);
    ck_assert_int_eq(note_decode(bytes, sizeof bytes, &back), 0);
    ck_assert_uint_eq(back.serial, note.serial);
    ck_assert(back.timers.refresh == 1 && back.timers.retry == 2 && back.timers.expire == 3);
    ck_assert(back.confirmed == note.confirmed && back.wall == note.wall && back.boot_id == 77);
    ck_assert_int_eq(note_decode(bytes, sizeof bytes - 1, &back), ERR_TRUNCATED);
    bytes[0] ^= 1;
    ck_assert_int_eq(note_decode(bytes, sizeof bytes, &back), ERR_MAGIC);
    ck_assert_int_eq(note_decode(bytes, 3, &back), ERR_MAGIC);
}
END_TEST

START_TEST(test_age)
{
    ck_assert_int_eq(note_age(&note, note.confirmed + 5, 77, 0), 5);
    ck_assert_int_eq(note_age(&note, 3, 78, note.wall + 9), 9);
    ck_assert_int_eq(note_age(&note, note.confirmed + 5, 0, note.wall + 9), 9);
    ck_assert_int_eq(note_age(&note, 3, 78, note.wall - 9), 0);
}
END_TEST

CHECK_MAIN("note", test_round, test_age)
