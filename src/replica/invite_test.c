#include "replica/invite.h"

#include "base/err.h"
#include "test/check_main.h"
#include <ctype.h>
#include <string.h>

static struct invite invite_make(void)
{
    struct invite i = {
        .cluster = "cluster", .authority = "authority", .secret = "secret", .address_count = 2};
    ck_assert_int_eq(ip_port_parse("192.0.2.1:7443", &i.addresses[0].ip, &i.addresses[0].port), 0);
    ck_assert_int_eq(ip_port_parse("[2001:db8::1]:1", &i.addresses[1].ip, &i.addresses[1].port), 0);
    return i;
}

START_TEST(test_token)
{
    struct invite i = invite_make(), back;
    struct text t = text_init(INVITE_TOKEN_MAX), spaced = text_init(2 * INVITE_TOKEN_MAX);
    invite_format(&i, &t);
    ck_assert(!t.failed);
    ck_assert_int_eq(invite_parse(text_string(&t), &back), 0);
    ck_assert_mem_eq(&back, &i, sizeof i);
    for (const char *c = text_string(&t) + 3; *c; c++) /* read aloud, written down, broken in two */
        text_appendf(&spaced, "%c%s", toupper((unsigned char)*c), c - t.data == 40 ? " \n" : "");
    struct text whole = text_init(2 * INVITE_TOKEN_MAX);
    text_appendf(&whole, " hf1%s", text_string(&spaced));
    ck_assert_int_eq(invite_parse(text_string(&whole), &back), 0);
    text_done(&whole);
    text_done(&spaced);
    text_done(&t);
}
END_TEST

/* Every single typing error, every lost end. */
START_TEST(test_typing)
{
    struct invite i = invite_make(), back;
    struct text t = text_init(INVITE_TOKEN_MAX);
    invite_format(&i, &t);
    for (size_t at = 3; at < t.length; at++) {
        char was = t.data[at];
        t.data[at] = was == 'a' ? 'b' : 'a';
        /* the last one has bits that say nothing */
        if (at + 1 < t.length)
            ck_assert_int_eq(invite_parse(t.data, &back), ERR_CHECKSUM);
        t.data[at] = '1';
        ck_assert_int_eq(invite_parse(t.data, &back), ERR_CHECKSUM);
        t.data[at] = 0;
        if (at + 1 < t.length)
            ck_assert_int_eq(invite_parse(t.data, &back), ERR_CHECKSUM);
        t.data[at] = was;
    }
    ck_assert_int_eq(invite_parse("", &back), ERR_SYNTAX);
    ck_assert_int_eq(invite_parse("hello", &back), ERR_SYNTAX);
    ck_assert_int_eq(invite_parse("hf2aaaa", &back), ERR_VERSION);
    text_done(&t);
}
END_TEST

START_TEST(test_proof)
{
    static const uint8_t secret[INVITE_SECRET_SIZE] = "secret",
                         other[INVITE_SECRET_SIZE] = "Secret", binding[32] = "this connection",
                         another[32] = "another connection";
    char name[INVITE_NAME_SIZE], name_other[INVITE_NAME_SIZE];
    uint8_t key[INVITE_KEY_SIZE], key_other[INVITE_KEY_SIZE], proof[INVITE_PROOF_SIZE];
    invite_public(secret, name, key);
    invite_public(other, name_other, key_other);
    ck_assert_str_ne(name, name_other);
    ck_assert_uint_eq(strlen(name), INVITE_NAME_SIZE - 1);
    invite_prove(secret, binding, "request", 7, proof);
    ck_assert(invite_is_proved(key, binding, "request", 7, proof));
    ck_assert(!invite_is_proved(key_other, binding, "request", 7, proof));
    ck_assert(!invite_is_proved(key, another, "request", 7, proof));
    ck_assert(!invite_is_proved(key, binding, "Request", 7, proof));
    proof[0] ^= 1;
    ck_assert(!invite_is_proved(key, binding, "request", 7, proof));
}
END_TEST

CHECK_MAIN("invite", test_token, test_typing, test_proof)
