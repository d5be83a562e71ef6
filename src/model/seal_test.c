/* What is sealed is opened by whom it was meant for, and by nobody else. */
#include "base/err.h"
#include "model/seal.h"
#include "test/check_main.h"
#include <string.h>

static const uint8_t ana[SEAL_KEY_SIZE] = "ana's private key, 32 bytes ....";
static const uint8_t bob[SEAL_KEY_SIZE] = "bob's private key, 32 bytes ....";
static const uint8_t once[SEAL_KEY_SIZE] = "drawn for this wrap alone ......";
static const uint8_t secret[SEAL_KEY_SIZE] = "what all nodes know, 32 bytes ..";
static const uint8_t nonce[SEAL_NONCE_SIZE] = "12 bytes ...";

/* RFC 7748 6.1. */
START_TEST(test_public)
{
    static const uint8_t private[SEAL_KEY_SIZE] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
                                                   0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                                   0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
                                                   0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t begins[] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54};
    uint8_t public[SEAL_KEY_SIZE];
    seal_public(private, public);
    ck_assert_mem_eq(public, begins, sizeof begins);
}
END_TEST

START_TEST(test_wrap)
{
    uint8_t public[SEAL_KEY_SIZE], wrap[SEAL_WRAP_SIZE], back[SEAL_KEY_SIZE];
    static const uint8_t no_key[SEAL_KEY_SIZE];
    seal_public(ana, public);
    ck_assert_int_eq(seal_wrap(public, once, secret, wrap), 0);
    ck_assert_int_eq(seal_unwrap(ana, wrap, back), 0);
    ck_assert_mem_eq(back, secret, sizeof back);
    ck_assert_int_eq(seal_unwrap(bob, wrap, back), ERR_CHECKSUM);
    for (unsigned i = 0; i < sizeof wrap; i++) { /* every bit counts, but X25519's unused one */
        wrap[i] ^= 1;
        ck_assert_int_eq(seal_unwrap(ana, wrap, back), ERR_CHECKSUM);
        wrap[i] ^= 1;
    }
    ck_assert_int_eq(seal_wrap(no_key, once, secret, wrap), ERR_INVALID);
    for (unsigned i = 0; i + 4 < sizeof wrap; i++)
        ck_assert(memcmp(wrap + i, secret, 4) != 0);
}
END_TEST

START_TEST(test_box)
{
    static const char data[] = "-----BEGIN PRIVATE KEY-----";
    uint8_t box[sizeof data + SEAL_BOX_MORE], back[sizeof data];
    seal_box(secret, nonce, "example.com csk 1", data, sizeof data, box);
    ck_assert_int_eq(seal_open(secret, "example.com csk 1", box, sizeof box, back), 0);
    ck_assert_mem_eq(back, data, sizeof data);
    ck_assert_int_eq(seal_open(secret, "example.com csk 2", box, sizeof box, back), ERR_CHECKSUM);
    ck_assert_int_eq(seal_open(once, "example.com csk 1", box, sizeof box, back), ERR_CHECKSUM);
    ck_assert_int_eq(seal_open(secret, "x", box, SEAL_BOX_MORE - 1, back), ERR_TRUNCATED);
    for (unsigned i = 0; i < sizeof box; i++) {
        box[i] ^= 0x80;
        ck_assert_int_eq(seal_open(secret, "example.com csk 1", box, sizeof box, back),
                         ERR_CHECKSUM);
        box[i] ^= 0x80;
    }
}
END_TEST

CHECK_MAIN("seal", test_public, test_wrap, test_box)
