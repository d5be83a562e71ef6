#include "base/err.h"
#include "serve/dns/verified.h"
#include "test/check_main.h"
#include <stdlib.h>
#include <string.h>

static const int64_t second = 1000000000, now = 1000 * 1000000000LL;

static struct disk_identity identity(uint64_t inode)
{
    return (struct disk_identity){.device = 1,
                                  .inode = inode,
                                  .size = 100,
                                  .modified_ns = 5 * second,
                                  .changed_ns = 6 * second};
}

START_TEST(test_only_the_very_file_is_known)
{
    struct verified v = verified_init();
    struct disk_identity a = identity(7);
    ck_assert_int_eq(verified_find(&v, 1, &a), VERDICT_NONE);
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    ck_assert_int_eq(verified_find(&v, 1, &a), VERDICT_RIGHT);
    ck_assert_int_eq(verified_find(&v, 2, &a), VERDICT_NONE);
    struct disk_identity others[] = {a, a, a, a, a};
    others[0].device++;
    others[1].inode++;
    others[2].size++;
    others[3].modified_ns++;
    others[4].changed_ns++; /* same size, same mtime: what programs can forge */
    for (unsigned i = 0; i < array_length(others); i++)
        ck_assert_int_eq(verified_find(&v, 1, &others[i]), VERDICT_NONE);
    ck_assert(verified_put(&v, 1, &others[4], now, VERDICT_WRONG, NULL));
    ck_assert_int_eq(verified_find(&v, 1, &others[4]), VERDICT_WRONG);
    ck_assert_int_eq(verified_find(&v, 1, &a), VERDICT_NONE);
    verified_done(&v);
}
END_TEST

/* A file may change twice within a tick of the clock and show one time. */
START_TEST(test_nothing_is_noted_of_a_young_file)
{
    struct verified v = verified_init();
    struct disk_identity a = identity(7);
    a.changed_ns = now - VERIFIED_SETTLED_MS * 1000000LL;
    ck_assert(!verified_settled(&a, now));
    ck_assert(!verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    ck_assert_int_eq(verified_find(&v, 1, &a), VERDICT_NONE);
    ck_assert(verified_put(&v, 1, &a, now + 1, VERDICT_RIGHT, NULL));
    a.changed_ns = 0;
    a.modified_ns = now + second; /* of the future */
    ck_assert(!verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    verified_done(&v);
}
END_TEST

START_TEST(test_written_and_read)
{
    struct verified v = verified_init(), back;
    struct disk_identity a = identity(7), b = identity(8), c = identity(9);
    size_t size;
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    ck_assert(verified_put(&v, 2, &b, now, VERDICT_RIGHT, NULL));
    ck_assert(verified_put(&v, 3, &c, now, VERDICT_WRONG, NULL));
    ck_assert(v.changed);
    verified_use(&v, 1);
    verified_use(&v, 4);
    uint8_t *bytes = verified_encode(&v, 77, 5, &size);
    ck_assert(!v.changed);
    ck_assert_uint_eq(v.entries.count, 2); /* or it would grow for ever */
    ck_assert_int_eq(verified_find(&v, 1, &a), VERDICT_RIGHT);
    ck_assert_int_eq(verified_find(&v, 2, &b), VERDICT_NONE);
    ck_assert_int_eq(verified_decode(bytes, size, 77, 5, &back), 0);
    ck_assert_int_eq(verified_find(&back, 1, &a), VERDICT_RIGHT);
    ck_assert_int_eq(verified_find(&back, 2, &b), VERDICT_NONE); /* nobody uses it any more */
    ck_assert_int_eq(verified_find(&back, 3, &c), VERDICT_WRONG);
    size_t position = 0;
    ck_assert_uint_eq(verified_wrong_next(&back, &position)->hash, 3);
    ck_assert_ptr_null(verified_wrong_next(&back, &position));
    verified_done(&back);

    /* another program; whoever only wants to know */
    ck_assert_int_eq(verified_decode(bytes, size, 78, 5, &back), ERR_OLDER);
    ck_assert_int_eq(verified_decode(bytes, size, 0, 0, &back), 0);
    verified_done(&back);

    /* the file does not shrink: what is behind belongs to an older list */
    uint8_t *longer = calloc(1, size + 64);
    memcpy(longer, bytes, size);
    ck_assert_int_eq(verified_decode(longer, size + 64, 77, 5, &back), 0);
    verified_done(&back);
    free(longer);
    free(bytes);
    verified_done(&v);
}
END_TEST

/* Content stays what it is; which file is which does not outlive the boot. */
START_TEST(test_content_outlives_the_boot)
{
    struct verified v = verified_init(), back;
    struct disk_identity a = identity(7), young = identity(8);
    struct hash128 content = {11, 12};
    size_t size;
    young.changed_ns = now;
    ck_assert_ptr_null(verified_content(&v, 1));
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_RIGHT, &content));
    ck_assert(!verified_put(&v, 2, &young, now, VERDICT_RIGHT, &content));
    ck_assert(verified_put(&v, 3, &a, now, VERDICT_RIGHT, NULL));
    ck_assert(verified_put(&v, 4, &a, now, VERDICT_WRONG, &content));
    ck_assert_int_eq(verified_find(&v, 2, &young), VERDICT_NONE);
    ck_assert(hash128_equal(*verified_content(&v, 2), content));
    ck_assert_ptr_null(verified_content(&v, 3));
    ck_assert_ptr_null(verified_content(&v, 4));
    for (uint64_t i = 1; i <= 4; i++)
        verified_use(&v, i);
    uint8_t *bytes = verified_encode(&v, 77, 5, &size);
    for (uint64_t boot = 0; boot <= 6; boot += 6) { /* not known, another */
        ck_assert_int_eq(verified_decode(bytes, size, 77, boot, &back), 0);
        ck_assert_int_eq(verified_find(&back, 1, &a), VERDICT_NONE);
        ck_assert_int_eq(verified_find(&back, 4, &a), VERDICT_NONE);
        ck_assert(hash128_equal(*verified_content(&back, 1), content));
        ck_assert(hash128_equal(*verified_content(&back, 2), content));
        ck_assert_ptr_null(verified_content(&back, 3));
        verified_done(&back);
    }
    free(bytes);

    /* noted again without its fingerprint it keeps it; found wrong it has none */
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    ck_assert(hash128_equal(*verified_content(&v, 1), content));
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_WRONG, NULL));
    ck_assert_ptr_null(verified_content(&v, 1));
    verified_done(&v);
}
END_TEST

START_TEST(test_damage_is_an_error)
{
    struct verified v = verified_init(), back;
    struct disk_identity a = identity(7);
    size_t size;
    ck_assert(verified_put(&v, 1, &a, now, VERDICT_RIGHT, NULL));
    verified_use(&v, 1);
    uint8_t *bytes = verified_encode(&v, 77, 5, &size);
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1 << bit);
            ck_assert_int_lt(verified_decode(bytes, size, 77, 5, &back), 0);
            bytes[i] ^= (uint8_t)(1 << bit);
        }
    for (size_t i = 0; i < size; i++)
        ck_assert_int_lt(verified_decode(bytes, i, 77, 5, &back), 0);
    free(bytes);
    verified_done(&v);
}
END_TEST

CHECK_MAIN("verified", test_only_the_very_file_is_known, test_nothing_is_noted_of_a_young_file,
           test_written_and_read, test_content_outlives_the_boot, test_damage_is_an_error)
