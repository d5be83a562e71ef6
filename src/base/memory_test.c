#include "base/bytes.h"
#include "base/memory.h"
#include "base/random.h"
#include "test/check_main.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

START_TEST(test_new_is_zeroed_and_never_null)
{
    auto_free uint8_t *p = mem_new(100, 3);
    for (int i = 0; i < 300; i++)
        ck_assert_uint_eq(p[i], 0);
    auto_free void *none = mem_new(0, 0);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_null(mem_try_resize(NULL, SIZE_MAX / 2, 3));
}
END_TEST

START_TEST(test_grow)
{
    auto_free uint32_t *array = NULL;
    size_t capacity = 0;
    for (uint32_t count = 0; count < 1000; count++) {
        array = mem_grow(array, count, &capacity, sizeof *array);
        ck_assert_uint_gt(capacity, count);
        array[count] = count;
    }
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(array[i], i);
    ck_assert_uint_le(capacity, 1024);
}
END_TEST

static bool all_are(const uint8_t *data, size_t length, uint8_t value)
{
    for (size_t i = 0; i < length; i++)
        if (data[i] != value)
            return false;
    return true;
}

/* Every piece keeps its own bytes, is aligned and zeroed, whatever the mix of sizes. */
START_TEST(test_arena)
{
    enum { PIECES = 3000 };
    static struct bytes pieces[PIECES];
    struct arena a = arena_init();
    struct random r = random_init(3);
    size_t total = 0;
    for (int i = 0; i < PIECES; i++) {
        size_t size = random_below(&r, random_below(&r, 50) ? 100 : 50000);
        uint8_t *p = arena_new(&a, size, 1);
        ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
        ck_assert(all_are(p, size, 0));
        memset(p, i & 0xff, size);
        pieces[i] = (struct bytes){p, size};
        total += size;
    }
    for (int i = 0; i < PIECES; i++)
        ck_assert(all_are(pieces[i].data, pieces[i].length, (uint8_t)i));
    ck_assert_uint_ge(a.used, total);
    arena_done(&a);
    ck_assert_uint_eq(a.used, 0);
    ck_assert_str_eq(arena_printf(&a, "%s-%d", "again", 7), "again-7");
    ck_assert_str_eq(arena_string(&a, "cut here", 3), "cut");
    arena_done(&a);
}
END_TEST

START_TEST(test_reader_stops_at_the_end)
{
    struct reader r = reader_init("\1\2\3\4\5", 5);
    ck_assert_uint_eq(reader_u32(&r), 0x01020304);
    ck_assert_uint_eq(reader_u16(&r), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(reader_u8(&r), 0); /* the error sticks, although a byte is left */
    ck_assert_uint_eq(reader_left(&r), 1);
    struct reader whole = reader_init("\1", 1);
    ck_assert_ptr_null(reader_take(&whole, SIZE_MAX));
}
END_TEST

START_TEST(test_writer_stops_at_the_end)
{
    uint8_t out[8] = {0};
    struct writer w = writer_init(out, 7);
    writer_u32(&w, 0x01020304);
    writer_u16(&w, 0x0506);
    writer_u16(&w, 0x0708);
    ck_assert(w.failed);
    writer_u8(&w, 9);
    ck_assert_uint_eq(w.position, 6);
    ck_assert_mem_eq(out, ((uint8_t[8]){1, 2, 3, 4, 5, 6}), 8);
}
END_TEST

CHECK_MAIN("memory", test_new_is_zeroed_and_never_null, test_grow, test_arena,
           test_reader_stops_at_the_end, test_writer_stops_at_the_end)
