#include "replica/record.h"

#include "base/err.h"
#include "test/check_main.h"
#include <string.h>

enum { SEGMENT = 7 };

static struct text segment;

static size_t add(enum record_type type, size_t batch, uint64_t index, const char *data)
{
    size_t at = segment.length;
    struct record r = {.type = type,
                       .kind = 1,
                       .batch = (uint32_t)batch,
                       .index = index,
                       .term = 3,
                       .data = (const uint8_t *)data,
                       .size = strlen(data)};
    record_put(&r, SEGMENT, &segment);
    return at;
}

static struct bytes all(void)
{
    return (struct bytes){(const uint8_t *)segment.data, segment.length};
}

/* A head, two writes of two entries each; where they begin. */
static size_t begins[5];
static void fill(void)
{
    segment = text_init(10000);
    begins[0] = add(RECORD_HEAD, 0, 0, "x");
    begins[1] = add(RECORD_ENTRY, segment.length, 1, "one");
    begins[2] = add(RECORD_ENTRY, begins[1], 2, "a longer second one, of some bytes");
    begins[3] = add(RECORD_ENTRY, segment.length, 3, "");
    begins[4] = add(RECORD_ENTRY, begins[3], 4, "four");
}

START_TEST(test_round)
{
    struct record r;
    size_t position = 0;
    fill();
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(position, begins[i]);
        ck_assert_int_eq(record_take(all(), SEGMENT, &position, &r), 1);
        ck_assert_uint_eq(r.index, i);
        ck_assert_int_eq(r.type, i ? RECORD_ENTRY : RECORD_HEAD);
    }
    ck_assert(r.size == 4 && !memcmp(r.data, "four", 4) && r.term == 3 && r.kind == 1);
    ck_assert_int_eq(record_take(all(), SEGMENT, &position, &r), 0);
    position = 0;
    ck_assert_int_eq(record_take(all(), SEGMENT + 1, &position, &r), ERR_CHECKSUM);
    text_done(&segment);
}
END_TEST

/* Whatever byte changes: what had been synced before the last write began is told from what may
 * have been torn. */
START_TEST(test_damage)
{
    fill();
    for (size_t at = 0; at < segment.length; at++) {
        struct record r;
        size_t position = 0;
        int got;
        segment.data[at] ^= 0x41;
        while ((got = record_take(all(), SEGMENT, &position, &r)) > 0)
            continue;
        bool padding = got == 0; /* zeros behind a payload are of no meaning */
        ck_assert(padding || got == ERR_CHECKSUM);
        if (!padding)
            ck_assert_int_eq(record_is_torn(all(), SEGMENT, position), at >= begins[3]);
        segment.data[at] ^= 0x41;
    }
    text_done(&segment);
}
END_TEST

/* A write that was cut off anywhere is torn, never damage. */
START_TEST(test_torn)
{
    fill();
    for (size_t length = begins[3] + 1; length < segment.length; length++) {
        struct bytes part = {(const uint8_t *)segment.data, length};
        struct record r;
        size_t position = 0;
        int got;
        while ((got = record_take(part, SEGMENT, &position, &r)) > 0)
            continue;
        ck_assert(got == 0 || record_is_torn(part, SEGMENT, position));
        ck_assert(position == begins[3] || position == begins[4]);
    }
    text_done(&segment);
}
END_TEST

CHECK_MAIN("record", test_round, test_damage, test_torn)
