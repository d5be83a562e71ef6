#include "base/sha1.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

static const char *hex_of(const void *data, size_t length)
{
    static char text[2 * SHA1_SIZE + 1];
    uint8_t hash[SHA1_SIZE];
    sha1(data, length, hash);
    for (unsigned i = 0; i < SHA1_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

/* FIPS 180-4's examples. */
START_TEST(test_known)
{
    ck_assert_str_eq(hex_of("abc", 3), "a9993e364706816aba3e25717850c26c9cd0d89d");
    ck_assert_str_eq(hex_of("", 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    ck_assert_str_eq(hex_of(two, strlen(two)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}
END_TEST

/* The padding's edges: 55 bytes still end in one block, 56 and 64 take another. */
START_TEST(test_edges)
{
    char data[120];
    memset(data, 'a', sizeof data);
    ck_assert_str_eq(hex_of(data, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    ck_assert_str_eq(hex_of(data, 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    ck_assert_str_eq(hex_of(data, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    ck_assert_str_eq(hex_of(data, 119), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
}
END_TEST

CHECK_MAIN("sha1", test_known, test_edges)
