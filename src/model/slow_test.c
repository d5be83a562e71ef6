#include "model/slow.h"

#include "base/err.h"
#include "base/hash.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

static uint8_t *file_of(size_t *ret_size)
{
    struct slow_history list[2] = {{.identity = 5}, {.identity = 6}};
    list[0].usual[0][0] = 300;
    list[1].usual[SLOW_HOURS - 1][SLOW_DAYS - 1] = 301;
    return slow_encode(list, 2, ret_size);
}

static int decode(const uint8_t *data, size_t size)
{
    struct slow_history *list = NULL;
    uint32_t count;
    int err = slow_decode(data, size, &list, &count);
    free(list);
    return err;
}

START_TEST(test_whole)
{
    size_t size;
    uint8_t *data = file_of(&size);
    struct slow_history *list;
    uint32_t count;
    ck_assert_int_eq(slow_decode(data, size, &list, &count), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(list[0].identity, 5);
    ck_assert_uint_eq(list[0].usual[0][0], 300);
    ck_assert_uint_eq(list[1].usual[SLOW_HOURS - 1][SLOW_DAYS - 1], 301);
    free(list);
    free(data);
}
END_TEST

START_TEST(test_damage)
{
    size_t size;
    uint8_t *data = file_of(&size);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0x10;
        ck_assert_int_ne(decode(data, size), 0);
        data[i] ^= 0x10;
        ck_assert_int_ne(decode(data, i), 0);
    }
    data[24] = 0xff; /* a bucket that is none */
    uint64_t hash = hash64(data, size - 8);
    for (unsigned i = 0; i < 8; i++)
        data[size - 8 + i] = (uint8_t)(hash >> (56 - 8 * i));
    ck_assert_int_eq(decode(data, size), ERR_INVALID);
    free(data);
}
END_TEST

CHECK_MAIN("slow_file", test_whole, test_damage)
